"""Keeps the verifier's collateral in step with Intel's: what is known already costs nothing.

Anyone may bring collateral; it counts because the pinned root's signers signed it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography import x509

from xmtp_tee.attestation.collateral import Collateral
from xmtp_tee.attestation.dcap.evidence import (
    known_platform_evidence,
    new_platform_evidence,
    quote_pck_leaf,
)
from xmtp_tee.attestation.dcap.pck import PckCertificate, parse_pck_certificate
from xmtp_tee.attestation.dcap.submissions import Submission, plan_submissions
from xmtp_tee.attestation.kinds import TeeKind
from xmtp_tee.client.accounts import Sender
from xmtp_tee.client.chain import Chain
from xmtp_tee.client.chain_errors import ContractRefused
from xmtp_tee.client.deployment import Deployment

_TEES = {"SGX": TeeKind.SGX, "QE": TeeKind.SGX, "TDX": TeeKind.TDX, "TD_QE": TeeKind.TDX}
_SIGNED_BY_INDEX = ("submitTcbInfo", "submitQeIdentity")


@dataclass(frozen=True, slots=True)
class Submitted:
    """A piece of the plan; ``sent`` is false when the verifier had it, or a newer one."""

    what: str
    sent: bool
    gas: int


@dataclass(frozen=True, slots=True)
class Holding:
    """A piece that the verifier has, and the unix time until which it is meant to be used."""

    what: str
    until: int


class CollateralSync:
    """The collateral of one deployment's DCAP verifier.

    :raises WrongChain: the node is on another chain than the deployment
    """

    def __init__(self, chain: Chain, deployment: Deployment) -> None:
        chain.require_chain(deployment.chain_id)
        self._chain = chain
        self._deployment = deployment
        self._verifier = chain.contract("DcapVerifier", deployment.address("DcapVerifier"))

    # --- evidence ----------------------------------------------------------------------------------

    def encode_quote(self, quote: bytes) -> bytes:
        """Return a quote as evidence for the router.

        A platform whose certificate the verifier knows is named by its id; a new one brings it along.

        :raises QuoteMalformedError: the bytes are no TDX v4 quote
        """
        pck = self._pck(quote_pck_leaf(quote))
        if pck is not None and self._known("pckRecord", pck.pck_id):
            return known_platform_evidence(quote, pck)
        return new_platform_evidence(quote)

    # --- submission --------------------------------------------------------------------------------

    def submit(
        self, collateral: Collateral, sender: Sender, leaf: bytes | None = None
    ) -> list[Submitted]:
        """Send what the verifier lacks, in the order it needs; ``leaf`` is a PCK certificate (DER)."""
        done = []
        for piece in plan_submissions(collateral, leaf):
            if self._has(piece, collateral):
                done.append(Submitted(piece.what, False, 0))
                continue
            arguments = list(piece.arguments)
            if piece.function in _SIGNED_BY_INDEX:
                arguments[3] = self._index(_signer_key_id(piece, collateral))
            function = self._verifier.get_function_by_name(piece.function)(*arguments)
            receipt = self._chain.transact(function, sender)
            done.append(Submitted(piece.what, True, receipt.gas_used))
        return done

    def holdings(self) -> list[Holding]:
        """Return what the verifier has, from its events and views."""
        found = []
        seen: set[bytes] = set()
        for event in self._logs("AuthorityAccepted"):
            key_id = bytes(event["keyId"])
            if key_id in seen:
                continue
            seen.add(key_id)
            stored = self._authority(key_id)
            role = "PCK CA certificate" if stored["role"] == 1 else "TCB signing certificate"
            found.append(Holding(role, stored["notAfter"]))
            if stored["crlNextUpdate"]:
                found.append(Holding("PCK CA's revocation list", stored["crlNextUpdate"]))
        _, root_next, _ = self._read("rootCrl")
        if root_next:
            found.append(Holding("root CA's revocation list", int(root_next)))
        for kind in sorted(
            {(e["tee"], e["fmspc"], e["pceid"]) for e in self._logs("TcbInfoAccepted")}
        ):
            record, _ = self._read("tcbInfo", *kind)
            found.append(Holding(f"TCB info, FMSPC {bytes(kind[1]).hex()}", int(record[2])))
        for tee in sorted({event["tee"] for event in self._logs("QeIdentityAccepted")}):
            record, _ = self._read("qeIdentity", tee)
            found.append(Holding(f"QE identity, {TeeKind(tee).label}", int(record[2])))
        return found

    # --- what is known -----------------------------------------------------------------------------

    def _has(self, piece: Submission, collateral: Collateral) -> bool:
        """Whether the verifier has this piece or a newer one."""
        first = piece.arguments[0]
        if not isinstance(first, bytes):
            return False
        if piece.function in ("submitIntermediateCa", "submitTcbSigner"):
            certificate = x509.load_der_x509_certificate(first)
            stored = self._authority_or_none(_subject_key_id(certificate))
            until = int(certificate.not_valid_after_utc.timestamp())
            return stored is not None and stored["notAfter"] >= until
        if piece.function == "submitCrl":
            return self._has_crl(x509.load_der_x509_crl(first), collateral)
        if piece.function == "submitPckCertificate":
            pck = self._pck(first)
            return pck is not None and self._known("pckRecord", pck.pck_id)
        if piece.function == "submitTcbInfo":
            info = json.loads(collateral.tcb_info)
            key = (_TEES[info["id"]], bytes.fromhex(info["fmspc"]), bytes.fromhex(info["pceId"]))
            return self._issue_date("tcbInfo", *key) >= _issued(info)
        if piece.function == "submitQeIdentity":
            identity = json.loads(collateral.qe_identity)
            return self._issue_date("qeIdentity", _TEES[identity["id"]]) >= _issued(identity)
        return False

    def _has_crl(self, crl: x509.CertificateRevocationList, collateral: Collateral) -> bool:
        ca = x509.load_pem_x509_certificates(collateral.pck_crl_issuer_chain.encode())[0]
        if crl.issuer == ca.subject:
            stored = self._authority_or_none(_subject_key_id(ca))
            this_update = 0 if stored is None else stored["crlThisUpdate"]
        else:
            this_update = int(self._read("rootCrl")[0])
        return bool(this_update >= int(crl.last_update_utc.timestamp()))

    def _issue_date(self, function: str, *key: object) -> int:
        """Return when the stored one was issued, 0 if there is none."""
        try:
            record, _ = self._read(function, *key)
        except ContractRefused as refused:
            if refused.error_name not in {"TcbInfoUnknown", "QeIdentityUnknown"}:
                raise
            return 0
        return int(record[1])

    def _pck(self, leaf: bytes) -> PckCertificate | None:
        """Read a PCK certificate as the chain keeps it; None while its issuer is unknown there."""
        pck = parse_pck_certificate(leaf)
        authority = x509.load_der_x509_certificate(leaf).extensions.get_extension_for_class(
            x509.AuthorityKeyIdentifier
        )
        try:
            index = self._index(authority.value.key_identifier or b"")
        except ContractRefused as refused:
            if refused.error_name != "IssuerUnknown":
                raise
            return None
        return pck if index == pck.ca else parse_pck_certificate(leaf, ca=index)

    def _known(self, function: str, key: bytes) -> bool:
        try:
            self._read(function, key)
        except ContractRefused as refused:
            if refused.error_name != "PckUnknown":
                raise
            return False
        return True

    def _authority_or_none(self, key_id: bytes) -> dict[str, Any] | None:
        try:
            return self._authority(key_id)
        except ContractRefused as refused:
            if refused.error_name != "IssuerUnknown":
                raise
            return None

    def _authority(self, key_id: bytes) -> dict[str, Any]:
        names = ("role", "revoked", "notAfter", "crlThisUpdate", "crlNextUpdate")
        return dict(zip(names, self._read("authority", self._index(key_id)), strict=False))

    def _index(self, key_id: bytes) -> int:
        return int(self._read("authorityIndex", key_id))

    def _read(self, function: str, *arguments: object) -> Any:
        return self._chain.read(self._verifier.get_function_by_name(function)(*arguments))

    def _logs(self, event: str) -> list[Any]:
        first = self._deployment.deployed_at_block
        return [log["args"] for log in self._chain.logs(self._verifier, event, {}, first)]


def _signer_key_id(piece: Submission, collateral: Collateral) -> bytes:
    chain = (
        collateral.tcb_info_issuer_chain
        if piece.function == "submitTcbInfo"
        else collateral.qe_identity_issuer_chain
    )
    return _subject_key_id(x509.load_pem_x509_certificates(chain.encode())[0])


def _subject_key_id(certificate: x509.Certificate) -> bytes:
    extension = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    return extension.value.digest


def _issued(document: dict[str, Any]) -> int:
    return int(datetime.fromisoformat(document["issueDate"]).timestamp())
