"""The gate of approvals: the people who must agree before a promotion merges (docs/approvals.md)."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import chain

from gitops_promotion.core import untrusted
from gitops_promotion.core.discussion import Person
from gitops_promotion.core.environments import Pipeline, Requirements
from gitops_promotion.core.forge import Review
from gitops_promotion.core.gates import Common, Decision, Evidence, Gate, Need, Question, Reason, Verdict, seats
from gitops_promotion.core.gates.approvals_keys import ApprovalSettings, Strategy, is_of_forge
from gitops_promotion.core.gates.approvals_text import (
    SHOWN,
    ignored_reasons,
    listed,
    rejection_reason,
    shown_name,
    shown_time,
    unclear_reason,
)
from gitops_promotion.core.gates.barred_people import reason_barred
from gitops_promotion.core.opinions import Facts, Opinion, Seats

_LAST = datetime.max.replace(tzinfo=UTC)
_FIRST = datetime.min.replace(tzinfo=UTC)


def make(
    environment: str, _pipeline: Pipeline, settings: Mapping[str, ApprovalSettings | None], common: Common
) -> "Approvals | None":
    """Return the gate of an environment, None for one without `approvals`."""
    policy = settings.get(environment)
    if policy is None:
        return None
    people_of_groups = common.settings.get("approvals") or {}
    return Approvals(
        environment=environment,
        strategy=policy.strategy,
        quorum=policy.quorum,
        approvers=policy.approvers,
        groups={group: people_of_groups.get(group, ()) for group in policy.groups},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pool:
    """People of whom one or more must agree; `problem` says why their names cannot be read.

    `is_open`: there are more than these `people`, and the forge says with each review whether it is by one of them.
    """

    name: str
    people: frozenset[str]
    problem: str = ""
    is_open: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """The result of the opinions on a pull request.

    `who` are the people who can still change it; a group of the forge that cannot be read stands for its members.
    """

    decision: Decision
    seats: Seats
    reasons: tuple[Reason, ...]
    opinions: tuple[Opinion, ...] = ()
    who: tuple[str, ...] = ()

    @property
    def approved_by(self) -> tuple[str, ...]:
        """The people whose approval counts."""
        return tuple(o.author for o in self.opinions if o.counts and o.verdict == "approved")

    @property
    def rejected_by(self) -> tuple[str, ...]:
        """The people whose rejection counts."""
        return tuple(o.author for o in self.opinions if o.counts and o.verdict == "changes-requested")


@dataclass(frozen=True, slots=True, kw_only=True)
class Approvals(Gate):
    """The policy of one environment. `groups` are the people by group; the members of a forge's group are evidence."""

    environment: str
    strategy: Strategy
    quorum: int = 0
    approvers: tuple[str, ...] = ()
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    needs: frozenset[Need] = frozenset({"opinions"})

    @property
    def forge_groups(self) -> tuple[str, ...]:
        """The groups whose members only the forge knows."""
        return tuple(group for group in self.groups if is_of_forge(group))

    def judge(self, question: Question, evidence: Evidence) -> Verdict:
        """Return whether enough people agree."""
        counted = self.tally(question, evidence.opinions)
        return Verdict(decision=counted.decision, reasons=counted.reasons, tally=counted)

    def note(self, _requirements: Requirements) -> str:
        """Return the sentence that says whose approval is needed."""
        pools = [untrusted.code_span(name) for name in self.groups or self.approvers]
        names, number = listed(pools, "and"), self._needed
        if self.strategy == "multi":
            return f"It needs the approval of {'one person of each of ' if self.groups else ''}{names}."
        if self.strategy == "four-eyes" and len(self.groups) > 1:
            return f"It needs the approval of two people of the same group: {listed(pools, 'or')}."
        return f"It needs the approval of {number} {'person' if number == 1 else 'people'} of {names}."

    @property
    def _needed(self) -> int:
        if self.strategy == "multi":
            return len(self.groups or self.approvers)
        return {"single": 1, "four-eyes": 2}.get(self.strategy, self.quorum)

    def objection(self, facts: Facts, person: Person) -> str:
        """Return why the opinion of a person cannot count, "" if it can, or if the forge says that only afterwards."""
        if any(pool.is_open for pool in self._pools(facts)):
            return reason_barred(facts, person)
        return reason_barred(facts, person) or self._not_named(
            facts, Review(author=person.name, verdict="approved", sha="")
        )

    def commits_to_compare(self, facts: Facts) -> tuple[str, ...]:
        """Return the commits whose edits must be compared with the head's: those of opinions that could count."""
        reviews = facts.discussion.reviews if facts.discussion else ()
        shas = (
            r.sha for r in reviews if r.sha and r.sha != facts.head_sha and not self._why_not(facts, r, edits=False)
        )
        return tuple(dict.fromkeys(shas))

    def tally(self, question: Question, facts: Facts | None) -> Tally:
        """Return the result of the opinions; without facts nobody has agreed."""
        gate = f"approvals of {self.environment}"
        if facts is None or facts.discussion is None:
            problem = facts.problem if facts else "the opinions were not read"
            reason = Reason(gate=gate, evidence=f"0 of {self._needed} of {self._named}", missing=problem)
            return Tally(decision="wait", seats=Seats(filled=0, needed=self._needed), reasons=(reason,))
        opinions, unclear = [], []
        for review in facts.discussion.reviews:
            objection = self._why_not(facts, review)
            opinions.append(_opinion(review, objection))
            if objection and review.verdict == "changes-requested" and self._is_unclear(facts, review):
                unclear.append(opinions[-1])
        counted = self._decided(gate, question, facts, opinions)
        if counted.decision == "pass" and unclear:
            counted = replace(counted, decision="wait", reasons=tuple(unclear_reason(gate, o) for o in unclear[:SHOWN]))
        elif counted.decision == "pass" and facts.pushers is not None and facts.pushers.problem:
            text = counted.reasons[0].evidence
            missing = f"who pushed to the branch cannot be read: {untrusted.line(facts.pushers.problem)}"
            counted = replace(counted, decision="wait", reasons=(Reason(gate=gate, evidence=text, missing=missing),))
        if counted.decision == "pass":
            return counted
        ignored = [o for o in counted.opinions if not o.counts and o not in unclear]
        return replace(counted, reasons=(*counted.reasons, *ignored_reasons(gate, ignored)))

    # -- whose opinion counts

    def _pools(self, facts: Facts) -> list[_Pool]:
        """Return the people to choose from; for `multi` each is a seat."""
        if not self.groups:
            pools = [[name] for name in self.approvers] if self.strategy == "multi" else [list(self.approvers)]
            return [_Pool(name=listed(names, "and"), people=_folded(names)) for names in pools]
        reviews = facts.discussion.reviews if facts.discussion else ()
        asked_groups = _folded(facts.discussion.asked) if facts.discussion else ()
        pools_of_groups = []
        for group, people in self.groups.items():
            # Azure DevOps says with each vote whose seat it takes.
            by_vote = [review.author for review in reviews if group.casefold() in _folded(review.groups)]
            of_forge = facts.members.get(group)
            problem = (of_forge.problem if of_forge else "they were not read") if is_of_forge(group) else ""
            is_open = bool(problem and of_forge and of_forge.by_review) and group.casefold() in asked_groups
            members = of_forge.members if of_forge else ()
            pools_of_groups.append(
                _Pool(
                    name=group,
                    people=_folded([*people, *members, *by_vote]),
                    problem="" if is_open else problem,
                    is_open=is_open,
                )
            )
        return pools_of_groups

    @property
    def _named(self) -> str:
        names = [untrusted.line(name, untrusted.VALUE_LIMIT) for name in self.groups or self.approvers]
        return listed(names, "or" if self.strategy == "four-eyes" and self.groups else "and")

    def _not_named(self, facts: Facts, review: Review) -> str:
        pools = self._pools(facts)
        if any(review.author.casefold() in pool.people for pool in pools):
            return ""
        if unreadable := [pool for pool in pools if pool.problem]:
            return _unreadable(unreadable)
        if any(pool.is_open for pool in pools):
            return f"the forge counts it for none of {self._named}: a member must review again"
        return f"not one of {self._named}"

    def _why_not(self, facts: Facts, review: Review, *, edits: bool = True) -> str:
        """Return why an opinion does not count, "" if it does; without `edits` any reviewed commit is accepted."""
        person = Person(name=review.author, is_bot=review.is_bot)
        if objection := reason_barred(facts, person) or self._not_named(facts, review):
            return objection
        return _outdated(facts, review, edits=edits)

    def _is_unclear(self, facts: Facts, review: Review) -> bool:
        """Return True if an opinion does not count only because it is not known who is in a group.

        This includes a group that became a reviewer after one of its members had reviewed.
        """
        if reason_barred(facts, Person(name=review.author, is_bot=review.is_bot)):
            return False
        pools = self._pools(facts)
        is_named = any(review.author.casefold() in pool.people for pool in pools)
        is_unknown = any(pool.problem or pool.is_open for pool in pools)
        return not is_named and is_unknown and not _outdated(facts, review, edits=True)

    # -- the result of the opinions that count

    def _decided(self, gate: str, question: Question, facts: Facts, opinions: Sequence[Opinion]) -> Tally:
        if self.strategy == "single":
            opinions = _first_alone(opinions)
        counting = sorted((opinion for opinion in opinions if opinion.counts), key=_moment)
        approving = [opinion for opinion in counting if opinion.verdict == "approved"]
        rejecting = [opinion for opinion in counting if opinion.verdict != "approved"]
        spelled = {name.casefold(): name for name in self._everybody(facts)}
        may_approve = {name for name in spelled if not reason_barred(facts, Person(name=spelled[name]))}
        pools = self._pools(facts)
        unreadable = [pool for pool in pools if pool.problem]
        unlisted = [pool.name for pool in pools if pool.problem or pool.is_open]
        filled = self._filled(pools, {opinion.author.casefold() for opinion in approving})
        result = Tally(
            decision="wait",
            seats=Seats(filled=filled, needed=self._needed),
            reasons=(),
            opinions=tuple(opinions),
        )
        if rejecting:
            rejecters = tuple(opinion.author for opinion in rejecting)
            reasons = tuple(rejection_reason(gate, question, opinion) for opinion in rejecting)
            return replace(result, decision="refuse", reasons=reasons, who=rejecters)
        evidence = f"{result.seats} of {self._named}"
        if approving:
            evidence += f": {listed([shown_name(o.author) + shown_time(o.at) for o in approving], '', limit=SHOWN)}"
        if filled >= self._needed:
            return replace(result, decision="pass", reasons=(Reason(gate=gate, evidence=evidence),))
        able = self._able(pools, {opinion.author.casefold() for opinion in approving}, may_approve)
        can_decide = (*(spelled[name] for name in spelled if name in able), *unlisted)
        missing = self._missing(can_decide, unreadable)
        return replace(
            result,
            reasons=(Reason(gate=gate, evidence=evidence, missing=missing, who=can_decide),),
            who=can_decide,
        )

    def _everybody(self, facts: Facts) -> Iterable[str]:
        """Return everybody who is named, as they are written, the forge's own spelling last."""
        reviews = facts.discussion.reviews if facts.discussion else ()
        members = [sorted(people.members) for people in facts.members.values()]
        by_vote = [review.author for review in reviews if _folded(review.groups) & _folded(self.groups)]
        return chain(self.approvers, *self.groups.values(), *members, by_vote)

    def _filled(self, pools: Sequence[_Pool], approving: Collection[str]) -> int:
        """Return how many of the needed seats these people fill."""
        present = [pool.people & frozenset(approving) for pool in pools]
        if self.strategy == "multi":
            return sum(person is not None for person in seats.fill(present))
        if self.strategy == "four-eyes":
            return min(2, max((len(people) for people in present), default=0))
        return min(self._needed, len(frozenset[str]().union(*present)))

    def _able(self, pools: Sequence[_Pool], approving: set[str], may_approve: Collection[str]) -> set[str]:
        """Return those of `may_approve` whose approval would fill a seat that is empty now."""
        candidates = {name for name in may_approve if name not in approving}
        if self.strategy == "four-eyes":
            able = [pool.people & candidates for pool in pools if len(pool.people & (candidates | approving)) > 1]
            return set().union(*able)
        filled = self._filled(pools, approving)
        return {name for name in candidates if self._filled(pools, {*approving, name}) > filled}

    def _missing(self, can_decide: Sequence[str], unreadable: Sequence[_Pool]) -> str:
        if unreadable:
            return _unreadable(unreadable)
        if not can_decide:
            return f"nobody else of {self._named} may approve it: name more people in approvals of {self.environment}"
        return f"{listed([shown_name(name) for name in can_decide], 'or', limit=SHOWN)} can approve it"


