// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Provenance} from "../interfaces/AttestationTypes.sol";
import {Enclave} from "../interfaces/IEnclaveRegistry.sol";
import {KeyBundle, KeyState} from "../interfaces/IKeyBundles.sol";
import {IKeyViews, PublishedKey, Standing} from "../interfaces/IKeyViews.sol";
import {AgentBundles} from "./AgentBundles.sol";
import {BundleWord} from "./BundleWord.sol";
import {Certificate} from "./Certificate.sol";

/// @title KeyViews
/// @notice What readers ask the KeyRegistry; see {IKeyViews}.
abstract contract KeyViews is AgentBundles {
    /// @inheritdoc IKeyViews
    function getKeyBundle(address owner) external view returns (KeyBundle memory bundle) {
        bytes32[] memory identityKeys = _activeKeys(owner);
        if (identityKeys.length != 0) return getKeyBundle(owner, identityKeys[0]);
    }

    /// @inheritdoc IKeyViews
    function getKeyBundles(address owner) external view returns (KeyBundle[] memory bundles) {
        bytes32[] memory identityKeys = _activeKeys(owner);
        bundles = new KeyBundle[](identityKeys.length);
        for (uint256 i = 0; i < identityKeys.length; ++i) {
            bundles[i] = getKeyBundle(owner, identityKeys[i]);
        }
    }

    /// @inheritdoc IKeyViews
    function lookupKeys(address[] calldata owners) external view returns (PublishedKey[][] memory keys) {
        keys = new PublishedKey[][](owners.length);
        for (uint256 i = 0; i < owners.length; ++i) {
            bytes32[] memory identityKeys = _activeKeys(owners[i]);
            keys[i] = new PublishedKey[](identityKeys.length);
            for (uint256 j = 0; j < identityKeys.length; ++j) {
                keys[i][j] = _publishedKey(owners[i], identityKeys[j]);
            }
        }
    }

    /// @inheritdoc IKeyViews
    function keyState(address owner, bytes32 identityKey) external view returns (KeyState state) {
        return _bundles[owner][identityKey].word.state();
    }

    /// @inheritdoc IKeyViews
    function lastChange(address owner) external view returns (uint64 blockNumber) {
        return _lastChange(owner);
    }

    /// @inheritdoc IKeyViews
    function certificateDigest(
        address owner,
        bytes32 identityKey,
        bytes32 preKey,
        bytes calldata preKeySignature,
        uint64 epoch,
        uint64 expiresAt,
        Provenance provenance
    ) external view returns (bytes32 digest) {
        bytes32 structHash = Certificate.structHash(
            owner, identityKey, preKey, preKeySignature, epoch, expiresAt, uint256(provenance)
        );
        return _hashTypedDataV4(structHash);
    }

    /// @inheritdoc IKeyViews
    function getKeyBundle(address owner, bytes32 identityKey) public view returns (KeyBundle memory bundle) {
        BundleRecord storage record = _bundles[owner][identityKey];
        BundleWord word = record.word;
        return KeyBundle({
            identityKey: identityKey,
            preKey: record.preKey,
            authority: word.authority(),
            epoch: uint64(word.epoch()),
            expiresAt: uint64(word.expiresAt()),
            provenance: Provenance(word.provenance()),
            state: word.state()
        });
    }

    /// @inheritdoc IKeyViews
    function isTrusted(address owner, bytes32 identityKey)
        public
        view
        returns (Standing standing, bytes4 enclaveReason)
    {
        BundleWord word = _bundles[owner][identityKey].word;
        if (word.state() == KeyState.NONE) return (Standing.NONE, bytes4(0));
        if (word.state() == KeyState.REVOKED) return (Standing.REVOKED, bytes4(0));
        if (!_isInHolderHands(owner, identityKey)) return (Standing.AGENT_TRANSFERRED, bytes4(0));
        bool trusted;
        (trusted, enclaveReason) = ENCLAVES.standing(word.authority());
        if (!trusted) return (Standing.ENCLAVE_NOT_TRUSTED, enclaveReason);
        if (block.timestamp >= word.expiresAt()) return (Standing.PRE_KEY_EXPIRED, bytes4(0));
        return (Standing.TRUSTED, bytes4(0));
    }

    function _publishedKey(address owner, bytes32 identityKey) private view returns (PublishedKey memory key) {
        key.bundle = getKeyBundle(owner, identityKey);
        (key.standing, key.enclaveReason) = isTrusted(owner, identityKey);
        Enclave memory enclave = ENCLAVES.enclave(key.bundle.authority);
        (key.tee, key.workload) = (enclave.tee, enclave.workload);
        if (key.standing >= Standing.PRE_KEY_EXPIRED) key.assurance = ENCLAVES.assuranceOf(key.bundle.authority);
    }

    /// @dev The identity keys of the owner's active bundles, in the order of their positions.
    function _activeKeys(address owner) private view returns (bytes32[] memory identityKeys) {
        bytes32[MAX_ACTIVE] storage positions = _positions[owner];
        identityKeys = new bytes32[](MAX_ACTIVE);
        uint256 count;
        for (uint256 i = 0; i < MAX_ACTIVE; ++i) {
            bytes32 identityKey = positions[i];
            if (identityKey == bytes32(0)) continue;
            // Position 0 keeps a key that was revoked.
            if (_bundles[owner][identityKey].word.isActive()) identityKeys[count++] = identityKey;
        }
        assembly ("memory-safe") {
            mstore(identityKeys, count)
        }
    }
}
