// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {SliceHash} from "../../crypto/SliceHash.sol";
import {Crl, RevocationList} from "../../encoding/Crl.sol";
import {Der} from "../../encoding/Der.sol";
import {DerEcdsaSignature} from "../../encoding/DerEcdsaSignature.sol";
import {DerExtension} from "../../encoding/DerExtension.sol";
import {X509Fields} from "../../encoding/X509Fields.sol";

/// @notice What is read of a certificate. Nothing in it has been verified yet.
/// @param serial The serial number, 1 to 2^160 - 1.
/// @param issuer keccak256 of the issuer's DER name.
/// @param subject keccak256 of the subject's DER name.
/// @param notBefore The first second of validity, unix seconds.
/// @param notAfter The last second of validity, unix seconds.
/// @param x The P-256 public key's x.
/// @param y The P-256 public key's y.
/// @param authorityKeyId The issuer's key id; 0 when the extension is absent.
/// @param subjectKeyId The subject's key id; 0 when the extension is absent.
/// @param keyUsage The bits of RFC 5280's KeyUsage, bit 0 (digitalSignature) on top; 0 when absent.
/// @param ca Whether basicConstraints says CA.
/// @param pathLength The path length constraint; {X509Fields.NO_PATH_LENGTH} when absent.
/// @param sgxExtension Where the content of Intel's SGX extension begins; 0 when absent.
/// @param sgxExtensionEnd Where it ends.
/// @param digest SHA-256 of the signed part.
/// @param r The signature's r.
/// @param s The signature's s.
struct Certificate {
    uint256 serial;
    bytes32 issuer;
    bytes32 subject;
    uint40 notBefore;
    uint40 notAfter;
    uint256 x;
    uint256 y;
    bytes20 authorityKeyId;
    bytes20 subjectKeyId;
    uint16 keyUsage;
    bool ca;
    uint256 pathLength;
    uint256 sgxExtension;
    uint256 sgxExtensionEnd;
    bytes32 digest;
    uint256 r;
    uint256 s;
}

