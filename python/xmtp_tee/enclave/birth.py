"""The birth of a store: its id, its store key, and the two keys that are the enclave's own.

A store may be born with what another one left (:class:`Estate`). Whoever had that store's key knows
every key in it, and whether anybody had is not to be seen from here: they all count as imported."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Protocol

import msgspec

from xmtp_tee.attestation.drivers.base import Driver
from xmtp_tee.attestation.kinds import Provenance
from xmtp_tee.enclave.draft import Draft, Facts, first_body
from xmtp_tee.enclave.integrity.history import GENESIS, History, Link, Point
from xmtp_tee.enclave.integrity.tree import NO_NODE, Tree
from xmtp_tee.enclave.private_keys import (
    Entropy,
    generate_secret,
    kernel_entropy,
    public_key,
    wiped,
)
from xmtp_tee.enclave.purposes import RULES, Purpose
from xmtp_tee.enclave.records import AUDIT_DOCUMENT, ID_SIZE, KeyRecord, new_key_id
from xmtp_tee.enclave.sealing import Sealer, Wrap, new_store_key, provider_of, wrap_store_key
from xmtp_tee.enclave.storage.rows import Change


class Estate(Protocol):
    """What another store leaves."""

    def held(self) -> Iterator[tuple[KeyRecord, bytearray]]:
        """Yield the keys in their order, without the enclave's own, and their private halves."""

    def documents(self) -> Iterator[tuple[str, bytes]]:
        """Yield names and bodies."""


class _Nothing:
    """The nodes and links of a store that is not there yet."""

    def node(self, path: bytes) -> bytes | None:
        return None

    def link(self, epoch: int) -> Link | None:
        return None


def give_birth(
    create: Callable[[Change, list[Wrap]], None],
    driver: Driver,
    now: int,
    entropy: Entropy = kernel_entropy,
    estate: Estate | None = None,
) -> bytes:
    """Make a new store with its authority and transport keys, hand it to ``create`` in one piece,
    and return its id (16 bytes).

    ``estate``: another store, whose keys and documents are taken over, the keys as imported ones.
    """
    store_id = os.urandom(ID_SIZE)
    with wiped(new_store_key(entropy)) as store_key:
        with wiped(driver.seal_root()) as root:
            wrap = wrap_store_key(store_key, root, store_id, provider_of(driver))
        sealer = Sealer(store_key, store_id)
    ids = {purpose: new_key_id() for purpose in (Purpose.AUTHORITY, Purpose.TRANSPORT)}
    body = first_body(now, ids[Purpose.AUTHORITY], ids[Purpose.TRANSPORT])
    facts = Facts(sealer, Tree(_Nothing(), sealer.digest16, NO_NODE))
    draft = Draft(facts, store_id, epoch=1, body=body, row_of=lambda _: None)
    for purpose, key_id in ids.items():
        with wiped(generate_secret(RULES[purpose].key_type, entropy)) as secret:
            record = KeyRecord(
                id=key_id,
                key_type=RULES[purpose].key_type,
                purpose=purpose,
                owner=None,
                public_key=public_key(RULES[purpose].key_type, secret),
                provenance=Provenance.GENERATED,
                created_at=now,
            )
            draft.add(record, secret)
    if estate is not None:
        _inherit(draft, estate)
    history = History(_Nothing(), sealer.digest32)
    change, _, _ = draft.finish(body, history, Point(0, GENESIS))
    create(change, [wrap])
    sealer.close()
    return store_id


def _inherit(draft: Draft, estate: Estate) -> None:
    for record, secret in estate.held():
        # Its idempotency tokens are bound to the other store's id.
        taken = msgspec.structs.replace(record, provenance=Provenance.IMPORTED, requests=())
        draft.add(taken, secret)
    for name, body in estate.documents():
        # The marks of audit logs stay with the store that the logs are of.
        if name != AUDIT_DOCUMENT:
            draft.put_document(name, body)
