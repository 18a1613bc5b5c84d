// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {TeeKind} from "../../interfaces/AttestationTypes.sol";
import {TcbInfoSummary} from "../../interfaces/ICollateralReader.sol";
import {CompactInput} from "./CompactInput.sol";
import {Decorations} from "./Decorations.sol";
import {JsonText} from "./JsonText.sol";
import {LevelText} from "./LevelText.sol";

/// @title TcbInfo
/// @notice Writes Intel's TCB info (`tcbInfo`), version 3 (PCS API v4) or 2 (PCS API v3), from its compact form, to
/// the byte.
/// @dev Compact form of version 3, big-endian:
/// ```
/// form 1 (1 SGX, 2 TDX)
/// decorations of 16 SGX components and, for TDX, of 16 TDX components (see {Decorations})
/// issueDate 5 | nextUpdate 5 | tcbEvaluationDataNumber 3 | fmspc 12 | pceId 4   (hex digits as in the text)
/// TDX: mrsigner 48 | attributes 8 | attributesMask 8 | identity count 1 (0: the member is absent)
///      each identity: id 2 (the hex digits after TDX_) | mrsigner 48 | attributes 8 | attributesMask 8
///                     | level count 1 | levels (see {LevelText})
/// level count 1
///      each level: SGX SVNs 16 | pcesvn 2 | TDX: TDX SVNs 16 | end (see {LevelText})
/// ```
/// Version 2 has form 3, no decorations, and goes on like SGX. Its levels list no advisories: what is kept of those
/// is 8 times 0xff, "not known", which no list hashes to but by accident.
///
/// What is kept (`levels`), read by {TcbLevels}:
/// ```
/// SGX: level count 1 | levels, 27 each: SGX SVNs 16 | pcesvn 2 | end 9
/// TDX: offset of the level count 2 | module 40 | identity count 1
///      | identities: version 1 | own 1 | module 40 if own | level count 1 | levels, 11 each
///      | level count 1 | levels, 43 each: SGX SVNs 16 | TDX SVNs 16 | pcesvn 2 | end 9
/// a module: keccak256(mrsigner) 32 | attributes 8; own is 0 when an identity's is that of `tdxModule`
/// ```
/// attributesMask is not kept: SEAM attributes other than zero are refused whatever the mask.
///
/// One signed text has one meaning. Every field's text is delimited: dates, hex values and advisories have a
/// fixed length; a number has no leading zeros and ends at the first character that is no digit, which the
/// template supplies; a status is one of seven words; a decoration holds neither quotes, brackets, braces
/// nor backslashes, so it ends at the first quote. A reader that goes through the text from the left
/// therefore finds one compact form at most: two different compact forms never give the same text. And as no
/// object can hold a key twice and no string an escape, every JSON parser reads the same values from it.
library TcbInfo {
    uint256 private constant _FORM_VERSION_2 = 3;
    uint256 private constant _ADVISORIES_UNKNOWN = type(uint64).max;

    /// @notice The compact form is of no known kind.
    error TcbInfoFormUnsupported(uint8 form);

    /// @param compact The compact form.
    /// @return summary Which TCB info this is, and from when to when it counts.
    /// @return levels What is kept.
    /// @return text Where the text begins in memory. It lies above the free memory pointer with 32 bytes to
    /// spare before it: hash or allocate it at once.
    /// @return length The text's length in bytes.
    function rebuild(bytes calldata compact)
        internal
        pure
        returns (TcbInfoSummary memory summary, bytes memory levels, uint256 text, uint256 length)
    {
        uint256 input;
        uint256 limit;
        uint256 keep;
        assembly ("memory-safe") {
            input := compact.offset
            limit := add(input, compact.length)
            // A kept element takes at most twice the room of its compact form (11 bytes from 9 is the most).
            // The loops stop at the first element that ends past the end; 256 bytes exceed any one element.
            levels := mload(0x40)
            keep := add(levels, 32)
            mstore(0x40, add(keep, add(256, shl(1, compact.length))))
        }
        bool tdx;
        uint256 decorations;
        {
            uint256 form;
            (form, input) = CompactInput.take(input, 1);
            if (form != uint8(TeeKind.SGX) && form != uint8(TeeKind.TDX) && form != _FORM_VERSION_2) {
                revert TcbInfoFormUnsupported(uint8(form));
            }
            tdx = form == uint8(TeeKind.TDX);
            summary.tee = tdx ? TeeKind.TDX : TeeKind.SGX;
            summary.version = form == _FORM_VERSION_2 ? 2 : 3;
        }
        uint256 tdxDecorations;
        if (summary.version == 3) (decorations, input) = Decorations.read(input);
        if (tdx) (tdxDecorations, input) = Decorations.read(input);
        assembly ("memory-safe") {
            text := add(mload(0x40), 32)
        }
        uint256 to = text;
        (to, input) = _head(summary, to, input, tdx);
        if (tdx) (to, input, keep) = _modules(to, input, keep, limit);
        (to, input, keep) = _levels(to, input, keep, limit, decorations, tdxDecorations);
        if (input != limit) {
            revert CompactInput.CompactLengthMismatch(input + compact.length - limit, compact.length);
        }
        length = to - text;
        assembly ("memory-safe") {
            mstore(levels, sub(keep, add(levels, 32)))
        }
    }

    /// @dev Everything from the first brace to the comma after tcbEvaluationDataNumber.
    function _head(TcbInfoSummary memory summary, uint256 to, uint256 input, bool tdx)
        private
        pure
        returns (uint256, uint256)
    {
        uint256 issueDate;
        uint256 nextUpdate;
        uint256 number;
        uint256 fmspc;
        uint256 pceid;
        (issueDate, input) = CompactInput.take(input, 5);
        (nextUpdate, input) = CompactInput.take(input, 5);
        (number, input) = CompactInput.take(input, 3);
        if (summary.version == 2) {
            to = JsonText.literal(to, '{"version":2,', 13);
        } else {
            bytes32 kind = tdx ? bytes32('{"id":"TDX","version":3,') : bytes32('{"id":"SGX","version":3,');
            to = JsonText.literal(to, kind, 24);
        }
        to = JsonText.literal(to, '"issueDate":"', 13);
        to = JsonText.date(to, issueDate);
        to = JsonText.literal(to, '","nextUpdate":"', 16);
        to = JsonText.date(to, nextUpdate);
        to = JsonText.literal(to, '","fmspc":"', 11);
        to = JsonText.literal(to, CompactInput.peek(input), 12);
        (fmspc, input) = CompactInput.takeHexDigits(input, 12);
        to = JsonText.literal(to, '","pceId":"', 11);
        to = JsonText.literal(to, CompactInput.peek(input), 4);
        (pceid, input) = CompactInput.takeHexDigits(input, 4);
        to = JsonText.literal(to, '","tcbType":0,"tcbEvaluationData', 32);
        to = JsonText.literal(to, 'Number":', 8);
        to = JsonText.decimal(to, number);
        summary.issueDate = uint40(issueDate);
        summary.nextUpdate = uint40(nextUpdate);
        summary.evaluationNumber = uint24(number);
        summary.fmspc = bytes6(uint48(fmspc));
        summary.pceid = bytes2(uint16(pceid));
        return (JsonText.literal(to, ",", 1), input);
    }

    /// @dev `"tdxModule":{...},` and, unless there are none, `"tdxModuleIdentities":[...],`.
    function _modules(uint256 to, uint256 input, uint256 keep, uint256 limit)
        private
        pure
        returns (uint256, uint256, uint256)
    {
        uint256 start = keep;
        to = JsonText.literal(to, '"tdxModule":{', 13);
        (to, input, keep) = _module(to, input, keep + 2);
        to = JsonText.literal(to, "},", 2);
        uint256 count;
        (count, input) = CompactInput.take(input, 1);
        assembly ("memory-safe") {
            mstore8(keep, count)
        }
        ++keep;
        if (count != 0) {
            to = JsonText.literal(to, '"tdxModuleIdentities":[', 23);
            for (uint256 i = 0; i < count && input <= limit; ++i) {
                (to, input, keep) = _moduleIdentity(to, input, keep, limit, start + 2);
            }
            to = JsonText.literal(to - 1, "],", 2);
        }
        assembly ("memory-safe") {
            // Kept bytes that two bytes cannot count could not be stored either (EIP-170: 24,576 bytes).
            let offset := sub(keep, start)
            mstore8(start, shr(8, offset))
            mstore8(add(start, 1), offset)
        }
        return (to, input, keep);
    }

    /// @dev `{"id":"TDX_..",...,"tcbLevels":[...]},`. `module` is where what is kept of `tdxModule` lies.
    function _moduleIdentity(uint256 to, uint256 input, uint256 keep, uint256 limit, uint256 module)
        private
        pure
        returns (uint256, uint256, uint256)
    {
        to = JsonText.literal(to, '{"id":"TDX_', 11);
        to = JsonText.literal(to, CompactInput.peek(input), 2);
        uint256 version;
        (version, input) = CompactInput.takeHexDigits(input, 2);
        assembly ("memory-safe") {
            mstore8(keep, version)
        }
        to = JsonText.literal(to, '",', 2);
        uint256 own = keep + 1;
        (to, input, keep) = _module(to, input, keep + 2);
        assembly ("memory-safe") {
            // Intel's identities have the signer and attributes of `tdxModule`: those are kept once.
            let differs := iszero(eq(keccak256(add(own, 1), 40), keccak256(module, 40)))
            mstore8(own, differs)
            if iszero(differs) { keep := add(own, 1) }
        }
        to = JsonText.literal(to, ",", 1);
        uint256 countAt = keep;
        uint256 count;
        (to, input, keep, count) = LevelText.isvSvnLevels(to, input, keep + 1, limit);
        assembly ("memory-safe") {
            mstore8(countAt, count)
        }
        return (JsonText.literal(to, "},", 2), input, keep);
    }

    /// @dev `"mrsigner":"...","attributes":"...","attributesMask":"..."`; keeps 40 bytes.
    function _module(uint256 to, uint256 input, uint256 keep) private pure returns (uint256, uint256, uint256) {
        (bytes32 signer,) = CompactInput.takeHash(input, 48, to);
        bytes32 signerHead = CompactInput.peek(input);
        bytes32 signerTail = CompactInput.peek(input + 32);
        bytes32 attributes = CompactInput.peek(input + 48);
        to = JsonText.literal(to, '"mrsigner":"', 12);
        to = JsonText.hex16(to, bytes16(signerHead));
        to = JsonText.hex16(to, bytes16(signerHead << 128));
        to = JsonText.hex16(to, bytes16(signerTail));
        to = JsonText.literal(to, '","attributes":"', 16);
        to = JsonText.hexBytes(to, bytes16(attributes), 8);
        to = JsonText.literal(to, '","attributesMask":"', 20);
        to = JsonText.hexBytes(to, bytes16(attributes << 64), 8);
        assembly ("memory-safe") {
            mstore(keep, signer)
            mstore(add(keep, 32), attributes)
        }
        return (JsonText.literal(to, '"', 1), input + 64, keep + 40);
    }

    /// @dev `"tcbLevels":[...]}`, the end of the text.
    function _levels(
        uint256 to,
        uint256 input,
        uint256 keep,
        uint256 limit,
        uint256 decorations,
        uint256 tdxDecorations
    ) private pure returns (uint256, uint256, uint256) {
        uint256 count;
        (count, input) = CompactInput.take(input, 1);
        if (count == 0) revert LevelText.LevelsMissing();
        assembly ("memory-safe") {
            mstore8(keep, count)
        }
        ++keep;
        to = JsonText.literal(to, '"tcbLevels":[', 13);
        for (uint256 i = 0; i < count && input <= limit; ++i) {
            (to, input, keep) = _level(to, input, keep, decorations, tdxDecorations);
        }
        // The last comma gives way to the bracket.
        return (JsonText.literal(to - 1, "]}", 2), input, keep);
    }

    /// @dev `{"tcb":{"sgxtcbcomponents":[...],"pcesvn":...[,"tdxtcbcomponents":[...]]},...},`; in version 2, which
    /// has no decorations, the components are 16 members of their own.
    function _level(uint256 to, uint256 input, uint256 keep, uint256 decorations, uint256 tdxDecorations)
        private
        pure
        returns (uint256, uint256, uint256)
    {
        bytes32 head = CompactInput.peek(input);
        uint256 pcesvn = uint16(bytes2(head << 128));
        input += 18;
        if (decorations == 0) {
            to = JsonText.literal(to, '{"tcb":{', 8);
            to = _componentMembers(to, head);
        } else {
            to = JsonText.literal(to, '{"tcb":{"sgxtcbcomponents":', 27);
            to = Decorations.components(to, head, decorations);
        }
        to = JsonText.literal(to, ',"pcesvn":', 10);
        to = JsonText.decimal(to, pcesvn);
        assembly ("memory-safe") {
            mstore(keep, head)
        }
        keep += 16;
        if (tdxDecorations != 0) {
            bytes32 components = CompactInput.peek(input);
            input += 16;
            to = JsonText.literal(to, ',"tdxtcbcomponents":', 20);
            to = Decorations.components(to, components, tdxDecorations);
            assembly ("memory-safe") {
                mstore(keep, components)
            }
            keep += 16;
        }
        uint256 kept;
        (to, input, kept) = LevelText.end(to, input);
        kept |= pcesvn << 72;
        if (decorations == 0) kept |= _ADVISORIES_UNKNOWN;
        assembly ("memory-safe") {
            mstore(keep, shl(168, kept))
        }
        return (JsonText.literal(to, ",", 1), input, keep + LevelText.KEPT_LEVEL);
    }

    /// @dev `"sgxtcbcomp01svn":...,` to `"sgxtcbcomp16svn":...`, without the last comma.
    function _componentMembers(uint256 to, bytes32 svns) private pure returns (uint256) {
        for (uint256 i = 0; i < 16; ++i) {
            // The digits of the position, 01 to 16, are characters 11 and 12.
            uint256 digits = ((i + 1) / 10 << 8) + (i + 1) % 10;
            to = JsonText.literal(to, bytes32(uint256(bytes32('"sgxtcbcomp00svn":')) + (digits << 152)), 18);
            to = JsonText.decimal(to, uint8(svns[i]));
            to = JsonText.literal(to, ",", 1);
        }
        return to - 1;
    }
}
