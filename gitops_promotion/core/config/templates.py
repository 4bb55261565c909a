"""Templates in the configuration, checked where they are read."""

from gitops_promotion.core import templates
from gitops_promotion.core.config.document import Document, Entry, line_of
from gitops_promotion.core.templates import NAMES, Template


def read_template(
    document: Document, entry: Entry | None, key: str, *, one_line: bool = True, names: tuple[str, ...] = NAMES
) -> Template | None:
    """Return the template of a key, which can use these names; None if the key is absent or empty."""
    source = document.text(entry, key)
    if entry is None or not source:
        return None
    first = line_of(entry.node) + (1 if entry.node.style in ("|", ">") else 0)
    problem, line = templates.problem_of(source, one_line=one_line, names=names)
    if problem:
        document.fail(first + line - 1, f"{key} {problem}")
    return Template(source=source, key=key, path=document.file, line=first)
