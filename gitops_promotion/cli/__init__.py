"""The command line: the list of verbs, and how a run ends that fails outside of a verb.

Only click is imported before a verb runs, so that `--help` is fast.
"""

import errno
import gc
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from difflib import get_close_matches
from importlib import import_module
from typing import NamedTuple, NoReturn, TextIO

import click

from gitops_promotion.cli import environment
from gitops_promotion.errors import StorageError


class Verb(NamedTuple):
    """A row of VERBS: the module in `cli/verbs`, whether the GitHub Action runs the verb, and its part of `--help`."""

    module: str
    in_action: bool = True
    part: str = "Promote"


_OBJECTS_BETWEEN_COLLECTIONS = 100_000

PARTS = ("Start", "Promote", "People", "Look", "Previews", "Plain git")
"""The parts of `--help`, in its order."""

VERBS = {
    "init": Verb("init", in_action=False, part="Start"),
    "validate": Verb("validate", in_action=False, part="Start"),
    "doctor": Verb("doctor", in_action=False, part="Start"),
    "notify": Verb("notify", in_action=False, part="Start"),
    "demo": Verb("demo", in_action=False, part="Start"),
    "schema": Verb("schema", in_action=False, part="Start"),
    "completion": Verb("completion", in_action=False, part="Start"),
    "version": Verb("version", in_action=False, part="Start"),
    "new": Verb("new"),
    "promote": Verb("promote"),
    "status": Verb("status"),
    "wait": Verb("wait"),
    "hold": Verb("hold"),
    "release": Verb("release"),
    "rollback": Verb("rollback"),
    "set-tag": Verb("set_tag", in_action=False),
    "approvals": Verb("approvals", in_action=False, part="People"),
    "approve": Verb("approve", in_action=False, part="People"),
    "decline": Verb("decline", in_action=False, part="People"),
    "board": Verb("board", part="Look"),
    "why": Verb("why", in_action=False, part="Look"),
    "history": Verb("history", in_action=False, part="Look"),
    "graph": Verb("graph", in_action=False, part="Look"),
    "feature": Verb("feature", part="Previews"),
    "feature-delete": Verb("feature_delete", part="Previews"),
    "feature-stale": Verb("feature_stale", part="Previews"),
    "local": Verb("local", in_action=False, part="Plain git"),
}
"""Every verb by its name, in the order of `--help`. Nothing else lists them."""


def command(verb: str) -> click.Command:
    """Return the click command of a verb in VERBS."""
    module = import_module(f"{__name__}.verbs.{VERBS[verb].module}")
    verb_command: click.Command = module.command
    return verb_command


