// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title IAgentValidationRegistry
/// @notice The part of ERC-8004's validation registry that a validator uses. Foreign code.
/// @dev As in ERC-8004 and in erc-8004/erc-8004-contracts, ValidationRegistryUpgradeable 1.1.0.
interface IAgentValidationRegistry {
    /// @notice Records a validator's answer to a request. Reverts unless the sender is the validator it names.
    /// @param requestHash The request.
    /// @param response 0 to 100.
    /// @param responseURI Where more is said; may be empty.
    /// @param responseHash A commitment to what is said.
    /// @param tag What kind of answer it is.
    function validationResponse(
        bytes32 requestHash,
        uint8 response,
        string calldata responseURI,
        bytes32 responseHash,
        string calldata tag
    ) external;

    /// @notice What is recorded of a request. Reverts when there is none.
    /// @param requestHash The request.
    /// @return validatorAddress Who is to answer.
    /// @return agentId Whom it is about.
    /// @return response The last answer.
    /// @return responseHash The last answer's commitment.
    /// @return tag The last answer's kind.
    /// @return lastUpdate When it changed last, unix seconds.
    function getValidationStatus(bytes32 requestHash)
        external
        view
        returns (
            address validatorAddress,
            uint256 agentId,
            uint8 response,
            bytes32 responseHash,
            string memory tag,
            uint256 lastUpdate
        );

    /// @notice Whose agents these are.
    /// @return registry The identity registry.
    function getIdentityRegistry() external view returns (address registry);
}
