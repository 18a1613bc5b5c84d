"""Writes tests/vectors/simulated_tdx.json and simulated_family.json, for the tests of the contracts.

The first is a whole simulated platform with TDX version 4. The second has every other kind of evidence (SGX version
3 under both CAs, TDX version 5 with both bodies), with collateral in every status, and the judgement that Python
gives: `status` as in the contracts' TcbStatus, `advisories`, `instance` (PPID), `family` (FMSPC), `platform` (handle).

Everything comes from the public seed of the development root and fixed times, so the files are the same on every
run: `python tools/vectors.py` writes it, `--check` fails when one is stale. Bytes are hexadecimal with 0x, times
unix seconds. `compact` is header 48 | TD report 584 | quote signature 64 | attestation key 64 | QE report 384 |
QE report signature 64 | QE auth data, cut out of the quote beside it.
"""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import coincurve
from Crypto.Hash import SHA512
from Crypto.PublicKey import ECC
from Crypto.Signature import eddsa

from xmtp_tee.attestation import (
    PRE_KEY_CONTEXT,
    EnclaveBinding,
    KeyBundleCertificate,
    Provenance,
    TcbStatus,
    address_of_public_key,
    checksum_address,
    ethereum_signature,
    parse_quote,
    pre_key_message,
    verify_quote,
    workload_id,
)
from xmtp_tee.attestation.collateral import Collateral
from xmtp_tee.attestation.dcap.compact import compact_quote
from xmtp_tee.attestation.dcap.evidence import platform_handle
from xmtp_tee.attestation.simulator import (
    CollateralRecipe,
    DevelopmentPki,
    Issued,
    Platform,
    QeIdentityRecipe,
    QeLevel,
    QuoteRecipe,
    QuotingEnclave,
    SgxRecipe,
    TcbInfoRecipe,
    TcbLevel,
    TdRecipe,
    development_pki,
    unrelated_serials,
)
from xmtp_tee.attestation.simulator.quote import (
    SGX_FLAG_DEBUG,
    SGX_FLAG_EINITTOKEN_KEY,
    SGX_FLAG_INIT,
    SGX_FLAG_PROVISION_KEY,
    TD_ATTRIBUTE_DEBUG,
    TD_ATTRIBUTE_SEPT_VE_DISABLE,
)
from xmtp_tee.errors import XmtpTeeError
from xmtp_tee.hashing import keccak256

VECTORS = Path(__file__).resolve().parent.parent / "tests" / "vectors"
OUTPUT = VECTORS / "simulated_tdx.json"
FAMILY = VECTORS / "simulated_family.json"

NOW = 1_800_000_000
ISSUED_AT = NOW - 86_400
CHAIN_ID = 31_337
ENCLAVE_REGISTRY = bytes.fromhex("e0c1a7e0000000000000000000000000000000e1")
KEY_REGISTRY = bytes.fromhex("0e9000000000000000000000000000000000e9e1")
OWNER = bytes.fromhex("0000000000000000000000000000000000a11ce5")
BLOCK_NUMBER = 1_000
BLOCK_HASH = keccak256(b"xmtp-tee vector block")


def hexadecimal(data: bytes) -> str:
    return "0x" + data.hex()


def quote_vector(quote: bytes) -> dict[str, str]:
    """A quote as the chain gets it."""
    parsed = parse_quote(quote)
    compact = (
        parsed.signed_bytes
        + parsed.signature
        + parsed.attestation_key
        + parsed.qe_report.raw
        + parsed.qe_report_signature
        + parsed.qe_auth_data
    )
    return {
        "compact": hexadecimal(compact),
        "pckCertificate": hexadecimal(parsed.pck_leaf),
        "workload": hexadecimal(workload_id(parsed)),
    }


def signed_vector(text: str, signature: bytes) -> dict[str, str]:
    return {
        "text": text,
        "r": hexadecimal(signature[:32]),
        "s": hexadecimal(signature[32:]),
    }


