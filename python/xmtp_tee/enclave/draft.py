"""What a mutation prepares before it touches the database: sealed rows and documents, and the new
state of the tree.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from xmtp_tee.enclave.integrity.history import GENESIS, History, Point
from xmtp_tee.enclave.integrity.tree import NO_NODE, Tree
from xmtp_tee.enclave.private_keys import wiped
from xmtp_tee.enclave.records import (
    SCHEMA,
    HeadBody,
    KeyRecord,
    decode_record,
    document_data,
    encode_record,
    header_data,
    pack,
    record_data,
    secret_data,
    tags_of,
)
from xmtp_tee.enclave.sealing import Sealer
from xmtp_tee.enclave.storage.rows import ORDINAL_SIZE, Change, Document, Head, Row
from xmtp_tee.enclave.wiping import fill
from xmtp_tee.wire.store_faults import StoreTamperedError

MAX_DOCUMENT: Final = 4 << 20
"""Bytes of one document: the state of a group that a request of the longest kind led to fits."""

_KEY: Final = b"k"
_TAG: Final = b"t"
_DOCUMENT: Final = b"d"
_head_encoder = msgspec.msgpack.Encoder()
_head_decoder = msgspec.msgpack.Decoder(HeadBody)


class Facts:
    """The facts of a store in its tree: which version of a row or document is there, how many rows
    share a tag.
    """

    def __init__(self, sealer: Sealer, tree: Tree) -> None:
        self.sealer = sealer
        self.tree = tree

    def row(self, key_id: bytes) -> bytes | None:
        """Return the digest of the row with this id, or None if there is provably none."""
        return self.tree.value(self.tree.place(_KEY, key_id))

    def members(self, tag: bytes) -> int:
        """Return how many rows have this tag."""
        return int.from_bytes(self.tree.value(self.tree.place(_TAG, tag)) or b"", "big")

    def document(self, document_id: bytes) -> bytes | None:
        """Return the digest of a document, or None if there is provably none."""
        return self.tree.value(self.tree.place(_DOCUMENT, document_id))

    def require_row(self, row: Row) -> None:
        """Return if the tree has this very row.

        :raises StoreTamperedError: otherwise
        """
        known = self.row(row.id)
        if known is None or known != row_digest(self.sealer, row):
            raise StoreTamperedError(
                "A row of the store is not the one that was written last",
                got=row.id.hex(),
                cause="it was changed, added, or put back to an older state",
            )


class Draft:
    """The changes of one mutation, sealed as soon as they are added."""

    def __init__(
        self,
        facts: Facts,
        store_id: bytes,
        epoch: int,
        body: HeadBody,
        row_of: Callable[[str], Row | None],
    ) -> None:
        """``epoch``: this mutation's. ``body``: the header's before it. ``row_of``: a key's present
        row, confirmed.
        """
        self._row_of = row_of
        self._facts = facts
        self._sealer = facts.sealer
        self._store_id = store_id
        self._epoch = epoch
        self._count = body.count
        self._tags: dict[bytes, int] = {}
        self._inserted: dict[bytes, Row] = {}
        self._updated: dict[bytes, Row] = {}
        self._documents: dict[bytes, Document | None] = {}
        self.head: dict[str, object] = {}
        """Fields of the header's body that this mutation replaces."""

    def add(self, record: KeyRecord, secret: bytearray) -> None:
        """Seal a new key; the caller wipes ``secret``.

        :raises StoreTamperedError: if its id is taken
        """
        key_id = bytes.fromhex(record.id)
        if key_id in self._inserted or self._facts.row(key_id) is not None:
            raise StoreTamperedError("A new key's id is taken", got=record.id)
        self._count += 1
        tags = b"".join(self._membership(kind, value) for kind, value in tags_of(record))
        self._inserted[key_id] = self._sealed(record, secret, self._count, tags)

    def replace(self, record: KeyRecord, secret: bytearray | None = None) -> None:
        """Seal a key anew in its row, under the same tags.

        ``secret``: None keeps the private half, an empty buffer destroys it. The caller wipes it.

        :raises StoreTamperedError: if there is no such key, or its tags would change
        """
        key_id = bytes.fromhex(record.id)
        row = self._inserted.get(key_id) or self._updated.get(key_id) or self._row_of(record.id)
        if row is None:
            raise StoreTamperedError("There is no key to replace", got=record.id)
        if not _same_tags(self._sealer, record, row):
            raise StoreTamperedError("A key's owner or parent cannot change", got=record.id)
        if secret is None:
            before = open_row(self._sealer, self._store_id, row)
            data = secret_data(self._store_id, row.epoch, before)
            with wiped(self._sealer.open("secret", row.secret, data)) as kept:
                made = self._sealed(record, kept, row.position, row.tags)
        else:
            made = self._sealed(record, secret, row.position, row.tags)
        (self._inserted if key_id in self._inserted else self._updated)[key_id] = made

    def put_document(self, name: str, body: bytes | None) -> None:
        """Seal a document, or remove the one of this name.

        :raises ValueError: if it is larger than MAX_DOCUMENT
        """
        document_id = document_id_of(self._sealer, name)
        if body is None:
            self._documents[document_id] = None
            return
        if len(body) > MAX_DOCUMENT:
            raise ValueError(f"a document has at most {MAX_DOCUMENT} bytes, not {len(body)}")
        data = document_data(self._store_id, self._epoch, document_id)
        label = name.encode()
        head = len(label).to_bytes(2, "big") + label
        # One buffer of the final size: growing one would leave copies behind.
        with wiped(bytearray(len(head) + len(body))) as plain:
            plain[: len(head)] = head
            fill(plain, len(head), body)
            sealed = self._sealer.seal("document", plain, data)
        self._documents[document_id] = Document(document_id, self._epoch, sealed)

    @property
    def changed(self) -> list[str]:
        """The ids of keys whose rows this mutation writes."""
        return [key_id.hex() for key_id in (*self._inserted, *self._updated)]

    def finish(
        self, body: HeadBody, history: History, now: Point
    ) -> tuple[Change, HeadBody, dict[bytes, bytes]]:
        """Return what is to be written, the header's body after it, and the tree's new nodes by
        digest.
        """
        place, digest = self._facts.tree.place, row_digest
        changes: dict[bytes, bytes | None] = {}
        for key_id, row in (self._inserted | self._updated).items():
            changes[place(_KEY, key_id)] = digest(self._sealer, row)
        for tag, count in self._tags.items():
            changes[place(_TAG, tag)] = count.to_bytes(16, "big")
        for document_id, document in self._documents.items():
            made = None if document is None else document_digest(self._sealer, document)
            changes[place(_DOCUMENT, document_id)] = made
        root, nodes, known = self._facts.tree.updated(changes)
        new = msgspec.structs.replace(
            body, count=self._count, tree_root=root, chain=b"", **self.head
        )
        state = self._sealer.digest32(b"store state", _head_encoder.encode(new))
        point, link = history.next(now, state)
        new = msgspec.structs.replace(new, chain=point.chain)
        change = Change(
            head=seal_head(self._sealer, self._store_id, self._epoch, new),
            link=link,
            inserted=tuple(self._inserted.values()),
            updated=tuple(self._updated.values()),
            documents=self._documents,
            nodes=nodes,
        )
        return change, new, known

    def _membership(self, kind: bytes, value: bytes) -> bytes:
        tag = self._sealer.tag(kind, value)
        count = self._tags[tag] if tag in self._tags else self._facts.members(tag)
        self._tags[tag] = count + 1
        return tag + (count + 1).to_bytes(ORDINAL_SIZE, "big")

    def _sealed(self, record: KeyRecord, secret: bytearray, position: int, tags: bytes) -> Row:
        key_id = bytes.fromhex(record.id)
        place = record_data(self._store_id, self._epoch, key_id, tags, position)
        data = secret_data(self._store_id, self._epoch, record)
        return Row(
            id=key_id,
            position=position,
            epoch=self._epoch,
            tags=tags,
            record=self._sealer.seal("record", encode_record(record), place),
            secret=self._sealer.seal("secret", secret, data),
        )


