"""The programs that the demonstration starts: anvil, the deployment script, the enclave. All are stopped."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

from xmtp_tee.errors import UnavailableError, UsageError

# A cold start compiles the contracts with an emscripten solc.
DEPLOY_SECONDS = 600.0
START_SECONDS = 20.0


class NotACheckout(UsageError):
    """The demonstration needs the repository: contracts, scripts and the node tools."""

    code = "demo.not-a-checkout"


class ProcessFailed(UnavailableError):
    """A program did not start, or stopped with an error."""

    code = "demo.process-failed"


def checkout() -> Path:
    """Return the repository's folder: the current one, or the one this package is linked from."""
    for folder in (Path.cwd(), *Path(__file__).resolve().parents):
        if (folder / "ape-config.yaml").is_file() and (folder / "scripts" / "deploy.py").is_file():
            return folder
    raise NotACheckout(
        "the demonstration runs in the project's checkout",
        got=Path.cwd(),
        expected="a folder with ape-config.yaml and scripts/deploy.py",
        next_command="make demo",
    )


def environment(root: Path) -> dict[str, str]:
    """Return the environment that the Makefile sets, for calls that do not come through make."""
    tools = f"{root / '.tools' / 'bin'}{os.pathsep}{Path(sys.executable).parent}"
    return os.environ | {
        "PATH": f"{tools}{os.pathsep}{os.environ.get('PATH', '')}",
        "SOLCX_BINARY_PATH": os.environ.get("SOLCX_BINARY_PATH", str(root / ".tools" / "solcx")),
        "APE_DATA_FOLDER": os.environ.get("APE_DATA_FOLDER", str(root / ".build" / "ape")),
    }


def free_port() -> int:
    """Return a TCP port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Process:
    """A child process whose talk goes into a log file; stopped on exit, whatever happened."""

    def __init__(
        self, name: str, command: Sequence[str], log: Path, env: dict[str, str] | None = None
    ) -> None:
        self.name = name
        self._command = list(command)
        self._log = log
        self._env = env
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Process:
        with self._log.open("wb") as log:
            # Its own session: Ctrl-C reaches us alone, and we stop it in order.
            self._child = subprocess.Popen(  # noqa: S603 - a fixed command, no shell
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._env,
                start_new_session=True,
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The process id, 0 before the start."""
        return 0 if self._child is None else self._child.pid

    def stop(self) -> None:
        """Ask it to stop, wait, and kill it if it does not."""
        child, self._child = self._child, None
        if child is None:
            return
        child.terminate()
        try:
            child.wait(timeout=5)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

    def wait_until(self, ready: Callable[[], bool], seconds: float = START_SECONDS) -> None:
        """Wait until ``ready`` says yes; raise if the process ends or the time is up."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self._child is None or self._child.poll() is not None:
                break
            if ready():
                return
            time.sleep(0.05)
        raise ProcessFailed(
            f"{self.name} did not start", got=tail(self._log), expected=f"ready in {seconds:.0f} s"
        )


def anvil(root: Path, port: int, log: Path) -> Process:
    """Return anvil under hardfork osaka, which has P256VERIFY; not started yet."""
    path = environment(root)["PATH"]
    program = shutil.which("anvil", path=path)
    if program is None:
        raise UsageError("anvil is not installed", next_command="make setup")
    command = [program, "--hardfork", "osaka", "--port", str(port), "--enable-tx-gas-limit"]
    return Process("anvil", command, log)


def enclave(root: Path, folder: Path, *tees: str) -> Process:
    """Return the enclave under the simulator, which stands for ``tees`` (TDX unless given); not started yet."""
    command = [
        *(sys.executable, "-m", "xmtp_tee.cli", "enclave", "run", "--driver", "simulator"),
        *(word for tee in tees or ("tdx",) for word in ("--tee", tee)),
        *("--socket", str(folder / "enclave.sock"), "--state-dir", str(folder / "enclave")),
        "--unsafe-simulate-on-hardware",
    ]
    return Process("the enclave", command, folder / "enclave.log", environment(root))


def run_script(root: Path, arguments: Sequence[str], rpc_url: str, log: Path) -> None:
    """Run ``ape run ...`` against a running anvil and wait for it."""
    env = environment(root) | {"APE_FOUNDRY_HOST": rpc_url}
    program = shutil.which("ape", path=env["PATH"])
    if program is None:
        raise UsageError("ape is not installed", next_command="make setup")
    command = [program, "run", *arguments]
    with log.open("wb") as output:
        child = subprocess.Popen(  # noqa: S603 - a fixed command, no shell
            command,
            cwd=root,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = child.wait(timeout=DEPLOY_SECONDS)
        except subprocess.TimeoutExpired:
            code = -signal.SIGKILL
        finally:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
    if code != 0:
        raise ProcessFailed(
            f"ape run {arguments[0]} failed", got=tail(log), expected=f"exit code 0, not {code}"
        )


def tail(log: Path, lines: int = 12) -> str:
    """Return the end of a log file."""
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "no output"
    return "\n".join(text.splitlines()[-lines:]) or "no output"
