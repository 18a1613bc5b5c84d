// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AgentToken} from "../agents/AgentToken.sol";
import {IKeyAgents} from "../interfaces/IKeyAgents.sol";
import {ProofHead} from "./AttestationProof.sol";
import {KeyBundles} from "./KeyBundles.sol";

/// @title AgentBundles
/// @notice Bundles of ERC-8004 agents; see {IKeyAgents}.
abstract contract AgentBundles is KeyBundles {
    bytes32 private constant OWNER_TYPEHASH =
        keccak256("AgentOwner(uint256 chainId,address identityRegistry,uint256 agentId)");

    address private immutable IDENTITIES;

    /// @dev Who held the agent when its bundle was registered; zero for every bundle that is not an agent's.
    mapping(address owner => mapping(bytes32 identityKey => address holder)) private _holders;
    /// @dev The agent behind an address under which there is a bundle with a holder.
    mapping(address owner => uint256 agentId) private _agentIds;

    /// @dev Reverts: NotAContract.
    constructor(address identityRegistry_) {
        if (identityRegistry_ != address(0) && identityRegistry_.code.length == 0) {
            revert NotAContract(identityRegistry_);
        }
        IDENTITIES = identityRegistry_;
    }

    /// @inheritdoc IKeyAgents
    // NOTE: open to whoever controls the agent, as the identity registry says now.
    function registerKeyBundleWithAttestationForAgent(
        uint256 agentId,
        bytes calldata identityKey,
        bytes calldata preKey,
        bytes calldata preKeySignature,
        bytes calldata attestationProof
    ) external whenNotPaused {
        (address owner, address holder) = _requireControl(agentId);
        (bytes32 key, bytes32 next, ProofHead head) = _read(identityKey, preKey, preKeySignature, attestationProof);
        _register(owner, key, next, head, preKeySignature, attestationProof);
        _holders[owner][key] = holder;
        _agentIds[owner] = agentId;
        emit AgentBundleRegistered(agentId, owner, key, holder);
    }

    /// @inheritdoc IKeyAgents
    // NOTE: open to whoever controls the agent, as the identity registry says now.
    function rotatePreKeyForAgent(
        uint256 agentId,
        bytes calldata identityKey,
        bytes calldata preKey,
        bytes calldata preKeySignature,
        bytes calldata attestationProof
    ) external whenNotPaused {
        (address owner, address holder) = _requireControl(agentId);
        (bytes32 key, bytes32 next, ProofHead head) = _read(identityKey, preKey, preKeySignature, attestationProof);
        address recorded = _holders[owner][key];
        if (recorded == address(0)) revert IdentityKeyNotActive(owner, key);
        if (recorded != holder) revert AgentTransferred(agentId, recorded, holder);
        _rotate(owner, key, next, head, preKeySignature, attestationProof);
    }

    /// @inheritdoc IKeyAgents
    // NOTE: open to whoever controls the agent, as the identity registry says now; not stopped by a pause.
    function revokeKeyBundleForAgent(uint256 agentId, bytes calldata identityKey) external {
        (address owner,) = _requireControl(agentId);
        _revoke(owner, _readIdentityKey(identityKey));
    }

    /// @inheritdoc IKeyAgents
    function agentHolder(uint256 agentId, bytes32 identityKey) external view returns (address holder) {
        return _holders[agentOwner(agentId)][identityKey];
    }

    /// @inheritdoc IKeyAgents
    function identityRegistry() external view returns (address registry) {
        return IDENTITIES;
    }

    /// @inheritdoc IKeyAgents
    function agentOwner(uint256 agentId) public view returns (address owner) {
        if (IDENTITIES == address(0)) revert AgentsNotSupported();
        // 128 bytes: no preimage of an account's or a contract's address is that long, so nobody sends from it.
        return address(uint160(uint256(keccak256(abi.encode(OWNER_TYPEHASH, block.chainid, IDENTITIES, agentId)))));
    }

    /// @dev Whether a bundle is no agent's, or its agent is where it was when the bundle was registered.
    function _isInHolderHands(address owner, bytes32 identityKey) internal view returns (bool) {
        address recorded = _holders[owner][identityKey];
        return recorded == address(0) || recorded == AgentToken.holderOf(IDENTITIES, _agentIds[owner]);
    }

    function _requireControl(uint256 agentId) private view returns (address owner, address holder) {
        owner = agentOwner(agentId);
        holder = AgentToken.holderOf(IDENTITIES, agentId);
        if (holder == address(0)) revert AgentUnknown(agentId);
        if (!AgentToken.isControlledBy(IDENTITIES, agentId, holder, msg.sender)) {
            revert AgentNotControlled(agentId, msg.sender);
        }
    }
}
