"""ECDSA over NIST P-384 on chain: the witness that makes it cheap.

    from xmtp_tee.attestation.p384 import Point, make_witness

    witness = make_witness(digest, r, s, Point(x, y))       # 0.2 s; raises NoWitnessError if the signature is wrong

- :mod:`.curve`: the curve in plain big integers, the oracle of all tests
- :mod:`.field`: pairs of integers modulo sqrt(2), as the contract computes
- :mod:`.scalars`: half-size scalars and their digits
- :mod:`.witness`: the witness' format, and its making
- :mod:`.tables`: the code of the two table contracts

The contract is contracts/crypto/P384.sol; the argument why a wrong signature has no witness is there.
"""

from __future__ import annotations

from .curve import Point, verify
from .witness import NoWitnessError, make_witness

__all__ = ["NoWitnessError", "Point", "make_witness", "verify"]
