"""Servers that receive notifications, and a clock that does not wait."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gitops_promotion import notify
from gitops_promotion.core.notifications.channels import Access, Channel, Type
from gitops_promotion.core.notifications.news import News
from tests.notify.receivers import Web, web_server, write_certificate

NEWS = News(event="waiting", group="webshop", app="webui", environment="prod", tag="1.4.2", number=3)


@dataclass(slots=True)
class Sender:
    """Sends news to one channel; `pauses` are the seconds that it slept."""

    pauses: list[float] = field(default_factory=list)

    def __call__(
        self,
        url: str,
        type: Type = "webhook",  # noqa: A002  the key of the configuration
        *news: News,
        secret: str = "",
        to: tuple[str, ...] = (),
        seconds: float = 5.0,
    ) -> notify.Delivery:
        access = Access(channel=Channel(name="team", type=type, to=to), url=url, secret=secret)
        delivery = notify.Delivery(access=access, news=list(news or (NEWS,)))
        clock = notify.Clock(monotonic=_monotonic(), sleep=self.pauses.append)
        notify.send([delivery], clock, seconds=seconds)
        return delivery


def _monotonic() -> Callable[[], float]:
    import time

    return time.monotonic


@pytest.fixture
def send() -> Sender:
    return Sender()


@pytest.fixture
def web() -> Iterator[Web]:
    with web_server() as server:
        yield server


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_certificate(tmp_path_factory.mktemp("certificate"))
