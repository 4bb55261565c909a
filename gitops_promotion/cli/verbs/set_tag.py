"""`gitops-promotion set-tag`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitops_promotion.cli import options, run
from gitops_promotion.terminal import Terminal

if TYPE_CHECKING:
    from gitops_promotion.core.model import Outcome


@click.command(
    "set-tag",
    cls=options.Command,
    examples=(
        "gitops-promotion set-tag --group webshop --app webui --tag 1.4.2",
        "gitops-promotion set-tag --group webshop --app webui --tag 1.4.2 webshop/dev",
    ),
    page="docs/markers.md",
)
@options.application
@click.option("--tag", required=True, help="The image tag, optionally with its digest: TAG@sha256:...")
@click.option("--image", default="", metavar="NAME", help="Also set the image's name, where markers name it.")
@options.dry_run
@click.argument("paths", nargs=-1, metavar="[PATH]...", type=click.Path(path_type=Path))
@run.verb()
def command(
    _: Terminal, group: str, app: str, tag: str, image: str, dry_run: bool, paths: tuple[Path, ...]
) -> "list[Outcome]":
    """Set a tag in files of the working tree.

    Each PATH is a file or a folder (default: .). No git and no forge is needed.
    """
    from gitops_promotion.commands.set_tag import set_tag

    return [set_tag(paths or (Path(),), group=group, app=app, tag=tag, image=image, dry_run=dry_run)]
