// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {TcbStatus} from "../../../../contracts/interfaces/AttestationTypes.sol";
import {IDcapVerifier, TcbPart} from "../../../../contracts/interfaces/IDcapVerifier.sol";
import {LevelsHarness} from "./LevelsHarness.sol";

/// @notice Level matching against a naive reference, and the convergence table.
contract TcbLevelsTest {
    struct Level {
        bytes16 sgx;
        bytes16 tdx;
        uint16 pcesvn;
        uint8 status;
    }

    bytes32 private constant SIGNER = keccak256("signer");
    LevelsHarness private immutable HARNESS = new LevelsHarness();

    // --- the reference -------------------------------------------------------------------------------

    /// @dev Byte after byte, as Intel's library does it.
    function _reaches(bytes16 platform, bytes16 level, uint256 from) private pure returns (bool) {
        for (uint256 i = from; i < 16; ++i) {
            if (uint8(platform[i]) < uint8(level[i])) return false;
        }
        return true;
    }

    function _naive(Level[] memory levels, bytes16 sgx, uint16 pcesvn, bytes16 tdx) private pure returns (uint8) {
        for (uint256 i = 0; i < levels.length; ++i) {
            Level memory level = levels[i];
            bool reached = _reaches(sgx, level.sgx, 0) && pcesvn >= level.pcesvn
                && _reaches(tdx, level.tdx, uint8(tdx[1]) > 0 ? 2 : 0);
            if (reached) return level.status;
        }
        return 0;
    }

    /// @dev What TcbInfo keeps: one identity of version `version` with one up-to-date level at 0.
    function _kept(Level[] memory levels, uint8 version) private pure returns (bytes memory kept) {
        kept = abi.encodePacked(uint16(0), SIGNER, bytes8(0), uint8(1), version, uint8(0), uint8(1));
        kept = abi.encodePacked(kept, uint16(0), uint8(TcbStatus.UP_TO_DATE), bytes8(0));
        (kept[0], kept[1]) = (bytes1(uint8(kept.length >> 8)), bytes1(uint8(kept.length)));
        kept = abi.encodePacked(kept, uint8(levels.length));
        for (uint256 i = 0; i < levels.length; ++i) {
            Level memory level = levels[i];
            kept = abi.encodePacked(kept, level.sgx, level.tdx, level.pcesvn, level.status, bytes8(0));
        }
    }

    function _status(Level[] memory levels, bytes16 sgx, uint16 pcesvn, bytes16 tdx) private view returns (uint8) {
        try HARNESS.tdxStatus(_kept(levels, uint8(tdx[1])), sgx, pcesvn, tdx, SIGNER) returns (TcbStatus status) {
            return uint8(status);
        } catch (bytes memory reason) {
            require(bytes4(reason) == IDcapVerifier.TcbLevelNotFound.selector, "another error");
            return 0;
        }
    }

    // --- matching ------------------------------------------------------------------------------------

    function testFuzz_matches_what_the_naive_reference_matches(
        bytes16[4] memory sgx,
        bytes16[4] memory tdx,
        uint16[4] memory pcesvn,
        uint256 near
    ) external view {
        // Element 0 is the platform. Levels that differ from it by one here and there are the hard cases.
        Level[] memory levels = new Level[](3);
        for (uint256 i = 0; i < 3; ++i) {
            uint8 mode = uint8(near >> (8 * i));
            levels[i] = Level(
                mode & 1 == 0 ? _nudged(sgx[0], near >> (24 + 32 * i)) : sgx[i + 1],
                mode & 2 == 0 ? _nudged(tdx[0], near >> (40 + 32 * i)) : tdx[i + 1],
                mode & 4 == 0 ? pcesvn[0] : pcesvn[i + 1],
                uint8(1 + i)
            );
        }
        uint8 expected = _naive(levels, sgx[0], pcesvn[0], tdx[0]);
        require(_status(levels, sgx[0], pcesvn[0], tdx[0]) == expected, "differs from the reference");
    }

    /// @dev One component moved by one, down or up, without leaving its byte.
    function _nudged(bytes16 svns, uint256 how) private pure returns (bytes16) {
        uint256 shift = 8 * (how & 15);
        uint128 value = uint128(svns);
        uint8 component = uint8(value >> shift);
        if (how & 16 != 0 && component != 0) return bytes16(value - (uint128(1) << shift));
        if (how & 32 != 0 && component != 255) return bytes16(value + (uint128(1) << shift));
        return svns;
    }

    function test_boundary_of_each_component_by_one() external view {
        bytes16 svns = bytes16(uint128(0x01807f00ff10fe02010203040506aabb));
        // TEE_TCB_SVN[1] == 0 so that all 32 components count.
        bytes16 tdx = bytes16(uint128(0x0500807f00ff10fe0201020304050601));
        Level[] memory levels = new Level[](1);
        for (uint256 i = 0; i < 32; ++i) {
            uint256 shift = 8 * (i & 15);
            uint128 own = uint128(i < 16 ? svns : tdx);
            levels[0] = Level(svns, tdx, 7, 1);
            require(_status(levels, svns, 7, tdx) == 1, "equal is enough");
            if (uint8(own >> shift) == 255) continue;
            bytes16 above = bytes16(own + (uint128(1) << shift));
            levels[0] = i < 16 ? Level(above, tdx, 7, 1) : Level(svns, above, 7, 1);
            require(_status(levels, svns, 7, tdx) == 0, "one too low must not match");
        }
        levels[0] = Level(svns, tdx, 8, 1);
        require(_status(levels, svns, 7, tdx) == 0, "pcesvn one too low must not match");
    }

    function testFuzz_sgx_matches_what_the_naive_reference_matches(
        bytes16[4] memory sgx,
        uint16[4] memory pcesvn,
        uint256 near
    ) external view {
        Level[] memory levels = new Level[](3);
        bytes memory kept = abi.encodePacked(uint8(3));
        for (uint256 i = 0; i < 3; ++i) {
            uint8 mode = uint8(near >> (8 * i));
            levels[i] = Level(
                mode & 1 == 0 ? _nudged(sgx[0], near >> (24 + 32 * i)) : sgx[i + 1],
                0,
                mode & 4 == 0 ? pcesvn[0] : pcesvn[i + 1],
                uint8(1 + i)
            );
            kept = abi.encodePacked(kept, levels[i].sgx, levels[i].pcesvn, levels[i].status, bytes8(0));
        }
        uint8 expected = _naive(levels, sgx[0], pcesvn[0], 0);
        try HARNESS.sgxStatus(kept, sgx[0], pcesvn[0]) returns (TcbStatus status) {
            require(uint8(status) == expected, "differs from the reference");
        } catch (bytes memory reason) {
            require(bytes4(reason) == IDcapVerifier.TcbLevelNotFound.selector, "another error");
            require(expected == 0, "the reference finds a level");
        }
    }

    function test_the_bytes_after_the_svns_of_an_sgx_level_do_not_count() external view {
        // PCESVN, status and advisories of the level, all bits set, must not be compared as SVNs.
        bytes memory kept = abi.encodePacked(uint8(1), bytes16(0), uint16(0), uint8(1), bytes8(type(uint64).max));
        require(HARNESS.sgxStatus(kept, 0, 0) == TcbStatus.UP_TO_DATE, "matches");
    }

    function test_a_module_identity_with_a_signer_of_its_own_is_judged_by_that() external {
        bytes32 other = keccak256("other");
        bytes memory kept = abi.encodePacked(uint16(0), SIGNER, bytes8(0), uint8(2));
        kept = abi.encodePacked(kept, uint8(1), uint8(1), other, bytes8(0), uint8(1), uint16(0), uint8(5), bytes8(0));
        kept = abi.encodePacked(kept, uint8(3), uint8(0), uint8(1), uint16(0), uint8(1), bytes8(0));
        (kept[0], kept[1]) = (bytes1(uint8(kept.length >> 8)), bytes1(uint8(kept.length)));
        kept = abi.encodePacked(kept, uint8(1), bytes32(0), uint16(0), uint8(1), bytes8(0));
        bytes16 first = bytes16(uint128(0x0001 << 112));
        bytes16 third = bytes16(uint128(0x0003 << 112));
        require(HARNESS.tdxStatus(kept, 0, 0, first, other) == TcbStatus.OUT_OF_DATE, "its own");
        require(HARNESS.tdxStatus(kept, 0, 0, third, SIGNER) == TcbStatus.UP_TO_DATE, "the shared");
        _requireMismatch(kept, first, SIGNER);
        _requireMismatch(kept, third, other);
    }

    function _requireMismatch(bytes memory kept, bytes16 svn, bytes32 signer) private view {
        try HARNESS.tdxStatus(kept, 0, 0, svn, signer) returns (TcbStatus) {
            revert("not refused");
        } catch (bytes memory reason) {
            require(bytes4(reason) == IDcapVerifier.TdxModuleMismatch.selector, "another error");
        }
    }

    function test_components_0_and_1_do_not_count_for_a_module_with_a_version() external view {
        Level[] memory levels = new Level[](1);
        levels[0] = Level(0, bytes16(uint128(0xffff << 112)), 0, 1);
        require(_status(levels, 0, 0, bytes16(uint128(0x0001 << 112))) == 1, "judged by the identity");
        require(_status(levels, 0, 0, bytes16(uint128(0xff00 << 112))) == 0, "judged by the components");
    }

    // --- convergence ---------------------------------------------------------------------------------

    function test_convergence_table() external view {
        // Intel's table: platform status -> with an out-of-date part.
        uint8[7] memory outdated = [0, 5, 5, 6, 6, 5, 6];
        for (uint8 platform = 1; platform <= 6; ++platform) {
            for (uint8 part = 0; part < 3; ++part) {
                require(_converge(platform, 1, part) == platform, "an up-to-date part changes nothing");
                require(_converge(platform, 5, part) == outdated[platform], "an out-of-date part");
                uint8[6] memory refused = [uint8(0), 2, 3, 4, 6, 7];
                for (uint256 i = 0; i < 6; ++i) {
                    _requireRevoked(platform, refused[i], part, part);
                }
            }
        }
        for (uint8 status = 0; status <= 7; ++status) {
            _requireRevoked(7, status, 2, 0);
        }
    }

    function _converge(uint8 platform, uint8 status, uint8 part) private view returns (uint8) {
        return uint8(HARNESS.converge(TcbStatus(platform), TcbStatus(status), TcbPart(part)));
    }

    function _requireRevoked(uint8 platform, uint8 status, uint8 part, uint8 named) private view {
        try HARNESS.converge(TcbStatus(platform), TcbStatus(status), TcbPart(part)) returns (TcbStatus) {
            revert("not refused");
        } catch (bytes memory reason) {
            bytes memory expected = abi.encodeWithSelector(IDcapVerifier.TcbRevoked.selector, named);
            require(keccak256(reason) == keccak256(expected), "another error");
        }
    }
}
