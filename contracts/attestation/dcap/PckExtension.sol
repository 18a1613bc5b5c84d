// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Der} from "../../encoding/Der.sol";

/// @notice What Intel's SGX extension says about a platform.
/// @param ppid The platform provisioning id.
/// @param componentSvns The 16 TCB component SVNs, one byte each, in order.
/// @param pcesvn The security version of the provisioning certification enclave.
/// @param pceid The provisioning certification enclave's id.
/// @param fmspc Family, model, stepping, platform type and custom SKU.
struct PckPlatform {
    bytes16 ppid;
    bytes16 componentSvns;
    uint16 pcesvn;
    bytes2 pceid;
    bytes6 fmspc;
}

/// @title PckExtension
/// @notice Reads the SGX extension of PCK certificates (1.2.840.113741.1.13.1; Intel SGX PCK Certificate and
/// Certificate Revocation List Profile Specification, section 1.3.5).
/// @dev Items must stand in the order of their numbers, as Intel writes them: PPID .1, TCB .2 (components .1 to
/// .16, PCESVN .17, CPUSVN .18), PCE-ID .3, FMSPC .4, SGX type .5; certificates of the Platform CA go on with the
/// platform instance id .6 and the configuration .7, which are checked for their form only.
library PckExtension {
    using Der for bytes;

    /// @notice Another item was expected here. Both in {Der.objectIdentifier}'s form.
    error SgxExtensionItemMismatch(uint256 offset, uint256 got, uint256 expected);
    /// @notice CPUSVN is not the component SVNs: other verifiers judge by it, and would judge another platform.
    error CpuSvnMismatch(uint256 offset, bytes16 got, bytes16 expected);
    /// @notice The SGX type is none of standard 0, scalable 1, scalable with integrity 2.
    error SgxTypeUnknown(uint256 offset, uint8 got);

    /// @dev 1.2.840.113741.1.13.1
    uint256 private constant _ARC = 0x2a864886f84d010d01;
    /// @dev SEQUENCE { OBJECT IDENTIFIER 1.2.840.113741.1.13.1.2.0, INTEGER of 1 byte }, up to the integer's content.
    uint256 private constant _SVN_SHORT = 0x3010060b2a864886f84d010d0102000201;
    /// @dev The same with an integer of 2 bytes, the first of them zero.
    uint256 private constant _SVN_LONG = 0x3011060b2a864886f84d010d010200020200;

    /// @dev SEQUENCE { OBJECT IDENTIFIER 1.2.840.113741.1.13.1.2.18, OCTET STRING of 16 bytes }, up to its content.
    uint256 private constant _CPUSVN_HEAD = 0x301f060b2a864886f84d010d0102120410;
    /// @dev SEQUENCE { OBJECT IDENTIFIER 1.2.840.113741.1.13.1.7.0, BOOLEAN }, up to its content.
    uint256 private constant _FLAG_HEAD = 0x3010060b2a864886f84d010d0107000101;

    // Most values are read in two ways. An item that has, to the byte, the form in which Intel writes it is compared as
    // a whole; any other goes the long way, which would accept the first form with the same result, and says what is
    // wrong with others.

    /// @notice Reads the extension's value, which is der[offset:end].
    function read(bytes memory der, uint256 offset, uint256 end) internal pure returns (PckPlatform memory platform) {
        uint256 stop;
        (offset, stop) = der.enter(offset, end, Der.SEQUENCE);
        Der.finish(stop, end);
        bytes32 value;
        (value, offset) = _octets(der, offset, end, _item(1), 16);
        platform.ppid = bytes16(value);
        offset = _tcb(der, offset, end, platform);
        (value, offset) = _octets(der, offset, end, _item(3), 2);
        platform.pceid = bytes2(value);
        (value, offset) = _octets(der, offset, end, _item(4), 6);
        platform.fmspc = bytes6(value);
        offset = _sgxType(der, offset, end);
        if (offset != end) (, offset) = _octets(der, offset, end, _item(6), 16);
        if (offset != end) offset = _configuration(der, offset, end);
        Der.finish(offset, end);
    }

    function _tcb(bytes memory der, uint256 offset, uint256 end, PckPlatform memory platform)
        private
        pure
        returns (uint256 next)
    {
        uint256 stop;
        (offset, next) = _open(der, offset, end, _item(2));
        (offset, stop) = der.enter(offset, next, Der.SEQUENCE);
        Der.finish(stop, next);
        uint256 svns;
        uint256 svn;
        for (uint256 i = 1; i <= 16; ++i) {
            (svn, offset) = _svn(der, offset, stop, i, type(uint8).max);
            svns = (svns << 8) | svn;
        }
        platform.componentSvns = bytes16(uint128(svns));
        (svn, offset) = _svn(der, offset, stop, 17, type(uint16).max);
        platform.pcesvn = uint16(svn);
        bytes32 cpusvn;
        uint256 last = offset + 33;
        if (der.wordAt(offset) >> 120 == _CPUSVN_HEAD && last <= stop) cpusvn = bytes32(der.wordAt(offset + 17));
        else (cpusvn, last) = _octets(der, offset, stop, _item(2, 18), 16);
        // Intel calls CPUSVN opaque, yet writes the components into it on every platform there is.
        if (bytes16(cpusvn) != platform.componentSvns) {
            revert CpuSvnMismatch(offset, bytes16(cpusvn), platform.componentSvns);
        }
        Der.finish(last, stop);
    }

    function _sgxType(bytes memory der, uint256 offset, uint256 end) private pure returns (uint256 next) {
        uint256 start;
        uint256 stop;
        (start, next) = _open(der, offset, end, _item(5));
        (start, stop) = der.enterExact(start, next, Der.ENUMERATED, 1);
        Der.finish(stop, next);
        uint8 got = der.byteAt(start);
        if (got > 2) revert SgxTypeUnknown(offset, got);
    }

    /// @dev Any of dynamic platform .1, cached keys .2 and SMT enabled .3, each BOOLEAN.
    function _configuration(bytes memory der, uint256 offset, uint256 end) private pure returns (uint256 next) {
        uint256 stop;
        (offset, next) = _open(der, offset, end, _item(7));
        (offset, stop) = der.enter(offset, next, Der.SEQUENCE);
        Der.finish(stop, next);
        while (offset < stop) {
            uint256 word = der.wordAt(offset);
            uint256 flag = (word >> 112) & 0xff;
            // The number of the flag, any, is blanked.
            bool usual = (word >> 120) & ~uint256(0xff0000) == _FLAG_HEAD && (flag == 0 || flag == 0xff);
            if (usual && offset + 18 <= stop) {
                offset += 18;
                continue;
            }
            (uint256 start, uint256 itemEnd) = der.enter(offset, stop, Der.SEQUENCE);
            uint256 oid;
            (oid, start) = der.objectIdentifier(start, itemEnd);
            if (oid >> 8 != _item(7, 0) >> 8) revert SgxExtensionItemMismatch(offset, oid, _item(7, 0));
            (, start) = der.boolean(start, itemEnd);
            Der.finish(start, itemEnd);
            offset = itemEnd;
        }
    }

    /// @dev SEQUENCE { OBJECT IDENTIFIER, INTEGER }
    function _svn(bytes memory der, uint256 offset, uint256 end, uint256 number, uint256 limit)
        private
        pure
        returns (uint256 svn, uint256 next)
    {
        unchecked {
            // Integers of one byte and of two, of which the first is zero.
            uint256 word = der.wordAt(offset);
            if (word >> 120 == _SVN_SHORT | (number << 16) && offset + 18 <= end) {
                svn = (word >> 112) & 0xff;
                if (svn < 0x80) return (svn, offset + 18);
            } else if (word >> 112 == _SVN_LONG | (number << 24) && offset + 19 <= end) {
                svn = (word >> 104) & 0xff;
                if (svn >= 0x80) return (svn, offset + 19);
            }
        }
        uint256 start;
        (start, next) = _open(der, offset, end, _item(2, number));
        (svn, start) = der.unsigned(start, next, limit);
        Der.finish(start, next);
    }

    /// @dev SEQUENCE { OBJECT IDENTIFIER, OCTET STRING }
    function _octets(bytes memory der, uint256 offset, uint256 end, uint256 oid, uint256 length)
        private
        pure
        returns (bytes32 value, uint256 next)
    {
        unchecked {
            // Lengths below 128, offsets of bytes in memory.
            next = offset + 16 + length;
            uint256 head =
                (0x30 << 120) | ((14 + length) << 112) | (0x060a << 96) | (uint80(oid) << 16) | 0x0400 | length;
            if (oid >> 248 == 10 && der.wordAt(offset) >> 128 == head && next <= end) {
                uint256 unused = 8 * (32 - length);
                return (bytes32((der.wordAt(offset + 16) >> unused) << unused), next);
            }
        }
        uint256 start;
        (start, next) = _open(der, offset, end, oid);
        (value, start) = der.octets(start, next, length);
        Der.finish(start, next);
    }

    function _open(bytes memory der, uint256 offset, uint256 end, uint256 expected)
        private
        pure
        returns (uint256 start, uint256 stop)
    {
        uint256 oid;
        (start, stop) = der.enter(offset, end, Der.SEQUENCE);
        (oid, start) = der.objectIdentifier(start, stop);
        if (oid != expected) revert SgxExtensionItemMismatch(offset, oid, expected);
    }

    function _item(uint256 number) private pure returns (uint256 oid) {
        return (10 << 248) | (_ARC << 8) | number;
    }

    function _item(uint256 number, uint256 part) private pure returns (uint256 oid) {
        return (11 << 248) | (_ARC << 16) | (number << 8) | part;
    }
}
