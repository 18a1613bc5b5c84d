// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title CounterfactualDeployer
/// @notice Calls the factory that a stranger names (ERC-6492), so that no contract with rights has to.
/// @dev It owns nothing, stores nothing, and nothing trusts it as a sender: whatever a forged wrapper makes it call
/// gets the powers of nobody. KeyRegistry makes its own, and judges by the code that stands at the owner's address
/// afterwards, so neither the call's success nor its answer matters.
contract CounterfactualDeployer {
    /// @notice Calls `factory`, without value; reads none of its answer, however long that is.
    /// @dev Reverts: never, unless gas runs out.
    /// @param factory Whom to call.
    /// @param factoryCall What to call it with.
    // NOTE: open to everyone, on purpose: there is nothing to protect.
    function deploy(address factory, bytes calldata factoryCall) external {
        assembly ("memory-safe") {
            let data := mload(0x40)
            calldatacopy(data, factoryCall.offset, factoryCall.length)
            pop(call(gas(), factory, 0, data, factoryCall.length, 0, 0))
        }
    }
}
