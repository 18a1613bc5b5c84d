"""What the tests of the registry's client share: signed intents, random histories, nodes that lie."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from eth_account import Account

from tests.support.maker import Maker
from tests.support.world import EXPIRY, World
from xmtp_tee.attestation.address import parse_address
from xmtp_tee.attestation.certificate import KeyBundleCertificate
from xmtp_tee.client.accounts import LocalSender, NodeSender
from xmtp_tee.client.chain import Chain, Receipt
from xmtp_tee.client.intents import IntentKind, OwnerIntent
from xmtp_tee.client.proof import encode_proof
from xmtp_tee.client.relay import Relayer
from xmtp_tee.client.signing import sign_intent

HOUR = 3600


def account(seed: int) -> LocalSender:
    """An owner with a key and without money."""
    return LocalSender(Account.from_key(b"\x0f" * 31 + bytes([seed])))


def certificate_for(
    world: World, maker: Maker, owner: str | bytes, label: str = "identity", **changes: Any
) -> KeyBundleCertificate:
    """A certificate of ``maker`` for any owner in this deployment."""
    wanted: dict[str, Any] = {
        "chain_id": world.deployment.chain_id,
        "key_registry": parse_address(world.deployment.address("KeyRegistry")),
        "owner": parse_address(owner) if isinstance(owner, str) else owner,
        "expires_at": world.now + EXPIRY,
        "identity": maker.identity(label),
    }
    return maker.certificate(**wanted | changes)


def publication(
    world: World,
    maker: Maker,
    owner: LocalSender | NodeSender,
    *,
    kind: IntentKind = IntentKind.REGISTER,
    nonce: int | None = None,
    deadline: int | None = None,
    label: str = "identity",
    **changes: Any,
) -> OwnerIntent:
    """A signed intent of ``owner`` for a bundle that ``maker`` certifies."""
    certificate = certificate_for(world, maker, owner.address, label, **changes)
    made = OwnerIntent.publishing(
        kind,
        certificate,
        encode_proof(certificate, maker.authority),
        nonce=world.reader.nonce(owner.address) if nonce is None else nonce,
        deadline=world.now + HOUR if deadline is None else deadline,
    )
    return sign_intent(made, owner, world.chain)


class LyingChain(Chain):
    """A node whose answers to chosen requests are bent on the way."""

    def __init__(self, url: str, bend: Callable[[str, tuple[object, ...], Any], Any]) -> None:
        super().__init__(url)
        self._bend = bend

    def request(self, method: str, *params: object) -> Any:
        return self._bend(method, params, super().request(method, *params))


@dataclass
class RandomHistory:
    """Random changes of three accounts: directly, by intent, in batches, around pauses."""

    world: World
    maker: Maker
    seed: int
    labels: dict[str, list[str]] = field(default_factory=dict)
    epochs: dict[tuple[str, str], int] = field(default_factory=dict)
    blocks: list[int] = field(default_factory=list)

    def run(self, steps: int) -> None:
        dice = random.Random(self.seed)
        for _ in range(steps):
            receipt = self.step(dice)
            self.blocks.append(receipt.block_number)
            if dice.random() < 0.2:
                self.world.mine(dice.randrange(1, 4))

    def step(self, dice: random.Random) -> Receipt:
        account = dice.choice([4, 5, 6])
        owner = self.world.senders[account].address
        active = self.labels.setdefault(owner, [])
        if len(active) < 9 and (not active or dice.random() < 0.4):
            if dice.random() < 0.3:
                return self._batch(account)
            label = self._new_label(owner)
            if dice.random() < 0.3:
                intent = publication(
                    self.world, self.maker, self.world.senders[account], label=label
                )
                return self._relayer.submit(intent)
            return self.world.register(
                self._certificate(owner, label), self.maker.authority, account
            )
        label = dice.choice(active)
        if dice.random() < 0.6:
            self.epochs[owner, label] += dice.randrange(1, 5)
            return self.world.rotate(self._certificate(owner, label), self.maker.authority, account)
        active.remove(label)
        key = self.maker.identity(label).public_key
        function = self._functions.revokeKeyBundle(key)
        if dice.random() < 0.3:
            # A pause stops no revocation.
            self._send(self._functions.pause(), 0)
            receipt = self._send(function, account)
            self._send(self._functions.unpause(), 0)
            return receipt
        return self._send(function, account)

    def _batch(self, account: int) -> Receipt:
        """Two registrations of one owner in one transaction: two changes in one block."""
        owner = self.world.senders[account]
        nonce = self.world.reader.nonce(owner.address)
        intents = [
            publication(
                self.world, self.maker, owner, nonce=nonce + n, label=self._new_label(owner.address)
            )
            for n in range(2)
        ]
        report = self._relayer.register_all(intents)
        assert not report.refused
        return report.receipts[0]

    def _new_label(self, owner: str) -> str:
        label = f"{owner}/{len([1 for known, _ in self.epochs if known == owner])}"
        self.labels[owner].append(label)
        self.epochs[owner, label] = 1
        return label

    def _certificate(self, owner: str, label: str) -> KeyBundleCertificate:
        epoch = self.epochs[owner, label]
        return certificate_for(self.world, self.maker, owner, label, epoch=epoch)

    def _send(self, function: Any, account: int) -> Receipt:
        return self.world.chain.transact(function, self.world.senders[account])

    @property
    def _functions(self) -> Any:
        return self.world.contract("KeyRegistry").functions

    @property
    def _relayer(self) -> Relayer:
        return Relayer(self.world.chain, self.world.deployment, self.world.senders[7])

    @property
    def identity_keys(self) -> list[tuple[str, bytes]]:
        return [(owner, self.maker.identity(label).public_key) for owner, label in self.epochs]
