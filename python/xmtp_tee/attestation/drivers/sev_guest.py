"""/dev/sev-guest: the key that a SEV-SNP guest can derive from its chip.

Source: Linux include/uapi/linux/sev-guest.h; AMD 56860 (SEV-SNP firmware ABI), MSG_KEY_REQ and MSG_KEY_RSP.
"""

from __future__ import annotations

import ctypes
import os
import struct
from pathlib import Path
from typing import Final, Protocol

from xmtp_tee.attestation.drivers.device import address_of, device_error, ioctl, open_device
from xmtp_tee.attestation.errors import DeviceError

SEV_GUEST_DEVICE: Final = Path("/dev/sev-guest")
SNP_GET_DERIVED_KEY: Final = 0xC0205301
"""_IOWR('S', 1, struct snp_guest_request_ioctl)."""
MESSAGE_VERSION: Final = 1
REQUEST_SIZE: Final = 32
RESPONSE_SIZE: Final = 64
ROOT_KEY_VCEK: Final = 0
FIELD_POLICY: Final = 1 << 0
FIELD_IMAGE_ID: Final = 1 << 1
FIELD_FAMILY_ID: Final = 1 << 2
FIELD_MEASUREMENT: Final = 1 << 3
_REQUEST = struct.Struct("<IIQIIQ")
_IOCTL = struct.Struct("=B7xQQQ")
_STATUS_SIZE, _KEY_OFFSET, _KEY_SIZE = 4, 0x20, 32


class SevGuestTransport(Protocol):
    """Something that derives keys like the device."""

    def derived_key(self, request: bytes) -> bytearray:
        """Return the 64 bytes of MSG_KEY_RSP to a request of 32 bytes; the caller wipes them.

        :raises OSError: as the kernel does
        """
        ...


class SevGuestDevice:
    """The real device."""

    def __init__(self, path: Path = SEV_GUEST_DEVICE) -> None:
        self._path = path

    def derived_key(self, request: bytes) -> bytearray:
        """Make the ioctl.

        :raises DeviceError: no such device
        :raises OSError: the kernel or the firmware refuses
        """
        outgoing = ctypes.create_string_buffer(request, REQUEST_SIZE)
        incoming = ctypes.create_string_buffer(RESPONSE_SIZE)
        raw = bytearray(_IOCTL.pack(MESSAGE_VERSION, address_of(outgoing), address_of(incoming), 0))
        descriptor = open_device(self._path)
        try:
            ioctl(descriptor, SNP_GET_DERIVED_KEY, raw)
            response = bytearray(incoming)
        finally:
            os.close(descriptor)
            ctypes.memset(incoming, 0, RESPONSE_SIZE)
        firmware_error = _IOCTL.unpack(raw)[3]
        if firmware_error:
            raise DeviceError("The firmware refused the key.", got=f"{firmware_error:#x}")
        return response


def derive_key(transport: SevGuestTransport, vmpl: int) -> bytearray:
    """Return 32 bytes that only this guest's code gets on this chip; the caller wipes them.

    Policy, image id, family id and MEASUREMENT enter the key: without the measurement, the host could start code of its
    own under the same policy on the same chip and derive the same key. So a new release gets another key, and its store
    comes over by recovery or hand-over. The TCB stays out, so that a firmware update keeps the store.

    :raises DeviceError: the device is absent, or refuses
    """
    fields = FIELD_POLICY | FIELD_IMAGE_ID | FIELD_FAMILY_ID | FIELD_MEASUREMENT
    request = _REQUEST.pack(ROOT_KEY_VCEK, 0, fields, vmpl, 0, 0)
    try:
        response = transport.derived_key(request)
    except OSError as error:
        raise device_error("Deriving a key from the chip", error) from error
    try:
        status = int.from_bytes(response[:_STATUS_SIZE], "little")
        key = response[_KEY_OFFSET : _KEY_OFFSET + _KEY_SIZE]
        if status or len(response) != RESPONSE_SIZE or not any(key):
            raise DeviceError("The firmware gave no key.", got=f"status {status:#x}")
        return key
    finally:
        response[:] = bytes(len(response))
