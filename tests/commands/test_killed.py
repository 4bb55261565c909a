"""`kill -9` after each outside effect, then the same command again: the end state of an undisturbed run.

docs/architecture.md#the-order-of-effects
"""

import json
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.conftest import Remote
    from tests.support.forks import Forks


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


@pytest.fixture
def verb_killed_after(environ: dict[str, str], forks: "Forks", tmp_path: Path) -> Callable[..., int]:
    """Run a verb and return its exit code, or -9 if it was killed: after that many effects, 0 for never."""
    program = forks.write_program(tmp_path / "killed", "tests.commands.killed:main")
    # What a killed run leaves behind is its temporary folder, and it belongs below ours.
    environ = environ | {"TMPDIR": str(tmp_path)}

    def run(effect: int, *words: str) -> int:
        done = subprocess.run([program, str(effect), *words], env=environ, capture_output=True, text=True, check=False)
        assert done.returncode in (0, -signal.SIGKILL), done.stderr
        return done.returncode

    return run


@pytest.mark.parametrize("verb", ["new, auto", "new, by hand", "promote", "new takes over what is armed"])
def test_a_killed_run_is_finished_by_the_next(
    verb: str,
    remote: "Remote",
    environ: dict[str, str],
    tmp_path: Path,
    config: Callable[..., str],
    verb_killed_after: Callable[..., int],
) -> None:
    if verb == "new, by hand":
        remote.commit({"gitops-promotion.yaml": config(autos=(False, True, False))})

    def command(where: Path, *args: str, killed_after: int = 0) -> int:
        checkout = where / "checkout"
        if not checkout.exists():
            subprocess.run(["git", "clone", "-q", where / "remote.git", checkout], env=environ, check=True)
        return verb_killed_after(killed_after, *args, "--sourcedir", str(checkout))

    start = tmp_path / "start"
    start.mkdir()
    shutil.copytree(remote.path, start / "remote.git")
    last = ["new", "--group", "webshop", "--app", "webui", "--tag", "1.4.2"]
    if verb == "promote":
        command(start, *last)
        last = ["promote"]
    if verb == "new takes over what is armed":
        command(start, *last)
        command(start, "promote")
        last = [*last[:-1], "1.4.3"]
    shutil.rmtree(start / "checkout", ignore_errors=True)

    undisturbed = tmp_path / "undisturbed"
    shutil.copytree(start, undisturbed)
    command(undisturbed, *last)
    expected = state(undisturbed / "remote.git", environ)

    for effect in range(1, 20):
        killed = tmp_path / f"killed-{effect}"
        shutil.copytree(start, killed)
        code = command(killed, *last, killed_after=effect)
        if code == 0:
            assert effect > 2, "there are several effects to be killed after"
            return
        half = state(killed / "remote.git", environ)
        armed = [pull for pull in half["pulls"] if pull["state"] == "open" and pull["auto_merge"]]
        assert all("environment prod" not in pull["title"] for pull in armed)
        command(killed, *last)
        assert state(killed / "remote.git", environ) == expected, f"killed after effect {effect}"
    pytest.fail("the run never came to its end")