def collateral_vector(collateral: Collateral) -> dict[str, object]:
    return {
        "rootCaCrl": hexadecimal(collateral.root_ca_crl),
        "pckCrl": hexadecimal(collateral.pck_crl),
        "tcbInfo": signed_vector(collateral.tcb_info, collateral.tcb_info_signature),
        "qeIdentity": signed_vector(collateral.qe_identity, collateral.qe_identity_signature),
    }


def public_key_vector(issued: Issued) -> dict[str, str]:
    return {
        "der": hexadecimal(issued.der),
        "x": hexadecimal(issued.public_key[:32]),
        "y": hexadecimal(issued.public_key[32:]),
    }


def attack_quotes(genuine: QuoteRecipe, pki: DevelopmentPki) -> dict[str, tuple[QuoteRecipe, str]]:
    """Quotes that differ from the genuine one in one thing; each must be refused."""
    td, enclave = genuine.td, genuine.quoting_enclave
    stranger = pki.key("stranger")
    debug = TD_ATTRIBUTE_SEPT_VE_DISABLE | TD_ATTRIBUTE_DEBUG

    def with_td(**changes: object) -> QuoteRecipe:
        return replace(genuine, td=replace(td, **changes))

    def with_enclave(**changes: object) -> QuoteRecipe:
        return replace(genuine, quoting_enclave=replace(enclave, **changes))

    def with_platform(**changes: object) -> QuoteRecipe:
        return replace(genuine, platform=replace(Platform(), **changes))

    return {
        "debug": (with_td(td_attributes=debug), "the TD is under debug"),
        "unknownWorkload": (
            with_td(mr_td=b"\x42" * 48),
            "genuine: the policy refuses its workload, the verifier does not",
        ),
        "quoteSignedByStranger": (
            replace(genuine, quote_signer=stranger),
            "the attestation key did not sign the quote",
        ),
        "qeReportSignedByStranger": (
            replace(genuine, qe_report_signer=stranger),
            "the PCK key did not sign the QE report",
        ),
        "qeReportBindsNothing": (
            with_enclave(report_data=bytes(64)),
            "the QE report does not bind the attestation key",
        ),
        "qeMrSignerWrong": (with_enclave(mr_signer=b"\x01" * 32), "the quoting enclave is another"),
        "qeProdIdWrong": (with_enclave(isv_prod_id=1), "the quoting enclave is another product"),
        "qeDebug": (
            with_enclave(attributes=bytes.fromhex("1700000000000000e700000000000000")),
            "the quoting enclave is under debug",
        ),
        "qeSvnTooLow": (with_enclave(isv_svn=1), "the quoting enclave is below every level"),
        "tcbTooLow": (
            with_td(tee_tcb_svn=bytes(16)),
            "the TDX module is below every level",
        ),
        "moduleUnknown": (
            with_td(tee_tcb_svn=bytes([6, 9, 3]) + bytes(13)),
            "the TDX module's version is not listed",
        ),
        "moduleSignerWrong": (
            with_td(mr_signer_seam=b"\x01" * 48),
            "another signed the TDX module",
        ),
        "seamAttributes": (
            with_td(seam_attributes=b"\x01" + bytes(7)),
            "the SEAM attributes are not those listed",
        ),
        "pceidOther": (with_platform(pce_id=b"\x00\x01"), "the TCB info is for another PCE"),
        "fmspcOther": (
            with_platform(fmspc=bytes.fromhex("0000c0ffee00")),
            "the TCB info is for another platform family",
        ),
    }


