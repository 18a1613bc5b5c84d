// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {SliceHash} from "../../crypto/SliceHash.sol";
import {Der} from "../../encoding/Der.sol";
import {X509Fields} from "../../encoding/X509Fields.sol";

/// @title AmdX509
/// @notice What AMD's certificates have in common: RSASSA-PSS signatures by keys of 4096 bits (AMD 57230; RFC 4055).
/// @dev WARNING: reading verifies nothing. Its caller does.
library AmdX509 {
    using Der for bytes;
    using SliceHash for bytes;

    uint256 internal constant MODULUS_BYTES = 512;

    // AMD writes the algorithm identifier in two ways: with the trailer field, though 1 is its default (ARK, ASK, ASVK,
    // VCEK), and without (VLEK). Both say: SHA-384, MGF1 with SHA-384, a salt of 48 bytes.
    uint256 private constant _PSS_BYTES = 67;
    bytes32 private constant _PSS = keccak256(
        hex"304106092a864886f70d01010a3034a00f300d06096086480165030402020500a11c301a06092a864886f70d010108300d06096086480165030402020500a203020130"
    );
    uint256 private constant _PSS_TRAILER_BYTES = 72;
    bytes32 private constant _PSS_TRAILER = keccak256(
        hex"304606092a864886f70d01010a3039a00f300d06096086480165030402020500a11c301a06092a864886f70d010108300d06096086480165030402020500a203020130a303020101"
    );
    // SEQUENCE { SEQUENCE { rsaEncryption, NULL }, BIT STRING { 0 unused bits,
    // SEQUENCE { INTEGER of 513 bytes whose first is 0 ...
    bytes32 private constant _RSA_KEY_1 = bytes32(bytes19(hex"30820222300d06092a864886f70d0101010500"));
    bytes32 private constant _RSA_KEY_2 = bytes32(bytes14(hex"0382020f003082020a0282020100"));
    // ... INTEGER 65537 } }
    bytes32 private constant _RSA_EXPONENT = bytes32(bytes5(hex"0203010001"));
    uint256 private constant _RSA_KEY_BYTES = 550;

    /// @notice Reads past the algorithm identifier, in either of its two forms.
    function algorithm(bytes memory der, uint256 offset, uint256 end) internal pure returns (uint256 next) {
        next = offset + _PSS_TRAILER_BYTES;
        if (next <= end && der.keccakOf(offset, next) == _PSS_TRAILER) return next;
        next = offset + _PSS_BYTES;
        if (next <= end && der.keccakOf(offset, next) == _PSS) return next;
        revert X509Fields.SignatureAlgorithmUnsupported(offset);
    }

    /// @notice Reads a SubjectPublicKeyInfo with an RSA key of 4096 bits and the exponent 65537.
    function rsaKey(bytes memory der, uint256 offset, uint256 end)
        internal
        pure
        returns (bytes memory modulus, uint256 next)
    {
        next = offset + _RSA_KEY_BYTES;
        if (
            next > end || !der.startsWith(offset, end, _RSA_KEY_1, 19)
                || !der.startsWith(offset + 19, end, _RSA_KEY_2, 14) || !der.startsWith(next - 5, end, _RSA_EXPONENT, 5)
        ) revert X509Fields.PublicKeyUnsupported(offset);
        modulus = _copy(der, offset + 33);
    }

    /// @notice Reads the signature, 512 bytes, which must reach exactly to `end`.
    function lastSignature(bytes memory der, uint256 offset, uint256 end) internal pure returns (bytes memory) {
        (uint256 start, uint256 stop) = der.enterLastBits(offset, end);
        if (stop - start != MODULUS_BYTES) revert Der.DerContentLengthMismatch(offset, stop - start, MODULUS_BYTES);
        return _copy(der, start);
    }

    function _copy(bytes memory der, uint256 offset) private pure returns (bytes memory copy) {
        copy = new bytes(MODULUS_BYTES);
        assembly ("memory-safe") {
            mcopy(add(copy, 32), add(add(der, 32), offset), MODULUS_BYTES)
        }
    }
}
