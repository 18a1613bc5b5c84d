"""Evidence of any TEE, encoded for the chain's router: as short as what the verifier knows already allows."""

from __future__ import annotations

from typing import Any

from xmtp_tee.attestation.evidence import Attestation
from xmtp_tee.attestation.kinds import TeeKind
from xmtp_tee.attestation.nitro.evidence import certificate_ids, nitro_evidence
from xmtp_tee.attestation.sevsnp.anchors import AMD_ANCHORS, Anchor
from xmtp_tee.attestation.sevsnp.evidence import (
    SignerSubmission,
    known_key_evidence,
    new_key_evidence,
    platform_handle,
    signer_submission,
)
from xmtp_tee.attestation.sevsnp.report import REPORT_SIZE, SigningKey, parse_report
from xmtp_tee.attestation.simulator.sevsnp import development_anchors
from xmtp_tee.client.chain import Chain
from xmtp_tee.client.chain_errors import ContractRefused, DeploymentInvalid
from xmtp_tee.client.collateral import CollateralSync
from xmtp_tee.client.deployment import Deployment

NITRO_VERIFIER, SNP_VERIFIER = "NitroVerifier", "SevSnpVerifier"


def encode_evidence(chain: Chain, deployment: Deployment, attestation: Attestation) -> bytes:
    """Return an attestation's quote as evidence for the router of a deployment.

    SGX and TDX: 1.2 to 2.6 kB. SEV-SNP: 16 or 17.5 kB. Nitro: 20 to 90 kB, by how many certificates are new; a
    witness for each takes 0.2 s.

    :raises QuoteMalformedError: the bytes are no such evidence
    :raises DeploymentInvalid: the deployment has no verifier of this TEE
    :raises NoWitnessError: a signature is wrong
    """
    if attestation.tee is TeeKind.NITRO:
        ids = certificate_ids(attestation.quote)
        verifier = verifier_of(chain, deployment, NITRO_VERIFIER)
        # The last certificates are the new ones: whoever verified a certificate has verified those above it.
        unknown = len(ids) - 1
        for place in reversed(range(len(ids))):
            if _known(chain, verifier.functions.certificate(ids[place]), "CertificateUnknown"):
                unknown = len(ids) - 1 - place
                break
        return nitro_evidence(attestation.quote, unknown)
    if attestation.tee is TeeKind.SEV_SNP:
        anchors = anchors_of(deployment)
        verifier = verifier_of(chain, deployment, SNP_VERIFIER)
        handle = platform_handle(attestation.quote, anchors)
        if _known(chain, verifier.functions.platform(handle), "PlatformUnknown"):
            return known_key_evidence(attestation.quote, anchors)
        return new_key_evidence(attestation.quote, anchors)
    return CollateralSync(chain, deployment).encode_quote(attestation.quote)


def missing_signer(chain: Chain, deployment: Deployment, report: bytes) -> SignerSubmission | None:
    """Return the arguments of ``submitSigner`` that the SEV-SNP verifier still needs for an extended report, or None.

    :raises QuoteMalformedError: the bytes are no extended report
    :raises QuoteNotGenuineError: its root is not the deployment's kind of root
    """
    submission = signer_submission(report, anchors_of(deployment))
    is_vlek = parse_report(report[:REPORT_SIZE]).signing_key is SigningKey.VLEK
    verifier = verifier_of(chain, deployment, SNP_VERIFIER)
    signer = chain.read(verifier.functions.signerOf(int(submission.product), is_vlek))
    # A tuple of the contract's Signer: where its modulus lies, zero for none; its end; whether it was revoked.
    return None if int(signer[0], 16) and not signer[2] else submission


def anchors_of(deployment: Deployment) -> tuple[Anchor, ...]:
    """Return AMD's keys, or the development ones for a deployment that pins those."""
    return development_anchors() if deployment.development_root else AMD_ANCHORS


def verifier_of(chain: Chain, deployment: Deployment, name: str) -> Any:
    """Return the deployment's verifier of this name.

    :raises DeploymentInvalid: it has none
    """
    if name not in deployment.contracts:
        raise DeploymentInvalid(
            "the deployment verifies no evidence of this TEE",
            got=", ".join(deployment.contracts),
            expected=name,
        )
    return chain.contract(name, deployment.address(name))


def _known(chain: Chain, function: Any, unknown: str) -> bool:
    try:
        chain.read(function)
    except ContractRefused as refused:
        if refused.error_name != unknown:
            raise
        return False
    return True
