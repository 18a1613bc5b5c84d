// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

import {Provenance, TcbStatus} from "../../../contracts/interfaces/AttestationTypes.sol";
import {IEnclaveRegistry} from "../../../contracts/interfaces/IEnclaveRegistry.sol";
import {IKeyBundles, KeyBundle, KeyState} from "../../../contracts/interfaces/IKeyRegistry.sol";
import {BundleProof, RegistryFixture} from "../registry/RegistryFixture.sol";
import {Vm} from "../registry/Vm.sol";

/// @dev Attacks by name. X1 to X12 succeeded against an earlier registry of this kind.
contract KeyRegistryAttacksTest is RegistryFixture {
    uint256 private constant CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;

    function setUp() public override {
        super.setUp();
        attest(authority);
    }

    function test_x1_someone_elses_identity_key_as_ones_own() external {
        Bundle memory bundle = newBundle(owner, "first");
        BundleProof memory proof = proofOf(bundle, AUTHORITY_KEY);
        // Out of the pool of pending transactions, before the owner's is mined ...
        refuseAs(attacker, bundle, proof);
        vm.prank(owner);
        register(bundle, proof);
        // ... and after it.
        refuseAs(attacker, bundle, proof);
    }

    function test_x1_someone_elses_identity_key_under_ones_own_enclave() external {
        Bundle memory bundle = newBundle(attacker, "first");
        bundle.identityKey = registered(owner, "first").identityKey;
        BundleProof memory proof = proofOf(bundle, OTHER_AUTHORITY_KEY);
        expectError(
            abi.encodeWithSelector(
                IEnclaveRegistry.EnclaveNotTrusted.selector, otherAuthority, IEnclaveRegistry.EnclaveUnknown.selector
            )
        );
        vm.prank(attacker);
        register(bundle, proof);
    }

    function test_x2_an_old_pre_key_with_its_old_certificate() external {
        Bundle memory old = registered(owner, "first");
        BundleProof memory oldProof = proofOf(old, AUTHORITY_KEY);
        Bundle memory next = nextPreKey(old);
        BundleProof memory nextProof = proofOf(next, AUTHORITY_KEY);
        vm.prank(owner);
        rotate(next, nextProof);

        expectError(abi.encodeWithSelector(IKeyBundles.EpochNotGreater.selector, uint64(1), uint64(2)));
        vm.prank(owner);
        rotate(old, oldProof);
        expectError(error(IKeyBundles.IdentityKeyAlreadyActive.selector, owner, old.identityKey));
        vm.prank(owner);
        register(old, oldProof);
        expectError(abi.encodeWithSelector(IKeyBundles.EpochNotGreater.selector, uint64(2), uint64(2)));
        vm.prank(owner);
        rotate(next, nextProof);
        assertSame(registry.getKeyBundle(owner, old.identityKey).preKey, next.preKey, "the new one stands");
    }

    function test_x2_an_old_pre_key_under_a_greater_epoch_that_nobody_certified() external {
        Bundle memory old = registered(owner, "first");
        Bundle memory next = nextPreKey(old);
        BundleProof memory nextProof = proofOf(next, AUTHORITY_KEY);
        vm.prank(owner);
        rotate(next, nextProof);
        BundleProof memory forged = proofOf(old, AUTHORITY_KEY);
        forged.epoch = 3;
        old.epoch = 3;
        expectMismatch(old, forged);
        vm.prank(owner);
        rotate(old, forged);
    }

    function test_x3_a_zero_pre_key_and_an_update_without_a_registration() external {
        Bundle memory bundle = newBundle(owner, "first");
        BundleProof memory proof = proofOf(bundle, AUTHORITY_KEY);
        expectError(error(IKeyBundles.IdentityKeyNotActive.selector, owner, bundle.identityKey));
        vm.prank(owner);
        rotate(bundle, proof);
        bundle.preKey = 0;
        proof = proofOf(bundle, AUTHORITY_KEY);
        expectError(IKeyBundles.KeyIsZero.selector);
        vm.prank(owner);
        register(bundle, proof);
    }

    function test_x4_the_history_shows_each_pre_key_once() external {
        vm.recordLogs();
        Bundle memory first = registered(owner, "first");
        Bundle memory second = nextPreKey(first);
        BundleProof memory proof = proofOf(second, AUTHORITY_KEY);
        vm.prank(owner);
        rotate(second, proof);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        assertSame(logs.length, 2, "two changes, two events");
        assertSame(logs[0].topics[0], IKeyBundles.KeyBundleRegistered.selector, "registered, then");
        assertSame(logs[1].topics[0], IKeyBundles.PreKeyRotated.selector, "rotated");
        (bytes32 firstLogged,,,,,) = abi.decode(logs[0].data, (bytes32, bytes, uint64, uint64, Provenance, uint64));
        (bytes32 secondLogged, bytes memory signature,,,) =
            abi.decode(logs[1].data, (bytes32, bytes, uint64, uint64, uint64));
        assertSame(firstLogged, first.preKey, "the first pre-key");
        assertSame(secondLogged, second.preKey, "the second pre-key");
        assertSame(signature, second.preKeySignature, "with its own signature");
    }

    function test_x5_no_number_of_pre_keys_or_bundles_locks_an_owner_out() external {
        Bundle memory bundle = registered(owner, "first");
        for (uint256 i = 0; i < 110; ++i) {
            bundle = nextPreKey(bundle);
            BundleProof memory proof = proofOf(bundle, AUTHORITY_KEY);
            vm.prank(owner);
            rotate(bundle, proof);
        }
        for (uint256 i = 0; i < 25; ++i) {
            vm.prank(owner);
            registry.revokeKeyBundle(abi.encodePacked(bundle.identityKey));
            bundle = registered(owner, vm.toString(i));
        }
        assertSame(registry.getKeyBundles(owner).length, 1, "still at home");
    }

    function test_x6_a_stranger_registers_for_another_owner() external {
        refuseAs(stranger, newBundle(owner, "first"), proofOf(newBundle(owner, "first"), AUTHORITY_KEY));
        assertSame(registry.getKeyBundles(owner).length, 0, "nothing under the owner");
        assertSame(registry.getKeyBundles(stranger).length, 0, "nothing under the stranger");
    }

    function test_a_stranger_can_neither_rotate_nor_revoke_anothers_bundle() external {
        Bundle memory bundle = registered(owner, "first");
        Bundle memory next = nextPreKey(bundle);
        BundleProof memory proof = proofOf(next, AUTHORITY_KEY);
        bytes32 before = fingerprint(owner, bundle.identityKey);
        expectError(error(IKeyBundles.IdentityKeyNotActive.selector, stranger, bundle.identityKey));
        vm.prank(stranger);
        rotate(next, proof);
        expectError(error(IKeyBundles.IdentityKeyNotActive.selector, stranger, bundle.identityKey));
        vm.prank(stranger);
        registry.revokeKeyBundle(abi.encodePacked(bundle.identityKey));
        assertSame(fingerprint(owner, bundle.identityKey), before, "untouched");
    }

    function test_x8_a_revoked_key_never_returns_but_its_owner_does() external {
        Bundle memory bundle = registered(owner, "first");
        vm.prank(owner);
        registry.revokeKeyBundle(abi.encodePacked(bundle.identityKey));
        Bundle memory again = nextPreKey(bundle);
        BundleProof memory proof = proofOf(again, AUTHORITY_KEY);
        expectError(error(IKeyBundles.IdentityKeyRevoked.selector, owner, bundle.identityKey));
        vm.prank(owner);
        register(again, proof);
        expectError(error(IKeyBundles.IdentityKeyNotActive.selector, owner, bundle.identityKey));
        vm.prank(owner);
        rotate(again, proof);
        registered(owner, "second");
        assertSame(registry.getKeyBundles(owner).length, 1, "the owner has a new bundle");
        assertThat(registry.keyState(owner, bundle.identityKey) == KeyState.REVOKED, "the old one stays revoked");
    }

    function test_x9_zero_bytes_as_a_quote_and_an_hour_of_waiting() external {
        Bundle memory bundle = newBundle(owner, "first");
        BundleProof memory proof = proofOf(bundle, OTHER_AUTHORITY_KEY);
        (proof.transportKey, proof.blockNumber) = (TRANSPORT_KEY, uint64(head() - 1));
        proof.evidence = new bytes(128);
        bytes[2] memory refusals = [
            abi.encodeWithSignature("TeeKindUnsupported(uint8)", uint8(0)),
            abi.encodeWithSignature("EvidenceNotScripted(bytes32)", keccak256(new bytes(127)))
        ];
        for (uint256 i = 0; i < refusals.length; ++i) {
            expectError(refusals[i]);
            vm.prank(owner);
            register(bundle, proof);
            proof.evidence[0] = bytes1(uint8(2)); // a kind that is known, and nothing behind it
        }
        expectUnknownForEver(bundle);
    }

    /// @dev Nobody is asked to prove anything, so nothing is proven by silence.
    function test_x11_a_provider_that_stays_silent_is_verified_by_nothing() external {
        vm.startPrank(attacker);
        try enclaves.invalidate(otherAuthority) {
            assertThat(false, "must revert");
        } catch (bytes memory data) {
            assertSame(bytes4(data), IEnclaveRegistry.EnclaveUnknown.selector, "nothing to challenge");
        }
        vm.stopPrank();
        expectUnknownForEver(newBundle(owner, "first"));
    }

    function expectUnknownForEver(Bundle memory bundle) private {
        uint256[3] memory waits = [uint256(1 hours), 1 days, 365 days];
        for (uint256 i = 0; i < waits.length; ++i) {
            vm.warp(time() + waits[i]);
            bundle.expiresAt = uint64(time() + 1);
            BundleProof memory proof = proofOf(bundle, OTHER_AUTHORITY_KEY);
            expectError(
                abi.encodeWithSelector(
                    IEnclaveRegistry.EnclaveNotTrusted.selector,
                    otherAuthority,
                    IEnclaveRegistry.EnclaveUnknown.selector
                )
            );
            vm.prank(owner);
            register(bundle, proof);
        }
    }

    function test_x10_a_stranger_cannot_unattest_the_victims_enclave() external {
        Bundle memory bundle = registered(owner, "first");
        bytes memory before = abi.encode(enclaves.enclave(authority));
        vm.startPrank(attacker);
        try enclaves.attest(authority, TRANSPORT_KEY, uint64(head() - 1), hex"02") {
            assertThat(false, "must revert");
        } catch {}
        try enclaves.invalidate(authority) {
            assertThat(false, "must revert");
        } catch (bytes memory data) {
            assertSame(bytes4(data), IEnclaveRegistry.EnclaveStillTrusted.selector, "nothing to invalidate");
        }
        vm.stopPrank();
        assertSame(abi.encode(enclaves.enclave(authority)), before, "untouched");
        assertThat(registry.keyState(owner, bundle.identityKey) == KeyState.ACTIVE, "active");
    }

    // --- replay --------------------------------------------------------------------------------------

    function test_replay_on_another_chain() external {
        Bundle memory bundle = newBundle(owner, "first");
        BundleProof memory proof = proofOf(bundle, AUTHORITY_KEY);
        vm.chainId(block.chainid + 1);
        expectMismatch(bundle, proof);
        vm.prank(owner);
        register(bundle, proof);
    }

    function test_replay_on_another_registry() external {
        Bundle memory bundle = newBundle(owner, "first");
        BundleProof memory proof = proofOf(bundle, AUTHORITY_KEY);
        registry = newRegistry(address(enclaves), address(agents));
        expectMismatch(bundle, proof);
        vm.prank(owner);
        register(bundle, proof);
    }

    function test_replay_on_another_epoch_expiry_or_provenance() external {
        Bundle memory bundle = newBundle(owner, "first");
        BundleProof memory proof = proofOf(bundle, AUTHORITY_KEY);
        Bundle memory changed = nextPreKey(bundle);
        (changed.preKey, changed.preKeySignature) = (bundle.preKey, bundle.preKeySignature);
        proof.epoch = changed.epoch;
        expectMismatch(changed, proof);
        vm.prank(owner);
        register(changed, proof);

        proof = proofOf(bundle, AUTHORITY_KEY);
        proof.expiresAt += 1;
        changed = newBundle(owner, "first");
        changed.expiresAt += 1;
        expectMismatch(changed, proof);
        vm.prank(owner);
        register(changed, proof);

        proof = proofOf(bundle, AUTHORITY_KEY);
        proof.provenance = Provenance.DERIVED;
        changed = newBundle(owner, "first");
        changed.provenance = Provenance.DERIVED;
        expectMismatch(changed, proof);
        vm.prank(owner);
        register(changed, proof);
    }

    function testFuzz_one_flipped_bit_in_what_is_certified(uint8 field, uint8 bit) external {
        Bundle memory bundle = newBundle(owner, "first");
        BundleProof memory proof = proofOf(bundle, AUTHORITY_KEY);
        uint256 mask = 1 << bit;
        if (field % 3 == 0) bundle.identityKey = bytes32(uint256(bundle.identityKey) ^ mask);
        if (field % 3 == 1) bundle.preKey = bytes32(uint256(bundle.preKey) ^ mask);
        if (field % 3 == 2) {
            bundle.preKeySignature[uint256(bit) % 64] ^= bytes1(uint8(1) << (bit % 8));
        }
        expectMismatch(bundle, proof);
        vm.prank(owner);
        register(bundle, proof);
    }

    // --- the signature's form ------------------------------------------------------------------------

    function test_signature_malleability_high_s() external {
        Bundle memory bundle = newBundle(owner, "first");
        BundleProof memory proof = proofOf(bundle, AUTHORITY_KEY);
        (bytes32 r, bytes32 s, uint8 v) = split(proof.signature);
        bytes32 highS = bytes32(CURVE_ORDER - uint256(s));
        proof.signature = abi.encodePacked(r, highS, v == 27 ? uint8(28) : uint8(27));
        expectError(abi.encodeWithSelector(ECDSA.ECDSAInvalidSignatureS.selector, highS));
        vm.prank(owner);
        register(bundle, proof);
    }

    function testFuzz_a_recovery_byte_other_than_27_or_28(uint8 v) external {
        vm.assume(v != 27 && v != 28);
        Bundle memory bundle = newBundle(owner, "first");
        BundleProof memory proof = proofOf(bundle, AUTHORITY_KEY);
        (bytes32 r, bytes32 s,) = split(proof.signature);
        proof.signature = abi.encodePacked(r, s, v);
        expectError(ECDSA.ECDSAInvalidSignature.selector);
        vm.prank(owner);
        register(bundle, proof);
    }

    function test_a_compact_signature_of_64_bytes() external {
        Bundle memory bundle = newBundle(owner, "first");
        BundleProof memory proof = proofOf(bundle, AUTHORITY_KEY);
        (bytes32 r, bytes32 s, uint8 v) = split(proof.signature);
        proof.signature = abi.encodePacked(r, bytes32(uint256(s) | (uint256(v - 27) << 255)));
        expectError(abi.encodeWithSelector(IKeyBundles.AttestationProofLength.selector, uint256(95)));
        vm.prank(owner);
        register(bundle, proof);
    }

    function test_authority_zero_is_nobodys_signature() external {
        Bundle memory bundle = newBundle(owner, "first");
        BundleProof memory proof = proofOf(bundle, AUTHORITY_KEY);
        proof.authority = address(0);
        proof.signature = abi.encodePacked(bytes32(0), bytes32(0), uint8(27));
        expectError(ECDSA.ECDSAInvalidSignature.selector);
        vm.prank(owner);
        register(bundle, proof);
    }

    function test_another_trusted_enclaves_name_on_ones_certificate() external {
        attest(otherAuthority);
        Bundle memory bundle = newBundle(owner, "first");
        BundleProof memory proof = proofOf(bundle, AUTHORITY_KEY);
        proof.authority = otherAuthority;
        expectError(abi.encodeWithSelector(IKeyBundles.CertificateSignerMismatch.selector, authority, otherAuthority));
        vm.prank(owner);
        register(bundle, proof);
    }

    // --- laundering ----------------------------------------------------------------------------------

    function test_a_rotation_cannot_launder_an_imported_key() external {
        Bundle memory bundle = newBundle(owner, "first");
        bundle.provenance = Provenance.IMPORTED;
        BundleProof memory proof = proofOf(bundle, AUTHORITY_KEY);
        vm.prank(owner);
        register(bundle, proof);
        Bundle memory next = nextPreKey(bundle);
        next.provenance = Provenance.GENERATED;
        proof = proofOf(next, AUTHORITY_KEY);
        expectError(
            abi.encodeWithSelector(IKeyBundles.ProvenanceChanged.selector, Provenance.GENERATED, Provenance.IMPORTED)
        );
        vm.prank(owner);
        rotate(next, proof);
    }

    function test_a_platform_that_fell_behind_registers_nothing_new() external {
        judged(TcbStatus.OUT_OF_DATE);
        Bundle memory bundle = newBundle(owner, "first");
        BundleProof memory proof = proofOf(bundle, AUTHORITY_KEY);
        vm.prank(owner);
        try this.registerFor(bundle, proof) {
            assertThat(false, "must revert");
        } catch (bytes memory data) {
            assertSame(bytes4(data), IEnclaveRegistry.EnclaveNotTrusted.selector, "not trusted now");
        }
    }

    function registerFor(Bundle calldata bundle, BundleProof calldata proof) external {
        vm.prank(bundle.owner);
        register(bundle, proof);
    }

    /// @dev The sender claims another owner's bundle: its digest is another one, so another signer results.
    function refuseAs(address sender, Bundle memory bundle, BundleProof memory proof) private {
        Bundle memory claimed = abi.decode(abi.encode(bundle), (Bundle));
        claimed.owner = sender;
        expectMismatch(claimed, proof);
        vm.prank(sender);
        register(bundle, proof);
        assertSame(uint256(registry.keyState(sender, bundle.identityKey)), uint256(KeyState.NONE), "nothing");
    }

    function expectMismatch(Bundle memory claimed, BundleProof memory proof) private {
        (bytes32 r, bytes32 s, uint8 v) = split(proof.signature);
        address recovered = ecrecover(digestOf(claimed), v, r, s);
        assertThat(recovered != proof.authority, "these are other values");
        if (recovered == address(0)) {
            expectError(ECDSA.ECDSAInvalidSignature.selector);
        } else {
            expectError(
                abi.encodeWithSelector(IKeyBundles.CertificateSignerMismatch.selector, recovered, proof.authority)
            );
        }
    }

    function split(bytes memory signature) private pure returns (bytes32 r, bytes32 s, uint8 v) {
        assembly {
            r := mload(add(signature, 0x20))
            s := mload(add(signature, 0x40))
            v := byte(0, mload(add(signature, 0x60)))
        }
    }
}
