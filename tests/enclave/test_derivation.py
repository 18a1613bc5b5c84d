"""Keys from keys: the same again everywhere, another for every difference, marked for ever."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.enclave.operating import Desk, hkdf, joined
from tests.enclave.support import OWNER, STRANGER
from xmtp_tee.attestation.kinds import Provenance
from xmtp_tee.enclave.derivation import Derivation, derive
from xmtp_tee.enclave.private_keys import public_key
from xmtp_tee.enclave.purposes import KeyType, Purpose
from xmtp_tee.policy.document import KeyRules
from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.refusals import (
    DerivationRefusedError,
    KeyDeletedError,
    KeyDestroyedError,
    PurposeInvalidError,
)

SEED = bytes(range(32))


def install(desk: Desk, identity: wire.Key, device: str = "phone") -> wire.Key:
    return desk.ask(wire.DeriveInstallationKey(identity_key_id=identity.id, device_id=device))


def test_reference_of_these_tests_is_hkdf(vectors_dir: Path) -> None:
    document = json.loads((vectors_dir / "wycheproof" / "hkdf_sha256_test.json").read_text())
    tests = [t for group in document["testGroups"] for t in group["tests"]]
    checked = [t for t in tests if t["result"] == "valid"]
    assert len(checked) > 60
    for t in checked:
        ikm, salt, info = (bytes.fromhex(t[name]) for name in ("ikm", "salt", "info"))
        assert hkdf(ikm, salt, info, t["size"]).hex() == t["okm"], t["tcId"]


def test_installation_key_is_hkdf_over_everything_that_it_is(desk: Desk) -> None:
    desk.random.then(SEED)
    identity = desk.identity()
    made = install(desk, identity)
    info = joined(
        b"xmtp-tee/derive/v1",
        b"xmtp-installation",
        b"ed25519",
        (1).to_bytes(8, "big"),
        OWNER,
        bytes(8),
        b"phone",
    )
    material = hkdf(SEED, identity.public_key, info, 48)
    assert made.id == material[:16].hex()
    assert made.public_key == public_key(KeyType.ED25519, bytearray(material[16:]))
    assert (made.provenance, made.derived_from, made.purpose) == (
        "derived",
        identity.id,
        "xmtp-installation",
    )


def test_installation_key_is_the_same_again_and_in_another_store(desk: Desk, folder: Path) -> None:
    desk.random.then(SEED)
    identity = desk.identity()
    made = install(desk, identity)
    desk.restart()
    assert install(desk, identity) == made
    other = Desk(folder / "other.sqlite")
    other.random.then(SEED)
    again = install(other, other.identity())
    other.close()
    assert (again.id, again.public_key) == (made.id, made.public_key)


def test_devices_and_owners_have_unrelated_keys(desk: Desk) -> None:
    desk.random.then(SEED)
    own = desk.identity()
    desk.random.then(SEED)
    other = desk.identity(STRANGER)
    keys = [install(desk, own), install(desk, own, "tablet"), install(desk, other)]
    assert len({key.public_key for key in keys}) == 3
    assert len({key.id for key in keys}) == 3


def test_installation_key_signs_and_gets_bundles_of_its_own(desk: Desk) -> None:
    key = install(desk, desk.identity())
    desk.ask(wire.Sign(key_id=key.id, message=b"m"), wire.Signature)
    pre_key = desk.ask(wire.GeneratePreKey(identity_key_id=key.id), wire.PreKey)
    made = desk.ask(
        wire.CertifyKeyBundle(
            identity_key_id=key.id, pre_key_id=pre_key.id, chain_id=1, key_registry=OWNER
        ),
        wire.Certificate,
    )
    assert (made.provenance, made.identity_key) == ("derived", key.public_key)


def test_eleventh_installation_is_refused_until_one_is_destroyed(desk: Desk) -> None:
    desk.change(keys=KeyRules(minimum_waiting=0))
    identity = desk.identity()
    keys = [install(desk, identity, f"device {n}") for n in range(10)]
    with pytest.raises(DerivationRefusedError):
        install(desk, identity, "eleventh")
    assert install(desk, identity, "device 3") == keys[3]
    desk.ask(wire.DeleteKey(key_id=keys[0].id))
    with pytest.raises(DerivationRefusedError):
        install(desk, identity, "eleventh")
    desk.ask(wire.DestroyKey(key_id=keys[0].id))
    install(desk, identity, "eleventh")


def test_deleted_installation_is_not_derived_back_into_use(desk: Desk) -> None:
    """Attack: get a key that was taken out of use by deriving it once more."""
    desk.change(keys=KeyRules(minimum_waiting=0))
    identity = desk.identity()
    key = install(desk, identity)
    desk.ask(wire.DeleteKey(key_id=key.id))
    with pytest.raises(KeyDeletedError):
        install(desk, identity)
    desk.ask(wire.DestroyKey(key_id=key.id))
    with pytest.raises(KeyDestroyedError):
        install(desk, identity)


def test_key_of_an_imported_parent_is_imported(desk: Desk) -> None:
    import msgspec

    identity = desk.identity()
    store = desk.enclave._parts.store
    with store.mutation() as draft:
        record = store.get(identity.id)
        draft.replace(msgspec.structs.replace(record, provenance=Provenance.IMPORTED))
    assert install(desk, identity).provenance == "imported"


@pytest.mark.parametrize("purpose", ["aead", "mac", "hpke", "key-agreement", "wallet"])
def test_derivation_key_gives_keys_of_every_purpose_by_path(desk: Desk, purpose: str) -> None:
    root = desk.make("derivation", SEED)
    derive_key = wire.DeriveKey(parent_key_id=root.id, purpose=purpose, path="a/1")
    made = desk.ask(derive_key)
    assert (made.purpose, made.provenance) == (purpose, "derived")
    assert desk.ask(derive_key) == made
    other = desk.ask(wire.DeriveKey(parent_key_id=root.id, purpose=purpose, path="a/2"))
    assert other.id != made.id


def test_rotated_derived_key_is_derived_too(desk: Desk, folder: Path) -> None:
    found = []
    for at in (desk, Desk(folder / "other.sqlite")):
        root = at.make("derivation", SEED)
        key = at.ask(wire.DeriveKey(parent_key_id=root.id, purpose="hpke", path="p"))
        found.append(at.ask(wire.RotateKey(key_id=key.id)).public_key)
    at.close()
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("purpose", "path"), [("xmtp-identity", "p"), ("authority", "p"), ("derivation", "p")]
)
def test_other_purposes_are_not_derived(desk: Desk, purpose: str, path: str) -> None:
    root = desk.make("derivation")
    with pytest.raises(PurposeInvalidError):
        desk.ask(wire.DeriveKey(parent_key_id=root.id, purpose=purpose, path=path))


def test_identity_key_derives_nothing_but_installations(desk: Desk) -> None:
    identity = desk.identity()
    for purpose in ("aead", "wallet", "xmtp-installation"):
        with pytest.raises(PurposeInvalidError):
            desk.ask(wire.DeriveKey(parent_key_id=identity.id, purpose=purpose, path="p"))
    root = desk.make("derivation")
    with pytest.raises(PurposeInvalidError):
        desk.ask(wire.DeriveInstallationKey(identity_key_id=root.id, device_id="d"))


derivations = st.builds(
    Derivation,
    purpose=st.sampled_from(list(Purpose)),
    key_type=st.sampled_from([t for t in KeyType if t is not KeyType.SECP256K1]),
    version=st.integers(1, 3),
    owner=st.sampled_from([None, OWNER, STRANGER]),
    path=st.text(max_size=4),
    epoch=st.integers(0, 2),
)


@given(derivations, derivations)
def test_two_derivations_agree_only_if_they_are_equal(one: Derivation, two: Derivation) -> None:
    results = [derive(bytearray(SEED), b"public", each) for each in (one, two)]
    assert (results[0] == results[1]) == (one == two)
    assert (one.info() == two.info()) == (one == two)
