"""`kill -9` after each outside effect, then the same command again: the end state of an undisturbed run (DESIGN 7)."""

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.conftest import Remote

# Every outside effect on plain git is a push: of a commit, of a pull request's record, of a merge.
KILLED_AFTER = """
import os, signal, sys
from gitops_promotion import cli
from gitops_promotion.git import Repository

left = int(sys.argv[1])
push = Repository.push

def push_and_die(self, updates):
    global left
    push(self, updates)
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)

Repository.push = push_and_die
cli.main(sys.argv[2:])
"""


def state(remote: Path, environ: dict[str, str]) -> dict[str, Any]:
    """All that matters of a remote: the trees of its branches, and its pull requests without their ids and times."""

    def git(*args: str) -> str:
        return subprocess.run(
            ["git", *args], cwd=remote, env=environ, capture_output=True, text=True, check=True
        ).stdout

    branches = git("for-each-ref", "--format=%(refname) %(tree)", "refs/heads/").splitlines()
    pulls = []
    for ref in git("for-each-ref", "--format=%(refname)", "refs/gitops-promotion/pulls/").split():
        record = json.loads(git("cat-file", "blob", ref))
        pulls.append(
            {key: record[key] for key in ("number", "head", "title", "state")}
            | {"auto_merge": bool(record["armed_for"])}
        )
    return {"branches": branches, "pulls": pulls}


@pytest.mark.parametrize("verb", ["new, auto", "new, by hand", "promote", "new takes over what is armed"])
def test_a_killed_run_is_finished_by_the_next(
    verb: str,
    remote: "Remote",
    environ: dict[str, str],
    tmp_path: Path,
    config: Callable[..., str],
) -> None:
    if verb == "new, by hand":
        remote.commit({"gitops-promotion.yaml": config(autos=(False, True, False))})

    def command(program: list[str], where: Path, *args: str) -> int:
        checkout = where / "checkout"
        if not checkout.exists():
            subprocess.run(["git", "clone", "-q", where / "remote.git", checkout], env=environ, check=True)
        run = [*program, *args, "--sourcedir", str(checkout)]
        # What a killed run leaves behind is its temporary folder, and it belongs below ours.
        done = subprocess.run(run, env=environ | {"TMPDIR": str(tmp_path)}, capture_output=True, text=True)
        assert done.returncode in (0, -signal.SIGKILL), done.stderr
        return done.returncode

    normal = [sys.executable, "-c", "from gitops_promotion.cli import main; main()"]
    start = tmp_path / "start"
    start.mkdir()
    shutil.copytree(remote.path, start / "remote.git")
    last = ["new", "--group", "webshop", "--app", "webui", "--tag", "1.4.2"]
    if verb == "promote":
        command(normal, start, *last)
        last = ["promote"]
    if verb == "new takes over what is armed":
        command(normal, start, *last)
        command(normal, start, "promote")
        last = [*last[:-1], "1.4.3"]
    shutil.rmtree(start / "checkout", ignore_errors=True)

    undisturbed = tmp_path / "undisturbed"
    shutil.copytree(start, undisturbed)
    command(normal, undisturbed, *last)
    expected = state(undisturbed / "remote.git", environ)

    for effect in range(1, 20):
        killed = tmp_path / f"killed-{effect}"
        shutil.copytree(start, killed)
        code = command([sys.executable, "-c", KILLED_AFTER, str(effect)], killed, *last)
        if code == 0:
            assert effect > 2, "there are several effects to be killed after"
            return
        half = state(killed / "remote.git", environ)
        armed = [pull for pull in half["pulls"] if pull["state"] == "open" and pull["auto_merge"]]
        assert all("environment prod" not in pull["title"] for pull in armed)
        command(normal, killed, *last)
        assert state(killed / "remote.git", environ) == expected, f"killed after effect {effect}"
    pytest.fail("the run never came to its end")
