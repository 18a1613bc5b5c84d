"""TCB info v3: Intel's exact JSON text to the compact form that the chain rebuilds it from.

The compact form is defined in contracts/attestation/dcap/TcbInfo.sol.
"""

from __future__ import annotations

import re
from typing import Any

from xmtp_tee.attestation.dcap.errors import CollateralFormError
from xmtp_tee.attestation.dcap.levels import (
    CompactReader,
    isv_svn_levels,
    level_end,
    load_object,
    member,
    number,
    require_same_text,
    take_date,
    take_hex,
    take_hex_digits,
    take_number,
)

SGX = 1
TDX = 2
_TEE = {"SGX": SGX, "TDX": TDX}
_COMPONENTS = 16
_NAME = re.compile(r"[ !#-Z^-z|~]+")
"""Printable ASCII without quotes, brackets, braces and backslash."""


def compact_tcb_info(text: str) -> bytes:
    """Return the compact form of the ``tcbInfo`` object ``text``.

    ``text`` is the exact substring of Intel's answer, which the signature covers. Raises
    :class:`CollateralFormError` when the compact form would not give that very text again.
    """
    what = "tcbInfo"
    info = load_object(text, what)
    tee = _TEE.get(member(info, "id", str, what))
    if tee is None:
        raise CollateralFormError(
            "tcbInfo.id is unknown", got=info["id"][:40], expected="SGX or TDX"
        )
    for key, expected in (("version", 3), ("tcbType", 0)):
        if member(info, key, int, what) != expected:
            raise CollateralFormError(
                f"tcbInfo.{key} is not supported", got=info[key], expected=expected
            )
    levels = member(info, "tcbLevels", list, what)
    if not levels:
        raise CollateralFormError("tcbInfo.tcbLevels is empty")

    encoded = bytes([tee]) + _decorations(levels, "sgxtcbcomponents")
    if tee == TDX:
        encoded += _decorations(levels, "tdxtcbcomponents")
    encoded += take_date(info, "issueDate", what) + take_date(info, "nextUpdate", what)
    encoded += take_number(info, "tcbEvaluationDataNumber", 3, what)
    encoded += take_hex_digits(info, "fmspc", 12, what) + take_hex_digits(info, "pceId", 4, what)
    if tee == TDX:
        encoded += _modules(info)
    encoded += number(len(levels), 1, "tcbInfo.tcbLevels' length")
    for index, level in enumerate(levels):
        encoded += _level(level, tee, f"tcbInfo.tcbLevels[{index}]")
    require_same_text(tcb_info_text(encoded), text, what)
    return encoded


def tcb_info_text(compact: bytes) -> str:
    """Return the text that the chain writes from the compact form."""
    reader = CompactReader(compact, "tcbInfo")
    tee = reader.number(1)
    if tee not in _TEE.values():
        raise CollateralFormError("the compact tcbInfo is of an unknown kind", got=tee)
    sgx_names = _decoration_texts(reader)
    tdx_names = _decoration_texts(reader) if tee == TDX else []
    identifier = "TDX" if tee == TDX else "SGX"
    text = f'{{"id":"{identifier}","version":3,"issueDate":"{reader.date()}"'
    text += f',"nextUpdate":"{reader.date()}"'
    evaluation = reader.number(3)
    text += f',"fmspc":"{reader.take(12).decode()}","pceId":"{reader.take(4).decode()}"'
    text += f',"tcbType":0,"tcbEvaluationDataNumber":{evaluation},'
    if tee == TDX:
        text += f'"tdxModule":{{{_module_text(reader)}}},'
        identities = [_identity_text(reader) for _ in range(reader.number(1))]
        if identities:
            text += f'"tdxModuleIdentities":[{",".join(identities)}],'
    levels = [_level_text(reader, sgx_names, tdx_names) for _ in range(reader.number(1))]
    reader.end()
    return f'{text}"tcbLevels":[{",".join(levels)}]}}'


def _components(level: Any, key: str) -> list[Any]:
    tcb = member(level, "tcb", dict, "tcbInfo.tcbLevels")
    components: list[Any] = member(tcb, key, list, "tcbInfo.tcbLevels.tcb")
    if len(components) != _COMPONENTS:
        raise CollateralFormError(
            f"tcbInfo has another number of {key}", got=len(components), expected=_COMPONENTS
        )
    return components


