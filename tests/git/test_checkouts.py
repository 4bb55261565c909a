"""Every kind of checkout works and stays unchanged; variables and settings around it have no effect."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from itertools import chain, repeat
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import DEFAULT, Mock

import pytest

from gitops_promotion.core.commits import RefUpdate, Store
from gitops_promotion.errors import GitError, UsageError
from gitops_promotion.git import Repository
from gitops_promotion.git.advice import advice
from gitops_promotion.git.process import Runner
from tests.support import shares

if TYPE_CHECKING:
    from git.cmd import Git

    from tests.conftest import Checkout, Remote

    Open = Callable[..., Repository]

ROOT = Path(__file__).parents[2]
DEV = "webshop/dev/webui.yaml"
KINDS = (
    "full",
    "depth-1",
    "bare",
    "mirror",
    "detached",
    "worktree",
    "submodule",
    "subfolder",
    "inside-git-folder",
    "borrowing",
    "packed",
    "blobless",
    "unborn",
    "detached-on-a-commit-of-its-own",
)


ALL = "all"
"""All cases at once: each of them has no effect alone, and so they have none together."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    for argument, cases in (("hostile", list(HOSTILE)), ("setting", list(SETTINGS))):
        if argument in metafunc.fixturenames:
            metafunc.parametrize(argument, [*shares.of_git(metafunc.config, 5, cases, argument), ALL])


def make_checkout(kind: str, remote: "Remote") -> "tuple[Checkout, Path]":
    """Return the checkout that must stay as it is, and the folder the tool is started in."""
    for number in range(3):
        remote.commit({f"notes/{number}.txt": f"{number}\n"}, f"Note {number}")
    remote.git("config", "uploadpack.allowFilter", "true")
    options = {
        "depth-1": ("--depth=1",),
        "bare": ("--bare",),
        "mirror": ("--mirror",),
        "blobless": ("--filter=blob:none", "--no-checkout"),
    }
    checkout = remote.clone("checkout", *options.get(kind, ()))
    path = checkout.path
    if kind == "detached":
        checkout.git("checkout", "--quiet", "--detach")
    elif kind == "worktree":
        checkout.git("worktree", "add", "--quiet", "-b", "side", "tree")
        path = checkout.path / "tree"
    elif kind == "submodule":
        parent = remote.clone("parent")
        parent.git("submodule", "--quiet", "add", remote.url, "module")
        checkout, path = parent, parent.path / "module"
    elif kind == "subfolder":
        path = checkout.path / "webshop" / "dev"
    elif kind == "inside-git-folder":
        path = checkout.path / ".git" / "refs"
    elif kind == "borrowing":
        checkout.git("clone", "--quiet", "--shared", ".", "../borrower")
        checkout = type(checkout)(path=checkout.path.parent / "borrower", environ=checkout.environ)
        checkout.git("remote", "set-url", "origin", remote.url)
        path = checkout.path
    elif kind == "packed":
        checkout.git("gc", "--quiet")
    elif kind == "blobless":
        checkout.git("remote", "set-url", "origin", remote.path.as_uri())
    elif kind == "unborn":
        checkout.git("checkout", "--quiet", "--orphan", "new")
    elif kind == "detached-on-a-commit-of-its-own":
        checkout.git("checkout", "--quiet", "--detach")
        checkout.git("commit", "--quiet", "--allow-empty", "--message=Merge of the event")
    return checkout, path


def promote(repository: Repository) -> str:
    """All that a promotion does to a repository."""
    tip = repository.fetch("refs/heads/main")["refs/heads/main"]
    assert repository.refs("refs/heads/*").default_branch == "main"
    assert repository.grep(tip, ["webshop:webui"], ["webshop/dev"]) == [DEV]
    text = repository.read(tip, [DEV])[DEV]
    sha = repository.commit(tip, {DEV: text.replace(b"1.0.0", b"1.1.0")}, "Promote\n")
    assert [change.path for change in repository.diff_trees(tip, sha)] == [DEV]
    assert [entry.sha for entry in repository.commits(tip, sha)] == [sha]
    assert len(repository.history(tip, ["webshop"], 100)) == 4
    assert repository.conflicts(tip, sha) == ()
    assert repository.diff_from_merge_base(tip, sha)[0] == tip
    repository.push([RefUpdate(ref="refs/heads/promote/webshop-webui", new=sha, expected=None)])
    return sha


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_checkout_can_promote_and_stays_unchanged(
    kind: str, remote: "Remote", open_repository: "Open"
) -> None:
    checkout, path = make_checkout(kind, remote)
    before = checkout.snapshot()
    sha = promote(open_repository(path))
    assert remote.sha("promote/webshop-webui") == sha
    assert "image: ghcr.io/webshop/webui:1.1.0" in remote.show(DEV, sha)
    assert checkout.snapshot() == before


