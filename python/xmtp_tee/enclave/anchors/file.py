"""An anchor in a file: epoch and chain, replaced as a whole."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Final

from xmtp_tee.attestation.json_text import load_json
from xmtp_tee.enclave.integrity.history import CHAIN_SIZE, Point
from xmtp_tee.wire.store_faults import AnchorUnavailableError, StoreForkedError

_FORMAT: Final = 1


class FileAnchor:
    """See :class:`xmtp_tee.enclave.anchors.Anchor`. One store, one file."""

    name = "file"

    def __init__(self, path: Path) -> None:
        """Use the file at ``path``; it need not be there yet."""
        self._path = path

    def latest(self, store_id: bytes) -> Point | None:
        """See Anchor.

        :raises StoreForkedError: if it is another store's
        """
        try:
            document = load_json(self._path.read_text(encoding="utf-8"))
            found = bytes.fromhex(document["store_id"])
            point = Point(int(document["epoch"]), bytes.fromhex(document["chain"]))
            if document["format"] != _FORMAT or len(point.chain) != CHAIN_SIZE or point.epoch < 1:
                raise ValueError("no anchor")
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
            raise AnchorUnavailableError(
                "The freshness anchor cannot be read", got=f"{self._path}: {type(error).__name__}"
            ) from None
        if found != store_id:
            raise StoreForkedError(
                "The freshness anchor is another store's",
                got=found.hex(),
                expected=store_id.hex(),
                cause="the store was exchanged, or the anchor was",
            )
        return point

    def advance(self, store_id: bytes, point: Point) -> None:
        """See Anchor."""
        document = {
            "format": _FORMAT,
            "store_id": store_id.hex(),
            "epoch": point.epoch,
            "chain": point.chain.hex(),
        }
        draft = self._path.with_name(self._path.name + ".new")
        try:
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(document, file)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self._path)
            folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise AnchorUnavailableError(
                "The freshness anchor cannot be kept", got=self._path, cause=error.strerror
            ) from None
