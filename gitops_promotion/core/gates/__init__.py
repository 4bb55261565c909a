"""Gates: what must be true before a pull request into an environment may merge; one file a gate.

A gate is a policy with a pure `judge`: from a question and the evidence it needs to a verdict. Evidence is gathered in
`workflow/judge.py`, only as far as the configured gates need it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, Protocol

from gitops_promotion.core import untrusted
from gitops_promotion.core.deployments import Deployment
from gitops_promotion.core.environments import Requirements
from gitops_promotion.core.forge import OWN_CONTEXT, CommitStatus, PullRequest, StatusState
from gitops_promotion.core.holds import Hold
from gitops_promotion.core.names import Application
from gitops_promotion.core.opinions import Facts
from gitops_promotion.core.overrides import Override, claims_override
from gitops_promotion.core.tags import Tag

if TYPE_CHECKING:
    from gitops_promotion.core.gates.approvals import Tally
    from gitops_promotion.core.unmanaged_images import Comparison

Decision = Literal["pass", "wait", "refuse"]
Need = Literal["deployments", "statuses", "opinions", "holds"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One reason of a verdict: the gate that gives it, the evidence, and what would change it.

    `who` can act on it; `earliest` is when it could change by itself, None where that is not known. `steps` are what
    people can do; the sentence does not contain them.
    """

    gate: str = ""
    evidence: str
    missing: str = ""
    who: tuple[str, ...] = ()
    earliest: datetime | None = None
    steps: tuple[str, ...] = ()

    def __str__(self) -> str:
        text = f"{self.gate}: {self.evidence}" if self.gate else self.evidence
        return f"{text}; {self.missing}" if self.missing else text


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The answer of one gate or of all together.

    `newest_evidence` is the time of the newest evidence it rests on, such as a status or the end of a freeze; None if
    there is none. `warnings` do not change it. `tally` has the opinions of people, None where nobody is asked.
    `overridden`: the first reason is the record of an override.
    """

    decision: Decision
    reasons: tuple[Reason, ...] = ()
    newest_evidence: datetime | None = None
    warnings: tuple[str, ...] = ()
    tally: "Tally | None" = None
    overridden: bool = False

    @property
    def texts(self) -> tuple[str, ...]:
        """The reasons as sentences."""
        return tuple(map(str, self.reasons))

    @property
    def steps(self) -> tuple[str, ...]:
        """What people can do so that it passes, each once; empty where it passes."""
        if self.decision == "pass":
            return ()
        return tuple(dict.fromkeys(step for reason in self.reasons for step in reason.steps))


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """The question whether `tag` of an application may go into `environment`.

    `requirements` are the environments whose health counts. `head` is the commit that would bring the tag, "" where
    there is none yet; `pull_request` is None where the forge was not asked. `unseen` are parts of the change that no
    gate can judge, such as another image name. `unattended`: the head is a promotion of this tool, which may merge by
    itself. With an `override` of a person some gates are not asked. `images` has the changed images of the environment,
    None where they were not compared. A question only about images has no tag. `only` has the names of the gates that
    are asked (`core/gates/table.py`), all if it is empty.
    """

    application: Application
    tag: Tag
    environment: str
    requirements: Requirements
    head: str = ""
    pull_request: PullRequest | None = None
    override: Override | None = None
    unseen: tuple[str, ...] = ()
    unattended: bool = False
    images: "Comparison | None" = None
    only: tuple[str, ...] = ()

    @property
    def sources(self) -> tuple[str, ...]:
        """All environments whose health counts."""
        return tuple(dict.fromkeys(source for group in self.requirements for source in group))


_NO_TIME = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The facts of one question; those that the gates need (`Gate.needs`) are filled in.

    `deployments` and `suspects` (applications whose tags changed since the environment was last green) are by source,
    `statuses` by commit. `holds` are those of open pull requests. `expired`: the time to wait is over. `now` is the
    time for which the gates judge. `opinions` are those on the pull request.
    """

    now: datetime = _NO_TIME
    deployments: Mapping[str, Deployment | None] = field(default_factory=dict)
    statuses: Mapping[str, Sequence[CommitStatus]] = field(default_factory=dict)
    suspects: Mapping[str, Sequence[str]] = field(default_factory=dict)
    holds: Sequence[Hold] = ()
    expired: bool = False
    opinions: Facts | None = None


