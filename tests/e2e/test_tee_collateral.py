"""AMD's signer and AWS's revocation lists brought by command, to the real verifiers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.attestation.nitro.support import attestation as nitro_attestation
from tests.attestation.sevsnp.support import attestation as sevsnp_attestation
from tests.cli.conftest import deployment_file
from tests.contracts.nitro import nitro_support
from tests.e2e.test_vendor_evidence import NOW, Street, street
from xmtp_tee.attestation.nitro.document import parse_document
from xmtp_tee.attestation.simulator.nitro import development_nitro_pki
from xmtp_tee.attestation.x509 import X509, read_x509
from xmtp_tee.cli import main
from xmtp_tee.client.chain_errors import ContractRefused, refusal
from xmtp_tee.client.evidence_encoding import encode_evidence
from xmtp_tee.client.tee_collateral import NitroList, signer_holdings

__all__ = ["deployment_file", "street"]
CHAIN = development_nitro_pki().chain(NOW)
CERTIFICATES = [
    read_x509(der, "A certificate") for der in parse_document(nitro_attestation().quote).bundle
]
ROOT, REGION, ZONE = range(3)


@pytest.fixture(autouse=True)
def undone(street: Street) -> Iterator[None]:
    """What a test revokes is not revoked for the next one."""
    before = street.tests.snapshot()
    yield
    street.tests.revert_to(before)


@pytest.fixture
def run(street: Street, tmp_path: Path) -> Any:
    deployment = tmp_path / "deployment.json"
    street.deployment.save(deployment)
    chain = ("--rpc-url", street.tests.web3.provider.endpoint_uri, "--deployment", str(deployment))  # type: ignore[attr-defined]
    sender = ("--node-account", street.tests.accounts[0])

    def command(*arguments: object, code: int = 0) -> dict[str, Any]:
        words = ["collateral", *map(str, arguments), *chain, *sender, "--json"]
        done = CliRunner(mix_stderr=False).invoke(main, words)
        assert done.exit_code == code, (done.stdout, done.stderr)
        return json.loads(done.stdout)  # type: ignore[no-any-return]

    return command


def saved(folder: Path, text: str | bytes) -> Path:
    path = folder / "file"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def listed(place: int, *serials: int, issued: int = NOW - 60) -> bytes:
    """A list of the CA at that place of the development chain; it is fresh for a week."""
    key = CHAIN[place].key
    return nitro_support.crl(CERTIFICATES[place].der, key, list(serials), issued=issued)


def test_signer_is_brought_once_and_then_the_report_verifies(
    street: Street, run: Any, tmp_path: Path
) -> None:
    attestation = sevsnp_attestation()
    evidence = saved(tmp_path, attestation.to_json())
    encoded = encode_evidence(street.chain, street.deployment, attestation)
    verifier = street.chain.contract("SevSnpVerifier", street.deployment.address("SevSnpVerifier"))
    with pytest.raises(ContractRefused) as refused:
        street.chain.read(verifier.functions.verify(encoded[1:]))
    assert refused.value.error_name == "SignerUnknown"
    assert "signer-amd" in str(refused.value.next_command)
    assert signer_holdings(street.chain, street.deployment) == []
    assert run("signer-amd", evidence, "--dry-run")["lacking"] is True
    assert run("signer-amd", evidence)["gas"] > 21_000
    assert run("signer-amd", evidence) == {"ok": True, "lacking": False, "sent": False}
    [holding] = signer_holdings(street.chain, street.deployment)
    assert (holding.component, holding.subject) == ("sevsnp-signer", "Milan ASK")
    assert holding.until > NOW
    street.verify(encoded)


def test_revoked_zone_ends_every_enclave_below_it(street: Street, run: Any, tmp_path: Path) -> None:
    attestation = nitro_attestation()
    encoded = encode_evidence(street.chain, street.deployment, attestation)
    street.verify(encoded)
    (tmp_path / "evidence").write_text(attestation.to_json())
    serial = CERTIFICATES[ZONE].serial_number
    crl = saved(tmp_path, listed(REGION, 1000, serial))
    arguments = ("revoke-nitro", crl, tmp_path / "evidence")
    assert run(*arguments, "--dry-run")["new"] == [hex(1000), hex(serial)]
    done = run(*arguments)
    assert len(done["transactions"]) == 1
    again = run(*arguments)
    assert (again["new"], again["sent"]) == ([], False)
    verifier = street.chain.contract("NitroVerifier", street.deployment.address("NitroVerifier"))
    with pytest.raises(ContractRefused) as refused:
        street.chain.read(verifier.functions.verify(encoded[1:]))
    assert refused.value.error_name == "CertificateRevoked"


def test_list_of_nobody_in_the_chain_or_forged_is_refused_before_gas_is_spent(
    street: Street, run: Any, tmp_path: Path
) -> None:
    (tmp_path / "evidence").write_text(nitro_attestation().to_json())
    block = street.chain.block().number
    key = development_nitro_pki().key("forger")
    forged = nitro_support.crl(CERTIFICATES[ROOT].der, key, [7], issued=NOW - 60)
    foreign = nitro_support.crl(
        CERTIFICATES[ROOT].der, CHAIN[ROOT].key, [7], issued=NOW - 60, name=_name_of_nobody()
    )
    for bad in (forged, foreign, b"no list"):
        run("revoke-nitro", saved(tmp_path, bad), tmp_path / "evidence", code=2)
    assert street.chain.block().number == block


def test_stale_list_counts_and_one_from_the_future_does_not(
    street: Street, run: Any, tmp_path: Path
) -> None:
    """AWS promises no fresh lists, and what an old one revoked is revoked."""
    street.verify(encode_evidence(street.chain, street.deployment, nitro_attestation()))
    (tmp_path / "evidence").write_text(nitro_attestation().to_json())
    stale = saved(tmp_path, listed(ROOT, 2000, issued=NOW - 365 * 86_400))
    assert run("revoke-nitro", stale, tmp_path / "evidence")["new"] == [hex(2000)]
    future = saved(tmp_path, listed(ROOT, 2001, issued=NOW + 365 * 86_400))
    refused = run("revoke-nitro", future, tmp_path / "evidence", code=3)
    assert refused["error"]["contract_error"] == "CrlNotYetValid"


def test_dry_run_names_what_is_new_and_sends_nothing(
    street: Street, run: Any, tmp_path: Path
) -> None:
    (tmp_path / "evidence").write_text(nitro_attestation().to_json())
    block = street.chain.block().number
    listing = saved(tmp_path, listed(ROOT, 3000, 3000))
    dry = run("revoke-nitro", listing, tmp_path / "evidence", "--dry-run")
    assert (dry["new"], dry["sent"]) == ([hex(3000)], False)
    assert street.chain.block().number == block


@pytest.mark.parametrize("command", ["signer-amd", "revoke-nitro"])
def test_what_is_no_list_and_no_evidence_is_refused_before_the_chain_is_asked(
    command: str, tmp_path: Path, deployment_file: Path
) -> None:
    (tmp_path / "evidence").write_text(nitro_attestation().to_json())
    where = ("--rpc-url", "http://127.0.0.1:1", "--deployment", str(deployment_file), "--json")
    contents = [b"", b"\x30\x00", b"no list", listed(ROOT, 1)[:-1]]
    for content in contents:
        words = [command, str(saved(tmp_path, content))]
        words += [str(tmp_path / "evidence")] if command == "revoke-nitro" else []
        done = CliRunner(mix_stderr=False).invoke(main, ["collateral", *words, *where])
        assert done.exit_code in (1, 2), done.stdout
        assert json.loads(done.stdout)["ok"] is False


def test_evidence_of_another_tee_is_a_usage_error(run: Any, tmp_path: Path) -> None:
    evidence = saved(tmp_path, nitro_attestation().to_json())
    run("signer-amd", evidence, code=1)
    other = tmp_path / "other"
    other.write_text(sevsnp_attestation().to_json())
    run("revoke-nitro", evidence, other, code=1)


@pytest.mark.parametrize("count", [0, 1, 400, 1_000, 5_000])
def test_parts_of_a_list_cover_it_in_order(count: int) -> None:
    issuer: X509 = CERTIFICATES[ROOT]
    parts = NitroList(bytes(40 * count), issuer, tuple(range(count))).parts()
    assert parts[0][0] == 0
    covered = [entry for first, size in parts for entry in range(first, first + size)]
    assert covered[:count] == list(range(count))
    assert len(parts) == 1 or parts[-1][0] < count


def test_unknown_signer_names_the_next_command() -> None:
    assert "collateral signer-amd" in str(refusal("SignerUnknown", {"id": 2}).next_command)


def _name_of_nobody() -> bytes:
    return CERTIFICATES[ZONE].subject.replace(b"nitro-enclaves", b"nitro-somebody")
