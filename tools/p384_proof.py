"""Proves the reduction of P-384's field for all inputs, from the text of contracts/crypto/P384.sol. `make symbolic`.

Reads the functions `reduce`, `nonZero`, `product` and `square` and their constants, executes them over unbounded
integers with the EVM's semantics, and has z3 refute the negation of each claim:

- no sum wraps around where it must not, and no argument of `mod` is negative;
- `reduce` returns the quotient (w + q*basis) / 2^256 exactly, below 2^193, for every pair 0 <= w < 2^442; the quotient
  stands for w / 2^256 modulo p;
- `reduce` with ROW added does so for every |w| < 2^430, below 2^194: what is done to y;
- `nonZero` returns zero exactly for the pairs |w| < 2^442 that are multiples of the basis, which stand for zero;
- `product` and `square` compute the product of pairs, before and after reduction.

A product of two unknowns is one unknown, the same wherever the same two are multiplied, with the bounds of a product:
what is proved holds for any integer in its place. Everything else is linear.

Not shown: that every multiple of p's ideal is a multiple of the basis (a determinant of +-p, which is checked here as a
number, and p prime), the bounds of the points' coordinates along a program, the lines' checks, and the group law.

    .tools/halmos/bin/python tools/p384_proof.py
"""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path

from z3 import And, Int, Not, Or, Solver, unsat

CRYPTO = Path(__file__).resolve().parent.parent / "contracts" / "crypto"
WORD = 2**256
SECONDS = 300


class ProofFailed(Exception):
    """A claim was not proved."""


def constants() -> dict[str, int]:
    """The constants by their names in P384.sol."""
    text = (CRYPTO / "P384Constants.sol").read_text(encoding="utf-8")
    return {
        name: int(value, 16) for name, value in re.findall(r"(P384_\w+) = (0x[0-9a-f]{64});", text)
    }


C = constants()
P = C["P384_P_HIGH"] * WORD + C["P384_P_LOW"]
M, U, V = C["P384_M"], C["P384_U"], C["P384_V"]
# For a square root t of 2 modulo p that makes U + V*t zero.
ROOT = -U * pow(V, -1, P) % P


