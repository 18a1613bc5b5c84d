"""The few DER encodings that simulated certificates and their extensions need (ITU-T X.690)."""

from __future__ import annotations

from datetime import UTC, datetime


def tlv(tag: int, content: bytes) -> bytes:
    """Return tag, length and content; lengths below 65,536."""
    size = len(content)
    if size < 0x80:
        length = bytes([size])
    elif size < 0x100:
        length = bytes([0x81, size])
    else:
        length = bytes([0x82]) + size.to_bytes(2, "big")
    return bytes([tag]) + length + content


def sequence(*parts: bytes) -> bytes:
    """Return a SEQUENCE of the given encodings."""
    return tlv(0x30, b"".join(parts))


def integer(value: int) -> bytes:
    """Return a non-negative INTEGER, minimal, with a leading zero byte where the sign bit would be set."""
    return tlv(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def enumerated(value: int) -> bytes:
    """Return an ENUMERATED below 128."""
    return tlv(0x0A, bytes([value]))


def boolean(value: bool) -> bytes:
    """Return a BOOLEAN."""
    return tlv(0x01, b"\xff" if value else b"\x00")


def octets(value: bytes) -> bytes:
    """Return an OCTET STRING."""
    return tlv(0x04, value)


def oid(text: str) -> bytes:
    """Return an OBJECT IDENTIFIER from dotted text."""
    first, second, *rest = (int(part) for part in text.split("."))
    encoded = bytes([first * 40 + second])
    for arc in rest:
        groups = [arc & 0x7F]
        while arc := arc >> 7:
            groups.append(arc & 0x7F | 0x80)
        encoded += bytes(reversed(groups))
    return tlv(0x06, encoded)


def bit_string(value: bytes, unused: int = 0) -> bytes:
    """Return a BIT STRING whose last byte has ``unused`` unused bits."""
    return tlv(0x03, bytes([unused]) + value)


def text(value: str, tag: int = 0x0C) -> bytes:
    """Return text: a UTF8String unless another tag is given (0x13 PrintableString, 0x16 IA5String)."""
    return tlv(tag, value.encode())


def utc_time(seconds: int) -> bytes:
    """Return a UTCTime, for times from 1950 to 2049."""
    return tlv(0x17, datetime.fromtimestamp(seconds, UTC).strftime("%y%m%d%H%M%SZ").encode())


def name(*attributes: tuple[str, str]) -> bytes:
    """Return a Name: pairs of attribute type (dotted) and value, each in a set of its own.

    Countries are PrintableString, everything else UTF8String, as in Amazon's and AMD's certificates.
    """
    country = "2.5.4.6"
    return sequence(
        *(
            tlv(0x31, sequence(oid(kind), text(value, 0x13 if kind == country else 0x0C)))
            for kind, value in attributes
        )
    )


NULL = b"\x05\x00"
COMMON_NAME, COUNTRY, LOCALITY, STATE = "2.5.4.3", "2.5.4.6", "2.5.4.7", "2.5.4.8"
ORGANIZATION, UNIT = "2.5.4.10", "2.5.4.11"
