// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";

import {
    IKeyBundles,
    IKeyDelegation,
    IKeyRegistry,
    KeyState,
    Registration,
    Standing
} from "../../../contracts/interfaces/IKeyRegistry.sol";
import {BundleProof} from "../registry/RegistryFixture.sol";
import {DelegationFixture} from "./DelegationFixture.sol";

/// @dev docs/SPECIFICATION.md, KeyRegistry, administration: the policy's owner and guardians may pause, and nothing
/// else. Nobody owns this contract.
contract KeyRegistryAdministrationTest is DelegationFixture {
    address private immutable guardian = address(0x6a2d1a);
    Bundle private bundle;

    function setUp() public override {
        super.setUp();
        vm.prank(admin);
        policy.addGuardian(guardian);
        bundle = registered(owner, "first");
    }

    function test_a_pause_blocks_registration_and_rotation() external {
        pauseAs(guardian);
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
        pauseAs(admin);
        assertSame(fingerprint(owner, bundle.identityKey), before, "the same entry");
        (Standing standing,) = registry.isTrusted(owner, bundle.identityKey);
        assertThat(standing == Standing.TRUSTED, "trust is not the admin's to take");
        vm.prank(owner);
        registry.revokeKeyBundle(abi.encodePacked(bundle.identityKey));
        assertThat(registry.keyState(owner, bundle.identityKey) == KeyState.REVOKED, "revoked while paused");
    }

    function testFuzz_only_the_policys_owner_and_guardians_pause(address sender) external {
        vm.assume(sender != admin && sender != guardian);
        expectError(abi.encodeWithSelector(IKeyRegistry.PauseUnauthorized.selector, sender));
        pauseAs(sender);
        pauseAs(admin);
        expectError(abi.encodeWithSelector(IKeyRegistry.UnpauseUnauthorized.selector, sender));
        vm.prank(sender);
        registry.unpause();
    }

    function test_a_guardian_pauses_and_cannot_end_it() external {
        pauseAs(guardian);
        expectError(Pausable.EnforcedPause.selector);
        pauseAs(guardian);
        expectError(abi.encodeWithSelector(IKeyRegistry.UnpauseUnauthorized.selector, guardian));
        vm.prank(guardian);
        registry.unpause();
        vm.prank(admin);
        registry.unpause();
        expectError(Pausable.ExpectedPause.selector);
        vm.prank(admin);
        registry.unpause();
    }

    function test_the_right_to_pause_moves_with_the_policy() external {
        vm.prank(admin);
        policy.removeGuardian(guardian);
        expectError(abi.encodeWithSelector(IKeyRegistry.PauseUnauthorized.selector, guardian));
        pauseAs(guardian);
        vm.prank(admin);
        policy.transferOwnership(stranger);
        vm.prank(stranger);
        policy.acceptOwnership();
        expectError(abi.encodeWithSelector(IKeyRegistry.PauseUnauthorized.selector, admin));
        pauseAs(admin);
        pauseAs(stranger);
        vm.prank(stranger);
        registry.unpause();
    }

    function test_construction_refuses_an_address_without_code() external {
        expectError(abi.encodeWithSelector(IKeyRegistry.NotAContract.selector, stranger));
        newRegistry(stranger, address(agents));
    }

    // --- no admin can add, alter or remove a key -------------------------------------------------------

    /// @dev Walks the compiled ABI, so that a function added later is tried too: whatever those who administer call,
    /// with whatever arguments, paused and not, the owner's bundle stays as it is and the owner can still revoke it.
    function testFuzz_x7_no_function_called_by_the_admin_touches_anothers_bundle(bytes calldata noise) external {
        bytes32 before = standingOf(bundle);
        string[] memory signatures = functions();
        for (uint256 i = 0; i < signatures.length; ++i) {
            bytes4 selector = bytes4(keccak256(bytes(signatures[i])));
            bytes[3] memory calls = [
                abi.encodePacked(selector, noise),
                abi.encodePacked(selector, argumentsOf(signatures[i])),
                abi.encodePacked(selector, new bytes(512))
            ];
            for (uint256 j = 0; j < calls.length; ++j) {
                tryAsAdmins(calls[j]);
                tryAsAdminsUnder(calls[j], true);
                assertSame(standingOf(bundle), before, signatures[i]);
            }
        }
        vm.prank(owner);
        registry.revokeKeyBundle(abi.encodePacked(bundle.identityKey));
    }

    /// @dev The same with well-formed arguments: real certificates of this very bundle, and signatures of the admins'.
    function test_the_admin_cannot_act_for_an_owner_by_the_owners_own_certificates() external {
        bytes32 before = standingOf(bundle);
        Bundle memory next = nextPreKey(bundle);
        Registration memory entry = entryOf(next, registrationBy(SIGNER_KEY, next));
        Registration[] memory entries = new Registration[](1);
        entries[0] = entry;
        bytes4[2] memory own =
            [IKeyBundles.registerKeyBundleWithAttestation.selector, IKeyBundles.rotatePreKey.selector];
        bytes4[2] memory twins =
            [IKeyDelegation.registerKeyBundleWithAttestationFor.selector, IKeyDelegation.rotatePreKeyFor.selector];
        for (uint256 i = 0; i < 2; ++i) {
            bytes memory arguments =
                abi.encode(entry.identityKey, entry.preKey, entry.preKeySignature, entry.attestationProof);
            assertThat(!tryAsAdmins(abi.encodePacked(own[i], arguments)), "as if its own");
            assertThat(!tryAsAdmins(callOf(twins[i], entry)), "as if signed");
        }
        assertThat(!tryAsAdmins(abi.encodeCall(IKeyBundles.revokeKeyBundle, (entry.identityKey))), "revoke");
        assertThat(
            !tryAsAdmins(
                abi.encodeCall(
                    IKeyDelegation.revokeKeyBundleFor,
                    (owner, entry.identityKey, deadline, revocationBy(SIGNER_KEY, bundle))
                )
            ),
            "revoke as if signed"
        );
        tryAsAdmins(abi.encodeCall(IKeyDelegation.registerKeyBundles, (entries)));
        assertSame(standingOf(bundle), before, "untouched");
    }

    /// @dev Who may change state, and how, is a decision: a new function must be entered here knowingly.
    function test_the_functions_are_these() external view {
        string[13] memory changing = [
            "cancelSignatures()",
            "pause()",
            "registerKeyBundleWithAttestation(bytes,bytes,bytes,bytes)",
            "registerKeyBundleWithAttestationFor(address,bytes,bytes,bytes,bytes,uint256,bytes)",
            "registerKeyBundleWithAttestationForAgent(uint256,bytes,bytes,bytes,bytes)",
            "registerKeyBundles((address,bytes,bytes,bytes,bytes,uint256,bytes)[])",
            "revokeKeyBundle(bytes)",
            "revokeKeyBundleFor(address,bytes,uint256,bytes)",
            "revokeKeyBundleForAgent(uint256,bytes)",
            "rotatePreKey(bytes,bytes,bytes,bytes)",
            "rotatePreKeyFor(address,bytes,bytes,bytes,bytes,uint256,bytes)",
            "rotatePreKeyForAgent(uint256,bytes,bytes,bytes,bytes)",
            "unpause()"
        ];
        string[16] memory reading = [
            "agentHolder(uint256,bytes32)",
            "agentOwner(uint256)",
            "certificateDigest(address,bytes32,bytes32,bytes,uint64,uint64,uint8)",
            "eip712Domain()",
            "enclaveRegistry()",
            "getKeyBundle(address)",
            "getKeyBundle(address,bytes32)",
            "getKeyBundles(address)",
            "identityRegistry()",
            "isTrusted(address,bytes32)",
            "keyState(address,bytes32)",
            "lastChange(address)",
            "lookupKeys(address[])",
            "nonces(address)",
            "paused()",
            "supportsInterface(bytes4)"
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

    /// @dev Arguments that decode, and that speak of the owner's bundle: an address is the owner, the first key is the
    /// bundle's and each later one another, a number is 1, a time lies ahead. None for arguments that are structures:
    /// the test after the walk brings those.
    function argumentsOf(string memory signature) private view returns (bytes memory) {
        string[] memory parts = vm.split(signature, "(");
        string[] memory types = vm.split(vm.split(parts[1], ")")[0], ",");
        if (parts.length != 2 || bytes(types[0]).length == 0) return "";
        bytes memory head;
        bytes memory tail;
        bytes32 key = bundle.identityKey;
        for (uint256 i = 0; i < types.length; ++i) {
            bytes32 kind = keccak256(bytes(types[i]));
            bytes32 word = bytes32(uint256(1));
            if (kind == keccak256("address")) {
                word = bytes32(uint256(uint160(owner)));
            } else if (kind == keccak256("uint256") || kind == keccak256("uint64")) {
                word = bytes32(deadline);
            } else if (kind == keccak256("bytes32")) {
                (word, key) = (key, keccak256(abi.encode(key)));
            } else if (kind == keccak256("bytes")) {
                word = bytes32(32 * types.length + tail.length);
                tail = abi.encodePacked(tail, uint256(32), key);
                key = keccak256(abi.encode(key));
            }
            head = abi.encodePacked(head, word);
        }
        return abi.encodePacked(head, tail);
    }

    /// @dev A pause would hide what it stops, so no call is made under one that another call left behind.
    function tryAsAdmins(bytes memory call_) private returns (bool accepted) {
        return tryAsAdminsUnder(call_, false);
    }

    function tryAsAdminsUnder(bytes memory call_, bool paused) private returns (bool accepted) {
        address[2] memory administering = [guardian, admin];
        for (uint256 i = 0; i < administering.length; ++i) {
            setPaused(paused);
            assertThat(isPaused() == paused, "the pause is as it is meant");
            vm.prank(administering[i]);
            (bool done,) = address(registry).call(call_);
            accepted = accepted || done;
        }
        setPaused(false);
    }

    function isPaused() private view returns (bool) {
        return Pausable(address(registry)).paused();
    }

    function setPaused(bool paused) private {
        if (isPaused() == paused) return;
        vm.prank(admin);
        if (paused) registry.pause();
        else registry.unpause();
    }

    function pauseAs(address sender) private {
        vm.prank(sender);
        registry.pause();
    }
}
