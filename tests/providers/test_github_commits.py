"""Commits that GitHub makes and signs: the requests, the tokens, and a promotion on a GitHub of our own."""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gitops_promotion import cli
from gitops_promotion.core.commits import MadeCommit, NewCommit, NewFile
from gitops_promotion.errors import AuthError, GitError, ProviderError
from gitops_promotion.providers.github import commits
from tests.conftest import Checkout

if TYPE_CHECKING:
    from gitops_promotion.git import Repository
    from tests.providers.conftest import GitHubForge

    Open = Callable[..., Repository]

BRANCH = "promote/webshop-webui"
SIGNING = "commitSigning: forge\n"


def app_token(forge: "GitHubForge") -> str:
    return forge.server.give_token("promoter[bot]", kind="installation")


@pytest.fixture
def repository(
    github_forge: "GitHubForge", open_repository: "Open", tmp_path: Path, environ: dict[str, str]
) -> "Repository":
    """A checkout of the webshop whose own commits have no signature."""
    hosted = github_forge.hosted
    checkout = hosted.git.clone_to(tmp_path / "checkout", url=hosted.url, environ=environ)
    return open_repository(checkout.path, token=github_forge.server.token)


# A commit that a workflow's token made by this API, in the parts in which the API gives it:
# https://github.com/peter-evans/create-pull-request/commit/056c2e7186314987a3d687aafe691010fc066a5e
REAL = "056c2e7186314987a3d687aafe691010fc066a5e"
PAYLOAD = (
    "tree 3b7f226f052bb5c10b846ae8429ff4bdc4e48c44\n"
    "parent 370712159463f5e3e780068cb9bed6d28c27b94e\n"
    "author github-actions[bot] <41898282+github-actions[bot]@users.noreply.github.com> 1723126224 +0000\n"
    "committer GitHub <noreply@github.com> 1723126224 +0000\n"
    "\n"
    "[CI] test built"
)
SIGNATURE = (
    "-----BEGIN PGP SIGNATURE-----\n"
    "\n"
    "wsFcBAABCAAQBQJmtNHQCRC1aQ7uu5UhlAAAKaYQADPXMvSecUS7cau43RcBVPBg\n"
    "MUN8BOh5/rtjfWcbH4aDCjiCbgpbBjr0LKw0sJgAEjcOCbJjHs9tNAU5jtpbxDks\n"
    "duusPtHQs0Z3REtkvH2Aw7OWtleHBb8oDGiGHFrRyrlbLp3eVjfpCWAK87o2oHxd\n"
    "xjNYGUACFVQkdUTlzr6CjhTlW+gnFbAyqXqGEGHt//k7BkXesT1Njn8ulObSXQEp\n"
    "1wFfQgWgZ9hAxELQnh4heIEmjXrZ7d5AcdKjjzukNMwc22qnsrcyCsCWQ2T0QCn5\n"
    "t23pY8wWx6cFL7HrQYPc2WbJ+lXZjZc7poZM/lGYOti36QvBGkR4HtT6lkZ1kG7R\n"
    "c1NGj2lKg0iVaoTzoAUOPQ7ECoL3cdsWhNQWEvx2x/R2Gni5lqhHjJvY+DxQuh3r\n"
    "sObdfnx8UMA/CIx5mDHDRot2Wbr20nrKQdOUHjSgCnptOYKHKCoT0suaGk34ukdI\n"
    "LzHNujFCVDC12AHfV3vhnKpqLxUWi/opKsU1cHmc31k2r0gP9gI6kk+fMEdXIgi6\n"
    "AxdPs+0d68BjMhG9S5e0SeoFOd4L/nVaC0G3WLq84amHMCOicH+K8uUJ36SNcOPF\n"
    "2zm8hgWD1EUbzCTz/ArhTZZTJ7OY6bfk3yPmXZ4GEoB8nu9IhExq9+hKCPpjIYCB\n"
    "xBr9OirEm2EAuR9knoFp\n"
    "=yG1M\n"
    "-----END PGP SIGNATURE-----\n"
)


@pytest.mark.parametrize("ending", ["", "\n"])
def test_a_real_answer_gives_the_bytes_of_the_commit(ending: str) -> None:
    answer = {"payload": PAYLOAD, "signature": SIGNATURE.rstrip("\n") + ending}
    content = commits._content(REAL, answer)
    assert content is not None
    assert hashlib.sha1(b"commit %d\0%s" % (len(content), content), usedforsecurity=False).hexdigest() == REAL


