"""A GitOps repository with everybody around it, as the model acts on it: on plain git, or on a forge."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import SimpleNamespace
from typing import Any, Literal, Protocol

import pytest

from tests.support.objects import Objects

GROUP = "webshop"
APPLICATIONS = ("webui", "api")
ENVIRONMENTS = ("dev", "qa", "prod")
OPS = ("bob", "cat", "dan")
"""The people who approve."""

FREEZE = ", freezes: [{from: 2020-01-01, until: 2099-01-01, reason: forever}]"
OTHER = 'kind: Deployment\nspec:\n  image: ghcr.io/webshop/api:1.0.0 # {"$imagepolicy": "webshop:api"}\n'
OTHER_FILES = {f"{GROUP}/{environment}/api.yaml": OTHER for environment in ENVIRONMENTS}
"""The second application, beside the webshop's."""
CHANNEL = "GITOPS_PROMOTION_NOTIFY_TEAM"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the configuration of a sequence has besides three environments."""

    flow: Literal["per-app", "per-env"] = "per-app"
    has_windows: bool = False
    has_soak: bool = False
    has_approvals: bool = False
    has_channel: bool = False

    @property
    def has_clock(self) -> bool:
        """True if something depends on the time."""
        return self.has_windows or self.has_soak

    def config(self, *, frozen: bool = False) -> str:
        """Return the configuration; prod may be frozen."""
        windows = ', windows: [{from: "06:00", to: "18:00"}]' if self.has_windows else ""
        soak = ", soak: 1h" if self.has_soak else ""
        approvals = ", approvals: {strategy: four-eyes, groups: [ops]}" if self.has_approvals else ""
        text = (
            f"prflow: {self.flow}\n"
            "environments:\n"
            "  - {name: dev, auto: true}\n"
            f"  - {{name: qa, auto: true{windows}}}\n"
            f"  - {{name: prod, auto: true, overrides: true{soak}{approvals}{FREEZE if frozen else ''}}}\n"
            f"groups: {{{GROUP}: {{applications: {{webui: {{featureOverwrite: true}}, api: {{}}}}}}}}\n"
        )
        if self.has_approvals:
            text += f"approverGroups: {{ops: [{', '.join(OPS)}]}}\n"
        return text + ("notifications: [{name: team, type: webhook}]\n" if self.has_channel else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pull:
    """A pull request; the commit of its head is in the repository."""

    number: int
    branch: str
    sha: str
    is_open: bool
    is_merged: bool
    is_armed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """How a verb ended."""

    code: int
    outcomes: Sequence[Mapping[str, Any]]

    @property
    def results(self) -> list[str]:
        return [outcome["result"] for outcome in self.outcomes]


class World(Protocol):
    """One repository whose default branch is `main`, with the hands of everybody around it."""

    @property
    def now(self) -> datetime:
        """The time that runs see."""

    @property
    def objects(self) -> Objects:
        """The objects of the repository."""

    def run(self, *words: str, minutes: int = 1) -> Run:
        """Run a verb after some minutes, started by a person where the world has people who start runs."""

    def wait(self, hours: int) -> None:
        """Let time pass."""

    def branches(self) -> Mapping[str, str]:
        """Return the commit of each branch."""

    def pulls(self) -> Sequence[Pull]:
        """Return all pull requests by number."""

    def edit(self, files: Mapping[str, str]) -> None:
        """Commit onto `main` as a person."""

    def flux(self, environment: str, *, healthy: bool) -> None:
        """Report on the newest commit of `main` as the Flux of an environment."""

    def merge(self, number: int) -> None:
        """Merge as a person, past all gates; what conflicts stays open."""

    def close(self, number: int) -> None:
        """Close it unmerged, as a person."""

    def review(self, number: int, person: str, *, approve: bool) -> None:
        """Approve or reject it."""

    def texts(self, number: int) -> Sequence[str]:
        """Return the comments on a pull request."""

    def verdicts(self, sha: str) -> Sequence[tuple[str, str]]:
        """Return the verdicts published on a commit, newest first: state and description."""

    def state(self) -> object:
        """Return all that a run can change, to compare it."""

    def told(self) -> Sequence[Mapping[str, Any]]:
        """Return what the channel was sent so far."""


def rule_time(world: World, patch: pytest.MonkeyPatch) -> None:
    """Let runs and their commits have the time of a world."""
    patch.setattr("gitops_promotion.workflow.run._now", lambda: world.now)
    patch.setattr("gitops_promotion.git.repository.datetime", SimpleNamespace(now=lambda _: world.now))
