"""Where tests get their kustomize from (`replay.py`), and whether its answers are to be recorded."""

import marshal
import os
import shlex
import sys
from functools import cache
from pathlib import Path

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


@cache
def _answers() -> bytes:
    return marshal.dumps(replay.load())
