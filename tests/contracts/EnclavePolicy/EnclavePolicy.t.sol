// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";

import {
    AssuranceLevel,
    PlatformJudgement,
    TcbStatus,
    TeeKind
} from "../../../contracts/interfaces/AttestationTypes.sol";
import {IEnclavePolicy, Workload} from "../../../contracts/interfaces/IEnclavePolicy.sol";
import {IPolicyAdministration} from "../../../contracts/interfaces/IPolicyAdministration.sol";
import {RegistryFixture} from "../registry/RegistryFixture.sol";

/// @dev docs/SPECIFICATION.md, EnclavePolicy.
contract EnclavePolicyTest is RegistryFixture {
    bytes32 private constant NEW = keccak256("new workload");
    string private constant SOURCE = "https://example.org/new";
    bytes20 private constant COMMIT = bytes20(uint160(0xc0ffee));

    function test_an_added_workload_is_trusted_with_its_entry() external {
        assertThat(!policy.isWorkloadTrusted(NEW), "not before");
        vm.expectEmit(address(policy));
        emit IEnclavePolicy.WorkloadAdded(NEW, AssuranceLevel.CVM, SOURCE, COMMIT);
        add(NEW, AssuranceLevel.CVM, SOURCE);
        assertThat(policy.isWorkloadTrusted(NEW), "trusted");
        assertSame(
            abi.encode(policy.workload(NEW)),
            abi.encode(Workload(AssuranceLevel.CVM, uint64(START), COMMIT, SOURCE)),
            "the entry"
        );
        assertSame(uint256(policy.assuranceLevel(NEW)), uint256(AssuranceLevel.CVM), "level");
    }

    function test_a_removed_workload_is_gone_at_once_and_may_return() external {
        add(NEW, AssuranceLevel.CVM, SOURCE);
        vm.expectEmit(address(policy));
        emit IEnclavePolicy.WorkloadRemoved(NEW);
        vm.prank(admin);
        policy.removeWorkload(NEW);
        assertThat(!policy.isWorkloadTrusted(NEW), "gone");
        assertSame(
            abi.encode(policy.workload(NEW)),
            abi.encode(Workload(AssuranceLevel.NONE, 0, bytes20(0), "")),
            "nothing is left"
        );
        add(NEW, AssuranceLevel.WALLET, SOURCE);
        assertSame(uint256(policy.assuranceLevel(NEW)), uint256(AssuranceLevel.WALLET), "returned");
    }

    function test_without_an_exception_only_up_to_date_platforms_are_acceptable() external {
        for (uint8 i = 0; i <= uint8(type(TcbStatus).max); ++i) {
            PlatformJudgement memory found = judgement(TcbStatus(i));
            bool acceptable = TcbStatus(i) == TcbStatus.UP_TO_DATE;
            assertThat(policy.isAcceptable(WORKLOAD, TeeKind.TDX, found) == acceptable, "acceptable");
            if (!acceptable) {
                expectError(
                    abi.encodeWithSelector(
                        IEnclavePolicy.TcbStatusNotAccepted.selector, WORKLOAD, TcbStatus(i), ADVISORIES
                    )
                );
            }
            policy.requireAcceptable(WORKLOAD, TeeKind.TDX, found);
        }
    }

    function testFuzz_an_unknown_workload_is_never_acceptable(bytes32 id, uint8 status) external {
        vm.assume(id != WORKLOAD && id != OTHER_WORKLOAD);
        PlatformJudgement memory found = judgement(TcbStatus(status % (uint8(type(TcbStatus).max) + 1)));
        assertThat(!policy.isWorkloadTrusted(id) && !policy.isAcceptable(id, TeeKind.TDX, found), "not acceptable");
        assertSame(
            policy.refusal(id, TeeKind.TDX, found), IEnclavePolicy.WorkloadNotTrusted.selector, "named before the rest"
        );
        expectError(abi.encodeWithSelector(IEnclavePolicy.WorkloadNotTrusted.selector, id));
        policy.requireAcceptable(id, TeeKind.TDX, found);
    }

    function test_entries_that_say_too_little_are_refused() external {
        expectError(IEnclavePolicy.WorkloadIsZero.selector);
        add(bytes32(0), AssuranceLevel.CVM, SOURCE);
        expectError(abi.encodeWithSelector(IEnclavePolicy.AssuranceLevelMissing.selector, NEW));
        add(NEW, AssuranceLevel.NONE, SOURCE);
        expectError(abi.encodeWithSelector(IEnclavePolicy.SourceMissing.selector, NEW));
        add(NEW, AssuranceLevel.CVM, "");
    }

    function test_a_trusted_workload_is_not_overwritten() external {
        expectError(abi.encodeWithSelector(IEnclavePolicy.WorkloadAlreadyTrusted.selector, WORKLOAD));
        add(WORKLOAD, AssuranceLevel.WALLET, SOURCE);
    }

    function test_an_unknown_workload_is_not_removed() external {
        expectError(abi.encodeWithSelector(IEnclavePolicy.WorkloadNotTrusted.selector, NEW));
        vm.prank(admin);
        policy.removeWorkload(NEW);
    }

    // --- enumeration -----------------------------------------------------------------------------------

    function test_the_trusted_workloads_are_listed_page_by_page() external {
        assertPage(0, 10, WORKLOAD, OTHER_WORKLOAD);
        assertPage(0, type(uint256).max, WORKLOAD, OTHER_WORKLOAD);
        bytes32[] memory page = policy.workloadIds(1, 1);
        assertSame(page.length, 1, "one on the second page");
        assertSame(page[0], OTHER_WORKLOAD, "the second");
        assertSame(policy.workloadIds(0, 0).length, 0, "a page of none");
        assertSame(policy.workloadIds(2, 1).length, 0, "behind the end");
        assertSame(policy.workloadIds(type(uint256).max, type(uint256).max).length, 0, "far behind the end");
        assertSame(policy.workloadIds(1, type(uint256).max).length, 1, "to the end");
    }

    function test_a_removed_workload_leaves_the_list() external {
        vm.startPrank(admin);
        policy.removeWorkload(WORKLOAD);
        assertSame(policy.workloadCount(), 1, "one left");
        assertSame(policy.workloadIds(0, 2)[0], OTHER_WORKLOAD, "the other");
        policy.addWorkload(WORKLOAD, AssuranceLevel.MEMBER, SOURCE, COMMIT);
        vm.stopPrank();
        assertPage(0, 2, OTHER_WORKLOAD, WORKLOAD);
    }

    function testFuzz_pages_cover_every_workload_once(uint8 count, uint8 size) external {
        uint256 total = 2 + count % 20;
        uint256 step = 1 + size % 7;
        for (uint256 i = 2; i < total; ++i) {
            add(keccak256(abi.encode(i)), AssuranceLevel.CVM, SOURCE);
        }
        uint256 seen;
        for (uint256 start = 0; start < total; start += step) {
            bytes32[] memory page = policy.workloadIds(start, step);
            for (uint256 i = 0; i < page.length; ++i) {
                assertThat(policy.isWorkloadTrusted(page[i]), "trusted");
                assertSame(page[i], policy.workloadIds(seen, 1)[0], "in one order");
                ++seen;
            }
        }
        assertSame(seen, total, "all of them");
        assertSame(policy.workloadCount(), total, "as many as counted");
    }

    // --- administration --------------------------------------------------------------------------------

    function testFuzz_x7_only_the_owner_decides(address sender) external {
        // Nobody can send from the zero address, which is also the pending owner when there is none.
        vm.assume(sender != admin && sender != address(0));
        bytes memory unauthorized = abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, sender);
        vm.startPrank(sender);
        expectError(unauthorized);
        policy.addWorkload(NEW, AssuranceLevel.MEMBER, SOURCE, COMMIT);
        expectError(unauthorized);
        policy.removeWorkload(WORKLOAD);
        expectError(unauthorized);
        policy.allowStatus(WORKLOAD, TcbStatus.OUT_OF_DATE, ADVISORIES, uint64(START) + 1);
        expectError(unauthorized);
        policy.withdrawStatus(WORKLOAD, TcbStatus.OUT_OF_DATE, ADVISORIES);
        expectError(unauthorized);
        policy.denyPlatform(TeeKind.TDX, INSTANCE);
        expectError(unauthorized);
        policy.allowPlatform(TeeKind.TDX, INSTANCE);
        expectError(unauthorized);
        policy.denyFamily(TeeKind.TDX, FAMILY);
        expectError(unauthorized);
        policy.allowFamily(TeeKind.TDX, FAMILY);
        expectError(unauthorized);
        policy.demandKinds(1, 0x18);
        expectError(unauthorized);
        policy.relaxKinds(1, 0x18);
        expectError(unauthorized);
        policy.addGuardian(sender);
        expectError(unauthorized);
        policy.removeGuardian(sender);
        expectError(unauthorized);
        policy.scheduleAddition(abi.encodeCall(policy.addGuardian, (sender)));
        expectError(abi.encodeWithSelector(IPolicyAdministration.NeitherOwnerNorGuardian.selector, sender));
        policy.cancelAddition(bytes32(0));
        expectError(unauthorized);
        policy.transferOwnership(sender);
        expectError(unauthorized);
        policy.acceptOwnership();
        vm.stopPrank();
    }

    function test_ownership_moves_in_two_steps_and_is_never_given_up() external {
        vm.prank(admin);
        policy.transferOwnership(stranger);
        assertSame(policy.owner(), admin, "not before it is accepted");
        vm.prank(stranger);
        policy.acceptOwnership();
        assertSame(policy.owner(), stranger, "accepted");
        expectError(IPolicyAdministration.OwnershipCannotBeRenounced.selector);
        vm.prank(stranger);
        policy.renounceOwnership();
    }

    function test_a_policy_has_an_owner_from_the_start() external {
        expectError(abi.encodeWithSelector(Ownable.OwnableInvalidOwner.selector, address(0)));
        create("EnclavePolicy.sol:EnclavePolicy", abi.encode(address(0), uint32(0)));
    }

    function assertPage(uint256 start, uint256 count, bytes32 first, bytes32 second) private view {
        bytes32[] memory page = policy.workloadIds(start, count);
        assertSame(page.length, 2, "both");
        assertSame(page[0], first, "the first");
        assertSame(page[1], second, "the second");
    }

    function add(bytes32 id, AssuranceLevel level, string memory source) private {
        vm.prank(admin);
        policy.addWorkload(id, level, source, COMMIT);
    }
}
