"""AMD's revocation lists brought by command, to the real verifier."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.attestation.sevsnp.support import attestation
from tests.attestation.support import pem
from tests.cli.conftest import deployment_file
from tests.e2e.test_tee_collateral import run, saved
from tests.e2e.test_vendor_evidence import MILAN, NOW, Street, street
from xmtp_tee.attestation.sevsnp.product import ProductLine
from xmtp_tee.attestation.sevsnp.report import SigningKey
from xmtp_tee.attestation.simulator import der
from xmtp_tee.attestation.simulator.sevsnp import AmdCrlRecipe, development_snp_pki
from xmtp_tee.attestation.simulator.sevsnp.pki import AuthorityShape
from xmtp_tee.cli import main
from xmtp_tee.client.chain_errors import ContractRefused
from xmtp_tee.client.deployment import Deployment
from xmtp_tee.client.evidence_encoding import SNP_VERIFIER, encode_evidence
from xmtp_tee.client.holdings import State
from xmtp_tee.client.tee_collateral import signer_holdings

__all__ = ["deployment_file", "run", "street"]
ASK_SERIAL = ProductLine.MILAN << 16 | 1
YEAR = 365 * 86_400
REVOKE = ("revoke-amd", "--product", "Milan")


@pytest.fixture
def milan(street: Street) -> Iterator[Street]:
    """The chain with an ASK of Milan's that counts for a year; undone on leaving."""
    before = street.tests.snapshot()
    bring(street, AuthorityShape(not_after=NOW + YEAR))
    yield street
    street.tests.revert_to(before)


def bring(street: Street, shape: AuthorityShape) -> None:
    ask = MILAN.intermediate(SigningKey.VCEK, shape)
    call = functions(street).submitSigner(int(ProductLine.MILAN), MILAN.ark().der, ask.der)
    street.tests.send(call)


def functions(street: Street) -> Any:
    return street.chain.contract(SNP_VERIFIER, street.deployment.address(SNP_VERIFIER)).functions


def crl(*serials: int, start: int = NOW - 60, end: int = NOW + YEAR, **changes: Any) -> bytes:
    return AmdCrlRecipe(serials, start, end, **changes).build(MILAN)


def is_revoked(street: Street, serial: int) -> bool:
    return bool(street.chain.read(functions(street).isRevoked(int(ProductLine.MILAN), serial)))


def test_revoked_ask_ends_every_enclave_below_it(milan: Street, run: Any, tmp_path: Path) -> None:
    evidence = encode_evidence(milan.chain, milan.deployment, attestation())
    milan.verify(evidence)
    listed = saved(tmp_path, crl(0x7777, ASK_SERIAL))
    named = {"product": "Milan", "new": ["0x7777", hex(ASK_SERIAL)]}
    done = run(*REVOKE, listed)
    assert {name: done[name] for name in named} == named
    assert done["sent"] is True
    assert done["gas"] > 21_000
    assert run(*REVOKE, listed) == {"ok": True, "product": "Milan", "new": [], "sent": False}
    with pytest.raises(ContractRefused) as refused:
        milan.chain.read(functions(milan).verify(evidence[1:]))
    assert refused.value.error_name == "SignerRevoked"


def test_revoked_signer_is_held_as_missing_until_a_newer_one_takes_its_place(
    milan: Street, run: Any, tmp_path: Path
) -> None:
    [before] = signer_holdings(milan.chain, milan.deployment)
    assert before.state(NOW) is State.IN_FORCE
    run(*REVOKE, saved(tmp_path, crl(ASK_SERIAL)))
    [revoked] = signer_holdings(milan.chain, milan.deployment)
    assert (revoked.what, revoked.until) == ("SEV-SNP signer Milan ASK, revoked", 0)
    assert (revoked.subject, revoked.state(NOW)) == ("Milan ASK", State.MISSING)
    bring(milan, AuthorityShape(serial=7, not_after=NOW + 2 * YEAR))
    [after] = signer_holdings(milan.chain, milan.deployment)
    assert (after.what, after.state(NOW)) == ("SEV-SNP signer Milan ASK", State.IN_FORCE)


