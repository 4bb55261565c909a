"""The repository that an image was built from: links to what changed between two versions."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from gitops_promotion.core import untrusted

SOURCE = "org.opencontainers.image.source"
REVISION = "org.opencontainers.image.revision"
"""Labels of https://github.com/opencontainers/image-spec/blob/main/annotations.md."""

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A version of an application's sources: a commit, or the git tag with the name of the image's tag."""

    name: str
    is_commit: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceCommit:
    """A commit of an application's sources, with the first line of its message as it was written."""

    sha: str
    subject: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The difference between two versions: `commits` are the newest of the `total` commits that the new one adds.

    `removed` is the number of commits that only the old version has.
    """

    commits: tuple[SourceCommit, ...] = ()
    total: int = 0
    removed: int = 0


def repository_problem(text: str) -> str:
    """Return the problem with the address of a repository in a browser, "" if there is none."""
    advice = "write its address in a browser, such as https://github.com/org/webui"
    if not untrusted.is_web_address(text) or set("?#") & set(text):
        return advice
    return "" if urlsplit(text).path.strip("/") else advice


def labelled_repository(labels: Mapping[str, str]) -> str:
    """Return the address of the repository that an image names as its source, "" if there is none for a link."""
    address = labels.get(SOURCE, "").removesuffix(".git").rstrip("/")
    return "" if repository_problem(address) else address


def labelled_version(labels: Mapping[str, str], tag: str) -> Version:
    """Return the commit that an image names as its source, else the git tag of the same name."""
    revision = labels.get(REVISION, "")
    return Version(name=revision, is_commit=True) if _COMMIT.fullmatch(revision) else Version(name=tag)


def compare_link(repository: str, old: Version, new: Version) -> str:
    """Return the address of the page that shows what `new` adds to `old`."""
    repository = repository.removesuffix(".git").rstrip("/")
    host = urlsplit(repository).hostname or ""
    before, after = quote(old.name, safe=""), quote(new.name, safe="")
    if host == "dev.azure.com" or host.endswith(".visualstudio.com"):
        kinds = ["GC" if version.is_commit else "GT" for version in (old, new)]
        return f"{repository}/branchCompare?baseVersion={kinds[0]}{before}&targetVersion={kinds[1]}{after}"
    if host == "bitbucket.org":
        return f"{repository}/branches/compare/{after}..{before}"
    if "gitlab" in host.split("."):
        return f"{repository}/-/compare/{before}...{after}"
    return f"{repository}/compare/{before}...{after}"
