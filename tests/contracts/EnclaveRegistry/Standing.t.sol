// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {
    AssuranceLevel,
    AttestedReport,
    PlatformJudgement,
    TcbStatus,
    TeeKind
} from "../../../contracts/interfaces/AttestationTypes.sol";
import {IEnclavePolicy} from "../../../contracts/interfaces/IEnclavePolicy.sol";
import {IEnclaveRegistry} from "../../../contracts/interfaces/IEnclaveRegistry.sol";
import {RegistryFixture} from "../registry/RegistryFixture.sol";
import {ScriptedVerifier} from "../registry/ScriptedVerifier.sol";

/// @dev docs/SPECIFICATION.md, EnclaveRegistry, standing: judged when it is asked, never a revert. The
/// registry asks the verifier behind the route directly, so it meets every answer raw.
contract EnclaveRegistryStandingTest is RegistryFixture {
    function setUp() public override {
        super.setUp();
        attest(authority);
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
            judged(TcbStatus(i));
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

    function test_an_answer_that_is_no_judgement() external {
        expectUnread("");
        expectUnread(new bytes(31));
        expectUnread(abi.encode(TcbStatus.UP_TO_DATE));
        bytes memory good = abi.encode(judgement(TcbStatus.UP_TO_DATE));
        bytes memory short = new bytes(127);
        for (uint256 i = 0; i < 127; ++i) {
            short[i] = good[i];
        }
        expectUnread(short);
        expectUnread(abi.encode(uint256(0), bytes32(0), INSTANCE, FAMILY));
        expectUnread(abi.encode(uint256(type(TcbStatus).max) + 1, bytes32(0), INSTANCE, FAMILY));
        expectUnread(abi.encode(type(uint256).max, bytes32(0), INSTANCE, FAMILY));
        // Behind 16 bytes there is no room for a single bit.
        for (uint256 bit = 0; bit < 128; ++bit) {
            bytes32 excess = bytes32(uint256(1) << bit);
            expectUnread(abi.encode(TcbStatus.UP_TO_DATE, bytes32(0), bytes32(INSTANCE) | excess, FAMILY));
            expectUnread(abi.encode(TcbStatus.UP_TO_DATE, bytes32(0), INSTANCE, bytes32(FAMILY) | excess));
        }
        verifier.scriptReturn(PLATFORM, good);
        expectStanding(0);
    }

    function test_a_huge_answer_and_a_burning_verifier() external {
        verifier.scriptRevert(PLATFORM, abi.encodePacked(bytes4(0x01020304), new bytes(5000)));
        expectStanding(0x01020304);
        verifier.scriptBurn(PLATFORM);
        expectStanding(IEnclaveRegistry.PlatformNotJudged.selector);
    }

    /// @dev The policy was fixed at construction: what it cannot say is no reason, and nobody's standing.
    function test_a_policy_that_gives_no_answer_is_passed_on_as_it_is() external {
        bytes memory ask = abi.encodeCall(enclaves.standing, (authority));
        vm.etch(address(policy), hex"60aa5f5360285ffd"); // reverts with aa and 39 zeros
        (bool answered, bytes memory data) = address(enclaves).staticcall(ask);
        assertThat(!answered, "no answer");
        assertSame(data, abi.encodePacked(bytes1(0xaa), new bytes(39)), "its revert");
        vm.etch(address(policy), hex"60aa5f53601f5ff3"); // answers with aa and 30 zeros
        (answered, data) = address(enclaves).staticcall(ask);
        assertThat(!answered, "too short for an answer");
        assertSame(data, abi.encodePacked(bytes1(0xaa), new bytes(30)), "what it said");
    }

    // --- routes ----------------------------------------------------------------------------------------

    function test_every_kind_of_environment_is_judged_by_the_verifier_of_its_kind() external {
        TeeKind[] memory kinds = new TeeKind[](4);
        address[] memory verifiers = new address[](4);
        ScriptedVerifier[4] memory own;
        for (uint256 i = 0; i < 4; ++i) {
            own[i] = newVerifier(false);
            (kinds[i], verifiers[i]) = (TeeKind(i + 1), address(own[i]));
        }
        enclaves = newEnclaves(newRouter(kinds, verifiers), MAX_BLOCK_AGE, TTL);
        for (uint256 i = 0; i < 4; ++i) {
            AttestedReport memory report = newReport(memberOf(i), TRANSPORT_KEY, START_BLOCK - 1);
            report.tee = kinds[i];
            bytes memory rest = abi.encode(report);
            own[i].scriptEvidence(rest, report);
            enclaves.attest(
                memberOf(i), TRANSPORT_KEY, uint64(START_BLOCK - 1), abi.encodePacked(uint8(kinds[i]), rest)
            );
            own[i].scriptRevert(PLATFORM, abi.encodePacked(bytes4(uint32(0x01020300 + i))));
        }
        for (uint256 i = 0; i < 4; ++i) {
            assertThat(enclaves.enclave(memberOf(i)).tee == kinds[i], "its kind");
            expectStanding(memberOf(i), bytes4(uint32(0x01020300 + i)));
        }
    }

    function memberOf(uint256 i) private pure returns (address) {
        return address(uint160(0xe0c1a7e0 + i));
    }

    // --- order -----------------------------------------------------------------------------------------

    function test_the_first_reason_in_the_documented_order_is_named() external {
        judged(TcbStatus.REVOKED);
        expectStanding(IEnclavePolicy.TcbStatusNotAccepted.selector);
        vm.startPrank(admin);
        policy.denyFamily(TeeKind.TDX, FAMILY);
        expectStanding(IEnclavePolicy.FamilyDenied.selector);
        policy.denyPlatform(TeeKind.TDX, INSTANCE);
        expectStanding(IEnclavePolicy.PlatformDenied.selector);
        vm.stopPrank();
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

    // --- one transaction, every enclave -----------------------------------------------------------------

    /// @dev Two enclaves of two workloads on one platform, a third on another of the same family.
    function test_a_denied_platform_ends_the_standing_of_every_enclave_on_it_and_of_no_other() external {
        (address neighbour, address relative) = attestNeighbours();
        vm.startPrank(admin);
        policy.denyPlatform(TeeKind.TDX, INSTANCE);
        expectStanding(authority, IEnclavePolicy.PlatformDenied.selector);
        expectStanding(neighbour, IEnclavePolicy.PlatformDenied.selector);
        expectStanding(relative, 0);
        policy.allowPlatform(TeeKind.TDX, INSTANCE);
        vm.stopPrank();
        expectStanding(authority, 0);
        expectStanding(neighbour, 0);
    }

    function test_a_denied_family_ends_the_standing_of_every_enclave_in_it() external {
        (address neighbour, address relative) = attestNeighbours();
        vm.startPrank(admin);
        policy.denyFamily(TeeKind.TDX, FAMILY);
        expectStanding(authority, IEnclavePolicy.FamilyDenied.selector);
        expectStanding(neighbour, IEnclavePolicy.FamilyDenied.selector);
        expectStanding(relative, IEnclavePolicy.FamilyDenied.selector);
        policy.allowFamily(TeeKind.TDX, FAMILY);
        vm.stopPrank();
        expectStanding(authority, 0);
        expectStanding(neighbour, 0);
        expectStanding(relative, 0);
    }

    function test_a_denial_of_another_kind_of_environment_touches_nobody() external {
        vm.startPrank(admin);
        policy.denyPlatform(TeeKind.SGX, INSTANCE);
        policy.denyFamily(TeeKind.SGX, FAMILY);
        vm.stopPrank();
        expectStanding(0);
    }

    function test_an_exception_restores_until_its_last_second() external {
        judged(TcbStatus.OUT_OF_DATE);
        expectStanding(IEnclavePolicy.TcbStatusNotAccepted.selector);
        vm.prank(admin);
        policy.allowStatus(WORKLOAD, TcbStatus.OUT_OF_DATE, ADVISORIES, uint64(START) + 1 days);
        expectStanding(0);
        vm.warp(START + 1 days - 1);
        expectStanding(0);
        vm.warp(START + 1 days);
        expectStanding(IEnclavePolicy.TcbStatusNotAccepted.selector);
    }

    /// @dev Newer collateral adds an advisory: the exception was for the older list.
    function test_an_exception_ends_when_the_advisories_change() external {
        vm.prank(admin);
        policy.allowStatus(WORKLOAD, TcbStatus.OUT_OF_DATE, ADVISORIES, uint64(START) + 1 days);
        PlatformJudgement memory newer = judgement(TcbStatus.OUT_OF_DATE);
        newer.advisories = bytes32(bytes24(keccak256("one more")));
        verifier.scriptJudgement(PLATFORM, newer);
        expectStanding(IEnclavePolicy.TcbStatusNotAccepted.selector);
    }

    function attestNeighbours() private returns (address neighbour, address relative) {
        (neighbour, relative) = (otherAuthority, vm.addr(0xa11ce0003));
        AttestedReport memory report = newReport(neighbour, TRANSPORT_KEY, START_BLOCK - 1);
        report.workload = OTHER_WORKLOAD;
        attestBy(neighbour, report);
        report = newReport(relative, TRANSPORT_KEY, START_BLOCK - 1);
        report.platform = bytes20(keccak256("another platform"));
        report.judgement.instance = bytes16(keccak256("another instance"));
        verifier.scriptJudgement(report.platform, report.judgement);
        attestBy(relative, report);
        expectStanding(neighbour, 0);
        expectStanding(relative, 0);
    }

    function attestBy(address authority_, AttestedReport memory report) private {
        bytes memory evidence = evidenceOf(report);
        enclaves.attest(authority_, TRANSPORT_KEY, uint64(START_BLOCK - 1), evidence);
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
        deploy(true);
        vm.prank(admin);
        policy.addWorkload(WORKLOAD, AssuranceLevel.MEMBER, "https://example.org/enclave", bytes20(0));
        judged(TcbStatus.UP_TO_DATE);
        attest(authority);
        assertSame(uint256(enclaves.assuranceCeiling()), uint256(AssuranceLevel.SIMULATED), "ceiling");
        assertSame(uint256(enclaves.assuranceOf(authority)), uint256(AssuranceLevel.SIMULATED), "level");
    }

    function expectUnread(bytes memory answer) private {
        verifier.scriptReturn(PLATFORM, answer);
        expectStanding(IEnclaveRegistry.PlatformNotJudged.selector);
    }

    function expectStanding(bytes4 expected) private view {
        expectStanding(authority, expected);
    }

    function expectStanding(address authority_, bytes4 expected) private view {
        (bool trusted, bytes4 reason) = enclaves.standing(authority_);
        assertSame(reason, expected, "reason");
        assertThat(trusted == (expected == 0), "trusted exactly without a reason");
    }

    function notTrusted(bytes4 reason) private view returns (bytes memory) {
        return abi.encodeWithSelector(IEnclaveRegistry.EnclaveNotTrusted.selector, authority, reason);
    }
}
