"""Complete and shallow histories: changes, authors, and merge bases."""

from typing import TYPE_CHECKING

import pytest

from gitops_promotion.core.commits import CommitHeader
from gitops_promotion.errors import GitError, NotAdvertisedError
from gitops_promotion.git import fetched, history
from tests.support.repositories import NOW

if TYPE_CHECKING:
    from collections.abc import Callable

    from gitops_promotion.core.commits import Commit
    from gitops_promotion.git import Repository
    from tests.conftest import Checkout, Remote

    Open = Callable[..., Repository]

DEV = "webshop/dev/webui.yaml"


def paths(entry: "Commit") -> list[str]:
    return [change.path for change in entry.changes]


def fetch(repository: "Repository", *branches: str) -> list[str]:
    fetched = repository.fetch(*(f"refs/heads/{branch}" for branch in branches))
    return [fetched[f"refs/heads/{branch}"] for branch in branches]


def merge(remote: "Remote", branch: str, into: str = "main") -> str:
    """A forge's merge commit."""
    tree = remote.git("merge-tree", "--write-tree", into, branch)
    sha = remote.git("commit-tree", tree, "-p", into, "-p", branch, "-m", f"Merge {branch}")
    remote.git("update-ref", f"refs/heads/{into}", sha)
    return sha


# -- what history says


def test_a_branch_of_more_commits_than_are_read_is_an_error(
    remote: "Remote", open_repository: "Open", monkeypatch: pytest.MonkeyPatch
) -> None:
    main = remote.sha("main")
    two = [remote.commit({DEV: f"{number}\n"}, "Change", branch="p") for number in range(2)][-1]
    repository = open_repository(remote.clone().path)
    fetch(repository, "main", "p")
    monkeypatch.setattr(history, "MOST_COMMITS", 2)
    assert len(repository.commits(main, two)) == 2
    monkeypatch.setattr(history, "MOST_COMMITS", 1)
    with pytest.raises(GitError, match=r"has more than 1 commits that .* Create it again"):
        repository.commits(main, two)


def test_b38_history_has_every_first_parent_commit_newest_first_with_the_root(
    remote: "Remote", open_repository: "Open"
) -> None:
    root = remote.sha("main")
    change = remote.commit({DEV: "1\n", "elsewhere": "1\n"}, "Change\n\nTag: 1\n", author="A B <a@example.com>")
    empty = remote.commit({}, "Empty")
    remote.commit({DEV: "2\n"}, "On a branch", branch="p")
    merged = merge(remote, "p")
    entries = open_repository(remote.clone().path).history(merged, ["webshop/dev"], 100)
    assert [entry.sha for entry in entries] == [merged, empty, change, root]
    assert [paths(entry) for entry in entries] == [[DEV], [], [DEV], [DEV]]
    assert entries[0].parents == (empty, remote.sha("p"))
    assert entries[-1].parents == ()
    assert all(entry.complete for entry in entries)
    assert entries[2].trailers == {"Tag": "1"}
    assert (entries[2].author_email, entries[2].committer_email) == ("a@example.com", "a@example.com")
    assert (entries[2].author, entries[2].committed_at) == ("A B", NOW)
    assert entries[2].changes[0].new == remote.sha(f"{change}:{DEV}")


def test_headers_of_commits_are_read_in_one_go_and_absent_ones_are_left_out(
    remote: "Remote", open_repository: "Open"
) -> None:
    root = remote.sha("main")
    change = remote.commit({DEV: "1\n"}, "Change\n\nTag: 1\n", author="A B <a@example.com>")
    repository = open_repository(remote.clone().path)
    fetch(repository, "main")
    before = repository.commands
    headers = repository.headers([change, "f" * 40, root])
    assert repository.commands - before <= 1
    assert list(headers) == [change, root]
    expected = CommitHeader(parents=(root,), author="A B", author_email="a@example.com", message="Change\n\nTag: 1\n")
    assert headers[change] == expected
    assert headers[root].parents == ()


