// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Der} from "./Der.sol";
import {DerExtension} from "./DerExtension.sol";
import {DerTime} from "./DerTime.sol";
import {X509Fields} from "./X509Fields.sol";

/// @notice What is read of a CRL. Nothing in it has been verified yet.
/// @param issuer keccak256 of the issuer's DER name.
/// @param authorityKeyId The issuer's key id; 0 where the list names none.
/// @param thisUpdate When it was issued, unix seconds.
/// @param nextUpdate When the next one is due, unix seconds.
/// @param numbered Whether it has a CRL number.
/// @param number The CRL number.
/// @param entries Where the first entry begins.
/// @param entriesEnd Where the last entry ends.
/// @param digest SHA-256 of the signed part; {Crl.readBody} leaves it, r and s to its caller.
/// @param r The signature's r, of P-256.
/// @param s The signature's s, of P-256.
struct RevocationList {
    bytes32 issuer;
    bytes20 authorityKeyId;
    uint40 thisUpdate;
    uint40 nextUpdate;
    bool numbered;
    uint64 number;
    uint256 entries;
    uint256 entriesEnd;
    bytes32 digest;
    uint256 r;
    uint256 s;
}

/// @title Crl
/// @notice Reads X.509 v2 certificate revocation lists (RFC 5280, section 5): complete lists only, since delta and
/// partitioned ones are marked by critical extensions, which are refused.
/// @dev
/// ██ WARNING ██
/// Reading verifies nothing: no signature, no issuer, no time. Its caller does.
library Crl {
    using Der for bytes;

    /// @notice The list is not of version 2.
    error CrlVersionUnsupported(uint256 offset);
    /// @notice The list does not name its issuer's key.
    error CrlAuthorityKeyIdMissing();

    // Object identifiers in Der.objectIdentifier's form.
    uint256 private constant _CRL_NUMBER = (3 << 248) | 0x551d14; // 2.5.29.20
    uint256 private constant _REASON_CODE = (3 << 248) | 0x551d15; // 2.5.29.21

    /// @dev INTEGER 1
    bytes32 private constant _VERSION_2 = bytes32(bytes3(hex"020101"));

    /// @notice Reads a list that fills the array exactly, up to its signature; its entries are read by {serials}.
    /// @param algorithm The signature's algorithm identifier, `algorithmLength` bytes (at most 32).
    /// @return list Without the signature.
    /// @return signed Where the signed part begins.
    /// @return signedEnd Where the signed part ends.
    /// @return offset Where the signature's BIT STRING lies, which reaches to the array's end.
    function readBody(bytes memory der, bytes32 algorithm, uint256 algorithmLength)
        internal
        pure
        returns (RevocationList memory list, uint256 signed, uint256 signedEnd, uint256 offset)
    {
        uint256 end;
        (signed, end) = der.enter(0, der.length, Der.SEQUENCE);
        Der.finish(end, der.length);
        (offset, signedEnd) = der.enter(signed, end, Der.SEQUENCE);

        offset = version2(der, offset, signedEnd);
        offset = X509Fields.algorithm(der, offset, signedEnd, algorithm, algorithmLength);
        list = content(der, offset, signedEnd);
        if (list.authorityKeyId == 0) revert CrlAuthorityKeyIdMissing();
        offset = X509Fields.algorithm(der, signedEnd, end, algorithm, algorithmLength);
    }

    /// @notice Reads past the version, which must be 2.
    function version2(bytes memory der, uint256 offset, uint256 end) internal pure returns (uint256 next) {
        if (!der.startsWith(offset, end, _VERSION_2, 3)) revert CrlVersionUnsupported(offset);
        return offset + 3;
    }

    /// @notice Reads the rest of the signed part behind the algorithm identifier, up to `end`. Extensions may be absent.
    function content(bytes memory der, uint256 offset, uint256 end) internal pure returns (RevocationList memory list) {
        (list.issuer, offset) = X509Fields.name(der, offset, end);
        (list.thisUpdate, offset) = DerTime.read(der, offset, end);
        (list.nextUpdate, offset) = DerTime.read(der, offset, end);
        // An empty list of revoked certificates is left out.
        if (offset < end && der.byteAt(offset) == Der.SEQUENCE) {
            (list.entries, offset) = der.enter(offset, end, Der.SEQUENCE);
            list.entriesEnd = offset;
        }
        if (offset != end) _extensions(der, offset, end, list);
    }

    /// @notice Reads the serial number of every entry, in order.
    function serials(bytes memory der, RevocationList memory list) internal pure returns (uint256[] memory numbers) {
        uint256 offset = list.entries;
        uint256 end = list.entriesEnd;
        uint256 count;
        while (offset < end) {
            (, offset) = der.enter(offset, end, Der.SEQUENCE);
            ++count;
        }
        numbers = new uint256[](count);
        offset = list.entries;
        // What follows the serial numbers, date and reason, is mostly the same 29 bytes in every entry of a list:
        // what was read once needs no second reading.
        uint256 known;
        uint256 knownLength = type(uint256).max;
        for (uint256 i = 0; i < count; ++i) {
            uint256 rest;
            uint256 next;
            (rest, next) = der.enter(offset, end, Der.SEQUENCE);
            (numbers[i], rest) = X509Fields.serialNumber(der, rest, next);
            uint256 length = next - rest;
            uint256 word = length > 32 ? 0 : der.wordAt(rest) >> (8 * (32 - length));
            if (length > 32 || length != knownLength || word != known) {
                _dateAndExtensions(der, rest, next);
                (known, knownLength) = (word, length);
            }
            offset = next;
        }
    }

    function _dateAndExtensions(bytes memory der, uint256 offset, uint256 end) private pure {
        (, offset) = DerTime.read(der, offset, end);
        if (offset == end) return;
        (uint256 first, uint256 last) = der.enter(offset, end, Der.SEQUENCE);
        Der.finish(last, end);
        offset = first;
        while (offset < end) {
            (uint256 oid, bool critical,, uint256 stop) = DerExtension.read(der, offset, end);
            DerExtension.requireFirst(der, first, offset, oid);
            // Whatever the reason, the certificate counts as revoked.
            if (oid != _REASON_CODE) DerExtension.ignore(offset, oid, critical);
            offset = stop;
        }
    }

    function _extensions(bytes memory der, uint256 offset, uint256 end, RevocationList memory list) private pure {
        // [0] EXPLICIT SEQUENCE OF Extension, the last field of the signed part.
        (uint256 first, uint256 last) = der.enter(offset, end, 0xa0);
        Der.finish(last, end);
        (first, last) = der.enter(first, end, Der.SEQUENCE);
        Der.finish(last, end);
        offset = first;
        while (offset < end) {
            (uint256 oid, bool critical, uint256 start, uint256 stop) = DerExtension.read(der, offset, end);
            DerExtension.requireFirst(der, first, offset, oid);
            if (oid == X509Fields.AUTHORITY_KEY_ID) {
                list.authorityKeyId = X509Fields.authorityKeyId(der, start, stop);
            } else if (oid == _CRL_NUMBER) {
                (uint256 number, uint256 next) = der.unsigned(start, stop, type(uint64).max);
                Der.finish(next, stop);
                (list.numbered, list.number) = (true, uint64(number));
            } else {
                DerExtension.ignore(offset, oid, critical);
            }
            offset = stop;
        }
    }
}
