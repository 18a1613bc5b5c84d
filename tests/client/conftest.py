"""One world for the registry's client: contracts on anvil, an attested enclave, agents as tokens."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.identities import CODE, IDENTITIES
from tests.support.maker import Maker
from tests.support.world import World, open_world

MAKER = Maker("registry client")


@pytest.fixture(scope="module")
def shared_world() -> Iterator[World]:
    with open_world(identity_registry=IDENTITIES, code=CODE) as opened:
        opened.attest(opened.attestation(MAKER))
        yield opened


@pytest.fixture
def world(shared_world: World) -> Iterator[World]:
    """The module's world; what a test does to it is undone."""
    with shared_world.undone():
        yield shared_world


@pytest.fixture
def maker() -> Maker:
    return MAKER
