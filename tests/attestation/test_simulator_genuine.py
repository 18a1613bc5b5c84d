"""The genuine texts keep the simulator honest: from what they say it writes them again, to the byte."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest
from cryptography import x509

from tests.attestation.support import ISSUED_AT, NOW, Genuine
from xmtp_tee.attestation import Collateral, TcbStatus, parse_quote, verify_quote
from xmtp_tee.attestation.certificates import SGX_EXTENSION
from xmtp_tee.attestation.collateral import split_signed
from xmtp_tee.attestation.errors import CertificateRevokedError
from xmtp_tee.attestation.reports import SGX_REPORT_SIZE, SgxReport, TdReport
from xmtp_tee.attestation.simulator import (
    CollateralRecipe,
    Platform,
    QeIdentityRecipe,
    QeLevel,
    QuoteRecipe,
    SgxRecipe,
    TcbInfoRecipe,
    TcbLevel,
    TdRecipe,
    TdxModuleIdentity,
    TdxModuleLevel,
    development_pki,
    development_root_certificate,
    unrelated_serials,
)

PKI = development_pki()


def seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def level_end(level: dict[str, Any]) -> dict[str, Any]:
    return {
        "status": level["tcbStatus"],
        "date": seconds(level["tcbDate"]),
        "advisory_ids": tuple(level.get("advisoryIDs", ())),
    }


def part_levels(kind: Any, part: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(
        kind(isv_svn=level["tcb"]["isvsvn"], **level_end(level)) for level in part["tcbLevels"]
    )


def decorations(components: list[dict[str, Any]]) -> tuple[Any, ...]:
    return tuple((component.get("category"), component.get("type")) for component in components)


def tcb_info_recipe(info: dict[str, Any]) -> TcbInfoRecipe:
    """The recipe that says what a TCB info says."""
    changes: dict[str, Any] = {
        "identifier": info.get("id", "SGX"),
        "version": info["version"],
        "fmspc": bytes.fromhex(info["fmspc"]),
        "fmspc_text": info["fmspc"],
        "pce_id": bytes.fromhex(info["pceId"]),
        "tcb_type": info["tcbType"],
        "evaluation_number": info["tcbEvaluationDataNumber"],
    }
    if info["version"] == 2:
        changes["levels"] = tuple(
            TcbLevel(
                sgx=tuple(level["tcb"][f"sgxtcbcomp{i:02d}svn"] for i in range(1, 17)),
                pce_svn=level["tcb"]["pcesvn"],
                **level_end(level),
            )
            for level in info["tcbLevels"]
        )
        return TcbInfoRecipe(**changes)
    first = info["tcbLevels"][0]["tcb"]
    changes["sgx_decorations"] = decorations(first["sgxtcbcomponents"])
    tdx = "tdxModule" in info
    if tdx:
        module = info["tdxModule"]
        changes["tdx_decorations"] = decorations(first["tdxtcbcomponents"])
        changes["module_mr_signer"] = bytes.fromhex(module["mrsigner"])
        changes["module_attributes"] = bytes.fromhex(module["attributes"])
        changes["module_attributes_mask"] = bytes.fromhex(module["attributesMask"])
        identities = info.get("tdxModuleIdentities")
        changes["module_identities"] = (
            None
            if identities is None
            else tuple(
                TdxModuleIdentity(
                    identifier=identity["id"],
                    mr_signer=bytes.fromhex(identity["mrsigner"]),
                    attributes=bytes.fromhex(identity["attributes"]),
                    attributes_mask=bytes.fromhex(identity["attributesMask"]),
                    levels=part_levels(TdxModuleLevel, identity),
                )
                for identity in identities
            )
        )
    changes["levels"] = tuple(
        TcbLevel(
            sgx=tuple(c["svn"] for c in level["tcb"]["sgxtcbcomponents"]),
            pce_svn=level["tcb"]["pcesvn"],
            tdx=tuple(c["svn"] for c in level["tcb"]["tdxtcbcomponents"]) if tdx else (0,) * 16,
            **level_end(level),
        )
        for level in info["tcbLevels"]
    )
    return TcbInfoRecipe(**changes)


TCB_INFOS = [
    "2025-06/tcbinfo.json",
    "2025-06/tcbinfov3_00806f050000.json",
    "2025-06/tcbinfov3_90C06F000000.json",
    "2025-08/sgx_tcbinfov3_00606a000000.json",
    "2025-10/tcb_info.json",
    "google/sample_tcbInfo_response.json",
    "google/sample_tcbinfo_response_v5.json",
]


@pytest.mark.parametrize("name", TCB_INFOS)
def test_simulator_writes_every_genuine_tcb_info_again_to_the_byte(
    genuine: Genuine, name: str
) -> None:
    text, _ = split_signed(genuine.text(f"intel-collateral/{name}"), "tcbInfo")
    info = json.loads(text)
    issued, until = seconds(info["issueDate"]), seconds(info["nextUpdate"])
    assert tcb_info_recipe(info).text(issued, until) == text


@pytest.mark.parametrize("name", ["sgx_quote", "tdx_quote", "tdx_quote_outdated"])
def test_simulator_writes_the_genuine_all_in_one_texts_again_to_the_byte(
    genuine: Genuine, name: str
) -> None:
    collateral = genuine.all_in_one(name)
    info = json.loads(collateral.tcb_info)
    issued, until = seconds(info["issueDate"]), seconds(info["nextUpdate"])
    assert tcb_info_recipe(info).text(issued, until) == collateral.tcb_info


@pytest.mark.parametrize(
    "name", ["2025-06/identity", "2025-06/qe_td", "2025-08/sgx_qeidentity_v4", "2025-10/identity"]
)
def test_simulator_writes_every_genuine_qe_identity_again_to_the_byte(
    genuine: Genuine, name: str
) -> None:
    text, _ = split_signed(genuine.text(f"intel-collateral/{name}.json"), "enclaveIdentity")
    identity = json.loads(text)
    recipe = QeIdentityRecipe(
        identifier=identity["id"],
        version=identity["version"],
        evaluation_number=identity["tcbEvaluationDataNumber"],
        misc_select=bytes.fromhex(identity["miscselect"]),
        misc_select_mask=bytes.fromhex(identity["miscselectMask"]),
        attributes=bytes.fromhex(identity["attributes"]),
        attributes_mask=bytes.fromhex(identity["attributesMask"]),
        mr_signer=bytes.fromhex(identity["mrsigner"]),
        isv_prod_id=identity["isvprodid"],
        levels=part_levels(QeLevel, identity),
    )
    issued, until = seconds(identity["issueDate"]), seconds(identity["nextUpdate"])
    assert recipe.text(issued, until) == text


@pytest.mark.parametrize("name", ["automata_sgx_quote_v3", "phala_sgx_quote"])
def test_simulator_writes_genuine_sgx_reports_and_layouts_again(
    genuine: Genuine, name: str
) -> None:
    raw = genuine.read(f"sgx/{name}.bin")
    quote = parse_quote(raw)
    body = quote.body
    assert isinstance(body, SgxReport)
    recipe = SgxRecipe(
        report_data=body.report_data,
        cpu_svn=body.cpu_svn,
        misc_select=body.misc_select,
        isv_ext_prod_id=body.raw[32:48],
        flags=int.from_bytes(body.attributes[:8], "little"),
        xfrm=body.attributes[8:],
        mr_enclave=body.mr_enclave,
        mr_signer=body.mr_signer,
        config_id=body.raw[192:256],
        isv_prod_id=body.isv_prod_id,
        isv_svn=body.isv_svn,
        config_svn=int.from_bytes(body.raw[260:262], "little"),
        isv_family_id=body.raw[304:320],
    )
    assert recipe.build() == body.raw
    assert len(body.raw) == SGX_REPORT_SIZE
    ours = QuoteRecipe.sgx_v3(
        recipe,
        reserved=raw[8:12],
        user_data=quote.header.user_data,
        auth_data=quote.qe_auth_data,
        pem_chain=quote.pck_chain_pem,
    ).build()
    # The same bytes but for signatures, keys, QE report: those are the development PKI's.
    assert len(ours) == len(raw)
    assert ours[:432] == raw[:432]
    assert ours[432:436] == raw[432:436]
    tail = 432 + 4 + 64 + 64 + 384 + 64
    assert ours[tail:] == raw[tail:]


@pytest.mark.parametrize(
    "name", ["automata_alibaba_quote_v5", "automata_tdx_quote_v5", "phala_tdx_quote_outdated"]
)
def test_simulator_writes_genuine_version_5_layouts_again(genuine: Genuine, name: str) -> None:
    raw = genuine.read(f"tdx/{name}.bin")
    quote = parse_quote(raw)
    body = quote.body
    assert isinstance(body, TdReport)
    assert body.tee_tcb_svn_2 is not None
    assert body.mr_service_td is not None
    recipe = TdRecipe(
        report_data=body.report_data,
        tee_tcb_svn=body.tee_tcb_svn,
        mr_seam=body.mr_seam,
        mr_signer_seam=body.mr_signer_seam,
        seam_attributes=body.seam_attributes,
        td_attributes=int.from_bytes(body.td_attributes, "little"),
        xfam=body.xfam,
        mr_td=body.mr_td,
        mr_config_id=body.mr_config_id,
        mr_owner=body.mr_owner,
        mr_owner_config=body.mr_owner_config,
        rtmr=body.rtmr,
        tee_tcb_svn_2=body.tee_tcb_svn_2,
        mr_service_td=body.mr_service_td,
    )
    ours = QuoteRecipe.tdx_v5(
        recipe,
        user_data=quote.header.user_data,
        auth_data=quote.qe_auth_data,
        pem_chain=quote.pck_chain_pem,
    ).build()
    signed = len(quote.signed_bytes)
    assert ours[: signed + 4] == raw[: signed + 4]
    assert len(ours) == len(quote.raw)


def test_simulated_processor_leaf_has_the_genuine_ones_items(genuine: Genuine) -> None:
    def items(der: bytes) -> list[bytes]:
        extensions = x509.load_der_x509_certificate(der).extensions
        value = extensions.get_extension_for_oid(SGX_EXTENSION).value
        assert isinstance(value, x509.UnrecognizedExtension)
        prefix = bytes.fromhex("2a864886f84d010d01")
        return [part[:2] for part in value.value.split(prefix)[1:]]

    real = parse_quote(genuine.read("sgx/phala_sgx_quote.bin")).pck_leaf
    sgx_type = Platform(sgx_type=0)
    assert items(PKI.issue_pck(sgx_type, issuer=PKI.processor_ca).der) == items(real)


@pytest.mark.parametrize("entries", [0, 1, 44, 57, 129, 2_000])
def test_simulated_lists_have_any_size(entries: int) -> None:
    serials = unrelated_serials(entries)
    assert len(set(serials)) == entries
    leaf = PKI.issue_pck().certificate.serial_number
    recipe = CollateralRecipe.sgx(revoked_by_ca=serials, pck_crl_number=7)
    collateral = recipe.build(ISSUED_AT)
    crl = x509.load_der_x509_crl(collateral.pck_crl)
    assert len(crl) == entries
    assert crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number == 7
    root = development_root_certificate()
    quote = QuoteRecipe.sgx_v3().build()
    assert verify_quote(quote, collateral, root, NOW).status is TcbStatus.UP_TO_DATE
    revoked = CollateralRecipe.sgx(revoked_by_ca=(*serials, leaf)).build(ISSUED_AT)
    with pytest.raises(CertificateRevokedError):
        verify_quote(quote, revoked, root, NOW)


def test_simulated_family_is_reproducible() -> None:
    makers = (QuoteRecipe.sgx_v3, QuoteRecipe.tdx_v5, QuoteRecipe.tdx_v5_td_10)
    assert [m().build() for m in makers] == [m().build() for m in makers]
    once, again = (CollateralRecipe.sgx().build(ISSUED_AT) for _ in range(2))
    assert once == again
    assert Collateral.from_json(once.to_json()) == once
