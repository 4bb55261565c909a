"""The verbs of features on the command line."""

import functools
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from gitops_promotion.cli.verb import as_duration, dry_run_option, options, session_at, verb, where_options
from gitops_promotion.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Callable

    from gitops_promotion.core.model import Outcome
    from gitops_promotion.kustomize import Kustomize

_which = options(
    click.option("--group", required=True, help="The group, the first part of its markers."),
    click.option("--app", required=True, help="The application, the second part of its markers."),
)
_feature = click.option(
    "--feature", "name", required=True, help="The feature's name, such as a branch's or pr-123; it is cleaned."
)


def kustomize_finder() -> "Callable[[], Kustomize]":
    """Return a function that finds kustomize, and looks for it on the first call only."""
    from gitops_promotion.kustomize import Kustomize

    return functools.cache(lambda: Kustomize.find(os.environ))


@click.command()
@_which
@click.option("--tag", required=True, help="The image tag to show, optionally with its digest: TAG@sha256:...")
@_feature
@where_options
@dry_run_option
@verb
def feature(terminal: Terminal, group: str, app: str, tag: str, name: str, **where: Any) -> "list[Outcome]":
    """Show an unmerged change in the first environment, in a copy of the application; it is never promoted."""
    from gitops_promotion.commands.feature import feature as run

    with session_at(terminal, **where) as session:
        return run(session, group=group, app=app, tag=tag, name=name, find_kustomize=kustomize_finder())


@click.command("feature-delete")
@_which
@_feature
@where_options
@dry_run_option
@verb
def feature_delete(terminal: Terminal, group: str, app: str, name: str, **where: Any) -> "list[Outcome]":
    """Remove a feature's copy, or close its pull request where that was not merged."""
    from gitops_promotion.commands.feature_delete import feature_delete as run

    with session_at(terminal, **where) as session:
        return run(session, group=group, app=app, name=name, find_kustomize=kustomize_finder())


@click.command("feature-stale")
@click.option(
    "--max-age",
    callback=as_duration,
    metavar="DURATION",
    default="7d",
    help="How long ago a copy was changed last to be stale [default: 7d].",
)
@where_options
@dry_run_option
@verb
def feature_stale(terminal: Terminal, max_age: float | None, **where: Any) -> "list[Outcome]":
    """Remove all copies that nobody has touched for some time, in one pull request."""
    from gitops_promotion.commands.feature_stale import DEFAULT_MAX_AGE
    from gitops_promotion.commands.feature_stale import feature_stale as run

    age = DEFAULT_MAX_AGE if max_age is None else max_age
    with session_at(terminal, **where) as session:
        return run(session, max_age=age, now=datetime.now(UTC), find_kustomize=kustomize_finder())
