"""An installation's key packages with their private keys: one sealed document, opened when a welcome is.

A key package's private keys stay for a day after a newer one was made, because welcomes to it may be under way.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from xmtp_tee.mls.codec import (
    Parts,
    Reader,
    decode_whole,
    opaque,
    opaque_part,
    u16,
    u64,
    vector_of_parts,
)
from xmtp_tee.mls.errors import MlsError
from xmtp_tee.mls.key_package import KeyPackageSecrets
from xmtp_tee.mls.wiping import wipe
from xmtp_tee.wire.store_faults import StoreTamperedError
from xmtp_tee.xmtp.key_packages import InstallationKeyPackage

KEPT_SECONDS: Final = 24 * 3600
"""How long a key package's private keys outlive the next key package."""

MAX_PACKAGES: Final = 16
_VERSION: Final = 1


@dataclass(frozen=True)
class KeyPackages:
    """The key packages, oldest first."""

    packages: tuple[InstallationKeyPackage, ...] = field(default=(), repr=False)

    def with_package(self, package: InstallationKeyPackage, now: int) -> KeyPackages:
        """Return them with one more, and without those whose time is over."""
        kept = [
            old
            for old, newer in zip(self.packages, (*self.packages, package)[1:], strict=True)
            if newer.created_at + KEPT_SECONDS > now
        ]
        return KeyPackages((*kept, package)[-MAX_PACKAGES:])

    def named_by(self, public_key: bytes) -> InstallationKeyPackage | None:
        """Return the key package that a welcome names, if its private keys are still here."""
        return next((each for each in self.packages if each.is_named_by(public_key)), None)

    def wipe(self) -> None:
        """Overwrite the private keys."""
        for each in self.packages:
            each.wipe()


def encode_key_packages(packages: KeyPackages) -> bytes:
    """Return the bytes to be sealed: one object, the caller's to wipe."""
    saved = [each.secrets.save() for each in packages.packages]
    try:
        encoded = vector_of_parts(map(_parts, saved, packages.packages))
        return b"".join((u16(_VERSION), *encoded))
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
    return KeyPackages(reader.vector(_decode_package))


def _decode_package(reader: Reader) -> InstallationKeyPackage:
    saved = reader.opaque()
    secrets = KeyPackageSecrets.restore(saved)
    wipe(saved)
    return InstallationKeyPackage(secrets, reader.opaque(), reader.opaque(), reader.u64())
