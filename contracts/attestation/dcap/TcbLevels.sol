// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {TcbStatus} from "../../interfaces/AttestationTypes.sol";
import {IDcapVerifier, TcbPart} from "../../interfaces/IDcapVerifier.sol";
import {TcbConvergence} from "./TcbConvergence.sol";

/// @title TcbLevels
/// @notice Judges a platform by the levels that {TcbInfo} kept.
/// @dev Intel's rule (PCS API v4, "TCB info", and TcbLevelCheck.cpp): the first level in the list whose SGX
/// components, PCESVN and TDX components are all at or below the platform's. SGX components and PCESVN come
/// from the PCK certificate, TDX components from TEE_TCB_SVN of the report.
///
/// TEE_TCB_SVN[1] is the TDX module's version. Above 0, the module identity with that version judges the
/// module by TEE_TCB_SVN[0], its SVN, and the levels' TDX components are compared from index 2 on. At 0, all
/// 16 are compared, `tdxModule` names the signer, and the module has no status of its own.
library TcbLevels {
    uint256 private constant _LEVEL = 48;
    /// @dev Every other byte, and the bit above each of these.
    uint256 private constant _LANES = 0x00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff;
    uint256 private constant _CARRIES = 0x0100010001000100010001000100010001000100010001000100010001000100;

    /// @dev The converged status of a TDX platform and its module; reverts when either has no level or is
    /// revoked.
    /// @param levels What {TcbInfo} kept of the TDX TCB info.
    /// @param seamSigner keccak256 of MRSIGNERSEAM.
    function tdxStatus(bytes memory levels, bytes16 sgxSvns, uint16 pcesvn, bytes16 teeTcbSvn, bytes32 seamSigner)
        internal
        pure
        returns (TcbStatus)
    {
        uint8 version = uint8(teeTcbSvn[1]);
        TcbStatus module = _moduleStatus(levels, version, uint8(teeTcbSvn[0]), seamSigner);
        // Components 0 and 1 count as reached when the module is judged by its identity.
        bytes16 reached = version == 0 ? teeTcbSvn : teeTcbSvn | bytes16(bytes2(0xffff));
        uint256 svns = (uint256(uint128(sgxSvns)) << 128) | uint128(reached);
        uint256 found = _firstLevel(levels, svns, pcesvn);
        if (found == 0) revert IDcapVerifier.TcbLevelNotFound(sgxSvns, pcesvn, teeTcbSvn);
        return TcbConvergence.converge(TcbStatus(found), module, TcbPart.TDX_MODULE);
    }

    /// @dev The status of the first level at or below the platform, 0 when there is none.
    function _firstLevel(bytes memory levels, uint256 svns, uint256 pcesvn) private pure returns (uint256 status) {
        assembly ("memory-safe") {
            let start := add(levels, 32)
            start := add(start, shr(240, mload(start)))
            let level := add(start, 1)
            let end := add(level, mul(byte(0, mload(start)), _LEVEL))
            // 32 SVNs are compared at once, in two halves of 16 lanes of 16 bits: with 0x100 added to the
            // platform's SVN, the difference keeps that bit exactly if the platform's is not the smaller,
            // and never borrows from the next lane.
            let even := or(and(svns, _LANES), _CARRIES)
            let odd := or(and(shr(8, svns), _LANES), _CARRIES)
            for {} lt(level, end) { level := add(level, _LEVEL) } {
                let required := mload(level)
                let reached := and(sub(even, and(required, _LANES)), sub(odd, and(shr(8, required), _LANES)))
                if eq(and(reached, _CARRIES), _CARRIES) {
                    let rest := mload(add(level, 32))
                    if iszero(lt(pcesvn, shr(240, rest))) {
                        status := byte(2, rest)
                        break
                    }
                }
            }
        }
    }

    /// @dev The TDX module's own status; reverts when it is not the module that the TCB info describes.
    function _moduleStatus(bytes memory levels, uint8 version, uint8 isvSvn, bytes32 seamSigner)
        private
        pure
        returns (TcbStatus)
    {
        uint256 module;
        assembly ("memory-safe") {
            module := add(levels, 34)
        }
        if (version == 0) {
            _requireModule(module, version, seamSigner);
            return TcbStatus.UP_TO_DATE;
        }
        uint256 left;
        assembly ("memory-safe") {
            left := byte(0, mload(add(module, 40)))
            module := add(module, 41)
        }
        for (; left != 0; --left) {
            uint256 identity;
            uint256 count;
            assembly ("memory-safe") {
                identity := byte(0, mload(module))
                count := byte(0, mload(add(module, 41)))
            }
            if (identity == version) {
                _requireModule(module + 1, version, seamSigner);
                uint256 status = isvSvnStatus(module + 42, count, isvSvn);
                if (status == 0) revert IDcapVerifier.TdxModuleLevelNotFound(version, isvSvn);
                return TcbStatus(status);
            }
            module += 42 + 16 * count;
        }
        revert IDcapVerifier.TdxModuleUnknown(version);
    }

    /// @dev SEAM attributes of the report are zero (checked with the report), so those expected must be too,
    /// whatever the mask.
    function _requireModule(uint256 module, uint8 version, bytes32 seamSigner) private pure {
        bytes32 signer;
        bytes8 attributes;
        assembly ("memory-safe") {
            signer := mload(module)
            attributes := and(mload(add(module, 32)), shl(192, 0xffffffffffffffff))
        }
        if (signer != seamSigner || attributes != 0) {
            revert IDcapVerifier.TdxModuleMismatch(version, seamSigner, signer, attributes);
        }
    }

    /// @dev The status of the first of `count` isvsvn levels from `level` on that is at or below `isvSvn`, or
    /// 0. A kept level is 16 bytes: isvsvn 2, status 1, and what this does not need.
    function isvSvnStatus(uint256 level, uint256 count, uint256 isvSvn) internal pure returns (uint256 status) {
        assembly ("memory-safe") {
            for { let end := add(level, shl(4, count)) } lt(level, end) { level := add(level, 16) } {
                let kept := mload(level)
                if iszero(lt(isvSvn, shr(240, kept))) {
                    status := byte(2, kept)
                    break
                }
            }
        }
    }
}
