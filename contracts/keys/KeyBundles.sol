// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

import {Provenance} from "../interfaces/AttestationTypes.sol";
import {IKeyBundles, KeyState} from "../interfaces/IKeyBundles.sol";
import {AttestationProof, ProofHead} from "./AttestationProof.sol";
import {BundleWord, BundleWords} from "./BundleWord.sol";
import {Certificate} from "./Certificate.sol";
import {PolicyPause} from "./PolicyPause.sol";

/// @title KeyBundles
/// @notice The state machine of the KeyRegistry; see {IKeyBundles}.
/// @dev Whoever calls {_register}, {_rotate} or {_revoke} has made sure that the owner wants it.
abstract contract KeyBundles is PolicyPause, EIP712 {
    /// @dev Two words.
    struct BundleRecord {
        bytes32 preKey;
        BundleWord word;
    }

    /// @dev As many as XMTP allows installations per inbox.
    uint256 internal constant MAX_ACTIVE = 10;

    mapping(address owner => mapping(bytes32 identityKey => BundleRecord record)) internal _bundles;
    /// @dev Fixed positions instead of a list: no length to store, and a revocation moves nothing. A free position
    /// is zero, except the first: what was registered there once stays, revoked or not, until the next registration
    /// takes its place, because its word carries the owner's last change.
    mapping(address owner => bytes32[MAX_ACTIVE] identityKeys) internal _positions;

    /// @dev The enclave that the batch now running has found trusted; zero outside of a batch, and as soon as anything
    /// ran that could have changed its standing. See {BatchRegistration}.
    address internal transient _trustedInBatch;

    /// @inheritdoc IKeyBundles
    // NOTE: open to everyone. The sender acts for itself alone: the certificate covers the owner.
    function registerKeyBundleWithAttestation(
        bytes calldata identityKey,
        bytes calldata preKey,
        bytes calldata preKeySignature,
        bytes calldata attestationProof
    ) external whenNotPaused {
        (bytes32 key, bytes32 next, ProofHead head) = _read(identityKey, preKey, preKeySignature, attestationProof);
        _register(msg.sender, key, next, head, preKeySignature, attestationProof);
    }

    /// @inheritdoc IKeyBundles
    // NOTE: open to everyone. The sender reaches its own bundles alone.
    function rotatePreKey(
        bytes calldata identityKey,
        bytes calldata preKey,
        bytes calldata preKeySignature,
        bytes calldata attestationProof
    ) external whenNotPaused {
        (bytes32 key, bytes32 next, ProofHead head) = _read(identityKey, preKey, preKeySignature, attestationProof);
        _rotate(msg.sender, key, next, head, preKeySignature, attestationProof);
    }

    /// @inheritdoc IKeyBundles
    // NOTE: open to everyone, and not stopped by a pause. The sender reaches its own bundles alone.
    function revokeKeyBundle(bytes calldata identityKey) external {
        _revoke(msg.sender, _readIdentityKey(identityKey));
    }

    function _register(
        address owner,
        bytes32 identityKey,
        bytes32 preKey,
        ProofHead head,
        bytes calldata preKeySignature,
        bytes calldata proof
    ) internal {
        BundleRecord storage record = _bundles[owner][identityKey];
        KeyState state = record.word.state();
        if (state == KeyState.ACTIVE) revert IdentityKeyAlreadyActive(owner, identityKey);
        if (state == KeyState.REVOKED) revert IdentityKeyRevoked(owner, identityKey);
        (uint256 position, uint64 previousChange) = _freePosition(owner);
        _requireCertified(owner, identityKey, preKey, head, preKeySignature, proof);
        if (AttestationProof.bringsEvidence(proof)) _attest(head.authority(), proof);
        else if (head.authority() != _trustedInBatch) ENCLAVES.requireTrusted(head.authority());

        BundleWord word = BundleWords.active(head, position);
        if (position == 0) word = word.changedNow();
        else _linkChange(owner);
        _positions[owner][position] = identityKey;
        record.preKey = preKey;
        record.word = word;
        emit KeyBundleRegistered(
            owner,
            identityKey,
            head.authority(),
            preKey,
            preKeySignature,
            uint64(head.epoch()),
            uint64(head.expiresAt()),
            Provenance(head.provenance()),
            previousChange
        );
    }

    function _rotate(
        address owner,
        bytes32 identityKey,
        bytes32 preKey,
        ProofHead head,
        bytes calldata preKeySignature,
        bytes calldata proof
    ) internal {
        BundleRecord storage record = _bundles[owner][identityKey];
        BundleWord current = record.word;
        if (!current.isActive()) revert IdentityKeyNotActive(owner, identityKey);
        if (head.epoch() <= current.epoch()) revert EpochNotGreater(uint64(head.epoch()), uint64(current.epoch()));
        if (preKey == record.preKey) revert PreKeyReused(preKey);
        if (head.provenance() != current.provenance()) {
            revert ProvenanceChanged(Provenance(head.provenance()), Provenance(current.provenance()));
        }
        _requireCertified(owner, identityKey, preKey, head, preKeySignature, proof);
        // An enclave that stood behind the bundle before confers nothing new by going on, and readers judge it in
        // full; another enclave takes over only if it passes in full now.
        if (AttestationProof.bringsEvidence(proof)) _attest(head.authority(), proof);
        else if (head.authority() == current.authority()) ENCLAVES.requireAttested(head.authority());
        else ENCLAVES.requireTrusted(head.authority());

        record.preKey = preKey;
        uint64 previousChange = _storeLinked(record, BundleWords.active(head, current.position()), current, owner);
        emit PreKeyRotated(
            owner,
            identityKey,
            head.authority(),
            preKey,
            preKeySignature,
            uint64(head.epoch()),
            uint64(head.expiresAt()),
            previousChange
        );
    }

    function _revoke(address owner, bytes32 identityKey) internal {
        BundleRecord storage record = _bundles[owner][identityKey];
        BundleWord current = record.word;
        if (!current.isActive()) revert IdentityKeyNotActive(owner, identityKey);
        uint256 position = current.position();
        if (position != 0) _positions[owner][position] = bytes32(0);
        uint64 previousChange = _storeLinked(record, current.revoked(), current, owner);
        emit KeyBundleRevoked(owner, identityKey, previousChange);
    }

    /// @dev Reads what is claimed and checks all that needs neither storage nor a signature.
    /// @return key The identity key.
    /// @return next The pre-key.
    /// @return head What the proof says, within the bounds of a {BundleWord}.
    function _read(
        bytes calldata identityKey,
        bytes calldata preKey,
        bytes calldata preKeySignature,
        bytes calldata proof
    ) internal view returns (bytes32 key, bytes32 next, ProofHead head) {
        head = AttestationProof.read(proof);
        key = _readIdentityKey(identityKey);
        if (preKey.length != 32) revert PreKeyLength(preKey.length);
        if (preKeySignature.length != 64) revert PreKeySignatureLength(preKeySignature.length);
        next = bytes32(preKey);
        if (key == bytes32(0) || next == bytes32(0)) revert KeyIsZero();
        if (key == next) revert KeysNotDistinct(key);
        if (head.provenance() == uint256(Provenance.NONE)) revert ProvenanceMissing();
        uint256 epoch = head.epoch();
        if (epoch == 0) revert EpochIsZero();
        if (epoch > BundleWords.MAX_EPOCH) revert EpochTooLarge(uint64(epoch), uint64(BundleWords.MAX_EPOCH));
        uint256 expiresAt = head.expiresAt();
        if (expiresAt <= block.timestamp) revert PreKeyExpired(uint64(expiresAt), block.timestamp);
        if (expiresAt > BundleWords.MAX_EXPIRY) {
            revert ExpiryTooLarge(uint64(expiresAt), uint64(BundleWords.MAX_EXPIRY));
        }
    }

    function _readIdentityKey(bytes calldata identityKey) internal pure returns (bytes32) {
        if (identityKey.length != 32) revert IdentityKeyLength(identityKey.length);
        return bytes32(identityKey);
    }

    /// @dev The block of the owner's last change; zero when there was none.
    function _lastChange(address owner) internal view returns (uint64) {
        return _bundles[owner][_positions[owner][0]].word.lastChange();
    }

    /// @dev Attests the enclave by the evidence that the proof brings, which judges it in full.
    function _attest(address authority, bytes calldata proof) private {
        (bytes32 transportKey, uint64 blockNumber, bytes calldata evidence) = AttestationProof.attestation(proof);
        _trustedInBatch = address(0);
        ENCLAVES.attest(authority, transportKey, blockNumber, evidence);
    }

    /// @dev Stores the new word of a bundle that is not new, and links the change.
    /// @return previousChange The block of the owner's change before.
    function _storeLinked(BundleRecord storage record, BundleWord word, BundleWord current, address owner)
        private
        returns (uint64 previousChange)
    {
        if (current.position() == 0) {
            record.word = word.changedNow();
            return current.lastChange();
        }
        record.word = word;
        return _linkChange(owner);
    }

    /// @dev Records this block in the word of the key at position 0, which is there as soon as any key is.
    /// @return previousChange What stood there before.
    function _linkChange(address owner) private returns (uint64 previousChange) {
        BundleRecord storage first = _bundles[owner][_positions[owner][0]];
        BundleWord word = first.word;
        first.word = word.changedNow();
        return word.lastChange();
    }

    /// @dev The lowest position without an active bundle, and the block of the owner's last change.
    function _freePosition(address owner) private view returns (uint256 position, uint64 previousChange) {
        bytes32[MAX_ACTIVE] storage identityKeys = _positions[owner];
        bytes32 firstKey = identityKeys[0];
        if (firstKey == bytes32(0)) return (0, 0);
        BundleWord first = _bundles[owner][firstKey].word;
        if (!first.isActive()) return (0, first.lastChange());
        for (position = 1; position < MAX_ACTIVE; ++position) {
            if (identityKeys[position] == bytes32(0)) return (position, first.lastChange());
        }
        revert TooManyActiveBundles(owner, MAX_ACTIVE);
    }

    function _requireCertified(
        address owner,
        bytes32 identityKey,
        bytes32 preKey,
        ProofHead head,
        bytes calldata preKeySignature,
        bytes calldata proof
    ) private view {
        bytes32 structHash = Certificate.structHash(
            owner, identityKey, preKey, preKeySignature, head.epoch(), head.expiresAt(), head.provenance()
        );
        (bytes32 r, bytes32 s, uint8 v) = AttestationProof.signature(proof);
        // Never zero: recover reverts instead, so a proof that names authority zero fails here.
        address recovered = ECDSA.recover(_hashTypedDataV4(structHash), v, r, s);
        if (recovered != head.authority()) revert CertificateSignerMismatch(recovered, head.authority());
    }
}
