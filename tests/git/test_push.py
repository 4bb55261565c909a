"""Pushes: they change all refs or none, and tell a lost race from a refusal."""

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gitops_promotion.core.commits import RefUpdate
from gitops_promotion.errors import AuthError, GitError, LeaseLostError, LockedError, RefGoneError, RefusedPushError
from gitops_promotion.git.push import push_error, read_push
from tests.support import shares

if TYPE_CHECKING:
    from collections.abc import Callable

    from gitops_promotion.git import Repository
    from tests.conftest import Checkout, Remote
    from tests.support.forks import Forks

    Open = Callable[..., Repository]

P = "refs/heads/p"
Q = "refs/heads/q"


def new_commit(repository: "Repository", base: str, content: bytes = b"1") -> str:
    return repository.commit(base, {"x": content}, "Change\n")


def test_a_push_makes_moves_and_deletes_a_branch(remote: "Remote", open_repository: "Open") -> None:
    repository = open_repository(remote.clone().path)
    main = remote.sha("main")
    one, other = new_commit(repository, main), new_commit(repository, main, b"2")
    repository.push([RefUpdate(ref=P, new=one, expected=None)])
    assert remote.branches() == {"main": main, "p": one}
    repository.push([RefUpdate(ref=P, new=other, expected=one)])  # no fast-forward, and yet wanted
    assert remote.branches() == {"main": main, "p": other}
    repository.push([RefUpdate(ref=P, new=None, expected=other)])
    assert remote.branches() == {"main": main}
    repository.push([])
    assert remote.branches() == {"main": main}


@pytest.mark.parametrize("others", [0, 1])
@pytest.mark.parametrize(
    "case",
    [
        "moved",
        "created",
        "gone",
        "gone and to be deleted",
        "moved and to be deleted",
        "identical",
        "identical, created",
    ],
)
def test_b11_a_push_never_overwrites_an_unexpected_commit(
    case: str, others: int, remote: "Remote", open_repository: "Open"
) -> None:
    repository = open_repository(remote.clone().path)
    main = remote.sha("main")
    mine = new_commit(repository, main)
    person = remote.commit({"fix": "by hand"}, branch="p")
    update = {
        "moved": RefUpdate(ref=P, new=mine, expected=main),
        "created": RefUpdate(ref=P, new=mine, expected=None),
        "gone": RefUpdate(ref=Q, new=mine, expected=main),
        "gone and to be deleted": RefUpdate(ref=Q, new=None, expected=main),
        "moved and to be deleted": RefUpdate(ref=P, new=None, expected=main),
        "identical": RefUpdate(ref=P, new=person, expected=main),
        "identical, created": RefUpdate(ref=P, new=person, expected=None),
    }[case]
    repository.fetch(P)
    before = remote.branches()
    with pytest.raises(LeaseLostError, match="moved since it was read: run again"):
        repository.push([update, *[RefUpdate(ref="refs/heads/other", new=mine, expected=None)] * others])
    if others and case.startswith("identical"):
        # git leaves a ref that already is what it should be out of the push: hence the nonce of the docstring
        before["other"] = mine
    assert remote.branches() == before


def test_several_refs_change_together_or_not_at_all(remote: "Remote", open_repository: "Open") -> None:
    repository = open_repository(remote.clone().path)
    main = remote.sha("main")
    mine = new_commit(repository, main)
    record = repository.write_blob(b"{}")
    updates = [
        RefUpdate(ref="refs/heads/main", new=mine, expected=main),
        RefUpdate(ref="refs/gitops-promotion/pulls/1", new=record, expected=None),
    ]
    repository.push(updates)
    assert remote.sha("main") == mine
    assert remote.sha("refs/gitops-promotion/pulls/1") == record
    with pytest.raises(LeaseLostError):
        repository.push(
            [
                RefUpdate(ref="refs/heads/main", new=main, expected=mine),
                RefUpdate(ref="refs/gitops-promotion/pulls/1", new=repository.write_blob(b"[]"), expected=None),
            ]
        )
    assert remote.sha("main") == mine


