// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {EnclavePolicy} from "../../../contracts/EnclavePolicy.sol";
import {AssuranceLevel, TcbStatus, TeeKind} from "../../../contracts/interfaces/AttestationTypes.sol";
import {IEnclavePolicy} from "../../../contracts/interfaces/IEnclavePolicy.sol";
import {IPolicyAdministration} from "../../../contracts/interfaces/IPolicyAdministration.sol";
import {RegistryFixture} from "../registry/RegistryFixture.sol";

/// @title LockedPolicy
/// @notice The fixture's deployment with a policy whose additions wait; one workload is trusted already, one guardian
/// is there.
abstract contract LockedPolicy is RegistryFixture {
    uint32 internal constant DELAY = 2 days;
    uint64 internal constant WINDOW = 14 days;
    bytes32 internal constant NEW = keccak256("new workload");

    address internal immutable guardian = address(0x97a2d1a7);

    function setUp() public virtual override {
        super.setUp();
        policy = newPolicy(DELAY);
        enclaves = newEnclaves(router, MAX_BLOCK_AGE, TTL);
        announceAndSend(addition(WORKLOAD));
        announceAndSend(abi.encodeCall(IPolicyAdministration.addGuardian, (guardian)));
    }

    function newPolicy(uint32 delay) internal returns (EnclavePolicy) {
        return EnclavePolicy(create("EnclavePolicy.sol:EnclavePolicy", abi.encode(admin, delay)));
    }

    function addition(bytes32 workload) internal pure returns (bytes memory) {
        return abi.encodeCall(
            IEnclavePolicy.addWorkload,
            (workload, AssuranceLevel.MEMBER, "https://example.org/enclave", bytes20(uint160(1)))
        );
    }

    /// @dev Every kind of addition, each of which could succeed if its time had come.
    function everyAddition() internal returns (bytes[] memory calls) {
        vm.startPrank(admin);
        policy.denyPlatform(TeeKind.TDX, INSTANCE);
        policy.denyFamily(TeeKind.TDX, FAMILY);
        policy.demandKinds(1, 0x18);
        vm.stopPrank();
        uint64 until = uint64(time()) + 60 days;
        calls = new bytes[](6);
        calls[0] = addition(NEW);
        calls[1] = abi.encodeCall(IEnclavePolicy.allowStatus, (WORKLOAD, TcbStatus.OUT_OF_DATE, ADVISORIES, until));
        calls[2] = abi.encodeCall(IEnclavePolicy.allowPlatform, (TeeKind.TDX, INSTANCE));
        calls[3] = abi.encodeCall(IEnclavePolicy.allowFamily, (TeeKind.TDX, FAMILY));
        calls[4] = abi.encodeCall(IPolicyAdministration.addGuardian, (stranger));
        calls[5] = abi.encodeCall(IEnclavePolicy.relaxKinds, (0, 0));
    }

    function announce(bytes memory call_) internal returns (bytes32 id) {
        vm.prank(admin);
        return policy.scheduleAddition(call_);
    }

    function announceAndSend(bytes memory call_) internal {
        announce(call_);
        vm.warp(time() + DELAY);
        assertThat(sent(admin, call_), "sent when its time had come");
    }

    /// @dev Whether the policy accepts the call.
    function sent(address sender, bytes memory call_) internal returns (bool accepted) {
        vm.prank(sender);
        (accepted,) = address(policy).call(call_);
    }

    /// @dev The policy refuses the call with exactly this error.
    function expectRefused(address sender, bytes memory call_, bytes memory reason, string memory what) internal {
        vm.prank(sender);
        (bool accepted, bytes memory got) = address(policy).call(call_);
        assertThat(!accepted, what);
        assertSame(got, reason, what);
    }

    function notScheduled(bytes memory call_) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IPolicyAdministration.AdditionNotScheduled.selector, keccak256(call_));
    }
}
