// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {TeeKind} from "../../interfaces/AttestationTypes.sol";
import {QeIdentitySummary} from "../../interfaces/ICollateralReader.sol";
import {CompactInput} from "./CompactInput.sol";
import {JsonText} from "./JsonText.sol";
import {LevelText} from "./LevelText.sol";

/// @title QeIdentity
/// @notice Writes Intel's quoting enclave identity v2 (PCS API v4, `enclaveIdentity`) from its compact form,
/// to the byte.
/// @dev Compact form, big-endian:
/// ```
/// tee 1 (TeeKind: 1 for "QE", 2 for "TD_QE")
/// issueDate 5 | nextUpdate 5 | tcbEvaluationDataNumber 3
/// miscselect 4 | miscselectMask 4 | attributes 16 | attributesMask 16 | mrsigner 32 | isvprodid 2
/// level count 1 | levels (see {LevelText})
/// ```
/// What is kept (`identity`), read by {QeLevels}:
/// `mrsigner 32 | attributes 16 | attributesMask 16 | miscselect 4 | miscselectMask 4 | isvprodid 2
/// | level count 1 | levels, 11 each`.
///
/// One signed text has one meaning, by the argument in {TcbInfo}; here there are no decorations.
library QeIdentity {
    /// @notice The compact form is of no known kind.
    error QeIdentityFormUnsupported(uint8 form);

    /// @param compact The compact form.
    /// @return summary Which identity this is, and from when to when it counts.
    /// @return identity What is kept.
    /// @return text Where the text begins in memory, as in {TcbInfo.rebuild}.
    /// @return length The text's length in bytes.
    function rebuild(bytes calldata compact)
        internal
        pure
        returns (QeIdentitySummary memory summary, bytes memory identity, uint256 text, uint256 length)
    {
        uint256 input;
        uint256 limit;
        uint256 keep;
        assembly ("memory-safe") {
            input := compact.offset
            limit := add(input, compact.length)
            // As in TcbInfo: what is kept takes at most twice the room of the compact form.
            identity := mload(0x40)
            keep := add(identity, 32)
            mstore(0x40, add(keep, add(256, shl(1, compact.length))))
            text := add(mload(0x40), 32)
        }
        uint256 to = text;
        (to, input) = _head(summary, to, input);
        (to, input) = _enclave(to, input, keep);
        uint256 count;
        (to, input, length, count) = LevelText.isvSvnLevels(to, input, keep + 75, limit);
        if (input != limit) {
            revert CompactInput.CompactLengthMismatch(input + compact.length - limit, compact.length);
        }
        assembly ("memory-safe") {
            mstore8(add(keep, 74), count)
            mstore(identity, sub(length, keep))
        }
        length = JsonText.literal(to, "}", 1) - text;
    }

    /// @dev Everything from the first brace to the comma after tcbEvaluationDataNumber.
    function _head(QeIdentitySummary memory summary, uint256 to, uint256 input)
        private
        pure
        returns (uint256, uint256)
    {
        uint256 value;
        (value, input) = CompactInput.take(input, 1);
        if (value == uint8(TeeKind.SGX)) {
            to = JsonText.literal(to, '{"id":"QE"', 10);
        } else if (value == uint8(TeeKind.TDX)) {
            to = JsonText.literal(to, '{"id":"TD_QE"', 13);
        } else {
            revert QeIdentityFormUnsupported(uint8(value));
        }
        summary.tee = TeeKind(value);
        to = JsonText.literal(to, ',"version":2,"issueDate":"', 26);
        (value, input) = CompactInput.take(input, 5);
        to = JsonText.date(to, value);
        summary.issueDate = uint40(value);
        to = JsonText.literal(to, '","nextUpdate":"', 16);
        (value, input) = CompactInput.take(input, 5);
        to = JsonText.date(to, value);
        summary.nextUpdate = uint40(value);
        to = JsonText.literal(to, '","tcbEvaluationDataNumber":', 28);
        (value, input) = CompactInput.take(input, 3);
        to = JsonText.decimal(to, value);
        summary.evaluationNumber = uint24(value);
        return (JsonText.literal(to, ",", 1), input);
    }

    /// @dev miscselect to isvprodid with the comma after it; keeps 74 bytes.
    function _enclave(uint256 to, uint256 input, uint256 keep) private pure returns (uint256, uint256) {
        bytes32 misc = CompactInput.peek(input);
        bytes32 attributes = CompactInput.peek(input + 8);
        bytes32 signer = CompactInput.peek(input + 40);
        uint256 product;
        (product, input) = CompactInput.take(input + 72, 2);
        assembly ("memory-safe") {
            mstore(keep, signer)
            mstore(add(keep, 32), attributes)
            mstore(add(keep, 64), or(and(misc, shl(192, 0xffffffffffffffff)), shl(176, product)))
        }
        to = JsonText.literal(to, '"miscselect":"', 14);
        to = JsonText.hexBytes(to, bytes16(misc), 4);
        to = JsonText.literal(to, '","miscselectMask":"', 20);
        to = JsonText.hexBytes(to, bytes16(misc << 32), 4);
        to = JsonText.literal(to, '","attributes":"', 16);
        to = JsonText.hex16(to, bytes16(attributes));
        to = JsonText.literal(to, '","attributesMask":"', 20);
        to = JsonText.hex16(to, bytes16(attributes << 128));
        to = JsonText.literal(to, '","mrsigner":"', 14);
        to = JsonText.hex16(to, bytes16(signer));
        to = JsonText.hex16(to, bytes16(signer << 128));
        to = JsonText.literal(to, '","isvprodid":', 14);
        to = JsonText.decimal(to, product);
        return (JsonText.literal(to, ",", 1), input);
    }
}
