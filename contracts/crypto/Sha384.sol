// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

// One hash is one assembly block of small functions.
// solhint-disable function-max-lines

import {Uint384} from "../interfaces/IP384.sol";

/// @title Sha384
/// @notice SHA-384 (FIPS 180-4) of a part of a byte array, about 24,000 gas for each block of 128 bytes.
/// @dev
/// ██ WARNING ██
/// A hash is not a MAC: never authenticate a message by hashing a secret together with it.
///
/// How it is done. The words of SHA-384 have 64 bits, the EVM's 256.
/// - A word x is kept as x * (2^64 + 1), that is twice in a row: then a shift is a rotation, as far as the lower 64 bits
///   are concerned. What stands above them is garbage.
/// - Sums carry only upwards, so garbage does no harm to the lower 64 bits of a sum. A word is cut to 64 bits, and
///   written twice, when it becomes one of the eight variables.
/// - The message schedule lies in memory as 80 lanes of 16 bytes, a word in each lane's lower half, so that one load at
///   any lane has two neighbours, and two words are expanded at once. There garbage is cut before anything is added, lest
///   it carry into the next lane: sums of four words stay far below 128 bits. The constants lie behind the schedule in
///   the same way.
/// - Maj(a, b, c) = b ^ ((a ^ b) & (b ^ c)), and b ^ c is the a ^ b of the round before: y and z take turns.
/// - All of this lies behind the free memory pointer, which is not moved: less than 0x1800 bytes of scratch.
/// - The 80 rounds are ten times the eight below, after which each variable is back in its place. The scratch memory is
///   placed so that the schedule ends at a multiple of 0x800, which ends the loop.
library Sha384 {
    /// @dev The lower half of both lanes of a load.
    uint256 private constant _LANES = 0xffffffffffffffff0000000000000000ffffffffffffffff;
    /// @dev A word times this is the word twice in a row; likewise in both lanes.
    uint256 private constant _TWICE = 0x10000000000000001;
    uint256 private constant _WORD = 0xffffffffffffffff;

    /// @notice The part does not lie inside the array.
    error SliceOutOfBounds(uint256 start, uint256 end, uint256 length);

    /// @notice The SHA-384 digest of all of the data.
    function hash(bytes memory data) internal pure returns (Uint384 memory digest) {
        return hashSlice(data, 0, data.length);
    }

    /// @notice The SHA-384 digest of data[start:end].
    function hashSlice(bytes memory data, uint256 start, uint256 end) internal pure returns (Uint384 memory digest) {
        if (start > end || end > data.length) revert SliceOutOfBounds(start, end, data.length);
        assembly ("memory-safe") {
            // Scratch, not kept: schedule 0x500, constants 0x500, state 0x100, last blocks 0x100.
            function loadConstants(constants) {
                mstore(add(constants, 0x000), 0x428a2f98d728ae2200000000000000007137449123ef65cd)
                mstore(add(constants, 0x020), 0xb5c0fbcfec4d3b2f0000000000000000e9b5dba58189dbbc)
                mstore(add(constants, 0x040), 0x3956c25bf348b538000000000000000059f111f1b605d019)
                mstore(add(constants, 0x060), 0x923f82a4af194f9b0000000000000000ab1c5ed5da6d8118)
                mstore(add(constants, 0x080), 0xd807aa98a3030242000000000000000012835b0145706fbe)
                mstore(add(constants, 0x0a0), 0x243185be4ee4b28c0000000000000000550c7dc3d5ffb4e2)
                mstore(add(constants, 0x0c0), 0x72be5d74f27b896f000000000000000080deb1fe3b1696b1)
                mstore(add(constants, 0x0e0), 0x9bdc06a725c712350000000000000000c19bf174cf692694)
                mstore(add(constants, 0x100), 0xe49b69c19ef14ad20000000000000000efbe4786384f25e3)
                mstore(add(constants, 0x120), 0x0fc19dc68b8cd5b50000000000000000240ca1cc77ac9c65)
                mstore(add(constants, 0x140), 0x2de92c6f592b027500000000000000004a7484aa6ea6e483)
                mstore(add(constants, 0x160), 0x5cb0a9dcbd41fbd4000000000000000076f988da831153b5)
                mstore(add(constants, 0x180), 0x983e5152ee66dfab0000000000000000a831c66d2db43210)
                mstore(add(constants, 0x1a0), 0xb00327c898fb213f0000000000000000bf597fc7beef0ee4)
                mstore(add(constants, 0x1c0), 0xc6e00bf33da88fc20000000000000000d5a79147930aa725)
                mstore(add(constants, 0x1e0), 0x06ca6351e003826f0000000000000000142929670a0e6e70)
                mstore(add(constants, 0x200), 0x27b70a8546d22ffc00000000000000002e1b21385c26c926)
                mstore(add(constants, 0x220), 0x4d2c6dfc5ac42aed000000000000000053380d139d95b3df)
                mstore(add(constants, 0x240), 0x650a73548baf63de0000000000000000766a0abb3c77b2a8)
                mstore(add(constants, 0x260), 0x81c2c92e47edaee6000000000000000092722c851482353b)
                mstore(add(constants, 0x280), 0xa2bfe8a14cf103640000000000000000a81a664bbc423001)
                mstore(add(constants, 0x2a0), 0xc24b8b70d0f897910000000000000000c76c51a30654be30)
                mstore(add(constants, 0x2c0), 0xd192e819d6ef52180000000000000000d69906245565a910)
                mstore(add(constants, 0x2e0), 0xf40e35855771202a0000000000000000106aa07032bbd1b8)
                mstore(add(constants, 0x300), 0x19a4c116b8d2d0c800000000000000001e376c085141ab53)
                mstore(add(constants, 0x320), 0x2748774cdf8eeb99000000000000000034b0bcb5e19b48a8)
                mstore(add(constants, 0x340), 0x391c0cb3c5c95a6300000000000000004ed8aa4ae3418acb)
                mstore(add(constants, 0x360), 0x5b9cca4f7763e3730000000000000000682e6ff3d6b2b8a3)
                mstore(add(constants, 0x380), 0x748f82ee5defb2fc000000000000000078a5636f43172f60)
                mstore(add(constants, 0x3a0), 0x84c87814a1f0ab7200000000000000008cc702081a6439ec)
                mstore(add(constants, 0x3c0), 0x90befffa23631e280000000000000000a4506cebde82bde9)
                mstore(add(constants, 0x3e0), 0xbef9a3f7b2c679150000000000000000c67178f2e372532b)
                mstore(add(constants, 0x400), 0xca273eceea26619c0000000000000000d186b8c721c0c207)
                mstore(add(constants, 0x420), 0xeada7dd6cde0eb1e0000000000000000f57d4f7fee6ed178)
                mstore(add(constants, 0x440), 0x06f067aa72176fba00000000000000000a637dc5a2c898a6)
                mstore(add(constants, 0x460), 0x113f9804bef90dae00000000000000001b710b35131c471b)
                mstore(add(constants, 0x480), 0x28db77f523047d84000000000000000032caab7b40c72493)
                mstore(add(constants, 0x4a0), 0x3c9ebe0a15c9bebc0000000000000000431d67c49c100d4c)
                mstore(add(constants, 0x4c0), 0x4cc5d4becb3e42b60000000000000000597f299cfc657e2a)
                mstore(add(constants, 0x4e0), 0x5fcb6fab3ad6faec00000000000000006c44198c4a475817)
            }
            function loadInitialState(state) {
                mstore(add(state, 0x00), 0xcbbb9d5dc1059ed8)
                mstore(add(state, 0x20), 0x629a292a367cd507)
                mstore(add(state, 0x40), 0x9159015a3070dd17)
                mstore(add(state, 0x60), 0x152fecd8f70e5939)
                mstore(add(state, 0x80), 0x67332667ffc00b31)
                mstore(add(state, 0xa0), 0x8eb44a8768581511)
                mstore(add(state, 0xc0), 0xdb0c2e0d64f98fa7)
                mstore(add(state, 0xe0), 0x47b5481dbefa4fa4)
            }
            // Spreads the block's 16 words over the lanes and expands them to 80.
            function schedule(w, at) {
                let stopAt := add(w, 0x100)
                for {} lt(w, stopAt) {
                    w := add(w, 0x40)
                    at := add(at, 0x20)
                } {
                    let four := mload(at)
                    mstore(w, or(shl(128, shr(192, four)), shr(192, shl(64, four))))
                    mstore(add(w, 0x20), and(or(shl(64, four), shr(192, shl(192, four))), _LANES))
                }
                stopAt := add(w, 0x400)
                for {} lt(w, stopAt) { w := add(w, 0x20) } {
                    let before := mload(sub(w, 0xf0)) // 15 and 14 words before
                    let double := mul(before, _TWICE)
                    let sum :=
                        add(
                            and(xor(xor(shr(1, double), shr(8, double)), shr(7, before)), _LANES),
                            add(mload(sub(w, 0x100)), mload(sub(w, 0x70)))
                        )
                    before := mload(sub(w, 0x20)) // 2 and 1 words before
                    double := mul(before, _TWICE)
                    sum := add(sum, and(xor(xor(shr(19, double), shr(61, double)), shr(6, before)), _LANES))
                    before := and(sum, _LANES)
                    mstore(w, before)
                    // The same once more: the two words just made are the next ones' 2 and 1 before.
                    double := mul(before, _TWICE)
                    sum := and(xor(xor(shr(19, double), shr(61, double)), shr(6, before)), _LANES)
                    w := add(w, 0x20)
                    before := mload(sub(w, 0xf0))
                    double := mul(before, _TWICE)
                    sum := add(
                        add(sum, and(xor(xor(shr(1, double), shr(8, double)), shr(7, before)), _LANES)),
                        add(mload(sub(w, 0x100)), mload(sub(w, 0x70)))
                    )
                    mstore(w, and(sum, _LANES))
                }
            }
            // One block: the schedule is made, the constants lie behind it, the state behind them.
            function compress(w) {
                let state := add(w, 0xa00)
                let a := mul(mload(state), _TWICE)
                let b := mul(mload(add(state, 0x20)), _TWICE)
                let c := mul(mload(add(state, 0x40)), _TWICE)
                let d := mul(mload(add(state, 0x60)), _TWICE)
                let e := mul(mload(add(state, 0x80)), _TWICE)
                let f := mul(mload(add(state, 0xa0)), _TWICE)
                let g := mul(mload(add(state, 0xc0)), _TWICE)
                let h := mul(mload(add(state, 0xe0)), _TWICE)
                let z := xor(b, c)
                for {} and(w, 0x7ff) { w := add(w, 0x80) } {
                    let y
                    let kw
                    kw := add(mload(add(w, 0x00)), mload(add(w, 0x500)))
                    h := add(
                        add(h, shr(128, kw)),
                        add(xor(g, and(e, xor(f, g))), xor(xor(shr(14, e), shr(18, e)), shr(41, e)))
                    )
                    d := mul(and(add(d, h), _WORD), _TWICE)
                    y := xor(a, b)
                    h := mul(
                        and(add(add(h, xor(b, and(y, z))), xor(xor(shr(28, a), shr(34, a)), shr(39, a))), _WORD),
                        _TWICE
                    )
                    g := add(add(g, kw), add(xor(f, and(d, xor(e, f))), xor(xor(shr(14, d), shr(18, d)), shr(41, d))))
                    c := mul(and(add(c, g), _WORD), _TWICE)
                    z := xor(h, a)
                    g := mul(
                        and(add(add(g, xor(a, and(y, z))), xor(xor(shr(28, h), shr(34, h)), shr(39, h))), _WORD),
                        _TWICE
                    )
                    kw := add(mload(add(w, 0x20)), mload(add(w, 0x520)))
                    f := add(
                        add(f, shr(128, kw)),
                        add(xor(e, and(c, xor(d, e))), xor(xor(shr(14, c), shr(18, c)), shr(41, c)))
                    )
                    b := mul(and(add(b, f), _WORD), _TWICE)
                    y := xor(g, h)
                    f := mul(
                        and(add(add(f, xor(h, and(y, z))), xor(xor(shr(28, g), shr(34, g)), shr(39, g))), _WORD),
                        _TWICE
                    )
                    e := add(add(e, kw), add(xor(d, and(b, xor(c, d))), xor(xor(shr(14, b), shr(18, b)), shr(41, b))))
                    a := mul(and(add(a, e), _WORD), _TWICE)
                    z := xor(f, g)
                    e := mul(
                        and(add(add(e, xor(g, and(y, z))), xor(xor(shr(28, f), shr(34, f)), shr(39, f))), _WORD),
                        _TWICE
                    )
                    kw := add(mload(add(w, 0x40)), mload(add(w, 0x540)))
                    d := add(
                        add(d, shr(128, kw)),
                        add(xor(c, and(a, xor(b, c))), xor(xor(shr(14, a), shr(18, a)), shr(41, a)))
                    )
                    h := mul(and(add(h, d), _WORD), _TWICE)
                    y := xor(e, f)
                    d := mul(
                        and(add(add(d, xor(f, and(y, z))), xor(xor(shr(28, e), shr(34, e)), shr(39, e))), _WORD),
                        _TWICE
                    )
                    c := add(add(c, kw), add(xor(b, and(h, xor(a, b))), xor(xor(shr(14, h), shr(18, h)), shr(41, h))))
                    g := mul(and(add(g, c), _WORD), _TWICE)
                    z := xor(d, e)
                    c := mul(
                        and(add(add(c, xor(e, and(y, z))), xor(xor(shr(28, d), shr(34, d)), shr(39, d))), _WORD),
                        _TWICE
                    )
                    kw := add(mload(add(w, 0x60)), mload(add(w, 0x560)))
                    b := add(
                        add(b, shr(128, kw)),
                        add(xor(a, and(g, xor(h, a))), xor(xor(shr(14, g), shr(18, g)), shr(41, g)))
                    )
                    f := mul(and(add(f, b), _WORD), _TWICE)
                    y := xor(c, d)
                    b := mul(
                        and(add(add(b, xor(d, and(y, z))), xor(xor(shr(28, c), shr(34, c)), shr(39, c))), _WORD),
                        _TWICE
                    )
                    a := add(add(a, kw), add(xor(h, and(f, xor(g, h))), xor(xor(shr(14, f), shr(18, f)), shr(41, f))))
                    e := mul(and(add(e, a), _WORD), _TWICE)
                    z := xor(b, c)
                    a := mul(
                        and(add(add(a, xor(c, and(y, z))), xor(xor(shr(28, b), shr(34, b)), shr(39, b))), _WORD),
                        _TWICE
                    )
                }
                state := add(w, 0x500)
                mstore(state, and(add(a, mload(state)), shr(192, not(0))))
                mstore(add(state, 0x20), and(add(b, mload(add(state, 0x20))), shr(192, not(0))))
                mstore(add(state, 0x40), and(add(c, mload(add(state, 0x40))), shr(192, not(0))))
                mstore(add(state, 0x60), and(add(d, mload(add(state, 0x60))), shr(192, not(0))))
                mstore(add(state, 0x80), and(add(e, mload(add(state, 0x80))), shr(192, not(0))))
                mstore(add(state, 0xa0), and(add(f, mload(add(state, 0xa0))), shr(192, not(0))))
                mstore(add(state, 0xc0), and(add(g, mload(add(state, 0xc0))), shr(192, not(0))))
                mstore(add(state, 0xe0), and(add(h, mload(add(state, 0xe0))), shr(192, not(0))))
            }

            let w := add(and(add(mload(0x40), 0x7ff), not(0x7ff)), 0x300)
            let state := add(w, 0xa00)
            let last := add(w, 0xb00)
            loadConstants(add(w, 0x500))
            loadInitialState(state)

            let length := sub(end, start)
            let at := add(add(data, 0x20), start)
            let rest := and(length, 0x7f)
            // The last bytes, a bit 1, zeros, and the length in bits as 128 bits: in one block, or two.
            let lastEnd := add(last, add(0x80, shl(7, gt(rest, 111))))
            calldatacopy(last, calldatasize(), 0x100)
            mcopy(last, sub(add(at, length), rest), rest)
            mstore8(add(last, rest), 0x80)
            mstore(sub(lastEnd, 0x20), or(mload(sub(lastEnd, 0x20)), shl(3, length)))

            for { let whole := sub(add(at, length), rest) } lt(at, whole) { at := add(at, 0x80) } {
                schedule(w, at)
                compress(w)
            }
            for { at := last } lt(at, lastEnd) { at := add(at, 0x80) } {
                schedule(w, at)
                compress(w)
            }

            mstore(digest, or(shl(64, mload(state)), mload(add(state, 0x20))))
            mstore(
                add(digest, 0x20),
                or(
                    or(shl(192, mload(add(state, 0x40))), shl(128, mload(add(state, 0x60)))),
                    or(shl(64, mload(add(state, 0x80))), mload(add(state, 0xa0)))
                )
            )
        }
    }
}
