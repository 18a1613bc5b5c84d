"""The sizes and counts that both ends agree on. A change that narrows one needs a new protocol
version.
"""

from typing import Final

PROTOCOL_VERSION: Final = 3
"""Spoken in ``Hello`` and ``Welcome``; both sides refuse any other."""

MAX_REPLY_BODY: Final = 4 << 20
"""Bytes of one message from the enclave, without the length field: a page of received messages, each in clear
and sealed, and the welcomes that a commit owes fit with room.
"""

MAX_REQUEST_BODY: Final = 1 << 20
"""Bytes of one message to the enclave: a welcome to a group of some 1,500 installations fits, and the key
packages of 300 newcomers.
"""

MAX_LOG_ENTRIES: Final = 256
"""Entries of an inbox's log in one request: as many as the network lets an inbox have."""

MAX_SIGNED_MESSAGE: Final = 64 << 10
"""Bytes of one message to be signed."""

MAX_PUBLIC_KEY: Final = 1216
"""Bytes of the longest public key (X-Wing); a symmetric key has none."""

MAX_PAGE: Final = 400
"""Keys in one page of a listing; a page of the longest records stays below MAX_REPLY_BODY."""

MAX_CHAIN_ID: Final = (1 << 63) - 37
"""The greatest chain id that wallets can represent (EIP-2294: floor(MAX_UINT64 / 2) - 36)."""

MAX_EXPIRY: Final = (1 << 40) - 1
"""The greatest expiry in unix seconds: the contracts pack it into 40 bits."""

MAX_BACKUP: Final = 104 << 10
"""Bytes of a sealed key: the largest container has 64 versions of an X-Wing key and eight ways in."""

MAX_BATCH: Final = 256
"""Operations in one batch."""

MAX_SEALED_MESSAGE: Final = MAX_SIGNED_MESSAGE + 16
"""Bytes of one sealed message: the longest plaintext and its tag."""

MAX_INFO: Final = 8 << 10
"""Bytes of associated data, or of HPKE's info."""

MAX_TEXT: Final = 8 << 10
"""Characters of an identity text."""

MAX_TYPED_DATA: Final = 16 << 10
"""Bytes of an EIP-712 document."""

MAX_POLICY: Final = 64 << 10
"""Bytes of an encoded policy."""

MAX_HISTORY: Final = 256
"""Messages of the host's database that one request has opened."""

MAX_INCOMING: Final = 100
"""Messages of a group in one page to be read: as many as an XMTP node's page has."""
