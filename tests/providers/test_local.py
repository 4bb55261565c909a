"""The `local` provider's own promises: many writers, hostile records, and no merge that nobody armed."""

import json
import logging
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import gitops_promotion
from gitops_promotion.core.model import OWN_CONTEXT, CommitStatus, Draft, Merge, PullRequest, Refs, RefUpdate
from gitops_promotion.errors import GitError, LeaseLostError, ProviderError, UsageError
from gitops_promotion.git import Repository
from gitops_promotion.providers import local

if TYPE_CHECKING:
    from tests.conftest import Checkout, Remote
    from tests.providers.conftest import LocalForge, Writers

HEAD = "promote/webshop-webui"
PASSED = CommitStatus(context=OWN_CONTEXT, state="success")


def draft(head: str, sha: str, *, gated: bool = True, title: str = "Promote") -> Draft:
    return Draft(head=head, head_sha=sha, base="main", title=title, body="", gated=gated)


def propose(forge: "LocalForge", head: str = HEAD, *, gated: bool = True) -> PullRequest:
    sha = forge.push(head, {f"{head}.txt": "1\n"})
    return forge.provider.open_pull_request(draft(head, sha, gated=gated))


def records(remote: "Remote") -> dict[str, Any]:
    """All that the provider keeps in the remote, by ref below its root."""
    listed = remote.git("for-each-ref", "--format=%(refname)", local.ROOT).splitlines()
    return {ref.removeprefix(local.ROOT + "/"): json.loads(remote.git("cat-file", "blob", ref)) for ref in listed}


def overwrite(remote: "Remote", ref: str, content: bytes) -> None:
    blob = remote.git("hash-object", "-w", "--stdin", stdin=content)
    remote.git("update-ref", f"{local.ROOT}/{ref}", blob)


def index_of(found: Mapping[str, Any], head: str) -> str:
    """The ref that lists one branch's pull requests."""
    [ref] = [ref for ref, value in found.items() if "numbers" in value and value["head"] == head]
    return ref


class Interposed:
    """A real repository; `before` and `after` see each push and may do what a rival or a crash would do then."""

    def __init__(
        self,
        store: Repository,
        *,
        before: Callable[[int], None] = lambda _: None,
        after: Callable[[int], None] = lambda _: None,
    ) -> None:
        self.store = store
        self.before = before
        self.after = after
        self.pushes = 0

    def refs(self, *patterns: str) -> Refs:
        return self.store.refs(*patterns)

    def fetch(self, *refs: str) -> dict[str, str]:
        return self.store.fetch(*refs)

    def read_objects(self, shas: Sequence[str]) -> dict[str, bytes]:
        return self.store.read_objects(shas)

    def write_blob(self, content: bytes) -> str:
        return self.store.write_blob(content)

    def merge(self, base: str, head: str, message: str) -> Merge:
        return self.store.merge(base, head, message)

    def brought_by(self, tip: str, head: str) -> str | None:
        return self.store.brought_by(tip, head)

    def push(self, updates: Sequence[RefUpdate]) -> None:
        self.pushes += 1
        self.before(self.pushes)
        self.store.push(updates)
        self.after(self.pushes)


