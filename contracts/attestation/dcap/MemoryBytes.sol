// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title MemoryBytes
/// @notice Reads and hashes parts of memory in place, without copying them.
/// @dev WARNING: addresses and lengths are not checked; callers pass those of memory they wrote.
library MemoryBytes {
    /// @notice The SHA-256 precompile failed, which only happens when gas runs out.
    error Sha256Failed();

    /// @dev The 32 bytes at `to`.
    function word(uint256 to) internal pure returns (bytes32 value) {
        assembly ("memory-safe") {
            value := mload(to)
        }
    }

    /// @dev keccak256 of `length` bytes from `to` on.
    function keccak(uint256 to, uint256 length) internal pure returns (bytes32 digest) {
        assembly ("memory-safe") {
            digest := keccak256(to, length)
        }
    }

    /// @dev SHA-256 (FIPS 180-4) of `length` bytes from `to` on, by the precompile at address 2.
    function sha256Of(uint256 to, uint256 length) internal view returns (bytes32 digest) {
        bool done;
        assembly ("memory-safe") {
            // The precompile always returns 32 bytes; they land in scratch space.
            done := and(eq(returndatasize(), 32), staticcall(gas(), 2, to, length, 0, 32))
            digest := mload(0)
        }
        if (!done) revert Sha256Failed();
    }
}
