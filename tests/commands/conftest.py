"""A webshop whose users run the real command line, and in which the test plays Flux, people and the runner."""

import copy
import dataclasses
import json
import os
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import pytest

from gitops_promotion import cli
from tests.commands.scenes import Stage
from tests.reliability import Record
from tests.support import refs
from tests.support.snapshots import Snapshot

if TYPE_CHECKING:
    from tests.conftest import Checkout, Remote
    from tests.support.forks import Forks


T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one command line printed and how it ended."""

    code: int
    outcomes: list[dict[str, Any]]
    stdout: str
    stderr: str

    @property
    def results(self) -> list[str]:
        return [outcome["result"] for outcome in self.outcomes]

    @property
    def only(self) -> dict[str, Any]:
        assert len(self.outcomes) == 1, self.outcomes
        return self.outcomes[0]


@dataclass(frozen=True, slots=True)
class Results:
    """What steps that many tests begin with made of a remote, by the step and the remote before it."""

    known: dict[object, tuple[Snapshot, Any]] = field(default_factory=dict)


@dataclass(slots=True)
class Shop:
    """A remote, a checkout, and the verbs run in it."""

    remote: "Remote"
    checkout: "Checkout"
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]
    tmp_path: Path
    results: Results
    events: int = field(default=0)

    def run(self, *args: str, code: int | None = 0, where: Path | None = None) -> Run:
        """Run a verb with JSON output; `code` None accepts every exit code."""
        self.capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main([*args, "--sourcedir", str(where or self.checkout.path), "--output", "json"])
        printed = self.capsys.readouterr()
        found = int(ended.value.code or 0)
        assert code is None or found == code, printed.out + printed.err
        outcomes = json.loads(printed.out)["outcomes"] if printed.out else []
        return Run(code=found, outcomes=outcomes, stdout=printed.out, stderr=printed.err)

    def local(self, *args: str, codes: Sequence[object] = (0,)) -> str:
        """Run one of the `local` verbs, which ends with one of these exit codes, and return what it printed."""
        return self._printed("local", *args, codes=codes)

    def document(self, *args: str, code: int = 0) -> dict[str, Any]:
        """Run a verb that only looks, and return its JSON document."""
        document: dict[str, Any] = json.loads(self._printed(*args, "--output", "json", codes=(code,)))
        return document

    def _printed(self, *args: str, codes: Sequence[object]) -> str:
        self.capsys.readouterr()
        code: object = 0
        try:
            cli.main([*args, "--sourcedir", str(self.checkout.path)])
        except SystemExit as ended:
            code = ended.code
        printed = self.capsys.readouterr()
        assert (code or 0) in codes, printed.err
        return printed.out

    def new(self, tag: str, *more: str, app: str = "webui", code: int | None = 0) -> Run:
        return self.run("new", "--group", "webshop", "--app", app, "--tag", tag, *more, code=code)

    def flux(self, environment: str, state: str = "success", *, at: str = "main", group: str = "webshop") -> None:
        """Report what Flux would after it reconciled a commit."""
        words = ("set-status", at, f"kustomization/{group}-{environment}/2fb0a5b0", state)
        self.reuse(lambda: self.local(*words), *words)

    def forge(self, revision: str, context: str, state: str) -> None:
        """Post a status as anybody who may push could: straight into the remote, past the command line."""
        sha = self.remote.sha(revision)
        status = {"context": context, "state": state, "description": "", "url": "", "author": ""}
        status["created_at"] = "2026-01-01T00:00:00+00:00"
        record = json.dumps({"version": 1, "nonce": "n", "sha": sha, "statuses": [status]})
        blob = self.remote.git("hash-object", "-w", "--stdin", stdin=record)
        self.remote.git("update-ref", f"refs/gitops-promotion/statuses/{sha}", blob)

    def check(self, number: int, *more: str, code: int | None = 0) -> Run:
        """Run the required check of a pull request once, without waiting."""
        return self.run("status", "--pr", str(number), "--timeout", "0", *more, code=code)

    def tag(self, environment: str, app: str = "webui", group: str = "webshop") -> str:
        """The tag that the default branch has in an environment."""
        text = self.remote.show(f"{group}/{environment}/{app}.yaml", "main")
        found = re.search(r'[:"]([\w.-]+)"? # \{', text)
        assert found, text
        return found[1]

    def tags(self, app: str = "webui") -> tuple[str, ...]:
        return tuple(self.tag(environment, app) for environment in ("dev", "qa", "prod"))

    def edit(self, files: Mapping[str, str | None], message: str = "By hand", *, branch: str = "main") -> str:
        """Commit as a person would, straight to the remote."""
        start = "main" if branch not in self.remote.branches() else None
        return self.remote.commit(files, message, branch=branch, start=start, author="Ann <ann@example.org>")

    def event(self, name: str, payload: Mapping[str, Any]) -> None:
        """Be a GitHub Actions runner with this event."""
        self.events += 1
        path = self.tmp_path / f"event-{self.events}.json"
        path.write_text(json.dumps(payload))
        for key, value in {
            "GITHUB_ACTIONS": "true",
            "GITHUB_EVENT_NAME": name,
            "GITHUB_EVENT_PATH": str(path),
        }.items():
            self.monkeypatch.setenv(key, value)

    def push_event(self, before: str, after: str | None = None) -> None:
        """Be the runner of a push to main."""
        after = after or self.remote.sha("main")
        self.event("push", {"ref": "refs/heads/main", "before": before, "after": after})

    def no_event(self) -> None:
        """Be a shell again."""
        for key in ("GITHUB_ACTIONS", "GITHUB_EVENT_NAME", "GITHUB_EVENT_PATH"):
            self.monkeypatch.delenv(key, raising=False)

    # What tests begin with; what they look at they do by themselves.

    def into_qa(self, tag: str) -> None:
        """Bring a tag through dev into qa by promotions alone."""

        def promote() -> None:
            assert self.new(tag).results == ["merged"]
            self._through("dev")

        self.reuse(promote, "into qa", tag)

    def through(self, environment: str) -> dict[str, Any]:
        """Promote what is in an environment, report it healthy there, and let the check merge what may merge."""
        return self.reuse(lambda: self._through(environment), "through", environment)

    def _through(self, environment: str) -> dict[str, Any]:
        pull = self.run("promote").only["pull_request"]
        self.flux(environment)
        assert self.check(pull["number"]).results == ["passed"]
        return dict(pull)

    def opened(self, tag: str, app: str = "webui") -> str:
        """Bring a tag into dev, open its promotion into qa, and return the branch of that."""

        def propose() -> str:
            self.new(tag, app=app)
            (opened,) = [o for o in self.run("promote").outcomes if o["app"] == app and o["result"] == "opened"]
            return str(opened["branch"])

        return self.reuse(propose, "opened", tag, app)

    def reuse(self, step: Callable[[], T], *names: str) -> T:
        """Do a step, or give the remote what the same step made of one with the very same refs.

        The verbs change nothing but the remote, and what they do depends on it and on the environment alone.
        """
        runner = sorted((name, value) for name, value in os.environ.items() if name.startswith("GITHUB_"))
        state = tuple(refs.read_refs(self.remote.path).items()), refs.read_head(self.remote.path)
        before = (names, tuple(runner), state)
        if before in self.results.known:
            after, answer = self.results.known[before]
            shutil.rmtree(self.remote.path)
            after.write(self.remote.path)
            return cast("T", copy.deepcopy(answer))
        answer = step()
        self.results.known[before] = (Snapshot.take(self.remote.path), copy.deepcopy(answer))
        return answer


def manifest(app: str, tag: str, group: str = "webshop") -> str:
    """A marked manifest of one line that matters."""
    return f'kind: Deployment\nspec:\n  image: ghcr.io/{group}/{app}:{tag} # {{"$imagepolicy": "{group}:{app}"}}\n'


@pytest.fixture(name="manifest")
def manifest_fixture() -> Callable[..., str]:
    return manifest


def config(*, flow: str = "per-app", autos: tuple[bool, ...] = (True, True, False), more: str = "") -> str:
    """A configuration of dev, qa and prod."""
    pairs = zip(("dev", "qa", "prod"), autos, strict=True)
    lines = "".join(f"  - {{name: {name}, auto: {str(auto).lower()}}}\n" for name, auto in pairs)
    return f"prflow: {flow}\nenvironments:\n{lines}{more}"


@pytest.fixture(name="config")
def config_fixture() -> Callable[..., str]:
    return config


@pytest.fixture(scope="session")
def results() -> Results:
    return Results()


@pytest.fixture
def shop(
    remote: "Remote",
    checkout: "Checkout",
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    results: Results,
) -> Shop:
    """The webshop at 1.0.0 everywhere."""
    return Shop(remote, checkout, monkeypatch, capsys, tmp_path, results)


@pytest.fixture
def make_shop(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, results: Results
) -> Callable[["Remote"], Shop]:
    """Make a shop of any remote: `make_shop(remote)`."""

    def make(remote: "Remote") -> Shop:
        return Shop(remote, remote.clone(f"{remote.path.stem}-checkout"), monkeypatch, capsys, tmp_path, results)

    return make


@pytest.fixture
def make_stage(
    forks: "Forks", tmp_path: Path, pytestconfig: pytest.Config, record: Record
) -> "Callable[[Remote, Path], Stage]":
    """Make a stage of a remote and a checkout of it, for verbs that are processes of their own."""
    program = forks.write_program(tmp_path / "disturbed", "tests.commands.disturbed:main")
    with_git = pytestconfig.getoption("--thorough") or pytestconfig.getoption("--git")

    def make(remote: "Remote", checkout: Path) -> Stage:
        start = Snapshot.take(remote.path)
        return Stage(
            remote=remote,
            checkout=checkout,
            forks=forks,
            program=program,
            start=start,
            record=record,
            git=with_git,
        )

    return make


@pytest.fixture
def stage(remote: "Remote", checkout: "Checkout", make_stage: "Callable[[Remote, Path], Stage]") -> Stage:
    """The webshop at 1.0.0 everywhere."""
    return make_stage(remote, checkout.path)


@pytest.fixture
def like_github(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let plain git have the merge queue and the "Update branch" commits of GitHub."""
    from gitops_promotion.providers.github.facts import FORGE
    from gitops_promotion.providers.local import facts

    forge = dataclasses.replace(facts.FORGE, queue_prefix=FORGE.queue_prefix, is_update=FORGE.is_update)
    monkeypatch.setattr(facts, "FORGE", forge)
