"""Several kinds of TEE behind one enclave, judged off chain: do enough of them vouch for the same keys?

The rule is that of EnclaveRegistry (docs/SPECIFICATION.md, "Several kinds of TEE behind one enclave"): every kind is
judged on its own, counts once, and must speak of the same enclave. Which kind came first, and must stand whatever is
demanded, only the chain knows.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from xmtp_tee.assurance import AssuranceLevel
from xmtp_tee.attestation.address import checksum_address
from xmtp_tee.attestation.errors import FieldError
from xmtp_tee.attestation.evidence import Attestation
from xmtp_tee.attestation.kinds import TeeKind
from xmtp_tee.errors import ExitCode
from xmtp_tee.verdict import Check, CheckResult, Verdict

ONE_ENCLAVE = "one enclave"
EACH_ONCE = "each kind once"
KINDS = "kinds of TEE"
POLICY_KINDS = "kinds by the policy"

_FIRST_NOT_SHOWN = (
    "Which kind attested the enclave first: on chain that one must stand whatever is demanded."
)
_ONE_VENDOR = "Two vendors: SGX and TDX are both Intel's."


@dataclass(frozen=True, slots=True)
class Judged:
    """Evidence of one kind of TEE, and the verdict on it alone."""

    attestation: Attestation
    verdict: Verdict

    @property
    def tee(self) -> TeeKind:
        """The kind."""
        return self.attestation.tee

    @property
    def stands(self) -> bool:
        """Whether it verified."""
        return self.verdict.exit_code is ExitCode.VERIFIED

    @property
    def reason(self) -> str:
        """Why it did not verify, in the words of the first check that failed."""
        failed = self.verdict.failed
        if not failed:
            return "nothing could be checked"
        return failed[0].name + (f": {failed[0].got}" if failed[0].got else "")


@dataclass(frozen=True, slots=True)
class Demand:
    """``required`` of ``kinds`` must verify; of all kinds where it is None."""

    required: int
    kinds: Collection[TeeKind] | None = None

    def counts(self, tee: TeeKind) -> bool:
        """Whether this kind counts."""
        return self.kinds is None or tee in self.kinds


def judge_several(
    judged: Sequence[Judged], required: int, now: int, policy: Demand | None = None
) -> Verdict:
    """Judge at ``now`` (unix seconds) what was judged kind by kind: at least ``required`` kinds must verify.

    ``policy`` is what a deployment's policy demands besides. A kind that did not verify fails the verdict only where
    one of the demands is not met; else it is a warning, which gives the reason. Evidence of another enclave, and two
    pieces of one kind, fail it in any case: which of them would count?

    :raises FieldError: there is no evidence, or ``required`` is below 1
    """
    if not judged or required < 1:
        raise FieldError(
            "A demand of kinds needs evidence and at least one kind.",
            got=f"{required} of {len(judged)}",
        )
    demands = [(KINDS, Demand(required))] + ([(POLICY_KINDS, policy)] if policy else [])
    counted = [(name, _count(name, demand, judged)) for name, demand in demands]
    met = all(check.result is CheckResult.PASS for _, check in counted)
    checks = (_one_enclave(judged), _each_once(judged), *_each(judged, met))
    checks += tuple(check for _, check in counted)
    good = all(check.result is not CheckResult.FAIL for check in checks)
    return Verdict(
        subject=f"enclave {checksum_address(judged[0].attestation.authority)}",
        judged_at=now,
        level=min(each.verdict.level for each in judged if each.stands)
        if good
        else AssuranceLevel.NONE,
        checks=checks,
        not_shown=tuple(_not_shown(judged)),
    )


def _one_enclave(judged: Sequence[Judged]) -> Check:
    """Every kind must bind the same keys for the same registry; the block may be another, for kinds renew alone."""
    first = judged[0].attestation
    named: Mapping[str, Callable[[Attestation], str]] = {
        "authority": lambda each: checksum_address(each.authority),
        "transport key": lambda each: "0x" + each.transport_key.hex(),
        "chain": lambda each: str(each.chain_id),
        "registry": lambda each: checksum_address(each.enclave_registry),
    }
    why = "Kinds vouch for one enclave together only where they vouch for the same keys."
    for name, shown in named.items():
        for other in judged[1:]:
            if shown(other.attestation) != shown(first):
                return Check(
                    ONE_ENCLAVE,
                    CheckResult.FAIL,
                    f"{other.tee.label} is for another {name}: {shown(other.attestation)}",
                    f"{shown(first)}, as {first.tee.label}",
                    why,
                )
    return Check(
        ONE_ENCLAVE,
        CheckResult.PASS,
        f"authority {named['authority'](first)}, transport key {named['transport key'](first)}",
        "the same authority, transport key, chain and registry in all",
        why,
    )


def _each_once(judged: Sequence[Judged]) -> Check:
    kinds = [each.tee for each in judged]
    twice = [kind for kind in dict.fromkeys(kinds) if kinds.count(kind) > 1]
    return Check(
        EACH_ONCE,
        CheckResult.FAIL if twice else CheckResult.PASS,
        f"several of {_labels(twice)}" if twice else _labels(kinds),
        "one of each kind",
        "The same kind twice is one kind: a forger of it need not break another.",
    )


def _each(judged: Sequence[Judged], met: bool) -> Iterator[Check]:
    """A line for each kind; one that failed carries the exit code of its own verdict."""
    why = "Each kind is judged on its own; its lines say what was looked at."
    for each in judged:
        if each.stands:
            got = f"verified, level {each.verdict.level.label}"
            yield Check(each.tee.label, CheckResult.PASS, got, "verified", why)
        else:
            result = CheckResult.WARN if met else CheckResult.FAIL
            code = each.verdict.exit_code
            yield Check(each.tee.label, result, each.reason, "verified", why, code)


def _count(name: str, demand: Demand, judged: Sequence[Judged]) -> Check:
    counting = {each.tee for each in judged if demand.counts(each.tee)}
    standing = {each.tee for each in judged if each.stands} & counting
    kinds = "" if demand.kinds is None else f" of {_labels(demand.kinds)}"
    # Where the evidence would suffice if all of it verified, what failed says what kind of failure this is.
    enough = len(counting) >= demand.required
    failed = [e.verdict.exit_code for e in judged if not e.stands and e.tee in counting]
    return Check(
        name,
        CheckResult.PASS if len(standing) >= demand.required else CheckResult.FAIL,
        f"{len(standing)} verified: {_labels(sorted(standing))}",
        f"at least {demand.required}{kinds}",
        "Where several vendors vouch for one enclave, a forger has to break them all.",
        min(failed) if enough and failed else ExitCode.REFUSED_BY_POLICY,
    )


def _not_shown(judged: Sequence[Judged]) -> Iterator[str]:
    yield from dict.fromkeys(text for each in judged for text in each.verdict.not_shown)
    yield _FIRST_NOT_SHOWN
    if {TeeKind.SGX, TeeKind.TDX} <= {each.tee for each in judged}:
        yield _ONE_VENDOR


def _labels(kinds: Collection[TeeKind]) -> str:
    return ", ".join(kind.label for kind in kinds) or "none"