def _folded(names: Iterable[str]) -> frozenset[str]:
    return frozenset(name.casefold() for name in names)


def _moment(opinion: Opinion) -> tuple[datetime, bool, str]:
    """Return the key that sorts opinions by time; without a time a rejection comes first and an approval last."""
    approved = opinion.verdict == "approved"
    return opinion.at or (_LAST if approved else _FIRST), approved, opinion.author.casefold()


def _first_alone(opinions: Sequence[Opinion]) -> list[Opinion]:
    """Return the opinions; of those that count, only the first one still does."""
    first = min((opinion for opinion in opinions if opinion.counts), key=_moment, default=None)
    return [
        replace(opinion, counts=False, why=f"{shown_name(first.author)} was first, and the first opinion decides")
        if first and opinion.counts and opinion != first
        else opinion
        for opinion in opinions
    ]


def _opinion(review: Review, objection: str) -> Opinion:
    return Opinion(
        author=review.author,
        verdict=review.verdict,
        at=review.at,
        comment=review.comment,
        counts=not objection,
        why=objection,
    )


def _outdated(facts: Facts, review: Review, *, edits: bool) -> str:
    """Return why an opinion is not about the present proposal of the head, "" if it is."""
    if facts.since and (review.at is None or review.at < facts.since):
        return f"it was given before the promotion was proposed again{shown_time(facts.since)}"
    if facts.same_base and (review.at is None or review.at < facts.same_base):
        until = shown_time(facts.same_base).removeprefix(" at")
        return f"it was given before{until}, when the pull request may have gone into another branch"
    return _other_edits(facts, review.sha) if edits else ""


def _other_edits(facts: Facts, sha: str) -> str:
    """Return why an opinion on a commit does not count for the head, "" if it does."""
    if sha == facts.head_sha and sha:
        return ""
    if not sha:
        return "the forge does not say on which commit it was given"
    makes_same_edits = facts.edits.get(sha)
    if makes_same_edits is None:
        return f"it was given on {sha[:7]}, which cannot be fetched to compare its edits"
    return "" if makes_same_edits else f"it was given on {sha[:7]}, which makes other edits"


def _unreadable(pools: Sequence[_Pool]) -> str:
    return "; ".join(
        f"the members of {shown_name(pool.name)} cannot be read: {untrusted.line(pool.problem)}" for pool in pools
    )
