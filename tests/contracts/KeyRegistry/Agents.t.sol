// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";

import {Provenance, TcbStatus} from "../../../contracts/interfaces/AttestationTypes.sol";
import {IEnclavePolicy} from "../../../contracts/interfaces/IEnclavePolicy.sol";
import {
    IKeyAgents,
    IKeyBundles,
    IKeyRegistry,
    KeyState,
    PublishedKey,
    Standing
} from "../../../contracts/interfaces/IKeyRegistry.sol";
import {RegistryFixture} from "../registry/RegistryFixture.sol";

/// @dev docs/SPECIFICATION.md, KeyRegistry, agents.
contract KeyRegistryAgentsTest is RegistryFixture {
    address private immutable holder = address(0x401de2);
    address private immutable buyer = address(0xb07e2);
    address private immutable operator = address(0x0be2a702);

    uint256 private agent;
    address private handle;
    Bundle private bundle;

    function setUp() public override {
        super.setUp();
        attest(authority);
        vm.prank(stranger);
        agents.register(); // agent 0 is somebody else's
        vm.prank(holder);
        agent = agents.register();
        handle = registry.agentOwner(agent);
        bundle = newBundle(handle, "first");
    }

    // --- the handle ----------------------------------------------------------------------------------

    function test_the_handle_is_the_documented_hash() external view {
        bytes32 hash = keccak256(
            abi.encode(
                keccak256("AgentOwner(uint256 chainId,address identityRegistry,uint256 agentId)"),
                block.chainid,
                address(agents),
                agent
            )
        );
        assertSame(handle, address(uint160(uint256(hash))), "by hand");
        assertSame(registry.identityRegistry(), address(agents), "of this identity registry");
    }

    function testFuzz_handles_differ_by_agent_and_by_chain(uint256 other) external {
        vm.assume(other != agent);
        assertThat(registry.agentOwner(other) != handle, "another agent's");
        vm.chainId(block.chainid + 1);
        assertThat(registry.agentOwner(agent) != handle, "another chain's");
    }

    // --- registration --------------------------------------------------------------------------------

    function test_the_holder_registers_and_all_views_show_the_bundle_under_the_handle() external {
        bytes memory proof = encode(proofOf(bundle, AUTHORITY_KEY));
        vm.expectEmit(address(registry));
        emit IKeyAgents.AgentBundleRegistered(agent, handle, bundle.identityKey, holder);
        vm.prank(holder);
        registry.registerKeyBundleWithAttestationForAgent(
            agent, abi.encodePacked(bundle.identityKey), abi.encodePacked(bundle.preKey), bundle.preKeySignature, proof
        );
        assertSame(registry.getKeyBundle(handle).preKey, bundle.preKey, "under the handle");
        assertSame(registry.agentHolder(agent, bundle.identityKey), holder, "the holder is recorded");
        assertSame(registry.lastChange(handle), head(), "linked");
        assertStanding(Standing.TRUSTED);
        PublishedKey[][] memory keys = registry.lookupKeys(one(handle));
        assertThat(keys[0][0].standing == Standing.TRUSTED, "in look-ups too");
    }

    function test_the_approved_account_and_an_operator_act_for_the_holder() external {
        vm.prank(holder);
        agents.approve(operator, agent);
        registerAs(operator, bundle);
        assertSame(registry.agentHolder(agent, bundle.identityKey), holder, "the holder's, not the operator's");
        vm.startPrank(holder);
        agents.approve(address(0), agent);
        agents.setApprovalForAll(operator, true);
        vm.stopPrank();
        rotateAs(operator, nextPreKey(bundle));
        revokeAs(operator);
    }

    function test_x6_a_stranger_registers_anothers_agent() external {
        address[3] memory senders = [stranger, attacker, admin];
        for (uint256 i = 0; i < senders.length; ++i) {
            bytes memory expected = abi.encodeWithSelector(IKeyAgents.AgentNotControlled.selector, agent, senders[i]);
            refuse(IKeyAgents.registerKeyBundleWithAttestationForAgent.selector, senders[i], bundle, expected);
        }
        assertSame(registry.getKeyBundles(handle).length, 0, "nothing");
    }

    function test_a_certificate_for_the_holder_itself_is_none_for_its_agent() external {
        Bundle memory own = newBundle(holder, "first");
        bytes memory reason = refusalOf(IKeyAgents.registerKeyBundleWithAttestationForAgent.selector, holder, own);
        assertSame(bytes4(reason), IKeyBundles.CertificateSignerMismatch.selector, "another owner");
        Bundle memory others = newBundle(registry.agentOwner(0), "first");
        reason = refusalOf(IKeyAgents.registerKeyBundleWithAttestationForAgent.selector, holder, others);
        assertSame(bytes4(reason), IKeyBundles.CertificateSignerMismatch.selector, "another agent");
    }

    function test_an_agent_that_does_not_exist() external {
        agent = 77;
        bundle = newBundle(registry.agentOwner(agent), "first");
        refuse(
            IKeyAgents.registerKeyBundleWithAttestationForAgent.selector,
            holder,
            bundle,
            abi.encodeWithSelector(IKeyAgents.AgentUnknown.selector, agent)
        );
    }

    function test_nobody_is_the_handle() external {
        registerAs(holder, bundle);
        expectError(error(IKeyBundles.IdentityKeyNotActive.selector, holder, bundle.identityKey));
        vm.prank(holder);
        registry.revokeKeyBundle(abi.encodePacked(bundle.identityKey));
        vm.prank(attacker);
        (bool accepted,) = address(registry)
            .call(
                abi.encodeWithSignature(
                    "revokeKeyBundleFor(address,bytes,uint256,bytes)",
                    handle,
                    abi.encodePacked(bundle.identityKey),
                    time() + 1,
                    new bytes(65)
                )
            );
        assertThat(!accepted, "by no signature");
    }

    // --- transfer ------------------------------------------------------------------------------------

    function test_a_transfer_ends_the_standing_of_the_bundle() external {
        registerAs(holder, bundle);
        transfer(holder, buyer);
        assertStanding(Standing.AGENT_TRANSFERRED);
        PublishedKey memory key = registry.lookupKeys(one(handle))[0][0];
        assertThat(key.standing == Standing.AGENT_TRANSFERRED, "in look-ups too");
        assertSame(uint256(key.assurance), 0, "claims nothing, though its enclave is trusted");
        // Whatever else is the case, and before the enclave is asked.
        judged(TcbStatus.OUT_OF_DATE);
        assertStanding(Standing.AGENT_TRANSFERRED);
    }

    function test_after_a_transfer_nobody_rotates_the_old_bundle() external {
        registerAs(holder, bundle);
        transfer(holder, buyer);
        bytes4 rotate_ = IKeyAgents.rotatePreKeyForAgent.selector;
        Bundle memory next = nextPreKey(bundle);
        refuse(rotate_, holder, next, abi.encodeWithSelector(IKeyAgents.AgentNotControlled.selector, agent, holder));
        refuse(rotate_, buyer, next, abi.encodeWithSelector(IKeyAgents.AgentTransferred.selector, agent, holder, buyer));
    }

    function test_the_new_holder_revokes_the_old_bundle_and_registers_its_own() external {
        registerAs(holder, bundle);
        transfer(holder, buyer);
        Bundle memory own = newBundle(handle, "the buyer's");
        registerAs(buyer, own);
        (Standing standing,) = registry.isTrusted(handle, own.identityKey);
        assertThat(standing == Standing.TRUSTED, "the new one is trusted beside the old one");
        assertStanding(Standing.AGENT_TRANSFERRED);
        revokeAs(buyer);
        assertStanding(Standing.REVOKED);
        bytes4 revoke_ = IKeyAgents.revokeKeyBundleForAgent.selector;
        vm.prank(holder);
        (bool accepted, bytes memory reason) =
            address(registry).call(abi.encodeWithSelector(revoke_, agent, abi.encodePacked(own.identityKey)));
        assertThat(!accepted, "the seller has no say");
        assertSame(
            reason, abi.encodeWithSelector(IKeyAgents.AgentNotControlled.selector, agent, holder), "not controlled"
        );
    }

    /// @dev The recorded holder is the condition: while it holds the agent again, its bundle stands again.
    function test_a_return_to_the_recorded_holder_restores_what_nobody_revoked() external {
        registerAs(holder, bundle);
        transfer(holder, buyer);
        transfer(buyer, holder);
        assertStanding(Standing.TRUSTED);
        rotateAs(holder, nextPreKey(bundle));
    }

    function test_a_burnt_agent_is_in_nobodys_hands() external {
        registerAs(holder, bundle);
        agents.burn(agent);
        assertStanding(Standing.AGENT_TRANSFERRED);
        refuse(
            IKeyAgents.rotatePreKeyForAgent.selector,
            holder,
            nextPreKey(bundle),
            abi.encodeWithSelector(IKeyAgents.AgentUnknown.selector, agent)
        );
    }

    // --- an identity registry that misbehaves ---------------------------------------------------------

    function test_an_identity_registry_that_gives_no_answer_is_no_yes() external {
        registerAs(holder, bundle);
        bytes[5] memory codes = [
            bytes(hex"fe"), // burns its gas
            hex"5f5ffd", // reverts
            hex"5f5ff3", // answers nothing
            hex"7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff5f5260205ff3", // no address
            hex"620f42405ffd" // reverts with a megabyte
        ];
        for (uint256 i = 0; i < codes.length; ++i) {
            vm.etch(address(agents), codes[i]);
            assertStanding(Standing.AGENT_TRANSFERRED);
            refuse(
                IKeyAgents.rotatePreKeyForAgent.selector,
                holder,
                nextPreKey(bundle),
                abi.encodeWithSelector(IKeyAgents.AgentUnknown.selector, agent)
            );
        }
    }

    function test_an_identity_registry_that_says_yes_to_everything_but_names_no_sender() external {
        // Every question is answered by 1: the holder is address(1), and everyone its operator.
        vm.etch(address(agents), hex"60015f5260205ff3");
        registerAs(attacker, bundle);
        assertSame(registry.agentHolder(agent, bundle.identityKey), address(1), "whom it names");
        // Owners that are no agents never depend on it.
        Bundle memory own = registered(owner, "own");
        vm.etch(address(agents), hex"fe");
        (Standing standing,) = registry.isTrusted(owner, own.identityKey);
        assertThat(standing == Standing.TRUSTED, "an owner's own bundle");
    }

    function test_a_deployment_without_agents() external {
        registry = newRegistry(address(enclaves), address(0));
        assertSame(registry.identityRegistry(), address(0), "none");
        expectError(IKeyAgents.AgentsNotSupported.selector);
        registry.agentOwner(agent);
        expectError(IKeyAgents.AgentsNotSupported.selector);
        registry.agentHolder(agent, bundle.identityKey);
        refuse(
            IKeyAgents.registerKeyBundleWithAttestationForAgent.selector,
            holder,
            bundle,
            abi.encodePacked(IKeyAgents.AgentsNotSupported.selector)
        );
        expectError(IKeyAgents.AgentsNotSupported.selector);
        registry.revokeKeyBundleForAgent(agent, abi.encodePacked(bundle.identityKey));
        Bundle memory own = registered(owner, "own");
        (Standing standing,) = registry.isTrusted(owner, own.identityKey);
        assertThat(standing == Standing.TRUSTED, "owners do not notice");
    }

    function test_construction_refuses_an_identity_registry_without_code() external {
        expectError(abi.encodeWithSelector(IKeyRegistry.NotAContract.selector, stranger));
        newRegistry(address(enclaves), stranger);
    }

    // --- the rest is as for owners --------------------------------------------------------------------

    function test_terms_states_and_pauses_are_as_for_owners() external {
        bytes4 register_ = IKeyAgents.registerKeyBundleWithAttestationForAgent.selector;
        bytes4 rotate_ = IKeyAgents.rotatePreKeyForAgent.selector;
        bundle.provenance = Provenance.NONE;
        refuse(register_, holder, bundle, abi.encodePacked(IKeyBundles.ProvenanceMissing.selector));
        bundle = newBundle(handle, "first");
        refuse(rotate_, holder, bundle, error(IKeyBundles.IdentityKeyNotActive.selector, handle, bundle.identityKey));
        registerAs(holder, bundle);
        refuse(
            register_, holder, bundle, error(IKeyBundles.IdentityKeyAlreadyActive.selector, handle, bundle.identityKey)
        );
        refuse(
            rotate_, holder, bundle, abi.encodeWithSelector(IKeyBundles.EpochNotGreater.selector, uint64(1), uint64(1))
        );
        vm.prank(admin);
        registry.pause();
        refuse(rotate_, holder, nextPreKey(bundle), abi.encodePacked(Pausable.EnforcedPause.selector));
        refuse(register_, holder, bundle, abi.encodePacked(Pausable.EnforcedPause.selector));
        revokeAs(holder);
        vm.prank(admin);
        registry.unpause();
        refuse(register_, holder, bundle, error(IKeyBundles.IdentityKeyRevoked.selector, handle, bundle.identityKey));
    }

    function test_trust_in_the_enclave_is_judged_after_the_hands() external {
        registerAs(holder, bundle);
        vm.prank(admin);
        policy.removeWorkload(WORKLOAD);
        (Standing standing, bytes4 reason) = registry.isTrusted(handle, bundle.identityKey);
        assertThat(standing == Standing.ENCLAVE_NOT_TRUSTED, "the enclave");
        assertSame(reason, IEnclavePolicy.WorkloadNotTrusted.selector, "why");
        assertThat(registry.keyState(handle, bundle.identityKey) == KeyState.ACTIVE, "active all the same");
    }

    // --- helpers -------------------------------------------------------------------------------------

    function one(address owner_) private pure returns (address[] memory owners) {
        owners = new address[](1);
        owners[0] = owner_;
    }

    function assertStanding(Standing expected) private view {
        (Standing standing, bytes4 reason) = registry.isTrusted(handle, bundle.identityKey);
        assertSame(uint256(standing), uint256(expected), "standing");
        assertSame(reason, bytes4(0), "no enclave's reason");
    }

    function transfer(address from, address to) private {
        vm.prank(from);
        agents.transferFrom(from, to, agent);
    }

    function callOf(bytes4 selector, Bundle memory bundle_) private view returns (bytes memory) {
        return abi.encodeWithSelector(
            selector,
            agent,
            abi.encodePacked(bundle_.identityKey),
            abi.encodePacked(bundle_.preKey),
            bundle_.preKeySignature,
            encode(proofOf(bundle_, AUTHORITY_KEY))
        );
    }

    function act(address sender, bytes memory call_) private {
        vm.prank(sender);
        (bool accepted,) = address(registry).call(call_);
        assertThat(accepted, "accepted");
    }

    function registerAs(address sender, Bundle memory bundle_) private {
        act(sender, callOf(IKeyAgents.registerKeyBundleWithAttestationForAgent.selector, bundle_));
    }

    function rotateAs(address sender, Bundle memory next) private {
        act(sender, callOf(IKeyAgents.rotatePreKeyForAgent.selector, next));
        assertSame(registry.getKeyBundle(handle, next.identityKey).preKey, next.preKey, "rotated");
    }

    function revokeAs(address sender) private {
        act(sender, abi.encodeCall(IKeyAgents.revokeKeyBundleForAgent, (agent, abi.encodePacked(bundle.identityKey))));
        assertThat(registry.keyState(handle, bundle.identityKey) == KeyState.REVOKED, "revoked");
    }

    function refusalOf(bytes4 selector, address sender, Bundle memory bundle_) private returns (bytes memory reason) {
        bytes memory call_ = callOf(selector, bundle_);
        bool accepted;
        vm.prank(sender);
        (accepted, reason) = address(registry).call(call_);
        assertThat(!accepted, "must be refused");
    }

    function refuse(bytes4 selector, address sender, Bundle memory bundle_, bytes memory expected) private {
        assertSame(refusalOf(selector, sender, bundle_), expected, "the reason");
    }
}
