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


def fill(path: Path, count: int) -> dict[str, float]:
    """Make a store with ``count`` identity keys, each of another owner. One private key serves all: what is measured
    is the store.
    """
    begin = time.perf_counter()
    give_birth(lambda change, wraps: SqliteRows.create(path, change, wraps), DRIVER, NOW)
    store = SealedStore.open(SqliteRows.open(path), DRIVER)
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


def look_up(path: Path, _: int) -> dict[str, float]:
    """Open the store and answer requests for random owners' keys, frame in, frame out."""
    begin = time.perf_counter()
    store = SealedStore.open(SqliteRows.open(path), DRIVER)
    opened = time.perf_counter() - begin
    enclave = Enclave(store, DRIVER)
    owners = store.count - 2
    session = Session(enclave, Peer(uid=0))
    session.feed(encode_request(wire.Hello(version=PROTOCOL_VERSION)))
    session.next_answer(NOW)
    chance = random.Random(1)  # noqa: S311 - the same keys each time
    times = []
    for number in range(LOOK_UPS):
        owner = chance.randrange(1, owners + 1).to_bytes(20, "big")
        data = encode_request(request(number + 1, wire.GetIdentityKey(owner=owner)))
        start = time.perf_counter()
        session.feed(data)
        answer = session.next_answer(NOW)
        enclave.flush()
        times.append(time.perf_counter() - start)
        assert answer is not None
        assert b"reply" in answer[:64]
    enclave.close()
    return {
        "open_seconds": opened,
        "p50_us": statistics.median(times[LOOK_UPS // 5 :]) * 1e6,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10,
    }
