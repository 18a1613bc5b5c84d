"""TCB info, versions 3 and 2: Intel's exact JSON text to the compact form that the chain rebuilds it from.

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
VERSION_2 = 3
"""The form of version 2, which is of SGX and has neither names nor advisories."""
_FORMS = {"SGX": SGX, "TDX": TDX}
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
    form = _form(info)
    if member(info, "tcbType", int, what) != 0:
        raise CollateralFormError(
            "tcbInfo.tcbType is not supported", got=info["tcbType"], expected=0
        )
    levels = member(info, "tcbLevels", list, what)
    if not levels:
        raise CollateralFormError("tcbInfo.tcbLevels is empty")

    encoded = bytes([form])
    if form != VERSION_2:
        encoded += _decorations(levels, "sgxtcbcomponents")
    if form == TDX:
        encoded += _decorations(levels, "tdxtcbcomponents")
    encoded += take_date(info, "issueDate", what) + take_date(info, "nextUpdate", what)
    encoded += take_number(info, "tcbEvaluationDataNumber", 3, what)
    encoded += take_hex_digits(info, "fmspc", 12, what) + take_hex_digits(info, "pceId", 4, what)
    if form == TDX:
        encoded += _modules(info)
    encoded += number(len(levels), 1, "tcbInfo.tcbLevels' length")
    for index, level in enumerate(levels):
        encoded += _level(level, form, f"tcbInfo.tcbLevels[{index}]")
    require_same_text(tcb_info_text(encoded), text, what)
    return encoded


def tcb_info_text(compact: bytes) -> str:
    """Return the text that the chain writes from the compact form."""
    reader = CompactReader(compact, "tcbInfo")
    form = reader.number(1)
    if form not in (SGX, TDX, VERSION_2):
        raise CollateralFormError("the compact tcbInfo is of an unknown kind", got=form)
    sgx_names = [] if form == VERSION_2 else _decoration_texts(reader)
    tdx_names = _decoration_texts(reader) if form == TDX else []
    head = {SGX: '"id":"SGX","version":3', TDX: '"id":"TDX","version":3'}.get(form, '"version":2')
    text = f'{{{head},"issueDate":"{reader.date()}"'
    text += f',"nextUpdate":"{reader.date()}"'
    evaluation = reader.number(3)
    text += f',"fmspc":"{reader.take(12).decode()}","pceId":"{reader.take(4).decode()}"'
    text += f',"tcbType":0,"tcbEvaluationDataNumber":{evaluation},'
    if form == TDX:
        text += f'"tdxModule":{{{_module_text(reader)}}},'
        identities = [_identity_text(reader) for _ in range(reader.number(1))]
        if identities:
            text += f'"tdxModuleIdentities":[{",".join(identities)}],'
    levels = [_level_text(reader, sgx_names, tdx_names) for _ in range(reader.number(1))]
    reader.end()
    return f'{text}"tcbLevels":[{",".join(levels)}]}}'


def _form(info: dict[str, Any]) -> int:
    version = member(info, "version", int, "tcbInfo")
    if version == 2 and "id" not in info:
        return VERSION_2
    if version != 3:
        raise CollateralFormError(
            "tcbInfo.version is not supported", got=version, expected="3, or 2 for SGX"
        )
    form = _FORMS.get(member(info, "id", str, "tcbInfo"))
    if form is None:
        raise CollateralFormError(
            "tcbInfo.id is unknown", got=info["id"][:40], expected="SGX or TDX"
        )
    return form


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


def _level(level: Any, form: int, what: str) -> bytes:
    if form == VERSION_2:
        tcb = member(level, "tcb", dict, what)
        encoded = b"".join(
            take_number(tcb, f"sgxtcbcomp{position:02d}svn", 1, f"{what}.tcb")
            for position in range(1, _COMPONENTS + 1)
        )
    else:
        encoded = _svns(level, "sgxtcbcomponents", what)
    encoded += take_number(level["tcb"], "pcesvn", 2, f"{what}.tcb")
    if form == TDX:
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
    svns = reader.take(_COMPONENTS)
    if sgx_names:
        text = f'{{"tcb":{{"sgxtcbcomponents":{_components_text(svns, sgx_names)}'
    else:
        members = (f'"sgxtcbcomp{n:02d}svn":{svn}' for n, svn in enumerate(svns, start=1))
        text = f'{{"tcb":{{{",".join(members)}'
    text += f',"pcesvn":{reader.number(2)}'
    if tdx_names:
        text += f',"tdxtcbcomponents":{_components_text(reader.take(16), tdx_names)}'
    return text + reader.level_end_text()
