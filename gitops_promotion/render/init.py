"""What `init` proposes or has written: for people, and as JSON."""

import json
from typing import Any

from gitops_promotion.core import untrusted
from gitops_promotion.core.init import Proposal
from gitops_promotion.render.common import without_commands
from gitops_promotion.render.json_v1 import VERSION

# The most entries that a list shows.
_SHOWN = 30


def human(proposal: Proposal, *, colour: bool = False) -> str:
    """Return the applications, the files, what to decide and what comes next; with the diff until it is written."""
    del colour
    blocks = ["\n".join(_applications(proposal)), "\n".join(_files(proposal))]
    if proposal.state == "planned":
        blocks.append("\n".join(map(untrusted.terminal, proposal.diff.rstrip("\n").split("\n"))))
    for title, sentences in (("to know", proposal.notes), ("to decide", proposal.undecided)):
        if sentences:
            blocks.append("\n".join([f"{title}:", *(f"- {untrusted.terminal(sentence)}" for sentence in sentences)]))
    if proposal.provider:
        blocks.append(
            f"in each cluster, beside an Alert that uses it:\n\n{untrusted.lines(proposal.provider)}".rstrip()
        )
    for path, content in proposal.printed.items():
        blocks.append(f"{untrusted.terminal(path)}:\n\n{untrusted.lines(content.decode())}".rstrip("\n"))
    return "\n\n".join([*blocks, _next_step(proposal)]) + "\n"


def _applications(proposal: Proposal) -> list[str]:
    rows = [(str(application), str(proposal.way(application))) for application in proposal.applications]
    width = max((len(name) for name, _ in rows), default=0)
    lines = [untrusted.terminal(f"{name.ljust(width)}  {environments}") for name, environments in rows[:_SHOWN]]
    return [*lines, *([f"and {len(rows) - _SHOWN} more applications"] if len(rows) > _SHOWN else [])]


def _files(proposal: Proposal) -> list[str]:
    lines = [
        f"{'change' if path in proposal.old else 'create'}  {untrusted.terminal(path)}"
        for path in sorted(proposal.edits)
    ]
    return [*lines[:_SHOWN], *([f"and {len(lines) - _SHOWN} more files"] if len(lines) > _SHOWN else [])]


def _next_step(proposal: Proposal) -> str:
    application = next(iter(proposal.applications))
    new = f"gitops-promotion new {application.options} --tag TAG"
    if proposal.state == "planned":
        return "nothing was written: run it with --yes to write the files, or with --yes --pull-request to propose them"
    if proposal.state == "written":
        return f"next: look at the changes, commit and push them, then run\n  {new}"
    pull = proposal.pull_request
    number = pull.number if pull else 0
    url = untrusted.terminal(pull.url) if pull else ""
    return f"opened pull request #{number}: {url}\nnext: merge it, then run\n  {new}"


def json_v1(proposal: Proposal, *, colour: bool = False) -> str:
    """Return the document of `init` (docs/exit-codes.md)."""
    del colour
    document: dict[str, Any] = {
        "version": VERSION,
        "groups": list(proposal.groups),
        "applications": [
            {"group": application.group, "app": application.name, "environments": list(names)}
            for application, names in proposal.applications.items()
        ],
        "environments": [
            {
                "name": environment.name,
                "auto": environment.auto,
                "after": None if environment.after is None else list(environment.after),
            }
            for environment in proposal.environments
        ],
        "files": [
            {
                "path": path,
                "action": "change" if path in proposal.old else "create",
                "content": proposal.edits[path].decode(errors="replace"),
            }
            for path in sorted(proposal.edits)
        ],
        "undecided": list(proposal.undecided),
    }
    return without_commands(json.dumps(document, indent=2)) + "\n"
