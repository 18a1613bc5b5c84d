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
    platform_handle,
    quote_pck_leaf,
)
from xmtp_tee.attestation.dcap.pck import PckCertificate, parse_pck_certificate
from xmtp_tee.attestation.dcap.submissions import Submission, plan_submissions
from xmtp_tee.attestation.kinds import TeeKind
from xmtp_tee.attestation.quote import parse_quote
from xmtp_tee.attestation.submittable import require_submittable
from xmtp_tee.client.accounts import Sender
from xmtp_tee.client.chain import Chain
from xmtp_tee.client.chain_errors import ContractRefused
from xmtp_tee.client.deployment import Deployment
from xmtp_tee.client.holdings import Holding
from xmtp_tee.client.log_search import find_logs
from xmtp_tee.client.logs import decode_log, event_entry, topic_of
from xmtp_tee.errors import UnavailableError

_TEES = {"SGX": TeeKind.SGX, "QE": TeeKind.SGX, "TDX": TeeKind.TDX, "TD_QE": TeeKind.TDX}
_SIGNED_BY_INDEX = ("submitTcbInfo", "submitQeIdentity")
_AUTHORITY = ("role", "revoked", "notAfter", "crlThisUpdate", "crlNextUpdate", "crlNumber")
_ROLE_CA = 1
_CA_NAMES = ("PCK CA certificate", "pck-ca")
_SIGNER_NAMES = ("TCB signing certificate", "tcb-signer")


@dataclass(frozen=True, slots=True)
class Submitted:
    """A piece of the plan; ``sent`` is false when the verifier had it, or a newer one."""

    what: str
    sent: bool
    gas: int


