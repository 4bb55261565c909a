"""What every verb has in common: its options, its session, and how its outcomes are shown and end the run."""

import functools
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gitops_promotion.errors import PromotionError, UsageError
from gitops_promotion.terminal import Terminal

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from gitops_promotion.core.model import Outcome
    from gitops_promotion.workflow.session import Session

_MACRO = re.compile(r"\$\([A-Za-z_][\w.-]*\)")
# What people write for people.
_FREE_TEXTS = ("comment", "description")

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def options(*options: Decorator) -> Decorator:
    """Return one decorator that adds the options in the order given."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


output_options = options(
    click.option("-o", "--output", type=click.Choice(["human", "json"]), default="human", help="What stdout holds."),
    click.option("-v", "--verbose", is_flag=True, help="Also say how many git commands ran."),
    click.option("-q", "--quiet", is_flag=True, help="Say nothing on stderr but errors."),
)
dry_run_option = click.option(
    "--dry-run", is_flag=True, help="Show what would be done, with its diff, and write nothing."
)
where_options = options(
    click.option("--sourcedir", default=".", metavar="DIR", help="The checkout of the GitOps repository [default: .]."),
    click.option(
        "--provider", default="", metavar="NAME", help="The forge: github, azdo or local [default: by the remote]."
    ),
    click.option(
        "--token",
        default="",
        envvar="GITOPS_PROMOTION_TOKEN",
        # A secret that was pasted or read from a file brings the end of its line.
        callback=lambda _, __, value: value.strip(),
        metavar="TOKEN",
        help="The forge's token; better in the environment as GITOPS_PROMOTION_TOKEN.",
    ),
    click.option(
        "--api-url", default="", metavar="URL", help="The forge's API [default: GITHUB_API_URL, else by the remote]."
    ),
    output_options,
)


def as_duration(_: click.Context, __: click.Parameter, value: str | None) -> float | None:
    """Return an option's duration in seconds, for click to call."""
    from gitops_promotion.core.config import duration

    try:
        return duration(value) if value else None
    except PromotionError as error:
        raise click.BadParameter(str(error)) from None


def as_time(_: click.Context, __: click.Parameter, value: str | None) -> datetime | None:
    """Return an option's time, in UTC where it names no zone, for click to call."""
    try:
        time = datetime.fromisoformat(value) if value else None
    except ValueError:
        raise click.BadParameter(f"{value!r} is not a time: write it as 2026-01-31T12:00:00Z") from None
    return time.replace(tzinfo=UTC) if time and not time.tzinfo else time


def as_number(_: click.Context, __: click.Parameter, value: str | None) -> int | None:
    """Return an option's number of a pull request, for click to call; an empty option counts as absent (DESIGN 5)."""
    if value and not re.fullmatch(r"[1-9][0-9]{0,17}", value):
        raise click.BadParameter(f"{value!r} is not the number of a pull request")
    return int(value) if value else None


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What a verb that only shows something found."""

    text: str
    document: str


def verb(function: Callable[..., "Sequence[Outcome] | View"]) -> Callable[..., None]:
    """Give the verb its terminal, print its outcomes or view, and end with their exit code."""

    @functools.wraps(function)
    def run(*, output: str, verbose: bool, quiet: bool, **kwargs: Any) -> None:
        from gitops_promotion import ci, render
        from gitops_promotion.core.model import exit_code

        terminal = Terminal(
            verbose=verbose,
            quiet=quiet,
            runner=ci.runner(os.environ),
            conceal=functools.partial(ci.conceal, os.environ),
            # A macro is no secret, and its error names it.
            secrets=(_MACRO.sub("", kwargs.get("token", "")),),
        )
        try:
            _refuse_macros(kwargs)
            with terminal.hearing():
                outcomes = function(terminal, **kwargs)
        except PromotionError as error:
            terminal.error(str(error))
            failure = replace(_failed(error, kwargs, terminal.mask), message=terminal.mask(str(error)))
            if output == "json":
                terminal.result(render.as_json([failure]))
            _tell_runner(terminal, function.__name__.replace("_", "-"), [failure])
            sys.exit(error.exit_code)
        terminal.clear()
        if isinstance(outcomes, View):
            terminal.result(outcomes.document if output == "json" else outcomes.text)
            return
        terminal.result(render.as_json(outcomes) if output == "json" else render.human(outcomes, paint=terminal.paints))
        for outcome in outcomes:
            if outcome.result == "failed":
                terminal.error(f"{render.subject(outcome)}: {outcome.message}".removeprefix(": "))
        _tell_runner(terminal, function.__name__.replace("_", "-"), outcomes)
        sys.exit(exit_code(outcomes))

    return run


def _failed(error: PromotionError, options: Mapping[str, object], mask: Callable[[str], str]) -> "Outcome":
    from gitops_promotion.core.model import Outcome

    group, app, environment, tag = (
        mask(str(options.get(name) or "")) for name in ("group", "app", "environment", "tag")
    )
    return Outcome.failed(error, group=group, app=app, environment=environment, tag=tag)


def _refuse_macros(given: Mapping[str, object]) -> None:
    """Raise UsageError for an option with a macro in it: Azure Pipelines hands on those it does not know."""
    for option in click.get_current_context().command.params:
        value = given.get(option.name or "")
        if isinstance(value, str) and option.name not in _FREE_TEXTS and (macro := _MACRO.search(value)):
            where = f" or {option.envvar}" if isinstance(option.envvar, str) else ""
            raise UsageError(
                f"{option.opts[-1]}{where} has {macro[0]!r} in it, a variable that the pipeline does not have: define "
                "it, or correct its name"
            )


def _tell_runner(terminal: Terminal, verb: str, outcomes: "Sequence[Outcome]") -> None:
    """Hand the outcomes to the CI system, where there is one: annotations, outputs and summary."""
    import secrets

    from gitops_promotion import ci, render

    for level, title, text in render.annotations(outcomes):
        if line := ci.annotation(os.environ, level, terminal.inert(title), terminal.inert(text)):
            terminal.command(line, always=level == "error")
    values = render.outputs(outcomes, limit=ci.output_limit(os.environ))
    published = ci.publish(
        os.environ,
        # A later step may print a value: it must not become a command there either.
        outputs={name: terminal.inert(value) for name, value in values.items()},
        summary=terminal.mask(render.summary(outcomes, verb=verb)),
        nonce=lambda: secrets.token_hex(16),
    )
    for line in published.commands:
        terminal.command(line, always=True)
    for warning in published.warnings:
        terminal.note(f"warning: {warning}")


def session_at(
    terminal: Terminal, *, sourcedir: str, provider: str, token: str, api_url: str, dry_run: bool = False
) -> "AbstractContextManager[Session]":
    """Return the session that the options describe, for a `with`."""
    from gitops_promotion.workflow.session import open_session

    return open_session(
        Path(sourcedir),
        provider=provider,
        token=token,
        api_url=api_url,
        dry_run=dry_run,
        environ=os.environ,
        terminal=terminal,
    )
