"""The node as something to start and stop: a gRPC server on a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from types import TracebackType
from typing import Any, Final, Self

import grpc.aio

from xmtp_tee.devnode.errors import DevNodeStartError
from xmtp_tee.devnode.network import Network
from xmtp_tee.devnode.services import Services

HOST: Final = "127.0.0.1"
MAX_MESSAGE: Final = 25 * 1024 * 1024
"""Bytes of a gRPC message, either way."""

_START_SECONDS: Final = 10
_GRACE_SECONDS: Final = 0.2


class DevNode:
    """A local XMTP network. Listens on the loopback interface alone, without TLS.

    A context manager: the node runs inside the block and forgets everything after it.
    """

    def __init__(self, port: int = 0) -> None:
        """Prepare a node. Port 0 takes a free one."""
        self.network = Network()
        self._port = port
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopped: asyncio.Event | None = None
        self._failure: BaseException | None = None
        self._ready = threading.Event()

    @property
    def url(self) -> str:
        """Where the node listens: ``http://127.0.0.1:PORT``."""
        return f"http://{HOST}:{self._port}"

    def start(self) -> None:
        """Listen.

        :raises DevNodeStartError: the port is taken
        """
        self._thread = threading.Thread(target=self._run, name="xmtp-devnode", daemon=True)
        self._thread.start()
        self._ready.wait(_START_SECONDS)
        if self._failure is not None or not self._ready.is_set():
            self._thread.join(_START_SECONDS)
            raise DevNodeStartError(
                "The local node could not start",
                got=f"{HOST}:{self._port}",
                cause=str(self._failure or "it took too long")[:200],
            ) from self._failure

    def stop(self) -> None:
        """Cut every connection and forget everything. Stopping twice does nothing."""
        loop, stopped, thread = self._loop, self._stopped, self._thread
        if loop is not None and stopped is not None and not loop.is_closed():
            loop.call_soon_threadsafe(stopped.set)
        if thread is not None:
            thread.join()
        self._loop = self._stopped = self._thread = None

    def wait(self) -> None:
        """Block until the node is stopped."""
        if self._thread is not None:
            self._thread.join()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001  (start() passes it on)
            self._failure = error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopped = asyncio.Event()
        server: Any = grpc.aio.server(
            options=[
                ("grpc.max_receive_message_length", MAX_MESSAGE),
                ("grpc.max_send_message_length", MAX_MESSAGE),
                ("grpc.so_reuseport", 0),
            ]
        )
        server.add_generic_rpc_handlers(Services(self.network).handlers())
        self._port = server.add_insecure_port(f"{HOST}:{self._port}")
        await server.start()
        self._ready.set()
        await self._stopped.wait()
        await server.stop(_GRACE_SECONDS)
