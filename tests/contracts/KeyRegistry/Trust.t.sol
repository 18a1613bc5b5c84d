// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AssuranceLevel, TcbStatus} from "../../../contracts/interfaces/AttestationTypes.sol";
import {IEnclavePolicy} from "../../../contracts/interfaces/IEnclavePolicy.sol";
import {IEnclaveRegistry} from "../../../contracts/interfaces/IEnclaveRegistry.sol";
import {Standing} from "../../../contracts/interfaces/IKeyRegistry.sol";
import {RegistryFixture} from "../registry/RegistryFixture.sol";

/// @dev docs/SPECIFICATION.md, KeyRegistry, isTrusted: judged when it is asked, in a fixed order.
contract KeyRegistryTrustTest is RegistryFixture {
    bytes4 private constant LAPSED = bytes4(keccak256("CollateralLapsed(uint256)"));

    Bundle private bundle;

    function setUp() public override {
        super.setUp();
        attest(authority);
        bundle = registered(owner, "first");
        expectStanding(Standing.TRUSTED, 0);
    }

    function test_nobody_is_trusted_for_a_key_that_was_never_registered() external view {
        (Standing standing, bytes4 reason) = registry.isTrusted(stranger, bundle.identityKey);
        assertThat(standing == Standing.NONE && reason == 0, "none");
    }

    function test_trust_ends_with_the_pre_keys_last_second() external {
        vm.warp(bundle.expiresAt - 1);
        expectStanding(Standing.TRUSTED, 0);
        vm.warp(bundle.expiresAt);
        expectStanding(Standing.PRE_KEY_EXPIRED, 0);
    }

    function test_trust_ends_with_the_attestations_last_second() external {
        vm.warp(START + TTL - 1);
        expectStanding(Standing.PRE_KEY_EXPIRED, 0);
        vm.warp(START + TTL);
        expectStanding(Standing.ENCLAVE_NOT_TRUSTED, IEnclaveRegistry.AttestationExpired.selector);
    }

    function test_x12_a_removed_workload_loses_its_old_attestations_at_once() external {
        vm.prank(admin);
        policy.removeWorkload(WORKLOAD);
        expectStanding(Standing.ENCLAVE_NOT_TRUSTED, IEnclavePolicy.WorkloadNotTrusted.selector);
    }

    function test_newer_collateral_changes_the_answer_without_any_action_on_the_registries() external {
        judged(TcbStatus.OUT_OF_DATE);
        expectStanding(Standing.ENCLAVE_NOT_TRUSTED, IEnclavePolicy.TcbStatusNotAccepted.selector);
        judged(TcbStatus.UP_TO_DATE);
        expectStanding(Standing.TRUSTED, 0);
    }

    function test_lapsed_collateral_suspends_and_new_collateral_restores() external {
        verifier.scriptRevert(PLATFORM, abi.encodeWithSelector(LAPSED, time()));
        expectStanding(Standing.ENCLAVE_NOT_TRUSTED, LAPSED);
        judged(TcbStatus.UP_TO_DATE);
        expectStanding(Standing.TRUSTED, 0);
    }

    function test_a_renewal_restores_what_an_invalidation_ended() external {
        vm.prank(admin);
        policy.removeWorkload(WORKLOAD);
        enclaves.invalidate(authority);
        expectStanding(Standing.ENCLAVE_NOT_TRUSTED, IEnclaveRegistry.EnclaveInvalidated.selector);
        vm.prank(admin);
        policy.addWorkload(WORKLOAD, AssuranceLevel.MEMBER, "reviewed again", bytes20(0));
        expectStanding(Standing.ENCLAVE_NOT_TRUSTED, IEnclaveRegistry.EnclaveInvalidated.selector);
        roll(head() + 1);
        attest(authority);
        expectStanding(Standing.TRUSTED, 0);
    }

    function test_the_enclave_is_named_before_the_pre_key() external {
        vm.warp(bundle.expiresAt);
        vm.prank(admin);
        policy.removeWorkload(WORKLOAD);
        expectStanding(Standing.ENCLAVE_NOT_TRUSTED, IEnclavePolicy.WorkloadNotTrusted.selector);
    }

    function test_revocation_is_named_before_everything_else() external {
        vm.prank(owner);
        registry.revokeKeyBundle(abi.encodePacked(bundle.identityKey));
        vm.prank(admin);
        policy.removeWorkload(WORKLOAD);
        vm.warp(bundle.expiresAt);
        expectStanding(Standing.REVOKED, 0);
    }

    function test_a_burning_verifier_does_not_make_the_view_revert() external {
        verifier.scriptBurn(PLATFORM);
        expectStanding(Standing.ENCLAVE_NOT_TRUSTED, IEnclaveRegistry.PlatformNotJudged.selector);
    }

    function expectStanding(Standing expected, bytes4 expectedReason) private view {
        (Standing standing, bytes4 reason) = registry.isTrusted(owner, bundle.identityKey);
        assertSame(uint256(standing), uint256(expected), "standing");
        assertSame(reason, expectedReason, "reason");
    }
}
