"""Start, serve, stop: the life of the enclave process."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from xmtp_tee.assurance import AssuranceLevel
from xmtp_tee.attestation.address import checksum_address
from xmtp_tee.attestation.drivers.base import Driver
from xmtp_tee.enclave.anchors.file import FileAnchor
from xmtp_tee.enclave.anchors.known import read_known_states
from xmtp_tee.enclave.audit.log import AuditLog
from xmtp_tee.enclave.audit.segments import FileSegments
from xmtp_tee.enclave.birth import give_birth
from xmtp_tee.enclave.config import EnclaveConfig, Limits, make_driver, make_drivers
from xmtp_tee.enclave.hygiene import allow_descriptors, confine, harden
from xmtp_tee.enclave.listener import Listener, bind, prepare_state_directory
from xmtp_tee.enclave.recovery import recover
from xmtp_tee.enclave.sealing import Wrap
from xmtp_tee.enclave.server import Server, Stop
from xmtp_tee.enclave.service import Enclave
from xmtp_tee.enclave.storage.opening import is_url, open_rows
from xmtp_tee.enclave.storage.rows import Change
from xmtp_tee.enclave.store import SealedStore
from xmtp_tee.enclave.successor import receive_store
from xmtp_tee.wire.limits import PROTOCOL_VERSION

log = logging.getLogger("xmtp_tee.enclave")

QUICKLY_CHECKED: Final = 2000
"""Keys of a store that is verified as a whole at every start: a tenth of a second."""

SPARE_DESCRIPTORS: Final = 256
"""Files beside the connections that may be open: the store, the log, sockets, connections that are
about to be refused.
"""

_SIMULATED = (
    "SIMULATED: there is no TEE here. Anyone who can read the state directory has the keys, and "
    "the evidence stands under a development root that anyone can forge. For development only."
)

_UNANCHORED = (
    "NO FRESHNESS ANCHOR: an older copy of the whole store would be noticed by clients with receipts "
    "and by readers of the FreshnessAnchor contract, not by this enclave."
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
        drivers = make_drivers(config)
        if drivers[0].assurance is AssuranceLevel.SIMULATED:
            log.warning(_SIMULATED)
        enclave = _open_enclave(config, drivers)
        try:
            listener = bind(config.socket_path)
            try:
                measures += _confined(config)
                log.info("hardened: %s", ", ".join(measures) or "nothing")
                _serve(config, enclave, listener, announce or _to_stdout)
            finally:
                listener.close()
        finally:
            enclave.close()
    finally:
        os.close(lock)
    log.info("stopped")
    return 0


def _confined(config: EnclaveConfig) -> list[str]:
    """Leave the process what it needs to serve; see ``hygiene.confine``."""
    writable, readable, ports = [config.state_dir, config.socket_path.parent], [], []
    if config.freshness_file is not None:
        writable.append(config.freshness_file.parent)
    if config.certificates is not None:
        readable.append(config.certificates)
    if config.kms is not None:
        # Its own host's roots and names, when the sealing root is asked for again.
        given = (config.kms.credentials, config.kms.blob, config.kms.line.authorities)
        readable += [path for path in given if path is not None]
        readable.append(Path("/etc"))
        ports += [] if config.kms.line.port is None else [config.kms.line.port]
    if is_url(config.store_name):
        # Names are resolved anew when the connection comes back.
        readable.append(Path("/etc"))
        ports.append(urlsplit(config.store_name).port or 5432)
    else:
        writable.append(Path(config.store_name).parent)
    return confine(writable, readable, ports)


def receive(
    config: EnclaveConfig,
    predecessor: Path,
    root: bytes,
    collateral: bytes,
    predecessor_root: bytes = b"",
) -> str:
    """Have another enclave hand its store over to this platform; return the store's id in hex.

    The arguments are those of :func:`receive_store`.

    :raises SuccessorRefusedError: if its policy does not approve this enclave
    :raises PredecessorRefusedError: if it is not shown to be an enclave of trusted code
    """
    harden()
    lock = prepare_state_directory(config.state_dir)
    try:
        driver, now = make_driver(config), int(time.time())
        return receive_store(
            predecessor, driver, root, collateral, now, predecessor_root=predecessor_root
        )
    finally:
        os.close(lock)


def recover_store(config: EnclaveConfig, private_key: bytearray) -> str:
    """Have a store born anew on this platform with a recovery key; return the new store's id in hex.

    :raises XmtpTeeError: if the store is not sealed to this key
    """
    harden()
    lock = prepare_state_directory(config.state_dir)
    try:
        rows = open_rows(config.store_name, None)
        try:
            store_id = recover(rows, private_key, make_driver(config), int(time.time()))
        finally:
            rows.close()
    finally:
        os.close(lock)
    log.warning("a store was recovered to this platform as %s, its keys as imported", store_id)
    return store_id


def open_store(config: EnclaveConfig, driver: Driver) -> SealedStore:
    """Open the store, giving birth to it first if there is none and that is allowed.

    A small one, or one that the configuration wants checked, is verified as a whole; of others each
    part is verified when it is read.

    :raises StoreMissingError: if there is none and the configuration demands one
    :raises StoreRolledBackError: if others have seen a later state
    :raises StoreForkedError: if others have seen another past
    :raises XmtpTeeError: one of ``enclave.errors``, if the store is refused
    """

    def birth(create: Callable[[Change, list[Wrap]], None]) -> None:
        log.info("a new key store is born")
        give_birth(create, driver, int(time.time()))

    known = None if config.known_states is None else read_known_states(config.known_states)
    # Of a store that others have seen a new one cannot take the place.
    must_exist = config.must_exist or known is not None
    rows = open_rows(config.store_name, None if must_exist else birth)
    try:
        store = SealedStore.open(rows, driver)
        if config.check_store or store.count <= QUICKLY_CHECKED:
            store.verify()
        if known is not None:
            store.require_known(known)
            log.info("the store descends from %d known states", len(known.states))
        elif config.freshness_file is None:
            log.warning(_UNANCHORED)
        if config.freshness_file is not None:
            store.anchored(FileAnchor(config.freshness_file))
    except BaseException:
        rows.close()
        raise
    return store


def _open_enclave(config: EnclaveConfig, drivers: tuple[Driver, ...]) -> Enclave:
    # Each driver measures the code and proves that it works before anything is served.
    for each in drivers:
        each.quote(bytes(64))
    driver, *further = drivers
    store = open_store(config, driver)
    log.info("store %s open: %d keys, epoch %d", store.store_id.hex(), store.count, store.epoch)
    try:
        folder = FileSegments(config.state_dir / "audit")
        audit = AuditLog.open(store, folder, accept_lost=config.accept_lost_audit)
        return Enclave(store, driver, audit=audit, further=tuple(further))
    except BaseException:
        store.close()
        raise


def _serve(
    config: EnclaveConfig, enclave: Enclave, listener: Listener, announce: Callable[[str], None]
) -> None:
    stop = Stop()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    server = Server(enclave, fitting(config.limits), lambda: int(time.time()))
    server.serve(listener, stop, lambda: announce(_ready_line(config, enclave)))


def fitting(limits: Limits) -> Limits:
    """Have the system allow as many open files as ``limits`` need, or return lower limits that fit."""
    files = allow_descriptors(limits.connections + SPARE_DESCRIPTORS)
    connections = max(1, min(limits.connections, files - SPARE_DESCRIPTORS))
    if connections < limits.connections:
        log.warning("RLIMIT_NOFILE %d leaves room for %d connections", files, connections)
    return replace(limits, connections=connections)


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
            "further_tees": about.further_tees,
            "assurance": about.assurance,
            "store_id": about.store_id,
            "protocol": PROTOCOL_VERSION,
            "version": about.software_version,
        }
    )


def _to_stdout(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
