"""Parsing: exact lengths, known variants only, zero padding cut, typed errors for everything else."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.attestation.support import PEM_CHAIN, QUOTE, RECIPE, Genuine
from xmtp_tee.attestation import parse_quote, tdx_workload_id, workload_id
from xmtp_tee.attestation.errors import (
    AttestationKeyTypeUnsupportedError,
    CertificationDataUnsupportedError,
    FieldError,
    PckChainMalformedError,
    QeVendorUnknownError,
    QuoteMalformedError,
    QuoteOversizedError,
    QuoteReservedSetError,
    QuoteTrailingBytesError,
    QuoteTruncatedError,
    QuoteVersionUnsupportedError,
    TeeTypeUnsupportedError,
)
from xmtp_tee.attestation.quote import MAX_QUOTE_SIZE
from xmtp_tee.attestation.simulator import Platform, QuoteRecipe, development_pki
from xmtp_tee.hashing import keccak256

PARSED = parse_quote(QUOTE)


def test_parse_quote_returns_the_fields_that_were_put_in() -> None:
    td = RECIPE.td
    assert PARSED.raw == QUOTE
    assert PARSED.header.version == 4
    assert PARSED.header.tee_type == 0x81
    assert PARSED.signed_bytes == QUOTE[:632]
    assert PARSED.body.raw == td.build() == QUOTE[48:632]
    assert PARSED.body.mr_td == td.mr_td == QUOTE[184:232]
    assert PARSED.body.report_data == td.report_data == QUOTE[568:632]
    assert PARSED.body.td_attributes == td.td_attributes.to_bytes(8, "little")
    assert PARSED.body.tee_tcb_svn == td.tee_tcb_svn
    assert PARSED.qe_report.isv_svn == RECIPE.quoting_enclave.isv_svn
    assert PARSED.qe_report.mr_signer == RECIPE.quoting_enclave.mr_signer
    assert PARSED.qe_auth_data == RECIPE.auth_data
    assert PARSED.pck_leaf == development_pki().issue_pck(Platform()).der
    assert PARSED.pck_chain[1:] == (
        development_pki().platform_ca.der,
        development_pki().root.der,
    )


@pytest.mark.parametrize("padding", [1, 70, 3_000, MAX_QUOTE_SIZE - len(QUOTE)])
def test_parse_quote_cuts_zero_padding(padding: int) -> None:
    assert parse_quote(QUOTE + bytes(padding)) == PARSED


def test_parse_quote_of_genuine_padded_quote_equals_the_cut_one(genuine: Genuine) -> None:
    padded = genuine.read("tdx/automata_tdx_quote_v4_padded8000.bin")
    cut = genuine.read("tdx/automata_tdx_quote_v4.bin")
    assert len(padded) == 8_000
    assert parse_quote(padded) == parse_quote(cut)
    assert parse_quote(padded).raw == cut


@pytest.mark.parametrize(
    "name",
    [
        "phala_tdx_quote",
        "flashtestations_0x12c14e56d585Dcf3B36f37476c00E78bA9363742",
        "flashtestations_0x46f6b3ACF1dD8Ac0085e30192741336c4aF6EdAF",
    ],
)
def test_parse_quote_of_genuine_quote_finds_three_certificates(genuine: Genuine, name: str) -> None:
    quote = parse_quote(genuine.read(f"tdx/{name}.bin"))
    assert quote.pck_chain[2] == genuine.intel_root
    if name.startswith("flashtestations_"):
        assert quote.body.report_data[:20].hex() == name.removeprefix("flashtestations_0x").lower()


@pytest.mark.parametrize(
    "trailer", [b"\x01", bytes(100) + b"\x01", b"\x01" + bytes(100), QUOTE], ids=len
)
def test_parse_quote_refuses_anything_but_zeros_after_the_end(trailer: bytes) -> None:
    with pytest.raises(QuoteTrailingBytesError):
        parse_quote(QUOTE + trailer)


def test_parse_quote_refuses_every_truncation() -> None:
    for size in range(len(QUOTE)):
        with pytest.raises(QuoteTruncatedError):
            parse_quote(QUOTE[:size])


def test_parse_quote_refuses_an_oversized_quote() -> None:
    with pytest.raises(QuoteOversizedError) as refusal:
        parse_quote(QUOTE + bytes(MAX_QUOTE_SIZE + 1 - len(QUOTE)))
    assert refusal.value.got == f"{MAX_QUOTE_SIZE + 1} bytes"


@pytest.mark.parametrize("version", [0, 1, 2, 3, 5, 6, 0x0400, 0xFFFF])
def test_parse_quote_refuses_every_version_but_4(version: int) -> None:
    with pytest.raises(QuoteVersionUnsupportedError) as refusal:
        parse_quote(replace(RECIPE, version=version).build())
    assert str(version) in str(refusal.value)


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("sgx/automata_sgx_quote_v3", "3 (SGX)"),
        ("sgx/phala_sgx_quote", "3 (SGX)"),
        ("tdx/automata_alibaba_quote_v5", "5 (TDX 1.5)"),
        ("tdx/automata_tdx_quote_v5", "5 (TDX 1.5)"),
    ],
)
def test_parse_quote_names_the_genuine_versions_that_it_refuses(
    genuine: Genuine, name: str, version: str
) -> None:
    with pytest.raises(QuoteVersionUnsupportedError) as refusal:
        parse_quote(genuine.read(f"{name}.bin"))
    assert refusal.value.got == version


@pytest.mark.parametrize("key_type", [0, 1, 3, 4, 0xFFFF])
def test_parse_quote_refuses_other_attestation_keys(key_type: int) -> None:
    with pytest.raises(AttestationKeyTypeUnsupportedError):
        parse_quote(replace(RECIPE, attestation_key_type=key_type).build())


@pytest.mark.parametrize("tee_type", [0, 0x80, 0x82, 0x8100, 0xFFFFFFFF])
def test_parse_quote_refuses_other_tee_types(tee_type: int) -> None:
    with pytest.raises(TeeTypeUnsupportedError):
        parse_quote(replace(RECIPE, tee_type=tee_type).build())


def test_parse_quote_refuses_another_quoting_enclaves_vendor() -> None:
    with pytest.raises(QeVendorUnknownError):
        parse_quote(replace(RECIPE, qe_vendor_id=bytes(16)).build())


@pytest.mark.parametrize("reserved", [b"\x01\x00\x00\x00", b"\x00\x00\x00\x80"], ids=bytes.hex)
def test_parse_quote_refuses_reserved_header_bytes(reserved: bytes) -> None:
    with pytest.raises(QuoteReservedSetError):
        parse_quote(replace(RECIPE, reserved=reserved).build())


@pytest.mark.parametrize("data_type", [0, 1, 2, 3, 4, 5, 7])
def test_parse_quote_refuses_other_outer_certification_data(data_type: int) -> None:
    with pytest.raises(CertificationDataUnsupportedError):
        parse_quote(replace(RECIPE, certification_type=data_type).build())


@pytest.mark.parametrize("data_type", [0, 1, 2, 3, 4, 6, 7])
def test_parse_quote_refuses_other_inner_certification_data(data_type: int) -> None:
    with pytest.raises(CertificationDataUnsupportedError):
        parse_quote(replace(RECIPE, chain_type=data_type).build())


def chain_variants() -> dict[str, bytes]:
    pki = development_pki()
    leaf, ca, root = pki.issue_pck().pem, pki.platform_ca.pem, pki.root.pem
    chain = leaf + ca + root
    return {
        "empty": b"",
        "leaf alone": leaf.encode(),
        "two": (leaf + ca).encode(),
        "four": (chain + root).encode(),
        "text before": b"x" + chain.encode(),
        "text between": (leaf + "x" + ca + root).encode(),
        "text after": chain.encode() + b"x",
        "two terminators": chain.encode() + bytes(2),
        "wrong label": chain.replace("CERTIFICATE", "PUBLIC KEY").encode(),
        "broken base64": (leaf[:40] + leaf[41:] + ca + root).encode(),
    }


@pytest.mark.parametrize("name", chain_variants())
def test_parse_quote_refuses_malformed_chains(name: str) -> None:
    with pytest.raises(PckChainMalformedError):
        parse_quote(replace(RECIPE, pem_chain=chain_variants()[name]).build())


def test_parse_quote_refuses_base64_with_loose_bits() -> None:
    # Two texts for one certificate: the padding bits of the last digit are free in careless decoders.
    text = QUOTE[PEM_CHAIN:].decode()
    end = text.index("-----END")
    body = text[:end].rstrip()
    padding = len(body) - len(body.rstrip("="))
    if padding == 0:
        pytest.skip("this certificate's length leaves no loose bits")
    digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    last = body.rstrip("=")[-1]
    loose = digits[digits.index(last) | 1]
    assert loose != last
    changed = body.rstrip("=")[:-1] + loose + "=" * padding + text[len(body) :]
    with pytest.raises(PckChainMalformedError, match="canonical"):
        parse_quote(QUOTE[:PEM_CHAIN] + changed.encode())


@pytest.mark.parametrize("offset", [632, 766, 1218, 1254], ids=hex)
@pytest.mark.parametrize("delta", [-1, 1])
def test_parse_quote_refuses_every_length_off_by_one(offset: int, delta: int) -> None:
    size = 2 if offset == 1218 else 4
    changed = bytearray(QUOTE)
    value = int.from_bytes(QUOTE[offset : offset + size], "little") + delta
    changed[offset : offset + size] = value.to_bytes(size, "little")
    with pytest.raises(QuoteMalformedError):
        parse_quote(bytes(changed))


@given(st.binary(max_size=6_000))
@example(b"")
def test_parse_quote_raises_only_typed_errors_for_arbitrary_bytes(data: bytes) -> None:
    with pytest.raises(QuoteMalformedError):
        parse_quote(data)


@given(st.data())
def test_parse_quote_of_damaged_quote_raises_typed_errors_or_parses(data: st.DataObject) -> None:
    changed = bytearray(QUOTE)
    for _ in range(data.draw(st.integers(1, 8))):
        changed[data.draw(st.integers(0, len(QUOTE) - 1))] = data.draw(st.integers(0, 255))
    try:
        parsed = parse_quote(bytes(changed))
    except QuoteMalformedError:
        return
    assert bytes(changed).startswith(parsed.raw)


def test_parse_quote_refuses_what_is_not_bytes() -> None:
    with pytest.raises(QuoteMalformedError):
        parse_quote("0x00")  # type: ignore[arg-type]


# --- workload id ----------------------------------------------------------------------------------


def test_workload_id_hashes_the_tag_and_bytes_168_to_567_of_the_quote() -> None:
    expected = keccak256(keccak256(b"xmtp-tee/workload/tdx/v1") + QUOTE[168:568])
    assert workload_id(PARSED) == expected == tdx_workload_id(PARSED.body.raw)


@pytest.mark.parametrize(
    "changes",
    [
        {"td_attributes": 1},
        {"xfam": bytes(8)},
        {"mr_td": bytes(48)},
        {"mr_config_id": b"\x01" * 48},
        {"mr_owner": b"\x01" * 48},
        {"mr_owner_config": b"\x01" * 48},
        *({"rtmr": tuple(bytes([i == j]) * 48 for j in range(4))} for i in range(4)),
    ],
    ids=str,
)
def test_workload_id_changes_with_every_measured_field(changes: dict[str, object]) -> None:
    other = QuoteRecipe(td=replace(RECIPE.td, **changes)).td.build()  # type: ignore[arg-type]
    assert tdx_workload_id(other) != workload_id(PARSED)


@pytest.mark.parametrize(
    "changes",
    [
        {"report_data": b"\x01" * 64},
        {"tee_tcb_svn": bytes(16)},
        {"mr_seam": bytes(48)},
        {"mr_signer_seam": b"\x01" * 48},
        {"seam_attributes": b"\x01" * 8},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_workload_id_does_not_depend_on_the_platform(changes: dict[str, object]) -> None:
    other = replace(RECIPE.td, **changes).build()  # type: ignore[arg-type]
    assert tdx_workload_id(other) == workload_id(PARSED)


def test_tdx_workload_id_refuses_another_length() -> None:
    with pytest.raises(FieldError):
        tdx_workload_id(bytes(648))
