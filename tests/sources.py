"""What the program can say, read from its sources."""

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]


@cache
def texts() -> str:
    """Every string of the sources, f-strings with `…` for what is put in."""
    found: list[str] = []
    for path in sorted((ROOT / "gitops_promotion").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                found.append("".join(str(v.value) if isinstance(v, ast.Constant) else "…" for v in node.values))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return "\n".join(found)


def messages(guide: str) -> list[str]:
    """The messages of a guide's section on troubleshooting: the first cells of its tables that begin with a quote."""
    return re.findall(r"^\| (`.*?) \| ", guide.partition("\n## Troubleshooting\n")[2], re.MULTILINE)


def unsaid(row: str) -> list[str]:
    """The parts of a message that the program never says, all of them if none is long enough to tell."""
    known = texts() + "\nNo such option: "  # click's
    parts = [part.strip(" :;,") for part in re.split("[…`]", row)]
    if not any(len(part) > 10 for part in parts):
        return parts
    return [part for part in parts if len(part) > 3 and part not in known]


def anchors(text: str) -> set[str]:
    """Return the anchors that forges make of headings."""
    text = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
