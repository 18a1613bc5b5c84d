"""Genuine Nitro documents and SEV-SNP reports under AWS's and AMD's roots, at their time, and what they are made of."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from benchmarks.bench_chain import bench_chain
from tests.contracts.crypto import p384_support
from tests.contracts.nitro import nitro_support as nitro
from tests.contracts.sevsnp import snp_support as snp
from tests.support.fixtures import attestation_fixture
from xmtp_tee.attestation.p384.witness import make_witness
from xmtp_tee.attestation.sevsnp.product import ProductLine
from xmtp_tee.attestation.sevsnp.report import SigningKey
from xmtp_tee.attestation.simulator.nitro import development_nitro_pki
from xmtp_tee.attestation.simulator.sevsnp import AmdCrlRecipe, development_snp_pki
from xmtp_tee.attestation.x509 import read_x509

KEYS = frozenset(
    {
        "submit_sevsnp_signer",
        "verify_nitro_cold_chain",
        "verify_nitro_new_leaf",
        "verify_nitro_warm",
        "verify_sevsnp_cold",
        "verify_sevsnp_warm",
    }
)
"""Every figure that needs genuine evidence."""

_ROOT = Path(__file__).resolve().parents[1]
_SIGNATURES = 12
_SIMULATED = 1_780_000_000


def measure_tee() -> dict[str, int] | None:
    """Return the figures, or None where the fixtures are absent."""
    os.environ.setdefault("XMTP_TEE_FIXTURES", str(_ROOT.parent / "shared" / "fixtures"))
    try:
        attestation_fixture(nitro.JANUARY_2026.name)
    except pytest.skip.Exception:
        return None
    return _nitro() | _sevsnp()


def measure_crypto() -> dict[str, int]:
    """Return the figures of the same contracts that need no evidence of others."""
    return _primitives() | _nitro_crl() | _sevsnp_crl()


def _primitives() -> dict[str, int]:
    """The average of twelve random signatures, and what a block of SHA-384 adds to a message of 4 kB."""
    rng = random.Random(384)  # noqa: S311 - the same signatures each time
    with bench_chain(nitro.JANUARY_2026.time) as chain:
        verifier = p384_support.deploy(chain)
        spent = []
        for _ in range(_SIGNATURES):
            signature = p384_support.random_signature(rng)
            call = p384_support.call(verifier, signature, make_witness(*signature))
            spent.append(chain.gas(call))  # a view, sent as a transaction
        harness = chain.deploy("CryptoHarness")
        few, _ = chain.call(harness.functions.sha384Gas(bytes(128)))
        many, _ = chain.call(harness.functions.sha384Gas(bytes(128 * 33)))
    return {
        "p384_verify": sum(spent) // _SIGNATURES,
        "sha384_per_block": (many - few) // 32,
    }


def _nitro() -> dict[str, int]:
    document = nitro.JANUARY_2026.document
    with bench_chain(nitro.JANUARY_2026.time) as chain:
        verifier = nitro.deploy(chain, nitro.root_certificate())
        verify = verifier.functions.verify
        before = chain.snapshot()
        cold = chain.gas(verify(nitro.evidence_of(document)))
        warm = chain.gas(verify(nitro.evidence_of(document, 0)))
        chain.revert_to(before)
        # All but the enclave's own certificate are known from another document of the instance. There is none among
        # the fixtures, so the leaf is made unknown again.
        chain.send(verify(nitro.evidence_of(document)))
        nitro.forget(chain, verifier, nitro.chain_of(document)[-1])
        new_leaf = chain.gas(verify(nitro.evidence_of(document, 1)))
    return {
        "verify_nitro_cold_chain": cold,
        "verify_nitro_new_leaf": new_leaf,
        "verify_nitro_warm": warm,
    }


def _nitro_crl() -> dict[str, int]:
    """AWS's lists are not among the fixtures: one of the development root."""
    root = development_nitro_pki().root
    with bench_chain(_SIMULATED) as chain:
        verifier = nitro.deploy(chain, root.der)
        revocations = nitro.crl(root.der, root.key, list(range(1000, 1050)), issued=_SIMULATED)
        witness = nitro.crl_witness(revocations, root.der)
        submit = verifier.functions.submitCrl(revocations, root.der, witness, 0, 50)
        return {"submit_nitro_crl_50_entries": chain.gas(submit)}


def _sevsnp_crl() -> dict[str, int]:
    """AMD's lists name keys for whole product lines, so they are short: one of the development root, which names one
    signer that the verifier knows and one that it does not."""
    pki, product = development_snp_pki(), ProductLine.MILAN
    anchor, ark = pki.anchor(), pki.ark().der
    asvk = pki.intermediate(SigningKey.VLEK).der
    revoked = (read_x509(asvk, "ASVK").serial_number, 1000)
    crl = AmdCrlRecipe(revoked, _SIMULATED, _SIMULATED + 30 * 86_400).build(pki)
    with bench_chain(_SIMULATED) as chain:
        pinned = (int(product), snp.MILAN_FLOOR, anchor.ark, anchor.ask, anchor.asvk)
        verifier = snp.deploy(chain, [pinned])
        chain.send(verifier.functions.submitSigner(int(product), ark, asvk))
        submit = verifier.functions.submitCrl(int(product), ark, crl)
        return {"submit_sevsnp_crl_2_entries": chain.gas(submit)}


def _sevsnp() -> dict[str, int]:
    report = attestation_fixture("snp/coco_test-vlek-report.bin").read_bytes()
    certificate = attestation_fixture("snp/coco_test-vlek.der").read_bytes()
    witness = snp.witness(report, certificate)
    certificates = snp.amd_chain(snp.MILAN)
    with bench_chain(snp.VLEK_TIME) as chain:
        verifier = snp.deploy(chain, [snp.root(snp.MILAN, snp.MILAN_FLOOR, certificates)])
        functions = verifier.functions
        submitted = chain.gas(
            functions.submitSigner(snp.MILAN, certificates.ark, certificates.asvk)
        )
        cold = chain.gas(
            functions.verify(snp.cold_evidence(report, certificate, witness, vlek=True))
        )
        warm = chain.gas(functions.verify(snp.warm_evidence(report, certificate, witness)))
    return {
        "submit_sevsnp_signer": submitted,
        "verify_sevsnp_cold": cold,
        "verify_sevsnp_warm": warm,
    }
