"""contracts/crypto/P384.sol: signatures accepted, forgeries, mutations and malformed witnesses refused, gas."""

from __future__ import annotations

import contextlib
import random
import re
from collections import Counter
from collections.abc import Container, Iterable, Iterator
from functools import cache
from itertools import islice
from typing import Any

import pytest

from tests.contracts.crypto.p384_forgery import forgeries, write
from tests.contracts.crypto.p384_support import (
    Signature,
    Vector,
    call,
    deploy,
    deploy_code,
    random_signature,
    sign,
    wycheproof,
)
from tests.support.chain import ROOT, Anvil, Chain, Reverted, artifact
from xmtp_tee.attestation.p384 import curve, field, scalars, tables, witness
from xmtp_tee.attestation.p384.curve import N, P, Point
from xmtp_tee.attestation.p384.witness import Addition, make_witness

pytestmark = pytest.mark.timeout(1_200)

VERIFY_GAS = 850_000
"""The bar: whole transactions, on average of at least 12 random signatures."""
WORST_WITNESS_GAS = 900_000
"""No accepted witness costs more, as a whole transaction."""

ENTRIES_START = 1 + 32 + 64 + 49 + 16 * 49
"""Where a witness's program begins: doublings, first step, last step, steps."""


@pytest.fixture(scope="module")
def verifier(chain: Chain) -> Any:
    return deploy(chain)


@cache
def sample() -> tuple[Signature, bytes]:
    signature = random_signature(random.Random(384))
    return signature, make_witness(*signature)


@cache
def vectors() -> list[Vector]:
    return list(wycheproof())


def outcomes(chain: Chain, calls: Iterable[Any]) -> Iterator[bytes | Reverted]:
    """Call many without sending. A witness is long, and anvil takes 2 MB at once."""
    source = iter(calls)
    while group := list(islice(source, 32)):
        yield from chain.outcomes(group)


def refused(chain: Chain, calls: Any) -> Counter[str]:
    """Return how often each error came; fail if one was accepted."""
    names: Counter[str] = Counter()
    for index, outcome in enumerate(outcomes(chain, calls)):
        assert isinstance(outcome, Reverted), f"number {index} was accepted"
        names[outcome.name] += 1
    return names


def accepted(chain: Chain, calls: Any) -> int:
    count = 0
    for index, outcome in enumerate(outcomes(chain, calls)):
        assert outcome == b"", f"number {index}: {outcome}"
        count += 1
    return count


# --- what is accepted -----------------------------------------------------------------------------


def test_random_signatures_are_accepted_within_the_bar(chain: Chain, verifier: Any) -> None:
    rng = random.Random(12)
    spent = []
    for _ in range(12):
        signature = random_signature(rng)
        assert curve.verify(*signature)
        spent.append(chain.send(call(verifier, signature, make_witness(*signature)))["gasUsed"])
    print(sum(spent) / len(spent), max(spent))
    assert sum(spent) / len(spent) <= VERIFY_GAS


def test_valid_wycheproof_signatures_are_accepted(chain: Chain, verifier: Any) -> None:
    valid = [v for v in vectors() if v.valid][::5]
    assert len(valid) > 30
    calls = (call(verifier, v.signature, make_witness(*v.signature)) for v in valid)
    assert accepted(chain, calls) == len(valid)


@pytest.mark.proof
def test_every_valid_wycheproof_signature_is_accepted(chain: Chain, verifier: Any) -> None:
    valid = [v for v in vectors() if v.valid]
    assert len(valid) > 190
    calls = (call(verifier, v.signature, make_witness(*v.signature)) for v in valid)
    assert accepted(chain, calls) == len(valid)


@pytest.mark.parametrize(
    ("digest", "secret", "nonce"),
    [
        (0, 1, 2),
        (0, N - 1, N - 2),
        (2**384 - 1, 5, 7),
        (N, 1, 1),
        (N - 1, 2, 3),
        (1, N - 1, 1),
        (2**383, 2**192, 2**192),
        (3, 2**192, N - 2**192),
    ],
)
def test_extreme_digests_keys_and_nonces_are_accepted(
    chain: Chain, verifier: Any, digest: int, secret: int, nonce: int
) -> None:
    signature = sign(digest, secret, nonce)
    assert curve.verify(*signature)
    chain.call(call(verifier, signature, make_witness(*signature)))


