"""The contract's reader of documents against Python's, on documents that were bent at random.

Both follow the same rules but for those named in :func:`chain_alone_refuses` and :func:`python_alone_refuses`.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
from eth_abi.abi import decode as abi_decode

from tests.contracts.nitro import nitro_support as nitro
from tests.support.chain import Anvil, Chain, Reverted
from xmtp_tee.attestation.nitro.document import NitroDocument, parse_document
from xmtp_tee.attestation.simulator.nitro import DocumentRecipe
from xmtp_tee.errors import XmtpTeeError

NOW = 1_780_000_000
DOCUMENT = "(bytes,uint256,uint256,uint256,uint256,uint256,bytes32[2],uint256[])"
INTERESTING = bytes.fromhex("00171818191a1b1c1f203738405758595a5b5f60777879") + bytes.fromhex(
    "7f80979fa0b7b8bfc0d2f4f5f6f7fbff"
)


@pytest.fixture(scope="module")
def chain() -> Iterator[Chain]:
    with Anvil() as anvil:
        yield Chain(anvil)


@pytest.fixture(scope="module")
def harness(chain: Chain) -> Any:
    return chain.deploy("DocumentHarness")


def python_reads(document: bytes) -> NitroDocument | None:
    try:
        return parse_document(document)
    except XmtpTeeError:
        return None


def chain_alone_refuses(document: NitroDocument) -> bool:
    """The chain wants user data that a report can be made of, and a public key that is not empty, as AWS does."""
    data = document.user_data
    return data is None or len(data) > 64 or document.public_key == b""


def python_alone_refuses(module: bytes, certificates: int, timestamp: int) -> bool:
    """The chain compares the module id with the certificate's later, byte for byte, and needs one CA at least."""
    odd = any(not 0x20 <= byte < 0x7F for byte in module) or module.find(b"-enc") < 1
    return odd or certificates < 3 or timestamp == 0


def mutants(rng: random.Random, count: int) -> Iterator[bytes]:
    """Byte changes all over, and more of them at the heads of items; fields dropped, repeated, moved and emptied."""
    bases = [
        DocumentRecipe(indefinite=indefinite, nonce=nonce, public_key=key).build(NOW)
        for indefinite, nonce, key in (
            (True, None, b"k"),
            (False, b"", None),
            (True, b"n" * 30, b""),
        )
    ]
    for _ in range(count):
        document = rng.choice(bases)
        payload = nitro.payload_of(document)
        if rng.random() < 0.5:
            yield nitro.with_payload(document, bend_bytes(payload, rng))
        else:
            yield nitro.with_payload(document, bend_fields(nitro.fields_of(document), rng))


def bend_bytes(payload: bytes, rng: random.Random) -> bytes:
    # Certificates are opaque here: most places worth changing lie before and behind them.
    places = [*range(130), *range(len(payload) - 140, len(payload)), rng.randrange(len(payload))]
    changed = bytearray(payload)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        place = min(rng.choice(places), len(changed) - 1)
        kind = rng.randrange(4)
        if kind == 0:
            changed[place] = rng.choice(INTERESTING)
        elif kind == 1:
            changed[place] ^= 1 << rng.randrange(8)
        elif kind == 2:
            changed.insert(place, rng.choice(INTERESTING))
        else:
            del changed[place]
    return bytes(changed)


def bend_fields(fields: dict[str, Any], rng: random.Random) -> bytes:
    pairs = list(fields.items())
    for _ in range(rng.choice((1, 1, 2))):
        index = rng.randrange(len(pairs))
        name, value = pairs[index]
        kind = rng.randrange(5)
        if kind == 0:
            del pairs[index]
        elif kind == 1:
            pairs.insert(rng.randrange(len(pairs) + 1), (name, value))
        elif kind == 2:
            pairs[index] = (name, odd_value(rng))
        elif kind == 3:
            pairs[index] = (rng.choice(("nonce", "x", "pcrs", "PCRS", "")), value)
        else:
            rng.shuffle(pairs)
    body = b"".join(nitro.encode(name) + nitro.encode(value) for name, value in pairs)
    if rng.random() < 0.5:
        return b"\xbf" + body + b"\xff"
    return nitro.head(5, len(pairs) + (rng.random() < 0.05)) + body


def odd_value(rng: random.Random) -> Any:
    return rng.choice(
        (
            None,
            0,
            2**64 - 1,
            "i-1-enc2",
            "-enc",
            "SHA384",
            b"",
            bytes(rng.choice((1, 64, 65, 512, 513, 1024, 1025))),
            [],
            [b"a", b"b"],
            [b"a"] * 6,
            {},
            {index: bytes(48) for index in range(rng.choice((15, 16, 17, 32, 33)))},
            {index: bytes(48) for index in reversed(range(16))},
            nitro.Raw(bytes([rng.choice(INTERESTING)])),
            nitro.Raw(b"\x58\x01a"),
            nitro.Raw(b"\x1b" + bytes(8)),
            nitro.Raw(b"\x7f\x61a\xff"),
        )
    )


def compare(chain: Chain, harness: Any, documents: list[bytes]) -> tuple[int, int]:
    """Return how many both accepted and both refused."""
    accepted = refused = 0
    outcomes = chain.outcomes(harness.functions.load(document) for document in documents)
    for document, outcome in zip(documents, outcomes, strict=True):
        parsed = python_reads(document)
        if isinstance(outcome, Reverted):
            assert outcome.name not in {"", "Panic"}, document.hex()
            assert parsed is None or chain_alone_refuses(parsed), (outcome, document.hex())
            refused += parsed is None
            continue
        (read,) = abi_decode([DOCUMENT], outcome)
        data, _, module, module_end, timestamp, pcrs, user_data, bounds = read
        if parsed is None:
            name = data[module:module_end]
            assert python_alone_refuses(name, len(bounds) // 2, timestamp), document.hex()
            continue
        accepted += 1
        assert data[module:module_end] == parsed.module_id.encode()
        assert timestamp == parsed.timestamp_ms
        assert data[pcrs + 8 * 51 : pcrs + 8 * 51 + 48] == parsed.pcrs[8]
        assert b"".join(user_data) == (parsed.user_data or b"").ljust(64, b"\0")
        certificates = [data[a:b] for a, b in zip(bounds[::2], bounds[1::2], strict=True)]
        assert certificates == [*parsed.bundle, parsed.certificate]
    return accepted, refused


def test_contract_and_python_read_bent_documents_alike(chain: Chain, harness: Any) -> None:
    accepted, refused = compare(chain, harness, list(mutants(random.Random(8949), 500)))
    print(accepted, refused)
    assert accepted > 20
    assert refused > 200


@pytest.mark.proof
def test_contract_and_python_read_many_bent_documents_alike(chain: Chain, harness: Any) -> None:
    for seed in range(20):
        compare(chain, harness, list(mutants(random.Random(seed), 1_000)))