def test_dry_run_names_what_is_new_and_sends_nothing(
    milan: Street, run: Any, tmp_path: Path
) -> None:
    block = milan.chain.block().number
    answer = run(*REVOKE, saved(tmp_path, crl(ASK_SERIAL, ASK_SERIAL)), "--dry-run")
    assert answer == {"ok": True, "product": "Milan", "new": [hex(ASK_SERIAL)], "sent": False}
    assert milan.chain.block().number == block
    assert not is_revoked(milan, ASK_SERIAL)


def test_list_of_a_stranger_or_from_the_future_is_refused_before_gas_is_spent(
    milan: Street, run: Any, tmp_path: Path
) -> None:
    block = milan.chain.block().number
    nobody = der.name((der.COMMON_NAME, "somebody else"))
    for bad, error, code in (
        (crl(ASK_SERIAL, key=MILAN.rsa("stranger-ark")), "PssRefused", 2),
        (crl(ASK_SERIAL, key=MILAN.rsa("ask")), "PssRefused", 2),
        (crl(ASK_SERIAL, issuer=nobody), "IssuerMismatch", 2),
        (crl(ASK_SERIAL, start=NOW + YEAR, end=NOW + 2 * YEAR), "CrlNotYetValid", 3),
    ):
        refused = run(*REVOKE, saved(tmp_path, bad), code=code)
        assert refused["error"]["contract_error"] == error
    assert milan.chain.block().number == block
    assert not is_revoked(milan, ASK_SERIAL)


def test_stale_list_counts_because_what_it_revoked_is_revoked(
    milan: Street, run: Any, tmp_path: Path
) -> None:
    run(*REVOKE, saved(tmp_path, crl(ASK_SERIAL, start=NOW - 2 * YEAR, end=NOW - YEAR)))
    assert is_revoked(milan, ASK_SERIAL)


@pytest.mark.parametrize("content", [b"", b"\x30\x00", b"no list", crl(ASK_SERIAL)[:-1]])
def test_what_is_no_list_is_refused_before_the_chain_is_asked(
    content: bytes, tmp_path: Path, deployment_file: Path
) -> None:
    words = ["collateral", *REVOKE, str(saved(tmp_path, content)), "--json"]
    where = ["--rpc-url", "http://127.0.0.1:1", "--deployment", str(deployment_file)]
    done = CliRunner(mix_stderr=False).invoke(main, [*words, *where])
    assert (done.exit_code, json.loads(done.stdout)["ok"]) == (2, False)


def test_root_comes_from_a_file_in_der_or_from_amds_chain_in_pem(
    milan: Street, run: Any, tmp_path: Path
) -> None:
    ark, ask = MILAN.ark().der, MILAN.intermediate(SigningKey.VCEK).der
    (tmp_path / "ark.der").write_bytes(ark)
    (tmp_path / "cert_chain").write_text(pem(ask) + pem(ark))
    for serial, name in ((0x10, "ark.der"), (0x11, "cert_chain")):
        run(*REVOKE, saved(tmp_path, crl(serial)), "--ark", tmp_path / name)
        assert is_revoked(milan, serial)


def test_another_root_than_the_products_is_refused(milan: Street, run: Any, tmp_path: Path) -> None:
    (tmp_path / "ark").write_bytes(development_snp_pki(ProductLine.GENOA).ark().der)
    (tmp_path / "text").write_text("-----BEGIN CERTIFICATE-----\nnothing")
    listed = saved(tmp_path, crl(ASK_SERIAL))
    assert run(*REVOKE, listed, "--ark", tmp_path / "ark", code=2)["error"]["contract_error"]
    run(*REVOKE, listed, "--ark", tmp_path / "text", code=1)
    assert not is_revoked(milan, ASK_SERIAL)


def test_vendors_root_is_asked_for_before_the_chain(tmp_path: Path, deployment_file: Path) -> None:
    """A deployment under AMD's own roots has no root that we could bring along."""
    Deployment.from_dict(json.loads(deployment_file.read_text()) | {"developmentRoot": False}).save(
        deployment_file
    )
    words = ["collateral", *REVOKE, str(saved(tmp_path, crl(ASK_SERIAL))), "--json"]
    where = ["--rpc-url", "http://127.0.0.1:1", "--deployment", str(deployment_file)]
    done = CliRunner(mix_stderr=False).invoke(main, [*words, *where])
    assert done.exit_code == 1
    assert json.loads(done.stdout)["error"]["expected"] == "--ark FILE"
    dry = CliRunner(mix_stderr=False).invoke(main, [*words, *where, "--dry-run"])
    assert dry.exit_code == 3