def test_a_refusal_has_the_words_of_the_remote(remote: "Remote", open_repository: "Open") -> None:
    repository = open_repository(remote.clone().path)
    mine = new_commit(repository, remote.sha("main"))
    hook = remote.path / "hooks" / "pre-receive"
    hook.parent.mkdir()
    hook.write_text("#!/bin/sh\nprintf 'GH006: \\033[31mProtected\\033[0m branch\\nneeds a review\\n' >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(
        GitError, match=r"pre-receive hook declined.*GH006: .*Protected.* branch needs a review"
    ) as caught:
        repository.push([RefUpdate(ref=P, new=mine, expected=None), RefUpdate(ref=Q, new=mine, expected=None)])
    assert not isinstance(caught.value, LeaseLostError | AuthError)
    assert str(caught.value).isprintable()
    assert set(remote.branches()) == {"main"}


HOOK = "#!/bin/sh\necho no >&2\nexit 1\n"
OLD = "refs/heads/old"


def write_hook(remote: "Remote", name: str, text: str) -> None:
    hook = remote.path / "hooks" / name
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(text)
    hook.chmod(0o755)


@pytest.mark.parametrize("others", [0, 1], ids=["alone", "with another ref"])
@pytest.mark.parametrize(
    ("case", "kind", "words"),
    [
        ("force", "force", r"denying non-fast-forward refs/heads/old.*; allow forced pushes"),
        ("delete", "delete", r"denying ref deletion for refs/heads/old; allow deletions"),
        ("delete the default branch", "delete", r"refusing to delete the current branch.*; allow deletions"),
        ("a branch above", "ref-in-the-way", r"'refs/heads/old' exists; cannot create 'refs/heads/old/er'.*; a branch"),
        ("a branch below", "ref-in-the-way", r"'refs/heads/a/b' exists; cannot create 'refs/heads/a'.*; a branch"),
        ("pre-receive", "hook", r"pre-receive hook declined.*: no; ask an administrator"),
        ("update", "hook", r"\(hook declined\): no .*; ask an administrator"),
        ("a name that looks like another", "ref-in-the-way", "has a branch refs/heads/old beside the branch old"),
    ],
)
def test_a_push_that_the_server_does_not_allow_is_no_race(
    case: str, kind: str, words: str, others: int, remote: "Remote", open_repository: "Open"
) -> None:
    main, old = remote.sha("main"), remote.commit({"a": "1"}, branch="old")
    remote.git("update-ref", "refs/heads/a/b", main)
    repository = open_repository(remote.clone().path)
    repository.fetch("refs/heads/main", OLD)
    mine = new_commit(repository, main)
    update = RefUpdate(ref=OLD, new=mine, expected=old)
    if case == "force":
        remote.git("config", "receive.denyNonFastForwards", "true")
    elif case == "delete":
        remote.git("config", "receive.denyDeletes", "true")
        update = RefUpdate(ref=OLD, new=None, expected=old)
    elif case == "delete the default branch":
        update = RefUpdate(ref="refs/heads/main", new=None, expected=main)
    elif case == "a branch above":
        update = RefUpdate(ref="refs/heads/old/er", new=mine, expected=None)
    elif case == "a branch below":
        update = RefUpdate(ref="refs/heads/a", new=mine, expected=None)
    elif case == "a name that looks like another":
        remote.git("update-ref", "refs/heads/refs/heads/old", main)
    else:
        write_hook(remote, case, HOOK)
    before = remote.branches()
    with pytest.raises(RefusedPushError, match=words) as caught:
        repository.push([update, *[RefUpdate(ref="refs/heads/other", new=mine, expected=None)] * others])
    assert caught.value.kind == kind
    assert str(caught.value).isprintable()
    assert remote.branches() == before


