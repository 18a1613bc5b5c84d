"""The few DER encodings that Intel's SGX certificate extension needs (ITU-T X.690)."""

from __future__ import annotations


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
