"""Whether a tag that was never healthy is rolled back by itself: decided from its reports (docs/rollback.md)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from gitops_promotion.core.names import Application
from gitops_promotion.core.status_reports import StatusReport

Reports = Mapping[str, Sequence[StatusReport]]
"""Every report of each context since a tag arrived, the newest commit first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What to do about a tag; `text` says why.

    `rollback`: propose the rollback now. `ask`: a person has to decide. `none`: there is nothing to do.
    """

    kind: Literal["rollback", "ask", "none"] = "none"
    text: str = ""


def is_late(reports: Reports, limit: timedelta, now: datetime) -> bool:
    """Return True if a tag has been failing for the time `limit`, was never healthy, and nothing is in progress.

    A report without a time counts as new.
    """
    newest = {context: of_context[0] for context, of_context in reports.items() if of_context}
    failing = [context for context, report in newest.items() if report.state == "failure"]
    if not failing or any(report.state == "pending" for report in newest.values()):
        return False
    if any(report.state == "success" for context in failing for report in reports[context]):
        return False
    times = [report.at for context in failing for report in reports[context] if report.state == "failure"]
    known_times = [at for at in times if at is not None]
    return len(known_times) == len(times) and now - min(known_times) >= limit


def decide(
    application: Application, environment: str, tag_name: str, suspects: Sequence[str], *, has_green: bool
) -> Decision:
    """Return what to do about a tag for which `is_late` returned True.

    `suspects` are the applications whose tags changed in the environment since it was last healthy: one status covers
    a group. `has_green` says that there is a tag to go back to.
    """
    subject = f"{application} {tag_name} was never healthy in {environment}"
    apps = [name for name in suspects if name != str(application)]
    if apps:
        return Decision(
            kind="ask",
            text=f"{subject}, and {', '.join(apps[:5])} changed there too: find the cause, and roll back by hand",
        )
    if not has_green:
        return Decision(
            kind="ask",
            text=f"{subject}, and no earlier tag was healthy there: name one with `gitops-promotion rollback --to`",
        )
    return Decision(kind="rollback", text=subject)
