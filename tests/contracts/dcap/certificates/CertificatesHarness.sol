// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {DcapCertificates} from "../../../../contracts/attestation/dcap/DcapCertificates.sol";
import {PckRecord} from "../../../../contracts/interfaces/IDcapCertificates.sol";

/// @notice The smallest deployable DcapCertificates: opens what is for the verifier, adds no rule.
contract CertificatesHarness is DcapCertificates {
    constructor(bytes memory rootCertificateDer, uint64 collateralGrace)
        DcapCertificates(rootCertificateDer, collateralGrace)
    {}

    function requirePck(bytes32 pckId, uint256 x, uint256 y) external view returns (PckRecord memory) {
        return _requirePck(pckId, x, y);
    }

    function requirePckStanding(bytes32 pckId) external view returns (PckRecord memory) {
        return _requirePckStanding(pckId);
    }

    function requireTcbSigner(uint8 signer) external view returns (uint256 x, uint256 y) {
        return _requireTcbSigner(signer);
    }

    function requireTcbSignerStanding(uint8 signer) external view {
        _requireTcbSignerStanding(signer);
    }
}
