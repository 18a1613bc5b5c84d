"""The life of keys against a plain model: any sequence of operations, with restarts in between."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.enclave.support import CHAIN_ID, NOW, REGISTRY, FixedDriver, open_enclave
from xmtp_tee.attestation.pre_key import verify_pre_key_signature
from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.faults import (
    IdentityKeyExistsError,
    IdentityKeyNotFoundError,
    PreKeyMismatchError,
)

owners = st.sampled_from([bytes([n]) * 20 for n in (1, 2, 3)])
choice = st.integers(0, 100)


@dataclass
class Person:
    """What the model knows of an owner: public values that must never change."""

    key: wire.Key
    pre_keys: list[wire.PreKey] = field(default_factory=list)
    signature: bytes | None = None


class KeyLife(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="xt-"))
        self.people: dict[bytes, Person] = {}

    @initialize()
    def birth(self) -> None:
        self.driver = FixedDriver()
        self.enclave = open_enclave(self.folder / "keys.sqlite", self.driver)
        self.about = self.enclave.describe()

    def teardown(self) -> None:
        if hasattr(self, "enclave"):
            self.enclave.close()
        shutil.rmtree(self.folder)

    @rule(owner=owners)
    def generate_identity_key(self, owner: bytes) -> None:
        operation = wire.GenerateIdentityKey(owner=owner)
        if owner in self.people:
            with pytest.raises(IdentityKeyExistsError):
                self.enclave.handle(operation, NOW)
            return
        key = self.enclave.handle(operation, NOW)
        assert isinstance(key, wire.Key)
        assert key.public_key not in {person.key.public_key for person in self.people.values()}
        self.people[owner] = Person(key)

    @precondition(lambda self: self.people)
    @rule(which=choice, days=st.none() | st.integers(1, 400))
    def generate_pre_key(self, which: int, days: int | None) -> None:
        owner = sorted(self.people)[which % len(self.people)]
        person = self.people[owner]
        expiry = None if days is None else NOW + days * 86400
        made = self.enclave.handle(
            wire.GeneratePreKey(identity_key_id=person.key.id, expires_at=expiry), NOW
        )
        assert isinstance(made, wire.PreKey)
        assert made.epoch == len(person.pre_keys) + 1
        assert (made.owner, made.identity_key) == (owner, person.key.public_key)
        verify_pre_key_signature(
            owner=owner,
            identity_key=person.key.public_key,
            pre_key=made.public_key,
            epoch=made.epoch,
            expires_at=made.expires_at,
            signature=made.signature,
        )
        person.pre_keys.append(made)

    @precondition(lambda self: self.people)
    @rule(which=choice)
    def sign_gives_the_same_for_ever(self, which: int) -> None:
        person = self.people[sorted(self.people)[which % len(self.people)]]
        signed = self.enclave.handle(wire.Sign(key_id=person.key.id, message=b"m"), NOW)
        assert isinstance(signed, wire.Signature)
        assert person.signature in (None, signed.signature)
        person.signature = signed.signature

    @precondition(lambda self: any(person.pre_keys for person in self.people.values()))
    @rule(which=choice, other=choice)
    def certify(self, which: int, other: int) -> None:
        holders = [p for _, p in sorted(self.people.items()) if p.pre_keys]
        person = holders[which % len(holders)]
        pre_key = person.pre_keys[other % len(person.pre_keys)]
        owner = sorted(self.people)[other % len(self.people)]
        operation = wire.CertifyKeyBundle(
            identity_key_id=self.people[owner].key.id,
            pre_key_id=pre_key.id,
            chain_id=CHAIN_ID,
            key_registry=REGISTRY,
        )
        if owner != person.key.owner:
            with pytest.raises(PreKeyMismatchError):
                self.enclave.handle(operation, NOW)
            return
        made = self.enclave.handle(operation, NOW)
        assert isinstance(made, wire.Certificate)
        assert (made.owner, made.identity_key) == (owner, person.key.public_key)
        assert (made.pre_key, made.epoch) == (pre_key.public_key, pre_key.epoch)
        assert made.authority == self.about.authority

    @rule()
    def restart(self) -> None:
        self.enclave.close()
        self.enclave = open_enclave(self.folder / "keys.sqlite", self.driver)
        assert self.enclave.describe() == self.about

    @invariant()
    def every_key_is_there_and_no_other(self) -> None:
        if not hasattr(self, "enclave"):
            return
        page = self.enclave.handle(wire.ListKeys(), NOW)
        assert isinstance(page, wire.KeyPage)
        expected = {person.key.id for person in self.people.values()}
        expected |= {p.id for person in self.people.values() for p in person.pre_keys}
        expected |= {self.about.authority_key_id, self.about.transport_key_id}
        assert {key.id for key in page.keys} == expected
        assert len(page.keys) == len(expected)
        for owner in (bytes([n]) * 20 for n in (1, 2, 3)):
            operation = wire.GetIdentityKey(owner=owner)
            if owner in self.people:
                person = self.people[owner]
                assert self.enclave.handle(operation, NOW) == person.key
                listed = self.enclave.handle(wire.GetPreKeys(identity_key_id=person.key.id), NOW)
                assert listed == wire.PreKeyPage(pre_keys=tuple(person.pre_keys))
            else:
                with pytest.raises(IdentityKeyNotFoundError):
                    self.enclave.handle(operation, NOW)


TestKeyLife = KeyLife.TestCase
TestKeyLife.settings = settings(
    max_examples=max(10, settings.default.max_examples // 5), stateful_step_count=15
)
