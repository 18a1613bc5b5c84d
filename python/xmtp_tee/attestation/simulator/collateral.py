"""Collateral in Intel's format under a development PKI: TCB info v2 and v3, QE identity v2, CRLs and chains.

The JSON texts have Intel's key order and its formatting to the byte (PCS API v4). Every field is a parameter.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from xmtp_tee.attestation.collateral import Collateral
from xmtp_tee.attestation.kinds import TcbStatus
from xmtp_tee.attestation.simulator.pki import DevelopmentPki, Issued, development_pki
from xmtp_tee.attestation.simulator.quote import DEVELOPMENT_QE_MR_SIGNER

Decoration = tuple[str | None, str | None]
"""The category and the type of a TCB component, where it has them."""

SGX_DECORATIONS: tuple[Decoration, ...] = (
    ("BIOS", "Early Microcode Update"),
    ("OS/VMM", "SGX Late Microcode Update"),
    ("OS/VMM", "TXT SINIT"),
    ("BIOS", None),
    ("BIOS", None),
    ("BIOS", None),
    (None, None),
    ("OS/VMM", "SEAMLDR ACM"),
    *(((None, None),) * 8),
)
TDX_DECORATIONS: tuple[Decoration, ...] = (
    ("OS/VMM", "TDX Module"),
    ("OS/VMM", "TDX Module"),
    ("OS/VMM", "TDX Late Microcode Update"),
    *(((None, None),) * 13),
)
SGX_ONLY_DECORATIONS: tuple[Decoration, ...] = (
    ("BIOS", "Early Microcode Update"),
    ("OS/VMM", "SGX Late Microcode Update"),
    ("OS/VMM", "TXT SINIT"),
    *((("BIOS", None),) * 4),
    *(((None, None),) * 9),
)
LIFETIME = 30 * 24 * 3600
"""How long Intel's TCB info, QE identity and PCK CRLs live, in seconds."""


