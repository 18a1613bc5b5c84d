// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {SliceHash} from "../../crypto/SliceHash.sol";
import {Der} from "../../encoding/Der.sol";
import {P384Der} from "../../encoding/P384Der.sol";
import {KeyRole, X509Extensions} from "../../encoding/X509Extensions.sol";
import {X509Fields} from "../../encoding/X509Fields.sol";
import {X509Name} from "../../encoding/X509Name.sol";
import {Uint384} from "../../interfaces/IP384.sol";

/// @notice What is read of a certificate of the Nitro chain. Nothing in it has been verified yet.
/// @param id The first 20 bytes of keccak256 of the signed part.
/// @param signed Where the signed part begins.
/// @param signedEnd Where it ends.
/// @param serial The serial number.
/// @param issuer keccak256 of the issuer's DER name.
/// @param subject keccak256 of the subject's DER name.
/// @param name Where the subject's common name begins.
/// @param nameEnd Where it ends.
/// @param notBefore The first second of validity, unix seconds.
/// @param notAfter The last second of validity, unix seconds.
/// @param x The P-384 public key's x.
/// @param y The P-384 public key's y.
/// @param role What the key is for.
/// @param r The signature's r.
/// @param s The signature's s.
struct Certificate384 {
    bytes20 id;
    uint256 signed;
    uint256 signedEnd;
    uint256 serial;
    bytes32 issuer;
    bytes32 subject;
    uint256 name;
    uint256 nameEnd;
    uint40 notBefore;
    uint40 notAfter;
    Uint384 x;
    Uint384 y;
    KeyRole role;
    Uint384 r;
    Uint384 s;
}

/// @title NitroCertificate
/// @notice Reads X.509 v3 certificates of AWS Nitro's chains: P-384 keys, ecdsa-with-SHA384.
/// @dev WARNING: reading verifies nothing: no signature, no issuer, no time, no role. Its caller does.
library NitroCertificate {
    using Der for bytes;
    using SliceHash for bytes;

    /// @dev SEQUENCE { OBJECT IDENTIFIER 1.2.840.10045.4.3.3 }
    bytes32 internal constant ECDSA_WITH_SHA384 = bytes32(bytes12(hex"300a06082a8648ce3d040303"));
    uint256 internal constant ECDSA_WITH_SHA384_BYTES = 12;

    /// @notice The id of the certificate data[start:stop], and the bounds of its signed part, read no further.
    function idOf(bytes memory data, uint256 start, uint256 stop) internal pure returns (bytes20 id) {
        (uint256 signed, uint256 end) = data.enter(start, stop, Der.SEQUENCE);
        Der.finish(end, stop);
        (, uint256 signedEnd) = data.enter(signed, end, Der.SEQUENCE);
        return bytes20(data.keccakOf(signed, signedEnd));
    }

    /// @notice Reads the certificate that fills data[start:stop] exactly.
    function read(bytes memory data, uint256 start, uint256 stop)
        internal
        pure
        returns (Certificate384 memory certificate)
    {
        (uint256 signed, uint256 end) = data.enter(start, stop, Der.SEQUENCE);
        Der.finish(end, stop);
        (uint256 offset, uint256 signedEnd) = data.enter(signed, end, Der.SEQUENCE);
        (certificate.signed, certificate.signedEnd) = (signed, signedEnd);
        certificate.id = bytes20(data.keccakOf(signed, signedEnd));

        offset = X509Fields.version3(data, offset, signedEnd);
        (certificate.serial, offset) = X509Fields.serialNumber(data, offset, signedEnd);
        offset = _algorithm(data, offset, signedEnd);
        (certificate.issuer, offset) = X509Fields.name(data, offset, signedEnd);
        (certificate.notBefore, certificate.notAfter, offset) = X509Fields.validity(data, offset, signedEnd);
        (certificate.name, certificate.nameEnd) = X509Name.commonName(data, offset, signedEnd);
        (certificate.subject, offset) = X509Fields.name(data, offset, signedEnd);
        (certificate.x, certificate.y, offset) = P384Der.key(data, offset, signedEnd);
        certificate.role = X509Extensions.read(data, offset, signedEnd, false);

        offset = _algorithm(data, signedEnd, end);
        (certificate.r, certificate.s) = P384Der.lastSignature(data, offset, end);
    }

    function _algorithm(bytes memory data, uint256 offset, uint256 end) private pure returns (uint256 next) {
        return X509Fields.algorithm(data, offset, end, ECDSA_WITH_SHA384, ECDSA_WITH_SHA384_BYTES);
    }
}