@pytest.mark.parametrize("others", [0, 1], ids=["alone", "with another ref"])
@pytest.mark.parametrize("expected", ["moved", "created", "deleted"])
def test_a_race_that_is_lost_on_the_server_is_a_race(
    expected: str, others: int, remote: "Remote", open_repository: "Open"
) -> None:
    main = remote.sha("main")
    repository = open_repository(remote.clone().path)
    mine = new_commit(repository, main)
    seen = None if expected == "created" else remote.commit({"a": "1"}, branch="p")
    command = "git update-ref -d refs/heads/p" if expected == "deleted" else f"git update-ref refs/heads/p {main}"
    write_hook(remote, "pre-receive", f"#!/bin/sh\nunset GIT_QUARANTINE_PATH\n{command}\n")
    with pytest.raises(LeaseLostError, match="moved since it was read"):
        repository.push(
            [
                RefUpdate(ref=P, new=mine, expected=seen),
                *[RefUpdate(ref="refs/heads/other", new=mine, expected=None)] * others,
            ]
        )
    assert remote.branches() == {"main": main} | ({} if expected == "deleted" else {"p": main})


def refusal(reason: str, words: str = "", *, new: str | None = "1" * 40) -> GitError | None:
    """Return the error of a push that a server of another kind refuses."""
    update = RefUpdate(ref=P, new=new, expected="2" * 40)
    results = read_push(f"To https://example.com\n!\t{new or ''}:{P}\t[remote rejected] ({reason})\nDone\n")
    return push_error("https://example.com", [update], results, 1, "".join(f"remote: {line}\n" for line in [words]))


TF401027 = "TF401027: You need the Git '{}' permission to perform this action."


@pytest.mark.parametrize(
    ("reason", "words", "new", "kind"),
    [
        ("protected branch hook declined", "error: Cannot force-push to this branch", "1" * 40, "force"),
        ("push declined due to repository rule violations", "- Cannot force-push to this branch", "1" * 40, "force"),
        ("push declined due to repository rule violations", "- Cannot delete this branch", None, "delete"),
        ("protected branch hook declined", "error: GH006: Cannot delete this protected branch", None, "delete"),
        ("protected branch hook declined", "error: GH006: Protected branch update failed", "1" * 40, "protected"),
        ("push declined due to repository rule violations", "error: GH013", "1" * 40, "protected"),
        ("directory file conflict", "", "1" * 40, "ref-in-the-way"),
        ("refname conflict", "", "1" * 40, "ref-in-the-way"),
        (TF401027.format("ForcePush"), "", "1" * 40, "force"),
        (TF401027.format("ForcePush"), "", None, "delete"),
        (TF401027.format("CreateBranch"), "", "1" * 40, "protected"),
        ("TF402455: Pushes to this branch are not permitted", "", "1" * 40, "protected"),
        (
            "pre-receive hook declined",
            "GitLab: You are not allowed to force push code to a protected branch on this project.",
            "1" * 40,
            "force",
        ),
        ("pre-receive hook declined", "GitLab: You are not allowed to delete protected branches", None, "delete"),
        ("pre-receive hook declined", "Your push was rejected: the storage limit is reached", "1" * 40, "quota"),
        ("unpacker error", "fatal: write error: No space left on device", "1" * 40, "quota"),
        (
            "atomic transaction failed",
            "error: cannot update ref 'refs/heads/p': couldn't write '/srv/shop.git/refs/heads/p.lock'",
            "1" * 40,
            "quota",
        ),
        ("branch is currently checked out", "", "1" * 40, "protected"),
        ("funny refname", "", "1" * 40, "other"),
        ("unpacker error", "error: unable to create temporary object directory", "1" * 40, "other"),
    ],
)
def test_the_words_of_each_server_give_the_kind_of_refusal(reason: str, words: str, new: str | None, kind: str) -> None:
    error = refusal(reason, words, new=new)
    assert isinstance(error, RefusedPushError)
    assert error.kind == kind
    assert reason in str(error) and words in str(error)


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("incorrect old value provided", ""),
        ("reference already exists", ""),
        ("reference does not exist", ""),
        ("failed to update ref", "error: cannot lock ref 'refs/heads/p': is at 1 but expected 2"),
        ("atomic transaction failed", "error: cannot lock ref 'refs/heads/p': reference already exists"),
    ],
)
def test_the_words_of_each_version_of_git_give_a_race(reason: str, words: str) -> None:
    assert isinstance(refusal(reason, words), LeaseLostError)


