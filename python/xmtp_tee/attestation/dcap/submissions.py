"""What to submit, in which order, so that the chain can judge a platform."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from xmtp_tee.attestation.collateral import Collateral
from xmtp_tee.attestation.dcap.errors import CollateralFormError, CollateralMissingError
from xmtp_tee.attestation.dcap.pck import PckCertificate, parse_pck_certificate
from xmtp_tee.attestation.dcap.qe_identity import compact_qe_identity
from xmtp_tee.attestation.dcap.tcb_info import compact_tcb_info

MAX_CRL_ENTRIES_PER_CALL = 350
"""About 26,000 gas an entry: a call stays well below 2**24 gas (EIP-7825)."""


@dataclass(frozen=True, slots=True)
class Submission:
    """One call to the verifier contract: the function's name, its arguments, and what it brings."""

    function: str
    arguments: tuple[bytes | int, ...]
    what: str


def plan_submissions(collateral: Collateral, leaf: bytes | None = None) -> list[Submission]:
    """Return the calls that bring ``collateral`` and the PCK certificate ``leaf`` on chain, in order.

    Every call is accepted from anyone and may be repeated: what is known already changes nothing.

    :raises CollateralMissingError: a chain is empty
    :raises CollateralFormError: a text cannot be rebuilt on chain, or pieces do not belong together
    :raises PckCertificateError: the leaf is no PCK certificate
    """
    ca = _chain(collateral.pck_crl_issuer_chain, "pck_crl_issuer_chain")[0]
    tcb_signer = _chain(collateral.tcb_info_issuer_chain, "tcb_info_issuer_chain")[0]
    qe_signer = _chain(collateral.qe_identity_issuer_chain, "qe_identity_issuer_chain")[0]
    tcb_info = compact_tcb_info(collateral.tcb_info)
    qe_identity = compact_qe_identity(collateral.qe_identity)
    if leaf is not None:
        _require_same_platform(parse_pck_certificate(leaf), collateral.tcb_info)

    plan = [Submission("submitIntermediateCa", (_der(ca),), "PCK CA certificate")]
    plan.append(Submission("submitTcbSigner", (_der(tcb_signer),), "TCB signing certificate"))
    if _der(qe_signer) != _der(tcb_signer):
        plan.append(Submission("submitTcbSigner", (_der(qe_signer),), "QE identity's signer"))
    plan += _crl(collateral.root_ca_crl, "root CA's revocation list", None)
    plan += _crl(collateral.pck_crl, "PCK CA's revocation list", ca)
    for function, compact, signature, signer, what in (
        ("submitTcbInfo", tcb_info, collateral.tcb_info_signature, tcb_signer, "TCB info"),
        (
            "submitQeIdentity",
            qe_identity,
            collateral.qe_identity_signature,
            qe_signer,
            "QE identity",
        ),
    ):
        arguments = (compact, signature[:32], signature[32:], signer_index(signer))
        plan.append(Submission(function, arguments, what))
    if leaf is not None:
        plan.append(Submission("submitPckCertificate", (leaf,), "platform's PCK certificate"))
    return plan


def signer_index(certificate: x509.Certificate) -> int:
    """Return the index under which the chain keeps a certificate's key: the first byte of its key id.

    When two authorities share that byte the second has the next free index; ``authorityIndex(keyId)``
    of the contract tells.
    """
    try:
        identifier = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    except x509.ExtensionNotFound as error:
        raise CollateralFormError("a certificate carries no subject key identifier") from error
    return identifier.value.digest[0]


def _chain(pem: str, what: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem.encode())
    except ValueError as error:
        raise CollateralMissingError(f"{what} holds no certificate", got=pem[:40]) from error


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def _crl(der: bytes, what: str, ca: x509.Certificate | None) -> Iterator[Submission]:
    try:
        parsed = x509.load_der_x509_crl(der)
    except ValueError as error:
        raise CollateralFormError(f"the {what} is not a CRL", got=der[:16].hex()) from error
    if ca is not None and parsed.issuer != ca.subject:
        raise CollateralFormError(
            f"the {what} is another CA's",
            got=parsed.issuer.rfc4514_string(),
            expected=ca.subject.rfc4514_string(),
        )
    entries = len(parsed)
    if entries > MAX_CRL_ENTRIES_PER_CALL:
        for first in range(0, entries, MAX_CRL_ENTRIES_PER_CALL):
            part = (der, first, MAX_CRL_ENTRIES_PER_CALL)
            yield Submission("submitCrlEntries", part, f"{what}, entries from {first} on")
    yield Submission("submitCrl", (der,), what)


def _require_same_platform(pck: PckCertificate, tcb_info: str) -> None:
    info = json.loads(tcb_info)
    for key, own in (("fmspc", pck.fmspc), ("pceId", pck.pceid)):
        if bytes.fromhex(info[key]) != own:
            raise CollateralFormError(
                f"the TCB info is for another platform ({key})", got=info[key], expected=own.hex()
            )
