// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AssuranceLevel, TcbStatus, TeeKind} from "../../../contracts/interfaces/AttestationTypes.sol";
import {IEnclavePolicy} from "../../../contracts/interfaces/IEnclavePolicy.sol";
import {EnclaveState, IEnclaveRegistry} from "../../../contracts/interfaces/IEnclaveRegistry.sol";
import {RegistryFixture} from "../registry/RegistryFixture.sol";

/// @dev docs/SPECIFICATION.md, EnclaveRegistry, invalidate: definite failures become lasting, doubt does not.
contract EnclaveRegistryInvalidateTest is RegistryFixture {
    function setUp() public override {
        super.setUp();
        attest(authority);
    }

    function test_a_removed_workload_is_invalidated_and_stays_so_when_it_returns() external {
        vm.prank(admin);
        policy.removeWorkload(WORKLOAD);
        invalidated(IEnclavePolicy.WorkloadNotTrusted.selector);
        vm.prank(admin);
        policy.addWorkload(WORKLOAD, AssuranceLevel.MEMBER, "again", bytes20(0));
        (, bytes4 reason) = enclaves.standing(authority);
        assertSame(reason, IEnclaveRegistry.EnclaveInvalidated.selector, "only a fresh attestation restores it");
    }

    function test_a_removed_workload_that_nobody_invalidated_resumes_when_it_returns() external {
        vm.startPrank(admin);
        policy.removeWorkload(WORKLOAD);
        policy.addWorkload(WORKLOAD, AssuranceLevel.MEMBER, "again", bytes20(0));
        vm.stopPrank();
        (bool trusted,) = enclaves.standing(authority);
        assertThat(trusted, "trusted again");
    }

    function test_a_platform_that_fell_behind_is_invalidated() external {
        judged(TcbStatus.OUT_OF_DATE);
        invalidated(IEnclavePolicy.TcbStatusNotAccepted.selector);
    }

    function test_a_denied_platform_is_invalidated_and_stays_so_when_the_denial_is_lifted() external {
        vm.prank(admin);
        policy.denyPlatform(TeeKind.TDX, INSTANCE);
        invalidated(IEnclavePolicy.PlatformDenied.selector);
        vm.prank(admin);
        policy.allowPlatform(TeeKind.TDX, INSTANCE);
        (, bytes4 reason) = enclaves.standing(authority);
        assertSame(reason, IEnclaveRegistry.EnclaveInvalidated.selector, "only a fresh attestation restores it");
        roll(head() + 1);
        attest(authority);
        enclaves.requireTrusted(authority);
    }

    function test_a_denied_family_is_invalidated() external {
        vm.prank(admin);
        policy.denyFamily(TeeKind.TDX, FAMILY);
        invalidated(IEnclavePolicy.FamilyDenied.selector);
    }

    function test_an_exception_that_ended_is_invalidated() external {
        vm.prank(admin);
        policy.allowStatus(WORKLOAD, TcbStatus.OUT_OF_DATE, ADVISORIES, uint64(START) + 1 days);
        judged(TcbStatus.OUT_OF_DATE);
        expectError(abi.encodeWithSelector(IEnclaveRegistry.EnclaveStillTrusted.selector, authority));
        enclaves.invalidate(authority);
        vm.warp(START + 1 days);
        invalidated(IEnclavePolicy.TcbStatusNotAccepted.selector);
    }

    /// @dev While the verifier cannot say anything, the policy still knows what it removed.
    function test_a_removed_workload_is_invalidated_though_its_platform_cannot_be_judged() external {
        verifier.scriptRevert(PLATFORM, abi.encodePacked(bytes4(0x01020304)));
        vm.prank(admin);
        policy.removeWorkload(WORKLOAD);
        invalidated(IEnclavePolicy.WorkloadNotTrusted.selector);
    }

    function test_an_expired_attestation_is_invalidated() external {
        vm.warp(START + TTL);
        invalidated(IEnclaveRegistry.AttestationExpired.selector);
    }

    function test_a_trusted_enclave_is_not_invalidated() external {
        expectError(abi.encodeWithSelector(IEnclaveRegistry.EnclaveStillTrusted.selector, authority));
        vm.prank(attacker);
        enclaves.invalidate(authority);
    }

    function test_an_unknown_enclave_is_not_invalidated() external {
        expectError(abi.encodeWithSelector(IEnclaveRegistry.EnclaveUnknown.selector, stranger));
        enclaves.invalidate(stranger);
    }

    function test_an_enclave_is_invalidated_once() external {
        vm.warp(START + TTL);
        enclaves.invalidate(authority);
        expectError(abi.encodeWithSelector(IEnclaveRegistry.EnclaveInvalidated.selector, authority));
        enclaves.invalidate(authority);
    }

    // --- griefing --------------------------------------------------------------------------------------

    /// @dev Nobody brought the newest collateral: that must not let an attacker end every attestation.
    function testFuzz_griefing_by_lapsed_collateral_only_suspends(bytes4 selector) external {
        vm.assume(selector != 0);
        verifier.scriptRevert(PLATFORM, abi.encodePacked(selector));
        expectError(abi.encodeWithSelector(IEnclaveRegistry.EnclaveSuspended.selector, authority, selector));
        vm.prank(attacker);
        enclaves.invalidate(authority);
        judged(TcbStatus.UP_TO_DATE);
        (bool trusted,) = enclaves.standing(authority);
        assertThat(trusted, "new collateral restores it");
    }

    /// @dev A verifier's error that looks like a definite one is still no definite failure.
    function test_griefing_by_an_error_that_mimics_a_definite_one() external {
        bytes4[2] memory mimics =
            [IEnclavePolicy.WorkloadNotTrusted.selector, IEnclaveRegistry.AttestationExpired.selector];
        for (uint256 i = 0; i < mimics.length; ++i) {
            verifier.scriptRevert(PLATFORM, abi.encodePacked(mimics[i]));
            expectError(abi.encodeWithSelector(IEnclaveRegistry.EnclaveSuspended.selector, authority, mimics[i]));
            enclaves.invalidate(authority);
        }
    }

    /// @dev The attacker chooses the gas, so that a call on the way runs out of it.
    function test_griefing_by_starving_the_judgement_of_gas() external {
        for (uint256 gas_ = 5000; gas_ < 120_000; gas_ += 250) {
            vm.prank(attacker);
            (bool accepted,) =
                address(enclaves).call{gas: gas_}(abi.encodeCall(IEnclaveRegistry.invalidate, (authority)));
            assertThat(!accepted, vm.toString(gas_));
        }
        assertThat(enclaves.enclave(authority).state == EnclaveState.ATTESTED, "still attested");
    }

    function invalidated(bytes4 reason) private {
        vm.expectEmit(address(enclaves));
        emit IEnclaveRegistry.AttestationInvalidated(authority, TeeKind.TDX, reason);
        vm.prank(stranger);
        enclaves.invalidate(authority);
        assertThat(enclaves.enclave(authority).state == EnclaveState.INVALIDATED, "invalidated");
        (bool trusted, bytes4 now_) = enclaves.standing(authority);
        assertThat(!trusted, "not trusted");
        assertSame(now_, IEnclaveRegistry.EnclaveInvalidated.selector, "and the reason says so");
    }
}
