"""Reverts become typed refusals: name, arguments, and one of four exit codes."""

from __future__ import annotations

import json

import pytest
from eth_abi import encode

from xmtp_tee.client.abi import canonical_type, error_name, errors_by_selector, manifest, selector
from xmtp_tee.client.chain_errors import (
    CallRefused,
    ContractRefused,
    EvidenceRefused,
    PolicyRefused,
    refusal,
)
from xmtp_tee.client.revert import decode_revert
from xmtp_tee.errors import ExitCode
from xmtp_tee.hashing import keccak256


def revert_data(signature: str, types: list[str], values: list[object]) -> bytes:
    return keccak256(signature.encode())[:4] + encode(types, values)


def test_custom_error_is_decoded_with_its_argument_names() -> None:
    data = revert_data("BlockTooOld(uint256,uint256)", ["uint256", "uint256"], [5, 9])
    refused = decode_revert(data, gas_used=30_000, transaction="0xab")
    assert isinstance(refused, PolicyRefused)
    assert refused.error_name == "BlockTooOld"
    assert refused.error_args == {"got": 5, "oldest": 9}
    assert refused.text == "BlockTooOld(got: 5, oldest: 9)"
    assert refused.gas_used == 30_000
    assert refused.as_dict()["contract_error"] == "BlockTooOld"
    json.dumps(refused.as_dict())


def test_unknown_selector_is_shown_and_counts_as_invalid_evidence() -> None:
    refused = decode_revert(bytes.fromhex("deadbeef") + bytes(32))
    assert refused.error_name == "0xdeadbeef"
    assert "0xdeadbeef" in refused.text
    assert refused.exit_code is ExitCode.INVALID_EVIDENCE


@pytest.mark.parametrize("data", [b"", b"\x01", b"\x01\x02\x03"])
def test_revert_without_a_selector_is_a_refusal(data: bytes) -> None:
    refused = decode_revert(data)
    assert isinstance(refused, ContractRefused)
    assert refused.exit_code is ExitCode.INVALID_EVIDENCE


def test_truncated_arguments_keep_the_name() -> None:
    data = revert_data("BlockTooOld(uint256,uint256)", ["uint256"], [5])
    refused = decode_revert(data)
    assert refused.error_name == "BlockTooOld"
    assert "undecodable" in refused.error_args


def test_solidity_own_errors_are_decoded() -> None:
    text = decode_revert(revert_data("Error(string)", ["string"], ["no"]))
    panic = decode_revert(revert_data("Panic(uint256)", ["uint256"], [0x11]))
    assert (text.error_name, text.error_args) == ("Error", {"reason": "no"})
    assert (panic.error_name, panic.error_args) == ("Panic", {"code": 0x11})


@pytest.mark.parametrize(
    ("name", "kind", "code"),
    [
        ("WorkloadNotTrusted", PolicyRefused, ExitCode.REFUSED_BY_POLICY),
        ("TcbStatusNotAccepted", PolicyRefused, ExitCode.REFUSED_BY_POLICY),
        ("ReportDataMismatch", EvidenceRefused, ExitCode.INVALID_EVIDENCE),
        ("CertificateSignerMismatch", EvidenceRefused, ExitCode.INVALID_EVIDENCE),
        ("EpochNotGreater", CallRefused, ExitCode.USAGE),
        ("NobodyKnowsThisOne", EvidenceRefused, ExitCode.INVALID_EVIDENCE),
    ],
)
def test_error_has_the_exit_code_of_its_kind(
    name: str, kind: type[ContractRefused], code: ExitCode
) -> None:
    refused = refusal(name, {})
    assert type(refused) is kind
    assert refused.exit_code is code


def test_every_error_of_the_manifest_is_found_by_its_selector() -> None:
    errors = [e for abi in manifest().values() for e in abi if e["type"] == "error"]
    assert len(errors) > 20
    for entry in errors:
        assert errors_by_selector()[selector(entry)]["name"] == entry["name"]
        assert error_name(selector(entry)) == entry["name"]


def test_every_classified_error_exists_in_the_contracts() -> None:
    from xmtp_tee.client import chain_errors

    known = {entry["name"] for entry in errors_by_selector().values()}
    classified = chain_errors._POLICY | chain_errors._COLLATERAL | chain_errors._CALL
    assert classified - known == set()


def test_tuple_types_are_spelt_out() -> None:
    entry = {
        "type": "tuple[2]",
        "components": [{"type": "uint8"}, {"type": "tuple", "components": [{"type": "bytes"}]}],
    }
    assert canonical_type(entry) == "(uint8,(bytes))[2]"


def test_register_has_the_pinned_selector() -> None:
    entry = next(
        e for e in manifest()["KeyRegistry"] if e.get("name") == "registerKeyBundleWithAttestation"
    )
    assert selector(entry).hex() == "55b52353"
