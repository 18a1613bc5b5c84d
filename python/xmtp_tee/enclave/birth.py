"""The birth of a store: its id, its store key, and the two keys that are the enclave's own."""

from __future__ import annotations

import os
from collections.abc import Callable

from xmtp_tee.attestation.drivers.base import Driver
from xmtp_tee.attestation.kinds import Provenance
from xmtp_tee.enclave.draft import Draft, seal_head
from xmtp_tee.enclave.private_keys import (
    Entropy,
    generate_secret,
    kernel_entropy,
    public_key,
    wiped,
)
from xmtp_tee.enclave.purposes import RULES, Purpose
from xmtp_tee.enclave.records import ID_SIZE, HeadBody, KeyRecord, new_key_id
from xmtp_tee.enclave.sealing import Sealer, Wrap, new_store_key, provider_of, wrap_store_key
from xmtp_tee.enclave.storage.rows import Head, Row


def give_birth(
    create: Callable[[Head, list[Wrap], list[Row]], None],
    driver: Driver,
    now: int,
    entropy: Entropy = kernel_entropy,
) -> None:
    """Make a new store with its authority and transport keys, and hand it to ``create`` in one
    piece.
    """
    store_id = os.urandom(ID_SIZE)
    with wiped(new_store_key(entropy)) as store_key:
        with wiped(driver.seal_root()) as root:
            wrap = wrap_store_key(store_key, root, store_id, provider_of(driver))
        sealer = Sealer(store_key, store_id)
    draft = Draft(sealer, store_id, epoch=1, count=0, digest=0)
    ids = {}
    for purpose in (Purpose.AUTHORITY, Purpose.TRANSPORT):
        with wiped(generate_secret(RULES[purpose].key_type, entropy)) as secret:
            record = KeyRecord(
                id=new_key_id(),
                key_type=RULES[purpose].key_type,
                purpose=purpose,
                owner=None,
                public_key=public_key(RULES[purpose].key_type, secret),
                provenance=Provenance.GENERATED,
                created_at=now,
            )
            draft.add(record, secret)
        ids[purpose] = record.id
    body = HeadBody(
        count=draft.count,
        set_digest=draft.digest.to_bytes(32, "big"),
        authority_id=ids[Purpose.AUTHORITY],
        transport_id=ids[Purpose.TRANSPORT],
        created_at=now,
    )
    create(seal_head(sealer, store_id, 1, body), [wrap], draft.rows)
    sealer.close()
