// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Der} from "./Der.sol";

/// @title DerEcdsaSignature
/// @notice Reads ECDSA-Sig-Value (RFC 3279, section 2.2.3): SEQUENCE of the INTEGERs r and s in a BIT STRING.
/// @dev Says nothing of validity: neither the range nor the equation is checked here.
library DerEcdsaSignature {
    using Der for bytes;

    /// @notice Reads the signature, which must reach exactly to `end`.
    function readLast(bytes memory der, uint256 offset, uint256 end) internal pure returns (uint256 r, uint256 s) {
        (uint256 start, uint256 stop) = der.enterLastBits(offset, end);
        (start, stop) = der.enter(start, end, Der.SEQUENCE);
        Der.finish(stop, end);
        (r, start) = der.unsigned(start, stop, type(uint256).max);
        (s, start) = der.unsigned(start, stop, type(uint256).max);
        Der.finish(start, stop);
    }
}
