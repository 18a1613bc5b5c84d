"""XMTP keys that are born, used and destroyed inside a trusted execution environment, proven on chain."""

__version__ = "0.1.0"
