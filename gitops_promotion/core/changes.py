"""What the pull request of a promotion says about its tag: the way so far, and what changed since the present tag."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from gitops_promotion.core.sources import Difference, Version, compare_link, labelled_repository, labelled_version
from gitops_promotion.core.tags import Tag
from gitops_promotion.core.untrusted import code_span, cut

MAX_COMMITS = 15
"""The most commits that a description shows."""

_MAX_SUBJECT = 72


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """An environment on the way of a tag: since when it has the tag, and by which pull request, as far as known."""

    environment: str
    since: datetime | None = None
    pull_request: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """The labels of two images: of the old one (empty without a present tag), and of the new one."""

    old: Mapping[str, str]
    new: Mapping[str, str]


def way(stops: Sequence[Stop]) -> list[str]:
    """Return Markdown with the environments that have the tag already."""
    return ["The way so far:", "", *map(_stop, stops), ""] if stops else []


def _stop(stop: Stop) -> str:
    since = f" since {stop.since.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if stop.since else ""
    by = f", by #{stop.pull_request}" if stop.pull_request else ""
    return f"- {code_span(stop.environment)}{since}{by}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two versions of one repository, and the tags of their images."""

    repository: str
    old: Version
    new: Version
    old_tag: str
    new_tag: str


def pair(repository: str, old: Tag, new: Tag, labels: Labels | None) -> Pair | None:
    """Return the versions to compare; None if no repository is known, or if both tags have the same name.

    `repository` is the one that the configuration names; if it is "", the repository that the new image names is used.
    If both images name a commit, these commits are compared, unless the new image names another repository.
    """
    labelled = labelled_repository(labels.new) if labels else ""
    address = repository or labelled
    if not address or not old.name or old.name == new.name:
        return None
    before, after = Version(name=old.name), Version(name=new.name)
    if labels and labelled in ("", address):
        versions = labelled_version(labels.old, old.name), labelled_version(labels.new, new.name)
        if all(version.is_commit for version in versions):
            before, after = versions
    return Pair(repository=address, old=before, new=after, old_tag=old.name, new_tag=new.name)


def link(pair: Pair, *, removes: bool = False) -> list[str]:
    """Return Markdown with the link to what changed; `removes`: a rollback takes the newer version away."""
    tags = (pair.new_tag, pair.old_tag) if removes else (pair.old_tag, pair.new_tag)
    text = " → ".join(map(code_span, tags))
    word = "What this removes" if removes else "What changed"
    return [f"[{word}]({compare_link(pair.repository, pair.old, pair.new)}): {text}", ""]


def commits(difference: Difference) -> list[str]:
    """Return Markdown with the commits between two versions, newest first; their subjects are text from outside."""
    newest = difference.commits[:MAX_COMMITS]
    lines = [f"- {code_span(commit.sha[:7])} {code_span(cut(commit.subject, _MAX_SUBJECT))}" for commit in newest]
    if newest and difference.total > len(newest):
        lines.append(f"- and {difference.total - len(newest)} older")
    if difference.removed:
        lines.append(f"- removes {difference.removed} commit{'s' if difference.removed > 1 else ''}")
    return [*lines, ""] if lines else []
