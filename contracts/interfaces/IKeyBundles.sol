// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Provenance} from "./AttestationTypes.sol";

/// @notice The life of an identity key under its owner: NONE -> ACTIVE -> REVOKED, never back.
enum KeyState {
    NONE,
    ACTIVE,
    REVOKED
}

/// @notice A published key bundle.
/// @param identityKey The Ed25519 public key, 32 bytes: an installation's id in XMTP.
/// @param preKey The X25519 public key, 32 bytes.
/// @param authority The enclave that certified this state of the bundle.
/// @param epoch The pre-key's number under its identity key, from 1.
/// @param expiresAt The first second at which the pre-key must not be used, unix seconds.
/// @param provenance Where the identity key came from.
/// @param state NONE when there is no such bundle; then every other field but `identityKey` is zero.
struct KeyBundle {
    bytes32 identityKey;
    bytes32 preKey;
    address authority;
    uint64 epoch;
    uint64 expiresAt;
    Provenance provenance;
    KeyState state;
}

/// @title IKeyBundles
/// @notice The state machine of the KeyRegistry: an owner publishes, rotates and revokes its key bundles.
/// @dev Normative description: docs/SPECIFICATION.md, KeyRegistry.
///
/// `attestationProof` is packed, big-endian, 96 bytes or at least 134, with no spare byte:
/// `version u8 = 1 | provenance u8 | authority 20 | epoch u32 | expiresAt u40 | r 32 | s 32 | v 1`, the last three
/// being the certificate's signature over {IKeyViews.certificateDigest}; then either nothing, because the enclave
/// is attested already, or what {IEnclaveRegistry.attest} takes: `transportKey 32 | blockNumber u40 | evidence`.
///
/// `previousChange` in the events links an owner's history backwards: the block of the owner's change before this
/// one, 0 when this is the first, this very block when the change before stands earlier in it. A block number
/// above 2^32 - 2 is recorded as 2^32 - 1, which says: not known here, search the log.
/// WARNING: a bundle that is ACTIVE is what its owner published. Whether to rely on it is what {IKeyViews.isTrusted}
/// says when it is asked: an enclave may have lost its standing since.
/// WARNING: the pre-key's signature is certified, published and NOT checked here (Ed25519 has no precompile).
/// Whoever uses a pre-key checks it by the identity key.
interface IKeyBundles {
    // --- events ------------------------------------------------------------------------------------

    /// @notice An owner has published a key bundle.
    /// @dev Reader invariants:
    /// 1. `owner` sent it, or signed a RegisterKeyBundle of exactly these values that acts this once, or is the
    ///    handle of an agent for which its holder or an operator sent it ({IKeyAgents.AgentBundleRegistered}
    ///    follows); and `authority` signed exactly these values for this owner, chain and registry.
    /// 2. `authority` was a trusted enclave at this moment.
    /// 3. Emitted at most once for (owner, identityKey), in its whole life.
    /// 4. identityKey, preKey and zero all differ; `epoch` is at least 1; `expiresAt` lies ahead;
    ///    `provenance` is not NONE.
    /// 5. `previousChange` is the block of the last key event of `owner` before this one.
    /// 6. Not emitted while paused.
    /// It does not say that the pre-key's signature is valid.
    /// @param owner Whose keys they are.
    /// @param identityKey The Ed25519 public key.
    /// @param authority The enclave that certified the bundle.
    /// @param preKey The X25519 public key.
    /// @param preKeySignature Ed25519ph by the identity key, context `xmtp-tee/pre-key/v1`, 64 bytes.
    /// @param epoch The pre-key's number.
    /// @param expiresAt The first second at which the pre-key must not be used.
    /// @param provenance Where the identity key came from.
    /// @param previousChange The block of the owner's change before this one.
    event KeyBundleRegistered(
        address indexed owner,
        bytes32 indexed identityKey,
        address indexed authority,
        bytes32 preKey,
        bytes preKeySignature,
        uint64 epoch,
        uint64 expiresAt,
        Provenance provenance,
        uint64 previousChange
    );

    /// @notice An owner has replaced the pre-key of a bundle. Its provenance is what it was registered with.
    /// @dev Reader invariants:
    /// 1. Cannot emit without an earlier {KeyBundleRegistered}, nor after a {KeyBundleRevoked}, of the same
    ///    (owner, identityKey).
    /// 2. `epoch` is greater than in every earlier event of this bundle, `preKey` differs from the one it
    ///    replaces.
    /// 3. `owner` sent it, or signed a RotatePreKey of exactly these values that acts this once, or is the handle
    ///    of an agent for which its holder, the one of the registration, or an operator sent it; and `authority`
    ///    signed exactly these values and the provenance of the registration.
    /// 4. `authority` was attested, neither invalidated nor expired, and fully trusted at this moment if it is
    ///    another one than before.
    /// 5. `previousChange` is the block of the last key event of `owner` before this one.
    /// 6. Not emitted while paused.
    /// @param owner Whose keys they are.
    /// @param identityKey The Ed25519 public key.
    /// @param authority The enclave that certified the new pre-key.
    /// @param preKey The new X25519 public key.
    /// @param preKeySignature As in {KeyBundleRegistered}.
    /// @param epoch The new pre-key's number.
    /// @param expiresAt The first second at which the new pre-key must not be used.
    /// @param previousChange The block of the owner's change before this one.
    event PreKeyRotated(
        address indexed owner,
        bytes32 indexed identityKey,
        address indexed authority,
        bytes32 preKey,
        bytes preKeySignature,
        uint64 epoch,
        uint64 expiresAt,
        uint64 previousChange
    );

