"""The Nitro Secure Module: the device /dev/nsm, and the few requests that an enclave makes of it.

Source: Linux drivers/misc/nsm.c and include/uapi/linux/nsm.h; aws-nitro-enclaves-nsm-api, Request and Response.
"""

from __future__ import annotations

import ctypes
import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from xmtp_tee.assurance import AssuranceLevel
from xmtp_tee.attestation.drivers.device import address_of, device_error, ioctl, open_device
from xmtp_tee.attestation.errors import DeviceError
from xmtp_tee.attestation.nitro.cbor import Cbor, decode, encode

NSM_DEVICE: Final = Path("/dev/nsm")
NSM_IOCTL_RAW: Final = 0xC0200A00
"""_IOWR(0x0A, 0, struct nsm_raw): two iovecs of 16 bytes, the request's and the reply's."""
MAX_REQUEST_SIZE: Final = 4_096
MAX_REPLY_SIZE: Final = 12_288
_RAW = struct.Struct("=QQQQ")


class NsmTransport(Protocol):
    """Something that answers like the device."""

    @property
    def assurance(self) -> AssuranceLevel:
        """The most that may be claimed of what it answers."""
        ...

    def request(self, request: bytes) -> bytes:
        """Return the reply to a request, both in CBOR.

        :raises DeviceError: there is none
        """
        ...


class NsmDevice:
    """The real device. One descriptor a request: nothing is kept open across a hand-over of the process."""

    def __init__(self, path: Path = NSM_DEVICE) -> None:
        self._path = path

    @property
    def assurance(self) -> AssuranceLevel:
        """``cvm``: what runs in a Nitro enclave is measured as a whole."""
        return AssuranceLevel.CVM

    def request(self, request: bytes) -> bytes:
        """Return the device's reply.

        :raises DeviceError: no such device, a request that is too long, or the kernel refuses
        """
        if not 0 < len(request) <= MAX_REQUEST_SIZE:
            raise DeviceError(
                "The request does not fit the device.",
                got=len(request),
                expected=f"<= {MAX_REQUEST_SIZE} bytes",
            )
        outgoing = ctypes.create_string_buffer(request, len(request))
        incoming = ctypes.create_string_buffer(MAX_REPLY_SIZE)
        raw = bytearray(
            _RAW.pack(address_of(outgoing), len(request), address_of(incoming), MAX_REPLY_SIZE)
        )
        descriptor = open_device(self._path)
        try:
            ioctl(descriptor, NSM_IOCTL_RAW, raw)
        except OSError as error:
            raise device_error(f"A request to {self._path}", error) from error
        finally:
            os.close(descriptor)
        # The kernel writes the reply's length into the second iovec.
        length = _RAW.unpack(raw)[3]
        if not 0 < length <= MAX_REPLY_SIZE:
            raise DeviceError(f"{self._path} gave no reply.", got=f"{length} bytes")
        return incoming.raw[:length]


@dataclass(frozen=True, slots=True)
class NsmDescription:
    """What the module says of itself: its id, the digest it measures with, how many registers, which are locked."""

    module_id: str
    digest: str
    max_pcrs: int
    locked_pcrs: frozenset[int]


def describe(transport: NsmTransport) -> NsmDescription:
    """Return the module's description.

    :raises DeviceError: an error, or a reply of another form
    """
    reply = _exchange(transport, "DescribeNSM", "DescribeNSM")
    module_id, digest = reply.get("module_id"), reply.get("digest")
    max_pcrs, locked = reply.get("max_pcrs"), reply.get("locked_pcrs")
    if (
        not isinstance(module_id, str)
        or not isinstance(digest, str)
        or not isinstance(max_pcrs, int)
        or not isinstance(locked, list)
    ):
        raise DeviceError("The Nitro Secure Module describes itself in another form.")
    return NsmDescription(
        module_id, digest, max_pcrs, frozenset(pcr for pcr in locked if isinstance(pcr, int))
    )


def attest(
    transport: NsmTransport, user_data: bytes | None, *, public_key: bytes | None = None
) -> bytes:
    """Return a fresh attestation document over ``user_data`` (at most 512 bytes) and ``public_key`` (at most 1,024).

    :raises DeviceError: an error, or a reply of another form
    """
    arguments: dict[int | str, Cbor] = {
        "user_data": user_data,
        "nonce": None,
        "public_key": public_key,
    }
    reply = _exchange(transport, {"Attestation": arguments}, "Attestation")
    document = reply.get("document")
    if not isinstance(document, bytes) or not document:
        raise DeviceError("The Nitro Secure Module returned no document.")
    return document


def _exchange(transport: NsmTransport, request: Cbor, operation: str) -> dict[int | str, Cbor]:
    """Send a request; return the map that the reply has under the operation's name."""
    raw = transport.request(encode(request))
    reply = decode(raw, "The reply of the Nitro Secure Module", indefinite_outer_map=True)
    if isinstance(reply, dict) and len(reply) == 1:
        if "Error" in reply:
            raise DeviceError(
                f"The Nitro Secure Module refused {operation}.", got=repr(reply["Error"])[:80]
            )
        content = reply.get(operation)
        if isinstance(content, dict):
            return content
    raise DeviceError(f"The Nitro Secure Module answered {operation} in another form.")
