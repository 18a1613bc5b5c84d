"""Client receipts: a client remembers the latest state of a store that its enclave has signed, and
refuses one that went back.

Whoever holds a receipt notices a roll-back or a fork of the store behind it, whatever the host does:
the enclave proves, from its own history, that the state which the receipt names lies behind the
present one.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from xmtp_tee.attestation.freshness import FreshnessStatement
from xmtp_tee.attestation.json_text import load_json
from xmtp_tee.attestation.statements import require_signed_by
from xmtp_tee.client.errors import EnclaveMismatchError, ReceiptsUnreadableError
from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.store_faults import StoreForkedError, StoreRolledBackError

_FORMAT: Final = 1
Ask = Callable[[wire.GetFreshness], wire.Freshness]


@dataclass(frozen=True, slots=True)
class StateReceipt:
    """The store ``store_id`` of ``authority`` was at ``epoch``, with ``chain``. Bytes in hex."""

    authority: str
    store_id: str
    epoch: int
    chain: str


class ReceiptBook:
    """The receipts of a client, in a JSON file of mode 0600 that is replaced as a whole.

    WARNING: it protects whoever keeps it out of the host's reach.
    """

    def __init__(self, path: Path) -> None:
        """Use the file at ``path``; it need not be there yet.

        :raises ReceiptsUnreadableError: if it is there and is none of ours
        """
        self._path = path
        self._receipts = self._read()

    def latest(self, authority: bytes) -> StateReceipt | None:
        """Return the receipt of an authority (20 bytes), if there is one."""
        return self._receipts.get(authority.hex())

    def check(self, authority: bytes, store_id: str, ask: Ask) -> StateReceipt:
        """Have the enclave prove that its store has not gone back, and keep the new receipt.

        :raises StoreRolledBackError: if the store is older than the receipt
        :raises StoreForkedError: if it descends from another past
        :raises CertificateSignerMismatchError: if the answer is not the authority's
        """
        known = self.latest(authority)
        if known is not None and known.store_id != store_id:
            raise StoreForkedError(
                "The authority has another store than before", got=store_id, expected=known.store_id
            )
        earlier = None if known is None else (known.epoch, bytes.fromhex(known.chain))
        answer = proven(authority, store_id, earlier, ask)
        receipt = StateReceipt(authority.hex(), store_id, answer.epoch, answer.chain.hex())
        if receipt != known:
            self._receipts[authority.hex()] = receipt
            self._write()
        return receipt

    def _read(self) -> dict[str, StateReceipt]:
        try:
            document = load_json(self._path.read_text(encoding="utf-8"))
            if document["format"] != _FORMAT:
                raise ValueError("another format")
            receipts = [StateReceipt(**each) for each in document["receipts"]]
            for each in receipts:
                if len(bytes.fromhex(each.chain)) != 32 or each.epoch < 0:
                    raise ValueError("no receipt")
            return {each.authority: each for each in receipts}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError) as error:
            # Starting anew would forget what has been seen, which is what an attacker wants.
            raise ReceiptsUnreadableError(
                "The client's receipts cannot be read", got=f"{self._path}: {type(error).__name__}"
            ) from None

    def _write(self) -> None:
        document = {"format": _FORMAT, "receipts": [asdict(r) for r in self._receipts.values()]}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=self._path.parent, prefix=self._path.name)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(document, file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(self._path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


def proven(
    authority: bytes, store_id: str, earlier: tuple[int, bytes] | None, ask: Ask
) -> wire.Freshness:
    """Return the enclave's signed state, which descends from ``earlier`` (epoch, chain).

    The chain may be cut to 24 bytes, as the FreshnessAnchor contract keeps it.

    :raises StoreRolledBackError: if the store is older
    :raises StoreForkedError: if it descends from another past
    :raises CertificateSignerMismatchError: if the answer is not the authority's
    :raises EnclaveMismatchError: if it answers another question
    """
    nonce = os.urandom(32)
    epoch, chain = earlier or (0, b"")
    answer = ask(wire.GetFreshness(nonce=nonce, since=epoch))
    statement = FreshnessStatement(
        store_id=answer.store_id,
        epoch=answer.epoch,
        chain=answer.chain,
        since=answer.since,
        since_chain=answer.since_chain,
        nonce=answer.nonce,
    )
    require_signed_by(statement.digest(), answer.signature, authority)
    if (answer.nonce, answer.since, answer.store_id.hex()) != (nonce, epoch, store_id):
        raise EnclaveMismatchError("The enclave's freshness answers another question")
    if answer.epoch < epoch:
        raise StoreRolledBackError(
            "The store is older than it has been",
            got=f"epoch {answer.epoch}",
            expected=f"at least epoch {epoch}",
        )
    if earlier is not None and answer.since_chain[: len(chain)] != chain:
        raise StoreForkedError(
            "The store descends from another past than the one that is known",
            got=f"another state at epoch {epoch}",
        )
    return answer
