"""Values of options: given twice, of any length, of any bytes; and the time of a build."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

from gitops_promotion import cli
from gitops_promotion.cli.option_values import build_time

if TYPE_CHECKING:
    from tests.conftest import Checkout

Line = tuple[tuple[str, ...], click.Parameter, click.Command]
VALUES = {"group": "webshop", "app": "webui", "tag": "1.4.2", "name": "pr-1", "number": "1", "verdict": "approved"}
VALUES |= {
    "commit": "main",
    "context": "kustomization/webshop-dev",
    "environment": "prod",
    "state": "success",
    "paths": ".",
}


def commands(group: click.Group = cli.cli, *before: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, *before, name)
        elif command is not None:
            yield (*before, name), command


LINES: list[Line] = [(words, param, command) for words, command in commands() for param in command.params]
OPTIONS = [
    (words, max(param.opts, key=len))
    for words, param, _ in LINES
    if isinstance(param, click.Option) and not param.is_flag
]
ONE_OF_EACH = {param.name: (words, param, command) for words, param, command in reversed(LINES) if param.name}
WITH_VALUES = {
    name: line for name, line in ONE_OF_EACH.items() if not (isinstance(line[1], click.Option) and line[1].is_flag)
}


def line(words: tuple[str, ...], command: click.Command, param: click.Parameter, value: str) -> list[str]:
    """A command line that is complete but for the value of one parameter."""
    options, arguments = [], []
    for parameter in command.params:
        text = value if parameter is param else VALUES.get(parameter.name or "", "")
        if isinstance(parameter, click.Argument):
            arguments += [text] if text else []
        elif parameter is param or text:
            options.append(f"{max(parameter.opts, key=len)}={text}")
    return [*words, *options, *arguments]


def run(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str]:
    """Return the exit code and the output of a command line, stdout and stderr."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as raised:
        cli.main(list(args))
    printed = capsys.readouterr()
    return int(raised.value.code or 0), printed.out + printed.err


# Given twice


