"""The Nitro Secure Module, emulated behind the requests that the device /dev/nsm takes.

Source: aws-nitro-enclaves-nsm-api, Request and Response. The driver in front of it is the production one: it sends the
same CBOR and reads the same replies.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from xmtp_tee.assurance import AssuranceLevel
from xmtp_tee.attestation.errors import CborMalformedError
from xmtp_tee.attestation.nitro.cbor import Cbor, decode, encode
from xmtp_tee.attestation.nitro.document import (
    MAX_NONCE_SIZE,
    MAX_PCRS,
    MAX_PUBLIC_KEY_SIZE,
    MAX_USER_DATA_SIZE,
    PCR_COUNT,
    PCR_SIZE,
)
from xmtp_tee.attestation.simulator.nitro.document import DocumentRecipe, development_pcrs
from xmtp_tee.attestation.simulator.nitro.pki import (
    MODULE_ID,
    DevelopmentNitroPki,
    development_nitro_pki,
)

MAX_REQUEST_SIZE = 4_096
MAX_EXTENSION_SIZE = 512
RANDOM_SIZE = 256
_ATTESTATION_FIELDS = {
    "user_data": MAX_USER_DATA_SIZE,
    "nonce": MAX_NONCE_SIZE,
    "public_key": MAX_PUBLIC_KEY_SIZE,
}


class _RefusedError(Exception):
    """The device answers with an error code."""


class EmulatedNsm:
    """A device of a simulated enclave whose application measures as ``application`` (48 bytes).

    ``clock`` returns unix seconds, ``entropy`` random bytes; ``debug`` starts the enclave in debug mode, with its code
    registers zero. :meth:`request` takes and returns what the device's ioctl does.
    """

    def __init__(
        self,
        application: bytes,
        clock: Callable[[], int],
        entropy: Callable[[int], bytes],
        *,
        pki: DevelopmentNitroPki | None = None,
        module_id: str = MODULE_ID,
        debug: bool = False,
    ) -> None:
        self._clock = clock
        self._entropy = entropy
        self._pki = pki or development_nitro_pki()
        self._module_id = module_id
        self._pcrs = {index: bytes(PCR_SIZE) for index in range(MAX_PCRS)}
        self._pcrs |= development_pcrs(application)
        if debug:
            self._pcrs |= {index: bytes(PCR_SIZE) for index in (0, 1, 2)}
        self._locked = set(range(PCR_COUNT))

    @property
    def assurance(self) -> AssuranceLevel:
        """Always ``simulated``."""
        return AssuranceLevel.SIMULATED

    def request(self, request: bytes) -> bytes:
        """Answer one request, both in CBOR. What is wrong with it is said in the answer, as the device does."""
        try:
            if len(request) > MAX_REQUEST_SIZE:
                raise _RefusedError("InputTooLarge")
            return encode(self._answer(decode(request, "The request")))
        except CborMalformedError:
            return encode({"Error": "InvalidArgument"})
        except _RefusedError as error:
            return encode({"Error": str(error)})

    def _answer(self, request: Cbor) -> Cbor:
        if request == "DescribeNSM":
            return {"DescribeNSM": self._description()}
        if request == "GetRandom":
            return {"GetRandom": {"random": self._entropy(RANDOM_SIZE)}}
        if not isinstance(request, dict) or len(request) != 1:
            raise _RefusedError("InvalidOperation")
        ((operation, arguments),) = request.items()
        if not isinstance(arguments, dict):
            raise _RefusedError("InvalidArgument")
        if operation == "Attestation":
            return {"Attestation": {"document": self._document(arguments)}}
        if operation == "DescribePCR":
            index = self._index(arguments)
            return {"DescribePCR": {"lock": index in self._locked, "data": self._pcrs[index]}}
        if operation == "ExtendPCR":
            return {"ExtendPCR": {"data": self._extend(arguments)}}
        if operation == "LockPCR":
            self._locked.add(self._index(arguments))
            return "LockPCR"
        raise _RefusedError("InvalidOperation")

    def _description(self) -> Cbor:
        locked: list[Cbor] = []
        locked.extend(sorted(self._locked))
        return {
            "version_major": 1,
            "version_minor": 0,
            "version_patch": 0,
            "module_id": self._module_id,
            "max_pcrs": MAX_PCRS,
            "locked_pcrs": locked,
            "digest": "SHA384",
        }

    def _index(self, arguments: dict[int | str, Cbor]) -> int:
        index = arguments.get("index")
        if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < MAX_PCRS:
            raise _RefusedError("InvalidIndex")
        return index

    def _extend(self, arguments: dict[int | str, Cbor]) -> bytes:
        index, data = self._index(arguments), arguments.get("data")
        if not isinstance(data, bytes) or len(data) > MAX_EXTENSION_SIZE:
            raise _RefusedError("InvalidArgument")
        if index in self._locked:
            raise _RefusedError("ReadOnlyIndex")
        self._pcrs[index] = hashlib.sha384(self._pcrs[index] + data).digest()
        return self._pcrs[index]

    def _document(self, arguments: dict[int | str, Cbor]) -> bytes:
        given: dict[str, bytes | None] = dict.fromkeys(_ATTESTATION_FIELDS)
        for name, value in arguments.items():
            limit = _ATTESTATION_FIELDS.get(str(name))
            if limit is None or not (value is None or isinstance(value, bytes)):
                raise _RefusedError("InvalidArgument")
            if value is not None and len(value) > limit:
                raise _RefusedError("InputTooLarge")
            given[str(name)] = value
        recipe = DocumentRecipe(
            user_data=given["user_data"],
            nonce=given["nonce"],
            public_key=given["public_key"],
            pcrs={index: self._pcrs[index] for index in sorted(self._locked)},
            module_id=self._module_id,
        )
        return recipe.build(self._clock(), self._pki)
