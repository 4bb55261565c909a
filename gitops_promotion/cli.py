"""The verbs on the command line: options -> session -> command -> rendering -> exit code.

Only click is imported before a verb runs, so that `--help` stays fast (DESIGN 11).
"""

import functools
import io
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from gitops_promotion.errors import PromotionError, UsageError
from gitops_promotion.terminal import Terminal

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from gitops_promotion.commands.session import Session
    from gitops_promotion.core.model import Outcome, StatusState

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def _options(*options: Decorator) -> Decorator:
    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


_output = _options(
    click.option("-o", "--output", type=click.Choice(["human", "json"]), default="human", help="What stdout holds."),
    click.option("-v", "--verbose", is_flag=True, help="Also say how many git commands ran."),
    click.option("-q", "--quiet", is_flag=True, help="Say nothing on stderr but errors."),
)
_dry_run = click.option("--dry-run", is_flag=True, help="Show what would be done, with its diff, and write nothing.")
_where = _options(
    click.option("--sourcedir", default=".", metavar="DIR", help="The checkout of the GitOps repository [default: .]."),
    click.option(
        "--provider", default="", metavar="NAME", help="The forge: github, azdo or local [default: by the remote]."
    ),
    click.option(
        "--token",
        default="",
        envvar="GITOPS_PROMOTION_TOKEN",
        metavar="TOKEN",
        help="The forge's token; better in the environment as GITOPS_PROMOTION_TOKEN.",
    ),
    click.option(
        "--api-url", default="", metavar="URL", help="The forge's API [default: GITHUB_API_URL, else by the remote]."
    ),
    _output,
)


def _duration(_: click.Context, __: click.Parameter, value: str | None) -> float | None:
    from gitops_promotion.core.config import duration

    try:
        return None if value is None else duration(value)
    except PromotionError as error:
        raise click.BadParameter(str(error)) from None


