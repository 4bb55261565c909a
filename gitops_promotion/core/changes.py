"""What the pull request of a promotion says of its tag: the way so far, and what changed since the present one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from gitops_promotion.core.sources import Version, compare_link, labelled_repository, labelled_version
from gitops_promotion.core.tags import Tag
from gitops_promotion.core.untrusted import code_span


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """An environment on the way of a tag: since when it has the tag, and by which pull request, as far as known."""

    environment: str
    since: datetime | None = None
    pull_request: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """What two images say of themselves: the present one (empty without a present tag), and the new one."""

    old: Mapping[str, str]
    new: Mapping[str, str]


def way(stops: Sequence[Stop]) -> list[str]:
    """Return Markdown with the environments that have the tag already."""
    return ["The way so far:", "", *map(_stop, stops), ""] if stops else []


def _stop(stop: Stop) -> str:
    since = f" since {stop.since.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if stop.since else ""
    by = f", by #{stop.pull_request}" if stop.pull_request else ""
    return f"- {code_span(stop.environment)}{since}{by}"


def link(repository: str, old: Tag, new: Tag, labels: Labels | None) -> list[str]:
    """Return Markdown with the link to what changed, nothing where no repository is known.

    `repository` is the one that the configuration names, "" for none; then it is the one that the new image names. An
    image's commit is used if the image does not say that it is from another repository.
    """
    labelled = labelled_repository(labels.new) if labels else ""
    address = repository or labelled
    if not address or not old.name or old.name == new.name:
        return []
    before, after = Version(name=old.name), Version(name=new.name)
    if labels and labelled in ("", address):
        commits = labelled_version(labels.old, old.name), labelled_version(labels.new, new.name)
        if all(version.is_commit for version in commits):
            before, after = commits
    text = f"{code_span(old.name)} → {code_span(new.name)}"
    return [f"[What changed]({compare_link(address, before, after)}): {text}", ""]
