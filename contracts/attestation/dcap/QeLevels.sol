// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Environment, IDcapVerifier} from "../../interfaces/IDcapVerifier.sol";
import {TcbLevels} from "./TcbLevels.sol";

/// @title QeLevels
/// @notice Judges a quoting enclave by the identity that {QeIdentity} kept.
/// @dev EnclaveReportVerifier.cpp: MISCSELECT and ATTRIBUTES under their masks, MRSIGNER, ISVPRODID, then the
/// first level whose isvsvn is at or below the enclave's. MISCSELECT and ATTRIBUTES are compared as the bytes
/// of the report, which is how Intel's identity writes them. DEBUG is within the attributes' mask.
library QeLevels {
    /// @dev The quoting enclave's level, see {TcbLevels.isvSvnLevel}; reverts when it is not Intel's or below every level.
    /// @param identity What {QeIdentity} kept.
    /// @param qe The quoting enclave as its verified report describes it.
    function level(bytes memory identity, Environment memory qe) internal pure returns (uint256 kept) {
        bytes32 signer;
        bytes32 attributes;
        bytes32 rest;
        uint256 levels;
        assembly ("memory-safe") {
            signer := mload(add(identity, 32))
            attributes := mload(add(identity, 64))
            rest := mload(add(identity, 96))
            levels := add(identity, 107)
        }
        if (qe.qeMrSigner != signer) revert IDcapVerifier.QeSignerMismatch(qe.qeMrSigner, signer);
        if (qe.qeAttributes & bytes16(attributes << 128) != bytes16(attributes)) {
            revert IDcapVerifier.QeAttributesMismatch(qe.qeAttributes, bytes16(attributes));
        }
        if (qe.qeMiscselect & bytes4(rest << 32) != bytes4(rest)) {
            revert IDcapVerifier.QeMiscselectMismatch(qe.qeMiscselect, bytes4(rest));
        }
        uint16 product = uint16(bytes2(rest << 64));
        if (qe.qeIsvProdId != product) revert IDcapVerifier.QeProductMismatch(qe.qeIsvProdId, product);
        kept = TcbLevels.isvSvnLevel(levels, uint8(rest[10]), qe.qeIsvSvn);
        if (kept == 0) revert IDcapVerifier.QeLevelNotFound(qe.qeIsvSvn);
    }
}
