"""XMTP's protobuf messages, one module per package of the network's schema.

Only fields that something here reads or writes are declared; the others are skipped when read. Numbers and
names are the network's (``xmtp.identity``, ``xmtp.mls``).
"""