def _time(_: click.Context, __: click.Parameter, value: str | None) -> datetime | None:
    try:
        time = None if value is None else datetime.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is not a time: write it as 2026-01-31T12:00:00Z") from None
    return time.replace(tzinfo=UTC) if time and not time.tzinfo else time


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="gitops-promotion", message="%(prog)s %(version)s")
def cli() -> None:
    """Move container images through the environments of a GitOps repository, by pull request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _View:
    """What a verb that only shows something found."""

    text: str
    document: str


def _verb(function: Callable[..., "Sequence[Outcome] | _View"]) -> Callable[..., None]:
    """Give the verb its terminal, print its outcomes or view, and end with their exit code."""

    @functools.wraps(function)
    def run(*, output: str, verbose: bool, quiet: bool, **kwargs: Any) -> None:
        from gitops_promotion import ci, render
        from gitops_promotion.core.model import Outcome, exit_code

        runner = ci.runner(os.environ)
        terminal = Terminal(verbose=verbose, quiet=quiet, runner=runner, secrets=(kwargs.get("token", ""),))
        try:
            with terminal.hearing():
                outcomes = function(terminal, **kwargs)
        except PromotionError as error:
            terminal.error(str(error))
            asked = {
                name: terminal.mask(str(kwargs.get(name) or "")) for name in ("group", "app", "environment", "tag")
            }
            failure = Outcome(
                result="failed",
                message=terminal.mask(str(error)),
                failure=error.exit_code,
                group=asked["group"],
                app=asked["app"],
                environment=asked["environment"],
                tag=asked["tag"],
            )
            if output == "json":
                terminal.result(render.as_json([failure]))
            _tell_runner(terminal, function.__name__.replace("_", "-"), [failure])
            sys.exit(error.exit_code)
        terminal.clear()
        if isinstance(outcomes, _View):
            terminal.result(outcomes.document if output == "json" else outcomes.text)
            return
        terminal.result(render.as_json(outcomes) if output == "json" else render.human(outcomes, paint=terminal.paints))
        for outcome in outcomes:
            if outcome.result == "failed":
                terminal.error(f"{render.subject(outcome)}: {outcome.message}".removeprefix(": "))
        _tell_runner(terminal, function.__name__.replace("_", "-"), outcomes)
        sys.exit(exit_code(outcomes))

    return run


def _tell_runner(terminal: Terminal, verb: str, outcomes: "Sequence[Outcome]") -> None:
    """Hand the outcomes to the CI system, where there is one: annotations, outputs and summary."""
    import secrets

    from gitops_promotion import ci, render

    for level, title, text in render.annotations(outcomes):
        if line := ci.annotation(os.environ, level, terminal.mask(title), terminal.mask(text)):
            terminal.command(line, error=level == "error")
    for warning in ci.publish(
        os.environ,
        outputs={name: terminal.mask(value) for name, value in render.outputs(outcomes).items()},
        summary=terminal.mask(render.summary(outcomes, verb=verb)),
        nonce=lambda: f"end-{secrets.token_hex(16)}",
    ):
        terminal.note(f"warning: {warning}")


def _session(
    terminal: Terminal, *, sourcedir: str, provider: str, token: str, api_url: str, dry_run: bool = False
) -> "AbstractContextManager[Session]":
    from gitops_promotion.commands.session import open_session

    return open_session(
        Path(sourcedir),
        provider=provider,
        token=token,
        api_url=api_url,
        dry_run=dry_run,
        environ=os.environ,
        terminal=terminal,
    )


@cli.command()
@click.option("--group", default="", help="The group, the first part of its markers [default: the event's].")
@click.option("--app", default="", help="The application, the second part of its markers [default: the event's].")
@click.option(
    "--tag", default="", help="The image tag, optionally with its digest: TAG@sha256:... [default: the event's]."
)
@click.option(
    "--built-at",
    callback=_time,
    metavar="TIME",
    help="When the image was built; an older build than the last is skipped.",
)
@_where
@_dry_run
@_verb
def new(terminal: Terminal, group: str, app: str, tag: str, built_at: datetime | None, **where: Any) -> "list[Outcome]":
    """Set a tag in the first environment.

    What is not given is taken from the event that started a GitHub workflow: the client_payload of a
    repository_dispatch, or the inputs of a workflow_dispatch.
    """
    from gitops_promotion.commands.new import new as run

    wanted = _or_the_events(group=group, app=app, tag=tag)
    with _session(terminal, **where) as session:
        return run(session, built_at=built_at, **wanted)


def _or_the_events(**given: str) -> dict[str, str]:
    """Return the options, those that are missing as the event has them. Raises UsageError naming what nobody gave."""
    from gitops_promotion import ci

    if all(given.values()):
        return given
    event = ci.wishes(os.environ, lambda path: Path(path).read_text(encoding="utf-8"))
    wanted = {name: value or event.get(name, "") for name, value in given.items()}
    if missing := [f"--{name}" for name, value in wanted.items() if not value]:
        raise UsageError(
            f"{' and '.join(missing)} missing: give {'it' if len(missing) == 1 else 'them'}, or run it on a "
            "repository_dispatch (client_payload) or workflow_dispatch (inputs) that names group, app and tag"
        )
    return wanted


@cli.command()
@click.option(
    "--all", "everything", is_flag=True, help="Compare all applications, without an event: heals what was lost."
)
@click.option("--group", default="", help="With --app and --env: force this one promotion.")
@click.option("--app", default="", help="With --env: force this one promotion.")
@click.option("--env", "environment", default="", help="With --app: the environment to promote into.")
@_where
@_dry_run
@_verb
def promote(
    terminal: Terminal, everything: bool, group: str, app: str, environment: str, **where: Any
) -> "list[Outcome]":
    """Propose what arrived in one environment for the next."""
    from gitops_promotion.commands.promote import promote as run

    with _session(terminal, **where) as session:
        return run(session, everything=everything, group=group, app=app, environment=environment)


@cli.command()
@click.option("--pr", type=click.IntRange(min=1), help="The pull request to check [default: of the event or checkout].")
@click.option(
    "--timeout",
    callback=_duration,
    metavar="DURATION",
    help="How long to wait, such as 5m [default: status_timeout_minutes].",
)
@click.option(
    "--interval", callback=_duration, metavar="DURATION", default="5s", help="How often to look at first [default: 5s]."
)
@click.option(
    "--publish",
    is_flag=True,
    help="Do not wait: look once at every open promotion and publish the verdicts as commit statuses.",
)
@_where
@_dry_run
@_verb
def status(
    terminal: Terminal, pr: int | None, timeout: float | None, interval: float, publish: bool, **where: Any
) -> "list[Outcome]":
    """Hold a pull request until the environment before is healthy."""
    from gitops_promotion.commands.status import publish as run_once
    from gitops_promotion.commands.status import status as run

    if publish and timeout is not None:
        raise UsageError("--publish looks once and does not wait: leave out --timeout")
    with _session(terminal, **where) as session:
        if publish:
            return run_once(session, pr=pr)
        return run(session, pr=pr, timeout=timeout, interval=interval, progress=terminal.progress)


@cli.command("set-tag")
@click.option("--group", required=True, help="The group, the first part of its markers.")
@click.option("--app", required=True, help="The application, the second part of its markers.")
@click.option("--tag", required=True, help="The image tag, optionally with its digest: TAG@sha256:...")
@click.option("--image", default="", metavar="NAME", help="Also set the image's name, where markers name it.")
@_dry_run
@_output
@click.argument("paths", nargs=-1, metavar="[PATH]...", type=click.Path(path_type=Path))
@_verb
def set_tag(
    _: Terminal, group: str, app: str, tag: str, image: str, dry_run: bool, paths: tuple[Path, ...]
) -> "list[Outcome]":
    """Set a tag in files or folders of the working tree (default: .), without git or forge."""
    from gitops_promotion.commands.set_tag import set_tag as run

    return [run(paths or (Path(),), group=group, app=app, tag=tag, image=image, dry_run=dry_run)]


@cli.command()
@click.argument("folder", required=False, type=click.Path(path_type=Path))
def demo(folder: Path | None) -> None:
    """Build a small webshop with its remote in FOLDER (default: a temporary one) and promote up to prod's door."""
    from gitops_promotion.commands.demo import demo as run

    def verb(args: list[str]) -> int:
        try:
            cli.main(args, standalone_mode=False)
        except SystemExit as ended:
            return int(ended.code or 0)
        return 0

    try:
        run(folder, verb=verb, say=click.echo)
    except PromotionError as error:
        Terminal().error(str(error))
        sys.exit(error.exit_code)


