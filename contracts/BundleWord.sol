// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Provenance} from "./interfaces/AttestationTypes.sol";
import {KeyState} from "./interfaces/IKeyRegistry.sol";

/// @dev A bundle but for its keys, in one storage word, from the high byte down:
/// `authority 20 | epoch 4 | expiresAt 5 | provenance 1 | state 1 | position 1`. Zero is a bundle that never was.
type BundleWord is uint256;

using BundleWords for BundleWord global;

/// @title BundleWords
/// @notice Packs and reads a {BundleWord}: one write, where a struct's fields would be written one by one.
library BundleWords {
    /// @dev The word of an active bundle. The caller has bounded epoch (32 bits) and expiry (40 bits).
    function active(address authority_, uint64 epoch_, uint64 expiresAt_, Provenance provenance_, uint8 position_)
        internal
        pure
        returns (BundleWord)
    {
        return BundleWord.wrap(
            (uint256(uint160(authority_)) << 96) | (uint256(epoch_) << 64) | (uint256(expiresAt_) << 24)
                | (uint256(provenance_) << 16) | (uint256(KeyState.ACTIVE) << 8) | position_
        );
    }

    /// @dev The same bundle, revoked.
    function revoked(BundleWord word) internal pure returns (BundleWord) {
        return BundleWord.wrap((BundleWord.unwrap(word) & ~uint256(0xff00)) | (uint256(KeyState.REVOKED) << 8));
    }

    function authority(BundleWord word) internal pure returns (address) {
        return address(uint160(BundleWord.unwrap(word) >> 96));
    }

    function epoch(BundleWord word) internal pure returns (uint64) {
        return uint32(BundleWord.unwrap(word) >> 64);
    }

    function expiresAt(BundleWord word) internal pure returns (uint64) {
        return uint40(BundleWord.unwrap(word) >> 24);
    }

    function provenance(BundleWord word) internal pure returns (Provenance) {
        return Provenance(uint8(BundleWord.unwrap(word) >> 16));
    }

    function state(BundleWord word) internal pure returns (KeyState) {
        return KeyState(uint8(BundleWord.unwrap(word) >> 8));
    }

    function position(BundleWord word) internal pure returns (uint8) {
        return uint8(BundleWord.unwrap(word));
    }
}
