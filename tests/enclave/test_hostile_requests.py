"""An enclave with keys, asked whatever decodes: it answers with a result or a typed refusal, never with a
fault inside, and the audit log stays whole."""

from __future__ import annotations

import os
import random
from typing import Any, get_args

import msgspec
import pytest

from tests.enclave.operating import SELF, Desk
from tests.enclave.support import OWNER
from tests.wire.examples import example
from xmtp_tee.audit import LogVerifier
from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.codec import ServerMessageDecoder

SEEDS = (0, 1, 2)
TEXTS = [
    "",
    "x",
    "aead-aes-256-gcm",
    "mac",
    "bytes",
    "wallet",
    "hpke",
    "register",
    "revoke",
    "é" * 32,
]
SIZES = [0, 1, 12, 16, 20, 32, 33, 64, 65, 1120, 1216]


def varied(rng: random.Random, value: Any, ids: list[str]) -> Any:
    """Return another value of the same kind."""
    match value:
        case dict():
            return {
                name: each if name == "type" or rng.random() < 0.5 else varied(rng, each, ids)
                for name, each in value.items()
            }
        case list():
            return [varied(rng, each, ids) for each in value] * rng.choice([1, 1, 2])
        case bool():
            return rng.random() < 0.5
        case bytes():
            return rng.randbytes(rng.choice([len(value), len(value), *SIZES]))
        case str():
            return rng.choice([value, *ids, *TEXTS])
        case int():
            return rng.choice([value, 0, 1, 2, 3, 0x20, 0x647A, 0x4D, 2**31 - 1, 2**53 - 1])
        case _:
            return value


@pytest.mark.parametrize("seed", SEEDS)
def test_no_request_causes_a_fault_inside(desk: Desk, seed: int) -> None:
    rng = random.Random(seed)
    ids = [desk.identity().id]
    purposes = ("wallet", "key-agreement", "hpke", "aead", "mac", "derivation")
    ids += [desk.make(purpose).id for purpose in purposes]
    ids.append(desk.ask(wire.GeneratePreKey(identity_key_id=ids[0]), wire.PreKey).id)
    about = desk.enclave.describe()
    ids += [about.authority_key_id, about.transport_key_id]
    sender = wire.HpkeSetupSender(recipient=desk.make("hpke").public_key)
    ids.append(desk.ask(sender, wire.HpkeSender).handle.id)
    kinds = [kind for kind in get_args(wire.Operation) if kind is not wire.Batch]
    rounds = 20 if os.environ.get("HYPOTHESIS_PROFILE", "default") == "default" else 400
    granted = 0
    for _ in range(rounds):
        for kind in kinds:
            plain = msgspec.msgpack.decode(msgspec.msgpack.encode(example(kind)))
            for name in plain:
                if name.endswith("key_id") or name == "handle":
                    plain[name] = rng.choice(ids)
                elif name == "owner":
                    plain[name] = OWNER
            raw = msgspec.Raw(msgspec.msgpack.encode(varied(rng, plain, ids)))
            frame = desk.enclave.answer(wire.Request(1, raw), desk.now, SELF)
            (answer,) = ServerMessageDecoder().feed(frame)
            if isinstance(answer, wire.Failure):
                assert answer.code != "enclave.internal", (kind, answer)
            else:
                granted += 1
    assert granted > rounds
    desk.enclave.flush()
    audit = desk.enclave._parts.audit
    chain, entries = audit.read(0, 1 << 30)
    verifier = LogVerifier(
        bytes.fromhex(about.store_id),
        audit.log_id,
        about.authority,
        counter=audit.first_kept - 1,
        chain=chain,
    )
    for entry in entries:
        verifier.follow(entry)
    assert verifier.chain == audit.chain
    desk.restart()
    desk.enclave._parts.store.verify()
