"""The texts of pull requests and commits: titles, bodies, messages, and the metadata read back from a body."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gitops_promotion.core.forge import Draft, PullRequest
from gitops_promotion.core.model import Request
from gitops_promotion.core.names import Application, application_of
from gitops_promotion.core.untrusted import code_span, cut, table_cell

BODY_LIMIT = 4000
"""The most characters of a body: Azure DevOps accepts no more (docs/facts/forges.md), so no forge gets more."""

TITLE_LIMIT = 256
"""The most characters of a title and of a commit's subject; a forge that accepts fewer gets a shorter title."""

_NOTES_LIMIT = 2400
_SHORT_NOTES_LIMIT = 600
_PART_LIMIT = 1000
METADATA_LIMIT = 2000
"""The most characters of metadata: without a limit, each of many beginnings would be searched to the body's end."""

READ_LIMIT = 65_536
"""The number of characters of a body in which metadata is looked for: the most that a forge accepts."""

_METADATA = re.compile(rf"<!-- metadata = (\{{.{{0,{METADATA_LIMIT - 2}}}?\}}) -->", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """The Go tool's seven keys in a pull request's body: a hint, never a proof."""

    group: str
    app: str
    tag: str
    env: str
    sha: str
    feature: str
    type: str

    @property
    def application(self) -> Application | None:
        """The application, None if its names are not valid."""
        return application_of(self.group, self.app)


_KEYS = ("group", "app", "tag", "env", "sha", "feature", "type")


def read_metadata(body: str) -> Metadata | None:
    """Return the first well-formed metadata comment of a body, wherever it stands; None if there is none."""
    found = find_metadata(body)
    return Metadata(**{key: found[1].get(key, "") for key in _KEYS}) if found else None


def find_metadata(body: str) -> tuple[str, dict[str, Any]] | None:
    """Return that comment as it stands, and all values in it: those of the Go tool's keys are texts."""
    for match in _METADATA.finditer(body, 0, READ_LIMIT):
        try:
            values = json.loads(match[1])
        except (ValueError, RecursionError):
            continue
        if isinstance(values, dict) and all(isinstance(values.get(key, ""), str) for key in _KEYS):
            return match[0], values
    return None


def metadata_comment(values: Mapping[str, Any]) -> str:
    """Return the comment of metadata; no text in the values can end it."""
    return f"<!-- metadata = {comment_json(values)} -->"


def comment_json(value: object) -> str:
    """Return a value as JSON for a comment of HTML, which no text in it can end."""
    return json.dumps(value).replace("<", "\\u003c").replace(">", "\\u003e")


CHANGES_LIMIT = 1600
"""The most characters of the part of a body that says what changes."""

CHANGES = "<!-- changes -->"
"""The place of that part in a body."""

_CHANGES_END = "<!-- /changes -->"


def title(request: Request) -> str:
    """Return the usual title of the request's pull request, which is the subject of its commit too."""
    return cut(request.kind.title(request), TITLE_LIMIT)


def body(
    request: Request,
    *,
    base_sha: str,
    previous_tag: str,
    files: Sequence[str],
    notes: Sequence[str] = (),
    part: str = "",
    has_changes: bool = False,
) -> str:
    """Return the pull request's body, at most BODY_LIMIT characters: the metadata is first and never cut.

    `part` is Markdown from the configuration's template. With `has_changes` the body has the place and the room for
    what `with_changes` puts in.
    """
    limit = BODY_LIMIT - (CHANGES_LIMIT if has_changes else 0)
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
        metadata_comment(metadata),
        "",
        "| environment | application | from | to |",
        "| --- | --- | --- | --- |",
        f"| {table_cell(request.environment)} | {table_cell(str(request.application))} "
        f"| {table_cell(previous_tag)} | {table_cell(str(request.tag))} |",
        "",
        *_fitting(notes, _SHORT_NOTES_LIMIT if part or has_changes else _NOTES_LIMIT),
        "",
        *([_cut_lines(part.replace("<!--", "&lt;!--"), _PART_LIMIT), ""] if part else []),
        *([CHANGES, ""] if has_changes else []),
        "Files:",
        "",
    ]
    text = "\n".join(lines)
    for count, path in enumerate(files):
        line = f"- {code_span(path)}\n"
        omitted = f"- and {len(files) - count} more\n"
        if len(text) + len(line) + len(omitted) > limit:
            return text + "\n" + omitted
        text += "\n" + line.rstrip("\n")
    return text + "\n"


def with_changes(body: str, lines: Sequence[str]) -> str:
    """Return a body with these lines of Markdown about what changes, cut to CHANGES_LIMIT characters by whole lines."""
    text = _cut_lines("\n".join(lines), CHANGES_LIMIT - len(_CHANGES_END) - 4)
    return body.replace(f"{CHANGES}\n", f"{CHANGES}\n{text}\n\n{_CHANGES_END}\n", 1) if lines else body


def without_changes(body: str) -> str:
    """Return a body as it was before `with_changes`, apart from line ends, which forges change."""
    start, end = body.find(CHANGES), body.find(_CHANGES_END)
    return body if start < 0 or end < start else body[: start + len(CHANGES)] + body[end + len(_CHANGES_END) :]


def with_last_line(body: str, line: str) -> str:
    """Return a body that ends with one more line; the list of files makes room for it."""
    limit = BODY_LIMIT - (CHANGES_LIMIT if CHANGES in body else 0)
    return f"{_cut_lines(body.rstrip(), limit - len(line) - 3)}\n\n{line}\n"


def shows(current: PullRequest, draft: Draft) -> bool:
    """Return True if a pull request has the head, the base and the texts of a draft; `with_changes` does not matter."""

    def lines(text: str) -> list[str]:
        # Forges trim bodies and change their line ends.
        return [line.rstrip() for line in without_changes(text).strip().splitlines()]

    return (current.head_sha, current.base, current.title, lines(current.body)) == (
        draft.head_sha,
        draft.base,
        draft.title,
        lines(draft.body),
    )


def _cut_lines(text: str, limit: int) -> str:
    """Return the first lines that have at most `limit` characters together; `…` stands for the rest."""
    if len(text) <= limit:
        return text
    return text[: limit - 2].rpartition("\n")[0] + "\n…"


def _fitting(notes: Sequence[str], space: int) -> list[str]:
    """Return the notes that leave room for the rest of a body, and how many were left out."""
    lines: list[str] = []
    for count, note in enumerate(notes):
        space -= len(note) + 1
        if space < 0:
            return [*lines, f"- and {len(notes) - count} more, which the run's log has"]
        lines.append(note)
    return lines


def commit_message(request: Request, *, previous_tag: str = "", edits_digest: str = "", subject: str = "") -> str:
    """Return subject and trailers; `Commit.trailers` reads them back.

    Without a `subject` the commit has the usual title. `edits_digest` is for edits that change more than tags
    (`branch_contents.edits_digest`), "" for others.
    """
    trailers = {
        "Promotion": str(request.application),
        "Environment": request.environment,
        "Tag": str(request.tag),
        "Previous-Tag": previous_tag,
        "Edits": edits_digest,
        **request.kind.trailers(request),
    }
    return (
        (subject or title(request)) + "\n\n" + "".join(f"{key}: {value}\n" for key, value in trailers.items() if value)
    )