class Yul:
    """Executes one function on integers. ``facts`` define every unknown; ``claims`` are obligations on the way."""

    def __init__(self, name: str) -> None:
        text = (CRYPTO / "P384.sol").read_text(encoding="utf-8")
        found = re.search(
            rf"function {name}\((?P<in>[^)]*)\) -> (?P<out>[^{{]*){{(?P<body>.*?)\n {{12}}}}",
            text,
            re.DOTALL,
        )
        if found is None:
            raise ProofFailed(f"P384.sol has no function {name} of that form")
        self.inputs = [word.strip() for word in found["in"].split(",")]
        self.outputs = [word.strip() for word in found["out"].split(",")]
        body = re.sub(r"//[^\n]*", "", found["body"])
        self.tokens = re.findall(r"[A-Za-z_][A-Za-z_0-9]*|0x[0-9a-f]+|\d+|:=|[(),{}]", body)
        self.facts: list[object] = []
        self.claims: list[object] = []
        self._products: dict[tuple[str, str], object] = {}
        self._bounds: dict[str, tuple[int, int]] = {}
        self._fresh = 0
        self.ored: list[object] = []
        self.names: dict[str, object] = {}

    # --- unknowns --------------------------------------------------------------------------------

    def unknown(self, name: str, low: int, high: int) -> object:
        """An integer of [low, high]."""
        made = Int(name)
        self.facts.append(And(made >= low, made <= high))
        self._bounds[name] = (low, high)
        return made

    def fresh(self) -> object:
        """An integer without bounds."""
        self._fresh += 1
        return Int(f"k{self._fresh}")

    def multiplied(self, left: object, right: object) -> object:
        """Their product: linear when one is a number, else one unknown for the two."""
        for one in (left, right):
            if isinstance(one, int):
                return left * right  # type: ignore[operator]
        # Twice an unknown times another is twice their product.
        for one, other in ((left, right), (right, left)):
            half = self._halved.get(str(one))
            if half is not None:
                return 2 * self.multiplied(half, other)  # type: ignore[operator]
        key = tuple(sorted((str(left), str(right))))
        if key not in self._products:
            (low, high), (least, most) = self._bounds[key[0]], self._bounds[key[1]]
            ends = [a * b for a in (low, high) for b in (least, most)]
            self._products[key] = self.unknown(f"{key[0]}*{key[1]}", min(ends), max(ends))
        return self._products[key]

    def modulo(self, value: object, modulus: int) -> object:
        """The remainder of an integer, not negative."""
        if isinstance(value, int):
            return value % modulus
        quotient = self.fresh()
        self._fresh += 1
        rest = Int(f"r{self._fresh}")
        self.facts += [value == rest + modulus * quotient, rest >= 0, rest < modulus]
        return rest

    # --- execution -------------------------------------------------------------------------------

    def run(self, arguments: dict[str, object]) -> list[object]:
        """Execute with words as arguments; return the results."""
        self._halved: dict[str, object] = {}
        self.names = dict(arguments)
        self._at = 0
        while self._at < len(self.tokens):
            if self.tokens[self._at] == "let":
                self._at += 1
            targets = [self._take()]
            while self.tokens[self._at] == ",":
                self._at += 1
                targets.append(self._take())
            self._expect(":=")
            if len(targets) != 1:
                raise ProofFailed("a call with several results is not executed here")
            self.names[targets[0]] = self._expression()
        return [self.names[name] for name in self.outputs]

    def _take(self) -> str:
        self._at += 1
        return self.tokens[self._at - 1]

    def _expect(self, token: str) -> None:
        if self._take() != token:
            raise ProofFailed(f"unexpected text where {token} was expected")

    def _expression(self) -> object:
        word = self._take()
        if re.fullmatch(r"0x[0-9a-f]+|\d+", word):
            return int(word, 0)
        if self._at >= len(self.tokens) or self.tokens[self._at] != "(":
            return C[word] if word.startswith("P384_") else self.names[word]
        self._expect("(")
        values = [self._expression()]
        while self.tokens[self._at] == ",":
            self._at += 1
            values.append(self._expression())
        self._expect(")")
        return self._operation(word, values)

    def _operation(self, name: str, values: list[object]) -> object:
        if name == "add" and len(values) == 2:
            left, right = values
            if str(left) == str(right) and str(left) in self._bounds:
                # A doubled argument: below 2^255, so it does not wrap.
                total = left + right  # type: ignore[operator]
                self.claims.append(total < WORD)
                self._halved[str(total)] = left
                return total
            # What is added modulo M must not wrap; what is added modulo W may.
            return _Sum(left, right)
        if name == "mul":
            left, right = (self.word(value) for value in values)
            return self.modulo(self.multiplied(left, right), WORD)
        if name in {"mulmod", "mod"}:
            modulus = values[-1]
            if modulus != M:
                raise ProofFailed("another modulus than M")
            if name == "mod":
                value = self.plain(values[0])
                self.claims.append(And(value >= 0, value < WORD))
                return self.modulo(value, M)
            left, right = (self.word(value) for value in values[:2])
            return self.modulo(self.multiplied(left, right), M)
        if name == "or":
            self.ored = values
            left, right = values
            return Or(left != 0, right != 0)
        raise ProofFailed(f"the operation {name} is not executed here")

    def plain(self, value: object) -> object:
        """A sum as an integer, its parts too."""
        if isinstance(value, _Sum):
            return self.plain(value.left) + self.plain(value.right)  # type: ignore[operator]
        return value

    def word(self, value: object) -> object:
        """A sum as a word: modulo 2^256."""
        if not isinstance(value, _Sum):
            return value
        if value.word is None:
            plain = self.plain(value)
            value.word = self.modulo(plain, WORD)
        return value.word

    # --- proof -----------------------------------------------------------------------------------

    def prove(self, claim: object, what: str, *facts: object) -> None:
        """Refute the claim's negation under all facts, and these."""
        solver = Solver()
        solver.set("timeout", SECONDS * 1000)
        solver.add(*self.facts, *facts)
        solver.add(Not(claim))
        began = time.monotonic()
        answer = solver.check()
        if answer != unsat:
            raise ProofFailed(f"{what}: {answer}")
        print(f"[PASS] {what} ({time.monotonic() - began:.1f} s)")


class _Sum:
    """A sum that is not decided yet: in `mod` it is an integer, elsewhere a word."""

    def __init__(self, left: object, right: object) -> None:
        self.left, self.right = left, right
        self.word: object = None


def require(condition: bool, what: str) -> None:
    """A claim about numbers alone."""
    if not condition:
        raise ProofFailed(what)
    print(f"[PASS] {what}")


