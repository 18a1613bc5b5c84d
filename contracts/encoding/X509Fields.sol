// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {SliceHash} from "../crypto/SliceHash.sol";
import {Der} from "./Der.sol";
import {DerTime} from "./DerTime.sol";

/// @title X509Fields
/// @notice Reads the fields that X.509 certificates and CRLs of every vendor have in common (RFC 5280).
/// @dev
/// ██ WARNING ██
/// Reading verifies nothing: no signature, no issuer, no time, no role. Its caller does.
library X509Fields {
    using Der for bytes;
    using SliceHash for bytes;

    uint256 internal constant NO_PATH_LENGTH = type(uint256).max;
    // KeyUsage, bit 0 on top.
    uint16 internal constant DIGITAL_SIGNATURE = 0x8000;
    uint16 internal constant KEY_CERT_SIGN = 0x0400;
    uint16 internal constant CRL_SIGN = 0x0200;

    // Object identifiers in Der.objectIdentifier's form.
    uint256 internal constant SUBJECT_KEY_ID = (3 << 248) | 0x551d0e; // 2.5.29.14
    uint256 internal constant KEY_USAGE = (3 << 248) | 0x551d0f; // 2.5.29.15
    uint256 internal constant BASIC_CONSTRAINTS = (3 << 248) | 0x551d13; // 2.5.29.19
    uint256 internal constant AUTHORITY_KEY_ID = (3 << 248) | 0x551d23; // 2.5.29.35

    /// @notice The certificate is not of version 3.
    error CertificateVersionUnsupported(uint256 offset);
    /// @notice The signature algorithm, inside or outside of the signed part, is not the one that the vendor uses.
    error SignatureAlgorithmUnsupported(uint256 offset);
    /// @notice The public key is not of the kind that the vendor uses.
    error PublicKeyUnsupported(uint256 offset);
    /// @notice A constraint on the path length without cA, or cA written as FALSE.
    error BasicConstraintsInvalid(uint256 offset);

    uint256 private constant _SERIAL_LIMIT = type(uint160).max;
    /// @dev [0] { INTEGER 2 }
    bytes32 private constant _VERSION_3 = bytes32(bytes5(hex"a003020102"));

    /// @notice Reads past the version, which must be 3.
    function version3(bytes memory der, uint256 offset, uint256 end) internal pure returns (uint256 next) {
        if (!der.startsWith(offset, end, _VERSION_3, 5)) revert CertificateVersionUnsupported(offset);
        return offset + 5;
    }

    /// @notice Reads a serial number of at most 160 bits.
    /// @dev RFC 5280 allows 20 octets; some issuers use 20 octets and a zero octet before them, where DER needs it.
    function serialNumber(bytes memory der, uint256 offset, uint256 end)
        internal
        pure
        returns (uint256 serial, uint256 next)
    {
        return der.unsigned(offset, end, _SERIAL_LIMIT);
    }

    /// @notice Reads past an algorithm identifier of `length` bytes (at most 32), which must be exactly `expected`.
    function algorithm(bytes memory der, uint256 offset, uint256 end, bytes32 expected, uint256 length)
        internal
        pure
        returns (uint256 next)
    {
        if (!der.startsWith(offset, end, expected, length)) revert SignatureAlgorithmUnsupported(offset);
        return offset + length;
    }

    /// @notice Reads a name as keccak256 of its encoding.
    function name(bytes memory der, uint256 offset, uint256 end) internal pure returns (bytes32 hash, uint256 next) {
        (, next) = der.enter(offset, end, Der.SEQUENCE);
        hash = der.keccakOf(offset, next);
    }

    /// @notice Reads Validity: the first and the last second, unix time.
    function validity(bytes memory der, uint256 offset, uint256 end)
        internal
        pure
        returns (uint40 notBefore, uint40 notAfter, uint256 next)
    {
        (offset, next) = der.enter(offset, end, Der.SEQUENCE);
        (notBefore, offset) = DerTime.read(der, offset, next);
        (notAfter, offset) = DerTime.read(der, offset, next);
        Der.finish(offset, next);
    }

    /// @notice Reads the value of an authority key identifier that consists of a 20-byte key id.
    function authorityKeyId(bytes memory der, uint256 offset, uint256 end) internal pure returns (bytes20 keyId) {
        (uint256 start, uint256 stop) = der.enter(offset, end, Der.SEQUENCE);
        Der.finish(stop, end);
        // [0] IMPLICIT OCTET STRING
        (start, stop) = der.enterExact(start, end, 0x80, 20);
        Der.finish(stop, end);
        return bytes20(bytes32(der.wordAt(start)));
    }

    /// @notice Reads the value of a subject key identifier of 20 bytes.
    function subjectKeyId(bytes memory der, uint256 offset, uint256 end) internal pure returns (bytes20 keyId) {
        (bytes32 value, uint256 next) = der.octets(offset, end, 20);
        Der.finish(next, end);
        return bytes20(value);
    }

    /// @notice Reads the value of a key usage.
    function keyUsage(bytes memory der, uint256 offset, uint256 end) internal pure returns (uint16 usage) {
        uint256 next;
        (usage, next) = der.namedBits(offset, end);
        Der.finish(next, end);
    }

    /// @notice The same where the issuer leaves zero bits at the end, as AMD does: DER would drop them.
    function untrimmedKeyUsage(bytes memory der, uint256 offset, uint256 end) internal pure returns (uint16 usage) {
        uint256 next;
        (usage,, next) = der.bits16(offset, end);
        Der.finish(next, end);
    }

    /// @notice Reads the value of basic constraints.
    /// @return ca Whether it says CA.
    /// @return pathLength The path length constraint; NO_PATH_LENGTH when absent.
    function basicConstraints(bytes memory der, uint256 offset, uint256 end)
        internal
        pure
        returns (bool ca, uint256 pathLength)
    {
        pathLength = NO_PATH_LENGTH;
        (uint256 start, uint256 stop) = der.enter(offset, end, Der.SEQUENCE);
        Der.finish(stop, end);
        if (start == stop) return (ca, pathLength);
        // FALSE is the default and left out, and only a CA may constrain its path.
        (ca, start) = der.boolean(start, stop);
        if (!ca) revert BasicConstraintsInvalid(offset);
        if (start == stop) return (ca, pathLength);
        (pathLength, start) = der.unsigned(start, stop, type(uint8).max);
        Der.finish(start, stop);
    }
}