@pytest.mark.parametrize(
    ("kind", "branch"),
    [
        ("full", "main"),
        ("bare", "main"),
        ("detached", None),
        ("worktree", "side"),
        ("packed", "main"),
        ("unborn", "new"),
    ],
)
def test_head_and_its_branch_are_those_of_the_checkout(
    kind: str, branch: str | None, remote: "Remote", open_repository: "Open"
) -> None:
    _, path = make_checkout(kind, remote)
    repository = open_repository(path)
    assert repository.head_branch == branch
    assert repository.head == (None if kind == "unborn" else remote.sha("main"))


@pytest.mark.parametrize(
    ("kind", "shallow"), [("full", False), ("depth-1", True), ("worktree", False), ("bare", False)]
)
def test_only_a_checkout_with_cut_off_history_is_shallow(
    kind: str, shallow: bool, remote: "Remote", open_repository: "Open"
) -> None:
    assert open_repository(make_checkout(kind, remote)[1]).shallow is shallow


def test_a_worktree_of_a_shallow_clone_is_shallow_too(remote: "Remote", open_repository: "Open") -> None:
    checkout = remote.clone("checkout", "--depth=1")
    remote.commit({"a": "1"})
    checkout.git("fetch", "--quiet", "--depth=1", remote.path.as_uri(), "main:old")
    checkout.git("worktree", "add", "--quiet", "tree", "old")
    assert open_repository(checkout.path / "tree").shallow


def test_a_sha256_repository_works(
    make_remote: "Callable[..., Remote]", webshop: dict[str, str], open_repository: "Open"
) -> None:
    remote = make_remote(webshop, init=("--object-format=sha256",))
    repository = open_repository(remote.clone().path)
    assert repository.head == remote.sha("main")
    tip = repository.fetch("refs/heads/main")["refs/heads/main"]
    assert len(tip) == 64
    sha = repository.commit(tip, {DEV: b"new\n"}, "Promote\n")
    assert [(c.path, bool(c.old), bool(c.new)) for c in repository.diff_trees(tip, sha)] == [(DEV, True, True)]
    repository.push([RefUpdate(ref="refs/heads/p", new=sha, expected=None)])
    assert remote.sha("p") == sha


