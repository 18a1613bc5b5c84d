// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Blockhash} from "@openzeppelin/contracts/utils/Blockhash.sol";

/// @title BlockHistory
/// @notice The hash of a recent block: freshness without a clock.
/// @dev BLOCKHASH serves the last 256 blocks, EIP-2935's contract the last 8191.
/// WARNING: on a chain whose EIP-2935 history is younger than 8191 blocks, a block older than that history
/// has no hash here and is refused.
library BlockHistory {
    /// @notice How many blocks EIP-2935 keeps (HISTORY_SERVE_WINDOW).
    uint256 internal constant SERVE_WINDOW = 8191;

    /// @notice The block is not in the past of this one.
    error BlockNotYetMined(uint256 got, uint256 current);
    /// @notice The block is older than the rule allows.
    error BlockTooOld(uint256 got, uint256 oldest);
    /// @notice The chain no longer knows, or never kept, the hash of this block.
    error BlockHashUnavailable(uint256 blockNumber);

    /// @notice Refuses a block that is not in the past, or that is older than `maxAge` blocks.
    /// @dev Reverts: {BlockNotYetMined}, {BlockTooOld}.
    /// @param blockNumber The block.
    /// @param maxAge How many blocks old it may be.
    function requireRecent(uint256 blockNumber, uint256 maxAge) internal view {
        if (blockNumber >= block.number) revert BlockNotYetMined(blockNumber, block.number);
        if (block.number - blockNumber > maxAge) revert BlockTooOld(blockNumber, block.number - maxAge);
    }

    /// @notice The hash of a block of the last 8191.
    /// @dev Reverts: {BlockHashUnavailable}; never returns zero.
    /// @param blockNumber The block.
    /// @return hash Its hash.
    function hashOf(uint256 blockNumber) internal view returns (bytes32 hash) {
        hash = Blockhash.blockHash(blockNumber);
        if (hash == bytes32(0)) revert BlockHashUnavailable(blockNumber);
    }
}
