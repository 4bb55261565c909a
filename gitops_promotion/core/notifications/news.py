"""News: what a run did, and what happened since then without a run, as far as channels may want to know it."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from gitops_promotion.core.branch_names import FEATURES, HOLDS, REMOVALS, ROLLBACKS
from gitops_promotion.core.discussion import Discussion
from gitops_promotion.core.gates import Question, Verdict
from gitops_promotion.core.history import Event
from gitops_promotion.core.holds import Hold
from gitops_promotion.core.metrics import Health
from gitops_promotion.core.model import Outcome
from gitops_promotion.core.notifications.channels import Channel, EventName

_OTHER_BRANCHES = (FEATURES, REMOVALS, HOLDS)
_KINDS: dict[str, EventName] = {"promotion": "merged", "rollback": "rolled-back", "override": "merged"}


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """One thing that happened; texts are "" and `number` (of the pull request) is 0 where there is none.

    `who` can act on it. `mark` tells news apart that are the same in all else, such as two arrivals of one tag.
    """

    event: EventName
    group: str = ""
    app: str = ""
    environment: str = ""
    tag: str = ""
    previous_tag: str = ""
    number: int = 0
    url: str = ""
    reasons: tuple[str, ...] = ()
    who: tuple[str, ...] = ()
    mark: str = ""

    @property
    def id(self) -> str:
        """32 hexadecimal digits, the same in every run that tells the same."""
        values = (self.event, self.group, self.app, self.environment, self.tag, self.number, self.mark)
        return hashlib.sha256(json.dumps(values).encode()).hexdigest()[:32]

    def is_for(self, channel: Channel) -> bool:
        """Return True if a channel wants this news."""
        return channel.wants(self.event, group=self.group, app=self.app, environment=self.environment)

    @property
    def is_of_open(self) -> bool:
        """True if it is about the verdict on a pull request, which this tool's comment there shows too."""
        return bool(self.number) and self.event in ("waiting", "approved", "declined", "refused")


def of_outcome(outcome: Outcome, *, overridden: bool = False) -> tuple[News, ...]:
    """Return the news of one outcome; `overridden`: a person has sent it past its gates."""
    pull = outcome.pull_request
    if outcome.result in ("planned", "failed") or not outcome.environment:
        return ()
    if pull is not None and pull.head.startswith(_OTHER_BRANCHES):
        return ()
    news = News(
        event="proposed",
        group=outcome.group,
        app=outcome.app,
        environment=outcome.environment,
        tag=outcome.tag,
        previous_tag=outcome.previous_tag,
        number=pull.number if pull else 0,
        url=pull.url if pull else "",
        reasons=outcome.reasons or (outcome.message,),
    )
    if not outcome.verdicts:
        return tuple(_of_result(outcome, news, overridden=overridden))
    return tuple(item for verdict in outcome.verdicts for item in _of_verdict(outcome, news, *verdict))


def _of_result(outcome: Outcome, news: News, *, overridden: bool) -> Iterator[News]:
    """Yield the news of what a run has done to a pull request."""
    is_rollback = outcome.pull_request is not None and outcome.pull_request.head.startswith(ROLLBACKS)
    if outcome.result in ("opened", "updated", "merged"):
        yield replace(news, event="overridden" if overridden else "proposed")
    if outcome.result == "merged":
        yield replace(news, event="rolled-back" if is_rollback else "merged")
    if outcome.result in ("refused", "timed-out", "declined"):
        # Every run that does not propose a declined tag again says so.
        yield replace(news, event=outcome.result)


def _of_verdict(outcome: Outcome, news: News, question: Question | None, verdict: Verdict) -> Iterator[News]:
    """Yield the news of what the gates say of one promotion of a pull request."""
    if question is not None:
        news = replace(
            news,
            group=question.application.group,
            app=question.application.name,
            environment=question.environment,
            tag=str(question.tag),
        )
    news = replace(news, reasons=verdict.texts or news.reasons)
    tally = verdict.tally
    if tally is not None and tally.decision == "pass":
        yield replace(news, event="approved", reasons=tuple(map(str, tally.reasons)))
    elif tally is not None and tally.decision == "refuse":
        yield replace(news, event="declined", reasons=tuple(map(str, tally.reasons)))
    elif tally is not None and verdict.decision == "wait":
        yield replace(news, event="waiting", who=tally.who)
    if verdict.decision == "refuse" and (tally is None or tally.decision != "refuse"):
        yield replace(news, event="refused")
    if outcome.result == "merged":
        yield replace(news, event="merged")


def of_arrivals(events: Sequence[Event], *, since: datetime) -> list[News]:
    """Return the news of what was merged since a time, oldest first; a tag that was set by hand is no news."""
    return [
        news
        for event in reversed(events)
        if event.kind in _KINDS and event.time is not None and event.time >= since
        for news in _of_arrival(event)
    ]


def _of_arrival(event: Event) -> Iterator[News]:
    news = _arrived(event, _KINDS[event.kind])
    if event.kind == "override":
        by = (f"overridden by {event.overridden_by}: {event.reason}",) if event.overridden_by else ()
        yield replace(news, event="overridden", reasons=by)
    yield replace(news, reasons=(f"merged by {event.by}",) if event.by else ())


def _arrived(event: Event, name: EventName) -> News:
    return News(
        event=name,
        group=event.application.group,
        app=event.application.name,
        environment=event.environment,
        tag=event.tag,
        previous_tag=event.previous_tag,
        number=event.pull_request or 0,
        mark="" if event.pull_request else event.sha,
    )


def of_approvals(news: News, discussion: Discussion | None) -> tuple[News, ...]:
    """Return that a merged promotion was approved, by the people whose reviews approve it."""
    reviews = discussion.reviews if discussion else ()
    people = [review.author for review in reviews if review.verdict == "approved"]
    reasons = tuple(f"approved by {person}" for person in dict.fromkeys(people))
    return (replace(news, event="approved", reasons=reasons),) if people else ()


def of_health(events: Sequence[Event], health: Health, *, since: datetime) -> list[News]:
    """Return the news of the tags that are in environments since a time and have become healthy, or failed."""
    health_news: list[News] = []
    for event in reversed(events):
        if event.time is None or event.time < since or event.kind == "feature" or not event.tag:
            continue
        key = event.sha, event.site
        arrived = replace(_arrived(event, "healthy"), mark=event.sha)
        if key in health.green:
            health_news.append(arrived)
        elif key in health.red:
            health_news.append(replace(arrived, event="timed-out", reasons=("a status has failed, and none is green",)))
    return health_news


def of_holds(holds: Sequence[Hold], *, since: datetime) -> list[News]:
    """Return the news of the holds that people have made since a time."""
    return [
        News(
            event="held",
            group=hold.group,
            app=hold.app,
            environment=hold.environment,
            tag=", ".join(tag.name for tag in hold.tags),
            number=hold.pull_request,
            reasons=(str(hold),),
            mark=hold.since.isoformat(),
        )
        for hold in holds
        if hold.since is not None and hold.since >= since and not hold.pull_request
    ]


def sample(environment: str) -> News:
    """Return the news that `notify --test` sends."""
    return News(
        event="waiting",
        group="sample",
        app="sample",
        environment=environment,
        tag="1.2.3",
        reasons=("this is a test of the channel: nothing has happened",),
    )
