// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Crl, RevocationList} from "../../encoding/Crl.sol";
import {ICertificateReader} from "../../interfaces/ICertificateReader.sol";
import {PckExtension, PckPlatform} from "./PckExtension.sol";
import {Certificate, X509} from "./X509.sol";

/// @title CertificateReader
/// @notice The parsers of certificates and CRLs as a contract of their own, without state, so that the verifier that
/// deploys it stays below the size limit of EIP-170. Verification never calls it, only submissions do.
contract CertificateReader is ICertificateReader {
    /// @inheritdoc ICertificateReader
    function readCertificate(bytes calldata der) external view returns (Certificate memory certificate) {
        return X509.read(der);
    }

    /// @inheritdoc ICertificateReader
    function readPckCertificate(bytes calldata der)
        external
        view
        returns (Certificate memory certificate, PckPlatform memory platform)
    {
        bytes memory copy = der;
        certificate = X509.read(copy);
        if (certificate.sgxExtension == 0) revert SgxExtensionMissing();
        platform = PckExtension.read(copy, certificate.sgxExtension, certificate.sgxExtensionEnd);
    }

    /// @inheritdoc ICertificateReader
    function readCrl(bytes calldata der) external view returns (RevocationList memory list, uint256[] memory serials) {
        bytes memory copy = der;
        list = X509.readCrl(copy);
        serials = Crl.serials(copy, list);
    }
}
