"""The encoders: compact quotes, evidence, PCK ids, collateral, the order of submissions."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from xmtp_tee.attestation.collateral import Collateral
from xmtp_tee.attestation.dcap.compact import compact_quote
from xmtp_tee.attestation.dcap.errors import (
    CollateralFormError,
    CollateralMissingError,
    PckCertificateError,
)
from xmtp_tee.attestation.dcap.evidence import (
    known_platform_evidence,
    new_platform_evidence,
    quote_pck_leaf,
)
from xmtp_tee.attestation.dcap.pck import parse_pck_certificate
from xmtp_tee.attestation.dcap.qe_identity import compact_qe_identity
from xmtp_tee.attestation.dcap.submissions import (
    MAX_CRL_ENTRIES_PER_CALL,
    plan_submissions,
    signer_index,
)
from xmtp_tee.attestation.dcap.tcb_info import compact_tcb_info, tcb_info_text
from xmtp_tee.attestation.errors import QuoteMalformedError
from xmtp_tee.attestation.simulator import (
    CollateralRecipe,
    Platform,
    QeIdentityRecipe,
    QuoteRecipe,
    TcbInfoRecipe,
    development_pki,
)
from xmtp_tee.hashing import keccak256

NOW = 1_760_000_000
DAY = 86_400


def info_text() -> str:
    return TcbInfoRecipe().text(NOW, NOW + 30 * DAY)


def identity_text() -> str:
    return QeIdentityRecipe().text(NOW, NOW + 30 * DAY)


# --- quotes and evidence ---------------------------------------------------------------------------


def test_the_compact_quote_drops_lengths_and_chain() -> None:
    raw = QuoteRecipe().build()
    compact = compact_quote(raw)
    assert len(compact) == 1240
    assert compact[:632] == raw[:632]
    assert compact[632:760] == raw[636:764]
    assert compact[760:1208] == raw[770:1218]
    assert compact[1208:] == bytes(range(32))


def test_padding_is_dropped_and_other_trailing_bytes_refused() -> None:
    raw = QuoteRecipe().build()
    assert compact_quote(raw + bytes(3000)) == compact_quote(raw)
    with pytest.raises(QuoteMalformedError):
        compact_quote(raw + b"\x01")


@pytest.mark.parametrize("size", [0, 47, 632, 1000, 4000])
def test_a_truncated_quote_is_refused(size: int) -> None:
    with pytest.raises(QuoteMalformedError):
        compact_quote(QuoteRecipe().build()[:size])


def test_evidence_of_a_known_platform_names_its_certificate() -> None:
    raw = QuoteRecipe().build()
    pck = parse_pck_certificate(quote_pck_leaf(raw))
    evidence = known_platform_evidence(raw)
    assert evidence[:2] == b"\x02\x00"
    assert evidence[2:130] == pck.x + pck.y + pck.packed
    assert evidence[130:] == compact_quote(raw)


def test_evidence_of_a_new_platform_carries_its_certificate() -> None:
    raw = QuoteRecipe().build()
    leaf = quote_pck_leaf(raw)
    evidence = new_platform_evidence(raw)
    assert evidence[:2] == b"\x02\x01"
    assert int.from_bytes(evidence[2:4], "big") == len(leaf)
    assert evidence[4:] == leaf + compact_quote(raw)


# --- PCK certificates ------------------------------------------------------------------------------


def test_the_pck_id_is_the_hash_of_what_the_chain_keeps() -> None:
    platform = Platform(
        pce_svn=0x1234,
        fmspc=bytes.fromhex("a1b2c3d4e5f6"),
        pce_id=b"\x00\x07",
        ppid=bytes(range(16)),
    )
    issued = development_pki().issue_pck(platform)
    pck = parse_pck_certificate(issued.der)
    assert pck.x + pck.y == issued.public_key
    assert (pck.component_svns, pck.pcesvn) == (bytes(platform.tcb_components), 0x1234)
    assert (pck.fmspc, pck.pceid, pck.ppid) == (platform.fmspc, platform.pce_id, platform.ppid)
    assert pck.not_after == int(issued.certificate.not_valid_after_utc.timestamp())
    ca = signer_index(development_pki().platform_ca.certificate)
    assert pck.ca == ca
    assert len(pck.packed) == 64
    assert pck.packed[:16] == bytes(platform.tcb_components)
    assert pck.packed[26] == ca
    assert pck.pck_id == keccak256(issued.public_key + pck.packed)
    assert parse_pck_certificate(issued.der, ca=ca ^ 1).pck_id != pck.pck_id


def test_a_certificate_without_the_sgx_extension_is_refused() -> None:
    with pytest.raises(PckCertificateError):
        parse_pck_certificate(development_pki().platform_ca.der)
    with pytest.raises(PckCertificateError):
        parse_pck_certificate(b"\x30\x03\x02\x01\x01")


def altered_extensions() -> list[bytes]:
    good = Platform().sgx_extension()
    ppid = good.index(Platform().ppid)
    shorter = bytearray(good)
    shorter[ppid - 1] -= 1
    tail = good + b"\x00"
    other_tag = bytearray(good)
    other_tag[ppid - 2] = 0x03
    repeated = bytearray(good)
    # The last arc of the PPID's OID becomes PCE-ID's: one is missing, one is there twice.
    repeated[ppid - 3] = 0x03
    return [
        bytes(shorter),
        tail,
        bytes(other_tag),
        bytes(repeated),
        good[:-1],
        b"",
        b"\x30\x80\x00\x00",
    ]


@pytest.mark.parametrize("index", range(7))
def test_a_malformed_sgx_extension_is_refused(index: int) -> None:
    issued = development_pki().issue_pck(extension=altered_extensions()[index])
    with pytest.raises(PckCertificateError):
        parse_pck_certificate(issued.der)


# --- collateral ------------------------------------------------------------------------------------


def test_the_compact_tcb_info_is_small_and_gives_the_text_again() -> None:
    text = info_text()
    compact = compact_tcb_info(text)
    assert len(compact) < len(text) / 4
    assert tcb_info_text(compact) == text


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"version":3', '"version":2'),
        ('"version":3', '"version":3.0'),
        ('"version":3', '"version":"3"'),
        ('"tcbType":0', '"tcbType":1'),
        ('"tcbType":0', '"tcbType":false'),
        ('"id":"TDX"', '"id":"QVE"'),
        ('"pcesvn":11', '"pcesvn":65536'),
        ('"pcesvn":11', '"pcesvn":-1'),
        ('"svn":3', '"svn":256'),
        ('"svn":3', '"svn":3,"svn":2'),
        ('"svn":3', '"svn":3,"note":"x"'),
        ('{"svn":0}', '{"svn": 0}'),
        ('{"svn":0},', ""),
        ('"UpToDate"', '"TDRelaunchAdvised"'),
        ('"UpToDate"', '"uptodate"'),
        ("T00:00:00Z", "T00:00:00"),
        ("T00:00:00Z", "T24:00:00Z"),
        ("INTEL-SA-00106", "INTEL-SA-106"),
        ("INTEL-SA-00106", "INTEL-SA-99999"),
        ("INTEL-SA-00106", "INTEL-TA-00106"),
        ('"BIOS"', '"BI\\u004fS"'),
        ('"BIOS"', '"BIOS{"'),
        ('"BIOS"', '""'),
        ('"TDX_03"', '"TDX_3"'),
        ('"fmspc":"DE7E10000000"', '"fmspc":"DE7E1000000"'),
        ('"fmspc":"DE7E10000000"', '"fmspc":"DE7E1000000G"'),
        ('"attributes":"0000000000000000"', '"attributes":"000000000000000a"'),
        ("}]}", "}]} "),
        ('{"id"', ' {"id"'),
    ],
)
def test_a_text_that_cannot_be_rebuilt_is_refused(old: str, new: str) -> None:
    text = info_text()
    assert old in text
    with pytest.raises(CollateralFormError):
        compact_tcb_info(text.replace(old, new, 1))


def test_reordered_members_are_refused() -> None:
    info = json.loads(info_text())
    reordered = {key: info[key] for key in sorted(info)}
    with pytest.raises(CollateralFormError, match="differs at character"):
        compact_tcb_info(json.dumps(reordered, separators=(",", ":")))


def test_names_that_differ_between_levels_are_refused() -> None:
    info = json.loads(info_text())
    info["tcbLevels"][1]["tcb"]["sgxtcbcomponents"][0]["category"] = "Other"
    with pytest.raises(CollateralFormError):
        compact_tcb_info(json.dumps(info, separators=(",", ":")))


@pytest.mark.parametrize(
    "text",
    ["", "[]", "null", "{", "{}", '{"id":"TDX"}', '{"id":"TDX","id":"TDX"}', "[" * 100_000],
    ids=["empty", "list", "null", "brace", "nothing", "little", "twice", "deep"],
)
def test_what_is_no_tcb_info_is_refused(text: str) -> None:
    with pytest.raises(CollateralFormError):
        compact_tcb_info(text)
    with pytest.raises(CollateralFormError):
        compact_qe_identity(text)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"id":"TD_QE"', '"id":"QVE"'),
        ('"version":2', '"version":1'),
        ('"UpToDate"', '"SWHardeningNeeded"'),
        ('"isvsvn":4', '"isvsvn":04'),
        ('"isvprodid":2', '"isvprodid":65536'),
    ],
)
def test_an_identity_that_cannot_be_rebuilt_is_refused(old: str, new: str) -> None:
    text = identity_text()
    assert old in text
    with pytest.raises(CollateralFormError):
        compact_qe_identity(text.replace(old, new, 1))


# --- submissions -----------------------------------------------------------------------------------


def collateral() -> Collateral:
    return CollateralRecipe().build(NOW)


def test_submissions_come_in_the_order_that_the_chain_needs() -> None:
    leaf = development_pki().issue_pck().der
    plan = plan_submissions(collateral(), leaf)
    assert [step.function for step in plan] == [
        "submitIntermediateCa",
        "submitTcbSigner",
        "submitCrl",
        "submitCrl",
        "submitTcbInfo",
        "submitQeIdentity",
        "submitPckCertificate",
    ]
    compact, r, s, signer = plan[4].arguments
    pieces = collateral()
    assert compact == compact_tcb_info(pieces.tcb_info)
    assert (r, s) == (pieces.tcb_info_signature[:32], pieces.tcb_info_signature[32:])
    assert signer == signer_index(development_pki().tcb_signer.certificate)
    assert plan[-1].arguments == (leaf,)


def test_two_signers_are_both_submitted() -> None:
    pki = development_pki()
    second = pki.issue_tcb_signer("second signer")
    pieces = replace(collateral(), qe_identity_issuer_chain=second.pem + pki.root.pem)
    plan = plan_submissions(pieces)
    signers = [step.arguments[0] for step in plan if step.function == "submitTcbSigner"]
    assert signers == [pki.tcb_signer.der, second.der]
    assert plan[-1].arguments[3] == signer_index(second.certificate)


def test_a_long_list_comes_in_parts() -> None:
    serials = tuple(range(1, 2 * MAX_CRL_ENTRIES_PER_CALL + 2))
    plan = plan_submissions(CollateralRecipe(revoked_by_ca=serials).build(NOW))
    parts = [step.arguments[1:] for step in plan if step.function == "submitCrlEntries"]
    size = MAX_CRL_ENTRIES_PER_CALL
    assert parts == [(0, size), (size, size), (2 * size, size)]


def test_pieces_of_different_platforms_are_refused() -> None:
    leaf = development_pki().issue_pck(Platform(fmspc=bytes(6))).der
    with pytest.raises(CollateralFormError, match="fmspc"):
        plan_submissions(collateral(), leaf)
    other_pce = development_pki().issue_pck(Platform(pce_id=b"\x00\x01")).der
    with pytest.raises(CollateralFormError, match="pceId"):
        plan_submissions(collateral(), other_pce)
    pki = development_pki()
    swapped = replace(collateral(), pck_crl_issuer_chain=pki.processor_ca.pem + pki.root.pem)
    with pytest.raises(CollateralFormError, match="another CA"):
        plan_submissions(swapped)


def test_an_empty_chain_is_refused() -> None:
    with pytest.raises(CollateralMissingError):
        plan_submissions(replace(collateral(), tcb_info_issuer_chain="nothing"))
