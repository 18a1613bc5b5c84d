"""The attestation document of the Nitro Secure Module, out of its COSE_Sign1 envelope.

Source: AWS, "Verifying the root of trust" and the attestation process of aws-nitro-enclaves-nsm-api; RFC 9052 for
the envelope. Where real documents differ from that text, they are followed and it is said here: public_key,
user_data and nonce are null when they were not given, and the payload's outermost map may be of indefinite length.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from xmtp_tee.attestation.errors import NitroDocumentMalformedError, QuoteOversizedError
from xmtp_tee.attestation.nitro.cbor import Cbor, decode, encode

MAX_DOCUMENT_SIZE = 16_384
"""The reply buffer of the device holds 12,288 bytes; real documents have about 4,500."""
PROTECTED_HEADER = bytes.fromhex("a1013822")
"""{1: -35}: the algorithm is ES384."""
SIGNATURE_SIZE = 96
PCR_SIZE = 48
PCR_COUNT = 16
"""PCR 0 to 15 are locked at launch and in every document; an enclave may lock more, up to PCR 31."""
MAX_PCRS = 32
CODE_PCRS = (0, 1, 2)
"""The image; its kernel and boot ramdisk; the application."""
IMAGE_SIGNER_PCR = 8
"""The certificate that signed the image, zero for an image that is not signed."""
MAX_CERTIFICATE_SIZE = 1024
MAX_BUNDLE = 5
MAX_PUBLIC_KEY_SIZE, MAX_USER_DATA_SIZE, MAX_NONCE_SIZE = 1024, 512, 512
MAX_MODULE_ID_SIZE = 128
INSTANCE_ID_END = "-enc"
DIGEST = "SHA384"

_ENVELOPE = "The COSE_Sign1 envelope"
_PAYLOAD = "The attestation document"
_REQUIRED = ("module_id", "digest", "timestamp", "pcrs", "certificate", "cabundle")
_OPTIONAL = {
    "public_key": MAX_PUBLIC_KEY_SIZE,
    "user_data": MAX_USER_DATA_SIZE,
    "nonce": MAX_NONCE_SIZE,
}


@dataclass(frozen=True, slots=True)
class NitroDocument:
    """A parsed document; parsing verifies nothing.

    ``signed`` is the Sig_structure that ``signature`` (r || s, 96 bytes) covers. ``timestamp_ms`` is in milliseconds
    since 1970. ``pcrs`` holds 48 bytes for each index, 0 to 15 at least. ``certificate`` is the DER of the key that
    signed; ``bundle`` the CAs above it, the root first. The last three are None when they were not given.
    """

    raw: bytes = field(repr=False)
    signed: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    module_id: str
    timestamp_ms: int
    pcrs: dict[int, bytes]
    certificate: bytes = field(repr=False)
    bundle: tuple[bytes, ...] = field(repr=False)
    public_key: bytes | None
    user_data: bytes | None
    nonce: bytes | None

    @property
    def instance_id(self) -> str:
        """The parent EC2 instance: what stands in the module id before the enclave's own part."""
        return self.module_id.partition(INSTANCE_ID_END)[0]


def parse_document(raw: bytes) -> NitroDocument:
    """Parse a document as the device returns it, in an untagged COSE_Sign1.

    :raises QuoteOversizedError: more bytes than any document has
    :raises CborMalformedError: not strict CBOR
    :raises NitroDocumentMalformedError: another envelope, a field that is missing, unknown or out of its bounds
    """
    if len(raw) > MAX_DOCUMENT_SIZE:
        raise QuoteOversizedError(
            "The document is too long.", got=len(raw), expected=f"<= {MAX_DOCUMENT_SIZE} bytes"
        )
    payload, signature = _open_envelope(raw)
    fields = _fields(decode(payload, _PAYLOAD, indefinite_outer_map=True))
    if fields["digest"] != DIGEST:
        raise _wrong("digest", repr(fields["digest"])[:40], DIGEST)
    optional = {
        name: _bytes_between(name, fields[name], 0, size)
        for name, size in _OPTIONAL.items()
        if fields.get(name) is not None
    }
    return NitroDocument(
        raw=raw,
        signed=encode(["Signature1", PROTECTED_HEADER, b"", payload]),
        signature=signature,
        module_id=_module_id(fields["module_id"]),
        timestamp_ms=_timestamp(fields["timestamp"]),
        pcrs=_pcrs(fields["pcrs"]),
        certificate=_bytes_between("certificate", fields["certificate"], 1, MAX_CERTIFICATE_SIZE),
        bundle=_bundle(fields["cabundle"]),
        public_key=optional.get("public_key"),
        user_data=optional.get("user_data"),
        nonce=optional.get("nonce"),
    )


