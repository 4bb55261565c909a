"""Turn the text of `gitops-promotion.yaml` into a `Config`, which turns names into paths and branches.

The keys are those of DESIGN 5 and `docs/configuration.md`. The YAML is read as a graph of nodes, not as Python objects,
so that every complaint has its line and no value is guessed at (B39).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from gitops_promotion.core import layout
from gitops_promotion.core.config.document import Document, Entry, is_empty, line_of
from gitops_promotion.core.layout import BRANCHES, PATH, Flow
from gitops_promotion.core.names import check_name, is_name
from gitops_promotion.core.untrusted import quoted
from gitops_promotion.errors import UsageError

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
        "statusContext",
        "statusAuthors",
        "checkRunApps",
        "failFast",
        "mergeMethod",
        "commitAuthor",
    ),
    "environments[]": ("name", "auto"),
    "groups.<group>": ("applications",),
    "groups.<group>.applications.<application>": ("featureOverwrite", "featureLabelSelector"),
    "commitAuthor": ("name", "email"),
}
"""Every key with a meaning, by the mapping it stands in; all others but `x-...` are errors."""

DEFAULT_TIMEOUT = 300.0
"""Seconds `status` waits: the predecessor's five minutes."""

_CONTEXTS = ("*/{group}-{env}", "*/{group}-{env}/*")
_SECONDS = (86400.0, 3600.0, 60.0, 1.0, 0.001)
_DURATION = re.compile("".join(rf"(?:([0-9]{{1,9}}(?:\.[0-9]{{1,3}})?){unit})?" for unit in ("d", "h", "m", "s", "ms")))
_LONGEST = 366 * 86400.0
_LABEL = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)")
_SLUG = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,98}[A-Za-z0-9])?")
_LABEL_PREFIX = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """One stage; `auto`: pull requests into it merge without a person once their checks pass."""

    name: str
    auto: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """What `feature` needs to know of an application."""

    feature_overwrite: bool = False
    feature_label_selector: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The checked configuration; `environments` in promotion order, never empty; `status_timeout` in seconds.

    `provider` and `merge_method` are "" and `commit_author` (name, e-mail) is None where the file does not say; so are
    the `status_authors` (logins) that alone may speak for an environment, and none are the apps whose check runs may.
    """

    environments: tuple[Environment, ...]
    prflow: Flow = "per-app"
    status_timeout: float = DEFAULT_TIMEOUT
    groups: Mapping[str, Mapping[str, Application]] = field(default_factory=dict)
    provider: str = ""
    branch_template: str = BRANCHES["per-app"]
    path_template: str = PATH
    status_contexts: tuple[str, ...] = _CONTEXTS
    status_authors: tuple[str, ...] = ()
    check_run_apps: tuple[str, ...] = ()
    fail_fast: bool = False
    merge_method: MergeMethod = ""
    commit_author: tuple[str, str] | None = None

    @property
    def first(self) -> Environment:
        """The environment `new` goes to."""
        return self.environments[0]

    def environment(self, name: str) -> Environment:
        """Return the environment of that name. Raises UsageError that lists the names."""
        return self.environments[self._index(name)]

    def previous_environment(self, name: str) -> Environment | None:
        """Return the one promoted from into `name`, None for the first. Raises UsageError for an unknown name."""
        return next(iter(self.environments[: self._index(name)][-1:]), None)

    def _index(self, name: str) -> int:
        names = [environment.name for environment in self.environments]
        if name not in names:
            raise UsageError(f"environment {name!r} is not in the configuration: use one of {', '.join(names)}")
        return names.index(name)

    def path(self, group: str, environment: str) -> str:
        """Return the folder of a group in an environment, relative, without a final slash. Raises UsageError.

        The one place where names become paths (DESIGN 10).
        """
        return layout.fill(
            self.path_template, group=check_name("group", group), env=check_name("environment", environment)
        )

    def environment_of(self, path: str, group: str) -> str | None:
        """Return the environment in whose folder for `group` the file lies, None for a file elsewhere."""
        # For one group the template gives each environment a folder of its own, all equally deep: at most one fits.
        for environment in self.environments:
            if path.startswith(self.path(group, environment.name) + "/"):
                return environment.name
        return None

    def branch(self, group: str, app: str, environment: str) -> str:
        """Return the promotion branch, without `refs/heads/`. Raises UsageError.

        The one place where names become refs (DESIGN 10). Different names may share one: see `rivals`.
        """
        name = layout.fill(
            self.branch_template,
            group=check_name("group", group),
            app=check_name("application", app),
            env=check_name("environment", environment),
        )
        if fault := layout.ref_fault(name):
            raise UsageError(f"{group}/{app} in {environment} makes the branch {name!r}, which {fault}: rename one")
        return name

    def feature_branch(self, group: str, app: str, feature: str) -> str:
        """Return a feature's branch, without `refs/heads/`; different names may share one. Raises UsageError."""
        names = (check_name("group", group), check_name("application", app), check_name("feature", feature))
        name = f"feature/{'-'.join(names)}"
        if fault := layout.ref_fault(name):
            raise UsageError(f"feature {feature} of {group}/{app} makes the branch {name!r}, which {fault}: rename one")
        return name

    def rivals(self, group: str, app: str, environment: str) -> list[tuple[str, str]]:
        """Return every other (group, application) whose branch, into any environment, would be this one's (B32)."""
        branch = self.branch(group, app, environment)
        fitting = layout.rivals(self.branch_template, branch, [known.name for known in self.environments])
        return [pair for pair in fitting if pair != (group, app) and all(map(is_name, pair))]

    @property
    def branch_prefix(self) -> str:
        """What all promotion branches begin with, up to and with a slash: `promote/`."""
        return layout.prefix(self.branch_template)


