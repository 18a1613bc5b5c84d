// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Uint384} from "../interfaces/IP384.sol";
import {Sha384} from "./Sha384.sol";

/// @title RsaPss4096
/// @notice RSASSA-PSS-VERIFY (RFC 8017, 8.1.2) with a modulus of exactly 4096 bits, the exponent 65537, SHA-384, MGF1
/// with SHA-384 and a salt of 48 bytes: the signatures of AMD's ARK and ASK. About 0.43M gas.
/// @dev
/// ██ WARNING ██
/// - The digest is taken as given: the caller hashes.
/// - PSS is randomised: a message has many signatures. Never use a signature as an identity or a nonce.
/// - The modulus is taken as given: that it is a product of two primes, and whose, is for a certificate to say.
/// The parameters are fixed on purpose. Whoever reads them from a certificate must compare them with these.
library RsaPss4096 {
    /// @notice The modulus or the signature is not 512 bytes long.
    error RsaLengthWrong(uint256 modulusLength, uint256 signatureLength);
    /// @notice The digest is not below 2^384.
    error RsaDigestTooLong(uint256 high);
    /// @notice The modulus is even or below 2^4095.
    error RsaModulusRefused();
    /// @notice The signature, as an integer, is not below the modulus.
    error RsaSignatureNotBelowModulus();
    /// @notice The MODEXP precompile gave no answer of 512 bytes: out of gas.
    error ModexpFailed();
    /// @notice The encoded message is not the digest's: the signature is wrong.
    /// @param rule The first rule of EMSA-PSS-VERIFY (RFC 8017, 9.1.2) that it breaks, by its number there.
    error PssRefused(uint256 rule);

    uint256 private constant _BYTES = 512;
    uint24 private constant _EXPONENT = 65_537;
    /// @dev emLen - hLen - 1: where the hash begins in the encoded message, and the length of the masked part.
    uint256 private constant _MASKED = 463;
    /// @dev emLen - hLen - sLen - 2: zeros before the 0x01 and the salt.
    uint256 private constant _ZEROS = 414;

    /// @notice Returns if the signature is one of the digest by the modulus' key; reverts otherwise.
    /// @param modulus 512 bytes, big-endian.
    /// @param digest SHA-384 of the message.
    /// @param signature 512 bytes, big-endian.
    function verify(bytes memory modulus, Uint384 memory digest, bytes memory signature) internal view {
        if (modulus.length != _BYTES || signature.length != _BYTES) {
            revert RsaLengthWrong(modulus.length, signature.length);
        }
        if (digest.high > type(uint128).max) revert RsaDigestTooLong(digest.high);
        if (uint8(modulus[0]) < 0x80 || uint8(modulus[_BYTES - 1]) & 1 == 0) revert RsaModulusRefused();
        _requireBelow(signature, modulus);
        _requireEncodes(_power(signature, modulus), digest);
    }

    /// @dev RSAVP1's range check: MODEXP itself would reduce.
    function _requireBelow(bytes memory number, bytes memory modulus) private pure {
        for (uint256 offset = 32; offset <= _BYTES; offset += 32) {
            (uint256 a, uint256 b) = (_word(number, offset), _word(modulus, offset));
            if (a < b) return;
            if (a > b) break;
        }
        revert RsaSignatureNotBelowModulus();
    }

    /// @dev RSAVP1: base^65537 modulo the modulus, by the precompile of EIP-198.
    function _power(bytes memory base, bytes memory modulus) private view returns (bytes memory) {
        (bool success, bytes memory answer) =
            address(5).staticcall(abi.encodePacked(_BYTES, uint256(3), _BYTES, base, _EXPONENT, modulus));
        if (!success || answer.length != _BYTES) revert ModexpFailed();
        return answer;
    }

    /// @dev EMSA-PSS-VERIFY with emBits = 4095. Rules 1 to 3 are about lengths, which are constant here.
    function _requireEncodes(bytes memory encoded, Uint384 memory digest) private pure {
        if (encoded[_BYTES - 1] != 0xbc) revert PssRefused(4);
        if (uint8(encoded[0]) >= 0x80) revert PssRefused(6);
        _unmask(encoded);
        encoded[0] &= 0x7f; // rule 9
        if (!_isPadded(encoded)) revert PssRefused(10);
        Uint384 memory expected = _hashOfSalted(digest, encoded);
        (uint256 high, uint256 low) = _number(encoded, _MASKED);
        if (high != expected.high || low != expected.low) revert PssRefused(14);
    }

    /// @dev Rules 7 and 8: adds MGF1(hash, 463) to the first 463 bytes, in place.
    function _unmask(bytes memory encoded) private pure {
        bytes memory seed = new bytes(52); // hash, counter
        assembly ("memory-safe") {
            mcopy(add(seed, 32), add(add(encoded, 32), _MASKED), 48)
        }
        for (uint256 counter = 0; counter < 10; ++counter) {
            // casting to 'uint8' is safe because the counter is below 10
            // forge-lint: disable-next-line(unsafe-typecast)
            seed[51] = bytes1(uint8(counter));
            Uint384 memory mask = Sha384.hash(seed);
            if (counter == 9) (mask.high, mask.low) = (mask.high, mask.low & ~uint256(type(uint136).max));
            _xor(encoded, counter * 48, mask);
        }
    }

    /// @dev Adds 48 bytes at the offset. The tenth's last 17 bytes are zero, for they lie on the hash.
    function _xor(bytes memory data, uint256 offset, Uint384 memory mask) private pure {
        (uint256 high, uint256 low) = (mask.high, mask.low);
        assembly ("memory-safe") {
            let at := add(add(data, 32), offset)
            mstore(at, xor(mload(at), shl(128, high)))
            mstore(add(at, 16), xor(mload(add(at, 16)), low))
        }
    }

    /// @dev Rule 10: 414 zeros and 0x01.
    function _isPadded(bytes memory encoded) private pure returns (bool) {
        uint256 seen = 0;
        for (uint256 offset = 32; offset <= 384; offset += 32) {
            seen |= _word(encoded, offset);
        }
        // Bytes 384 to 414: 30 zeros and 0x01, then the salt's first byte.
        return seen == 0 && _word(encoded, 416) >> 8 == 1;
    }

    /// @dev Rules 11 to 13: the hash of eight zeros, the digest and the salt.
    function _hashOfSalted(Uint384 memory digest, bytes memory encoded) private pure returns (Uint384 memory) {
        (uint256 high, uint256 low) = _number(encoded, _ZEROS + 1);
        // casting to 'uint128' is safe because `verify` checks the one and `_number` shifts the other
        // forge-lint: disable-next-line(unsafe-typecast)
        return Sha384.hash(abi.encodePacked(uint64(0), uint128(digest.high), digest.low, uint128(high), low));
    }

    /// @dev The 48 bytes at an offset.
    function _number(bytes memory data, uint256 offset) private pure returns (uint256 high, uint256 low) {
        assembly ("memory-safe") {
            let at := add(add(data, 32), offset)
            high := shr(128, mload(at))
            low := mload(add(at, 16))
        }
    }

    /// @dev The word that ends at the offset.
    function _word(bytes memory data, uint256 end) private pure returns (uint256 word) {
        assembly ("memory-safe") {
            word := mload(add(data, end))
        }
    }
}
