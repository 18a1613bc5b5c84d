"""AWS Signature Version 4: who asks, proven by a secret that AWS knows too. No I/O.

Source: AWS, "Create a signed AWS API request". The credentials are the host's, an instance role's as a rule: they
decide who pays and who may ask, not what is released.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from xmtp_tee.attestation.errors import FieldError
from xmtp_tee.attestation.json_text import load_json

_ALGORITHM: Final = "AWS4-HMAC-SHA256"


@dataclass(frozen=True, slots=True)
class Credentials:
    """An access key; ``token`` is empty for one that does not expire."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    token: str = field(default="", repr=False)

    @classmethod
    def from_json(cls, text: str) -> Credentials:
        """Read what the instance metadata service answers: AccessKeyId, SecretAccessKey, Token.

        :raises FieldError: if it is anything else; the text is not repeated
        """
        try:
            document = load_json(text)
            made = cls(
                document["AccessKeyId"], document["SecretAccessKey"], document.get("Token", "")
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            made = cls("", "")
        values: tuple[object, ...] = (made.access_key_id, made.secret_access_key, made.token)
        plain = all(isinstance(v, str) and v.isascii() and v.isprintable() for v in values)
        if not plain or not all(values[:2]):
            raise FieldError(
                "The credentials cannot be read.",
                expected="JSON with AccessKeyId, SecretAccessKey and, of a role, Token",
            )
        return made


def signed_headers(
    credentials: Credentials,
    *,
    region: str,
    service: str,
    time: str,
    headers: Mapping[str, str],
    body: bytes,
    method: str = "POST",
) -> dict[str, str]:
    """Return ``headers`` (names in lower case, ``host`` among them) with those that sign them and the body.

    ``time``: UTC, as ``20150830T123600Z``. The path is ``/``, without a query.
    """
    all_headers = {**headers, "x-amz-date": time}
    if credentials.token:
        all_headers["x-amz-security-token"] = credentials.token
    names = sorted(all_headers)
    signed = ";".join(names)
    lines = [f"{name}:{all_headers[name].strip()}" for name in names]
    canonical = "\n".join([method, "/", "", *lines, "", signed, hashlib.sha256(body).hexdigest()])
    day = time[:8]
    scope = f"{day}/{region}/{service}/aws4_request"
    text = "\n".join([_ALGORITHM, time, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = b"AWS4" + credentials.secret_access_key.encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    credential = f"{credentials.access_key_id}/{scope}"
    all_headers["authorization"] = (
        f"{_ALGORITHM} Credential={credential}, SignedHeaders={signed}, Signature={signature}"
    )
    return all_headers
