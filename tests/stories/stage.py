"""A forge with its CI around one GitOps repository, in words that fit every forge: what a story is told with.

A further forge implements `Stage` and adds its name to FORGES in conftest.py; the stories themselves stay as they are.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

from tests.conftest import Checkout
from tests.forges.faults import Fault, Faults, Request

Kind = Literal["dispatch", "push", "pull_request", "merge_group", "status", "schedule", "review"]
Method = Literal["merge", "squash", "rebase"]
CHECKS: tuple[Kind, ...] = ("pull_request", "merge_group")
"""What a job runs on whose result is a check of the commit."""


@dataclass(frozen=True, kw_only=True)
class Trigger:
    """One event for which the forge starts workflows, as it was when it happened.

    `branch` was pushed to, or is the pull request's own or the merge group's; `sha` is its commit; `context` is the
    name of the status that arrived; `event` is the forge's own record of it.
    """

    kind: Kind
    branch: str = "main"
    sha: str = ""
    number: int | None = None
    context: str = ""
    event: Any = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True)
class Pull:
    """A pull request as people see it; `armed`: it merges by itself, or waits in a queue."""

    number: int
    branch: str
    sha: str
    state: Literal["open", "merged", "closed"]
    armed: bool


@dataclass(frozen=True, kw_only=True)
class Run:
    """One step of a workflow: what it was run for, how it ended, what it printed and asked of the API.

    `waits` is how often it slept.
    """

    verb: str
    trigger: Trigger
    code: int
    outcomes: list[dict[str, Any]]
    printed: str = field(repr=False)
    requests: tuple[str, ...] = field(repr=False)
    waits: int

    @property
    def results(self) -> list[str]:
        return [outcome["result"] for outcome in self.outcomes]

    @property
    def only(self) -> dict[str, Any]:
        assert len(self.outcomes) == 1, self.printed
        return self.outcomes[0]


@dataclass(frozen=True, kw_only=True)
class Budgets:
    """How many requests of the API a verb may take at most.

    `promote` is for the first look, `promotion` for each one that it opens; `status` for the first look, `look` for
    each further one; `publish` for the first look, `gate` and `verdict` for each gate asked and verdict published.
    """

    new: int
    promote: int
    promotion: int
    status: int
    look: int
    publish: int
    gate: int
    verdict: int


class Stage(Protocol):
    """One repository on one forge, its default branch `main`, with the hands of everybody around it.

    Nothing here goes through the code under test. What is armed merges by itself as soon as the forge's rules let it.
    """

    name: ClassVar[str]
    """What people call the forge."""
    nothing_follows: str
    """What `promote` says after a merge into prod: a push whose range is told is skipped, else all is compared."""
    methods: tuple[Method, ...]
    """How it can merge."""
    budgets: ClassVar[Budgets]
    passing: Sequence[Fault]
    """Four ways in which the API fails for a moment, so that asking again helps; some of them after the effect."""
    refusing: Sequence[Fault]
    """Ways in which it refuses for good, as for a token that was revoked or may do too little."""

    @property
    def url(self) -> str:
        """The remote's address, as a checkout has it."""

    @property
    def token(self) -> str:
        """The secret that the workflows of `new`, `promote` and `status --publish` get."""

    @property
    def requests(self) -> list[Request]:
        """The server's log, git's requests too; tests may clear it."""

    @property
    def faults(self) -> Faults:
        """What goes wrong on demand."""

    def watch(self, act: Callable[[], object]) -> None:
        """Have something done at each request, before it is answered."""

    def save(self) -> Callable[[], None]:
        """Keep all that the forge knows now, and return what makes it know that again."""

    # -- the runner

    def triggers(self) -> list[Trigger]:
        """Return what happened since the last asking for which the forge starts workflows, in order."""

    def dispatch(self, group: str, app: str, tag: str) -> None:
        """Have an application's build announce an image, as the forge's examples do: the next of `triggers`."""

    def schedule(self) -> Trigger:
        """Let the time of a scheduled workflow come."""

    def checkout(self, trigger: Trigger, path: Path) -> Checkout:
        """Make the shallow checkout of depth 1 that the forge's own checkout step makes for this event."""

    def environ(self, trigger: Trigger, folder: Path, *, reads: bool) -> Mapping[str, str]:
        """Return what the runner and the example's step put into the environment; files of theirs go into `folder`.

        `reads`: it is a step that gets no more than the right to read.
        """

    def arguments(self, trigger: Trigger) -> Sequence[str]:
        """Return the options that the example's step hands on from the event, beyond the verb."""

    def report(self, trigger: Trigger, *, passed: bool) -> None:
        """Note how the job of one of CHECKS ended, where the forge's rules look."""

    # -- rules and settings

    def require_check(self, *, up_to_date: bool = False) -> None:
        """Demand that the job `status` passes before anything merges into main."""

    def require_verdict(self) -> None:
        """Demand the published verdict instead."""

    def merge_by(self, method: Method) -> None:
        """Allow this one way to merge."""

    def queue(self, minimum: int) -> None:
        """Demand that merges go through a queue, which merges `minimum` in one push; GitHub alone has one."""

    def be_late(self, reads: int) -> None:
        """Show merges of now on as still open to that many requests each."""

    def crowd(self, *, opened: int, closed: int) -> None:
        """Have that many pull requests of other people, the closed ones older."""

    # -- people and Flux

    def flux(self, sha: str, name: str, uid: str, *, healthy: bool, description: str) -> None:
        """Report on a commit as Flux does for the Kustomization `name` (docs/facts/flux.md#commit-statuses)."""

    def post(self, sha: str, context: str, *, passed: bool) -> None:
        """Report on a commit as any other program does, or anybody who may push."""

    def verdicts(self, sha: str) -> list[tuple[str, str]]:
        """Return the states and descriptions of our own published verdict on a commit, newest first."""

    def pulls(self) -> list[Pull]:
        """Return all pull requests by number, whatever late readers see."""

    def branches(self) -> Mapping[str, str]:
        """Return the commit of each branch."""

    def show(self, revision: str, path: str) -> str:
        """Return a file of a branch or commit."""

    def push(self, branch: str, files: Mapping[str, str | None], *, message: str = "Change") -> str:
        """Commit as a person onto a branch, begun at main where it is new, past all rules; returns the commit."""

    def open(self, branch: str) -> int:
        """Open a pull request by hand and return its number."""

    def merge(self, number: int) -> None:
        """Merge it by hand, past all rules."""

    def merge_together(self, numbers: Sequence[int]) -> None:
        """Merge these by hand so that their merges start one workflow together."""

    def close(self, number: int) -> None:
        """Close it unmerged."""

    def edit(self, number: int, *, body: str) -> None:
        """Rewrite its text."""

    def review(self, number: int, by: str, *, approve: bool) -> None:
        """Approve or reject it in the browser."""

    def token_of(self, person: str) -> str:
        """Return a new token of a person."""

    def comments(self, number: int) -> list[str]:
        """Return the texts of the comments on it that anybody wrote, oldest first."""

    def reviews(self, number: int) -> list[str]:
        """Return who approved and rejected it, with their words, oldest first; all times, not the last one alone."""

    def texts(self, number: int) -> tuple[str, str]:
        """Return its title and its description."""

    def files(self, sha: str) -> Mapping[str, str]:
        """Return the ids of the files and folders at the root of a commit, by name."""


def tag_in(text: str) -> str:
    """Return the tag of a manifest with one marker."""
    found = re.search(r'[:"]([\w.-]+)"? # \{', text)
    assert found, text
    return found[1]
