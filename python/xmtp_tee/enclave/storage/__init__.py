"""Where sealed rows lie. A backend knows nothing of keys: it keeps bytes, in transactions."""

from xmtp_tee.enclave.storage.rows import Head, Row, RowStore

__all__ = ["Head", "Row", "RowStore"]
