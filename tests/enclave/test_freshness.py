"""Roll-back and fork of the whole store, noticed by a file, by a client's receipts, by a contract."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import coincurve
import pytest

from tests.enclave.loopback import LoopbackKeys
from tests.enclave.support import NOW, OWNER, FixedDriver, open_enclave, open_store
from xmtp_tee.attestation.certificate import recover_authority
from xmtp_tee.attestation.errors import CertificateSignerMismatchError
from xmtp_tee.attestation.freshness import FreshnessStatement, anchor_digest
from xmtp_tee.attestation.known_states import KnownState, KnownStates
from xmtp_tee.client.errors import EnclaveMismatchError, ReceiptsUnreadableError
from xmtp_tee.client.freshness import ReceiptBook, proven
from xmtp_tee.enclave.anchors.file import FileAnchor
from xmtp_tee.enclave.integrity.history import Point
from xmtp_tee.enclave.service import Enclave
from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.store_faults import (
    AnchorUnavailableError,
    StoreForkedError,
    StoreRolledBackError,
)

CONTRACT = b"\x0c" * 20


class Machine:
    """An enclave over a store that the host copies and puts back."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "keys.sqlite"
        self._number = 0
        open_store(self.path).close()

    def open(self) -> Enclave:
        return open_enclave(self.path, FixedDriver())

    def work(self, mutations: int = 1) -> None:
        enclave = self.open()
        for _ in range(mutations):
            self._number += 1
            owner = self._number.to_bytes(20, "big")
            enclave.handle(wire.GenerateIdentityKey(owner=owner), NOW)
        enclave.close()

    def copy(self) -> Path:
        return Path(shutil.copy(self.path, self.path.with_suffix(f".{self._number}")))

    def put_back(self, copy: Path) -> None:
        shutil.copy(copy, self.path)


@pytest.fixture
def machine(folder: Path) -> Machine:
    return Machine(folder)


@pytest.fixture
def keys(machine: Machine) -> Iterator[LoopbackKeys]:
    enclave = machine.open()
    yield LoopbackKeys(enclave)
    enclave.close()


def connect(machine: Machine, book: ReceiptBook) -> None:
    enclave = machine.open()
    try:
        LoopbackKeys(enclave, receipts=book)
    finally:
        enclave.close()


# --- clients' receipts ----------------------------------------------------------------------------


def test_client_accepts_a_store_that_goes_on(machine: Machine, folder: Path) -> None:
    book = ReceiptBook(folder / "receipts.json")
    for mutations in (0, 1, 0, 5):
        machine.work(mutations)
        connect(machine, book)
    assert (folder / "receipts.json").stat().st_mode & 0o777 == 0o600


def test_client_refuses_a_store_that_was_put_back(machine: Machine, folder: Path) -> None:
    book = ReceiptBook(folder / "receipts.json")
    machine.work()
    copy = machine.copy()
    machine.work()
    connect(machine, book)
    machine.put_back(copy)
    # Also after the client's own restart.
    for kept in (book, ReceiptBook(folder / "receipts.json")):
        with pytest.raises(StoreRolledBackError):
            connect(machine, kept)


def test_client_refuses_a_store_that_was_forked(machine: Machine, folder: Path) -> None:
    book = ReceiptBook(folder / "receipts.json")
    copy = machine.copy()
    machine.work(2)
    connect(machine, book)
    machine.put_back(copy)
    machine.work(5)
    with pytest.raises(StoreForkedError):
        connect(machine, book)


def test_client_refuses_another_store_under_the_same_authority(
    machine: Machine, folder: Path
) -> None:
    book = ReceiptBook(folder / "receipts.json")
    connect(machine, book)
    text = (folder / "receipts.json").read_text().replace('"store_id": "', '"store_id": "00')
    (folder / "receipts.json").write_text(text)
    with pytest.raises(StoreForkedError, match="another store"):
        connect(machine, ReceiptBook(folder / "receipts.json"))


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", '{"format": 2, "receipts": []}', '{"format": 1, "receipts": [{}]}']
)
def test_damaged_receipts_are_not_taken_for_none(folder: Path, content: str) -> None:
    """Attack: without its receipts the client would accept any store."""
    (folder / "receipts.json").write_text(content)
    with pytest.raises(ReceiptsUnreadableError):
        ReceiptBook(folder / "receipts.json")


def test_answer_of_another_signer_or_to_another_question_is_refused(keys: LoopbackKeys) -> None:
    about = keys._connection.enclave
    genuine = keys._call(wire.GetFreshness(nonce=bytes(32), since=0), wire.Freshness)

    def replay(_: wire.GetFreshness) -> wire.Freshness:
        return genuine

    with pytest.raises(EnclaveMismatchError):
        proven(about.authority, about.store_id, None, replay)

    def forged(ask: wire.GetFreshness) -> wire.Freshness:
        statement = FreshnessStatement(
            genuine.store_id, 99, genuine.chain, ask.since, bytes(32), ask.nonce
        )
        signature = coincurve.PrivateKey(b"\x01" * 32).sign_recoverable(
            statement.digest(), hasher=None
        )
        signed = signature[:64] + bytes([27 + signature[64]])
        return wire.Freshness(
            genuine.store_id, 99, genuine.chain, ask.since, bytes(32), ask.nonce, signed
        )

    with pytest.raises(CertificateSignerMismatchError):
        proven(about.authority, about.store_id, None, forged)


def test_enclave_does_not_prove_what_lies_ahead(keys: LoopbackKeys) -> None:
    with pytest.raises(StoreRolledBackError):
        keys._call(wire.GetFreshness(nonce=bytes(32), since=999), wire.Freshness)


# --- the contract ---------------------------------------------------------------------------------


