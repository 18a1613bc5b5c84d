"""A store with many keys: filled, opened, read. Each step in a process of its own, so that memory can be told."""

from __future__ import annotations

import random
import resource
import statistics
import time
from pathlib import Path

from tests.enclave.support import NOW, FixedDriver
from xmtp_tee.attestation.kinds import Provenance
from xmtp_tee.enclave.birth import give_birth
from xmtp_tee.enclave.callers import Peer
from xmtp_tee.enclave.private_keys import generate_secret, public_key
from xmtp_tee.enclave.purposes import KeyType, Purpose
from xmtp_tee.enclave.records import KeyRecord, new_key_id
from xmtp_tee.enclave.service import Enclave
from xmtp_tee.enclave.session import Session
from xmtp_tee.enclave.storage.sqlite import SqliteRows
from xmtp_tee.enclave.store import SealedStore
from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.codec import encode_request, request
from xmtp_tee.wire.limits import PROTOCOL_VERSION

DRIVER = FixedDriver()
PER_MUTATION = 100_000
LOOK_UPS = 5_000


def fill(path: str, count: int) -> dict[str, float]:
    """Make a store with ``count`` identity keys, each of another owner. One private key serves all: what is measured
    is the store.
    """
    begin = time.perf_counter()
    file = Path(path)
    give_birth(lambda change, wraps: SqliteRows.create(file, change, wraps), DRIVER, NOW)
    store = SealedStore.open(SqliteRows.open(file), DRIVER)
    secret = generate_secret(KeyType.ED25519)
    public = public_key(KeyType.ED25519, secret)
    for first in range(1, count + 1, PER_MUTATION):
        with store.mutation() as draft:
            for number in range(first, min(first + PER_MUTATION, count + 1)):
                record = KeyRecord(
                    id=new_key_id(),
                    key_type=KeyType.ED25519,
                    purpose=Purpose.IDENTITY,
                    owner=number.to_bytes(20, "big"),
                    public_key=public,
                    provenance=Provenance.GENERATED,
                    created_at=NOW,
                )
                draft.add(record, secret)
    store.close()
    return {"seconds": time.perf_counter() - begin}


def open_alone(path: str) -> dict[str, float]:
    """Open the store, answer requests, and tell how long the one took and how much memory the two."""
    begin = time.perf_counter()
    store = SealedStore.open(SqliteRows.open(Path(path)), DRIVER)
    opened = time.perf_counter() - begin
    asked = Asked(store)
    for _number in range(LOOK_UPS):
        asked.look_up()
    asked.close()
    return {
        "open_seconds": opened,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10,
    }


def look_up_in_turns(small: str, large: str) -> dict[str, float]:
    """Answer requests from both stores in turns, so that whatever else the machine does slows down both alike."""
    pair = [Asked(SealedStore.open(SqliteRows.open(Path(path)), DRIVER)) for path in (small, large)]
    times = [[asked.look_up() for asked in pair] for _ in range(LOOK_UPS)][LOOK_UPS // 5 :]
    for asked in pair:
        asked.close()
    of_small, of_large = (statistics.median(each) * 1e6 for each in zip(*times, strict=True))
    return {"p50_us_small": of_small, "p50_us_large": of_large}


class Asked:
    """An enclave over a store, and a session with it."""

    def __init__(self, store: SealedStore) -> None:
        self._owners = store.count - 2
        self._enclave = Enclave(store, DRIVER)
        self._session = Session(self._enclave, Peer(uid=0))
        self._session.feed(encode_request(wire.Hello(version=PROTOCOL_VERSION)))
        self._session.next_answer(NOW)
        self._chance = random.Random(1)  # noqa: S311 - the same keys each time
        self._number = 0

    def look_up(self) -> float:
        """Answer a request for a random owner's key, frame in, frame out; return the seconds."""
        owner = self._chance.randrange(1, self._owners + 1).to_bytes(20, "big")
        self._number += 1
        data = encode_request(request(self._number, wire.GetIdentityKey(owner=owner)))
        start = time.perf_counter()
        self._session.feed(data)
        answer = self._session.next_answer(NOW)
        self._enclave.flush()
        seconds = time.perf_counter() - start
        assert answer is not None
        assert b"reply" in answer[:64]
        return seconds

    def close(self) -> None:
        """Let go of the store."""
        self._enclave.close()
