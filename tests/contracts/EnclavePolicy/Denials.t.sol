// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {PlatformJudgement, TcbStatus, TeeKind} from "../../../contracts/interfaces/AttestationTypes.sol";
import {IEnclavePolicy} from "../../../contracts/interfaces/IEnclavePolicy.sol";
import {RegistryFixture} from "../registry/RegistryFixture.sol";

/// @dev docs/SPECIFICATION.md, EnclavePolicy, denials: of one platform, of a family; what they do to enclaves
/// stands in EnclaveRegistry/Standing.
contract EnclavePolicyDenialsTest is RegistryFixture {
    bytes16 private constant OTHER = bytes16(keccak256("other"));

    function setUp() public override {
        super.setUp();
        vm.startPrank(admin);
    }

    function test_a_denied_platform_is_refused_until_the_denial_is_lifted() external {
        vm.expectEmit(address(policy));
        emit IEnclavePolicy.PlatformDenialAdded(TeeKind.TDX, INSTANCE);
        policy.denyPlatform(TeeKind.TDX, INSTANCE);
        assertThat(policy.isPlatformDenied(TeeKind.TDX, INSTANCE), "denied");
        expectRefusal(TeeKind.TDX, INSTANCE, FAMILY, IEnclavePolicy.PlatformDenied.selector);
        expectError(abi.encodeWithSelector(IEnclavePolicy.PlatformDenied.selector, TeeKind.TDX, INSTANCE));
        policy.requireAcceptable(WORKLOAD, TeeKind.TDX, judgement(TcbStatus.UP_TO_DATE));

        vm.expectEmit(address(policy));
        emit IEnclavePolicy.PlatformDenialLifted(TeeKind.TDX, INSTANCE);
        policy.allowPlatform(TeeKind.TDX, INSTANCE);
        assertThat(!policy.isPlatformDenied(TeeKind.TDX, INSTANCE), "lifted");
        expectRefusal(TeeKind.TDX, INSTANCE, FAMILY, 0);
    }

    function test_a_denied_family_is_refused_until_the_denial_is_lifted() external {
        vm.expectEmit(address(policy));
        emit IEnclavePolicy.FamilyDenialAdded(TeeKind.TDX, FAMILY);
        policy.denyFamily(TeeKind.TDX, FAMILY);
        assertThat(policy.isFamilyDenied(TeeKind.TDX, FAMILY), "denied");
        expectRefusal(TeeKind.TDX, INSTANCE, FAMILY, IEnclavePolicy.FamilyDenied.selector);
        expectRefusal(TeeKind.TDX, OTHER, FAMILY, IEnclavePolicy.FamilyDenied.selector);
        expectError(abi.encodeWithSelector(IEnclavePolicy.FamilyDenied.selector, TeeKind.TDX, FAMILY));
        policy.requireAcceptable(WORKLOAD, TeeKind.TDX, judgement(TcbStatus.UP_TO_DATE));

        vm.expectEmit(address(policy));
        emit IEnclavePolicy.FamilyDenialLifted(TeeKind.TDX, FAMILY);
        policy.allowFamily(TeeKind.TDX, FAMILY);
        assertThat(!policy.isFamilyDenied(TeeKind.TDX, FAMILY), "lifted");
        expectRefusal(TeeKind.TDX, INSTANCE, FAMILY, 0);
    }

    function test_lifting_one_denial_leaves_the_others() external {
        policy.denyPlatform(TeeKind.TDX, INSTANCE);
        policy.denyPlatform(TeeKind.TDX, OTHER);
        policy.denyFamily(TeeKind.TDX, FAMILY);
        policy.allowPlatform(TeeKind.TDX, OTHER);
        expectRefusal(TeeKind.TDX, INSTANCE, OTHER, IEnclavePolicy.PlatformDenied.selector);
        expectRefusal(TeeKind.TDX, OTHER, OTHER, 0);
        expectRefusal(TeeKind.TDX, OTHER, FAMILY, IEnclavePolicy.FamilyDenied.selector);
        policy.allowFamily(TeeKind.TDX, FAMILY);
        expectRefusal(TeeKind.TDX, INSTANCE, FAMILY, IEnclavePolicy.PlatformDenied.selector);
        policy.allowPlatform(TeeKind.TDX, INSTANCE);
        expectRefusal(TeeKind.TDX, INSTANCE, FAMILY, 0);
    }

    function test_the_platform_is_named_before_its_family_and_both_before_the_status() external {
        policy.denyFamily(TeeKind.TDX, FAMILY);
        PlatformJudgement memory found = judgement(TcbStatus.OUT_OF_DATE);
        assertSame(policy.refusal(WORKLOAD, TeeKind.TDX, found), IEnclavePolicy.FamilyDenied.selector, "family");
        policy.denyPlatform(TeeKind.TDX, INSTANCE);
        assertSame(policy.refusal(WORKLOAD, TeeKind.TDX, found), IEnclavePolicy.PlatformDenied.selector, "platform");
    }

    /// @dev A platform id and a family id of the same bytes are different things, and so are kinds.
    function testFuzz_a_denial_touches_exactly_what_it_names(bytes16 id, uint8 kind) external {
        vm.assume(id != bytes16(0));
        TeeKind tee = TeeKind(1 + kind % uint8(type(TeeKind).max));
        TeeKind other = tee == TeeKind.SGX ? TeeKind.TDX : TeeKind.SGX;
        bytes16 far = ~id;
        policy.denyPlatform(tee, id);
        expectRefusal(tee, id, far, IEnclavePolicy.PlatformDenied.selector);
        expectRefusal(tee, far, id, 0);
        expectRefusal(other, id, far, 0);
        policy.allowPlatform(tee, id);
        policy.denyFamily(tee, id);
        expectRefusal(tee, far, id, IEnclavePolicy.FamilyDenied.selector);
        expectRefusal(tee, id, far, 0);
        expectRefusal(other, far, id, 0);
    }

    function test_a_denial_is_added_once_and_lifted_once() external {
        policy.denyPlatform(TeeKind.TDX, INSTANCE);
        expectError(abi.encodeWithSelector(IEnclavePolicy.PlatformAlreadyDenied.selector, TeeKind.TDX, INSTANCE));
        policy.denyPlatform(TeeKind.TDX, INSTANCE);
        policy.denyFamily(TeeKind.TDX, FAMILY);
        expectError(abi.encodeWithSelector(IEnclavePolicy.FamilyAlreadyDenied.selector, TeeKind.TDX, FAMILY));
        policy.denyFamily(TeeKind.TDX, FAMILY);
        policy.allowPlatform(TeeKind.TDX, INSTANCE);
        expectError(abi.encodeWithSelector(IEnclavePolicy.PlatformNotDenied.selector, TeeKind.TDX, INSTANCE));
        policy.allowPlatform(TeeKind.TDX, INSTANCE);
        policy.allowFamily(TeeKind.TDX, FAMILY);
        expectError(abi.encodeWithSelector(IEnclavePolicy.FamilyNotDenied.selector, TeeKind.TDX, FAMILY));
        policy.allowFamily(TeeKind.TDX, FAMILY);
    }

    /// @dev Zero is what a verifier without such an id reports: denying it would deny a whole kind by accident.
    function test_zero_and_no_kind_are_not_denied() external {
        expectError(abi.encodeWithSelector(IEnclavePolicy.PlatformIdIsZero.selector, TeeKind.TDX));
        policy.denyPlatform(TeeKind.TDX, bytes16(0));
        expectError(abi.encodeWithSelector(IEnclavePolicy.PlatformIdIsZero.selector, TeeKind.TDX));
        policy.denyFamily(TeeKind.TDX, bytes16(0));
        expectError(IEnclavePolicy.TeeKindMissing.selector);
        policy.denyPlatform(TeeKind.NONE, INSTANCE);
        expectError(IEnclavePolicy.TeeKindMissing.selector);
        policy.denyFamily(TeeKind.NONE, FAMILY);
    }

    function expectRefusal(TeeKind tee, bytes16 instance, bytes16 family, bytes4 expected) private view {
        PlatformJudgement memory found = PlatformJudgement(TcbStatus.UP_TO_DATE, 0, instance, family);
        assertSame(policy.refusal(WORKLOAD, tee, found), expected, "refusal");
        assertThat(policy.isAcceptable(WORKLOAD, tee, found) == (expected == 0), "exactly without a refusal");
    }
}
