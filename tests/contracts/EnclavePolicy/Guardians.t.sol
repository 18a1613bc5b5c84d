// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";

import {TcbStatus, TeeKind} from "../../../contracts/interfaces/AttestationTypes.sol";
import {IEnclavePolicy} from "../../../contracts/interfaces/IEnclavePolicy.sol";
import {IEnclaveRegistry} from "../../../contracts/interfaces/IEnclaveRegistry.sol";
import {IPolicyAdministration} from "../../../contracts/interfaces/IPolicyAdministration.sol";
import {LockedPolicy} from "./LockedPolicy.sol";

/// @dev docs/SPECIFICATION.md, EnclavePolicy, guardians: they stop things and can win nothing.
contract EnclavePolicyGuardiansTest is LockedPolicy {
    function test_guardians_are_added_through_the_lock_and_listed() external {
        assertThat(policy.isGuardian(guardian) && !policy.isGuardian(stranger), "the one who was added");
        bytes memory call_ = abi.encodeCall(IPolicyAdministration.addGuardian, (stranger));
        announce(call_);
        vm.warp(time() + DELAY);
        vm.expectEmit(address(policy));
        emit IPolicyAdministration.AdditionExecuted(keccak256(call_));
        vm.expectEmit(address(policy));
        emit IPolicyAdministration.GuardianAdded(stranger);
        assertThat(sent(admin, call_), "added");
        address[] memory all = policy.guardians();
        assertSame(all.length, 2, "both listed");
        assertThat(all[0] == guardian && all[1] == stranger, "as added");
    }

    function test_a_guardian_is_removed_at_once_and_may_return() external {
        vm.expectEmit(address(policy));
        emit IPolicyAdministration.GuardianRemoved(guardian);
        vm.prank(admin);
        policy.removeGuardian(guardian);
        assertThat(!policy.isGuardian(guardian) && policy.guardians().length == 0, "gone");
        announceAndSend(abi.encodeCall(IPolicyAdministration.addGuardian, (guardian)));
        assertThat(policy.isGuardian(guardian), "back");
    }

    function test_a_guardian_is_added_once_and_removed_once() external {
        bytes memory call_ = abi.encodeCall(IPolicyAdministration.addGuardian, (guardian));
        announce(call_);
        vm.warp(time() + DELAY);
        expectRefused(
            admin,
            call_,
            abi.encodeWithSelector(IPolicyAdministration.GuardianAlreadyAdded.selector, guardian),
            "a guardian already"
        );
        expectError(abi.encodeWithSelector(IPolicyAdministration.NotAGuardian.selector, stranger));
        vm.prank(admin);
        policy.removeGuardian(stranger);
    }

    function test_zero_is_no_guardian() external {
        policy = newPolicy(0);
        expectError(IPolicyAdministration.GuardianIsZero.selector);
        vm.prank(admin);
        policy.addGuardian(address(0));
        assertThat(!policy.isGuardian(address(0)), "zero guards nothing");
    }

    // --- cancelling ------------------------------------------------------------------------------------

    function test_owner_and_guardian_cancel_what_is_scheduled() external {
        address[2] memory cancellers = [admin, guardian];
        for (uint256 i = 0; i < 2; ++i) {
            bytes32 id = announce(addition(NEW));
            vm.expectEmit(address(policy));
            emit IPolicyAdministration.AdditionCancelled(id, cancellers[i]);
            vm.prank(cancellers[i]);
            policy.cancelAddition(id);
            vm.warp(time() + DELAY);
            expectRefused(admin, addition(NEW), notScheduled(addition(NEW)), "cancelled");
        }
    }

    function test_a_cancelled_addition_is_scheduled_anew_and_waits_anew() external {
        bytes32 id = announce(addition(NEW));
        vm.warp(time() + DELAY - 1);
        vm.prank(guardian);
        policy.cancelAddition(id);
        announce(addition(NEW));
        vm.warp(time() + DELAY - 1);
        assertThat(!sent(admin, addition(NEW)), "not yet");
        vm.warp(time() + 1);
        assertThat(sent(admin, addition(NEW)), "now");
    }

    function test_a_lapsed_addition_may_be_cancelled() external {
        bytes32 id = announce(addition(NEW));
        vm.warp(time() + DELAY + WINDOW);
        vm.prank(guardian);
        policy.cancelAddition(id);
        (uint64 executableAt,) = policy.scheduledAddition(id);
        assertSame(executableAt, 0, "nothing is left");
    }

    function testFuzz_what_is_not_scheduled_is_not_cancelled(bytes32 id) external {
        expectError(abi.encodeWithSelector(IPolicyAdministration.AdditionNotScheduled.selector, id));
        vm.prank(guardian);
        policy.cancelAddition(id);
    }

    function testFuzz_nobody_else_cancels(address sender) external {
        vm.assume(sender != admin && sender != guardian);
        bytes32 id = announce(addition(NEW));
        expectError(abi.encodeWithSelector(IPolicyAdministration.NeitherOwnerNorGuardian.selector, sender));
        vm.prank(sender);
        policy.cancelAddition(id);
    }

    function test_a_removed_guardian_cancels_no_more() external {
        bytes32 id = announce(addition(NEW));
        vm.prank(admin);
        policy.removeGuardian(guardian);
        expectError(abi.encodeWithSelector(IPolicyAdministration.NeitherOwnerNorGuardian.selector, guardian));
        vm.prank(guardian);
        policy.cancelAddition(id);
    }

    // --- attacks ---------------------------------------------------------------------------------------

    /// @dev Whatever a guardian sends but a cancellation is refused as a stranger's would be.
    function test_attack_a_guardian_doing_more_than_stopping() external {
        bytes memory unauthorized = abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, guardian);
        bytes[] memory additions = everyAddition();
        for (uint256 i = 0; i < additions.length; ++i) {
            announce(additions[i]);
        }
        vm.warp(time() + DELAY);
        for (uint256 i = 0; i < additions.length; ++i) {
            expectRefused(guardian, additions[i], unauthorized, "an addition whose time has come");
            expectRefused(
                guardian,
                abi.encodeCall(IPolicyAdministration.scheduleAddition, (additions[i])),
                unauthorized,
                "an announcement"
            );
        }
        bytes[8] memory others = [
            abi.encodeCall(IEnclavePolicy.removeWorkload, (WORKLOAD)),
            abi.encodeCall(IEnclavePolicy.withdrawStatus, (WORKLOAD, TcbStatus.OUT_OF_DATE, ADVISORIES)),
            abi.encodeCall(IEnclavePolicy.denyPlatform, (TeeKind.SGX, INSTANCE)),
            abi.encodeCall(IEnclavePolicy.denyFamily, (TeeKind.SGX, FAMILY)),
            abi.encodeCall(IPolicyAdministration.removeGuardian, (guardian)),
            abi.encodeCall(Ownable.transferOwnership, (guardian)),
            abi.encodeWithSignature("acceptOwnership()"),
            abi.encodeWithSignature("renounceOwnership()")
        ];
        for (uint256 i = 0; i < 7; ++i) {
            expectRefused(guardian, others[i], unauthorized, "anything else");
        }
        expectRefused(
            guardian,
            others[7],
            abi.encodeWithSelector(IPolicyAdministration.OwnershipCannotBeRenounced.selector),
            "nobody renounces"
        );
    }

    function test_attack_a_guardian_revoking_an_enclave() external {
        attest(authority);
        expectError(abi.encodeWithSelector(IEnclaveRegistry.NotThePolicyOwner.selector, guardian));
        vm.prank(guardian);
        enclaves.revoke(authority);
        enclaves.requireTrusted(authority);
    }

    /// @dev A guardian who cancels everything holds additions up until the owner removes it, which takes no delay.
    function test_attack_a_guardian_cancelling_for_ever() external {
        bytes32 id = announce(addition(NEW));
        vm.prank(guardian);
        policy.cancelAddition(id);
        vm.prank(admin);
        policy.removeGuardian(guardian);
        announceAndSend(addition(NEW));
        assertThat(policy.isWorkloadTrusted(NEW), "the owner has the last word");
    }

    /// @dev Guardians survive a change of owner: who was trusted to stop things still is.
    function test_guardians_stay_when_the_owner_changes() external {
        vm.prank(admin);
        policy.transferOwnership(stranger);
        vm.prank(stranger);
        policy.acceptOwnership();
        assertThat(policy.isGuardian(guardian), "still a guardian");
    }
}