def certificate_vector(authority: coincurve.PrivateKey) -> dict[str, object]:
    identity = ECC.construct(curve="Ed25519", seed=keccak256(b"xmtp-tee vector identity key"))
    identity_key = identity.public_key().export_key(format="raw")
    pre_key = keccak256(b"xmtp-tee vector pre-key")
    expires_at = NOW + 30 * 86_400
    message = pre_key_message(OWNER, identity_key, pre_key, 1, expires_at)
    pre_key_signature = eddsa.new(identity, "rfc8032", context=PRE_KEY_CONTEXT).sign(
        SHA512.new(message)
    )
    certificate = KeyBundleCertificate(
        chain_id=CHAIN_ID,
        key_registry=KEY_REGISTRY,
        owner=OWNER,
        identity_key=identity_key,
        pre_key=pre_key,
        pre_key_signature=pre_key_signature,
        epoch=1,
        expires_at=expires_at,
        provenance=Provenance.GENERATED,
    )
    digest = certificate.digest()
    signature = ethereum_signature(authority.sign_recoverable(digest, hasher=None))
    return {**certificate.signed(signature).as_dict(), "digest": hexadecimal(digest)}


def build() -> str:
    pki = development_pki()
    authority = coincurve.PrivateKey(keccak256(b"xmtp-tee vector authority"))
    binding = EnclaveBinding(
        chain_id=CHAIN_ID,
        enclave_registry=ENCLAVE_REGISTRY,
        authority=address_of_public_key(authority.public_key.format(compressed=False)),
        transport_key=keccak256(b"xmtp-tee vector transport key"),
        block_number=BLOCK_NUMBER,
        block_hash=BLOCK_HASH,
    )
    genuine = QuoteRecipe(
        td=TdRecipe(report_data=binding.report_data()), quoting_enclave=QuotingEnclave()
    )
    quote = genuine.build()
    parsed = parse_quote(quote)
    collateral = CollateralRecipe().build(ISSUED_AT)
    leaf = pki.issue_pck()
    second_pki = DevelopmentPki(b"another development root")
    out_of_date = (TcbLevel(status=TcbStatus.OUT_OF_DATE.intel_name),)
    revoked = (TcbLevel(status=TcbStatus.REVOKED.intel_name),)
    newer = replace(TcbInfoRecipe(), evaluation_number=18)
    variants = {
        "processorCa": CollateralRecipe(pck_ca=pki.processor_ca),
        "pckRevoked": CollateralRecipe(revoked_by_ca=(leaf.certificate.serial_number,)),
        "platformCaRevoked": CollateralRecipe(
            revoked_by_root=(pki.platform_ca.certificate.serial_number,)
        ),
        "tcbSignerRevoked": CollateralRecipe(
            revoked_by_root=(pki.tcb_signer.certificate.serial_number,)
        ),
        "outOfDate": CollateralRecipe(tcb_info=replace(newer, levels=out_of_date)),
        "revoked": CollateralRecipe(tcb_info=replace(newer, levels=revoked)),
        "qeOutOfDate": CollateralRecipe(
            qe_identity=QeIdentityRecipe(
                evaluation_number=18,
                levels=(QeLevel(status=TcbStatus.OUT_OF_DATE.intel_name),),
            )
        ),
        "signedByPlatform": CollateralRecipe(tcb_signer=leaf),
    }
    document: dict[str, object] = {
        "about": "Written by tools/vectors.py. Development root: anyone can forge this.",
        "now": NOW,
        "issuedAt": ISSUED_AT,
        "nextUpdate": ISSUED_AT + CollateralRecipe().lifetime,
        "root": {
            **public_key_vector(pki.root),
            "keyHash": hexadecimal(keccak256(pki.root.public_key)),
        },
        "platformCa": public_key_vector(pki.platform_ca),
        "processorCa": public_key_vector(pki.processor_ca),
        "tcbSigner": public_key_vector(pki.tcb_signer),
        "pck": {
            **public_key_vector(leaf),
            "ppid": hexadecimal(Platform().ppid),
            "fmspc": hexadecimal(Platform().fmspc),
            "pceid": hexadecimal(Platform().pce_id),
            "pcesvn": Platform().pce_svn,
            "cpusvn": hexadecimal(bytes(Platform().tcb_components)),
            "notAfter": pki.not_after,
        },
        "pckUnderProcessorCa": public_key_vector(
            pki.issue_pck(label="pck-processor", issuer=pki.processor_ca)
        ),
        "otherRoot": public_key_vector(second_pki.root),
        "otherPlatformCa": public_key_vector(second_pki.platform_ca),
        "otherPck": public_key_vector(second_pki.issue_pck()),
        "quote": {"raw": hexadecimal(quote), **quote_vector(quote)},
        "expected": {
            "status": int(TcbStatus.UP_TO_DATE),
            "workload": hexadecimal(workload_id(parsed)),
            "reportDataHead": hexadecimal(parsed.body.report_data[:32]),
            "reportDataTail": hexadecimal(parsed.body.report_data[32:]),
        },
        "binding": {
            "chainId": CHAIN_ID,
            "enclaveRegistry": checksum_address(ENCLAVE_REGISTRY),
            "authority": checksum_address(binding.authority),
            "transportKey": hexadecimal(binding.transport_key),
            "blockNumber": BLOCK_NUMBER,
            "blockHash": hexadecimal(BLOCK_HASH),
            "digest": hexadecimal(binding.digest()),
        },
        "certificate": certificate_vector(authority),
        "collateral": {**collateral_vector(collateral), "json": collateral.to_json()},
        "collateralVariants": {
            name: collateral_vector(recipe.build(ISSUED_AT)) for name, recipe in variants.items()
        },
        "attacks": {
            name: {"why": why, **quote_vector(recipe.build())}
            for name, (recipe, why) in attack_quotes(genuine, pki).items()
        },
    }
    return json.dumps(document, indent=2) + "\n"