@pytest.mark.parametrize("lock", ["/srv/shop.git/./refs/heads/p.lock", "/srv/shop.git/packed-refs.lock"])
def test_a_lock_file_on_the_server_is_named(lock: str) -> None:
    words = f"error: cannot lock ref '{P}': Unable to create '{lock}': File exists."
    error = refusal("failed to update ref", words)
    assert isinstance(error, LockedError)
    assert str(error) == (
        f"{P} at https://example.com cannot change while the file {lock} is there: delete this file on the server if "
        "no git command is running there, and run again"
    )


def test_a_ref_that_is_deleted_after_it_was_listed_is_a_race(remote: "Remote", open_repository: "Open") -> None:
    repository = open_repository(remote.clone().path)
    with pytest.raises(RefGoneError, match="run again"):
        repository.fetch("refs/heads/main", P)
    assert issubclass(RefGoneError, LeaseLostError)


def test_pushing_a_missing_commit_is_an_error(remote: "Remote", open_repository: "Open") -> None:
    repository = open_repository(remote.clone().path)
    with pytest.raises(GitError):
        repository.push([RefUpdate(ref=P, new="1" * 40, expected=None)])
    assert set(remote.branches()) == {"main"}


@pytest.mark.parametrize(
    "ref",
    [
        "main",
        "refs/heads/",
        "refs/heads/a b",
        "refs/heads/a:refs/heads/main",
        "+refs/heads/x",
        "refs/heads/a\nb",
        "refs/heads/*",
        "-x",
        "",
    ],
)
def test_a_ref_that_is_not_a_full_name_is_refused(ref: str, checkout: "Checkout", open_repository: "Open") -> None:
    repository = open_repository(checkout.path)
    with pytest.raises(GitError, match="not a full ref name"):
        repository.fetch(ref)
    with pytest.raises(GitError, match="not a full ref name"):
        repository.push([RefUpdate(ref=ref, new=None, expected=None)])


def test_concurrent_writers_lose_no_commit(
    remote: "Remote", environ: dict[str, str], forks: "Forks", tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    writers, pushes = (4, 5) if shares.is_whole(pytestconfig) else (3, 3)
    path = remote.clone().path
    program = forks.write_program(tmp_path / "racer", "tests.git.racer:main")
    racers = [
        subprocess.Popen([program, str(path), str(number), str(pushes)], env=environ, stderr=subprocess.PIPE)
        for number in range(writers)
    ]
    for racer in racers:
        _, stderr = racer.communicate()
        assert racer.returncode == 0, stderr.decode()
    assert remote.show("count", "main") == str(writers * pushes)
    assert remote.git("rev-list", "--count", "main") == str(writers * pushes + 1)


class TestUnchanged:
    """A push that holds only while other refs are where they were read."""

    def test_goes_through_while_the_other_ref_is_there(
        self, remote: "Remote", checkout: "Checkout", open_repository: "Callable[..., Repository]"
    ) -> None:
        repository = open_repository(checkout.path)
        main = remote.sha("main")
        update = RefUpdate(ref="refs/heads/x", new=main, expected=None)
        repository.push([update], unchanged={"refs/heads/main": main})
        assert remote.branches() == {"main": main, "x": main}

    def test_is_lost_once_the_other_ref_has_moved(
        self, remote: "Remote", checkout: "Checkout", open_repository: "Callable[..., Repository]"
    ) -> None:
        repository = open_repository(checkout.path)
        main = remote.sha("main")
        moved = remote.commit({"x.txt": "1\n"})
        update = RefUpdate(ref="refs/heads/x", new=main, expected=None)
        with pytest.raises(LeaseLostError, match="refs/heads/main"):
            repository.push([update], unchanged={"refs/heads/main": main})
        assert remote.branches() == {"main": moved}

    def test_needs_no_atomic_pushes_of_the_server(
        self, remote: "Remote", checkout: "Checkout", open_repository: "Callable[..., Repository]"
    ) -> None:
        remote.git("config", "receive.advertiseAtomic", "false")
        repository = open_repository(checkout.path)
        main = remote.sha("main")
        update = RefUpdate(ref="refs/heads/x", new=main, expected=None)
        repository.push([update], unchanged={"refs/heads/main": main})
        assert remote.branches() == {"main": main, "x": main}
