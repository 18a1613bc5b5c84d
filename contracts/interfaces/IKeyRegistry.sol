// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Provenance} from "./AttestationTypes.sol";
import {IEnclaveRegistry} from "./IEnclaveRegistry.sol";

/// @notice The life of an identity key under its owner: NONE -> ACTIVE -> REVOKED, never back.
enum KeyState {
    NONE,
    ACTIVE,
    REVOKED
}

/// @notice What a reader may rely on now. Zero is not trust.
/// @dev Judged in this order; the first that holds is the answer. NONE: no such bundle. REVOKED: by its
/// owner. ENCLAVE_NOT_TRUSTED: the certifying enclave does not pass now. PRE_KEY_EXPIRED: the identity key
/// stands, the pre-key must not be used. TRUSTED: all of it stands.
enum Standing {
    NONE,
    REVOKED,
    ENCLAVE_NOT_TRUSTED,
    PRE_KEY_EXPIRED,
    TRUSTED
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

/// @notice The enclave's certificate of a bundle, and perhaps evidence that attests the enclave first.
/// `attestationProof` is abi.encode of this struct.
/// @param authority The enclave's authority, which signed the certificate.
/// @param epoch As certified.
/// @param expiresAt As certified, unix seconds.
/// @param provenance As certified.
/// @param signature The certificate: 65 bytes r || s || v, v 27 or 28, low s, over {certificateDigest}.
/// @param transportKey For {IEnclaveRegistry.attest}; zero without evidence.
/// @param blockNumber For {IEnclaveRegistry.attest}; zero without evidence.
/// @param evidence For {IEnclaveRegistry.attest}; empty when the enclave is attested already.
struct BundleProof {
    address authority;
    uint64 epoch;
    uint64 expiresAt;
    Provenance provenance;
    bytes signature;
    bytes32 transportKey;
    uint64 blockNumber;
    bytes evidence;
}

/// @title IKeyRegistry
/// @notice Answers one question: which keys has this owner published, and does an attested enclave hold them?
/// @dev Normative description: docs/SPECIFICATION.md, KeyRegistry.
/// WARNING: a bundle that is ACTIVE is what its owner published. Whether to rely on it is what {isTrusted}
/// says when it is asked: an enclave may have lost its standing since.
/// WARNING: the pre-key's signature is certified, published and NOT checked here (Ed25519 has no precompile).
/// Whoever uses a pre-key checks it by the identity key.
interface IKeyRegistry {
    // --- events ------------------------------------------------------------------------------------

    /// @notice An owner has published a key bundle.
    /// @dev Reader invariants:
    /// 1. `owner` sent it, and `authority` signed exactly these values for this owner, chain and registry.
    /// 2. `authority` was a trusted enclave at this moment.
    /// 3. Emitted at most once for (owner, identityKey), in its whole life.
    /// 4. identityKey, preKey and zero all differ; `epoch` is at least 1; `expiresAt` lies ahead;
    ///    `provenance` is not NONE.
    /// 5. Not emitted while paused.
    /// It does not say that the pre-key's signature is valid.
    /// @param owner Whose keys they are.
    /// @param identityKey The Ed25519 public key.
    /// @param authority The enclave that certified the bundle.
    /// @param preKey The X25519 public key.
    /// @param preKeySignature Ed25519ph by the identity key, context `xmtp-tee/pre-key/v1`, 64 bytes.
    /// @param epoch The pre-key's number.
    /// @param expiresAt The first second at which the pre-key must not be used.
    /// @param provenance Where the identity key came from.
    event KeyBundleRegistered(
        address indexed owner,
        bytes32 indexed identityKey,
        address indexed authority,
        bytes32 preKey,
        bytes preKeySignature,
        uint64 epoch,
        uint64 expiresAt,
        Provenance provenance
    );

    /// @notice An owner has replaced the pre-key of a bundle.
    /// @dev Reader invariants:
    /// 1. Cannot emit without an earlier {KeyBundleRegistered}, nor after a {KeyBundleRevoked}, of the same
    ///    (owner, identityKey).
    /// 2. `epoch` is greater than in every earlier event of this bundle, `preKey` differs from the one it
    ///    replaces, `provenance` is the one it was registered with.
    /// 3. `owner` sent it and `authority` signed exactly these values; `authority` was attested, neither
    ///    invalidated nor expired, and fully trusted at this moment if it is another one than before.
    /// 4. Not emitted while paused.
    /// @param owner Whose keys they are.
    /// @param identityKey The Ed25519 public key.
    /// @param authority The enclave that certified the new pre-key.
    /// @param preKey The new X25519 public key.
    /// @param preKeySignature As in {KeyBundleRegistered}.
    /// @param epoch The new pre-key's number.
    /// @param expiresAt The first second at which the new pre-key must not be used.
    /// @param provenance Where the identity key came from.
    event PreKeyRotated(
        address indexed owner,
        bytes32 indexed identityKey,
        address indexed authority,
        bytes32 preKey,
        bytes preKeySignature,
        uint64 epoch,
        uint64 expiresAt,
        Provenance provenance
    );

    /// @notice An owner has revoked a bundle, for ever.
    /// @dev Reader invariants: cannot emit without an earlier {KeyBundleRegistered} of the same (owner,
    /// identityKey); it is the last event of that pair.
    /// @param owner Whose keys they were.
    /// @param identityKey The Ed25519 public key.
    event KeyBundleRevoked(address indexed owner, bytes32 indexed identityKey);

    // --- errors ------------------------------------------------------------------------------------

