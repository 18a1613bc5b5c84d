"""How a proof of the state fails. Every one of them says that the node showed no proof, not what is true."""

from __future__ import annotations

from xmtp_tee.errors import InvalidEvidenceError


class StateProofInvalid(InvalidEvidenceError):
    """A proof of the chain's state does not lead from the trusted block hash to the value: the node errs or lies."""

    code = "state-proof.invalid"


class RlpInvalid(StateProofInvalid):
    """Bytes are not canonical RLP (Ethereum yellow paper, appendix B)."""

    code = "state-proof.rlp"


class TrieProofInvalid(StateProofInvalid):
    """Trie nodes do not prove presence or absence of a key under the root (yellow paper, appendix D)."""

    code = "state-proof.trie"


class HeaderMismatch(StateProofInvalid):
    """No header that the node shows has the trusted block hash."""

    code = "state-proof.header"


class LayoutUnknown(StateProofInvalid):
    """The storage layout that this package carries does not name a variable that is to be proven."""

    code = "state-proof.layout"


class StorageWordInvalid(StateProofInvalid):
    """A proven storage word is none that the contract writes: another contract stands at the address."""

    code = "state-proof.word"
