// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AssuranceLevel, TcbStatus} from "../../../contracts/interfaces/AttestationTypes.sol";
import {IAgentKeyValidator} from "../../../contracts/interfaces/IAgentKeyValidator.sol";
import {Standing} from "../../../contracts/interfaces/IKeyRegistry.sol";
import {RegistryFixture} from "../registry/RegistryFixture.sol";
import {ValidationRecords} from "../registry/ValidationRecords.sol";

/// @dev docs/SPECIFICATION.md, AgentKeyValidator: it says what the KeyRegistry says, when somebody asks.
contract AgentKeyValidatorTest is RegistryFixture {
    bytes32 private constant SALT = keccak256("salt");

    ValidationRecords private records;
    IAgentKeyValidator private validator;
    uint256 private agent;
    Bundle private bundle;

    function setUp() public override {
        super.setUp();
        attest(authority);
        build();
    }

    function test_an_attested_key_gets_the_full_mark_with_its_level() external {
        request(owner, agent);
        assertSame(validator.respond(agent, bundle.identityKey, SALT), 100, "passes");
        expectRecord(100, "xmtp-tee/member");
    }

    function test_the_response_commits_to_what_was_judged() external view {
        (, bytes32 responseHash,) = validator.judge(agent, bundle.identityKey);
        bytes32 expected = keccak256(
            abi.encode(
                registry.getKeyBundle(registry.agentOwner(agent), bundle.identityKey),
                Standing.TRUSTED,
                bytes4(0),
                AssuranceLevel.MEMBER
            )
        );
        assertSame(responseHash, expected, "by hand");
    }

    function test_a_later_response_tells_what_has_changed() external {
        request(owner, agent);
        validator.respond(agent, bundle.identityKey, SALT);
        judged(TcbStatus.OUT_OF_DATE);
        vm.prank(attacker); // anyone may bring the answer
        assertSame(validator.respond(agent, bundle.identityKey, SALT), 0, "fails now");
        expectRecord(0, "xmtp-tee/none");
        judged(TcbStatus.UP_TO_DATE);
        assertSame(validator.respond(agent, bundle.identityKey, SALT), 100, "passes again");
        vm.prank(owner);
        agents.transferFrom(owner, stranger, agent);
        assertSame(validator.respond(agent, bundle.identityKey, SALT), 0, "in other hands");
    }

    function test_a_key_that_was_never_registered_fails() external view {
        (uint8 response,, string memory tag) = validator.judge(agent, keccak256("unknown"));
        assertSame(response, 0, "fails");
        assertSame(bytes(tag), "xmtp-tee/none", "claims nothing");
    }

    function test_an_expired_pre_key_fails() external {
        vm.warp(bundle.expiresAt);
        (uint8 response,,) = validator.judge(agent, bundle.identityKey);
        assertSame(response, 0, "fails");
    }

    function test_what_a_development_root_vouches_for_never_passes() external {
        deploy(true);
        vm.prank(admin);
        policy.addWorkload(WORKLOAD, AssuranceLevel.MEMBER, "https://example.org/enclave", bytes20(0));
        judged(TcbStatus.UP_TO_DATE);
        attest(authority);
        build();
        (uint8 response,, string memory tag) = validator.judge(agent, bundle.identityKey);
        assertSame(response, 0, "fails");
        assertSame(bytes(tag), "xmtp-tee/simulated", "and says why");
    }

    // --- requests ------------------------------------------------------------------------------------

    /// @dev An agent requests under the hash of another's key, to wear its mark.
    function test_a_request_of_another_agent_is_not_answered() external {
        vm.prank(attacker);
        uint256 other = agents.register();
        bytes32 hash = validator.requestHash(agent, bundle.identityKey, SALT);
        vm.prank(attacker);
        records.validationRequest(address(validator), other, "", hash);
        expectError(abi.encodeWithSelector(IAgentKeyValidator.RequestOfAnotherAgent.selector, hash, other, agent));
        validator.respond(agent, bundle.identityKey, SALT);
        // The hash is taken; another salt is not.
        bytes32 free = validator.requestHash(agent, bundle.identityKey, keccak256("another salt"));
        vm.prank(owner);
        records.validationRequest(address(validator), agent, "", free);
        assertSame(validator.respond(agent, bundle.identityKey, keccak256("another salt")), 100, "answered");
    }

    function test_what_was_not_requested_of_this_validator_is_not_answered() external {
        expectError(abi.encodeWithSignature("Error(string)", "unknown"));
        validator.respond(agent, bundle.identityKey, SALT);
        bytes32 hash = validator.requestHash(agent, bundle.identityKey, SALT);
        vm.prank(owner);
        records.validationRequest(stranger, agent, "", hash);
        expectError(abi.encodeWithSignature("Error(string)", "not validator"));
        validator.respond(agent, bundle.identityKey, SALT);
    }

    function testFuzz_requests_differ_by_agent_key_and_salt(uint256 agent_, bytes32 key, bytes32 salt) external view {
        bool same = agent_ == agent && key == bundle.identityKey && salt == SALT;
        bool equal = validator.requestHash(agent_, key, salt) == validator.requestHash(agent, bundle.identityKey, SALT);
        assertThat(same == equal, "one hash, one question");
    }

    function test_construction_refuses_what_does_not_belong_together() external {
        expectError(abi.encodeWithSelector(IAgentKeyValidator.NotAContract.selector, stranger));
        newValidator(stranger, address(records));
        expectError(abi.encodeWithSelector(IAgentKeyValidator.NotAContract.selector, stranger));
        newValidator(address(registry), stranger);
        ValidationRecords others = new ValidationRecords(address(policy));
        expectError(
            abi.encodeWithSelector(
                IAgentKeyValidator.IdentityRegistryMismatch.selector, address(agents), address(policy)
            )
        );
        newValidator(address(registry), address(others));
        address none = address(newRegistry(address(enclaves), address(0)));
        others = new ValidationRecords(address(0));
        expectError(
            abi.encodeWithSelector(IAgentKeyValidator.IdentityRegistryMismatch.selector, address(0), address(0))
        );
        newValidator(none, address(others));
        assertSame(address(validator.keyRegistry()), address(registry), "as given");
        assertSame(address(validator.validationRegistry()), address(records), "as given");
    }

    // --- helpers -------------------------------------------------------------------------------------

    function build() private {
        records = new ValidationRecords(address(agents));
        validator = newValidator(address(registry), address(records));
        vm.prank(owner);
        agent = agents.register();
        bundle = newBundle(registry.agentOwner(agent), "first");
        bytes memory proof = encode(proofOf(bundle, AUTHORITY_KEY));
        vm.prank(owner);
        registry.registerKeyBundleWithAttestationForAgent(
            agent, abi.encodePacked(bundle.identityKey), abi.encodePacked(bundle.preKey), bundle.preKeySignature, proof
        );
    }

    function newValidator(address keys, address validations) private returns (IAgentKeyValidator) {
        return IAgentKeyValidator(create("AgentKeyValidator.sol:AgentKeyValidator", abi.encode(keys, validations)));
    }

    function request(address sender, uint256 agentId) private {
        bytes32 hash = validator.requestHash(agentId, bundle.identityKey, SALT);
        vm.prank(sender);
        records.validationRequest(address(validator), agentId, "https://example.org/request", hash);
    }

    function expectRecord(uint8 response, string memory tag) private view {
        bytes32 hash = validator.requestHash(agent, bundle.identityKey, SALT);
        (, uint256 agentId, uint8 got, bytes32 responseHash, string memory gotTag,) = records.getValidationStatus(hash);
        (, bytes32 expectedHash,) = validator.judge(agent, bundle.identityKey);
        assertSame(agentId, agent, "the agent");
        assertSame(got, response, "the response");
        assertSame(responseHash, expectedHash, "the commitment");
        assertSame(bytes(gotTag), bytes(tag), "the tag");
    }
}
