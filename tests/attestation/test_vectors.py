"""tests/vectors/simulated_*.json: fresh, and what it says holds for the Python verifier."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from xmtp_tee.attestation import (
    Collateral,
    KeyBundleCertificate,
    parse_address,
    verify_pre_key_signature,
    verify_quote,
)


@pytest.fixture(scope="module")
def vectors(project_root: Path) -> dict[str, Any]:
    text = (project_root / "tests" / "vectors" / "simulated_tdx.json").read_text()
    document: dict[str, Any] = json.loads(text)
    return document


def data(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def test_simulated_vectors_are_fresh(project_root: Path) -> None:
    tool = project_root / "tools" / "vectors.py"
    result = subprocess.run(
        [sys.executable, tool, "--check"], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr


def test_simulated_vectors_verify(vectors: dict[str, Any]) -> None:
    verified = verify_quote(
        data(vectors["quote"]["raw"]),
        Collateral.from_json(vectors["collateral"]["json"]),
        data(vectors["root"]["der"]),
        vectors["now"],
    )
    expected = vectors["expected"]
    assert int(verified.status) == expected["status"]
    assert verified.workload == data(expected["workload"])
    assert verified.report_data[:32] == data(expected["reportDataHead"])
    assert verified.report_data[:32] == data(vectors["binding"]["digest"])
    assert verified.report_data[32:] == data(expected["reportDataTail"]) == bytes(32)


def test_compact_quotes_have_the_pieces_of_the_quote_in_order(vectors: dict[str, Any]) -> None:
    compact, raw = data(vectors["quote"]["compact"]), data(vectors["quote"]["raw"])
    assert len(compact) == 1_240
    assert compact == raw[:632] + raw[636:764] + raw[770:1218] + raw[1220:1252]
    assert all(len(data(attack["compact"])) == 1_240 for attack in vectors["attacks"].values())


def test_certificate_in_the_vectors_is_signed_by_the_authority(vectors: dict[str, Any]) -> None:
    document = dict(vectors["certificate"])
    digest = data(document.pop("digest"))
    certificate = KeyBundleCertificate.from_dict(document)
    assert certificate.digest() == digest
    certificate.require_signed_by(parse_address(vectors["binding"]["authority"]))
    verify_pre_key_signature(
        owner=certificate.owner,
        identity_key=certificate.identity_key,
        pre_key=certificate.pre_key,
        epoch=certificate.epoch,
        expires_at=certificate.expires_at,
        signature=certificate.pre_key_signature,
    )


# --- simulated_family.json ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def family(project_root: Path) -> dict[str, Any]:
    text = (project_root / "tests" / "vectors" / "simulated_family.json").read_text()
    document: dict[str, Any] = json.loads(text)
    return document


def test_simulated_family_has_every_status_for_every_kind(family: dict[str, Any]) -> None:
    for name in ("sgx", "tdxV5Td10", "tdxV5Td15", "tdxV5ServiceTd"):
        judgements = family["quotes"][name]["judgements"]
        found = {j.get("status") for j in judgements.values()}
        assert {1, 2, 3, 4, 5, 6} <= found
        assert "attestation.tcb-revoked" in {j.get("refused") for j in judgements.values()}


def test_simulated_family_refuses_every_attack(family: dict[str, Any]) -> None:
    attacks = {name: q for name, q in family["quotes"].items() if name.startswith("attack")}
    assert len(attacks) == 4
    for quote in attacks.values():
        for name, judgement in quote["judgements"].items():
            assert "refused" in judgement, name


def test_simulated_family_commits_to_advisories_unless_up_to_date(family: dict[str, Any]) -> None:
    judgements = family["quotes"]["sgx"]["judgements"]
    assert data(judgements["sgxUpToDate"]["advisories"]) == bytes(32)
    assert data(judgements["sgxV2UpToDate"]["advisories"]) == bytes(32)
    assert data(judgements["sgxV2OutOfDate"]["advisories"])[:8] == b"\xff" * 8
    assert any(data(judgements["sgxOutOfDate"]["advisories"])[:8])
    assert any(data(judgements["sgxQeOutOfDate"]["advisories"])[16:24])
