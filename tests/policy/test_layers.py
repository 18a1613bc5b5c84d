"""Policy, audit and typed data are plain data: they know neither enclave nor client, and do no I/O."""

from __future__ import annotations

import pytest

from tests.test_repository import CHAIN, INPUT_OUTPUT, offences


@pytest.mark.parametrize("area", ["policy", "audit", "typed_data"])
def test_shared_package_knows_neither_side_and_does_no_io(area: str) -> None:
    forbidden = {"xmtp_tee.enclave", "xmtp_tee.client", "xmtp_tee.cli", "xmtp_tee.commands"}
    assert offences(area, forbidden | INPUT_OUTPUT | CHAIN) == []
