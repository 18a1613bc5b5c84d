// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IAmdCertificateReader} from "../../interfaces/IAmdCertificateReader.sol";
import {SnpProduct} from "../../interfaces/ISevSnpVerifier.sol";
import {AmdAuthority, AuthorityCertificate} from "./AmdAuthority.sol";
import {AmdCrl, AuthorityRevocations} from "./AmdCrl.sol";
import {Endorsement, EndorsementCertificate} from "./EndorsementCertificate.sol";

/// @title AmdCertificateReader
/// @notice The parsers of AMD's certificates and RSA as a contract of their own, without state, so that the verifier that
/// deploys it stays below the size limit of EIP-170. The verification of a known platform never calls it.
contract AmdCertificateReader is IAmdCertificateReader {
    /// @inheritdoc IAmdCertificateReader
    function readAuthority(bytes calldata der, bytes calldata issuerModulus)
        external
        view
        returns (AuthorityCertificate memory certificate)
    {
        return AmdAuthority.read(der, issuerModulus);
    }

    /// @inheritdoc IAmdCertificateReader
    function readEndorsement(bytes calldata der, bytes calldata issuerModulus, SnpProduct product, bool vlek)
        external
        view
        returns (Endorsement memory certificate)
    {
        return EndorsementCertificate.read(der, issuerModulus, product, vlek);
    }

    /// @inheritdoc IAmdCertificateReader
    function readCrl(bytes calldata der, bytes calldata issuerModulus)
        external
        view
        returns (AuthorityRevocations memory revocations)
    {
        return AmdCrl.read(der, issuerModulus);
    }
}
