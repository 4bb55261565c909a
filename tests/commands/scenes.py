"""What verbs do on plain git, scene by scene: each begins where another one ended, and is played once a worker.

Tests disturb the verb of a scene and compare the remote with that of the undisturbed scene.
"""

import json
import re
import shutil
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gitops_promotion import cli
from gitops_promotion.core.holds import FILE
from gitops_promotion.core.kept_rejections import read_rejections
from tests.commands import disturbed
from tests.reliability import PLAIN_GIT, Met, Record
from tests.support.refs import read_refs
from tests.support.snapshots import Snapshot

if TYPE_CHECKING:
    from tests.conftest import Remote
    from tests.support.forks import Forked, Forks

WORDS = ("new", "promote", "--all", "status", "--publish", "rollback", "hold", "release")
FEATURES = ("feature", "feature-delete", "feature-stale")
"""The words of a command line that tell its verb."""

NEW = ("new", "--group", "webshop", "--app", "webui", "--tag")
PULLS = "refs/gitops-promotion/pulls/"
STATUSES = "refs/gitops-promotion/statuses/"
_HOLDS = FILE.encode()
_TIME = re.compile(r"\d{4}-\d\d-\d\dT[0-9:.]+(?:Z|[+-]\d\d:\d\d)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A remote with a checkout, in which verbs run; `start` is the remote at first.

    What is disturbed, or runs at the same time, is a process of its own. With `git` every verb is one, and reaches the
    remote by git alone (tests/support/processes.py).
    """

    remote: "Remote"
    checkout: Path
    forks: "Forks"
    program: Path
    start: Snapshot
    record: Record
    git: bool = False

    def command(self, words: Sequence[str], moment: str = "never", number: int = 0) -> list[str]:
        """Return the arguments of a verb that is disturbed at a moment."""
        return [moment, str(number), *words, "--sourcedir", str(self.checkout)]

    def run(
        self, words: Sequence[str], moment: str = "never", number: int = 0, *, rival: Sequence[str] = ()
    ) -> Sequence[str] | None:
        """Run a verb and return the names of the git commands that it started; None if it was killed."""
        if moment == "never" and not self.git:
            return self._run_here(words)
        done = self._start(self.command(words, moment, number), rival).wait()
        if done.returncode == -signal.SIGKILL:
            return None
        assert done.returncode == 0, f"{words} {moment} {number}: {done.stdout}{done.stderr}"
        return done.stderr.splitlines()[-1].split()

    def _start(self, command: Sequence[str], rival: Sequence[str] = ()) -> "Forked":
        # What a killed run leaves behind is its temporary folder.
        environ = dict(self.remote.environ) | {"TMPDIR": str(self.remote.path.parent)}
        environ |= {"WITH_GIT": "yes"} if self.git else {}
        environ |= {"RIVAL": json.dumps([str(self.program), *self.command(rival)])} if rival else {}
        return self.forks.start("tests.commands.disturbed:main", command, environ)

    def _run_here(self, words: Sequence[str]) -> Sequence[str]:
        """Run a verb in this process: there is nothing that ends it or comes between."""
        code: object = 0
        with pytest.MonkeyPatch.context() as change:
            names = disturbed.name_commands(change.setattr)
            try:
                cli.main([*words, "--sourcedir", str(self.checkout)])
            except SystemExit as ended:
                code = ended.code
        assert not code, words
        return names

    def disturb(self, scene: "Played", moment: str, number: int, fault: str, *, rival: Sequence[str] = ()) -> bool:
        """Run the verb of a scene, disturbed there, and record that as `fault`; returns False if it was not."""
        self.restore(scene.before)
        names = self.run(scene.words, moment, number, rival=rival)
        verb = " ".join(word for word in scene.words if word in (*WORDS, *FEATURES))
        effect = f"git {scene.commands[number - 1]}"
        self.record.add(Met(provider=PLAIN_GIT, verb=verb, effect=effect, fault=fault, alone=bool(rival)))
        return bool(names) if rival else names is None

    def run_at_once(self, *verbs: Sequence[str]) -> list[str]:
        """Run verbs at the same time, and return what each said on stderr; only a person may be too late."""
        runs = [self._start(self.command(words)) for words in verbs]
        texts = []
        for words, run in zip(verbs, runs, strict=True):
            done = run.wait()
            assert done.returncode == 0 or words[0] == "local", f"{words}: {done.stdout}{done.stderr}"
            texts.append(done.stderr)
        return texts

    def restore(self, snapshot: Snapshot) -> None:
        """Make the remote what it was."""
        shutil.rmtree(self.remote.path)
        snapshot.write(self.remote.path)

    def heal(self, environment: str, at: str = "main") -> None:
        """Report an environment healthy at a commit, as Flux does."""
        sha = self.remote.sha(at)
        status = {"context": f"kustomization/webshop-{environment}/2fb0a5b0", "state": "success", "description": ""}
        status |= {"url": "", "author": "flux", "created_at": "2026-01-01T00:00:00+00:00"}
        record = json.dumps({"version": 1, "nonce": "n", "sha": sha, "statuses": [status]})
        (path := self.remote.path / f"{STATUSES}{sha}").parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.remote.objects.write("blob", record.encode()) + "\n")

    def state(self) -> dict[str, Any]:
        """Return all that matters: the trees of the branches, and the pull requests without their ids and times."""
        objects, refs = self.remote.objects, read_refs(self.remote.path)

        def record(ref: str) -> Any:
            return json.loads(objects.read(refs[ref])[1]) if ref in refs else {"statuses": []}

        def verdict(sha: str) -> str:
            statuses = record(STATUSES + sha)["statuses"]
            return next((str(each["state"]) for each in statuses if each["context"] == "gitops-promotion"), "")

        def head(pull: Mapping[str, Any]) -> str:
            # The tip of its branch counts, also where a killed run has not recorded it.
            tip = refs.get(f"refs/heads/{pull['head']}") if pull["state"] == "open" else None
            return str(tip or pull["head_sha"])

        pulls = [record(ref) for ref in refs if ref.startswith(PULLS)]
        trees = [objects.commit(sha).tree for sha in self._first_parents()]
        return {
            "branches": {name: self._files(sha) for name, sha in self.remote.branches().items()},
            "commits of main": len(trees),
            "empty merges": sum(one == other for one, other in pairwise(trees)),
            "pulls": [
                {key: pull[key] for key in ("number", "head", "title", "state")}
                | {"armed": bool(pull["armed_for"]), "verdict": verdict(head(pull))}
                | {"rejected": [(r.environment, r.tag.name, r.by) for r in read_rejections(pull["body"])]}
                for pull in sorted(pulls, key=lambda pull: int(pull["number"]))
            ],
        }

    def _files(self, sha: str) -> dict[bytes, str]:
        """Return the files and folders at the root of a commit; the holds without their times, in which runs differ."""
        objects = self.remote.objects
        entries = {name: entry for name, (_, entry) in objects.entries(objects.commit(sha).tree).items()}
        if _HOLDS in entries:
            entries[_HOLDS] = _TIME.sub("", objects.read(entries[_HOLDS])[1].decode())
        return entries

    def _first_parents(self) -> Iterator[str]:
        sha = self.remote.sha("main")
        while True:
            yield sha
            parents = self.remote.objects.commit(sha).parents
            if not parents:
                return
            sha = parents[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One verb. It begins at the end of the scene `after`, "" for the webshop at 1.0.0, once `prepare` is done."""

    words: tuple[str, ...]
    after: str = ""
    prepare: Callable[[Stage], object] = lambda _: None


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """A scene that was played undisturbed: the remote before and after, and the git commands that it took."""

    words: tuple[str, ...]
    before: Snapshot
    after: Snapshot
    state: Mapping[str, Any]
    commands: Sequence[str]


def _by_hand(stage: Stage) -> None:
    config = "environments:\n  - {name: dev, auto: false}\n  - {name: qa, auto: true}\n  - {name: prod, auto: false}\n"
    stage.remote.commit({"gitops-promotion.yaml": config})


def _conflict(stage: Stage) -> None:
    text = stage.remote.show("webshop/dev/webui.yaml", "main").replace("1.0.0", "1.4.1")
    stage.remote.commit({"webshop/dev/webui.yaml": text})


def _rejected(stage: Stage) -> None:
    config = "environments: [{name: dev, auto: true}, {name: qa, auto: true, approvals: {approvers: [bob]}}]\n"
    stage.remote.commit({"gitops-promotion.yaml": config})
    stage.run(("local", "review", "2", "changes-requested", "--as", "bob"))


def _bad_release(stage: Stage) -> None:
    stage.heal("qa", "main~1")


ROLLBACK = ("rollback", "--group", "webshop", "--app", "webui", "--env", "qa")

ON_HOLD = ("--group", "webshop", "--app", "webui", "--env", "qa")

SCENES = {
    "new": Scene(words=(*NEW, "1.4.2")),
    "promote": Scene(words=("promote",), after="new"),
    "status": Scene(
        words=("status", "--pr", "2", "--timeout", "0"), after="promote", prepare=lambda stage: stage.heal("dev")
    ),
    "publish": Scene(words=("status", "--publish"), after="promote", prepare=lambda stage: stage.heal("dev")),
    "promote all": Scene(words=("promote", "--all"), after="publish"),
    "new takes over": Scene(words=(*NEW, "1.4.3"), after="promote all"),
    "new takes over what is armed": Scene(words=(*NEW, "1.4.3"), after="promote"),
    "new takes over what was rejected": Scene(words=(*NEW, "1.4.3"), after="promote", prepare=_rejected),
    "new by hand": Scene(words=(*NEW, "1.4.2"), prepare=_by_hand),
    "rollback": Scene(words=(*ROLLBACK, "--no-hold"), after="publish", prepare=_bad_release),
    "rollback and hold": Scene(words=ROLLBACK, after="publish", prepare=_bad_release),
    "hold": Scene(words=("hold", *ON_HOLD, "--reason", "broken")),
    "release": Scene(words=("release", *ON_HOLD), after="hold"),
    "promote all heals": Scene(words=("promote", "--all"), after="new by hand", prepare=_conflict),
}

_played: dict[str, Played] = {}


def play(stage: Stage, name: str) -> Played:
    """Return the undisturbed scene, whatever the remote is now; played for the first time, it is left at its end."""
    if name not in _played:
        scene = SCENES[name]
        stage.restore(play(stage, scene.after).after if scene.after else stage.start)
        scene.prepare(stage)
        before = Snapshot.take(stage.remote.path)
        commands = stage.run(scene.words)
        assert commands
        after = Snapshot.take(stage.remote.path)
        _played[name] = Played(words=scene.words, before=before, after=after, state=stage.state(), commands=commands)
    return _played[name]


def moments(commands: Sequence[str]) -> list[tuple[str, int]]:
    """Return the moments before and after each of these git commands."""
    return [(moment, number) for number in range(1, len(commands) + 1) for moment in ("before", "after")]