def test_b38_history_follows_parents_and_not_times(remote: "Remote", open_repository: "Open") -> None:
    clone = remote.clone()
    for number in range(4):  # each commit claims to be older than its parent
        stamp = f"{2_000_000_000 - number * 1000} +0000"
        environ = {**clone.environ, "GIT_AUTHOR_DATE": stamp, "GIT_COMMITTER_DATE": stamp}
        type(clone)(path=clone.path, environ=environ).git("commit", "--quiet", "--allow-empty", f"--message={number}")
    entries = open_repository(clone.path).history(clone.sha(), [], 3)
    assert [entry.message for entry in entries] == ["3\n", "2\n", "1\n"]


def test_the_commits_of_a_branch_include_both_sides_of_its_merges(remote: "Remote", open_repository: "Open") -> None:
    base = remote.sha("main")
    ours = remote.commit({DEV: "1\n"}, "Promote", branch="p", start=base)
    moved = remote.commit({"README.md": "moved\n"}, "On main")
    person = remote.commit({"x": "1\n"}, "By a person", branch="q", start=base)
    merge(remote, "q", into="p")
    updated = merge(remote, "main", into="p")
    entries = open_repository(remote.clone().path).commits(remote.sha("main"), updated)
    assert {entry.sha for entry in entries} == {ours, person, updated, *entries[0].parents} - {moved}
    assert entries[0].sha == updated
    assert paths(entries[0]) == ["README.md"]  # against the first parent


def test_a_branch_that_was_merged_lately_has_no_commits_and_git_is_not_asked(
    remote: "Remote", open_repository: "Open", monkeypatch: pytest.MonkeyPatch
) -> None:
    head = remote.commit({DEV: "1\n"}, "Promote", branch="p")
    merge(remote, "p")
    other = remote.commit({"x": "1\n"}, "Other", branch="q", start="main~1")
    tip = remote.commit({"README.md": "moved\n"}, "On main")
    checkout = remote.clone()
    for newest, most in ((32, 1), (2, 2)):  # one process answers all questions about objects, and `git log` the rest
        monkeypatch.setattr(fetched, "NEWEST", newest)
        repository = open_repository(checkout.path)
        before = repository.commands
        assert repository.commits(tip, head) == []
        assert repository.commands - before == most
        assert [commit.sha for commit in repository.commits(tip, other)] == [other]


def test_what_was_merged_into_the_checked_out_commit_is_here_as_far_as_its_history_is(
    remote: "Remote", open_repository: "Open"
) -> None:
    root = remote.sha("main")
    head = remote.commit({DEV: "1\n"}, "Promote", branch="p")
    merged = merge(remote, "p")
    tip = remote.commit({"README.md": "moved\n"}, "On main")
    other = remote.commit({"x": "1\n"}, "Other", branch="q", start=root)
    expected = {"whole": {tip, merged, head, root}, "cut": {tip, merged}, "one": {tip}}
    for name, options in (("whole", ()), ("cut", ("--depth=2",)), ("one", ("--depth=1",))):
        repository = open_repository(remote.clone(name, *options).path)
        found = {sha for sha in (tip, merged, head, root, other) if repository.is_checked_out(sha)}
        assert found == expected[name], name


def test_odd_messages_are_read_as_they_are(remote: "Remote", open_repository: "Open") -> None:
    base = remote.sha("main")
    messages = ["", "\n\n:100644 100644 a b M\n", ":000000 x", "a\x01b\x1e", "x" * 5000, "ü\u2028\n\nKey: value"]
    shas = [remote.commit({"x": str(number)}, message) for number, message in enumerate(messages)]
    entries = open_repository(remote.clone().path).commits(base, shas[-1])
    assert [entry.sha for entry in entries] == shas[::-1]
    assert [paths(entry) for entry in entries] == [["x"]] * len(shas)
    assert entries[0].message.strip() == messages[-1]
    assert entries[0].trailers == {"Key": "value"}