def statuses(make_levels: Callable[[TcbStatus], CollateralRecipe]) -> dict[str, CollateralRecipe]:
    """Collateral under which the platform has each status that a level can have."""
    return {
        status.intel_name: make_levels(status)
        for status in TcbStatus
        if status is not TcbStatus.NONE
    }


def family_collateral(pki: DevelopmentPki) -> dict[str, CollateralRecipe]:
    advisories = ("INTEL-SA-00615", "INTEL-SA-00657")

    def levels(status: TcbStatus) -> tuple[TcbLevel, ...]:
        listed = () if status is TcbStatus.UP_TO_DATE else advisories
        return (TcbLevel(status=status.intel_name, advisory_ids=listed),)

    def sgx(status: TcbStatus) -> CollateralRecipe:
        return CollateralRecipe.sgx(tcb_info=TcbInfoRecipe.sgx_v3(levels=levels(status)))

    def sgx_v2(status: TcbStatus) -> CollateralRecipe:
        return CollateralRecipe.sgx(tcb_info=TcbInfoRecipe.sgx_v2(levels=levels(status)))

    def tdx(status: TcbStatus) -> CollateralRecipe:
        return CollateralRecipe(tcb_info=TcbInfoRecipe(levels=levels(status)))

    makers = {"sgx": sgx, "sgxV2": sgx_v2, "tdx": tdx}
    made = {
        f"{name}{status}": recipe
        for name, make in makers.items()
        for status, recipe in statuses(make).items()
    }
    return made | {
        "sgxProcessorCa": CollateralRecipe.sgx(pck_ca=pki.processor_ca),
        "sgxQeOutOfDate": CollateralRecipe.sgx(
            qe_identity=QeIdentityRecipe.sgx(
                levels=(QeLevel(status="OutOfDate", advisory_ids=advisories[:1]),)
            )
        ),
        "sgxManyRevoked": CollateralRecipe.sgx(revoked_by_ca=unrelated_serials(129)),
    }


