"""The difference between two builds of an environment, as Markdown; the values of Secrets are never in it."""

import difflib
import re
from collections.abc import Sequence

from gitops_promotion.core.feature.manifests import Object, Value, write

HIDDEN = "(hidden)"
"""What stands for each value of a Secret."""

_SECRET_KEYS = ("data", "stringData")
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_CONTEXT = 1


def rendered_difference(before: Sequence[Object], after: Sequence[Object], limit: int) -> list[str]:
    """Return Markdown, folded, with what changes in the objects: at most `limit` characters, by whole lines.

    Empty if nothing changes, or if there is no room for a line.
    """
    old = {obj.id: _lines(obj) for obj in before}
    new = {obj.id: _lines(obj) for obj in after}
    lines: list[str] = []
    for key in dict.fromkeys([*old, *new]):
        if old.get(key) != new.get(key):
            _, kind, namespace, name = key
            changes = difflib.unified_diff(old.get(key, []), new.get(key, []), n=_CONTEXT, lineterm="")
            lines.append(f"# {kind} {f'{namespace}/' if namespace else ''}{name}")
            # The first two lines name files, and no line of a file begins with "@@" here.
            lines += [line for line in list(changes)[2:] if not line.startswith("@@")]
    return _folded(lines, limit)


def _folded(lines: Sequence[str], limit: int) -> list[str]:
    fence = "`" * max(3, 1 + max((len(run) for line in lines for run in re.findall("`+", line)), default=0))
    head = ["<details><summary>Rendered difference</summary>", "", f"{fence}diff"]
    tail = [fence, "", "</details>", ""]
    space = limit - sum(len(line) + 1 for line in [*head, *tail]) - len("# and 99999 more lines\n")
    lines_shown: list[str] = []
    for line in lines:
        space -= len(line) + 1
        if space < 0:
            break
        lines_shown.append(line)
    if not lines_shown:
        return []
    omitted = len(lines) - len(lines_shown)
    return [*head, *lines_shown, *([f"# and {omitted} more lines"] if omitted else []), *tail]


def _lines(obj: Object) -> list[str]:
    text = write(_without_secrets(obj.content)).decode(errors="replace")
    return ["".join(c if c.isprintable() else "\ufffd" for c in line) for line in text.split("\n") if line]


def _without_secrets(value: Value) -> Value:
    """Return a value without those of Secrets, at any depth: a `kind: List` may hold them."""
    if isinstance(value, list):
        return [_without_secrets(item) for item in value]
    if not isinstance(value, dict):
        return value
    is_secret = value.get("kind") == "Secret"
    result = {}
    for key, child in value.items():
        if is_secret and key in _SECRET_KEYS:
            result[key] = dict.fromkeys(child, HIDDEN) if isinstance(child, dict) else HIDDEN
        else:
            result[key] = HIDDEN if key == _LAST_APPLIED else _without_secrets(child)
    return result