def test_a_read_only_checkout_works(remote: "Remote", open_repository: "Open") -> None:
    # A user namespace would be needed to forbid root to write; that nothing is written is shown by the snapshot above.
    checkout = remote.clone()
    for path in (checkout.path, *checkout.path.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        promote_one = open_repository(checkout.path)
        tip = promote_one.fetch("refs/heads/main")["refs/heads/main"]
        assert promote_one.read(tip, [DEV])
    finally:
        for path in (checkout.path, *checkout.path.rglob("*")):
            path.chmod(0o755)


@pytest.mark.parametrize("home", ["a file", "missing", "unset"])
def test_an_unusable_home_folder_does_no_harm(
    home: str, checkout: "Checkout", environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.delenv("HOME")
    wanted = {"a file": str(tmp_path / "file"), "missing": str(tmp_path / "nowhere"), "unset": None}[home]
    environ = {name: value for name, value in environ.items() if name != "HOME"} | ({"HOME": wanted} if wanted else {})
    with Repository.open(checkout.path, environ=environ) as repository:
        promote_tip = repository.fetch("refs/heads/main")["refs/heads/main"]
        sha = repository.commit(promote_tip, {"a": b"1"}, "Change\n")
    assert sha != promote_tip


def give_away(path: Path) -> None:
    for one in (path, *path.rglob("*")):
        os.lchown(one, 12345, 12345)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
@pytest.mark.parametrize("kind", ["full", "bare", "worktree", "depth-1", "subfolder"])
def test_a_checkout_of_another_user_works_with_trust(kind: str, remote: "Remote", open_repository: "Open") -> None:
    checkout, path = make_checkout(kind, remote)
    give_away(checkout.path)
    assert promote_quietly(open_repository(path, trust=True))


def promote_quietly(repository: Repository) -> str:
    tip = repository.fetch("refs/heads/main")["refs/heads/main"]
    return repository.commit(tip, {DEV: b"x\n"}, "Promote\n")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_checkout_of_another_user_is_an_error_with_a_next_step(checkout: "Checkout", open_repository: "Open") -> None:
    give_away(checkout.path)
    with pytest.raises(GitError, match=r"belongs to another user: .*safe\.directory") as caught:
        open_repository(checkout.path)
    assert str(checkout.path) in str(caught.value)


def test_b8_hooks_and_monitors_of_the_checkout_never_run(
    remote: "Remote", open_repository: "Open", tmp_path: Path
) -> None:
    checkout = remote.clone()
    proof = tmp_path / "proof"
    script = tmp_path / "script"
    script.write_text(f"#!/bin/sh\necho ran >> {proof}\n")
    script.chmod(0o755)
    hooks = checkout.path / ".git" / "hooks"
    hooks.mkdir()
    for name in (
        "pre-push",
        "reference-transaction",
        "post-checkout",
        "pre-commit",
        "post-rewrite",
        "post-index-change",
    ):
        shutil.copy(script, hooks / name)
    checkout.git("config", "core.fsmonitor", str(script))
    checkout.git("config", "core.hooksPath", str(hooks))
    checkout.git("config", "core.pager", str(script))
    checkout.git("config", "diff.external", str(script))
    checkout.git("config", "core.alternateRefsCommand", str(script))
    proof.unlink(missing_ok=True)  # setting it up ran some
    promote_and_merge(open_repository(checkout.path))
    assert not proof.exists()


def test_b8_hooks_of_the_machine_never_run(remote: "Remote", open_repository: "Open", tmp_path: Path) -> None:
    # In the remote they may: a plain path's other end is a git of its own.
    checkout = remote.clone()
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for name in ("pre-push", "reference-transaction"):
        (hooks / name).write_text(
            f'#!/bin/sh\ncase "$GIT_DIR" in *gitops-promotion-*) echo ran >> {tmp_path}/proof;; esac\n'
        )
        (hooks / name).chmod(0o755)
    checkout.git("config", "--global", "core.hooksPath", str(hooks))
    promote_and_merge(open_repository(checkout.path))
    assert not (tmp_path / "proof").exists()


def promote_and_merge(repository: Repository) -> None:
    tip = repository.fetch("refs/heads/main")["refs/heads/main"]
    sha = repository.commit(tip, {DEV: b"x\n"}, "Promote\n")
    merged = repository.merge(tip, sha, "Merge\n").sha
    repository.push([RefUpdate(ref="refs/heads/main", new=merged, expected=tip)])


HOSTILE: Mapping[str, str] = {
    "GIT_DIR": "/nonexistent",
    "GIT_WORK_TREE": "/",
    "GIT_INDEX_FILE": "/nonexistent",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES": "/nonexistent",
    "GIT_NAMESPACE": "elsewhere",
    "GIT_CEILING_DIRECTORIES": "/",
    "GIT_GLOB_PATHSPECS": "1",
    "GIT_ICASE_PATHSPECS": "1",
    "GIT_GRAFT_FILE": "/dev/null",
    "GIT_EXTERNAL_DIFF": "false",
    "GIT_PAGER": "false",
    "GIT_EDITOR": "false",
    "GIT_TRACE": "1",
    "GIT_CONFIG": "/dev/null",
    "GIT_DEFAULT_HASH": "sha256",
    "GIT_CONFIG_PARAMETERS": "'core.hooksPath'='/nonexistent'",
    "GIT_MERGE_VERBOSITY": "5",
    "GIT_QUARANTINE_PATH": "/nonexistent",
    "GIT_SHALLOW_FILE": "/nonexistent",
    "GIT_ATTR_SOURCE": "nonexistent",
    "GIT_DIFF_OPTS": "-u9",
    "GIT_LITERAL_PATHSPECS": "0",
    "GIT_DEFAULT_REF_FORMAT": "reftable",
    "GIT_PROTOCOL": "version=1",
    "LC_ALL": "de_DE.UTF-8",
    "LANGUAGE": "de",
}


def test_variables_of_a_hook_or_an_alias_have_no_effect(
    hostile: str, remote: "Remote", monkeypatch: pytest.MonkeyPatch, environ: dict[str, str]
) -> None:
    checkout = remote.clone()
    names = HOSTILE if hostile == ALL else [hostile]
    for name in names:
        monkeypatch.setenv(name, HOSTILE[name])
    with Repository.open(checkout.path, environ=environ | {name: HOSTILE[name] for name in names}) as repository:
        sha = promote_quietly(repository)
        assert repository.head == repository.history(sha, [], 2)[1].sha
        assert repository.head is not None
        assert repository.grep(repository.head, [], ["webshop/dev"]) == [DEV]
        assert repository.merge_result(repository.head, sha) is not None
        repository.push([RefUpdate(ref="refs/heads/p", new=sha, expected=None)])
    monkeypatch.undo()
    assert remote.sha("p") == sha


def test_variables_that_name_another_repository_have_no_effect(
    remote: "Remote", monkeypatch: pytest.MonkeyPatch, environ: dict[str, str]
) -> None:
    other = remote.clone("other")
    checkout = remote.clone()
    before = other.snapshot()
    hostile = {
        "GIT_COMMON_DIR": str(other.path / ".git"),
        "GIT_OBJECT_DIRECTORY": str(other.path / ".git" / "objects"),
        "GIT_WORK_TREE": str(other.path),
    }
    for name, value in hostile.items():
        monkeypatch.setenv(name, value)
    with Repository.open(checkout.path, environ=environ | hostile) as repository:
        assert promote_quietly(repository)
        assert repository.write_blob(b"new")
    assert other.snapshot() == before


@pytest.mark.parametrize("name", ["GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY"])
def test_variables_do_not_hide_the_repository(
    name: str, checkout: "Checkout", monkeypatch: pytest.MonkeyPatch, environ: dict[str, str]
) -> None:
    monkeypatch.setenv(name, "/nonexistent")
    with Repository.open(checkout.path, environ=environ | {name: "/nonexistent"}) as repository:
        assert promote_quietly(repository)


SETTINGS = (
    "log.follow=true",
    "log.showRoot=false",
    "log.showSignature=true",
    "color.ui=always",
    "diff.renames=copies",
    "diff.noprefix=true",
    "grep.patternType=perl",
    "grep.fullName=true",
    "core.quotePath=false",
    "fetch.prune=true",
    "push.followTags=true",
    "push.gpgSign=true",
    "push.recurseSubmodules=check",
    "push.pushOption=ci.skip",
    "core.attributesFile=/nonexistent",
    "fetch.recurseSubmodules=true",
    "transfer.fsckObjects=true",
    "i18n.logOutputEncoding=latin1",
    "core.abbrev=4",
)


def test_settings_of_a_person_have_no_effect(setting: str, remote: "Remote", open_repository: "Open") -> None:
    checkout = remote.clone()
    start = remote.sha("main")
    for each in SETTINGS if setting == ALL else [setting]:
        key, _, value = each.partition("=")
        checkout.git("config", "--global", key, value)
    repository = open_repository(checkout.path)
    sha = repository.commit(start, {"ä.yaml": b"x\n"}, "Grün\n")
    (first,) = repository.commits(start, sha)
    assert (first.message, [change.path for change in first.changes]) == ("Grün\n", ["ä.yaml"])
    assert [len(entry.changes) for entry in repository.history(start, [], 9)] == [5]
    assert repository.grep(start, ["webshop:webui"], ["webshop/dev"]) == [DEV]
    repository.fetch("refs/heads/main")
    repository.push([RefUpdate(ref="refs/heads/p", new=sha, expected=None)])


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (lambda path: shutil.rmtree(path / ".git"), "is in no git repository"),
        (lambda path: (path / ".git" / "HEAD").unlink(), "is in no git repository"),
        (lambda path: (path / ".git" / "config").write_text("[core\n"), "cannot read the repository .*bad config"),
        (
            lambda path: (path / ".git" / "config").write_text(
                "[core]\nrepositoryformatversion=1\n[extensions]\nnoSuchThing=true\n"
            ),
            "cannot read the repository .*nosuchthing",
        ),
    ],
)
def test_a_folder_without_a_usable_repository_is_an_error_with_a_next_step(
    prepare: Callable[[Path], object], message: str, checkout: "Checkout", open_repository: "Open", tmp_path: Path
) -> None:
    prepare(checkout.path)
    with pytest.raises(GitError, match=message) as caught:
        open_repository(checkout.path)
    assert "\n" not in str(caught.value)


