"""The development PKI of Nitro: root, regional, zonal and instance CA, and the enclave's certificate.

Names apart, certificates are AWS's in extensions, their order and their criticality, and in how long they live: 30
years, 20 days, 6 days, a day, three hours. Those that renew do so on a grid of time, so that two documents of the same
hour have the same chain. Every key comes from a seed, every signature is deterministic, and no clock is read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cache, cached_property

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from xmtp_tee.attestation.ecdsa384 import ECDSA_SHA384
from xmtp_tee.attestation.simulator import der
from xmtp_tee.attestation.simulator.certificate import (
    CertificateRecipe,
    Certified,
    Extension,
    p384_key_info,
    p384_private_key,
    p384_public_key,
    p384_signer,
)
from xmtp_tee.attestation.simulator.pki import DEVELOPMENT_SEED, NOT_AFTER, NOT_BEFORE

REGION = "zz-nowhere-1"
INSTANCE_ID = "i-0de7e109e00000001"
MODULE_ID = f"{INSTANCE_ID}-enc0de7e109e0000001"
HOUR, DAY = 3_600, 86_400
_BASIC_CONSTRAINTS, _KEY_USAGE = "2.5.29.19", "2.5.29.15"
_SUBJECT_KEY_ID, _AUTHORITY_KEY_ID, _CRL_POINTS = "2.5.29.14", "2.5.29.35", "2.5.29.31"
_CRL_URL = "http://development.invalid/crl/{name}.crl"


class NitroLevel(Enum):
    """A certificate's place in the chain."""

    ROOT = "root"
    REGIONAL = "regional"
    ZONAL = "zonal"
    INSTANCE = "instance"
    ENCLAVE = "enclave"


