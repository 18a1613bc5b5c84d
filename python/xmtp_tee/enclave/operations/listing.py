"""Keys by id, and lists of them."""

from __future__ import annotations

from typing import Final

from xmtp_tee.enclave.operations.call import Call
from xmtp_tee.enclave.records import KeyRecord
from xmtp_tee.enclave.views import key_view, state_of
from xmtp_tee.wire import messages as wire

EXAMINED: Final = 2000
"""Keys that one request looks at when it searches; the answer may hold fewer than asked for."""


def get_key(call: Call, operation: wire.GetKey) -> wire.Key:
    """Return a key's public record."""
    return key_view(call.find(operation.key_id))


def list_keys(call: Call, operation: wire.ListKeys) -> wire.KeyPage:
    """Return a page of the keys that the caller may see and that the search is for."""
    if operation.owner is not None:
        call.require_owner(operation.owner)
    found: list[wire.Key] = []
    after: int | None = operation.after
    examined = 0
    while after is not None and len(found) < operation.limit and examined < EXAMINED:
        # No more than there is room for, so that the cursor is always that of the last one seen.
        size = min(operation.limit - len(found), EXAMINED - examined)
        records, after = call.store.page(operation.owner, after, size)
        examined += len(records)
        found += [key_view(each) for each in records if _matches(call, operation, each)]
    return wire.KeyPage(keys=tuple(found), next=after)


def _matches(call: Call, operation: wire.ListKeys, record: KeyRecord) -> bool:
    if call.owners is not None and record.owner is not None and record.owner not in call.owners:
        return False
    return (
        operation.purpose in (None, record.purpose.value)
        and operation.key_type in (None, record.key_type.value)
        and operation.state in (None, state_of(record))
        and (operation.label is None or record.label.startswith(operation.label))
    )