class _Verbs(click.Group):
    def list_commands(self, _: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, _: click.Context, name: str) -> click.Command | None:
        return command(name) if name in VERBS else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the verbs by their parts."""
        limit = formatter.width - max(map(len, VERBS)) - 6
        for part in PARTS:
            names = [name for name, verb in VERBS.items() if verb.part == part]
            commands = [(name, self.get_command(ctx, name)) for name in names]
            with formatter.section(part):
                formatter.write_dl([(name, verb.get_short_help_str(limit)) for name, verb in commands if verb])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the verb and its arguments. Raises click.UsageError that names the nearest verb."""
        name = args[0]
        if name not in VERBS and not name.startswith("-"):
            from gitops_promotion.core.untrusted import quoted

            near = get_close_matches(name, VERBS, n=1)
            question = f", did you mean {near[0]}?" if near else ""
            raise click.UsageError(f"there is no verb {quoted(name)}{question}", ctx)
        return super().resolve_command(ctx, args)

    def format_epilog(self, _: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the first steps and the address of the documentation."""
        from gitops_promotion.core.pages import page

        formatter.write("\nExamples:\n  gitops-promotion init\n  gitops-promotion demo\n")
        formatter.write(f"\n{page('README.md')}\n")


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80})
@click.version_option(package_name="gitops-promotion", message="%(prog)s %(version)s")
def cli() -> None:
    """Move container images through the environments of a GitOps repository, by pull request."""


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line and exit with one of the codes of docs/exit-codes.md."""
    for name in ("stdout", "stderr"):
        # A stream that the shell closed (`>&-`) is None, and the next file that is opened would get its number.
        stream = getattr(sys, name) or open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115  until the end
        stream.reconfigure(errors="backslashreplace")
        setattr(sys, name, stream)
    # A run is short and keeps most of what it makes: looking for cycles every 700 objects takes a tenth of its time.
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    with suppress(ValueError):  # only the main thread may
        # A runner that cancels a job sends SIGTERM: end as by Ctrl-C, without leaving files or processes behind.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    with environment.secrets_hidden() as variables:
        _run(args, variables)


def _run(args: Sequence[str] | None, variables: Mapping[str, str]) -> None:
    try:
        cli.main(args, prog_name="gitops-promotion", standalone_mode=False, obj=variables)
    except click.exceptions.Exit as exit_:
        sys.exit(exit_.exit_code)
    except click.ClickException as error:
        _report_usage(args, variables, error)
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo(
            "interrupted: no auto-merge was left enabled by accident; run the command again to continue", err=True
        )
        sys.exit(130)
    except BrokenPipeError:
        _discard(sys.stdout)
        sys.exit(1)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            _report_bug(variables)
        _discard(sys.stdout)
        try:
            click.echo(f"error: cannot write the output ({error.strerror}): free space there", err=True)
        except OSError:
            _discard(sys.stderr)
        sys.exit(StorageError.exit_code)
    except Exception:  # noqa: BLE001  a bug: the traceback is what a report needs
        _report_bug(variables)


def _report_usage(args: Sequence[str] | None, variables: Mapping[str, str], error: click.ClickException) -> None:
    """Log what is wrong with a command line, and print it as an outcome where the output is JSON."""
    # Without a verb, newer versions of click raise the help as an error.
    if isinstance(error, getattr(click.exceptions, "NoArgsIsHelpError", ())):
        click.echo(error.format_message(), err=True)
        return
    context = error.ctx if isinstance(error, click.UsageError) else None
    [message] = _shortened(args, " ".join(error.format_message().split()))
    advice = f"see `{context.command_path} -h`" if context else "see `gitops-promotion -h`"
    text = f"{message.rstrip('.')}{' ' if message.endswith('?') else ': '}{advice}"
    _log(variables, f"error: {text}", text)
    words = sys.argv[1:] if args is None else args
    if _asks_for_json(words, variables):
        from gitops_promotion.cli.run import terminal
        from gitops_promotion.core.model import Outcome
        from gitops_promotion.core.report import Report
        from gitops_promotion.errors import UsageError
        from gitops_promotion.render.json_v1 import report

        log = terminal(variables)
        log.result(report(Report(outcomes=(Outcome.failed(UsageError(log.mask(text))),))))


def _asks_for_json(words: Sequence[str], variables: Mapping[str, str]) -> bool:
    """Return True if the output is JSON, as far as a command line that is not understood tells."""
    for number, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name in ("-o", "--output", "--format"):
            return (value if equals else "".join(words[number + 1 : number + 2])) == "json"
        if word.startswith("-o") and not word.startswith("--"):
            return word[2:] == "json"
    return variables.get(environment.variable_of("output")) == "json"


def _report_bug(variables: Mapping[str, str]) -> NoReturn:
    import traceback

    bug = "this is a bug in gitops-promotion: please report it with the lines above"
    _log(variables, f"{traceback.format_exc()}error: {bug}", bug)
    sys.exit(1)


def _discard(stream: TextIO) -> None:
    # Python writes what is left in a stream at exit, and would report the error again.
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _shortened(args: Sequence[str] | None, *messages: str) -> list[str]:
    from gitops_promotion.cli.options import shorten

    words = sys.argv[1:] if args is None else args
    values = [*words, *(word.partition("=")[2] for word in words)]
    return [shorten(message, values) for message in messages]


def _log(variables: Mapping[str, str], text: str, problem: str) -> None:
    """Log a problem that occurred outside of a verb, and show it on the page of a CI system's run."""
    from gitops_promotion import ci
    from gitops_promotion.cli.run import terminal
    from gitops_promotion.core import untrusted

    log = terminal(variables)
    log.note(text.rstrip("\n"))
    lines = "\n".join(map(untrusted.terminal, log.without_commands(problem).split("\n")))
    if line := ci.runner(variables).annotation("error", "gitops-promotion: failed", lines):
        log.command(line, always=True)
