"""Addresses of services: read once, and never repeated in an error, for they may hold an access key."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

from xmtp_tee.errors import UsageError


def http_url(url: str, what: str) -> SplitResult:
    """Return the parts of an http or https URL with a host; its port, if it names one, is a number.

    :raises UsageError: it is none; the error shows the scheme at most
    """
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good:
        scheme = (
            url.partition("://")[0] if url.startswith(("http://", "https://")) else "none of these"
        )
        raise UsageError(
            f"this is not the address of {what}",
            got=scheme,
            expected="http://HOST[:PORT]/... or https://HOST[:PORT]/...",
        )
    return parts
