// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {SliceHash} from "../../crypto/SliceHash.sol";
import {Cbor} from "../../encoding/Cbor.sol";
import {INitroVerifier} from "../../interfaces/INitroVerifier.sol";

/// @notice An attestation document in memory. Offsets are into `data`.
/// @param data The COSE Sig_structure, which is what is signed, and behind it the signature.
/// @param signedEnd Where the signed part ends and the signature's 96 bytes begin, but for their head of two bytes.
/// @param moduleId Where module_id begins.
/// @param moduleIdEnd Where it ends.
/// @param timestamp Milliseconds since 1970.
/// @param pcrs Where the value of PCR0 begins; the next ones follow every 51 bytes.
/// @param userData The user data, filled up with zeros.
/// @param chain Beginning and end of every certificate, two entries each, from the root to the leaf.
struct Document {
    bytes data;
    uint256 signedEnd;
    uint256 moduleId;
    uint256 moduleIdEnd;
    uint256 timestamp;
    uint256 pcrs;
    bytes32[2] userData;
    uint256[] chain;
}

/// @title NitroDocument
/// @notice Reads AWS Nitro attestation documents (AWS, Nitro Enclaves Attestation Process, section "Attestation document
/// specification") strictly.
/// @dev The document is `84 | 44 a1013822 | a0 | payload | 58 60 signature`: COSE_Sign1 without a tag, ES384, nothing in
/// the unprotected header. What is signed is `84 | 6a "Signature1" | 44 a1013822 | 40 | payload` (RFC 9052, section 4.4).
/// The payload is a byte string that holds one map. Real documents of 2022 to 2024 write it with its length, those of 2026
/// without one (bf ... ff): both are taken for this map, and nothing else may be indefinite. The order of its fields is
/// free, none may be unknown or occur twice, and public_key, user_data and nonce may be null or absent.
/// WARNING: reading does not verify. Nothing read counts before the signature has been checked.
library NitroDocument {
    using SliceHash for bytes;

    /// @dev An entry of the PCRs' map up to 23: key 1, head of the value 2, value 48.
    uint256 internal constant PCR_STRIDE = 51;

    bytes7 private constant _COSE_HEAD = 0x8444a1013822a0;
    bytes18 private constant _SIGNED_HEAD = 0x846a5369676e61747572653144a101382240;
    uint256 private constant _SIGNED_HEAD_BYTES = 18;
    /// @dev Byte string of 96 bytes.
    bytes2 private constant _SIGNATURE_HEAD = 0x5860;
    uint256 private constant _SIGNATURE_BYTES = 98;

    bytes32 private constant _WORKLOAD_TAG = keccak256("xmtp-tee/workload/nitro/v1");

    // Fields: the name's length in the top byte, the name in the lowest ones.
    uint256 private constant _MODULE_ID = (9 << 248) | uint72(bytes9("module_id"));
    uint256 private constant _DIGEST = (6 << 248) | uint48(bytes6("digest"));
    uint256 private constant _TIMESTAMP = (9 << 248) | uint72(bytes9("timestamp"));
    uint256 private constant _PCRS = (4 << 248) | uint32(bytes4("pcrs"));
    uint256 private constant _CERTIFICATE = (11 << 248) | uint88(bytes11("certificate"));
    uint256 private constant _CABUNDLE = (8 << 248) | uint64(bytes8("cabundle"));
    uint256 private constant _PUBLIC_KEY = (10 << 248) | uint80(bytes10("public_key"));
    uint256 private constant _USER_DATA = (9 << 248) | uint72(bytes9("user_data"));
    uint256 private constant _NONCE = (5 << 248) | uint40(bytes5("nonce"));

    /// @dev The bits of {INitroVerifier.DocumentFieldsMissing}.
    uint256 private constant _REQUIRED = 0x3f;
    uint256 private constant _USER_DATA_BIT = 1 << 7;

    // Limits of AWS's specification, in bytes; AWS's chains have four CAs.
    uint256 private constant _MAX_CERTIFICATE = 1024;
    uint256 private constant _MAX_CHAIN = 5;
    uint256 private constant _MAX_PUBLIC_KEY = 1024;
    uint256 private constant _MAX_DATA = 512;
    uint256 private constant _MAX_MODULE_ID = 128;
    uint256 private constant _USER_DATA_BYTES = 64;

    /// @dev Copies a document into memory, once, and reads it.
    function load(bytes calldata cose) internal pure returns (Document memory document) {
        uint256 length = cose.length;
        if (length < _COSE_HEAD.length + _SIGNATURE_BYTES) revert INitroVerifier.CoseUnsupported();
        if (bytes7(cose[:7]) != _COSE_HEAD || bytes2(cose[length - _SIGNATURE_BYTES:length - 96]) != _SIGNATURE_HEAD) {
            revert INitroVerifier.CoseUnsupported();
        }
        bytes memory data = abi.encodePacked(_SIGNED_HEAD, cose[7:]);
        document.data = data;
        uint256 end = data.length - _SIGNATURE_BYTES;
        document.signedEnd = end;
        (uint256 offset, uint256 stop) = Cbor.text(data, _SIGNED_HEAD_BYTES, end, Cbor.BYTES);
        Cbor.finish(stop, end);
        _readFields(document, data, offset, end);
    }

    /// @dev Refuses enclaves in debug mode: their PCR0, PCR1 and PCR2 are zero. No image measures so in any of them.
    function requireProduction(Document memory document) internal pure {
        for (uint256 i = 0; i < 3; ++i) {
            uint256 where = document.pcrs + PCR_STRIDE * i;
            if (_wordAt(document.data, where) | _wordAt(document.data, where + 16) == 0) {
                revert INitroVerifier.DebugEnclave(bytes8(uint64(i)));
            }
        }
    }

    /// @dev The workload id, see {INitroVerifier}.
    function workload(Document memory document) internal pure returns (bytes32 id) {
        bytes32 tag = _WORKLOAD_TAG;
        bytes memory data = document.data;
        uint256 pcrs = document.pcrs;
        assembly ("memory-safe") {
            // Hashed in free memory, which stays free.
            let free := mload(0x40)
            let pcr := add(add(data, 0x20), pcrs)
            mstore(free, tag)
            mcopy(add(free, 0x20), pcr, 0x30)
            mcopy(add(free, 0x50), add(pcr, PCR_STRIDE), 0x30)
            mcopy(add(free, 0x80), add(pcr, mul(2, PCR_STRIDE)), 0x30)
            mcopy(add(free, 0xb0), add(pcr, mul(8, PCR_STRIDE)), 0x30)
            id := keccak256(free, 0xe0)
        }
    }

    /// @dev The instance's id, hashed: module_id up to the first "-enc".
    function instance(Document memory document) internal pure returns (bytes16) {
        (bytes memory data, uint256 start) = (document.data, document.moduleId);
        for (uint256 where = start; where + 4 <= document.moduleIdEnd; ++where) {
            if (bytes4(bytes32(_wordAt(data, where))) != "-enc") continue;
            if (where == start) break;
            return bytes16(data.keccakOf(start, where));
        }
        revert INitroVerifier.ModuleMismatch();
    }

    // --- fields --------------------------------------------------------------------------------------

    function _readFields(Document memory document, bytes memory data, uint256 offset, uint256 end) private pure {
        bool indefinite = Cbor.isIndefiniteMap(data, offset, end);
        uint256 left;
        if (indefinite) ++offset;
        else (left, offset) = Cbor.head(data, offset, end, Cbor.MAP);

        uint256 met;
        // The leaf stands in a field of its own, which may come before the others of its chain.
        uint256[2] memory leaf;
        while (indefinite ? !Cbor.isBreak(data, offset, end) : left != 0) {
            uint256 start = offset;
            uint256 key;
            (key, offset) = _key(data, offset, end);
            uint256 bit = _bitOf(start, key);
            if (met & bit != 0) revert INitroVerifier.DocumentFieldDuplicate(start, key);
            met |= bit;
            offset = _readField(document, leaf, offset, end, key);
            if (!indefinite) --left;
        }
        if (indefinite) ++offset;
        Cbor.finish(offset, end);
        if (met & _REQUIRED != _REQUIRED) revert INitroVerifier.DocumentFieldsMissing(met & _REQUIRED, _REQUIRED);
        if (met & _USER_DATA_BIT == 0) revert INitroVerifier.UserDataMissing();
        uint256[] memory chain = document.chain;
        (chain[chain.length - 2], chain[chain.length - 1]) = (leaf[0], leaf[1]);
    }

    /// @dev Reads the value of a field and returns where it ends.
    function _readField(Document memory document, uint256[2] memory leaf, uint256 offset, uint256 end, uint256 key)
        private
        pure
        returns (uint256 next)
    {
        bytes memory data = document.data;
        if (key == _MODULE_ID) {
            (document.moduleId, next) = _string(data, offset, end, Cbor.TEXT, _MAX_MODULE_ID);
            document.moduleIdEnd = next;
        } else if (key == _DIGEST) {
            uint256 start;
            (start, next) = _string(data, offset, end, Cbor.TEXT, 6);
            if (next - start != 6 || bytes6(bytes32(_wordAt(data, start))) != "SHA384") {
                revert INitroVerifier.DigestUnsupported();
            }
        } else if (key == _TIMESTAMP) {
            (document.timestamp, next) = Cbor.head(data, offset, end, Cbor.UNSIGNED);
        } else if (key == _PCRS) {
            (document.pcrs, next) = _pcrs(data, offset, end);
        } else if (key == _CERTIFICATE) {
            (leaf[0], next) = _string(data, offset, end, Cbor.BYTES, _MAX_CERTIFICATE);
            leaf[1] = next;
        } else if (key == _CABUNDLE) {
            (document.chain, next) = _cabundle(data, offset, end);
        } else if (key == _USER_DATA) {
            next = _userData(document, offset, end);
        } else if (Cbor.isNull(data, offset, end)) {
            // public_key or nonce
            next = offset + 1;
        } else {
            (, next) = _string(data, offset, end, Cbor.BYTES, key == _PUBLIC_KEY ? _MAX_PUBLIC_KEY : _MAX_DATA);
        }
    }

    /// @dev 0 to 15, then perhaps more up to 31, each of 48 bytes.
    function _pcrs(bytes memory data, uint256 offset, uint256 end) private pure returns (uint256 first, uint256 next) {
        uint256 count;
        (count, next) = Cbor.head(data, offset, end, Cbor.MAP);
        if (count < 16 || count > 32) revert INitroVerifier.PcrUnexpected(count, 16);
        first = next + 3;
        uint256 least;
        for (uint256 i = 0; i < count; ++i) {
            uint256 index;
            (index, next) = Cbor.head(data, next, end, Cbor.UNSIGNED);
            if (i < 16 ? index != i : index < least || index > 31) revert INitroVerifier.PcrUnexpected(index, least);
            least = index + 1;
            uint256 start;
            (start, next) = Cbor.text(data, next, end, Cbor.BYTES);
            if (next - start != 48) revert INitroVerifier.PcrLength(index, next - start);
        }
    }

    /// @dev The bounds of its certificates, with room for the leaf's behind them.
    function _cabundle(bytes memory data, uint256 offset, uint256 end)
        private
        pure
        returns (uint256[] memory chain, uint256 next)
    {
        uint256 count;
        (count, next) = Cbor.head(data, offset, end, Cbor.ARRAY);
        if (count == 0 || count > _MAX_CHAIN) revert INitroVerifier.DocumentFieldLength(offset, count, _MAX_CHAIN);
        chain = new uint256[](2 * count + 2);
        for (uint256 i = 0; i < count; ++i) {
            (chain[2 * i], next) = _string(data, next, end, Cbor.BYTES, _MAX_CERTIFICATE);
            chain[2 * i + 1] = next;
        }
    }

    function _userData(Document memory document, uint256 offset, uint256 end) private pure returns (uint256 next) {
        bytes memory data = document.data;
        if (Cbor.isNull(data, offset, end)) revert INitroVerifier.UserDataMissing();
        uint256 start;
        (start, next) = Cbor.text(data, offset, end, Cbor.BYTES);
        uint256 length = next - start;
        if (length > _USER_DATA_BYTES) revert INitroVerifier.UserDataTooLong(length);
        bytes32[2] memory padded = document.userData;
        assembly ("memory-safe") {
            mcopy(padded, add(add(data, 0x20), start), length)
        }
    }

    /// @dev A string of 1 to `limit` bytes; a nonce may be empty.
    function _string(bytes memory data, uint256 offset, uint256 end, uint8 major, uint256 limit)
        private
        pure
        returns (uint256 start, uint256 stop)
    {
        (start, stop) = Cbor.text(data, offset, end, major);
        uint256 length = stop - start;
        if (length > limit || (length == 0 && limit != _MAX_DATA)) {
            revert INitroVerifier.DocumentFieldLength(offset, length, limit);
        }
    }

    // --- keys ----------------------------------------------------------------------------------------

    /// @dev A name of at most 31 bytes, its length in the top byte.
    function _key(bytes memory data, uint256 offset, uint256 end) private pure returns (uint256 key, uint256 next) {
        uint256 start;
        (start, next) = _string(data, offset, end, Cbor.TEXT, 31);
        uint256 length = next - start;
        return ((length << 248) | (_wordAt(data, start) >> (8 * (32 - length))), next);
    }

    function _bitOf(uint256 offset, uint256 key) private pure returns (uint256) {
        if (key == _MODULE_ID) return 1 << 0;
        if (key == _DIGEST) return 1 << 1;
        if (key == _TIMESTAMP) return 1 << 2;
        if (key == _PCRS) return 1 << 3;
        if (key == _CERTIFICATE) return 1 << 4;
        if (key == _CABUNDLE) return 1 << 5;
        if (key == _PUBLIC_KEY) return 1 << 6;
        if (key == _USER_DATA) return _USER_DATA_BIT;
        if (key == _NONCE) return 1 << 8;
        revert INitroVerifier.DocumentFieldUnknown(offset, key);
    }

    function _wordAt(bytes memory data, uint256 offset) private pure returns (uint256 value) {
        assembly ("memory-safe") {
            value := mload(add(add(data, 32), offset))
        }
    }
}