def first_body(created_at: int, authority_id: str, transport_id: str) -> HeadBody:
    """Return the header's body of a store that has nothing yet (epoch 0)."""
    return HeadBody(
        count=0,
        tree_root=NO_NODE,
        chain=GENESIS,
        authority_id=authority_id,
        transport_id=transport_id,
        created_at=created_at,
    )


def row_digest(sealer: Sealer, row: Row) -> bytes:
    """Return the 16 bytes that stand for a row in the tree."""
    data = pack(row.id, row.position, row.epoch, row.tags, row.record, row.secret)
    return sealer.digest16(b"row", data)


def document_digest(sealer: Sealer, document: Document) -> bytes:
    """Return the 16 bytes that stand for a document in the tree."""
    return sealer.digest16(b"document", pack(document.id, document.epoch, document.sealed))


def document_id_of(sealer: Sealer, name: str) -> bytes:
    """Return the 16 bytes under which a document lies, so that the host does not learn its name."""
    return sealer.tag(b"document", name.encode())


def seal_head(sealer: Sealer, store_id: bytes, epoch: int, body: HeadBody) -> Head:
    """Return the header, sealed."""
    sealed = sealer.seal("header", _head_encoder.encode(body), header_data(store_id, epoch))
    return Head(store_id=store_id, schema=SCHEMA, epoch=epoch, sealed=sealed)


def open_head(sealer: Sealer, head: Head) -> HeadBody:
    """Return what the header holds.

    :raises StoreTamperedError: if it was changed
    """
    try:
        return _head_decoder.decode(
            sealer.open("header", head.sealed, header_data(head.store_id, head.epoch))
        )
    except msgspec.DecodeError:
        raise StoreTamperedError("The header is of another layout") from None


def open_row(sealer: Sealer, store_id: bytes, row: Row) -> KeyRecord:
    """Return the record in ``row``.

    :raises StoreTamperedError: if it was changed, or lies in another row than its own
    """
    data = record_data(store_id, row.epoch, row.id, row.tags, row.position)
    try:
        record = decode_record(sealer.open("record", row.record, data))
    except msgspec.DecodeError:
        raise StoreTamperedError("A record is of another layout", got=row.id.hex()) from None
    if record.id != row.id.hex() or not _same_tags(sealer, record, row):
        raise StoreTamperedError("A record lies in another row", got=row.id.hex())
    return record


def open_document(sealer: Sealer, store_id: bytes, document: Document) -> tuple[str, bytes]:
    """Return the name of a document and its body, an object of the caller's own.

    :raises StoreTamperedError: if it was changed, or lies under another name
    """
    data = document_data(store_id, document.epoch, document.id)
    with wiped(sealer.open("document", document.sealed, data)) as opened:
        end = 2 + int.from_bytes(opened[:2], "big")
        name = opened[2:end].decode(errors="replace")
        if document_id_of(sealer, name) != document.id:
            raise StoreTamperedError("A document lies under another name")
        return name, bytes(memoryview(opened)[end:])


def _same_tags(sealer: Sealer, record: KeyRecord, row: Row) -> bool:
    expected = [sealer.tag(kind, value) for kind, value in tags_of(record)]
    return expected == [tag for tag, _ in row.memberships()]