def test_high_and_low_s_are_both_accepted(chain: Chain, verifier: Any) -> None:
    signature, _ = sample()
    twin = signature._replace(s=N - signature.s)
    chain.call(call(verifier, twin, make_witness(*twin)))


def test_r_that_stands_for_a_greater_x_is_accepted(chain: Chain, verifier: Any) -> None:
    x = next(x for x in range(N + 1, P) if curve.recover_y(x) is not None)
    y = curve.recover_y(x)
    assert y is not None
    r, s, digest = x - N, 12_345, 67_890
    inverse = pow(r, -1, N)
    # Q = (s*R - digest*G) / r
    key = curve.add(
        curve.multiply(s * inverse % N, Point(x, y)), curve.multiply(-digest * inverse % N, curve.G)
    )
    assert key is not None
    signature = Signature(digest, r, s, key)
    assert curve.verify(*signature)
    right = make_witness(*signature)
    assert right[0] == 1
    chain.call(call(verifier, signature, right))
    for flag in (0, 2, 255):
        with pytest.raises(Reverted) as refusal:
            chain.call(call(verifier, signature, bytes([flag]) + right[1:]))
        assert refusal.value.name == "NoncePointWrong"


# --- what is refused ------------------------------------------------------------------------------


def test_invalid_wycheproof_signatures_are_refused_under_forged_witnesses(
    chain: Chain, verifier: Any
) -> None:
    invalid = [v for v in vectors() if not v.valid]
    assert len(invalid) > 60
    _, right = sample()
    calls = []
    for vector in invalid:
        assert not curve.verify(*vector.signature)
        calls.append(call(verifier, vector.signature, right))
        if curve.is_on_curve(vector.signature.key):
            calls += [call(verifier, vector.signature, w) for w in forgeries(vector.signature)]
    names = refused(chain, calls)
    print(names)
    assert {
        "SumNotZero",
        "ScalarsWrong",
        "NumberOutOfRange",
        "NoncePointWrong",
        "LineRefused",
    } <= set(names)


def test_forged_witnesses_do_not_help_a_wrong_digest_key_or_number(
    chain: Chain, verifier: Any
) -> None:
    right, _ = sample()
    wrong = [
        right._replace(digest=right.digest ^ 1),
        right._replace(key=random_signature(random.Random(1)).key),
        right._replace(key=Point(right.key.x, P - right.key.y)),
        right._replace(r=right.r ^ 2),
        right._replace(s=right.s ^ 2),
        Signature(right.digest, right.s, right.r, right.key),
    ]
    for signature in wrong:
        assert not curve.verify(*signature)
        refused(chain, [call(verifier, signature, w) for w in forgeries(signature)])


@pytest.mark.parametrize("name", ["r", "s"])
@pytest.mark.parametrize("value", [0, N, N + 1, P, 2**384 - 1, 2**384, 2**511])
def test_r_or_s_out_of_range_is_refused(chain: Chain, verifier: Any, name: str, value: int) -> None:
    signature, right = sample()
    with pytest.raises(Reverted) as refusal:
        chain.call(call(verifier, signature._replace(**{name: value}), right))
    assert refusal.value.name == "NumberOutOfRange"
    assert refusal.value.arguments == ({"r": 1, "s": 2}[name],)


@pytest.mark.parametrize(("index", "shift"), [(3, P), (4, P)])
def test_coordinate_that_is_not_canonical_is_refused(
    chain: Chain, verifier: Any, index: int, shift: int
) -> None:
    signature, right = sample()
    x, y = signature.key
    key = Point(x + shift * (index == 3), y + shift * (index == 4))
    with pytest.raises(Reverted) as refusal:
        chain.call(call(verifier, signature._replace(key=key), right))
    assert refusal.value.arguments == (index,)


