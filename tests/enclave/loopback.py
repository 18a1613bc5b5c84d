"""A KeyManager over an enclave in the test's own process, without a socket."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import msgspec

from tests.enclave.support import NOW
from xmtp_tee.client.freshness import ReceiptBook
from xmtp_tee.client.key_manager import KeyManager
from xmtp_tee.enclave.service import Enclave
from xmtp_tee.policy import encode_policy
from xmtp_tee.policy.document import Caller, Grant, Policy
from xmtp_tee.wire import messages as wire

ADMINISTRATIVE = ("export-key", "import-key", "hand-over-challenge", "hand-over", "accept-wrap")


class LoopbackKeys(KeyManager):
    """Its answers cross the encoder and decoder as on a socket."""

    def __init__(
        self, enclave: Enclave, *, verified: bool = True, receipts: ReceiptBook | None = None
    ) -> None:
        self._enclave = enclave
        self._connection: Any = SimpleNamespace(enclave=enclave.describe())
        self._verified = verified
        self._state_receipts = receipts
        self._asking = threading.local()
        self.check_freshness()

    def _call(self, operation: Any, expected: Any, idempotency_key: str | None = None) -> Any:
        operation = msgspec.msgpack.decode(msgspec.msgpack.encode(operation), type=type(operation))
        result = self._enclave.handle(operation, NOW, idempotency_key=idempotency_key)
        assert isinstance(result, expected)
        return msgspec.msgpack.decode(msgspec.msgpack.encode(result), type=expected)


def allow_backups(enclave: Enclave, *, exportable: bool = True) -> None:
    """Put a policy in force under which the local users may do everything."""
    present = enclave._parts.policy.policy
    operations = ("*", "get-policy", "apply-policy", "read-audit", *ADMINISTRATIVE)
    callers = tuple(
        Caller(name=each.name, uid=each.uid, grants=(Grant(operations=operations, owners=("*",)),))
        for each in present.callers
    )
    policy: Policy = msgspec.structs.replace(
        present,
        version=present.version + 1,
        callers=callers,
        keys=msgspec.structs.replace(present.keys, exportable=exportable),
    )
    enclave.handle(wire.ApplyPolicy(document=encode_policy(policy)), NOW)
