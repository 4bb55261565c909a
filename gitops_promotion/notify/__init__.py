"""Sends messages to channels: each channel has its own thread, a limit of time, and one more try after a failure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Thread

from gitops_promotion.core.notifications.channels import Access
from gitops_promotion.core.notifications.news import News
from gitops_promotion.errors import ChannelError, ConfigError
from gitops_promotion.notify import mail, web
from gitops_promotion.notify.failures import PassingError

TIME = 10.0
"""Seconds for all messages to one channel."""

THREADS = "notify "
"""The beginning of the names of the threads."""

# Seconds before the second try, where the channel asks for no other pause.
_PAUSE = 0.5


@dataclass(slots=True, kw_only=True)
class Delivery:
    """The news for one channel; after `send`, `sent` is what it has taken, and `problem` why not all, "" for none."""

    access: Access
    news: list[News] = field(default_factory=list)
    sent: list[News] = field(default_factory=list)
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """A function for seconds that never go back, and one that sleeps."""

    monotonic: Callable[[], float]
    sleep: Callable[[float], None]


def send(deliveries: Sequence[Delivery], clock: Clock, *, seconds: float = TIME) -> None:
    """Send to all channels at once; a channel that does not answer in time has a problem, and its thread is left.

    A server that sends one byte at a time, or a name server that does not answer, must not hold the run: no timeout of
    a library bounds these.
    """
    web.quieten(THREADS)
    deadline = clock.monotonic() + seconds
    threads = []
    for delivery in deliveries:
        name = f"{THREADS}{delivery.access.channel.name}"
        thread = Thread(target=_send_all, args=(delivery, clock, deadline), name=name, daemon=True)
        thread.start()
        threads.append(thread)
    for delivery, thread in zip(deliveries, threads, strict=True):
        thread.join(max(0.0, deadline - clock.monotonic()))
        if thread.is_alive():
            delivery.problem = f"it did not answer within {seconds:g} s"


def _send_all(delivery: Delivery, clock: Clock, deadline: float) -> None:
    problems = []
    for news in delivery.news:
        try:
            warning = _send(delivery.access, news, clock, deadline)
        except PassingError as error:
            # The next message would meet the same.
            problems.append(str(error))
            break
        except (ChannelError, ConfigError) as error:
            problems.append(str(error))
            continue
        except Exception as error:  # noqa: BLE001  its text may have the address
            problems.append(f"a message could not be sent ({type(error).__name__})")
            break
        problems += [warning] if warning else []
        delivery.sent.append(news)
    delivery.problem = next(iter(problems), "")


def _send(access: Access, news: News, clock: Clock, deadline: float) -> str:
    """Send one message, once more after a failure that may pass; returns a warning. Raises ChannelError."""
    sender = mail.send if access.channel.type == "mail" else web.send
    try:
        return sender(access, news, _share(clock, deadline))
    except PassingError as error:
        pause = _PAUSE if error.retry_after is None else error.retry_after
        if clock.monotonic() + pause >= deadline:
            raise
        clock.sleep(pause)
        return sender(access, news, _share(clock, deadline))


def _share(clock: Clock, deadline: float) -> float:
    """Return the seconds for one try: half of what is left, so that the second one has some too."""
    return max(0.1, (deadline - clock.monotonic()) / 2)
