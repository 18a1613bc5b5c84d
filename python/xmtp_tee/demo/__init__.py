"""The demonstration: the whole story on a chain of its own, and five attempts to cheat.

``story`` has the order, ``steps`` and ``cheats`` a small function per step, ``stage`` what they share,
``processes`` the programs that they start.
"""
