// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {
    P384_HALF,
    P384_HIGH_ONE_A,
    P384_HIGH_ONE_B,
    P384_K,
    P384_L,
    P384_L2,
    P384_M,
    P384_OFF_A,
    P384_OFF_B,
    P384_ONE_A,
    P384_ONE_B,
    P384_ROW_A,
    P384_ROW_B,
    P384_SHIFT_A,
    P384_SHIFT_B,
    P384_SHIFT_THREE_A,
    P384_SHIFT_THREE_B,
    P384_THREE_A,
    P384_THREE_B,
    P384_U,
    P384_V,
    P384_V2
} from "../../../contracts/crypto/P384Constants.sol";

/// @dev The field of P384.sol, callable. The functions in the assembly block are P384.sol's own text: a test compares
/// them. Each call does one operation on words that lie in calldata, and returns four words.
contract P384FieldHarness {
    uint256 private constant _Y_A = 0xc0;
    uint256 private constant _Y_B = 0xe0;
    uint256 private constant _Y_A_M = 0x100;
    uint256 private constant _Y_B_M = 0x120;
    uint256 private constant _LINE_REFUSED = 0x329bbfe9;

    /// @dev operation 0 reduce, 1 nonZero, 2 product, 3 square, 4 fromInteger: arguments a to d.
    /// 5 tangent, 6 return, 7 finishLine: slope a, b; x or difference c, d; y in state.
    /// 8 chord: slope a, b; x in c, d; y in state; sign and entry in entry.
    function run(uint256 operation, uint256[4] calldata, uint256[4] calldata, uint256[7] calldata)
        external
        pure
        returns (uint256, uint256, uint256, uint256)
    {
        assembly {
            function refuse(selector) {
                mstore(0, selector)
                revert(28, 4)
            }
            function reduce(wA, wB, vA, vB) -> a, b {
                let qA := add(mul(wA, P384_K), mul(wB, P384_L2))
                let qB := add(mul(wA, P384_L), mul(wB, P384_K))
                a := mod(add(vA, add(mulmod(qA, P384_U, P384_M), mulmod(qB, P384_V2, P384_M))), P384_M)
                b := mod(add(vB, add(mulmod(qA, P384_V, P384_M), mulmod(qB, P384_U, P384_M))), P384_M)
            }
            function nonZero(wA, wB, vA, vB) -> wrong {
                let qA := add(P384_HALF, add(mul(wA, P384_K), mul(wB, P384_L2)))
                let qB := add(P384_HALF, add(mul(wA, P384_L), mul(wB, P384_K)))
                wrong := or(
                    mod(add(vA, add(mulmod(qA, P384_U, P384_M), mulmod(qB, P384_V2, P384_M))), P384_M),
                    mod(add(vB, add(mulmod(qA, P384_V, P384_M), mulmod(qB, P384_U, P384_M))), P384_M)
                )
            }
            function product(a, b, c, d) -> wA, wB, vA, vB {
                let d2 := add(d, d)
                wA := add(mul(a, c), mul(b, d2))
                wB := add(mul(a, d), mul(b, c))
                vA := add(mulmod(a, c, P384_M), mulmod(b, d2, P384_M))
                vB := add(mulmod(a, d, P384_M), mulmod(b, c, P384_M))
            }
            function square(a, b) -> c, d {
                let b2 := add(b, b)
                let wA := add(mul(a, a), mul(b2, b))
                let wB := mul(a, b2)
                let qA := add(mul(wA, P384_K), mul(wB, P384_L2))
                let qB := add(mul(wA, P384_L), mul(wB, P384_K))
                c := mod(
                    add(
                        add(mulmod(a, a, P384_M), mulmod(b2, b, P384_M)),
                        add(mulmod(qA, P384_U, P384_M), mulmod(qB, P384_V2, P384_M))
                    ),
                    P384_M
                )
                d := mod(
                    add(mulmod(a, b2, P384_M), add(mulmod(qA, P384_V, P384_M), mulmod(qB, P384_U, P384_M))),
                    P384_M
                )
            }
            function fromInteger(high, low) -> wA, wB, vA, vB {
                high := or(shl(64, high), shr(192, low))
                low := shr(64, shl(64, low))
                wA := add(mul(low, P384_ONE_A), mul(high, P384_HIGH_ONE_A))
                wB := add(mul(low, P384_ONE_B), mul(high, P384_HIGH_ONE_B))
                vA := addmod(mulmod(low, P384_ONE_A, P384_M), mulmod(high, P384_HIGH_ONE_A, P384_M), P384_M)
                vB := addmod(mulmod(low, P384_ONE_B, P384_M), mulmod(high, P384_HIGH_ONE_B, P384_M), P384_M)
            }
            function requireTangent(lA, lB, xA, xB) {
                let y2A, y2B :=
                    reduce(mload(_Y_A), mload(_Y_B), add(mload(_Y_A_M), P384_ROW_A), add(mload(_Y_B_M), P384_ROW_B))
                y2A := add(y2A, y2A)
                y2B := add(y2B, y2B)
                let y4B := add(y2B, y2B)
                xA := add(xA, P384_OFF_A)
                xB := add(xB, P384_OFF_B)
                let x3A := mul(xA, 3)
                let x6B := mul(xB, 6)
                let qA := add(P384_THREE_A, sub(add(mul(lA, y2A), mul(lB, y4B)), add(mul(xA, x3A), mul(xB, x6B))))
                let qB := add(P384_THREE_B, sub(add(mul(lA, y2B), mul(lB, y2A)), mul(xA, x6B)))
                {
                    let wA := qA
                    qA := add(P384_HALF, add(mul(wA, P384_K), mul(qB, P384_L2)))
                    qB := add(P384_HALF, add(mul(wA, P384_L), mul(qB, P384_K)))
                }
                x3A := mod(
                    add(
                        add(
                            add(mulmod(lA, y2A, P384_M), mulmod(lB, y4B, P384_M)),
                            add(mulmod(qA, P384_U, P384_M), mulmod(qB, P384_V2, P384_M))
                        ),
                        sub(P384_SHIFT_THREE_A, add(mulmod(xA, x3A, P384_M), mulmod(xB, x6B, P384_M)))
                    ),
                    P384_M
                )
                x6B := mod(
                    add(
                        add(
                            add(mulmod(lA, y2B, P384_M), mulmod(lB, y2A, P384_M)),
                            add(mulmod(qA, P384_V, P384_M), mulmod(qB, P384_U, P384_M))
                        ),
                        sub(P384_SHIFT_THREE_B, mulmod(xA, x6B, P384_M))
                    ),
                    P384_M
                )
                if or(x3A, x6B) { refuse(_LINE_REFUSED) }
            }
            function requireChord(lA, lB, entry, sign, xA, xB) {
                let dA := add(sub(mload(entry), xA), P384_OFF_A)
                let dB := add(sub(mload(add(entry, 32)), xB), P384_OFF_B)
                if lt(add(add(mul(dA, P384_K), mul(dB, P384_L2)), 0x10000000000), 0x20000000000) {
                    refuse(_LINE_REFUSED)
                }
                let d2 := add(dB, dB)
                let qA := add(add(mul(lA, dA), mul(lB, d2)), sub(mload(_Y_A), mul(sign, mload(add(entry, 64)))))
                let qB := add(add(mul(lA, dB), mul(lB, dA)), sub(mload(_Y_B), mul(sign, mload(add(entry, 96)))))
                {
                    let wA := qA
                    qA := add(P384_HALF, add(mul(wA, P384_K), mul(qB, P384_L2)))
                    qB := add(P384_HALF, add(mul(wA, P384_L), mul(qB, P384_K)))
                }
                d2 := mod(
                    add(
                        add(
                            add(mulmod(lA, dA, P384_M), mulmod(lB, d2, P384_M)),
                            add(mulmod(qA, P384_U, P384_M), mulmod(qB, P384_V2, P384_M))
                        ),
                        add(P384_SHIFT_A, sub(mload(_Y_A_M), mul(sign, mload(add(entry, 128)))))
                    ),
                    P384_M
                )
                dA := mod(
                    add(
                        add(
                            add(mulmod(lA, dB, P384_M), mulmod(lB, dA, P384_M)),
                            add(mulmod(qA, P384_V, P384_M), mulmod(qB, P384_U, P384_M))
                        ),
                        add(P384_SHIFT_B, sub(mload(_Y_B_M), mul(sign, mload(add(entry, 160)))))
                    ),
                    P384_M
                )
                if or(d2, dA) { refuse(_LINE_REFUSED) }
            }
            function requireReturn(lA, lB, dA, dB) {
                let d2 := add(dB, dB)
                let qA := sub(add(mul(lA, dA), mul(lB, d2)), shl(1, mload(_Y_A)))
                let qB := sub(add(mul(lA, dB), mul(lB, dA)), shl(1, mload(_Y_B)))
                {
                    let wA := qA
                    qA := add(P384_HALF, add(mul(wA, P384_K), mul(qB, P384_L2)))
                    qB := add(P384_HALF, add(mul(wA, P384_L), mul(qB, P384_K)))
                }
                d2 := mod(
                    add(
                        add(
                            add(mulmod(lA, dA, P384_M), mulmod(lB, d2, P384_M)),
                            add(mulmod(qA, P384_U, P384_M), mulmod(qB, P384_V2, P384_M))
                        ),
                        sub(P384_SHIFT_A, shl(1, mload(_Y_A_M)))
                    ),
                    P384_M
                )
                dA := mod(
                    add(
                        add(
                            add(mulmod(lA, dB, P384_M), mulmod(lB, dA, P384_M)),
                            add(mulmod(qA, P384_V, P384_M), mulmod(qB, P384_U, P384_M))
                        ),
                        sub(P384_SHIFT_B, shl(1, mload(_Y_B_M)))
                    ),
                    P384_M
                )
                if or(d2, dA) { refuse(_LINE_REFUSED) }
            }
            function finishLine(lA, lB, dA, dB) {
                let d2 := add(dB, dB)
                mstore(_Y_A, sub(add(mul(lA, dA), mul(lB, d2)), mload(_Y_A)))
                mstore(_Y_B, sub(add(mul(lA, dB), mul(lB, dA)), mload(_Y_B)))
                mstore(
                    _Y_A_M,
                    mod(add(add(mulmod(lA, dA, P384_M), mulmod(lB, d2, P384_M)), sub(P384_M, mload(_Y_A_M))), P384_M)
                )
                mstore(
                    _Y_B_M,
                    mod(add(add(mulmod(lA, dB, P384_M), mulmod(lB, dA, P384_M)), sub(P384_M, mload(_Y_B_M))), P384_M)
                )
            }

            let a := calldataload(0x24)
            let b := calldataload(0x44)
            let c := calldataload(0x64)
            let d := calldataload(0x84)
            calldatacopy(_Y_A, 0xa4, 128)
            let p
            let q
            let r
            let s
            switch operation
            case 0 { p, q := reduce(a, b, c, d) }
            case 1 { p := nonZero(a, b, c, d) }
            case 2 { p, q, r, s := product(a, b, c, d) }
            case 3 { p, q := square(a, b) }
            case 4 { p, q, r, s := fromInteger(a, b) }
            case 5 { requireTangent(a, b, c, d) }
            case 6 { requireReturn(a, b, c, d) }
            case 7 {
                finishLine(a, b, c, d)
                p := mload(_Y_A)
                q := mload(_Y_B)
                r := mload(_Y_A_M)
                s := mload(_Y_B_M)
            }
            case 8 {
                calldatacopy(0x200, 0x144, 192)
                requireChord(a, b, 0x200, calldataload(0x124), c, d)
            }
            default { revert(0, 0) }
            mstore(0x80, p)
            mstore(0xa0, q)
            mstore(0xc0, r)
            mstore(0xe0, s)
            return(0x80, 128)
        }
    }
}
