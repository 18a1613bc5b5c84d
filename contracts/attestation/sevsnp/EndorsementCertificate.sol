// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {RsaPss4096} from "../../crypto/RsaPss4096.sol";
import {Sha384} from "../../crypto/Sha384.sol";
import {SliceHash} from "../../crypto/SliceHash.sol";
import {Der} from "../../encoding/Der.sol";
import {DerExtension} from "../../encoding/DerExtension.sol";
import {P384Der} from "../../encoding/P384Der.sol";
import {X509Extensions} from "../../encoding/X509Extensions.sol";
import {X509Fields} from "../../encoding/X509Fields.sol";
import {Uint384} from "../../interfaces/IP384.sol";
import {SnpProduct} from "../../interfaces/ISevSnpVerifier.sol";
import {AmdX509} from "./AmdX509.sol";

/// @notice What is read of a VCEK's or VLEK's certificate.
/// @param issuer keccak256 of the issuer's DER name.
/// @param notBefore The first second of validity, unix seconds.
/// @param notAfter The last second of validity, unix seconds.
/// @param x The P-384 public key's x.
/// @param y The P-384 public key's y.
/// @param tcb The TCB that the key is derived from, in the report's form.
/// @param chip keccak256 of the chip's id, filled up with zeros to 64 bytes; zero for a VLEK.
struct Endorsement {
    bytes32 issuer;
    uint40 notBefore;
    uint40 notAfter;
    Uint384 x;
    Uint384 y;
    uint64 tcb;
    bytes32 chip;
}

