// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AssuranceLevel, AttestedReport, TcbStatus} from "../../../contracts/interfaces/AttestationTypes.sol";
import {IEnclavePolicy} from "../../../contracts/interfaces/IEnclavePolicy.sol";
import {IEnclaveRegistry} from "../../../contracts/interfaces/IEnclaveRegistry.sol";
import {RegistryFixture} from "../registry/RegistryFixture.sol";
import {ScriptedVerifier} from "../registry/ScriptedVerifier.sol";

/// @dev docs/SPECIFICATION.md, EnclaveRegistry, standing: judged when it is asked, never a revert. The
/// registry stands directly on the scripted verifier here, so that it meets every answer raw.
contract EnclaveRegistryStandingTest is RegistryFixture {
    function setUp() public override {
        super.setUp();
        enclaves = newEnclaves(verifier, MAX_BLOCK_AGE, TTL);
        attest(authority);
    }

    function evidenceOf(AttestedReport memory report) internal override returns (bytes memory evidence) {
        evidence = abi.encode(report);
        verifier.scriptEvidence(evidence, report);
    }

    function test_an_attested_enclave_is_trusted() external view {
        expectStanding(0);
        enclaves.requireTrusted(authority);
        enclaves.requireAttested(authority);
    }

    function testFuzz_any_other_authority_is_unknown(address other) external {
        vm.assume(other != authority);
        (bool trusted, bytes4 reason) = enclaves.standing(other);
        assertThat(!trusted, "not trusted");
        assertSame(reason, IEnclaveRegistry.EnclaveUnknown.selector, "unknown");
        expectError(
            abi.encodeWithSelector(
                IEnclaveRegistry.EnclaveNotTrusted.selector, other, IEnclaveRegistry.EnclaveUnknown.selector
            )
        );
        enclaves.requireTrusted(other);
    }

    function test_the_attestation_expires_to_the_second() external {
        vm.warp(START + TTL - 1);
        expectStanding(0);
        vm.warp(START + TTL);
        expectStanding(IEnclaveRegistry.AttestationExpired.selector);
        expectError(notTrusted(IEnclaveRegistry.AttestationExpired.selector));
        enclaves.requireAttested(authority);
    }

    function test_x12_a_removed_workload() external {
        vm.prank(admin);
        policy.removeWorkload(WORKLOAD);
        expectStanding(IEnclavePolicy.WorkloadNotTrusted.selector);
        expectError(notTrusted(IEnclavePolicy.WorkloadNotTrusted.selector));
        enclaves.requireTrusted(authority);
        enclaves.requireAttested(authority); // the record alone still stands
    }

    function test_every_status_but_up_to_date_is_refused() external {
        for (uint8 i = uint8(TcbStatus.SW_HARDENING_NEEDED); i <= uint8(type(TcbStatus).max); ++i) {
            verifier.scriptStatus(PLATFORM, TcbStatus(i));
            expectStanding(IEnclavePolicy.TcbStatusNotAccepted.selector);
        }
    }

    function testFuzz_the_verifiers_error_is_the_reason(bytes4 selector, bytes calldata rest) external {
        vm.assume(selector != 0);
        verifier.scriptRevert(PLATFORM, abi.encodePacked(selector, rest));
        expectStanding(selector);
    }

    // --- answers that are no answers -------------------------------------------------------------------

    function test_a_revert_without_a_selector() external {
        verifier.scriptRevert(PLATFORM, "");
        expectStanding(IEnclaveRegistry.PlatformNotJudged.selector);
        verifier.scriptRevert(PLATFORM, hex"aabbcc");
        expectStanding(IEnclaveRegistry.PlatformNotJudged.selector);
        verifier.scriptRevert(PLATFORM, hex"00000000aabbcc");
        expectStanding(IEnclaveRegistry.PlatformNotJudged.selector);
    }

    function test_an_answer_that_is_no_status() external {
        verifier.scriptReturn(PLATFORM, "");
        expectStanding(IEnclaveRegistry.PlatformNotJudged.selector);
        verifier.scriptReturn(PLATFORM, new bytes(31));
        expectStanding(IEnclaveRegistry.PlatformNotJudged.selector);
        verifier.scriptReturn(PLATFORM, abi.encode(uint256(0)));
        expectStanding(IEnclaveRegistry.PlatformNotJudged.selector);
        verifier.scriptReturn(PLATFORM, abi.encode(uint256(type(TcbStatus).max) + 1));
        expectStanding(IEnclaveRegistry.PlatformNotJudged.selector);
        verifier.scriptReturn(PLATFORM, abi.encode(type(uint256).max));
        expectStanding(IEnclaveRegistry.PlatformNotJudged.selector);
    }

    function test_a_huge_answer_and_a_burning_verifier() external {
        verifier.scriptRevert(PLATFORM, abi.encodePacked(bytes4(0x01020304), new bytes(5000)));
        expectStanding(0x01020304);
        verifier.scriptBurn(PLATFORM);
        expectStanding(IEnclaveRegistry.PlatformNotJudged.selector);
    }

    // --- order -----------------------------------------------------------------------------------------

    function test_the_first_reason_in_the_documented_order_is_named() external {
        verifier.scriptStatus(PLATFORM, TcbStatus.REVOKED);
        expectStanding(IEnclavePolicy.TcbStatusNotAccepted.selector);
        verifier.scriptRevert(PLATFORM, abi.encodePacked(bytes4(0x01020304)));
        expectStanding(0x01020304);
        vm.prank(admin);
        policy.removeWorkload(WORKLOAD);
        expectStanding(IEnclavePolicy.WorkloadNotTrusted.selector);
        vm.warp(START + TTL);
        expectStanding(IEnclaveRegistry.AttestationExpired.selector);
        enclaves.invalidate(authority);
        expectStanding(IEnclaveRegistry.EnclaveInvalidated.selector);
    }

    // --- assurance -------------------------------------------------------------------------------------

    function test_assurance_is_the_workloads_level_below_the_ceiling() external {
        assertSame(uint256(enclaves.assuranceCeiling()), uint256(AssuranceLevel.MEMBER), "vendor root");
        assertSame(uint256(enclaves.assuranceOf(authority)), uint256(AssuranceLevel.MEMBER), "member");
        AttestedReport memory report = newReport(otherAuthority, TRANSPORT_KEY, START_BLOCK - 1);
        report.workload = OTHER_WORKLOAD;
        bytes memory evidence = evidenceOf(report);
        enclaves.attest(otherAuthority, TRANSPORT_KEY, uint64(START_BLOCK - 1), evidence);
        assertSame(uint256(enclaves.assuranceOf(otherAuthority)), uint256(AssuranceLevel.WALLET), "wallet");
    }

    function test_assurance_is_none_without_trust() external {
        assertSame(uint256(enclaves.assuranceOf(stranger)), uint256(AssuranceLevel.NONE), "unknown");
        vm.warp(START + TTL);
        assertSame(uint256(enclaves.assuranceOf(authority)), uint256(AssuranceLevel.NONE), "expired");
    }

    function test_under_a_development_root_everything_is_simulated() external {
        ScriptedVerifier development = newVerifier(true);
        enclaves = newEnclaves(development, MAX_BLOCK_AGE, TTL);
        development.scriptStatus(PLATFORM, TcbStatus.UP_TO_DATE);
        AttestedReport memory report = newReport(authority, TRANSPORT_KEY, START_BLOCK - 1);
        development.scriptEvidence(abi.encode(report), report);
        enclaves.attest(authority, TRANSPORT_KEY, uint64(START_BLOCK - 1), abi.encode(report));
        assertSame(uint256(enclaves.assuranceCeiling()), uint256(AssuranceLevel.SIMULATED), "ceiling");
        assertSame(uint256(enclaves.assuranceOf(authority)), uint256(AssuranceLevel.SIMULATED), "level");
    }

    function expectStanding(bytes4 expected) private view {
        (bool trusted, bytes4 reason) = enclaves.standing(authority);
        assertSame(reason, expected, "reason");
        assertThat(trusted == (expected == 0), "trusted exactly without a reason");
    }

    function notTrusted(bytes4 reason) private view returns (bytes memory) {
        return abi.encodeWithSelector(IEnclaveRegistry.EnclaveNotTrusted.selector, authority, reason);
    }
}