def test_a_folder_that_does_not_exist_is_a_mistake_in_the_option(tmp_path: Path, open_repository: "Open") -> None:
    with pytest.raises(UsageError, match="does not exist: name a folder of the repository with --sourcedir"):
        open_repository(tmp_path / "nowhere")


def test_a_bare_repository_with_a_broken_configuration_is_an_error(remote: "Remote", open_repository: "Open") -> None:
    checkout = remote.clone("bare", "--bare")
    (checkout.path / "config").write_text("[core\n")
    with pytest.raises(GitError):
        open_repository(checkout.path)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[broken\n", "bad config line 1 in file {}"),
        ("[fetch]\n\tparallel = many\n", "bad numeric config value 'many' for 'fetch.parallel'"),
    ],
)
def test_a_broken_configuration_of_a_person_is_named(
    text: str, reason: str, checkout: "Checkout", open_repository: "Open", environ: dict[str, str]
) -> None:
    settings = Path(environ["HOME"]) / ".gitconfig"
    settings.write_text(text)
    with pytest.raises(GitError, match=r"correct git's configuration, .*--show-origin") as caught:
        open_repository(checkout.path).fetch("refs/heads/main")
    assert reason.format(settings) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"GIT_CONFIG_COUNT": "x"}, "GIT_CONFIG_COUNT is 'x', which is not a number: unset it or correct it"),
        (
            {"GIT_CONFIG_COUNT": "9" * 5000, "GIT_CONFIG_KEY_0": "a.b", "GIT_CONFIG_VALUE_0": ""},
            "GIT_CONFIG_KEY_1 or GIT_CONFIG_VALUE_1 is missing: set both, or correct the count",
        ),
        ({"GIT_CONFIG_PARAMETERS": "x'"}, "bogus format in GIT_CONFIG_PARAMETERS: correct git's configuration"),
    ],
)
def test_broken_settings_in_variables_are_named(
    variables: dict[str, str], message: str, checkout: "Checkout", open_repository: "Open", environ: dict[str, str]
) -> None:
    with pytest.raises(GitError, match=message) as caught:
        open_repository(checkout.path, environ=environ | variables)
    assert len(str(caught.value)) < 500


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from gitops_promotion.errors import GitError
from gitops_promotion.git import Repository