def test_digest_of_more_than_384_bits_is_refused(chain: Chain, verifier: Any) -> None:
    signature, right = sample()
    with pytest.raises(Reverted) as refusal:
        chain.call(call(verifier, signature._replace(digest=signature.digest + 2**384), right))
    assert (refusal.value.name, refusal.value.arguments) == ("NumberOutOfRange", (0,))


def test_key_off_the_curve_is_refused(chain: Chain, verifier: Any) -> None:
    signature, right = sample()
    x, y = signature.key
    for key in (Point(0, 0), Point(x, y ^ 1), Point(x ^ 1, y), Point(y, x), Point(P - 1, 0)):
        with pytest.raises(Reverted) as refusal:
            chain.call(call(verifier, signature._replace(key=key), right))
        assert refusal.value.name == "KeyNotOnCurve"


def test_sum_that_never_uses_the_signature_is_refused(chain: Chain, verifier: Any) -> None:
    # Entry minus entry is zero, and with all scalars zero both equations hold: h = 0 must be refused.
    signature = Signature(1, 2**200, 3, sample()[0].key)
    y = None
    while y is None:
        signature = signature._replace(r=signature.r + 1)
        y = curve.recover_y(signature.r)
    for index in (0, 8, 16, 207):
        nothing = [Addition(0, index, False), Addition(0, index, True)]
        forged = write(0, Point(signature.r, y), signature.key, (0, 0), nothing)
        with pytest.raises(Reverted) as refusal:
            chain.call(call(verifier, signature, forged))
        assert refusal.value.name == "ScalarsWrong"


@pytest.mark.parametrize("index", [0, 9, 17, 208])
def test_entry_added_to_itself_with_any_slope_is_refused(
    chain: Chain, verifier: Any, index: int
) -> None:
    # The chord's equation is 0 = 0 for every slope: without the not-zero test the sum could leave the curve.
    signature, right = sample()
    step = index.to_bytes(2, "big")
    for slope in (bytes(49), field.encode(2), b"\xff" * 49):
        forged = right[:ENTRIES_START] + b"\0" + step + step + step + slope
        with pytest.raises(Reverted) as refusal:
            chain.call(call(verifier, signature, forged))
        assert refusal.value.name == "LineRefused"


def test_every_equal_pair_of_another_size_is_still_zero(chain: Chain, verifier: Any) -> None:
    # Slopes are classes: adding a pair for zero to one changes nothing, if it fits the encoding.
    signature, right = sample()
    at = 1 + 32 + 64 + 49
    a = int.from_bytes(right[at : at + 25], "big")
    b = int.from_bytes(right[at + 25 : at + 49], "big")
    moved = 0
    for i in range(-6, 7):
        for j in range(-6, 7):
            u, v = field.SHORT_BASIS
            pair = (a + i * u.a + j * v.a, b + i * u.b + j * v.b)
            if (i, j) != (0, 0) and 0 <= pair[0] < 2**200 and 0 <= pair[1] < 2**192:
                slope = pair[0].to_bytes(25, "big") + pair[1].to_bytes(24, "big")
                chain.call(call(verifier, signature, right[:at] + slope + right[at + 49 :]))
                moved += 1
    assert moved > 0


# --- malformed witnesses --------------------------------------------------------------------------


