"""What TCB info and enclave identity share: dates, statuses, advisories, and levels by isvsvn.

The compact forms are defined in contracts/attestation/dcap/{LevelText,Decorations}.sol.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

from xmtp_tee.attestation.dcap.errors import CollateralFormError

STATUS_NUMBER = {
    "UpToDate": 1,
    "SWHardeningNeeded": 2,
    "ConfigurationNeeded": 3,
    "ConfigurationAndSWHardeningNeeded": 4,
    "OutOfDate": 5,
    "OutOfDateConfigurationNeeded": 6,
    "Revoked": 7,
}
"""Intel's names (PCS API v4, ``tcbStatus``) to the contracts' ``TcbStatus``."""

STATUS_NAME = {number: name for name, number in STATUS_NUMBER.items()}
ENCLAVE_STATUSES = frozenset({"UpToDate", "OutOfDate", "Revoked"})
"""The statuses that Intel defines for a quoting enclave and a TDX module."""

MAX_DEPTH = 16
"""Intel's texts nest six levels deep."""

_BRACKET = re.compile(r"[\[\]{}]")
_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_ADVISORY = re.compile(r"INTEL-SA-(\d{5})")


def load_object(text: str, what: str) -> dict[str, Any]:
    """Parse one JSON object; refuse duplicate keys and numbers that are no plain integers."""

    def pairs(members: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(members)
        if len(made) != len(members):
            raise CollateralFormError(f"{what} holds a key twice", got=[key for key, _ in members])
        return made

    def refuse(number: str) -> None:
        raise CollateralFormError(f"{what} holds a number that is no integer", got=number)

    _require_shallow(text, what)
    try:
        loaded = json.loads(
            text, object_pairs_hook=pairs, parse_float=refuse, parse_constant=refuse
        )
    except ValueError as error:
        raise CollateralFormError(f"{what} is not JSON", got=error) from error
    if not isinstance(loaded, dict):
        raise CollateralFormError(f"{what} is not an object", got=type(loaded).__name__)
    return loaded


def _require_shallow(text: str, what: str) -> None:
    """Refuse deep nesting before Python's parser, which recurses in C, meets it.

    Where the recursion limit has been raised, a deep text ends the process instead of raising.
    """
    depth = 0
    for bracket in _BRACKET.finditer(text):
        depth += 1 if bracket[0] in "[{" else -1
        if depth > MAX_DEPTH:
            raise CollateralFormError(
                f"{what} is nested too deeply", expected=f"{MAX_DEPTH} levels"
            )


def member(holder: Any, key: str, kind: type[Any], what: str) -> Any:
    """Return ``holder[key]``, which must be there and of the kind."""
    if not isinstance(holder, dict):
        raise CollateralFormError(f"{what} is not an object", got=type(holder).__name__)
    value = holder.get(key)
    # bool is an int to Python, not to Intel.
    if type(value) is not kind:
        raise CollateralFormError(
            f"{what}.{key} is missing or of another type",
            got=type(value).__name__,
            expected=kind.__name__,
        )
    return value


def number(value: int, size: int, what: str) -> bytes:
    """Return ``value`` in ``size`` bytes, big-endian."""
    if not 0 <= value < 256**size:
        raise CollateralFormError(
            f"{what} is out of range", got=value, expected=f"0 to {256**size - 1}"
        )
    return value.to_bytes(size, "big")


def take_number(holder: Any, key: str, size: int, what: str) -> bytes:
    return number(member(holder, key, int, what), size, f"{what}.{key}")


def take_hex(holder: Any, key: str, size: int, what: str) -> bytes:
    """Return a member of exactly ``size`` bytes given in hex."""
    text = member(holder, key, str, what)
    if re.fullmatch(f"[0-9a-fA-F]{{{2 * size}}}", text) is None:
        raise CollateralFormError(
            f"{what}.{key} is not hex", got=text[:200], expected=f"{2 * size} hex digits"
        )
    return bytes.fromhex(text)


def take_hex_digits(holder: Any, key: str, count: int, what: str) -> bytes:
    """Return a hex member as its digits, whose case is kept."""
    take_hex(holder, key, count // 2, what)
    digits: str = holder[key]
    return digits.encode()


def take_date(holder: Any, key: str, what: str) -> bytes:
    """Return a date as unix seconds in 5 bytes."""
    text = member(holder, key, str, what)
    try:
        if _DATE.fullmatch(text) is None:
            raise ValueError(text)
        moment = datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError as error:
        raise CollateralFormError(
            f"{what}.{key} is not a date", got=text[:40], expected="YYYY-MM-DDThh:mm:ssZ"
        ) from error
    return number(int(moment.timestamp()), 5, f"{what}.{key}")


def level_end(level: Any, what: str, *, enclave: bool) -> bytes:
    """Encode tcbDate, tcbStatus and advisoryIDs of a level."""
    name = member(level, "tcbStatus", str, what)
    if name not in (ENCLAVE_STATUSES if enclave else STATUS_NUMBER):
        raise CollateralFormError(f"{what}.tcbStatus is unknown", got=name[:40])
    advisories: list[Any] = []
    if "advisoryIDs" in level:
        advisories = member(level, "advisoryIDs", list, what)
        if not advisories:
            raise CollateralFormError(f"{what}.advisoryIDs is present and empty")
    encoded = b""
    for advisory in advisories:
        found = _ADVISORY.fullmatch(advisory) if isinstance(advisory, str) else None
        if found is None:
            raise CollateralFormError(
                f"{what} names an advisory of another form",
                got=str(advisory)[:40],
                expected="INTEL-SA-ddddd",
            )
        encoded += number(int(found[1]), 2, f"{what}.advisoryIDs")
    return (
        take_date(level, "tcbDate", what)
        + bytes([STATUS_NUMBER[name]])
        + number(len(advisories), 1, f"{what}.advisoryIDs' length")
        + encoded
    )


def isv_svn_levels(holder: Any, what: str) -> bytes:
    """Encode the ``tcbLevels`` of a quoting enclave or a TDX module."""
    levels = member(holder, "tcbLevels", list, what)
    if not levels:
        raise CollateralFormError(f"{what}.tcbLevels is empty")
    encoded = number(len(levels), 1, f"{what}.tcbLevels' length")
    for index, level in enumerate(levels):
        name = f"{what}.tcbLevels[{index}]"
        encoded += take_number(member(level, "tcb", dict, name), "isvsvn", 2, f"{name}.tcb")
        encoded += level_end(level, name, enclave=True)
    return encoded


class CompactReader:
    """Reads a compact form from the left; the end must be met exactly."""

    def __init__(self, data: bytes, what: str) -> None:
        self._data = data
        self._what = what
        self._position = 0

    def take(self, size: int) -> bytes:
        taken = self._data[self._position : self._position + size]
        if len(taken) != size:
            raise CollateralFormError(
                f"the compact {self._what} ends early", got=len(self._data), expected="more bytes"
            )
        self._position += size
        return taken

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def hex(self, size: int) -> str:
        return self.take(size).hex().upper()

    def date(self) -> str:
        return datetime.fromtimestamp(self.number(5), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def end(self) -> None:
        if self._position != len(self._data):
            raise CollateralFormError(
                f"the compact {self._what} has other bytes than its counts say",
                got=len(self._data),
                expected=self._position,
            )

    def level_end_text(self) -> str:
        date = self.date()
        status = STATUS_NAME[self.number(1)]
        count = self.number(1)
        advisories = ",".join(f'"INTEL-SA-{self.number(2):05d}"' for _ in range(count))
        tail = f',"advisoryIDs":[{advisories}]' if count else ""
        return f'}},"tcbDate":"{date}","tcbStatus":"{status}"{tail}}}'

    def isv_svn_levels_text(self) -> str:
        levels = [
            f'{{"tcb":{{"isvsvn":{self.number(2)}{self.level_end_text()}'
            for _ in range(self.number(1))
        ]
        return f'"tcbLevels":[{",".join(levels)}]'


def require_same_text(rebuilt: str, text: str, what: str) -> None:
    """Raise unless the rebuilt text is the original, to the byte."""
    if rebuilt == text:
        return
    position = next(
        (i for i, (a, b) in enumerate(zip(rebuilt, text, strict=False)) if a != b),
        min(len(rebuilt), len(text)),
    )
    raise CollateralFormError(
        f"{what} is not written as Intel's service writes it; it differs at character {position}",
        got=text[position : position + 60],
        expected=rebuilt[position : position + 60],
        cause="another order of members, white space, an unknown member, or another API version",
    )