def prove_constants() -> None:
    k, half = C["P384_K"], C["P384_L"]
    require(P == 2**384 - 2**128 - 2**96 + 2**32 - 1, "p is the field's prime")
    require(255 * M == WORD - 1, "W = 1 modulo M")
    require(ROOT * ROOT % P == 2, "t is a square root of 2 modulo p")
    require((U + V * ROOT) % P == 0 and (2 * V + U * ROOT) % P == 0, "the basis stands for zero")
    require(
        abs(U * U - 2 * V * V) == P,
        "the basis has determinant p or -p: it is one of all pairs for zero",
    )
    require(C["P384_V2"] == 2 * V and C["P384_L2"] == 2 * half, "V2 and L2 are twice V and L")
    require(
        (1 + k * U + half * 2 * V) % WORD == 0 and (k * V + half * U) % WORD == 0,
        "K and L are minus the inverse of U and V modulo W",
    )
    for name, most in (("OFF", 2**218), ("ROW", 2**194)):
        a, b = C[f"P384_{name}_A"], C[f"P384_{name}_B"]
        require(
            (a + b * ROOT) % P == 0 and 0 < a < most and 0 < b < most, f"{name} stands for zero"
        )


def reduced(low: int, high: int, row: tuple[int, int], bits: int, what: str) -> None:
    """`reduce` on a pair of [low, high], of which ``row`` is added to the residues modulo M."""
    yul = Yul("reduce")
    wide = [yul.unknown(name, low, high) for name in ("x", "y")]
    words = [yul.modulo(value, WORD) for value in wide]
    residues = []
    for value, more in zip(wide, row, strict=True):
        # The caller's residue: anything congruent, a sum of 40 residues at most.
        residue, quotient = yul.fresh(), yul.fresh()
        yul.facts += [residue == value + more + M * quotient, residue >= 0, residue < 40 * M]
        residues.append(residue)
    a, b = yul.run(dict(zip(yul.inputs, words + residues, strict=True)))
    q_a, q_b = yul.word(yul.names["qA"]), yul.word(yul.names["qB"])
    for claim in yul.claims:
        yul.prove(claim, f"{what}: no sum wraps")
    full = (wide[0] + q_a * U + q_b * 2 * V, wide[1] + q_a * V + q_b * U)
    parts = []
    for place, value in enumerate(full):
        part, rest = yul.fresh(), yul.fresh()
        # Division with remainder exists for every integer; that the remainder is zero is the claim.
        yul.facts += [value == WORD * part + rest, rest >= 0, rest < WORD]
        yul.prove(rest == 0, f"{what}: W divides w + q*basis, coordinate {place}")
        yul.facts.append(rest == 0)
        parts.append(part)
    for result, part, more in zip((a, b), parts, row, strict=True):
        yul.prove(
            And(result == part + more, result >= 0, result < 2**bits),
            f"{what}: the result is the quotient, below 2^{bits}",
        )
    # W*u - w is a combination of the basis, each vector of which p divides at t.
    z = (WORD * parts[0] - wide[0]) + (WORD * parts[1] - wide[1]) * ROOT
    combined = q_a * (U + V * ROOT) + q_b * (2 * V + U * ROOT)
    yul.prove(z == combined, f"{what}: it stands for w / W modulo p")


