// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AssuranceLevel} from "../interfaces/AttestationTypes.sol";
import {IAgentKeyValidator} from "../interfaces/IAgentKeyValidator.sol";
import {IAgentValidationRegistry} from "../interfaces/IAgentValidationRegistry.sol";
import {KeyBundle} from "../interfaces/IKeyBundles.sol";
import {IKeyRegistry} from "../interfaces/IKeyRegistry.sol";
import {Standing} from "../interfaces/IKeyViews.sol";

/// @title AgentKeyValidator
/// @notice Answers in ERC-8004's validation registry; see {IAgentKeyValidator}.
/// @dev Nobody administers it, and it stores nothing.
contract AgentKeyValidator is IAgentKeyValidator {
    bytes32 private constant REQUEST_TYPEHASH = keccak256(
        "AgentKeyValidation(uint256 chainId,address keyRegistry,uint256 agentId,bytes32 identityKey,bytes32 salt)"
    );

    IKeyRegistry private immutable KEYS;
    IAgentValidationRegistry private immutable VALIDATIONS;

    /// @notice Fixes both registries for ever.
    /// @dev Reverts: NotAContract, IdentityRegistryMismatch.
    /// @param keyRegistry_ The KeyRegistry.
    /// @param validationRegistry_ The validation registry, of the same agents.
    constructor(IKeyRegistry keyRegistry_, IAgentValidationRegistry validationRegistry_) {
        if (address(keyRegistry_).code.length == 0) revert NotAContract(address(keyRegistry_));
        if (address(validationRegistry_).code.length == 0) revert NotAContract(address(validationRegistry_));
        address identities = validationRegistry_.getIdentityRegistry();
        if (identities == address(0) || keyRegistry_.identityRegistry() != identities) {
            revert IdentityRegistryMismatch(keyRegistry_.identityRegistry(), identities);
        }
        KEYS = keyRegistry_;
        VALIDATIONS = validationRegistry_;
    }

    /// @inheritdoc IAgentKeyValidator
    // NOTE: open to everyone. The caller decides when the answer is recorded, and nothing of what it says.
    function respond(uint256 agentId, bytes32 identityKey, bytes32 salt) external returns (uint8 response) {
        bytes32 request = requestHash(agentId, identityKey, salt);
        (, uint256 recorded,,,,) = VALIDATIONS.getValidationStatus(request);
        // Anyone may request under any hash, but for an agent of its own alone.
        if (recorded != agentId) revert RequestOfAnotherAgent(request, recorded, agentId);
        bytes32 responseHash;
        string memory tag;
        (response, responseHash, tag) = judge(agentId, identityKey);
        VALIDATIONS.validationResponse(request, response, "", responseHash, tag);
    }

    /// @inheritdoc IAgentKeyValidator
    function keyRegistry() external view returns (IKeyRegistry contract_) {
        return KEYS;
    }

    /// @inheritdoc IAgentKeyValidator
    function validationRegistry() external view returns (IAgentValidationRegistry contract_) {
        return VALIDATIONS;
    }

    /// @inheritdoc IAgentKeyValidator
    function requestHash(uint256 agentId, bytes32 identityKey, bytes32 salt) public view returns (bytes32 hash) {
        return keccak256(abi.encode(REQUEST_TYPEHASH, block.chainid, KEYS, agentId, identityKey, salt));
    }

    /// @inheritdoc IAgentKeyValidator
    function judge(uint256 agentId, bytes32 identityKey)
        public
        view
        returns (uint8 response, bytes32 responseHash, string memory tag)
    {
        address owner = KEYS.agentOwner(agentId);
        KeyBundle memory bundle = KEYS.getKeyBundle(owner, identityKey);
        (Standing standing, bytes4 enclaveReason) = KEYS.isTrusted(owner, identityKey);
        AssuranceLevel level = AssuranceLevel.NONE;
        if (standing == Standing.TRUSTED) level = KEYS.enclaveRegistry().assuranceOf(bundle.authority);
        response = level >= AssuranceLevel.WALLET ? 100 : 0;
        responseHash = keccak256(abi.encode(bundle, standing, enclaveReason, level));
        tag = string.concat("xmtp-tee/", _name(level));
    }

    function _name(AssuranceLevel level) private pure returns (string memory name) {
        if (level == AssuranceLevel.SIMULATED) return "simulated";
        if (level == AssuranceLevel.WALLET) return "wallet";
        if (level == AssuranceLevel.CVM) return "cvm";
        if (level == AssuranceLevel.MEMBER) return "member";
        return "none";
    }
}
