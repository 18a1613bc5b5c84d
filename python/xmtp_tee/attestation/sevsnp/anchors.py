"""The pinned keys of SEV-SNP: AMD's of each product line, and everything else, which is for development.

AMD has one root key (ARK) for each product line, and under it one key that certifies chips (ASK) and one that certifies
cloud providers' keys (ASVK). All three are pinned: a fourth key that the root should certify one day is refused until
somebody has looked at it.
"""

from __future__ import annotations

from dataclasses import dataclass

from xmtp_tee.attestation.errors import QuoteNotGenuineError
from xmtp_tee.attestation.sevsnp.product import ProductLine
from xmtp_tee.attestation.sevsnp.report import SigningKey


@dataclass(frozen=True, slots=True)
class Anchor:
    """A product line's pinned keys: keccak256 of each RSA modulus (512 bytes, big-endian)."""

    product: ProductLine
    ark: bytes
    ask: bytes
    asvk: bytes

    def intermediate(self, signing_key: SigningKey) -> bytes:
        """The pinned hash of the key that certifies this kind of signing key."""
        return self.ask if signing_key is SigningKey.VCEK else self.asvk

    @property
    def development(self) -> bool:
        """Whether evidence under this anchor is simulated."""
        return self not in AMD_ANCHORS


AMD_ANCHORS: tuple[Anchor, ...] = (
    Anchor(
        ProductLine.MILAN,
        ark=bytes.fromhex("8e5e81b6abc696c5c73657fe88755e5deca679089b5d7d1f29bd8ddd7ab8fd0a"),
        ask=bytes.fromhex("59c5681e6c689e96830de9fed66834af78f7181b77c85f1f927241c527d03b4c"),
        asvk=bytes.fromhex("1882d214815c2a8d993c408f61b67fc51f7e6d6f4c9dcfd2494d59a068f5eba1"),
    ),
    Anchor(
        ProductLine.GENOA,
        ark=bytes.fromhex("95d3e504d122dc9f83af49cea4730c8540b46618affb48930630d6e47309cff5"),
        ask=bytes.fromhex("d0a54d7de37bb44e1bb11ccb77d2a46628ab203259ab34761fead4252554e515"),
        asvk=bytes.fromhex("f5dc03118f1100207b49f311d9fbdbe4e07fb69bc189d0943f76bce394a2c4c0"),
    ),
    Anchor(
        ProductLine.TURIN,
        ark=bytes.fromhex("dd825ecef2a051f9c004eff031d2d6d7aa33ef5ee09ecc88bc7b252745e5285e"),
        ask=bytes.fromhex("d6ca72103615973a76428a6c03a822395b921740afd8fb2d7dfa6a60537e6318"),
        asvk=bytes.fromhex("0615f87ea111d4f822656819778ede2ac650f4b9101233f0c5899790fe9b6abe"),
    ),
)
"""AMD's keys, from https://kdsintf.amd.com/{vcek,vlek}/v1/{Milan,Genoa,Turin}/cert_chain."""


def anchor_of(ark_key_hash: bytes, anchors: tuple[Anchor, ...]) -> Anchor:
    """Return the anchor whose root key has this hash.

    :raises QuoteNotGenuineError: none has
    """
    for anchor in anchors:
        if anchor.ark == ark_key_hash:
            return anchor
    raise QuoteNotGenuineError(
        "The root key is not a pinned one.",
        got=ark_key_hash.hex(),
        expected=", ".join(f"{anchor.product.label} {anchor.ark.hex()}" for anchor in anchors),
    )
