// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IAgentValidationRegistry} from "./IAgentValidationRegistry.sol";
import {IKeyRegistry} from "./IKeyRegistry.sol";

/// @title IAgentKeyValidator
/// @notice An ERC-8004 validator that answers one question: does an attested enclave hold this key of the agent now?
/// @dev The agent requests: validationRequest(this contract, agentId, any URI, {requestHash}). Anyone then brings the
/// answer by {respond}, and again whenever it has changed. No answer is anybody's opinion: it is what the KeyRegistry
/// says at that moment.
/// WARNING: a recorded answer is as old as its `lastUpdate`. Who needs it now asks the KeyRegistry, or {respond}s.
interface IAgentKeyValidator {
    // --- errors ------------------------------------------------------------------------------------

    /// @notice A contract this one depends on has no code.
    error NotAContract(address account);
    /// @notice The KeyRegistry and the validation registry know different agents.
    error IdentityRegistryMismatch(address keyRegistry, address validationRegistry);
    /// @notice The request is about another agent.
    error RequestOfAnotherAgent(bytes32 requestHash, uint256 got, uint256 expected);

    // --- actions -----------------------------------------------------------------------------------

    /// @notice Judges a bundle of an agent now and records the answer.
    /// @dev Permissionless. Reverts: every error of the validation registry (no such request, another validator),
    /// {RequestOfAnotherAgent}.
    /// @param agentId The agent.
    /// @param identityKey The Ed25519 public key.
    /// @param salt As in {requestHash}.
    /// @return response As in {judge}.
    function respond(uint256 agentId, bytes32 identityKey, bytes32 salt) external returns (uint8 response);

    // --- views -------------------------------------------------------------------------------------

    /// @notice Judges a bundle of an agent now. Never reverts.
    /// @param agentId The agent.
    /// @param identityKey The Ed25519 public key.
    /// @return response 100 when the bundle's standing is TRUSTED and its keys may claim WALLET or more, else 0: what
    /// stands under a development root never passes.
    /// @return responseHash keccak256(abi.encode(the KeyBundle, its standing, the enclave's reason, the level)).
    /// @return tag "xmtp-tee/" and the level that its keys may claim: none, simulated, wallet, cvm, member.
    function judge(uint256 agentId, bytes32 identityKey)
        external
        view
        returns (uint8 response, bytes32 responseHash, string memory tag);

    /// @notice What the agent requests a validation under.
    /// @dev keccak256(abi.encode(keccak256("AgentKeyValidation(uint256 chainId,address keyRegistry,uint256
    /// agentId,bytes32 identityKey,bytes32 salt)"), chain id, KeyRegistry, agentId, identityKey, salt)).
    /// @param agentId The agent.
    /// @param identityKey The Ed25519 public key.
    /// @param salt Anything: the validation registry takes each hash once, from whoever comes first.
    /// @return hash The request's hash.
    function requestHash(uint256 agentId, bytes32 identityKey, bytes32 salt) external view returns (bytes32 hash);

    /// @notice The KeyRegistry, fixed for ever.
    /// @return contract_ Its address.
    function keyRegistry() external view returns (IKeyRegistry contract_);

    /// @notice The ERC-8004 validation registry, fixed for ever.
    /// @return contract_ Its address.
    function validationRegistry() external view returns (IAgentValidationRegistry contract_);
}
