"""A naive Ed25519ph after the text of RFC 8032, section 5.1: slow, plain integers, for comparison
only.
"""

from __future__ import annotations

import hashlib

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
Point = tuple[int, int]


def add(a: Point, b: Point) -> Point:
    """The affine addition law of the twisted Edwards curve -x^2 + y^2 = 1 + d x^2 y^2."""
    (x1, y1), (x2, y2) = a, b
    k = D * x1 * x2 * y1 * y2 % P
    x3 = (x1 * y2 + x2 * y1) * pow(1 + k, -1, P) % P
    y3 = (y1 * y2 + x1 * x2) * pow(1 - k, -1, P) % P
    return x3, y3


def multiply(scalar: int, point: Point) -> Point:
    """Double and add."""
    result: Point = (0, 1)
    while scalar:
        if scalar & 1:
            result = add(result, point)
        point = add(point, point)
        scalar >>= 1
    return result


def recover_x(y: int, sign: int) -> int:
    """The x of the given parity, or ValueError if there is none."""
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (x * x - square) % P:
        raise ValueError("not on the curve")
    return P - x if x % 2 != sign else x


BASE: Point = (recover_x(4 * pow(5, -1, P) % P, 0), 4 * pow(5, -1, P) % P)


def encode(point: Point) -> bytes:
    """y little-endian, with x's parity in the highest bit."""
    return (point[1] | (point[0] & 1) << 255).to_bytes(32, "little")


def decode(data: bytes) -> Point:
    """The inverse of encode."""
    number = int.from_bytes(data, "little")
    y, sign = number & ((1 << 255) - 1), number >> 255
    return recover_x(y, sign), y


def challenge(context: bytes, *parts: bytes) -> int:
    """SHA-512 under dom2(1, context), reduced."""
    domain = b"SigEd25519 no Ed25519 collisions" + bytes([1, len(context)]) + context
    return int.from_bytes(hashlib.sha512(domain + b"".join(parts)).digest(), "little") % ORDER


def verifies(public_key: bytes, message: bytes, signature: bytes, context: bytes) -> bool:
    """Whether the signature is one of Ed25519ph with this context."""
    digest = hashlib.sha512(message).digest()
    s = int.from_bytes(signature[32:], "little")
    if s >= ORDER:
        return False
    k = challenge(context, signature[:32], public_key, digest)
    left = multiply(s, BASE)
    right = add(decode(signature[:32]), multiply(k, decode(public_key)))
    return left == right


def sign(seed: bytes, message: bytes, context: bytes) -> bytes:
    """Sign as section 5.1.6 says."""
    expanded = bytearray(hashlib.sha512(seed).digest())
    expanded[0] &= 248
    expanded[31] = expanded[31] & 127 | 64
    scalar, prefix = int.from_bytes(expanded[:32], "little"), bytes(expanded[32:])
    digest = hashlib.sha512(message).digest()
    public_key = encode(multiply(scalar, BASE))
    r = challenge(context, prefix, digest)
    commitment = encode(multiply(r, BASE))
    s = (r + challenge(context, commitment, public_key, digest) * scalar) % ORDER
    return commitment + s.to_bytes(32, "little")
