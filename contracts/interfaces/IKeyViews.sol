// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AssuranceLevel, Provenance, TeeKind} from "./AttestationTypes.sol";
import {IEnclaveRegistry} from "./IEnclaveRegistry.sol";
import {KeyBundle, KeyState} from "./IKeyBundles.sol";

/// @notice What a reader may rely on now. Zero is not trust.
/// @dev Judged in this order; the first that holds is the answer. NONE: no such bundle. REVOKED: by its
/// owner. AGENT_TRANSFERRED: the agent is not in the hands any more that registered the bundle, or the identity
/// registry does not say. ENCLAVE_NOT_TRUSTED: the certifying enclave does not pass now. PRE_KEY_EXPIRED: the
/// identity key stands, the pre-key must not be used. TRUSTED: all of it stands.
enum Standing {
    NONE,
    REVOKED,
    AGENT_TRANSFERRED,
    ENCLAVE_NOT_TRUSTED,
    PRE_KEY_EXPIRED,
    TRUSTED
}

/// @notice A bundle and all that a reader needs to judge it.
/// @param bundle The bundle.
/// @param standing What {IKeyViews.isTrusted} says of it.
/// @param enclaveReason What {IKeyViews.isTrusted} says of it.
/// @param assurance What its keys may claim now; NONE unless `standing` is PRE_KEY_EXPIRED or TRUSTED.
/// @param tee The kind of environment that its enclave runs in, as recorded, trusted or not.
/// @param workload The code that its enclave runs, as recorded, trusted or not.
struct PublishedKey {
    KeyBundle bundle;
    Standing standing;
    bytes4 enclaveReason;
    AssuranceLevel assurance;
    TeeKind tee;
    bytes32 workload;
}

/// @title IKeyViews
/// @notice What readers ask the KeyRegistry.
/// @dev Normative description: docs/SPECIFICATION.md, KeyRegistry, views. None of these reverts, as long as it has
/// the gas for its answer.
interface IKeyViews {
    /// @notice A bundle as it stands, revoked ones included.
    /// @param owner Whose keys they are.
    /// @param identityKey The Ed25519 public key.
    /// @return bundle `state` is NONE when there is no such bundle.
    function getKeyBundle(address owner, bytes32 identityKey) external view returns (KeyBundle memory bundle);

    /// @notice The owner's active bundle at the lowest position: the only one, or one of several.
    /// @param owner Whose keys they are.
    /// @return bundle All zero, `state` NONE, when the owner has no active bundle.
    function getKeyBundle(address owner) external view returns (KeyBundle memory bundle);

    /// @notice The owner's active bundles, at most 10, in the order of their positions.
    /// @param owner Whose keys they are.
    /// @return bundles The active bundles.
    function getKeyBundles(address owner) external view returns (KeyBundle[] memory bundles);

    /// @notice The active bundles of many owners, each judged now, enclave, platform and agent included.
    /// @param owners Whose keys.
    /// @return keys For each owner what {getKeyBundles} says, with the judgement.
    function lookupKeys(address[] calldata owners) external view returns (PublishedKey[][] memory keys);

    /// @notice The state of an identity key under an owner.
    /// @param owner Whose key it is.
    /// @param identityKey The Ed25519 public key.
    /// @return state NONE, ACTIVE or REVOKED.
    function keyState(address owner, bytes32 identityKey) external view returns (KeyState state);

    /// @notice Judges a bundle now, enclave, platform and agent included.
    /// @param owner Whose keys they are.
    /// @param identityKey The Ed25519 public key.
    /// @return standing What a reader may rely on.
    /// @return enclaveReason With ENCLAVE_NOT_TRUSTED the selector from {IEnclaveRegistry.standing}, else 0.
    function isTrusted(address owner, bytes32 identityKey)
        external
        view
        returns (Standing standing, bytes4 enclaveReason);

    /// @notice The block of the owner's last change, where its linked history starts.
    /// @param owner Whose keys.
    /// @return blockNumber 0 when there was no change; 2^32 - 1 when it is not known here.
    function lastChange(address owner) external view returns (uint64 blockNumber);

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
