// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {TeeKind} from "../interfaces/AttestationTypes.sol";

/// @title TeeKinds
/// @notice A set of TEE kinds as a number: bit n stands for the kind of value n. Bit 0, NONE, is never set.
library TeeKinds {
    /// @dev Every kind there is.
    uint8 internal constant ALL = 0x1e;

    /// @dev The set of one kind.
    function only(TeeKind kind) internal pure returns (uint8) {
        return uint8(1) << uint8(kind);
    }

    /// @dev Whether a set has a kind.
    function contains(uint8 kinds, TeeKind kind) internal pure returns (bool) {
        return kinds & only(kind) != 0;
    }

    /// @dev How many kinds a set has.
    function count(uint8 kinds) internal pure returns (uint256 number) {
        for (; kinds != 0; kinds &= kinds - 1) {
            ++number;
        }
    }
}
