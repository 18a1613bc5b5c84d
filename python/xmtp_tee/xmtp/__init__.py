"""XMTP's own layer above MLS: identity texts and logs, envelopes, welcomes, group metadata, content.

Nothing here opens a socket or reads a clock: time and randomness are passed in. The layouts are those of
libxmtp 1.10, the client that the network runs.
"""
