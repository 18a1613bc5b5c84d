"""What collateral says, read for our own decisions: of whom it speaks, when it is in force, what is revoked.

The texts' signatures are verified by dcap-qvl; nothing read here counts before that.
"""

from __future__ import annotations

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

# What a quoting enclave or a TDX module can be; the contract refuses others too.
_PART_STATUSES = ("UpToDate", "OutOfDate", "Revoked")
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
    """Read what is needed of TCB info v3 (TDX), QE identity v2 (TD_QE), the CRLs and the signers.

    :raises CollateralInvalidError: a piece is malformed, of another kind, or of a version not verified here
    :raises QuoteNotGenuineError: a signer's certificate cannot be read
    """
    tcb_info = _document("TCB info", collateral.tcb_info, identifier="TDX", version=3)
    qe_identity = _document("QE identity", collateral.qe_identity, identifier="TD_QE", version=2)
    if tcb_info.get("tcbType") != 0:
        raise CollateralInvalidError(
            "The TCB info's type is unknown.", got=tcb_info.get("tcbType"), expected=0
        )
    _require_level_order(tcb_info)
    _require_modules(tcb_info)
    _require_part_statuses("QE identity", qe_identity)
    pck_ca = read_signer_chain(collateral.pck_crl_issuer_chain, "the PCK CA")
    tcb_info_signer = read_signer_chain(collateral.tcb_info_issuer_chain, "the TCB info's signer")
    qe_identity_signer = read_signer_chain(
        collateral.qe_identity_issuer_chain, "the QE identity's signer"
    )
    root_window, revoked_by_root = _crl("root CA's CRL", collateral.root_ca_crl)
    pck_window, revoked_by_pck_ca = _crl("PCK CA's CRL", collateral.pck_crl)
    certificates = {c.der: c for c in (pck_ca, tcb_info_signer, qe_identity_signer)}
    return CollateralFacts(
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


def show_time(seconds: int) -> str:
    """Return unix seconds as text, UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _document(name: str, text: str, *, identifier: str, version: int) -> dict[str, Any]:
    try:
        document = load_json(text)
    except JsonTextError as error:
        raise CollateralInvalidError(f"The {name} is not JSON.", cause=str(error)) from error
    if not isinstance(document, dict):
        raise CollateralInvalidError(f"The {name} is not a JSON object.")
    got = (document.get("id"), document.get("version"))
    if got != (identifier, version) or isinstance(got[1], bool):
        raise CollateralInvalidError(
            f"The {name} is of another kind or version.",
            got=f"{got[0]!r} version {got[1]!r}"[:80],
            expected=f"{identifier!r} version {version}",
        )
    return document


def _require_level_order(tcb_info: dict[str, Any]) -> None:
    """Refuse platform levels that do not go from high to low.

    The first level that a platform reaches is its level. Verifiers that sort and verifiers that take the text's
    order, as the contract does, agree on sorted levels only; Intel's are sorted.
    """
    try:
        keys = [
            (
                [component["svn"] for component in level["tcb"]["sgxtcbcomponents"]],
                level["tcb"]["pcesvn"],
                [component["svn"] for component in level["tcb"]["tdxtcbcomponents"]],
            )
            for level in tcb_info["tcbLevels"]
        ]
        ordered = all(high >= low for high, low in pairwise(keys))
    except (KeyError, TypeError) as error:
        raise CollateralInvalidError(
            "The TCB info's levels cannot be read.", cause=repr(error)
        ) from error
    if not keys or not ordered:
        raise CollateralInvalidError(
            "The TCB info's levels are not sorted.", expected="one or more levels, from high to low"
        )


def _require_modules(tcb_info: dict[str, Any]) -> None:
    """Refuse TDX modules that are expected to have SEAM attributes: every known module has none."""
    try:
        modules = [tcb_info["tdxModule"], *tcb_info.get("tdxModuleIdentities", [])]
        attributes = [bytes.fromhex(module["attributes"]) for module in modules]
        for module in modules[1:]:
            _require_part_statuses("TDX module identity", module)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CollateralInvalidError(
            "The TCB info's TDX modules cannot be read.", cause=repr(error)[:200]
        ) from error
    for value in attributes:
        if value != bytes(8):
            raise CollateralInvalidError(
                "The TCB info expects SEAM attributes.", got=value.hex(), expected="8 zero bytes"
            )


def _require_part_statuses(name: str, part: dict[str, Any]) -> None:
    """Refuse a quoting enclave or TDX module with a status that Intel does not define for it.

    dcap-qvl reads some of them as up to date.
    """
    try:
        statuses = [level["tcbStatus"] for level in part["tcbLevels"]]
    except (KeyError, TypeError) as error:
        raise CollateralInvalidError(
            f"The {name}'s levels cannot be read.", cause=repr(error)[:200]
        ) from error
    for status in statuses:
        if status not in _PART_STATUSES:
            raise CollateralInvalidError(
                f"A level of the {name} has an unknown status.",
                got=repr(status)[:60],
                expected=", ".join(_PART_STATUSES),
            )
    if not statuses:
        raise CollateralInvalidError(f"The {name} has no levels.")


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
