// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Ownable, Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

import {BundleWord, BundleWords} from "./BundleWord.sol";
import {KeyBundleProof} from "./KeyBundleProof.sol";
import {Provenance} from "./interfaces/AttestationTypes.sol";
import {IEnclaveRegistry} from "./interfaces/IEnclaveRegistry.sol";
import {BundleProof, IKeyRegistry, KeyBundle, KeyState, Standing} from "./interfaces/IKeyRegistry.sol";

/// @title KeyRegistry
/// @notice Which keys an owner has published; see {IKeyRegistry}.
contract KeyRegistry is IKeyRegistry, EIP712, Ownable2Step, Pausable {
    /// @dev Two words. The position in the second is where the identity key stands among the owner's active ones.
    struct BundleRecord {
        bytes32 preKey;
        BundleWord word;
    }

    /// @dev What the enclave signs. In memory these are the 256 bytes that EIP-712 hashes: the type's hash,
    /// then its members in order, a word each.
    struct Certificate {
        bytes32 typeHash;
        address owner;
        bytes32 identityKey;
        bytes32 preKey;
        bytes32 preKeySignatureHash;
        uint64 epoch;
        uint64 expiresAt;
        Provenance provenance;
    }

    bytes32 private constant BUNDLE_TYPEHASH = keccak256(
        "KeyBundle(address owner,bytes32 identityKey,bytes32 preKey,bytes preKeySignature,uint64 epoch,"
        "uint64 expiresAt,uint8 provenance)"
    );
    /// @dev As many as XMTP allows installations per inbox.
    uint256 private constant MAX_ACTIVE = 10;

    IEnclaveRegistry private immutable ENCLAVES;

    mapping(address owner => mapping(bytes32 identityKey => BundleRecord record)) private _bundles;
    /// @dev Zero where a position is free. Fixed positions instead of a list: no length to store, and a
    /// revocation moves nothing.
    mapping(address owner => bytes32[MAX_ACTIVE] identityKeys) private _active;

    /// @notice Fixes the registry of enclaves for ever.
    /// @dev Reverts: NotAContract, OwnableInvalidOwner.
    /// @param enclaveRegistry_ The registry of enclaves.
    /// @param owner_ Who may pause; not zero.
    constructor(IEnclaveRegistry enclaveRegistry_, address owner_) EIP712("XMTP TEE KeyRegistry", "1") Ownable(owner_) {
        if (address(enclaveRegistry_).code.length == 0) revert NotAContract(address(enclaveRegistry_));
        ENCLAVES = enclaveRegistry_;
    }

    /// @inheritdoc IKeyRegistry
    // NOTE: open to everyone. The sender acts for itself alone: the certificate covers the owner.
    function registerKeyBundleWithAttestation(
        bytes calldata identityKey,
        bytes calldata preKey,
        bytes calldata preKeySignature,
        bytes calldata attestationProof
    ) external whenNotPaused {
        BundleProof calldata proof = KeyBundleProof.read(attestationProof);
        _register(_readBundle(msg.sender, identityKey, preKey, preKeySignature, proof), preKeySignature, proof);
    }

    /// @inheritdoc IKeyRegistry
    // NOTE: open to everyone. The sender reaches its own bundles alone.
    function rotatePreKey(
        bytes calldata identityKey,
        bytes calldata preKey,
        bytes calldata preKeySignature,
        bytes calldata attestationProof
    ) external whenNotPaused {
        BundleProof calldata proof = KeyBundleProof.read(attestationProof);
        _rotate(_readBundle(msg.sender, identityKey, preKey, preKeySignature, proof), preKeySignature, proof);
    }

    /// @inheritdoc IKeyRegistry
    // NOTE: open to everyone, and not stopped by a pause. The sender reaches its own bundles alone.
    function revokeKeyBundle(bytes calldata identityKey) external {
        if (identityKey.length != 32) revert IdentityKeyLength(identityKey.length);
        _revoke(msg.sender, bytes32(identityKey));
    }

    /// @inheritdoc IKeyRegistry
    function pause() external onlyOwner {
        _pause();
    }

    /// @inheritdoc IKeyRegistry
    function unpause() external onlyOwner {
        _unpause();
    }

    /// @inheritdoc IKeyRegistry
    function getKeyBundles(address owner) external view returns (KeyBundle[] memory bundles) {
        bytes32[MAX_ACTIVE] memory identityKeys = _active[owner];
        uint256 count;
        for (uint256 i = 0; i < MAX_ACTIVE; ++i) {
            if (identityKeys[i] != bytes32(0)) identityKeys[count++] = identityKeys[i];
        }
        bundles = new KeyBundle[](count);
        for (uint256 i = 0; i < count; ++i) {
            bundles[i] = getKeyBundle(owner, identityKeys[i]);
        }
    }

    /// @inheritdoc IKeyRegistry
    function keyState(address owner, bytes32 identityKey) external view returns (KeyState state) {
        return _bundles[owner][identityKey].word.state();
    }

    /// @inheritdoc IKeyRegistry
    function isTrusted(address owner, bytes32 identityKey)
        external
        view
        returns (Standing standing, bytes4 enclaveReason)
    {
        BundleWord word = _bundles[owner][identityKey].word;
        if (word.state() == KeyState.NONE) return (Standing.NONE, bytes4(0));
        if (word.state() == KeyState.REVOKED) return (Standing.REVOKED, bytes4(0));
        bool trusted;
        (trusted, enclaveReason) = ENCLAVES.standing(word.authority());
        if (!trusted) return (Standing.ENCLAVE_NOT_TRUSTED, enclaveReason);
        if (block.timestamp >= word.expiresAt()) return (Standing.PRE_KEY_EXPIRED, bytes4(0));
        return (Standing.TRUSTED, bytes4(0));
    }

    /// @inheritdoc IKeyRegistry
    function certificateDigest(
        address owner,
        bytes32 identityKey,
        bytes32 preKey,
        bytes calldata preKeySignature,
        uint64 epoch,
        uint64 expiresAt,
        Provenance provenance
    ) external view returns (bytes32 digest) {
        return _digest(
            Certificate({
                typeHash: BUNDLE_TYPEHASH,
                owner: owner,
                identityKey: identityKey,
                preKey: preKey,
                preKeySignatureHash: keccak256(preKeySignature),
                epoch: epoch,
                expiresAt: expiresAt,
                provenance: provenance
            })
        );
    }

    /// @inheritdoc IKeyRegistry
    function enclaveRegistry() external view returns (IEnclaveRegistry contract_) {
        return ENCLAVES;
    }

    /// @inheritdoc Ownable
    /// @dev Refused while paused: nobody could end the pause.
    function renounceOwnership() public override whenNotPaused {
        super.renounceOwnership();
    }

    /// @inheritdoc IKeyRegistry
    function getKeyBundle(address owner, bytes32 identityKey) public view returns (KeyBundle memory bundle) {
        BundleRecord memory record = _bundles[owner][identityKey];
        return KeyBundle({
            identityKey: identityKey,
            preKey: record.preKey,
            authority: record.word.authority(),
            epoch: record.word.epoch(),
            expiresAt: record.word.expiresAt(),
            provenance: record.word.provenance(),
            state: record.word.state()
        });
    }

    function _register(Certificate memory bundle, bytes calldata preKeySignature, BundleProof calldata proof) private {
        (address owner, bytes32 identityKey) = (bundle.owner, bundle.identityKey);
        BundleRecord storage record = _bundles[owner][identityKey];
        KeyState state = record.word.state();
        if (state == KeyState.ACTIVE) revert IdentityKeyAlreadyActive(owner, identityKey);
        if (state == KeyState.REVOKED) revert IdentityKeyRevoked(owner, identityKey);
        uint8 position = _freePosition(owner);
        _requireCertified(bundle, proof);
        if (!_attestIfBrought(proof)) ENCLAVES.requireTrusted(proof.authority);

        _active[owner][position] = identityKey;
        _store(record, bundle, proof.authority, position);
        emit KeyBundleRegistered(
            owner,
            identityKey,
            proof.authority,
            bundle.preKey,
            preKeySignature,
            bundle.epoch,
            bundle.expiresAt,
            bundle.provenance
        );
    }

    function _rotate(Certificate memory bundle, bytes calldata preKeySignature, BundleProof calldata proof) private {
        (address owner, bytes32 identityKey) = (bundle.owner, bundle.identityKey);
        BundleRecord storage record = _bundles[owner][identityKey];
        BundleWord current = record.word;
        if (current.state() != KeyState.ACTIVE) revert IdentityKeyNotActive(owner, identityKey);
        if (bundle.epoch <= current.epoch()) revert EpochNotGreater(bundle.epoch, current.epoch());
        if (bundle.preKey == record.preKey) revert PreKeyReused(bundle.preKey);
        if (bundle.provenance != current.provenance()) {
            revert ProvenanceChanged(bundle.provenance, current.provenance());
        }
        _requireCertified(bundle, proof);
        if (!_attestIfBrought(proof)) {
            // An enclave that stood behind the bundle before confers nothing new by going on, and readers
            // judge it in full; another enclave takes over only if it passes in full now.
            if (proof.authority == current.authority()) ENCLAVES.requireAttested(proof.authority);
            else ENCLAVES.requireTrusted(proof.authority);
        }

        _store(record, bundle, proof.authority, current.position());
        emit PreKeyRotated(
            owner,
            identityKey,
            proof.authority,
            bundle.preKey,
            preKeySignature,
            bundle.epoch,
            bundle.expiresAt,
            bundle.provenance
        );
    }

    function _revoke(address owner, bytes32 identityKey) private {
        BundleRecord storage record = _bundles[owner][identityKey];
        BundleWord current = record.word;
        if (current.state() != KeyState.ACTIVE) revert IdentityKeyNotActive(owner, identityKey);
        record.word = current.revoked();
        _active[owner][current.position()] = bytes32(0);
        emit KeyBundleRevoked(owner, identityKey);
    }

    /// @dev Attests the enclave when the proof brings evidence.
    /// @return brought Whether it did: then the enclave has just been judged in full.
    function _attestIfBrought(BundleProof calldata proof) private returns (bool brought) {
        if (proof.evidence.length != 0) {
            ENCLAVES.attest(proof.authority, proof.transportKey, proof.blockNumber, proof.evidence);
            return true;
        }
        if (proof.transportKey != bytes32(0) || proof.blockNumber != 0) {
            revert UnexpectedAttestationFields(proof.transportKey, proof.blockNumber);
        }
    }

    function _store(BundleRecord storage record, Certificate memory bundle, address authority, uint8 position) private {
        record.preKey = bundle.preKey;
        // _readBundle has bounded epoch and expiry.
        record.word = BundleWords.active(authority, bundle.epoch, bundle.expiresAt, bundle.provenance, position);
    }

    function _freePosition(address owner) private view returns (uint8 position) {
        bytes32[MAX_ACTIVE] storage identityKeys = _active[owner];
        for (uint256 i = 0; i < MAX_ACTIVE; ++i) {
            if (identityKeys[i] == bytes32(0)) return uint8(i);
        }
        revert TooManyActiveBundles(owner, MAX_ACTIVE);
    }

    /// @dev Reads what the sender claims and checks all that needs neither storage nor a signature.
    function _readBundle(
        address owner,
        bytes calldata identityKey,
        bytes calldata preKey,
        bytes calldata preKeySignature,
        BundleProof calldata proof
    ) private view returns (Certificate memory bundle) {
        if (identityKey.length != 32) revert IdentityKeyLength(identityKey.length);
        if (preKey.length != 32) revert PreKeyLength(preKey.length);
        if (preKeySignature.length != 64) revert PreKeySignatureLength(preKeySignature.length);
        bundle.typeHash = BUNDLE_TYPEHASH;
        bundle.owner = owner;
        bundle.identityKey = bytes32(identityKey);
        bundle.preKey = bytes32(preKey);
        bundle.preKeySignatureHash = keccak256(preKeySignature);
        bundle.epoch = proof.epoch;
        bundle.expiresAt = proof.expiresAt;
        bundle.provenance = proof.provenance;
        if (bundle.identityKey == bytes32(0) || bundle.preKey == bytes32(0)) revert KeyIsZero();
        if (bundle.identityKey == bundle.preKey) revert KeysNotDistinct(bundle.identityKey);
        if (bundle.provenance == Provenance.NONE) revert ProvenanceMissing();
        if (bundle.epoch == 0) revert EpochIsZero();
        if (bundle.epoch > type(uint32).max) revert EpochTooLarge(bundle.epoch, type(uint32).max);
        if (bundle.expiresAt <= block.timestamp) revert PreKeyExpired(bundle.expiresAt, block.timestamp);
        if (bundle.expiresAt > type(uint40).max) revert ExpiryTooLarge(bundle.expiresAt, type(uint40).max);
    }

    function _requireCertified(Certificate memory bundle, BundleProof calldata proof) private view {
        // Never zero: recoverCalldata reverts instead, so a proof that names authority zero fails here.
        address recovered = ECDSA.recoverCalldata(_digest(bundle), proof.signature);
        if (recovered != proof.authority) revert CertificateSignerMismatch(recovered, proof.authority);
    }

    /// @dev Same as keccak256(abi.encode(bundle)), without copying it first.
    function _digest(Certificate memory bundle) private view returns (bytes32) {
        bytes32 structHash;
        assembly ("memory-safe") {
            structHash := keccak256(bundle, 0x100)
        }
        return _hashTypedDataV4(structHash);
    }
}
