"""The audit log: every request in it before its answer leaves, and no change of it unnoticed."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests.enclave.loopback import allow_backups
from tests.enclave.operating import SELF, Scripted
from tests.enclave.support import NOW, OWNER, FixedDriver, open_store
from xmtp_tee import hpke
from xmtp_tee.attestation.errors import CertificateInvalidError
from xmtp_tee.attestation.statements import Receipt
from xmtp_tee.audit import BEGUN, OK, RECOVERED, LogVerifier, decode_entry, verify_receipt
from xmtp_tee.enclave.audit.log import AuditLog
from xmtp_tee.enclave.audit.segments import FileSegments
from xmtp_tee.enclave.callers import Peer
from xmtp_tee.enclave.records import KeyRecord, audit_data, pack
from xmtp_tee.enclave.service import Enclave
from xmtp_tee.enclave.session import Session
from xmtp_tee.enclave.store import SealedStore
from xmtp_tee.errors import XmtpTeeError
from xmtp_tee.policy import encode_policy
from xmtp_tee.policy.document import Caller, Grant, StoreRules
from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.codec import (
    ServerMessageDecoder,
    decode_result,
    encode_body,
    encode_request,
    request,
)
from xmtp_tee.wire.limits import PROTOCOL_VERSION
from xmtp_tee.wire.refusals import (
    AuditTamperedError,
    AuditUnavailableError,
    ReceiptInvalidError,
)


class Office:
    """An enclave with its log on disk."""

    def __init__(self, folder: Path) -> None:
        self.store, self.folder = folder / "keys.sqlite", folder / "audit"
        self.driver, self.random = FixedDriver(), Scripted()
        self.open()

    def open(self, *, accept_lost: bool = False) -> None:
        store = open_store(self.store, self.driver, self.random)
        try:
            audit = AuditLog.open(store, FileSegments(self.folder), accept_lost=accept_lost)
            self.enclave = Enclave(store, self.driver, self.random, audit)
        except BaseException:
            store.close()
            raise

    def ask(
        self, operation: wire.Message, receipt: bool = False, peer: Peer = SELF
    ) -> wire.Message:
        frame = self.enclave.answer(request(1, operation, None, receipt), NOW, peer)  # type: ignore[arg-type]
        self.enclave.flush()
        (message,) = ServerMessageDecoder().feed(frame)
        return message

    def make(self) -> wire.Key:
        made = self.ask(wire.GenerateIdentityKey(owner=os.urandom(20)))
        assert isinstance(made, wire.Reply)
        return decode_result(made)  # type: ignore[return-value]

    def entries(self) -> list[bytes]:
        """All of them, verified."""
        about = self.enclave.describe()
        audit = self.enclave._parts.audit
        _, entries = audit.read(0, 100_000)
        verifier = LogVerifier(bytes.fromhex(about.store_id), audit.log_id, about.authority)
        for entry in entries:
            verifier.follow(entry)
        return entries

    def kill(self) -> None:
        """Stop without a word, as SIGKILL would."""
        self.enclave._parts.audit._segments.close()
        self.enclave._parts.store.close()


@pytest.fixture
def office(folder: Path) -> Iterator[Office]:
    opened = Office(folder)
    yield opened
    try:
        opened.enclave.close()
    except XmtpTeeError:
        opened.kill()


def test_granted_and_refused_requests_are_recorded_in_order(office: Office) -> None:
    key = office.make()
    sign = wire.Sign(key_id=key.id, message=b"message")
    answer = office.ask(sign)
    office.ask(wire.Sign(key_id="00" * 16, message=b""))
    office.ask(wire.Ping(), peer=Peer(uid=4242))
    rows = [decode_entry(each) for each in office.entries()]
    assert [row.counter for row in rows] == [1, 2, 3, 4]
    uid = f"uid-{os.geteuid()}"
    assert [(r.caller, r.operation, r.outcome) for r in rows] == [
        (uid, "generate-identity-key", OK),
        (uid, "sign", OK),
        (uid, "sign", "enclave.key-not-found"),
        ("uid 4242", "ping", "enclave.caller-unknown"),
    ]
    assert rows[1].key_id == key.id == rows[0].key_id
    assert rows[1].request == hashlib.sha256(encode_body(sign)).digest()
    assert isinstance(answer, wire.Reply)
    assert rows[1].result == hashlib.sha256(answer.result).digest()
    assert rows[2].result == b""
    assert {row.time for row in rows} == {NOW}


def test_unreadable_requests_and_refused_greetings_are_recorded(office: Office) -> None:
    body = msgspec.Raw(msgspec.msgpack.encode({"type": "export-private-key"}))
    office.enclave.answer(wire.Request(1, body), NOW, SELF)
    session = Session(office.enclave, Peer(uid=4242))
    session.feed(encode_request(wire.Hello(version=PROTOCOL_VERSION)))
    session.next_answer(NOW)
    office.enclave.flush()
    rows = [decode_entry(each) for each in office.entries()]
    assert [(r.operation, r.outcome) for r in rows] == [
        ("?", "wire.message-type-unknown"),
        ("hello", "enclave.caller-unknown"),
    ]


def test_nothing_of_a_message_stands_in_the_log_in_clear(office: Office) -> None:
    key = office.make()
    office.ask(wire.Sign(key_id=key.id, message=b"a very private message"))
    content = b"".join(path.read_bytes() for path in office.folder.iterdir())
    for secret in (b"private message", key.id.encode(), b"sign", b"uid-"):
        assert secret not in content


def test_log_goes_on_after_a_restart_and_after_a_kill(office: Office) -> None:
    for stop in (office.enclave.close, office.kill, office.kill):
        office.make()
        office.ask(wire.Ping())
        stop()
        office.open()
    rows = [decode_entry(each) for each in office.entries()]
    assert [row.counter for row in rows] == list(range(1, len(rows) + 1))
    assert sum(row.operation == "generate-identity-key" for row in rows) == 3
    assert any(row.operation == "checkpoint" for row in rows)


def test_change_without_an_answer_is_noted_at_the_next_start(office: Office) -> None:
    """The enclave dies between the store's commit and the log's entry."""
    office.ask(wire.Ping())
    office.enclave.answer(request(1, wire.GenerateIdentityKey(owner=OWNER)), NOW, SELF)
    office.kill()
    office.open()
    office.enclave.flush()
    assert decode_entry(office.entries()[-1]).operation == RECOVERED


def test_change_marks_no_entry_that_a_kill_can_lose(office: Office) -> None:
    """The enclave dies between a change and the record of requests of the same turn."""
    for operation in (wire.Ping(), wire.GenerateIdentityKey(owner=OWNER)):
        office.enclave.answer(request(1, operation), NOW, SELF)
    office.kill()
    office.open()
    office.enclave.flush()
    assert [decode_entry(each).operation for each in office.entries()] == ["ping", RECOVERED]


def test_change_marks_no_entry_that_a_power_cut_can_lose(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Entries of requests that changed nothing are written, but not forced to the disk."""
    forced: dict[Path, bytes] = {}
    real = FileSegments.sync

    def sync(self: FileSegments) -> None:
        real(self)
        forced.update((path, path.read_bytes()) for path in files(office))

    monkeypatch.setattr(FileSegments, "sync", sync)
    office.ask(wire.Ping())
    before = dict(forced)
    office.ask(wire.Ping())
    assert forced == before
    office.enclave.answer(request(1, wire.GenerateIdentityKey(owner=OWNER)), NOW, SELF)
    office.kill()
    for path, content in forced.items():
        path.write_bytes(content)
    office.open()
    assert [decode_entry(each).operation for each in office.entries()] == ["ping", "ping"]


