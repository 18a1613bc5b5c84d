"""X.509 certificates in strict DER, as Nitro's and SEV-SNP's chains are read here and on chain.

One certificate has one reading: version 3, lengths and integers minimal, both signature algorithms the same, no
extension twice, nothing left over (RFC 5280, X.690). A library that is more generous would verify what the contract
refuses, and refuses what AMD issues: VCEKs have the serial number zero.
"""

from __future__ import annotations

import re
from calendar import timegm
from dataclasses import dataclass, field
from typing import NamedTuple

from xmtp_tee.attestation.der import (
    BIT_STRING,
    GENERALIZED_TIME,
    OBJECT_IDENTIFIER,
    OCTET_STRING,
    PRINTABLE_STRING,
    SEQUENCE,
    SET,
    UTC_TIME,
    UTF8_STRING,
    Der,
)
from xmtp_tee.attestation.errors import (
    CertificateMalformedError,
    CertificateRevokedError,
    EvidenceExpiredError,
    QuoteNotGenuineError,
)
from xmtp_tee.dates import show_time

COMMON_NAME = bytes.fromhex("550403")
"""2.5.4.3."""
BASIC_CONSTRAINTS = bytes.fromhex("551d13")
KEY_USAGE = bytes.fromhex("551d0f")
CRL_DISTRIBUTION_POINTS = bytes.fromhex("551d1f")
"""2.5.29.19, 2.5.29.15 and 2.5.29.31, the content of their OBJECT IDENTIFIERs."""

_VERSION_3 = bytes.fromhex("020102")
_TBS_VERSION, _TBS_EXTENSIONS = 0xA0, 0xA3
_MAX_SERIAL = 2**160 - 1
"""RFC 5280, 4.1.2.2: at most 20 octets."""
_UTC = re.compile(rb"(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z")
_GENERALIZED = re.compile(rb"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z")


class Revoked(NamedTuple):
    """A revoked certificate: its issuer's Name in DER, and its serial number.

    Not a hash of the certificate: its signature can be varied, so another hash would escape.
    """

    issuer: bytes
    serial_number: int


class Extension(NamedTuple):
    """An extension's criticality and the content of its OCTET STRING."""

    critical: bool
    value: bytes


