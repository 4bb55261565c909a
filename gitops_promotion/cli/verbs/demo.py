"""`gitops-promotion demo`."""

from pathlib import Path

import click

from gitops_promotion.cli import options, run
from gitops_promotion.terminal import Terminal


@click.command(
    "demo",
    cls=options.Command,
    examples=("gitops-promotion demo", "gitops-promotion demo /tmp/webshop-demo"),
    page="README.md#try-it",
)
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@run.verb(None)
def command(_: Terminal, folder: Path | None) -> None:
    """Promote in a small webshop, without a server.

    The webshop and its remote are in FOLDER (default: a temporary one). The demo stops before prod.
    """
    from gitops_promotion.commands.demo import demo

    root = click.get_current_context().find_root()

    def exit_code(args: list[str]) -> int:
        try:
            root.command.main(args, standalone_mode=False, obj=root.obj)
        except SystemExit as error:
            return int(error.code or 0)
        return 0

    demo(folder, verb=exit_code, write=click.echo)
