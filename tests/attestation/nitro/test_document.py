"""The document in its envelope: what is parsed, and every departure that is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.attestation.nitro.support import (
    DOCUMENT,
    NOW,
    changed,
    recipe,
    verify,
    with_field,
    without_field,
)
from xmtp_tee.attestation.errors import (
    CborMalformedError,
    NitroDocumentMalformedError,
    QuoteMalformedError,
    QuoteNotGenuineError,
    QuoteOversizedError,
)
from xmtp_tee.attestation.nitro.cbor import decode, encode
from xmtp_tee.attestation.nitro.document import PCR_SIZE, parse_document
from xmtp_tee.attestation.simulator.nitro.document import development_pcrs
from xmtp_tee.attestation.simulator.nitro.pki import INSTANCE_ID, MODULE_ID
from xmtp_tee.errors import InvalidEvidenceError

BANK = development_pcrs()


def test_fields_are_read_as_they_were_written() -> None:
    raw = recipe(nonce=b"n", public_key=b"key").build(NOW)
    document = parse_document(raw)
    assert document.module_id == MODULE_ID
    assert document.instance_id == INSTANCE_ID
    assert document.timestamp_ms == NOW * 1000
    assert document.pcrs == BANK
    assert (document.nonce, document.public_key) == (b"n", b"key")
    assert len(document.bundle) == 4
    assert document.raw == raw


def test_signed_bytes_are_the_sig_structure_of_rfc_9052() -> None:
    envelope = decode(DOCUMENT, "the envelope")
    assert isinstance(envelope, list)
    expected = encode(["Signature1", envelope[0], b"", envelope[2]])
    assert parse_document(DOCUMENT).signed == expected


@pytest.mark.parametrize("indefinite", [True, False])
def test_both_forms_of_the_payloads_map_are_read(indefinite: bool) -> None:
    assert verify(recipe(indefinite=indefinite)).document.pcrs == BANK


@pytest.mark.parametrize("name", ["public_key", "nonce"])
def test_optional_fields_are_null_or_absent(name: str) -> None:
    assert getattr(verify(with_field(name, None)).document, name) is None
    assert getattr(verify(without_field(name)).document, name) is None


def test_fields_may_come_in_another_order() -> None:
    def reverse(fields: dict[int | str, object]) -> None:
        items = list(fields.items())
        fields.clear()
        fields.update(reversed(items))

    assert verify(changed(reverse)).document.module_id == MODULE_ID


def test_registers_above_15_are_read_when_the_enclave_locked_them() -> None:
    bank = {**BANK, 16: b"\x10" * PCR_SIZE, 31: b"\x1f" * PCR_SIZE}
    verified = verify(recipe(pcrs=bank))
    assert verified.document.pcrs == bank
    assert verified.workload == verify(DOCUMENT).workload


@pytest.mark.parametrize(
    "name", ["module_id", "digest", "timestamp", "pcrs", "certificate", "cabundle"]
)
def test_a_missing_required_field_is_refused(name: str) -> None:
    with pytest.raises(NitroDocumentMalformedError, match="expected fields"):
        verify(without_field(name))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("debug", False),
        ("module_id", None),
        ("module_id", b"i-1-enc1"),
        ("module_id", ""),
        ("module_id", "i-1"),
        ("module_id", "-enc1"),
        ("module_id", "i-\u00e9-enc1"),
        ("module_id", "i-\n-enc1"),
        ("module_id", "i-" + "1" * 128 + "-enc1"),
        ("digest", "SHA256"),
        ("digest", "sha384"),
        ("digest", None),
        ("timestamp", 0),
        ("timestamp", -1),
        ("timestamp", True),
        ("timestamp", "1"),
        ("pcrs", None),
        ("pcrs", []),
        ("pcrs", {}),
        ("pcrs", {0: bytes(48)}),
        ("pcrs", {index: BANK[index] for index in range(15)}),
        ("pcrs", {index: BANK[index] for index in range(16) if index != 7} | {16: bytes(48)}),
        ("pcrs", {**BANK, 32: bytes(48)}),
        ("pcrs", {-1: bytes(48), **BANK}),
        ("pcrs", {**BANK, "16": bytes(48)}),
        ("pcrs", {index: BANK[index] for index in reversed(range(16))}),
        ("pcrs", {1: BANK[1], 0: BANK[0], **{index: BANK[index] for index in range(2, 16)}}),
        ("pcrs", {**BANK, 3: bytes(32)}),
        ("pcrs", {**BANK, 3: bytes(64)}),
        ("pcrs", {**BANK, 3: None}),
        ("pcrs", {**BANK, 3: "0" * 48}),
        ("certificate", None),
        ("certificate", b""),
        ("certificate", bytes(1025)),
        ("cabundle", None),
        ("cabundle", []),
        ("cabundle", [b"one"]),
        ("cabundle", [b"one"] * 6),
        ("cabundle", [b"one", b""]),
        ("cabundle", [b"one", bytes(1025)]),
        ("cabundle", [b"one", "two"]),
        ("user_data", bytes(513)),
        ("user_data", "text"),
        ("nonce", bytes(513)),
        ("nonce", 1),
        ("public_key", bytes(1025)),
        ("public_key", []),
    ],
)
def test_a_field_out_of_its_bounds_is_refused(name: str, value: object) -> None:
    with pytest.raises(NitroDocumentMalformedError):
        verify(with_field(name, value))  # type: ignore[arg-type]


def test_a_duplicate_field_is_refused() -> None:
    pairs = b"".join(encode(name) + encode(1) for name in ("digest", "digest"))
    for payload in (b"\xbf" + pairs + b"\xff", b"\xa2" + pairs):
        with pytest.raises(CborMalformedError, match="a key twice"):
            verify(recipe(payload=payload))


@pytest.mark.parametrize("payload", [b"", b"\xf6", b"\x80", b"\x00", b"\xa0", b"\xbf\xff", b"\xbf"])
def test_a_payload_that_is_no_document_is_refused(payload: bytes) -> None:
    # An empty payload is replaced by the recipe's own, so the envelope is written by hand.
    envelope = encode([bytes.fromhex("a1013822"), {}, payload, bytes(96)])
    with pytest.raises(QuoteMalformedError):
        parse_document(envelope)


def test_bytes_behind_the_payloads_map_are_refused() -> None:
    with pytest.raises(CborMalformedError, match="bytes after the value"):
        verify(recipe(payload=b"\xa0\x00"))


@pytest.mark.parametrize(
    ("what", "envelope"),
    [
        ("no array", {}),
        ("three parts", [bytes.fromhex("a1013822"), {}, b"p"]),
        ("five parts", [bytes.fromhex("a1013822"), {}, b"p", bytes(96), None]),
        ("ES256", [bytes.fromhex("a10126"), {}, b"p", bytes(96)]),
        ("no algorithm", [b"\xa0", {}, b"p", bytes(96)]),
        ("empty protected header", [b"", {}, b"p", bytes(96)]),
        ("an algorithm in long form", [bytes.fromhex("a101390022"), {}, b"p", bytes(96)]),
        ("a second protected header", [bytes.fromhex("a20138220400"), {}, b"p", bytes(96)]),
        ("an unprotected header", [bytes.fromhex("a1013822"), {4: b"kid"}, b"p", bytes(96)]),
        ("unprotected null", [bytes.fromhex("a1013822"), None, b"p", bytes(96)]),
        ("a detached payload", [bytes.fromhex("a1013822"), {}, None, bytes(96)]),
        ("a signature of 95 bytes", [bytes.fromhex("a1013822"), {}, b"p", bytes(95)]),
        ("a signature of 97 bytes", [bytes.fromhex("a1013822"), {}, b"p", bytes(97)]),
        ("no signature", [bytes.fromhex("a1013822"), {}, b"p", None]),
    ],
)
def test_another_envelope_is_refused(what: str, envelope: object) -> None:
    with pytest.raises(NitroDocumentMalformedError):
        parse_document(encode(envelope))  # type: ignore[arg-type]


def test_a_tagged_envelope_is_refused() -> None:
    with pytest.raises(CborMalformedError, match="a tag"):
        parse_document(b"\xd2" + DOCUMENT)


def test_a_document_with_anything_around_it_is_refused() -> None:
    for raw in (DOCUMENT + b"\x00", b"\x00" + DOCUMENT, DOCUMENT[:-1], b""):
        with pytest.raises(QuoteMalformedError):
            parse_document(raw)


def test_an_oversized_document_is_refused_unread() -> None:
    with pytest.raises(QuoteOversizedError):
        parse_document(bytes(16_385))


def test_the_largest_fields_are_read() -> None:
    document = verify(
        recipe(user_data=bytes(512), nonce=bytes(512), public_key=bytes(1024))
    ).document
    assert document.user_data == bytes(512)


def test_a_payload_that_was_reencoded_is_not_what_was_signed() -> None:
    """The same fields with a definite map, under the signature over the indefinite one."""
    definite = recipe(indefinite=False).build(NOW)
    stolen = decode(DOCUMENT, "the envelope")
    other = decode(definite, "the envelope")
    assert isinstance(stolen, list)
    assert isinstance(other, list)
    with pytest.raises(QuoteNotGenuineError, match="did not sign"):
        verify(encode([*other[:3], stolen[3]]))


@given(st.binary(max_size=300), st.data())
def test_random_and_spliced_bytes_raise_only_typed_errors(raw: bytes, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(DOCUMENT)))
    spliced = DOCUMENT[:start] + raw + DOCUMENT[start + data.draw(st.integers(0, 300)) :]
    for bent in (raw, spliced):
        if bent == DOCUMENT:
            continue
        try:
            parse_document(bent)
        except QuoteMalformedError:
            continue
        # What still parses is another document, which nobody signed.
        with pytest.raises(InvalidEvidenceError):
            verify(bent)