def _decorations(levels: list[Any], key: str) -> bytes:
    """Encode category and type of each component position, as the first level names them."""
    encoded = b""
    for position, component in enumerate(_components(levels[0], key)):
        names = []
        for part in ("category", "type"):
            name = b""
            if isinstance(component, dict) and part in component:
                text = member(component, part, str, f"{key}[{position}]")
                if _NAME.fullmatch(text) is None:
                    raise CollateralFormError(
                        f"{key}[{position}].{part} holds a character that is not allowed",
                        got=text[:40],
                    )
                name = text.encode("ascii")
            names.append(name)
        encoded += b"".join(number(len(n), 1, f"{key}[{position}]'s name") for n in names)
        encoded += b"".join(names)
    return encoded


def _module(holder: Any, what: str) -> bytes:
    return (
        take_hex(holder, "mrsigner", 48, what)
        + take_hex(holder, "attributes", 8, what)
        + take_hex(holder, "attributesMask", 8, what)
    )


def _modules(info: dict[str, Any]) -> bytes:
    encoded = _module(member(info, "tdxModule", dict, "tcbInfo"), "tcbInfo.tdxModule")
    identities: list[Any] = []
    if "tdxModuleIdentities" in info:
        identities = member(info, "tdxModuleIdentities", list, "tcbInfo")
        if not identities:
            raise CollateralFormError("tcbInfo.tdxModuleIdentities is present and empty")
    encoded += number(len(identities), 1, "tcbInfo.tdxModuleIdentities' length")
    for index, identity in enumerate(identities):
        what = f"tcbInfo.tdxModuleIdentities[{index}]"
        name = member(identity, "id", str, what)
        if re.fullmatch(r"TDX_[0-9a-fA-F]{2}", name) is None:
            raise CollateralFormError(
                f"{what}.id has another form", got=name[:40], expected="TDX_hh"
            )
        encoded += name[4:].encode() + _module(identity, what) + isv_svn_levels(identity, what)
    return encoded


def _svns(level: Any, key: str, what: str) -> bytes:
    return b"".join(
        take_number(component, "svn", 1, f"{what}.{key}[{position}]")
        for position, component in enumerate(_components(level, key))
    )


def _level(level: Any, tee: int, what: str) -> bytes:
    encoded = _svns(level, "sgxtcbcomponents", what)
    encoded += take_number(level["tcb"], "pcesvn", 2, f"{what}.tcb")
    if tee == TDX:
        encoded += _svns(level, "tdxtcbcomponents", what)
    return encoded + level_end(level, what, enclave=False)


def _decoration_texts(reader: CompactReader) -> list[str]:
    texts = []
    for _ in range(_COMPONENTS):
        category, kind = reader.number(1), reader.number(1)
        text = f',"category":"{reader.take(category).decode("ascii")}"' if category else ""
        text += f',"type":"{reader.take(kind).decode("ascii")}"' if kind else ""
        texts.append(text)
    return texts


def _module_text(reader: CompactReader) -> str:
    return (
        f'"mrsigner":"{reader.hex(48)}","attributes":"{reader.hex(8)}"'
        f',"attributesMask":"{reader.hex(8)}"'
    )


def _identity_text(reader: CompactReader) -> str:
    identifier = reader.take(2).decode("ascii")
    return f'{{"id":"TDX_{identifier}",{_module_text(reader)},{reader.isv_svn_levels_text()}}}'


def _components_text(svns: bytes, names: list[str]) -> str:
    parts = (f'{{"svn":{svn}{name}}}' for svn, name in zip(svns, names, strict=True))
    return f"[{','.join(parts)}]"


def _level_text(reader: CompactReader, sgx_names: list[str], tdx_names: list[str]) -> str:
    text = f'{{"tcb":{{"sgxtcbcomponents":{_components_text(reader.take(16), sgx_names)}'
    text += f',"pcesvn":{reader.number(2)}'
    if tdx_names:
        text += f',"tdxtcbcomponents":{_components_text(reader.take(16), tdx_names)}'
    return text + reader.level_end_text()
