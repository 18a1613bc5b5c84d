"""Two simulated machines and a store that goes from one to the other."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from tests.enclave.loopback import allow_backups
from tests.enclave.serving import serving
from tests.enclave.support import NOW
from xmtp_tee.attestation.drivers.base import Driver
from xmtp_tee.attestation.drivers.emulated import emulated_tdx
from xmtp_tee.attestation.offline import workload_of_attestation
from xmtp_tee.attestation.simulator import CollateralRecipe, development_root_certificate
from xmtp_tee.enclave.birth import give_birth
from xmtp_tee.enclave.config import Limits
from xmtp_tee.enclave.handover import claimed
from xmtp_tee.enclave.service import Enclave
from xmtp_tee.enclave.storage.sqlite import SqliteRows
from xmtp_tee.enclave.store import SealedStore
from xmtp_tee.enclave.successor import receive_store
from xmtp_tee.policy import encode_policy
from xmtp_tee.policy.document import StoreRules, TcbFloor
from xmtp_tee.wire import messages as wire

ROOT = development_root_certificate()
"""Of simulated SGX and TDX."""


def collateral() -> bytes:
    return CollateralRecipe().build(NOW - 60).to_json().encode()


class Platform:
    """A simulated machine with an enclave over its own store; a TDX guest unless ``make`` makes another."""

    def __init__(
        self,
        folder: Path,
        name: str,
        salt: bytes = b"",
        make: Callable[[Path, bytes], Driver] | None = None,
    ) -> None:
        self.state = folder / name
        self.state.mkdir(mode=0o700)
        self.driver = (
            make(self.state, salt) if make else emulated_tdx(self.state, measurement_salt=salt)
        )
        self.path = self.state / "keys.sqlite"

    def open(self) -> Enclave:
        if not self.path.exists():
            give_birth(lambda c, w: SqliteRows.create(self.path, c, w), self.driver, NOW)
        return Enclave(SealedStore.open(SqliteRows.open(self.path), self.driver), self.driver)

    @property
    def workload(self) -> str:
        quote = self.driver.quote(bytes(64))
        own = claimed(self.driver.tee, quote, bytes(32), bytes(32), bytes(16))
        return workload_of_attestation(own).hex()

    @property
    def ways_in(self) -> int:
        """How many platforms the store opens on."""
        rows = SqliteRows.open(self.path)
        try:
            return len(rows.wraps())
        finally:
            rows.close()


def approve(
    enclave: Enclave,
    *workloads: str,
    roots: tuple[bytes, ...] = (ROOT,),
    floors: tuple[TcbFloor, ...] = (),
) -> None:
    present = enclave._parts.policy.policy
    rules = StoreRules(
        successors=workloads,
        roots=tuple(hashlib.sha256(root).hexdigest() for root in roots),
        tcb_floors=floors,
    )
    policy = msgspec.structs.replace(present, version=present.version + 1, store=rules)
    enclave.handle(wire.ApplyPolicy(document=encode_policy(policy)), NOW)


@contextmanager
def predecessor(
    folder: Path,
    platform: Platform,
    successor: Platform,
    *,
    roots: tuple[bytes, ...] = (ROOT,),
    floors: tuple[TcbFloor, ...] = (),
) -> Iterator[Path]:
    """The old enclave, on a socket, with a policy that approves the successor."""

    def make(path: Path) -> Enclave:
        enclave = platform.open()
        allow_backups(enclave)
        approve(enclave, successor.workload, roots=roots, floors=floors)
        return enclave

    with serving(folder, Limits(), make) as path:
        yield path


def receive(
    path: Path, successor: Platform, root: bytes = ROOT, predecessor_root: bytes = b""
) -> str:
    return receive_store(
        path, successor.driver, root, collateral(), NOW, predecessor_root=predecessor_root
    )
