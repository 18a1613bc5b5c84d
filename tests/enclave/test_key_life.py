"""A key's whole life against a plain model: any sequence of operations, with restarts and time."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
)

from tests.enclave.operating import Desk
from tests.enclave.support import OWNER, STRANGER
from xmtp_tee.errors import XmtpTeeError
from xmtp_tee.policy.document import KeyRules
from xmtp_tee.wire import messages as wire

WAITING = 100


@dataclass
class Model:
    """What must be true of a key."""

    id: str
    purpose: str
    owner: bytes
    state: str = "active"
    version: int = 1
    minimum: int = 1
    oldest: int = 1
    due: int | None = None
    uses: int | None = None
    expires_at: int | None = None
    label: str = ""
    public: dict[int, bytes] = field(default_factory=dict)
    sealed: list[wire.Ciphertext] = field(default_factory=list)


class KeyLife(RuleBasedStateMachine):
    keys = Bundle("keys")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="xt-"))
        self.models: dict[str, Model] = {}

    @initialize()
    def birth(self) -> None:
        self.desk = Desk(self.folder / "keys.sqlite")
        self.desk.change(keys=KeyRules(minimum_waiting=WAITING))

    def teardown(self) -> None:
        if hasattr(self, "desk"):
            self.desk.close()
        shutil.rmtree(self.folder)

    def expect(self, operation: wire.Message, code: str | None, kind: type = wire.Key) -> object:
        """Ask, and get exactly what the model says: a result, or the error of this code."""
        if code is None:
            return self.desk.ask(operation, kind)
        with pytest.raises(XmtpTeeError) as caught:
            self.desk.ask(operation, kind)
        assert caught.value.code == f"enclave.{code}"
        return None

    def absent(self, model: Model) -> str | None:
        """Why a key cannot be worked on at all."""
        return {"destroyed": "key-destroyed", "deleted": "key-deleted"}.get(model.state)

    @rule(
        target=keys,
        purpose=st.sampled_from(["aead", "mac", "hpke", "key-agreement"]),
        owner=st.sampled_from([OWNER, STRANGER]),
        uses=st.none() | st.integers(1, 5),
        life=st.none() | st.integers(1, 300),
    )
    def make(self, purpose: str, owner: bytes, uses: int | None, life: int | None) -> str:
        expires_at = None if life is None else self.desk.now + life
        limits = wire.Limits(max_uses=uses, expires_at=expires_at)
        made = self.desk.ask(wire.GenerateKey(purpose=purpose, owner=owner, limits=limits))
        model = Model(made.id, purpose, owner, uses=uses, expires_at=expires_at)
        model.public[1] = made.public_key
        self.models[made.id] = model
        return made.id

    @rule(target=keys, owner=st.sampled_from([OWNER, STRANGER]), path=st.sampled_from("abc"))
    def derive(self, owner: bytes, path: str) -> str:
        root = next(
            (m for m in self.models.values() if (m.purpose, m.owner) == ("derivation", owner)), None
        )
        if root is None:
            made = self.desk.ask(wire.GenerateKey(purpose="derivation", owner=owner))
            root = self.models[made.id] = Model(made.id, "derivation", owner)
            root.public[1] = b""
        operation = wire.DeriveKey(parent_key_id=root.id, purpose="aead", path=path)
        known = next((m for m in self.models.values() if m.label == f"{root.id}/{path}"), None)
        if known is not None:
            self.expect(operation, self.absent(known))
            return known.id
        made = self.desk.ask(operation)
        model = self.models[made.id] = Model(made.id, "aead", owner)
        model.public[1] = b""
        # The model's own mark; the enclave's label stays empty.
        model.label = f"{root.id}/{path}"
        return made.id

    @rule(key=keys)
    def rotate(self, key: str) -> None:
        model = self.models[key]
        made = self.expect(wire.RotateKey(key_id=key), self.absent(model))
        if isinstance(made, wire.Key):
            model.version += 1
            model.public[model.version] = made.public_key
            if model.uses is not None:
                model.uses = self.limit_of(key)

    def limit_of(self, key: str) -> int | None:
        limits = self.desk.ask(wire.GetKey(key_id=key)).limits
        return None if limits is None else limits.max_uses

    @rule(key=keys, version=st.integers(1, 6))
    def raise_minimum(self, key: str, version: int) -> None:
        model = self.models[key]
        code = self.absent(model)
        if code is None and not model.minimum <= version <= model.version:
            code = "key-version"
        if self.expect(wire.SetMinimumVersion(key_id=key, version=version), code):
            model.minimum = version

    @rule(key=keys)
    def trim(self, key: str) -> None:
        model = self.models[key]
        if self.expect(wire.TrimKey(key_id=key), self.absent(model)):
            model.oldest = max(model.oldest, model.minimum)

    @rule(key=keys, waiting=st.sampled_from([0, WAITING - 1, WAITING, 2 * WAITING]))
    def delete(self, key: str, waiting: int) -> None:
        model = self.models[key]
        code = self.absent(model)
        if code is None and waiting < WAITING:
            code = "waiting-time"
        if self.expect(wire.DeleteKey(key_id=key, waiting=waiting), code):
            model.state, model.due = "deleted", self.desk.now + waiting

    @rule(key=keys)
    def restore(self, key: str) -> None:
        model = self.models[key]
        code = {"destroyed": "key-destroyed", "active": "key-not-deleted"}.get(model.state)
        if self.expect(wire.RestoreKey(key_id=key), code):
            model.state, model.due = "active", None

    @rule(key=keys)
    def destroy(self, key: str) -> None:
        model = self.models[key]
        code = {"destroyed": "key-destroyed", "active": "key-not-deleted"}.get(model.state)
        if code is None and model.due is not None and self.desk.now < model.due:
            code = "waiting-time"
        if self.expect(wire.DestroyKey(key_id=key), code):
            model.state = "destroyed"

    def use_code(self, model: Model) -> str | None:
        """Why a key cannot be used now; if it can, one use is gone."""
        if (code := self.absent(model)) is not None:
            return code
        if model.expires_at is not None and self.desk.now >= model.expires_at:
            return "key-expired"
        if model.uses is not None:
            if model.uses == 0:
                return "key-limit"
            model.uses -= 1
        return None

    @rule(key=keys)
    def seal(self, key: str) -> None:
        model = self.models[key]
        if model.purpose != "aead":
            operation = wire.AeadSeal(key_id=key, plaintext=b"")
            self.expect(operation, "operation-not-allowed", wire.Ciphertext)
            return
        operation = wire.AeadSeal(key_id=key, plaintext=key.encode())
        made = self.expect(operation, self.use_code(model), wire.Ciphertext)
        if isinstance(made, wire.Ciphertext):
            assert made.version == model.version
            model.sealed.append(made)

    @rule(key=keys, which=st.integers(0, 20))
    def open(self, key: str, which: int) -> None:
        model = self.models[key]
        if not model.sealed:
            return
        message = model.sealed[which % len(model.sealed)]
        operation = wire.AeadOpen(
            key_id=key,
            nonce=message.nonce,
            ciphertext=message.ciphertext,
            version=message.version,
        )
        code = self.absent(model)
        if code is None and message.version < max(model.minimum, model.oldest):
            code = "key-version"
        if code is None:
            code = self.use_code(model)
        opened = self.expect(operation, code, wire.Plaintext)
        if isinstance(opened, wire.Plaintext):
            assert opened.plaintext == key.encode()

    @rule(seconds=st.sampled_from([1, 50, WAITING, 250]))
    def time_passes(self, seconds: int) -> None:
        self.desk.now += seconds

    @rule()
    def restart(self) -> None:
        self.desk.restart()

    @invariant()
    def every_key_is_as_the_model_says(self) -> None:
        for model in self.models.values():
            key = self.desk.ask(wire.GetKey(key_id=model.id))
            assert (key.state, key.purpose, key.owner) == (model.state, model.purpose, model.owner)
            assert (key.version, key.minimum_version) == (model.version, model.minimum)
            assert key.destroy_after == model.due
            versions = self.desk.ask(wire.GetVersions(key_id=model.id), wire.Versions).versions
            if model.state != "destroyed":
                assert {v.number: v.public_key for v in versions} == {
                    number: public
                    for number, public in model.public.items()
                    if number >= model.oldest
                }


TestKeyLife = KeyLife.TestCase
TestKeyLife.settings = settings(
    max_examples=max(10, settings.default.max_examples // 5), stateful_step_count=25
)