/// @title X509
/// @notice Reads X.509 v3 certificates of Intel's profile (Intel SGX PCK Certificate and Certificate Revocation
/// List Profile Specification; RFC 5280): P-256 keys, ecdsa-with-SHA256, key ids of 20 bytes.
/// @dev
/// ██ WARNING ██
/// Reading verifies nothing: no signature, no issuer, no time, no role. Its caller does.
library X509 {
    using Der for bytes;
    using SliceHash for bytes;

    /// @notice Serial numbers are positive.
    error SerialNumberZero(uint256 offset);

    // Object identifiers in Der.objectIdentifier's form.
    uint256 private constant _SGX_EXTENSION = (9 << 248) | 0x2a864886f84d010d01; // 1.2.840.113741.1.13.1

    /// @dev SEQUENCE { OBJECT IDENTIFIER 1.2.840.10045.4.3.2 }
    bytes32 private constant _ECDSA_WITH_SHA256 = bytes32(bytes12(hex"300a06082a8648ce3d040302"));
    // Extensions in the form that Intel's PCK certificates have them in, up to what varies.
    /// @dev SEQUENCE { 2.5.29.35, OCTET STRING { SEQUENCE { [0] of 20 bytes } } }
    uint256 private constant _AUTHORITY_KEY_ID_HEAD = 0x301f0603551d23041830168014;
    /// @dev SEQUENCE { 2.5.29.14, OCTET STRING { OCTET STRING of 20 bytes } }
    uint256 private constant _SUBJECT_KEY_ID_HEAD = 0x301d0603551d0e04160414;
    /// @dev SEQUENCE { 2.5.29.15, TRUE, OCTET STRING { BIT STRING { digitalSignature, nonRepudiation } } }
    uint256 private constant _LEAF_KEY_USAGE = 0x300e0603551d0f0101ff0404030206c0;
    /// @dev SEQUENCE { 2.5.29.19, TRUE, OCTET STRING { SEQUENCE {} } }
    uint256 private constant _LEAF_BASIC_CONSTRAINTS = 0x300c0603551d130101ff04023000;

    /// @dev SEQUENCE { SEQUENCE { id-ecPublicKey, prime256v1 }, BIT STRING { 0 unused bits, uncompressed ... } }
    bytes32 private constant _P256_KEY = bytes32(bytes27(hex"3059301306072a8648ce3d020106082a8648ce3d03010703420004"));

    /// @notice Reads a certificate that fills the array exactly.
    function read(bytes memory der) internal view returns (Certificate memory certificate) {
        (uint256 signed, uint256 end) = der.enter(0, der.length, Der.SEQUENCE);
        Der.finish(end, der.length);
        (uint256 offset, uint256 signedEnd) = der.enter(signed, end, Der.SEQUENCE);
        certificate.digest = der.sha256Of(signed, signedEnd);

        offset = X509Fields.version3(der, offset, signedEnd);
        (certificate.serial, offset) = X509Fields.serialNumber(der, offset, signedEnd);
        if (certificate.serial == 0) revert SerialNumberZero(offset);
        offset = algorithm(der, offset, signedEnd);
        (certificate.issuer, offset) = X509Fields.name(der, offset, signedEnd);
        (certificate.notBefore, certificate.notAfter, offset) = X509Fields.validity(der, offset, signedEnd);
        (certificate.subject, offset) = X509Fields.name(der, offset, signedEnd);
        if (offset + 91 > signedEnd || !der.startsWith(offset, signedEnd, _P256_KEY, 27)) {
            revert X509Fields.PublicKeyUnsupported(offset);
        }
        certificate.x = der.wordAt(offset + 27);
        certificate.y = der.wordAt(offset + 59);
        _extensions(der, offset + 91, signedEnd, certificate);

        offset = algorithm(der, signedEnd, end);
        (certificate.r, certificate.s) = DerEcdsaSignature.readLast(der, offset, end);
    }

    /// @notice Reads a revocation list that fills the array exactly; its entries are read by {Crl.serials}.
    function readCrl(bytes memory der) internal view returns (RevocationList memory list) {
        (uint256 signed, uint256 signedEnd, uint256 offset) = (0, 0, 0);
        (list, signed, signedEnd, offset) = Crl.readBody(der, _ECDSA_WITH_SHA256, 12);
        list.digest = der.sha256Of(signed, signedEnd);
        (list.r, list.s) = DerEcdsaSignature.readLast(der, offset, der.length);
    }

    /// @notice Reads past the algorithm identifier of ecdsa-with-SHA256.
    function algorithm(bytes memory der, uint256 offset, uint256 end) internal pure returns (uint256 next) {
        return X509Fields.algorithm(der, offset, end, _ECDSA_WITH_SHA256, 12);
    }

    function _extensions(bytes memory der, uint256 offset, uint256 end, Certificate memory certificate) private pure {
        // [3] EXPLICIT SEQUENCE OF Extension, the last field of the signed part.
        (uint256 first, uint256 last) = der.enter(offset, end, 0xa3);
        Der.finish(last, end);
        (first, last) = der.enter(first, end, Der.SEQUENCE);
        Der.finish(last, end);

        certificate.pathLength = X509Fields.NO_PATH_LENGTH;
        offset = first;
        // One bit for each extension that is understood, set when it has been met.
        uint256 met;
        while (offset < end) {
            (uint256 seen, uint256 following) = _usualExtension(der, offset, end, certificate);
            if (seen & ~met != 0) {
                (met, offset) = (met | seen, following);
                continue;
            }
            (uint256 oid, bool critical, uint256 start, uint256 stop) = DerExtension.read(der, offset, end);
            uint256 bit = _bitOf(oid);
            if (bit & met != 0) revert DerExtension.ExtensionDuplicate(offset, oid);
            met |= bit;
            if (oid == X509Fields.AUTHORITY_KEY_ID) {
                certificate.authorityKeyId = X509Fields.authorityKeyId(der, start, stop);
            } else if (oid == X509Fields.SUBJECT_KEY_ID) {
                certificate.subjectKeyId = X509Fields.subjectKeyId(der, start, stop);
            } else if (oid == X509Fields.KEY_USAGE) {
                certificate.keyUsage = X509Fields.keyUsage(der, start, stop);
            } else if (oid == X509Fields.BASIC_CONSTRAINTS) {
                (certificate.ca, certificate.pathLength) = X509Fields.basicConstraints(der, start, stop);
            } else if (oid == _SGX_EXTENSION) {
                (certificate.sgxExtension, certificate.sgxExtensionEnd) = (start, stop);
            } else {
                DerExtension.requireFirst(der, first, offset, oid);
                DerExtension.ignore(offset, oid, critical);
            }
            offset = stop;
        }
    }

    /// @dev Reads an extension that is, to the byte, in the form that PCK certificates have it in; the bit is 0 for any
    /// other, which goes the long way. Accepts nothing, and reads nothing into it, that the long way would not.
    function _usualExtension(bytes memory der, uint256 offset, uint256 end, Certificate memory certificate)
        private
        pure
        returns (uint256 bit, uint256 next)
    {
        unchecked {
            // Offsets of bytes in memory: no sum comes near 2**256.
            uint256 word = der.wordAt(offset);
            if (word >> 152 == _AUTHORITY_KEY_ID_HEAD) {
                (bit, next) = (1, offset + 33);
                if (next <= end) certificate.authorityKeyId = bytes20(bytes32(der.wordAt(offset + 13)));
            } else if (word >> 168 == _SUBJECT_KEY_ID_HEAD) {
                (bit, next) = (2, offset + 31);
                if (next <= end) certificate.subjectKeyId = bytes20(bytes32(word << 88));
            } else if (word >> 128 == _LEAF_KEY_USAGE) {
                (bit, next) = (4, offset + 16);
                certificate.keyUsage = 0xc000;
            } else if (word >> 144 == _LEAF_BASIC_CONSTRAINTS) {
                // Neither a CA nor a path length: what the fields hold already.
                (bit, next) = (8, offset + 14);
            }
            if (next > end) bit = 0;
        }
    }

    /// @dev 0 for an extension that is not understood.
    function _bitOf(uint256 oid) private pure returns (uint256) {
        if (oid == X509Fields.AUTHORITY_KEY_ID) return 1;
        if (oid == X509Fields.SUBJECT_KEY_ID) return 2;
        if (oid == X509Fields.KEY_USAGE) return 4;
        if (oid == X509Fields.BASIC_CONSTRAINTS) return 8;
        if (oid == _SGX_EXTENSION) return 16;
        return 0;
    }
}