@pytest.mark.parametrize("answer", [{}, {"payload": None, "signature": None}, {"payload": PAYLOAD, "signature": "x"}])
def test_an_answer_that_does_not_fit_the_commit_gives_no_bytes(answer: dict[str, Any]) -> None:
    assert commits._content(REAL, answer) is None


EDITS = {"webshop/dev/webui.yaml": b"tag: 2\r\n", "new/\xe4.yaml": "gr\xfcn\n".encode(), "README.md": None}
MESSAGE = "Promote webshop/webui\n\nPromotion: webshop/webui\nTag: 2\n"


@pytest.mark.parametrize("kind", ["installation", "actions"])
def test_github_makes_the_same_commit_with_its_signature(
    kind: Any, github_forge: "GitHubForge", repository: "Repository"
) -> None:
    base = github_forge.hosted.branches()["main"]
    provider = github_forge.connect(token=github_forge.server.give_token("promoter[bot]", kind=kind))
    before = github_forge.hosted.branches()
    plain = repository.commit(base, EDITS, MESSAGE)
    github_forge.calls()
    made = repository.remake(plain, EDITS, provider.make_commit)
    assert [request.kind for request in github_forge.server.requests] == ["rest", "rest"], "nothing is fetched"
    assert github_forge.calls() == [
        "POST /api/v3/repos/acme/gitops/git/trees",
        "POST /api/v3/repos/acme/gitops/git/commits",
    ]
    assert github_forge.hosted.branches() == before, "no ref has it yet"
    assert repository.diff_trees(plain, made) == []
    headers = repository.headers([plain, made])
    assert headers[made].parents == headers[plain].parents
    assert headers[made].message == headers[plain].message.strip()
    assert headers[made].author == "promoter[bot]"
    assert "\ngpgsig " in github_forge.hosted.git.git("cat-file", "commit", made)


def test_a_commit_on_top_of_a_branch_keeps_both_parents(github_forge: "GitHubForge", repository: "Repository") -> None:
    base = github_forge.hosted.branches()["main"]
    other = github_forge.push(BRANCH, {"webshop/dev/webui.yaml": "tag: 1\n"})
    repository.fetch(f"refs/heads/{BRANCH}")
    plain = repository.commit(base, EDITS, MESSAGE, on_top_of=other)
    made = repository.remake(plain, EDITS, github_forge.connect(token=app_token(github_forge)).make_commit)
    assert repository.headers([made])[made].parents == (base, other)


def test_the_token_of_a_person_gets_no_signature_and_an_error(
    github_forge: "GitHubForge", repository: "Repository"
) -> None:
    plain = repository.commit(github_forge.hosted.branches()["main"], EDITS, MESSAGE)
    with pytest.raises(AuthError, match=r"does not sign for this token \(unsigned\): use the token of an App"):
        repository.remake(plain, EDITS, github_forge.provider.make_commit)


def test_a_token_that_may_not_write_names_the_permission(github_forge: "GitHubForge", repository: "Repository") -> None:
    token = github_forge.server.give_token("reader[bot]", kind="installation", permissions={"contents": "read"})
    plain = repository.commit(github_forge.hosted.branches()["main"], EDITS, MESSAGE)
    with pytest.raises(AuthError, match="contents: write"):
        repository.remake(plain, EDITS, github_forge.connect(token=token).make_commit)


def test_a_commit_whose_bytes_the_answer_does_not_give_is_fetched(
    github_forge: "GitHubForge", repository: "Repository", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commits, "_content", lambda *_: None)
    plain = repository.commit(github_forge.hosted.branches()["main"], EDITS, MESSAGE)
    made = repository.remake(plain, EDITS, github_forge.connect(token=app_token(github_forge)).make_commit)
    assert repository.has(made)
    assert made != plain


@pytest.mark.parametrize("wrong", ["base", "unknown"])
def test_another_commit_than_the_one_asked_for_is_refused(
    wrong: str, github_forge: "GitHubForge", repository: "Repository"
) -> None:
    base = github_forge.hosted.branches()["main"]
    plain = repository.commit(base, EDITS, MESSAGE)
    sha = base if wrong == "base" else "1" * 40
    with pytest.raises(GitError, match="let git sign"):
        repository.remake(plain, EDITS, lambda _: MadeCommit(sha=sha, content=None))


def test_another_tree_than_the_one_meant_is_refused(github_forge: "GitHubForge") -> None:
    base = github_forge.hosted.branches()["main"]
    base_tree = github_forge.hosted.git.objects.commit(base).tree
    file = NewFile(path="a", mode="100644", content=b"1")
    commit = NewCommit(tree="1" * 40, base_tree=base_tree, parents=(base,), message="", files=(file,))
    with pytest.raises(ProviderError, match="where 1111"):
        github_forge.connect(token=app_token(github_forge)).make_commit(commit)


