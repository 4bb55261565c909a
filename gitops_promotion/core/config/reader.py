"""Read `gitops-promotion.yaml` as a `Config`.

The keys are those of `docs/configuration.md`. The YAML is read as a graph of nodes, not as Python objects, so that
every complaint has its line and no value is guessed (docs/migrating.md, B39).
"""

import re
from collections.abc import Mapping
from dataclasses import replace

from gitops_promotion.core import branch_names, status_contexts
from gitops_promotion.core.branch_names import BRANCHES, Flow
from gitops_promotion.core.config import applications, notifications, pull_requests
from gitops_promotion.core.config import environments as section
from gitops_promotion.core.config.configuration import DEFAULT_TIMEOUT, CommitSigning, Config, MergeMethod
from gitops_promotion.core.config.document import Document, Entry, is_empty, line_of
from gitops_promotion.core.config.values import duration, identity_problem, login_problem, name_problem, slug_problem
from gitops_promotion.core.environments import Pipeline
from gitops_promotion.core.gates import table
from gitops_promotion.core.layout import MARKER, PATH, Layout, marker_problem, path_problem
from gitops_promotion.core.untrusted import quoted
from gitops_promotion.errors import UsageError

FILE = "gitops-promotion.yaml"
"""The name of the configuration in the root of the repository."""

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
        "commitSigning",
        "comment",
        "notifications",
        *pull_requests.KEYS,
        *table.TOP_KEYS,
    ),
    "environments[]": section.KEYS,
    "environments[].rollback": section.ROLLBACK_KEYS,
    "notifications[]": notifications.KEYS,
    "groups.<group>": applications.GROUP_KEYS,
    "groups.<group>.applications.<application>": applications.APPLICATION_KEYS,
    "commitAuthor": ("name", "email"),
    "templates": pull_requests.TEMPLATE_KEYS,
    **table.MAPPINGS,
}
"""Every key, by the mapping that it belongs to; all other keys except `x-...` are errors."""


def parse(source: bytes | str, file: str) -> Config:
    """Read the configuration; `file` is its name in messages.

    Raises ConfigError with all faults at once, each with file, line and the accepted values. If `environments` is
    missing and the top level has faults, it raises only these.
    """
    document = Document.parse(source, file)
    root = Entry(line_of(document.root), document.root)
    top = document.mapping(root, "the file", KEYS[""])
    if "environments" not in top:
        # The faults so far are the reason: the file is no mapping, or the key is misspelled.
        document.finish()
    flow_text = document.checked(top.get("prflow"), "prflow", _flow_problem, "per-app")
    flow: Flow = "per-env" if flow_text == "per-env" else "per-app"
    contexts = _contexts(document, top.get("statusContext"))
    environments = section.read_environments(document, top.get("environments"), root.line, contexts)
    if environments and flow == "per-app":
        section.check_fan_out(document, top["environments"], environments)
    gate_settings = table.read_top(document, top)
    entries = document.items(top.get("environments"), "environments", section.EXAMPLE)
    table.check(document, entries, environments, gate_settings)
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
        groups=applications.read_groups(document, top.get("groups"), environments),
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
        commit_signing=_commit_signing(document, top),
        comment=_comment(document, top.get("comment")),
        channels=notifications.read_channels(document, top.get("notifications"), environments),
        verify_image=pull_requests.read_verify_image(document, top.get("verifyImage")),
        pull_requests=pull_requests.read_settings(document, top),
        gate_settings=gate_settings,
    )
    document.finish()
    return replace(config, warnings=document.warnings)


def _contexts(document: Document, entry: Entry | None) -> tuple[str, ...]:
    """Return the patterns of statuses of all environments; warn about one that only older versions accepted."""
    contexts = document.texts(entry, "statusContext", status_contexts.default_problem, status_contexts.DEFAULT[0])
    for text in contexts:
        if entry and status_contexts.has_open_name(text):
            document.warn(entry.line, f"statusContext is {quoted(text)}: {status_contexts.open_name_problem(text)}")
    return contexts or status_contexts.DEFAULT


def _path_template_problem(text: str, marker: str) -> str:
    if problem := path_problem(text):
        return problem
    return "" if "{env}" in text or "{env}" in marker else "it must contain {env}, unless markerTemplate has it"


def _timeout(document: Document, entry: Entry | None) -> float:
    text = document.checked(entry, "status_timeout_minutes", _timeout_problem, "0")
    # The Go tool read zero as "not given". For a faulty text `parse` raises, so the value here does not matter.
    return (0.0 if _timeout_problem(text) else _minutes(text)) or DEFAULT_TIMEOUT


def _timeout_problem(text: str) -> str:
    try:
        _minutes(text)
    except UsageError:
        return "accepted are whole minutes such as 5, or 300s, 5m, 1h30m, at most 366d"
    return ""


def _minutes(text: str) -> float:
    # The Go tool read `5` as five nanoseconds (docs/migrating.md, B19); the key says minutes.
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


def _commit_signing(document: Document, top: Mapping[str, Entry]) -> CommitSigning:
    values: Mapping[str, CommitSigning] = {"git": "git", "forge": "forge", "off": "off"}
    accepted = f"accepted are {', '.join(values)}"
    entry = top.get("commitSigning")
    signing = values.get(
        document.checked(entry, "commitSigning", lambda text: "" if text in values else accepted, ""), "git"
    )
    author = top.get("commitAuthor")
    if signing == "forge" and author and not author.is_empty:
        document.fail(
            author.line,
            "commitAuthor and `commitSigning: forge` exclude each other, because a forge signs commits under its own "
            "name alone: remove one of them",
        )
    return signing


def _comment(document: Document, entry: Entry | None) -> bool | None:
    return None if entry is None or entry.is_empty else document.boolean(entry, "comment")


def _flow_problem(text: str) -> str:
    return "" if text in BRANCHES else f"accepted are {', '.join(BRANCHES)}"
