// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {EnclavePolicy} from "../../../contracts/EnclavePolicy.sol";
import {TcbStatus, TeeKind} from "../../../contracts/interfaces/AttestationTypes.sol";
import {Checked} from "../registry/Vm.sol";
import {EnclavePolicyHandler} from "./EnclavePolicyHandler.sol";

/// @dev docs/SPECIFICATION.md, EnclavePolicy: nothing is added that was not announced and did not wait, and the events
/// alone rebuild what the views show. Each act is compared with the model in the handler, the views with the model here.
contract EnclavePolicyInvariantsTest is Checked {
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    EnclavePolicyHandler private handler;
    EnclavePolicy private policy;

    function setUp() public {
        handler = EnclavePolicyHandler(create("EnclavePolicyHandler.sol:EnclavePolicyHandler", ""));
        policy = handler.policy();
        handler.removes(2, 0);
        handler.schedules(0, 0);
        handler.schedules(4, 0);
        handler.passes(2 days);
        handler.adds(0, 0);
        handler.adds(4, 0);
    }

    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        targets = new FuzzSelector[](1);
        bytes4[] memory selectors = new bytes4[](10);
        selectors[0] = EnclavePolicyHandler.schedules.selector;
        selectors[1] = EnclavePolicyHandler.schedules.selector;
        selectors[2] = EnclavePolicyHandler.adds.selector;
        selectors[3] = EnclavePolicyHandler.adds.selector;
        selectors[4] = EnclavePolicyHandler.adds.selector;
        selectors[5] = EnclavePolicyHandler.steals.selector;
        selectors[6] = EnclavePolicyHandler.cancels.selector;
        selectors[7] = EnclavePolicyHandler.removes.selector;
        selectors[8] = EnclavePolicyHandler.handsOver.selector;
        selectors[9] = EnclavePolicyHandler.passes.selector;
        targets[0] = FuzzSelector(address(handler), selectors);
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    /// forge-config: default.invariant.depth = 64
    function invariant_the_policy_is_what_its_events_say() external {
        handler.sync();
        viewsShowWhatTheEventsSay();
    }

    /// @dev A handler whose acts never succeed would prove nothing.
    function test_the_handler_reaches_every_transition() external {
        uint256 before = handler.successes();
        for (uint8 kind = 0; kind < handler.KINDS(); ++kind) {
            if (kind == 2 || kind == 3) handler.removes(kind, 1);
            handler.schedules(kind, kind == 1 ? 0 : 1);
        }
        assertSame(handler.successes() - before, 8, "announced");
        handler.passes(2 days);
        for (uint8 kind = 0; kind < handler.KINDS(); ++kind) {
            handler.steals(kind, 1, kind);
            handler.adds(kind, kind == 1 ? 0 : 1);
        }
        assertSame(handler.successes() - before, 14, "added");
        handler.removes(5, 2);
        handler.removes(1, 0);
        handler.removes(0, 0);
        handler.removes(4, 1);
        handler.schedules(0, 2);
        handler.cancels(0, 2, 0);
        handler.schedules(0, 2);
        handler.cancels(0, 2, 3 * 7);
        handler.schedules(3, 1);
        handler.handsOver(0);
        handler.schedules(3, 1);
        assertSame(handler.successes() - before, 26, "removed, cancelled, handed over, announced again");
        viewsShowWhatTheEventsSay();
    }

    function viewsShowWhatTheEventsSay() private view {
        assertSame(bytes(handler.violation()), "", handler.violation());
        assertSame(policy.owner(), handler.owner(), "the owner");
        (uint8 required, uint8 kinds) = policy.teeDemand();
        assertThat(required == handler.required() && kinds == handler.kinds(), "the demand");
        uint256 trusted;
        uint256 guardians;
        for (uint8 thing = 0; thing < handler.THINGS(); ++thing) {
            bytes32 workload = handler.workloadOf(thing);
            assertThat(policy.isWorkloadTrusted(workload) == handler.trusted(workload), "the workload");
            assertSame(
                policy.statusAllowedUntil(workload, TcbStatus.OUT_OF_DATE, handler.ADVISORIES()),
                handler.untilOf(workload),
                "the exception"
            );
            bytes16 id = handler.platformOf(thing);
            assertThat(policy.isPlatformDenied(TeeKind.TDX, id) == handler.platformDenied(id), "the platform");
            assertThat(policy.isFamilyDenied(TeeKind.TDX, id) == handler.familyDenied(id), "the family");
            address account = handler.guardianOf(thing);
            assertThat(policy.isGuardian(account) == handler.guardian(account), "the guardian");
            if (handler.trusted(workload)) ++trusted;
            if (handler.guardian(account)) ++guardians;
            for (uint8 kind = 0; kind < handler.KINDS(); ++kind) {
                bytes32 announcement = keccak256(handler.additionOf(kind, thing));
                (uint64 executableAt, uint64 lapsesAt) = policy.scheduledAddition(announcement);
                EnclavePolicyHandler.Announced memory model = handler.pending(announcement);
                assertThat(executableAt == model.executableAt && lapsesAt == model.lapsesAt, "what is announced");
            }
        }
        bytes32[] memory listed = policy.workloadIds(0, type(uint256).max);
        assertThat(listed.length == trusted && policy.workloadCount() == trusted, "as many as are trusted");
        for (uint256 i = 0; i < listed.length; ++i) {
            assertThat(handler.trusted(listed[i]), "only trusted ones are listed");
            for (uint256 j = 0; j < i; ++j) {
                assertThat(listed[i] != listed[j], "listed once");
            }
        }
        assertSame(policy.guardians().length, guardians, "as many guardians");
    }
}
