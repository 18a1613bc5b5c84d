"""What a chain's state holds, proven against a block hash that the caller trusts, and against nothing else.

The chain of proof: block hash -> header -> state root -> account -> storage root -> storage word. ``rlp``,
``trie``, ``header``, ``account``, ``layout`` and ``words`` do no I/O; ``fetch`` asks a node, which is trusted
for availability alone; ``registries`` knows the contracts, ``verdict`` judges a bundle.
"""