def fill() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (8, resource.RLIM_INFINITY))

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
try:
    if sys.argv[2] == "open":
        fill()
    with Repository.open(Path(sys.argv[1]), environ={"PATH": sys.argv[3]}) as repository:
        fill()
        repository.lay_out(repository.head)
except GitError as error:
    print(error)
"""


@pytest.mark.parametrize("step", ["open", "lay out"])
def test_a_full_disk_is_one_error_with_a_next_step(step: str, checkout: "Checkout", environ: dict[str, str]) -> None:
    command = [sys.executable, "-c", FULL_DISK, str(checkout.path), step, environ["PATH"]]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environ)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert (
        ended.stdout
        == "cannot write temporary files (File too large): free space there, or set TMPDIR to another folder\n"
    )


@pytest.mark.parametrize(
    "stderr",
    [
        "error: file write error: No space left on device\nfatal: unable to write loose object file\n",
        "fatal: write error: Disk quota exceeded\n",
        "error: unable to create temporary file: No space left on device\nfatal: failed to write object\n",
        "fatal: sha1 file '/tmp/p/objects/pack/tmp_idx_c' write error. Out of diskspace\n",
        "error: cannot update ref 'refs/promotion/f9': couldn't write '/tmp/p/refs/promotion/f9.lock'\n",
    ],
)
def test_a_disk_that_is_full_for_git_has_the_same_next_step(stderr: str) -> None:
    assert re.fullmatch(
        r".*(?:No space left|Disk quota|Out of diskspace|couldn't write).*: free space .*TMPDIR to another one",
        advice(stderr),
    )


def test_a_missing_folder_for_temporary_files_is_one_error(
    checkout: "Checkout", open_repository: "Open", monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(GitError, match=r"cannot write temporary files \(No such file.*set TMPDIR"):
        open_repository(checkout.path)


def test_no_file_and_no_process_is_left(
    checkout: "Checkout", environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    with Repository.open(checkout.path, environ=environ) as repository:
        promote_quietly(repository)
        assert list(scratch.iterdir())
    assert not list(scratch.iterdir())
    repository.close()  # once more does no harm
    checkout.git("remote", "remove", "origin")
    with pytest.raises(GitError, match="no remote"):
        Repository.open(checkout.path, environ=environ)
    assert not list(scratch.iterdir())
    children = subprocess.run(["ps", "--ppid", str(os.getpid()), "-o", "comm="], capture_output=True, text=True).stdout
    assert "git" not in children.split()


def test_a_killed_reader_is_one_error_and_is_started_again(checkout: "Checkout", open_repository: "Open") -> None:
    repository = open_repository(checkout.path)
    assert repository.has(checkout.sha())
    listed = subprocess.run(
        ["ps", "--ppid", str(os.getpid()), "-o", "pid=", "-o", "comm="], capture_output=True, text=True
    )
    (reader,) = (line.split()[0] for line in listed.stdout.splitlines() if line.endswith(" git"))
    os.kill(int(reader), signal.SIGKILL)
    with pytest.raises(GitError, match="git cat-file failed"):
        repository.has(checkout.sha())
    assert repository.has(checkout.sha())


def test_an_interrupt_leaves_no_process(checkout: "Checkout", monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []
    start = Runner.start

    def remember(
        self: Runner, arguments: Sequence[str], environ: Mapping[str, str], **options: bool
    ) -> "Git.AutoInterrupt":
        process = start(self, arguments, environ, **options)
        assert process.proc
        started.append(process.proc)
        wait = process.proc.communicate
        monkeypatch.setattr(
            process.proc, "communicate", Mock(side_effect=chain([KeyboardInterrupt], repeat(DEFAULT)), wraps=wait)
        )
        return process

    monkeypatch.setattr(Runner, "start", remember)
    with pytest.raises(KeyboardInterrupt):
        # This git waits for its input, so it does not end by itself before the signal.
        Runner(checkout.path).run(["hash-object", "--stdin"], dict(os.environ), b"1")
    assert [process.wait(10) for process in started] == [-signal.SIGTERM]


def test_without_git_the_error_says_to_install_it(tmp_path: Path, checkout: "Checkout") -> None:
    program = (
        "from pathlib import Path; import gitops_promotion.errors as e; from gitops_promotion.git import Repository\n"
        "try:\n Repository.open(Path('.'), environ={'PATH': '/nonexistent'})\nexcept e.GitError as x: print(x)"
    )
    found = subprocess.run(
        [sys.executable, "-c", program],
        env={"PATH": str(tmp_path), "PYTHONPATH": str(ROOT)},
        cwd=checkout.path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == "git was not found: install git 2.39 or newer and put it on the PATH"


def test_a_repository_is_a_store(checkout: "Checkout", open_repository: "Open") -> None:
    store: Store = open_repository(checkout.path)
    assert store.read_objects([store.write_blob(b"hi")])


def test_the_work_of_new_takes_six_git_commands(checkout: "Checkout", open_repository: "Open") -> None:
    repository = open_repository(checkout.path)
    repository.refs("refs/heads/*")
    tip = repository.fetch("refs/heads/main")["refs/heads/main"]
    repository.read(tip, ["gitops-promotion.yaml"])
    paths = repository.grep(tip, ["webshop:webui"])
    repository.read(tip, paths)
    repository.commits(tip, tip)
    sha = repository.commit(tip, dict.fromkeys(paths, b"x\n"), "Promote\n")
    repository.push([RefUpdate(ref="refs/heads/p", new=sha, expected=None)])
    assert repository.commands == 6
