"""Collateral: read as it was signed, refused when a byte of its form is wrong."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.attestation.support import COLLATERAL, ISSUED_AT, Genuine
from xmtp_tee.attestation import Collateral
from xmtp_tee.attestation.collateral import split_signed
from xmtp_tee.attestation.collateral_facts import read_collateral
from xmtp_tee.attestation.errors import CollateralInvalidError
from xmtp_tee.attestation.simulator import (
    CollateralRecipe,
    QeIdentityRecipe,
    TcbInfoRecipe,
    TcbLevel,
    TdxModuleIdentity,
    TdxModuleLevel,
)
from xmtp_tee.attestation.simulator.collateral import iso_time
from xmtp_tee.errors import InvalidEvidenceError


def test_from_json_reads_what_to_json_wrote() -> None:
    assert Collateral.from_json(COLLATERAL.to_json()) == COLLATERAL


def test_from_json_reads_the_genuine_files(genuine: Genuine) -> None:
    collateral = genuine.all_in_one("tdx_quote")
    assert collateral.tcb_info.startswith('{"id":"TDX","version":3,')
    assert len(collateral.tcb_info_signature) == 64
    assert Collateral.from_json(collateral.to_json()) == collateral


def test_dcap_qvls_own_object_carries_the_same_pieces(genuine: Genuine) -> None:
    for collateral in (COLLATERAL, genuine.all_in_one("tdx_quote")):
        assert Collateral.from_dcap_qvl(collateral.to_dcap_qvl()) == collateral


def test_from_pieces_keeps_the_signed_text_byte_for_byte(genuine: Genuine) -> None:
    collateral = genuine.pieces("2025-06", "tcbinfov3_00806f050000")
    body = genuine.text("intel-collateral/2025-06/tcbinfov3_00806f050000.json")
    assert f'{{"tcbInfo":{collateral.tcb_info},' in body
    assert collateral.tcb_info_signature.hex() in body
    # A verifier of signatures accepts it in test_genuine.py.


def test_from_pieces_takes_crls_in_hexadecimal() -> None:
    def body(member: str, text: str, signature: bytes) -> str:
        return f'{{"{member}":{text},"signature":"{signature.hex()}"}}'

    pieces = {
        "tcb_info": body("tcbInfo", COLLATERAL.tcb_info, COLLATERAL.tcb_info_signature),
        "qe_identity": body(
            "enclaveIdentity", COLLATERAL.qe_identity, COLLATERAL.qe_identity_signature
        ),
        "pck_crl_issuer_chain": COLLATERAL.pck_crl_issuer_chain,
        "tcb_signing_chain": COLLATERAL.tcb_info_issuer_chain,
    }
    der = Collateral.from_pieces(
        **pieces, root_ca_crl=COLLATERAL.root_ca_crl, pck_crl=COLLATERAL.pck_crl
    )
    text = Collateral.from_pieces(
        **pieces,
        root_ca_crl=COLLATERAL.root_ca_crl.hex().encode() + b"\n",
        pck_crl=COLLATERAL.pck_crl.hex().upper().encode(),
    )
    assert der == text == COLLATERAL


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{}",
        "[]",
        '{"tcbInfo":{}}',
        '{"signature":"' + "00" * 64 + '","tcbInfo":{}}',
        '{"tcbInfo":{},"signature":"' + "00" * 63 + '"}',
        '{"tcbInfo":{},"signature":"' + "00" * 64 + '"} x',
        '{"tcbInfo":{},"extra":1,"signature":"' + "00" * 64 + '"}',
        '{"tcbInfo":{,"signature":"' + "00" * 64 + '"}',
        '{"enclaveIdentity":{},"signature":"' + "00" * 64 + '"}',
        '{"tcbInfo":' + "[" * 100_000,
    ],
)
def test_split_signed_refuses_other_shapes(body: str) -> None:
    with pytest.raises(CollateralInvalidError):
        split_signed(body, "tcbInfo")


@pytest.mark.parametrize("name", list(asdict(COLLATERAL)))
def test_from_json_refuses_a_missing_piece(name: str) -> None:
    document = json.loads(COLLATERAL.to_json())
    del document[name]
    with pytest.raises(CollateralInvalidError):
        Collateral.from_json(json.dumps(document))


@pytest.mark.parametrize("name", list(asdict(COLLATERAL)))
@pytest.mark.parametrize("value", [None, 1, "", [], "zz"], ids=repr)
def test_from_json_refuses_a_malformed_piece(name: str, value: object) -> None:
    document = {**json.loads(COLLATERAL.to_json()), name: value}
    with pytest.raises(InvalidEvidenceError):
        read_collateral(Collateral.from_json(json.dumps(document)))


@pytest.mark.parametrize("text", ["", "[]", "null", "{", "[" * 100_000])
def test_from_json_refuses_what_is_no_object(text: str) -> None:
    with pytest.raises(CollateralInvalidError):
        Collateral.from_json(text)


def test_from_json_refuses_an_unknown_piece() -> None:
    document = {**json.loads(COLLATERAL.to_json()), "trusted": "yes"}
    with pytest.raises(CollateralInvalidError):
        Collateral.from_json(json.dumps(document))


def test_collateral_refuses_an_oversized_piece() -> None:
    with pytest.raises(CollateralInvalidError, match="oversized"):
        replace(COLLATERAL, tcb_info="x" * (2 << 20))


# --- facts ----------------------------------------------------------------------------------------


def test_read_collateral_tells_of_whom_it_speaks() -> None:
    facts = read_collateral(COLLATERAL)
    recipe = TcbInfoRecipe()
    assert (facts.fmspc, facts.pce_id) == (recipe.fmspc, recipe.pce_id)
    assert facts.evaluation_number == recipe.evaluation_number
    assert facts.revoked_by_root == facts.revoked_by_pck_ca == frozenset()
    assert facts.shortest.end == ISSUED_AT + CollateralRecipe().lifetime - 1


def test_read_collateral_reads_the_genuine_crl(genuine: Genuine) -> None:
    facts = read_collateral(genuine.all_in_one("tdx_quote"))
    assert len(facts.revoked_by_pck_ca) > 40
    assert 0x6FC34E5023E728923435D61AA4B83C618166AD35 in facts.revoked_by_pck_ca


def edited(piece: str, old: str, new: str) -> Collateral:
    text = getattr(COLLATERAL, piece)
    assert text.count(old) >= 1
    return replace(COLLATERAL, **{piece: text.replace(old, new, 1)})


@pytest.mark.parametrize(
    ("piece", "old", "new"),
    [
        ("tcb_info", '"id":"TDX"', '"id":"SGX"'),
        ("tcb_info", '"version":3', '"version":2'),
        ("tcb_info", '"version":3', '"version":4'),
        ("tcb_info", '"version":3', '"version":true'),
        ("tcb_info", '"tcbType":0', '"tcbType":1'),
        ("tcb_info", '"fmspc":"DE7E10000000"', '"fmspc":"DE7E1000000"'),
        ("tcb_info", '"fmspc":"DE7E10000000"', '"fmspc":"DE 7E10000000"'),
        ("tcb_info", '"pceId":"0000"', '"pceId":0'),
        ("tcb_info", '"pceId":"0000"', '"pceId":"0000","pceId":"0001"'),
        ("tcb_info", '"tcbEvaluationDataNumber":17', '"tcbEvaluationDataNumber":"17"'),
        ("tcb_info", iso_time(ISSUED_AT), "yesterday"),
        ("tcb_info", '"nextUpdate"', '"nextUpdated"'),
        ("tcb_info", '"pcesvn":11', '"pcesvn":"11"'),
        ("tcb_info", '"tcbLevels":[{"tcb":{"sgx', '"tcbLevels":[7,{"tcb":{"sgx'),
        ("qe_identity", '"id":"TD_QE"', '"id":"QE"'),
        ("qe_identity", '"version":2', '"version":3'),
        ("qe_identity", '"issueDate"', '"issuedDate"'),
    ],
)
def test_read_collateral_refuses_other_kinds_and_malformed_members(
    piece: str, old: str, new: str
) -> None:
    with pytest.raises(CollateralInvalidError):
        read_collateral(edited(piece, old, new))


def test_read_collateral_refuses_levels_that_are_not_sorted() -> None:
    levels = (TcbLevel(pce_svn=5), TcbLevel(pce_svn=11))
    for unsorted in (
        CollateralRecipe(tcb_info=TcbInfoRecipe(levels=levels)),
        CollateralRecipe.sgx(tcb_info=TcbInfoRecipe.sgx_v3(levels=levels)),
        CollateralRecipe.sgx(tcb_info=TcbInfoRecipe.sgx_v2(levels=levels)),
    ):
        with pytest.raises(CollateralInvalidError, match="sorted"):
            read_collateral(unsorted.build(ISSUED_AT))


def test_read_collateral_refuses_a_tcb_info_without_levels() -> None:
    for recipe in (TcbInfoRecipe(levels=()), TcbInfoRecipe.sgx_v3(levels=())):
        sgx = recipe.identifier == "SGX"
        made = CollateralRecipe.sgx(tcb_info=recipe) if sgx else CollateralRecipe(tcb_info=recipe)
        with pytest.raises(CollateralInvalidError, match="no levels"):
            read_collateral(made.build(ISSUED_AT))


def test_read_collateral_refuses_the_quoting_enclave_of_the_other_tee() -> None:
    for mixed in (
        CollateralRecipe(qe_identity=QeIdentityRecipe.sgx()),
        CollateralRecipe.sgx(qe_identity=QeIdentityRecipe()),
    ):
        with pytest.raises(CollateralInvalidError, match="QE identity"):
            read_collateral(mixed.build(ISSUED_AT))


@given(st.data())
def test_read_collateral_raises_only_typed_errors_for_damaged_collateral(
    data: st.DataObject,
) -> None:
    name = data.draw(st.sampled_from(list(asdict(COLLATERAL))))
    value: Any = getattr(COLLATERAL, name)
    changed = bytearray(value.encode() if isinstance(value, str) else value)
    changed[data.draw(st.integers(0, len(changed) - 1))] ^= 1 << data.draw(st.integers(0, 6))
    damaged = bytes(changed).decode("latin-1") if isinstance(value, str) else bytes(changed)
    with suppress(InvalidEvidenceError):
        read_collateral(replace(COLLATERAL, **{name: damaged}))


# --- the simulator's texts ------------------------------------------------------------------------


def genuine_tcb_info() -> TcbInfoRecipe:
    """The recipe of the genuine TCB info for FMSPC B0C06F000000 of 2025-06-19."""
    level = TcbLevel(sgx=(2, 2, 2, 2, 3, 1, 0, 5, *[0] * 8), tdx=(5, 0, 2, *[0] * 13))
    numbers = (106, 115, 135, 203, 220, 233, 270, 293, 320, 329, 381, 389, 477, 837)
    old = replace(
        level,
        pce_svn=5,
        status="OutOfDate",
        date=1_515_024_000,
        advisory_ids=tuple(f"INTEL-SA-{number:05d}" for number in numbers),
    )
    return TcbInfoRecipe(
        fmspc=bytes.fromhex("b0c06f000000"),
        module_identities=(
            TdxModuleIdentity(identifier="TDX_03", levels=(TdxModuleLevel(isv_svn=3),)),
            TdxModuleIdentity(),
        ),
        levels=(level, old),
    )


def test_simulated_tcb_info_has_intels_form_to_the_byte(genuine: Genuine) -> None:
    collateral = genuine.all_in_one("tdx_quote")
    issued, lapses = 1_750_328_163, 1_752_920_163
    assert genuine_tcb_info().text(issued, lapses) == collateral.tcb_info


def test_simulated_qe_identity_has_intels_form_to_the_byte(genuine: Genuine) -> None:
    collateral = genuine.all_in_one("tdx_quote")
    recipe = QeIdentityRecipe(
        mr_signer=bytes.fromhex("dc9e2a7c6f948f17474e34a7fc43ed030f7c1563f1babddf6340c82e0e54a8c5")
    )
    issued, lapses = 1_750_329_147, 1_752_921_147
    assert recipe.text(issued, lapses) == collateral.qe_identity
