"""The map in docs/architecture.md lists the modules that there are, and no others."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "gitops_promotion"
MAP = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
LISTED = ("core", "git", "providers", "workflow")


def modules(folder: Path) -> set[str]:
    """Return a room's modules and packages, a package with a slash behind its name."""
    names = {f"{path.relative_to(PACKAGE)}" for path in folder.glob("*.py") if path.name != "__init__.py"}
    return names | {f"{path.parent.relative_to(PACKAGE)}/" for path in folder.glob("*/__init__.py")}


def test_the_picture_and_the_paragraphs_name_every_room() -> None:
    rooms = {path.name for path in PACKAGE.glob("*.py") if not path.name.startswith("__")}
    rooms |= {f"{path.parent.name}/" for path in PACKAGE.glob("*/__init__.py")}
    assert set(re.findall(r"^\*\*`([\w./]+)`\*\* ", MAP, re.MULTILINE)) == rooms
    picture = MAP.partition("## The rooms\n\n```text\n")[2].partition("```")[0]
    assert [room for room in rooms if room.removesuffix("/").removesuffix(".py") not in picture] == []


def test_the_tables_list_every_module_of_the_larger_rooms() -> None:
    assert set(re.findall(rf"`((?:{'|'.join(LISTED)})/[\w/]+(?:\.py|/))`", MAP)) == set().union(
        *(modules(PACKAGE / room) for room in LISTED)
    )
