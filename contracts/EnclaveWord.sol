// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {TeeKind} from "./interfaces/AttestationTypes.sol";
import {EnclaveState} from "./interfaces/IEnclaveRegistry.sol";

/// @dev An enclave but for its workload, in one storage word, from the high byte down:
/// `platform 20 | blockNumber 5 | expiresAt 5 | tee 1 | state 1`. Zero is an authority of which nothing is recorded.
/// 40 bits count blocks for 30,000 years at one a second.
type EnclaveWord is uint256;

using EnclaveWords for EnclaveWord global;

/// @title EnclaveWords
/// @notice Packs and reads an {EnclaveWord}: one write, where a struct's fields would be written one by one.
library EnclaveWords {
    /// @dev The word of an attested enclave. The caller has bounded block and expiry (40 bits each).
    function attested(bytes20 platform_, uint64 blockNumber_, uint64 expiresAt_, TeeKind tee_)
        internal
        pure
        returns (EnclaveWord)
    {
        return EnclaveWord.wrap(
            (uint256(uint160(platform_)) << 96) | (uint256(blockNumber_) << 56) | (uint256(expiresAt_) << 16)
                | (uint256(tee_) << 8) | uint256(EnclaveState.ATTESTED)
        );
    }

    /// @dev The same enclave in another state.
    function withState(EnclaveWord word, EnclaveState state_) internal pure returns (EnclaveWord) {
        return EnclaveWord.wrap((EnclaveWord.unwrap(word) & ~uint256(0xff)) | uint256(state_));
    }

    function platform(EnclaveWord word) internal pure returns (bytes20) {
        return bytes20(uint160(EnclaveWord.unwrap(word) >> 96));
    }

    function blockNumber(EnclaveWord word) internal pure returns (uint64) {
        return uint40(EnclaveWord.unwrap(word) >> 56);
    }

    function expiresAt(EnclaveWord word) internal pure returns (uint64) {
        return uint40(EnclaveWord.unwrap(word) >> 16);
    }

    function tee(EnclaveWord word) internal pure returns (TeeKind) {
        return TeeKind(uint8(EnclaveWord.unwrap(word) >> 8));
    }

    // The questions of the frequent paths, without the check that every conversion to an enum brings.

    /// @dev Whether nothing is recorded.
    function isNone(EnclaveWord word) internal pure returns (bool) {
        return EnclaveWord.unwrap(word) == 0;
    }

    /// @dev Whether the state is ATTESTED.
    function isAttested(EnclaveWord word) internal pure returns (bool) {
        return uint8(EnclaveWord.unwrap(word)) == uint8(EnclaveState.ATTESTED);
    }

    /// @dev Whether the state is RETIRED or REVOKED.
    function hasEnded(EnclaveWord word) internal pure returns (bool) {
        return uint8(EnclaveWord.unwrap(word)) > uint8(EnclaveState.INVALIDATED);
    }

    function state(EnclaveWord word) internal pure returns (EnclaveState) {
        return EnclaveState(uint8(EnclaveWord.unwrap(word)));
    }
}
