"""TCB levels: what Intel's TCB info and QE identity say, and at which level a platform stands.

Source: Intel PCS API v4, "Get TCB Info" and "Get Quoting Enclave Identity", and the order of the comparisons there.
TCB info of version 2 is SGX's older form: flat components, no advisories. Levels are tried in the text's order; the
first one that the platform reaches is its level. This is the contract's rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from xmtp_tee.attestation.errors import CollateralInvalidError, TcbLevelNotFoundError
from xmtp_tee.attestation.kinds import TcbStatus

COMPONENTS = 16
_PART_STATUSES = (TcbStatus.UP_TO_DATE, TcbStatus.OUT_OF_DATE, TcbStatus.REVOKED)
"""What a quoting enclave or a TDX module can be; the contract refuses others too."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A level that was reached: its status, and Intel's advisories against it in Intel's order.

    ``advisory_ids`` is None where the format has none to give: TCB info of version 2.
    """

    status: TcbStatus
    advisory_ids: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class PlatformLevel:
    """A level of the platform: 16 SGX component SVNs, PCESVN, and for TDX 16 TDX component SVNs."""

    sgx: tuple[int, ...]
    pce_svn: int
    tdx: tuple[int, ...] | None
    standing: Standing


@dataclass(frozen=True, slots=True)
class PartLevel:
    """A level of a quoting enclave or a TDX module, by its ISVSVN."""

    isv_svn: int
    standing: Standing


@dataclass(frozen=True, slots=True)
class TdxModule:
    """A TDX module as TCB info describes it: MRSIGNERSEAM (48 bytes), and its levels by SVN."""

    mr_signer: bytes
    levels: tuple[PartLevel, ...]


@dataclass(frozen=True, slots=True)
class TcbLevels:
    """The levels of a TCB info. ``module`` judges TDX modules of version 0, ``modules`` the others by version."""

    platform: tuple[PlatformLevel, ...]
    module: TdxModule | None
    modules: dict[int, TdxModule]

    def platform_standing(
        self, sgx: Sequence[int], pce_svn: int, tdx: Sequence[int] | None
    ) -> Standing:
        """Return the standing of a platform with these SVNs; ``tdx`` is TEE_TCB_SVN, None for SGX.

        :raises TcbLevelNotFoundError: it is below every level
        """
        # Of a module with an identity, components 0 and 1 are judged by that identity.
        skipped = 2 if tdx is not None and tdx[1] > 0 else 0
        for level in self.platform:
            reached = pce_svn >= level.pce_svn and _at_least(sgx, level.sgx)
            if tdx is not None and level.tdx is not None:
                reached = reached and _at_least(tdx[skipped:], level.tdx[skipped:])
            if reached:
                return level.standing
        raise TcbLevelNotFoundError(
            "The platform is below every TCB level that Intel lists.",
            got=f"components {bytes(sgx).hex()}, PCESVN {pce_svn}"
            + ("" if tdx is None else f", TEE_TCB_SVN {bytes(tdx).hex()}"),
        )

    def module_standing(self, tee_tcb_svn: bytes, mr_signer_seam: bytes) -> Standing | None:
        """Return the standing of a TDX module; None for version 0, which has no status of its own.

        :raises TcbLevelNotFoundError: the module is unknown, another's, or below every level
        """
        svn, version = tee_tcb_svn[0], tee_tcb_svn[1]
        module = self.module if version == 0 else self.modules.get(version)
        if module is None or module.mr_signer != mr_signer_seam:
            raise TcbLevelNotFoundError(
                "The TDX module is not one that Intel lists for this platform.",
                got=f"version {version}, MRSIGNERSEAM {mr_signer_seam.hex()}",
                expected="versions " + ", ".join(map(str, sorted({0, *self.modules}))),
            )
        return None if version == 0 else part_standing("TDX module", module.levels, svn)


def part_standing(name: str, levels: Sequence[PartLevel], isv_svn: int) -> Standing:
    """Return the standing of a quoting enclave or TDX module with this SVN.

    :raises TcbLevelNotFoundError: it is below every level
    """
    for level in levels:
        if isv_svn >= level.isv_svn:
            return level.standing
    raise TcbLevelNotFoundError(
        f"The {name} is below every level that Intel lists.",
        got=f"SVN {isv_svn}",
        expected=f"at least {min((level.isv_svn for level in levels), default='a level')}",
    )


def converge(platform: TcbStatus, part: TcbStatus) -> TcbStatus:
    """Return the status of a platform together with one of its parts (up to date, out of date or revoked)."""
    if TcbStatus.REVOKED in (platform, part):
        return TcbStatus.REVOKED
    if part is TcbStatus.UP_TO_DATE:
        return platform
    configuration = {
        TcbStatus.CONFIGURATION_NEEDED,
        TcbStatus.CONFIGURATION_AND_SW_HARDENING_NEEDED,
        TcbStatus.OUT_OF_DATE_CONFIGURATION_NEEDED,
    }
    if platform in configuration:
        return TcbStatus.OUT_OF_DATE_CONFIGURATION_NEEDED
    return TcbStatus.OUT_OF_DATE


def read_tcb_levels(tcb_info: dict[str, Any], *, tdx: bool) -> TcbLevels:
    """Read the levels of a TCB info of version 3, or of SGX's version 2.

    :raises CollateralInvalidError: a level or module is missing, malformed or has an unknown status
    """
    try:
        version = tcb_info["version"]
        platform = tuple(
            _platform_level(level, version=version, tdx=tdx) for level in tcb_info["tcbLevels"]
        )
        module = _module(tcb_info["tdxModule"], ()) if tdx else None
        modules: dict[int, TdxModule] = {}
        for identity in tcb_info.get("tdxModuleIdentities", []) if tdx else []:
            name = identity["id"]
            if not isinstance(name, str) or len(name) != 6 or not name.startswith("TDX_"):
                raise ValueError(f"module identity {name!r}")
            number = int(name[4:], 16)
            if number in modules:
                raise ValueError(f"module identity {name!r} twice")
            modules[number] = _module(identity, read_part_levels("TDX module identity", identity))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CollateralInvalidError(
            "The TCB info's levels cannot be read.", cause=repr(error)[:200]
        ) from error
    if not platform:
        raise CollateralInvalidError("The TCB info has no levels.")
    return TcbLevels(platform, module, modules)


def read_part_levels(name: str, part: dict[str, Any]) -> tuple[PartLevel, ...]:
    """Read the levels of a quoting enclave or a TDX module.

    :raises CollateralInvalidError: a level is malformed, or has a status that Intel does not define for parts
    """
    try:
        levels = tuple(
            PartLevel(_integer(level["tcb"]["isvsvn"], 0xFFFF), _standing(level, version=3))
            for level in part["tcbLevels"]
        )
    except (KeyError, TypeError, ValueError) as error:
        raise CollateralInvalidError(
            f"The {name}'s levels cannot be read.", cause=repr(error)[:200]
        ) from error
    for level in levels:
        # dcap-qvl reads some of the others as up to date.
        if level.standing.status not in _PART_STATUSES:
            raise CollateralInvalidError(
                f"A level of the {name} has a status that it cannot have.",
                got=level.standing.status.intel_name,
                expected=", ".join(status.intel_name for status in _PART_STATUSES),
            )
    if not levels:
        raise CollateralInvalidError(f"The {name} has no levels.")
    return levels


def _platform_level(level: dict[str, Any], *, version: int, tdx: bool) -> PlatformLevel:
    tcb = level["tcb"]
    if version == 2:
        sgx = tuple(
            _integer(tcb[f"sgxtcbcomp{index:02d}svn"], 0xFF) for index in range(1, COMPONENTS + 1)
        )
    else:
        sgx = _components(tcb["sgxtcbcomponents"])
    return PlatformLevel(
        sgx=sgx,
        pce_svn=_integer(tcb["pcesvn"], 0xFFFF),
        tdx=_components(tcb["tdxtcbcomponents"]) if tdx else None,
        standing=_standing(level, version=version),
    )


def _components(components: Any) -> tuple[int, ...]:
    svns = tuple(_integer(component["svn"], 0xFF) for component in components)
    if len(svns) != COMPONENTS:
        raise ValueError(f"{len(svns)} components")
    return svns


def _standing(level: dict[str, Any], *, version: int) -> Standing:
    statuses = {status.intel_name: status for status in TcbStatus if status is not TcbStatus.NONE}
    name = level["tcbStatus"]
    if not isinstance(name, str) or name not in statuses:
        raise CollateralInvalidError(
            "A TCB level has an unknown status.",
            got=repr(name)[:60],
            expected=", ".join(statuses),
        )
    advisories = level.get("advisoryIDs", [])
    if not isinstance(advisories, list) or not all(isinstance(a, str) for a in advisories):
        raise ValueError("advisoryIDs")
    return Standing(statuses[name], None if version == 2 else tuple(advisories))


def _module(module: dict[str, Any], levels: tuple[PartLevel, ...]) -> TdxModule:
    signer = bytes.fromhex(module["mrsigner"])
    # The report's SEAM attributes are required to be zero, so those expected must be too.
    attributes = bytes.fromhex(module["attributes"])
    if attributes != bytes(8):
        raise CollateralInvalidError(
            "The TCB info expects SEAM attributes.", got=attributes.hex(), expected="8 zero bytes"
        )
    if len(signer) != 48:
        raise ValueError("mrsigner")
    return TdxModule(signer, levels)


def _at_least(svns: Sequence[int], level: Sequence[int]) -> bool:
    return all(have >= need for have, need in zip(svns, level, strict=True))


def _integer(value: Any, limit: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= limit:
        raise ValueError(f"a number out of range: {value!r}"[:80])
    return value
