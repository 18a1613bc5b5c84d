"""An installation's key packages with their private keys: one sealed document, opened when a welcome is.

A key package's private keys open welcomes for a day after a newer one was made, because welcomes may be under way;
the next change of the document, or the next listing of conversations, removes them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Final

from xmtp_tee.mls.codec import (
    Parts,
    Reader,
    decode_whole,
    opaque,
    opaque_part,
    u8,
    u16,
    u64,
    vector_of_parts,
)
from xmtp_tee.mls.errors import MlsError
from xmtp_tee.mls.key_package import KeyPackageSecrets
from xmtp_tee.mls.wiping import wipe
from xmtp_tee.wire.store_faults import StoreTamperedError
from xmtp_tee.xmtp.key_packages import ROTATION_SECONDS, InstallationKeyPackage

KEPT_SECONDS: Final = 24 * 3600
"""How long a key package's private keys outlive the next key package."""

MAX_PACKAGES: Final = 16
_VERSION: Final = 1


@dataclass(frozen=True)
class KeyPackages:
    """The key packages, oldest first. ``used``: whether a welcome has used the newest."""

    packages: tuple[InstallationKeyPackage, ...] = field(default=(), repr=False)
    used: bool = False

    def with_package(self, package: InstallationKeyPackage, now: int) -> KeyPackages:
        """Return them with one more, and without those whose time is over."""
        return KeyPackages((*self.packages, package)[-MAX_PACKAGES:]).without_old(now)

    def with_used(self, package: InstallationKeyPackage) -> KeyPackages:
        """Return them after a welcome to one was followed."""
        return replace(self, used=self.used or package is self.packages[-1])

    def without_old(self, now: int) -> KeyPackages:
        """Return those whose time is not over at ``now``, in unix seconds; the newest always stays."""
        kept = tuple(
            old for old, newer in pairwise(self.packages) if newer.created_at + KEPT_SECONDS > now
        )
        return replace(self, packages=(*kept, *self.packages[-1:]))

    def named_by(self, public_key: bytes, now: int) -> InstallationKeyPackage | None:
        """Return the key package that a welcome names, if its time is not over."""
        packages = self.without_old(now).packages
        return next((each for each in packages if each.is_named_by(public_key)), None)

    def to_publish(self, now: int) -> bytes | None:
        """Return the key package that others should find, encoded, or None if it is time to make another."""
        if not self.packages or self.used:
            return None
        newest = self.packages[-1]
        return newest.encoded if newest.created_at + ROTATION_SECONDS > now else None

    def wipe(self) -> None:
        """Overwrite the private keys."""
        for each in self.packages:
            each.wipe()


def encode_key_packages(packages: KeyPackages) -> bytes:
    """Return the bytes to be sealed: one object, the caller's to wipe."""
    saved = [each.secrets.save() for each in packages.packages]
    try:
        encoded = vector_of_parts(map(_parts, saved, packages.packages))
        return b"".join((u16(_VERSION), u8(packages.used), *encoded))
    finally:
        wipe(*saved)


def decode_key_packages(data: bytes) -> KeyPackages:
    """Read what :func:`encode_key_packages` wrote.

    :raises StoreTamperedError: of an unknown version; the seal has vouched for the rest
    """
    try:
        return decode_whole(_decode, data)
    except MlsError as error:
        raise StoreTamperedError("An installation's key packages cannot be read") from error


def _parts(secrets: bytes, package: InstallationKeyPackage) -> Parts:
    return [
        *opaque_part(secrets),
        *opaque_part(package.wrapper_private),
        opaque(package.wrapper_public),
        u64(package.created_at),
    ]


def _decode(reader: Reader) -> KeyPackages:
    version = reader.u16()
    if version != _VERSION:
        raise StoreTamperedError(
            "An installation's key packages are of another version", got=version, expected=_VERSION
        )
    used = bool(reader.u8())
    return KeyPackages(reader.vector(_decode_package), used)


def _decode_package(reader: Reader) -> InstallationKeyPackage:
    saved = reader.opaque()
    secrets = KeyPackageSecrets.restore(saved)
    wipe(saved)
    return InstallationKeyPackage(secrets, reader.opaque(), reader.opaque(), reader.u64())