    /// @notice A contract this one depends on has no code.
    error NotAContract(address account);
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
    /// @notice The proof is shorter than its fixed part.
    error AttestationProofTooShort(uint256 got, uint256 expectedAtLeast);
    /// @notice The proof's 32-byte word with this index does not hold what abi.encode(BundleProof) puts
    /// there: 0 the offset, 1 to 8 the members in order.
    error AttestationProofMalformed(uint256 word);
    /// @notice A certificate must say where the key came from.
    error ProvenanceMissing();
    /// @notice An imported key stays imported: a rotation cannot say otherwise.
    error ProvenanceChanged(Provenance got, Provenance recorded);
    /// @notice Epochs start at 1.
    error EpochIsZero();
    /// @notice Epochs are at most 2^32 - 1.
    error EpochTooLarge(uint64 got, uint64 limit);
    /// @notice A rotation must bring a greater epoch: an old pre-key never returns.
    error EpochNotGreater(uint64 got, uint64 current);
    /// @notice The pre-key must not be used any more.
    error PreKeyExpired(uint64 expiresAt, uint256 timestamp);
    /// @notice Expiry is at most 2^40 - 1 seconds.
    error ExpiryTooLarge(uint64 got, uint64 limit);
    /// @notice The new pre-key is the current one.
    error PreKeyReused(bytes32 preKey);
    /// @notice The bundle is active already; its pre-key is changed by {rotatePreKey}.
    error IdentityKeyAlreadyActive(address owner, bytes32 identityKey);
    /// @notice The owner revoked this identity key. It never returns; another one may be registered.
    error IdentityKeyRevoked(address owner, bytes32 identityKey);
    /// @notice There is no such active bundle of this owner.
    error IdentityKeyNotActive(address owner, bytes32 identityKey);
    /// @notice The owner must revoke a bundle before the next can be registered.
    error TooManyActiveBundles(address owner, uint256 limit);
    /// @notice The certificate was not signed by the authority it names, or not over these values.
    error CertificateSignerMismatch(address recovered, address authority);
    /// @notice Without evidence, transport key and block number must be zero.
    error UnexpectedAttestationFields(bytes32 transportKey, uint64 blockNumber);

    // --- actions -----------------------------------------------------------------------------------

    /// @notice Publishes a key bundle of the sender, certified by an attested enclave.
    /// @dev Selector 0x55b52353. Reverts: docs/SPECIFICATION.md, KeyRegistry, in that order.
    /// @param identityKey The Ed25519 public key, 32 bytes.
    /// @param preKey The X25519 public key, 32 bytes.
    /// @param preKeySignature 64 bytes; certified and published, not checked here.
    /// @param attestationProof abi.encode({BundleProof}).
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
    /// @param attestationProof abi.encode({BundleProof}).
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

    // --- administration ----------------------------------------------------------------------------

    /// @notice Stops registration and rotation. Revocation and reads go on.
    /// @dev Owner only. Reverts: OwnableUnauthorizedAccount, EnforcedPause.
    function pause() external;

    /// @notice Ends a pause.
    /// @dev Owner only. Reverts: OwnableUnauthorizedAccount, ExpectedPause.
    function unpause() external;

    // --- views -------------------------------------------------------------------------------------

    /// @notice A bundle as it stands, revoked ones included. Never reverts.
    /// @param owner Whose keys they are.
    /// @param identityKey The Ed25519 public key.
    /// @return bundle `state` is NONE when there is no such bundle.
    function getKeyBundle(address owner, bytes32 identityKey) external view returns (KeyBundle memory bundle);

    /// @notice The owner's active bundles, at most 10, in no promised order. Never reverts.
    /// @param owner Whose keys they are.
    /// @return bundles The active bundles.
    function getKeyBundles(address owner) external view returns (KeyBundle[] memory bundles);

    /// @notice The state of an identity key under an owner. Never reverts.
    /// @param owner Whose key it is.
    /// @param identityKey The Ed25519 public key.
    /// @return state NONE, ACTIVE or REVOKED.
    function keyState(address owner, bytes32 identityKey) external view returns (KeyState state);

    /// @notice Judges a bundle now, enclave and platform included. Never reverts.
    /// @param owner Whose keys they are.
    /// @param identityKey The Ed25519 public key.
    /// @return standing What a reader may rely on.
    /// @return enclaveReason With ENCLAVE_NOT_TRUSTED the selector from {IEnclaveRegistry.standing}, else 0.
    function isTrusted(address owner, bytes32 identityKey)
        external
        view
        returns (Standing standing, bytes4 enclaveReason);

    /// @notice What an enclave signs to certify a bundle (EIP-712).
    /// @dev Domain: name "XMTP TEE KeyRegistry", version "1", this chain, this contract. Type:
    /// KeyBundle(address owner,bytes32 identityKey,bytes32 preKey,bytes preKeySignature,uint64 epoch,
    /// uint64 expiresAt,uint8 provenance).
    /// @param owner Whose keys they are.
    /// @param identityKey The Ed25519 public key.
    /// @param preKey The X25519 public key.
    /// @param preKeySignature 64 bytes.
    /// @param epoch The pre-key's number.
    /// @param expiresAt The first second at which the pre-key must not be used.
    /// @param provenance Where the identity key came from.
    /// @return digest The 32 bytes to sign.
    function certificateDigest(
        address owner,
        bytes32 identityKey,
        bytes32 preKey,
        bytes calldata preKeySignature,
        uint64 epoch,
        uint64 expiresAt,
        Provenance provenance
    ) external view returns (bytes32 digest);

    /// @notice The registry of enclaves, fixed for ever.
    /// @return contract_ Its address.
    function enclaveRegistry() external view returns (IEnclaveRegistry contract_);
}
