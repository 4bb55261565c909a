"""What `init` proposes for a tree: the configuration, the markers, and what a person must decide."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from gitops_promotion.core import diff
from gitops_promotion.core.environments import Environment, Pipeline
from gitops_promotion.core.forge import PullRequest
from gitops_promotion.core.names import Application

State = Literal["planned", "written", "opened"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposedEnvironment:
    """One environment of the proposal; `after` are the environments before it, None for the one above it."""

    name: str
    auto: bool
    after: tuple[str, ...] | None = None


def pipeline_of(environments: Sequence[ProposedEnvironment]) -> Pipeline:
    """Return the pipeline of proposed environments."""
    return Pipeline(
        environments=tuple(
            Environment(
                name=e.name, auto=e.auto, after=None if e.after is None else tuple((source,) for source in e.after)
            )
            for e in environments
        )
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """The proposal: `edits` are the new contents of files by path.

    `old` has the present contents of the files that change. `workflows` are the paths in `edits` that start runs on the
    forge. `applications` has the environments of each application. `undecided` are sentences, each with the place to
    change; `notes` are sentences too. `provider` is the manifest that posts the proposed status contexts, "" if none is
    needed. `state` says what was done with the files; `printed` are files that are only printed, since the server does
    not accept them from this identity.
    """

    environments: tuple[ProposedEnvironment, ...]
    applications: Mapping[Application, Sequence[str]]
    edits: Mapping[str, bytes]
    old: Mapping[str, bytes] = field(default_factory=dict)
    workflows: tuple[str, ...] = ()
    printed: Mapping[str, bytes] = field(default_factory=dict)
    undecided: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    provider: str = ""
    state: State = "planned"
    pull_request: PullRequest | None = None

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups of the applications."""
        return tuple(dict.fromkeys(application.group for application in self.applications))

    def way(self, application: Application) -> Pipeline:
        """Return the environments of an application, in the order in which a tag passes through them."""
        return pipeline_of(self.environments).way(self.applications[application])

    @property
    def diff(self) -> str:
        """The changes of all files as a unified diff."""
        return diff.unified(self.old, self.edits)
