"""The file that carries an owner's intent from who made it to who signs it and to who brings it. No I/O."""

from __future__ import annotations

import json

from xmtp_tee.attestation.address import checksum_address, parse_address
from xmtp_tee.attestation.errors import FieldError
from xmtp_tee.attestation.fields import parse_hex
from xmtp_tee.attestation.json_text import JsonTextError, load_json
from xmtp_tee.client.intents import IntentInvalid, IntentKind, OwnerIntent
from xmtp_tee.client.proof import ProofError

FORMAT = 1
_FIELDS = {
    *("format", "intent", "chainId", "keyRegistry", "owner", "identityKey", "preKey"),
    *("preKeySignature", "attestationProof", "nonce", "deadline", "signature"),
}


def intent_as_dict(intent: OwnerIntent) -> dict[str, object]:
    """Return the intent as a JSON object; :func:`intent_from_json` reads its text back."""
    return {
        "format": FORMAT,
        "intent": intent.kind.value,
        "chainId": intent.chain_id,
        "keyRegistry": checksum_address(intent.key_registry),
        "owner": checksum_address(intent.owner),
        "identityKey": "0x" + intent.identity_key.hex(),
        "preKey": "0x" + intent.pre_key.hex(),
        "preKeySignature": "0x" + intent.pre_key_signature.hex(),
        "attestationProof": "0x" + intent.proof.hex(),
        # Beyond 2**53 a JSON number loses digits in many readers; a cancelled nonce is beyond 2**64.
        "nonce": str(intent.nonce),
        "deadline": intent.deadline,
        "signature": "0x" + intent.signature.hex(),
    }


def intent_to_json(intent: OwnerIntent) -> str:
    """Return the file's text. It holds no secret."""
    return json.dumps(intent_as_dict(intent), indent=2) + "\n"


def intent_from_json(text: str) -> OwnerIntent:
    """Read a file's text.

    :raises IntentInvalid: a field is missing, unknown or malformed
    """
    try:
        document = load_json(text)
    except JsonTextError as error:
        raise IntentInvalid("the intent is not JSON", cause=str(error)) from error
    if not isinstance(document, dict) or set(document) != _FIELDS:
        raise IntentInvalid(
            "the intent does not have the expected fields", expected=", ".join(sorted(_FIELDS))
        )
    if document["format"] != FORMAT:
        raise IntentInvalid(
            "the intent has another format", got=document["format"], expected=FORMAT
        )
    if document["intent"] not in [kind.value for kind in IntentKind]:
        raise IntentInvalid(
            "the intent is of an unknown kind",
            got=str(document["intent"])[:40],
            expected=", ".join(IntentKind),
        )
    try:
        return OwnerIntent(
            kind=IntentKind(document["intent"]),
            chain_id=document["chainId"],
            key_registry=parse_address(document["keyRegistry"]),
            owner=parse_address(document["owner"]),
            identity_key=parse_hex("identityKey", document["identityKey"]),
            pre_key=parse_hex("preKey", document["preKey"]),
            pre_key_signature=parse_hex("preKeySignature", document["preKeySignature"]),
            proof=parse_hex("attestationProof", document["attestationProof"]),
            nonce=_decimal(document["nonce"]),
            deadline=document["deadline"],
            signature=parse_hex("signature", document["signature"]),
        )
    except (FieldError, ProofError) as error:
        raise IntentInvalid(
            f"the intent has a malformed field: {error.message}",
            got=error.got,
            expected=error.expected,
        ) from error


def _decimal(value: object) -> int:
    # 78 digits hold every uint256.
    if (
        not isinstance(value, str)
        or not value.isascii()
        or not value.isdecimal()
        or len(value) > 78
    ):
        raise FieldError("nonce must be decimal digits.", got=str(value)[:80])
    return int(value)
