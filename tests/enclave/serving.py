"""An enclave in the test's own process, served on a socket."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.enclave.support import NOW, open_enclave
from xmtp_tee.enclave.config import Limits
from xmtp_tee.enclave.listener import bind
from xmtp_tee.enclave.server import Server, Stop
from xmtp_tee.enclave.service import Enclave


@contextmanager
def serving(
    folder: Path, limits: Limits, make: Callable[[Path], Enclave] = open_enclave
) -> Iterator[Path]:
    """Serve an enclave from a thread, in which it is made."""
    started, stop, failed = threading.Event(), Stop(), []

    def run() -> None:
        try:
            enclave, listener = make(folder / "keys.sqlite"), bind(folder / "e.sock")
            try:
                Server(enclave, limits, lambda: NOW).serve(listener, stop, started.set)
            finally:
                listener.close()
                enclave.close()
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
        stop.set()
        thread.join(20)
        assert not thread.is_alive()
        stop.close()
    assert not failed
    assert not (folder / "e.sock").exists()
