"""The checked configuration, which turns names into branches and into places of the tree."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

from gitops_promotion.core import branch_names, status_contexts
from gitops_promotion.core.branch_names import BRANCHES, Flow
from gitops_promotion.core.config.applications import ApplicationSettings
from gitops_promotion.core.config.pull_requests import PullRequestSettings, VerifyImage
from gitops_promotion.core.environments import Environment, Pipeline
from gitops_promotion.core.gates import Common, Gate, table
from gitops_promotion.core.gates.health import contexts_of
from gitops_promotion.core.gates.holds import Holds, is_of_open_alone
from gitops_promotion.core.layout import Layout
from gitops_promotion.core.names import Application, check_name, is_name
from gitops_promotion.core.notifications.channels import Channel
from gitops_promotion.core.overrides import Override
from gitops_promotion.errors import Fault, UsageError

MergeMethod = Literal["merge", "squash", "rebase", ""]
CommitSigning = Literal["git", "forge", "off"]
"""Who signs new commits: git if git's configuration says so, always the forge, or nobody."""

DEFAULT_TIMEOUT = 300.0
"""Seconds that `status` waits: five minutes, as the Go tool's default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The checked configuration; `status_timeout` in seconds.

    `warnings` name lines of the file. `provider` and `merge_method` are "" and `commit_author` (name, e-mail) is None
    if the file does not give them. Without `status_authors` (logins) the statuses of everybody count; check runs count
    only from the apps in `check_run_apps`. `comment` is None where the gates decide whether there is one. `channels`
    are those of `notifications`. `gate_settings` has the keys of gates at the top level, by the names of
    `core/gates/table.py`.
    """

    pipeline: Pipeline
    layout: Layout
    prflow: Flow = "per-app"
    status_timeout: float = DEFAULT_TIMEOUT
    groups: Mapping[str, Mapping[str, ApplicationSettings]] = field(default_factory=dict)
    provider: str = ""
    branch_template: str = BRANCHES["per-app"]
    status_contexts: tuple[str, ...] = status_contexts.DEFAULT
    status_authors: tuple[str, ...] = ()
    check_run_apps: tuple[str, ...] = ()
    fail_fast: bool = False
    merge_method: MergeMethod = ""
    commit_author: tuple[str, str] | None = None
    commit_signing: CommitSigning = "git"
    comment: bool | None = None
    channels: tuple[Channel, ...] = ()
    verify_image: VerifyImage = "no"
    pull_requests: PullRequestSettings = field(default_factory=PullRequestSettings)
    gate_settings: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[Fault, ...] = ()

    def environment(self, name: str) -> Environment:
        """Return the environment of that name. Raises UsageError, which lists the names."""
        return self.pipeline.environment(name)

    def way(self, application: Application) -> Pipeline:
        """Return the environments that an application passes through."""
        settings = self.groups.get(application.group, {}).get(application.name)
        return _way(self.pipeline, settings.environments) if settings and settings.environments else self.pipeline

    def way_into(self, application: Application, environment: str) -> Pipeline:
        """Return the environments of an application that goes into this one. Raises UsageError for any other."""
        way = self.way(application)
        if environment not in way.names:
            raise UsageError(f"{application} does not go into {environment}: its environments are {way}")
        return way

    def source_repository(self, application: Application) -> str:
        """Return the address of the repository that an application is built from, "" if the file does not say it."""
        settings = self.groups.get(application.group, {}).get(application.name)
        return settings.source_repository if settings else ""

    @property
    def context_templates(self) -> dict[str, tuple[str, ...]]:
        """The patterns of the statuses that count for each environment, with their placeholders."""
        return {e.name: contexts_of(e) or self.status_contexts for e in self.pipeline.environments}

    def gates(
        self, environment: str, override: Override | None = None, *, only: Sequence[str] = ()
    ) -> tuple[Gate, ...]:
        """Return the gates of an environment, without those that an override passes. Raises UsageError.

        `only` are the names of those to return, all where it is empty.
        """
        self.environment(environment)
        return table.make_gates(environment, self.pipeline, self.common, override, only=only or None)

    def allows_overrides(self, environment: str) -> bool:
        """Return True if a person may send a promotion past the gates of an environment: `overrides`.

        Without the key that is so where nobody's approval is needed. Raises UsageError.
        """
        settings = self.environment(environment)
        return not settings.setting("approvals") if settings.overrides is None else settings.overrides

    @property
    def common(self) -> Common:
        """The keys of the top level that gates share."""
        return Common(
            status_contexts=self.status_contexts,
            status_authors=self.status_authors,
            fail_fast=self.fail_fast,
            settings=self.gate_settings,
        )

    @property
    def has_approvals(self) -> bool:
        """True if people have to approve promotions into some environment."""
        return any(environment.setting("approvals") for environment in self.pipeline.environments)

    @property
    def must_publish(self) -> bool:
        """True if people or the clock can change the verdict of a gate: a check that ran once cannot show that."""
        return table.must_publish(self.pipeline, self.common)

    @property
    def writes_comments(self) -> bool:
        """True if a pull request gets a comment with what its gates say."""
        return self.must_publish if self.comment is None else self.comment

    def is_gated(self, application: Application, environment: str) -> bool:
        """Return True if a gate judges the promotions of an application into an environment. Raises UsageError."""
        has_sources = bool(self.way(application).sources(environment))
        gates = self.gates(environment)
        return has_sources or not all(gate.judges_sources or is_of_open_alone(gate) for gate in gates)

    def needs_holds_alone(self, application: Application, environment: str) -> bool:
        """Return True if nothing but a hold can stop an application in an environment. Raises UsageError."""
        gates = self.gates(environment)
        has_sources = bool(self.way(application).sources(environment))
        return not has_sources and all(gate.judges_sources or isinstance(gate, Holds) for gate in gates)

    def branch(self, application: Application, environment: str) -> str:
        """Return the promotion branch, without `refs/heads/`. Raises UsageError.

        The one place where names become refs. Several applications may share a branch: see `collisions`.
        """
        name = branch_names.fill(
            self.branch_template,
            group=check_name("group", application.group),
            app=check_name("application", application.name),
            env=check_name("environment", environment),
        )
        if problem := branch_names.branch_problem(name):
            raise UsageError(f"{application} in {environment} makes the branch {name!r}, which {problem}: rename one")
        return name

    def feature_branch(self, application: Application, feature: str) -> str:
        """Return a feature's branch, without `refs/heads/`; several features may share one. Raises UsageError."""
        names = (
            check_name("group", application.group),
            check_name("application", application.name),
            check_name("feature", feature),
        )
        name = f"{branch_names.FEATURES}{'-'.join(names)}"
        if problem := branch_names.branch_problem(name):
            raise UsageError(
                f"feature {feature} of {application} makes the branch {name!r}, which {problem}: rename one"
            )
        return name

    def collisions(self, application: Application, environment: str) -> list[Application]:
        """Return every other application that would have this one's branch, into any environment.

        This is B32 of docs/migrating.md. Raises UsageError.
        """
        branch = self.branch(application, environment)
        pairs = branch_names.collisions(self.branch_template, branch, self.pipeline.names)
        applications = (Application(*pair) for pair in pairs if all(map(is_name, pair)))
        return [collision for collision in applications if collision != application]

    @property
    def branch_prefixes(self) -> tuple[str, ...]:
        """The beginnings of all branches of this tool, each with its slash, those of promotions first."""
        return branch_names.prefix(self.branch_template), *branch_names.BESIDE_PROMOTIONS


@lru_cache(maxsize=1024)
def _way(pipeline: Pipeline, names: tuple[str, ...]) -> Pipeline:
    return pipeline.way(names)
