"""What the message of a commit says about its origin: which promotion it is, and which pull request brought it.

It is read from messages alone: those of this tool, of the Go tool, and of the merges that forges make. Anybody may
write such a message: history shows what it says, but no gate passes because of it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gitops_promotion.core.branch_names import FEATURES, HOLDS, REMOVALS, ROLLBACKS
from gitops_promotion.core.commits import Commit, CommitHeader
from gitops_promotion.core.names import Application, application_of

PREDECESSOR = "gitops-promotion@xenit.se"
"""The e-mail address of the author of the Go tool's commits, which is always the same (docs/migrating.md, B40)."""

_NUMBERS = (
    re.compile(r"Merge pull request #(\d{1,18})\b"),
    re.compile(r"Merge pull request (\d{1,18}) from "),
    re.compile(r"Merged PR (\d{1,18}): "),
    re.compile(r" \(#(\d{1,18})\)$"),
)
_BRANCHES = (
    re.compile(r"Merge pull request #\d+ from [^/\s]+/(\S+)$"),
    re.compile(r"Merge pull request \d+ from (\S+) into \S+$"),
    re.compile(r"Merge (?:remote-tracking )?branch '(?:origin/)?([^']+)'"),
)
_PROMOTION = re.compile(r"Promote ([^/\s]+)/(\S+) version (\S+) to environment (\S+)")
_FEATURE = re.compile(r"Feature (\S+) of ([^/\s]+)/(\S+) version (\S+) in environment (\S+)")
_REVIEW = re.compile(r"Review ([^/\s]+)/(\S+) feature (\S+) in environment (\S+)")
_SEPARATOR = re.compile(r"^-{3,}$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """What the message of a commit says: application, environment, tag and feature, each "" or None for none.

    `number` is that of the pull request, `branch` the one that was merged, "" where the message does not name it.
    `removal`: the copy of a feature was removed.
    """

    application: Application | None = None
    environment: str = ""
    tag: str = ""
    feature: str = ""
    removal: bool = False
    number: int | None = None
    branch: str = ""
    trailers: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_rollback(self) -> bool:
        """True if the commit calls itself a rollback."""
        return self.branch.startswith(ROLLBACKS) or self.trailers.get("Rollback", "").casefold() not in ("", "false")

    def is_promotion(self, application: Application, environment: str, prefixes: Sequence[str]) -> bool:
        """Return True if this is a promotion of the application into the environment.

        `prefixes` are the beginnings of this tool's branches. A merge of such a branch that names no application counts
        for every application that it changes.
        """
        if self.application is not None:
            return (self.application, self.environment) == (application, environment) and not self.feature
        return self.branch.startswith((*prefixes, ROLLBACKS)) and not self.branch.startswith(
            (FEATURES, REMOVALS, HOLDS)
        )


def read_provenance(commit: Commit, merged: CommitHeader | None) -> Provenance:
    """Return the provenance of a first-parent commit; `merged` is the head that a merge brought, None without one."""
    subject = commit.message.partition("\n")[0].strip()
    number = next((int(match[1]) for pattern in _NUMBERS if (match := pattern.search(subject))), None)
    branch = next((match[1] for pattern in _BRANCHES if (match := pattern.search(subject))), "")
    messages = [commit.message, *([merged.message] if merged else [])]
    trailers = next((pairs for message in messages if "Promotion" in (pairs := promotion_trailers(message))), None)
    if trailers is not None:
        return Provenance(
            application=_application(trailers["Promotion"]),
            environment=trailers.get("Environment", ""),
            tag=trailers.get("Tag", ""),
            feature=trailers.get("Feature", ""),
            removal="Feature" in trailers and "Tag" not in trailers,
            number=number,
            branch=branch,
            trailers=trailers,
        )
    emails = {commit.author_email, merged.author_email if merged else ""}
    # Any commit may quote the title of a promotion: a title counts only in the merge of a pull request.
    if number is not None or branch or PREDECESSOR in emails:
        return _by_title(messages, number, branch)
    return Provenance()


def promotion_trailers(message: str) -> dict[str, str]:
    """Return the trailers of a promotion, from any paragraph of the message; {} if there are none.

    A forge that squashes puts the messages of all commits into one, and adds paragraphs of its own.
    """
    for paragraph in reversed(re.split(r"\n[ \t]*\n", _SEPARATOR.sub("", message).strip())):
        pairs = (line.strip().partition(": ") for line in paragraph.split("\n"))
        trailers = {key: value.strip() for key, colon, value in pairs if colon}
        if "Promotion" in trailers:
            return trailers
    return {}


def head_to_read(header: CommitHeader) -> str | None:
    """Return the parent to read in place of a merged head that is an "Update branch" merge, None for any other.

    Such a merge has the promotion as its first parent.
    """
    return header.parents[0] if len(header.parents) > 1 and not promotion_trailers(header.message) else None


def _by_title(messages: Sequence[str], number: int | None, branch: str) -> Provenance:
    for line in (line.strip() for message in messages for line in message.split("\n")[:4]):
        if match := _PROMOTION.search(line):
            group, app, tag, environment = match.groups()
            feature = ""
        elif match := _FEATURE.search(line):
            feature, group, app, tag, environment = match.groups()
        elif match := _REVIEW.search(line):
            group, app, tag, environment = match.groups()
            feature = tag
        else:
            continue
        return Provenance(
            application=_application(f"{group}/{app}"),
            environment=environment,
            tag=tag,
            feature=feature,
            number=number,
            branch=branch,
        )
    return Provenance(number=number, branch=branch)


def _application(text: str) -> Application | None:
    group, _, name = text.partition("/")
    return application_of(group, name)
