// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Provenance, TcbStatus} from "../../../contracts/interfaces/AttestationTypes.sol";
import {IEnclavePolicy} from "../../../contracts/interfaces/IEnclavePolicy.sol";
import {IEnclaveRegistry} from "../../../contracts/interfaces/IEnclaveRegistry.sol";
import {IKeyBundles, KeyBundle, KeyState} from "../../../contracts/interfaces/IKeyRegistry.sol";
import {BundleProof, RegistryFixture} from "../registry/RegistryFixture.sol";

/// @dev docs/SPECIFICATION.md, KeyRegistry, rotatePreKey.
contract KeyRegistryRotateTest is RegistryFixture {
    Bundle private current;

    function setUp() public override {
        super.setUp();
        attest(authority);
        current = registered(owner, "first");
    }

    function test_a_rotation_replaces_the_pre_key_and_nothing_else() external {
        vm.warp(time() + 3 days);
        Bundle memory next = nextPreKey(current);
        accept(next, AUTHORITY_KEY);
        KeyBundle memory stored = registry.getKeyBundle(owner, current.identityKey);
        assertSame(stored.preKey, next.preKey, "new pre-key");
        assertSame(stored.epoch, 2, "new epoch");
        assertSame(stored.expiresAt, next.expiresAt, "new expiry");
        assertSame(stored.authority, authority, "same enclave");
        assertThat(stored.provenance == current.provenance, "same provenance");
        assertThat(stored.state == KeyState.ACTIVE, "still active");
        assertSame(registry.getKeyBundles(owner).length, 1, "still one bundle");
    }

    function test_a_rotation_is_stored_for_every_bundle_of_an_owner() external {
        Bundle memory second = registered(owner, "second");
        vm.warp(time() + 3 days);
        Bundle memory next = nextPreKey(second);
        accept(next, AUTHORITY_KEY);
        KeyBundle memory stored = registry.getKeyBundle(owner, second.identityKey);
        assertSame(stored.preKey, next.preKey, "new pre-key");
        assertSame(stored.epoch, 2, "new epoch");
        assertSame(stored.expiresAt, next.expiresAt, "new expiry");
        refuse(next, abi.encodeWithSelector(IKeyBundles.EpochNotGreater.selector, uint64(2), uint64(2)));
    }

    function test_the_event_carries_the_new_pre_key() external {
        Bundle memory next = nextPreKey(current);
        BundleProof memory proof = proofOf(next, AUTHORITY_KEY);
        vm.expectEmit(address(registry));
        emit IKeyBundles.PreKeyRotated(
            owner,
            next.identityKey,
            authority,
            next.preKey,
            next.preKeySignature,
            next.epoch,
            next.expiresAt,
            uint64(head())
        );
        vm.prank(owner);
        rotate(next, proof);
    }

    function test_other_bundles_of_the_owner_stay_as_they_are() external {
        Bundle memory second = registered(owner, "second");
        bytes memory before = abi.encode(registry.getKeyBundle(owner, second.identityKey));
        accept(nextPreKey(current), AUTHORITY_KEY);
        assertSame(abi.encode(registry.getKeyBundle(owner, second.identityKey)), before, "untouched");
    }

    function test_epochs_may_skip_pre_keys_that_were_never_published() external {
        Bundle memory next = nextPreKey(current);
        next.epoch = 41;
        accept(next, AUTHORITY_KEY);
        assertSame(registry.getKeyBundle(owner, current.identityKey).epoch, 41, "skipped ahead");
    }

    function testFuzz_an_epoch_that_is_not_greater_is_refused(uint64 epoch) external {
        Bundle memory next = nextPreKey(current);
        next.epoch = 7;
        accept(next, AUTHORITY_KEY);
        next = nextPreKey(next);
        next.epoch = 1 + epoch % 7;
        refuse(next, abi.encodeWithSelector(IKeyBundles.EpochNotGreater.selector, next.epoch, uint64(7)));
    }

    function test_the_current_pre_key_does_not_count_as_a_new_one() external {
        Bundle memory next = nextPreKey(current);
        next.preKey = current.preKey;
        refuse(next, abi.encodeWithSelector(IKeyBundles.PreKeyReused.selector, current.preKey));
    }

    function test_terms_are_checked_as_at_registration() external {
        Bundle memory next = nextPreKey(current);
        next.preKey = 0;
        refuse(next, abi.encodePacked(IKeyBundles.KeyIsZero.selector));
        next.preKey = next.identityKey;
        refuse(next, abi.encodeWithSelector(IKeyBundles.KeysNotDistinct.selector, next.identityKey));
        next = nextPreKey(current);
        next.expiresAt = uint64(time());
        refuse(next, abi.encodeWithSelector(IKeyBundles.PreKeyExpired.selector, next.expiresAt, time()));
        next = nextPreKey(current);
        next.epoch = 1 << 24;
        refuse(next, abi.encodeWithSelector(IKeyBundles.EpochTooLarge.selector, next.epoch, type(uint24).max));
    }

    function test_an_expired_pre_key_can_still_be_replaced() external {
        vm.warp(current.expiresAt + 1 days);
        accept(nextPreKey(current), AUTHORITY_KEY);
    }

    // --- the enclave behind a rotation ---------------------------------------------------------------

    function test_a_lapse_of_collateral_does_not_stop_the_same_enclave() external {
        verifier.scriptRevert(PLATFORM, abi.encodeWithSignature("CollateralLapsed()"));
        accept(nextPreKey(current), AUTHORITY_KEY);
    }

    function test_an_expired_attestation_stops_the_rotation() external {
        vm.warp(START + TTL);
        refuseEnclave(authority, AUTHORITY_KEY, IEnclaveRegistry.AttestationExpired.selector);
    }

    function test_an_invalidated_enclave_stops_the_rotation() external {
        vm.prank(admin);
        policy.removeWorkload(WORKLOAD);
        enclaves.invalidate(authority);
        refuseEnclave(authority, AUTHORITY_KEY, IEnclaveRegistry.EnclaveInvalidated.selector);
    }

    function test_another_enclave_may_take_over_when_it_is_trusted() external {
        attest(otherAuthority);
        accept(nextPreKey(current), OTHER_AUTHORITY_KEY);
        assertSame(registry.getKeyBundle(owner, current.identityKey).authority, otherAuthority, "it has taken over");
    }

    function test_another_enclave_takes_over_only_if_it_passes_in_full() external {
        refuseEnclave(otherAuthority, OTHER_AUTHORITY_KEY, IEnclaveRegistry.EnclaveUnknown.selector);
        attest(otherAuthority);
        judged(TcbStatus.OUT_OF_DATE);
        refuseEnclave(otherAuthority, OTHER_AUTHORITY_KEY, IEnclavePolicy.TcbStatusNotAccepted.selector);
        verifier.scriptRevert(PLATFORM, abi.encodeWithSignature("CollateralLapsed()"));
        refuseEnclave(otherAuthority, OTHER_AUTHORITY_KEY, bytes4(keccak256("CollateralLapsed()")));
        vm.prank(admin);
        policy.removeWorkload(WORKLOAD);
        refuseEnclave(otherAuthority, OTHER_AUTHORITY_KEY, IEnclavePolicy.WorkloadNotTrusted.selector);
    }

    function test_evidence_in_the_proof_renews_the_enclave_on_the_way() external {
        vm.warp(START + TTL);
        roll(head() + 10);
        Bundle memory next = nextPreKey(current);
        BundleProof memory proof = proofOf(next, AUTHORITY_KEY);
        proof.transportKey = TRANSPORT_KEY;
        proof.blockNumber = uint64(head() - 1);
        proof.evidence = evidenceFor(authority, proof.blockNumber);
        vm.prank(owner);
        rotate(next, proof);
        assertSame(enclaves.enclave(authority).expiresAt, START + 2 * TTL, "renewed");
        assertSame(registry.getKeyBundle(owner, current.identityKey).epoch, 2, "rotated");
    }

    function accept(Bundle memory next, uint256 authorityKey) private {
        BundleProof memory proof = proofOf(next, authorityKey);
        vm.prank(owner);
        rotate(next, proof);
    }

    function refuse(Bundle memory next, bytes memory expected) private {
        BundleProof memory proof = proofOf(next, AUTHORITY_KEY);
        bytes32 before = fingerprint(owner, current.identityKey);
        expectError(expected);
        vm.prank(owner);
        rotate(next, proof);
        assertSame(fingerprint(owner, current.identityKey), before, "nothing has changed");
    }

    function refuseEnclave(address authority_, uint256 authorityKey, bytes4 reason) private {
        Bundle memory next = nextPreKey(current);
        BundleProof memory proof = proofOf(next, authorityKey);
        expectError(abi.encodeWithSelector(IEnclaveRegistry.EnclaveNotTrusted.selector, authority_, reason));
        vm.prank(owner);
        rotate(next, proof);
    }
}
