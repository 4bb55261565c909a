"""The verbs on the command line: options -> session -> command -> rendering -> exit code.

Only click is imported before a verb runs, so that `--help` stays fast (DESIGN 11).
"""

import io
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gitops_promotion.cli.feature import feature, feature_delete, feature_stale, kustomize_finder
from gitops_promotion.cli.local import local
from gitops_promotion.cli.verb import (
    as_duration,
    as_number,
    as_time,
    dry_run_option,
    output_options,
    session_at,
    verb,
    where_options,
)
from gitops_promotion.errors import PromotionError, UsageError
from gitops_promotion.terminal import Terminal

if TYPE_CHECKING:
    from gitops_promotion.core.model import Outcome


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="gitops-promotion", message="%(prog)s %(version)s")
def cli() -> None:
    """Move container images through the environments of a GitOps repository, by pull request."""


for each in (feature, feature_delete, feature_stale, local):
    cli.add_command(each)


@cli.command()
@click.option("--group", default="", help="The group, the first part of its markers [default: the event's].")
@click.option("--app", default="", help="The application, the second part of its markers [default: the event's].")
@click.option(
    "--tag", default="", help="The image tag, optionally with its digest: TAG@sha256:... [default: the event's]."
)
@click.option(
    "--built-at",
    callback=as_time,
    metavar="TIME",
    help="When the image was built; an older build than the last is skipped.",
)
@where_options
@dry_run_option
@verb
def new(terminal: Terminal, group: str, app: str, tag: str, built_at: datetime | None, **where: Any) -> "list[Outcome]":
    """Set a tag in the first environment.

    What is not given is taken from the event that started a GitHub workflow: the client_payload of a
    repository_dispatch, or the inputs of a workflow_dispatch.
    """
    from gitops_promotion.commands.new import new as run

    wanted = _or_the_events(group=group, app=app, tag=tag)
    with session_at(terminal, **where) as session:
        return run(session, built_at=built_at, **wanted)


def _or_the_events(**given: str) -> dict[str, str]:
    """Return the options, those that are missing as the event has them. Raises UsageError naming what nobody gave."""
    from gitops_promotion import ci

    if all(given.values()):
        return given
    event = ci.wishes(os.environ, lambda path: Path(path).read_text(encoding="utf-8"))
    wanted = {name: value or event.get(name, "") for name, value in given.items()}
    if missing := [f"--{name}" for name, value in wanted.items() if not value]:
        if ci.runner(os.environ) == "azure":
            ways = "; an empty variable or parameter counts as not given"
        else:
            ways = (
                ", or run it on a repository_dispatch (client_payload) or workflow_dispatch (inputs) that names group, "
                "app and tag"
            )
        raise UsageError(f"{' and '.join(missing)} missing: give {'it' if len(missing) == 1 else 'them'}{ways}")
    return wanted


@cli.command()
@click.option(
    "--all", "everything", is_flag=True, help="Compare all applications, without an event: heals what was lost."
)
@click.option("--group", default="", help="With --app and --env: force this one promotion.")
@click.option("--app", default="", help="With --env: force this one promotion.")
@click.option("--env", "environment", default="", help="With --app: the environment to promote into.")
@where_options
@dry_run_option
@verb
def promote(
    terminal: Terminal, everything: bool, group: str, app: str, environment: str, **where: Any
) -> "list[Outcome]":
    """Propose what arrived in one environment for the next."""
    from gitops_promotion.commands.promote import promote as run

    with session_at(terminal, **where) as session:
        return run(
            session,
            find_kustomize=kustomize_finder(),
            everything=everything,
            group=group,
            app=app,
            environment=environment,
        )


@cli.command()
@click.option(
    "--pr",
    callback=as_number,
    metavar="NUMBER",
    help="The pull request to check [default: of the event or checkout].",
)
@click.option(
    "--timeout",
    callback=as_duration,
    metavar="DURATION",
    help="How long to wait, such as 5m [default: status_timeout_minutes].",
)
@click.option(
    "--interval",
    callback=as_duration,
    metavar="DURATION",
    help="How often to look at first [default: 5s].",
)
@click.option(
    "--publish",
    is_flag=True,
    help="Do not wait: look once at every open promotion and publish the verdicts as commit statuses.",
)
@where_options
@dry_run_option
@verb
def status(
    terminal: Terminal, pr: int | None, timeout: float | None, interval: float | None, publish: bool, **where: Any
) -> "list[Outcome]":
    """Hold a pull request until the environment before is healthy."""
    from gitops_promotion.commands.status import publish as run_once
    from gitops_promotion.commands.status import status as run

    if publish and timeout is not None:
        raise UsageError("--publish looks once and does not wait: leave out --timeout")
    with session_at(terminal, **where) as session:
        if publish:
            return run_once(session, pr=pr)
        return run(
            session, pr=pr, timeout=timeout, interval=5.0 if interval is None else interval, progress=terminal.progress
        )


@cli.command("set-tag")
@click.option("--group", required=True, help="The group, the first part of its markers.")
@click.option("--app", required=True, help="The application, the second part of its markers.")
@click.option("--tag", required=True, help="The image tag, optionally with its digest: TAG@sha256:...")
@click.option("--image", default="", metavar="NAME", help="Also set the image's name, where markers name it.")
@dry_run_option
@output_options
@click.argument("paths", nargs=-1, metavar="[PATH]...", type=click.Path(path_type=Path))
@verb
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


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line and exit with one of the codes of docs/exit-codes.md."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # no mere TextIO
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
        _log(shown.getvalue(), error.format_message())
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted: nothing is armed that was not meant, run again to go on", err=True)
        sys.exit(130)
    except BrokenPipeError:
        # The reader of stdout has gone: point it elsewhere, or Python complains again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception:  # noqa: BLE001  a bug: the traceback is what a report needs
        bug = "this is a bug in gitops-promotion: please report it with the lines above"
        _log(f"{traceback.format_exc()}error: {bug}", bug)
        sys.exit(1)


def _log(text: str, problem: str) -> None:
    """Log what no verb could, and show the problem on the page of a CI system's run."""
    from gitops_promotion import ci
    from gitops_promotion.core import untrusted

    terminal = Terminal(runner=ci.runner(os.environ))
    terminal.note(text.rstrip("\n"))
    shown = "\n".join(map(untrusted.terminal, terminal.inert(problem).split("\n")))
    if line := ci.annotation(os.environ, "error", "gitops-promotion: failed", shown):
        terminal.command(line, always=True)
