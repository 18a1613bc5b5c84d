"""Argon2id costs a tenth of a second at its floor: the tests that are about it are named here."""

from __future__ import annotations

import pytest

from tests.backup.support import cheap

GENUINE = ("test_password_opens_what_it_sealed", "test_wrong_password", "test_weak_and_absurd")


@pytest.fixture(autouse=True)
def _cheap(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if not request.node.name.startswith(GENUINE):
        monkeypatch.setattr("xmtp_tee.backup.ways.derive", cheap)
