"""The line of a wait: the reason once in full, the time always, and nothing that a plain terminal cannot show."""

import logging
import re
from pathlib import Path

import pytest

from gitops_promotion.git.process import Runner
from gitops_promotion.terminal import Terminal

REASON = (
    "status gate of dev: webshop/webui 1.4.2 has no status yet: Flux has posted nothing matching */webshop-dev or "
    "*/webshop-dev/* on e47211b or later"
)


@pytest.fixture
def live(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    return Terminal()


GOLDEN = {
    80: (
        "waiting: status gate of dev: webshop/webui 1.4.2 has no status yet: Flux has\n"
        "posted nothing matching */webshop-dev or */webshop-dev/* on e47211b or later\n"
        "0s of 5m: status gate of dev: webshop/webui 1.4.2 has no status yet: Flux has …"
    ),
    40: (
        "waiting: status gate of dev:\n"
        "webshop/webui 1.4.2 has no status yet:\n"
        "Flux has posted nothing matching\n"
        "*/webshop-dev or */webshop-dev/* on\n"
        "e47211b or later\n"
        "0s of 5m: status gate of dev: webshop/…"
    ),
}


@pytest.mark.parametrize("columns", GOLDEN)
def test_a_wait_keeps_its_reason_and_its_time_at_any_width(
    columns: int, live: Terminal, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    live.progress((REASON,), 300)
    assert capsys.readouterr().err == GOLDEN[columns]
    live.progress((REASON,), 215)
    again = capsys.readouterr().err
    assert again.startswith("\r\x1b[K1m 25s of 5m: status gate of dev")
    assert "\n" not in again
    assert len(again.removeprefix("\r\x1b[K")) < columns
    live.progress(("another reason",), 10)
    assert capsys.readouterr().err == "\r\x1b[Kwaiting: another reason\n4m 50s of 5m: another reason"
    live.note("passed")
    assert capsys.readouterr().err == "\r\x1b[Kpassed\n"


@pytest.mark.parametrize("term", ["dumb", "xterm"])
def test_a_file_or_a_dumb_terminal_gets_a_line_for_each_change_alone(
    term: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: term == "dumb")
    monkeypatch.setenv("TERM", term)
    terminal = Terminal()
    for seconds in (5400, 5390, 5380):
        terminal.progress((REASON,), seconds)
    terminal.progress(("another",), 60)
    assert capsys.readouterr().err == f"waiting, 1h 30m left: {REASON}\nwaiting, 1m left: another\n"


def test_a_quiet_run_tells_of_no_wait(capsys: pytest.CaptureFixture[str]) -> None:
    Terminal(quiet=True).progress((REASON,), 5)
    assert capsys.readouterr().err == ""


def test_a_verbose_run_tells_of_each_command_and_request_without_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    logger = logging.getLogger("gitops_promotion.git.process")
    for verbose in (True, False):
        with Terminal(verbose=verbose, secrets=("tok-3n-tok",)).capturing_logs():
            logger.debug("git ls-remote https://x:tok-3n-tok@forge 12 ms")
            logger.warning("slow")
    logger.debug("nobody listens")
    assert capsys.readouterr().err == "git ls-remote https://x:***@forge 12 ms\nwarning: slow\nwarning: slow\n"


def test_a_git_command_is_logged_with_its_time_and_its_failure(
    tmp_path: Path, environ: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "gitops_promotion")
    runner = Runner(tmp_path)
    runner.secrets.append("tok-3n-tok")
    runner.run(["rev-parse", "--verify", "tok-3n-tok"], environ)
    [line] = [record.getMessage() for record in caplog.records]
    assert re.fullmatch(r"git rev-parse --verify \*\*\* \(exit code 128\) \d+ ms", line)
