"""Parsing: exact lengths, known variants only, zero padding cut, typed errors for everything else."""

from __future__ import annotations

from dataclasses import replace

import dcap_qvl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.attestation.support import PEM_CHAIN, QUOTE, RECIPE, Genuine, flipped
from xmtp_tee.attestation import (
    SgxReport,
    TdReport,
    TeeKind,
    parse_quote,
    sgx_workload_id,
    tdx_15_workload_id,
    tdx_workload_id,
    workload_id,
)
from xmtp_tee.attestation.errors import (
    AttestationKeyTypeUnsupportedError,
    CertificationDataUnsupportedError,
    FieldError,
    PckChainMalformedError,
    QeVendorUnknownError,
    QuoteBodyUnsupportedError,
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
FAMILY = {
    "SGX 3": QuoteRecipe.sgx_v3(),
    "TDX 4": RECIPE,
    "TDX 5, TD 1.0": QuoteRecipe.tdx_v5_td_10(RECIPE.td),
    "TDX 5, TD 1.5": QuoteRecipe.tdx_v5(RECIPE.td),
}


def test_parse_quote_returns_the_fields_that_were_put_in() -> None:
    td = RECIPE.td
    assert PARSED.raw == QUOTE
    assert PARSED.header.version == 4
    assert PARSED.header.tee_type == 0x81
    assert PARSED.signed_bytes == QUOTE[:632]
    assert PARSED.body.raw == td.build() == QUOTE[48:632]
    assert isinstance(PARSED.body, TdReport)
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
        assert quote.report_data[:20].hex() == name.removeprefix("flashtestations_0x").lower()


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


@pytest.mark.parametrize("version", [0, 1, 2, 6, 0x0300, 0x0400, 0x0500, 0xFFFF])
@pytest.mark.parametrize("name", FAMILY)
def test_parse_quote_refuses_every_version_but_3_4_and_5(name: str, version: int) -> None:
    with pytest.raises(QuoteVersionUnsupportedError) as refusal:
        parse_quote(replace(FAMILY[name], version=version).build())
    assert str(version) in str(refusal.value)


@pytest.mark.parametrize(("name", "version"), [("SGX 3", 4), ("SGX 3", 5), ("TDX 4", 3)])
def test_parse_quote_refuses_one_version_under_the_number_of_another(
    name: str, version: int
) -> None:
    with pytest.raises(TeeTypeUnsupportedError):
        parse_quote(replace(FAMILY[name], version=version).build())


@pytest.mark.parametrize("key_type", [0, 1, 3, 4, 0xFFFF])
@pytest.mark.parametrize("name", FAMILY)
def test_parse_quote_refuses_other_attestation_keys(name: str, key_type: int) -> None:
    with pytest.raises(AttestationKeyTypeUnsupportedError):
        parse_quote(replace(FAMILY[name], attestation_key_type=key_type).build())


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


def test_workload_ids_refuse_another_length() -> None:
    for function, size in (
        (tdx_workload_id, 648),
        (tdx_15_workload_id, 584),
        (sgx_workload_id, 432),
    ):
        with pytest.raises(FieldError):
            function(bytes(size))


def test_workload_id_of_td_1_0_is_the_same_in_versions_4_and_5() -> None:
    assert workload_id(parse_quote(FAMILY["TDX 5, TD 1.0"].build())) == workload_id(PARSED)


def test_workload_id_of_td_1_5_has_its_own_tag_and_covers_the_service_td() -> None:
    raw = FAMILY["TDX 5, TD 1.5"].build()
    body = raw[54:702]
    expected = keccak256(keccak256(b"xmtp-tee/workload/tdx-1.5/v1") + body[120:520] + body[600:648])
    assert workload_id(parse_quote(raw)) == expected == tdx_15_workload_id(body)
    assert expected != workload_id(PARSED)
    service = replace(RECIPE.td, mr_service_td=b"\x01" * 48).build_15()
    assert tdx_15_workload_id(service) != expected
    newer_module = replace(RECIPE.td, tee_tcb_svn_2=bytes(16)).build_15()
    assert tdx_15_workload_id(newer_module) == expected


def test_workload_id_of_sgx_covers_everything_but_cpusvn_and_report_data() -> None:
    raw = FAMILY["SGX 3"].build()
    body = raw[48:432]
    expected = keccak256(keccak256(b"xmtp-tee/workload/sgx/v1") + body[16:320])
    assert workload_id(parse_quote(raw)) == expected == sgx_workload_id(body)
    for offset in range(384):
        changed = sgx_workload_id(flipped(body, 8 * offset))
        assert (changed == expected) == (offset < 16 or offset >= 320), offset


# --- SGX version 3, TDX version 5 ------------------------------------------------------------------


def test_parse_quote_of_sgx_returns_the_fields_that_were_put_in() -> None:
    recipe = FAMILY["SGX 3"]
    assert recipe.sgx is not None
    raw = recipe.build()
    quote = parse_quote(raw)
    assert isinstance(quote.body, SgxReport)
    assert quote.tee is TeeKind.SGX
    assert quote.format_name == "SGX quote, version 3"
    assert quote.signed_bytes == raw[:432]
    assert quote.body.raw == raw[48:432] == recipe.sgx.build()
    assert quote.body.mr_enclave == recipe.sgx.mr_enclave == raw[112:144]
    assert quote.body.mr_signer == recipe.sgx.mr_signer == raw[176:208]
    assert (quote.body.isv_prod_id, quote.body.isv_svn) == (1, 1)
    assert quote.report_data == recipe.sgx.report_data == raw[368:432]
    assert quote.qe_report.isv_prod_id == 1


@pytest.mark.parametrize(("name", "size"), [("TDX 5, TD 1.0", 584), ("TDX 5, TD 1.5", 648)])
def test_parse_quote_of_version_5_returns_the_fields_that_were_put_in(name: str, size: int) -> None:
    raw = FAMILY[name].build()
    quote = parse_quote(raw)
    assert isinstance(quote.body, TdReport)
    assert quote.tee is TeeKind.TDX
    assert quote.format_name == "TDX quote, version 5" + name.removeprefix("TDX 5")
    assert quote.signed_bytes == raw[: 54 + size]
    assert quote.body.raw == raw[54 : 54 + size]
    assert quote.body.raw[:584] == PARSED.body.raw
    if size == 584:
        assert quote.body.tee_tcb_svn_2 is None
        assert quote.body.mr_service_td is None
    else:
        assert quote.body.tee_tcb_svn_2 == RECIPE.td.tee_tcb_svn
        assert quote.body.mr_service_td == bytes(48)


@pytest.mark.parametrize("name", FAMILY)
def test_parse_quote_of_every_kind_cuts_zero_padding_and_nothing_else(name: str) -> None:
    raw = FAMILY[name].build()
    assert parse_quote(raw + bytes(3_000)) == parse_quote(raw)
    for trailer in (b"\x01", bytes(100) + b"\x01"):
        with pytest.raises(QuoteTrailingBytesError):
            parse_quote(raw + trailer)


@pytest.mark.parametrize("name", FAMILY)
def test_parse_quote_of_every_kind_refuses_every_truncation(name: str) -> None:
    raw = FAMILY[name].build()
    for size in range(len(raw)):
        with pytest.raises(QuoteTruncatedError):
            parse_quote(raw[:size])


@pytest.mark.parametrize("body_type", [0, 1, 4, 5, 0x0200, 0xFFFF])
def test_parse_quote_refuses_other_bodies_in_version_5(body_type: int) -> None:
    with pytest.raises(QuoteBodyUnsupportedError, match=str(body_type)):
        parse_quote(replace(FAMILY["TDX 5, TD 1.5"], body_type=body_type).build())


@pytest.mark.parametrize("size", [0, 583, 584, 647, 649, 1 << 31])
def test_parse_quote_refuses_a_body_size_of_another_type(size: int) -> None:
    with pytest.raises(QuoteBodyUnsupportedError, match="size"):
        parse_quote(replace(FAMILY["TDX 5, TD 1.5"], body_size=size).build())


def test_parse_quote_takes_the_svns_in_an_sgx_header_and_no_reserved_bits_in_others() -> None:
    reserved = bytes.fromhex("0a000f00")
    assert parse_quote(replace(FAMILY["SGX 3"], reserved=reserved).build()).tee is TeeKind.SGX
    for name in ("TDX 4", "TDX 5, TD 1.0", "TDX 5, TD 1.5"):
        with pytest.raises(QuoteReservedSetError):
            parse_quote(replace(FAMILY[name], reserved=reserved).build())


@pytest.mark.parametrize("data_type", [0, 1, 2, 3, 4, 6, 7])
def test_parse_quote_of_sgx_refuses_other_certification_data(data_type: int) -> None:
    with pytest.raises(CertificationDataUnsupportedError):
        parse_quote(replace(FAMILY["SGX 3"], chain_type=data_type).build())


@pytest.mark.parametrize(
    ("name", "format_name"),
    [
        ("sgx/automata_sgx_quote_v3", "SGX quote, version 3"),
        ("sgx/phala_sgx_quote", "SGX quote, version 3"),
        ("tdx/automata_alibaba_quote_v5", "TDX quote, version 5, TD 1.5"),
        ("tdx/automata_tdx_quote_v5", "TDX quote, version 5, TD 1.5"),
        ("tdx/phala_tdx_quote_outdated", "TDX quote, version 5, TD 1.5"),
    ],
)
def test_parse_quote_of_genuine_quotes_agrees_with_dcap_qvl(
    genuine: Genuine, name: str, format_name: str
) -> None:
    raw = genuine.read(f"{name}.bin")
    quote = parse_quote(raw)
    assert quote.format_name == format_name
    assert quote.pck_chain[2] == genuine.intel_root
    theirs = dcap_qvl.parse_quote(raw)
    assert theirs.header.version == quote.header.version
    assert bytes(theirs.report.report_data) == quote.report_data
    if isinstance(quote.body, SgxReport):
        assert bytes(theirs.report.mr_enclave) == quote.body.mr_enclave
        assert bytes(theirs.report.mr_signer) == quote.body.mr_signer


@given(st.sampled_from(sorted(FAMILY)), st.data())
def test_parse_quote_of_a_damaged_quote_of_any_kind_raises_typed_errors_or_parses(
    name: str, data: st.DataObject
) -> None:
    raw = FAMILY[name].build()
    changed = bytearray(raw)
    for _ in range(data.draw(st.integers(1, 8))):
        changed[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        parsed = parse_quote(bytes(changed))
    except QuoteMalformedError:
        return
    assert bytes(changed).startswith(parsed.raw)
