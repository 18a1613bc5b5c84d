// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {DcapCertificates} from "../../../../contracts/attestation/dcap/DcapCertificates.sol";
import {PckRecord} from "../../../../contracts/interfaces/IDcapCertificates.sol";

/// @notice The smallest deployable DcapCertificates: opens what is for the verifier, adds no rule.
contract CertificatesHarness is DcapCertificates {
    constructor(bytes memory rootCertificateDer, uint64 collateralGrace)
        DcapCertificates(rootCertificateDer, collateralGrace)
    {}

    function requirePckStanding(bytes32 pckId) public view returns (PckRecord memory pck) {
        pck = this.pckRecord(pckId);
        _requirePckKnown(pckId);
        (uint256 tcb,) = _words(pck);
        _requirePckStanding(tcb, pck.revocationKey);
    }

    function requirePckKnown(bytes32 pckId) external view {
        _requirePckKnown(pckId);
    }

    function pckIdOf(bytes32 pckId, uint256 x, uint256 y) external view returns (bytes32) {
        (uint256 tcb, uint256 identity) = _words(this.pckRecord(pckId));
        return _pckIdOf(x, y, tcb, identity);
    }

    /// @dev The two words, written from their definition.
    function _words(PckRecord memory pck) private pure returns (uint256 tcb, uint256 identity) {
        tcb = uint256(
            bytes32(abi.encodePacked(pck.componentSvns, pck.pcesvn, pck.fmspc, pck.pceid, pck.ca, pck.notAfter))
        );
        identity = uint256(bytes32(abi.encodePacked(pck.revocationKey, pck.ppid)));
    }

    function requireTcbSigner(uint8 signer) external view returns (uint256 x, uint256 y) {
        return _requireTcbSigner(signer);
    }

    function requireTcbSignerStanding(uint8 signer) external view {
        _requireTcbSignerStanding(signer);
    }
}
