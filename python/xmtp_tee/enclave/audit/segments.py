"""Where the sealed log lies: files that grow at their end, or memory for an enclave without a disk.

A segment is a head (magic, log id, first counter; in clear, because it is only a place) and frames: a
4-byte length and that many sealed bytes each. What they say is the log's affair.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Protocol

from xmtp_tee.wire.refusals import AuditTamperedError, AuditUnavailableError

MAGIC: Final = b"XTAUDIT\x01"
HEAD_SIZE: Final = len(MAGIC) + 16 + 8
_NAME: Final = re.compile(r"([0-9a-f]{16})\.audit")


class Segments(Protocol):
    """Segments by the counter of their first entry, ascending."""

    def firsts(self) -> list[int]:
        """Return the first counters."""

    def log_id(self) -> bytes | None:
        """Return the id of the log that lies here, or None if there is none."""

    def frames(self, first: int) -> Iterator[bytes]:
        """Yield a segment's frames; one that was cut off at the end of the last segment is
        dropped.
        """

    def begin(self, log_id: bytes, first: int) -> None:
        """Begin a segment; what follows is appended there."""

    def append(self, frame: bytes) -> int:
        """Append a frame to the newest segment, whole or not at all; return the segment's size."""

    def sync(self) -> None:
        """Return once everything is on disk."""

    def close(self) -> None:
        """Let go of the files."""


class MemorySegments:
    """A log that goes with the process."""

    def __init__(self) -> None:
        self._segments: dict[int, list[bytes]] = {}
        self._log_id: bytes | None = None
        self._size = 0

    def firsts(self) -> list[int]:
        """See Segments."""
        return list(self._segments)

    def log_id(self) -> bytes | None:
        """See Segments."""
        return self._log_id

    def frames(self, first: int) -> Iterator[bytes]:
        """See Segments."""
        yield from list(self._segments[first])

    def begin(self, log_id: bytes, first: int) -> None:
        """See Segments."""
        self._log_id = log_id
        self._segments[first] = []
        self._size = 0
        # Memory is bounded; a log that is to be kept lies on a disk.
        while len(self._segments) > 4:
            del self._segments[next(iter(self._segments))]

    def append(self, frame: bytes) -> int:
        """See Segments."""
        self._segments[next(reversed(self._segments))].append(frame)
        self._size += len(frame)
        return self._size

    def sync(self) -> None:
        """See Segments."""

    def close(self) -> None:
        """See Segments."""


class FileSegments:
    """A log in a folder of its own, mode 0700."""

    def __init__(self, folder: Path) -> None:
        """Use the folder, made if need be.

        :raises AuditUnavailableError: if it cannot be made or read
        """
        self._folder = folder
        self._descriptor: int | None = None
        self._size = 0
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            self._newest_whole()
        except OSError as error:
            raise _unavailable(error) from error

    def firsts(self) -> list[int]:
        """See Segments."""
        names = (_NAME.fullmatch(path.name) for path in self._folder.iterdir())
        return sorted(int(found[1], 16) for found in names if found)

    def log_id(self) -> bytes | None:
        """See Segments."""
        firsts = self.firsts()
        return self._head(firsts[-1]) if firsts else None

    def frames(self, first: int) -> Iterator[bytes]:
        """See Segments."""
        if self._head(first) != self.log_id():
            raise AuditTamperedError("A segment of another audit log", got=self._path(first).name)
        data = self._path(first).read_bytes()
        at = HEAD_SIZE
        while at < len(data):
            end = at + 4 + int.from_bytes(data[at : at + 4], "big")
            if end > len(data):
                raise AuditTamperedError(
                    "The audit log was cut inside a segment", got=self._path(first).name
                )
            yield data[at + 4 : end]
            at = end

    def begin(self, log_id: bytes, first: int) -> None:
        """See Segments."""
        head = MAGIC + log_id + first.to_bytes(8, "big")
        try:
            if self._descriptor is not None:
                os.close(self._descriptor)
                self._descriptor = None
            draft = self._path(first).with_suffix(".draft")
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            try:
                with open(os.open(draft, flags, 0o600), "wb") as file:  # noqa: PTH123
                    file.write(head)
                    file.flush()
                    os.fsync(file.fileno())
                draft.rename(self._path(first))
            except OSError:
                draft.unlink(missing_ok=True)
                raise
            self._open(first)
            self._sync_folder()
        except OSError as error:
            raise _unavailable(error) from error

    def append(self, frame: bytes) -> int:
        """See Segments."""
        try:
            if self._descriptor is None:
                self._open(self.firsts()[-1])
            data = len(frame).to_bytes(4, "big") + frame
            written = os.write(self._require(), data)
            if written != len(data):
                raise OSError(28, "No space left on device")
        except OSError as error:
            self._undo()
            raise _unavailable(error) from error
        self._size += len(data)
        return self._size

    def sync(self) -> None:
        """See Segments."""
        if self._descriptor is not None:
            try:
                os.fdatasync(self._descriptor)
            except OSError as error:
                raise _unavailable(error) from error

    def close(self) -> None:
        """See Segments."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _undo(self) -> None:
        """Cut off what a failed write left, so that the next one begins at a frame's border."""
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, self._size)

    def _open(self, first: int) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        self._descriptor = os.open(self._path(first), flags)
        self._size = os.fstat(self._descriptor).st_size

    def _require(self) -> int:
        if self._descriptor is None:
            raise OSError(9, "no segment is open")
        return self._descriptor

    def _newest_whole(self) -> None:
        """Cut off a last frame whose write was interrupted, or drop a last segment that has not even
        its head: nothing in them was ever answered.
        """
        for draft in self._folder.glob("*.draft"):
            draft.unlink()
        firsts = self.firsts()
        if firsts and self._path(firsts[-1]).stat().st_size < HEAD_SIZE:
            self._path(firsts.pop()).unlink()
            self._sync_folder()
        if not firsts:
            return
        path = self._path(firsts[-1])
        size, at = path.stat().st_size, HEAD_SIZE
        with path.open("rb") as file:
            while at < size:
                file.seek(at)
                end = at + 4 + int.from_bytes(file.read(4), "big")
                if end > size:
                    os.truncate(path, at)
                    return
                at = end

    def _head(self, first: int) -> bytes:
        with self._path(first).open("rb") as file:
            head = file.read(HEAD_SIZE)
        if not head.startswith(MAGIC) or head[-8:] != first.to_bytes(8, "big"):
            raise AuditTamperedError(
                "A file is no segment of an audit log", got=self._path(first).name
            )
        return head[len(MAGIC) : -8]

    def _path(self, first: int) -> Path:
        return self._folder / f"{first:016x}.audit"

    def _sync_folder(self) -> None:
        descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _unavailable(error: OSError) -> AuditUnavailableError:
    return AuditUnavailableError(
        "The audit log cannot be written",
        got=error.strerror,
        cause="the disk is full or read-only, or the folder is gone",
    )
