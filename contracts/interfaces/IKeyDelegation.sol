// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice One entry of a batch: the arguments of {IKeyDelegation.registerKeyBundleWithAttestationFor}.
/// @param owner Whose keys they are.
/// @param identityKey The Ed25519 public key, 32 bytes.
/// @param preKey The X25519 public key, 32 bytes.
/// @param preKeySignature 64 bytes.
/// @param attestationProof As in {IKeyBundles}.
/// @param deadline The last second at which the signature acts, unix seconds.
/// @param signature The owner's, over a RegisterKeyBundle.
struct Registration {
    address owner;
    bytes identityKey;
    bytes preKey;
    bytes preKeySignature;
    bytes attestationProof;
    uint256 deadline;
    bytes signature;
}

/// @title IKeyDelegation
/// @notice What an owner does by its signature: anybody may bring it, nobody can change it.
/// @dev Normative description: docs/SPECIFICATION.md, KeyRegistry, delegation.
///
/// The signature is EIP-712 in the registry's domain (ERC-5267 {eip712Domain}: name "XMTP TEE KeyRegistry",
/// version "1", chain id, this contract), over one of
/// - RegisterKeyBundle(address owner,bytes32 identityKey,bytes32 preKey,uint64 epoch,uint64 expiresAt,
///   uint8 provenance,address authority,uint256 nonce,uint256 deadline)
/// - RotatePreKey, with the same members
/// - RevokeKeyBundle(address owner,bytes32 identityKey,uint256 nonce,uint256 deadline)
///
/// `nonce` is {nonces} of the owner: signatures act in the order in which they are numbered, each once. An owner
/// without code signs by its key (65 bytes r || s || v, low s). An owner with code is asked (ERC-1271). An owner
/// whose code is not deployed yet signs as ERC-6492 says: abi.encode(address factory, bytes factoryCall,
/// bytes signature) || 0x6492...6492; the factory is called first, by a contract that has no rights anywhere.
/// WARNING: the certificate in the proof is the enclave's word, this signature the owner's. Both are needed.
interface IKeyDelegation {
    // --- events ------------------------------------------------------------------------------------

    /// @notice An owner has voided every signature of its that has not acted, whatever its nonce.
    /// @dev Reader invariants: `owner` sent it; no signature for a nonce below `nonce` acts afterwards.
    /// @param owner Whose signatures.
    /// @param nonce The owner's next nonce.
    event SignaturesCancelled(address indexed owner, uint256 nonce);

    /// @notice An entry of a batch was refused; the others stand on their own.
    /// @dev Reader invariants: nothing of this entry took effect, its signature can still be used. `reason` is what
    /// the call of this entry reverted with; empty when it ran out of gas.
    /// @param index The entry's place in the batch, from 0.
    /// @param owner The owner it names.
    /// @param identityKey The identity key it names; zero when that is not 32 bytes.
    /// @param reason The first 256 bytes of the revert data.
    event RegistrationRefused(uint256 indexed index, address indexed owner, bytes32 indexed identityKey, bytes reason);

    // --- errors ------------------------------------------------------------------------------------

    /// @notice The signature acted until `deadline`, unix seconds.
    error SignatureExpired(uint256 deadline, uint256 timestamp);
    /// @notice Not this owner's signature over these values with its present nonce.
    error OwnerSignatureInvalid(address owner);
    /// @notice What ends in ERC-6492's mark is not abi.encode(address, bytes, bytes) before it.
    error CounterfactualSignatureMalformed();
    /// @notice The factory was called and there is still no code at the owner's address.
    error OwnerNotDeployed(address owner, address factory);
    /// @notice Not enough gas was sent for every entry of the batch to have its share.
    error BatchGasTooLow(uint256 got, uint256 needed);
    /// @notice An entry of a batch has more bytes, all members together, than `limit`. Its refusal carries this.
    error RegistrationTooLong(uint256 length, uint256 limit);

    // --- actions -----------------------------------------------------------------------------------

    /// @notice {IKeyBundles.registerKeyBundleWithAttestation} for an owner, by its signature.
    /// @dev Reverts: docs/SPECIFICATION.md, KeyRegistry, in that order.
    /// @param owner Whose keys they are.
    /// @param identityKey The Ed25519 public key, 32 bytes.
    /// @param preKey The X25519 public key, 32 bytes.
    /// @param preKeySignature 64 bytes; certified and published, not checked here.
    /// @param attestationProof As in {IKeyBundles}.
    /// @param deadline The last second at which the signature acts, unix seconds.
    /// @param signature The owner's, over a RegisterKeyBundle.
    function registerKeyBundleWithAttestationFor(
        address owner,
        bytes calldata identityKey,
        bytes calldata preKey,
        bytes calldata preKeySignature,
        bytes calldata attestationProof,
        uint256 deadline,
        bytes calldata signature
    ) external;

    /// @notice {IKeyBundles.rotatePreKey} for an owner, by its signature.
    /// @dev Reverts: docs/SPECIFICATION.md, KeyRegistry, in that order.
    /// @param owner Whose keys they are.
    /// @param identityKey The Ed25519 public key, 32 bytes.
    /// @param preKey The new X25519 public key, 32 bytes.
    /// @param preKeySignature 64 bytes; certified and published, not checked here.
    /// @param attestationProof As in {IKeyBundles}.
    /// @param deadline The last second at which the signature acts, unix seconds.
    /// @param signature The owner's, over a RotatePreKey.
    function rotatePreKeyFor(
        address owner,
        bytes calldata identityKey,
        bytes calldata preKey,
        bytes calldata preKeySignature,
        bytes calldata attestationProof,
        uint256 deadline,
        bytes calldata signature
    ) external;

    /// @notice {IKeyBundles.revokeKeyBundle} for an owner, by its signature. Works while paused.
    /// @dev Reverts: docs/SPECIFICATION.md, KeyRegistry, in that order.
    /// @param owner Whose keys they are.
    /// @param identityKey The Ed25519 public key, 32 bytes.
    /// @param deadline The last second at which the signature acts, unix seconds.
    /// @param signature The owner's, over a RevokeKeyBundle.
    function revokeKeyBundleFor(address owner, bytes calldata identityKey, uint256 deadline, bytes calldata signature)
        external;

    /// @notice Registers bundles of many owners. An entry that fails is reported and sinks nothing.
    /// @dev Each entry is a call of {registerKeyBundleWithAttestationFor} with an equal share of the gas that is
    /// left, so that none can spend what the others need; send 200,000 gas per entry, more for entries that bring
    /// evidence. An entry with more than 98,304 bytes in all its members is refused with {RegistrationTooLong}.
    /// Reverts: EnforcedPause; {BatchGasTooLow} below 60,000 and 150,000 per entry.
    /// @param registrations The entries.
    /// @return done For each entry whether its bundle was registered; {RegistrationRefused} says why not.
    function registerKeyBundles(Registration[] calldata registrations) external returns (bool[] memory done);

    /// @notice Voids every signature of the sender's that has not acted, those for later nonces included.
    /// @dev Never reverts. Works while paused.
    function cancelSignatures() external;

    // --- views -------------------------------------------------------------------------------------

    /// @notice The nonce that the owner's next signature must carry. Never reverts.
    /// @dev Grows by 1 with each signature that acts; a cancellation raises it to the next multiple of 2^64.
    /// @param owner Whose.
    /// @return nonce The number.
    function nonces(address owner) external view returns (uint256 nonce);
}
