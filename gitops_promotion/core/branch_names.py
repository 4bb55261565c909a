"""Names of branches and their templates, such as `promote/{group}-{app}`.

A problem is a text that says what is wrong and what is accepted, "" where nothing is wrong.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Literal

Flow = Literal["per-app", "per-env"]

BRANCHES: Mapping[Flow, str] = {"per-app": "promote/{group}-{app}", "per-env": "promote/{group}-{app}-{env}"}

FEATURES = "feature/"
REMOVALS = "remove/"
"""The beginnings of the branches of features, and of removals of their copies."""

HOLDS = "hold/"
ROLLBACKS = "rollback/"
"""The beginnings of the branches that change holds, and of rollbacks."""

BESIDE_PROMOTIONS = (FEATURES, REMOVALS, HOLDS, ROLLBACKS)
"""The beginnings of all branches of this tool that are not promotion branches."""

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_REF_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+=-]*")
_RESERVED = (*BESIDE_PROMOTIONS, "refs/")
_MAX_REF_PART = 240  # git keeps a ref as a file and adds ".lock" to its name; file names end at 255 bytes


def fill(template: str, **names: str) -> str:
    """Return a template with these names put in; other placeholders stay."""
    # In one pass and without format(): a name or a template can call nothing.
    return _PLACEHOLDER.sub(lambda match: names.get(match[1], match[0]), template)


def collisions(template: str, branch: str, environments: Sequence[str]) -> list[tuple[str, str]]:
    """Return each pair of group and application for which the template gives this branch in some environment.

    The texts of a pair need not be valid names.
    """
    pairs: dict[tuple[str, str], None] = {}
    for filled in dict.fromkeys(fill(template, env=name) for name in environments):
        before, middle, after = re.split(r"\{group\}|\{app\}", filled)
        if not (branch.startswith(before) and branch.endswith(after)):
            continue
        names = branch[len(before) : len(branch) - len(after)]
        for end in range(1, len(names) - len(middle)):
            if names.startswith(middle, end):
                left, right = names[:end], names[end + len(middle) :]
                swapped = filled.index("{app}") < filled.index("{group}")
                pairs[(right, left) if swapped else (left, right)] = None
    return list(pairs)


def prefix(template: str) -> str:
    """Return the common beginning of all branches of a template, up to and including the last slash."""
    return template.partition("{")[0].rpartition("/")[0] + "/"


def template_problem(text: str, allowed: tuple[str, ...], required: tuple[str, ...]) -> str:
    """Return the problem with the placeholders of a template."""
    used = _PLACEHOLDER.findall(text)
    accepted = ", ".join(f"{{{name}}}" for name in allowed)
    if unknown := [name for name in used if name not in allowed]:
        return f"{{{unknown[0]}}} is not a placeholder, accepted are {accepted}"
    if "{" in _PLACEHOLDER.sub("", text) or "}" in _PLACEHOLDER.sub("", text):
        return f"a brace has no partner, accepted are {accepted}"
    if missing := [name for name in required if name not in used]:
        return f"it must contain {{{missing[0]}}}"
    return "" if text.isprintable() else "it contains a control character, remove it"


def branch_template_problem(text: str, flow: str) -> str:
    """Return the problem with a template of branches in a flow."""
    required = ("group", "app", "env") if flow == "per-env" else ("group", "app")
    if problem := template_problem(text, ("group", "app", "env"), required):
        return problem
    if flow == "per-app" and "{env}" in text:
        return "with prflow per-app an application has one branch: leave {env} out, or set prflow: per-env"
    if any(text.count(f"{{{name}}}") > 1 for name in required):
        return "each placeholder may appear only once"
    prefix = text.partition("{")[0]
    if "/" not in prefix:
        return "it must start with a prefix and a slash, such as promote/, that identifies the branches of this tool"
    if prefix.startswith(_RESERVED):
        return f"branches of {', '.join(_RESERVED)} mean something else, start it with promote/ or a prefix of your own"
    problem = branch_problem(fill(text, group="g", app="a", env="e"))
    return f"it gives a branch that {problem}" if problem else ""


def branch_problem(name: str) -> str:
    """Return why no branch can have this name, as the end of a sentence that begins with "which" or "that"."""
    # Narrower than git-check-ref-format: what a shell, a URL and every forge take without quoting.
    for part in name.split("/"):
        if not _REF_PART.fullmatch(part) or ".." in part or part.endswith((".", ".lock")):
            return "is no valid ref (letters, digits and ._+=- between slashes, no '..', '.lock' or '.' at an end)"
        if len(part) > _MAX_REF_PART:
            return f"has a part of more than {_MAX_REF_PART} characters"
    return ""
