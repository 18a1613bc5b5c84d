// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";

import {IKeyDelegation} from "../interfaces/IKeyDelegation.sol";
import {ProofHead} from "./AttestationProof.sol";
import {CounterfactualDeployer} from "./CounterfactualDeployer.sol";
import {CounterfactualSignature} from "./CounterfactualSignature.sol";
import {KeyBundles} from "./KeyBundles.sol";

/// @title OwnerIntents
/// @notice What an owner does by its signature; see {IKeyDelegation}.
/// @dev Foreign code runs in two places only: the factory of an owner that is not deployed yet, before anything of
/// the call has been read or written, so that it may call back as if it had been called by an earlier transaction;
/// and the owner's ERC-1271, which is a static call.
abstract contract OwnerIntents is KeyBundles {
    bytes32 private constant REGISTER_TYPEHASH = keccak256(
        "RegisterKeyBundle(address owner,bytes32 identityKey,bytes32 preKey,uint64 epoch,uint64 expiresAt,"
        "uint8 provenance,address authority,uint256 nonce,uint256 deadline)"
    );
    bytes32 private constant ROTATE_TYPEHASH = keccak256(
        "RotatePreKey(address owner,bytes32 identityKey,bytes32 preKey,uint64 epoch,uint64 expiresAt,"
        "uint8 provenance,address authority,uint256 nonce,uint256 deadline)"
    );
    bytes32 private constant REVOKE_TYPEHASH =
        keccak256("RevokeKeyBundle(address owner,bytes32 identityKey,uint256 nonce,uint256 deadline)");
    /// @dev A cancellation leaves this many numbers behind, so that it also voids what was signed for later nonces.
    uint256 private constant NONCES_PER_ERA = 2 ** 64;

    CounterfactualDeployer private immutable DEPLOYER = new CounterfactualDeployer();

    /// @dev OpenZeppelin's Nonces count by one alone, which a cancellation here must not.
    mapping(address owner => uint256 nonce) private _nonces;

    /// @inheritdoc IKeyDelegation
    // NOTE: open to everyone. The owner's signature covers what is done, the certificate the rest.
    function registerKeyBundleWithAttestationFor(
        address owner,
        bytes calldata identityKey,
        bytes calldata preKey,
        bytes calldata preKeySignature,
        bytes calldata attestationProof,
        uint256 deadline,
        bytes calldata signature
    ) external whenNotPaused {
        (bytes32 key, bytes32 next, ProofHead head) = _read(identityKey, preKey, preKeySignature, attestationProof);
        _requireBundleIntent(REGISTER_TYPEHASH, owner, key, next, head, deadline, signature);
        _register(owner, key, next, head, preKeySignature, attestationProof);
    }

    /// @inheritdoc IKeyDelegation
    // NOTE: open to everyone. The owner's signature covers what is done, the certificate the rest.
    function rotatePreKeyFor(
        address owner,
        bytes calldata identityKey,
        bytes calldata preKey,
        bytes calldata preKeySignature,
        bytes calldata attestationProof,
        uint256 deadline,
        bytes calldata signature
    ) external whenNotPaused {
        (bytes32 key, bytes32 next, ProofHead head) = _read(identityKey, preKey, preKeySignature, attestationProof);
        _requireBundleIntent(ROTATE_TYPEHASH, owner, key, next, head, deadline, signature);
        _rotate(owner, key, next, head, preKeySignature, attestationProof);
    }

    /// @inheritdoc IKeyDelegation
    // NOTE: open to everyone, and not stopped by a pause. The owner's signature covers what is done.
    function revokeKeyBundleFor(address owner, bytes calldata identityKey, uint256 deadline, bytes calldata signature)
        external
    {
        bytes32 key = _readIdentityKey(identityKey);
        bytes calldata own = _prepare(owner, deadline, signature);
        bytes32 hash = keccak256(abi.encode(REVOKE_TYPEHASH, owner, key, _nonces[owner]++, deadline));
        _requireSigned(owner, hash, own);
        _revoke(owner, key);
    }

    /// @inheritdoc IKeyDelegation
    // NOTE: open to everyone, and not stopped by a pause. The sender reaches its own signatures alone.
    function cancelSignatures() external {
        uint256 nonce = (_nonces[msg.sender] / NONCES_PER_ERA + 1) * NONCES_PER_ERA;
        _nonces[msg.sender] = nonce;
        emit SignaturesCancelled(msg.sender, nonce);
    }

    /// @inheritdoc IKeyDelegation
    function nonces(address owner) external view returns (uint256 nonce) {
        return _nonces[owner];
    }

    function _requireBundleIntent(
        bytes32 typeHash,
        address owner,
        bytes32 identityKey,
        bytes32 preKey,
        ProofHead head,
        uint256 deadline,
        bytes calldata signature
    ) private {
        bytes calldata own = _prepare(owner, deadline, signature);
        bytes32 hash = keccak256(
            abi.encode(
                typeHash,
                owner,
                identityKey,
                preKey,
                head.epoch(),
                head.expiresAt(),
                head.provenance(),
                head.authority(),
                _nonces[owner]++,
                deadline
            )
        );
        _requireSigned(owner, hash, own);
    }

    /// @dev Checks the deadline and has the owner deployed, if the signature says how and it is not yet.
    /// @return own The signature that the owner is asked about.
    function _prepare(address owner, uint256 deadline, bytes calldata signature) private returns (bytes calldata own) {
        if (block.timestamp > deadline) revert SignatureExpired(deadline, block.timestamp);
        if (!CounterfactualSignature.isMarked(signature)) return signature;
        address factory;
        bytes calldata factoryCall;
        (factory, factoryCall, own) = CounterfactualSignature.unwrap(signature);
        if (owner.code.length == 0) {
            _trustedInBatch = address(0);
            DEPLOYER.deploy(factory, factoryCall);
            if (owner.code.length == 0) revert OwnerNotDeployed(owner, factory);
        }
    }

    function _requireSigned(address owner, bytes32 structHash, bytes calldata signature) private view {
        bytes32 digest = _hashTypedDataV4(structHash);
        if (!SignatureChecker.isValidSignatureNowCalldata(owner, digest, signature)) {
            revert OwnerSignatureInvalid(owner);
        }
    }
}