@dataclass(frozen=True, slots=True)
class TcbLevel:
    """A platform level: 16 SGX components, PCESVN, 16 TDX components, and what Intel says of it.

    ``status`` is one of Intel's names; any text is written, so that unknown ones can be tested.
    ``date`` is unix seconds.
    """

    sgx: tuple[int, ...] = (2, 2, 2, 2, 3, 1, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0)
    pce_svn: int = 11
    tdx: tuple[int, ...] = (5, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    status: str = TcbStatus.UP_TO_DATE.intel_name
    date: int = 1_710_288_000
    advisory_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TdxModuleLevel:
    """A level of a TDX module identity, by the module's ISVSVN (``tee_tcb_svn[0]``)."""

    isv_svn: int = 4
    status: str = TcbStatus.UP_TO_DATE.intel_name
    date: int = 1_710_288_000
    advisory_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TdxModuleIdentity:
    """The identity of a TDX module's major version (``tee_tcb_svn[1]``): ``TDX_01``, ``TDX_03``."""

    identifier: str = "TDX_01"
    mr_signer: bytes = bytes(48)
    attributes: bytes = bytes(8)
    attributes_mask: bytes = b"\xff" * 8
    levels: tuple[TdxModuleLevel, ...] = (
        TdxModuleLevel(),
        TdxModuleLevel(isv_svn=2, status=TcbStatus.OUT_OF_DATE.intel_name, date=1_691_539_200),
    )


_OLD_LEVEL = TcbLevel(
    pce_svn=5,
    status=TcbStatus.OUT_OF_DATE.intel_name,
    date=1_515_024_000,
    advisory_ids=("INTEL-SA-00106", "INTEL-SA-00115", "INTEL-SA-00837"),
)


@dataclass(frozen=True, slots=True)
class TcbInfoRecipe:
    """TCB info: TDX unless made by :meth:`sgx_v3` or :meth:`sgx_v2`. ``fmspc`` is 6 bytes, ``pce_id`` 2.

    ``fmspc_text`` replaces FMSPC's upper-case digits: Intel's service repeats the case that it was asked with.
    ``module_identities`` None leaves that member out, as older TDX TCB info does. Version 2 has flat components
    without decorations, no ``id`` and no advisories.
    """

    identifier: str = "TDX"
    version: int = 3
    fmspc: bytes = bytes.fromhex("de7e10000000")
    pce_id: bytes = bytes(2)
    tcb_type: int = 0
    evaluation_number: int = 17
    module_mr_signer: bytes = bytes(48)
    module_attributes: bytes = bytes(8)
    module_attributes_mask: bytes = b"\xff" * 8
    fmspc_text: str | None = None
    module_identities: tuple[TdxModuleIdentity, ...] | None = (
        TdxModuleIdentity(identifier="TDX_03", levels=(TdxModuleLevel(isv_svn=3),)),
        TdxModuleIdentity(),
    )
    levels: tuple[TcbLevel, ...] = (TcbLevel(), _OLD_LEVEL)
    sgx_decorations: tuple[Decoration, ...] = SGX_DECORATIONS
    tdx_decorations: tuple[Decoration, ...] = TDX_DECORATIONS

    @classmethod
    def sgx_v3(cls, **changes: Any) -> TcbInfoRecipe:
        """Return the recipe of an SGX TCB info of version 3."""
        defaults = {"identifier": "SGX", "sgx_decorations": SGX_ONLY_DECORATIONS}
        return cls(**{**defaults, **changes})

    @classmethod
    def sgx_v2(cls, **changes: Any) -> TcbInfoRecipe:
        """Return the recipe of an SGX TCB info of version 2."""
        return cls.sgx_v3(**{"version": 2, **changes})

    def text(self, issued_at: int, next_update: int) -> str:
        """Return the JSON text that is signed. Times are unix seconds."""
        document: dict[str, object] = {} if self.version == 2 else {"id": self.identifier}
        document |= {
            "version": self.version,
            "issueDate": iso_time(issued_at),
            "nextUpdate": iso_time(next_update),
            "fmspc": _upper(self.fmspc) if self.fmspc_text is None else self.fmspc_text,
            "pceId": _upper(self.pce_id),
            "tcbType": self.tcb_type,
            "tcbEvaluationDataNumber": self.evaluation_number,
        }
        if self.identifier != "SGX":
            document["tdxModule"] = {
                "mrsigner": _upper(self.module_mr_signer),
                "attributes": _upper(self.module_attributes),
                "attributesMask": _upper(self.module_attributes_mask),
            }
            if self.module_identities is not None:
                document["tdxModuleIdentities"] = [
                    _module_identity(identity) for identity in self.module_identities
                ]
        document["tcbLevels"] = [self._level(level) for level in self.levels]
        return _compact(document)

    def _level(self, level: TcbLevel) -> dict[str, object]:
        if self.version == 2:
            flat: dict[str, object] = {
                f"sgxtcbcomp{index:02d}svn": svn for index, svn in enumerate(level.sgx, start=1)
            }
            flat["pcesvn"] = level.pce_svn
            return _with_status(flat, level.date, level.status, ())
        tcb: dict[str, object] = {
            "sgxtcbcomponents": _components(level.sgx, self.sgx_decorations),
            "pcesvn": level.pce_svn,
        }
        if self.identifier != "SGX":
            tcb["tdxtcbcomponents"] = _components(level.tdx, self.tdx_decorations)
        return _with_status(tcb, level.date, level.status, level.advisory_ids)


@dataclass(frozen=True, slots=True)
class QeLevel:
    """A level of the quoting enclave, by its ISVSVN."""

    isv_svn: int = 4
    status: str = TcbStatus.UP_TO_DATE.intel_name
    date: int = 1_710_288_000
    advisory_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class QeIdentityRecipe:
    """QE identity, version 2: who the quoting enclave must be, that of TDX unless made by :meth:`sgx`."""

    identifier: str = "TD_QE"
    version: int = 2
    evaluation_number: int = 17
    misc_select: bytes = bytes(4)
    misc_select_mask: bytes = b"\xff" * 4
    attributes: bytes = bytes.fromhex("11000000000000000000000000000000")
    attributes_mask: bytes = bytes.fromhex("fbffffffffffffff0000000000000000")
    mr_signer: bytes = DEVELOPMENT_QE_MR_SIGNER
    isv_prod_id: int = 2
    levels: tuple[QeLevel, ...] = (QeLevel(),)

    @classmethod
    def sgx(cls, **changes: Any) -> QeIdentityRecipe:
        """Return the recipe of the SGX quoting enclave's identity."""
        return cls(**{"identifier": "QE", "isv_prod_id": 1, **changes})

    def text(self, issued_at: int, next_update: int) -> str:
        """Return the JSON text that is signed. Times are unix seconds."""
        return _compact(
            {
                "id": self.identifier,
                "version": self.version,
                "issueDate": iso_time(issued_at),
                "nextUpdate": iso_time(next_update),
                "tcbEvaluationDataNumber": self.evaluation_number,
                "miscselect": _upper(self.misc_select),
                "miscselectMask": _upper(self.misc_select_mask),
                "attributes": _upper(self.attributes),
                "attributesMask": _upper(self.attributes_mask),
                "mrsigner": _upper(self.mr_signer),
                "isvprodid": self.isv_prod_id,
                "tcbLevels": [
                    _with_status(
                        {"isvsvn": level.isv_svn}, level.date, level.status, level.advisory_ids
                    )
                    for level in self.levels
                ],
            }
        )


@dataclass(frozen=True, slots=True)
class CollateralRecipe:
    """All collateral for one platform family: TDX unless made by :meth:`sgx`.

    ``lifetime`` is in seconds from ``issued_at``; ``revoked_by_root`` and ``revoked_by_ca`` are serial numbers;
    ``tcb_signer`` replaces who signs, ``pck_ca`` whose CRL is given; ``crl_lifetime`` defaults to ``lifetime``.
    """

    tcb_info: TcbInfoRecipe = field(default_factory=TcbInfoRecipe)
    qe_identity: QeIdentityRecipe = field(default_factory=QeIdentityRecipe)
    lifetime: int = LIFETIME
    crl_lifetime: int | None = None
    revoked_by_root: tuple[int, ...] = ()
    revoked_by_ca: tuple[int, ...] = ()
    tcb_signer: Issued | None = None
    pck_ca: Issued | None = None
    root_crl_number: int = 1
    pck_crl_number: int = 1

    @classmethod
    def sgx(cls, **changes: Any) -> CollateralRecipe:
        """Return the recipe of an SGX platform's collateral, with TCB info of version 3."""
        defaults = {"tcb_info": TcbInfoRecipe.sgx_v3(), "qe_identity": QeIdentityRecipe.sgx()}
        return cls(**{**defaults, **changes})

    def build(self, issued_at: int, pki: DevelopmentPki | None = None) -> Collateral:
        """Return the collateral issued at ``issued_at`` (unix seconds) under ``pki``."""
        pki = pki or development_pki()
        signer = self.tcb_signer or pki.tcb_signer
        pck_ca = self.pck_ca or pki.platform_ca
        next_update = issued_at + self.lifetime
        crl_lifetime = self.lifetime if self.crl_lifetime is None else self.crl_lifetime
        crl_next = issued_at + crl_lifetime
        tcb_info = self.tcb_info.text(issued_at, next_update)
        qe_identity = self.qe_identity.text(issued_at, next_update)
        signer_chain = signer.pem + pki.root.pem
        return Collateral(
            pck_crl_issuer_chain=pck_ca.pem + pki.root.pem,
            root_ca_crl=pki.crl(
                pki.root,
                this_update=issued_at,
                next_update=crl_next,
                revoked=self.revoked_by_root,
                number=self.root_crl_number,
            ),
            pck_crl=pki.crl(
                pck_ca,
                this_update=issued_at,
                next_update=crl_next,
                revoked=self.revoked_by_ca,
                number=self.pck_crl_number,
            ),
            tcb_info_issuer_chain=signer_chain,
            tcb_info=tcb_info,
            tcb_info_signature=signer.sign(tcb_info.encode()),
            qe_identity_issuer_chain=signer_chain,
            qe_identity=qe_identity,
            qe_identity_signature=signer.sign(qe_identity.encode()),
        )


def iso_time(seconds: int) -> str:
    """Return unix seconds in Intel's form, ``2025-06-19T10:16:03Z``."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _upper(value: bytes) -> str:
    return value.hex().upper()


def _compact(document: object) -> str:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)


def _components(svns: Sequence[int], decorations: Sequence[Decoration]) -> list[dict[str, object]]:
    components = []
    for svn, (category, kind) in zip(svns, decorations, strict=True):
        component: dict[str, object] = {"svn": svn}
        if category is not None:
            component["category"] = category
        if kind is not None:
            component["type"] = kind
        components.append(component)
    return components


def _with_status(
    tcb: dict[str, object], date: int, status: str, advisory_ids: Sequence[str]
) -> dict[str, object]:
    level: dict[str, object] = {"tcb": tcb, "tcbDate": iso_time(date), "tcbStatus": status}
    if advisory_ids:
        level["advisoryIDs"] = list(advisory_ids)
    return level


def _module_identity(identity: TdxModuleIdentity) -> dict[str, object]:
    return {
        "id": identity.identifier,
        "mrsigner": _upper(identity.mr_signer),
        "attributes": _upper(identity.attributes),
        "attributesMask": _upper(identity.attributes_mask),
        "tcbLevels": [
            _with_status({"isvsvn": level.isv_svn}, level.date, level.status, level.advisory_ids)
            for level in identity.levels
        ],
    }
