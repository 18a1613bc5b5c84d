"""How the store knows, without reading all of it, that what it reads is all of it and of today.

``tree`` is a hash tree over every fact of the store, ``history`` a chain over all its states. Neither
does I/O: nodes and links come from the host through a protocol and are believed only when their keyed
digest is the one that the enclave holds.
"""