class TestManyWriters:
    @pytest.fixture
    def run(self, environ: Mapping[str, str], checkout: "Checkout") -> Callable[..., dict[str, dict[str, int]]]:
        """Run writers at once, each with its heads; returns the numbers that each reports."""
        script = Path(__file__).with_name("local_writer.py")
        package = str(Path(gitops_promotion.__file__).parent.parent)

        def run_all(work: Mapping[str, Sequence[str]]) -> dict[str, dict[str, int]]:
            running = {
                name: subprocess.Popen(
                    [sys.executable, str(script), str(checkout.path), name, *heads],
                    env={**environ, "PYTHONPATH": package},
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
                for name, heads in work.items()
            }
            reports = {}
            for name, process in running.items():
                out, err = process.communicate(timeout=120)
                assert process.returncode == 0, err
                reports[name] = json.loads(out)
            return reports

        return run_all

    def test_at_once_lose_nothing_and_share_no_number(
        self, local_forge: "LocalForge", run: Callable[..., dict[str, dict[str, int]]]
    ) -> None:
        work = {f"w{writer}": [f"promote/w{writer}-app{number}" for number in range(5)] for writer in range(4)}
        for heads in work.values():
            for head in heads:
                local_forge.push(head, {f"{head}.txt": "1\n"})
        reports = run(work)
        numbers = [number for report in reports.values() for number in report.values()]
        assert sorted(numbers) == list(range(1, 21))
        for name, report in reports.items():
            for head, number in report.items():
                found = local_forge.provider.pull_request(number)
                assert (found.head, found.author, found.state) == (head, name, "open")
                assert [review.author for review in local_forge.provider.reviews(number)] == [name]
        main = local_forge.branches()["main"]
        contexts = {status.context for status in local_forge.provider.statuses([main])[main]}
        assert contexts == {f"{name}/{head}" for name, heads in work.items() for head in heads}

    def test_on_the_same_branches_end_with_one_open_pull_request_each(
        self, local_forge: "LocalForge", run: Callable[..., dict[str, dict[str, int]]]
    ) -> None:
        heads = [f"promote/webshop-app{number}" for number in range(3)]
        for head in heads:
            local_forge.push(head, {f"{head}.txt": "1\n"})
        reports = run({"ann": heads, "bob": heads, "eve": heads})
        assert reports["ann"] == reports["bob"] == reports["eve"]
        opened = local_forge.provider.open_promotions()
        assert sorted((pull.head, pull.number) for pull in opened) == sorted(reports["ann"].items())
        assert len(local_forge.provider.every_pull_request()) == 3
        for pull in opened:
            assert {review.author for review in local_forge.provider.reviews(pull.number)} == {"ann", "bob", "eve"}


class TestRaces:
    """A rival acts between our reading and our push, each time at the worst moment."""

    def test_a_number_taken_by_a_rival_is_not_taken_again(self, local_forge: "LocalForge") -> None:
        other = local_forge.push("promote/other", {"other.txt": "1\n"})
        mine = local_forge.push(HEAD, {"mine.txt": "1\n"})

        def rival(push: int) -> None:
            if push == 1:
                local_forge.provider.open_pull_request(draft("promote/other", other))

        store = Interposed(local_forge.writers.repository, before=rival)
        opened = local_forge.writers.make("Bob", store=store).open_pull_request(draft(HEAD, mine))
        assert (opened.number, store.pushes) == (2, 2)

    def test_a_branch_opened_by_a_rival_is_updated(self, local_forge: "LocalForge") -> None:
        sha = local_forge.push(HEAD, {"mine.txt": "1\n"})

        def rival(push: int) -> None:
            if push == 1:
                local_forge.provider.open_pull_request(draft(HEAD, sha, title="Rival"))

        store = Interposed(local_forge.writers.repository, before=rival)
        opened = local_forge.writers.make("Bob", store=store).open_pull_request(draft(HEAD, sha, title="Mine"))
        assert (opened.number, opened.title) == (1, "Mine")
        assert len(local_forge.provider.every_pull_request()) == 1

    def test_a_branch_collides_even_when_both_took_other_numbers(self, local_forge: "LocalForge") -> None:
        sha = local_forge.push(HEAD, {"mine.txt": "1\n"})

        def rival(push: int) -> None:
            if push == 1:
                # Its listing had shown it a #1 that ours missed: the numbers alone do not collide.
                local_forge.provider.open_pull_request(draft(HEAD, sha, title="Rival"))
                found = records(local_forge.remote)
                index = index_of(found, HEAD)
                overwrite(local_forge.remote, "pulls/2", json.dumps(found["pulls/1"] | {"number": 2}).encode())
                overwrite(local_forge.remote, index, json.dumps(found[index] | {"numbers": [2]}).encode())
                local_forge.remote.git("update-ref", "-d", f"{local.ROOT}/pulls/1")

        store = Interposed(local_forge.writers.repository, before=rival)
        opened = local_forge.writers.make("Bob", store=store).open_pull_request(draft(HEAD, sha, title="Mine"))
        assert (opened.number, opened.title) == (2, "Mine")
        assert "pulls/1" not in records(local_forge.remote)

    def test_a_base_that_moved_is_merged_as_it_is_now(self, local_forge: "LocalForge") -> None:
        opened = propose(local_forge)
        moved: list[str] = []

        def rival(push: int) -> None:
            if push == 1:
                moved.append(local_forge.push("main", {"rival.txt": "1\n"}))

        store = Interposed(local_forge.writers.repository, before=rival)
        assert local_forge.writers.make("Bob", store=store).merge(opened).state == "merged"
        assert local_forge.remote.sha("main^1") == moved[0]
        assert local_forge.remote.sha("main^2") == opened.head_sha

    def test_a_head_that_moved_in_between_is_not_merged(self, local_forge: "LocalForge") -> None:
        opened = propose(local_forge, gated=False)
        before = local_forge.branches()["main"]

        def rival(push: int) -> None:
            if push == 1:
                local_forge.push(HEAD, {"rival.txt": "unseen\n"})

        store = Interposed(local_forge.writers.repository, before=rival)
        answer = local_forge.writers.make("Bob", store=store).set_auto_merge(opened, enabled=True)
        assert answer.state == "moved"
        assert local_forge.branches()["main"] == before
        assert not local_forge.provider.pull_request(opened.number).auto_merge

    def test_a_verdict_that_comes_while_it_is_armed_still_merges_it(self, local_forge: "LocalForge") -> None:
        opened = propose(local_forge)

        def verdict(push: int) -> None:
            if push == 1:
                local_forge.provider.set_status(opened.head_sha, PASSED)

        store = Interposed(local_forge.writers.repository, before=verdict)
        assert local_forge.writers.make("Bob", store=store).set_auto_merge(opened, enabled=True).state == "merged"

    def test_a_branch_deleted_under_a_merge_is_a_closed_pull_request(self, local_forge: "LocalForge") -> None:
        opened = propose(local_forge)

        def rival(push: int) -> None:
            if push == 1:
                local_forge.delete(HEAD)

        store = Interposed(local_forge.writers.repository, before=rival)
        answer = local_forge.writers.make("Bob", store=store).merge(opened)
        assert (answer.state, answer.reason) == ("refused", "pull request #1 is closed already")

    @pytest.mark.parametrize(("branch", "state"), [("main", "merged"), (HEAD, "refused")])
    def test_a_branch_rewritten_between_listing_and_fetching_is_read_again(
        self, local_forge: "LocalForge", branch: str, state: str
    ) -> None:
        opened = propose(local_forge)
        rewritten: list[str] = []

        class Rival(Interposed):
            def fetch(self, *refs: str) -> dict[str, str]:
                if f"refs/heads/{branch}" in refs and not rewritten:
                    new = {f"{branch}-rewritten.txt": "1\n"}
                    rewritten.append(local_forge.remote.commit(new, branch=branch, start="main"))
                return super().fetch(*refs)

        store = Rival(local_forge.writers.repository)
        assert local_forge.writers.make("Bob", store=store).merge(opened).state == state
        assert len(rewritten) == 1
        if state == "merged":
            assert local_forge.remote.sha("main^1") == rewritten[0]

    def test_lost_for_ever_they_end_with_one_clear_error(self, local_forge: "LocalForge") -> None:
        opened = propose(local_forge)

        def rival(push: int) -> None:
            local_forge.push("main", {"rival.txt": f"{push}\n"})

        store = Interposed(local_forge.writers.repository, before=rival)
        with pytest.raises(ProviderError, match=rf"{local.RACES} times in a row: run this again"):
            local_forge.writers.make("Bob", store=store).merge(opened)
        assert store.pushes == local.RACES
        assert len(set(local_forge.writers.slept)) > local.RACES / 2
        assert all(0 <= seconds <= 1 for seconds in local_forge.writers.slept)

    def test_a_failure_with_nobody_else_about_is_not_tried_again(self, local_forge: "LocalForge") -> None:
        def fail(_: int) -> None:
            raise GitError("the remote is full")

        sha = local_forge.push(HEAD, {"mine.txt": "1\n"})
        store = Interposed(local_forge.writers.repository, before=fail)
        with pytest.raises(GitError, match="the remote is full"):
            local_forge.writers.make("Bob", store=store).open_pull_request(draft(HEAD, sha))
        assert store.pushes == 1

    def test_a_draft_of_an_older_head_is_not_opened(self, local_forge: "LocalForge") -> None:
        old = local_forge.push(HEAD, {"mine.txt": "1\n"})
        local_forge.push(HEAD, {"mine.txt": "2\n"})
        with pytest.raises(LeaseLostError, match=HEAD):
            local_forge.provider.open_pull_request(draft(HEAD, old))
        assert records(local_forge.remote) == {}

    def test_two_records_of_the_same_content_are_not_one_object(self, local_forge: "LocalForge") -> None:
        # Pushing an object that is there already passes a create lease unnoticed (FORGES): the nonce prevents it.
        sha = local_forge.branches()["main"]
        other = local_forge.push("main", {"x.txt": "x\n"})
        same = CommitStatus(context="a/b", state="success", created_at=None)
        for commit in (sha, other):
            local_forge.provider.set_status(commit, same)
        found = records(local_forge.remote)
        assert found[f"statuses/{sha}"]["nonce"] != found[f"statuses/{other}"]["nonce"]


class Killed(BaseException):
    """The process ends here."""


class TestBeingKilled:
    @pytest.mark.parametrize("moment", ["before", "after"])
    @pytest.mark.parametrize("push", [1, 2, 3, 4])
    def test_anywhere_and_run_again_ends_the_same(self, local_forge: "LocalForge", push: int, moment: str) -> None:
        sha = local_forge.push(HEAD, {"mine.txt": "1\n"})

        def promote(forge: local.Local) -> None:
            found = [pull for pull in forge.pull_requests(head=HEAD) if pull.state == "merged"]
            if not found:
                pull_request = forge.open_pull_request(draft(HEAD, sha))
                forge.set_auto_merge(pull_request, enabled=True)
            forge.set_status(sha, PASSED)

        def die(number: int) -> None:
            if number == push:
                raise Killed

        repository = local_forge.writers.repository
        store = Interposed(repository, before=die) if moment == "before" else Interposed(repository, after=die)
        with pytest.raises(Killed):
            promote(local_forge.writers.make("Bob", store=store))
        promote(local_forge.provider)
        [merged] = local_forge.provider.every_pull_request()
        assert (merged.number, merged.state) == (1, "merged")
        assert local_forge.branches() == {"main": merged.merge_sha}
        assert local_forge.remote.sha("main^2") == sha


class TestArming:
    def test_b1_a_push_after_arming_never_merges_by_the_old_arming(self, local_forge: "LocalForge") -> None:
        opened = propose(local_forge)
        local_forge.provider.set_auto_merge(opened, enabled=True)
        newer = local_forge.push(HEAD, {"unseen.txt": "1\n"})
        for sha in (opened.head_sha, newer):
            local_forge.provider.set_status(sha, PASSED)
        found = local_forge.provider.pull_request(opened.number)
        assert (found.state, found.auto_merge) == ("open", False)

    def test_b1_switching_off_also_forgets_an_older_head(self, local_forge: "LocalForge") -> None:
        opened = propose(local_forge)
        local_forge.provider.set_auto_merge(opened, enabled=True)
        local_forge.push(HEAD, {"unseen.txt": "1\n"})
        local_forge.provider.set_auto_merge(local_forge.provider.pull_request(opened.number), enabled=False)
        # Back to where it was armed once.
        local_forge.remote.git("update-ref", f"refs/heads/{HEAD}", opened.head_sha)
        assert not local_forge.provider.pull_request(opened.number).auto_merge

    @pytest.mark.parametrize("change", [{"base": "next"}, {"gated": False}])
    def test_b1_another_base_or_gate_switches_it_off(self, local_forge: "LocalForge", change: dict[str, Any]) -> None:
        local_forge.push("next", {"next.txt": "1\n"})
        opened = propose(local_forge)
        local_forge.provider.set_auto_merge(opened, enabled=True)
        changed = replace(draft(HEAD, opened.head_sha), **change)
        assert not local_forge.provider.open_pull_request(changed).auto_merge

    def test_a_new_title_leaves_it_armed(self, local_forge: "LocalForge") -> None:
        opened = propose(local_forge)
        local_forge.provider.set_auto_merge(opened, enabled=True)
        assert local_forge.provider.open_pull_request(draft(HEAD, opened.head_sha, title="New")).auto_merge

    @pytest.mark.parametrize(
        "status", [CommitStatus(context=OWN_CONTEXT, state="failure"), CommitStatus(context="ci/x", state="success")]
    )
    def test_only_this_tools_own_success_merges(self, local_forge: "LocalForge", status: CommitStatus) -> None:
        opened = propose(local_forge)
        local_forge.provider.set_auto_merge(opened, enabled=True)
        local_forge.provider.set_status(opened.head_sha, status)
        assert local_forge.provider.pull_request(opened.number).auto_merge

    def test_a_verdict_on_a_conflict_stands_and_says_so(
        self, local_forge: "LocalForge", caplog: pytest.LogCaptureFixture
    ) -> None:
        opened = propose(local_forge)
        local_forge.provider.set_auto_merge(opened, enabled=True)
        local_forge.push("main", {f"{HEAD}.txt": "other\n"})
        local_forge.provider.set_status(opened.head_sha, PASSED)
        assert f"conflicts with main in '{HEAD}.txt'" in caplog.text
        assert local_forge.provider.pull_request(opened.number).auto_merge
        [status] = local_forge.provider.statuses([opened.head_sha])[opened.head_sha]
        assert status.state == "success"


class TestMerging:
    def test_moves_base_branch_and_record_at_once(self, local_forge: "LocalForge") -> None:
        opened = propose(local_forge)
        before = local_forge.branches()["main"]
        store = Interposed(local_forge.writers.repository)
        assert local_forge.writers.make("Bob", store=store).merge(opened).state == "merged"
        assert store.pushes == 1
        remote = local_forge.remote
        assert list(local_forge.branches()) == ["main"]
        assert (remote.sha("main^1"), remote.sha("main^2")) == (before, opened.head_sha)
        assert remote.git("log", "-1", "--format=%B", "main") == "Merge pull request #1: Promote"
        assert records(remote)["pulls/1"]["state"] == "merged"

    def test_says_which_files_conflict_and_what_to_do(self, local_forge: "LocalForge") -> None:
        opened = propose(local_forge)
        main = local_forge.push("main", {f"{HEAD}.txt": "other\n"})
        answer = local_forge.provider.merge(opened)
        assert answer.state == "refused"
        assert answer.reason == (
            f"pull request #1 conflicts with main in '{HEAD}.txt': 'gitops-promotion promote --all' rebuilds it, "
            f"or merge main into {HEAD} by hand"
        )
        assert local_forge.branches()["main"] == main

    def test_of_a_gated_one_by_hand_says_that_its_gate_had_not_passed(self, local_forge: "LocalForge") -> None:
        first, second = propose(local_forge), propose(local_forge, "promote/second")
        local_forge.provider.set_status(second.head_sha, PASSED)
        assert "had not passed" in local_forge.provider.merge(first).reason
        assert local_forge.provider.merge(second).reason == ""

    def test_never_deletes_the_default_branch(self, local_forge: "LocalForge") -> None:
        local_forge.push("release", {"release.txt": "1\n"})
        main = local_forge.branches()["main"]
        opened = local_forge.provider.open_pull_request(
            Draft(head="main", head_sha=main, base="release", title="Back", body="", gated=False)
        )
        assert local_forge.provider.merge(opened).state == "merged"
        assert local_forge.branches()["main"] == main

    def test_a_title_makes_no_lines_or_trailers_in_the_commit(self, local_forge: "LocalForge") -> None:
        sha = local_forge.push(HEAD, {"x.txt": "1\n"})
        title = "Innocent\n\nPromotion: evil/app\x00\x1b[31m" + "x" * 1000
        opened = local_forge.provider.open_pull_request(draft(HEAD, sha, title=title))
        assert local_forge.provider.merge(opened).state == "merged"
        message = local_forge.remote.git("log", "-1", "--format=%B", "main")
        assert message.startswith("Merge pull request #1: Innocent  Promotion: evil/app")
        assert "\n" not in message
        assert len(message) < 300

    def test_into_a_base_that_is_gone_is_refused(self, local_forge: "LocalForge") -> None:
        local_forge.push("next", {"next.txt": "1\n"})
        sha = local_forge.push(HEAD, {"x.txt": "1\n"})
        opened = local_forge.provider.open_pull_request(
            Draft(head=HEAD, head_sha=sha, base="next", title="x", body="", gated=False)
        )
        local_forge.delete("next")
        assert "'next'" in local_forge.provider.merge(opened).reason

    def test_a_branch_may_be_named_below_the_branch_of_an_older_pull_request(self, local_forge: "LocalForge") -> None:
        local_forge.provider.merge(propose(local_forge, "promote/a"))
        assert propose(local_forge, "promote/a/b").number == 2


class TestMergesByPlainGit:
    """A person merges with git alone; nobody tells the provider."""

    @pytest.fixture(params=["merge", "fast-forward"])
    def merge(self, request: pytest.FixtureRequest, local_forge: "LocalForge") -> Callable[[], str]:
        """Merge HEAD into main on the server; returns the commit that main is at."""
        remote = local_forge.remote

        def by_hand() -> str:
            sha = remote.sha(HEAD)
            if request.param == "merge":
                local_forge.push("main", {"meanwhile.txt": "1\n"})
                tree = remote.git("merge-tree", "--write-tree", "main", HEAD)
                sha = remote.git("commit-tree", tree, "-p", "main", "-p", HEAD, "-m", "By hand")
            remote.git("update-ref", "refs/heads/main", sha)
            return sha

        return by_hand

    @pytest.mark.parametrize("afterwards", ["kept", "deleted", "reset", "gone on"])
    def test_are_seen_whatever_becomes_of_the_branch_and_of_main(
        self, local_forge: "LocalForge", merge: Callable[[], str], afterwards: str
    ) -> None:
        opened = propose(local_forge)
        sha = merge()
        newest = local_forge.push("main", {"later.txt": "1\n"})
        if afterwards == "deleted":
            local_forge.delete(HEAD)
        elif afterwards == "reset":
            local_forge.remote.git("update-ref", f"refs/heads/{HEAD}", newest)
        elif afterwards == "gone on":
            local_forge.push(HEAD, {"more.txt": "1\n"})
        forge = local_forge.provider
        seen = forge.pull_request(opened.number)
        assert (seen.state, seen.merge_sha, seen.head_sha) == ("merged", sha, opened.head_sha)
        assert [seen] == forge.pull_requests(head=HEAD) == forge.every_pull_request()
        assert forge.open_promotions() == []
        assert records(local_forge.remote)["pulls/1"]["state"] == "open", "reading writes nothing"

    def test_of_what_a_person_added_to_the_branch_are_seen(
        self, local_forge: "LocalForge", merge: Callable[[], str]
    ) -> None:
        opened = propose(local_forge)
        local_forge.push(HEAD, {"more.txt": "1\n"})
        sha = merge()
        seen = local_forge.provider.pull_request(1)
        assert (seen.state, seen.head_sha) == ("merged", opened.head_sha)
        assert seen.merge_sha == (opened.head_sha if sha == local_forge.branches()[HEAD] else sha)

    def test_are_noted_by_the_next_write_and_move_no_branch(
        self, local_forge: "LocalForge", merge: Callable[[], str]
    ) -> None:
        forge = local_forge.provider
        writes: list[Callable[[PullRequest], object]] = [
            lambda pull: forge.set_auto_merge(pull, enabled=True),
            lambda pull: forge.merge(pull),
            lambda pull: forge.set_status(pull.head_sha, PASSED),
        ]
        for write in writes:
            opened = propose(local_forge)
            forge.set_auto_merge(opened, enabled=True)
            sha = merge()
            before = local_forge.branches()
            write(opened)
            stored = records(local_forge.remote)[f"pulls/{opened.number}"]
            assert (stored["state"], stored["merge_sha"], stored["armed_for"]) == ("merged", sha, None)
            assert local_forge.branches() == before
            local_forge.push(HEAD, {f"{HEAD}.txt": f"{opened.number + 1}\n"})

    def test_make_room_for_the_branchs_next_one(self, local_forge: "LocalForge", merge: Callable[[], str]) -> None:
        propose(local_forge)
        sha = merge()
        head = local_forge.remote.commit({"next.txt": "1\n"}, branch=HEAD, start="main")
        assert local_forge.provider.open_pull_request(draft(HEAD, head)).number == 2
        stored = records(local_forge.remote)["pulls/1"]
        assert (stored["state"], stored["merge_sha"]) == ("merged", sha)

    def test_of_a_head_that_was_updated_are_seen_after_the_branch_is_deleted(
        self, local_forge: "LocalForge", merge: Callable[[], str]
    ) -> None:
        propose(local_forge)
        head = local_forge.remote.commit({f"{HEAD}.txt": "2\n"}, branch=HEAD, start="main")
        local_forge.provider.open_pull_request(draft(HEAD, head))
        sha = merge()
        local_forge.delete(HEAD)
        seen = local_forge.provider.pull_request(1)
        assert (seen.state, seen.merge_sha) == ("merged", sha)

    def test_cannot_be_closed_or_reviewed(self, local_forge: "LocalForge", merge: Callable[[], str]) -> None:
        opened = propose(local_forge)
        sha = merge()
        with pytest.raises(ProviderError, match=f"#1 is merged already: revert {sha}"):
            local_forge.provider.close_pull_request(opened)
        with pytest.raises(ProviderError, match="merged already"):
            local_forge.provider.review(1, "approved", "")

    def test_are_not_what_the_base_had_from_the_start(self, local_forge: "LocalForge") -> None:
        main = local_forge.branches()["main"]
        local_forge.push("main", {"meanwhile.txt": "1\n"})
        for head, sha in (("promote/same", local_forge.branches()["main"]), ("promote/older", main)):
            local_forge.remote.git("update-ref", f"refs/heads/{head}", sha)
            opened = local_forge.provider.open_pull_request(draft(head, sha))
            local_forge.push("main", {"later.txt": f"{head}\n"})
            assert local_forge.provider.pull_request(opened.number).state == "open"
            local_forge.delete(head)
            assert local_forge.provider.pull_request(opened.number).state == "closed"

    def test_are_asked_for_once_for_each_tip_and_never_while_the_base_stays(
        self, local_forge: "LocalForge", merge: Callable[[], str]
    ) -> None:
        asked: list[tuple[str, str]] = []

        class Counting(Interposed):
            def brought_by(self, tip: str, head: str) -> str | None:
                asked.append((tip, head))
                return super().brought_by(tip, head)

        forge = local_forge.writers.make("Bob", store=Counting(local_forge.writers.repository))
        opened = propose(local_forge)
        assert forge.pull_request(1).state == "open"
        assert asked == []
        tip = local_forge.push("main", {"other.txt": "1\n"})
        for _ in range(2):
            assert forge.pull_request(1).state == "open"
        assert asked == [(tip, opened.head_sha)]
        if merge() != opened.head_sha:
            assert forge.pull_request(1).state == "merged"
        forge.merge(opened)
        count = len(asked)
        forge.pull_request(1)
        assert len(asked) == count, "noted, so not asked for any more"


class TestClosing:
    def test_outlasts_a_branch_that_is_gone_and_comes_back(self, local_forge: "LocalForge") -> None:
        opened = propose(local_forge)
        local_forge.delete(HEAD)
        local_forge.provider.close_pull_request(opened)
        assert propose(local_forge).number == 2
        assert local_forge.provider.pull_request(1).state == "closed"

    def test_forgets_the_arming(self, local_forge: "LocalForge") -> None:
        opened = propose(local_forge)
        local_forge.provider.set_auto_merge(opened, enabled=True)
        local_forge.provider.close_pull_request(opened)
        local_forge.provider.set_status(opened.head_sha, PASSED)
        assert local_forge.provider.pull_request(1).state == "closed"

    def test_takes_back_what_was_published_for_the_head_before_there_was_a_new_one(
        self, local_forge: "LocalForge"
    ) -> None:
        opened = propose(local_forge)
        local_forge.provider.close_pull_request(opened)
        other = CommitStatus(context="ci/x", state="success")
        for status in (other, PASSED):
            local_forge.provider.set_status(opened.head_sha, status)
        again = local_forge.provider.open_pull_request(draft(HEAD, opened.head_sha))
        assert local_forge.provider.set_auto_merge(again, enabled=True).state == "armed"
        found = local_forge.provider.statuses([opened.head_sha])[opened.head_sha]
        assert [status.context for status in found] == ["ci/x"]
        local_forge.provider.set_status(opened.head_sha, PASSED)
        assert local_forge.provider.pull_request(again.number).state == "merged"


class TestStatuses:
    def test_said_again_they_keep_their_time_and_cost_no_push(self, local_forge: "LocalForge") -> None:
        sha = local_forge.branches()["main"]
        status = CommitStatus(context="a/b", state="success", description="fine")
        local_forge.provider.set_status(sha, status)
        before = local_forge.provider.statuses([sha])
        store = Interposed(local_forge.writers.repository)
        local_forge.writers.make("Bob", store=store).set_status(sha, status)
        assert store.pushes == 0
        assert local_forge.provider.statuses([sha]) == before

    def test_of_many_contexts_the_newest_are_kept(
        self, local_forge: "LocalForge", monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(local, "KEPT", 3)
        sha = local_forge.branches()["main"]
        for number in range(5):
            local_forge.provider.set_status(sha, CommitStatus(context=f"c/{number}", state="success"))
        found = local_forge.provider.statuses([sha])[sha]
        assert [status.context for status in found] == ["c/4", "c/3", "c/2"]

    @pytest.mark.parametrize("sha", ["main", "1234567", "", "g" * 40, "../../heads/main"])
    def test_go_to_full_commit_ids_only(self, local_forge: "LocalForge", sha: str) -> None:
        with pytest.raises(UsageError, match="full id"):
            local_forge.provider.set_status(sha, PASSED)
        assert records(local_forge.remote) == {}

    @pytest.mark.parametrize("context", ["", "a\nb", "x" * 256, "\x1b[31m"])
    def test_have_a_context_that_can_be_shown(self, local_forge: "LocalForge", context: str) -> None:
        with pytest.raises(UsageError, match="context"):
            local_forge.provider.set_status(
                local_forge.branches()["main"], CommitStatus(context=context, state="success")
            )

    def test_a_description_that_is_no_text_can_still_be_read_back(self, local_forge: "LocalForge") -> None:
        sha = local_forge.branches()["main"]
        local_forge.provider.set_status(sha, CommitStatus(context="a/b", state="success", description="caf\udce9"))
        assert local_forge.provider.statuses([sha])[sha][0].description == "caf?"


HEALTHY: dict[str, Any] = {
    "version": 1,
    "number": 2,
    "head": HEAD,
    "head_sha": "1" * 40,
    "base": "main",
    "title": "Promote",
    "body": "",
    "gated": True,
    "author": "Ann",
    "created_at": "2026-03-01T12:00:00+00:00",
    "updated_at": "2026-03-01T12:00:00+00:00",
    "state": "open",
    "merge_sha": None,
    "armed_for": None,
    "reviews": [],
}

HOSTILE = {
    "empty": b"",
    "not JSON": b"{]",
    "not UTF-8": b'{"version": 1, "title": "\xff"}',
    "a list": b"[]",
    "a number": b"1",
    "a number of 5000 digits": b'{"version": %s}' % (b"9" * 5000),
    "deep": b"[" * 100_000 + b"]" * 100_000,
    "another version": b'{"version": 2}',
    "no fields": b'{"version": 1}',
}


def altered(**changes: object) -> Callable[[dict[str, Any]], bytes]:
    return lambda record: json.dumps(record | changes).encode()


HOSTILE_FIELDS = {
    "number as text": altered(number="1"),
    "huge": altered(more="x" * local.LIMIT),
    "half a surrogate pair": altered(title="\ud800"),
    "half a surrogate pair where nobody looks": altered(more="\ud800"),
    "another number": altered(number=7),
    "head is base": altered(head="main", base="main"),
    "title as object": altered(title={}),
    "gated as text": altered(gated="no"),
    "unknown state": altered(state="ajar"),
    "state as list": altered(state=["open"]),
    "short commit": altered(head_sha="1234567"),
    "commit that is an option": altered(head_sha="--upload-pack=touch x"),
    "armed for true": altered(armed_for=True),
    "time as number": altered(updated_at=1),
    "time without zone": altered(updated_at="2026-03-01T12:00:00"),
    "no time": altered(created_at="yesterday"),
    "reviews as object": altered(reviews={}),
    "review as text": altered(reviews=["approved"]),
    "review without author": altered(reviews=[{"verdict": "approved"}]),
}


class TestHostileRecords:
    """Whoever can push can write any of this; each is one line that names the ref and the way out, or a warning."""

    def test_of_which_there_is_a_healthy_one_to_alter(self) -> None:
        assert local.Record.parse(2, json.dumps(HEALTHY).encode(), "0" * 40).head == HEAD

    @pytest.mark.parametrize("name", [*HOSTILE, *HOSTILE_FIELDS])
    def test_are_told_from_healthy_ones(self, name: str) -> None:
        content = HOSTILE[name] if name in HOSTILE else HOSTILE_FIELDS[name](HEALTHY)
        with pytest.raises(ValueError, match=r"^it") as error:
            local.Record.parse(2, content, "0" * 40)
        assert len(str(error.value)) < 200
        assert "\n" not in str(error.value)

    def test_of_number_true_is_not_number_one(self) -> None:
        with pytest.raises(ValueError, match="'number' is missing or not of type int"):
            local.Record.parse(1, json.dumps(HEALTHY | {"number": True}).encode(), "0" * 40)

    @pytest.fixture(params=["not JSON", "another number"])
    def broken(self, request: pytest.FixtureRequest, local_forge: "LocalForge") -> PullRequest:
        """A pull request beside a healthy one, its record damaged after it was opened."""
        propose(local_forge, "promote/healthy")
        opened = propose(local_forge)
        content = HOSTILE.get(request.param) or HOSTILE_FIELDS[request.param](records(local_forge.remote)["pulls/2"])
        overwrite(local_forge.remote, "pulls/2", content)
        return opened

    def test_are_errors_where_one_is_asked_for(self, local_forge: "LocalForge", broken: PullRequest) -> None:
        forge = local_forge.writers.make("Bob")
        before = local_forge.branches()
        for ask in (
            lambda: forge.pull_request(broken.number),
            lambda: forge.pull_requests(head=HEAD),
            lambda: forge.open_pull_request(draft(HEAD, broken.head_sha)),
            lambda: forge.set_auto_merge(broken, enabled=True),
            lambda: forge.close_pull_request(broken),
            lambda: forge.merge(broken),
            lambda: forge.reviews(broken.number),
            lambda: forge.details(broken.number),
        ):
            with pytest.raises(ProviderError) as error:
                ask()
            text = str(error.value)
            assert re.fullmatch(r"refs/gitops-promotion/pulls/2 .*git push <remote> --delete .*pulls/2'", text)
        assert local_forge.branches() == before

    @pytest.mark.usefixtures("broken")
    def test_do_not_hide_the_others(self, local_forge: "LocalForge", caplog: pytest.LogCaptureFixture) -> None:
        forge = local_forge.writers.make("Bob")
        for found in (forge.open_promotions(), forge.every_pull_request()):
            assert [pull.head for pull in found] == ["promote/healthy"]
        assert "pulls/2" in caplog.text

    @pytest.mark.parametrize("name", ["empty", "deep"])
    def test_of_statuses_count_as_none_and_are_replaced(
        self, local_forge: "LocalForge", caplog: pytest.LogCaptureFixture, name: str
    ) -> None:
        sha = local_forge.branches()["main"]
        overwrite(local_forge.remote, f"statuses/{sha}", HOSTILE[name])
        forge = local_forge.writers.make("Bob")
        assert forge.statuses([sha]) == {sha: []}
        assert f"statuses/{sha}" in caplog.text
        forge.set_status(sha, PASSED)
        assert [status.state for status in local_forge.provider.statuses([sha])[sha]] == ["success"]

    @pytest.mark.parametrize(
        "content", [b"{]", *(b'{"version": 1, "numbers": [%s]}' % x for x in (b"true", b"-1", b'"2"'))]
    )
    def test_of_a_branchs_numbers_are_errors_or_left_out(self, local_forge: "LocalForge", content: bytes) -> None:
        healthy = propose(local_forge, "promote/healthy")
        propose(local_forge)
        ref = index_of(records(local_forge.remote), HEAD)
        overwrite(local_forge.remote, ref, content)
        forge = local_forge.writers.make("Bob")
        with pytest.raises(ProviderError, match=ref):
            forge.pull_requests(head=HEAD)
        assert forge.open_promotions() == [healthy]

    def test_of_another_branch_behind_a_number_do_not_count(self, local_forge: "LocalForge") -> None:
        other = propose(local_forge, "promote/other")
        propose(local_forge)
        found = records(local_forge.remote)
        ref = index_of(found, HEAD)
        overwrite(local_forge.remote, ref, json.dumps(found[ref] | {"numbers": [other.number, 2, 99]}).encode())
        forge = local_forge.writers.make("Bob")
        assert [pull.number for pull in forge.pull_requests(head=HEAD)] == [2]
        # As the newest it would be the one to update.
        forge.open_pull_request(draft(HEAD, local_forge.branches()[HEAD], title="Mine"))
        assert local_forge.provider.pull_request(other.number) == other

    @pytest.mark.parametrize("kind", ["commit", "tree", "tag"])
    def test_that_are_no_blobs_are_told_apart(self, local_forge: "LocalForge", kind: str) -> None:
        healthy = propose(local_forge, "promote/healthy")
        remote = local_forge.remote
        remote.git("tag", "-a", "-m", "x", "v1", "main")
        target = {"commit": "main", "tree": "main^{tree}", "tag": "v1"}[kind]
        remote.git("update-ref", f"{local.ROOT}/pulls/2", remote.sha(target))
        forge = local_forge.writers.make("Bob")
        assert forge.every_pull_request() == [healthy]
        with pytest.raises(ProviderError, match="pulls/2"):
            forge.pull_request(2)

    @pytest.mark.parametrize(
        "name", ["pulls/x", "pulls/007", "pulls/-1", "pulls/9999999999", "pulls/5/deep", "other/1"]
    )
    def test_under_names_nobody_gave_are_not_seen(self, local_forge: "LocalForge", name: str) -> None:
        overwrite(local_forge.remote, name, b"{}")
        assert propose(local_forge).number == 1

    @pytest.mark.parametrize(("number", "following"), [(999_999_999, 2), (999_999_998, 2), (2, 3), (7, 2)])
    def test_of_others_use_up_no_numbers(self, local_forge: "LocalForge", number: int, following: int) -> None:
        propose(local_forge)
        overwrite(local_forge.remote, f"pulls/{number}", b"{}")
        for count in range(2):
            opened = propose(local_forge, f"promote/app{count}")
            assert opened.number == following + count
            assert local_forge.provider.pull_request(opened.number) == opened

    def test_that_are_healthy_but_numbered_to_the_limit_use_up_no_numbers(self, local_forge: "LocalForge") -> None:
        propose(local_forge)
        for number in (999_999_999, 999_999_998):
            overwrite(local_forge.remote, f"pulls/{number}", json.dumps(HEALTHY | {"number": number}).encode())
        assert propose(local_forge, "promote/other").number == 2

    def test_beside_no_pull_request_leave_number_one(self, local_forge: "LocalForge") -> None:
        overwrite(local_forge.remote, "pulls/999999999", b"{}")
        assert propose(local_forge).number == 1

    def test_are_never_written(self, local_forge: "LocalForge") -> None:
        opened = propose(local_forge)
        with pytest.raises(ProviderError, match="too long"):
            local_forge.provider.review(opened.number, "approved", "x" * local.LIMIT)
        assert local_forge.provider.reviews(opened.number) == []


def test_what_was_read_once_is_not_fetched_again(local_forge: "LocalForge", caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    opened = propose(local_forge)
    repository = local_forge.writers.repository
    forge = local_forge.writers.make("Bob")
    forge.details(opened.number)
    before = repository.commands
    forge.details(opened.number)
    assert repository.commands - before == 1


@pytest.mark.parametrize(
    ("clone", "init"),
    [(("--depth=1",), ()), (("--bare",), ()), ((), ("--object-format=sha256",))],
    ids=["depth 1", "bare", "sha256"],
)
def test_any_kind_of_checkout_will_do(
    make_remote: Callable[..., "Remote"],
    make_writers: "Callable[[Path], Writers]",
    clone: tuple[str, ...],
    init: tuple[str, ...],
) -> None:
    remote = make_remote({"a.txt": "1\n"}, init=init)
    sha = remote.commit({"b.txt": "1\n"}, branch=HEAD, start="main")
    # The base is not where the branch began any more, so a merge needs history that a shallow clone lacks.
    for number in range(3):
        remote.commit({"c.txt": f"{number}\n"})
    forge = make_writers(remote.clone("kind", *clone).path).make()
    forge.set_auto_merge(forge.open_pull_request(draft(HEAD, sha)), enabled=True)
    forge.set_status(sha, PASSED)
    assert forge.pull_request(1).merge_sha == remote.sha("main")
    assert sorted(remote.files("main")) == ["a.txt", "b.txt", "c.txt"]
