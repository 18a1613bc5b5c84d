"""The XMTP member's operations: typed calls in, bytes for the network and released plaintext out.

No operation signs, decrypts or derives anything raw with an installation's key. What the network brings and
breaks a rule is an answer (``XmtpRefused``), not a fault: the host goes on with the next message.
"""