RECIPIENT = hpke.public_key(hpke.X25519_CHACHA20_POLY1305, bytes(range(32)))


def leaving(office: Office) -> dict[str, wire.Message]:
    """What cannot be called back, by its name."""
    allow_backups(office.enclave)
    present = office.enclave._parts.policy.policy
    grant = Grant(
        operations=("*", "apply-policy", "export-key", "export-recovery", "accept-wrap"),
        owners=("*",),
    )
    policy = msgspec.structs.replace(
        present,
        version=present.version + 1,
        callers=tuple(msgspec.structs.replace(each, grants=(grant,)) for each in present.callers),
        store=StoreRules(recovery=(RECIPIENT.hex(),)),
    )
    office.enclave.handle(wire.ApplyPolicy(document=encode_policy(policy)), NOW)
    key = office.enclave.handle(wire.GenerateIdentityKey(owner=OWNER, exportable=True), NOW)
    assert isinstance(key, wire.Key)
    return {
        "export-key": wire.ExportKey(key_id=key.id, public_keys=(RECIPIENT,)),
        "export-recovery": wire.ExportRecovery(recipient=RECIPIENT),
        "accept-wrap": wire.AcceptWrap(provider="tdx/none", check=bytes(16), wrapped=bytes(60)),
    }


@pytest.mark.parametrize("name", ["export-key", "export-recovery", "accept-wrap"])
def test_record_of_what_left_cannot_be_dropped(office: Office, name: str) -> None:
    """Attack: the host has a key exported, kills the enclave and cuts the log's last entries."""
    operation = leaving(office)[name]
    office.enclave.flush()
    before = files(office)[0].read_bytes()
    epoch = office.enclave._parts.store.epoch
    assert isinstance(office.ask(operation), wire.Reply)
    rows = [decode_entry(each) for each in office.entries()][-2:]
    assert [(row.operation, row.outcome) for row in rows] == [(name, BEGUN), (name, OK)]
    assert rows[1].epoch == epoch + 1
    assert {row.request for row in rows} == {hashlib.sha256(encode_body(operation)).digest()}
    office.kill()
    files(office)[0].write_bytes(before)
    with pytest.raises(AuditTamperedError):
        office.open()


