"""What people read of a promotion: titles, bodies, commit messages, and the metadata read back from a body."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from gitops_promotion.core.model import Request
from gitops_promotion.core.untrusted import code_span, table_cell

BODY_LIMIT = 4000
"""Characters of a pull request's body: Azure DevOps takes no more (FORGES), so nobody gets more."""


_NOTES_LIMIT = 2400
TITLE_LIMIT = 256
"""Characters of a pull request's title: GitHub's limit, the smallest of all."""


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
    """Return the predecessor's title, so that people's filters keep working; a feature's names the feature (B33)."""
    what = f"{request.group}/{request.app}"
    if request.kind == "remove":
        named = f"feature {request.feature} of {what}" if request.feature else "stale features"
        text = f"Remove {named} from environment {request.environment}"
    elif request.kind == "feature":
        text = f"Feature {request.feature} of {what} version {request.tag.name} in environment {request.environment}"
    else:
        text = f"Promote {what} version {request.tag.name} to environment {request.environment}"
    return text if len(text) <= TITLE_LIMIT else text[: TITLE_LIMIT - 1] + "…"


def body(request: Request, *, base_sha: str, previous_tag: str, files: Sequence[str], notes: Sequence[str] = ()) -> str:
    """Return the pull request's body, at most BODY_LIMIT characters: metadata first and never cut."""
    metadata = {
        "group": request.group,
        "app": request.app,
        "tag": str(request.tag),
        "env": request.environment,
        "sha": base_sha,
        "feature": request.feature,
        "type": request.kind,
    }
    what = f"{request.group}/{request.app}" if request.app else ""
    lines = [
        f"<!-- metadata = {json.dumps(metadata)} -->",
        "",
        "| environment | application | from | to |",
        "| --- | --- | --- | --- |",
        f"| {table_cell(request.environment)} | {table_cell(what)} "
        f"| {table_cell(previous_tag)} | {table_cell(str(request.tag))} |",
        "",
        *_fitting(notes),
        "",
        "Files:",
        "",
    ]
    text = "\n".join(lines)
    for shown, path in enumerate(files):
        line = f"- {code_span(path)}\n"
        rest = f"- and {len(files) - shown} more\n"
        if len(text) + len(line) + len(rest) > BODY_LIMIT:
            return text + "\n" + rest
        text += "\n" + line.rstrip("\n")
    return text + "\n"


def _fitting(notes: Sequence[str]) -> list[str]:
    """Return as many of the notes as leave room for the rest of a body, and say how many more there are."""
    kept: list[str] = []
    left = _NOTES_LIMIT
    for shown, note in enumerate(notes):
        left -= len(note) + 1
        if left < 0:
            return [*kept, f"- and {len(notes) - shown} more, which the run's log has"]
        kept.append(note)
    return kept


def commit_message(request: Request, *, previous_tag: str = "", seal: str = "") -> str:
    """Return subject and trailers; `Entry.trailers` reads them back. `seal` is of edits that are not of tags alone."""
    trailers = {
        "Promotion": f"{request.group}/{request.app}" if request.app else "",
        "Environment": request.environment,
        "Tag": str(request.tag),
        "Previous-Tag": previous_tag,
    }
    if request.feature:
        trailers["Feature"] = request.feature
    if seal:
        trailers["Edits"] = seal
    if request.built_at:
        trailers["Built-At"] = request.built_at.isoformat()
    return title(request) + "\n\n" + "".join(f"{key}: {value}\n" for key, value in trailers.items() if value)
