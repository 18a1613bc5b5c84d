// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";

import {IEnclaveRegistry} from "../interfaces/IEnclaveRegistry.sol";
import {IKeyRegistry} from "../interfaces/IKeyRegistry.sol";
import {IKeyViews} from "../interfaces/IKeyViews.sol";

/// @title PolicyPause
/// @notice A pause in the hands of those who administer the policy of enclaves; see {IKeyRegistry}. They can do
/// nothing else here.
abstract contract PolicyPause is IKeyRegistry, Pausable {
    IEnclaveRegistry internal immutable ENCLAVES;

    /// @dev Reverts: NotAContract.
    constructor(IEnclaveRegistry enclaveRegistry_) {
        if (address(enclaveRegistry_).code.length == 0) revert NotAContract(address(enclaveRegistry_));
        ENCLAVES = enclaveRegistry_;
    }

    /// @inheritdoc IKeyRegistry
    function pause() external {
        if (!_ownsPolicy(msg.sender) && !ENCLAVES.policy().isGuardian(msg.sender)) {
            revert PauseUnauthorized(msg.sender);
        }
        _pause();
    }

    /// @inheritdoc IKeyRegistry
    function unpause() external {
        if (!_ownsPolicy(msg.sender)) revert UnpauseUnauthorized(msg.sender);
        _unpause();
    }

    /// @inheritdoc IKeyViews
    function enclaveRegistry() external view returns (IEnclaveRegistry contract_) {
        return ENCLAVES;
    }

    function _ownsPolicy(address account) private view returns (bool) {
        return account == ENCLAVES.policy().owner();
    }
}
