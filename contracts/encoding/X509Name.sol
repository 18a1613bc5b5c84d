// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Der} from "./Der.sol";

/// @title X509Name
/// @notice Finds the common name in a distinguished name (RFC 5280, section 4.1.2.4).
library X509Name {
    using Der for bytes;

    /// @notice The name has no common name, or more than one.
    error CommonNameNotOne(uint256 offset);
    /// @notice A relative distinguished name consists of more than one attribute.
    error NamePartNotSingle(uint256 offset);

    uint8 private constant _SET = 0x31;
    uint8 private constant _UTF8_STRING = 0x0c;
    uint256 private constant _COMMON_NAME = (3 << 248) | 0x550403; // 2.5.4.3

    /// @notice Finds the text of the one common name, which must be a UTF8String.
    /// @return start Where the text begins.
    /// @return stop Where it ends.
    function commonName(bytes memory der, uint256 offset, uint256 end)
        internal
        pure
        returns (uint256 start, uint256 stop)
    {
        uint256 name = offset;
        (offset, end) = der.enter(offset, end, Der.SEQUENCE);
        while (offset < end) {
            (uint256 part, uint256 next) = der.enter(offset, end, _SET);
            (uint256 attribute, uint256 attributeEnd) = der.enter(part, next, Der.SEQUENCE);
            if (attributeEnd != next) revert NamePartNotSingle(offset);
            uint256 oid;
            (oid, attribute) = der.objectIdentifier(attribute, next);
            if (oid == _COMMON_NAME) {
                if (stop != 0) revert CommonNameNotOne(name);
                (start, stop) = der.enter(attribute, next, _UTF8_STRING);
                Der.finish(stop, next);
            }
            offset = next;
        }
        if (stop == 0) revert CommonNameNotOne(name);
    }
}
