"""Brings what the SEV-SNP and Nitro verifiers need of their vendors, and reads what they have.

Anyone may: a signer counts because the pinned root signed it, a revocation list because its CA did.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from xmtp_tee.attestation.ecdsa384 import COORDINATE_SIZE, p384_key
from xmtp_tee.attestation.errors import CollateralInvalidError
from xmtp_tee.attestation.nitro.document import parse_document
from xmtp_tee.attestation.p384.signed import witness_of
from xmtp_tee.attestation.sevsnp.evidence import SignerSubmission
from xmtp_tee.attestation.sevsnp.product import ProductLine
from xmtp_tee.attestation.x509 import X509, read_x509
from xmtp_tee.client.accounts import Sender
from xmtp_tee.client.chain import Chain, Receipt
from xmtp_tee.client.deployment import Deployment
from xmtp_tee.client.evidence_encoding import NITRO_VERIFIER, SNP_VERIFIER, verifier_of
from xmtp_tee.client.holdings import Holding
from xmtp_tee.hashing import keccak256

# NitroVerifier.submitCrl: about 900,000 gas, 25,000 for each 128 bytes of the list, 24,000 for each new entry. A part
# stays well below EIP-7825's 2^24.
_PART_GAS = 12_000_000
_LIST_GAS, _BLOCK_GAS, _ENTRY_GAS, _BLOCK = 900_000, 25_000, 24_000, 128


@dataclass(frozen=True, slots=True)
class NitroList:
    """A CA's revocation list, ready to be brought: DER, the issuer's certificate, the serial numbers in its order."""

    crl: bytes
    issuer: X509
    serials: tuple[int, ...]

    def witness(self) -> bytes:
        """Return P384's witness for the list's signature; it takes 0.2 s.

        :raises NoWitnessError: the issuer did not sign it
        """
        parsed = _parsed(self.crl)
        r, s = decode_dss_signature(parsed.signature)
        signature = b"".join(part.to_bytes(COORDINATE_SIZE, "big") for part in (r, s))
        return witness_of(p384_key(self.issuer), signature, parsed.tbs_certlist_bytes)

    def parts(self) -> list[tuple[int, int]]:
        """Return (first entry, count) of each transaction; the whole list goes along with every one."""
        fixed = _LIST_GAS + _BLOCK_GAS * (len(self.crl) // _BLOCK + 1)
        count = max(1, (_PART_GAS - fixed) // _ENTRY_GAS)
        return [(first, count) for first in range(0, max(1, len(self.serials)), count)]


def submit_signer(
    chain: Chain, deployment: Deployment, signer: SignerSubmission, sender: Sender
) -> Receipt:
    """Bring an ASK or ASVK with its ARK; :func:`~xmtp_tee.client.evidence_encoding.missing_signer` names it.

    :raises ContractRefused: the verifier refuses it; nothing was sent
    :raises DeploymentInvalid: the deployment has no SEV-SNP verifier
    """
    functions = verifier_of(chain, deployment, SNP_VERIFIER).functions
    call = functions.submitSigner(int(signer.product), signer.ark, signer.signer)
    return chain.transact(call, sender)


def nitro_list(crl_der: bytes, document: bytes) -> NitroList:
    """Find the issuer of a revocation list among the CAs of a Nitro document; nothing is verified.

    :raises CollateralInvalidError: not a list, or of no CA of this document
    :raises QuoteMalformedError: not a document
    """
    parsed = _parsed(crl_der)
    name = parsed.issuer.public_bytes()
    for place, der in enumerate(parse_document(document).bundle):
        issuer = read_x509(der, f"The CA certificate {place}")
        if issuer.subject == name:
            serials = tuple(entry.serial_number for entry in parsed)
            return NitroList(crl_der, issuer, serials)
    raise CollateralInvalidError(
        "The revocation list is of no CA in this document.", got=f"issuer {name.hex()}"
    )


def new_serials(chain: Chain, deployment: Deployment, listed: NitroList) -> list[int]:
    """Return what a list revokes and the Nitro verifier does not know as revoked, in the list's order.

    :raises DeploymentInvalid: the deployment has no Nitro verifier
    """
    functions = verifier_of(chain, deployment, NITRO_VERIFIER).functions
    issuer = keccak256(listed.issuer.subject)
    return [
        serial
        for serial in dict.fromkeys(listed.serials)
        if not chain.read(functions.isRevoked(issuer, serial))
    ]


def submit_nitro_crl(
    chain: Chain, deployment: Deployment, listed: NitroList, sender: Sender
) -> list[Receipt]:
    """Bring a list, in as many transactions as it needs.

    :raises NoWitnessError: its issuer did not sign it
    :raises ContractRefused: the verifier refuses it; its issuer must be known there, and count now
    :raises DeploymentInvalid: the deployment has no Nitro verifier
    """
    functions = verifier_of(chain, deployment, NITRO_VERIFIER).functions
    witness = listed.witness()
    return [
        chain.transact(
            functions.submitCrl(listed.crl, listed.issuer.der, witness, first, count), sender
        )
        for first, count in listed.parts()
    ]


def signer_holdings(chain: Chain, deployment: Deployment) -> list[Holding]:
    """Return the signers that the SEV-SNP verifier has, and until when they count; none without such a verifier.

    A product whose signer was not brought is left out: nobody may need it. One that a revocation list named stays in,
    as MISSING (``until`` 0, ", revoked" in ``what``), until a newer certificate takes its place.
    """
    if SNP_VERIFIER not in deployment.contracts:
        return []
    functions = verifier_of(chain, deployment, SNP_VERIFIER).functions
    found = []
    for product in ProductLine:
        for is_vlek, name in ((False, "ASK"), (True, "ASVK")):
            # A tuple of the contract's Signer: where its modulus lies, zero for none; its last second; revoked or not.
            pointer, until, revoked = chain.read(functions.signerOf(int(product), is_vlek))[:3]
            if int(pointer, 16):
                subject = f"{product.label} {name}"
                what = f"SEV-SNP signer {subject}" + (", revoked" if revoked else "")
                found.append(Holding(what, 0 if revoked else int(until), "sevsnp-signer", subject))
    return found


def _parsed(crl_der: bytes) -> x509.CertificateRevocationList:
    try:
        return x509.load_der_x509_crl(crl_der)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise CollateralInvalidError(
            "The revocation list cannot be read.", cause=str(error)[:200]
        ) from error
