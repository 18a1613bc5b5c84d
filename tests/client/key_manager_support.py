"""An enclave that lies: it answers over a real socket with whatever the test tells it to."""

from __future__ import annotations

import shutil
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.codec import ClientMessageDecoder, decode_operation, encode, reply
from xmtp_tee.wire.limits import PROTOCOL_VERSION

Script = Callable[[wire.Request], bytes]


@contextmanager
def lying_enclave(
    about: wire.EnclaveDescription, script: Script, welcome: bytes | None = None
) -> Iterator[Path]:
    """Serve one connection: greet, then answer every request with ``script``'s bytes."""
    folder = Path(tempfile.mkdtemp(prefix="xt-"))
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(folder / "e.sock"))
    listener.listen(1)
    greeting = encode(wire.Welcome(version=PROTOCOL_VERSION, enclave=about))

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            decoder = ClientMessageDecoder()
            try:
                while data := connection.recv(1 << 16):
                    for message in decoder.feed(data):
                        if isinstance(message, wire.Hello):
                            connection.sendall(greeting if welcome is None else welcome)
                        else:
                            connection.sendall(script(message))
            except OSError:
                return

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield folder / "e.sock"
    finally:
        # Wakes the thread if the test never connected.
        with socket.socket(socket.AF_UNIX) as last:
            last.settimeout(1)
            with suppress(OSError):
                last.connect(str(folder / "e.sock"))
            thread.join(10)
        listener.close()
        shutil.rmtree(folder)
    assert not thread.is_alive()


def answering(change: Callable[[wire.Operation], wire.Result]) -> Script:
    """Return a script that answers each operation with a result under the right id."""
    return lambda message: encode(reply(message.id, change(decode_operation(message))))
