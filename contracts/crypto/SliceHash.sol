// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title SliceHash
/// @notice Hashes a part of a byte array where it lies, without a copy.
library SliceHash {
    /// @notice The part does not lie inside the array.
    error SliceOutOfBounds(uint256 start, uint256 end, uint256 length);
    /// @notice The SHA-256 precompile gave no digest: out of gas.
    error Sha256Failed();

    /// @notice keccak256 of data[start:end].
    function keccakOf(bytes memory data, uint256 start, uint256 end) internal pure returns (bytes32 digest) {
        _check(data, start, end);
        assembly ("memory-safe") {
            digest := keccak256(add(add(data, 32), start), sub(end, start))
        }
    }

    /// @notice SHA-256 of data[start:end].
    function sha256Of(bytes memory data, uint256 start, uint256 end) internal view returns (bytes32 digest) {
        _check(data, start, end);
        bool success;
        assembly ("memory-safe") {
            success := staticcall(gas(), 2, add(add(data, 32), start), sub(end, start), 0, 32)
            success := and(success, eq(returndatasize(), 32))
            digest := mload(0)
        }
        if (!success) revert Sha256Failed();
    }

    function _check(bytes memory data, uint256 start, uint256 end) private pure {
        if (start > end || end > data.length) revert SliceOutOfBounds(start, end, data.length);
    }
}
