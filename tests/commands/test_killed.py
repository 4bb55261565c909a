"""`kill -9` after each outside effect, then the same command again: the end state of an undisturbed run.

docs/architecture.md#the-order-of-effects
"""

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import gitops_promotion

if TYPE_CHECKING:
    from tests.conftest import Remote

# Runs verbs, each in a process of its own, forked from one that has everything imported. Asked by a line of JSON, AFTER
# and WORDS, it answers how the verb ended. Every outside effect on plain git is a push: of a commit, of a record, of a
# merge. The verb is killed after the one of number AFTER; 0 lets it live.
RUNNER = """
import json, os, signal, sys
from gitops_promotion import ci, cli
from gitops_promotion.cli import run
from gitops_promotion.cli.verbs import new as _, promote as _
from gitops_promotion.commands import new, promote
from gitops_promotion.git import Repository
from gitops_promotion.providers.local import provider as local
from gitops_promotion.render import annotations, json_v1, markdown, outputs

push = Repository.push

def verb(after, words):
    left = after
    def push_and_die(self, updates, **options):
        nonlocal left
        push(self, updates, **options)
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
    Repository.push = push_and_die
    cli.main(words)

for line in sys.stdin:
    after, words = json.loads(line)
    child = os.fork()
    if not child:
        os.dup2(2, 1)
        code = 1
        try:
            verb(after, words)
        except SystemExit as ended:
            code = ended.code or 0
        finally:
            sys.stdout.flush()
            os._exit(code)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
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


@pytest.fixture
def verb_killed_after(environ: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., int]]:
    """Run a verb and return its exit code, or -9 if it was killed: after that many effects, 0 for never."""
    # What a killed run leaves behind is its temporary folder, and it belongs below ours.
    environ = environ | {"TMPDIR": str(tmp_path)}
    package = str(Path(gitops_promotion.__file__).parents[1])
    said = tmp_path / "stderr"
    with said.open("w") as stderr:
        runner = subprocess.Popen(
            [sys.executable, "-c", RUNNER],
            env=environ | {"PYTHONPATH": package},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )

    def run(effect: int, *words: str) -> int:
        assert runner.stdin
        assert runner.stdout
        print(json.dumps([effect, words]), file=runner.stdin, flush=True)
        code = int(runner.stdout.readline() or 1)
        assert code in (0, -signal.SIGKILL), said.read_text()
        return code

    with runner:
        yield run


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
