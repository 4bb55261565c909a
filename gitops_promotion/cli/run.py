"""One run of a verb: run -> verb -> report -> format -> runner -> exit code."""

import errno
import functools
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gitops_promotion import render
from gitops_promotion.cli import environment, options
from gitops_promotion.errors import Fault, PromotionError, StorageError, UsageError
from gitops_promotion.terminal import Terminal

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from gitops_promotion.core.model import Outcome
    from gitops_promotion.core.report import Flawed
    from gitops_promotion.git import NoCheckout
    from gitops_promotion.kustomize import Kustomize
    from gitops_promotion.workflow.run import Run


def verb(view: render.View | None = "report", *, output: Sequence[str] = ()) -> options.Decorator:
    """Return a decorator that gives a verb its terminal, shows the view that it returns, and ends with the exit code.

    For a report the verb returns the outcomes. A verb with the view None prints by itself. `output` are more names of
    the option `--output`.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., None]:
        @functools.wraps(function)
        def run(*, output: str = render.DEFAULT, verbose: bool = False, quiet: bool = False, **values: Any) -> None:
            # A macro is not a secret, and the error names it.
            token = options.MACRO.sub("", values.get("token", ""))
            variables = environment.variables()
            hidden = () if options.is_too_short(token) else (token,)
            log = terminal(variables, verbose=verbose, quiet=quiet, secrets=hidden)
            _run(function, view, output, log, values)

        return options.output(view, *output)(run) if view else run

    return decorate


def terminal(
    variables: Mapping[str, str], *, verbose: bool = False, quiet: bool = False, secrets: tuple[str, ...] = ()
) -> Terminal:
    """Return the terminal of a run with these variables, which knows the CI system that reads it."""
    from gitops_promotion import ci
    from gitops_promotion.core.notifications import channels
    from gitops_promotion.core.secrets import proxy_secrets

    runner = ci.runner(variables)
    addresses = [
        value
        for name, value in variables.items()
        if name.lower().endswith("_proxy") or name.startswith(channels.PREFIX)
    ]
    hidden = (*secrets, *proxy_secrets(addresses), *channels.secrets(variables))
    return Terminal(verbose=verbose, quiet=quiet, obeys=runner.OBEYS, conceal=runner.conceal, secrets=hidden)


def _run(
    function: Callable[..., Any], view: render.View | None, output: str, terminal: Terminal, values: Mapping[str, Any]
) -> None:
    import click

    from gitops_promotion.core.report import Flawed, Judged, Report

    try:
        options.check(values)
        with terminal.capturing_logs(), _storage_errors():
            result = function(terminal, **values)
    except PromotionError as error:
        result, view = Report(outcomes=(_failed(error, values, terminal.mask),)), "report"
        terminal.error(result.outcomes[0].message)
        if render.FORMATS[output].reports_errors:
            terminal.result(render.rendering(output, view)(result, colour=False))
    else:
        terminal.clear()
        if view is None:
            return
        if view == "report":
            result = Report(outcomes=tuple(result))
        text = render.rendering(output, view)(result, colour=terminal.has_colour)
        terminal.result(text, has_commands=render.FORMATS[output].has_commands)
        _log_failures(terminal, result)
        if "markdown" in render.formats(view):
            summary = render.rendering("markdown", view)(result, colour=False)
            _publish(terminal, environment.variables(), outputs={}, summary=summary)
    if isinstance(result, Report):
        _tell_runner(terminal, click.get_current_context().command.name or "", result.outcomes)
        sys.exit(result.exit_code)
    if isinstance(result, Flawed):
        _log_flaws(terminal, result)
    if isinstance(result, Judged):
        sys.exit(result.exit_code)


@contextmanager
def _storage_errors() -> Iterator[None]:
    """Raise StorageError for the errors of a disk without room, wherever a file is written."""
    try:
        yield
    except OSError as error:
        # tempfile raises ENOENT if it can write to no folder, and names in the text those that it tried.
        if error.errno not in (errno.ENOSPC, errno.EDQUOT) and "temporary directory" not in str(error.strerror):
            raise
        files = error.filename or "temporary files or the output"
        raise StorageError(
            f"cannot write {files} ({error.strerror}): free space there, or set TMPDIR to another folder"
        ) from None


def _failed(error: PromotionError, values: Mapping[str, object], mask: Callable[[str], str]) -> "Outcome":
    from dataclasses import replace

    from gitops_promotion.core.model import Outcome

    texts = [item for value in values.values() for item in (value if isinstance(value, tuple) else (value,))]

    def safe(text: object) -> str:
        return options.shorten(mask(str(text or "")), texts)

    names = {name: safe(values.get(name)) for name in ("group", "app", "environment", "tag")}
    return replace(Outcome.failed(error, **names), message=safe(error))


def _log_failures(terminal: Terminal, result: object) -> None:
    from gitops_promotion.core.report import Report
    from gitops_promotion.render.common import subject

    for outcome in result.outcomes if isinstance(result, Report) else ():
        if outcome.result == "failed":
            terminal.error(f"{subject(outcome)}: {outcome.message}".removeprefix(": "))


def _log_flaws(terminal: Terminal, view: "Flawed") -> None:
    for warning in view.warnings:
        terminal.note(f"warning: {warning}")
    for error in view.errors:
        terminal.error(error)


def _tell_runner(terminal: Terminal, verb: str, outcomes: "Sequence[Outcome]") -> None:
    """Give the CI system, if there is one, the annotations, the outputs and the summary."""
    from gitops_promotion import ci

    variables = environment.variables()
    runner = ci.runner(variables)
    if not runner.NAME:
        return

    from gitops_promotion.render.annotations import annotations
    from gitops_promotion.render.markdown import summary
    from gitops_promotion.render.outputs import outputs

    for level, title, text, fault in annotations(outcomes):
        place = fault and Fault(terminal.without_commands(fault.path), fault.line, "")
        if line := runner.annotation(level, terminal.without_commands(title), terminal.without_commands(text), place):
            terminal.command(line, always=level == "error")
    _publish(
        terminal,
        variables,
        outputs=outputs(outcomes, limit=runner.OUTPUT_LIMIT),
        summary=summary(outcomes, verb=verb),
    )


def _publish(terminal: Terminal, variables: Mapping[str, str], *, outputs: Mapping[str, str], summary: str) -> None:
    """Give the CI system, if there is one, outputs and a summary in Markdown."""
    import secrets

    from gitops_promotion import ci

    published = ci.runner(variables).publish(
        variables,
        # A later step may print a value, which must not become a command there either.
        outputs={name: terminal.without_commands(value) for name, value in outputs.items()},
        summary=terminal.mask(summary),
        nonce=lambda: secrets.token_hex(16),
    )
    for line in published.commands:
        terminal.command(line, always=True)
    for warning in published.warnings:
        terminal.note(f"warning: {warning}")


def kustomize_finder() -> "Callable[[], Kustomize]":
    """Return a function that returns kustomize, and looks for it on its first call only."""
    from gitops_promotion.kustomize import Kustomize

    variables = environment.variables()
    return functools.cache(lambda: Kustomize.find(variables))


def tell(
    verb_run: "Run", outcomes: "Sequence[Outcome]", *, recent: bool = False, overridden: bool = False
) -> "list[Outcome]":
    """Tell the configured channels what a run did, and return its outcomes; see `workflow.notifying.tell`."""
    if not verb_run.tells_channels:
        return list(outcomes)
    # Imported here, since most repositories have no channels.
    from gitops_promotion.workflow import notifying

    return notifying.tell(verb_run, outcomes, environ=environment.variables(), recent=recent, overridden=overridden)


def _place(sourcedir: str, repo: str, cache_dir: str) -> "Path | NoCheckout":
    """Return the path of the checkout, or the repository without a checkout. Raises UsageError if options name both."""
    import click
    from click.core import ParameterSource

    from gitops_promotion.git import NoCheckout

    context = click.get_current_context()
    flags = {name for name in context.params if context.get_parameter_source(name) is ParameterSource.COMMANDLINE}
    of_checkout = [name for name in ("sourcedir", "remote") if name in flags]
    if repo and of_checkout and "repo" in flags:
        raise UsageError(f"--repo needs no checkout: leave --{of_checkout[0]} out")
    if repo and not of_checkout:
        return NoCheckout(url=repo, cache_dir=Path(cache_dir) if cache_dir else None)
    if "cache_dir" in flags:
        raise UsageError("--cache-dir is for a repository without a checkout: give --repo too")
    return Path(sourcedir)


def open_run_at(
    terminal: Terminal,
    *,
    sourcedir: str,
    remote: str,
    provider: str,
    token: str,
    api_url: str,
    repo: str = "",
    cache_dir: str = "",
    dry_run: bool = False,
    person: str = "",
) -> "AbstractContextManager[Run]":
    """Return the run of the options in `options.connection`, for a `with` statement."""
    from gitops_promotion.workflow.run import open_run

    place = _place(sourcedir, repo, cache_dir)
    return open_run(
        place,
        remote=remote if isinstance(place, Path) else "",
        provider=provider,
        token=token,
        api_url=api_url,
        dry_run=dry_run,
        person=person,
        environ=environment.variables(),
        terminal=terminal,
    )
