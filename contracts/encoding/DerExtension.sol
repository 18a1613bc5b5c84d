// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Der} from "./Der.sol";

/// @title DerExtension
/// @notice Reads X.509 extensions one by one (RFC 5280, section 4.1.2.9), of certificates, CRLs and CRL entries.
library DerExtension {
    using Der for bytes;

    /// @notice An extension that must be understood is not. `oid` is in {Der.objectIdentifier}'s form.
    error ExtensionCriticalUnknown(uint256 offset, uint256 oid);
    /// @notice An extension occurs twice.
    error ExtensionDuplicate(uint256 offset, uint256 oid);
    /// @notice `critical` is FALSE, which DER leaves out because it is the default.
    error ExtensionDefaultEncoded(uint256 offset);

    /// @notice Reads the extension at `offset` of a list that ends at `end`. That none occurs twice is left to
    /// {requireFirst} or to a caller that remembers which it met.
    /// @return oid Its object identifier in {Der.objectIdentifier}'s form.
    /// @return critical Whether it must be understood.
    /// @return start Where its value begins, inside the OCTET STRING.
    /// @return stop Where its value ends, which is where the next extension begins.
    function read(bytes memory der, uint256 offset, uint256 end)
        internal
        pure
        returns (uint256 oid, bool critical, uint256 start, uint256 stop)
    {
        (start, stop) = der.enter(offset, end, Der.SEQUENCE);
        (oid, start) = der.objectIdentifier(start, stop);
        if (start < stop && der.byteAt(start) == Der.BOOLEAN) {
            (critical, start) = der.boolean(start, stop);
            if (!critical) revert ExtensionDefaultEncoded(offset);
        }
        uint256 valueEnd;
        (start, valueEnd) = der.enter(start, stop, Der.OCTET_STRING);
        Der.finish(valueEnd, stop);
    }

    /// @notice Refuses the extension at `offset` if the list, which begins at `first`, holds its identifier before.
    /// @dev Lists are short (6 in Intel's certificates), so looking back costs less than remembering any identifier.
    function requireFirst(bytes memory der, uint256 first, uint256 offset, uint256 oid) internal pure {
        while (first < offset) {
            (uint256 content, uint256 next) = der.enter(first, offset, Der.SEQUENCE);
            (uint256 earlier,) = der.objectIdentifier(content, next);
            if (earlier == oid) revert ExtensionDuplicate(offset, oid);
            first = next;
        }
    }

    /// @notice What to do with an extension that the reader does not know: ignore it unless it is critical.
    function ignore(uint256 offset, uint256 oid, bool critical) internal pure {
        if (critical) revert ExtensionCriticalUnknown(offset, oid);
    }
}
