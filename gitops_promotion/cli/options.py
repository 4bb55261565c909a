"""The options that verbs share, and the types of their values."""

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click

from gitops_promotion import render
from gitops_promotion.errors import PromotionError, UsageError

if TYPE_CHECKING:
    from datetime import datetime

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

# A macro of Azure Pipelines: the agent passes one of an undefined variable on as it is written.
MACRO = re.compile(r"\$\([A-Za-z_][\w.-]*\)")
# Texts by people for people, which may contain anything.
_FREE_TEXTS = ("comment", "description")


def several(*options: Decorator) -> Decorator:
    """Return one decorator that adds the options in the order given."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def output(view: render.View) -> Decorator:
    """Return the options for what is printed; `--output` has the formats that can show the view."""
    return several(
        click.option(
            "-o", "--output", type=click.Choice(render.formats(view)), default=render.DEFAULT, help="Output format."
        ),
        click.option("-v", "--verbose", is_flag=True, help="Also print the number of git commands."),
        click.option("-q", "--quiet", is_flag=True, help="Print only errors to stderr."),
    )


dry_run = click.option("--dry-run", is_flag=True, help="Show what would be done, with the diff, and change nothing.")
where = several(
    click.option("--sourcedir", default=".", metavar="DIR", help="The checkout of the GitOps repository [default: .]."),
    click.option(
        "--provider",
        default="",
        metavar="NAME",
        help="The forge, such as github [default: found by the remote's address].",
    ),
    click.option(
        "--token",
        default="",
        envvar="GITOPS_PROMOTION_TOKEN",
        # A secret that was pasted or read from a file often ends with a line break.
        callback=lambda _, __, value: value.strip(),
        metavar="TOKEN",
        help="The forge's token; better set GITOPS_PROMOTION_TOKEN in the environment.",
    ),
    click.option(
        "--api-url", default="", metavar="URL", help="The forge's API [default: GITHUB_API_URL, else by the remote]."
    ),
)
application = several(
    click.option("--group", required=True, help="The group, the first part of its markers."),
    click.option("--app", required=True, help="The application, the second part of its markers."),
)
feature = click.option(
    "--feature",
    "name",
    required=True,
    help="The feature's name, such as a branch's or pr-123; other characters than letters, digits and - are replaced.",
)


def duration(_: click.Context, __: click.Parameter, value: str | None) -> float | None:
    """Return an option's duration in seconds, None for an empty one. For click to call."""
    from gitops_promotion.core.config.values import duration

    try:
        return duration(value) if value else None
    except PromotionError as error:
        raise click.BadParameter(str(error)) from None


def time(_: click.Context, __: click.Parameter, value: str | None) -> "datetime | None":
    """Return an option's time, in UTC where it names no zone. For click to call."""
    from datetime import UTC, datetime

    try:
        time = datetime.fromisoformat(value) if value else None
    except ValueError:
        raise click.BadParameter(f"{value!r} is not a time: write it as 2026-01-31T12:00:00Z") from None
    return time.replace(tzinfo=UTC) if time and not time.tzinfo else time


def number(_: click.Context, __: click.Parameter, value: str | None) -> int | None:
    """Return an option's number of a pull request, None for an empty one. For click to call."""
    if value and not re.fullmatch(r"[1-9][0-9]{0,17}", value):
        raise click.BadParameter(f"{value!r} is not the number of a pull request")
    return int(value) if value else None


def refuse_macros(values: Mapping[str, object]) -> None:
    """Raise UsageError for an option of the current command whose value has a macro in it."""
    for option in click.get_current_context().command.params:
        value = values.get(option.name or "")
        if isinstance(value, str) and option.name not in _FREE_TEXTS and (macro := MACRO.search(value)):
            source = f" or {option.envvar}" if isinstance(option.envvar, str) else ""
            raise UsageError(
                f"{option.opts[-1]}{source} contains {macro[0]!r}, a variable that the pipeline does not define: "
                "define it, or correct its name"
            )
