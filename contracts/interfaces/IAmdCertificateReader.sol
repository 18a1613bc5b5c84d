// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AuthorityCertificate} from "../attestation/sevsnp/AmdAuthority.sol";
import {AuthorityRevocations} from "../attestation/sevsnp/AmdCrl.sol";
import {Endorsement} from "../attestation/sevsnp/EndorsementCertificate.sol";
import {SnpProduct} from "./ISevSnpVerifier.sol";

/// @title IAmdCertificateReader
/// @notice Reads certificates and revocation lists of AMD's profile strictly and checks their signatures, or reverts with a typed error.
/// @dev WARNING: issuer, time and role are not checked. The caller does.
interface IAmdCertificateReader {
    /// @notice Reads the certificate of an ARK, an ASK or an ASVK.
    /// @param der The certificate, DER, nothing after it.
    /// @param issuerModulus The issuer's RSA modulus, 512 bytes; empty: the certificate is self-signed.
    function readAuthority(bytes calldata der, bytes calldata issuerModulus)
        external
        view
        returns (AuthorityCertificate memory certificate);

    /// @notice Reads the certificate of a VCEK or a VLEK.
    /// @param der The certificate, DER, nothing after it.
    /// @param issuerModulus The issuer's RSA modulus, 512 bytes.
    /// @param product Decides the TCB's layout and the length of the chip's id.
    /// @param vlek Whether it must be a VLEK's, else it must be a VCEK's.
    function readEndorsement(bytes calldata der, bytes calldata issuerModulus, SnpProduct product, bool vlek)
        external
        view
        returns (Endorsement memory certificate);

    /// @notice Reads a root's list of revoked ASKs and ASVKs.
    /// @param der The list, DER, nothing after it.
    /// @param issuerModulus The issuer's RSA modulus, 512 bytes.
    function readCrl(bytes calldata der, bytes calldata issuerModulus)
        external
        view
        returns (AuthorityRevocations memory revocations);
}