@pytest.mark.parametrize(("words", "option"), OPTIONS)
def test_an_option_that_is_given_twice_is_a_usage_error(
    words: tuple[str, ...], option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for second in ("b", "a", ""):
        code, text = run(capsys, *words, f"{option}=a", option, second)
        assert (code, f"error: {option} is given twice: give it once: see `gitops-promotion " in text) == (2, True), (
            text
        )


def test_a_short_option_counts_as_its_long_form(capsys: pytest.CaptureFixture[str]) -> None:
    assert "--output is given twice" in run(capsys, "promote", "-o", "json", "--output=json")[1]


def test_a_flag_may_be_given_twice() -> None:
    cli.command("promote").make_context("promote", ["--all", "--quiet", "--all"])


# Empty values


@pytest.mark.parametrize(
    ("words", "option"),
    [line for line in OPTIONS if line[0] != ("new",) and line[1] in ("--group", "--app", "--env", "--tag", "--until")],
)
def test_an_empty_option_that_narrows_is_a_usage_error(
    words: tuple[str, ...], option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, text = run(capsys, *words, f"{option}=")
    assert (code, text.count("error: ")) == (2, 1)
    assert f"error: {option} is empty (a variable of the workflow may not be set): give a value" in text


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (
            ("promote", "--app", "", "--env", ""),
            "--app is empty (a variable of the workflow may not be set): give a va",
        ),
        (("promote", "--app", ""), "give a value, or leave it out: see"),
        (
            ("set-tag", "--group=g", "--app=a", "--tag", ""),
            "--tag is empty (a variable of the workflow may not be set)",
        ),
        (("set-tag", "--group=g", "--app=a", "--tag=1", "", "b"), "[PATH]... is empty"),
        (("local", "merge", ""), "NUMBER is empty"),
        (("wait", "--group", ""), "--group is empty"),
    ],
)
def test_an_empty_value_never_widens_what_a_verb_does(
    args: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, text = run(capsys, *args)
    assert (code, words in text) == (2, True), text


def test_a_line_with_an_empty_value_is_completed() -> None:
    cli.command("promote").make_context("promote", ["--app", ""], resilient_parsing=True)


# Long values, and bytes that are no text


@pytest.mark.parametrize("name", WITH_VALUES)
def test_a_message_shows_the_beginning_of_a_long_value_only(
    name: str, checkout: "Checkout", capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(checkout.path)
    words, param, command = WITH_VALUES[name]
    for value in ("x" * 100_000, "a\n'\\\u00e9\x1b" * 20_000):
        code, text = run(capsys, *line(words, command, param, value))
        assert len(text) < 2000
        assert "Traceback" not in text
        assert code in (0, 2, 5, 6)


@pytest.mark.parametrize("args", [("promote", "--" + "x" * 100_000), ("x" * 100_000,), ("promote", "x" * 100_000)])
def test_a_long_argument_is_shortened_too(args: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    code, text = run(capsys, *args)
    assert (code, len(text) < 1000) == (2, True)


@pytest.mark.parametrize("name", sorted(set(WITH_VALUES) - {"folder", "html", "markdown"}))
def test_bytes_that_are_not_utf_8_are_a_usage_error_that_names_the_option(
    name: str, checkout: "Checkout", capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(checkout.path)
    words, param, command = WITH_VALUES[name]
    code, text = run(capsys, *line(words, command, param, "a\udcff"))
    assert "Traceback" not in text
    assert code == 2
    name_on_the_line = max(param.opts, key=len) if isinstance(param, click.Option) else param.human_readable_name
    assert name_on_the_line in text or "\\udcff" in text


def test_a_token_in_the_environment_that_is_not_utf_8_is_a_usage_error(
    checkout: "Checkout", capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITOPS_PROMOTION_TOKEN", "tok\udcff")
    code, text = run(capsys, "promote", "--sourcedir", str(checkout.path))
    assert (code, text) == (
        2,
        "error: --token or GITOPS_PROMOTION_TOKEN contains bytes that are not UTF-8: write it in UTF-8\n",
    )


def test_a_token_that_is_too_short_to_be_masked_is_a_usage_error(
    checkout: "Checkout", capsys: pytest.CaptureFixture[str]
) -> None:
    code, text = run(capsys, "board", "--sourcedir", str(checkout.path), "--token", "a")
    assert code == 2
    assert text == (
        "error: --token or GITOPS_PROMOTION_TOKEN is too short for a token, and could not be masked: give all of it\n"
    )


def test_the_folder_of_the_demo_is_named_in_short(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, text = run(capsys, "demo", str(tmp_path / ("x" * 5000)))
    assert (code, len(text) < 1000, text.count("error: ")) == (2, True, 1)


# The time of a build


NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "time"),
    [
        ("2026-01-31T12:00:00Z", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-01-31T12:00:00+00:00", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-01-31 12:00:00+02:00", datetime(2026, 1, 31, 12, tzinfo=timezone(timedelta(hours=2)))),
        ("20260131T120000Z", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-03-01T12:10:00Z", NOW + timedelta(minutes=10)),
        ("2026-03-01T22:10:00+10:00", NOW + timedelta(minutes=10)),
        ("0001-01-01T00:00:00+23:59", datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=23, minutes=59)))),
        ("", None),
        (None, None),
    ],
)
def test_a_time_of_a_build_has_a_zone(value: str | None, time: datetime | None) -> None:
    assert build_time(value, NOW) == time


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("2026-01-31T12:00:00", "has no time zone: write it with Z or an offset"),
        ("2026-01-31", "has no time zone: write it with Z or an offset"),
        ("yesterday", "is not a time: write it as 2026-01-31T12:00:00Z"),
        ("2026-03-01T12:10:01Z", "is in the future, now is 2026-03-01T12:00:00+00:00: correct the time or the clock"),
        ("2026-03-01T11:10:01-01:00", "is in the future"),
        ("2999-01-01T00:00:00Z", "is in the future"),
        ("9999-12-31T23:59:59-23:59", "is in the future"),
    ],
)
def test_a_time_of_a_build_without_a_zone_or_in_the_future_is_refused(value: str, words: str) -> None:
    with pytest.raises(click.BadParameter) as raised:
        build_time(value, NOW)
    assert str(raised.value).startswith(f"{value!r} {words}")


@pytest.mark.parametrize("value", ["2999-01-01T00:00:00Z", "2026-01-31T12:00:00"])
def test_a_build_from_the_future_or_without_a_zone_changes_nothing(
    value: str, checkout: "Checkout", capsys: pytest.CaptureFixture[str]
) -> None:
    args = ("new", "--group=webshop", "--app=webui", "--tag=1.4.2", "--sourcedir", str(checkout.path))
    code, text = run(capsys, *args, f"--built-at={value}")
    assert (code, "Invalid value for '--built-at'" in text) == (2, True)
    assert run(capsys, *args)[1].startswith("merged")
