"""The development PKI of SEV-SNP: ARK, ASK, ASVK, VCEK and VLEK of each product line.

Names apart, certificates are AMD's in extensions, their order and their criticality, and in what is odd about them:
serial number zero below the CAs, a bare hardware id, the trailer field written out or not. Every key comes from a seed,
every signature is deterministic, and no clock is read.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cache

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from xmtp_tee.attestation.rsa_pss import RSA_PSS_SHA384, RSA_PSS_SHA384_TRAILER
from xmtp_tee.attestation.sevsnp.anchors import Anchor
from xmtp_tee.attestation.sevsnp.product import ProductLine, Tcb
from xmtp_tee.attestation.sevsnp.report import SigningKey
from xmtp_tee.attestation.simulator import der
from xmtp_tee.attestation.simulator.certificate import (
    CertificateRecipe,
    Certified,
    Extension,
    p384_key_info,
    p384_private_key,
)
from xmtp_tee.attestation.simulator.pki import DEVELOPMENT_SEED, NOT_AFTER, NOT_BEFORE
from xmtp_tee.attestation.simulator.sevsnp.prime_offsets import PRIME_OFFSETS
from xmtp_tee.attestation.simulator.sevsnp.rsa import PRIME_SIZE, RsaKey, rsa_key
from xmtp_tee.hashing import keccak256

AMD_EXTENSIONS = "1.3.6.1.4.1.3704.1"
CHIP_ID = hashlib.sha512(b"xmtp-tee development chip").digest()
PROVIDER = "CN=nowhere.development.invalid"
DEVELOPMENT_TCB = Tcb(boot_loader=4, tee=0, snp=24, microcode=219)
_CA_USAGE, _ROOT_USAGE = (b"\x04", 1), (b"\x06", 1)
_CRL_URL = "https://development.invalid/{kind}/v1/{product}/crl"


@dataclass(frozen=True, slots=True)
class Authority:
    """An RSA key and its certificate in DER; ``subject`` is its Name."""

    key: RsaKey = field(repr=False)
    der: bytes
    subject: bytes


@dataclass(frozen=True, slots=True)
class EndorsementRecipe:
    """A VCEK's or VLEK's certificate; None leaves what AMD's have.

    ``hardware_id`` and ``provider`` replace what the kind of key implies; ``without`` leaves extensions out by what
    follows AMD's prefix ("3.8"), ``extra`` follows the others. ``key_label`` names the key. ``signer`` signs in the
    issuer's place; ``issuer_name`` is a DER Name.
    """

    signing_key: SigningKey = SigningKey.VCEK
    tcb: Tcb = DEVELOPMENT_TCB
    product_name: str | None = None
    struct_version: int = 0
    hardware_id: bytes | None = None
    provider: str | None = None
    reserved_component: int = 0
    not_before: int = NOT_BEFORE
    not_after: int = NOT_AFTER
    serial: int = 0
    with_trailer: bool = True
    key_label: str | None = None
    key_info: bytes | None = None
    issuer_name: bytes | None = None
    signer: RsaKey | None = field(default=None, repr=False)
    signature_algorithm: bytes | None = None
    extra: tuple[Extension, ...] = ()
    without: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class AuthorityShape:
    """What can be wrong with a CA's certificate; None leaves what AMD's have. ``path_length`` -1 leaves it out."""

    is_ca: bool = True
    path_length: int | None = None
    key_usage: tuple[bytes, int] | None = None
    critical: bool = True
    not_before: int = NOT_BEFORE
    not_after: int = NOT_AFTER
    serial: int | None = None
    key_label: str | None = None
    signer: RsaKey | None = field(default=None, repr=False)
    issuer_name: bytes | None = None
    subject_name: bytes | None = None


AS_ISSUED = AuthorityShape()


class DevelopmentSnpPki:
    """A product line's keys from one seed."""

    def __init__(
        self, product: ProductLine = ProductLine.MILAN, seed: bytes = DEVELOPMENT_SEED
    ) -> None:
        self.product = product
        self.seed = seed
        self._keys: dict[str, RsaKey] = {}
        # RSA signatures take a tenth of a second each, and these are asked for again and again.
        self._authorities: dict[tuple[str, AuthorityShape], Authority] = {}
        self._endorsements: dict[tuple[EndorsementRecipe, bytes], Certified] = {}

    def derive(self, label: str, size: int) -> bytes:
        """Return ``size`` bytes of the seed's HKDF under a label."""
        info = f"xmtp-tee/simulator/sev-snp/v1/{self.product.label}/{label}".encode()
        return HKDF(hashes.SHA384(), size, salt=None, info=info).derive(self.seed)

    def rsa(self, label: str) -> RsaKey:
        """Return the RSA key of a label: ``ark``, ``ask``, ``asvk``, or a stranger's."""
        if label not in self._keys:
            p, q = (self.derive(f"rsa/{label}/{prime}", PRIME_SIZE) for prime in "pq")
            known = PRIME_OFFSETS.get((self.product.label, label))
            offsets = known if self.seed == DEVELOPMENT_SEED else None
            self._keys[label] = rsa_key(p, q, offsets)
        return self._keys[label]

    def p384(self, label: str) -> ec.EllipticCurvePrivateKey:
        """Return the P-384 key of a label."""
        return p384_private_key(self.derive(f"p384/{label}", 72))

    def ark(self, shape: AuthorityShape = AS_ISSUED) -> Authority:
        """Return the self-signed root of the product line."""
        return self._authority("ark", f"ARK-{self.product.label}", None, shape)

    def intermediate(self, signing_key: SigningKey, shape: AuthorityShape = AS_ISSUED) -> Authority:
        """Return the CA of VCEKs (ASK) or of VLEKs (ASVK)."""
        if signing_key is SigningKey.VCEK:
            return self._authority("ask", f"SEV-{self.product.label}", self.ark(), shape)
        return self._authority("asvk", f"SEV-VLEK-{self.product.label}", self.ark(), shape)

    def anchor(self) -> Anchor:
        """Return the keys of this PKI as a verifier pins them."""
        ark, ask, asvk = (keccak256(self.rsa(label).modulus) for label in ("ark", "ask", "asvk"))
        return Anchor(self.product, ark, ask, asvk)

    def endorsement(
        self, recipe: EndorsementRecipe | None = None, issuer: Authority | None = None
    ) -> Certified:
        """Issue a VCEK or VLEK."""
        recipe = recipe or EndorsementRecipe()
        issuer = issuer or self.intermediate(recipe.signing_key)
        cached = self._endorsements.get((recipe, issuer.der))
        if cached is None:
            cached = self._endorsements[recipe, issuer.der] = self._endorse(recipe, issuer)
        return cached

    def _endorse(self, recipe: EndorsementRecipe, issuer: Authority) -> Certified:
        name = recipe.signing_key.name
        label = recipe.key_label or f"{name}/{recipe.tcb.encode(self.product).hex()}"
        key = self.p384(label)
        subject = _name(f"SEV-{name}")
        algorithm = RSA_PSS_SHA384_TRAILER if recipe.with_trailer else RSA_PSS_SHA384
        certificate = CertificateRecipe(
            serial_number=recipe.serial,
            issuer=recipe.issuer_name or issuer.subject,
            subject=subject,
            not_before=recipe.not_before,
            not_after=recipe.not_after,
            key_info=recipe.key_info or p384_key_info(key),
            signature_algorithm=recipe.signature_algorithm or algorithm,
            extensions=self._endorsement_extensions(recipe),
        )
        signer = recipe.signer or issuer.key
        return Certified(key, certificate.build(signer.sign), subject)

    def _endorsement_extensions(self, recipe: EndorsementRecipe) -> tuple[Extension, ...]:
        is_turin = self.product is ProductLine.TURIN
        is_vcek = recipe.signing_key is SigningKey.VCEK
        stepping = "-B0" if is_vcek else ""
        product_name = recipe.product_name or f"{self.product.label}{stepping}"
        tcb = recipe.tcb
        values = {
            "1": der.integer(recipe.struct_version),
            "2": der.text(product_name, 0x16),
            "3.1": der.integer(tcb.boot_loader),
            "3.2": der.integer(tcb.tee),
            **{f"3.{n}": der.integer(recipe.reserved_component) for n in (4, 5, 6, 7)},
            "3.3": der.integer(tcb.snp),
            "3.8": der.integer(tcb.microcode),
        }
        if is_turin:
            values["3.9"] = der.integer(tcb.fmc)
        if is_vcek or recipe.hardware_id is not None:
            values["4"] = recipe.hardware_id or CHIP_ID[: self.product.chip_id_size]
        if not is_vcek or recipe.provider is not None:
            values["5"] = der.text(recipe.provider or PROVIDER, 0x16)
        return (
            *(
                Extension(f"{AMD_EXTENSIONS}.{suffix}", False, value)
                for suffix, value in values.items()
                if suffix not in recipe.without
            ),
            *recipe.extra,
        )

    def _authority(
        self, label: str, common_name: str, issuer: Authority | None, shape: AuthorityShape
    ) -> Authority:
        if (label, shape) not in self._authorities:
            made = self._certify(label, common_name, issuer, shape)
            self._authorities[label, shape] = made
        return self._authorities[label, shape]

    def _certify(
        self, label: str, common_name: str, issuer: Authority | None, shape: AuthorityShape
    ) -> Authority:
        key = self.rsa(shape.key_label or label)
        subject = shape.subject_name or _name(common_name)
        issuing_name = issuer.subject if issuer else subject
        path_length = (
            (None if issuer is None else 0) if shape.path_length is None else shape.path_length
        )
        constraints = der.boolean(True) if shape.is_ca else b""
        if path_length is not None and path_length >= 0:
            constraints += der.integer(path_length)
        bits, unused = shape.key_usage or (_ROOT_USAGE if issuer is None else _CA_USAGE)
        kind = "vlek" if label == "asvk" else "vcek"
        url = der.tlv(0x86, _CRL_URL.format(kind=kind, product=self.product.label).encode())
        signer = shape.signer or (issuer.key if issuer else key)
        serials = {"ark": 0x0000, "ask": 0x0001, "asvk": 0x0101}
        recipe = CertificateRecipe(
            serial_number=self.product << 16 | serials[label]
            if shape.serial is None
            else shape.serial,
            issuer=shape.issuer_name or issuing_name,
            subject=subject,
            not_before=shape.not_before,
            not_after=shape.not_after,
            key_info=key.key_info,
            signature_algorithm=RSA_PSS_SHA384_TRAILER,
            extensions=(
                Extension("2.5.29.14", False, der.octets(_key_id(key))),
                *(
                    (
                        Extension(
                            "2.5.29.35", False, der.sequence(der.tlv(0x80, _key_id(issuer.key)))
                        ),
                    )
                    if issuer
                    else ()
                ),
                Extension("2.5.29.19", shape.critical, der.sequence(constraints)),
                Extension("2.5.29.15", shape.critical, der.bit_string(bits, unused)),
                Extension(
                    "2.5.29.31",
                    False,
                    der.sequence(der.sequence(der.tlv(0xA0, der.tlv(0xA0, url)))),
                ),
            ),
        )
        return Authority(key, recipe.build(signer.sign), subject)


def _key_id(key: RsaKey) -> bytes:
    return hashlib.sha1(key.key_info, usedforsecurity=False).digest()


def _name(common_name: str) -> bytes:
    return der.name(
        (der.UNIT, "Engineering"),
        (der.COUNTRY, "ZZ"),
        (der.LOCALITY, "Nowhere"),
        (der.STATE, "NA"),
        (der.ORGANIZATION, "XMTP TEE Development"),
        (der.COMMON_NAME, common_name),
    )


@cache
def development_snp_pki(product: ProductLine = ProductLine.MILAN) -> DevelopmentSnpPki:
    """Return the PKI of the public development seed."""
    return DevelopmentSnpPki(product)


def development_anchors() -> tuple[Anchor, ...]:
    """Return the development keys of every product line: what a development deployment pins."""
    return tuple(development_snp_pki(product).anchor() for product in ProductLine)
