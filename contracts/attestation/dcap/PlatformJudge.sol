// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {TcbStatus, TeeKind} from "../../interfaces/AttestationTypes.sol";
import {Environment, TcbPart} from "../../interfaces/IDcapVerifier.sol";
import {QeLevels} from "./QeLevels.sol";
import {TcbConvergence} from "./TcbConvergence.sol";
import {TcbLevels} from "./TcbLevels.sol";

/// @title PlatformJudge
/// @notice One judgement from the levels of the platform, its TDX module and its quoting enclave.
library PlatformJudge {
    /// @dev Reverts when a part has no level or is at one that is revoked.
    /// @param levels What {TcbInfo} kept.
    /// @param identity What {QeIdentity} kept.
    /// @return status The converged status, see {TcbConvergence}.
    /// @return advisories `platform 8 | TDX module 8 | quoting enclave 8 | zero 8`, see {IDcapVerifier}.
    function judge(
        TeeKind tee,
        bytes memory levels,
        bytes memory identity,
        uint16 pcesvn,
        Environment memory surroundings
    ) internal pure returns (TcbStatus status, bytes32 advisories) {
        uint256 platform;
        uint256 module = uint256(TcbStatus.UP_TO_DATE) << 64;
        if (tee == TeeKind.SGX) {
            platform = TcbLevels.sgxLevel(levels, surroundings.componentSvns, pcesvn);
        } else {
            (platform, module) = TcbLevels.tdxLevels(
                levels, surroundings.componentSvns, pcesvn, surroundings.teeTcbSvn, surroundings.seamSigner
            );
        }
        uint256 qe = QeLevels.level(identity, surroundings);
        status = TcbConvergence.converge(TcbLevels.statusOf(platform), TcbLevels.statusOf(module), TcbPart.TDX_MODULE);
        status = TcbConvergence.converge(status, TcbLevels.statusOf(qe), TcbPart.QUOTING_ENCLAVE);
        if (status != TcbStatus.UP_TO_DATE) {
            advisories = bytes32(
                (uint256(TcbLevels.advisoriesOf(platform)) << 192) | (uint256(TcbLevels.advisoriesOf(module)) << 128)
                    | (uint256(TcbLevels.advisoriesOf(qe)) << 64)
            );
        }
    }
}
