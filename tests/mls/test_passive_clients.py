"""Transcripts of other implementations' groups, followed by a member of ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.mls.support import load, of_our_suites, unhex
from xmtp_tee import mls

OFFICIAL = {
    "passive-client-welcome": 16,
    "passive-client-handling-commit": 26,
    "passive-client-random": 1,
}
INTEROP = {
    "application": 12,
    "branch": 64,
    "commit": 88,
    "external_join": 12,
    "external_proposals": 56,
    "reinit": 96,
    "welcome_join": 16,
}


def follow(vector: dict[str, Any]) -> int:
    """Join, process every epoch, and compare the authenticators; return the number of epochs."""
    package = mls.decode_key_package(unhex(vector["key_package"]))
    key = mls.SignatureKey(unhex(vector["signature_priv"])[:32])
    keys = mls.KeyPackageSecrets(
        package, unhex(vector["init_priv"]), unhex(vector["encryption_priv"])
    )
    psks = mls.PskStore({unhex(e["psk_id"]): unhex(e["psk"]) for e in vector["external_psks"]})
    tree = vector["ratchet_tree"]
    assert package.leaf.lifetime is not None
    now = package.leaf.lifetime.not_before
    group = mls.Group.join(
        unhex(vector["welcome"]),
        keys,
        key,
        now=now,
        tree=None if tree is None else unhex(tree),
        psks=psks,
        config=mls.Config(),
    )
    assert group.epoch_authenticator.hex() == vector["initial_epoch_authenticator"]
    for epoch in vector["epochs"]:
        for proposal in epoch["proposals"]:
            group.process(unhex(proposal), now=now, psks=psks)
        event = group.process(unhex(epoch["commit"]), now=now, psks=psks)
        assert isinstance(event, mls.CommitApplied)
        assert group.epoch_authenticator.hex() == epoch["epoch_authenticator"]
        restored = mls.Group.restore(group.save(), key, least_counter=group.counter)
        assert restored.save() == group.save()
        group = restored
    return len(vector["epochs"])


@pytest.mark.parametrize(("name", "count"), OFFICIAL.items())
def test_official_transcript_is_followed(vectors_dir: Path, name: str, count: int) -> None:
    vectors = of_our_suites(load(vectors_dir, f"test-vectors/{name}"))
    assert len(vectors) == count
    epochs = sum(follow(vector) for vector in vectors)
    assert (epochs > 0) == (name != "passive-client-welcome")


@pytest.mark.parametrize(("name", "count"), INTEROP.items())
def test_interop_transcript_is_followed(vectors_dir: Path, name: str, count: int) -> None:
    vectors = of_our_suites(load(vectors_dir, f"interop-passive/{name}"))
    assert len(vectors) == count
    for vector in vectors:
        follow(vector)


def test_interop_has_7_transcripts(vectors_dir: Path) -> None:
    files = {path.stem for path in (vectors_dir / "mls" / "interop-passive").glob("*.json")}
    assert files == set(INTEROP)