@pytest.mark.parametrize("message", ["", "\n\nx", "Promote\n\nKey: ü\u2028\n\n"])
def test_a_commit_is_the_same_whether_it_is_read_alone_or_with_its_parent(
    message: str, remote: "Remote", open_repository: "Open"
) -> None:
    base = remote.sha("main")
    parent = remote.commit({"x": "1"}, branch="p", start=base)
    sha = remote.commit({"x": "2", "y": "1"}, message, branch="p", author="Ann B. <ann@example.org>")
    repository = open_repository(remote.clone().path)
    assert repository.commits(parent, sha) == repository.commits(base, sha)[:1]


def test_paths_of_a_history_are_literal(remote: "Remote", open_repository: "Open") -> None:
    remote.commit({"a*/x": "1", ":(top)a": "1"})
    remote.commit({"ab/x": "1", "a": "1"})
    entries = open_repository(remote.clone().path).history(remote.sha("main"), ["a*", ":(top)a"], 2)
    assert [paths(entry) for entry in entries] == [[], [":(top)a", "a*/x"]]


# -- which commit brought another in


def test_a_commit_is_brought_in_by_the_first_parent_merge_that_contains_it(
    remote: "Remote", open_repository: "Open"
) -> None:
    start = remote.sha("main")
    first = remote.commit({"a": "1"}, branch="p", start=start)
    second = remote.commit({"a": "2"}, branch="p")
    remote.commit({"b": "1"}, "Meanwhile")
    before = remote.sha("main")
    merged = merge(remote, "p")
    remote.commit({"b": "2"}, branch="q")
    merge(remote, "p", into="q")
    merge(remote, "q")
    after = remote.commit({"b": "3"}, "Later")
    other = remote.commit({"c": "1"}, branch="other", start=start)
    repository = open_repository(remote.clone().path)
    for head in (first, second, merged):
        assert repository.brought_by(after, head) == merged
        assert repository.brought_by(merged, head) == merged
        assert repository.brought_by(before, head) is None
    assert repository.brought_by(after, start) == start
    assert repository.brought_by(after, after) == after
    for missing in (other, "1" * 40, "0" * 40):
        assert repository.brought_by(after, missing) is None
        assert repository.brought_by(missing, after) is None


def test_each_commit_of_a_fast_forward_brings_itself_in(remote: "Remote", open_repository: "Open") -> None:
    first = remote.commit({"a": "1"}, branch="p", start="main")
    second = remote.commit({"a": "2"}, branch="p")
    remote.git("update-ref", "refs/heads/main", second)
    tip = remote.commit({"b": "1"}, "Later")
    repository = open_repository(remote.clone().path)
    assert [repository.brought_by(tip, head) for head in (first, second)] == [first, second]


@pytest.mark.parametrize("gone", [False, True], ids=["branch kept", "branch deleted"])
@pytest.mark.parametrize("later", [0, 150])
def test_the_merge_that_brought_a_commit_in_is_found_beyond_the_cut(
    later: int, gone: bool, make_long: "Callable[[int], Remote]", open_repository: "Open"
) -> None:
    remote = make_long(3)
    fork = remote.sha("main~2")
    head = remote.commit({"a": "1"}, branch="p", start=fork)
    other = remote.commit({"a": "2"}, branch="q", start=fork)
    merged = merge(remote, "p")
    if later:
        make_long(later)
    if gone:
        remote.git("update-ref", "-d", "refs/heads/p")
    repository = open_repository(remote.clone("checkout", "--depth=1").path)
    assert repository.brought_by(remote.sha("main"), head) == merged
    assert repository.brought_by(remote.sha("main"), other) is None


# -- cut-off history


@pytest.fixture
def long(remote: "Remote") -> "Remote":
    for number in range(30):
        remote.commit({"count.yaml": f"{number}\n"}, f"Count {number}")
    return remote


def test_a_fetch_keeps_a_complete_history_complete(long: "Remote", open_repository: "Open") -> None:
    checkout = long.clone()
    long.commit({"new": "1"})
    repository = open_repository(checkout.path)
    (tip,) = repository.fetch("refs/heads/main", depth=2).values()
    assert not repository.shallow
    assert len(repository.history(tip, [], 100)) == 32
    assert not repository.deepen(5)