@cli.group()
def local() -> None:
    """Play forge and Flux where the remote is plain git: pull requests and statuses are refs in it."""


_number = click.argument("number", type=click.IntRange(min=1))


@local.command("list")
@click.option("--all", "everything", is_flag=True, help="Also those that are merged or closed.")
@_where
@_verb
def list_(terminal: Terminal, everything: bool, **where: Any) -> _View:
    """List the open pull requests."""
    from gitops_promotion import render
    from gitops_promotion.commands.local import list_pull_requests

    with _session(terminal, **where) as session:
        pulls = list_pull_requests(session, everything=everything)
    return _View(text=render.pull_requests(pulls), document=render.pull_requests_json(pulls))


@local.command()
@_number
@_where
@_verb
def show(terminal: Terminal, number: int, **where: Any) -> _View:
    """Show a pull request whole: what it changes, its statuses and reviews."""
    from gitops_promotion import render
    from gitops_promotion.commands.local import show as run

    with _session(terminal, **where) as session:
        details = run(session, number)
    return _View(text=render.details(details), document=render.details_json(details))


@local.command()
@_number
@_where
@_verb
def merge(terminal: Terminal, number: int, **where: Any) -> "list[Outcome]":
    """Merge a pull request: for a promotion that waits for a person, this approves it."""
    from gitops_promotion.commands.local import merge as run

    with _session(terminal, **where) as session:
        return [run(session, number)]


@local.command()
@_number
@_where
@_verb
def close(terminal: Terminal, number: int, **where: Any) -> "list[Outcome]":
    """Close a pull request without merging: its promotion is declined, and that sticks."""
    from gitops_promotion.commands.local import close as run

    with _session(terminal, **where) as session:
        return [run(session, number)]


@local.command()
@_number
@click.argument("verdict", type=click.Choice(["approved", "changes-requested"]))
@click.option("--comment", default="", help="Why.")
@_where
@_verb
def review(
    terminal: Terminal, number: int, verdict: Literal["approved", "changes-requested"], comment: str, **where: Any
) -> "list[Outcome]":
    """Give your opinion on a pull request's head as it is now."""
    from gitops_promotion.commands.local import review as run

    with _session(terminal, **where) as session:
        return [run(session, number, verdict=verdict, comment=comment)]


@local.command("set-status")
@click.argument("commit")
@click.argument("context")
@click.argument("state", type=click.Choice(["success", "failure", "pending"]))
@click.option("--description", default="", help="What Flux would say, such as 'health check failed'.")
@_where
@_verb
def set_status(
    terminal: Terminal, commit: str, context: str, state: "StatusState", description: str, **where: Any
) -> "list[Outcome]":
    """Report a status on COMMIT (an id or a branch), as Flux does: CONTEXT is such as kustomization/webshop-dev."""
    from gitops_promotion.commands.local import set_status as run

    with _session(terminal, **where) as session:
        return [run(session, commit, context=context, state=state, description=description)]


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line and exit with one of the codes of docs/exit-codes.md."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    with suppress(ValueError):  # only a main thread may
        # A runner that cancels a job sends SIGTERM: end as by Ctrl-C, without leaving files or processes behind.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        cli.main(args, standalone_mode=False)
    except click.exceptions.Exit as exit_:
        sys.exit(exit_.exit_code)
    except click.ClickException as error:
        shown = io.StringIO()
        error.show(shown)
        _log(shown.getvalue())
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted: nothing is armed that was not meant, run again to go on", err=True)
        sys.exit(130)
    except BrokenPipeError:
        # The reader of stdout has gone: point it elsewhere, or Python complains again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception:  # noqa: BLE001  a bug: the traceback is what a report needs
        _log(traceback.format_exc())
        click.echo("error: this is a bug in gitops-promotion: please report it with the lines above", err=True)
        sys.exit(1)


def _log(text: str) -> None:
    from gitops_promotion import ci

    Terminal(runner=ci.runner(os.environ)).note(text.rstrip("\n"))
