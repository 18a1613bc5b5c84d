"""Collateral: what Intel publishes so that a quote can be judged, exactly as it was signed.

TCB info and QE identity are kept as the raw JSON texts under Intel's signatures, CRLs in DER, chains in PEM:
nothing is parsed and written again, since one changed byte breaks a signature.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from typing import Any

from xmtp_tee.attestation.errors import CollateralInvalidError
from xmtp_tee.attestation.json_text import JsonTextError, load_json, require_bounded

MAX_TEXT_SIZE = 1 << 20
_TEXT_FIELDS = (
    "pck_crl_issuer_chain",
    "tcb_info_issuer_chain",
    "tcb_info",
    "qe_identity_issuer_chain",
    "qe_identity",
)
_BYTES_FIELDS = ("root_ca_crl", "pck_crl", "tcb_info_signature", "qe_identity_signature")
_HEX = re.compile(r"(?:[0-9a-fA-F]{2})+")


@dataclass(frozen=True, slots=True)
class Collateral:
    """The nine pieces for one platform family; names as in dcap-qvl's ``QuoteCollateralV3``.

    Chains are PEM, signer or CA first, root last. ``tcb_info`` and ``qe_identity`` are the signed JSON texts,
    their signatures r || s (64 bytes) over SHA-256 of the text. CRLs are DER: the root's, and that of the CA
    which issued the platform's PCK certificate.

    :raises CollateralInvalidError: a piece is empty, oversized, or a signature is not 64 bytes
    """

    pck_crl_issuer_chain: str
    root_ca_crl: bytes
    pck_crl: bytes
    tcb_info_issuer_chain: str
    tcb_info: str
    tcb_info_signature: bytes
    qe_identity_issuer_chain: str
    qe_identity: str
    qe_identity_signature: bytes

    def __post_init__(self) -> None:
        for name in _TEXT_FIELDS:
            _require(name, getattr(self, name), str)
        for name in _BYTES_FIELDS:
            _require(name, getattr(self, name), bytes)
        for name in ("tcb_info_signature", "qe_identity_signature"):
            size = len(getattr(self, name))
            if size != 64:
                raise CollateralInvalidError(f"{name} has the wrong length.", got=size, expected=64)

    def to_json(self) -> str:
        """Return dcap-qvl's JSON form: texts as they are, bytes as hexadecimal without prefix."""
        document = asdict(self)
        for name in _BYTES_FIELDS:
            document[name] = document[name].hex()
        return json.dumps(document, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Collateral:
        """Read the all-in-one JSON form of dcap-qvl and of PCCS proxies.

        A ``pck_certificate_chain``, which such files may carry, is ignored: the leaf is taken from the quote.

        :raises CollateralInvalidError: not JSON, or a piece is missing, unknown or malformed
        """
        try:
            document = load_json(text)
        except JsonTextError as error:
            raise CollateralInvalidError("The collateral is not JSON.", cause=str(error)) from error
        expected = {*_TEXT_FIELDS, *_BYTES_FIELDS}
        if not isinstance(document, dict) or set(document) - {"pck_certificate_chain"} != expected:
            raise CollateralInvalidError(
                "The collateral does not have the expected fields.",
                expected=", ".join(sorted(expected)),
            )
        pieces: dict[str, Any] = {name: document[name] for name in _TEXT_FIELDS}
        for name in _BYTES_FIELDS:
            value = document[name]
            if not isinstance(value, str) or not _HEX.fullmatch(value):
                raise CollateralInvalidError(f"{name} is not hexadecimal text.")
            pieces[name] = bytes.fromhex(value)
        return cls(**pieces)

    @classmethod
    def from_pieces(
        cls,
        *,
        tcb_info: str,
        qe_identity: str,
        root_ca_crl: bytes,
        pck_crl: bytes,
        pck_crl_issuer_chain: str,
        tcb_signing_chain: str,
        qe_identity_signing_chain: str | None = None,
    ) -> Collateral:
        """Put together what Intel's PCS returns piece by piece.

        ``tcb_info`` and ``qe_identity`` are the response bodies (the signed object and its signature); CRLs are
        DER or hexadecimal text; chains are PEM. The QE identity's chain is the TCB info's unless given.

        :raises CollateralInvalidError: a piece is malformed
        """
        tcb_info_text, tcb_info_signature = split_signed(tcb_info, "tcbInfo")
        qe_identity_text, qe_identity_signature = split_signed(qe_identity, "enclaveIdentity")
        return cls(
            pck_crl_issuer_chain=pck_crl_issuer_chain,
            root_ca_crl=_crl(root_ca_crl),
            pck_crl=_crl(pck_crl),
            tcb_info_issuer_chain=tcb_signing_chain,
            tcb_info=tcb_info_text,
            tcb_info_signature=tcb_info_signature,
            qe_identity_issuer_chain=qe_identity_signing_chain or tcb_signing_chain,
            qe_identity=qe_identity_text,
            qe_identity_signature=qe_identity_signature,
        )

    def to_dcap_qvl(self, pck_chain: str | None = None) -> Any:
        """Return dcap-qvl's own object; ``pck_chain`` (PEM) is used in place of the quote's chain."""
        import dcap_qvl

        document = json.loads(self.to_json())
        if pck_chain is not None:
            document["pck_certificate_chain"] = pck_chain
        return dcap_qvl.QuoteCollateralV3.from_json(json.dumps(document))

    @classmethod
    def from_dcap_qvl(cls, collateral: Any) -> Collateral:
        """Read dcap-qvl's own object."""
        return cls(**{name: getattr(collateral, name) for name in (*_TEXT_FIELDS, *_BYTES_FIELDS)})


def split_signed(body: str, member: str) -> tuple[str, bytes]:
    """Return the signed JSON text within a PCS response body, byte for byte, and its 64-byte signature.

    The body is ``{"<member>":<object>,"signature":"<128 hex digits>"}``.

    :raises CollateralInvalidError: another shape
    """
    head = re.match(rf'\s*\{{\s*"{re.escape(member)}"\s*:\s*', body)
    if head is None:
        raise CollateralInvalidError(f"The response does not begin with {member}.", got=body[:40])
    try:
        require_bounded(body)
        _, end = json.JSONDecoder().raw_decode(body, head.end())
    except ValueError as error:
        raise CollateralInvalidError(f"{member} is not JSON.", cause=str(error)) from error
    tail = re.fullmatch(r'\s*,\s*"signature"\s*:\s*"([0-9a-fA-F]{128})"\s*\}\s*', body[end:])
    if tail is None:
        raise CollateralInvalidError(
            f"{member} is not followed by a signature.", expected="128 hex digits"
        )
    return body[head.end() : end], bytes.fromhex(tail.group(1))


def _crl(data: bytes) -> bytes:
    """Return a CRL in DER from DER (a SEQUENCE, so its first byte is 0x30 and no hex digit follows it alone)."""
    text = data.strip()
    if re.fullmatch(rb"(?:[0-9a-fA-F]{2})+", text):
        return bytes.fromhex(text.decode())
    return data


def _require(name: str, value: Any, kind: type[Any]) -> None:
    if not isinstance(value, kind):
        raise CollateralInvalidError(
            f"{name} has the wrong type.", got=type(value).__name__, expected=kind.__name__
        )
    if not value or len(value) > MAX_TEXT_SIZE:
        raise CollateralInvalidError(
            f"{name} is empty or oversized.", got=len(value), expected=f"1..{MAX_TEXT_SIZE}"
        )