_STATES: Mapping[Decision, StatusState] = {"pass": "success", "refuse": "failure", "wait": "pending"}


def own_status(
    verdict: Verdict, *, url: str = "", shorten: Callable[[str], str] = untrusted.status_description
) -> CommitStatus:
    """Return the commit status that publishes a verdict; `url` leads to the run that judged.

    `shorten` makes a description of the first reason. A reason may begin with a path that somebody has chosen: if it
    imitates the words of an override, the description says that it is none.
    """
    description = shorten(verdict.texts[0] if verdict.reasons else "")
    if not verdict.overridden and claims_override(description):
        description = shorten(f"no override: {description}")
    return CommitStatus(context=OWN_CONTEXT, state=_STATES[verdict.decision], description=description, url=url)


@dataclass(frozen=True, slots=True, kw_only=True)
class Common:
    """The keys of the configuration's top level that gates share; `settings` are those of one gate, by its row."""

    status_contexts: tuple[str, ...]
    status_authors: tuple[str, ...] = ()
    fail_fast: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)


class Gate(Protocol):
    """One condition of an environment."""

    @property
    def needs(self) -> frozenset[Need]:
        """The evidence that `judge` looks at."""
        return frozenset()

    @property
    def judges_sources(self) -> bool:
        """True where it judges the sources alone: without a source it has nothing to say."""
        return False

    @property
    def stops_arming(self) -> bool:
        """True where auto-merge must be off until it passes; else the pull request's check holds the merge."""
        return False

    def commits(self, _deployment: Deployment, _now: datetime) -> list[str]:
        """Return the commits of a source whose statuses it needs in addition to those for the status gate."""
        return []

    def judge(self, question: Question, evidence: Evidence) -> Verdict:
        """Return the gate's verdict."""

    def note(self, requirements: Requirements) -> str:
        """Return the sentence of the pull request that says what the gate waits for, "" for none."""


def judge(gates: Sequence[Gate], question: Question, evidence: Evidence) -> Verdict:
    """Return the verdict of all gates together: the strictest counts, and its reasons come first.

    One gate more never turns a refusal or a wait into a pass. A gate that passes adds no reason to a wait or a refusal.
    """
    verdicts = [gate.judge(question, evidence) for gate in gates]
    verdict = strictest(verdicts)
    if verdict.decision == "pass":
        return verdict
    return replace(verdict, reasons=strictest([v for v in verdicts if v.decision != "pass"]).reasons)


def strictest(verdicts: Sequence[Verdict]) -> Verdict:
    """Return the verdict of several that must all pass."""
    order: tuple[Decision, ...] = ("refuse", "wait", "pass")
    return _combined(verdicts, order)


def mildest(verdicts: Sequence[Verdict]) -> Verdict:
    """Return the verdict of several of which one must pass."""
    order: tuple[Decision, ...] = ("pass", "wait", "refuse")
    return _combined(verdicts, order)


def _combined(verdicts: Sequence[Verdict], order: Sequence[Decision]) -> Verdict:
    if not verdicts:
        return Verdict(decision="pass")
    ranked = sorted(verdicts, key=lambda verdict: order.index(verdict.decision))
    return Verdict(
        decision=ranked[0].decision,
        reasons=tuple(dict.fromkeys(reason for verdict in ranked for reason in verdict.reasons)),
        newest_evidence=max((v.newest_evidence for v in ranked if v.newest_evidence), default=None),
        warnings=tuple(dict.fromkeys(warning for verdict in ranked for warning in verdict.warnings)),
        tally=next((verdict.tally for verdict in ranked if verdict.tally), None),
        overridden=next((verdict.overridden for verdict in ranked if verdict.reasons), False),
    )