def test_truncated_or_extended_witness_is_refused(chain: Chain, verifier: Any) -> None:
    signature, right = sample()
    lengths = [0, 1, 96, 97, 98, 145, 146, 147, 194, 929, 930, 931, 935, 1_000, len(right) // 2]
    lengths += [len(right) - n for n in (1, 2, 48, 49, 50)]
    calls = [call(verifier, signature, right[:length]) for length in lengths]
    calls += [
        call(verifier, signature, right + tail)
        for tail in (b"\0", b"\0\0", bytes(49), bytes(51), right)
    ]
    refused(chain, calls)


def test_steps_that_name_nothing_are_refused(chain: Chain, verifier: Any) -> None:
    signature, right = sample()
    head, doublings = right[:ENTRIES_START], right[ENTRIES_START : ENTRIES_START + 1]

    def name_of(program: bytes) -> str:
        with pytest.raises(Reverted) as refusal:
            chain.call(call(verifier, signature, head + program))
        return refusal.value.name

    entry = (16).to_bytes(2, "big")
    for wrong in (398, 511, 1 << 10, 1 << 14, 1 << 15, 0xFFFF):
        assert name_of(doublings + wrong.to_bytes(2, "big") + entry) == "StepRefused"
    for wrong in (13 << 10, 1 << 14, 0xFFFF):
        assert name_of(doublings + entry + wrong.to_bytes(2, "big")) == "StepRefused"
        assert (
            name_of(doublings + entry + entry + wrong.to_bytes(2, "big") + bytes(49))
            == "StepRefused"
        )
    # More doublings than announced, and more than there may be.
    assert (
        name_of(b"\x03" + entry + entry + (4 << 10).to_bytes(2, "big") + bytes(49)) == "StepRefused"
    )
    assert name_of(b"\xd0" + entry + entry) == "WitnessLengthWrong"
    # Fewer doublings than announced.
    assert name_of(b"\x03" + entry + entry) == "WitnessLengthWrong"


def test_steps_beyond_the_limit_are_refused(chain: Chain, verifier: Any) -> None:
    signature, right = sample()
    program = [Addition(0, 16 + 190 - index, False) for index in range(witness.MAX_STEPS + 3)]
    writer = witness._Writer()
    with contextlib.suppress(AssertionError):
        writer.run(program, [curve.G] * 16 + witness.generator_entries())
    with pytest.raises(Reverted) as refusal:
        chain.call(call(verifier, signature, right[:ENTRIES_START] + bytes(writer.out)))
    assert refusal.value.name == "StepRefused"


# --- mutations ------------------------------------------------------------------------------------


def mutate(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    how = rng.randrange(4)
    at = rng.randrange(len(data))
    if how == 0:
        changed[at] ^= 1 << rng.randrange(8)
    elif how == 1:
        changed[at] = (changed[at] + rng.randrange(1, 256)) % 256
    elif how == 2:
        other = rng.randrange(len(data) - 49)
        at = rng.randrange(len(data) - 49)
        changed[at : at + 49] = data[other : other + 49]
    else:
        del changed[at : at + rng.choice((1, 2, 49, 51, 98, 100))]
    return bytes(changed)


def mutated_calls(verifier: Any, count: int, seed: int) -> Any:
    """Yield calls with one thing changed: three in four in the witness, else in the signature."""
    rng = random.Random(seed)
    pool = [sample()] + [(s, make_witness(*s)) for s in (random_signature(rng) for _ in range(5))]
    made = 0
    while made < count:
        signature, right = rng.choice(pool)
        if rng.randrange(4):
            forged = mutate(right, rng)
            if forged == right:
                continue
            yield call(verifier, signature, forged)
        else:
            digest, r, s, key = signature
            bit = 1 << rng.randrange(384)
            part = rng.randrange(5)
            yield call(
                verifier,
                Signature(
                    digest ^ bit * (part == 0),
                    r ^ bit * (part == 1),
                    s ^ bit * (part == 2),
                    Point(key.x ^ bit * (part == 3), key.y ^ bit * (part == 4)),
                ),
                right,
            )
        made += 1


def test_no_mutation_is_accepted(chain: Chain, verifier: Any) -> None:
    names = refused(chain, mutated_calls(verifier, 400, 1))
    assert sum(names.values()) == 400
    assert "" not in names


@pytest.mark.proof
def test_none_of_ten_thousand_mutations_is_accepted(chain: Chain, verifier: Any) -> None:
    names = refused(chain, mutated_calls(verifier, 10_000, random.randrange(2**32)))
    print(names)
    assert sum(names.values()) == 10_000


# --- cost -----------------------------------------------------------------------------------------


def longest_program() -> list[Addition]:
    """Return all doublings there may be, in runs as long as they may be, and all additions, most of them alone."""
    positions = [*list(range(witness.MAX_DOUBLINGS, 0, -witness.MAX_RUN)), 0]
    alone = witness.MAX_STEPS - (len(positions) - 2)
    program = [Addition(positions[0], 205, False)]
    program += [Addition(positions[0], 16 + index, False) for index in range(alone)]
    program += [
        Addition(position, 207 + index, True) for index, position in enumerate(positions[1:])
    ]
    return program


def test_most_expensive_witness_is_bounded(chain: Chain, verifier: Any) -> None:
    signature, right = sample()
    program = longest_program()
    assert len(program) - 2 == witness.MAX_STEPS
    assert witness.is_representable(program)
    forged = write(0, _nonce_point(signature), signature.key, (0, 0), program)
    with pytest.raises(Reverted) as refusal:
        chain.call(call(verifier, signature, forged))
    assert refusal.value.name == "SumNotZero"
    used = {}
    for name, made in (("longest", forged), ("usual", right)):
        sent = call(verifier, signature, made).transact(
            {"from": chain.accounts[0], "gas": 3_000_000}
        )
        used[name] = chain.web3.eth.wait_for_transaction_receipt(sent)["gasUsed"]
    print(used, len(forged))
    assert used["usual"] < used["longest"] <= WORST_WITNESS_GAS


def _nonce_point(signature: Signature) -> Point:
    return witness._nonce_point(*signature)


def test_witness_with_as_many_steps_as_there_may_be_is_accepted(
    chain: Chain, verifier: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    signature, _ = sample()
    plain = witness.signed_digits

    def dense(scalar: int, largest: int, taken: Container[int]) -> list[scalars.Digit]:
        return plain(scalar, min(largest, 47), taken)

    monkeypatch.setattr(witness, "signed_digits", dense)
    monkeypatch.setattr(witness, "_cost", lambda program: -len(program))
    dear = make_witness(*signature)
    assert len(dear) > len(sample()[1]) + 600
    assert chain.send(call(verifier, signature, dear))["gasUsed"] <= WORST_WITNESS_GAS


# --- the contract itself --------------------------------------------------------------------------


def test_contract_fits_the_size_limit() -> None:
    assert len(bytes.fromhex(artifact("P384")["deployedBytecode"]["object"][2:])) < 24_576


def test_selectors_in_the_assembly_are_those_of_the_errors() -> None:
    source = (ROOT / "contracts" / "crypto" / "P384.sol").read_text()
    selectors = artifact("IP384")
    from web3 import Web3

    for entry in selectors["abi"]:
        if entry["type"] == "error" and entry["name"] != "TableMismatch":
            signature = f"{entry['name']}({','.join(i['type'] for i in entry['inputs'])})"
            name = re.sub(r"(?<!^)(?=[A-Z])", "_", entry["name"]).upper()
            expected = Web3.keccak(text=signature)[:4].hex().removeprefix("0x")
            assert f"_{name} = 0x{expected};" in source


def test_tables_other_than_the_pinned_ones_are_refused(chain: Chain, verifier: Any) -> None:
    low, high = tables.low_table(), tables.high_table()
    wrong = bytearray(low)
    wrong[-1] ^= 1
    addresses = {
        "low": deploy_code(chain, low),
        "high": deploy_code(chain, high),
        "wrong": deploy_code(chain, bytes(wrong)),
        "nobody": "0x" + "11" * 20,
    }
    for pair in (("high", "low"), ("wrong", "high"), ("low", "low"), ("low", "nobody")):
        with pytest.raises(Reverted) as refusal:
            chain.deploy("P384", *(addresses[name] for name in pair))
        assert refusal.value.name == "TableMismatch"


def test_tables_do_nothing_when_called(chain: Chain) -> None:
    address = deploy_code(chain, tables.low_table())
    assert chain.web3.eth.call({"to": address, "data": "0x12345678"}) == b""


def test_prague_chain_verifies_too() -> None:
    # Nothing newer than MCOPY is needed.
    with Anvil(hardfork="prague") as anvil:
        chain = Chain(anvil)
        signature, right = sample()
        chain.call(call(deploy(chain), signature, right))
