"""The server on a real socket: limits, and clients that must not harm each other."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path

import pytest

from tests.enclave.serving import serving
from tests.enclave.support import OWNER
from xmtp_tee.client.key_manager import KeyManager
from xmtp_tee.enclave.config import Limits
from xmtp_tee.enclave.service import Enclave
from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.codec import ServerMessageDecoder, encode_request, request
from xmtp_tee.wire.faults import EnclaveBusyError, PeerRefusedError
from xmtp_tee.wire.limits import PROTOCOL_VERSION
from xmtp_tee.wire.refusals import AuditUnavailableError

HELLO = encode_request(wire.Hello(version=PROTOCOL_VERSION))
PING = encode_request(request(1, wire.Ping()))


def connect(path: Path) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(10)
    client.connect(str(path))
    return client


def rest(client: socket.socket) -> list[wire.ServerMessage]:
    """Read until the enclave hangs up."""
    decoder = ServerMessageDecoder()
    try:
        while data := client.recv(1 << 16):
            decoder.feed(data)
    except ConnectionResetError:
        pass
    return list(decoder.feed(b""))


def works(path: Path) -> None:
    with KeyManager(path) as keys:
        keys.ping()


def test_client_that_says_nothing_is_hung_up_on(folder: Path) -> None:
    with serving(folder, Limits(handshake=0.2)) as path, connect(path) as client:
        assert rest(client) == []
        works(path)


def test_client_that_drips_its_hello_is_hung_up_on(folder: Path) -> None:
    """Attack: slow loris; each byte comes in time, the hello never."""
    with serving(folder, Limits(handshake=0.5)) as path, connect(path) as client:
        begun = time.monotonic()
        with pytest.raises(OSError):  # noqa: PT011 -- reset or broken pipe, as it comes
            drip(client, HELLO[:4] + b"\x00" * 100)
        assert time.monotonic() - begun < 5
        works(path)


def drip(client: socket.socket, data: bytes) -> None:
    for index in range(len(data)):
        client.sendall(data[index : index + 1])
        time.sleep(0.1)


def test_client_that_never_ends_its_frame_is_hung_up_on(folder: Path) -> None:
    with serving(folder, Limits(frame=0.3)) as path, connect(path) as client:
        client.sendall(HELLO + PING + PING[:5])
        welcome, pong = rest(client)
        assert isinstance(welcome, wire.Welcome)
        assert isinstance(pong, wire.Reply)
        works(path)


def test_client_at_rest_between_frames_may_stay(folder: Path) -> None:
    with serving(folder, Limits(handshake=0.2, frame=0.2)) as path, KeyManager(path) as keys:
        time.sleep(0.8)
        keys.ping()


def test_client_that_does_not_read_is_hung_up_on(folder: Path) -> None:
    """Attack: requests without end, answers never taken."""
    with serving(folder, Limits(write=0.3)) as path, connect(path) as client:
        client.sendall(HELLO)
        with pytest.raises(OSError):  # noqa: PT011 -- reset or broken pipe, as it comes
            flood(client)
        works(path)


def flood(client: socket.socket) -> None:
    ask = encode_request(request(1, wire.Describe())) * 100
    for _ in range(100_000):
        client.sendall(ask)


def test_connections_above_the_limit_are_refused_and_free_again_later(folder: Path) -> None:
    with serving(folder, Limits(connections=2)) as path:
        with KeyManager(path) as first, KeyManager(path):
            with pytest.raises(EnclaveBusyError, match="2"):
                KeyManager(path)
            first.ping()
        deadline = time.monotonic() + 5
        while True:
            try:
                works(path)
                break
            except EnclaveBusyError:
                assert time.monotonic() < deadline
                time.sleep(0.05)


def test_peer_of_another_user_is_told_and_hung_up_on(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: object) -> None:
        raise PeerRefusedError("The connecting process runs under another user", got="uid 7")

    monkeypatch.setattr("xmtp_tee.enclave.server.authorise_peer", refuse)
    with serving(folder, Limits()) as path, pytest.raises(PeerRefusedError, match="uid 7"):
        KeyManager(path)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00",
        b"\x00\x00\x00",
        HELLO[:-1],
        HELLO + PING[:-1],
        HELLO + PING,
        b"\xff" * 100,
        HELLO + b"\xff" * 100_000,
        HELLO + b"\x00\x00\x00\x01\xc1",
        bytes(100_000),
    ],
    ids=lambda data: f"{len(data)} bytes {data[:6].hex()}",
)
def test_client_that_vanishes_or_sends_rubbish_harms_nobody(folder: Path, data: bytes) -> None:
    with serving(folder, Limits()) as path, KeyManager(path) as bystander:
        identity = bystander.generate_identity_key(OWNER)
        signature = bystander.sign(identity.id, b"m")
        for abrupt in (False, True):
            client = connect(path)
            if abrupt:
                # Close with a reset instead of a farewell.
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01" + bytes(7))
            try:
                client.sendall(data)
            except OSError:
                assert len(data) > 10_000
            client.close()
            assert bystander.sign(identity.id, b"m") == signature
        works(path)


JUNK = b"\x00\x00\x00\x04junk"


@pytest.mark.parametrize(
    "end",
    [b"", JUNK, None],
    ids=["stays", "ends with rubbish", "stops sending"],
)
def test_no_answer_leaves_while_the_log_cannot_be_written(
    folder: Path, monkeypatch: pytest.MonkeyPatch, end: bytes | None
) -> None:
    """Attack: a connection that ends in the turn of its request, so that its answer leaves first."""

    def full(self: Enclave) -> None:
        raise AuditUnavailableError("The audit log cannot be written")

    with serving(folder, Limits()) as path:
        monkeypatch.setattr(Enclave, "flush", full)
        with connect(path) as client:
            client.sendall(HELLO + PING + (end or b""))
            if end is None:
                client.shutdown(socket.SHUT_WR)
            assert rest(client) == []
        monkeypatch.undo()
        with connect(path) as client:
            client.sendall(HELLO + PING + JUNK)
            welcome, pong, failure = rest(client)
    assert isinstance(welcome, wire.Welcome)
    assert isinstance(pong, wire.Reply)
    assert isinstance(failure, wire.Failure)


CLAIM = wire.CallerClaim(key=bytes(32), share=bytes(32))


@pytest.mark.parametrize(
    "error", [OSError(24, "Too many open files"), ValueError("any"), MemoryError()]
)
def test_fault_in_one_greeting_ends_that_connection_alone(
    folder: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """Attack: the host takes the enclave's descriptors while somebody greets."""

    def broken(self: Enclave, size: int) -> bytes:
        raise error

    monkeypatch.setattr(Enclave, "random", broken)
    with serving(folder, Limits()) as path, KeyManager(path) as bystander:
        with connect(path) as client:
            client.sendall(encode_request(wire.Hello(version=PROTOCOL_VERSION, caller=CLAIM)))
            assert rest(client) == []
        bystander.ping()
        works(path)


