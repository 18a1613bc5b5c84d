"""Options whose value depends on the kind of TEE: ``--root tdx=FILE`` for one kind, ``--root FILE`` for the others."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from xmtp_tee.attestation.kinds import TeeKind
from xmtp_tee.errors import UsageError

_KINDS = {kind.label: kind for kind in TeeKind if kind is not TeeKind.NONE}


def kind_named(text: str) -> TeeKind:
    """Return the kind of this label.

    :raises UsageError: there is none
    """
    if text not in _KINDS:
        raise UsageError("there is no such kind of TEE", got=text[:40], expected=", ".join(_KINDS))
    return _KINDS[text]


@dataclass(frozen=True, slots=True)
class ByKind:
    """The values of one option, each with the kind that it is for; None: for every kind without its own."""

    option: str
    values: tuple[tuple[TeeKind | None, str], ...] = ()

    @classmethod
    def read(cls, option: str, texts: Iterable[str]) -> ByKind:
        """Read ``KIND=VALUE`` and ``VALUE``. A file whose name begins so is named by ``./``."""
        values: list[tuple[TeeKind | None, str]] = []
        for text in texts:
            label, equals, value = text.partition("=")
            if equals and label in _KINDS:
                values.append((_KINDS[label], value))
            else:
                values.append((None, text))
        return cls(option, tuple(values))

    def of(self, kind: TeeKind) -> tuple[str, ...]:
        """Return the values for a kind: its own, else those for every kind."""
        own = tuple(value for named, value in self.values if named is kind)
        return own or tuple(value for named, value in self.values if named is None)

    def one(self, kind: TeeKind) -> str | None:
        """Return the one value for a kind, None without any.

        :raises UsageError: there are several
        """
        found = self.of(kind)
        if len(found) > 1:
            raise UsageError(
                f"--{self.option} is named once for each kind",
                got=", ".join(found)[:200],
                expected=f"one for {kind.label}",
            )
        return found[0] if found else None

    def require_read(self, kinds: Collection[TeeKind], readers: Collection[TeeKind]) -> None:
        """Refuse a value that no evidence is judged by.

        ``kinds`` are those of the evidence, ``readers`` those that read this option.

        :raises UsageError: a value is for a kind that is not there, or that does not read it
        """
        reading = [kind for kind in kinds if kind in readers]
        for named, _ in self.values:
            if named is None and reading:
                continue
            if named is not None and named in reading:
                continue
            missing = named.label if named else ", ".join(kind.label for kind in kinds)
            raise UsageError(
                f"no evidence is judged by --{self.option} here: an option says nothing",
                got=f"--{self.option}",
                expected=f"evidence that reads it, not {missing}",
            )
