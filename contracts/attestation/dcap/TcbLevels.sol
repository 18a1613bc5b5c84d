// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {TcbStatus} from "../../interfaces/AttestationTypes.sol";
import {IDcapVerifier} from "../../interfaces/IDcapVerifier.sol";

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
    /// @dev Every other byte, and the bit above each of these.
    uint256 private constant _LANES = 0x00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff;
    uint256 private constant _CARRIES = 0x0100010001000100010001000100010001000100010001000100010001000100;

    /// @dev How an SGX platform stands; reverts when it has no level.
    /// @param levels What {TcbInfo} kept of the SGX TCB info.
    /// @return kept The matching level's `pcesvn 2 | status 1 | advisories 8`, as a number.
    function sgxLevel(bytes memory levels, bytes16 sgxSvns, uint16 pcesvn) internal pure returns (uint256 kept) {
        uint256 start;
        assembly ("memory-safe") {
            start := add(levels, 32)
        }
        kept = _firstLevel(start, 27, uint256(uint128(sgxSvns)) << 128, pcesvn);
        if (kept == 0) revert IDcapVerifier.TcbLevelNotFound(sgxSvns, pcesvn, 0);
    }

    /// @dev How a TDX platform and its module stand; reverts when either has no level.
    /// @param levels What {TcbInfo} kept of the TDX TCB info.
    /// @param seamSigner keccak256 of MRSIGNERSEAM.
    /// @return kept The platform's matching level, as from {sgxLevel}.
    /// @return module The module's matching level, the same but for `isvsvn` in the place of pcesvn.
    function tdxLevels(bytes memory levels, bytes16 sgxSvns, uint16 pcesvn, bytes16 teeTcbSvn, bytes32 seamSigner)
        internal
        pure
        returns (uint256 kept, uint256 module)
    {
        uint8 version = uint8(teeTcbSvn[1]);
        module = _moduleLevel(levels, version, uint8(teeTcbSvn[0]), seamSigner);
        // Components 0 and 1 count as reached when the module is judged by its identity.
        bytes16 reached = version == 0 ? teeTcbSvn : teeTcbSvn | bytes16(bytes2(0xffff));
        uint256 start;
        assembly ("memory-safe") {
            start := add(levels, 32)
            start := add(start, shr(240, mload(start)))
        }
        kept = _firstLevel(start, 43, (uint256(uint128(sgxSvns)) << 128) | uint128(reached), pcesvn);
        if (kept == 0) revert IDcapVerifier.TcbLevelNotFound(sgxSvns, pcesvn, teeTcbSvn);
    }

    /// @dev What is kept of the first level at or below the platform, 0 when there is none. `start` is where the
    /// level count lies; a level has `width` bytes, of which the last 11 are returned.
    function _firstLevel(uint256 start, uint256 width, uint256 svns, uint256 pcesvn)
        private
        pure
        returns (uint256 kept)
    {
        assembly ("memory-safe") {
            let level := add(start, 1)
            let end := add(level, mul(byte(0, mload(start)), width))
            // A level of 27 bytes has 16 SVNs only; the lanes of what follows them are blanked.
            let mask := sub(0, shl(shl(7, eq(width, 27)), 1))
            // 32 SVNs are compared at once, in two halves of 16 lanes of 16 bits: with 0x100 added to the
            // platform's SVN, the difference keeps that bit exactly if the platform's is not the smaller,
            // and never borrows from the next lane.
            let even := or(and(svns, _LANES), _CARRIES)
            let odd := or(and(shr(8, svns), _LANES), _CARRIES)
            for {} lt(level, end) { level := add(level, width) } {
                let required := and(mload(level), mask)
                let reached := and(sub(even, and(required, _LANES)), sub(odd, and(shr(8, required), _LANES)))
                if eq(and(reached, _CARRIES), _CARRIES) {
                    let rest := shr(168, mload(add(level, sub(width, 11))))
                    if iszero(lt(pcesvn, shr(72, rest))) {
                        kept := rest
                        break
                    }
                }
            }
        }
    }

    /// @dev The TDX module's own level; reverts when it is not the module that the TCB info describes.
    function _moduleLevel(bytes memory levels, uint8 version, uint8 isvSvn, bytes32 seamSigner)
        private
        pure
        returns (uint256 kept)
    {
        uint256 module;
        assembly ("memory-safe") {
            module := add(levels, 34)
        }
        if (version == 0) {
            _requireModule(module, version, seamSigner);
            // As a level that is up to date and lists nothing.
            return uint256(TcbStatus.UP_TO_DATE) << 64;
        }
        uint256 left;
        assembly ("memory-safe") {
            left := byte(0, mload(add(module, 40)))
            module := add(module, 41)
        }
        uint256 shared = module - 41;
        for (; left != 0; --left) {
            uint256 identity;
            uint256 own;
            uint256 count;
            assembly ("memory-safe") {
                let word := mload(module)
                identity := byte(0, word)
                own := byte(1, word)
                count := byte(0, mload(add(module, add(2, mul(own, 40)))))
            }
            // Past version, own, module and level count.
            uint256 first = module + 3 + own * 40;
            if (identity == version) {
                _requireModule(own == 0 ? shared : module + 2, version, seamSigner);
                kept = isvSvnLevel(first, count, isvSvn);
                if (kept == 0) revert IDcapVerifier.TdxModuleLevelNotFound(version, isvSvn);
                return kept;
            }
            module = first + 11 * count;
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

    /// @dev The first of `count` isvsvn levels from `level` on that is at or below `isvSvn`, or 0. A kept level is
    /// 11 bytes: isvsvn 2, status 1, advisories 8.
    function isvSvnLevel(uint256 level, uint256 count, uint256 isvSvn) internal pure returns (uint256 kept) {
        assembly ("memory-safe") {
            for { let end := add(level, mul(count, 11)) } lt(level, end) { level := add(level, 11) } {
                let found := shr(168, mload(level))
                if iszero(lt(isvSvn, shr(72, found))) {
                    kept := found
                    break
                }
            }
        }
    }

    /// @dev The status of a kept level.
    function statusOf(uint256 kept) internal pure returns (TcbStatus) {
        return TcbStatus(uint8(kept >> 64));
    }

    /// @dev The first 8 bytes of the hash over a kept level's advisories.
    function advisoriesOf(uint256 kept) internal pure returns (uint64) {
        return uint64(kept);
    }
}
