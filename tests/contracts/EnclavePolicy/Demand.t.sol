// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";

import {IEnclavePolicy} from "../../../contracts/interfaces/IEnclavePolicy.sol";
import {LockedPolicy} from "./LockedPolicy.sol";

/// @dev docs/SPECIFICATION.md, EnclavePolicy, several kinds: more is demanded at once, less after the lock. What a
/// demand does to enclaves stands in EnclaveRegistry/SeveralKinds.
contract EnclavePolicyDemandTest is LockedPolicy {
    uint8 private constant ALL = 0x1e;

    function test_nothing_is_demanded_at_first() external view {
        expectDemand(0, 0);
    }

    function test_a_demand_acts_at_once_and_is_announced() external {
        vm.expectEmit(address(policy));
        emit IEnclavePolicy.KindsDemanded(2, 0x18);
        vm.prank(admin);
        policy.demandKinds(2, 0x18);
        expectDemand(2, 0x18);
    }

    function test_a_demand_is_lifted_after_the_lock() external {
        vm.prank(admin);
        policy.demandKinds(2, 0x18);
        bytes memory lift = abi.encodeCall(IEnclavePolicy.relaxKinds, (0, 0));
        expectRefused(admin, lift, notScheduled(lift), "not at once");
        announce(lift);
        vm.warp(time() + DELAY);
        vm.expectEmit(address(policy));
        emit IEnclavePolicy.KindsDemanded(0, 0);
        assertThat(sent(admin, lift), "when its time has come");
        expectDemand(0, 0);
    }

    function testFuzz_only_the_owner_demands(address sender) external {
        vm.assume(sender != admin);
        bytes memory unauthorized = abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, sender);
        expectRefused(sender, abi.encodeCall(IEnclavePolicy.demandKinds, (1, 0x18)), unauthorized, "demand");
        expectRefused(sender, abi.encodeCall(IEnclavePolicy.relaxKinds, (1, 0x18)), unauthorized, "relax");
    }

    /// @dev Of 65,536 pairs those are demands that name kinds there are, and no more than they name; none of none.
    function testFuzz_a_demand_that_is_none_is_refused(uint8 required, uint8 kinds) external {
        bool valid = kinds & ~ALL == 0 && required <= bits(kinds) && (required == 0) == (kinds == 0);
        vm.assume(!valid);
        bytes memory invalid = abi.encodeWithSelector(IEnclavePolicy.DemandInvalid.selector, required, kinds);
        expectRefused(admin, abi.encodeCall(IEnclavePolicy.demandKinds, (required, kinds)), invalid, "demand");
        bytes memory relax = abi.encodeCall(IEnclavePolicy.relaxKinds, (required, kinds));
        expectError(invalid);
        announce(relax);
    }

    function test_a_demand_of_a_kind_that_there_is_not_is_refused() external {
        for (uint256 bit = 0; bit < 8; ++bit) {
            uint8 foreign = uint8(1 << bit);
            if (foreign & ALL != 0) continue;
            for (uint8 others = 0; others <= ALL; others += ALL) {
                uint8 kinds = others | foreign;
                bytes memory invalid = abi.encodeWithSelector(IEnclavePolicy.DemandInvalid.selector, uint8(1), kinds);
                expectRefused(admin, abi.encodeCall(IEnclavePolicy.demandKinds, (1, kinds)), invalid, "demand");
                expectError(invalid);
                announce(abi.encodeCall(IEnclavePolicy.relaxKinds, (1, kinds)));
            }
        }
    }

    function test_the_same_demand_again_is_refused() external {
        bytes memory unchanged = abi.encodeWithSelector(IEnclavePolicy.DemandUnchanged.selector, uint8(0), uint8(0));
        expectRefused(admin, abi.encodeCall(IEnclavePolicy.demandKinds, (0, 0)), unchanged, "none");
        vm.startPrank(admin);
        policy.demandKinds(1, 0x18);
        vm.stopPrank();
        unchanged = abi.encodeWithSelector(IEnclavePolicy.DemandUnchanged.selector, uint8(1), uint8(0x18));
        expectRefused(admin, abi.encodeCall(IEnclavePolicy.demandKinds, (1, 0x18)), unchanged, "some");
        bytes memory relax = abi.encodeCall(IEnclavePolicy.relaxKinds, (1, 0x18));
        announce(relax);
        vm.warp(time() + DELAY);
        expectRefused(admin, relax, unchanged, "nor relaxed");
    }

    /// @dev Every change from one demand to another, judged by its definition: it may act at once exactly when no set
    /// of standing kinds meets the new demand and not the old one.
    function test_a_change_acts_at_once_exactly_when_nobody_gains_by_it() external {
        policy = newPolicy(0);
        vm.startPrank(admin);
        for (uint8 set = 0; set <= ALL; set += 2) {
            for (uint8 required = set == 0 ? 0 : 1; required <= bits(set); ++required) {
                if (set != 0) policy.relaxKinds(required, set);
                changesFrom(required, set);
                if (set != 0) policy.relaxKinds(0, 0);
            }
        }
        vm.stopPrank();
    }

    function changesFrom(uint8 required, uint8 set) private {
        for (uint8 newSet = 0; newSet <= ALL; newSet += 2) {
            for (uint8 newRequired = newSet == 0 ? 0 : 1; newRequired <= bits(newSet); ++newRequired) {
                if (newRequired == required && newSet == set) continue;
                uint256 snapshot = vm.snapshotState();
                (bool accepted, bytes memory data) =
                    address(policy).call(abi.encodeCall(IEnclavePolicy.demandKinds, (newRequired, newSet)));
                assertThat(accepted == !somebodyGains(required, set, newRequired, newSet), "by the definition");
                if (accepted) {
                    expectDemand(newRequired, newSet);
                } else {
                    assertSame(
                        data,
                        abi.encodeWithSelector(
                            IEnclavePolicy.DemandWouldLoosen.selector, newRequired, newSet, required, set
                        ),
                        "typed"
                    );
                }
                vm.revertToState(snapshot);
            }
        }
    }

    function somebodyGains(uint8 required, uint8 set, uint8 newRequired, uint8 newSet) private pure returns (bool) {
        for (uint8 standing = 0; standing <= ALL; standing += 2) {
            if (bits(standing & newSet) >= newRequired && bits(standing & set) < required) return true;
        }
        return false;
    }

    function expectDemand(uint8 required, uint8 kinds) private view {
        (uint8 gotRequired, uint8 gotKinds) = policy.teeDemand();
        assertSame(gotRequired, required, "required");
        assertSame(gotKinds, kinds, "kinds");
    }

    function bits(uint8 set) private pure returns (uint256 count) {
        for (; set != 0; set &= set - 1) {
            ++count;
        }
    }
}
