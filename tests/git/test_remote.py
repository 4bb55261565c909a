"""The remote: its choice, its address, its default branch, and the errors when it cannot be reached."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gitops_promotion.core.commits import RefUpdate
from gitops_promotion.errors import GitError, UsageError
from gitops_promotion.git import remote as remote_module

if TYPE_CHECKING:
    from collections.abc import Callable

    from gitops_promotion.git import Repository
    from tests.conftest import Checkout, Remote

    Open = Callable[..., Repository]
    MakeRemote = Callable[..., Remote]


def test_b23_the_default_branch_is_that_of_the_remote(make_remote: "MakeRemote", open_repository: "Open") -> None:
    remote = make_remote({"a": "1"}, branch="release/v2")
    refs = open_repository(remote.clone().path).refs("refs/heads/*")
    assert refs.default_branch == "release/v2"
    assert refs.branch("release/v2") == remote.sha("release/v2")
    assert refs.branch("main") is None


def test_a_remote_whose_head_names_no_branch_has_no_default_branch(remote: "Remote", open_repository: "Open") -> None:
    checkout = remote.clone()
    for head in ("refs/heads/nowhere", "refs/tags/v1"):
        remote.git("symbolic-ref", "HEAD", "refs/heads/nowhere")
        refs = open_repository(checkout.path).refs("refs/heads/main")
        assert (refs.default_branch, dict(refs.shas)) == ("", {"refs/heads/main": remote.sha("main")}), head
    (remote.path / "HEAD").write_text(remote.sha("main") + "\n")
    assert open_repository(checkout.path).refs("refs/heads/main").default_branch == ""


def test_an_empty_remote_has_neither_refs_nor_a_default_branch(
    make_remote: "MakeRemote", open_repository: "Open"
) -> None:
    empty = make_remote(name="empty.git")
    checkout = empty.clone()
    repository = open_repository(checkout.path)
    assert repository.refs("refs/heads/*").shas == {}
    assert repository.refs("refs/heads/*").default_branch == ""
    assert (repository.head, repository.head_branch) == (None, "main")


def test_refs_are_those_that_match_without_peeled_tags(remote: "Remote", open_repository: "Open") -> None:
    main = remote.sha("main")
    remote.git("tag", "--annotate", "--message=x", "v1", main)
    for ref in ("refs/heads/promote/a", "refs/heads/zeile\u2028\u0085", "refs/gitops-promotion/pulls/1"):
        remote.git("update-ref", ref, main)
    repository = open_repository(remote.clone().path)
    assert set(repository.refs("refs/heads/promote/*").shas) == {"refs/heads/promote/a"}
    assert set(repository.refs("refs/tags/*").shas) == {"refs/tags/v1"}
    assert set(repository.refs("refs/heads/*").shas) == {
        "refs/heads/main",
        "refs/heads/promote/a",
        "refs/heads/zeile\u2028\u0085",
    }
    assert repository.refs().shas == {}


def test_b21_exactly_the_requested_refs_are_fetched(remote: "Remote", open_repository: "Open") -> None:
    other = remote.commit({"a": "1"}, branch="a")
    checkout = remote.clone()
    deep = remote.commit({"a": "2"}, branch="x/y z".replace(" ", "-"))
    repository = open_repository(checkout.path)
    assert repository.fetch("refs/heads/a", "refs/heads/x/y-z") == {"refs/heads/a": other, "refs/heads/x/y-z": deep}
    remote.git("update-ref", "-d", "refs/heads/a")
    below = remote.commit({"a": "3"}, branch="a/b")  # a name that was a branch is now a folder of branches
    assert repository.fetch("refs/heads/a/b") == {"refs/heads/a/b": below}
    assert repository.fetch() == {}
    remote.git("update-ref", "refs/heads/x/y-z", other)
    assert repository.fetch("refs/heads/x/y-z") == {"refs/heads/x/y-z": other}
    with pytest.raises(GitError, match=r"couldn't find remote ref refs/heads/gone\): run again"):
        repository.fetch("refs/heads/gone", "refs/heads/main")


@pytest.mark.parametrize("shallow", [False, True])
def test_refs_to_blobs_are_fetched_and_read(shallow: bool, remote: "Remote", open_repository: "Open") -> None:
    writer = open_repository(remote.clone("writer").path)
    one = writer.write_blob(b"{}\n")
    writer.push([RefUpdate(ref="refs/gitops-promotion/pulls/1", new=one, expected=None)])
    repository = open_repository(remote.clone("reader", *(["--depth=1"] if shallow else [])).path)
    assert repository.fetch("refs/gitops-promotion/pulls/1") == {"refs/gitops-promotion/pulls/1": one}
    assert repository.fetch("refs/gitops-promotion/pulls/1", "refs/heads/main")["refs/heads/main"] == remote.sha("main")
    assert repository.read_objects([one, one]) == {one: b"{}\n"}


# -- which remote


def test_the_remote_is_origin_or_the_only_one(checkout: "Checkout", remote: "Remote", open_repository: "Open") -> None:
    checkout.git("remote", "add", "backup", "/backup.git")
    assert open_repository(checkout.path).url == remote.url
    assert open_repository(checkout.path, remote="backup").url == "/backup.git"
    with pytest.raises(UsageError, match="no remote is called 'nope': give --remote one of backup, origin"):
        open_repository(checkout.path, remote="nope")
    checkout.git("remote", "rename", "origin", "up.stream")
    with pytest.raises(GitError, match=r"not clear .*: give --remote one of backup, up\.stream"):
        open_repository(checkout.path)
    checkout.git("remote", "remove", "backup")
    assert open_repository(checkout.path).url == remote.url
    checkout.git("remote", "remove", "up.stream")
    with pytest.raises(GitError, match="no remote: add one"):
        open_repository(checkout.path)


@pytest.mark.parametrize("start", [".", "webshop/dev"])
def test_a_relative_remote_is_relative_to_the_top_folder(
    start: str, checkout: "Checkout", remote: "Remote", open_repository: "Open"
) -> None:
    checkout.git("remote", "set-url", "origin", "../remote.git")
    repository = open_repository(checkout.path / start)
    assert repository.url == remote.url
    assert repository.refs("refs/heads/*").branch("main") == remote.sha("main")
    sha = repository.commit(remote.sha("main"), {"a": b"1"}, "Change\n")
    repository.push([RefUpdate(ref="refs/heads/p", new=sha, expected=None)])


def test_a_folder_may_have_any_name(remote: "Remote", open_repository: "Open", monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("$HOME", "%x%", "~", "a b", 'quo"te', "#x", "new\nline", "ünï", "a:b", "not-utf8-\udcff"):
        path = remote.clone("./" + name).path
        repository = open_repository(path)
        assert repository.has(remote.sha("main")), name
        assert repository.read(remote.sha("main"), ["README.md"]), name
    monkeypatch.chdir(remote.path.parent)
    assert open_repository(Path("a b")).head == remote.sha("main")
    (remote.path.parent / "linked").symlink_to("a b/webshop")
    assert open_repository(remote.path.parent / "linked").head == remote.sha("main")


@pytest.mark.parametrize("scope", ["--local", "--global", "include", "environment", "argument", "worktree"])
def test_rules_for_addresses_apply_from_every_configuration(
    scope: str, checkout: "Checkout", remote: "Remote", open_repository: "Open", environ: dict[str, str], tmp_path: Path
) -> None:
    checkout.git("remote", "set-url", "origin", "short:remote.git")
    key = f"url.{tmp_path}/.insteadOf"
    if scope == "include":
        (tmp_path / "more").write_text(f'[url "{tmp_path}/"]\n\tinsteadOf = short:\n')
        checkout.git("config", f"includeIf.gitdir:{checkout.path}/.path", str(tmp_path / "more"))
    elif scope == "environment":
        environ |= {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": key, "GIT_CONFIG_VALUE_0": "short:"}
    elif scope == "argument":
        environ |= {"GIT_CONFIG_PARAMETERS": f"'{key}'='short:'"}
    elif scope == "worktree":
        checkout.git("config", "extensions.worktreeConfig", "true")
        checkout.git("config", "--worktree", key, "short:")
    else:
        checkout.git("config", scope, key, "short:")
    repository = open_repository(checkout.path, environ=environ)
    assert repository.url == remote.url
    assert repository.fetch("refs/heads/main") == {"refs/heads/main": remote.sha("main")}


def test_a_broken_rule_for_addresses_is_an_error(
    checkout: "Checkout", open_repository: "Open", environ: dict[str, str]
) -> None:
    with (Path(environ["HOME"]) / ".gitconfig").open("a") as settings:
        settings.write('[url "/srv/"]\n\tinsteadOf\n')
    with pytest.raises(GitError, match=r"url\./srv/\.insteadof"):
        open_repository(checkout.path).refs()


def test_a_separate_address_for_pushes_is_used(checkout: "Checkout", remote: "Remote", open_repository: "Open") -> None:
    other = remote.clone("other.git", "--bare")
    checkout.git("remote", "set-url", "--push", "origin", str(other.path))
    repository = open_repository(checkout.path)
    sha = repository.commit(remote.sha("main"), {"a": b"1"}, "Change\n")
    repository.push([RefUpdate(ref="refs/heads/p", new=sha, expected=None)])
    assert other.has("refs/heads/p")
    assert not remote.has("refs/heads/p")


def test_the_configured_ssh_command_is_used_and_the_default_never_prompts(
    checkout: "Checkout", open_repository: "Open", environ: dict[str, str], tmp_path: Path
) -> None:
    ssh = tmp_path / "bin" / "ssh"
    ssh.parent.mkdir()
    ssh.write_text(
        f'#!/bin/sh\necho "$0 $*" >> {tmp_path}/log\necho "git@host: Permission denied (publickey)." >&2\nexit 255\n'
    )
    ssh.chmod(0o755)
    (ssh.parent / "other").symlink_to("ssh")
    environ |= {"PATH": f"{ssh.parent}{os.pathsep}{environ['PATH']}"}
    checkout.git("remote", "set-url", "origin", "git@host:org/repo.git")

    def asked(**more: str) -> str:
        repository = open_repository(checkout.path, environ=environ | more)
        assert repository.url == "git@host:org/repo.git"
        with pytest.raises(GitError, match=r"Permission denied \(publickey\).*check the ssh key"):
            repository.refs()
        return (tmp_path / "log").read_text().splitlines()[-1]

    assert "/ssh -o BatchMode=yes" in asked()
    assert "/ssh -v" in asked(GIT_SSH_COMMAND="ssh -v")
    checkout.git("config", "core.sshCommand", "other -x")
    assert "/other -x" in asked()
    checkout.git("config", "--unset", "core.sshCommand")
    checkout.git("config", "--global", "core.sshCommand", "other -y")
    assert "/other -y" in asked()


def test_a_remote_that_never_answers_ends_a_command(
    checkout: "Checkout", open_repository: "Open", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_module, "SECONDS", 0.3)
    monkeypatch.setattr("gitops_promotion.git.process._GRACE", 0.1)
    checkout.git("config", "remote.origin.uploadpack", "exec sleep 60 #")
    repository = open_repository(checkout.path)
    for reach in (repository.refs, lambda: repository.fetch("refs/heads/main")):
        with pytest.raises(GitError, match=r"git (?:ls-remote|fetch) did not end within 0\.3s at /.*: check"):
            reach()


def test_a_silent_web_server_is_left_unless_the_person_has_other_wishes(
    checkout: "Checkout", open_repository: "Open", environ: dict[str, str], tmp_path: Path
) -> None:
    helper = tmp_path / "bin" / "git-remote-http"
    helper.parent.mkdir()
    helper.write_text(f"#!/bin/sh\ngit config --get-regexp 'lowspeed' > {tmp_path}/asked\nexit 1\n")
    helper.chmod(0o755)
    environ |= {"GIT_EXEC_PATH": str(helper.parent), "PATH": f"{helper.parent}{os.pathsep}{environ['PATH']}"}
    checkout.git("remote", "set-url", "origin", "http://git.example/repo.git")

    def asked() -> list[str]:
        with pytest.raises(GitError):
            open_repository(checkout.path, environ=environ).refs()
        return (tmp_path / "asked").read_text().splitlines()

    assert asked() == ["http.lowspeedlimit 1", f"http.lowspeedtime {remote_module.SILENCE}"]
    checkout.git("config", "--global", "http.lowSpeedTime", "7")
    assert asked() == ["http.lowspeedtime 7"]


def test_a_program_in_place_of_an_address_never_runs(
    checkout: "Checkout", open_repository: "Open", tmp_path: Path, environ: dict[str, str]
) -> None:
    checkout.git("remote", "set-url", "origin", f"ext::touch {tmp_path}/proof")
    checkout.git("config", "protocol.ext.allow", "always")
    checkout.git("config", "--global", "protocol.ext.allow", "always")
    environ |= {"GIT_CONFIG_PARAMETERS": "'protocol.ext.allow'='always'"}
    with pytest.raises(GitError):
        open_repository(checkout.path, environ=environ).refs()
    assert not (tmp_path / "proof").exists()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("/nonexistent/repo.git", "/nonexistent/repo.git.*check the remote's address"),
        ("http://127.0.0.1:1/repo.git", "Failed to connect.*check the network and run again"),
        ("http://[::1/repo.git", "malformed .*git remote set-url"),
        ("--upload-pack=touch x", "blocked"),
    ],
)
def test_an_unreachable_remote_is_a_one_line_error(
    url: str, message: str, checkout: "Checkout", open_repository: "Open"
) -> None:
    checkout.git("config", "remote.origin.url", url)
    with pytest.raises(GitError, match=message) as caught:
        open_repository(checkout.path).refs("refs/heads/*")
    assert str(caught.value).isprintable()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_remote_folder_of_another_user_is_an_error_with_a_next_step(
    checkout: "Checkout", remote: "Remote", open_repository: "Open"
) -> None:
    for path in (remote.path, *remote.path.rglob("*")):
        os.lchown(path, 12345, 12345)
    with pytest.raises(GitError, match=r"remote\.git belongs to another user: .*safe\.directory"):
        open_repository(checkout.path, trust=True).refs()