def test_fault_in_the_only_clients_greeting_leaves_the_enclave_to_the_next(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Enclave, size: int) -> bytes:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(Enclave, "random", broken)
    with serving(folder, Limits()) as path:
        with connect(path) as client:
            client.sendall(encode_request(wire.Hello(version=PROTOCOL_VERSION, caller=CLAIM)))
            assert rest(client) == []
        works(path)


def test_client_that_leaves_before_the_answer_gets_its_change_made(folder: Path) -> None:
    make = encode_request(request(1, wire.GenerateIdentityKey(owner=OWNER)))
    with serving(folder, Limits()) as path, KeyManager(path) as keys:
        with connect(path) as client:
            client.sendall(HELLO)
            assert client.recv(1 << 16)
            client.sendall(make)
        deadline = time.monotonic() + 5
        while not keys.list_keys(OWNER):
            assert time.monotonic() < deadline
        assert len(keys.list_keys(OWNER)) == 1


def test_requests_sent_ahead_are_all_answered_in_order(folder: Path) -> None:
    with serving(folder, Limits()) as path, connect(path) as client:
        asks = b"".join(encode_request(request(n, wire.Ping())) for n in range(1, 501))
        client.sendall(HELLO + asks)
        client.shutdown(socket.SHUT_WR)
        welcome, *pongs = rest(client)
        assert isinstance(welcome, wire.Welcome)
        assert [pong.id for pong in pongs if isinstance(pong, wire.Reply)] == [*range(1, 501)]


def test_stop_ends_open_connections(folder: Path) -> None:
    with serving(folder, Limits()) as path:
        client = connect(path)
        client.sendall(HELLO)
        assert client.recv(1 << 16)
    with client:
        assert rest(client) == []


def test_client_that_reads_late_gets_everything_in_order(folder: Path) -> None:
    """Answers of more than a socket holds wait for the client, and what it sent meanwhile is answered after them."""
    with serving(folder, Limits()) as path, connect(path) as client:
        asks = b"".join(encode_request(request(n, wire.Describe())) for n in range(1, 3001))
        sender = threading.Thread(target=client.sendall, args=(HELLO + asks,))
        sender.start()
        time.sleep(0.3)
        decoder, ids = ServerMessageDecoder(), []
        while len(ids) < 3001:
            ids += [getattr(each, "id", 0) for each in decoder.feed(client.recv(1 << 16))]
        sender.join()
        assert ids == [*range(3001)]


def test_stop_from_a_signal_answers_what_has_come(folder: Path) -> None:
    with serving(folder, Limits()) as path:
        client = connect(path)
        client.sendall(HELLO + PING * 50)
        time.sleep(0.2)
    with client:
        assert len(rest(client)) == 51