def test_nothing_leaves_while_its_record_cannot_be_written(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    operations = leaving(office)
    office.enclave.flush()

    def full(descriptor: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    def touched(self: SealedStore, record: KeyRecord) -> None:
        raise AssertionError("a private key was touched")

    with monkeypatch.context() as patched:
        patched.setattr("xmtp_tee.enclave.audit.segments.os.write", full)
        patched.setattr(SealedStore, "secret", touched)
        for operation in operations.values():
            with pytest.raises(AuditUnavailableError):
                office.enclave.handle(operation, NOW)  # type: ignore[arg-type]
    assert len(office.enclave._parts.store.wraps()) == 1


def test_reserved_requests_mark_the_log_too(office: Office) -> None:
    """Attack: the host cuts off what a caller did whose requests are counted."""
    present = office.enclave._parts.policy.policy
    guest = Caller(name="guest", uid=4242, grants=(), max_requests=2)
    policy = msgspec.structs.replace(
        present, version=present.version + 1, callers=(*present.callers, guest)
    )
    office.ask(wire.ApplyPolicy(document=encode_policy(policy)))
    before = files(office)[0].read_bytes()
    for _ in range(2):
        office.ask(wire.Ping(), peer=Peer(uid=4242))
    office.kill()
    files(office)[0].write_bytes(before)
    with pytest.raises(AuditTamperedError):
        office.open()


def files(office: Office) -> list[Path]:
    return sorted(office.folder.glob("*.audit"))


def test_removed_log_is_refused_until_its_loss_is_accepted(office: Office) -> None:
    office.make()
    office.enclave.close()
    shutil.rmtree(office.folder)
    with pytest.raises(AuditTamperedError, match="gone"):
        office.open()
    office.open(accept_lost=True)
    office.make()


def test_cut_log_is_refused_from_the_last_change_of_the_store_on(office: Office) -> None:
    office.ask(wire.Ping())
    before = files(office)[0].read_bytes()
    office.make()
    office.make()
    office.kill()
    files(office)[0].write_bytes(before)
    with pytest.raises(AuditTamperedError):
        office.open()


@pytest.mark.parametrize("place", [0.02, 0.3, 0.6, 0.9])
def test_changed_byte_is_refused(office: Office, place: float) -> None:
    for _ in range(4):
        office.make()
    office.enclave.close()
    path = files(office)[0]
    content = bytearray(path.read_bytes())
    content[int(len(content) * place)] ^= 1
    path.write_bytes(content)
    with pytest.raises(AuditTamperedError):
        office.open()


def test_exchanged_frames_are_refused(office: Office) -> None:
    for _ in range(3):
        office.ask(wire.Ping())
    office.make()
    office.enclave.close()
    path = files(office)[0]
    content, frames, at = path.read_bytes(), [], 32
    while at < len(content):
        end = at + 4 + int.from_bytes(content[at : at + 4], "big")
        frames.append(content[at:end])
        at = end
    frames[0], frames[1] = frames[1], frames[0]
    path.write_bytes(content[:32] + b"".join(frames))
    with pytest.raises(AuditTamperedError):
        office.open()


def test_log_of_another_enclave_is_refused(office: Office, folder: Path) -> None:
    other = folder / "other"
    other.mkdir()
    foreign = Office(other)
    foreign.make()
    foreign.enclave.close()
    office.make()
    office.enclave.close()
    shutil.rmtree(office.folder)
    shutil.copytree(foreign.folder, office.folder)
    with pytest.raises(AuditTamperedError):
        office.open()


def test_log_of_a_fork_is_refused(office: Office, folder: Path) -> None:
    """Attack: two runs from one copy of everything; then the store of one with the log of the other."""

    def saved(name: str) -> Path:
        office.kill()
        place = folder / name
        place.mkdir()
        for path in folder.glob("keys.sqlite*"):
            shutil.copy(path, place)
        shutil.copytree(office.folder, place / "audit")
        return place

    def put_back(store: Path, log: Path) -> None:
        for path in folder.glob("keys.sqlite*"):
            path.unlink()
        for path in store.glob("keys.sqlite*"):
            shutil.copy(path, folder)
        shutil.rmtree(office.folder)
        shutil.copytree(log / "audit", office.folder)

    office.make()
    start = saved("start")
    runs = []
    for name in ("one", "two"):
        put_back(start, start)
        office.open()
        office.make()
        office.make()
        runs.append(saved(name))
    put_back(runs[0], runs[0])
    office.open()
    office.kill()
    put_back(runs[0], runs[1])
    with pytest.raises(AuditTamperedError):
        office.open()


def test_frame_that_was_half_written_is_dropped_since_nobody_got_an_answer(
    office: Office,
) -> None:
    office.make()
    office.kill()
    path = files(office)[0]
    path.write_bytes(path.read_bytes() + (500).to_bytes(4, "big") + b"half")
    office.open()
    office.ask(wire.Ping())
    assert [decode_entry(e).operation for e in office.entries()] == [
        *("generate-identity-key", "ping"),
    ]


def test_segments_follow_each_other_and_old_ones_may_go(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("xmtp_tee.enclave.audit.log.SEGMENT_SIZE", 500)
    for _ in range(30):
        office.ask(wire.Ping())
    assert len(files(office)) > 3
    assert len(office.entries()) == 30
    office.make()
    office.enclave.close()
    office.open()
    assert len(office.entries()) == 32
    files(office)[0].unlink()
    audit = office.enclave._parts.audit
    chain, entries = audit.read(0, 1000)
    first = decode_entry(entries[0]).counter
    assert first == audit.first_kept > 1
    about = office.enclave.describe()
    verifier = LogVerifier(
        bytes.fromhex(about.store_id),
        audit.log_id,
        about.authority,
        counter=first - 1,
        chain=chain,
    )
    for entry in entries:
        verifier.follow(entry)
    assert verifier.chain == audit.chain


@pytest.mark.parametrize("left", [0, 1, 31])
def test_segment_without_its_head_does_not_bar_the_start(
    office: Office, monkeypatch: pytest.MonkeyPatch, left: int
) -> None:
    """The power goes while a segment begins, and the disk has its name without its bytes."""
    monkeypatch.setattr("xmtp_tee.enclave.audit.log.SEGMENT_SIZE", 500)
    office.make()
    count = len(files(office))
    while len(files(office)) == count:
        office.ask(wire.Ping())
    entries = office.entries()
    office.kill()
    newest = files(office)[-1]
    newest.write_bytes(newest.read_bytes()[:left])
    office.open()
    assert office.entries() == entries
    office.ask(wire.Ping())
    office.make()
    office.kill()
    office.open()
    assert office.entries()[: len(entries)] == entries


def test_head_of_a_segment_is_on_disk_before_its_name(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    forced: list[int] = []
    fsync, rename = os.fsync, Path.rename

    def recorded(descriptor: int) -> None:
        fsync(descriptor)
        forced.append(os.fstat(descriptor).st_ino)

    def checked(self: Path, target: Path) -> Path:
        assert self.stat().st_ino in forced
        assert self.stat().st_size == 32
        return rename(self, target)

    monkeypatch.setattr(os, "fsync", recorded)
    monkeypatch.setattr(Path, "rename", checked)
    office.enclave._parts.audit._segments.begin(os.urandom(16), 100)
    assert forced


def test_segment_that_could_not_be_begun_is_begun_later(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("xmtp_tee.enclave.audit.log.SEGMENT_SIZE", 500)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    def ping(times: int) -> None:
        for _ in range(times):
            office.ask(wire.Ping())

    with monkeypatch.context() as patched:
        patched.setattr("xmtp_tee.enclave.audit.segments.os.fsync", full)
        with pytest.raises(AuditUnavailableError):
            ping(30)
    assert not list(office.folder.glob("*.draft"))
    ping(30)
    assert len(files(office)) > 2
    counters = [decode_entry(each).counter for each in office.entries()]
    assert counters == [*range(1, len(counters) + 1)]


def test_missing_segment_in_the_middle_is_refused(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("xmtp_tee.enclave.audit.log.SEGMENT_SIZE", 500)
    for _ in range(30):
        office.ask(wire.Ping())
    files(office)[1].unlink()
    with pytest.raises(AuditTamperedError):
        office.enclave._parts.audit.read(0, 1000)


def test_no_answer_is_given_while_the_log_cannot_be_written(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.ask(wire.Ping())

    def full(descriptor: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("xmtp_tee.enclave.audit.segments.os.write", full)
        with pytest.raises(AuditUnavailableError):
            office.ask(wire.Ping())
    office.enclave.flush()
    office.ask(wire.Ping())
    assert [decode_entry(each).counter for each in office.entries()] == [1, 2, 3]


def test_half_a_write_is_undone(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    office.ask(wire.Ping())
    real = os.write

    def half(descriptor: int, data: bytes) -> int:
        return real(descriptor, data[: len(data) // 2])

    with monkeypatch.context() as patched:
        patched.setattr("xmtp_tee.enclave.audit.segments.os.write", half)
        with pytest.raises(AuditUnavailableError):
            office.ask(wire.Ping())
    office.ask(wire.Ping())
    office.kill()
    office.open()
    assert len(office.entries()) == 3


def test_checkpoints_are_signed_now_and_then_and_at_the_end(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("xmtp_tee.enclave.audit.log.CHECKPOINT_EVERY", 10)
    for _ in range(25):
        office.ask(wire.Ping())
    office.enclave.close()
    office.open()
    rows = [decode_entry(each) for each in office.entries()]
    assert sum(row.operation == "checkpoint" for row in rows) >= 3
    assert rows[-1].operation == "checkpoint"


def test_checkpoint_that_another_key_signed_is_refused(office: Office) -> None:
    office.ask(wire.Ping())
    office.enclave.close()
    office.open()
    about, audit = office.enclave.describe(), office.enclave._parts.audit
    _, entries = audit.read(0, 100)
    verifier = LogVerifier(bytes.fromhex(about.store_id), audit.log_id, b"\x01" * 20)
    verifier.follow(entries[0])
    with pytest.raises(CertificateInvalidError):
        verifier.follow(entries[1])


# --- receipts -------------------------------------------------------------------------------------


def receipt_of(office: Office, answer: wire.Message) -> tuple[Receipt, bytes]:
    assert isinstance(answer, wire.Reply | wire.Failure)
    given = answer.receipt
    assert given is not None
    about = office.enclave.describe()
    receipt = Receipt(
        bytes.fromhex(about.store_id), given.log_id, given.counter, given.chain, given.entry
    )
    return receipt, given.signature


def test_receipt_proves_who_asked_what_and_what_came_of_it(office: Office) -> None:
    key = office.make()
    sign = wire.Sign(key_id=key.id, message=b"m")
    answer = office.ask(sign, receipt=True)
    receipt, signature = receipt_of(office, answer)
    authority = office.enclave.describe().authority
    assert isinstance(answer, wire.Reply)
    entry = verify_receipt(
        receipt,
        signature,
        authority,
        operation=encode_body(sign),
        result=bytes(answer.result),
    )
    assert (entry.operation, entry.key_id, entry.outcome, entry.counter) == ("sign", key.id, OK, 2)
    for change in (
        {"operation": encode_body(wire.Sign(key_id=key.id, message=b"x"))},
        {"result": b"another"},
    ):
        with pytest.raises(ReceiptInvalidError):
            verify_receipt(receipt, signature, authority, **change)  # type: ignore[arg-type]
    with pytest.raises(CertificateInvalidError):
        verify_receipt(receipt, signature, b"\x01" * 20)


def test_refusal_gets_a_receipt_too(office: Office) -> None:
    answer = office.ask(wire.Sign(key_id="00" * 16, message=b""), receipt=True)
    receipt, signature = receipt_of(office, answer)
    entry = verify_receipt(receipt, signature, office.enclave.describe().authority)
    assert entry.outcome == "enclave.key-not-found"


@pytest.mark.parametrize("field", ["store_id", "log_id", "counter", "chain", "entry"])
def test_bent_receipt_is_refused(office: Office, field: str) -> None:
    from dataclasses import replace

    receipt, signature = receipt_of(office, office.ask(wire.Ping(), receipt=True))
    value = getattr(receipt, field)
    bent = value + 1 if isinstance(value, int) else bytes([value[0] ^ 1]) + value[1:]
    with pytest.raises(CertificateInvalidError):
        verify_receipt(
            replace(receipt, **{field: bent}), signature, office.enclave.describe().authority
        )


def test_a_frames_associated_data_are_the_fields_of_every_other_kind_of_data() -> None:
    for first in (1, 255, 1 << 40):
        found = audit_data(b"s" * 16, b"l" * 16, first)
        assert found == pack(b"audit", b"s" * 16, b"l" * 16, first)