def family_quotes(pki: DevelopmentPki) -> dict[str, QuoteRecipe]:
    report_data = keccak256(b"xmtp-tee vector report data") + bytes(32)
    td = TdRecipe(report_data=report_data)
    sgx = SgxRecipe(report_data=report_data)
    debug = SGX_FLAG_INIT | SGX_FLAG_DEBUG
    return {
        "sgx": QuoteRecipe.sgx_v3(sgx),
        "sgxProcessorCa": QuoteRecipe.sgx_v3(sgx, issuer=pki.processor_ca),
        "tdxV5Td10": QuoteRecipe.tdx_v5_td_10(td),
        "tdxV5Td15": QuoteRecipe.tdx_v5(td),
        "tdxV5ServiceTd": QuoteRecipe.tdx_v5(replace(td, mr_service_td=b"\x5e" * 48)),
        "attackSgxDebug": QuoteRecipe.sgx_v3(replace(sgx, flags=debug)),
        "attackSgxProvisionKey": QuoteRecipe.sgx_v3(
            replace(sgx, flags=SGX_FLAG_INIT | SGX_FLAG_PROVISION_KEY)
        ),
        "attackSgxEinittokenKey": QuoteRecipe.sgx_v3(
            replace(sgx, flags=SGX_FLAG_INIT | SGX_FLAG_EINITTOKEN_KEY)
        ),
        "attackTdxV5Debug": QuoteRecipe.tdx_v5(
            replace(td, td_attributes=TD_ATTRIBUTE_SEPT_VE_DISABLE | TD_ATTRIBUTE_DEBUG)
        ),
    }


def judgement(quote: bytes, collateral: Collateral, root: bytes) -> dict[str, object]:
    """What Python says of a quote: its judgement, or the code of the error that refuses it."""
    accepted = set(TcbStatus) - {TcbStatus.NONE, TcbStatus.REVOKED}
    try:
        verified = verify_quote(quote, collateral, root, NOW, accept=accepted)
    except XmtpTeeError as error:
        return {"refused": error.code}
    return {
        "status": int(verified.status),
        "advisories": hexadecimal(verified.advisories),
        "instance": hexadecimal(verified.ppid),
        "family": hexadecimal(verified.fmspc.ljust(16, b"\0")),
    }


def build_family() -> str:
    pki = development_pki()
    collateral = {name: recipe.build(ISSUED_AT) for name, recipe in family_collateral(pki).items()}
    quotes = {}
    for name, recipe in family_quotes(pki).items():
        raw = recipe.build()
        prefixes = {"sgxProcessorCa": ("sgxProcessorCa",), "sgx": ("sgx",)}
        wanted = prefixes.get(name, ("sgx",) if recipe.sgx is not None else ("tdx",))
        quotes[name] = {
            "raw": hexadecimal(raw),
            "compact": hexadecimal(compact_quote(raw)),
            "pckCertificate": hexadecimal(parse_quote(raw).pck_leaf),
            "tee": int(parse_quote(raw).tee),
            "workload": hexadecimal(workload_id(parse_quote(raw))),
            "platform": hexadecimal(platform_handle(raw)),
            "reportData": hexadecimal(parse_quote(raw).report_data),
            "judgements": {
                key: judgement(raw, pieces, pki.root.der)
                for key, pieces in collateral.items()
                if key.startswith(wanted) and ("ProcessorCa" in key) == ("ProcessorCa" in name)
            },
        }
    document = {
        "about": "Written by tools/vectors.py. Development root: anyone can forge this.",
        "now": NOW,
        "issuedAt": ISSUED_AT,
        "root": public_key_vector(pki.root),
        "platformCa": public_key_vector(pki.platform_ca),
        "processorCa": public_key_vector(pki.processor_ca),
        "tcbSigner": public_key_vector(pki.tcb_signer),
        "quotes": quotes,
        "collateral": {name: collateral_vector(made) for name, made in collateral.items()},
    }
    return json.dumps(document, indent=2) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description="Write or check the simulated vectors.")
    parser.add_argument("--check", action="store_true", help="fail if a file is stale")
    arguments = parser.parse_args()
    stale = False
    for path, text in ((OUTPUT, build()), (FAMILY, build_family())):
        if not arguments.check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            print(f"wrote {path.name}: {len(text)} bytes")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            print(f"{path.name} is stale; run: python tools/vectors.py", file=sys.stderr)
            stale = True
    return int(stale)


if __name__ == "__main__":
    sys.exit(main())
