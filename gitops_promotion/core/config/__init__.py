"""Read `gitops-promotion.yaml` as a `Config`, which turns names into branches and into places of the tree.

The keys are those of `docs/configuration.md`. The YAML is read as a graph of nodes, not as Python objects, so that
every complaint has its line and no value is guessed (B39).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Literal

from gitops_promotion.core import branch_names, status_contexts
from gitops_promotion.core.branch_names import BRANCHES, Flow
from gitops_promotion.core.config import environments as section
from gitops_promotion.core.config import notifications, pull_requests
from gitops_promotion.core.config.document import Document, Entry, is_empty, line_of
from gitops_promotion.core.config.pull_requests import PullRequestSettings
from gitops_promotion.core.config.values import (
    duration,
    identity_problem,
    is_label_key,
    label_problem,
    login_problem,
    name_problem,
    slug_problem,
)
from gitops_promotion.core.environments import Environment, Pipeline
from gitops_promotion.core.gates import Common, Gate, table
from gitops_promotion.core.gates.health import contexts_of
from gitops_promotion.core.gates.holds import is_of_open_alone
from gitops_promotion.core.layout import MARKER, PATH, Layout, marker_problem, path_problem
from gitops_promotion.core.names import Application, check_name, is_name
from gitops_promotion.core.notifications.channels import Channel
from gitops_promotion.core.overrides import Override
from gitops_promotion.core.untrusted import quoted
from gitops_promotion.errors import Fault, UsageError

FILE = "gitops-promotion.yaml"
"""The name of the configuration in the root of the repository."""

MergeMethod = Literal["merge", "squash", "rebase", ""]

KEYS: Mapping[str, tuple[str, ...]] = {
    "": (
        "prflow",
        "status_timeout_minutes",
        "environments",
        "groups",
        "provider",
        "branchTemplate",
        "pathTemplate",
        "markerTemplate",
        "statusContext",
        "statusAuthors",
        "checkRunApps",
        "failFast",
        "mergeMethod",
        "commitAuthor",
        "comment",
        "notifications",
        *pull_requests.KEYS,
        *table.TOP_KEYS,
    ),
    "environments[]": section.KEYS,
    "environments[].rollback": section.ROLLBACK_KEYS,
    "notifications[]": notifications.KEYS,
    "groups.<group>": ("applications",),
    "groups.<group>.applications.<application>": (
        "featureOverwrite",
        "featureLabelSelector",
        "environments",
        "sourceRepository",
    ),
    "commitAuthor": ("name", "email"),
    "templates": pull_requests.TEMPLATE_KEYS,
    **table.MAPPINGS,
}
"""Every key, by the mapping that it belongs to; all other keys except `x-...` are errors."""

DEFAULT_TIMEOUT = 300.0
"""Seconds that `status` waits: five minutes, as the Go tool's default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationSettings:
    """The settings of one application: its features, and the environments it passes through (empty: all)."""

    feature_overwrite: bool = False
    feature_label_selector: Mapping[str, str] = field(default_factory=dict)
    environments: tuple[str, ...] = ()
    source_repository: str = ""


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
    comment: bool | None = None
    channels: tuple[Channel, ...] = ()
    verify_image: pull_requests.VerifyImage = "no"
    pull_requests: PullRequestSettings = field(default_factory=PullRequestSettings)
    gate_settings: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[Fault, ...] = ()

    def environment(self, name: str) -> Environment:
        """Return the environment of that name. Raises UsageError that lists the names."""
        return self.pipeline.environment(name)

    def way(self, application: Application) -> Pipeline:
        """Return the environments that an application passes through."""
        settings = self.groups.get(application.group, {}).get(application.name)
        return _way(self.pipeline, settings.environments) if settings and settings.environments else self.pipeline

    def source_repository(self, application: Application) -> str:
        """Return the address of the repository that an application is built from, "" if the file does not say it."""
        settings = self.groups.get(application.group, {}).get(application.name)
        return settings.source_repository if settings else ""

    @property
    def context_templates(self) -> dict[str, tuple[str, ...]]:
        """The patterns of the statuses that speak for each environment, placeholders and all."""
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
        """True if a gate's verdict changes by what people do or by the clock: a check that ran once cannot show it."""
        return table.must_publish(self.pipeline, self.common)

    @property
    def writes_comments(self) -> bool:
        """True if a pull request gets a comment with what its gates say."""
        return self.must_publish if self.comment is None else self.comment

    def is_gated(self, application: Application, environment: str) -> bool:
        """Return True if a gate has a say on an application in an environment."""
        has_sources = bool(self.way(application).sources(environment))
        gates = self.gates(environment)
        return has_sources or not all(gate.judges_sources or is_of_open_alone(gate) for gate in gates)

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
        """Return every other application whose branch, into any environment, would be this one's (B32)."""
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


