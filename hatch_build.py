"""Makes the description of the package from README.md: links into the repository become addresses."""

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_LINK = re.compile(r"\]\((?![a-z]+:|#)([^)\s]+)\)")


def description(readme: str, repository: str) -> str:
    """Return the text with links that work on a page of a package index; fences stay as they are."""
    pieces = re.split(r"(```.*?```)", readme, flags=re.DOTALL)
    return "".join(
        piece if piece.startswith("```") else _LINK.sub(rf"]({repository}/blob/main/\1)", piece) for piece in pieces
    )


class CustomMetadataHook(MetadataHookInterface):
    """Gives the package its description."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Add the readme to the metadata."""
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        repository = metadata["urls"]["Homepage"]
        metadata["readme"] = {"content-type": "text/markdown", "text": description(text, repository)}
