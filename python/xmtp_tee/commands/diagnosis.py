"""What ``doctor`` looks at, in the order in which one thing needs another."""

from __future__ import annotations

import json
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from xmtp_tee.commands import devices
from xmtp_tee.commands.config import Settings
from xmtp_tee.errors import XmtpTeeError
from xmtp_tee.verdict import CheckResult

if TYPE_CHECKING:
    from xmtp_tee.commands.console import Console
    from xmtp_tee.commands.options import ChainChoice

PASS, WARN, FAIL, NOT_CHECKED = (
    CheckResult.PASS,
    CheckResult.WARN,
    CheckResult.FAIL,
    CheckResult.NOT_CHECKED,
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the diagnosis; ``advice`` says what to do when it is no pass."""

    name: str
    result: CheckResult
    got: str
    advice: str = ""

    def as_dict(self) -> dict[str, str]:
        """Return the finding as ``--json`` prints it."""
        return {
            "name": self.name,
            "result": self.result.value,
            "got": self.got,
            "advice": self.advice,
        }


def examine(socket: Path | None, where: ChainChoice, console: Console) -> Iterator[Finding]:
    """Yield the findings, each as soon as it is known."""
    settings = Settings()
    yield _python()
    yield from (_tool(name, needed_for) for name, needed_for in _TOOLS.items())
    configuration = _configuration(settings)
    yield configuration
    yield _devices()
    yield from _hygiene()
    if configuration.result is FAIL:
        for name in ("enclave socket", "enclave answers", "chain", "deployment"):
            yield Finding(name, NOT_CHECKED, "the configuration cannot be read")
        return
    yield from _enclave(Path(settings.require("socket", socket)))
    with console.progress("loading the chain client"):
        from xmtp_tee.commands import diagnosis_chain

    yield from diagnosis_chain.examine(settings, where)


_TOOLS = {
    "node": "the contracts' compiler",
    "anvil": "the demonstration and the tests",
    "forge": "the contracts' tests",
}


def _python() -> Finding:
    version = ".".join(str(part) for part in sys.version_info[:3])
    fits = (3, 11) <= sys.version_info[:2] < (3, 13)
    return Finding("python", PASS if fits else FAIL, version, "install Python 3.11 or 3.12")


def _tool(name: str, needed_for: str) -> Finding:
    path = shutil.which(name)
    if path is None:
        beside = Path(sys.prefix).parent / ".tools" / "bin" / name
        path = str(beside) if beside.exists() else None
    if path is None:
        return Finding(name, WARN, "not found", f"needed for {needed_for} alone: make setup")
    try:
        answer = subprocess.run(  # noqa: S603 - the path comes from PATH, no shell
            [path, "--version"], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        return Finding(name, FAIL, f"{path} does not run: {type(error).__name__}", "make setup")
    return Finding(name, PASS, answer.stdout.splitlines()[0] if answer.stdout else "no version")


def _configuration(settings: Settings) -> Finding:
    try:
        sources = [
            f"{name} ({found.source})"
            for name in ("rpc-url", "deployment", "socket", "keystore")
            if (found := settings.find(name)) is not None and found.source != "default"
        ]
    except XmtpTeeError as error:
        return Finding("configuration", FAIL, str(error), f"correct {settings.path}")
    return Finding("configuration", PASS, ", ".join(sources) or "defaults alone")


def _devices() -> Finding:
    from xmtp_tee.enclave.config import DRIVERS

    found = devices.tees_here()
    if not found:
        return Finding(
            "driver devices",
            WARN,
            "no TEE here",
            "only the simulator driver can run, whose evidence is for development",
        )
    usable = any(tee in DRIVERS for tee in found)
    return Finding(
        "driver devices",
        PASS if usable else WARN,
        devices.in_words(found, DRIVERS),
        "this TEE's evidence can be verified, and `xmtp-tee enclave run` cannot make it",
    )


def _hygiene() -> Iterator[Finding]:
    """What of the enclave's hygiene takes effect on this machine: tried in a process of its own."""
    from xmtp_tee.enclave.hygiene import MEASURES

    try:
        answer = subprocess.run(
            [sys.executable, "-m", "xmtp_tee.enclave.hygiene"],
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
        active = dict(json.loads(answer.stdout))
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        yield Finding("enclave hygiene", FAIL, f"cannot be tried: {type(error).__name__}")
        return
    for name, meaning in MEASURES.items():
        yield Finding(
            name,
            PASS if active.get(name) else WARN,
            meaning if active.get(name) else f"not active: {meaning}",
            "the kernel or its limits do not allow it; the enclave runs without it and says so",
        )


def _enclave(socket: Path) -> Iterator[Finding]:
    try:
        mode = socket.stat().st_mode
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        yield Finding(
            "enclave socket",
            WARN if isinstance(error, FileNotFoundError) else FAIL,
            f"{socket}: {reason}",
            "xmtp-tee enclave run, or pass --socket",
        )
        yield Finding("enclave answers", NOT_CHECKED, "there is no socket")
        return
    if not stat.S_ISSOCK(mode):
        yield Finding("enclave socket", FAIL, f"{socket} is not a socket", "pass --socket")
        yield Finding("enclave answers", NOT_CHECKED, "there is no socket")
        return
    open_to_others = stat.S_IMODE(mode) & 0o077
    yield Finding(
        "enclave socket",
        FAIL if open_to_others else PASS,
        f"{socket}, mode {stat.S_IMODE(mode):04o}",
        f"others may use the keys: chmod 0600 {socket}",
    )
    yield _answers(socket)


def _answers(socket: Path) -> Finding:
    from xmtp_tee.client.key_manager import KeyManager

    start = time.monotonic()
    try:
        with KeyManager(socket, timeout=5.0) as keys:
            info = keys.info()
    except XmtpTeeError as error:
        return Finding(
            "enclave answers", FAIL, str(error), error.next_command or "xmtp-tee enclave run"
        )
    took = (time.monotonic() - start) * 1000
    return Finding("enclave answers", PASS, f"{info.tee}, level {info.assurance}, in {took:.0f} ms")