CHAIN = tuple(NitroLevel)
_GRID = {
    NitroLevel.REGIONAL: (10 * DAY, 20 * DAY + HOUR),
    NitroLevel.ZONAL: (3 * DAY, 6 * DAY),
    NitroLevel.INSTANCE: (DAY // 2, DAY),
    NitroLevel.ENCLAVE: (HOUR, 3 * HOUR + 3),
}
"""Seconds between renewals, and of life."""
_PATH_LENGTHS = {
    NitroLevel.ROOT: None,
    NitroLevel.REGIONAL: 2,
    NitroLevel.ZONAL: 1,
    NitroLevel.INSTANCE: 0,
}
SIGNS_DOCUMENTS = (b"\xc0", 6)
SIGNS_CERTIFICATES = (b"\x04", 2)
SIGNS_ALL = (b"\x86", 1)
"""keyUsage, and how many bits of it are unused: digitalSignature and nonRepudiation; keyCertSign; that, cRLSign and
digitalSignature."""


@dataclass(frozen=True, slots=True)
class CertificateShape:
    """What can be wrong with a certificate; None leaves what AWS's have.

    ``path_length`` -1 leaves it out. ``key_usage`` is the bits and how many of the last are unused. ``extra`` follows
    the extensions; ``without`` leaves types out. ``signing_key`` signs in the issuer's place. ``issuer_name`` and
    ``subject_name`` are DER Names.
    """

    is_ca: bool | None = None
    path_length: int | None = None
    key_usage: tuple[bytes, int] | None = None
    constraints_critical: bool = True
    not_before: int | None = None
    not_after: int | None = None
    serial: int | None = None
    issuer_name: bytes | None = None
    subject_name: bytes | None = None
    version: int = 2
    signature_algorithm: bytes = ECDSA_SHA384
    inner_algorithm: bytes | None = None
    extra: tuple[Extension, ...] = ()
    without: frozenset[str] = frozenset()
    signing_key: ec.EllipticCurvePrivateKey | None = field(default=None, repr=False)
    key_info: bytes | None = None


AS_ISSUED = CertificateShape()


class DevelopmentNitroPki:
    """The five levels from one seed. Two PKIs with different seeds share nothing."""

    def __init__(self, seed: bytes = DEVELOPMENT_SEED) -> None:
        self.seed = seed

    def derive(self, label: str, size: int) -> bytes:
        """Return ``size`` bytes of the seed's HKDF under a label."""
        info = b"xmtp-tee/simulator/nitro/v1/" + label.encode()
        return HKDF(hashes.SHA384(), size, salt=None, info=info).derive(self.seed)

    def key(self, label: str) -> ec.EllipticCurvePrivateKey:
        """Return the P-384 key of a label, derived from the seed."""
        return p384_private_key(self.derive(f"key/{label}", 72))

    @cached_property
    def root(self) -> Certified:
        """The self-signed root."""
        return self.issue(NitroLevel.ROOT, None, NOT_BEFORE)

    def chain(
        self,
        now: int,
        module_id: str = MODULE_ID,
        shapes: Mapping[NitroLevel, CertificateShape] | None = None,
    ) -> tuple[Certified, ...]:
        """Return the chain in force at ``now`` (unix seconds), the root first, the enclave's certificate last."""
        shapes = shapes or {}
        issued: list[Certified] = []
        for level in CHAIN:
            shape = shapes.get(level, AS_ISSUED)
            if level is NitroLevel.ROOT and shape is AS_ISSUED:
                issued.append(self.root)
                continue
            issued.append(self.issue(level, issued[-1] if issued else None, now, module_id, shape))
        return tuple(issued)

    def issue(
        self,
        level: NitroLevel,
        issuer: Certified | None,
        now: int,
        module_id: str = MODULE_ID,
        shape: CertificateShape = AS_ISSUED,
    ) -> Certified:
        """Issue a certificate of a level under ``issuer``; self-signed without one."""
        key = self.key(_label(level, module_id))
        not_before, not_after = _validity(level, now)
        if shape.not_before is not None:
            not_before = shape.not_before
        serial = int.from_bytes(
            self.derive(f"serial/{_label(level, module_id)}/{not_before}", 16), "big"
        )
        subject = shape.subject_name or _subject(level, module_id)
        recipe = CertificateRecipe(
            serial_number=serial >> 1 | 1 << 126 if shape.serial is None else shape.serial,
            issuer=shape.issuer_name or (issuer.subject if issuer else subject),
            subject=subject,
            not_before=not_before,
            not_after=not_after if shape.not_after is None else shape.not_after,
            key_info=shape.key_info or p384_key_info(key),
            signature_algorithm=shape.signature_algorithm,
            inner_algorithm=shape.inner_algorithm,
            extensions=_extensions(level, key, issuer, shape),
            version=shape.version,
        )
        signing_key = shape.signing_key or (issuer.key if issuer else key)
        return Certified(key, recipe.build(p384_signer(signing_key)), subject)


def _label(level: NitroLevel, module_id: str) -> str:
    owner = {
        NitroLevel.INSTANCE: f"/{module_id.partition('-enc')[0]}",
        NitroLevel.ENCLAVE: f"/{module_id}",
    }
    return level.value + owner.get(level, "")


def _validity(level: NitroLevel, now: int) -> tuple[int, int]:
    if level is NitroLevel.ROOT:
        return NOT_BEFORE, NOT_AFTER
    grid, life = _GRID[level]
    start = now - now % grid
    return start, start + life


def _subject(level: NitroLevel, module_id: str) -> bytes:
    instance = module_id.partition("-enc")[0]
    common_name = {
        NitroLevel.ROOT: "development.nitro-enclaves",
        NitroLevel.REGIONAL: f"de7e109e00000001.{REGION}.development.nitro-enclaves",
        NitroLevel.ZONAL: f"de7e109e00000002.zonal.{REGION}.development.nitro-enclaves",
        NitroLevel.INSTANCE: f"{instance}.{REGION}.development.nitro-enclaves",
        NitroLevel.ENCLAVE: f"{module_id}.{REGION}.development",
    }[level]
    owner = ((der.ORGANIZATION, "XMTP TEE Development"), (der.UNIT, "Nitro"))
    place = ((der.LOCALITY, "Nowhere"), (der.STATE, "NA"))
    if level in (NitroLevel.ROOT, NitroLevel.REGIONAL):
        return der.name((der.COUNTRY, "ZZ"), *owner, (der.COMMON_NAME, common_name))
    if level is NitroLevel.ZONAL:
        return der.name(
            (der.COMMON_NAME, common_name), *owner, (der.COUNTRY, "ZZ"), *reversed(place)
        )
    return der.name((der.COUNTRY, "ZZ"), *reversed(place), *owner, (der.COMMON_NAME, common_name))


def _extensions(
    level: NitroLevel,
    key: ec.EllipticCurvePrivateKey,
    issuer: Certified | None,
    shape: CertificateShape,
) -> tuple[Extension, ...]:
    is_ca = level is not NitroLevel.ENCLAVE if shape.is_ca is None else shape.is_ca
    path_length = _PATH_LENGTHS.get(level) if shape.path_length is None else shape.path_length
    constraints = der.boolean(True) if is_ca else b""
    if path_length is not None and path_length >= 0:
        constraints += der.integer(path_length)
    usages = {NitroLevel.ENCLAVE: SIGNS_DOCUMENTS, NitroLevel.INSTANCE: SIGNS_CERTIFICATES}
    bits, unused = shape.key_usage or usages.get(level, SIGNS_ALL)
    found = [
        Extension(_BASIC_CONSTRAINTS, shape.constraints_critical, der.sequence(constraints)),
        Extension(
            _KEY_USAGE,
            level is not NitroLevel.ENCLAVE and shape.constraints_critical,
            der.bit_string(bits, unused),
        ),
    ]
    if level is not NitroLevel.ENCLAVE:
        found.append(Extension(_SUBJECT_KEY_ID, False, der.octets(_key_id(key))))
        if issuer is not None:
            identifier = der.sequence(der.tlv(0x80, _key_id(issuer.key)))
            found.append(Extension(_AUTHORITY_KEY_ID, False, identifier))
    if level in (NitroLevel.REGIONAL, NitroLevel.ZONAL):
        url = der.tlv(0x86, _CRL_URL.format(name=level.value).encode())
        point = der.sequence(der.sequence(der.tlv(0xA0, der.tlv(0xA0, url))))
        found.append(Extension(_CRL_POINTS, False, point))
    return (*(e for e in found if e.kind not in shape.without), *shape.extra)


def _key_id(key: ec.EllipticCurvePrivateKey) -> bytes:
    return hashlib.sha1(b"\x04" + p384_public_key(key), usedforsecurity=False).digest()


@cache
def development_nitro_pki() -> DevelopmentNitroPki:
    """Return the PKI of the public development seed."""
    return DevelopmentNitroPki()


def development_nitro_root() -> bytes:
    """Return the DER of Nitro's development root: what a development deployment pins."""
    return development_nitro_pki().root.der
