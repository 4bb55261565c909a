"""The keys about a promotion's image and about its pull request."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from gitops_promotion.core import sources
from gitops_promotion.core.config.document import Document, Entry
from gitops_promotion.core.config.templates import read_template
from gitops_promotion.core.config.values import login_problem
from gitops_promotion.core.templates import Template

VerifyImage = Literal["no", "yes", "warn"]
"""Whether `new` asks the registry for the image; `warn`: it goes on without an answer."""

KEYS = ("templates", "labels", "reviewers", "assignees", "changelog", "renderedDiff", "verifyImage")
"""The keys of the top level."""

TEMPLATE_KEYS = ("title", "body", "commit")
"""The keys of `templates`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PullRequestSettings:
    """What the configuration adds to the pull requests of promotions, and who is asked to review them.

    `title`, `body` and `commit` are None where the configuration has no template. `changelog`: the description says
    which environments the tag has passed and what changed. `rendered_diff`: it shows what changes in the objects.
    """

    title: Template | None = None
    body: Template | None = None
    commit: Template | None = None
    labels: tuple[Template, ...] = ()
    reviewers: tuple[str, ...] = ()
    assignees: tuple[str, ...] = ()
    changelog: bool = False
    rendered_diff: bool = False


def read_settings(document: Document, top: Mapping[str, Entry]) -> PullRequestSettings:
    """Return the settings of pull requests."""
    fields = document.mapping(top.get("templates"), "templates", TEMPLATE_KEYS)
    labels = top.get("labels")
    items = document.items(labels, "labels", '["env/{{ environment }}"]')
    return PullRequestSettings(
        title=read_template(document, fields.get("title"), "templates.title"),
        body=read_template(document, fields.get("body"), "templates.body", one_line=False),
        commit=read_template(document, fields.get("commit"), "templates.commit"),
        labels=tuple(
            label
            for number, item in enumerate(items)
            if (label := read_template(document, item, f"labels[{number}]")) is not None
        ),
        reviewers=document.texts(top.get("reviewers"), "reviewers", login_problem, "[ann, org/team]", several=True),
        assignees=document.texts(top.get("assignees"), "assignees", login_problem, "[ann]", several=True),
        changelog=document.boolean(top.get("changelog"), "changelog"),
        rendered_diff=document.boolean(top.get("renderedDiff"), "renderedDiff"),
    )


def read_repository(document: Document, entry: Entry | None, key: str) -> str:
    """Return the address of an application's sources, without a slash at its end; "" if there is none."""
    return document.checked(entry, key, sources.repository_problem, "").rstrip("/")


def read_verify_image(document: Document, entry: Entry | None) -> VerifyImage:
    """Return `verifyImage`: a boolean or `warn`."""
    if entry and not entry.is_empty and entry.node.id == "scalar" and entry.node.value == "warn":
        return "warn"
    return "yes" if document.boolean(entry, "verifyImage") else "no"
