"""`gitops-promotion completion`."""

import click
from click.shell_completion import get_completion_class

from gitops_promotion.cli import options, run
from gitops_promotion.terminal import Terminal

_PROGRAM = "gitops-promotion"
_VARIABLE = "_GITOPS_PROMOTION_COMPLETE"


@click.command(
    "completion",
    cls=options.Command,
    examples=('eval "$(gitops-promotion completion bash)"', "gitops-promotion completion fish | source"),
    page="docs/verbs.md#completion",
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@run.verb(None)
def command(terminal: Terminal, shell: str) -> None:
    """Print the completion script of a shell.

    Names of groups, applications and environments are completed from the checkout.
    """
    completion = get_completion_class(shell)
    assert completion is not None  # noqa: S101  the choices are click's own shells
    root = click.get_current_context().find_root().command
    # `completion.source()` would start bash to ask for its version.
    script = completion(root, {}, _PROGRAM, _VARIABLE)
    terminal.result(script.source_template % script.source_vars())
