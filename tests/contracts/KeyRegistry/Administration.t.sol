// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";

import {BundleProof, IKeyRegistry, KeyState, Standing} from "../../../contracts/interfaces/IKeyRegistry.sol";
import {RegistryFixture} from "../registry/RegistryFixture.sol";

/// @dev docs/SPECIFICATION.md, KeyRegistry, administration: the admin may pause, and nothing else.
contract KeyRegistryAdministrationTest is RegistryFixture {
    Bundle private bundle;

    function setUp() public override {
        super.setUp();
        attest(authority);
        bundle = registered(owner, "first");
    }

    function test_a_pause_blocks_registration_and_rotation() external {
        pause();
        Bundle memory second = newBundle(owner, "second");
        BundleProof memory proof = proofOf(second, AUTHORITY_KEY);
        expectError(Pausable.EnforcedPause.selector);
        vm.prank(owner);
        register(second, proof);
        Bundle memory next = nextPreKey(bundle);
        proof = proofOf(next, AUTHORITY_KEY);
        expectError(Pausable.EnforcedPause.selector);
        vm.prank(owner);
        rotate(next, proof);

        vm.prank(admin);
        registry.unpause();
        vm.prank(owner);
        rotate(next, proof);
        assertSame(registry.getKeyBundle(owner, bundle.identityKey).epoch, 2, "goes on after the pause");
    }

    function test_a_pause_never_blocks_reads_or_revocation() external {
        bytes32 before = fingerprint(owner, bundle.identityKey);
        pause();
        assertSame(fingerprint(owner, bundle.identityKey), before, "the same entry");
        (Standing standing,) = registry.isTrusted(owner, bundle.identityKey);
        assertThat(standing == Standing.TRUSTED, "trust is not the admin's to take");
        vm.prank(owner);
        registry.revokeKeyBundle(abi.encodePacked(bundle.identityKey));
        assertThat(registry.keyState(owner, bundle.identityKey) == KeyState.REVOKED, "revoked while paused");
    }

    function testFuzz_only_the_admin_pauses(address sender) external {
        vm.assume(sender != admin);
        bytes memory unauthorized = abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, sender);
        expectError(unauthorized);
        vm.prank(sender);
        registry.pause();
        pause();
        expectError(unauthorized);
        vm.prank(sender);
        registry.unpause();
    }

    function test_ownership_moves_in_two_steps() external {
        vm.prank(admin);
        registry.transferOwnership(stranger);
        assertSame(registry.owner(), admin, "not before it is accepted");
        vm.prank(stranger);
        registry.acceptOwnership();
        assertSame(registry.owner(), stranger, "accepted");
        expectError(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, admin));
        vm.prank(admin);
        registry.pause();
    }

    function test_renouncing_cannot_leave_a_pause_that_nobody_ends() external {
        pause();
        expectError(Pausable.EnforcedPause.selector);
        vm.prank(admin);
        registry.renounceOwnership();
        vm.startPrank(admin);
        registry.unpause();
        registry.renounceOwnership();
        vm.stopPrank();
        assertSame(registry.owner(), address(0), "renounced");
        registered(owner, "second");
    }

    function test_construction_refuses_an_address_without_code_and_no_owner() external {
        expectError(abi.encodeWithSelector(IKeyRegistry.NotAContract.selector, stranger));
        newRegistry(stranger, admin);
        expectError(abi.encodeWithSelector(Ownable.OwnableInvalidOwner.selector, address(0)));
        newRegistry(address(enclaves), address(0));
    }

    // --- no admin can add, alter or remove a key -------------------------------------------------------

    /// @dev Walks the compiled ABI, so that a function added later is tried too: whatever the admin calls,
    /// with whatever arguments, the owner's bundle stays as it is and the owner can still revoke it.
    function testFuzz_x7_no_function_called_by_the_admin_touches_anothers_bundle(bytes calldata noise) external {
        bytes32 before = fingerprint(owner, bundle.identityKey);
        string[] memory signatures = functions();
        for (uint256 i = 0; i < signatures.length; ++i) {
            bytes4 selector = bytes4(keccak256(bytes(signatures[i])));
            tryAsAdmin(abi.encodePacked(selector, noise));
            tryAsAdmin(abi.encodePacked(selector, abi.encode(owner, bundle.identityKey, bundle.preKey)));
            tryAsAdmin(abi.encodePacked(selector, new bytes(512)));
            assertSame(fingerprint(owner, bundle.identityKey), before, signatures[i]);
        }
        vm.prank(owner);
        registry.revokeKeyBundle(abi.encodePacked(bundle.identityKey));
    }

    /// @dev The same with well-formed arguments: real certificates of this very bundle.
    function test_the_admin_cannot_act_for_an_owner_by_the_owners_own_certificates() external {
        bytes32 before = fingerprint(owner, bundle.identityKey);
        Bundle memory next = nextPreKey(bundle);
        bytes memory identityKey = abi.encodePacked(bundle.identityKey);
        bytes memory proof = abi.encode(proofOf(next, AUTHORITY_KEY));
        bytes memory preKey = abi.encodePacked(next.preKey);
        assertThat(
            !tryAsAdmin(
                abi.encodeCall(
                    IKeyRegistry.registerKeyBundleWithAttestation, (identityKey, preKey, next.preKeySignature, proof)
                )
            ),
            "register"
        );
        assertThat(
            !tryAsAdmin(abi.encodeCall(IKeyRegistry.rotatePreKey, (identityKey, preKey, next.preKeySignature, proof))),
            "rotate"
        );
        assertThat(!tryAsAdmin(abi.encodeCall(IKeyRegistry.revokeKeyBundle, (identityKey))), "revoke");
        assertSame(fingerprint(owner, bundle.identityKey), before, "untouched");
    }

    /// @dev Who may change state, and how, is a decision: a new function must be entered here knowingly.
    function test_the_state_changing_functions_are_these() external view {
        string[8] memory changing = [
            "acceptOwnership()",
            "pause()",
            "registerKeyBundleWithAttestation(bytes,bytes,bytes,bytes)",
            "renounceOwnership()",
            "revokeKeyBundle(bytes)",
            "rotatePreKey(bytes,bytes,bytes,bytes)",
            "transferOwnership(address)",
            "unpause()"
        ];
        string[10] memory reading = [
            "certificateDigest(address,bytes32,bytes32,bytes,uint64,uint64,uint8)",
            "eip712Domain()",
            "enclaveRegistry()",
            "getKeyBundle(address,bytes32)",
            "getKeyBundles(address)",
            "isTrusted(address,bytes32)",
            "keyState(address,bytes32)",
            "owner()",
            "paused()",
            "pendingOwner()"
        ];
        string[] memory found = functions();
        assertSame(found.length, changing.length + reading.length, "as many functions as are known");
        for (uint256 i = 0; i < found.length; ++i) {
            bool known;
            for (uint256 j = 0; j < changing.length; ++j) {
                known = known || keccak256(bytes(found[i])) == keccak256(bytes(changing[j]));
            }
            for (uint256 j = 0; j < reading.length; ++j) {
                known = known || keccak256(bytes(found[i])) == keccak256(bytes(reading[j]));
            }
            assertThat(known, found[i]);
        }
    }

    function functions() private view returns (string[] memory signatures) {
        string memory artifact = vm.readFile(vm.getArtifactPathByCode(vm.getCode("KeyRegistry.sol:KeyRegistry")));
        return vm.parseJsonKeys(artifact, ".methodIdentifiers");
    }

    function tryAsAdmin(bytes memory call_) private returns (bool accepted) {
        vm.prank(admin);
        (accepted,) = address(registry).call(call_);
    }

    function pause() private {
        vm.prank(admin);
        registry.pause();
    }
}
