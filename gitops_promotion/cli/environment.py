"""The variables of a run. Verbs read a copy of them; `os.environ` has no secrets, since child processes inherit it."""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import cast

import click

# More than the variables of this program's forges: those of a forge of another package, and of other tools of the job.
# Git's own may hold a header with a token (GIT_CONFIG_VALUE_0), or lead a library's git astray (GIT_DIR).
_SECRET_NAMES = re.compile(
    r"GIT_.*|.*(?:TOKEN|SECRET|PASSW|PRIVATE_?KEY|ACCESS_?KEY|API_?KEY|CREDENTIAL).*|(?:.*_)?PAT(?:_.*)?",
    re.IGNORECASE | re.DOTALL,
)
_PRIVATE_KEY = "PRIVATE KEY-----"


@contextmanager
def secrets_hidden() -> Iterator[Mapping[str, str]]:
    """Give the variables of the process, and take the secret ones out of `os.environ` until the end."""
    variables = dict(os.environ)
    hidden = {
        name: value for name, value in variables.items() if _SECRET_NAMES.fullmatch(name) or _PRIVATE_KEY in value
    }
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


class Option(click.Option):
    """An option whose variable may be secret."""

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        """Return the value of the option's variable, None for an empty one or none."""
        return variables(ctx).get(self.envvar) or None if isinstance(self.envvar, str) else None