def test_a_commit_at_the_cut_is_incomplete_and_has_no_changes(long: "Remote", open_repository: "Open") -> None:
    checkout = long.clone("checkout", "--depth=3")
    entries = open_repository(checkout.path).history(checkout.sha(), [], 100)
    assert [entry.complete for entry in entries] == [True, True, False]
    assert [len(entry.changes) for entry in entries] == [1, 1, 0]
    assert entries[2].parents == ()


def test_deepening_ends_at_the_root(make_long: "Callable[[int], Remote]", open_repository: "Open") -> None:
    remote = make_long(130)
    checkout = remote.clone("checkout", "--depth=1")
    before = checkout.snapshot()
    repository = open_repository(checkout.path)
    (tip,) = fetch(repository, "main")
    assert len(repository.history(tip, [], 1000)) == 100
    assert repository.deepen(120)
    assert len(repository.history(tip, [], 1000)) == 120
    assert repository.fetch("refs/heads/main") == {"refs/heads/main": tip}
    assert len(repository.history(tip, [], 1000)) == 120  # fetching again cuts nothing off
    assert repository.deepen(1000)
    assert len(repository.history(tip, [], 1000)) == 131
    assert not repository.shallow
    assert not repository.deepen(5000)
    assert checkout.snapshot() == before


@pytest.fixture
def make_long(remote: "Remote") -> "Callable[[int], Remote]":
    def make(count: int) -> "Remote":
        stream = ""
        for number in range(count):
            stream += f"commit refs/heads/main\ncommitter A <a@example.com> {1_700_000_000 + number} +0000\n"
            stream += "data 5\nCount\n" + ("from refs/heads/main^0\n" if number == 0 else "")
            stream += f"M 100644 inline count.yaml\ndata {len(str(number))}\n{number}\n"
        remote.git("fast-import", "--quiet", stdin=stream)
        return remote

    return make


@pytest.mark.parametrize(("depth", "protocol"), [(1, 2), (2, 2), (50, 2), (1, 0)])
def test_the_merge_base_is_found_beyond_the_cut(
    depth: int, protocol: int, make_long: "Callable[[int], Remote]", open_repository: "Open"
) -> None:
    remote = make_long(1)
    fork = remote.sha("main")
    remote.commit({DEV: "promoted\n"}, branch="p", start=fork)
    make_long(150)
    checkout = remote.clone("checkout", f"--depth={depth}", "--branch=p")
    checkout.git("config", "--global", "protocol.version", str(protocol))
    repository = open_repository(checkout.path)
    main, head = fetch(repository, "main", "p")
    base, changes = repository.diff_from_merge_base(main, head)
    assert base == fork
    assert [change.path for change in changes] == [DEV]
    assert [entry.sha for entry in repository.commits(main, head)] == [head]
    assert repository.conflicts(main, head) == ()


def test_a_long_branch_cannot_hide_a_newer_merge_base(
    make_long: "Callable[[int], Remote]", open_repository: "Open"
) -> None:
    # An old fork point is near on one path; the branch also has main's newer change, but far back. Compared with the
    # old one, setting the file back to what it was then would look like no change at all.
    remote = make_long(1)
    old = remote.sha("main")
    new = remote.commit({DEV: "2.0.0\n"}, "Newer tag")
    for number in range(120):
        remote.commit({"noise": f"{number}\n"}, branch="p", start=None if number else new)
    remote.commit({"side": "1\n"}, branch="side", start=old)
    merge(remote, "side", into="p")
    head = remote.commit({DEV: remote.show(DEV, old)}, "Back to the old tag", branch="p")
    repository = open_repository(remote.clone("checkout", "--depth=1").path)
    main, head = fetch(repository, "main", "p")
    base, changes = repository.diff_from_merge_base(main, head)
    assert base == new
    assert DEV in [change.path for change in changes]


