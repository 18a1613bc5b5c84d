"""A host that puts an older copy of the store back, or lets two copies go on: refused by the enclave that is
shown the chain's anchors, by its clients' receipts, and by everyone who compares it with the chain.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.enclave.support import EnclaveProcess
from tests.support.chain import ROOT
from tests.support.line import Line
from tests.support.world import STRANGER, World
from xmtp_tee.cli import main
from xmtp_tee.client.anchors import GAS_LIMIT, FreshnessAnchors
from xmtp_tee.client.key_manager import KeyManager

ROLLED_BACK, FORKED = "enclave.store-rolled-back", "enclave.store-forked"


@dataclass
class Host:
    """Who owns the machine: starts the enclave, copies its disk, puts copies back."""

    world: World
    folder: Path
    deployment: Path
    receipts: Path = field(init=False)
    owners: int = 0

    def __post_init__(self) -> None:
        self.receipts = self.folder / "receipts.json"

    def start(self, *options: str) -> EnclaveProcess:
        return EnclaveProcess(self.folder, *options)

    def refused_start(self, *options: str) -> tuple[int, dict[str, Any]]:
        """The exit code, and the error on the last line of the log."""
        process = EnclaveProcess(self.folder, *options, wait=False)
        code = process.process.wait(timeout=30)
        process.end()
        error: dict[str, Any] = json.loads(process.log.strip().splitlines()[-1])
        return code, error

    def copy(self, name: str) -> Path:
        return Path(shutil.copytree(self.folder / "state", self.folder / name, symlinks=True))

    def put_back(self, copy: Path) -> None:
        shutil.rmtree(self.folder / "state")
        shutil.copytree(copy, self.folder / "state", symlinks=True)

    def run(self, *arguments: str, **environment: str) -> tuple[int, dict[str, Any]]:
        """The exit code and the one JSON object of a command."""
        result = CliRunner(mix_stderr=False).invoke(
            main, [*arguments, "--json"], env=environment, catch_exceptions=False
        )
        answer: dict[str, Any] = json.loads(result.stdout)
        return result.exit_code, answer

    def on_chain(self, command: str, *more: str) -> tuple[int, dict[str, Any]]:
        return self.run(
            *("anchor", command, "--socket", str(self.socket)),
            *("--rpc-url", self.world.url, "--deployment", str(self.deployment), *more),
        )

    def submit(self) -> tuple[int, dict[str, Any]]:
        return self.on_chain("submit", "--node-account", self.world.senders[STRANGER].address)

    def check_receipts(self) -> tuple[int, dict[str, Any]]:
        return self.run("store", "check", str(self.receipts), "--socket", str(self.socket))

    def mutate(self) -> None:
        self.owners += 1
        owner = "0x" + self.owners.to_bytes(20, "big").hex()
        code, _ = self.run("keys", "new", owner, "--socket", str(self.socket))
        assert code == 0

    @property
    def socket(self) -> Path:
        return self.folder / "state" / "enclave.sock"

    def anchored(self, authority: str) -> int:
        newest = FreshnessAnchors(self.world.chain, self.world.deployment).latest(
            bytes.fromhex(authority.removeprefix("0x"))
        )
        return 0 if newest is None else newest.epoch


@pytest.fixture
def host(world: World) -> Iterator[Host]:
    folder = Path(tempfile.mkdtemp(prefix="xt-"))
    deployment = folder / "deployment.json"
    world.deployment.save(deployment)
    yield Host(world, folder, deployment)
    shutil.rmtree(folder)


@pytest.fixture
def seen(host: Host) -> tuple[Host, Path, Path]:
    """A store whose later state chain and client have seen, and a copy from before."""
    anchors = host.folder / "anchors.json"
    with host.start() as enclave:
        host.mutate()
        enclave.end(signal.SIGTERM)
    copy = host.copy("before")
    with host.start() as enclave:
        host.mutate()
        code, submitted = host.submit()
        assert (code, submitted["anchored"]) == (0, submitted["epoch"])
        assert 21_000 < submitted["gas"] < GAS_LIMIT
        code, shown = host.on_chain("show", "--save", str(anchors))
        assert (code, shown["anchored"], shown["anchors"]) == (0, submitted["epoch"], 1)
        assert host.check_receipts()[0] == 0
        enclave.end(signal.SIGTERM)
    return host, copy, anchors


def test_store_that_went_on_is_accepted_by_all(seen: tuple[Host, Path, Path]) -> None:
    host, _, anchors = seen
    with host.start("--known-states", str(anchors)):
        host.mutate()
        code, checked = host.on_chain("check")
        assert (code, checked["ahead"] > 0) == (0, True)
        assert host.check_receipts()[0] == 0


def test_store_put_back_is_refused_at_the_start_by_the_chains_anchors(
    seen: tuple[Host, Path, Path],
) -> None:
    host, copy, anchors = seen
    host.put_back(copy)
    code, error = host.refused_start("--known-states", str(anchors))
    assert (code, error["code"]) == (2, ROLLED_BACK)


def test_store_that_is_gone_is_not_begun_anew(seen: tuple[Host, Path, Path]) -> None:
    """Attack: no store at all is the oldest state of all."""
    host, _, anchors = seen
    (host.folder / "state" / "keys.sqlite").unlink()
    code, error = host.refused_start("--known-states", str(anchors))
    assert (code, error["code"]) == (1, "enclave.store-missing")
    assert not (host.folder / "state" / "keys.sqlite").exists()


@pytest.mark.parametrize("content", [None, "", "{}"])
def test_anchors_that_cannot_be_read_are_not_taken_for_none(
    seen: tuple[Host, Path, Path], content: str | None
) -> None:
    host, _, anchors = seen
    if content is None:
        anchors.unlink()
    else:
        anchors.write_text(content)
    code, error = host.refused_start("--known-states", str(anchors))
    assert (code, error["code"]) == (3, "enclave.anchor-unavailable")


def test_store_put_back_is_refused_by_receipts_and_by_the_chain(
    seen: tuple[Host, Path, Path],
) -> None:
    """Attack: the host shows the enclave no anchors."""
    host, copy, _ = seen
    host.put_back(copy)
    with host.start() as enclave:
        authority = enclave.ready["authority"]
        before = host.anchored(authority)
        for code, answer in (
            host.check_receipts(),
            host.on_chain("check"),
            host.submit(),
            host.run(
                *("keys", "list", "--socket", str(host.socket)),
                XMTP_TEE_STATE_RECEIPTS=str(host.receipts),
            ),
        ):
            assert (code, answer["error"]["code"]) == (2, ROLLED_BACK)
        assert host.anchored(authority) == before


def test_fork_is_refused_by_all_and_never_anchored(seen: tuple[Host, Path, Path]) -> None:
    host, copy, anchors = seen
    host.put_back(copy)
    with host.start() as enclave:
        authority = enclave.ready["authority"]
        before = host.anchored(authority)
        for _ in range(3):
            host.mutate()
        for code, answer in (host.check_receipts(), host.on_chain("check"), host.submit()):
            assert (code, answer["error"]["code"]) == (2, FORKED)
        assert host.anchored(authority) == before
        enclave.end(signal.SIGTERM)
    code, error = host.refused_start("--known-states", str(anchors))
    assert (code, error["code"]) == (2, FORKED)


def test_fork_that_the_host_anchors_itself_is_refused_by_the_older_anchor(
    seen: tuple[Host, Path, Path],
) -> None:
    """Attack: the other branch is further on, so the contract takes it; the newest anchor fits it."""
    host, copy, _ = seen
    host.put_back(copy)
    with host.start() as enclave:
        for _ in range(3):
            host.mutate()
        anchors = FreshnessAnchors(host.world.chain, host.world.deployment)
        with KeyManager(host.socket) as keys:
            signed = keys.sign_anchor(
                chain_id=host.world.deployment.chain_id, contract=anchors.address
            )
        anchors.submit(signed, host.world.senders[STRANGER])
        assert host.anchored(enclave.ready["authority"]) == signed.epoch
        code, answer = host.on_chain("check")
        assert (code, answer["error"]["code"]) == (2, FORKED)
        host.on_chain("show")
        enclave.end(signal.SIGTERM)
    saved = host.folder / "all.json"
    host.on_chain("show", enclave.ready["authority"], "--save", str(saved))
    code, error = host.refused_start("--known-states", str(saved))
    assert (code, error["code"]) == (2, FORKED)


def test_other_enclave_in_the_place_of_the_anchored_one_is_refused(
    seen: tuple[Host, Path, Path],
) -> None:
    """Attack: a new store has nothing to be put back behind."""
    host, _, anchors = seen
    authority = json.loads(anchors.read_text())["authority"]
    shutil.rmtree(host.folder / "state")
    with host.start():
        code, answer = host.on_chain("check", authority)
        assert (code, answer["error"]["code"]) == (2, FORKED)


def test_enclave_without_an_anchor_is_told_from_one_with(host: Host) -> None:
    with host.start():
        for command in ("show", "check"):
            code, answer = host.on_chain(command)
            assert (code, answer["error"]["code"]) == (2, "registry.anchor-missing")


# --- the service ----------------------------------------------------------------------------------


class Watch:
    """``xmtp-tee anchor watch`` as a process of its own, killed at the end."""

    def __init__(self, host: Host, url: str) -> None:
        self._log = host.folder / "watch.log"
        with self._log.open("w") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "xmtp_tee.cli", "anchor", "watch", "--json"),
                    *("--soon", "0", "--later", "0", "--interval", "0.2", "--rpc-url", url),
                    *("--deployment", str(host.deployment), "--socket", str(host.socket)),
                    *("--node-account", host.world.senders[STRANGER].address),
                ],
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=os.environ | {"HOME": str(host.folder)},
            )

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    @property
    def log(self) -> str:
        return self._log.read_text()

    def line(self) -> dict[str, Any]:
        """The next transaction that it tells of."""
        assert self.process.stdout is not None
        text = self.process.stdout.readline()
        assert text, self.log
        found: dict[str, Any] = json.loads(text)
        return found


def test_service_anchors_changes_survives_a_dead_node_and_never_holds_the_enclave_up(
    host: Host,
) -> None:
    with Line(host.world.url) as line, host.start() as enclave, Watch(host, line.url) as watch:
        first = watch.line()
        authority = first["authority"]
        assert authority == enclave.ready["authority"].lower()
        assert host.anchored(authority) == first["anchored"]
        line.cut()
        for _ in range(3):
            begin = time.monotonic()
            host.mutate()
            assert time.monotonic() - begin < 5
        deadline = time.monotonic() + 30
        while "chain.unavailable" not in watch.log:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert watch.process.poll() is None
        assert host.anchored(authority) == first["anchored"]
        line.mend()
        second = watch.line()
        # One call for all that came together: each owner's two keys are two changes.
        assert second["anchored"] >= first["anchored"] + 6
        assert host.anchored(authority) == second["anchored"]


def test_service_ends_loudly_when_the_store_is_put_back(host: Host) -> None:
    with host.start() as enclave:
        host.mutate()
        enclave.end(signal.SIGTERM)
    copy = host.copy("before")
    with host.start() as enclave, Watch(host, host.world.url) as watch:
        watch.line()
        host.mutate()
        watch.line()
        enclave.end(signal.SIGTERM)
        host.put_back(copy)
        with host.start():
            assert watch.process.wait(timeout=60) == 2
        assert watch.process.stdout is not None
        *_, last = watch.process.stdout
        assert json.loads(last)["error"]["code"] == ROLLED_BACK
