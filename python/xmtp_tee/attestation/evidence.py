"""An attestation: a quote together with what it claims to bind, as it is saved, sent and checked offline."""

from __future__ import annotations

import json
from dataclasses import dataclass

from xmtp_tee.attestation.address import checksum_address, parse_address
from xmtp_tee.attestation.binding import EnclaveBinding
from xmtp_tee.attestation.errors import AttestationMalformedError, FieldError
from xmtp_tee.attestation.fields import parse_hex, require_length, require_uint
from xmtp_tee.attestation.json_text import JsonTextError, load_json
from xmtp_tee.attestation.kinds import TeeKind
from xmtp_tee.attestation.quote import MAX_QUOTE_SIZE

FORMAT = 1
_FIELDS = {
    "format",
    "tee",
    "quote",
    "authority",
    "transportKey",
    "chainId",
    "enclaveRegistry",
    "blockNumber",
    "blockHash",
}


@dataclass(frozen=True, slots=True)
class Attestation:
    """Evidence with its claims. The claims count only once they match the quote's report data.

    ``quote`` is what the driver returned: the raw quote of SGX and TDX, padding allowed; Nitro's document; the extended
    report of SEV-SNP, its certificates behind it. Addresses are 20 bytes; keys and hashes 32.

    :raises FieldError: a field has the wrong type, length or range
    """

    tee: TeeKind
    quote: bytes
    authority: bytes
    transport_key: bytes
    chain_id: int
    enclave_registry: bytes
    block_number: int
    block_hash: bytes

    def __post_init__(self) -> None:
        if self.tee is TeeKind.NONE:
            raise FieldError("An attestation has a kind of TEE.", got=self.tee.label)
        if len(self.quote) > MAX_QUOTE_SIZE:
            raise FieldError("The quote is too long.", expected=f"<= {MAX_QUOTE_SIZE} bytes")
        require_uint("chain id", self.chain_id, 256)
        require_length("enclave registry", self.enclave_registry, 20)
        require_length("authority", self.authority, 20)
        require_length("transport key", self.transport_key, 32)
        require_uint("block number", self.block_number, 64)
        require_length("block hash", self.block_hash, 32)

    @property
    def binding(self) -> EnclaveBinding:
        """What the quote must bind for the claims to hold."""
        return EnclaveBinding(
            chain_id=self.chain_id,
            enclave_registry=self.enclave_registry,
            authority=self.authority,
            transport_key=self.transport_key,
            block_number=self.block_number,
            block_hash=self.block_hash,
        )

    def as_dict(self) -> dict[str, str | int]:
        """Return the attestation as a JSON object; :meth:`from_dict` reads it back."""
        return {
            "format": FORMAT,
            "tee": self.tee.label,
            "quote": "0x" + self.quote.hex(),
            "authority": checksum_address(self.authority),
            "transportKey": "0x" + self.transport_key.hex(),
            "chainId": self.chain_id,
            "enclaveRegistry": checksum_address(self.enclave_registry),
            "blockNumber": self.block_number,
            "blockHash": "0x" + self.block_hash.hex(),
        }

    def to_json(self) -> str:
        """Return the attestation as JSON text, one field per line."""
        return json.dumps(self.as_dict(), indent=2) + "\n"

    @classmethod
    def from_dict(cls, document: object) -> Attestation:
        """Read what :meth:`as_dict` wrote.

        :raises AttestationMalformedError: another format, or a field that is missing, unknown or malformed
        """
        if not isinstance(document, dict) or set(document) != _FIELDS:
            raise AttestationMalformedError(
                "The attestation does not have the expected fields.",
                expected=", ".join(sorted(_FIELDS)),
            )
        if document["format"] != FORMAT or isinstance(document["format"], bool):
            raise AttestationMalformedError(
                "The attestation's format is not known.", got=document["format"], expected=FORMAT
            )
        tees = {kind.label: kind for kind in TeeKind if kind is not TeeKind.NONE}
        if not isinstance(document["tee"], str) or document["tee"] not in tees:
            raise AttestationMalformedError(
                "The attestation's TEE is not known.",
                got=repr(document["tee"])[:40],
                expected=", ".join(tees),
            )
        try:
            return cls(
                tee=tees[document["tee"]],
                quote=parse_hex("quote", document["quote"]),
                authority=parse_address(document["authority"]),
                transport_key=parse_hex("transportKey", document["transportKey"]),
                chain_id=document["chainId"],
                enclave_registry=parse_address(document["enclaveRegistry"]),
                block_number=document["blockNumber"],
                block_hash=parse_hex("blockHash", document["blockHash"]),
            )
        except FieldError as error:
            raise AttestationMalformedError(
                "A field of the attestation cannot be read.",
                got=error.got,
                expected=error.expected,
                cause=error.message,
            ) from error

    @classmethod
    def from_json(cls, text: str) -> Attestation:
        """Read what :meth:`to_json` wrote.

        :raises AttestationMalformedError: not JSON, another format, or a malformed field
        """
        try:
            document = load_json(text)
        except JsonTextError as error:
            raise AttestationMalformedError(
                "The attestation is not JSON.", cause=str(error)
            ) from error
        return cls.from_dict(document)
