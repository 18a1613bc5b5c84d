"""configfs-tsm: how Linux (from 6.7 on) gives a confidential VM its report, whichever vendor's.

Source: Documentation/ABI/testing/configfs-tsm. A folder is a request: 64 bytes go into ``inblob``, the report comes out
of ``outblob``, and ``generation`` counts the writes, so that two processes in one folder notice each other. Every
request gets a folder of its own here, and generation is checked all the same.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from xmtp_tee.assurance import AssuranceLevel
from xmtp_tee.attestation.drivers.device import device_error, retrying
from xmtp_tee.attestation.errors import DeviceError

TSM_FOLDER: Final = Path("/sys/kernel/config/tsm/report")
INBLOB_SIZE: Final = 64
MAX_OUTBLOB_SIZE: Final = 32_768


class TsmTransport(Protocol):
    """Something that behaves like the folder. All methods raise OSError as the kernel does."""

    @property
    def assurance(self) -> AssuranceLevel:
        """The most that may be claimed of its reports."""
        ...

    def make(self, name: str) -> None:
        """Make the folder of a request."""
        ...

    def remove(self, name: str) -> None:
        """Remove it."""
        ...

    def read(self, name: str, attribute: str) -> bytes:
        """Read an attribute to its end."""
        ...

    def write(self, name: str, attribute: str, data: bytes) -> None:
        """Write an attribute in one piece."""
        ...


class TsmFolder:
    """The real folder."""

    def __init__(self, folder: Path = TSM_FOLDER) -> None:
        self._folder = folder

    @property
    def assurance(self) -> AssuranceLevel:
        """``cvm``: the whole machine is measured."""
        return AssuranceLevel.CVM

    def make(self, name: str) -> None:
        """Make the folder of a request."""
        (self._folder / name).mkdir(mode=0o700)

    def remove(self, name: str) -> None:
        """Remove it; the kernel takes the attributes with it."""
        (self._folder / name).rmdir()

    def read(self, name: str, attribute: str) -> bytes:
        """Read an attribute to its end, or to one byte more than a report can have."""
        with (self._folder / name / attribute).open("rb", buffering=0) as file:
            content = b""
            while len(content) <= MAX_OUTBLOB_SIZE and (part := file.read(MAX_OUTBLOB_SIZE + 1)):
                content += part
        return content

    def write(self, name: str, attribute: str, data: bytes) -> None:
        """Write an attribute in one system call: the kernel takes a blob only whole."""
        # Neither created nor truncated: configfs made the attribute. It hands the data on when the file is closed and
        # tells nobody of a refusal, which generation then shows.
        descriptor = os.open(self._folder / name / attribute, os.O_WRONLY | os.O_CLOEXEC)
        try:
            if os.write(descriptor, data) != len(data):
                raise OSError(errno.EIO, "the kernel took a part only", attribute)
        finally:
            os.close(descriptor)


@dataclass(frozen=True, slots=True)
class TsmReport:
    """What one request gave: the report, and what the host put beside it (empty where there is nothing)."""

    outblob: bytes = field(repr=False)
    auxblob: bytes = field(repr=False)


def request_report(
    transport: TsmTransport,
    report_data: bytes,
    provider: str,
    name: str,
    pause: Callable[[float], None],
) -> TsmReport:
    """Return a report over 64 bytes, from a folder ``name`` that is made for it and removed.

    ``provider`` is what the kernel must name (``sev_guest``, ``tdx_guest``). A busy kernel is asked again, a few times.

    :raises DeviceError: the interface is absent, another provider's, stays busy or gives an empty report, or somebody
        else wrote into the folder
    """
    try:
        transport.make(name)
    except OSError as error:
        raise device_error("Making a request under configfs-tsm", error) from error
    try:
        return _request(transport, report_data, provider, name, pause)
    finally:
        # What is left behind is an empty folder, and the request's outcome matters more.
        with contextlib.suppress(OSError):
            transport.remove(name)


def _request(
    transport: TsmTransport,
    report_data: bytes,
    provider: str,
    name: str,
    pause: Callable[[float], None],
) -> TsmReport:
    def read(attribute: str) -> bytes:
        return retrying(f"Reading {attribute}", lambda: transport.read(name, attribute), pause)

    def write(attribute: str, data: bytes) -> None:
        def step() -> bytes:
            transport.write(name, attribute, data)
            return b""

        retrying(f"Writing {attribute}", step, pause)

    got = read("provider").decode(errors="replace").strip()
    if got != provider:
        raise DeviceError("The kernel has another TEE's driver.", got=got[:40], expected=provider)
    floor = _optional(transport, name, "privlevel_floor", pause).strip()
    if floor not in (b"", b"0"):
        # The guest runs below VMPL 0, and the kernel refuses requests above its own level.
        write("privlevel", floor)
    before = _generation(read("generation"))
    write("inblob", report_data)
    outblob = read("outblob")
    auxblob = _optional(transport, name, "auxblob", pause)
    after = _generation(read("generation"))
    if after != before + 1:
        raise DeviceError(
            "Somebody else wrote into this request.", got=after, expected=f"generation {before + 1}"
        )
    if not 0 < len(outblob) <= MAX_OUTBLOB_SIZE or len(auxblob) > MAX_OUTBLOB_SIZE:
        raise DeviceError("The kernel gave no report.", got=f"{len(outblob)} bytes, and no error")
    return TsmReport(outblob, auxblob)


def _generation(text: bytes) -> int:
    if not text.strip().isdigit():
        raise DeviceError("The kernel's generation is no number.", got=repr(text)[:40])
    return int(text)


def _optional(
    transport: TsmTransport, name: str, attribute: str, pause: Callable[[float], None]
) -> bytes:
    """Return an attribute that not every provider has, empty where there is none."""
    try:
        return retrying(f"Reading {attribute}", lambda: transport.read(name, attribute), pause)
    except DeviceError:
        return b""
