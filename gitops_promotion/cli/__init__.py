"""The command line: the list of verbs, and the end of a run that no verb could end itself.

Only click is imported before a verb runs, so that `--help` is fast.
"""

import errno
import io
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from typing import NamedTuple, NoReturn, TextIO

import click

from gitops_promotion.cli import environment
from gitops_promotion.errors import StorageError


class Verb(NamedTuple):
    """A row of VERBS: the module in `cli/verbs`, and whether the GitHub Action runs the verb."""

    module: str
    in_action: bool = True


VERBS = {
    "init": Verb("init", in_action=False),
    "new": Verb("new"),
    "promote": Verb("promote"),
    "status": Verb("status"),
    "feature": Verb("feature"),
    "feature-delete": Verb("feature_delete"),
    "feature-stale": Verb("feature_stale"),
    "approvals": Verb("approvals", in_action=False),
    "approve": Verb("approve", in_action=False),
    "decline": Verb("decline", in_action=False),
    "wait": Verb("wait"),
    "hold": Verb("hold"),
    "release": Verb("release"),
    "board": Verb("board"),
    "why": Verb("why", in_action=False),
    "history": Verb("history", in_action=False),
    "graph": Verb("graph", in_action=False),
    "validate": Verb("validate", in_action=False),
    "schema": Verb("schema", in_action=False),
    "set-tag": Verb("set_tag", in_action=False),
    "local": Verb("local", in_action=False),
    "demo": Verb("demo", in_action=False),
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


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
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
    with suppress(ValueError):  # only the main thread may
        # A runner that cancels a job sends SIGTERM: end as by Ctrl-C, without leaving files or processes behind.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    with environment.secrets_hidden() as variables:
        _run(args, variables)


def _run(args: Sequence[str] | None, variables: Mapping[str, str]) -> None:
    try:
        cli.main(args, standalone_mode=False, obj=variables)
    except click.exceptions.Exit as exit_:
        sys.exit(exit_.exit_code)
    except click.ClickException as error:
        text = io.StringIO()
        error.show(text)
        _log(variables, *_shortened(args, text.getvalue(), error.format_message()))
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
    """Log a problem that no verb could, and show it on the page of a CI system's run."""
    from gitops_promotion import ci
    from gitops_promotion.cli.run import terminal
    from gitops_promotion.core import untrusted

    log = terminal(variables)
    log.note(text.rstrip("\n"))
    lines = "\n".join(map(untrusted.terminal, log.without_commands(problem).split("\n")))
    if line := ci.runner(variables).annotation("error", "gitops-promotion: failed", lines):
        log.command(line, always=True)
