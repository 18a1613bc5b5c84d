"""Ed25519 signers that stay open between requests, because opening one costs more than a signature."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Final

from xmtp_tee.enclave.private_keys import Ed25519Signer
from xmtp_tee.enclave.records import KeyRecord

_KEPT: Final = 256


class KeptSigners:
    """At most 256, the least used closed first. A signer that is closed has overwritten its key. Not thread-safe."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, tuple[KeyRecord, Ed25519Signer]] = OrderedDict()

    def signer(
        self, record: KeyRecord, secret: Callable[[KeyRecord], AbstractContextManager[bytearray]]
    ) -> Ed25519Signer:
        """Return the signer of a key, opened by the private half that ``secret`` lends unless it is kept."""
        kept = self._kept.get(record.id)
        if kept is not None and kept[0] is record:
            self._kept.move_to_end(record.id)
            return kept[1]
        self.forget((record.id,))
        with secret(record) as seed:
            signer = Ed25519Signer(seed)
        self._kept[record.id] = (record, signer)
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)[1][1].close()
        return signer

    def forget(self, key_ids: Iterable[str]) -> None:
        """Close the signers of these keys."""
        for key_id in key_ids:
            if (kept := self._kept.pop(key_id, None)) is not None:
                kept[1].close()

    def forget_all(self) -> None:
        """Close every signer."""
        self.forget(tuple(self._kept))
