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
        (bytes32 cpusvn, uint256 last) = _octets(der, offset, stop, _item(2, 18), 16);
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
