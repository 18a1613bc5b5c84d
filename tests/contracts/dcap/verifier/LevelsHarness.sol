// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {QeLevels} from "../../../../contracts/attestation/dcap/QeLevels.sol";
import {TcbConvergence} from "../../../../contracts/attestation/dcap/TcbConvergence.sol";
import {TcbLevels} from "../../../../contracts/attestation/dcap/TcbLevels.sol";
import {TcbStatus} from "../../../../contracts/interfaces/AttestationTypes.sol";
import {Environment, TcbPart} from "../../../../contracts/interfaces/IDcapVerifier.sol";

/// @notice The judging libraries behind external functions, so that a revert can be caught.
contract LevelsHarness {
    function tdxStatus(bytes memory levels, bytes16 sgxSvns, uint16 pcesvn, bytes16 teeTcbSvn, bytes32 seamSigner)
        external
        pure
        returns (TcbStatus)
    {
        (uint256 platform, uint256 module) = TcbLevels.tdxLevels(levels, sgxSvns, pcesvn, teeTcbSvn, seamSigner);
        return TcbConvergence.converge(TcbLevels.statusOf(platform), TcbLevels.statusOf(module), TcbPart.TDX_MODULE);
    }

    function sgxStatus(bytes memory levels, bytes16 sgxSvns, uint16 pcesvn) external pure returns (TcbStatus) {
        return TcbLevels.statusOf(TcbLevels.sgxLevel(levels, sgxSvns, pcesvn));
    }

    function qeStatus(bytes memory identity, Environment memory qe) external pure returns (TcbStatus) {
        return TcbLevels.statusOf(QeLevels.level(identity, qe));
    }

    function converge(TcbStatus platform, TcbStatus status, TcbPart part) external pure returns (TcbStatus) {
        return TcbConvergence.converge(platform, status, part);
    }
}