@dataclass(frozen=True, slots=True)
class X509:
    """A certificate's fields; reading verifies nothing. ``name`` says which one it is in messages.

    ``issuer`` and ``subject`` are DER Names, times unix seconds, ``key_algorithm`` and ``signature_algorithm``
    AlgorithmIdentifiers in DER, ``key`` and ``signature`` the bytes of their bit strings. ``extensions`` is by the
    content of the OBJECT IDENTIFIER.
    """

    name: str
    der: bytes = field(repr=False)
    tbs: bytes = field(repr=False)
    serial_number: int
    issuer: bytes = field(repr=False)
    subject: bytes = field(repr=False)
    not_before: int
    not_after: int
    key_algorithm: bytes = field(repr=False)
    key: bytes = field(repr=False)
    signature_algorithm: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    extensions: dict[bytes, Extension] = field(repr=False)

    @property
    def common_name(self) -> str:
        """The subject's common name.

        :raises CertificateMalformedError: there is none or more than one, or it is no printable ASCII text
        """
        name = _reader(self.subject, self.name).sequence()
        found: list[bytes] = []
        while not name.exhausted:
            attributes = name.sequence(SET)
            attribute = attributes.sequence()
            attributes.end()
            if attribute.take(OBJECT_IDENTIFIER) == COMMON_NAME:
                tag = PRINTABLE_STRING if attribute.next_is(PRINTABLE_STRING) else UTF8_STRING
                found.append(attribute.take(tag))
        text = found[0].decode("ascii", errors="replace") if len(found) == 1 else ""
        if not text.isascii() or not text.isprintable() or not text:
            raise CertificateMalformedError(
                f"{self.name} has no common name.", got=len(found), expected="one, in ASCII"
            )
        return text

    def require_names(self, issuer: X509) -> None:
        """Refuse unless it names ``issuer`` as its issuer.

        :raises QuoteNotGenuineError: another name
        """
        if self.issuer != issuer.subject:
            raise QuoteNotGenuineError(
                f"{self.name} names another issuer than {issuer.name}.",
                got=self.issuer.hex(),
                expected=issuer.subject.hex(),
            )

    def require_valid(self, now: int) -> None:
        """Refuse outside of its validity, both ends included.

        :raises EvidenceExpiredError: not valid at ``now`` (unix seconds)
        """
        if not self.not_before <= now <= self.not_after:
            raise EvidenceExpiredError(
                f"{self.name} is not valid at this time.",
                got=f"{show_time(self.not_before)} to {show_time(self.not_after)}",
                expected=show_time(now),
            )

    def require_not_revoked(self, revoked: frozenset[Revoked]) -> None:
        """Refuse what its issuer revoked.

        :raises CertificateRevokedError: it is among ``revoked``
        """
        if Revoked(self.issuer, self.serial_number) in revoked:
            raise CertificateRevokedError(
                f"{self.name} has been revoked.", got=hex(self.serial_number)
            )

    def require_ca(self, certificates_below: int) -> None:
        """Refuse unless it is a CA that may stand above this many other CAs, and signs certificates.

        Both extensions must be critical (RFC 5280, 4.2.1.9), and no other critical one may be there.

        :raises QuoteNotGenuineError: it is not
        """
        self._require_known_criticals()
        is_ca, path_length = self._basic_constraints()
        usage = self._key_usage()
        critical = all(
            self.extensions[oid].critical
            for oid in (BASIC_CONSTRAINTS, KEY_USAGE)
            if oid in self.extensions
        )
        if not is_ca or not critical or "keyCertSign" not in usage:
            raise QuoteNotGenuineError(
                f"{self.name} is not a CA.",
                got=f"cA {is_ca}, {', '.join(sorted(usage)) or 'no key usage'}",
                expected="cA TRUE and keyCertSign, both critical",
            )
        if path_length is not None and path_length < certificates_below:
            raise QuoteNotGenuineError(
                f"{self.name} stands above more CAs than its path length allows.",
                got=certificates_below,
                expected=f"at most {path_length}",
            )

    def require_signs_lists(self) -> None:
        """Refuse unless it may sign revocation lists.

        :raises QuoteNotGenuineError: it may not
        """
        usage = self._key_usage()
        if "cRLSign" not in usage:
            raise QuoteNotGenuineError(
                f"{self.name} signs no revocation lists.",
                got=", ".join(sorted(usage)) or "no key usage",
                expected="cRLSign",
            )

    def require_end_entity(self) -> None:
        """Refuse unless it is no CA and makes digital signatures, and certificates and lists it does not sign.

        :raises QuoteNotGenuineError: it is not
        """
        self._require_known_criticals()
        is_ca, path_length = self._basic_constraints()
        usage = self._key_usage()
        if is_ca or path_length is not None:
            raise QuoteNotGenuineError(f"{self.name} is a CA.", expected="an end entity")
        if "digitalSignature" not in usage or usage & {"keyCertSign", "cRLSign"}:
            raise QuoteNotGenuineError(
                f"{self.name} has the wrong key usage.",
                got=", ".join(sorted(usage)) or "none",
                expected="digitalSignature, not keyCertSign, not cRLSign",
            )

    def _require_known_criticals(self) -> None:
        for oid, extension in self.extensions.items():
            if extension.critical and oid not in (BASIC_CONSTRAINTS, KEY_USAGE):
                raise QuoteNotGenuineError(
                    f"{self.name} has a critical extension that is not known.", got=oid.hex()
                )

    def _basic_constraints(self) -> tuple[bool, int | None]:
        extension = self.extensions.get(BASIC_CONSTRAINTS)
        if extension is None:
            return False, None
        reader = _reader(extension.value, self.name)
        constraints = reader.sequence()
        reader.end()
        is_ca = constraints.true()
        path_length = None if constraints.exhausted else constraints.unsigned(255)
        constraints.end()
        return is_ca, path_length

    def _key_usage(self) -> frozenset[str]:
        extension = self.extensions.get(KEY_USAGE)
        if extension is None:
            return frozenset()
        reader = _reader(extension.value, self.name)
        content = reader.take(BIT_STRING)
        reader.end()
        # DER would also end in the last bit that is set (X.690, 11.2.2); AMD's CAs do not.
        unused = content[0] if content else 8
        if not 2 <= len(content) <= 3 or unused > 7 or content[-1] & ((1 << unused) - 1):
            raise reader.wrong("a key usage of another form", content.hex(), "1 or 2 bytes of bits")
        number = int.from_bytes(content[1:].ljust(2, b"\0"), "big")
        return frozenset(name for bit, name in _USAGES.items() if number >> (15 - bit) & 1)


