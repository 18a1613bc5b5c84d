// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ICollateralReader, QeIdentitySummary, TcbInfoSummary} from "../../interfaces/ICollateralReader.sol";
import {MemoryBytes} from "./MemoryBytes.sol";
import {QeIdentity} from "./QeIdentity.sol";
import {TcbInfo} from "./TcbInfo.sol";

/// @title CollateralReader
/// @notice The rebuilding of Intel's JSON, in a contract of its own so that the verifier stays below the
/// size limit of EIP-170. It has no state and no owner.
contract CollateralReader is ICollateralReader {
    /// @inheritdoc ICollateralReader
    function readTcbInfo(bytes calldata compact)
        external
        view
        returns (TcbInfoSummary memory summary, bytes32 digest, bytes memory levels)
    {
        uint256 text;
        uint256 length;
        (summary, levels, text, length) = TcbInfo.rebuild(compact);
        digest = MemoryBytes.sha256Of(text, length);
    }

    /// @inheritdoc ICollateralReader
    function readQeIdentity(bytes calldata compact)
        external
        view
        returns (QeIdentitySummary memory summary, bytes32 digest, bytes memory identity)
    {
        uint256 text;
        uint256 length;
        (summary, identity, text, length) = QeIdentity.rebuild(compact);
        digest = MemoryBytes.sha256Of(text, length);
    }

    /// @inheritdoc ICollateralReader
    function tcbInfoText(bytes calldata compact) external pure returns (string memory) {
        (,, uint256 text, uint256 length) = TcbInfo.rebuild(compact);
        return _allocated(text, length);
    }

    /// @inheritdoc ICollateralReader
    function qeIdentityText(bytes calldata compact) external pure returns (string memory) {
        (,, uint256 text, uint256 length) = QeIdentity.rebuild(compact);
        return _allocated(text, length);
    }

    /// @dev Makes a string of a text that stands above the free memory pointer, with 32 bytes before it.
    function _allocated(uint256 to, uint256 length) private pure returns (string memory text) {
        assembly ("memory-safe") {
            text := sub(to, 32)
            mstore(text, length)
            mstore(0x40, and(add(add(to, length), 31), not(31)))
        }
    }
}