def test_a_file_that_is_not_utf_8_is_an_error_with_the_way_out(github_forge: "GitHubForge") -> None:
    for path, content in (("a.yaml", b"\xff"), ("not-\udcff.yaml", b"")):
        file = NewFile(path=path, mode="100644", content=content)
        commit = NewCommit(tree="1" * 40, base_tree="2" * 40, parents=(), message="", files=(file,))
        with pytest.raises(ProviderError, match="not UTF-8: let git sign"):
            github_forge.provider.make_commit(commit)


def run(capsys: pytest.CaptureFixture[str], checkout: Checkout, *words: str, code: int = 0) -> list[dict[str, Any]]:
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        cli.main([*words, "--sourcedir", str(checkout.path), "--output", "json"])
    out, err = capsys.readouterr()
    assert ended.value.code == code, out + err
    outcomes: list[dict[str, Any]] = json.loads(out)["outcomes"]
    return outcomes


NEW = ("new", "--group", "webshop", "--app", "webui", "--tag")


@pytest.fixture
def app(
    github_forge: "GitHubForge", tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environ: Mapping[str, str]
) -> Checkout:
    """A runner with an App's token, in a repository whose commits GitHub signs; the check is required."""
    hosted, server = github_forge.hosted, github_forge.server
    config = github_forge.show("main", "gitops-promotion.yaml")
    github_forge.push("main", {"gitops-promotion.yaml": config + SIGNING})
    github_forge.require_gate()
    monkeypatch.setenv("GITHUB_SERVER_URL", server.url)
    monkeypatch.setenv("GITHUB_API_URL", server.api_url)
    monkeypatch.setenv("GITHUB_TOKEN", app_token(github_forge))
    return hosted.git.clone_to(tmp_path / "checkout", url=hosted.url, environ=dict(environ))


def test_promotions_of_the_forge_are_the_tools_own_until_somebody_adds_to_them(
    github_forge: "GitHubForge", app: Checkout, capsys: pytest.CaptureFixture[str]
) -> None:
    assert [outcome["result"] for outcome in run(capsys, app, *NEW, "1.4.2")] == ["opened"]
    first = github_forge.branches()[BRANCH]
    assert [outcome["result"] for outcome in run(capsys, app, *NEW, "1.4.2")] == ["unchanged"]
    assert github_forge.branches()[BRANCH] == first
    assert [outcome["result"] for outcome in run(capsys, app, *NEW, "1.4.3")] == ["updated"]
    head = github_forge.branches()[BRANCH]
    assert "\ngpgsig " in github_forge.hosted.git.git("cat-file", "commit", head)
    [pull] = github_forge.hosted.pulls()
    assert pull.auto_merge
    assert (pull.head_sha, pull.auto_merge.by) == (head, "promoter[bot]")
    github_forge.push(BRANCH, {"README.md": "More\n"})
    [outcome] = run(capsys, app, *NEW, "1.4.4", code=2)
    assert "has 1 commit by someone else" in outcome["message"]


def test_the_way_and_the_history_of_commits_of_the_forge_are_those_of_others(
    github_forge: "GitHubForge", app: Checkout, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys, app, *NEW, "1.4.2")
    assert [outcome["result"] for outcome in run(capsys, app, "status", "--pr", "1", "--timeout", "0")] == ["passed"]
    [pull] = github_forge.hosted.pulls()
    github_forge.pass_gate(pull.head_sha)
    [promotion] = run(capsys, app, "promote", "--all")
    assert (promotion["result"], promotion["environment"]) == ("opened", "qa")
    assert "\ngpgsig " in github_forge.hosted.git.git("cat-file", "commit", github_forge.branches()[BRANCH])
    capsys.readouterr()
    cli.main(["history", "--app", "webui", "--sourcedir", str(app.path), "--output", "json"])
    [event, *_] = json.loads(capsys.readouterr().out)["events"]
    assert (event["kind"], event["environment"], event["tag"]) == ("promotion", "dev", "1.4.2")


def test_a_person_s_token_changes_nothing(
    github_forge: "GitHubForge", app: Checkout, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(capsys, app, *NEW, "1.4.2")
    before = github_forge.branches()
    monkeypatch.setenv("GITHUB_TOKEN", github_forge.server.token)
    [outcome] = run(capsys, app, *NEW, "1.4.3", code=6)
    assert "does not sign for this token" in outcome["message"]
    assert github_forge.branches() == before
    [pull] = github_forge.hosted.pulls()
    assert pull.auto_merge, "it still merges by itself"
