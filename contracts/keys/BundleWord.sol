// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {KeyState} from "../interfaces/IKeyBundles.sol";
import {ProofHead} from "./AttestationProof.sol";

/// @dev A bundle but for its keys, in one storage word, in bits from the high end down:
/// `authority 160 | expiresAt 32 | epoch 24 | lastChange 32 | position 4 | provenance 2 | state 2`.
/// Zero is a bundle that never was. `lastChange` is the owner's, not the bundle's: it counts in the word of the key
/// that stands at position 0, and in no other.
type BundleWord is uint256;

using BundleWords for BundleWord global;

/// @title BundleWords
/// @notice Packs and reads a {BundleWord}: one write, where a struct's fields would be written one by one.
library BundleWords {
    uint256 internal constant MAX_EPOCH = type(uint24).max;
    uint256 internal constant MAX_EXPIRY = type(uint32).max;
    uint256 private constant STATE_MASK = 0x3;
    uint256 private constant CHANGE_MASK = uint256(type(uint32).max) << 8;

    /// @dev The word of an active bundle, without a last change. The caller has bounded the proof's epoch and expiry
    /// by the constants above, and the position by 4 bits.
    function active(ProofHead head, uint256 position_) internal pure returns (BundleWord) {
        return BundleWord.wrap(
            (uint256(uint160(head.authority())) << 96) | (head.expiresAt() << 64) | (head.epoch() << 40)
                | (position_ << 4) | (head.provenance() << 2) | uint256(KeyState.ACTIVE)
        );
    }

    /// @dev The same bundle, revoked.
    function revoked(BundleWord word) internal pure returns (BundleWord) {
        return BundleWord.wrap((BundleWord.unwrap(word) & ~STATE_MASK) | uint256(KeyState.REVOKED));
    }

    /// @dev The same bundle, and this block as the owner's last change; 2^32 - 1 when the number does not fit.
    function changedNow(BundleWord word) internal view returns (BundleWord) {
        uint256 number = block.number < type(uint32).max ? block.number : type(uint32).max;
        return BundleWord.wrap((BundleWord.unwrap(word) & ~CHANGE_MASK) | (number << 8));
    }

    function authority(BundleWord word) internal pure returns (address) {
        return address(uint160(BundleWord.unwrap(word) >> 96));
    }

    function expiresAt(BundleWord word) internal pure returns (uint256) {
        return uint32(BundleWord.unwrap(word) >> 64);
    }

    function epoch(BundleWord word) internal pure returns (uint256) {
        return uint24(BundleWord.unwrap(word) >> 40);
    }

    function lastChange(BundleWord word) internal pure returns (uint64) {
        return uint32(BundleWord.unwrap(word) >> 8);
    }

    function position(BundleWord word) internal pure returns (uint256) {
        return (BundleWord.unwrap(word) >> 4) & 0xf;
    }

    function provenance(BundleWord word) internal pure returns (uint256) {
        return (BundleWord.unwrap(word) >> 2) & 0x3;
    }

    function isActive(BundleWord word) internal pure returns (bool) {
        return BundleWord.unwrap(word) & STATE_MASK == uint256(KeyState.ACTIVE);
    }

    function state(BundleWord word) internal pure returns (KeyState) {
        return KeyState(BundleWord.unwrap(word) & STATE_MASK);
    }
}
