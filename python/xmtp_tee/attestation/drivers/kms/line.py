"""One HTTPS request over TCP or vsock. TLS ends inside the enclave: whoever relays it sees and changes nothing."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from xmtp_tee.attestation.errors import (
    FieldError,
    KeyServiceAnswerError,
    KeyServiceUnavailableError,
)

MAX_ANSWER: Final = 65_536
_TIMEOUT: Final = 15.0
_ADDRESS: Final = re.compile(r"(vsock|tcp):([A-Za-z0-9.-]{1,253}):([0-9]{1,10})")


@dataclass(frozen=True, slots=True)
class Line:
    """The way to a server that must prove to be ``host``.

    ``address``: ``tcp:HOST:PORT``, or ``vsock:CID:PORT`` (the parent instance's proxy: CID 3). ``authorities``: a PEM
    file of the roots to trust, by default the system's.
    """

    host: str
    address: str
    authorities: Path | None = None

    def __post_init__(self) -> None:
        match = _ADDRESS.fullmatch(self.address)
        if match is None or (match[1] == "vsock" and not match[2].isdigit()):
            raise FieldError(
                "This is no address.",
                got=self.address[:80],
                expected="tcp:HOST:PORT or vsock:CID:PORT",
            )

    @property
    def port(self) -> int | None:
        """The TCP port; None for vsock."""
        kind, _, port = self.address.split(":")
        return int(port) if kind == "tcp" else None

    def post(self, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        """Send one request to ``/``; return status and body (at most 64 KiB).

        :raises KeyServiceUnavailableError: nobody answers, or not as ``host``
        :raises KeyServiceAnswerError: what answers does not speak HTTP/1.1
        """
        lines = [f"{name}: {value}" for name, value in headers.items()]
        head = "\r\n".join(
            ["POST / HTTP/1.1", *lines, f"content-length: {len(body)}", "connection: close", "", ""]
        )
        try:
            context = ssl.create_default_context(cafile=self.authorities)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            with (
                self._connect() as plain,
                context.wrap_socket(plain, server_hostname=self.host) as secure,
            ):
                secure.sendall(head.encode("ascii") + body)
                answer = b""
                while len(answer) <= MAX_ANSWER and (part := secure.recv(MAX_ANSWER)):
                    answer += part
        except (OSError, ValueError) as error:
            reason = getattr(error, "verify_message", None) or getattr(error, "strerror", None)
            raise KeyServiceUnavailableError(
                "The key service does not answer.",
                got=f"{type(error).__name__}: {reason or ''}"[:200],
                expected=f"{self.host} by {self.address}",
            ) from None
        return _parsed(answer)

    def _connect(self) -> socket.socket:
        kind, host, port = self.address.split(":")
        if kind == "tcp":
            return socket.create_connection((host, int(port)), timeout=_TIMEOUT)
        made = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
        try:
            made.settimeout(_TIMEOUT)
            made.connect((int(host), int(port)))
        except BaseException:
            made.close()
            raise
        return made


def _parsed(answer: bytes) -> tuple[int, bytes]:
    head, found, body = answer.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    status = re.fullmatch(rb"HTTP/1\.1 ([0-9]{3})(?: .*)?", lines[0])
    lengths = [
        line.partition(b":")[2].strip()
        for line in lines[1:]
        if line.lower().startswith(b"content-length:")
    ]
    # A body in chunks is not read: KMS states its length.
    if not found or status is None or len(lengths) != 1 or lengths[0] != b"%d" % len(body):
        raise KeyServiceAnswerError(
            "The key service does not speak as expected.",
            got=repr(lines[0])[:80],
            expected=f"HTTP/1.1 with its length, at most {MAX_ANSWER} bytes",
        )
    return int(status[1]), body