/// @title EndorsementCertificate
/// @notice Reads certificates of endorsement keys, VCEK and VLEK (AMD 57230, section 3.1).
/// @dev WARNING: reading checks the signature and nothing else: no issuer, no time. Its caller does.
library EndorsementCertificate {
    using Der for bytes;
    using SliceHash for bytes;

    /// @notice An extension that a certificate of this kind must have is missing, or it has one that it must not have.
    /// @param got A bit for each that it has: bits 1 to 9 for the TCB's components (1.3.6.1.4.1.3704.1.3.n), bit 10 for
    /// hwID, bit 11 for cspID, bit 12 for productName.
    error EndorsementExtensionsWrong(uint256 got, uint256 required, uint256 allowed);
    /// @notice hwID has not the product's length, in bytes.
    error HardwareIdLengthWrong(uint256 got, uint256 expected);
    /// @notice productName is not a name of the product. `name` is keccak256 of it, without the stepping.
    error ProductNameMismatch(SnpProduct product, bytes32 name);
    /// @notice A component of the TCB that the product does not have is not zero.
    error ComponentNotZero(uint256 component, uint256 got);

    // 1.3.6.1.4.1.3704.1.n and .3.n in Der.objectIdentifier's form, without the last octet.
    uint256 private constant _AMD = ((9 << 248) | 0x2b060104019c780100) >> 8;
    uint256 private constant _COMPONENT = ((10 << 248) | 0x2b060104019c78010300) >> 8;
    uint256 private constant _PRODUCT_NAME = 2;
    uint256 private constant _HARDWARE_ID = 4;
    uint256 private constant _CSP_ID = 5;

    uint256 private constant _HARDWARE_ID_BIT = 1 << 10;
    uint256 private constant _CSP_ID_BIT = 1 << 11;
    uint256 private constant _PRODUCT_NAME_BIT = 1 << 12;
    // Boot loader, TEE, SNP, microcode; those that are reserved; FMC.
    uint256 private constant _COMPONENTS = (1 << 1) | (1 << 2) | (1 << 3) | (1 << 8);
    uint256 private constant _RESERVED_COMPONENTS = (1 << 4) | (1 << 5) | (1 << 6) | (1 << 7);
    uint256 private constant _FMC = 1 << 9;
    uint8 private constant _IA5_STRING = 0x16;

    /// @notice Reads a certificate that fills the array exactly and checks its signature.
    /// @param issuerModulus The issuer's RSA modulus, 512 bytes.
    /// @param product Decides the TCB's layout and the length of the chip's id.
    /// @param vlek Whether it must be a VLEK's, else it must be a VCEK's.
    function read(bytes memory der, bytes memory issuerModulus, SnpProduct product, bool vlek)
        internal
        view
        returns (Endorsement memory certificate)
    {
        (uint256 signed, uint256 end) = der.enter(0, der.length, Der.SEQUENCE);
        Der.finish(end, der.length);
        (uint256 offset, uint256 signedEnd) = der.enter(signed, end, Der.SEQUENCE);
        offset = X509Fields.version3(der, offset, signedEnd);
        // AMD gives all of them the serial number 0.
        (, offset) = X509Fields.serialNumber(der, offset, signedEnd);
        offset = AmdX509.algorithm(der, offset, signedEnd);
        (certificate.issuer, offset) = X509Fields.name(der, offset, signedEnd);
        (certificate.notBefore, certificate.notAfter, offset) = X509Fields.validity(der, offset, signedEnd);
        (, offset) = X509Fields.name(der, offset, signedEnd);
        (certificate.x, certificate.y, offset) = P384Der.key(der, offset, signedEnd);
        _extensions(der, offset, signedEnd, certificate, product, vlek);

        offset = AmdX509.algorithm(der, signedEnd, end);
        RsaPss4096.verify(
            issuerModulus, Sha384.hashSlice(der, signed, signedEnd), AmdX509.lastSignature(der, offset, end)
        );
    }

    function _extensions(
        bytes memory der,
        uint256 offset,
        uint256 end,
        Endorsement memory certificate,
        SnpProduct product,
        bool vlek
    ) private pure {
        uint256 first;
        (first, offset) = X509Extensions.enter(der, offset, end);
        uint256 met;
        // Component n in byte n.
        uint256 components;
        for (offset = first; offset < end;) {
            (uint256 oid, bool critical, uint256 start, uint256 stop) = DerExtension.read(der, offset, end);
            DerExtension.requireFirst(der, first, offset, oid);
            uint256 last = oid & 0xff;
            if (oid >> 8 == _COMPONENT && last != 0 && last < 10) {
                (uint256 component, uint256 next) = der.unsigned(start, stop, type(uint8).max);
                Der.finish(next, stop);
                components |= component << (8 * last);
                met |= 1 << last;
            } else if (oid >> 8 == _AMD && last == _HARDWARE_ID) {
                certificate.chip = _chip(der, start, stop, product);
                met |= _HARDWARE_ID_BIT;
            } else if (oid >> 8 == _AMD && last == _PRODUCT_NAME) {
                _requireProduct(der, start, stop, product);
                met |= _PRODUCT_NAME_BIT;
            } else if (oid >> 8 == _AMD && last == _CSP_ID) {
                met |= _CSP_ID_BIT;
            } else {
                DerExtension.ignore(offset, oid, critical);
            }
            offset = stop;
        }
        uint256 required = _COMPONENTS | _PRODUCT_NAME_BIT | (vlek ? _CSP_ID_BIT : _HARDWARE_ID_BIT);
        if (product == SnpProduct.TURIN) required |= _FMC;
        uint256 allowed = required | _RESERVED_COMPONENTS;
        if (met & required != required || met & ~allowed != 0) {
            revert EndorsementExtensionsWrong(met, required, allowed);
        }
        certificate.tcb = _tcb(components, product);
    }

    /// @dev productName: the product's name and mostly, behind a hyphen, the chip's stepping. Siena and Bergamo are
    /// Genoa's core complexes in other packages, under Genoa's root.
    function _requireProduct(bytes memory der, uint256 start, uint256 stop, SnpProduct product) private pure {
        (uint256 first, uint256 end) = der.enter(start, stop, _IA5_STRING);
        Der.finish(end, stop);
        uint256 last = first;
        while (last < end && der.byteAt(last) != 0x2d) {
            ++last;
        }
        bytes32 name = der.keccakOf(first, last);
        bool known = product == SnpProduct.MILAN
            ? name == keccak256("Milan")
            : product == SnpProduct.TURIN
                ? name == keccak256("Turin")
                : name == keccak256("Genoa") || name == keccak256("Siena") || name == keccak256("Bergamo");
        if (!known) revert ProductNameMismatch(product, name);
    }

    /// @dev hwID: the id itself, without a DER type. Turin's are 8 bytes long, and 56 zeros follow in the report.
    function _chip(bytes memory der, uint256 start, uint256 stop, SnpProduct product) private pure returns (bytes32) {
        uint256 length = product == SnpProduct.TURIN ? 8 : 64;
        if (stop - start != length) revert HardwareIdLengthWrong(stop - start, length);
        if (length == 64) return der.keccakOf(start, stop);
        return keccak256(abi.encodePacked(bytes8(bytes32(der.wordAt(start))), bytes32(0), bytes24(0)));
    }

    function _tcb(uint256 components, SnpProduct product) private pure returns (uint64) {
        for (uint256 component = 4; component < 8; ++component) {
            uint256 got = uint8(components >> (8 * component));
            if (got != 0) revert ComponentNotZero(component, got);
        }
        uint256 bootLoader = uint8(components >> 8);
        uint256 tee = uint8(components >> 16);
        uint256 snp = uint8(components >> 24);
        uint256 microcode = uint8(components >> 64);
        if (product == SnpProduct.TURIN) {
            uint256 fmc = uint8(components >> 72);
            return uint64(fmc | (bootLoader << 8) | (tee << 16) | (snp << 24) | (microcode << 56));
        }
        return uint64(bootLoader | (tee << 8) | (snp << 48) | (microcode << 56));
    }
}
