"""One world for the attacks of a module; every test leaves the chain as it found it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.maker import Maker
from tests.support.world import OWNER, World, open_world


@pytest.fixture(scope="module")
def shared_world() -> Iterator[World]:
    with open_world() as opened:
        yield opened


@pytest.fixture
def world(shared_world: World) -> Iterator[World]:
    with shared_world.undone():
        yield shared_world


@pytest.fixture
def maker() -> Maker:
    return Maker()


@pytest.fixture
def attested(world: World, maker: Maker) -> Maker:
    """An enclave that is trusted, with nothing registered yet."""
    world.attest(world.attestation(maker))
    return maker


@pytest.fixture
def registered(world: World, attested: Maker) -> Maker:
    """An enclave that is trusted, and the owner's bundle at epoch 1."""
    world.register(world.certificate(attested, OWNER), attested.authority, OWNER)
    return attested
