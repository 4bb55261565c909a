"""Templates of folders and branches, such as `promote/{group}-{app}`: what may stand in one, and what it makes.

A fault is a text that says what is wrong and what is accepted, "" where nothing is.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Literal

Flow = Literal["per-app", "per-env"]

BRANCHES: Mapping[Flow, str] = {"per-app": "promote/{group}-{app}", "per-env": "promote/{group}-{app}-{env}"}
PATH = "{group}/{env}"

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_REF_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+=-]*")
_RESERVED = ("feature/", "remove/", "refs/")
_MAX_REF_PART = 240  # git keeps a ref as a file and adds ".lock" to its name; file names end at 255 bytes


def fill(template: str, **names: str) -> str:
    """Return a template with these names put in; other placeholders stay."""
    # In one pass and without format(): a name or a template can call nothing.
    return _PLACEHOLDER.sub(lambda match: names.get(match[1], match[0]), template)


def rivals(template: str, branch: str, environments: Sequence[str]) -> list[tuple[str, str]]:
    """Return every (group, application), whatever they are made of, whose branch in any environment is this one."""
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
    """Return what all branches of a template begin with, up to and with a slash."""
    return template.partition("{")[0].rpartition("/")[0] + "/"


def fault(text: str, allowed: tuple[str, ...], required: tuple[str, ...]) -> str:
    """Return what is wrong with the placeholders of a template."""
    used = _PLACEHOLDER.findall(text)
    accepted = ", ".join(f"{{{name}}}" for name in allowed)
    if unknown := [name for name in used if name not in allowed]:
        return f"{{{unknown[0]}}} is not a placeholder, accepted are {accepted}"
    if "{" in _PLACEHOLDER.sub("", text) or "}" in _PLACEHOLDER.sub("", text):
        return f"a brace has no partner, accepted are {accepted}"
    if missing := [name for name in required if name not in used]:
        return f"it must contain {{{missing[0]}}}"
    return "" if text.isprintable() else "it holds a control character, remove it"


def path_fault(text: str) -> str:
    """Return what is wrong with a template of folders."""
    if wrong := fault(text, ("group", "env"), ("env",)):
        return wrong
    segments = text.split("/")
    if not segments[0]:
        return f"it must be relative to the repository's root, such as {PATH}"
    if "\\" in text or any(part in ("", ".", "..") or part.lower() == ".git" for part in segments):
        return f"it must not have empty, '.', '..' or '.git' parts, nor a backslash; write it as {PATH}"
    return ""


def branch_fault(text: str, flow: str) -> str:
    """Return what is wrong with a template of branches in a flow."""
    required = ("group", "app", "env") if flow == "per-env" else ("group", "app")
    if wrong := fault(text, ("group", "app", "env"), required):
        return wrong
    if flow == "per-app" and "{env}" in text:
        return "with prflow per-app an application has one branch: leave {env} out, or set prflow: per-env"
    if any(text.count(f"{{{name}}}") > 1 for name in required):
        return "each placeholder may stand there once"
    prefix = text.partition("{")[0]
    if "/" not in prefix:
        return "it must start with a word of its own and a slash, such as promote/, by which our branches are known"
    if prefix.startswith(_RESERVED):
        return f"branches of {', '.join(_RESERVED)} mean something else, start it with promote/ or your own word"
    wrong = ref_fault(fill(text, group="g", app="a", env="e"))
    return f"it gives a branch that {wrong}" if wrong else ""


def ref_fault(name: str) -> str:
    """Return why a branch of this name cannot be, to stand behind "which" or "that"."""
    # Narrower than git-check-ref-format: what a shell, a URL and every forge take without quoting.
    for part in name.split("/"):
        if not _REF_PART.fullmatch(part) or ".." in part or part.endswith((".", ".lock")):
            return "is no valid ref (letters, digits and ._+=- between slashes, no '..', '.lock' or '.' at an end)"
        if len(part) > _MAX_REF_PART:
            return f"has a part of more than {_MAX_REF_PART} characters"
    return ""
