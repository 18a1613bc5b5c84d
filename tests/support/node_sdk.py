"""The official XMTP SDK for Node as a peer in tests: a process that runs ``tests/node_sdk/driver.mjs``."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

FOLDER = Path(__file__).resolve().parent.parent / "node_sdk"


def require_node_sdk() -> str:
    """The path of node, or a skip where node or the SDK is not installed."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    if not (FOLDER / "node_modules" / "@xmtp" / "node-sdk").is_dir():
        pytest.skip("the XMTP node SDK is not installed: make peers")
    return node


class NodePeer:
    """One installation of the official SDK. ``signer`` answers what its wallet is asked to sign."""

    def __init__(
        self, url: str, address: str, signer: Callable[[str], bytes], database: Path
    ) -> None:
        self._signer = signer
        self._next = 0
        self._process = subprocess.Popen(
            [require_node_sdk(), str(FOLDER / "driver.mjs")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            answer = self.do("connect", url=url, address=address, database=str(database))
        except BaseException:
            self.close()
            raise
        self.inbox_id: str = answer["inboxId"]
        self.installation_id = bytes.fromhex(answer["installationId"])

    def do(self, command: str, **arguments: object) -> Any:
        """Have the SDK do something; answer its signature requests meanwhile."""
        self._next += 1
        self._say({"id": self._next, "do": command, **arguments})
        while True:
            answer = self._listen()
            if "sign" in answer:
                self._say({"signature": self._signer(answer["sign"]).hex()})
                continue
            if "error" in answer:
                raise RuntimeError(answer["error"])
            return answer["value"]

    def close(self) -> None:
        """End the process."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.terminate()
        self._process.wait(10)
        if self._process.stdout is not None:
            self._process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _say(self, message: dict[str, object]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()

    def _listen(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            # The SDK's own logger may write to stdout too.
            if line.startswith("{") and line.rstrip().endswith("}"):
                message = json.loads(line)
                if {"id", "sign"} & message.keys():
                    return dict(message)
        raise RuntimeError("the node process ended")