def parse(source: bytes | str, file: str) -> Config:
    """Read the configuration; `file` is its name in messages.

    Raises ConfigError with all faults at once, each with file, line and the accepted values.
    """
    document = Document.parse(source, file)
    root = Entry(line_of(document.root), document.root)
    top = document.mapping(root, "the file", KEYS[""])
    flow_text = document.checked(top.get("prflow"), "prflow", _flow_problem, "per-app")
    flow: Flow = "per-env" if flow_text == "per-env" else "per-app"
    contexts = _contexts(document, top.get("statusContext"))
    environments = section.read_environments(document, top.get("environments"), root.line, contexts)
    if environments and flow == "per-app":
        section.check_fan_out(document, top["environments"], environments)
    gate_settings = table.read_top(document, top)
    table.check(
        document, document.items(top.get("environments"), "environments", section.EXAMPLE), environments, gate_settings
    )
    marker = document.checked(top.get("markerTemplate"), "markerTemplate", marker_problem, MARKER)
    config = Config(
        pipeline=Pipeline(environments=environments),
        layout=Layout(
            environments=environments,
            path=document.checked(
                top.get("pathTemplate"), "pathTemplate", lambda text: _path_template_problem(text, marker), PATH
            ),
            marker=marker,
        ),
        prflow=flow,
        status_timeout=_timeout(document, top.get("status_timeout_minutes")),
        groups=_groups(document, top.get("groups"), environments),
        provider=document.checked(top.get("provider"), "provider", lambda text: name_problem("provider", text), ""),
        branch_template=document.checked(
            top.get("branchTemplate"),
            "branchTemplate",
            lambda text: branch_names.branch_template_problem(text, flow_text),
            BRANCHES[flow],
        ),
        status_contexts=contexts,
        status_authors=document.texts(
            top.get("statusAuthors"), "statusAuthors", login_problem, "a login", several=True
        ),
        check_run_apps=document.texts(
            top.get("checkRunApps"), "checkRunApps", slug_problem, "the name of an app", several=True
        ),
        fail_fast=document.boolean(top.get("failFast"), "failFast"),
        merge_method=_merge_method(document, top.get("mergeMethod")),
        commit_author=_commit_author(document, top.get("commitAuthor")),
        comment=_comment(document, top.get("comment")),
        channels=notifications.read_channels(document, top.get("notifications"), environments),
        verify_image=pull_requests.read_verify_image(document, top.get("verifyImage")),
        pull_requests=pull_requests.read_settings(document, top),
        gate_settings=gate_settings,
    )
    document.finish()
    return replace(config, warnings=document.warnings)


def _contexts(document: Document, entry: Entry | None) -> tuple[str, ...]:
    """Return the patterns of statuses of all environments; one that was accepted once is warned about."""
    contexts = document.texts(entry, "statusContext", status_contexts.default_problem, status_contexts.DEFAULT[0])
    for text in contexts:
        if entry and status_contexts.has_open_name(text):
            document.warn(entry.line, f"statusContext is {quoted(text)}: {status_contexts.open_name_problem(text)}")
    return contexts or status_contexts.DEFAULT


def _path_template_problem(text: str, marker: str) -> str:
    if problem := path_problem(text):
        return problem
    return "" if "{env}" in text or "{env}" in marker else "it must contain {env}, unless markerTemplate has it"


