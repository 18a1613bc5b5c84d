"""scripts/_parameters.py: parameter files are read strictly, and a refusal names the field, the value and the rule."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from eth_utils import keccak

from scripts._parameters import PARAMETERS, ZERO_ADDRESS, load_parameters, parameters_from, recorded
from xmtp_tee.attestation.kinds import TeeKind
from xmtp_tee.attestation.sevsnp.anchors import AMD_ANCHORS
from xmtp_tee.attestation.sevsnp.product import ProductLine

OWNER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
GUARDIAN = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
HERE = Path("altered.yaml")


def development(**changes: object) -> dict[str, Any]:
    data: dict[str, Any] = yaml.safe_load((PARAMETERS / "development.yaml").read_text())
    return data | changes


def test_development_has_no_lock_and_no_owner_of_its_own() -> None:
    parameters = load_parameters("development")
    assert parameters.development
    assert parameters.addition_delay == 0
    assert parameters.owner == ""
    assert parameters.guardians == ()
    assert parameters.identity_registry == ZERO_ADDRESS


def test_production_waits_two_days_and_pins_no_development_root() -> None:
    parameters = load_parameters("production")
    assert not parameters.development
    assert parameters.addition_delay == 2 * 24 * 3600


def test_the_salt_is_the_hash_of_its_text() -> None:
    parameters = parameters_from(development(salt="here"), HERE)
    assert parameters.create2_salt == keccak(text="here")


def test_what_the_deployment_file_says_is_complete() -> None:
    parameters = parameters_from(
        development(owner=OWNER, guardians=[GUARDIAN.lower()], identity_registry=OWNER), HERE
    )
    said = parameters.as_dict(OWNER)
    assert said["guardians"] == [GUARDIAN]
    assert said["identityRegistry"] == OWNER
    assert len(said) == len(development())


@pytest.mark.parametrize("tees", [["tdx"], ["tdx", "sgx", "nitro", "sev-snp"]])
def test_the_deployment_file_gives_the_parameters_back(tees: list[str], tmp_path: Path) -> None:
    (tmp_path / "intel.cer").write_bytes(b"Intel's root")
    (tmp_path / "aws.der").write_bytes(b"AWS's root")
    roots = {"root": str(tmp_path / "intel.cer"), "nitro_root": str(tmp_path / "aws.der")}
    for changes in ({}, roots):
        parameters = parameters_from(
            development(tees=tees, owner=OWNER, guardians=[GUARDIAN], **changes), HERE
        )
        said = json.loads(json.dumps(parameters.as_dict(OWNER)))
        again = recorded(said, Path("elsewhere") / HERE)
        assert again.as_dict(OWNER) == said
        assert again.root_certificate() == parameters.root_certificate()
        if changes and "nitro" in tees:
            assert again.nitro_root_certificate() == b"AWS's root"
        assert again.sev_snp_roots() == parameters.sev_snp_roots()


def test_a_deployment_file_without_all_parameters_is_refused() -> None:
    said = parameters_from(development(), HERE).as_dict(OWNER)
    del said["attestationTtl"]
    with pytest.raises(click.ClickException, match="expected exactly"):
        recorded(said, HERE)


@pytest.mark.parametrize("missing", sorted(development()))
def test_a_missing_field_is_refused(missing: str) -> None:
    data = development()
    del data[missing]
    with pytest.raises(click.ClickException, match="expected exactly"):
        parameters_from(data, HERE)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("collateral_grace", -1),
        ("collateral_grace", True),
        ("collateral_grace", 30 * 24 * 3600 + 1),
        ("attestation_ttl", 0),
        ("attestation_ttl", 365 * 24 * 3600 + 1),
        ("max_block_age", 0),
        ("max_block_age", 8192),
        ("attestation_ttl", "604800"),
        ("addition_delay", 1),
        ("addition_delay", 3599),
        ("addition_delay", 30 * 24 * 3600 + 1),
        ("owner", "0x12"),
        ("owner", OWNER[2:]),
        ("owner", OWNER.replace("C8", "c8")),
        ("guardians", OWNER),
        ("guardians", [OWNER, OWNER.lower()]),
        ("guardians", [ZERO_ADDRESS]),
        ("guardians", ["somebody"]),
        ("identity_registry", 5),
        ("tees", "tdx"),
        ("tees", []),
        ("tees", ["nitro"]),
        ("tees", ["tdx", "tdx"]),
        ("tees", ["sgx"]),
        ("tees", ["tdx", "none"]),
        ("nitro_grace", 30 * 24 * 3600 + 1),
        ("nitro_root", ""),
        ("root", None),
        ("sev_snp_floors", []),
        ("sev_snp_floors", {"Rome": {"snp": 1}}),
        ("sev_snp_floors", {"Milan": {}}),
        ("sev_snp_floors", {"Milan": {"snp": 0}}),
        ("sev_snp_floors", {"Milan": {"snp": 256}}),
        ("sev_snp_floors", {"Milan": {"spn": 1}}),
        ("sev_snp_floors", {"Milan": {"fmc": 9}}),
        ("sev_snp_floors", {"Genoa": {"fmc": 1, "snp": 24}}),
        ("sev_snp_floor_keeper", "somebody"),
        ("salt", ""),
        ("salt", 7),
    ],
)
def test_a_value_out_of_its_range_is_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(click.ClickException) as refusal:
        parameters_from(development(**{field: value}), HERE)
    assert f"altered.yaml: {field}: got " in refusal.value.message
    assert "expected" in refusal.value.message


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("collateral_grace", 0),
        ("collateral_grace", 30 * 24 * 3600),
        ("nitro_grace", 30 * 24 * 3600),
        ("max_block_age", 1),
        ("max_block_age", 8191),
        ("attestation_ttl", 1),
        ("attestation_ttl", 365 * 24 * 3600),
    ],
)
def test_the_bounds_of_the_contracts_are_accepted(field: str, value: int) -> None:
    parameters = parameters_from(development(**{field: value}), HERE)
    assert getattr(parameters, field) == value


def test_a_root_lies_relative_to_its_parameter_file(tmp_path: Path) -> None:
    (tmp_path / "roots").mkdir()
    (tmp_path / "roots" / "intel.cer").write_bytes(b"Intel's root")
    data = development(root="roots/intel.cer")
    parameters = parameters_from(data, tmp_path / "altered.yaml")
    assert parameters.root_certificate() == b"Intel's root"
    with pytest.raises(click.ClickException, match="no root certificate"):
        parameters_from(data, HERE).root_certificate()


def test_turins_floor_has_a_firmware_for_its_first_core() -> None:
    parameters = parameters_from(development(sev_snp_floors={"Turin": {"fmc": 9}}), HERE)
    assert parameters.sev_snp_floors[ProductLine.TURIN].fmc == 9
    assert parameters.sev_snp_roots()[0][:2] == (3, 9)


@pytest.mark.parametrize("value", [0, 3600, 30 * 24 * 3600])
def test_the_delays_bounds_are_accepted(value: int) -> None:
    assert parameters_from(development(addition_delay=value), HERE).addition_delay == value


@pytest.mark.parametrize("data", [None, [], "text", development(another=1)])
def test_what_is_no_parameter_file_is_refused(data: object) -> None:
    with pytest.raises(click.ClickException, match="expected exactly"):
        parameters_from(data, HERE)


def test_an_unknown_name_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(click.ClickException, match="development, production"):
        load_parameters("staging")


def test_a_development_root_and_a_vendors_root_are_not_mixed() -> None:
    data = development(tees=["tdx", "nitro"], nitro_root="AWS_NitroEnclaves_Root-G1.der")
    with pytest.raises(click.ClickException, match="nitro_root"):
        parameters_from(data, HERE)
    assert parameters_from(data | {"tees": ["tdx"]}, HERE).tees == (TeeKind.TDX,)


def test_sev_snp_needs_a_floor() -> None:
    with pytest.raises(click.ClickException, match="sev_snp_floors"):
        parameters_from(development(tees=["tdx", "sev-snp"], sev_snp_floors={}), HERE)


def test_further_tees_are_added_to_those_of_the_file() -> None:
    parameters = load_parameters("development", ["sev-snp", "tdx"])
    assert parameters.tees == (TeeKind.TDX, TeeKind.SEV_SNP)


def test_what_is_pinned_of_amd_follows_from_the_root() -> None:
    floors = {"Milan": {"boot_loader": 4, "snp": 24, "microcode": 219}}
    simulated = parameters_from(development(sev_snp_floors=floors), HERE).sev_snp_roots()
    genuine = parameters_from(
        development(sev_snp_floors=floors, root="Intel.cer", nitro_root="AWS.der"), HERE
    ).sev_snp_roots()
    milan = next(anchor for anchor in AMD_ANCHORS if anchor.product is ProductLine.MILAN)
    assert genuine == [(1, 0xDB18000000000004, milan.ark, milan.ask, milan.asvk)]
    assert simulated[0][:2] == genuine[0][:2]
    assert set(simulated[0][2:]).isdisjoint(genuine[0][2:])
