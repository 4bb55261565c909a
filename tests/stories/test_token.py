"""The token is nowhere that others can read while the verbs run, nor afterwards."""

import os
from base64 import b64encode
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.stories.story import Story


def children() -> list[Path]:
    """The folders in /proc of all processes that this one has started, and they in turn."""
    parents: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents.setdefault(int(path.read_text().rpartition(")")[2].split()[1]), []).append(int(path.parent.name))
        except OSError:
            continue
    found, todo = [], [os.getpid()]
    while todo:
        here = parents.get(todo.pop(), [])
        found += here
        todo += here
    return [Path("/proc", str(number)) for number in found]


def shapes(token: str) -> list[bytes]:
    """The token as such, and in the base64 of each user that a forge may want beside it, wherever it begins."""
    found = [token.encode()]
    for shift in range(3):
        encoded = b64encode(b"x" * shift + token.encode())
        # The first and last characters depend on what stands around it.
        found.append(encoded[4:-4])
    return found


def test_the_token_is_in_no_argument_log_error_or_file(
    story: "Story", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = shapes(story.stage.token)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    exposed: list[str] = []
    seen: set[str] = set()

    def look() -> None:
        for process in children():
            try:
                line = (process / "cmdline").read_bytes()
            except OSError:
                continue
            seen.update(word for word in line.decode(errors="replace").split("\0") if word in ("push", "fetch"))
            exposed.extend(line.decode(errors="replace") for secret in secrets if secret in line)
        exposed.extend(written_with(secrets, scratch))

    story.stage.watch(look)
    story.options = ("--verbose",)
    story.build("1.4.2")
    story.way = "published"
    story.look()
    # Errors of the API and of git show it no more than the rest does.
    for kind in ("api", "git"):
        story.stage.faults.add(story.stage.refusing[0], kind="api" if kind == "api" else "git")
        assert story.heal()[0].code in (5, 6)
        story.stage.faults.clear()
    assert {run.verb for run in story.runs} == {"new", "promote", "promote --all", "status", "status --publish"}
    assert seen == {"push", "fetch"}
    assert exposed == []
    assert not any(secret in run.printed.encode() for run in story.runs for secret in secrets)
    assert list(scratch.iterdir()) == []
    assert written_with(secrets, tmp_path) == []


def written_with(secrets: list[bytes], folder: Path) -> list[str]:
    """The files below a folder that hold the token."""
    found = []
    for path in folder.rglob("*"):
        try:
            content = path.read_bytes() if path.is_file() else b""
        except OSError:  # it was there a moment ago
            continue
        if any(secret in content for secret in secrets):
            found.append(str(path))
    return found