class CollateralSupersededError(UnavailableError):
    """The verifier has data of a later TCB recovery, or a later CRL: this one is not taken any more."""

    code = "collateral.superseded"


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

        A platform that the verifier has recorded, or whose certificate it was given, is named by that; a new one
        brings its certificate along.

        :raises QuoteMalformedError: the bytes are no quote that is verified
        """
        parsed = parse_quote(quote)
        pck = self._pck(quote_pck_leaf(parsed))
        if pck is None:
            return new_platform_evidence(parsed)
        known = self._known("platform", platform_handle(parsed, pck)) or self._known(
            "pckRecord", pck.pck_id
        )
        return known_platform_evidence(parsed, pck) if known else new_platform_evidence(parsed)

    # --- submission --------------------------------------------------------------------------------

    def root_key_hash(self) -> bytes:
        """Return keccak256(x || y) of the root that the verifier pins."""
        return bytes(self._read("rootKeyHash"))

    def missing(
        self, collateral: Collateral, leaf: bytes | None = None
    ) -> list[tuple[Submission, bool]]:
        """Return the plan in the order that the verifier needs, each piece with whether it lacks it.

        ``leaf`` is a PCK certificate (DER). What the chain would refuse is refused here.

        :raises XmtpTeeError: as :func:`~xmtp_tee.attestation.submittable.require_submittable`
        :raises CollateralFormError: a text cannot be rebuilt on chain
        :raises CollateralSupersededError: of an earlier TCB recovery than what the verifier has
        """
        now = self._chain.block().timestamp
        plan = plan_submissions(collateral, leaf)
        require_submittable(collateral, self.root_key_hash(), now, leaf)
        lacking = [(piece, not self._has(piece, collateral)) for piece in plan]
        for piece, lacks in lacking:
            if lacks:
                self._require_not_superseded(piece, collateral)
        return lacking

    def submit(
        self, collateral: Collateral, sender: Sender, leaf: bytes | None = None
    ) -> list[Submitted]:
        """Send what :meth:`missing` names; every transaction is rehearsed before it is sent."""
        done = []
        for piece, lacks in self.missing(collateral, leaf):
            if not lacks:
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
        """Return what the verifier has and lacks, from its events and views."""
        grace = int(self._read("COLLATERAL_GRACE"))
        texts, signers = self._texts(grace)
        return [*self._authorities(grace, signers), self._root_crl(grace), *texts]

    def signers(self) -> list[Holding]:
        """Return the signers of the deployment's SEV-SNP verifier; none where it has no such verifier."""
        # Here, because evidence_encoding imports this module.
        from xmtp_tee.client.tee_collateral import signer_holdings

        return signer_holdings(self._chain, self._deployment)

    def _authorities(self, grace: int, signers: set[int]) -> list[Holding]:
        found = []
        seen: set[int] = set()
        for event in self._logs("AuthorityAccepted"):
            index = int(event["index"])
            if index in seen:
                continue
            seen.add(index)
            key_id = bytes(event["keyId"]).hex()
            stored = self._stored_authority(index)
            is_ca, used = stored["role"] == _ROLE_CA, not stored["revoked"]
            role, component = _CA_NAMES if is_ca else _SIGNER_NAMES
            if not is_ca:
                used = used and index in signers
            suffix = " (revoked)" if stored["revoked"] else ""
            until = int(stored["notAfter"])
            found.append(Holding(role + suffix, until, component, key_id, in_use=used))
            if is_ca:
                due = int(stored["crlNextUpdate"])
                what = "PCK CA's revocation list"
                found.append(Holding(what, due, "pck-crl", key_id, grace, used))
        have = {holding.component for holding in found if holding.in_use}
        for role, component in (_CA_NAMES, _SIGNER_NAMES):
            if component not in have:
                found.append(Holding(role, 0, component))
        return found

    def _root_crl(self, grace: int) -> Holding:
        return Holding(
            "root CA's revocation list", int(self._read("rootCrl")[1]), "root-crl", "root", grace
        )

    def _texts(self, grace: int) -> tuple[list[Holding], set[int]]:
        """Return TCB infos and QE identities, and the indices of those who signed them."""
        found, signers, tees = [], set(), set()
        for tee, fmspc, pce_id in sorted(
            {(e["tee"], e["fmspc"], e["pceid"]) for e in self._logs("TcbInfoAccepted")}
        ):
            record, _ = self._read("tcbInfo", tee, fmspc, pce_id)
            name = f"{TeeKind(tee).label} {bytes(fmspc).hex()}"
            what = f"TCB info, {TeeKind(tee).label}, FMSPC {bytes(fmspc).hex()}"
            found.append(Holding(what, int(record[2]), "tcb-info", name, grace))
            signers.add(int(record[4]))
            tees.add(int(tee))
        identities = {int(event["tee"]) for event in self._logs("QeIdentityAccepted")}
        for kind in sorted(identities | tees):
            label, until = TeeKind(kind).label, 0
            if kind in identities:
                record, _ = self._read("qeIdentity", kind)
                until = int(record[2])
                signers.add(int(record[4]))
            found.append(Holding(f"QE identity, {label}", until, "qe-identity", label, grace))
        if not tees:
            found.append(Holding("TCB info", 0, "tcb-info"))
        return found, signers

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
        if piece.function in _SIGNED_BY_INDEX:
            stored_text, document = self._stored_text(piece, collateral)
            return stored_text is not None and int(stored_text[1]) >= _issued(document)
        return False

    def _stored_text(
        self, piece: Submission, collateral: Collateral
    ) -> tuple[Any | None, dict[str, Any]]:
        """Return the stored record of the TCB info's or QE identity's kind, None if there is none; and the text."""
        if piece.function == "submitTcbInfo":
            document = json.loads(collateral.tcb_info)
            fmspc, pce_id = (bytes.fromhex(document[name]) for name in ("fmspc", "pceId"))
            # TCB info of version 2 has no id and is SGX's.
            tee = _TEES[document.get("id", "SGX")]
            return self._record("tcbInfo", tee, fmspc, pce_id), document
        document = json.loads(collateral.qe_identity)
        return self._record("qeIdentity", _TEES[document["id"]]), document

    def _require_not_superseded(self, piece: Submission, collateral: Collateral) -> None:
        """Refuse a piece that is newer by its date and older by its number."""
        number: int | None = None
        stored = 0
        if piece.function in _SIGNED_BY_INDEX:
            record, document = self._stored_text(piece, collateral)
            number = int(document["tcbEvaluationDataNumber"])
            stored = 0 if record is None else int(record[3])
        elif piece.function == "submitCrl" and isinstance(piece.arguments[0], bytes):
            crl = x509.load_der_x509_crl(piece.arguments[0])
            number = _crl_number(crl)
            stored = self._stored_crl(crl, collateral)[1]
        if number is not None and number < stored:
            raise CollateralSupersededError(
                f"The verifier has a later {piece.what}.",
                got=f"number {number}",
                expected=f"at least {stored}",
                cause="The source speaks of an earlier TCB recovery than another one did.",
            )

    def _has_crl(self, crl: x509.CertificateRevocationList, collateral: Collateral) -> bool:
        this_update = self._stored_crl(crl, collateral)[0]
        return bool(this_update >= int(crl.last_update_utc.timestamp()))

    def _stored_crl(
        self, crl: x509.CertificateRevocationList, collateral: Collateral
    ) -> tuple[int, int]:
        """Return when the CRL in force of the same issuer was issued, and its number; 0 if there is none."""
        ca = x509.load_pem_x509_certificates(collateral.pck_crl_issuer_chain.encode())[0]
        if crl.issuer != ca.subject:
            this_update, _, number = self._read("rootCrl")
            return int(this_update), int(number)
        stored = self._authority_or_none(_subject_key_id(ca))
        if stored is None:
            return 0, 0
        return int(stored["crlThisUpdate"]), int(stored["crlNumber"])

    def _record(self, function: str, *key: object) -> Any | None:
        """Return the stored record of a text, None if there is none."""
        try:
            record, _ = self._read(function, *key)
        except ContractRefused as refused:
            if refused.error_name not in {"TcbInfoUnknown", "QeIdentityUnknown"}:
                raise
            return None
        return record

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
            if refused.error_name not in {"PckUnknown", "PlatformUnknown"}:
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
        return self._stored_authority(self._index(key_id))

    def _stored_authority(self, index: int) -> dict[str, Any]:
        return dict(zip(_AUTHORITY, self._read("authority", index), strict=False))

    def _index(self, key_id: bytes) -> int:
        return int(self._read("authorityIndex", key_id))

    def _read(self, function: str, *arguments: object) -> Any:
        return self._chain.read(self._verifier.get_function_by_name(function)(*arguments))

    def _logs(self, event: str) -> list[Any]:
        entry = event_entry("DcapVerifier", event)
        found = find_logs(
            self._chain,
            self._deployment.address("DcapVerifier"),
            [topic_of(entry)],
            self._deployment.deployed_at_block,
            self._chain.block().number,
        )
        return [decode_log(entry, log) for log in found]


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


def _crl_number(crl: x509.CertificateRevocationList) -> int:
    try:
        return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    except x509.ExtensionNotFound:
        return 0
