"""Secrets are overwritten in place, and copied no more often than it takes."""

from __future__ import annotations

import tracemalloc

from xmtp_tee.mls.wiping import own_copy, wipe


def test_an_own_copy_is_another_object_whose_end_the_caller_does_not_notice() -> None:
    secret = b"x" * 1_000_000
    tracemalloc.start()
    try:
        copy = own_copy(secret)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert copy == secret
    # The copy itself, and no third object on the way to it.
    assert most < 1_100_000
    wipe(copy)
    assert copy == bytes(1_000_000)
    assert secret == b"x" * 1_000_000
