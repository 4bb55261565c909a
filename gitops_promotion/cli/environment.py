"""The variables of a run. Verbs read a copy of them; `os.environ` has no secrets, since child processes inherit it."""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, cast

import click
from click.core import ParameterSource

from gitops_promotion.core.secrets import is_secret

# Git's own may hold a header with a token (GIT_CONFIG_VALUE_0), or lead a library's git astray (GIT_DIR).
_GIT = re.compile(r"GIT_.*", re.IGNORECASE | re.DOTALL)


@contextmanager
def secrets_hidden() -> Iterator[Mapping[str, str]]:
    """Yield the variables of the process, and take the secret ones out of `os.environ` until the end."""
    variables = dict(os.environ)
    hidden = {name: value for name, value in variables.items() if _GIT.fullmatch(name) or is_secret(name, value)}
    for name in hidden:
        del os.environ[name]
    try:
        yield MappingProxyType(variables)
    finally:
        os.environ.update(hidden)


def variables(context: click.Context | None = None) -> Mapping[str, str]:
    """Return the variables that the run of this context was started with, secrets included."""
    context = context or click.get_current_context()
    return cast("Mapping[str, str] | None", context.find_root().obj) or os.environ


PREFIX = "GITOPS_PROMOTION_"

FROM_ENVIRONMENT = (
    "sourcedir",
    "remote",
    "repo",
    "cache-dir",
    "provider",
    "token",
    "output",
    "quiet",
    "verbose",
    "timeout",
    "interval",
)
"""The options with a variable: those that say where and how a verb works, never what it does or who acts.

Later steps of Azure Pipelines have variables such as GITOPS_PROMOTION_TAG, which a verb must not take for its own.
"""


def variable_of(name: str) -> str:
    """Return the name of an option's variable; `name` is without dashes."""
    return f"{PREFIX}{name.upper().replace('-', '_')}"


class Option(click.Option):
    """An option whose value may come from a variable, which may be secret."""

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        """Return the value of the option's variable, None for an empty one or none."""
        return variables(ctx).get(self.envvar) or None if isinstance(self.envvar, str) else None

    def process_value(self, ctx: click.Context, value: Any) -> Any:
        """Return the checked value. Raises click.BadParameter, which names the variable that a value is from."""
        try:
            return super().process_value(ctx, value)
        except click.BadParameter as error:
            if not self.name or ctx.get_parameter_source(self.name) is not ParameterSource.ENVIRONMENT:
                raise
            message = f"{error.message.removesuffix('.')} (set by {self.envvar})"
            raise click.BadParameter(message, ctx, self) from None


def option(*names: str, **attributes: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return the decorator of an option that has a variable, by the name of its parameter, else its longest one."""
    name = next((name for name in names if not name.startswith("-")), max(names, key=len)).removeprefix("--")
    return click.option(*names, cls=Option, envvar=variable_of(name), **attributes)
