// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC5267} from "@openzeppelin/contracts/interfaces/IERC5267.sol";

import {IKeyDelegation, Registration} from "../../../contracts/interfaces/IKeyRegistry.sol";
import {BundleProof, RegistryFixture} from "../registry/RegistryFixture.sol";

/// @title DelegationFixture
/// @notice Owners that sign, and those who bring what they signed. The EIP-712 hashes are made by hand.
abstract contract DelegationFixture is RegistryFixture {
    string internal constant MEMBERS =
        "(address owner,bytes32 identityKey,bytes32 preKey,uint64 epoch,uint64 expiresAt,uint8 provenance,address authority,uint256 nonce,uint256 deadline)";
    uint256 internal constant SIGNER_KEY = 0x51612e2;
    uint256 internal constant OTHER_SIGNER_KEY = 0x51612e3;
    uint256 internal constant CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;
    bytes32 internal constant MARK = 0x6492649264926492649264926492649264926492649264926492649264926492;

    address internal immutable relayer = address(0x2e1a7e2);
    address internal signer;
    address internal otherSigner;
    uint256 internal deadline;

    function setUp() public virtual override {
        super.setUp();
        attest(authority);
        (signer, otherSigner) = (vm.addr(SIGNER_KEY), vm.addr(OTHER_SIGNER_KEY));
        deadline = time() + 1 hours;
    }

    // --- what an owner signs -------------------------------------------------------------------------

    function domainSeparator() internal view virtual returns (bytes32) {
        (, string memory name, string memory version, uint256 chainId, address verifyingContract,,) =
            IERC5267(address(registry)).eip712Domain();
        return keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256(bytes(name)),
                keccak256(bytes(version)),
                chainId,
                verifyingContract
            )
        );
    }

    function digestOf(bytes32 structHash) internal view returns (bytes32) {
        return keccak256(abi.encodePacked(hex"1901", domainSeparator(), structHash));
    }

    function intentOf(string memory name, Bundle memory bundle, address authority_, uint256 nonce, uint256 deadline_)
        internal
        view
        returns (bytes32 digest)
    {
        return digestOf(
            keccak256(
                abi.encode(
                    keccak256(bytes(string.concat(name, MEMBERS))),
                    bundle.owner,
                    bundle.identityKey,
                    bundle.preKey,
                    bundle.epoch,
                    bundle.expiresAt,
                    bundle.provenance,
                    authority_,
                    nonce,
                    deadline_
                )
            )
        );
    }

    function revocationOf(address owner_, bytes32 identityKey, uint256 nonce, uint256 deadline_)
        internal
        view
        returns (bytes32 digest)
    {
        return digestOf(
            keccak256(
                abi.encode(
                    keccak256("RevokeKeyBundle(address owner,bytes32 identityKey,uint256 nonce,uint256 deadline)"),
                    owner_,
                    identityKey,
                    nonce,
                    deadline_
                )
            )
        );
    }

    function signed(uint256 key, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }

    /// @dev The owner's signature for the registration by its present nonce, until {deadline}.
    function registrationBy(uint256 key, Bundle memory bundle) internal view returns (bytes memory) {
        uint256 nonce = registry.nonces(bundle.owner);
        return signed(key, intentOf("RegisterKeyBundle", bundle, authority, nonce, deadline));
    }

    function rotationBy(uint256 key, Bundle memory bundle) internal view returns (bytes memory) {
        return signed(key, intentOf("RotatePreKey", bundle, authority, registry.nonces(bundle.owner), deadline));
    }

    function revocationBy(uint256 key, Bundle memory bundle) internal view returns (bytes memory) {
        uint256 nonce = registry.nonces(bundle.owner);
        return signed(key, revocationOf(bundle.owner, bundle.identityKey, nonce, deadline));
    }

    function wrapped(address factory, bytes memory factoryCall, bytes memory signature)
        internal
        pure
        returns (bytes memory)
    {
        return abi.encodePacked(abi.encode(factory, factoryCall, signature), MARK);
    }

    // --- who brings it -------------------------------------------------------------------------------

    function entryOf(Bundle memory bundle, bytes memory signature) internal view returns (Registration memory) {
        return Registration({
            owner: bundle.owner,
            identityKey: abi.encodePacked(bundle.identityKey),
            preKey: abi.encodePacked(bundle.preKey),
            preKeySignature: bundle.preKeySignature,
            attestationProof: encode(proofOf(bundle, AUTHORITY_KEY)),
            deadline: deadline,
            signature: signature
        });
    }

    function callOf(bytes4 selector, Registration memory entry) internal pure returns (bytes memory) {
        return abi.encodePacked(
            selector,
            abi.encode(
                entry.owner,
                entry.identityKey,
                entry.preKey,
                entry.preKeySignature,
                entry.attestationProof,
                entry.deadline,
                entry.signature
            )
        );
    }

    function bring(bytes4 selector, Registration memory entry) internal {
        bytes memory call_ = callOf(selector, entry);
        vm.prank(relayer);
        (bool accepted, bytes memory answer) = address(registry).call(call_);
        if (!accepted) {
            assembly {
                revert(add(answer, 0x20), mload(answer))
            }
        }
    }

    function registerFor(Bundle memory bundle, bytes memory signature) internal {
        bring(IKeyDelegation.registerKeyBundleWithAttestationFor.selector, entryOf(bundle, signature));
    }

    function rotateFor(Bundle memory bundle, bytes memory signature) internal {
        bring(IKeyDelegation.rotatePreKeyFor.selector, entryOf(bundle, signature));
    }

    function revokeFor(Bundle memory bundle, bytes memory signature) internal {
        vm.prank(relayer);
        registry.revokeKeyBundleFor(bundle.owner, abi.encodePacked(bundle.identityKey), deadline, signature);
    }

    /// @dev A relayer registers a bundle that its owner signed for.
    function registeredFor(uint256 key, string memory name) internal returns (Bundle memory bundle) {
        bundle = newBundle(vm.addr(key), name);
        registerFor(bundle, registrationBy(key, bundle));
    }

    function expectInvalid(address owner_) internal {
        expectError(abi.encodeWithSelector(IKeyDelegation.OwnerSignatureInvalid.selector, owner_));
    }

    /// @dev For calls that {bring} makes: vm.expectRevert would meet the view calls before it.
    function refusalOf(bytes4 selector, Registration memory entry) internal returns (bytes memory reason) {
        bytes memory call_ = callOf(selector, entry);
        vm.prank(relayer);
        bool accepted;
        (accepted, reason) = address(registry).call(call_);
        assertThat(!accepted, "must be refused");
    }

    function refuseRegistration(Bundle memory bundle, bytes memory signature, bytes memory expected) internal {
        bytes32 before = standingOf(bundle);
        Registration memory entry = entryOf(bundle, signature);
        assertSame(
            refusalOf(IKeyDelegation.registerKeyBundleWithAttestationFor.selector, entry), expected, "the reason"
        );
        assertSame(standingOf(bundle), before, "nothing has changed");
    }

    function refuseRotation(Bundle memory bundle, bytes memory signature, bytes memory expected) internal {
        bytes32 before = standingOf(bundle);
        Registration memory entry = entryOf(bundle, signature);
        assertSame(refusalOf(IKeyDelegation.rotatePreKeyFor.selector, entry), expected, "the reason");
        assertSame(standingOf(bundle), before, "nothing has changed");
    }

    function invalid(address owner_) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IKeyDelegation.OwnerSignatureInvalid.selector, owner_);
    }

    /// @dev All that a signature could change.
    function standingOf(Bundle memory bundle) internal view returns (bytes32) {
        return keccak256(
            abi.encode(
                fingerprint(bundle.owner, bundle.identityKey),
                registry.nonces(bundle.owner),
                registry.lastChange(bundle.owner)
            )
        );
    }
}