def duration(text: str) -> float:
    """Read `30s`, `5m`, `1h30m`, `7d`, `250ms` or `0` as seconds. Raises UsageError.

    A bare number is refused: the configuration's `5` means minutes, a flag's might mean seconds (B19).
    """
    if text == "0":
        return 0.0
    match = _DURATION.fullmatch(text)
    if not text or not match:
        unit = f"{quoted(text)} has no unit" if re.fullmatch(r"[0-9]+", text) else f"{quoted(text)} is not a duration"
        raise UsageError(f"{unit}: write it as 30s, 5m, 1h30m or 7d")
    seconds = sum(float(number or 0) * unit for number, unit in zip(match.groups(), _SECONDS, strict=True))
    if seconds > _LONGEST:
        raise UsageError(f"{quoted(text)} is too long: use at most 366d")
    return seconds


def parse(source: bytes | str, file: str) -> Config:
    """Read the configuration; `file` is its name in messages.

    Raises ConfigError with all faults at once, each `file:line: what, and what is accepted`.
    """
    document = Document.parse(source, file)
    root = Entry(line_of(document.root), document.root)
    top = document.mapping(root, "the file", KEYS[""])
    written = document.checked(top.get("prflow"), "prflow", _flow_fault, "per-app")
    flow: Flow = "per-env" if written == "per-env" else "per-app"
    config = Config(
        environments=_environments(document, top.get("environments"), root.line),
        prflow=flow,
        status_timeout=_timeout(document, top.get("status_timeout_minutes")),
        groups=_groups(document, top.get("groups")),
        provider=document.checked(top.get("provider"), "provider", lambda text: _name_fault("provider", text), ""),
        branch_template=document.checked(
            top.get("branchTemplate"),
            "branchTemplate",
            lambda text: layout.branch_fault(text, written),
            BRANCHES[flow],
        ),
        path_template=document.checked(top.get("pathTemplate"), "pathTemplate", layout.path_fault, PATH),
        status_contexts=_contexts(document, top.get("statusContext")),
        status_authors=_names(document, top.get("statusAuthors"), "statusAuthors", _login_fault),
        check_run_apps=_names(document, top.get("checkRunApps"), "checkRunApps", _slug_fault),
        fail_fast=document.boolean(top.get("failFast"), "failFast"),
        merge_method=_method(document, top.get("mergeMethod")),
        commit_author=_author(document, top.get("commitAuthor")),
    )
    document.finish()
    return config


def _environments(document: Document, entry: Entry | None, line: int) -> tuple[Environment, ...]:
    example = "[{name: dev, auto: true}, {name: prod}]"
    items = document.items(entry, "environments", example)
    if entry is None or is_empty(entry.node) or entry.node.value == []:
        document.fail(entry.line if entry else line, f"environments is missing or empty, write it as {example}")
    environments: list[Environment] = []
    lines: dict[str, int] = {}
    for number, item in enumerate(items):
        where = f"environments[{number}]"
        fields = document.mapping(item, where, KEYS["environments[]"])
        name = document.checked(fields.get("name"), f"{where}.name", lambda text: _name_fault("environment", text), "")
        # Statuses are compared ignoring case, and some file systems do the same.
        key = name.lower()
        if item.node.id == "mapping" and not name:
            document.fail(item.line, f"{where} has no name, write it as {{name: dev, auto: true}}")
        elif key in lines:
            document.fail(item.line, f"{where}.name is {name!r}: taken by line {lines[key]} (case ignored), rename one")
        elif name:
            lines[key] = item.line
        environments.append(Environment(name=name, auto=document.boolean(fields.get("auto"), f"{where}.auto")))
    return tuple(environments)


def _groups(document: Document, entry: Entry | None) -> dict[str, dict[str, Application]]:
    groups: dict[str, dict[str, Application]] = {}
    for group, group_entry in document.mapping(entry, "groups", None).items():
        where = f"groups.{group}"
        _check_key(document, group_entry, "group", group)
        fields = document.mapping(group_entry, where, KEYS["groups.<group>"])
        groups[group] = {}
        for app, app_entry in document.mapping(fields.get("applications"), f"{where}.applications", None).items():
            _check_key(document, app_entry, "application", app)
            groups[group][app] = _application(document, app_entry, f"{where}.applications.{app}")
    return groups


def _check_key(document: Document, entry: Entry, noun: str, text: str) -> None:
    if fault := _name_fault(noun, text):
        document.fail(entry.line, fault)


