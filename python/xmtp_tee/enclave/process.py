"""Start, serve, stop: the life of the enclave process."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Callable

from xmtp_tee.assurance import AssuranceLevel
from xmtp_tee.attestation.address import checksum_address
from xmtp_tee.attestation.drivers.base import Driver
from xmtp_tee.enclave.birth import give_birth
from xmtp_tee.enclave.config import EnclaveConfig, make_driver
from xmtp_tee.enclave.errors import StoreMissingError
from xmtp_tee.enclave.hygiene import harden
from xmtp_tee.enclave.listener import Listener, bind, prepare_state_directory
from xmtp_tee.enclave.server import Server
from xmtp_tee.enclave.service import Enclave
from xmtp_tee.enclave.storage.sqlite import SqliteRows
from xmtp_tee.enclave.store import SealedStore
from xmtp_tee.wire.limits import PROTOCOL_VERSION

log = logging.getLogger("xmtp_tee.enclave")

_SIMULATED = (
    "SIMULATED: there is no TEE here. Anyone who can read the state directory has the keys, and "
    "the evidence stands under a development root that anyone can forge. For development only."
)


def run(
    config: EnclaveConfig,
    *,
    announce: Callable[[str], None] | None = None,
) -> int:
    """Run the enclave until SIGTERM or SIGINT; return exit code 0.

    ``announce`` gets one line of JSON once clients can connect, and writes it to stdout by default.
    Must be called from the main thread, in a process of its own: it hardens the process for good.

    :raises XmtpTeeError: if the enclave refuses to start; the store is then as it was
    """
    measures = harden()
    lock = prepare_state_directory(config.state_dir)
    try:
        driver = make_driver(config)
        if driver.assurance is AssuranceLevel.SIMULATED:
            log.warning(_SIMULATED)
        enclave = _open_enclave(config, driver)
        try:
            listener = bind(config.socket_path)
            try:
                log.info("hardened: %s", ", ".join(measures) or "nothing")
                asyncio.run(_serve(config, enclave, listener, announce or _to_stdout))
            finally:
                listener.close()
        finally:
            enclave.close()
    finally:
        os.close(lock)
    log.info("stopped")
    return 0


def open_store(config: EnclaveConfig, driver: Driver) -> SealedStore:
    """Open and verify the store, giving birth to it first if there is none and that is allowed.

    :raises StoreMissingError: if there is none and the configuration demands one
    :raises XmtpTeeError: one of ``enclave.errors``, if the store is refused
    """
    path = config.store_path
    try:
        rows = SqliteRows.open(path)
    except StoreMissingError:
        if config.must_exist:
            raise
        log.info("a new key store is born")
        give_birth(
            lambda head, wraps, first: SqliteRows.create(path, head, wraps, first),
            driver,
            int(time.time()),
        )
        rows = SqliteRows.open(path)
    try:
        store = SealedStore.open(rows, driver)
        store.verify()
    except BaseException:
        rows.close()
        raise
    return store


def _open_enclave(config: EnclaveConfig, driver: Driver) -> Enclave:
    # The driver measures the code and proves that it works before anything is served.
    driver.quote(bytes(64))
    store = open_store(config, driver)
    log.info("store %s open: %d keys, epoch %d", store.store_id.hex(), store.count, store.epoch)
    return Enclave(store, driver)


async def _serve(
    config: EnclaveConfig, enclave: Enclave, listener: Listener, announce: Callable[[str], None]
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    server = Server(enclave, config.limits, lambda: int(time.time()))
    await server.serve(listener, stop, lambda: announce(_ready_line(config, enclave)))


def _ready_line(config: EnclaveConfig, enclave: Enclave) -> str:
    about = enclave.describe()
    return json.dumps(
        {
            "event": "ready",
            "socket": str(config.socket_path),
            "pid": os.getpid(),
            "authority": checksum_address(about.authority),
            "transport_key": "0x" + about.transport_key.hex(),
            "tee": about.tee,
            "assurance": about.assurance,
            "store_id": about.store_id,
            "protocol": PROTOCOL_VERSION,
            "version": about.software_version,
        }
    )


def _to_stdout(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
