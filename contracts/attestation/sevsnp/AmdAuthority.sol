// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {RsaPss4096} from "../../crypto/RsaPss4096.sol";
import {Sha384} from "../../crypto/Sha384.sol";
import {SliceHash} from "../../crypto/SliceHash.sol";
import {Der} from "../../encoding/Der.sol";
import {KeyRole, X509Extensions} from "../../encoding/X509Extensions.sol";
import {X509Fields} from "../../encoding/X509Fields.sol";
import {X509Name} from "../../encoding/X509Name.sol";
import {AmdX509} from "./AmdX509.sol";

/// @notice What is read of an ARK's, ASK's or ASVK's certificate.
/// @param issuer keccak256 of the issuer's DER name.
/// @param subject keccak256 of the subject's DER name.
/// @param serial The serial number, at most 160 bits.
/// @param commonName keccak256 of the subject's common name.
/// @param notBefore The first second of validity, unix seconds.
/// @param notAfter The last second of validity, unix seconds.
/// @param modulus The RSA modulus, 512 bytes.
/// @param role What the key is for.
struct AuthorityCertificate {
    bytes32 issuer;
    bytes32 subject;
    uint256 serial;
    bytes32 commonName;
    uint40 notBefore;
    uint40 notAfter;
    bytes modulus;
    KeyRole role;
}

/// @title AmdAuthority
/// @notice Reads the certificates of AMD's roots (ARK) and of the keys below them (ASK, ASVK).
/// @dev WARNING: reading checks the signature and nothing else: no issuer, no time, no role. Its caller does.
library AmdAuthority {
    using Der for bytes;
    using SliceHash for bytes;

    /// @notice Reads a certificate that fills the array exactly and checks its signature.
    /// @param issuerModulus The issuer's RSA modulus, 512 bytes; empty: the certificate's own.
    function read(bytes memory der, bytes memory issuerModulus)
        internal
        view
        returns (AuthorityCertificate memory certificate)
    {
        (uint256 signed, uint256 end) = der.enter(0, der.length, Der.SEQUENCE);
        Der.finish(end, der.length);
        (uint256 offset, uint256 signedEnd) = der.enter(signed, end, Der.SEQUENCE);
        offset = X509Fields.version3(der, offset, signedEnd);
        (certificate.serial, offset) = X509Fields.serialNumber(der, offset, signedEnd);
        offset = AmdX509.algorithm(der, offset, signedEnd);
        (certificate.issuer, offset) = X509Fields.name(der, offset, signedEnd);
        (certificate.notBefore, certificate.notAfter, offset) = X509Fields.validity(der, offset, signedEnd);
        (uint256 nameStart, uint256 nameEnd) = X509Name.commonName(der, offset, signedEnd);
        certificate.commonName = der.keccakOf(nameStart, nameEnd);
        (certificate.subject, offset) = X509Fields.name(der, offset, signedEnd);
        (certificate.modulus, offset) = AmdX509.rsaKey(der, offset, signedEnd);
        certificate.role = X509Extensions.read(der, offset, signedEnd, true);

        offset = AmdX509.algorithm(der, signedEnd, end);
        RsaPss4096.verify(
            issuerModulus.length == 0 ? certificate.modulus : issuerModulus,
            Sha384.hashSlice(der, signed, signedEnd),
            AmdX509.lastSignature(der, offset, end)
        );
    }
}
