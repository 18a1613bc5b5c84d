// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC721} from "@openzeppelin/contracts/interfaces/IERC721.sol";

import {IAgentValidationRegistry} from "../../../contracts/interfaces/IAgentValidationRegistry.sol";

/// @title ValidationRecords
/// @notice An ERC-8004 validation registry by its text: the agent's holder requests, the validator named answers.
/// WARNING: exists in tests alone.
contract ValidationRecords is IAgentValidationRegistry {
    struct Status {
        address validator;
        uint256 agentId;
        uint8 response;
        bytes32 responseHash;
        string tag;
        uint256 lastUpdate;
    }

    address public immutable getIdentityRegistry;
    mapping(bytes32 requestHash => Status status) private _requests;

    constructor(address identities) {
        getIdentityRegistry = identities;
    }

    function validationRequest(address validator, uint256 agentId, string calldata, bytes32 requestHash) external {
        require(_requests[requestHash].validator == address(0), "exists");
        require(IERC721(getIdentityRegistry).ownerOf(agentId) == msg.sender, "Not authorized");
        _requests[requestHash] = Status(validator, agentId, 0, 0, "", block.timestamp);
    }

    function validationResponse(
        bytes32 requestHash,
        uint8 response,
        string calldata,
        bytes32 responseHash,
        string calldata tag
    ) external {
        Status storage status = _requests[requestHash];
        require(status.validator != address(0), "unknown");
        require(status.validator == msg.sender, "not validator");
        require(response <= 100, "resp>100");
        (status.response, status.responseHash, status.tag, status.lastUpdate) =
        (response, responseHash, tag, block.timestamp);
    }

    function getValidationStatus(bytes32 requestHash)
        external
        view
        returns (address, uint256, uint8, bytes32, string memory, uint256)
    {
        Status storage status = _requests[requestHash];
        require(status.validator != address(0), "unknown");
        return (status.validator, status.agentId, status.response, status.responseHash, status.tag, status.lastUpdate);
    }
}
