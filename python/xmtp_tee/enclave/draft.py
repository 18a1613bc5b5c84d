"""How rows and the header are sealed: what a mutation prepares before it touches the database."""

from __future__ import annotations

import msgspec

from xmtp_tee.enclave.records import (
    SCHEMA,
    HeadBody,
    KeyRecord,
    decode_record,
    encode_record,
    header_data,
    record_data,
    secret_data,
)
from xmtp_tee.enclave.sealing import Sealer
from xmtp_tee.enclave.storage.rows import Head, Row
from xmtp_tee.wire.faults import StoreTamperedError

_head_encoder = msgspec.msgpack.Encoder()
_head_decoder = msgspec.msgpack.Decoder(HeadBody)


class Draft:
    """The rows of one mutation, sealed as soon as they are added."""

    def __init__(
        self, sealer: Sealer, store_id: bytes, epoch: int, count: int, digest: int
    ) -> None:
        self._sealer = sealer
        self._store_id = store_id
        self._epoch = epoch
        self.count = count
        self.digest = digest
        self.rows: list[Row] = []
        self.records: list[KeyRecord] = []

    def add(self, record: KeyRecord, secret: bytearray) -> None:
        """Seal a new key; the caller wipes ``secret``."""
        self.count += 1
        key_id, tag = bytes.fromhex(record.id), tag_of(self._sealer, record)
        place = record_data(self._store_id, self._epoch, key_id, tag, self.count)
        data = secret_data(self._store_id, self._epoch, record)
        row = Row(
            id=key_id,
            tag=tag,
            position=self.count,
            epoch=self._epoch,
            record=self._sealer.seal("record", encode_record(record), place),
            secret=self._sealer.seal("secret", secret, data),
        )
        self.digest ^= set_element(self._sealer, row)
        self.rows.append(row)
        self.records.append(record)


def tag_of(sealer: Sealer, record: KeyRecord) -> bytes:
    """Return the tag of a record's row: its parent's, its owner's, or the enclave's own."""
    if record.identity_key_id is not None:
        return sealer.tag(b"parent", bytes.fromhex(record.identity_key_id))
    if record.owner is not None:
        return sealer.tag(b"owner", record.owner)
    return sealer.tag(b"enclave", b"")


def set_element(sealer: Sealer, row: Row) -> int:
    """Return what ``row`` contributes to the digest over the set of all rows."""
    return sealer.set_element(row.id, row.tag, row.position, row.epoch, row.record, row.secret)


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
    data = record_data(store_id, row.epoch, row.id, row.tag, row.position)
    try:
        record = decode_record(sealer.open("record", row.record, data))
    except msgspec.DecodeError:
        raise StoreTamperedError("A record is of another layout", got=row.id.hex()) from None
    if record.id != row.id.hex() or row.tag != tag_of(sealer, record):
        raise StoreTamperedError("A record lies in another row", got=row.id.hex())
    return record
