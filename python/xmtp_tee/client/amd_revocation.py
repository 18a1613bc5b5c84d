"""Brings AMD's revocation lists to the SEV-SNP verifier. Anyone may: what counts is the root's signature."""

from __future__ import annotations

from collections.abc import Iterable

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from xmtp_tee.attestation.errors import CollateralInvalidError
from xmtp_tee.attestation.sevsnp.product import ProductLine
from xmtp_tee.client.accounts import Sender
from xmtp_tee.client.chain import Chain, Receipt
from xmtp_tee.client.deployment import Deployment
from xmtp_tee.client.evidence_encoding import SNP_VERIFIER, verifier_of


def listed_serials(crl_der: bytes) -> list[int]:
    """Return the serial numbers in a list, in its order, each once; no signature is verified.

    :raises CollateralInvalidError: not a list
    """
    try:
        serials = [entry.serial_number for entry in x509.load_der_x509_crl(crl_der)]
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise CollateralInvalidError(
            "The revocation list cannot be read.", cause=str(error)[:200]
        ) from error
    return list(dict.fromkeys(serials))


def new_serials(
    chain: Chain, deployment: Deployment, product: ProductLine, serials: Iterable[int]
) -> list[int]:
    """Return those serial numbers that the verifier does not know as revoked, in the order given.

    :raises DeploymentInvalid: the deployment has no SEV-SNP verifier
    """
    functions = verifier_of(chain, deployment, SNP_VERIFIER).functions
    return [
        serial for serial in serials if not chain.read(functions.isRevoked(int(product), serial))
    ]


def submit_amd_crl(
    chain: Chain,
    deployment: Deployment,
    product: ProductLine,
    ark_der: bytes,
    crl_der: bytes,
    sender: Sender,
) -> Receipt:
    """Bring a product line's list with the certificate of the root that signed it, both in DER.

    :raises ContractRefused: the verifier refuses the list; nothing was sent
    :raises DeploymentInvalid: the deployment has no SEV-SNP verifier
    """
    verifier = verifier_of(chain, deployment, SNP_VERIFIER)
    return chain.transact(verifier.functions.submitCrl(int(product), ark_der, crl_der), sender)
