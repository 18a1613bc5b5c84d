// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {PckPlatform} from "../attestation/dcap/PckExtension.sol";
import {Certificate} from "../attestation/dcap/X509.sol";
import {RevocationList} from "../encoding/Crl.sol";

/// @title ICertificateReader
/// @notice Reads DER certificates and CRLs of Intel's profile strictly, or reverts with a typed error.
/// @dev WARNING: reading verifies nothing: no signature, no issuer, no time, no role. The caller does.
interface ICertificateReader {
    /// @notice The certificate lacks Intel's SGX extension.
    error SgxExtensionMissing();

    /// @notice Reads an X.509 v3 certificate.
    /// @param der The certificate, DER, nothing after it.
    function readCertificate(bytes calldata der) external view returns (Certificate memory certificate);

    /// @notice Reads a PCK certificate with its SGX extension.
    /// @param der The certificate, DER, nothing after it.
    function readPckCertificate(bytes calldata der)
        external
        view
        returns (Certificate memory certificate, PckPlatform memory platform);

    /// @notice Reads an X.509 v2 CRL.
    /// @param der The CRL, DER, nothing after it.
    /// @return list Everything but the entries.
    /// @return serials The serial number of every entry, in order.
    function readCrl(bytes calldata der) external view returns (RevocationList memory list, uint256[] memory serials);
}
