// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC5267} from "@openzeppelin/contracts/interfaces/IERC5267.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {ERC165} from "@openzeppelin/contracts/utils/introspection/ERC165.sol";

import {IEnclaveRegistry} from "./interfaces/IEnclaveRegistry.sol";
import {IKeyAgents} from "./interfaces/IKeyAgents.sol";
import {IKeyBundles} from "./interfaces/IKeyBundles.sol";
import {IKeyDelegation} from "./interfaces/IKeyDelegation.sol";
import {IKeyRegistry} from "./interfaces/IKeyRegistry.sol";
import {IKeyViews} from "./interfaces/IKeyViews.sol";
import {AgentBundles} from "./keys/AgentBundles.sol";
import {BatchRegistration} from "./keys/BatchRegistration.sol";
import {KeyViews} from "./keys/KeyViews.sol";
import {PolicyPause} from "./keys/PolicyPause.sol";

/// @title KeyRegistry
/// @notice Which keys an owner has published; see {IKeyRegistry}. Its rules live in contracts/keys:
/// PolicyPause who may pause, KeyBundles the state machine, OwnerIntents acts by signature, BatchRegistration many
/// owners at once, AgentBundles ERC-8004 agents, KeyViews what readers ask.
contract KeyRegistry is BatchRegistration, KeyViews, ERC165 {
    /// @notice Fixes the registry of enclaves and that of agents for ever.
    /// @dev Reverts: NotAContract.
    /// @param enclaveRegistry_ The registry of enclaves, whose policy's owner and guardians may pause.
    /// @param identityRegistry_ The ERC-8004 identity registry; zero for a deployment without agents.
    constructor(IEnclaveRegistry enclaveRegistry_, address identityRegistry_)
        EIP712("XMTP TEE KeyRegistry", "1")
        PolicyPause(enclaveRegistry_)
        AgentBundles(identityRegistry_)
    {}

    /// @inheritdoc ERC165
    function supportsInterface(bytes4 interfaceId) public view override returns (bool supported) {
        return interfaceId == type(IKeyRegistry).interfaceId || interfaceId == type(IKeyBundles).interfaceId
            || interfaceId == type(IKeyDelegation).interfaceId || interfaceId == type(IKeyAgents).interfaceId
            || interfaceId == type(IKeyViews).interfaceId || interfaceId == type(IERC5267).interfaceId
            || super.supportsInterface(interfaceId);
    }
}
