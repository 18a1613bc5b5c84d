"""An enclave in the test's own process, one in a process of its own, and independent references."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO

from xmtp_tee.assurance import AssuranceLevel
from xmtp_tee.attestation.kinds import TeeKind
from xmtp_tee.enclave.birth import give_birth
from xmtp_tee.enclave.private_keys import Entropy, kernel_entropy
from xmtp_tee.enclave.service import Enclave
from xmtp_tee.enclave.storage.sqlite import SqliteRows
from xmtp_tee.enclave.store import SealedStore

NOW = 1_800_000_000
OWNER = bytes.fromhex("f39fd6e51aad88f6f4ce6ab8827279cfffb92266")
STRANGER = bytes.fromhex("70997970c51812dc3a010c7d01b50e0d17dc79c8")
REGISTRY = bytes.fromhex("5fbdb2315678afecb367f032d93f642f64180aa3")
CHAIN_ID = 31337


@dataclass
class FixedDriver:
    """A driver for tests of the store: its seal root is given, and its quotes show what they
    bind.
    """

    root: bytes = b"R" * 32
    tee: TeeKind = TeeKind.TDX
    assurance: AssuranceLevel = AssuranceLevel.SIMULATED
    quoted: list[bytes] = field(default_factory=list)

    def quote(self, report_data: bytes) -> bytes:
        self.quoted.append(report_data)
        return b"quote over " + report_data

    def seal_root(self) -> bytearray:
        return bytearray(self.root)


def open_store(
    path: Path, driver: FixedDriver | None = None, entropy: Entropy = kernel_entropy
) -> SealedStore:
    """Open and verify the store at ``path``, born first if it is not there."""
    driver = driver or FixedDriver()
    if not path.exists():
        give_birth(
            lambda change, wraps: SqliteRows.create(path, change, wraps), driver, NOW, entropy
        )
    rows = SqliteRows.open(path)
    try:
        store = SealedStore.open(rows, driver)
        store.verify()
    except BaseException:
        rows.close()
        raise
    return store


def open_enclave(
    path: Path, driver: FixedDriver | None = None, entropy: Entropy = kernel_entropy
) -> Enclave:
    """Return an enclave over the store at ``path``; the caller closes it."""
    driver = driver or FixedDriver()
    return Enclave(open_store(path, driver, entropy), driver, entropy)


class EnclaveProcess:
    """``python -m xmtp_tee.enclave`` under the simulator; killed at the end, whatever happened."""

    def __init__(self, folder: Path, *options: str, wait: bool = True) -> None:
        self.state_dir = folder / "state"
        self.socket = self.state_dir / "enclave.sock"
        self.log = ""
        command = [sys.executable, "-m", "xmtp_tee.enclave", "--state-dir", str(self.state_dir)]
        command += ["--driver", "simulator", "--unsafe-simulate-on-hardware"]
        self.process = subprocess.Popen(
            [*command, "--log-level", "debug", *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stderr is not None
        self._reader = threading.Thread(target=self._collect, args=(self.process.stderr,))
        self._reader.start()
        self.line = ""
        if wait:
            assert self.process.stdout is not None
            self.line = self.process.stdout.readline()
            if not self.line:
                self.end()
                raise AssertionError(f"the enclave did not start: {self.log}")
            self.ready = json.loads(self.line)

    def _collect(self, stream: IO[str]) -> None:
        for line in stream:
            self.log += line

    def end(self, number: int = signal.SIGKILL) -> int:
        """Send a signal, wait, and return the exit code; idempotent."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            code = self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        self._reader.join()
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()
        return code

    def __enter__(self) -> EnclaveProcess:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()


def seeded_entropy(seed: bytes) -> Callable[[bytearray], None]:
    """Return a source of bytes that repeats itself: SHA-512 in counter mode."""
    import hashlib

    counter = 0

    def fill(buffer: bytearray) -> None:
        nonlocal counter
        stream = b""
        while len(stream) < len(buffer):
            counter += 1
            stream += hashlib.sha512(seed + counter.to_bytes(8, "big")).digest()
        buffer[:] = stream[: len(buffer)]

    return fill


def files_under(folder: Path) -> dict[str, bytes]:
    """Return every file's content by its relative name."""
    return {
        str(Path(root, name).relative_to(folder)): Path(root, name).read_bytes()
        for root, _, names in os.walk(folder)
        for name in names
        if Path(root, name).is_file()
    }
