"""The sealed key store: records and private keys over a database that the host owns.

What the host sees: the number of keys, their order of birth, which rows share an owner or a parent
(not whose), sizes, and when it changes. What it cannot do unnoticed: read or change a record or a
private key, exchange two, add, hide or remove one, or put an older version of one back. Opening reads
the header alone; every read proves its answer against the header's tree (``integrity.tree``), so the
store's size costs nothing, and :meth:`SealedStore.verify` reads everything for who wants to know now.

A copy of the WHOLE store that was put back or forked is noticed by whoever has seen a later state
(``integrity.history``): the running enclave at its next mutation, and at a start the freshness anchors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

from xmtp_tee.attestation.address import address_of_public_key, checksum_address
from xmtp_tee.attestation.drivers.base import Driver
from xmtp_tee.attestation.known_states import KnownStates
from xmtp_tee.enclave.anchors import Anchor, NoAnchor
from xmtp_tee.enclave.draft import Draft, Facts, open_head
from xmtp_tee.enclave.errors import StoreSchemaUnsupportedError
from xmtp_tee.enclave.integrity.history import History, Point
from xmtp_tee.enclave.integrity.tree import Tree
from xmtp_tee.enclave.kept_signers import KeptSigners
from xmtp_tee.enclave.private_keys import Ed25519Signer, wiped
from xmtp_tee.enclave.proven_reads import Opened, Page, ProvenReads
from xmtp_tee.enclave.purposes import Purpose
from xmtp_tee.enclave.records import SCHEMA, HeadBody, KeyRecord, audit_data
from xmtp_tee.enclave.sealing import (
    RECOVERY,
    Sealer,
    Wrap,
    recovery_name,
    unseal_store_key,
)
from xmtp_tee.enclave.storage.rows import Head, Row, RowStore
from xmtp_tee.enclave.whole_store import verify_whole
from xmtp_tee.wire.store_faults import StoreForkedError, StoreTamperedError, StoreUnavailableError

MAX_EPOCH: Final = 1 << 31
T = TypeVar("T")


class SealedStore:
    """One store, opened. Not thread-safe."""

    def __init__(self, rows: RowStore, sealer: Sealer, head: Head, body: HeadBody) -> None:
        """Use :meth:`open`."""
        self._rows = rows
        self._sealer = sealer
        self._head = head
        self._body = body
        self._tree = Tree(rows, sealer.digest16, body.tree_root)
        self._facts = Facts(sealer, self._tree)
        self._history = History(rows, sealer.digest32)
        self._reads = ProvenReads(rows, self._facts, head.store_id)
        self._signers = KeptSigners()
        self._anchor: Anchor = NoAnchor()

    @classmethod
    def open(cls, rows: RowStore, driver: Driver) -> SealedStore:
        """Unseal the store. Nothing is written, and no more is read than the header.

        :raises StoreSealedElsewhereError: if it was sealed under another root or driver
        :raises StoreTamperedError: if wrap or header were changed
        :raises StoreSchemaUnsupportedError: if the header has another schema
        """
        store_id = rows.head().store_id
        with wiped(unseal_store_key(rows.wraps(), driver, store_id)) as store_key:
            return cls.unsealed(rows, store_key)

    @classmethod
    def unsealed(cls, rows: RowStore, store_key: bytearray) -> SealedStore:
        """Open the store under its key, which the caller wipes.

        :raises XmtpTeeError: as :meth:`open`
        """
        head = rows.head()
        if head.schema != SCHEMA:
            raise StoreSchemaUnsupportedError(
                "The store's header has another schema", got=head.schema, expected=SCHEMA
            )
        sealer = Sealer(store_key, head.store_id)
        store = cls(rows, sealer, head, open_head(sealer, head))
        store._require_own_keys()
        return store

    @property
    def store_id(self) -> bytes:
        """The 16 random bytes that name this store."""
        return self._head.store_id

    @property
    def epoch(self) -> int:
        """The number of the last mutation."""
        return self._head.epoch

    @property
    def point(self) -> Point:
        """The present state: its epoch and the chain up to it."""
        return Point(self._head.epoch, self._body.chain)

    @property
    def body(self) -> HeadBody:
        """What the sealed header holds."""
        return self._body

    @property
    def count(self) -> int:
        """How many keys there are."""
        return self._body.count

    @property
    def shared(self) -> bool:
        """Whether other enclaves may write to the store while this one serves."""
        return self._rows.shared

    def point_at(self, epoch: int) -> Point:
        """Return the earlier state from which the present one provably descends.

        :raises StoreRolledBackError: if the store is not that far
        :raises StoreForkedError: if the history has a break
        """
        return self._history.ancestor(self.point, epoch)

    def require_descent(self, earlier: Point) -> None:
        """Return if the present state is ``earlier`` or descends from it.

        :raises StoreRolledBackError: if the store was put back behind it
        :raises StoreForkedError: if it descends from another state of that epoch
        """
        self._history.require_descent(self.point, earlier)

    def require_known(self, known: KnownStates) -> None:
        """Return if the present state is each of the known ones or descends from it.

        :raises StoreRolledBackError: if the store was put back behind one
        :raises StoreForkedError: if it descends from another state of that epoch, or is another
        authority's
        """
        authority = address_of_public_key(self.authority().public_key)
        if known.authority != authority:
            raise StoreForkedError(
                "The known states are of another store",
                got=checksum_address(known.authority),
                expected=checksum_address(authority),
                cause="the store was exchanged, or the file is another enclave's",
            )
        for state in known.states:
            self._history.require_descent(self.point, Point(state.epoch, state.chain))

    def refresh(self) -> bool:
        """Take over what other enclaves have written meanwhile; return whether they have.

        :raises StoreRolledBackError: if the store went back
        :raises StoreForkedError: if the new state does not descend from the one known here
        """
        if not self._rows.shared:
            return False
        head = self._rows.head()
        if head == self._head:
            return False
        self._adopt(head)
        return True

    def verify(self) -> None:
        """Open every record and count every fact of the tree. Linear in their number; other enclaves' changes wait
        so long.

        :raises StoreTamperedError: if a row or document was changed, moved, exchanged, added,
        removed or rolled back
        """
        with self._rows.transaction():
            self.refresh()
            verify_whole(self._rows, self._reads, self._facts, self._body)

    def authority(self) -> KeyRecord:
        """Return the record of the key that certifies bundles."""
        return self._require(self._body.authority_id)

    def transport(self) -> KeyRecord:
        """Return the record of the key that the enclave is spoken to under."""
        return self._require(self._body.transport_id)

    def get(self, key_id: str) -> KeyRecord | None:
        """Return a key's record, or None if there provably is no such key."""
        opened = self._opened(key_id)
        return None if opened is None else opened.record

    @contextmanager
    def secret(self, record: KeyRecord) -> Iterator[bytearray]:
        """Lend the private key of ``record``; it is overwritten at the end of the block.

        :raises StoreTamperedError: if the row is gone, was changed, or is not this record's
        """
        opened = self._opened(record.id)
        if opened is None or (opened.record is not record and opened.record != record):
            raise StoreTamperedError("A key's row is not what it was", got=record.id)
        with self._reads.secret(opened) as secret:
            yield secret

    def signer(self, record: KeyRecord) -> Ed25519Signer:
        """Return the signer of an Ed25519 key, kept until the key changes or others are used more.

        :raises StoreTamperedError: as :meth:`secret`
        """
        return self._signers.signer(record, self.secret)

    def seal_audit(self, body: bytes, log_id: bytes, first: int) -> bytes:
        """Seal a frame of an audit log, whose first entry has the counter ``first``."""
        return self._sealer.seal("audit", body, audit_data(self.store_id, log_id, first))

    def open_audit(self, frame: bytes, log_id: bytes, first: int) -> bytearray:
        """Return what :meth:`seal_audit` sealed.

        :raises StoreTamperedError: if it was changed, or is of another place
        """
        return self._sealer.open("audit", frame, audit_data(self.store_id, log_id, first))

    def document(self, name: str) -> bytes | None:
        """Return the document of this name, or None if there provably is none. If it is secret, the caller wipes
        it (``mls.wiping``): nobody else holds the object.
        """
        return self._consistent(lambda: self._reads.document(name))

    def held(self) -> Iterator[tuple[KeyRecord, bytearray]]:
        """Yield every key but the enclave's own two, in the order of birth, with its private half in
        a buffer that is overwritten when the next one is asked for.
        """
        own = {self._body.authority_id, self._body.transport_id}
        for opened in self._reads.scan():
            if opened.record.id not in own:
                with self._reads.secret(opened) as secret:
                    yield opened.record, secret

    def documents(self) -> Iterator[tuple[str, bytes]]:
        """Return every document: its name and its body."""
        return self._reads.documents()

    def identity_of(self, owner: bytes) -> KeyRecord | None:
        """Return the owner's identity key that is not destroyed, or None."""
        for after in reversed(range(self.tag_count(b"identity", owner))):
            (record,), _ = self.tagged(b"identity", owner, after, 1)
            if record.purpose is not Purpose.IDENTITY or record.owner != owner:
                raise StoreTamperedError("An owner's key is not an identity key", got=record.id)
            if record.destroyed_at is None:
                return record
        return None

    def last_pre_key(self, identity_key_id: str) -> KeyRecord | None:
        """Return the identity key's newest pre-key, or None."""
        parent = bytes.fromhex(identity_key_id)
        count = self.tag_count(b"parent", parent)
        if count == 0:
            return None
        (record,), _ = self.tagged(b"parent", parent, count - 1, 1)
        return record

    def pre_keys(self, identity_key_id: str, after: int, limit: int) -> Page:
        """Return a page of the identity key's pre-keys, and the cursor of the next page."""
        return self.tagged(b"parent", bytes.fromhex(identity_key_id), after, limit)

    def tag_count(self, kind: bytes, value: bytes) -> int:
        """Return how many keys stand in an index; see ``records.tags_of``."""
        tag = self._sealer.tag(kind, value)
        return self._consistent(lambda: self._facts.members(tag))

    def tagged(self, kind: bytes, value: bytes, after: int, limit: int) -> Page:
        """Return a page of the keys that stand in an index, oldest first, none left out, and the
        next page's cursor.
        """
        tag = self._sealer.tag(kind, value)
        return self._consistent(lambda: self._reads.tagged(tag, after, limit))

    def page(self, owner: bytes | None, after: int, limit: int) -> Page:
        """Return a page of all keys, or of those directly under ``owner``, and the next page's
        cursor.
        """
        if owner is not None:
            return self.tagged(b"owner", owner, after, limit)
        return self._consistent(lambda: self._reads.page(after, limit, self._body.count))

    @contextmanager
    def mutation(self) -> Iterator[Draft]:
        """Open a change: what is added to the draft is on disk when the block has been left, or not
        at all. Inside the block the store still reads as before it.

        :raises StoreTamperedError: if the store was put back to an older state under the running
        enclave
        :raises StoreUnavailableError: if it cannot be written; then nothing has changed
        """
        with self._rows.transaction():
            head = self._rows.head()
            if head != self._head:
                if not self._rows.shared:
                    raise StoreTamperedError(
                        "The store is not in the state in which this enclave left it",
                        cause="it was rolled back, or another process has written to it",
                    )
                self._adopt(head)
            if self._head.epoch >= MAX_EPOCH:
                raise StoreUnavailableError("The store has used up its mutations", got=MAX_EPOCH)
            epoch = self._head.epoch + 1
            draft = Draft(self._facts, self.store_id, epoch, self._body, self._row)
            yield draft
            change, body, known = draft.finish(self._body, self._history, self.point)
            self._rows.apply(change)
        self._head, self._body = change.head, body
        self._tree.adopt(body.tree_root, known)
        self._reads.forget(draft.changed)
        self._signers.forget(draft.changed)
        self._anchor.advance(self.store_id, self.point)

    def wraps(self) -> list[Wrap]:
        """Return the store key as it is wrapped for each way in."""
        return self._rows.wraps()

    def put_wrap(self, wrap: Wrap) -> None:
        """Add a way into the store, durably."""
        with self._rows.transaction():
            self._rows.put_wrap(wrap)

    def withdraw_recovery(self, recipients: Iterable[bytes]) -> None:
        """Remove the ways in of all recovery recipients but these (X25519 public keys). Only inside a
        mutation.
        """
        kept = {recovery_name(recipient) for recipient in recipients}
        for wrap in self._rows.wraps():
            if wrap.name.startswith(RECOVERY) and wrap.name not in kept:
                self._rows.remove_wrap(wrap.name)

    def anchored(self, anchor: Anchor) -> None:
        """Refuse a store that its anchor knows further on or elsewhere; and move the anchor with every
        mutation from now on.

        :raises StoreRolledBackError: if the store was put back
        :raises StoreForkedError: if it descends from another past
        :raises AnchorUnavailableError: if that cannot be known
        """
        earlier = anchor.latest(self.store_id)
        if earlier is not None:
            self.require_descent(earlier)
        anchor.advance(self.store_id, self.point)
        self._anchor = anchor

    def close(self) -> None:
        """Forget the keys and let go of the database."""
        self._reads.forget_all()
        self._signers.forget_all()
        self._sealer.close()
        self._rows.close()

    def _require_own_keys(self) -> None:
        for record, purpose in (
            (self.authority(), Purpose.AUTHORITY),
            (self.transport(), Purpose.TRANSPORT),
        ):
            if record.purpose is not purpose:
                raise StoreTamperedError(f"The store has no {purpose} key")

    def _adopt(self, head: Head) -> None:
        if head.store_id != self.store_id or head.schema != SCHEMA:
            raise StoreTamperedError("Another store lies in the place of this one")
        body = open_head(self._sealer, head)
        self._history.require_descent(Point(head.epoch, body.chain), self.point)
        self._head, self._body = head, body
        self._tree.adopt(body.tree_root, {})
        self._reads.forget_all()
        # Their keys may have been destroyed meanwhile.
        self._signers.forget_all()

    def _consistent(self, read: Callable[[], T]) -> T:
        """Read again when another enclave has written between two reads of one look-up."""
        while True:
            try:
                return read()
            except StoreTamperedError:
                if not self.refresh():
                    raise

    def _require(self, key_id: str) -> KeyRecord:
        record = self.get(key_id)
        if record is None:
            raise StoreTamperedError("A key of the enclave itself is missing", got=key_id)
        return record

    def _opened(self, key_id: str) -> Opened | None:
        return self._consistent(lambda: self._reads.key(key_id))

    def _row(self, key_id: str) -> Row | None:
        opened = self._opened(key_id)
        return None if opened is None else opened.row
