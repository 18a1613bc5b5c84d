"""The server on a real socket: limits, and clients that must not harm each other."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.enclave.support import NOW, OWNER, open_enclave
from xmtp_tee.client.key_manager import KeyManager
from xmtp_tee.enclave.config import Limits
from xmtp_tee.enclave.listener import bind
from xmtp_tee.enclave.server import Server
from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.codec import ServerMessageDecoder, encode_request, request
from xmtp_tee.wire.faults import EnclaveBusyError, PeerRefusedError
from xmtp_tee.wire.limits import PROTOCOL_VERSION

HELLO = encode_request(wire.Hello(version=PROTOCOL_VERSION))
PING = encode_request(request(1, wire.Ping()))


@contextmanager
def serving(folder: Path, limits: Limits) -> Iterator[Path]:
    """Serve an enclave from a thread with an event loop of its own."""
    started, stop, failed = threading.Event(), [], []

    async def main() -> None:
        enclave, listener = open_enclave(folder / "keys.sqlite"), bind(folder / "e.sock")
        ending = asyncio.Event()
        stop.append((asyncio.get_running_loop(), ending))
        try:
            await Server(enclave, limits, lambda: NOW).serve(listener, ending, started.set)
        finally:
            listener.close()
            enclave.close()

    def run() -> None:
        try:
            asyncio.run(main())
        except BaseException as error:
            failed.append(error)
            started.set()
            raise

    thread = threading.Thread(target=run)
    thread.start()
    assert started.wait(20)
    assert not failed
    try:
        yield folder / "e.sock"
    finally:
        loop, ending = stop[0]
        loop.call_soon_threadsafe(ending.set)
        thread.join(20)
        assert not thread.is_alive()
    assert not failed
    assert not (folder / "e.sock").exists()


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
