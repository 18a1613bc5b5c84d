// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

// The constants are used in assembly, which solhint does not see; and one call is one assembly block of small functions.
// solhint-disable no-unused-import, function-max-lines
import {IP384, Uint384} from "../interfaces/IP384.sol";
import {
    P384_CURVE_A,
    P384_CURVE_B,
    P384_HALF,
    P384_HIGH_ONE_A,
    P384_HIGH_ONE_B,
    P384_HIGH_TABLE_HASH,
    P384_K,
    P384_L,
    P384_L2,
    P384_LOW_TABLE_HASH,
    P384_M,
    P384_MINUS_THREE_A,
    P384_MINUS_THREE_B,
    P384_N_HIGH,
    P384_N_LOW,
    P384_OFF_A,
    P384_OFF_B,
    P384_ONE_A,
    P384_ONE_B,
    P384_P_HIGH,
    P384_P_LOW,
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
} from "./P384Constants.sol";

/// @title P384
/// @notice Checks ECDSA signatures over NIST P-384 for about 715,000 gas a transaction, calldata included.
/// @dev
/// ██ WARNING ██
/// - Signatures are malleable: with (r, s) also (r, n - s) is accepted, and one signature has many witnesses. Never
///   use a signature or a witness, or a hash over bytes that hold one, as an identity, a nonce or a revocation key.
/// - The digest is taken as given: the caller hashes.
/// - Do not change a constant, a limit or the order of operations without doing the proof below again.
///
/// # What is proved to the contract
///
/// R = (r, R.y), or (r + n, R.y), lies on the curve, and so does the key Q. The witness's program is a sum of points
/// e*G + f*2^192*G + g*Q + h*R which the contract computes, and which must be the point at infinity. The contract adds
/// up e, f, g, h from the program's digits and checks, over the integers, that for the witness's two quotients
///     h*r + g*s = quotient * n   and   h*digest + (e + 2^192*f)*s = quotient * n.
/// So g = -h*r/s and e + 2^192*f = -h*digest/s modulo n, and h*(R - (digest/s)*G - (r/s)*Q) is the point at infinity.
/// The group's order n is prime and 0 < |h| < n, hence R = (digest/s)*G + (r/s)*Q: the signature is valid. (Half-size
/// scalars: Antipa, Brown, Gallant, Lambert, Struik, Vanstone, SAC 2005.)
///
/// # Integers: why the equations hold
///
/// A digit is at most 381, a position at most 207 and there are at most 122 entries, so |e|, |f|, |g|, |h| < 2^224 and
/// nothing overflows. Both sides of both equations are below 2^900 in size. They are compared modulo 2^256 - 1,
/// 2^256 - 3, 2^256 - 5 and 2^256 - 9. Their differences are 2, 4, 6 and 8, all are odd, and 3 divides only the first,
/// so they are coprime, and numbers of that size that agree modulo each are equal.
///
/// # Points: why the sum is right
///
/// All points are affine and on the curve, by induction. No point has y = 0, because the group's order is odd.
/// - Doubling (x, y): the slope l is checked by l*2y = 3x^2 - 3, and 2y is not zero: l is the tangent's slope.
/// - Sum plus entry: l*(x_entry - x) = y_entry - y is checked, and x_entry - x is checked not to be zero.
/// - That sum (x3, y3) plus (x, y) again, with slope g: (l + g)*(x - x3) = 2y is checked. If x3 were x, the left side
///   would be zero and the right side not. With y3 = l*(x - x3) - y this says g*(x - x3) = y - y3. y3 is never needed.
/// Tables: entries of Q and R are computed by these rules, those of G come from contracts whose code is pinned.
///
/// # Field: why every check is exact
///
/// Write t for a square root of 2 modulo p. The pair of integers (a, b) stands for a + b*t modulo p. With Z for the set
/// of pairs that stand for zero: Z is a lattice with the basis (U, V), (2V, U), of determinant U^2 - 2V^2 = +-p, and
///     (a, b) * (c, d) = (ac + 2bd, ad + bc)
/// stands for the product. Z is closed under such products with any pair. An element e of the field is at level k in
/// a pair that stands for e * 2^(256k). Slopes, x and reduced numbers are at level 1, products and y at level 2.
///
/// An integer is computed modulo W = 2^256 and modulo M = (W - 1)/255, which are coprime; W*M > 2^503. W = 1 modulo M.
/// Sums of residues modulo M stay far below 2^256, as M < 2^249 and never more than 40 are added.
///
/// *Reduction.* q = w * ((K, L), (2L, K)), modulo W, makes w + q*((U, V), (2V, U)) divisible by W, with 0 <= q < W. The
/// quotient u stands for w / 2^256: one level less. Modulo M the division by W is none, so u is known modulo M. If
/// 0 <= w < 2^442 then 0 <= u < U + 2V + 2^186 < 2^193 < M, so u is known exactly. For y, where |w| < 2^430 may be
/// negative, the basis' sum ROW is added to u, which keeps it above zero and below 2^194.
///
/// *Zero test.* A pair w is in Z if and only if f = w + (q - 2^255)*((U, V), (2V, U)) = 0 for some integers q. Modulo
/// W there is one q in [0, W); with it W divides f, and that M divides f is checked. As |w| < 2^442, |f| < 2^450 < W*M,
/// so f = 0 and w is in Z. Conversely a w in Z with |w| < 2^442 is -(q - 2^255) times the basis with |q - 2^255| <
/// 2^442 * 2^193 / p < 2^252, so it passes. SHIFT is -2^255 times the basis modulo M, plus a multiple of M.
///
/// *Not-zero test.* A pair d in Z with 0 <= d < 2^219 is a multiple of the basis with |d|*2^193/p < 2^29, and so is
/// the first coordinate of d * ((K, L), (2L, K)) modulo W. All d for which this is below 2^40 are refused.
///
/// *Bounds*, of the size of both coordinates:
/// - slopes < 2^200 by their encoding, sums of two < 2^201; reduced numbers < 2^193 (y: < 2^194);
/// - table entries: of G: x < 2^193, 0 <= y < 2^200 (a test reads them); of Q and R: x <= 29 * 2^193, as the double's
///   is at most 3 * 2^193 and each of the seven additions adds at most 4 * 2^193;
/// - the sum's x: x' = l^2 - 2x (doubling), l^2 - x - x_entry (addition), g^2 - l^2 + x_entry (doubling and addition).
///   The last starts anew; at most 120 additions come in between, so x <= 122 * 30 * 2^193 < 2^205 before doublings. A
///   step has at most 11 doublings before its doubling with addition, and the end at most 12, so x < 2^(205 + 11) -
///   and more tightly 122*30*2^193*2^11 + 2^205 < 2^215.9 - wherever a line is drawn at it;
/// - OFF is in Z with coordinates above 3 * 2^216 - 2^193 > 3 * 2^215.9 + 2^199, so that OFF plus a difference of two
///   x, at most x - x' = 3x - l^2, is positive and below 2^219, as MULMOD needs it; x + OFF < 2^218;
/// - y' = l*(x - x' + OFF) - y: each line adds less than 2^421, 350 lines less than 2^430;
/// - zero tests see at most 3*(x + OFF)^2 < 9 * 2^436 and sums of products and y: all below 2^442.
contract P384 is IP384 {
    // Limits that the bounds above rest on.
    uint256 private constant _MAX_DOUBLINGS = 207;
    uint256 private constant _MAX_STEPS = 120;
    uint256 private constant _MAX_STEP = 0x33ff; // 12 doublings << 10 | negative << 9 | index 511
    uint256 private constant _GENERATOR_ENTRIES = 191;

    // Memory. A point is x at level 1 and y at level 2: x.a, x.b, y.a, y.b modulo 2^256, y.a, y.b modulo M.
    uint256 private constant _POINT_BYTES = 192;
    uint256 private constant _X_A = 0x80; // the sum
    uint256 private constant _X_B = 0xa0;
    uint256 private constant _Y_A = 0xc0;
    uint256 private constant _Y_B = 0xe0;
    uint256 private constant _Y_A_M = 0x100;
    uint256 private constant _Y_B_M = 0x120;
    uint256 private constant _FETCHED = 0x140; // the entry of a generator table
    uint256 private constant _DOUBLE = 0x200; // twice the key, then twice R
    uint256 private constant _SCALARS = 0x2c0; // four words: of Q, R, G, 2^192*G
    uint256 private constant _LOW_TABLE_AT = 0x340;
    uint256 private constant _HIGH_TABLE_AT = 0x360;
    uint256 private constant _KEY_ENTRIES = 0x380; // eight points
    uint256 private constant _NONCE_ENTRIES = 0x980; // eight points
    uint256 private constant _EIGHT_POINTS = 0x600;

    // Calldata: where the numbers begin.
    uint256 private constant _DIGEST = 0x04;
    uint256 private constant _R = 0x44;
    uint256 private constant _S = 0x84;
    uint256 private constant _X = 0xc4;
    uint256 private constant _Y = 0x104;

    // Selectors of the errors; a test compares them.
    uint256 private constant _NUMBER_OUT_OF_RANGE = 0x39725afe;
    uint256 private constant _KEY_NOT_ON_CURVE = 0xb9e415db;
    uint256 private constant _NONCE_POINT_WRONG = 0x7a79a64c;
    uint256 private constant _LINE_REFUSED = 0x329bbfe9;
    uint256 private constant _STEP_REFUSED = 0xb703de7a;
    uint256 private constant _WITNESS_LENGTH_WRONG = 0x9d42b839;
    uint256 private constant _SUM_NOT_ZERO = 0x17b0123c;
    uint256 private constant _SCALARS_WRONG = 0xc9c08d79;

    /// @dev Odd multiples of G: see python/xmtp_tee/attestation/p384/tables.py.
    address private immutable _LOW_TABLE;
    /// @dev Odd multiples of 2^192*G.
    address private immutable _HIGH_TABLE;

    /// @param lowTable The contract with the odd multiples of G.
    /// @param highTable The contract with the odd multiples of 2^192*G.
    constructor(address lowTable, address highTable) {
        _requireCode(lowTable, P384_LOW_TABLE_HASH);
        _requireCode(highTable, P384_HIGH_TABLE_HASH);
        _LOW_TABLE = lowTable;
        _HIGH_TABLE = highTable;
    }

    /// @inheritdoc IP384
    function verify(
        Uint384 calldata,
        Uint384 calldata,
        Uint384 calldata,
        Uint384 calldata,
        Uint384 calldata,
        bytes calldata witness
    ) external view {
        address lowTable = _LOW_TABLE;
        address highTable = _HIGH_TABLE;
        // All memory from 0x80 on is this block's: nothing is allocated before, and it ends the call. It is not marked
        // as memory-safe, so the compiler keeps every variable on the stack or fails.
        assembly {
            // ---------------------------------------------------------------- refusals

            function refuse(selector) {
                mstore(0, selector)
                revert(28, 4)
            }
            function refuseWith(selector, value) {
                mstore(0, selector)
                mstore(32, value)
                revert(28, 36)
            }

            // ---------------------------------------------------------------- field

            // An element of the witness, at level 1 or 2: a in 25 bytes, b in 24.
            function element(at) -> a, b {
                a := shr(56, calldataload(at))
                b := shr(64, calldataload(add(at, 25)))
            }
            // w modulo W and v, the same modulo M, for a pair that is not negative.
            function reduce(wA, wB, vA, vB) -> a, b {
                let qA := add(mul(wA, P384_K), mul(wB, P384_L2))
                let qB := add(mul(wA, P384_L), mul(wB, P384_K))
                a := mod(add(vA, add(mulmod(qA, P384_U, P384_M), mulmod(qB, P384_V2, P384_M))), P384_M)
                b := mod(add(vB, add(mulmod(qA, P384_V, P384_M), mulmod(qB, P384_U, P384_M))), P384_M)
            }
            // The zero test. v has SHIFT added already. Zero if w is in Z, else not.
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
            // The reduced square: `reduce(product(a, b, a, b))` in one piece.
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
            // An integer below 2^384, at level 2: its halves of 192 bits times 1 and 2^192.
            function fromInteger(high, low) -> wA, wB, vA, vB {
                high := or(shl(64, high), shr(192, low))
                low := shr(64, shl(64, low))
                wA := add(mul(low, P384_ONE_A), mul(high, P384_HIGH_ONE_A))
                wB := add(mul(low, P384_ONE_B), mul(high, P384_HIGH_ONE_B))
                vA := addmod(mulmod(low, P384_ONE_A, P384_M), mulmod(high, P384_HIGH_ONE_A, P384_M), P384_M)
                vB := addmod(mulmod(low, P384_ONE_B, P384_M), mulmod(high, P384_HIGH_ONE_B, P384_M), P384_M)
            }

            // ---------------------------------------------------------------- points

            // Stores (x, y) and says whether it is off the curve: (x^2 - 3)*x + b - y^2 is not zero.
            function placePoint(at, xHigh, xLow, yA, yB, yAM, yBM) -> wrong {
                mstore(add(at, 64), yA)
                mstore(add(at, 96), yB)
                mstore(add(at, 128), yAM)
                mstore(add(at, 160), yBM)
                yA, yB := reduce(yA, yB, yAM, yBM)
                let wA, wB, vA, vB := fromInteger(xHigh, xLow)
                xHigh, xLow := reduce(wA, wB, vA, vB)
                mstore(at, xHigh)
                mstore(add(at, 32), xLow)
                wA, wB := square(xHigh, xLow)
                wA, wB, vA, vB := product(add(wA, P384_MINUS_THREE_A), add(wB, P384_MINUS_THREE_B), xHigh, xLow)
                yA, yB, yAM, yBM := product(yA, yB, yA, yB)
                wrong := nonZero(
                    add(P384_CURVE_A, sub(wA, yA)),
                    add(P384_CURVE_B, sub(wB, yB)),
                    add(add(vA, P384_CURVE_A), sub(P384_SHIFT_A, yAM)),
                    add(add(vB, P384_CURVE_B), sub(P384_SHIFT_B, yBM))
                )
            }
            // The line with slope l through the sum (x, y) meets x': y' = l*(x - x') - y. d = x - x' + OFF.
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
            // Refuses a slope l that is not the tangent's at the sum: l*2y - 3x^2 + 3 = 0.
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
            // Refuses a slope l that is not the line's through the sum and the entry, of which y is multiplied by the
            // sign: l*(x_entry - x) + y - y_entry = 0, and x_entry - x is not zero.
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
            // Refuses a slope whose sum with the chord's, l, does not fit: l*(x - x3) - 2y = 0. d = x - x3 + OFF.
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
            // The sum, doubled. Takes one slope.
            function double(at) -> next {
                let lA, lB := element(at)
                let xA := mload(_X_A)
                let xB := mload(_X_B)
                requireTangent(lA, lB, xA, xB)
                let sA, sB := square(lA, lB)
                sA := sub(sA, add(xA, xA))
                sB := sub(sB, add(xB, xB))
                mstore(_X_A, sA)
                mstore(_X_B, sB)
                finishLine(lA, lB, add(sub(xA, sA), P384_OFF_A), add(sub(xB, sB), P384_OFF_B))
                next := add(at, 49)
            }
            // The sum plus the entry. Takes one slope.
            function plus(entry, sign, at) -> next {
                let lA, lB := element(at)
                let xA := mload(_X_A)
                let xB := mload(_X_B)
                requireChord(lA, lB, entry, sign, xA, xB)
                let sA, sB := square(lA, lB)
                sA := sub(sub(sA, xA), mload(entry))
                sB := sub(sub(sB, xB), mload(add(entry, 32)))
                mstore(_X_A, sA)
                mstore(_X_B, sB)
                finishLine(lA, lB, add(sub(xA, sA), P384_OFF_A), add(sub(xB, sB), P384_OFF_B))
                next := add(at, 49)
            }
            // Twice the sum plus the entry, as (sum + entry) + sum. Takes two slopes, l and g.
            function doublePlus(entry, sign, at) -> next {
                let lA, lB := element(at)
                let xA := mload(_X_A)
                let xB := mload(_X_B)
                requireChord(lA, lB, entry, sign, xA, xB)
                let gA, gB := element(add(at, 49))
                next := add(at, 98)
                // s = l^2 - x_entry, so x3 = s - x and x - x3 = 2x - s.
                let sA, sB := square(lA, lB)
                sA := sub(sA, mload(entry))
                sB := sub(sB, mload(add(entry, 32)))
                requireReturn(
                    add(lA, gA),
                    add(lB, gB),
                    add(sub(add(xA, xA), sA), P384_OFF_A),
                    add(sub(add(xB, xB), sB), P384_OFF_B)
                )
                // x' = g^2 - x - x3 = g^2 - s.
                lA, lB := square(gA, gB)
                sA := sub(lA, sA)
                sB := sub(lB, sB)
                mstore(_X_A, sA)
                mstore(_X_B, sB)
                finishLine(gA, gB, add(sub(xA, sA), P384_OFF_A), add(sub(xB, sB), P384_OFF_B))
            }
            // Makes 3, 5, 7 ... 15 times the first point, behind it. Takes eight slopes.
            function oddMultiples(first, at) -> next {
                mcopy(_X_A, first, _POINT_BYTES)
                next := double(at)
                mcopy(_DOUBLE, _X_A, _POINT_BYTES)
                mcopy(_X_A, first, _POINT_BYTES)
                let end := add(first, _EIGHT_POINTS)
                for { first := add(first, _POINT_BYTES) } lt(first, end) { first := add(first, _POINT_BYTES) } {
                    next := plus(_DOUBLE, 1, next)
                    mcopy(first, _X_A, _POINT_BYTES)
                }
            }

            // ---------------------------------------------------------------- program

            // Finds the entry of a step, and counts its digit, (2*index + 1) * sign * 2^position, in its scalar.
            function fetch(step, position) -> entry, sign {
                let index := and(step, 0x1ff)
                sign := sub(1, and(shr(8, step), 2))
                let scalar
                switch lt(index, 16)
                case 1 {
                    entry := add(_KEY_ENTRIES, mul(_POINT_BYTES, index))
                    scalar := add(_SCALARS, shl(5, shr(3, index)))
                    index := and(index, 7)
                }
                default {
                    index := sub(index, 16)
                    scalar := add(_SCALARS, 0x40)
                    let table := mload(_LOW_TABLE_AT)
                    if iszero(lt(index, _GENERATOR_ENTRIES)) {
                        index := sub(index, _GENERATOR_ENTRIES)
                        if iszero(lt(index, _GENERATOR_ENTRIES)) { refuseWith(_STEP_REFUSED, step) }
                        scalar := add(_SCALARS, 0x60)
                        table := mload(_HIGH_TABLE_AT)
                    }
                    entry := _FETCHED
                    extcodecopy(table, _FETCHED, add(1, shl(7, index)), 128)
                    // y is below M, so it is the same modulo M.
                    mcopy(add(_FETCHED, 128), add(_FETCHED, 64), 64)
                }
                mstore(scalar, add(mload(scalar), shl(position, mul(sign, add(1, add(index, index))))))
            }
            // The sum starts as the entry.
            function startWith(entry, sign) {
                mcopy(_X_A, entry, 64)
                mstore(_Y_A, mul(sign, mload(add(entry, 64))))
                mstore(_Y_B, mul(sign, mload(add(entry, 96))))
                let wrap := mul(P384_M, slt(sign, 0))
                mstore(_Y_A_M, add(wrap, mul(sign, mload(add(entry, 128)))))
                mstore(_Y_B_M, add(wrap, mul(sign, mload(add(entry, 160)))))
            }
            // Whether the sum is not minus the entry.
            function differsFromMinus(entry, sign) -> wrong {
                let dA := sub(mload(_X_A), mload(entry))
                let dB := sub(mload(_X_B), mload(add(entry, 32)))
                wrong := or(
                    nonZero(dA, dB, add(P384_SHIFT_A, dA), add(P384_SHIFT_B, dB)),
                    nonZero(
                        add(mload(_Y_A), mul(sign, mload(add(entry, 64)))),
                        add(mload(_Y_B), mul(sign, mload(add(entry, 96)))),
                        add(mload(_Y_A_M), add(P384_SHIFT_A, mul(sign, mload(add(entry, 128))))),
                        add(mload(_Y_B_M), add(P384_SHIFT_B, mul(sign, mload(add(entry, 160)))))
                    )
                )
            }

            // ---------------------------------------------------------------- scalars

            // high * 2^256 + low, where 2^256 modulo the modulus is 2^256 - modulus.
            function residue(high, low, modulus) -> value {
                value := addmod(mulmod(high, sub(0, modulus), modulus), low, modulus)
            }
            // Of an integer in two's complement: a negative one, v + 2^256 as a word, gives v + modulus.
            function signedResidue(word, modulus) -> value {
                value := add(word, mul(slt(word, 0), modulus))
            }
            // The number that lies there.
            function residueAt(at, modulus) -> value {
                value := residue(calldataload(at), calldataload(add(at, 32)), modulus)
            }
            // Whether an equation of the scalars fails modulo this modulus.
            function scalarsDiffer(at, modulus) -> wrong {
                let order := residue(P384_N_HIGH, P384_N_LOW, modulus)
                let sigma := residueAt(_S, modulus)
                let nonce := signedResidue(mload(add(_SCALARS, 0x20)), modulus)
                wrong := xor(
                    addmod(
                        mulmod(nonce, residueAt(_R, modulus), modulus),
                        mulmod(signedResidue(mload(_SCALARS), modulus), sigma, modulus),
                        modulus
                    ),
                    mulmod(signedResidue(calldataload(at), modulus), order, modulus)
                )
                let generator :=
                    addmod(
                        signedResidue(mload(add(_SCALARS, 0x40)), modulus),
                        mulmod(signedResidue(mload(add(_SCALARS, 0x60)), modulus), shl(192, 1), modulus),
                        modulus
                    )
                let quotient :=
                    residue(signedResidue(calldataload(add(at, 32)), modulus), calldataload(add(at, 64)), modulus)
                wrong := or(
                    wrong,
                    xor(
                        addmod(
                            mulmod(nonce, residueAt(_DIGEST, modulus), modulus),
                            mulmod(generator, sigma, modulus),
                            modulus
                        ),
                        mulmod(quotient, order, modulus)
                    )
                )
            }

            // ---------------------------------------------------------------- ranges

            function isBelow(high, low, limitHigh, limitLow) -> below {
                below := or(lt(high, limitHigh), and(eq(high, limitHigh), lt(low, limitLow)))
            }
            function requireBelow(at, limitHigh, limitLow, index) {
                if iszero(isBelow(calldataload(at), calldataload(add(at, 32)), limitHigh, limitLow)) {
                    refuseWith(_NUMBER_OUT_OF_RANGE, index)
                }
            }
            function requireNotZero(at, index) {
                if iszero(or(calldataload(at), calldataload(add(at, 32)))) { refuseWith(_NUMBER_OUT_OF_RANGE, index) }
            }

            // ================================================================ the check

            if shr(128, calldataload(_DIGEST)) { refuseWith(_NUMBER_OUT_OF_RANGE, 0) }
            requireNotZero(_R, 1)
            requireBelow(_R, P384_N_HIGH, P384_N_LOW, 1)
            requireNotZero(_S, 2)
            requireBelow(_S, P384_N_HIGH, P384_N_LOW, 2)
            requireBelow(_X, P384_P_HIGH, P384_P_LOW, 3)
            requireBelow(_Y, P384_P_HIGH, P384_P_LOW, 4)

            mstore(_LOW_TABLE_AT, lowTable)
            mstore(_HIGH_TABLE_AT, highTable)
            let at := add(witness.offset, 97) // after the flag and the quotients
            {
                let yA, yB, yAM, yBM := fromInteger(calldataload(_Y), calldataload(add(_Y, 32)))
                if placePoint(_KEY_ENTRIES, calldataload(_X), calldataload(add(_X, 32)), yA, yB, yAM, yBM) {
                    refuse(_KEY_NOT_ON_CURVE)
                }
            }
            {
                // R.x = r + flag * n. The high words are below 2^128.
                let flag := byte(0, calldataload(witness.offset))
                let low := add(calldataload(add(_R, 32)), mul(flag, P384_N_LOW))
                let high := add(add(calldataload(_R), mul(flag, P384_N_HIGH)), lt(low, mul(flag, P384_N_LOW)))
                let yA, yB := element(at)
                if or(gt(flag, 1), iszero(isBelow(high, low, P384_P_HIGH, P384_P_LOW))) {
                    refuse(_NONCE_POINT_WRONG)
                }
                if placePoint(_NONCE_ENTRIES, high, low, yA, yB, yA, yB) { refuse(_NONCE_POINT_WRONG) }
                at := add(at, 49)
            }
            at := oddMultiples(_KEY_ENTRIES, at)
            at := oddMultiples(_NONCE_ENTRIES, at)

            let position := byte(0, calldataload(at))
            if gt(position, _MAX_DOUBLINGS) { refuse(_WITNESS_LENGTH_WRONG) }
            {
                let step := and(shr(232, calldataload(at)), 0xffff)
                if gt(step, 0x3ff) { refuseWith(_STEP_REFUSED, step) } // no doublings here
                let entry, sign := fetch(step, position)
                startWith(entry, sign)
            }
            let last := and(shr(216, calldataload(at)), 0xffff)
            if gt(last, _MAX_STEP) { refuseWith(_STEP_REFUSED, last) }
            at := add(at, 5)
            let end := sub(add(witness.offset, witness.length), mul(shr(10, last), 49))
            for { let left := _MAX_STEPS } lt(at, end) { left := sub(left, 1) } {
                let step := shr(240, calldataload(at))
                at := add(at, 2)
                let doublings := shr(10, step)
                position := sub(position, doublings)
                // One too many, a bit that means nothing or a run too long, more doublings than announced.
                if or(iszero(left), or(gt(step, _MAX_STEP), gt(position, _MAX_DOUBLINGS))) {
                    refuseWith(_STEP_REFUSED, step)
                }
                let entry, sign := fetch(step, position)
                if iszero(doublings) {
                    at := plus(entry, sign, at)
                    continue
                }
                for {} gt(doublings, 1) { doublings := sub(doublings, 1) } { at := double(at) }
                at := doublePlus(entry, sign, at)
            }
            for { let doublings := shr(10, last) } doublings { doublings := sub(doublings, 1) } { at := double(at) }
            // Every bit position has been passed, and every byte has been read.
            if or(xor(position, shr(10, last)), xor(at, add(witness.offset, witness.length))) {
                refuse(_WITNESS_LENGTH_WRONG)
            }
            {
                let entry, sign := fetch(last, 0)
                if differsFromMinus(entry, sign) { refuse(_SUM_NOT_ZERO) }
            }

            // h is neither zero nor, at less than 2^224, a multiple of n.
            if iszero(mload(add(_SCALARS, 0x20))) { refuse(_SCALARS_WRONG) }
            at := add(witness.offset, 1)
            if or(
                or(scalarsDiffer(at, not(0)), scalarsDiffer(at, not(2))),
                or(scalarsDiffer(at, not(4)), scalarsDiffer(at, not(8)))
            ) { refuse(_SCALARS_WRONG) }
        }
    }

    function _requireCode(address table, bytes32 expected) private view {
        if (table.codehash != expected) revert TableMismatch(table, table.codehash, expected);
    }
}