def _application(document: Document, entry: Entry, where: str) -> Application:
    fields = document.mapping(entry, where, KEYS["groups.<group>.applications.<application>"])
    selector: dict[str, str] = {}
    where_labels = f"{where}.featureLabelSelector"
    for label, value in document.mapping(fields.get("featureLabelSelector"), where_labels, None).items():
        if not _is_label_key(label):
            document.fail(value.line, f"{where_labels} has the key {label!r}, write a Kubernetes label's key")
        selector[label] = document.checked(value, f"{where_labels}.{label}", _label_fault, "")
    return Application(
        feature_overwrite=document.boolean(fields.get("featureOverwrite"), f"{where}.featureOverwrite"),
        feature_label_selector=selector,
    )


def _timeout(document: Document, entry: Entry | None) -> float:
    text = document.checked(entry, "status_timeout_minutes", _timeout_fault, "0")
    # Zero was "not given" to the predecessor. A faulty text never gets out of `parse`.
    return (0.0 if _timeout_fault(text) else _minutes(text)) or DEFAULT_TIMEOUT


def _timeout_fault(text: str) -> str:
    try:
        _minutes(text)
    except UsageError:
        return "accepted are whole minutes such as 5, or 300s, 5m, 1h30m, at most 366d"
    return ""


def _minutes(text: str) -> float:
    # The predecessor read `5` as five nanoseconds (B19); the key says minutes.
    return duration(f"{text}m" if re.fullmatch(r"[0-9]+", text) else text)


def _contexts(document: Document, entry: Entry | None) -> tuple[str, ...]:
    if entry is None or entry.node.id != "sequence":
        text = document.checked(entry, "statusContext", _context_fault, "")
        return (text,) if text else _CONTEXTS
    items = document.items(entry, "statusContext", f"[{_CONTEXTS[0]!r}]")
    if not items:
        document.fail(entry.line, f"statusContext is an empty list, write {_CONTEXTS[0]!r} or leave it out")
    patterns = []
    for number, item in enumerate(items):
        where = f"statusContext[{number}]"
        patterns.append(document.checked(item, where, _context_fault, ""))
        if is_empty(item.node):
            document.fail(item.line, f"{where} is empty, write a pattern such as {_CONTEXTS[0]!r}")
    return tuple(patterns)


def _names(document: Document, entry: Entry | None, key: str, fault: Callable[[str], str]) -> tuple[str, ...]:
    items = document.items(entry, key, "[one, another]")
    if entry is not None and entry.node.id == "sequence" and not items:
        document.fail(entry.line, f"{key} is an empty list, write a name or leave it out")
    names = []
    for number, item in enumerate(items):
        names.append(document.checked(item, f"{key}[{number}]", fault, ""))
        if is_empty(item.node):
            document.fail(item.line, f"{key}[{number}] is empty, write a name")
    return tuple(names)


def _method(document: Document, entry: Entry | None) -> MergeMethod:
    methods: Mapping[str, MergeMethod] = {"merge": "merge", "squash": "squash", "rebase": "rebase"}
    accepted = f"accepted are {', '.join(methods)}"
    text = document.checked(entry, "mergeMethod", lambda text: "" if text in methods else accepted, "")
    return methods.get(text, "")


def _author(document: Document, entry: Entry | None) -> tuple[str, str] | None:
    if entry is None or is_empty(entry.node):
        return None
    fields = document.mapping(entry, "commitAuthor", KEYS["commitAuthor"])
    for key in KEYS["commitAuthor"]:
        if entry.node.id == "mapping" and (key not in fields or is_empty(fields[key].node)):
            document.fail(entry.line, f"commitAuthor has no {key}, write {{name: Promotions, email: bot@example.com}}")
    name, email = (
        document.checked(fields.get(key), f"commitAuthor.{key}", _identity_fault, "") for key in KEYS["commitAuthor"]
    )
    return name, email


def _flow_fault(text: str) -> str:
    return "" if text in BRANCHES else f"accepted are {', '.join(BRANCHES)}"


def _name_fault(noun: str, text: str) -> str:
    try:
        check_name(noun, text)
    except UsageError as error:
        return str(error)
    return ""


def _context_fault(text: str) -> str:
    return layout.fault(text, ("group", "env"), ("env",))


def _identity_fault(text: str) -> str:
    if not text.isprintable() or set("<>") & set(text) or not any(map(str.isalnum, text)):
        return "git takes one line with a letter or digit and without < and >"
    return ""


def _login_fault(text: str) -> str:
    # Azure DevOps has e-mail addresses and names with blanks for it.
    return "" if text.isprintable() and text == text.strip() and len(text) <= 256 else "write one line, a user's login"


def _slug_fault(text: str) -> str:
    return "" if _SLUG.fullmatch(text) else "write an app's slug, as in its address: github.com/apps/SLUG"


def _label_fault(text: str) -> str:
    return "" if _LABEL.fullmatch(text) else "not a Kubernetes label value (letters, digits, ._- and at most 63)"


def _is_label_key(text: str) -> bool:
    prefix, slash, name = text.rpartition("/")
    return bool(_LABEL.fullmatch(name) and (not slash or _LABEL_PREFIX.fullmatch(prefix)))
