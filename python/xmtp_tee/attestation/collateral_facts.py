"""What collateral says, read for our own decisions: of whom it speaks, when it is in force, what is revoked.

Nothing read here counts before the texts' signatures are verified.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from cryptography import x509

from xmtp_tee.attestation.certificates import Certificate, read_signer_chain
from xmtp_tee.attestation.collateral import Collateral
from xmtp_tee.attestation.errors import (
    CollateralInvalidError,
    CollateralLapsedError,
    CollateralNotYetValidError,
)
from xmtp_tee.attestation.json_text import JsonTextError, load_json
from xmtp_tee.attestation.kinds import TeeKind
from xmtp_tee.attestation.levels import TcbLevels, read_tcb_levels
from xmtp_tee.attestation.quoting_enclave import QeIdentity, read_qe_identity
from xmtp_tee.dates import show_time

_QE_NAMES = {TeeKind.SGX: "QE", TeeKind.TDX: "TD_QE"}
_ISO_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, slots=True)
class Window:
    """When a piece of collateral is in force: from ``start`` to ``end``, unix seconds, both included."""

    name: str
    start: int
    end: int

    def require(self, now: int) -> None:
        """Refuse a piece that is not in force at ``now``.

        :raises CollateralNotYetValidError: issued later
        :raises CollateralLapsedError: past its end
        """
        if now < self.start:
            raise CollateralNotYetValidError(
                f"The {self.name} is from the future.",
                got=f"valid from {show_time(self.start)}",
                expected=f"at most {show_time(now)}",
                cause="The clock is wrong, or the evidence is judged at a time before the collateral.",
            )
        if now > self.end:
            raise CollateralLapsedError(
                f"The {self.name} has lapsed.",
                got=f"valid to {show_time(self.end)}",
                expected=f"at least {show_time(now)}",
                cause="Newer collateral has to be fetched from Intel or a PCCS.",
            )


@dataclass(frozen=True, slots=True)
class CollateralFacts:
    """The facts of one collateral. ``fmspc`` is 6 bytes, ``pce_id`` 2; serial numbers are integers."""

    tee: TeeKind
    tcb_info_version: int
    levels: TcbLevels
    quoting_enclave: QeIdentity
    fmspc: bytes
    pce_id: bytes
    evaluation_number: int
    pck_ca: Certificate
    tcb_info_signer: Certificate
    qe_identity_signer: Certificate
    revoked_by_root: frozenset[int]
    revoked_by_pck_ca: frozenset[int]
    windows: tuple[Window, ...]

    def require_in_force(self, now: int) -> None:
        """Refuse unless every piece is in force at ``now`` (unix seconds).

        :raises CollateralUnavailableError: a piece is from the future or has lapsed
        """
        for window in self.windows:
            window.require(now)

    @property
    def shortest(self) -> Window:
        """The piece that lapses first."""
        return min(self.windows, key=lambda window: window.end)


def read_collateral(collateral: Collateral) -> CollateralFacts:
    """Read what is needed of TCB info, QE identity, the CRLs and the signers.

    TDX: TCB info of version 3 with QE identity TD_QE of version 2. SGX: TCB info of version 3 or 2 with QE identity
    QE of version 2.

    :raises CollateralInvalidError: a piece is malformed, of another kind, or of a version not verified here
    :raises QuoteNotGenuineError: a signer's certificate cannot be read
    """
    tcb_info, tee = _tcb_info(collateral.tcb_info)
    qe_identity = _document("QE identity", collateral.qe_identity)
    _require_kind("QE identity", qe_identity, {_QE_NAMES[tee]: (2,)})
    if tcb_info.get("tcbType") != 0 or isinstance(tcb_info.get("tcbType"), bool):
        raise CollateralInvalidError(
            "The TCB info's type is unknown.", got=tcb_info.get("tcbType"), expected=0
        )
    levels = read_tcb_levels(tcb_info, tdx=tee is TeeKind.TDX)
    _require_level_order(levels)
    pck_ca = read_signer_chain(collateral.pck_crl_issuer_chain, "the PCK CA")
    tcb_info_signer = read_signer_chain(collateral.tcb_info_issuer_chain, "the TCB info's signer")
    qe_identity_signer = read_signer_chain(
        collateral.qe_identity_issuer_chain, "the QE identity's signer"
    )
    root_window, revoked_by_root = _crl("root CA's CRL", collateral.root_ca_crl)
    pck_window, revoked_by_pck_ca = _crl("PCK CA's CRL", collateral.pck_crl)
    certificates = {c.der: c for c in (pck_ca, tcb_info_signer, qe_identity_signer)}
    return CollateralFacts(
        tee=tee,
        tcb_info_version=tcb_info["version"],
        levels=levels,
        quoting_enclave=read_qe_identity(qe_identity),
        fmspc=_hex_member("TCB info", tcb_info, "fmspc", 6),
        pce_id=_hex_member("TCB info", tcb_info, "pceId", 2),
        evaluation_number=_integer_member("TCB info", tcb_info, "tcbEvaluationDataNumber"),
        pck_ca=pck_ca,
        tcb_info_signer=tcb_info_signer,
        qe_identity_signer=qe_identity_signer,
        revoked_by_root=revoked_by_root,
        revoked_by_pck_ca=revoked_by_pck_ca,
        windows=(
            _window("TCB info", tcb_info),
            _window("QE identity", qe_identity),
            pck_window,
            root_window,
            *(
                Window(f"certificate of {c.name}", c.not_before, c.not_after)
                for c in certificates.values()
            ),
        ),
    )


def _document(name: str, text: str) -> dict[str, Any]:
    try:
        document = load_json(text)
    except JsonTextError as error:
        raise CollateralInvalidError(f"The {name} is not JSON.", cause=str(error)) from error
    if not isinstance(document, dict):
        raise CollateralInvalidError(f"The {name} is not a JSON object.")
    return document


def _tcb_info(text: str) -> tuple[dict[str, Any], TeeKind]:
    """Return a TCB info and the kind of TEE that it is for; version 2 has no ``id`` and is SGX's."""
    document = _document("TCB info", text)
    kinds: dict[str | None, tuple[int, ...]] = {None: (2,)}
    if "id" in document:
        kinds = {"TDX": (3,), "SGX": (3,)}
    _require_kind("TCB info", document, kinds)
    return document, TeeKind.TDX if document.get("id") == "TDX" else TeeKind.SGX


