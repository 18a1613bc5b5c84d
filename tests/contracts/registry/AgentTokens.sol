// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";

/// @title AgentTokens
/// @notice What the KeyRegistry sees of an ERC-8004 identity registry: an ERC-721. Agents are numbered from 0.
/// WARNING: exists in tests alone; anybody may burn an agent.
contract AgentTokens is ERC721("Agents", "AGENT") {
    uint256 private _count;

    function register() external returns (uint256 agentId) {
        agentId = _count++;
        _mint(msg.sender, agentId);
    }

    function burn(uint256 agentId) external {
        _burn(agentId);
    }
}
