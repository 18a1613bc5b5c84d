// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {
    AssuranceLevel,
    PlatformJudgement,
    TcbStatus,
    TeeKind
} from "../../../contracts/interfaces/AttestationTypes.sol";
import {IEnclavePolicy} from "../../../contracts/interfaces/IEnclavePolicy.sol";
import {RegistryFixture} from "../registry/RegistryFixture.sol";

/// @dev docs/SPECIFICATION.md, EnclavePolicy, exceptions: one workload, one status, one list of advisories, until
/// a deadline; never more.
contract EnclavePolicyExceptionsTest is RegistryFixture {
    uint64 private constant UNTIL = uint64(START) + 10 days;
    TcbStatus private constant STATUS = TcbStatus.OUT_OF_DATE;
    bytes32 private any;

    function setUp() public override {
        super.setUp();
        any = policy.anyAdvisories();
    }

    function test_an_exception_makes_exactly_its_status_and_advisories_acceptable() external {
        vm.expectEmit(address(policy));
        emit IEnclavePolicy.StatusAllowed(WORKLOAD, STATUS, ADVISORIES, UNTIL);
        allow(STATUS, ADVISORIES, UNTIL);
        assertSame(policy.statusAllowedUntil(WORKLOAD, STATUS, ADVISORIES), UNTIL, "the deadline");
        expectRefusal(WORKLOAD, judgement(STATUS), 0);
        policy.requireAcceptable(WORKLOAD, TeeKind.TDX, judgement(STATUS));
        for (uint8 i = 0; i <= uint8(type(TcbStatus).max); ++i) {
            if (TcbStatus(i) == STATUS || TcbStatus(i) == TcbStatus.UP_TO_DATE) continue;
            expectRefusal(WORKLOAD, judgement(TcbStatus(i)), IEnclavePolicy.TcbStatusNotAccepted.selector);
        }
        expectRefusal(OTHER_WORKLOAD, judgement(STATUS), IEnclavePolicy.TcbStatusNotAccepted.selector);
    }

    function testFuzz_any_other_list_of_advisories_is_refused(bytes32 advisories) external {
        vm.assume(advisories != ADVISORIES);
        allow(STATUS, ADVISORIES, UNTIL);
        PlatformJudgement memory found = judgement(STATUS);
        found.advisories = advisories;
        expectRefusal(WORKLOAD, found, IEnclavePolicy.TcbStatusNotAccepted.selector);
        expectError(abi.encodeWithSelector(IEnclavePolicy.TcbStatusNotAccepted.selector, WORKLOAD, STATUS, advisories));
        policy.requireAcceptable(WORKLOAD, TeeKind.TDX, found);
    }

    function testFuzz_one_flipped_bit_of_the_advisories_is_refused(uint8 bit) external {
        allow(STATUS, ADVISORIES, UNTIL);
        PlatformJudgement memory found = judgement(STATUS);
        found.advisories = ADVISORIES ^ bytes32(uint256(1) << bit);
        expectRefusal(WORKLOAD, found, IEnclavePolicy.TcbStatusNotAccepted.selector);
    }

    function test_an_exception_counts_to_its_last_second() external {
        allow(STATUS, ADVISORIES, UNTIL);
        vm.warp(UNTIL - 1);
        expectRefusal(WORKLOAD, judgement(STATUS), 0);
        vm.warp(UNTIL);
        expectRefusal(WORKLOAD, judgement(STATUS), IEnclavePolicy.TcbStatusNotAccepted.selector);
        vm.warp(uint256(UNTIL) * 2);
        expectRefusal(WORKLOAD, judgement(STATUS), IEnclavePolicy.TcbStatusNotAccepted.selector);
    }

    function test_an_expired_exception_still_shows_and_can_be_renewed_or_withdrawn() external {
        allow(STATUS, ADVISORIES, UNTIL);
        vm.warp(UNTIL);
        assertSame(policy.statusAllowedUntil(WORKLOAD, STATUS, ADVISORIES), UNTIL, "still recorded");
        allow(STATUS, ADVISORIES, UNTIL + 1 days);
        expectRefusal(WORKLOAD, judgement(STATUS), 0);
        vm.warp(UNTIL + 1 days);
        withdraw(STATUS, ADVISORIES);
        assertSame(policy.statusAllowedUntil(WORKLOAD, STATUS, ADVISORIES), 0, "gone");
    }

    function test_a_deadline_is_replaced_by_a_later_or_an_earlier_one() external {
        allow(STATUS, ADVISORIES, UNTIL);
        allow(STATUS, ADVISORIES, UNTIL + 1 days);
        assertSame(policy.statusAllowedUntil(WORKLOAD, STATUS, ADVISORIES), UNTIL + 1 days, "later");
        allow(STATUS, ADVISORIES, uint64(START) + 1);
        vm.warp(START + 1);
        expectRefusal(WORKLOAD, judgement(STATUS), IEnclavePolicy.TcbStatusNotAccepted.selector);
    }

    function test_a_withdrawn_exception_is_gone_at_once() external {
        allow(STATUS, ADVISORIES, UNTIL);
        vm.expectEmit(address(policy));
        emit IEnclavePolicy.StatusWithdrawn(WORKLOAD, STATUS, ADVISORIES);
        withdraw(STATUS, ADVISORIES);
        expectRefusal(WORKLOAD, judgement(STATUS), IEnclavePolicy.TcbStatusNotAccepted.selector);
        expectError(notAllowed(STATUS, ADVISORIES));
        withdraw(STATUS, ADVISORIES);
    }

    function test_what_was_never_allowed_is_not_withdrawn() external {
        allow(STATUS, ADVISORIES, UNTIL);
        expectError(notAllowed(STATUS, any));
        withdraw(STATUS, any);
        expectError(notAllowed(TcbStatus.CONFIGURATION_NEEDED, ADVISORIES));
        withdraw(TcbStatus.CONFIGURATION_NEEDED, ADVISORIES);
    }

    // --- bounds ----------------------------------------------------------------------------------------

    function test_a_deadline_lies_1_second_to_365_days_ahead() external {
        allow(STATUS, ADVISORIES, uint64(START) + 1);
        allow(STATUS, ADVISORIES, uint64(START) + 365 days);
        refuseDeadline(ADVISORIES, 0, 365 days);
        refuseDeadline(ADVISORIES, uint64(START), 365 days);
        refuseDeadline(ADVISORIES, uint64(START) + 365 days + 1, 365 days);
        refuseDeadline(ADVISORIES, type(uint64).max, 365 days);
    }

    function test_only_what_can_be_excepted_is() external {
        TcbStatus[3] memory never = [TcbStatus.NONE, TcbStatus.UP_TO_DATE, TcbStatus.REVOKED];
        for (uint256 i = 0; i < never.length; ++i) {
            expectError(abi.encodeWithSelector(IEnclavePolicy.TcbStatusNotAllowable.selector, never[i]));
            allow(never[i], ADVISORIES, UNTIL);
            expectError(abi.encodeWithSelector(IEnclavePolicy.TcbStatusNotAllowable.selector, never[i]));
            allow(never[i], any, UNTIL);
        }
        for (uint8 i = uint8(TcbStatus.SW_HARDENING_NEEDED); i < uint8(TcbStatus.REVOKED); ++i) {
            allow(TcbStatus(i), ADVISORIES, UNTIL);
            expectRefusal(WORKLOAD, judgement(TcbStatus(i)), 0);
        }
    }

    function test_an_unknown_workload_gets_no_exception() external {
        bytes32 unknown = keccak256("unknown");
        expectError(abi.encodeWithSelector(IEnclavePolicy.WorkloadNotTrusted.selector, unknown));
        vm.prank(admin);
        policy.allowStatus(unknown, STATUS, ADVISORIES, UNTIL);
    }

    // --- attacks ---------------------------------------------------------------------------------------

    /// @dev Zero says "no advisory at all"; it must not read as "whatever they are".
    function test_wildcard_abuse_zero_is_no_wildcard() external {
        allow(STATUS, bytes32(0), UNTIL);
        expectRefusal(WORKLOAD, judgement(STATUS), IEnclavePolicy.TcbStatusNotAccepted.selector);
        PlatformJudgement memory bare = judgement(STATUS);
        bare.advisories = 0;
        expectRefusal(WORKLOAD, bare, 0);
    }

    function testFuzz_the_wildcard_covers_every_list_of_one_status_of_one_workload(bytes32 advisories) external {
        allow(STATUS, any, UNTIL);
        PlatformJudgement memory found = judgement(STATUS);
        found.advisories = advisories;
        expectRefusal(WORKLOAD, found, 0);
        expectRefusal(OTHER_WORKLOAD, found, IEnclavePolicy.TcbStatusNotAccepted.selector);
        found.status = TcbStatus.OUT_OF_DATE_CONFIGURATION_NEEDED;
        expectRefusal(WORKLOAD, found, IEnclavePolicy.TcbStatusNotAccepted.selector);
        vm.warp(UNTIL);
        found.status = STATUS;
        expectRefusal(WORKLOAD, found, IEnclavePolicy.TcbStatusNotAccepted.selector);
    }

    function test_wildcard_abuse_it_lasts_90_days_at_most() external {
        allow(STATUS, any, uint64(START) + 90 days);
        refuseDeadline(any, uint64(START) + 90 days + 1, 90 days);
        refuseDeadline(any, uint64(START) + 365 days, 90 days);
    }

    /// @dev A commitment ends in eight zero bytes (IDcapVerifier), so none can be the wildcard.
    function test_the_wildcard_is_the_documented_hash_and_no_commitment() external view {
        assertSame(any, keccak256("xmtp-tee/policy/any-advisories"), "documented");
        assertThat(uint64(uint256(any)) != 0, "not a commitment");
    }

    function test_a_revoked_platform_is_never_acceptable_whatever_is_allowed() external {
        for (uint8 i = uint8(TcbStatus.SW_HARDENING_NEEDED); i < uint8(TcbStatus.REVOKED); ++i) {
            allow(TcbStatus(i), any, UNTIL);
            allow(TcbStatus(i), ADVISORIES, UNTIL);
        }
        expectRefusal(WORKLOAD, judgement(TcbStatus.REVOKED), IEnclavePolicy.TcbStatusNotAccepted.selector);
        expectRefusal(WORKLOAD, judgement(TcbStatus.NONE), IEnclavePolicy.TcbStatusNotAccepted.selector);
    }

    function test_a_removed_workload_has_no_live_exception_and_brings_none_back() external {
        allow(STATUS, ADVISORIES, UNTIL);
        allow(STATUS, any, UNTIL);
        vm.prank(admin);
        policy.removeWorkload(WORKLOAD);
        expectRefusal(WORKLOAD, judgement(STATUS), IEnclavePolicy.WorkloadNotTrusted.selector);
        assertSame(policy.statusAllowedUntil(WORKLOAD, STATUS, ADVISORIES), 0, "not shown any more");
        expectError(notAllowed(STATUS, ADVISORIES));
        withdraw(STATUS, ADVISORIES);

        vm.prank(admin);
        policy.addWorkload(WORKLOAD, AssuranceLevel.MEMBER, "again", bytes20(0));
        expectRefusal(WORKLOAD, judgement(STATUS), IEnclavePolicy.TcbStatusNotAccepted.selector);
        allow(STATUS, ADVISORIES, UNTIL);
        expectRefusal(WORKLOAD, judgement(STATUS), 0);
    }

    function test_an_exception_does_not_lift_a_denial() external {
        allow(STATUS, any, UNTIL);
        vm.prank(admin);
        policy.denyPlatform(TeeKind.TDX, INSTANCE);
        expectRefusal(WORKLOAD, judgement(STATUS), IEnclavePolicy.PlatformDenied.selector);
    }

    function refuseDeadline(bytes32 advisories, uint64 until, uint256 longest) private {
        expectError(
            abi.encodeWithSelector(IEnclavePolicy.DeadlineOutOfRange.selector, until, START + 1, START + longest)
        );
        allow(STATUS, advisories, until);
    }

    function notAllowed(TcbStatus status, bytes32 advisories) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IEnclavePolicy.StatusNotAllowed.selector, WORKLOAD, status, advisories);
    }

    function expectRefusal(bytes32 workload, PlatformJudgement memory found, bytes4 expected) private view {
        assertSame(policy.refusal(workload, TeeKind.TDX, found), expected, "refusal");
        assertThat(policy.isAcceptable(workload, TeeKind.TDX, found) == (expected == 0), "exactly without a refusal");
    }

    function allow(TcbStatus status, bytes32 advisories, uint64 until) private {
        vm.prank(admin);
        policy.allowStatus(WORKLOAD, status, advisories, until);
    }

    function withdraw(TcbStatus status, bytes32 advisories) private {
        vm.prank(admin);
        policy.withdrawStatus(WORKLOAD, status, advisories);
    }
}
