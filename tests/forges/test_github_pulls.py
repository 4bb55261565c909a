"""Pull requests over REST, asked by the real PyGithub."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import github as pygithub
import pytest
from github.Repository import Repository as GitHubRepository

from tests.forges.github import GitHub
from tests.forges.github_people import Hosted


def refusal(act: Callable[[], object]) -> pygithub.GithubException:
    with pytest.raises(pygithub.GithubException) as caught:
        act()
    return caught.value


def test_a_pull_request_is_created_listed_edited_and_closed(repo: GitHubRepository, gitops: Hosted) -> None:
    sha = gitops.push("promote/a", {"a": "1\n"})
    made = repo.create_pull(base="main", head="promote/a", title="One", body="Why")
    assert (made.number, made.head.sha, made.base.ref, made.user.login) == (1, sha, "main", "promoter")
    (found,) = repo.get_pulls(head="acme:promote/a", state="all")
    assert (found.number, found.state, found.title, found.body) == (1, "open", "One", "Why")
    found.edit(title="Two", body="New", state="closed")
    again = repo.get_pull(1)
    assert (again.state, again.merged, again.title, again.body) == ("closed", False, "Two", "New")
    again.edit(state="open")
    assert gitops.pull(1).open


def test_a_second_one_for_the_same_head_and_base_is_refused(repo: GitHubRepository, gitops: Hosted) -> None:
    gitops.push("promote/a", {"a": "1\n"})
    repo.create_pull(base="main", head="promote/a", title="One")
    error = refusal(lambda: repo.create_pull(base="main", head="promote/a", title="Two"))
    assert error.status == 422
    assert error.data["errors"][0]["message"] == "A pull request already exists for acme:promote/a."


@pytest.mark.parametrize(
    ("head", "base", "field"), [("promote/gone", "main", "head"), ("promote/a", "gone", "base"), ("main", "main", "")]
)
def test_a_pull_request_of_nothing_is_refused(
    head: str, base: str, field: str, repo: GitHubRepository, gitops: Hosted
) -> None:
    gitops.push("promote/a", {"a": "1\n"})
    error = refusal(lambda: repo.create_pull(base=base, head=head, title="One"))
    assert error.status == 422
    assert error.data["errors"][0].get("field", "") == field
    assert gitops.pulls() == []


def test_the_default_branch_may_have_any_name(server: GitHub, client: pygithub.Github) -> None:
    other = server.repository("acme/other", {"a": "1\n"}, default_branch="trunk")
    other.push("promote/a", {"a": "2\n"})
    other.merge(other.open_pull_request("promote/a"))
    assert other.git.show("a", "trunk") == "2\n"
    repo = client.get_repo("acme/other")
    assert (repo.default_branch, repo.get_pull(1).base.ref) == ("trunk", "trunk")


def test_lists_come_in_pages_with_links(
    start_github: Callable[..., GitHub], connect: Callable[..., pygithub.Github]
) -> None:
    server = start_github(page_size=7)
    gitops = server.repository("acme/gitops", {"a": "1\n"})
    gitops.crowd(opened=30, closed=12)
    repo = connect(server).get_repo("acme/gitops")
    assert len(list(repo.get_pulls())) == 30
    assert len([request for request in server.requests if request.path.endswith("/pulls")]) == 5
    assert len(list(repo.get_pulls(state="all"))) == 42
    assert len(list(repo.get_pulls(state="closed"))) == 12
    assert all(request.path.startswith("/api/v3/") for request in server.requests)
    newest = next(iter(repo.get_pulls(state="all")))
    assert newest.number == 42


def test_the_filter_by_head_needs_the_owner_and_tells_forks_apart(repo: GitHubRepository, gitops: Hosted) -> None:
    gitops.push("promote/a", {"a": "1\n"})
    gitops.push("promote/b", {"b": "1\n"})
    fork = gitops.fork("eve")
    fork.push("promote/a", {"evil": "1\n"})
    numbers = [gitops.open_pull_request("promote/a"), gitops.open_pull_request("promote/b")]
    theirs = gitops.open_pull_request("promote/a", fork=fork, by="eve")
    assert [pull.number for pull in repo.get_pulls(head="acme:promote/a")] == [numbers[0]]
    assert [pull.number for pull in repo.get_pulls(head="eve:promote/a")] == [theirs]
    assert len(list(repo.get_pulls(head="promote/a"))) == 3
    assert repo.get_pull(theirs).head.repo.full_name == "eve/gitops"
    gitops.delete_fork(fork)
    assert repo.get_pull(theirs).raw_data["head"]["repo"] is None


def test_a_head_follows_pushes_and_its_deletion_closes(repo: GitHubRepository, gitops: Hosted) -> None:
    gitops.push("promote/a", {"a": "1\n"})
    number = gitops.open_pull_request("promote/a")
    tip = gitops.git.commit({"a": "2\n"}, branch="promote/a")
    assert repo.get_pull(number).head.sha == tip
    assert gitops.git.sha(f"refs/pull/{number}/head") == tip
    gitops.git.git("update-ref", "-d", "refs/heads/promote/a")
    assert repo.get_pull(number).state == "closed"
    assert refusal(lambda: repo.get_pull(number).edit(state="open")).status == 422


def test_commits_that_reach_the_base_by_a_push_make_it_merged(repo: GitHubRepository, gitops: Hosted) -> None:
    sha = gitops.push("promote/a", {"a": "1\n"})
    number = gitops.open_pull_request("promote/a")
    gitops.force("main", sha)
    found = repo.get_pull(number)
    assert (found.merged, found.merge_commit_sha) == (True, sha)


def test_a_head_that_is_put_back_onto_its_base_closes_it(repo: GitHubRepository, gitops: Hosted) -> None:
    gitops.push("promote/a", {"a": "1\n"})
    number = gitops.open_pull_request("promote/a")
    gitops.force("promote/a", gitops.git.sha("main"))
    found = repo.get_pull(number)
    assert (found.state, found.merged) == ("closed", False)


def test_an_open_one_shows_the_commit_of_a_test_merge(repo: GitHubRepository, gitops: Hosted) -> None:
    sha = gitops.push("promote/a", {"a": "1\n"})
    number = gitops.open_pull_request("promote/a")
    shown = repo.get_pull(number).merge_commit_sha
    assert shown == gitops.merge_ref(number) != sha
    assert gitops.git.show("a", f"refs/pull/{number}/merge") == "1\n"
    assert gitops.git.sha(f"{shown}^2") == sha


@pytest.mark.parametrize("method", ["merge", "squash", "rebase"])
def test_merging_makes_the_commits_of_its_method(method: Any, repo: GitHubRepository, gitops: Hosted) -> None:
    start = gitops.git.sha("main")
    gitops.push("promote/a", {"a": "1\n"}, message="First\n\nTag: 1\n")
    head = gitops.push("promote/a", {"b": "2\n"}, message="Second")
    gitops.push("main", {"c": "3\n"})
    number = gitops.open_pull_request("promote/a", title="Promote")
    done = repo.get_pull(number).merge(merge_method=method, sha=head)
    tip = gitops.branches()["main"]
    assert (done.merged, done.sha) == (True, tip)
    assert {path: gitops.git.show(path, "main") for path in "abc"} == {"a": "1\n", "b": "2\n", "c": "3\n"}
    shas = gitops.git.git("rev-list", "--first-parent", f"{start}..main").split()
    commits = [gitops.git.objects.commit(sha) for sha in shas]
    assert len(commits[0].parents) == (2 if method == "merge" else 1)
    subjects = {
        "merge": ["Merge pull request #1 from acme/promote/a", "Change main"],
        "squash": ["Promote (#1)", "Change main"],
        "rebase": ["Second", "First", "Change main"],
    }
    assert [commit.subject for commit in commits] == subjects[method]
    found = repo.get_pull(number)
    assert (found.merged, found.merge_commit_sha, found.merged_by.login) == (True, tip, "promoter")
    introduced = head if method == "merge" else commits[1].sha if method == "rebase" else tip
    assert [pull.number for pull in repo.get_commit(introduced).get_pulls()] == [number]


def test_a_commit_of_a_squash_keeps_the_trailers_of_the_only_one(repo: GitHubRepository, gitops: Hosted) -> None:
    gitops.push("promote/a", {"a": "1\n"}, message="Promote a\n\nTag: 1\nEnvironment: dev\n")
    number = gitops.open_pull_request("promote/a", title="Another title")
    repo.get_pull(number).merge(merge_method="squash")
    commit = gitops.git.commits("main")[0]
    assert commit.message == "Promote a (#1)\n\nTag: 1\nEnvironment: dev"
    assert [pull.number for pull in repo.get_commit(commit.sha).get_pulls()] == [number]


def test_a_merge_is_refused_in_the_words_of_github(repo: GitHubRepository, gitops: Hosted) -> None:
    old = gitops.push("promote/a", {"a": "1\n"})
    pull = repo.get_pull(gitops.open_pull_request("promote/a"))
    gitops.push("promote/a", {"a": "2\n"})

    def said(**options: Any) -> tuple[int, str]:
        error = refusal(lambda: pull.merge(**options))
        return error.status, error.data["message"]

    assert said(sha=old) == (409, "Head branch was modified. Review and try the merge again.")
    gitops.settings.allow_rebase_merge = False
    assert said(merge_method="rebase") == (405, "Rebase merges are not allowed on this repository.")
    gitops.protect("main", checks=["gate"], approvals=1, strict=True)
    assert said() == (405, "At least 1 approving review is required by reviewers with write access.")
    gitops.review(1, "bob", "APPROVED")
    assert said() == (405, 'Required status check "gate" is expected.')
    gitops.post_status(gitops.branches()["promote/a"], "gate", "failure")
    assert said() == (405, 'Required status check "gate" is failing.')
    gitops.post_status(gitops.branches()["promote/a"], "gate", "success")
    gitops.push("main", {"b": "1\n"})
    assert said() == (409, "Head branch is out of date. Review and try the merge again.")
    gitops.edit(1, draft=True)
    assert said() == (405, "Pull Request is still a draft")
    gitops.edit(1, draft=False)
    gitops.push("main", {"a": "other\n"})
    gitops.unprotect()
    assert said() == (405, "Pull Request is not mergeable")
    gitops.merge_queue("main")
    assert said() == (405, "Changes must be made through the merge queue")
    assert gitops.git.show("a", "main") == "other\n"


def test_the_branch_goes_after_a_merge_where_the_repository_says_so(repo: GitHubRepository, gitops: Hosted) -> None:
    gitops.settings.delete_branch_on_merge = True
    gitops.push("promote/a", {"a": "1\n"})
    repo.get_pull(gitops.open_pull_request("promote/a")).merge()
    assert list(gitops.branches()) == ["main"]
    assert repo.get_pull(1).merged


def test_late_readers_see_a_merged_one_open(
    start_github: Callable[..., GitHub], connect: Callable[..., pygithub.Github]
) -> None:
    server = start_github(late_reads=2)
    gitops = server.repository("acme/gitops", {"a": "1\n"})
    gitops.push("promote/a", {"b": "1\n"})
    number = gitops.open_pull_request("promote/a")
    tip = gitops.merge(number)
    repo = connect(server).get_repo("acme/gitops")
    assert list(repo.get_commit(tip).get_pulls()) == []
    assert not repo.get_pull(number).merged
    assert repo.get_pull(number).merged
    assert [pull.number for pull in repo.get_commit(tip).get_pulls()] == [number]


def test_reviews_files_and_commits_are_listed(repo: GitHubRepository, gitops: Hosted) -> None:
    first = gitops.push("promote/a", {"a": "1\n", "README.md": None, "apps/dev/web.yaml": "tag: 2\n"})
    pull = repo.get_pull(gitops.open_pull_request("promote/a"))
    gitops.review(1, "bob", "CHANGES_REQUESTED", body="No")
    gitops.review(1, "eve", "APPROVED")
    assert [(each.user.login, each.state, each.commit_id) for each in pull.get_reviews()] == [
        ("bob", "CHANGES_REQUESTED", first),
        ("eve", "APPROVED", first),
    ]
    assert {(each.filename, each.status) for each in pull.get_files()} == {
        ("a", "added"),
        ("README.md", "removed"),
        ("apps/dev/web.yaml", "modified"),
    }
    assert [each.sha for each in pull.get_commits()] == [first]
    assert repo.get_pull(1).additions == 2


def test_updating_the_branch_merges_the_base_into_it(repo: GitHubRepository, gitops: Hosted) -> None:
    head = gitops.push("promote/a", {"a": "1\n"})
    base = gitops.push("main", {"b": "1\n"})
    pull = repo.get_pull(gitops.open_pull_request("promote/a"))
    assert pull.update_branch(expected_head_sha=head)
    assert gitops.git.sha("promote/a^1") == head
    assert gitops.git.sha("promote/a^2") == base
    assert repo.get_pull(1).head.sha == gitops.branches()["promote/a"]


def test_of_many_that_create_the_same_at_once_one_wins(
    server: GitHub, gitops: Hosted, connect: Callable[..., pygithub.Github]
) -> None:
    gitops.push("promote/a", {"a": "1\n"})
    repos = [connect(server).get_repo("acme/gitops") for _ in range(6)]

    def create(repo: GitHubRepository) -> int:
        try:
            return repo.create_pull(base="main", head="promote/a", title="One").number
        except pygithub.GithubException as error:
            return error.status

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(create, repos))
    assert sorted(answers) == [1, 422, 422, 422, 422, 422]


def test_a_crowd_does_not_hide_the_one_that_is_looked_for(
    server: GitHub, gitops: Hosted, repo: GitHubRepository
) -> None:
    gitops.push("promote/a", {"a": "1\n"})
    number = gitops.open_pull_request("promote/a")
    gitops.crowd(opened=40, closed=110)
    start = len(server.requests)
    assert [pull.number for pull in repo.get_pulls(head="acme:promote/a", state="all")] == [number]
    assert len(server.requests) == start + 1
    assert len(list(repo.get_pulls())) == 41
