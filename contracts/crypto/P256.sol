// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title P256
/// @notice ECDSA over NIST P-256 by the P256VERIFY precompile (EIP-7951, address 0x100, 6,900 gas).
/// @dev
/// ██ WARNING ██
/// Signatures are malleable here: with (r, s) also (r, n - s) verifies, because Intel does not normalise s
/// and half of its genuine signatures have a high one. Never use a signature, or a hash over bytes that hold
/// one, as an identity, a nonce or a revocation key.
/// The digest is taken as given: the caller hashes.
library P256 {
    /// @notice This chain does not verify P-256 signatures as EIP-7951 says.
    /// @param acceptedGood Whether a known-good signature was accepted.
    /// @param acceptedBad Whether a known-bad signature was accepted.
    error P256VerifyUnusable(bool acceptedGood, bool acceptedBad);

    /// @dev EIP-7951; the same address and format as RIP-7212.
    address private constant _P256VERIFY = address(0x100);

    /// @notice Whether (r, s) is a signature of the digest by the key (x, y).
    /// @dev The precompile itself checks 0 < r, s < n, that (x, y) is on the curve and not the point at
    /// infinity; it answers 32 bytes holding 1, or nothing. Anything else counts as invalid.
    function verify(bytes32 digest, uint256 r, uint256 s, uint256 x, uint256 y) internal view returns (bool valid) {
        address precompile = _P256VERIFY;
        assembly ("memory-safe") {
            // Laid out in free memory, which stays free; the answer lands in scratch space.
            let input := mload(0x40)
            mstore(input, digest)
            mstore(add(input, 0x20), r)
            mstore(add(input, 0x40), s)
            mstore(add(input, 0x60), x)
            mstore(add(input, 0x80), y)
            mstore(0, 0)
            let success := staticcall(gas(), precompile, input, 0xa0, 0, 0x20)
            valid := and(success, and(eq(returndatasize(), 0x20), eq(mload(0), 1)))
        }
    }

    /// @notice Reverts unless the precompile tells a known-good signature from a known-bad one.
    /// @dev RFC 6979 A.2.5, P-256 with SHA-256, message "sample"; the bad one has another digest. Without the
    /// precompile every verification fails anyway: this says so at deployment.
    function requirePrecompile() internal view {
        bytes32 digest = 0xaf2bdbe1aa9b6ec1e2ade1d694f41fc71a831d0268e9891562113d8a62add1bf;
        bool acceptedGood = _verifySample(digest);
        bool acceptedBad = _verifySample(~digest);
        if (!acceptedGood || acceptedBad) revert P256VerifyUnusable(acceptedGood, acceptedBad);
    }

    function _verifySample(bytes32 digest) private view returns (bool) {
        return verify(
            digest,
            0xefd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716,
            0xf7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8,
            0x60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6,
            0x7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299
        );
    }
}
