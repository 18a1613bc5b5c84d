"""The enclave's policy: who may do what, as data. No I/O.

==============  ================================================================
module          its one job
==============  ================================================================
``document``    the structures of a policy, and what is refused by default
``text``        TOML or JSON to a policy and back, with typed errors
``check``       a policy against itself: names, numbers, contradictions
``operations``  the names of operations that a grant can hold
``approval``    the digest that owners sign to change a policy
==============  ================================================================
"""

from xmtp_tee.policy.approval import approval_digest
from xmtp_tee.policy.check import check_policy
from xmtp_tee.policy.document import (
    Caller,
    ChangeRule,
    Condition,
    Grant,
    KeyRules,
    Policy,
    Rate,
    TypedDataRule,
    WalletRules,
)
from xmtp_tee.policy.text import decode_policy, encode_policy, parse_policy, render_policy

__all__ = [
    "Caller",
    "ChangeRule",
    "Condition",
    "Grant",
    "KeyRules",
    "Policy",
    "Rate",
    "TypedDataRule",
    "WalletRules",
    "approval_digest",
    "check_policy",
    "decode_policy",
    "encode_policy",
    "parse_policy",
    "render_policy",
]