def zero_test() -> None:
    bound = 2**442 - 1
    yul = Yul("nonZero")
    wide = [yul.unknown(name, -bound, bound) for name in ("x", "y")]
    words = [yul.modulo(value, WORD) for value in wide]
    residues = []
    for value, shift in zip(wide, (C["P384_SHIFT_A"], C["P384_SHIFT_B"]), strict=True):
        residue, quotient = yul.fresh(), yul.fresh()
        yul.facts += [residue == value + shift + M * quotient, residue >= 0, residue < 40 * M]
        residues.append(residue)
    [wrong] = yul.run(dict(zip(yul.inputs, words + residues, strict=True)))
    q_a, q_b = (yul.word(yul.names[name]) - 2**255 for name in ("qA", "qB"))
    for claim in yul.claims:
        yul.prove(claim, "nonZero: no sum wraps")
    left = (wide[0] + q_a * U + q_b * 2 * V, wide[1] + q_a * V + q_b * U)
    for place, (value, residue) in enumerate(zip(left, yul.ored, strict=True)):
        part, rest = yul.fresh(), yul.fresh()
        facts = [residue - value == M * part + rest, rest >= 0, rest < M]
        yul.prove(rest == 0, f"nonZero: it sees f modulo M, coordinate {place}", *facts)
    parts = []
    for place, value in enumerate(left):
        part, rest = yul.fresh(), yul.fresh()
        yul.facts += [value == WORD * part + rest, rest >= 0, rest < WORD]
        yul.prove(rest == 0, f"nonZero: W divides f, coordinate {place}")
        yul.facts.append(rest == 0)
        parts.append(part)
    yul.prove(
        Or(wrong, And(left[0] == 0, left[1] == 0)),
        "nonZero: what passes is a multiple of the basis",
    )
    c_a, c_b = yul.fresh(), yul.fresh()
    yul.facts += [wide[0] == c_a * U + c_b * 2 * V, wide[1] == c_a * V + c_b * U]
    yul.prove(
        And(*(And(c < 2**252, c > -(2**252)) for c in (c_a, c_b))),
        "nonZero: multiples of that size have factors below 2^252",
    )
    # f is (c + q) times the basis. The basis' other matrix takes it to the determinant times c + q, so that W, which
    # is coprime to p, divides c + q.
    determinant = U * U - 2 * V * V
    inverse = pow(determinant, -1, WORD)
    excess = (inverse * determinant - 1) // WORD
    for factor, found, part in (
        (c_a, q_a, U * parts[0] - 2 * V * parts[1]),
        (c_b, q_b, U * parts[1] - V * parts[0]),
    ):
        total = factor + found
        yul.prove(determinant * total == WORD * part, "nonZero: W divides p times c + q")
        yul.facts.append(determinant * total == WORD * part)
        whole = yul.fresh()
        yul.facts.append(whole == inverse * part - excess * total)
        yul.prove(total == WORD * whole, "nonZero: W divides c + q")
        yul.facts.append(total == WORD * whole)
        yul.prove(total == 0, "nonZero: q is minus the factor")
        yul.facts.append(total == 0)
    yul.prove(
        And(left[0] == 0, left[1] == 0),
        "nonZero: so f of a multiple of the basis is zero, and passes",
    )


def products() -> None:
    bound = 2**219 - 1
    yul = Yul("product")
    given = {name: yul.unknown(name, 0, bound) for name in yul.inputs}
    results = yul.run(given)
    a, b, c, d = given.values()
    ac, bd = yul.multiplied(a, c), yul.multiplied(b, d)
    ad, bc = yul.multiplied(a, d), yul.multiplied(b, c)
    for claim in yul.claims:
        yul.prove(claim, "product: no sum wraps")
    for place, (got, residue, full) in enumerate(
        ((results[0], results[2], ac + 2 * bd), (results[1], results[3], ad + bc))
    ):
        yul.prove((yul.word(got) - full) % WORD == 0, f"product: modulo W, coordinate {place}")
        plain = yul.plain(residue)
        yul.prove(
            And((plain - full) % M == 0, plain >= 0, plain < 2 * M),
            f"product: modulo M, coordinate {place}",
        )


def squares() -> None:
    yul = Yul("square")
    a, b = (yul.unknown(name, 0, 2**219 - 1) for name in yul.inputs)
    results = yul.run(dict(zip(yul.inputs, (a, b), strict=True)))
    aa, bb, ab = yul.multiplied(a, a), yul.multiplied(b, b), yul.multiplied(a, b)
    for claim in yul.claims:
        yul.prove(claim, "square: no sum wraps")
    wide = (aa + 2 * bb, 2 * ab)
    q_a, q_b = (yul.word(yul.names[name]) for name in ("qA", "qB"))
    full = (wide[0] + q_a * U + q_b * 2 * V, wide[1] + q_a * V + q_b * U)
    for place, (value, result) in enumerate(zip(full, results, strict=True)):
        part, rest = yul.fresh(), yul.fresh()
        facts = [value == WORD * part + rest, rest >= 0, rest < WORD]
        yul.prove(rest == 0, f"square: W divides w + q*basis, coordinate {place}", *facts)
        yul.prove(
            result == part,
            f"square: the result is the reduced square, coordinate {place}",
            *facts,
            rest == 0,
        )


def main() -> int:
    try:
        prove_constants()
        reduced(0, 2**442 - 1, (0, 0), 193, "reduce")
        row = (C["P384_ROW_A"], C["P384_ROW_B"])
        reduced(1 - 2**430, 2**430 - 1, row, 194, "reduce with ROW")
        zero_test()
        products()
        squares()
    except ProofFailed as failed:
        print(f"[FAIL] {failed}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
