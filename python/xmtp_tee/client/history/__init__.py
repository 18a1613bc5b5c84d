"""The history of keys: typed events, a replay that rebuilds the state, the linked walk, and the watch.

``events`` and ``replay`` do no I/O. ``walk`` reads the links (``previousChange``), ``watch`` waits for changes.
"""
