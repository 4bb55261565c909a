"""`init`, through the real command line: what it writes, what it refuses, and the way to a gated promotion."""

import io
import json
import re
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gitops_promotion import cli
from gitops_promotion.errors import RefusedPushError
from gitops_promotion.git import Repository
from tests.commands import reference

if TYPE_CHECKING:
    from tests.conftest import Remote

Init = Callable[..., tuple[int, str, str]]
ROOT = Path(__file__).parents[2]
CONFIG = "gitops-promotion.yaml"


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run a command line and return its exit code, stdout and stderr."""

    def run(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code: object = 0
        try:
            cli.main(list(words))
        except SystemExit as ended:
            code = ended.code
        printed = capsys.readouterr()
        return int(str(code or 0)), printed.out, printed.err

    return run


@pytest.fixture
def remote(make_remote: Callable[..., "Remote"]) -> "Remote":
    return make_remote(reference.FILES)


def bare_repository(folder: Path, files: Mapping[str, str] | None = None, url: str = "") -> Path:
    """A working tree without a commit, and without a git process."""
    for name in ("objects", "refs"):
        (folder / ".git" / name).mkdir(parents=True)
    (folder / ".git" / "HEAD").write_text("ref: refs/heads/trunk\n")
    remote = f'[remote "origin"]\n\turl = {url}\n' if url else ""
    (folder / ".git" / "config").write_text(f"[core]\n\trepositoryformatversion = 0\n\tbare = false\n{remote}")
    for path, text in (files or {}).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    return folder


def written(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text(encoding="utf-8")
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".git" not in path.parts
    }


def test_three_commands_lead_from_a_fresh_clone_to_a_gated_promotion(
    remote: "Remote", run: Init, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    block = re.search(r"<!-- init-transcript -->\n```console\n(.*?)```\n<!-- /init-transcript -->", page, re.DOTALL)
    assert block
    monkeypatch.chdir(remote.clone().path)
    commands = re.findall(r"^\$ gitops-promotion (.*)$", block[1], re.MULTILINE)
    assert [shlex.split(command)[0] for command in commands] == ["init", "local", "new", "promote"]
    transcript = ""
    for command in commands:
        code, out, _ = run(*shlex.split(command), "--quiet")
        assert code == 0
        transcript += f"$ gitops-promotion {command}\n{out}"
    assert transcript == block[1]
    code, out, _ = run("status", "--pr", "3", "--timeout", "0")
    assert (code, "has no status yet: Flux has posted nothing matching flux/staging/apps" in out) == (4, True)
    assert run("local", "set-status", "main", "flux/staging/apps", "success")[0] == 0
    assert run("status", "--pr", "3")[0] == 0


def test_without_a_terminal_it_shows_the_diff_and_writes_nothing(tmp_path: Path, run: Init) -> None:
    folder = bare_repository(tmp_path / "r", reference.FILES)
    code, out, _ = run("init", "--sourcedir", str(folder))
    assert code == 0
    assert "+++ b/gitops-promotion.yaml\n" in out
    assert out.endswith("or with --yes --pull-request to propose them\n")
    assert written(folder) == reference.FILES


@pytest.mark.parametrize(("answer", "is_written"), [("n\n", False), ("\n", False), ("y\n", True)])
def test_on_a_terminal_it_asks(
    answer: str, is_written: bool, tmp_path: Path, run: Init, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = bare_repository(tmp_path / "r", reference.FILES)
    typed = io.StringIO(answer)
    monkeypatch.setattr(typed, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stdin", typed)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    code, _, err = run("init", "--sourcedir", str(folder))
    assert (code, err.count("Write these files? [y/N]")) == (0, 1)
    assert (written(folder) != reference.FILES) == is_written


def test_it_writes_new_files_and_marker_comments_alone(tmp_path: Path, run: Init) -> None:
    folder = bare_repository(tmp_path / "r", reference.FILES)
    assert run("init", "--yes", "--sourcedir", str(folder / "apps"))[0] == 0
    files = written(folder)
    assert set(files) == {*reference.FILES, CONFIG}
    marker = ' # {"$imagepolicy": "apps:podinfo:tag"}'
    assert {path: text.replace(marker, "") for path, text in files.items() if path != CONFIG} == reference.FILES
    assert run("validate", "--sourcedir", str(folder))[0] == 0
    code, _, err = run("init", "--yes", "--sourcedir", str(folder))
    assert (code, "overwrites nothing" in err) == (2, True)


def test_json_has_the_parts_of_the_proposal(tmp_path: Path, run: Init) -> None:
    folder = bare_repository(tmp_path / "r", reference.FILES)
    document = json.loads(run("init", "--sourcedir", str(folder), "-o", "json")[1])
    assert list(document) == ["version", "groups", "applications", "environments", "files", "undecided"]
    assert document["groups"] == ["apps"]
    assert document["applications"] == [{"group": "apps", "app": "podinfo", "environments": ["staging", "production"]}]
    assert document["environments"][1] == {"name": "production", "auto": False, "after": None}
    assert [(file["path"], file["action"]) for file in document["files"]] == [
        ("apps/production/podinfo-values.yaml", "change"),
        ("apps/staging/podinfo-values.yaml", "change"),
        (CONFIG, "create"),
    ]


def test_an_empty_repository_gets_a_layout_that_works(tmp_path: Path, run: Init) -> None:
    folder = bare_repository(tmp_path / "r")
    assert run("init", "--yes", "--sourcedir", str(folder))[0] == 0
    assert "webshop/dev/webui.yaml" in written(folder)
    assert run("validate", "--strict", "--sourcedir", str(folder))[0] == 0


def test_without_a_repository_or_an_application_it_says_what_to_do(tmp_path: Path, run: Init) -> None:
    code, _, err = run("init", "--yes", "--sourcedir", str(tmp_path))
    assert (code, "run `git init` there first" in err) == (2, True)
    folder = bare_repository(tmp_path / "r", {"web.yaml": "image: a/b:1\n"})
    code, _, err = run("init", "--yes", "--sourcedir", str(folder))
    assert (code, "no application was found in two environments" in err) == (2, True)
    assert CONFIG not in written(folder)


def test_on_github_it_adds_workflows_for_the_default_branch(tmp_path: Path, run: Init) -> None:
    folder = bare_repository(tmp_path / "r", reference.FILES, url="https://github.com/acme/gitops.git")
    taken = {".github/workflows/promotion-heal.yml": "name: mine\n"}
    for path, text in taken.items():
        (folder / path).parent.mkdir(parents=True)
        (folder / path).write_text(text)
    code, out, _ = run("init", "--yes", "--sourcedir", str(folder))
    assert (code, "OWNER stands for the account" in out) == (0, True)
    files = written(folder)
    assert files[".github/workflows/promotion-heal.yml"] == "name: mine\n"
    assert "    branches: [trunk]\n" in files[".github/workflows/promotion-promote.yml"]
    assert "uses: OWNER/gitops-promotion@v2\n" in files[".github/workflows/promotion-new.yml"]


def test_the_action_is_named_by_its_option(tmp_path: Path, run: Init) -> None:
    url = "https://dev.azure.com/acme/platform/_git/gitops"
    folder = bare_repository(tmp_path / "r", reference.FILES, url=url)
    code, out, _ = run("init", "--yes", "--sourcedir", str(folder), "--action", "Acme/promotions@4e8b6b5")
    assert (code, "OWNER stands" in out) == (0, False)
    [promote] = [text for path, text in written(folder).items() if path.endswith("/promotion-promote.yml")]
    assert "image: ghcr.io/acme/promotions:4e8b6b5" in promote
    assert run("init", "--sourcedir", str(folder), "--action", "acme; rm -rf /")[0] == 2


def test_a_pull_request_leaves_the_working_tree_as_it_is(remote: "Remote", run: Init) -> None:
    checkout = remote.clone()
    before = checkout.snapshot()
    code, out, _ = run("init", "--yes", "--pull-request", "--sourcedir", str(checkout.path))
    assert (code, "opened pull request #1: gitops-promotion local show 1\n" in out) == (0, True)
    assert {path: entry for path, entry in checkout.snapshot().items() if ".git" not in path} == {
        path: entry for path, entry in before.items() if ".git" not in path
    }
    assert "statusContext: flux/production/apps" in remote.show(CONFIG, "gitops-promotion-init")
    code, _, err = run("init", "--yes", "--pull-request", "--sourcedir", str(checkout.path))
    assert (code, "has a branch gitops-promotion-init from an earlier `init`" in err) == (2, True)


def test_a_pull_request_of_what_is_not_pushed_is_refused_by_name(remote: "Remote", run: Init) -> None:
    checkout = remote.clone()
    path = "apps/staging/podinfo-values.yaml"
    (checkout.path / path).write_text(reference.FILES[path] + "# more\n")
    code, _, err = run("init", "--yes", "--pull-request", "--sourcedir", str(checkout.path))
    assert (code, f"{path} of your checkout differs from that on origin/main: commit and push it" in err) == (
        2,
        True,
    )
    (checkout.path / path).write_text(reference.FILES[path])
    remote.commit({CONFIG: "environments: [{name: dev}]\n"}, "By hand")
    code, _, err = run("init", "--yes", "--pull-request", "--sourcedir", str(checkout.path))
    assert (code, f"{CONFIG} is on origin/main already, but not in your checkout: pull" in err) == (2, True)


def test_a_server_that_refuses_workflow_files_gets_the_branch_without_them(
    remote: "Remote", run: Init, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout = remote.clone()
    push = Repository.push
    words = "refusing to allow a GitHub App to create or update workflow without `workflows` permission"
    attempts: list[bool] = []

    def refusing(self: Repository, *args: Any, **more: Any) -> None:
        attempts.append(True)
        if len(attempts) == 1:
            raise RefusedPushError(words, kind="other")
        push(self, *args, **more)

    monkeypatch.setattr(Repository, "push", refusing)
    monkeypatch.setattr("gitops_promotion.commands.init._forge", lambda *_: "github")
    code, out, _ = run("init", "--yes", "--pull-request", "--sourcedir", str(checkout.path))
    assert (code, "the server takes no workflow files from this identity" in out) == (0, True)
    assert ".github/workflows/promotion-status.yml:\n\n# In the GitOps repository" in out
    assert set(remote.files("gitops-promotion-init")) == {*reference.FILES, CONFIG}


def test_a_link_that_leads_out_of_the_repository_is_not_followed(tmp_path: Path, run: Init) -> None:
    folder = bare_repository(tmp_path / "r", reference.FILES, url="https://github.com/acme/gitops.git")
    (tmp_path / "outside").mkdir()
    (folder / ".github").symlink_to(tmp_path / "outside")
    code, _, err = run("init", "--yes", "--sourcedir", str(folder))
    assert (code, "leads through a symbolic link" in err) == (2, True)
    assert written(folder) == reference.FILES
    assert not [path for path in (tmp_path / "outside").rglob("*") if path.is_file()]
