"""Receipts of operations: what an application keeps, and what anyone can verify later."""

from __future__ import annotations

import json
from dataclasses import dataclass

from xmtp_tee.attestation.address import checksum_address
from xmtp_tee.attestation.json_text import load_json
from xmtp_tee.attestation.statements import Receipt
from xmtp_tee.audit.entry import AuditEntry
from xmtp_tee.audit.verify import verify_receipt
from xmtp_tee.client.errors import EnclaveMismatchError
from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.refusals import ReceiptInvalidError

FORMAT = "xmtp-tee-receipt/1"


@dataclass(frozen=True, slots=True)
class OperationReceipt:
    """A receipt that was verified under ``authority`` (20 bytes). Whose authority that is, an
    enclave's attestation proves.
    """

    receipt: Receipt
    signature: bytes
    authority: bytes
    entry: AuditEntry

    @classmethod
    def of_answer(
        cls,
        enclave: wire.EnclaveDescription,
        asked: wire.Request,
        answer: wire.Reply | wire.Failure,
    ) -> OperationReceipt:
        """Return the receipt that came with an answer, verified to be about this very request and
        result.

        :raises EnclaveMismatchError: if none came
        :raises ReceiptInvalidError: if it is about something else
        :raises CertificateInvalidError: if the enclave's authority did not sign it
        """
        given = answer.receipt
        if given is None:
            raise EnclaveMismatchError("The enclave gave no receipt")
        receipt = Receipt(
            store_id=bytes.fromhex(enclave.store_id),
            log_id=given.log_id,
            counter=given.counter,
            chain=given.chain,
            entry=given.entry,
        )
        result = bytes(answer.result) if isinstance(answer, wire.Reply) else None
        entry = verify_receipt(
            receipt,
            given.signature,
            enclave.authority,
            operation=bytes(asked.operation),
            result=result,
        )
        if isinstance(answer, wire.Failure) and entry.outcome != answer.code:
            raise ReceiptInvalidError(
                "The receipt is of another outcome", got=entry.outcome, expected=answer.code
            )
        return cls(receipt, given.signature, enclave.authority, entry)

    def to_json(self) -> str:
        """Return the receipt as a file that :meth:`from_json` reads."""
        document = {
            "format": FORMAT,
            "authority": checksum_address(self.authority),
            "storeId": self.receipt.store_id.hex(),
            "logId": self.receipt.log_id.hex(),
            "counter": self.receipt.counter,
            "chain": "0x" + self.receipt.chain.hex(),
            "entry": "0x" + self.receipt.entry.hex(),
            "signature": "0x" + self.signature.hex(),
        }
        return json.dumps(document, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str, authority: bytes) -> OperationReceipt:
        """Read and verify a receipt under ``authority``, of an enclave whose attestation was
        verified.

        :raises ReceiptInvalidError: if the file is no receipt
        :raises CertificateInvalidError: if that authority did not sign it
        """
        try:
            document = load_json(text)
            if not isinstance(document, dict) or document.get("format") != FORMAT:
                raise ValueError(f"the format is not {FORMAT}")
            receipt = Receipt(
                store_id=bytes.fromhex(document["storeId"]),
                log_id=bytes.fromhex(document["logId"]),
                counter=_natural(document["counter"]),
                chain=_bytes(document["chain"]),
                entry=_bytes(document["entry"]),
            )
            signature = _bytes(document["signature"])
            receipt.digest()
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ReceiptInvalidError("The file is no receipt", got=str(error)[:200]) from None
        entry = verify_receipt(receipt, signature, authority)
        return cls(receipt, signature, authority, entry)

    def as_dict(self) -> dict[str, object]:
        """Return what the receipt says."""
        return {"authority": checksum_address(self.authority), **entry_dict(self.entry)}


def entry_dict(entry: AuditEntry) -> dict[str, object]:
    """Return an audit entry as ``--json`` prints it."""
    return {
        "counter": entry.counter,
        "time": entry.time,
        "caller": entry.caller,
        "operation": entry.operation,
        "key_id": entry.key_id or None,
        "outcome": entry.outcome,
        "request_sha256": entry.request.hex() or None,
        "result_sha256": entry.result.hex() or None,
        "epoch": entry.epoch,
    }


def _natural(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError("the counter is no natural number")
    return value


def _bytes(text: str) -> bytes:
    if not text.startswith("0x"):
        raise ValueError("no 0x")
    return bytes.fromhex(text[2:])