    /// @notice An owner has revoked a bundle, for ever.
    /// @dev Reader invariants:
    /// 1. Cannot emit without an earlier {KeyBundleRegistered} of the same (owner, identityKey); it is the last
    ///    event of that pair.
    /// 2. `owner` sent it, or signed a RevokeKeyBundle of this key that acts this once, or is the handle of an
    ///    agent for which its present holder or an operator sent it.
    /// 3. `previousChange` is the block of the last key event of `owner` before this one.
    /// @param owner Whose keys they were.
    /// @param identityKey The Ed25519 public key.
    /// @param previousChange The block of the owner's change before this one.
    event KeyBundleRevoked(address indexed owner, bytes32 indexed identityKey, uint64 previousChange);

    // --- errors: form ------------------------------------------------------------------------------

    /// @notice An identity key is an Ed25519 public key: 32 bytes.
    error IdentityKeyLength(uint256 got);
    /// @notice A pre-key is an X25519 public key: 32 bytes.
    error PreKeyLength(uint256 got);
    /// @notice A pre-key's signature is an Ed25519 signature: 64 bytes.
    error PreKeySignatureLength(uint256 got);
    /// @notice Zero is no key.
    error KeyIsZero();
    /// @notice The identity key and the pre-key are the same.
    error KeysNotDistinct(bytes32 key);
    /// @notice A proof is 96 bytes, or at least 134 when it brings evidence.
    error AttestationProofLength(uint256 got);
    /// @notice A proof starts with its version, 1.
    error AttestationProofVersion(uint8 got);
    /// @notice The proof names a provenance that there is not.
    error ProvenanceUnknown(uint8 got);
    /// @notice A certificate must say where the key came from.
    error ProvenanceMissing();
    /// @notice Epochs start at 1.
    error EpochIsZero();
    /// @notice Epochs are at most 2^24 - 1.
    error EpochTooLarge(uint64 got, uint64 limit);
    /// @notice The pre-key must not be used any more.
    error PreKeyExpired(uint64 expiresAt, uint256 timestamp);
    /// @notice Expiry is at most 2^32 - 1 seconds.
    error ExpiryTooLarge(uint64 got, uint64 limit);

    // --- errors: state -----------------------------------------------------------------------------

    /// @notice The bundle is active already; its pre-key is changed by {rotatePreKey}.
    error IdentityKeyAlreadyActive(address owner, bytes32 identityKey);
    /// @notice The owner revoked this identity key. It never returns; another one may be registered.
    error IdentityKeyRevoked(address owner, bytes32 identityKey);
    /// @notice There is no such active bundle of this owner.
    error IdentityKeyNotActive(address owner, bytes32 identityKey);
    /// @notice The owner must revoke a bundle before the next can be registered.
    error TooManyActiveBundles(address owner, uint256 limit);
    /// @notice A rotation must bring a greater epoch: an old pre-key never returns.
    error EpochNotGreater(uint64 got, uint64 current);
    /// @notice The new pre-key is the current one.
    error PreKeyReused(bytes32 preKey);
    /// @notice An imported key stays imported: a rotation cannot say otherwise.
    error ProvenanceChanged(Provenance got, Provenance recorded);
    /// @notice The certificate was not signed by the authority it names, or not over these values.
    error CertificateSignerMismatch(address recovered, address authority);

    // --- actions -----------------------------------------------------------------------------------

    /// @notice Publishes a key bundle of the sender, certified by an attested enclave.
    /// @dev Selector 0x55b52353. Reverts: docs/SPECIFICATION.md, KeyRegistry, in that order.
    /// @param identityKey The Ed25519 public key, 32 bytes.
    /// @param preKey The X25519 public key, 32 bytes.
    /// @param preKeySignature 64 bytes; certified and published, not checked here.
    /// @param attestationProof The certificate, and evidence unless the enclave is attested; see above.
    function registerKeyBundleWithAttestation(
        bytes calldata identityKey,
        bytes calldata preKey,
        bytes calldata preKeySignature,
        bytes calldata attestationProof
    ) external;

    /// @notice Replaces the pre-key of one of the sender's active bundles by its enclave's certificate.
    /// @dev Same arguments as {registerKeyBundleWithAttestation}; no new quote is needed. Reverts:
    /// docs/SPECIFICATION.md, KeyRegistry, in that order.
    /// @param identityKey The Ed25519 public key, 32 bytes.
    /// @param preKey The new X25519 public key, 32 bytes.
    /// @param preKeySignature 64 bytes; certified and published, not checked here.
    /// @param attestationProof The certificate, and evidence unless the enclave is attested; see above.
    function rotatePreKey(
        bytes calldata identityKey,
        bytes calldata preKey,
        bytes calldata preKeySignature,
        bytes calldata attestationProof
    ) external;

    /// @notice Revokes one of the sender's active bundles, for ever. Works while paused, and asks no enclave.
    /// @dev Reverts: {IdentityKeyLength}, {IdentityKeyNotActive}.
    /// @param identityKey The Ed25519 public key, 32 bytes.
    function revokeKeyBundle(bytes calldata identityKey) external;
}
