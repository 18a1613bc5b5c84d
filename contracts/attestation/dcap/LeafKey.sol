// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Der} from "../../encoding/Der.sol";

/// @title LeafKey
/// @notice The P-256 public key of an X.509 certificate (RFC 5280, `subjectPublicKeyInfo`).
/// @dev WARNING: a locator, not a check. The certificate has been accepted before, and what is found here is
/// compared with the key under which it was accepted.
library LeafKey {
    /// @dev SEQUENCE of the algorithm, 21 bytes, then the head of the bit string and the mark of an
    /// uncompressed point, 4 bytes.
    uint256 private constant _POINT = 25;

    /// @return x The point's x.
    /// @return y The point's y.
    function read(bytes memory der) internal pure returns (uint256 x, uint256 y) {
        (uint256 offset, uint256 end) = Der.enter(der, 0, der.length, Der.SEQUENCE);
        (offset, end) = Der.enter(der, offset, end, Der.SEQUENCE);
        // [0] version, serialNumber, signature, issuer, validity, subject.
        (, offset) = Der.enter(der, offset, end, 0xa0);
        (, offset) = Der.enter(der, offset, end, Der.INTEGER);
        for (uint256 i = 0; i < 4; ++i) {
            (, offset) = Der.enter(der, offset, end, Der.SEQUENCE);
        }
        (offset,) = Der.enterExact(der, offset, end, Der.SEQUENCE, _POINT + 64);
        x = Der.wordAt(der, offset + _POINT);
        y = Der.wordAt(der, offset + _POINT + 32);
    }
}
