// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice An integer below 2^384.
/// @param high Its upper 128 bits: value >> 256.
/// @param low Its lower 256 bits.
struct Uint384 {
    uint256 high;
    uint256 low;
}

/// @title IP384
/// @notice ECDSA over NIST P-384 (FIPS 186-5, SP 800-186), checked with a witness that anyone can make.
interface IP384 {
    /// @notice A table's code is not the one that this contract was written for.
    /// @param table The address given.
    /// @param codeHash Its code hash.
    /// @param expected The hash it must have.
    error TableMismatch(address table, bytes32 codeHash, bytes32 expected);

    /// @notice A number breaks its range: digest < 2^384; 0 < r, s < n; x, y < p.
    /// @param index Which: 0 digest, 1 r, 2 s, 3 x, 4 y.
    error NumberOutOfRange(uint256 index);

    /// @notice The public key is not a point of the curve.
    error KeyNotOnCurve();

    /// @notice The witness's R.y does not belong to R.x = r, or to r + n where its flag says so; or the flag is
    /// neither 0 nor 1, or r + n is not below p.
    error NoncePointWrong();

    /// @notice A slope in the witness is not the slope of the line it is used for, or an entry was to be added to
    /// itself.
    error LineRefused();

    /// @notice A step names no table entry, has a bit set that means nothing, or is one too many.
    /// @param step The step as the witness has it.
    error StepRefused(uint256 step);

    /// @notice The steps' doublings do not end at bit 0, or the witness is not exactly as long as its steps say.
    error WitnessLengthWrong();

    /// @notice The point that the steps add up to is not the point at infinity.
    error SumNotZero();

    /// @notice The scalars that the steps spell do not satisfy the signature's equations.
    error ScalarsWrong();

    /// @notice Returns if (r, s) is a signature of the digest by the key (x, y), and reverts otherwise.
    /// @dev A wrong signature has no witness. A right one has many, and a wrong witness for it is refused, so a
    /// revert says nothing about the signature. The format is in python/xmtp_tee/attestation/p384/witness.py.
    /// Execution takes about 450,000 gas with a witness of that module, and at most 600,000 with any: the number of
    /// steps and of doublings is limited. Calldata comes on top, 16 gas for each byte that is not zero.
    /// @param digest The message's hash as an integer: for SHA-384, its 48 bytes.
    /// @param r The signature's first half.
    /// @param s The signature's second half. Both s and n - s are accepted.
    /// @param x The public key's first coordinate.
    /// @param y The public key's second coordinate.
    /// @param witness About 15,200 bytes; at most 17,300 can be accepted.
    function verify(
        Uint384 calldata digest,
        Uint384 calldata r,
        Uint384 calldata s,
        Uint384 calldata x,
        Uint384 calldata y,
        bytes calldata witness
    ) external view;
}
