"""The texts of pull requests and commits: titles, bodies, messages, and the metadata read back from a body."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from gitops_promotion.core.model import Request
from gitops_promotion.core.untrusted import code_span, cut, table_cell

BODY_LIMIT = 4000
"""Characters of a pull request's body: Azure DevOps takes no more (docs/facts/forges.md), so no forge gets more."""

TITLE_LIMIT = 256
"""Characters of a title and of a commit's subject; a forge that takes fewer gets a shorter title."""

_NOTES_LIMIT = 2400
_METADATA = re.compile(r"<!-- metadata = (\{.*?\}) -->", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """The predecessor's seven keys in a pull request's body: a hint, never an authority."""

    group: str
    app: str
    tag: str
    env: str
    sha: str
    feature: str
    type: str


def read_metadata(body: str) -> Metadata | None:
    """Return the first well-formed metadata comment of a body, wherever it stands; None if there is none."""
    keys = ("group", "app", "tag", "env", "sha", "feature", "type")
    for match in _METADATA.finditer(body):
        try:
            values = json.loads(match[1])
        except (ValueError, RecursionError):
            continue
        if isinstance(values, dict) and all(isinstance(values.get(key, ""), str) for key in keys):
            return Metadata(**{key: values.get(key, "") for key in keys})
    return None


def title(request: Request) -> str:
    """Return the title of the request's pull request, which is the subject of its commit too."""
    return cut(request.kind.title(request), TITLE_LIMIT)


def body(request: Request, *, base_sha: str, previous_tag: str, files: Sequence[str], notes: Sequence[str] = ()) -> str:
    """Return the pull request's body, at most BODY_LIMIT characters: metadata first and never cut."""
    metadata = {
        "group": request.application.group,
        "app": request.application.name,
        "tag": str(request.tag),
        "env": request.environment,
        "sha": base_sha,
        "feature": request.feature,
        "type": request.kind.name,
    }
    lines = [
        f"<!-- metadata = {json.dumps(metadata)} -->",
        "",
        "| environment | application | from | to |",
        "| --- | --- | --- | --- |",
        f"| {table_cell(request.environment)} | {table_cell(str(request.application))} "
        f"| {table_cell(previous_tag)} | {table_cell(str(request.tag))} |",
        "",
        *_fitting(notes),
        "",
        "Files:",
        "",
    ]
    text = "\n".join(lines)
    for count, path in enumerate(files):
        line = f"- {code_span(path)}\n"
        rest = f"- and {len(files) - count} more\n"
        if len(text) + len(line) + len(rest) > BODY_LIMIT:
            return text + "\n" + rest
        text += "\n" + line.rstrip("\n")
    return text + "\n"


def _fitting(notes: Sequence[str]) -> list[str]:
    """Return the notes that leave room for the rest of a body, and how many were left out."""
    lines: list[str] = []
    space = _NOTES_LIMIT
    for count, note in enumerate(notes):
        space -= len(note) + 1
        if space < 0:
            return [*lines, f"- and {len(notes) - count} more, which the run's log has"]
        lines.append(note)
    return lines


def commit_message(request: Request, *, previous_tag: str = "", edits_digest: str = "") -> str:
    """Return subject and trailers; `Commit.trailers` reads them back.

    `edits_digest` is for edits that change more than tags (`branches.edits_digest`).
    """
    trailers = {
        "Promotion": str(request.application),
        "Environment": request.environment,
        "Tag": str(request.tag),
        "Previous-Tag": previous_tag,
        "Edits": edits_digest,
        **request.kind.trailers(request),
    }
    return title(request) + "\n\n" + "".join(f"{key}: {value}\n" for key, value in trailers.items() if value)
