// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";

import {AssuranceLevel, TcbStatus, TeeKind} from "../../../contracts/interfaces/AttestationTypes.sol";
import {IEnclavePolicy, Workload} from "../../../contracts/interfaces/IEnclavePolicy.sol";
import {IPolicyAdministration} from "../../../contracts/interfaces/IPolicyAdministration.sol";
import {Vm} from "../registry/Vm.sol";
import {LockedPolicy} from "./LockedPolicy.sol";

/// @dev docs/SPECIFICATION.md, EnclavePolicy, the lock: what widens trust is announced and waits; what narrows it
/// acts at once.
contract EnclavePolicyAdditionsTest is LockedPolicy {
    // --- the delay -------------------------------------------------------------------------------------

    function test_the_delay_is_fixed_at_construction_and_announced() external {
        vm.recordLogs();
        assertSame(newPolicy(7 days).additionDelay(), 7 days, "the delay");
        Vm.Log[] memory logs = vm.getRecordedLogs();
        Vm.Log memory last = logs[logs.length - 1];
        assertSame(last.topics[0], IPolicyAdministration.AdditionDelayFixed.selector, "announced");
        assertSame(last.data, abi.encode(uint256(7 days)), "with its length");
    }

    function test_the_delay_is_none_or_one_hour_to_thirty_days() external {
        assertSame(newPolicy(0).additionDelay(), 0, "none");
        assertSame(newPolicy(1 hours).additionDelay(), 1 hours, "shortest");
        assertSame(newPolicy(30 days).additionDelay(), 30 days, "longest");
        uint32[4] memory refused = [uint32(1), 1 hours - 1, 30 days + 1, type(uint32).max];
        for (uint256 i = 0; i < refused.length; ++i) {
            expectError(
                abi.encodeWithSelector(
                    IPolicyAdministration.AdditionDelayOutOfRange.selector,
                    uint256(refused[i]),
                    uint256(1 hours),
                    uint256(30 days)
                )
            );
            newPolicy(refused[i]);
        }
    }

    function test_without_a_lock_additions_act_at_once_and_none_is_scheduled() external {
        policy = newPolicy(0);
        assertThat(sent(admin, addition(NEW)), "at once");
        assertThat(policy.isWorkloadTrusted(NEW), "trusted");
        expectError(IPolicyAdministration.AdditionsNotLocked.selector);
        announce(addition(WORKLOAD));
    }

    // --- schedule, then send ---------------------------------------------------------------------------

    function test_a_scheduled_addition_is_announced_with_its_times() external {
        bytes memory call_ = addition(NEW);
        bytes32 id = keccak256(call_);
        uint64 at = uint64(time()) + DELAY;
        vm.expectEmit(address(policy));
        emit IPolicyAdministration.AdditionScheduled(id, call_, at, at + WINDOW);
        assertSame(announce(call_), id, "the id");
        (uint64 executableAt, uint64 lapsesAt) = policy.scheduledAddition(id);
        assertSame(executableAt, at, "executable");
        assertSame(lapsesAt, at + WINDOW, "lapses");
        assertThat(!policy.isWorkloadTrusted(NEW), "nothing else has happened");
    }

    function test_every_addition_waits_to_the_second_and_lapses_to_the_second() external {
        bytes[] memory calls = everyAddition();
        uint256 start = time();
        for (uint256 i = 0; i < calls.length; ++i) {
            bytes32 id = announce(calls[i]);
            uint64 at = uint64(start) + DELAY;
            expectRefused(admin, calls[i], notYet(id, at), "at once");
            vm.warp(at - 1);
            expectRefused(admin, calls[i], notYet(id, at), "a second early");
            uint256 snapshot = vm.snapshotState();
            vm.warp(at);
            assertThat(sent(admin, calls[i]), "the first second");
            vm.revertToState(snapshot);
            vm.warp(at + WINDOW - 1);
            snapshot = vm.snapshotState();
            assertThat(sent(admin, calls[i]), "the last second");
            vm.revertToState(snapshot);
            vm.warp(at + WINDOW);
            expectRefused(
                admin,
                calls[i],
                abi.encodeWithSelector(IPolicyAdministration.AdditionLapsed.selector, id, at + WINDOW),
                "a second late"
            );
            vm.warp(start);
        }
    }

    function test_an_executed_addition_is_announced_and_used_up() external {
        bytes memory call_ = addition(NEW);
        bytes32 id = announce(call_);
        vm.warp(time() + DELAY);
        vm.expectEmit(address(policy));
        emit IPolicyAdministration.AdditionExecuted(id);
        vm.expectEmit(address(policy));
        emit IEnclavePolicy.WorkloadAdded(
            NEW, AssuranceLevel.MEMBER, "https://example.org/enclave", bytes20(uint160(1))
        );
        assertThat(sent(admin, call_), "sent");
        (uint64 executableAt, uint64 lapsesAt) = policy.scheduledAddition(id);
        assertThat(executableAt == 0 && lapsesAt == 0, "used up");
    }

    function test_an_addition_that_fails_when_its_time_has_come_is_not_used_up() external {
        bytes memory call_ = abi.encodeCall(IEnclavePolicy.allowPlatform, (TeeKind.TDX, INSTANCE));
        announce(call_);
        vm.warp(time() + DELAY);
        expectRefused(
            admin,
            call_,
            abi.encodeWithSelector(IEnclavePolicy.PlatformNotDenied.selector, TeeKind.TDX, INSTANCE),
            "nothing to lift yet"
        );
        vm.prank(admin);
        policy.denyPlatform(TeeKind.TDX, INSTANCE);
        assertThat(sent(admin, call_), "still scheduled");
    }

    function test_several_additions_wait_side_by_side() external {
        bytes[] memory calls = everyAddition();
        for (uint256 i = 0; i < calls.length; ++i) {
            announce(calls[i]);
        }
        vm.warp(time() + DELAY);
        for (uint256 i = calls.length; i > 0; --i) {
            assertThat(sent(admin, calls[i - 1]), "in any order");
        }
        assertThat(policy.isWorkloadTrusted(NEW) && policy.isGuardian(stranger), "all of them");
        assertThat(
            !policy.isPlatformDenied(TeeKind.TDX, INSTANCE) && !policy.isFamilyDenied(TeeKind.TDX, FAMILY), "lifted"
        );
    }

    function test_a_lapsed_addition_is_scheduled_anew() external {
        bytes memory call_ = addition(NEW);
        announce(call_);
        vm.warp(time() + DELAY + WINDOW);
        announce(call_);
        vm.warp(time() + DELAY);
        assertThat(sent(admin, call_), "after another delay");
    }

    function test_a_pending_addition_is_not_scheduled_twice() external {
        bytes memory call_ = addition(NEW);
        bytes32 id = announce(call_);
        uint64 at = uint64(time()) + DELAY;
        vm.warp(at + WINDOW - 1);
        expectError(abi.encodeWithSelector(IPolicyAdministration.AdditionAlreadyScheduled.selector, id, at));
        announce(call_);
    }

    // --- what can be scheduled -------------------------------------------------------------------------

    function testFuzz_nothing_but_an_addition_is_scheduled(bytes4 selector, bytes calldata arguments) external {
        vm.assume(!isAddition(selector));
        expectError(abi.encodeWithSelector(IPolicyAdministration.AdditionNotSchedulable.selector, selector));
        announce(abi.encodePacked(selector, arguments));
    }

    function test_removals_and_changes_of_owner_are_not_scheduled() external {
        bytes4[8] memory others = [
            IEnclavePolicy.removeWorkload.selector,
            IEnclavePolicy.withdrawStatus.selector,
            IEnclavePolicy.denyPlatform.selector,
            IEnclavePolicy.denyFamily.selector,
            IEnclavePolicy.demandKinds.selector,
            IPolicyAdministration.removeGuardian.selector,
            IPolicyAdministration.scheduleAddition.selector,
            Ownable.transferOwnership.selector
        ];
        for (uint256 i = 0; i < others.length; ++i) {
            expectError(abi.encodeWithSelector(IPolicyAdministration.AdditionNotSchedulable.selector, others[i]));
            announce(abi.encodePacked(others[i], new bytes(64)));
            expectError(abi.encodeWithSelector(IPolicyAdministration.AdditionNotSchedulable.selector, others[i]));
            announce(abi.encodePacked(others[i]));
        }
    }

    function test_a_call_without_a_selector_is_not_scheduled() external {
        expectError(abi.encodeWithSelector(IPolicyAdministration.AdditionNotSchedulable.selector, bytes4(0)));
        announce("");
        bytes memory three = abi.encodePacked(bytes3(IEnclavePolicy.addWorkload.selector));
        expectError(
            abi.encodeWithSelector(IPolicyAdministration.AdditionNotSchedulable.selector, bytes4(bytes3(three)))
        );
        announce(three);
    }

    function test_arguments_that_can_never_be_right_are_refused_when_scheduled() external {
        string memory source = "https://example.org/enclave";
        expectError(IEnclavePolicy.WorkloadIsZero.selector);
        announce(abi.encodeCall(IEnclavePolicy.addWorkload, (bytes32(0), AssuranceLevel.CVM, source, bytes20(0))));
        expectError(abi.encodeWithSelector(IEnclavePolicy.AssuranceLevelMissing.selector, NEW));
        announce(abi.encodeCall(IEnclavePolicy.addWorkload, (NEW, AssuranceLevel.NONE, source, bytes20(0))));
        expectError(abi.encodeWithSelector(IEnclavePolicy.SourceMissing.selector, NEW));
        announce(abi.encodeCall(IEnclavePolicy.addWorkload, (NEW, AssuranceLevel.CVM, "", bytes20(0))));
        expectError(abi.encodeWithSelector(IEnclavePolicy.TcbStatusNotAllowable.selector, TcbStatus.REVOKED));
        announce(abi.encodeCall(IEnclavePolicy.allowStatus, (NEW, TcbStatus.REVOKED, ADVISORIES, uint64(time()) + 1)));
        expectError(abi.encodeWithSelector(IEnclavePolicy.DemandInvalid.selector, uint8(2), uint8(0x10)));
        announce(abi.encodeCall(IEnclavePolicy.relaxKinds, (2, 0x10)));
        expectError(IPolicyAdministration.GuardianIsZero.selector);
        announce(abi.encodeCall(IPolicyAdministration.addGuardian, (address(0))));
    }

    function test_arguments_that_cannot_be_decoded_are_refused_without_data() external {
        bytes[] memory calls = everyAddition();
        for (uint256 i = 0; i < calls.length; ++i) {
            bytes memory cut = calls[i];
            assembly {
                mstore(cut, sub(mload(cut), 32))
            }
            vm.prank(admin);
            (bool accepted, bytes memory got) =
                address(policy).call(abi.encodeCall(IPolicyAdministration.scheduleAddition, (cut)));
            assertThat(!accepted && got.length == 0, "without data");
        }
    }

    function testFuzz_every_well_formed_addition_is_scheduled_and_made(
        bytes32 id,
        uint8 level,
        string calldata source,
        bytes20 commit
    ) external {
        vm.assume(id != bytes32(0) && id != WORKLOAD && bytes(source).length != 0);
        AssuranceLevel claimed = AssuranceLevel(1 + level % uint8(type(AssuranceLevel).max));
        announceAndSend(abi.encodeCall(IEnclavePolicy.addWorkload, (id, claimed, source, commit)));
        assertSame(
            abi.encode(policy.workload(id)),
            abi.encode(Workload(claimed, uint64(time()), commit, source)),
            "exactly what was announced"
        );
    }

    // --- attacks ---------------------------------------------------------------------------------------

    /// @dev The same addition in other bytes would be an announcement that a watcher overlooks, or one that survives
    /// the cancellation of its twin.
    function test_attack_an_addition_hidden_in_another_encoding() external {
        bytes[] memory calls = everyAddition();
        for (uint256 i = 0; i < calls.length; ++i) {
            expectError(abi.encodeWithSelector(IPolicyAdministration.AdditionNotCanonical.selector, bytes4(calls[i])));
            announce(abi.encodePacked(calls[i], uint8(0)));
            expectError(abi.encodeWithSelector(IPolicyAdministration.AdditionNotCanonical.selector, bytes4(calls[i])));
            announce(abi.encodePacked(calls[i], new bytes(32)));
        }
        // The string lies a word further on, behind a word that nothing points to.
        bytes memory moved = abi.encodePacked(
            IEnclavePolicy.addWorkload.selector,
            abi.encode(NEW, AssuranceLevel.CVM, uint256(160), bytes20(0), uint256(0)),
            abi.encode(uint256(1), bytes32("x"))
        );
        expectError(
            abi.encodeWithSelector(
                IPolicyAdministration.AdditionNotCanonical.selector, IEnclavePolicy.addWorkload.selector
            )
        );
        announce(moved);
    }

    /// @dev An announced call cannot be sent with something behind it either: its hash is another.
    function test_attack_sending_more_than_was_announced() external {
        bytes memory call_ = addition(NEW);
        announce(call_);
        vm.warp(time() + DELAY);
        bytes memory longer = abi.encodePacked(call_, uint8(0));
        expectRefused(admin, longer, notScheduled(longer), "another call");
    }

    function test_attack_sending_something_else_than_was_announced() external {
        announce(addition(NEW));
        vm.warp(time() + DELAY);
        bytes memory other = abi.encodeCall(
            IEnclavePolicy.addWorkload, (NEW, AssuranceLevel.MEMBER, "https://evil.example", bytes20(0))
        );
        expectRefused(admin, other, notScheduled(other), "another source");
    }

    function testFuzz_attack_one_flipped_bit_of_an_announced_call(uint8 kind, uint256 position, uint8 bit) external {
        bytes[] memory calls = everyAddition();
        bytes memory call_ = calls[kind % calls.length];
        announce(call_);
        vm.warp(time() + DELAY);
        // Within the selector it would be another function.
        position = 4 + position % (call_.length - 4);
        call_[position] ^= bytes1(uint8(1) << (bit % 8));
        assertThat(!sent(admin, call_), "another call");
    }

    function test_attack_an_addition_without_an_announcement() external {
        bytes[] memory calls = everyAddition();
        vm.warp(time() + 365 days);
        for (uint256 i = 0; i < calls.length; ++i) {
            expectRefused(admin, calls[i], notScheduled(calls[i]), "never announced");
        }
    }

    function test_attack_replay_of_a_scheduled_call() external {
        announceAndSend(addition(NEW));
        vm.prank(admin);
        policy.removeWorkload(NEW);
        expectRefused(admin, addition(NEW), notScheduled(addition(NEW)), "it acted once");
        announce(addition(NEW));
        vm.warp(time() + DELAY - 1);
        assertThat(!sent(admin, addition(NEW)), "and waits again");
    }

    /// @dev An attacker held the owner's key for a moment. The owner moved on; what was announced then is void.
    function test_attack_schedule_then_change_of_owner() external {
        bytes[] memory calls = everyAddition();
        for (uint256 i = 0; i < calls.length; ++i) {
            announce(calls[i]);
        }
        vm.prank(admin);
        policy.transferOwnership(stranger);
        vm.warp(time() + DELAY);
        vm.prank(stranger);
        policy.acceptOwnership();
        for (uint256 i = 0; i < calls.length; ++i) {
            expectRefused(stranger, calls[i], notScheduled(calls[i]), "the new owner inherits no announcement");
            (uint64 executableAt,) = policy.scheduledAddition(keccak256(calls[i]));
            assertSame(executableAt, 0, "and none is shown");
            assertThat(!sent(admin, calls[i]), "nor has the old one any say");
        }
    }

    function test_attack_announcements_return_with_their_owner() external {
        announce(addition(NEW));
        handOver(admin, stranger);
        handOver(stranger, admin);
        vm.warp(time() + DELAY);
        expectRefused(admin, addition(NEW), notScheduled(addition(NEW)), "void for ever");
    }

    function test_a_new_owner_schedules_what_the_old_one_had_scheduled() external {
        announce(addition(NEW));
        handOver(admin, stranger);
        vm.prank(stranger);
        policy.scheduleAddition(addition(NEW));
        vm.warp(time() + DELAY);
        assertThat(sent(stranger, addition(NEW)), "after its own delay");
    }

    function test_a_transfer_that_nobody_accepts_ends_no_announcement() external {
        announce(addition(NEW));
        vm.prank(admin);
        policy.transferOwnership(stranger);
        vm.warp(time() + DELAY);
        assertThat(sent(admin, addition(NEW)), "still the owner's");
    }

    /// @dev The removal is sent while a registration of the removed code waits in the mempool: whichever comes first,
    /// the key is not trusted afterwards.
    function test_attack_removal_racing_a_registration() external {
        uint64 blockNumber = uint64(head() - 1);
        bytes memory evidence = evidenceFor(authority, blockNumber);
        uint256 snapshot = vm.snapshotState();

        vm.prank(admin);
        policy.removeWorkload(WORKLOAD);
        expectError(abi.encodeWithSelector(IEnclavePolicy.WorkloadNotTrusted.selector, WORKLOAD));
        enclaves.attest(authority, TRANSPORT_KEY, blockNumber, evidence);

        vm.revertToState(snapshot);
        enclaves.attest(authority, TRANSPORT_KEY, blockNumber, evidence);
        enclaves.requireTrusted(authority);
        vm.prank(admin);
        policy.removeWorkload(WORKLOAD);
        (bool trusted, bytes4 reason) = enclaves.standing(authority);
        assertThat(!trusted, "at once");
        assertSame(reason, IEnclavePolicy.WorkloadNotTrusted.selector, "by the removal");
    }

    /// @dev The workload returns only through the delay, in which anybody can make its end lasting.
    function test_attack_a_removal_undone_at_once() external {
        attest(authority);
        vm.prank(admin);
        policy.removeWorkload(WORKLOAD);
        bytes memory back = addition(WORKLOAD);
        expectRefused(admin, back, notScheduled(back), "not without an announcement");
        announce(back);
        expectRefused(admin, back, notYet(keccak256(back), uint64(time()) + DELAY), "nor before its time");
    }

    // --- removals --------------------------------------------------------------------------------------

    function test_every_removal_acts_at_once() external {
        uint64 until = uint64(time()) + DELAY + 10 days;
        announceAndSend(
            abi.encodeCall(IEnclavePolicy.allowStatus, (WORKLOAD, TcbStatus.OUT_OF_DATE, ADVISORIES, until))
        );
        vm.startPrank(admin);
        policy.withdrawStatus(WORKLOAD, TcbStatus.OUT_OF_DATE, ADVISORIES);
        policy.denyPlatform(TeeKind.TDX, INSTANCE);
        policy.denyFamily(TeeKind.TDX, FAMILY);
        policy.demandKinds(2, 0x18);
        policy.removeWorkload(WORKLOAD);
        policy.removeGuardian(guardian);
        vm.stopPrank();
        assertSame(policy.workloadCount(), 0, "no workload");
        assertThat(policy.isPlatformDenied(TeeKind.TDX, INSTANCE) && policy.isFamilyDenied(TeeKind.TDX, FAMILY), "both");
        assertThat(!policy.isGuardian(guardian), "no guardian");
        (uint8 required,) = policy.teeDemand();
        assertSame(required, 2, "two kinds");
    }

    /// @dev Every function of the compiled contract is a view, an addition, a removal or a matter of ownership. One that
    /// is none of these has not been thought about.
    function test_every_function_that_writes_is_known() external view {
        string memory artifact = vm.readFile(vm.getArtifactPathByCode(vm.getCode("EnclavePolicy.sol:EnclavePolicy")));
        string[] memory functions = vm.parseJsonKeys(artifact, ".methodIdentifiers");
        string[36] memory known = [
            "acceptOwnership()", // ownership
            "addGuardian(address)", // addition
            "addWorkload(bytes32,uint8,string,bytes20)", // addition
            "additionDelay()",
            "allowFamily(uint8,bytes16)", // addition
            "allowPlatform(uint8,bytes16)", // addition
            "allowStatus(bytes32,uint8,bytes32,uint64)", // addition
            "anyAdvisories()",
            "assuranceLevel(bytes32)",
            "cancelAddition(bytes32)", // owner or guardian
            "demandKinds(uint8,uint8)", // removal
            "denyFamily(uint8,bytes16)", // removal
            "denyPlatform(uint8,bytes16)", // removal
            "guardians()",
            "isAcceptable(bytes32,uint8,(uint8,bytes32,bytes16,bytes16))",
            "isFamilyDenied(uint8,bytes16)",
            "isGuardian(address)",
            "isPlatformDenied(uint8,bytes16)",
            "isWorkloadTrusted(bytes32)",
            "owner()",
            "pendingOwner()",
            "refusal(bytes32,uint8,(uint8,bytes32,bytes16,bytes16))",
            "relaxKinds(uint8,uint8)", // addition
            "removeGuardian(address)", // removal
            "removeWorkload(bytes32)", // removal
            "renounceOwnership()", // refuses
            "requireAcceptable(bytes32,uint8,(uint8,bytes32,bytes16,bytes16))",
            "scheduleAddition(bytes)", // announces
            "scheduledAddition(bytes32)",
            "statusAllowedUntil(bytes32,uint8,bytes32)",
            "teeDemand()",
            "transferOwnership(address)", // ownership
            "withdrawStatus(bytes32,uint8,bytes32)", // removal
            "workload(bytes32)",
            "workloadCount()",
            "workloadIds(uint256,uint256)"
        ];
        assertSame(functions.length, known.length, "as many functions as are known");
        for (uint256 i = 0; i < functions.length; ++i) {
            assertSame(bytes(functions[i]), bytes(known[i]), known[i]);
        }
    }

    function handOver(address from, address to) private {
        vm.prank(from);
        policy.transferOwnership(to);
        vm.prank(to);
        policy.acceptOwnership();
    }

    function isAddition(bytes4 selector) private pure returns (bool) {
        return selector == IEnclavePolicy.addWorkload.selector || selector == IEnclavePolicy.allowStatus.selector
            || selector == IEnclavePolicy.allowPlatform.selector || selector == IEnclavePolicy.allowFamily.selector
            || selector == IEnclavePolicy.relaxKinds.selector || selector == IPolicyAdministration.addGuardian.selector;
    }

    function notYet(bytes32 id, uint64 at) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IPolicyAdministration.AdditionNotYetExecutable.selector, id, at);
    }
}
