"""Where the development seed's primes lie: found once by :func:`.rsa.prime_offset`, checked by a test."""

from __future__ import annotations

from typing import Final

PRIME_OFFSETS: Final[dict[tuple[str, str], tuple[int, int]]] = {
    ("Milan", "ark"): (192, 1990),
    ("Milan", "ask"): (12, 20),
    ("Milan", "asvk"): (254, 472),
    ("Milan", "stranger-ark"): (3786, 2630),
    ("Milan", "stranger-ask"): (1420, 1932),
    ("Genoa", "ark"): (84, 564),
    ("Genoa", "ask"): (1440, 166),
    ("Genoa", "asvk"): (3126, 1080),
    ("Turin", "ark"): (3096, 4936),
    ("Turin", "ask"): (1502, 532),
    ("Turin", "asvk"): (538, 246),
}
"""By product line and label of the key: distances of p and q from where their search begins."""
