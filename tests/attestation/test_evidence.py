"""Attestations as they are saved: read back exactly, refused when anything is odd."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.attestation.support import BINDING, attestation
from xmtp_tee.attestation import Attestation, TeeKind
from xmtp_tee.attestation.errors import AttestationMalformedError, FieldError
from xmtp_tee.attestation.quote import MAX_QUOTE_SIZE

EVIDENCE = attestation()


def test_from_json_reads_what_to_json_wrote() -> None:
    assert Attestation.from_json(EVIDENCE.to_json()) == EVIDENCE


def test_binding_is_made_of_the_claims() -> None:
    assert EVIDENCE.binding == BINDING


@pytest.mark.parametrize("name", list(EVIDENCE.as_dict()))
@pytest.mark.parametrize("value", [None, True, -1, 1.5, "", "0x", "0xzz", [], {}], ids=repr)
def test_from_dict_refuses_malformed_fields(name: str, value: object) -> None:
    document = {**EVIDENCE.as_dict(), name: value}
    if (name, value) == ("quote", "0x"):
        # An empty quote is refused by the parser, in a verdict.
        assert Attestation.from_dict(document).quote == b""
        return
    with pytest.raises(AttestationMalformedError):
        Attestation.from_dict(document)


@pytest.mark.parametrize("name", list(EVIDENCE.as_dict()))
def test_from_dict_refuses_a_missing_field(name: str) -> None:
    document = EVIDENCE.as_dict()
    del document[name]
    with pytest.raises(AttestationMalformedError):
        Attestation.from_dict(document)


def test_from_dict_refuses_unknown_fields_formats_and_tees() -> None:
    document = EVIDENCE.as_dict()
    for changes in ({"trusted": True}, {"format": 2}, {"tee": "trustzone"}, {"tee": "none"}):
        with pytest.raises(AttestationMalformedError):
            Attestation.from_dict({**document, **changes})


def test_from_json_refuses_a_field_that_occurs_twice() -> None:
    text = EVIDENCE.to_json().replace('"chainId": 31337', '"chainId": 1, "chainId": 31337')
    with pytest.raises(AttestationMalformedError, match="not JSON"):
        Attestation.from_json(text)


@pytest.mark.parametrize("text", ["", "null", "[]", "{", "[" * 100_000])
def test_from_json_refuses_what_is_no_object(text: str) -> None:
    with pytest.raises(AttestationMalformedError):
        Attestation.from_json(text)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5))
def test_from_json_raises_only_typed_errors(value: object) -> None:
    for document in (value, {**EVIDENCE.as_dict(), "quote": value}):
        if isinstance(document, dict) and isinstance(value, str) and value.startswith("0x"):
            continue
        with pytest.raises(AttestationMalformedError):
            Attestation.from_json(json.dumps(document))


def test_attestation_refuses_an_oversized_quote_and_other_tees() -> None:
    with pytest.raises(FieldError):
        replace(EVIDENCE, quote=bytes(MAX_QUOTE_SIZE + 1))
    with pytest.raises(FieldError):
        replace(EVIDENCE, tee=TeeKind.NONE)
