"""The private key in the memory of a process: counted by reading it from outside, as a debugger would."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.enclave.support import FixedDriver
from xmtp_tee.enclave.storage.sqlite import SqliteRows
from xmtp_tee.enclave.store import SealedStore

CHILD = """
import gc, sys
sys.path.insert(0, {root!r})
from pathlib import Path
from tests.enclave.support import FixedDriver, NOW, OWNER, open_enclave
from xmtp_tee.errors import XmtpTeeError
from xmtp_tee.wire import messages as wire

def step(name):
    gc.collect()
    sys.stdout.write(name + "\\n")
    sys.stdout.flush()
    sys.stdin.readline()

enclave = open_enclave(Path({path!r}))
key = enclave.handle(wire.GenerateIdentityKey(owner=OWNER), NOW)
step("born")
for number in range(100):
    enclave.handle(wire.Sign(key_id=key.id, message=b"%d" % number), NOW)
step("used")
for attempt in (wire.Sign(key_id="none", message=b""), wire.GenerateIdentityKey(owner=OWNER)):
    try:
        enclave.handle(attempt, NOW)
    except XmtpTeeError as error:
        kept = error, error.__traceback__, repr(error)
enclave.handle(wire.DeleteKey(key_id=key.id), NOW)
enclave.handle(wire.DestroyKey(key_id=key.id), NOW + 30 * 86400)
step("destroyed")
"""


class Watched:
    """A process that stops at each step, and whose memory is read meanwhile."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def at(self, name: str) -> None:
        assert self._process.stdout is not None
        line = self._process.stdout.readline().strip()
        if line != name:
            self._process.kill()
            assert self._process.stderr is not None
            pytest.fail(f"{line!r} instead of {name!r}: {self._process.stderr.read()}")

    def go_on(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def copies(self, needle: bytes) -> int:
        """Count ``needle`` in all writable memory."""
        maps = Path(f"/proc/{self._process.pid}/maps").read_text().splitlines()
        found = 0
        with Path(f"/proc/{self._process.pid}/mem").open("rb", buffering=0) as memory:
            for line in maps:
                place, flags = line.split()[:2]
                if not flags.startswith("rw") or "[v" in line:
                    continue
                begin, end = (int(part, 16) for part in place.split("-"))
                memory.seek(begin)
                found += memory.read(end - begin).count(needle)
        return found


@contextmanager
def watched(path: Path) -> Iterator[Watched]:
    root = str(Path(__file__).parents[2])
    with subprocess.Popen(
        [sys.executable, "-c", CHILD.format(root=root, path=str(path))],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        try:
            yield Watched(process)
        finally:
            process.kill()


def seed_in(path: Path) -> bytes:
    """Unseal the newest private key from a copy of the store, as only the enclave can."""
    copy = path.with_suffix(".copy")
    for suffix in ("", "-wal"):
        source = path.with_name(path.name + suffix)
        copy.with_name(copy.name + suffix).write_bytes(source.read_bytes())
    store = SealedStore.open(SqliteRows.open(copy), FixedDriver())
    record = store.page(None, 2, 1)[0][0]
    with store.secret(record) as secret:
        seed = bytes(secret)
    store.close()
    return seed


def test_private_key_is_in_memory_once_while_it_is_used_and_not_at_all_afterwards(
    folder: Path,
) -> None:
    path = folder / "keys.sqlite"
    with watched(path) as process:
        process.at("born")
        seed = seed_in(path)
        expanded = hashlib.sha512(seed).digest()
        scalar = bytes([expanded[0] & 248]) + expanded[1:31] + bytes([expanded[31] & 127 | 64])
        secrets = {
            "seed": seed,
            "scalar": scalar,
            "prefix": expanded[32:],
            "hex": seed.hex().encode(),
        }
        counts = {"born": {n: process.copies(s) for n, s in secrets.items()}}
        for step in ("used", "destroyed"):
            process.go_on()
            process.at(step)
            counts[step] = {name: process.copies(secret) for name, secret in secrets.items()}
    assert counts["born"]["seed"] == 0, counts
    assert counts["used"] == {"seed": 0, "scalar": 1, "prefix": 1, "hex": 0}, counts
    assert counts["destroyed"] == {"seed": 0, "scalar": 0, "prefix": 0, "hex": 0}, counts


def test_search_finds_what_is_there(folder: Path) -> None:
    """The search above would find a key that stayed: the public key did."""
    path = folder / "keys.sqlite"
    with watched(path) as process:
        process.at("born")
        copy_of = seed_in(path)
        public = Ed25519PrivateKey.from_private_bytes(copy_of).public_key().public_bytes_raw()
        assert process.copies(public) > 0
