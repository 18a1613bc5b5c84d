// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Der} from "./Der.sol";
import {DerExtension} from "./DerExtension.sol";
import {X509Fields} from "./X509Fields.sol";

/// @notice What a certificate's extensions say of its key. Nothing in it has been verified yet.
/// @param authorityKeyId The issuer's key id; 0 when the extension is absent.
/// @param subjectKeyId The subject's key id; 0 when the extension is absent.
/// @param keyUsage The bits of RFC 5280's KeyUsage, bit 0 (digitalSignature) on top; 0 when absent.
/// @param ca Whether basicConstraints says CA.
/// @param pathLength The path length constraint; {X509Fields.NO_PATH_LENGTH} when absent.
struct KeyRole {
    bytes20 authorityKeyId;
    bytes20 subjectKeyId;
    uint16 keyUsage;
    bool ca;
    uint256 pathLength;
}

/// @title X509Extensions
/// @notice Reads the four extensions of RFC 5280 that say what a key is for. Others are ignored unless they are
/// critical; none may occur twice.
library X509Extensions {
    using Der for bytes;

    /// @notice A key may not do what it is used for, or may do what it must not.
    /// @param got KeyUsage, first octet of the bit string on top.
    error KeyUsageMismatch(uint16 got, uint16 required, uint16 forbidden);
    /// @notice basicConstraints says CA where an end entity is required, or the other way round.
    error BasicConstraintsMismatch(bool ca, bool expected);

    /// @notice Reads the extensions, which must reach exactly to `end`.
    /// @param untrimmed Whether the issuer leaves zero bits at the end of a key usage, which DER would drop.
    function read(bytes memory der, uint256 offset, uint256 end, bool untrimmed)
        internal
        pure
        returns (KeyRole memory role)
    {
        uint256 first;
        (first, offset) = enter(der, offset, end);
        role.pathLength = X509Fields.NO_PATH_LENGTH;
        for (offset = first; offset < end;) {
            (uint256 oid, bool critical, uint256 start, uint256 stop) = DerExtension.read(der, offset, end);
            DerExtension.requireFirst(der, first, offset, oid);
            if (oid == X509Fields.AUTHORITY_KEY_ID) {
                role.authorityKeyId = X509Fields.authorityKeyId(der, start, stop);
            } else if (oid == X509Fields.SUBJECT_KEY_ID) {
                role.subjectKeyId = X509Fields.subjectKeyId(der, start, stop);
            } else if (oid == X509Fields.KEY_USAGE) {
                role.keyUsage =
                    untrimmed ? X509Fields.untrimmedKeyUsage(der, start, stop) : X509Fields.keyUsage(der, start, stop);
            } else if (oid == X509Fields.BASIC_CONSTRAINTS) {
                (role.ca, role.pathLength) = X509Fields.basicConstraints(der, start, stop);
            } else {
                DerExtension.ignore(offset, oid, critical);
            }
            offset = stop;
        }
    }

    /// @notice Enters `[3] EXPLICIT SEQUENCE OF Extension`, the last field of the signed part.
    /// @return first Where the first extension begins.
    /// @return last Where the last one ends, which is `end`.
    function enter(bytes memory der, uint256 offset, uint256 end) internal pure returns (uint256 first, uint256 last) {
        (first, last) = der.enter(offset, end, 0xa3);
        Der.finish(last, end);
        (first, last) = der.enter(first, end, Der.SEQUENCE);
        Der.finish(last, end);
    }

    /// @notice Refuses a key that is no CA's, or may not sign certificates.
    function requireCa(KeyRole memory role) internal pure {
        if (!role.ca) revert BasicConstraintsMismatch(role.ca, true);
        _requireUsage(role.keyUsage, X509Fields.KEY_CERT_SIGN, 0);
    }

    /// @notice Refuses a key that is a CA's, may sign certificates or CRLs, or may not make digital signatures.
    function requireEndEntity(KeyRole memory role) internal pure {
        if (role.ca) revert BasicConstraintsMismatch(role.ca, false);
        _requireUsage(role.keyUsage, X509Fields.DIGITAL_SIGNATURE, X509Fields.KEY_CERT_SIGN | X509Fields.CRL_SIGN);
    }

    function _requireUsage(uint16 usage, uint16 required, uint16 forbidden) private pure {
        if (usage & required != required || usage & forbidden != 0) {
            revert KeyUsageMismatch(usage, required, forbidden);
        }
    }
}