def test_signed_anchor_is_the_authoritys_over_the_present_state(keys: LoopbackKeys) -> None:
    keys.generate_identity_key(OWNER)
    anchor = keys.sign_anchor(chain_id=31337, contract=CONTRACT)
    about, state = keys._connection.enclave, keys.store_state()
    assert (anchor.epoch, anchor.chain) == (state.epoch, state.chain[:24])
    digest = anchor_digest(31337, CONTRACT, anchor.authority, anchor.epoch, anchor.chain)
    assert recover_authority(digest, anchor.signature) == about.authority == anchor.authority
    other = anchor_digest(1, CONTRACT, anchor.authority, anchor.epoch, anchor.chain)
    assert recover_authority(other, anchor.signature) != about.authority


def known_of(machine: Machine, *, cut: bool) -> KnownStates:
    """What somebody keeps of the present state: the contract a cut chain, a client all of it."""
    enclave = machine.open()
    state = LoopbackKeys(enclave).store_state()
    enclave.close()
    return KnownStates(
        state.authority, (KnownState(state.epoch, state.chain[: 24 if cut else 32]),)
    )


def ask(machine: Machine, known: KnownStates) -> int:
    """A client's question to the running enclave."""
    enclave = machine.open()
    try:
        return LoopbackKeys(enclave).require_descent(known)
    finally:
        enclave.close()


def start(machine: Machine, known: KnownStates) -> int:
    """The enclave's own question at its start."""
    store = open_store(machine.path)
    try:
        store.require_known(known)
        return store.epoch
    finally:
        store.close()


@pytest.mark.parametrize("judge", [ask, start])
@pytest.mark.parametrize("cut", [True, False])
def test_store_behind_a_known_state_or_beside_it_is_refused(
    machine: Machine, judge: Callable[[Machine, KnownStates], int], cut: bool
) -> None:
    copy = machine.copy()
    machine.work(2)
    known = known_of(machine, cut=cut)
    assert judge(machine, known) >= known.states[0].epoch
    machine.work()
    assert judge(machine, known) > known.states[0].epoch
    machine.put_back(copy)
    with pytest.raises(StoreRolledBackError):
        judge(machine, known)
    machine.work(9)
    with pytest.raises(StoreForkedError):
        judge(machine, known)


@pytest.mark.parametrize("judge", [ask, start])
def test_fork_is_refused_although_its_own_state_was_anchored_later(
    machine: Machine, judge: Callable[[Machine, KnownStates], int]
) -> None:
    """Attack: the host anchors the other branch, which is further on, so that the newest anchor fits it."""
    copy = machine.copy()
    machine.work(2)
    first = known_of(machine, cut=True)
    machine.put_back(copy)
    machine.work(5)
    second = known_of(machine, cut=True)
    assert judge(machine, second) >= second.states[0].epoch
    with pytest.raises(StoreForkedError):
        judge(machine, KnownStates(first.authority, first.states + second.states))


@pytest.mark.parametrize("judge", [ask, start])
def test_known_states_of_another_enclave_are_refused(
    machine: Machine, judge: Callable[[Machine, KnownStates], int]
) -> None:
    known = known_of(machine, cut=True)
    with pytest.raises(StoreForkedError):
        judge(machine, KnownStates(b"\x01" * 20, known.states))


# --- a file ---------------------------------------------------------------------------------------


def test_store_behind_its_file_is_refused_at_the_start(machine: Machine, folder: Path) -> None:
    anchor = FileAnchor(folder / "freshness")
    store = open_store(machine.path)
    store.anchored(anchor)
    store.close()
    copy = machine.copy()
    store = open_store(machine.path)
    store.anchored(anchor)
    with store.mutation() as draft:
        draft.put_document("n", b"1")
    store.close()
    machine.put_back(copy)
    store = open_store(machine.path)
    with pytest.raises(StoreRolledBackError):
        store.anchored(anchor)
    for number in range(3):
        with store.mutation() as draft:
            draft.put_document("n", bytes([number]))
    with pytest.raises(StoreForkedError):
        store.anchored(anchor)
    store.close()


def test_crash_between_commit_and_anchor_does_no_harm(machine: Machine, folder: Path) -> None:
    """The store may be ahead of its anchor by what was never acknowledged."""
    anchor = FileAnchor(folder / "freshness")
    store = open_store(machine.path)
    store.anchored(anchor)
    store.close()
    machine.work(3)
    store = open_store(machine.path)
    store.anchored(anchor)
    assert anchor.latest(store.store_id) == store.point
    store.close()


def test_anchor_that_cannot_be_moved_withholds_the_acknowledgement(
    machine: Machine, folder: Path
) -> None:
    place = folder / "anchors"
    place.mkdir()
    store = open_store(machine.path)
    store.anchored(FileAnchor(place / "freshness"))
    shutil.rmtree(place)
    with pytest.raises(AnchorUnavailableError), store.mutation() as draft:
        draft.put_document("n", b"1")
    store.close()


@pytest.mark.parametrize("change", [{"format": 9}, {"chain": "00"}, {"epoch": 0}, {"epoch": "x"}])
def test_damaged_file_is_not_taken_for_none(
    machine: Machine, folder: Path, change: dict[str, object]
) -> None:
    anchor = FileAnchor(folder / "freshness")
    anchor.advance(b"S" * 16, Point(3, bytes(32)))
    assert anchor.latest(b"S" * 16) == Point(3, bytes(32))
    with pytest.raises(StoreForkedError):
        anchor.latest(b"T" * 16)
    document = json.loads((folder / "freshness").read_text()) | change
    (folder / "freshness").write_text(json.dumps(document))
    with pytest.raises(AnchorUnavailableError):
        anchor.latest(b"S" * 16)
