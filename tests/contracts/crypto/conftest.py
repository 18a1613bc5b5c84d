"""One chain for the tests of contracts/crypto."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.chain import Anvil, Chain


@pytest.fixture(scope="module")
def chain() -> Iterator[Chain]:
    with Anvil() as anvil:
        yield Chain(anvil)
