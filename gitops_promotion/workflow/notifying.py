"""Tells channels what a run did, and what happened since the last one; each thing once."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from gitops_promotion import notify
from gitops_promotion.core.discussion import Discussion
from gitops_promotion.core.forge import PullRequest
from gitops_promotion.core.model import Outcome
from gitops_promotion.core.notifications import news as new
from gitops_promotion.core.notifications.channels import Access, access_of
from gitops_promotion.core.notifications.news import News
from gitops_promotion.core.notifications.told import key_of, with_told
from gitops_promotion.core.untrusted import quoted
from gitops_promotion.errors import ChannelError, PromotionError, UsageError
from gitops_promotion.notify import Clock, Delivery
from gitops_promotion.workflow.recent_news import approvals, comment_keys, recent_news
from gitops_promotion.workflow.run import Run
from gitops_promotion.workflow.sent_notifications import Told

_MOST = 20
"""News for one channel in one run; the next run has the others."""

# The most pull requests whose comments are read for a record of what was told.
_PULL_REQUESTS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class _Item:
    """One thing to tell one channel."""

    access: Access
    news: News

    @property
    def key(self) -> str:
        return key_of(self.news.id, self.access.channel.name)


def tell(
    run: Run,
    outcomes: Sequence[Outcome],
    *,
    environ: Mapping[str, str],
    recent: bool = False,
    overridden: bool = False,
) -> list[Outcome]:
    """Tell the channels of the configuration; returns the outcomes, the first one with warnings where that fails.

    It is for a run that `tells_channels`. `recent`: also what happened without a run. `overridden`: a person has sent
    the promotion past its gates.
    """
    accesses, warnings = _accesses(run, environ)
    if accesses:
        try:
            warnings += _tell(run, outcomes, accesses, recent=recent, overridden=overridden)
        except PromotionError as error:
            warnings.append(f"no channel was told anything: {error}")
    if not outcomes or not warnings:
        return list(outcomes)
    return [replace(outcomes[0], warnings=(*outcomes[0].warnings, *warnings)), *outcomes[1:]]


def send_sample(run: Run, name: str, *, environ: Mapping[str, str]) -> list[Outcome]:
    """Return the outcome of sending a sample to one channel. Raises UsageError, ChannelError, ConfigError."""
    channels = {channel.name: channel for channel in run.tip.config.channels}
    if name not in channels:
        step = f"use one of {', '.join(channels)}" if channels else "add it below notifications: in the configuration"
        raise UsageError(f"no channel has the name {quoted(name)}: {step}")
    channel = channels[name]
    access = access_of(channel, environ)
    if access is None:
        raise UsageError(f"the variable {channel.variable} is not set: give it the channel's URL")
    news = new.sample((channel.environments or run.tip.config.pipeline.names)[-1])
    [delivery] = _send(run, [_Item(access=access, news=news)])
    if not delivery.sent:
        raise ChannelError(f"the channel {name} did not get the sample: {delivery.problem}")
    warnings = (f"channel {name}: {delivery.problem}",) if delivery.problem else ()
    return [Outcome(result="passed", message=f"{name} ({channel.type}) has taken the sample", warnings=warnings)]


def _accesses(run: Run, environ: Mapping[str, str]) -> tuple[list[Access], list[str]]:
    """Return how the channels are reached, and a warning for each that has no URL."""
    accesses: list[Access] = []
    warnings: list[str] = []
    for channel in run.tip.config.channels:
        access = access_of(channel, environ)
        if access is None:
            warnings.append(f"the channel {channel.name} is told nothing: the variable {channel.variable} is not set")
        else:
            accesses.append(access)
    return accesses, warnings


def _tell(
    run: Run, outcomes: Sequence[Outcome], accesses: Sequence[Access], *, recent: bool, overridden: bool
) -> list[str]:
    """Tell what was not told yet; returns warnings."""
    warnings: list[str] = []
    record = Told(repository=run.tip.repository, clock=run.clock)
    news = [item for outcome in outcomes for item in new.of_outcome(outcome, overridden=overridden)]
    keys: set[str] = set()
    if recent:
        recent_items, keys = _recent(run, accesses, record, warnings)
        news = [*recent_items, *news]
    items = _items(accesses, news)
    comments = _comments(run, items, outcomes)
    keys |= {key for _, discussion in comments.values() for key in comment_keys(discussion)}
    free = set(record.free(item.key for item in items if item.key not in keys)) if items else set()
    items, postponed = _limited([item for item in items if item.key in free])
    if postponed:
        warnings.append(f"{postponed} more news are told by the next run: one run tells a channel {_MOST} at most")
    # The comment has no compare-and-swap, and the token of a run that writes it often cannot push.
    unclaimed = [item for item in items if not (item.news.is_of_open and item.news.number in comments)]
    try:
        claimed = record.claim([item.key for item in unclaimed])
    except PromotionError as error:
        claimed = []
        warnings.append(f"{len(unclaimed)} news are not told: {error}")
    items = [item for item in items if item not in unclaimed or item.key in claimed]
    sent_keys = _send_and_warn(run, items, warnings)
    try:
        record.settle(claimed, sent_keys=[key for key in claimed if key in sent_keys])
        _record_in_comments(
            run, comments, [item for item in items if item.key in sent_keys and item.key not in claimed]
        )
    except PromotionError as error:
        warnings.append(f"what was told may be told again: {error}")
    return warnings


def _recent(run: Run, accesses: Sequence[Access], record: Told, warnings: list[str]) -> tuple[list[News], set[str]]:
    """Return what happened lately without a run, and keys that comments have; what cannot be read is a warning."""

    def wants(event: str) -> bool:
        return any(not access.channel.events or event in access.channel.events for access in accesses)

    try:
        news = recent_news(run, wants)
        merged = [item for item in news if item.event in ("merged", "rolled-back")]
        if not wants("approved"):
            return news, set()
        # Who approved is asked only for what no run has told as merged yet.
        ids = {key_of(item.id, access.channel.name): item.id for access in accesses for item in merged}
        untold = {ids[key] for key in record.free(ids)}
        approved, keys = approvals(run, [item for item in merged if item.id in untold])
    except PromotionError as error:
        warnings.append(f"what happened without a run is not told: {error}")
        return [], set()
    return [*approved, *news], keys


def _items(accesses: Sequence[Access], news: Iterable[News]) -> list[_Item]:
    """Return what each channel is to be told, once."""
    items = [_Item(access=access, news=item) for item in news for access in accesses if item.is_for(access.channel)]
    by_key: dict[str, _Item] = {}
    for item in items:
        by_key.setdefault(item.key, item)
    return list(by_key.values())


def _comments(
    run: Run, items: Sequence[_Item], outcomes: Sequence[Outcome]
) -> dict[int, tuple[PullRequest, Discussion]]:
    """Return the open pull requests that the verdicts are about and that have our comment, with their discussions."""
    pulls = {outcome.pull_request.number: outcome.pull_request for outcome in outcomes if outcome.pull_request}
    numbers = dict.fromkeys(item.news.number for item in items if item.news.is_of_open and item.news.number in pulls)
    if not numbers or not run.tip.config.writes_comments:
        return {}
    discussions = run.forge.discussions(list(numbers)[:_PULL_REQUESTS])
    return {number: (pulls[number], discussion) for number, discussion in discussions.items() if discussion.comments}


def _limited(items: Sequence[_Item]) -> tuple[list[_Item], int]:
    """Return the first news for each channel, and how many are left for the next run."""
    counts: dict[str, int] = {}
    limited: list[_Item] = []
    for item in items:
        name = item.access.channel.name
        counts[name] = counts.get(name, 0) + 1
        if counts[name] <= _MOST:
            limited.append(item)
    return limited, len(items) - len(limited)


def _send(run: Run, items: Sequence[_Item]) -> list[Delivery]:
    deliveries: dict[str, Delivery] = {}
    for item in items:
        name = item.access.channel.name
        delivery = deliveries.setdefault(name, Delivery(access=item.access))
        delivery.news.append(item.news)
    notify.send(list(deliveries.values()), Clock(monotonic=run.clock.monotonic, sleep=run.clock.sleep))
    return list(deliveries.values())


def _send_and_warn(run: Run, items: Sequence[_Item], warnings: list[str]) -> set[str]:
    """Send everything and return the keys of what was taken."""
    deliveries = _send(run, items)
    warnings += [f"channel {d.access.channel.name}: {d.problem}" for d in deliveries if d.problem]
    return {key_of(news.id, delivery.access.channel.name) for delivery in deliveries for news in tuple(delivery.sent)}


def _record_in_comments(
    run: Run, comments: Mapping[int, tuple[PullRequest, Discussion]], items: Sequence[_Item]
) -> None:
    """Write what was told into our comments. Raises ProviderError."""
    for number, (pull, discussion) in comments.items():
        keys = [item.key for item in items if item.news.number == number]
        if keys:
            body = discussion.comments[0].body
            run.forge.write_comment(pull, with_told(body, (*comment_keys(discussion), *keys)), discussion.comments)
