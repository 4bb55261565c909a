"""The keys about a promotion's image and about its pull request."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from gitops_promotion.core import sources, templates
from gitops_promotion.core.config.document import Document, Entry, line_of
from gitops_promotion.core.config.values import login_problem
from gitops_promotion.core.templates import Template

VerifyImage = Literal["no", "yes", "warn"]
"""Whether `new` asks the registry for the image; `warn`: it goes on without an answer."""

KEYS = ("templates", "labels", "reviewers", "changelog", "verifyImage")
"""The keys of the top level."""

TEMPLATE_KEYS = ("title", "body", "commit")
"""The keys of `templates`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PullRequestSettings:
    """What pull requests of promotions say beside what they always say, and who is asked.

    `title`, `body` and `commit` are None where the configuration has no template. `changelog`: they say how the tag
    came there and what changed.
    """

    title: Template | None = None
    body: Template | None = None
    commit: Template | None = None
    labels: tuple[Template, ...] = ()
    reviewers: tuple[str, ...] = ()
    changelog: bool = False


def read_settings(document: Document, top: Mapping[str, Entry]) -> PullRequestSettings:
    """Return the settings of pull requests."""
    fields = document.mapping(top.get("templates"), "templates", TEMPLATE_KEYS)
    labels = top.get("labels")
    items = document.items(labels, "labels", '["env/{{ environment }}"]')
    return PullRequestSettings(
        title=_template(document, fields.get("title"), "templates.title"),
        body=_template(document, fields.get("body"), "templates.body", one_line=False),
        commit=_template(document, fields.get("commit"), "templates.commit"),
        labels=tuple(
            label
            for number, item in enumerate(items)
            if (label := _template(document, item, f"labels[{number}]")) is not None
        ),
        reviewers=document.texts(top.get("reviewers"), "reviewers", login_problem, "[ann, org/team]", several=True),
        changelog=document.boolean(top.get("changelog"), "changelog"),
    )


def _template(document: Document, entry: Entry | None, key: str, *, one_line: bool = True) -> Template | None:
    source = document.text(entry, key)
    if entry is None or not source:
        return None
    first = line_of(entry.node) + (1 if entry.node.style in ("|", ">") else 0)
    problem, line = templates.problem_of(source, one_line=one_line)
    if problem:
        document.fail(first + line - 1, f"{key} {problem}")
    return Template(source=source, key=key, path=document.file, line=first)


def read_repository(document: Document, entry: Entry | None, key: str) -> str:
    """Return the address of an application's sources, without its slash at the end; "" if there is none."""
    return document.checked(entry, key, sources.repository_problem, "").rstrip("/")


def read_verify_image(document: Document, entry: Entry | None) -> VerifyImage:
    """Return `verifyImage`: a boolean or `warn`."""
    if entry and not entry.is_empty and entry.node.id == "scalar" and entry.node.value == "warn":
        return "warn"
    return "yes" if document.boolean(entry, "verifyImage") else "no"