_USAGES = {
    0: "digitalSignature",
    1: "nonRepudiation",
    2: "keyEncipherment",
    3: "dataEncipherment",
    4: "keyAgreement",
    5: "keyCertSign",
    6: "cRLSign",
    7: "encipherOnly",
    8: "decipherOnly",
}
"""RFC 5280, 4.2.1.3."""


def read_x509(der: bytes, name: str) -> X509:
    """Read a certificate.

    :raises CertificateMalformedError: not a version 3 certificate in DER, or an extension twice
    """
    outer = _reader(der, name)
    certificate = outer.sequence()
    outer.end()
    tbs = certificate.take_whole(SEQUENCE)
    signature_algorithm = certificate.take_whole(SEQUENCE)
    signature = certificate.bits()
    certificate.end()

    reader = _reader(tbs, name).sequence()
    version = reader.take(_TBS_VERSION)
    if version != _VERSION_3:
        raise reader.wrong("another version", version.hex(), _VERSION_3.hex())
    serial_number = reader.unsigned(_MAX_SERIAL)
    inner_algorithm = reader.take_whole(SEQUENCE)
    if inner_algorithm != signature_algorithm:
        raise reader.wrong(
            "two signature algorithms", inner_algorithm.hex(), signature_algorithm.hex()
        )
    issuer = reader.take_whole(SEQUENCE)
    validity = reader.sequence()
    not_before, not_after = _time(validity), _time(validity)
    validity.end()
    subject = reader.take_whole(SEQUENCE)
    key_info = reader.sequence()
    key_algorithm, key = key_info.take_whole(SEQUENCE), key_info.bits()
    key_info.end()
    extensions = _extensions(reader) if reader.next_is(_TBS_EXTENSIONS) else {}
    reader.end()
    return X509(
        name=name,
        der=der,
        tbs=tbs,
        serial_number=serial_number,
        issuer=issuer,
        subject=subject,
        not_before=not_before,
        not_after=not_after,
        key_algorithm=key_algorithm,
        key=key,
        signature_algorithm=signature_algorithm,
        signature=signature,
        extensions=extensions,
    )


def _reader(der: bytes, name: str) -> Der:
    return Der(der, name, CertificateMalformedError)


def _time(validity: Der) -> int:
    """Return unix seconds. RFC 5280, 4.1.2.5: UTCTime through 2049, GeneralizedTime from 2050 on."""
    generalized = validity.next_is(GENERALIZED_TIME)
    content = validity.take(GENERALIZED_TIME if generalized else UTC_TIME)
    match = (_GENERALIZED if generalized else _UTC).fullmatch(content)
    if match is None:
        raise validity.wrong("a time of another form", content.hex(), "seconds in Zulu time")
    year, month, day, hour, minute, second = (int(part) for part in match.groups())
    if not generalized:
        year += 1900 if year >= 50 else 2000
    days = (31, 29 if _is_leap(year) else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
    exists = 1 <= month <= 12 and 1 <= day <= days[month - 1] and hour < 24 and minute < 60
    if not exists or second >= 60 or (generalized and year < 2050):
        raise validity.wrong("a time that does not exist", content.decode(), "a time of RFC 5280")
    return timegm((year, month, day, hour, minute, second))


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def _extensions(tbs: Der) -> dict[bytes, Extension]:
    explicit = tbs.sequence(_TBS_EXTENSIONS)
    entries = explicit.sequence()
    explicit.end()
    found: dict[bytes, Extension] = {}
    while not entries.exhausted:
        entry = entries.sequence()
        oid = entry.take(OBJECT_IDENTIFIER)
        if oid in found:
            raise entries.wrong("an extension twice", oid.hex(), "each at most once")
        critical = entry.true()
        found[oid] = Extension(critical, entry.take(OCTET_STRING))
        entry.end()
    if not found:
        raise entries.wrong("an empty list of extensions", 0, "at least one")
    return found
