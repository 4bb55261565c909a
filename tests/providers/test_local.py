"""The `local` provider's own promises: no merge that nobody armed, and every merge by hand seen."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from gitops_promotion.core.forge import OWN_CONTEXT, CommitStatus, Draft, PullRequest
from gitops_promotion.errors import ProviderError, UsageError
from gitops_promotion.providers.local import provider as local
from tests.providers.local_hands import HEAD, PASSED, Interposed, draft, propose, records

if TYPE_CHECKING:
    from tests.providers.conftest import LocalForge


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

    def test_a_verdict_on_a_conflicting_pull_request_is_published_and_logged(
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

    @pytest.mark.parametrize("way", ["armed", "verdict", "by hand"])
    def test_keeps_the_branch_where_the_server_allows_no_deletions(self, local_forge: "LocalForge", way: str) -> None:
        local_forge.remote.git("config", "receive.denyDeletes", "true")
        provider = local_forge.provider
        opened = propose(local_forge, gated=way != "armed")
        if way == "by hand":
            reason = provider.merge(opened).reason
            assert reason.endswith(f"; the branch {HEAD} stays, since the server allows no deletions")
        else:
            answer = provider.set_auto_merge(opened, enabled=True)
            assert answer.state == ("merged" if way == "armed" else "armed")
            provider.set_status(opened.head_sha, PASSED)
        assert provider.pull_request(opened.number).state == "merged"
        assert set(local_forge.branches()) == {"main", HEAD}
        assert local_forge.show("main", f"{HEAD}.txt") == "1\n"
        following = local_forge.push(HEAD, {"more.txt": "1\n"})
        assert provider.open_pull_request(draft(HEAD, following)).number != opened.number

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

    def test_by_hand_reports_a_gate_that_has_not_passed(self, local_forge: "LocalForge") -> None:
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

    def test_into_a_deleted_base_is_refused(self, local_forge: "LocalForge") -> None:
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
    def test_are_seen_after_changes_of_the_branch_and_of_main(
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

    def test_with_a_persons_commits_on_the_branch_are_seen(
        self, local_forge: "LocalForge", merge: Callable[[], str]
    ) -> None:
        opened = propose(local_forge)
        local_forge.push(HEAD, {"more.txt": "1\n"})
        sha = merge()
        seen = local_forge.provider.pull_request(1)
        assert (seen.state, seen.head_sha) == ("merged", opened.head_sha)
        assert seen.merge_sha == (opened.head_sha if sha == local_forge.branches()[HEAD] else sha)

    def test_are_recorded_by_the_next_write_and_move_no_branch(
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

    def test_let_the_branch_have_its_next_pull_request(
        self, local_forge: "LocalForge", merge: Callable[[], str]
    ) -> None:
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

    def test_are_not_commits_that_the_base_had_from_the_start(self, local_forge: "LocalForge") -> None:
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
    def test_lasts_when_the_branch_is_deleted_and_comes_back(self, local_forge: "LocalForge") -> None:
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

    def test_removes_an_older_verdict_on_the_head_of_a_new_pull_request(self, local_forge: "LocalForge") -> None:
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


class TestMoving:
    def test_onto_a_commit_with_an_older_success_removes_this_verdict(self, local_forge: "LocalForge") -> None:
        forge = local_forge.provider
        old = propose(local_forge)
        forge.set_status(old.head_sha, PASSED)
        local_forge.push(HEAD, {"more.txt": "1\n"})
        forge.open_pull_request(draft(HEAD, local_forge.branches()[HEAD]))
        local_forge.remote.git("update-ref", f"refs/heads/{HEAD}", old.head_sha)
        back = forge.open_pull_request(draft(HEAD, old.head_sha))
        assert forge.set_auto_merge(back, enabled=True).state == "armed"
        forge.set_status(old.head_sha, PASSED)
        assert forge.pull_request(back.number).state == "merged"

    def test_to_the_same_commit_keeps_the_verdict(self, local_forge: "LocalForge") -> None:
        forge = local_forge.provider
        opened = propose(local_forge)
        forge.set_status(opened.head_sha, PASSED)
        again = forge.open_pull_request(draft(HEAD, opened.head_sha, title="New"))
        assert forge.set_auto_merge(again, enabled=True).state == "merged"


class TestStatuses:
    def test_repeated_keep_their_time_and_cost_no_push(self, local_forge: "LocalForge") -> None:
        sha = local_forge.branches()["main"]
        status = CommitStatus(context="a/b", state="success", description="fine")
        local_forge.provider.set_status(sha, status)
        before = local_forge.provider.statuses([sha])
        store = Interposed(local_forge.writers.repository)
        local_forge.writers.make("Bob", store=store).set_status(sha, status)
        assert store.pushes == 0
        assert local_forge.provider.statuses([sha]) == before

    def test_of_many_contexts_the_newest_are_stored(
        self, local_forge: "LocalForge", monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(local, "NEWEST", 3)
        sha = local_forge.branches()["main"]
        for number in range(5):
            local_forge.provider.set_status(sha, CommitStatus(context=f"c/{number}", state="success"))
        found = local_forge.provider.statuses([sha])[sha]
        assert [status.context for status in found] == ["c/4", "c/3", "c/2"]

    @pytest.mark.parametrize("sha", ["main", "1234567", "", "g" * 40, "../../heads/main"])
    def test_need_the_full_id_of_a_commit(self, local_forge: "LocalForge", sha: str) -> None:
        with pytest.raises(UsageError, match="full id"):
            local_forge.provider.set_status(sha, PASSED)
        assert records(local_forge.remote) == {}

    @pytest.mark.parametrize("context", ["", "a\nb", "x" * 256, "\x1b[31m"])
    def test_need_a_printable_context(self, local_forge: "LocalForge", context: str) -> None:
        with pytest.raises(UsageError, match="context"):
            local_forge.provider.set_status(
                local_forge.branches()["main"], CommitStatus(context=context, state="success")
            )

    def test_an_unencodable_description_can_be_read_back(self, local_forge: "LocalForge") -> None:
        sha = local_forge.branches()["main"]
        local_forge.provider.set_status(sha, CommitStatus(context="a/b", state="success", description="caf\udce9"))
        assert local_forge.provider.statuses([sha])[sha][0].description == "caf?"