def _open_envelope(raw: bytes) -> tuple[bytes, bytes]:
    envelope = decode(raw, _ENVELOPE)
    if not isinstance(envelope, list) or len(envelope) != 4:
        raise NitroDocumentMalformedError(f"{_ENVELOPE} is not an array of four.")
    protected, unprotected, payload, signature = envelope
    if protected != PROTECTED_HEADER or unprotected != {}:
        raise NitroDocumentMalformedError(
            f"{_ENVELOPE} has other headers.",
            got=f"{protected!r}, {unprotected!r}"[:80],
            expected="protected {1: -35} (ES384), unprotected {}",
        )
    if not isinstance(signature, bytes) or len(signature) != SIGNATURE_SIZE:
        raise NitroDocumentMalformedError(
            f"{_ENVELOPE} has no ES384 signature.", expected=f"{SIGNATURE_SIZE} bytes"
        )
    return _bytes_between("payload", payload, 1, MAX_DOCUMENT_SIZE), signature


def _fields(payload: Cbor) -> dict[int | str, Cbor]:
    if not isinstance(payload, dict):
        raise NitroDocumentMalformedError(f"{_PAYLOAD} is not a map.")
    missing = [name for name in _REQUIRED if name not in payload]
    unknown = [key for key in payload if key not in _REQUIRED and key not in _OPTIONAL]
    if missing or unknown:
        raise NitroDocumentMalformedError(
            f"{_PAYLOAD} has not the expected fields.",
            got=f"missing {missing}, unknown {unknown}"[:200],
            expected=", ".join((*_REQUIRED, *_OPTIONAL)),
        )
    return payload


def _module_id(value: Cbor) -> str:
    if (
        not isinstance(value, str)
        or not value.isascii()
        or not value.isprintable()
        or len(value) > MAX_MODULE_ID_SIZE
        or value.partition(INSTANCE_ID_END)[0] in ("", value)
    ):
        raise _wrong("module_id", repr(value)[:80], f"an instance id and {INSTANCE_ID_END!r}")
    return value


def _timestamp(value: Cbor) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
        raise _wrong("timestamp", repr(value)[:40], "milliseconds since 1970")
    return value


def _pcrs(value: Cbor) -> dict[int, bytes]:
    if not isinstance(value, dict) or not PCR_COUNT <= len(value) <= MAX_PCRS:
        raise _wrong("pcrs", repr(value)[:40], f"a map of {PCR_COUNT} to {MAX_PCRS} registers")
    bank: dict[int, bytes] = {}
    previous = -1
    for index, register in value.items():
        if not isinstance(index, int) or not previous < index < MAX_PCRS:
            raise _wrong("pcrs", repr(index)[:40], f"indices that rise from 0, below {MAX_PCRS}")
        bank[index] = _bytes_between(f"PCR{index}", register, PCR_SIZE, PCR_SIZE)
        previous = index
    if any(index not in bank for index in range(PCR_COUNT)):
        raise _wrong("pcrs", sorted(bank), f"every register from 0 to {PCR_COUNT - 1}")
    return bank


def _bundle(value: Cbor) -> tuple[bytes, ...]:
    if not isinstance(value, list) or not 2 <= len(value) <= MAX_BUNDLE:
        got = len(value) if isinstance(value, list) else type(value).__name__
        raise _wrong("cabundle", got, f"2 to {MAX_BUNDLE} certificates")
    return tuple(_bytes_between("cabundle", item, 1, MAX_CERTIFICATE_SIZE) for item in value)


def _bytes_between(name: str, value: Cbor, least: int, most: int) -> bytes:
    if not isinstance(value, bytes) or not least <= len(value) <= most:
        got = len(value) if isinstance(value, bytes) else type(value).__name__
        raise _wrong(name, got, f"{least} to {most} bytes")
    return value


def _wrong(name: str, got: object, expected: object) -> NitroDocumentMalformedError:
    return NitroDocumentMalformedError(
        f"{_PAYLOAD}: {name} is out of its bounds.", got=got, expected=expected
    )
