"""Entries of an audit log, as far as a test cares."""

from __future__ import annotations

from xmtp_tee.audit.entry import OK, AuditEntry


def entry(operation: str, epoch: int) -> AuditEntry:
    return AuditEntry(1, 0, "tests", operation, "", b"", OK, b"", epoch)
