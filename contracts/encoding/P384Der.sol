// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Uint384} from "../interfaces/IP384.sol";
import {Der} from "./Der.sol";
import {X509Fields} from "./X509Fields.sol";

/// @title P384Der
/// @notice Reads P-384 public keys (RFC 5480) and ECDSA signatures over them (RFC 3279, section 2.2.3).
/// @dev Says nothing of validity: whether the key is on the curve and the signature its own is for IP384 to say.
library P384Der {
    using Der for bytes;

    /// @notice The length of a SubjectPublicKeyInfo with a P-384 key.
    uint256 internal constant KEY_INFO_BYTES = 120;
    /// @notice How far behind its beginning x stands.
    uint256 internal constant KEY_INFO_HEAD = 24;

    /// @dev SEQUENCE { SEQUENCE { id-ecPublicKey, secp384r1 }, BIT STRING { 0 unused bits, uncompressed ... } }
    bytes32 private constant _KEY_HEAD = bytes32(bytes24(hex"3076301006072a8648ce3d020106052b8104002203620004"));

    /// @notice Reads a SubjectPublicKeyInfo with an uncompressed point of P-384.
    function key(bytes memory der, uint256 offset, uint256 end)
        internal
        pure
        returns (Uint384 memory x, Uint384 memory y, uint256 next)
    {
        next = offset + KEY_INFO_BYTES;
        if (next > end || !der.startsWith(offset, end, _KEY_HEAD, KEY_INFO_HEAD)) {
            revert X509Fields.PublicKeyUnsupported(offset);
        }
        (x, y) = point(der, offset + KEY_INFO_HEAD);
    }

    /// @notice The point whose x stands at an offset, y behind it: 48 bytes each, which the caller knows to be there.
    function point(bytes memory data, uint256 offset) internal pure returns (Uint384 memory x, Uint384 memory y) {
        return (number(data, offset), number(data, offset + 48));
    }

    /// @notice The 48 bytes at an offset, which the caller knows to be there, as a number.
    function number(bytes memory data, uint256 offset) internal pure returns (Uint384 memory value) {
        return Uint384(data.wordAt(offset) >> 128, data.wordAt(offset + 16));
    }

    /// @notice Reads ECDSA-Sig-Value in a BIT STRING, which must reach exactly to `end`.
    function lastSignature(bytes memory der, uint256 offset, uint256 end)
        internal
        pure
        returns (Uint384 memory r, Uint384 memory s)
    {
        (uint256 start, uint256 stop) = der.enterLastBits(offset, end);
        (start, stop) = der.enter(start, end, Der.SEQUENCE);
        Der.finish(stop, end);
        (r, start) = _integer(der, start, stop);
        (s, start) = _integer(der, start, stop);
        Der.finish(start, stop);
    }

    /// @dev An INTEGER from 0 to 2^384 - 1.
    function _integer(bytes memory der, uint256 offset, uint256 end)
        private
        pure
        returns (Uint384 memory value, uint256 next)
    {
        uint256 start;
        (start, next) = der.enterUnsigned(offset, end);
        uint256 length = next - start;
        if (length > 48) revert Der.DerIntegerTooLarge(offset, type(uint256).max);
        if (length <= 32) {
            value.low = der.wordAt(start) >> (8 * (32 - length));
        } else {
            // The first length - 32 bytes are the upper part.
            value.high = der.wordAt(start) >> (8 * (64 - length));
            value.low = der.wordAt(next - 32);
        }
    }
}
