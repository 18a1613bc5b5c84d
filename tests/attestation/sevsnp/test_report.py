"""The report's bytes: every field of every version, every reserved byte, and the certificate table behind them."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.attestation.sevsnp.support import REPORT, recipe
from tests.attestation.support import BINDING
from xmtp_tee.attestation.errors import (
    AttestationKeyTypeUnsupportedError,
    CollateralUnavailableError,
    QuoteMalformedError,
    QuoteTruncatedError,
    QuoteVersionUnsupportedError,
    SnpReportMalformedError,
)
from xmtp_tee.attestation.sevsnp.certificate_table import (
    ARK_GUID,
    ASK_GUID,
    MAX_CERTIFICATE_SIZE,
    MAX_TABLE_SIZE,
    VCEK_GUID,
    encode_table,
    parse_evidence,
    parse_table,
)
from xmtp_tee.attestation.sevsnp.product import ProductLine, Tcb
from xmtp_tee.attestation.sevsnp.report import REPORT_SIZE, SigningKey, parse_report

BARE = REPORT[:REPORT_SIZE]


def bare(**changes: object) -> bytes:
    """A report without its certificates."""
    return recipe(**changes).build()[:REPORT_SIZE]


def patched(offset: int, data: bytes, raw: bytes = BARE) -> bytes:
    """A report with other bytes at an offset; its signature is stale, which parsing does not look at."""
    return raw[:offset] + data + raw[offset + len(data) :]


def test_fields_stand_where_amd_puts_them() -> None:
    report = parse_report(
        bare(
            version=5,
            guest_svn=7,
            policy=0x3_00_1D | 1 << 17,
            vmpl=2,
            host_data=b"\x11" * 32,
            id_key_digest=b"\x22" * 48,
            author_key_digest=b"\x33" * 48,
            measurement=b"\x44" * 48,
            chip_id=b"\x55" * 64,
            platform_info=0x27,
            flags=0b11,
            patches=((0x1F8, b"\x01" * 16),),
        )
    )
    assert (report.version, report.guest_svn, report.vmpl) == (5, 7, 2)
    assert report.policy == 0x3001D | 1 << 17
    assert report.platform_info == 0x27
    assert report.report_data == BINDING.report_data()
    assert report.measurement == b"\x44" * 48
    assert report.host_data == b"\x11" * 32
    assert report.id_key_digest == b"\x22" * 48
    assert report.author_key_digest == b"\x33" * 48
    assert report.chip_id == b"\x55" * 64
    assert report.signing_key is SigningKey.VCEK
    assert report.chip_key_masked
    assert report.cpu == (0x19, 1, 1)
    tcb = bytes([4, 0, 0, 0, 0, 0, 24, 219])
    assert report.reported_tcb == report.current_tcb == report.committed_tcb == tcb
    assert report.launch_tcb == tcb
    assert len(report.signed) == 0x2A0


def test_signatures_halves_are_little_endian() -> None:
    report = parse_report(BARE)
    assert report.signature[:48] == BARE[0x2A0 : 0x2A0 + 48][::-1]
    assert report.signature[48:] == BARE[0x2E8 : 0x2E8 + 48][::-1]


@pytest.mark.parametrize("version", [0, 1, 6, 7, 2**32 - 1])
def test_other_versions_are_refused(version: int) -> None:
    with pytest.raises(QuoteVersionUnsupportedError):
        parse_report(patched(0, version.to_bytes(4, "little")))


@pytest.mark.parametrize("version", [2, 3, 4, 5])
def test_supported_versions_are_read(version: int) -> None:
    report = parse_report(bare(version=version))
    assert report.version == version
    assert (report.cpu is None) == (version == 2)


@pytest.mark.parametrize("algorithm", [0, 2, 2**32 - 1])
def test_another_signature_algorithm_is_refused(algorithm: int) -> None:
    with pytest.raises(AttestationKeyTypeUnsupportedError):
        parse_report(patched(0x34, algorithm.to_bytes(4, "little")))


@pytest.mark.parametrize(
    ("version", "reserved"),
    [
        (
            2,
            [
                0x4C,
                0x4F,
                0x188,
                0x189,
                0x18A,
                0x18B,
                0x19F,
                0x1EB,
                0x1EF,
                0x1F8,
                0x207,
                0x208,
                0x29F,
            ],
        ),
        (3, [0x4C, 0x4F, 0x18B, 0x19F, 0x1EB, 0x1EF, 0x1F8, 0x207, 0x208, 0x29F]),
        (4, [0x4C, 0x4F, 0x18B, 0x19F, 0x1EB, 0x1EF, 0x1F8, 0x207, 0x208, 0x29F]),
        (5, [0x4C, 0x4F, 0x18B, 0x19F, 0x1EB, 0x1EF, 0x208, 0x29F]),
    ],
)
def test_reserved_bytes_of_each_version_must_be_zero(version: int, reserved: list[int]) -> None:
    raw = bare(version=version)
    for offset in reserved:
        with pytest.raises(SnpReportMalformedError, match="Reserved bytes"):
            parse_report(patched(offset, b"\x01", raw))


def test_bytes_that_no_signature_covers_must_be_zero() -> None:
    """35 of 300 random bit flips in the unsigned tail were accepted by others."""
    for offset in (0x2D0, 0x2E7, 0x318, 0x32F, 0x330, 0x400, 0x49F):
        with pytest.raises(SnpReportMalformedError, match="Reserved bytes"):
            parse_report(patched(offset, b"\x01"))


@pytest.mark.parametrize("flags", [0b01000, 0b01100, 0b11100, 1 << 5, 1 << 31, 0b00100 | 1 << 5])
def test_unsigned_reports_and_unknown_keys_are_refused(flags: int) -> None:
    with pytest.raises(SnpReportMalformedError, match="unknown kind"):
        parse_report(patched(0x48, flags.to_bytes(4, "little")))


@pytest.mark.parametrize("vmpl", [4, 2**32 - 1])
def test_a_report_that_the_host_asked_for_is_refused(vmpl: int) -> None:
    with pytest.raises(SnpReportMalformedError, match="not requested by a guest"):
        parse_report(patched(0x30, vmpl.to_bytes(4, "little")))


def test_a_report_has_one_size() -> None:
    for size in (0, 1, 0x2A0, REPORT_SIZE - 1):
        with pytest.raises(QuoteTruncatedError):
            parse_report(BARE[:size])
    with pytest.raises(SnpReportMalformedError, match="too long"):
        parse_report(BARE + b"\x00")


@given(st.binary(min_size=REPORT_SIZE, max_size=REPORT_SIZE) | st.binary(max_size=200))
def test_random_bytes_raise_only_typed_errors(raw: bytes) -> None:
    with pytest.raises(QuoteMalformedError):
        parse_report(raw)


# --- TCB versions ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("product", "raw"),
    [
        (ProductLine.MILAN, bytes([1, 2, 0, 0, 0, 0, 3, 255])),
        (ProductLine.GENOA, bytes([1, 2, 0, 0, 0, 0, 3, 255])),
        (ProductLine.TURIN, bytes([9, 1, 2, 3, 0, 0, 0, 255])),
    ],
)
def test_tcb_versions_are_read_as_their_product_line_writes_them(
    product: ProductLine, raw: bytes
) -> None:
    tcb = Tcb.decode(raw, product)
    fmc = 9 if product is ProductLine.TURIN else 0
    assert tcb == Tcb(boot_loader=1, tee=2, snp=3, microcode=255, fmc=fmc)
    assert tcb.encode(product) == raw


@pytest.mark.parametrize("product", ProductLine)
def test_reserved_bytes_of_a_tcb_version_must_be_zero(product: ProductLine) -> None:
    reserved = (4, 5, 6) if product is ProductLine.TURIN else (2, 3, 4, 5)
    for place in reserved:
        raw = bytearray(8)
        raw[place] = 1
        with pytest.raises(SnpReportMalformedError, match="Reserved bytes"):
            Tcb.decode(bytes(raw), product)
    for size in (0, 7, 9):
        with pytest.raises(SnpReportMalformedError):
            Tcb.decode(bytes(size), product)


@given(st.lists(st.tuples(st.integers(0, 255), st.integers(0, 255)), min_size=5, max_size=5))
def test_a_floor_is_reached_in_every_component_or_not_at_all(pairs: list[tuple[int, int]]) -> None:
    """A sum or a lexicographic comparison would let one component make up for another."""
    own, floor = (Tcb(*(pair[side] for pair in pairs)) for side in (0, 1))
    assert own.reaches(floor) == all(a >= b for a, b in pairs)


def test_product_lines_are_known_by_amds_names_alone() -> None:
    for line in ProductLine:
        assert ProductLine.from_label(line.label) is line
        assert line.family == line.label.encode() + bytes(11)
    for label in ("", "milan", "MILAN", "Rome", "Venice", "Siena"):
        with pytest.raises(SnpReportMalformedError, match="not known"):
            ProductLine.from_label(label)


@pytest.mark.parametrize(
    ("family", "model", "line"),
    [
        (0x19, 0x00, ProductLine.MILAN),
        (0x19, 0x0F, ProductLine.MILAN),
        (0x19, 0x10, ProductLine.GENOA),
        (0x19, 0x1F, ProductLine.GENOA),
        (0x19, 0x20, None),
        (0x19, 0xA0, ProductLine.GENOA),
        (0x19, 0xAF, ProductLine.GENOA),
        (0x19, 0xB0, None),
        (0x1A, 0x00, ProductLine.TURIN),
        (0x1A, 0x11, ProductLine.TURIN),
        (0x1A, 0x12, None),
        (0x1A, 0x50, None),
        (0x17, 0x31, None),
    ],
)
def test_processors_belong_to_one_product_line_or_none(
    family: int, model: int, line: ProductLine | None
) -> None:
    assert [p for p in ProductLine if p.has_cpu(family, model)] == ([line] if line else [])


# --- the certificate table ------------------------------------------------------------------------------


def test_an_extended_report_is_read_back_with_and_without_padding() -> None:
    evidence = parse_evidence(REPORT)
    assert evidence.encode() == REPORT
    padded = REPORT + bytes(4096 - len(REPORT) % 4096)
    assert parse_evidence(padded) == evidence


@given(st.dictionaries(st.uuids(), st.binary(min_size=1, max_size=60), max_size=6))
def test_tables_are_read_back(certificates: dict[UUID, bytes]) -> None:
    certificates.pop(UUID(int=0), None)
    assert parse_table(encode_table(certificates)) == certificates
    assert parse_table(encode_table(certificates) + bytes(50)) == certificates


@given(st.binary(max_size=200))
def test_random_tables_raise_only_typed_errors(raw: bytes) -> None:
    try:
        parse_table(raw)
    except SnpReportMalformedError:
        return
    assert not any(raw[:24])


def entry(guid: UUID, offset: int, length: int) -> bytes:
    return guid.bytes + offset.to_bytes(4, "little") + length.to_bytes(4, "little")


END = bytes(24)


@pytest.mark.parametrize(
    ("what", "table"),
    [
        ("an entry of half its size", entry(ARK_GUID, 48, 1)[:12]),
        ("no end", entry(ARK_GUID, 48, 1)),
        ("an end of half its size", entry(ARK_GUID, 48, 1) + bytes(12)),
        ("a certificate beyond the table", entry(ARK_GUID, 48, 2) + END + b"a"),
        ("a certificate inside the entries", entry(ARK_GUID, 0, 1) + END + b"a"),
        ("a gap", entry(ARK_GUID, 49, 1) + END + b"ab"),
        ("an empty certificate", entry(ARK_GUID, 48, 0) + END),
        ("an overlap", entry(ARK_GUID, 72, 2) + entry(ASK_GUID, 73, 2) + END + b"abc"),
        ("one twice", entry(ARK_GUID, 72, 1) + entry(ARK_GUID, 73, 1) + END + b"ab"),
        ("something behind", entry(ARK_GUID, 48, 1) + END + b"a" + b"\x01"),
        ("something behind an empty table", END + b"\x01"),
        ("an offset of 4 GiB", entry(ARK_GUID, 2**32 - 1, 2) + END),
        (
            "a certificate that is too long",
            entry(ARK_GUID, 48, MAX_CERTIFICATE_SIZE + 1) + END + bytes(MAX_CERTIFICATE_SIZE + 1),
        ),
        ("too many entries", encode_table({uuid4(): b"x" for _ in range(17)})),
        ("too long", bytes(MAX_TABLE_SIZE + 1)),
    ],
)
def test_a_table_of_another_form_is_refused(what: str, table: bytes) -> None:
    with pytest.raises(SnpReportMalformedError):
        parse_table(table)


def test_missing_certificates_are_named() -> None:
    with pytest.raises(CollateralUnavailableError) as caught:
        parse_evidence(BARE)
    assert caught.value.got == "without VCEK, ASK or ASVK, ARK"
    certificates = parse_table(REPORT[REPORT_SIZE:])
    for guid, name in ((VCEK_GUID, "VCEK"), (ASK_GUID, "ASK or ASVK"), (ARK_GUID, "ARK")):
        without = {key: value for key, value in certificates.items() if key != guid}
        with pytest.raises(CollateralUnavailableError) as missing:
            parse_evidence(BARE + encode_table(without))
        assert missing.value.got == f"without {name}"
