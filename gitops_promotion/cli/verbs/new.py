"""`gitops-promotion new`."""

from typing import TYPE_CHECKING, Any

import click

from gitops_promotion.cli import environment, option_values, options, run
from gitops_promotion.errors import UsageError
from gitops_promotion.terminal import Terminal

if TYPE_CHECKING:
    from datetime import datetime

    from gitops_promotion.core.model import Outcome


def _now() -> "datetime":
    from datetime import UTC, datetime

    return datetime.now(UTC)


@click.command(
    "new",
    cls=options.Command,
    examples=(
        "gitops-promotion new --group webshop --app webui --tag 1.4.2",
        "gitops-promotion new --group webshop --app webui --tag 1.4.2 --dry-run",
    ),
    page="docs/concepts.md#new",
)
@click.option("--group", default="", help="The group, the first part of its markers [default: the event's].")
@click.option("--app", default="", help="The application, the second part of its markers [default: the event's].")
@click.option(
    "--tag", default="", help="The image tag, optionally with its digest: TAG@sha256:... [default: the event's]."
)
@click.option(
    "--built-at",
    callback=lambda _, __, value: option_values.build_time(value, _now()),
    metavar="TIME",
    help="When the image was built, such as 2026-01-31T12:00:00Z; an older build than the last is skipped.",
)
@click.option("--again", is_flag=True, help="Propose the tag although a person declined it.")
@click.option("--verify", is_flag=True, help="Ask the registry first whether the image exists.")
@click.option("--pin", is_flag=True, help="Write the digest that the registry has too; implies --verify.")
@options.connection
@options.dry_run
@run.verb()
def command(
    terminal: Terminal,
    group: str,
    app: str,
    tag: str,
    built_at: "datetime | None",
    again: bool,
    verify: bool,
    pin: bool,
    **connection: Any,
) -> "list[Outcome]":
    """Set a tag in the first environment.

    Options that are not given are taken from the event that started a GitHub workflow: the client_payload of a
    repository_dispatch, or the inputs of a workflow_dispatch.
    """
    from gitops_promotion.commands.new import new

    names = _or_of_the_event(group=group, app=app, tag=tag)
    with run.open_run_at(terminal, **connection) as verb_run:
        outcomes = new(verb_run, built_at=built_at, again=again, verify=verify, pin=pin, **names)
        return run.tell(verb_run, outcomes)


def _or_of_the_event(**values: str) -> dict[str, str]:
    """Return the options, missing ones from the event. Raises UsageError that names those in neither."""
    from gitops_promotion import ci

    if all(values.values()):
        return values
    variables = environment.variables()
    runner = ci.runner(variables)
    event = runner.inputs(variables, ci.read_file)
    values = {name: value or event.get(name, "") for name, value in values.items()}
    if missing := [f"--{name}" for name, value in values.items() if not value]:
        them = "it" if len(missing) == 1 else "them"
        raise UsageError(f"{' and '.join(missing)} missing: give {them}{runner.INPUTS_ADVICE}")
    return values