def _groups(
    document: Document, entry: Entry | None, environments: Sequence[Environment]
) -> dict[str, dict[str, ApplicationSettings]]:
    groups: dict[str, dict[str, ApplicationSettings]] = {}
    for group, group_entry in document.mapping(entry, "groups", None).items():
        key_path = f"groups.{group}"
        _check_key(document, group_entry, "group", group)
        fields = document.mapping(group_entry, key_path, KEYS["groups.<group>"])
        groups[group] = {}
        for name, app_entry in document.mapping(fields.get("applications"), f"{key_path}.applications", None).items():
            _check_key(document, app_entry, "application", name)
            groups[group][name] = _application(document, app_entry, f"{key_path}.applications.{name}", environments)
    return groups


def _check_key(document: Document, entry: Entry, noun: str, text: str) -> None:
    if problem := name_problem(noun, text):
        document.fail(entry.line, problem)


def _application(
    document: Document, entry: Entry, key_path: str, environments: Sequence[Environment]
) -> ApplicationSettings:
    fields = document.mapping(entry, key_path, KEYS["groups.<group>.applications.<application>"])
    selector: dict[str, str] = {}
    labels_path = f"{key_path}.featureLabelSelector"
    for label, value in document.mapping(fields.get("featureLabelSelector"), labels_path, None).items():
        if not is_label_key(label):
            document.fail(value.line, f"{labels_path} has the key {label!r}, write a Kubernetes label's key")
        selector[label] = document.checked(value, f"{labels_path}.{label}", label_problem, "")
    return ApplicationSettings(
        feature_overwrite=document.boolean(fields.get("featureOverwrite"), f"{key_path}.featureOverwrite"),
        feature_label_selector=selector,
        environments=section.read_way(document, fields.get("environments"), f"{key_path}.environments", environments),
        source_repository=pull_requests.read_repository(
            document, fields.get("sourceRepository"), f"{key_path}.sourceRepository"
        ),
    )


def _timeout(document: Document, entry: Entry | None) -> float:
    text = document.checked(entry, "status_timeout_minutes", _timeout_problem, "0")
    # Zero was "not given" to the Go tool. A faulty text never leaves `parse`.
    return (0.0 if _timeout_problem(text) else _minutes(text)) or DEFAULT_TIMEOUT


def _timeout_problem(text: str) -> str:
    try:
        _minutes(text)
    except UsageError:
        return "accepted are whole minutes such as 5, or 300s, 5m, 1h30m, at most 366d"
    return ""


def _minutes(text: str) -> float:
    # The Go tool read `5` as five nanoseconds (B19); the key says minutes.
    return duration(f"{text}m" if re.fullmatch(r"[0-9]+", text) else text)


def _merge_method(document: Document, entry: Entry | None) -> MergeMethod:
    methods: Mapping[str, MergeMethod] = {"merge": "merge", "squash": "squash", "rebase": "rebase"}
    accepted = f"accepted are {', '.join(methods)}"
    text = document.checked(entry, "mergeMethod", lambda text: "" if text in methods else accepted, "")
    return methods.get(text, "")


def _commit_author(document: Document, entry: Entry | None) -> tuple[str, str] | None:
    if entry is None or is_empty(entry.node):
        return None
    fields = document.mapping(entry, "commitAuthor", KEYS["commitAuthor"])
    for key in KEYS["commitAuthor"]:
        if entry.node.id == "mapping" and (key not in fields or is_empty(fields[key].node)):
            document.fail(entry.line, f"commitAuthor has no {key}, write {{name: Promotions, email: bot@example.com}}")
    name, email = (
        document.checked(fields.get(key), f"commitAuthor.{key}", identity_problem, "") for key in KEYS["commitAuthor"]
    )
    return name, email


def _comment(document: Document, entry: Entry | None) -> bool | None:
    return None if entry is None or entry.is_empty else document.boolean(entry, "comment")


def _flow_problem(text: str) -> str:
    return "" if text in BRANCHES else f"accepted are {', '.join(BRANCHES)}"
