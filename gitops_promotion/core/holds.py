"""Holds: a person stops promotions of an application, and says why (docs/windows-and-holds.md, Holds)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from gitops_promotion.core.deployments import same_tag
from gitops_promotion.core.names import Application
from gitops_promotion.core.tags import Tag
from gitops_promotion.core.untrusted import line
from gitops_promotion.errors import Fault

FILE = "gitops-promotion.holds.yaml"
"""The file of holds in the root of the repository; that of the default branch counts."""

ANY = "*"
"""Every group, application or environment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """One entry: what is held (only `tags`, or every tag if there are none), and who did it, when and why.

    `pull_request` is the number of the open pull request that adds it, 0 where it is merged.
    """

    group: str
    app: str
    environment: str
    tags: tuple[Tag, ...] = ()
    reason: str = ""
    by: str = ""
    since: datetime | None = None
    until: datetime | None = None
    pull_request: int = field(default=0, compare=False)

    def covers(self, application: Application, environment: str, tag: Tag, now: datetime) -> bool:
        """Return True if it keeps a tag of an application out of an environment at the time `now`."""
        if self.until is not None and self.until <= now:
            return False
        names = ((self.group, application.group), (self.app, application.name), (self.environment, environment))
        is_meant = all(pattern in (ANY, name) for pattern, name in names)
        return is_meant and (not self.tags or any(same_tag(hold_tag, tag) for hold_tag in self.tags))

    @property
    def subject(self) -> str:
        """What is held, as `webshop/webui 1.4.2 in prod`."""
        applications = f"{self.group}/{self.app}" if (self.group, self.app) != (ANY, ANY) else "every application"
        tags = f" {', '.join(tag.name for tag in self.tags)}" if self.tags else ""
        place = "every environment" if self.environment == ANY else self.environment
        return f"{applications}{tags} in {place}"

    @property
    def release(self) -> str:
        """The command that lifts it."""
        options = {"--group": self.group, "--app": self.app, "--env": self.environment}
        words = (f"{option} {value if value != ANY else repr(ANY)}" for option, value in options.items())
        return f"gitops-promotion release {' '.join(words)}"

    def __str__(self) -> str:
        text = f"{self.subject} is on hold"
        text += f" by {line(self.by)}" if self.by else ""
        text += f" since {time_text(self.since)}" if self.since else ""
        text += f" until {time_text(self.until)}" if self.until else ""
        text += f" (pull request #{self.pull_request} is open)" if self.pull_request else ""
        return f"{text}: {line(self.reason)}" if self.reason else text


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A part of the file that cannot be read, and the one environment that it can concern, "" for any."""

    fault: Fault
    environment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldsFile:
    """The file of holds as far as it can be read. `has_open`: open pull requests may add holds."""

    holds: tuple[Hold, ...] = ()
    problems: tuple[Problem, ...] = ()
    has_open: bool = False

    def is_about(self, environment: str) -> bool:
        """Return True if a hold or an unreadable part may stop a promotion into an environment."""
        names = [*(hold.environment for hold in self.holds), *(problem.environment or ANY for problem in self.problems)]
        return self.has_open or any(name in (ANY, environment) for name in names)

    def faults(self, environment: str) -> tuple[Fault, ...]:
        """Return the parts of the file that cannot be read and may concern an environment."""
        return tuple(problem.fault for problem in self.problems if problem.environment in ("", environment))


def replaced_by(kind: str) -> HoldsFile:
    """Return the file of holds where something else is in its place, such as `a symbolic link`."""
    return HoldsFile(problems=(Problem(fault=Fault(FILE, 0, f"the file of holds is {kind}: make it a file")),))


def covering(
    holds: Sequence[Hold], application: Application, environment: str, tag: Tag, now: datetime
) -> tuple[Hold, ...]:
    """Return the holds that keep a tag of an application out of an environment at the time `now`."""
    return tuple(hold for hold in holds if hold.covers(application, environment, tag, now))


ROLLED_BACK = "rolled back to "
"""The beginning of the reason of a hold that a rollback adds; a promotion of another tag lifts the hold."""


def lifted_by_promotion(
    holds: Sequence[Hold], application: Application, environment: str, tag: Tag, *, overridden: bool
) -> tuple[Hold, ...]:
    """Return the holds that a promotion of `tag` lifts: those of rollbacks on other tags, and if `overridden` its own.

    A hold with a `*` concerns other promotions too, and stays.
    """
    names = (application.group, application.name, environment)
    of_promotion = [hold for hold in holds if (hold.group, hold.app, hold.environment) == names]
    return tuple(
        hold
        for hold in of_promotion
        if (overridden and (not hold.tags or any(same_tag(hold_tag, tag) for hold_tag in hold.tags)))
        or (
            hold.tags
            and hold.reason.startswith(ROLLED_BACK)
            and not any(same_tag(hold_tag, tag) for hold_tag in hold.tags)
        )
    )


def lifted(holds: Sequence[Hold], names: tuple[str, str, str], tag: Tag | None) -> Iterator[tuple[Hold, Hold | None]]:
    """Yield the holds of a group, application and environment that a release lifts, and what remains of each.

    With `tag` it lifts the hold on that tag only.
    """
    for hold in holds:
        if (hold.group, hold.app, hold.environment) != names:
            continue
        if tag is None:
            yield hold, None
        elif tag in hold.tags:
            tags = tuple(hold_tag for hold_tag in hold.tags if hold_tag != tag)
            yield hold, replace(hold, tags=tags) if tags else None


def time_text(instant: datetime) -> str:
    """Return an instant as `2026-11-30 10:02 UTC`."""
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