def test_a_criss_cross_history_hides_no_change(remote: "Remote", open_repository: "Open") -> None:
    start = remote.sha("main")
    one = remote.commit({DEV: "one\n"}, branch="main")
    two = remote.commit({"b": "two\n"}, branch="p", start=start)
    for branch, other, sha in (("main", two, one), ("p", one, two)):
        tree = remote.git("merge-tree", "--write-tree", sha, other)
        made = remote.git("commit-tree", tree, "-p", sha, "-p", other, "-m", f"Cross {branch}")
        remote.git("update-ref", f"refs/heads/{branch}", made)
    # Seen from either merge base alone, one of the two files looks untouched.
    head = remote.commit({DEV: remote.show(DEV, start), "b": None}, "Back", branch="p")
    repository = open_repository(remote.clone().path)
    base, changes = repository.diff_from_merge_base(remote.sha("main"), head)
    assert base in (one, two)
    assert [change.path for change in changes] == ["b", DEV]


def test_history_that_the_remote_lacks_is_an_error_with_a_next_step(
    long: "Remote", make_remote: "Callable[..., Remote]", open_repository: "Open"
) -> None:
    fork = long.sha("main~20")
    long.commit({"a": "1"}, branch="p", start=fork)
    cut = long.path.parent / "cut.git"
    long.git("clone", "--quiet", "--bare", "--depth=2", "--no-single-branch", long.path.as_uri(), str(cut))
    checkout = long.clone("checkout", "--depth=1")
    checkout.git("remote", "set-url", "origin", str(cut))
    repository = open_repository(checkout.path)
    main, head = fetch(repository, "main", "p")
    with pytest.raises(GitError, match=r"cut off .*fetch-depth: 0"):
        repository.diff_from_merge_base(main, head)


def test_a_commit_that_an_old_server_gives_no_longer_is_asked_for_once(
    make_long: "Callable[[int], Remote]", open_repository: "Open"
) -> None:
    remote = make_long(120)
    remote.commit({"a": "1"}, branch="p")
    checkout = remote.clone("checkout", "--depth=1")
    checkout.git("config", "--global", "protocol.version", "0")
    repository = open_repository(checkout.path)
    fetch(repository, "main", "p")
    remote.git("update-ref", "-d", "refs/heads/p")
    with pytest.raises(NotAdvertisedError, match=r"gives no commit that none of its refs names .*unadvertised object"):
        repository.deepen(110)
    assert repository.deepen(115), "the default branch is still given"


def test_the_commit_of_an_event_is_fetched_without_a_branch(long: "Remote", open_repository: "Open") -> None:
    checkout = long.clone("checkout", "--depth=1")
    lost = long.commit({"lost": "1\n"}, branch="lost")
    long.git("update-ref", "-d", "refs/heads/lost")
    repository = open_repository(checkout.path)
    assert not repository.has(lost)
    assert repository.fetch_commit(lost)
    assert repository.read(lost, ["lost"]) == {"lost": b"1\n"}


def test_several_commits_are_fetched_at_once_and_one_by_one_if_one_is_missing(
    long: "Remote", open_repository: "Open"
) -> None:
    checkout = long.clone("checkout", "--depth=1")
    lost = [long.commit({"lost": f"{number}\n"}, branch=f"lost{number}") for number in range(3)]
    repository = open_repository(checkout.path)
    before = repository.commands
    assert repository.fetch_commits(lost[:2]) == set(lost[:2])
    at_once = repository.commands - before
    assert repository.fetch_commits([lost[2], "1" * 40, "", "main"]) == {lost[2]}
    assert repository.commands - before - at_once > at_once


def test_a_commit_that_an_old_server_does_not_give_is_missing(long: "Remote", open_repository: "Open") -> None:
    checkout = long.clone("checkout", "--depth=1")
    lost = long.commit({"lost": "1\n"}, branch="lost")
    long.git("update-ref", "-d", "refs/heads/lost")
    checkout.git("config", "--global", "protocol.version", "0")
    assert open_repository(checkout.path).fetch_commit(lost) is False


@pytest.mark.parametrize("sha", ["1" * 40, "0" * 40, "", "main", "--upload-pack=x", "1" * 39, "HEAD"])
def test_an_unknown_commit_is_missing(sha: str, checkout: "Checkout", open_repository: "Open") -> None:
    repository = open_repository(checkout.path)
    assert repository.fetch_commit(sha) is False
    assert repository.has(sha) is False
