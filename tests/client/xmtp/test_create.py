"""Which inbox a key becomes an installation of."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("grpc", reason="grpcio is not installed")

from xmtp_tee.client.xmtp.create import _registered
from xmtp_tee.client.xmtp.errors import InboxForeignError
from xmtp_tee.wire import messages as wire
from xmtp_tee.xmtp.members import Member, inbox_id, nonce_of

OWNER = bytes(range(20))
WALLET = Member.wallet(OWNER)


class Scripted:
    """A member whose node knows one inbox of the wallet's; what is registered is written down."""

    def __init__(self, inbox: str | None) -> None:
        self.inbox = inbox
        self.key_id = "key"
        self.node: Any = self
        self.registered: list[wire.XmtpRegister] = []

    async def inbox_ids(self, addresses: list[str]) -> list[str | None]:
        return [self.inbox for _ in addresses]

    async def learn(self, inboxes: list[str]) -> dict[str, wire.XmtpLearned]:
        return {each: wire.XmtpLearned(newest=1, installations=()) for each in inboxes}

    async def ask(self, operation: wire.XmtpRegister, _: object) -> wire.XmtpRegistration:
        self.registered.append(operation)
        return wire.XmtpRegistration(
            inbox_id=inbox_id(WALLET, operation.nonce),
            installation=bytes(32),
            identity_update=b"",
            key_package=b"",
        )

    async def upload_key_package(self, package: bytes) -> None: ...

    async def publish_identity_update(self, update: bytes) -> None: ...


def register(member: Scripted) -> str:
    key: Any = SimpleNamespace(id="key", public_key=bytes(32))
    member_: Any = member
    return asyncio.run(_registered(member_, OWNER, key, "wallet", 1))


@pytest.mark.parametrize("nonce", range(8))
def test_an_inbox_that_exists_is_joined_by_the_nonce_that_it_was_created_with(nonce: int) -> None:
    member = Scripted(inbox_id(WALLET, nonce))
    assert register(member) == inbox_id(WALLET, nonce)
    [operation] = member.registered
    assert (operation.inbox_exists, operation.nonce) == (True, nonce)


def test_an_inbox_that_does_not_exist_is_created_by_the_nonce_that_is_asked_for() -> None:
    member = Scripted(None)
    register(member)
    assert [(each.inbox_exists, each.nonce) for each in member.registered] == [(False, 1)]


@pytest.mark.parametrize("inbox", [inbox_id(WALLET, 8), inbox_id(Member.wallet(bytes(20)), 1)])
def test_a_wallet_of_another_wallets_inbox_is_not_registered(inbox: str) -> None:
    member = Scripted(inbox)
    assert nonce_of(WALLET, inbox) is None
    with pytest.raises(InboxForeignError):
        register(member)
    assert member.registered == []
