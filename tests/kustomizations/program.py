"""Where tests get their kustomize from (`replay.py`), and whether its answers are to be recorded."""

import marshal
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gitops_promotion import kustomize
from gitops_promotion.errors import KustomizeError
from gitops_promotion.kustomize import Kustomize
from tests.kustomizations import replay
from tests.kustomizations.replay import VERSION

RECORDING = bool(os.environ.get("RECORD_KUSTOMIZE"))
"""Set in the shell that records anew, one process at a time: `tests/kustomizations/record`."""


@cache
def real() -> list[str]:
    """Return the command that builds with the machine's own kustomize, [] if it has none."""
    try:
        return list(Kustomize.find({"PATH": os.environ.get("PATH", "")}).command)
    except KustomizeError:
        return []


def put_on_path(folder: Path, command: list[str]) -> None:
    """Write a `kustomize` that answers as recorded, asking the real one first if there is one."""
    script, answers = folder / "kustomize", folder / "answers"
    answers.write_bytes(_answers())
    python = shlex.join([sys.executable, "-I", "-S", replay.__file__])
    # Asked for its version by every verb: that needs no Python.
    lines = ["#!/bin/sh", f'[ "$1" = version ] && {{ echo {VERSION}; exit; }}']
    if command:
        mode = "record" if RECORDING else "check"
        lines += [
            "build=$1; shift",
            f'{shlex.join(command)} "$@" >"$0.$$.out" 2>"$0.$$.err"',
            f'exec {python} {mode} {shlex.quote(str(answers))} $? "$0.$$" "$build" "$@"',
        ]
    else:
        lines.append(f'exec {python} replay {shlex.quote(str(answers))} "$@"')
    script.write_text("\n".join(lines) + "\n")
    script.chmod(0o755)


def answer_here(patch: pytest.MonkeyPatch, folder: Path, *, check: bool) -> None:
    """Give the recorded answers of the program in this folder without a process.

    With `check` it has a real one to ask, and is started for each question that has not been asked yet.
    """
    script = str(folder / "kustomize")

    def start(command: Sequence[str], *, cwd: Path, env: Mapping[str, str], **options: Any) -> Any:
        if command[0] != script:
            return subprocess.Popen(command, cwd=cwd, env=env, **options)
        if not check or command[1] == "version":
            return _Ended(command[1:], str(cwd))
        # A confined build has other variables and limits.
        way = (*sorted(env), "confined" if options.get("preexec_fn") else "free")
        question = (replay.question(str(cwd), command[2], [*command[3:]]), *way)
        if question in _checked:
            return _Ended(command[1:], str(cwd))
        return _Asked(question, command, cwd=cwd, env=env, **options)

    patch.setattr(kustomize, "subprocess", SimpleNamespace(**{**vars(subprocess), "Popen": start}))


_checked: set[tuple[str, ...]] = set()
"""The questions that the real one has answered as recorded, with the way in which they were asked."""


class _Asked(subprocess.Popen[bytes]):
    """The program, asked a question for the first time."""

    def __init__(self, question: tuple[str, ...], command: Sequence[str], **options: Any) -> None:
        self._question = question
        super().__init__(command, **options)

    def communicate(self, *arguments: Any, **options: Any) -> tuple[bytes, bytes]:
        answer = super().communicate(*arguments, **options)
        # Other codes say that it is not as recorded.
        if self.returncode in (0, 1):
            _checked.add(self._question)
        return answer


class _Ended:
    """What `subprocess.Popen` would return for the program."""

    def __init__(self, arguments: Sequence[str], folder: str) -> None:
        self._answer: tuple[int, str, str] = 0, f"{VERSION}\n", ""
        if arguments[0] != "version":
            self._answer = replay.replay(_known(), folder, arguments[1], [*arguments[2:]])
        self.returncode = self._answer[0]

    def communicate(self, **_options: object) -> tuple[bytes, bytes]:
        _, stdout, stderr = self._answer
        return stdout.encode(), stderr.encode()


@cache
def _known() -> Any:
    return replay.load()


@cache
def _answers() -> bytes:
    return marshal.dumps(_known())