def _require_kind(
    name: str, document: dict[str, Any], kinds: Mapping[str | None, tuple[int, ...]]
) -> None:
    identifier, version = document.get("id"), document.get("version")
    if not isinstance(identifier, str | None) or isinstance(version, bool):
        identifier = version = None
    if identifier not in kinds or version not in kinds[identifier]:
        raise CollateralInvalidError(
            f"The {name} is of another kind or version.",
            got=f"{document.get('id')!r} version {document.get('version')!r}"[:80],
            expected=" or ".join(
                f"{kind!r} version {number}"
                for kind, numbers in kinds.items()
                for number in numbers
            ),
        )


def _require_level_order(levels: TcbLevels) -> None:
    """Refuse platform levels that do not go from high to low.

    The first level that a platform reaches is its level. Verifiers that sort and verifiers that take the text's
    order, as the contract does, agree on sorted levels only; Intel's are sorted.
    """
    keys = [(level.sgx, level.pce_svn, level.tdx or ()) for level in levels.platform]
    if not all(high >= low for high, low in pairwise(keys)):
        raise CollateralInvalidError(
            "The TCB info's levels are not sorted.", expected="one or more levels, from high to low"
        )


def _window(name: str, document: dict[str, Any]) -> Window:
    window = Window(
        name, _time(name, document, "issueDate"), _time(name, document, "nextUpdate") - 1
    )
    if window.start >= window.end:
        raise CollateralInvalidError(
            f"The {name} ends before it begins.",
            got=f"{show_time(window.start)} to {show_time(window.end)}",
        )
    return window


def _time(name: str, document: dict[str, Any], member: str) -> int:
    try:
        parsed = datetime.strptime(document[member], _ISO_FORMAT).replace(tzinfo=UTC)
    except (KeyError, TypeError, ValueError) as error:
        raise CollateralInvalidError(
            f"The {name}'s {member} is not a time.", expected="YYYY-MM-DDThh:mm:ssZ"
        ) from error
    return int(parsed.timestamp())


def _hex_member(name: str, document: dict[str, Any], member: str, size: int) -> bytes:
    value = document.get(member)
    try:
        data = bytes.fromhex(value) if isinstance(value, str) else b""
    except ValueError:
        data = b""
    if len(data) != size or not isinstance(value, str) or len(value) != 2 * size:
        raise CollateralInvalidError(
            f"The {name}'s {member} is malformed.",
            got=repr(value)[:40],
            expected=f"{2 * size} hex digits",
        )
    return data


def _integer_member(name: str, document: dict[str, Any], member: str) -> int:
    value = document.get(member)
    if isinstance(value, bool) or not isinstance(value, int):
        raise CollateralInvalidError(f"The {name}'s {member} is not an integer.")
    return value


def _crl(name: str, der: bytes) -> tuple[Window, frozenset[int]]:
    """Return when a CRL is in force and its serial numbers."""
    try:
        crl = x509.load_der_x509_crl(der)
        next_update = crl.next_update_utc
        if next_update is None:
            raise CollateralInvalidError(f"The {name} has no next update.")
        window = Window(
            name, int(crl.last_update_utc.timestamp()), int(next_update.timestamp()) - 1
        )
        return window, frozenset(entry.serial_number for entry in crl)
    except (ValueError, TypeError) as error:
        raise CollateralInvalidError(
            f"The {name} cannot be read.", cause=str(error)[:200]
        ) from error
