// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC721} from "@openzeppelin/contracts/interfaces/IERC721.sol";

/// @title AgentToken
/// @notice Asks an ERC-8004 identity registry, which is an ERC-721, who holds an agent and who may act for it.
/// @dev That registry is foreign code, upgradeable where it is deployed today. Each question is a static call of
/// bounded gas, of whose answer one word is read; an answer that is none counts as a no.
library AgentToken {
    uint256 private constant GAS_PER_QUESTION = 100_000;

    /// @notice Who holds an agent.
    /// @param registry The identity registry.
    /// @param agentId The agent.
    /// @return holder Zero when there is no such agent, or no readable answer.
    function holderOf(address registry, uint256 agentId) internal view returns (address holder) {
        return address(uint160(_ask(registry, abi.encodeCall(IERC721.ownerOf, (agentId)), type(uint160).max)));
    }

    /// @notice Whether an account may act for an agent: its holder, its approved account, an operator of its holder.
    /// @param registry The identity registry.
    /// @param agentId The agent.
    /// @param holder Who holds it; not zero.
    /// @param account Who wants to act.
    /// @return controlled Whether it may.
    function isControlledBy(address registry, uint256 agentId, address holder, address account)
        internal
        view
        returns (bool controlled)
    {
        if (account == holder) return true;
        if (_ask(registry, abi.encodeCall(IERC721.isApprovedForAll, (holder, account)), 1) == 1) return true;
        return
            _ask(registry, abi.encodeCall(IERC721.getApproved, (agentId)), type(uint160).max)
                == uint256(uint160(account));
    }

    /// @dev The first word of the answer; zero when the call fails, or answers less, or more than `limit`.
    function _ask(address registry, bytes memory question, uint256 limit) private view returns (uint256 answer) {
        assembly ("memory-safe") {
            let answered := staticcall(GAS_PER_QUESTION, registry, add(question, 0x20), mload(question), 0x00, 0x20)
            if and(answered, gt(returndatasize(), 0x1f)) { answer := mload(0x00) }
            if gt(answer, limit) { answer := 0 }
        }
    }
}
