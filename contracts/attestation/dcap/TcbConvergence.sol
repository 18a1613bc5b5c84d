// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {TcbStatus} from "../../interfaces/AttestationTypes.sol";
import {IDcapVerifier, TcbPart} from "../../interfaces/IDcapVerifier.sol";

/// @title TcbConvergence
/// @notice One status from those of the platform, its TDX module and its quoting enclave.
/// @dev As Intel's quote verification library does (TcbLevelCheck.cpp, TdxModuleCheck.cpp):
///
/// | platform \ part                       | UP_TO_DATE | OUT_OF_DATE                      | REVOKED |
/// |---------------------------------------|------------|----------------------------------|---------|
/// | UP_TO_DATE                            | unchanged  | OUT_OF_DATE                      | refused |
/// | SW_HARDENING_NEEDED                   | unchanged  | OUT_OF_DATE                      | refused |
/// | CONFIGURATION_NEEDED                  | unchanged  | OUT_OF_DATE_CONFIGURATION_NEEDED | refused |
/// | CONFIGURATION_AND_SW_HARDENING_NEEDED | unchanged  | OUT_OF_DATE_CONFIGURATION_NEEDED | refused |
/// | OUT_OF_DATE                           | unchanged  | unchanged                        | refused |
/// | OUT_OF_DATE_CONFIGURATION_NEEDED      | unchanged  | unchanged                        | refused |
/// | REVOKED                               | refused    | refused                          | refused |
///
/// The module converges first, then the quoting enclave. Parts have no other status: {LevelText} refuses
/// collateral that gives them one.
library TcbConvergence {
    /// @dev The platform's status together with that of one part.
    function converge(TcbStatus platform, TcbStatus status, TcbPart part) internal pure returns (TcbStatus) {
        if (platform == TcbStatus.REVOKED) revert IDcapVerifier.TcbRevoked(TcbPart.PLATFORM);
        if (status == TcbStatus.UP_TO_DATE) return platform;
        // Anything that is neither up to date nor out of date counts as revoked: fail closed.
        if (status != TcbStatus.OUT_OF_DATE) revert IDcapVerifier.TcbRevoked(part);
        if (platform == TcbStatus.UP_TO_DATE || platform == TcbStatus.SW_HARDENING_NEEDED) {
            return TcbStatus.OUT_OF_DATE;
        }
        if (platform == TcbStatus.CONFIGURATION_NEEDED || platform == TcbStatus.CONFIGURATION_AND_SW_HARDENING_NEEDED) {
            return TcbStatus.OUT_OF_DATE_CONFIGURATION_NEEDED;
        }
        return platform;
    }
}
