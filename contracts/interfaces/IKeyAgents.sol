// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title IKeyAgents
/// @notice Bundles of ERC-8004 agents: whoever controls the agent's token publishes, as long as it holds it.
/// @dev Normative description: docs/SPECIFICATION.md, KeyRegistry, agents.
///
/// An agent's bundles live under an address that is derived from its id and that nobody can send from. In every
/// view, event and certificate that address is the owner. The identity registry is asked at each act and each
/// judgement; when it gives no readable answer, acts are refused and nothing is trusted.
interface IKeyAgents {
    // --- events ------------------------------------------------------------------------------------

    /// @notice A bundle of an agent has been published.
    /// @dev Reader invariants: follows the {IKeyBundles.KeyBundleRegistered} of the same (owner, identityKey) in
    /// the same call; `owner` is {agentOwner} of `agentId`; `holder` held the agent's token at this moment, and
    /// sent this or had approved who did. The bundle is trusted only while `holder` holds the token.
    /// @param agentId The agent's token in the identity registry.
    /// @param owner The address under which its bundles live.
    /// @param identityKey The Ed25519 public key.
    /// @param holder Who held the token.
    event AgentBundleRegistered(
        uint256 indexed agentId, address indexed owner, bytes32 indexed identityKey, address holder
    );

    // --- errors ------------------------------------------------------------------------------------

    /// @notice This deployment knows no identity registry.
    error AgentsNotSupported();
    /// @notice The identity registry names no holder of this agent.
    error AgentUnknown(uint256 agentId);
    /// @notice The sender neither holds the agent nor is approved by who does.
    error AgentNotControlled(uint256 agentId, address sender);
    /// @notice The agent has changed hands since the bundle was registered; revoke it and register another.
    error AgentTransferred(uint256 agentId, address recorded, address holder);

    // --- actions -----------------------------------------------------------------------------------

    /// @notice {IKeyBundles.registerKeyBundleWithAttestation} for an agent that the sender controls.
    /// @dev Reverts: docs/SPECIFICATION.md, KeyRegistry, in that order.
    /// @param agentId The agent's token in the identity registry.
    /// @param identityKey The Ed25519 public key, 32 bytes.
    /// @param preKey The X25519 public key, 32 bytes.
    /// @param preKeySignature 64 bytes; certified and published, not checked here.
    /// @param attestationProof As in {IKeyBundles}; its certificate names {agentOwner} as the owner.
    function registerKeyBundleWithAttestationForAgent(
        uint256 agentId,
        bytes calldata identityKey,
        bytes calldata preKey,
        bytes calldata preKeySignature,
        bytes calldata attestationProof
    ) external;

    /// @notice {IKeyBundles.rotatePreKey} for an agent that the sender controls, unless it has changed hands.
    /// @dev Reverts: docs/SPECIFICATION.md, KeyRegistry, in that order.
    /// @param agentId The agent's token in the identity registry.
    /// @param identityKey The Ed25519 public key, 32 bytes.
    /// @param preKey The new X25519 public key, 32 bytes.
    /// @param preKeySignature 64 bytes; certified and published, not checked here.
    /// @param attestationProof As in {IKeyBundles}; its certificate names {agentOwner} as the owner.
    function rotatePreKeyForAgent(
        uint256 agentId,
        bytes calldata identityKey,
        bytes calldata preKey,
        bytes calldata preKeySignature,
        bytes calldata attestationProof
    ) external;

    /// @notice {IKeyBundles.revokeKeyBundle} for an agent that the sender controls, whoever registered the bundle.
    /// Works while paused.
    /// @dev Reverts: docs/SPECIFICATION.md, KeyRegistry, in that order.
    /// @param agentId The agent's token in the identity registry.
    /// @param identityKey The Ed25519 public key, 32 bytes.
    function revokeKeyBundleForAgent(uint256 agentId, bytes calldata identityKey) external;

    // --- views -------------------------------------------------------------------------------------

    /// @notice The address under which an agent's bundles live.
    /// @dev The last 20 bytes of keccak256(abi.encode(keccak256("AgentOwner(uint256 chainId,address
    /// identityRegistry,uint256 agentId)"), chain id, identity registry, agentId)). Reverts: {AgentsNotSupported}.
    /// @param agentId The agent's token in the identity registry.
    /// @return owner The address; does not say that there is such an agent.
    function agentOwner(uint256 agentId) external view returns (address owner);

    /// @notice Who held the agent when this bundle of its was registered.
    /// @dev Reverts: {AgentsNotSupported}.
    /// @param agentId The agent's token in the identity registry.
    /// @param identityKey The Ed25519 public key.
    /// @return holder Zero when there is no such bundle.
    function agentHolder(uint256 agentId, bytes32 identityKey) external view returns (address holder);

    /// @notice The ERC-8004 identity registry, fixed for ever. Never reverts.
    /// @return registry Zero when agents are not supported.
    function identityRegistry() external view returns (address registry);
}
