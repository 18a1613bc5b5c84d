// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

// Who imports this finds the types of its parts here too.
// solhint-disable no-unused-import
import {IKeyAgents} from "./IKeyAgents.sol";
import {IKeyBundles, KeyBundle, KeyState} from "./IKeyBundles.sol";
import {IKeyDelegation, Registration} from "./IKeyDelegation.sol";
import {IKeyViews, PublishedKey, Standing} from "./IKeyViews.sol";

// solhint-enable no-unused-import

/// @title IKeyRegistry
/// @notice Answers one question: which keys has this owner published, and does an attested enclave hold them?
/// @dev Normative description: docs/SPECIFICATION.md, KeyRegistry. Its parts: {IKeyBundles} the state machine,
/// {IKeyDelegation} acts by signature and batches, {IKeyAgents} bundles of ERC-8004 agents, {IKeyViews} what
/// readers ask. Nobody owns this contract: a pause is all that the policy's owner and guardians can do to it.
interface IKeyRegistry is IKeyBundles, IKeyDelegation, IKeyAgents, IKeyViews {
    // --- errors ------------------------------------------------------------------------------------

    /// @notice A contract this one depends on has no code.
    error NotAContract(address account);
    /// @notice Only the owner and the guardians of {IEnclaveRegistry.policy} may pause.
    error PauseUnauthorized(address sender);
    /// @notice Only the owner of {IEnclaveRegistry.policy} may end a pause.
    error UnpauseUnauthorized(address sender);

    // --- administration ----------------------------------------------------------------------------

    /// @notice Stops registration and rotation. Revocation, cancellation and reads go on.
    /// @dev The policy's owner or a guardian. Reverts: {PauseUnauthorized}, EnforcedPause.
    function pause() external;

    /// @notice Ends a pause.
    /// @dev The policy's owner. Reverts: {UnpauseUnauthorized}, ExpectedPause.
    function unpause() external;
}
