"""The `local` provider under many writers, in races, and killed: nothing is lost, nothing is half done."""

import itertools
import json
import logging
import subprocess
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gitops_promotion.core.commits import Refs, RefUpdate
from gitops_promotion.core.forge import CommitStatus
from gitops_promotion.core.races import ATTEMPTS
from gitops_promotion.errors import GitError, LeaseLostError, OutdatedError, ProviderError
from gitops_promotion.providers.local import provider as local
from gitops_promotion.providers.local.ledger import Decision, Ledger
from gitops_promotion.providers.local.records import ROOT, pull_ref
from tests.providers.local_hands import HEAD, PASSED, Interposed, draft, index_of, overwrite, propose, records
from tests.providers.no_store import NoStore

if TYPE_CHECKING:
    from tests.conftest import Checkout
    from tests.providers.conftest import LocalForge, Writers
    from tests.support.forks import Forks


def reviewers(forge: "LocalForge", number: int) -> list[str]:
    return [review.author for review in forge.provider.discussions([number])[number].reviews]


class TestManyWriters:
    @pytest.fixture
    def run(
        self,
        environ: Mapping[str, str],
        checkout: "Checkout",
        forks: "Forks",
        tmp_path: Path,
        pytestconfig: pytest.Config,
    ) -> Callable[..., dict[str, dict[str, int]]]:
        """Run writers at once, each with its heads; returns the numbers that each reports."""
        program = forks.write_program(tmp_path / "writer", "tests.providers.local_writer:main")
        variables = {**environ, **({"WITH_GIT": "yes"} if pytestconfig.getoption("--thorough") else {})}

        def run_all(work: Mapping[str, Sequence[str]]) -> dict[str, dict[str, int]]:
            running = {
                name: subprocess.Popen(
                    [program, str(checkout.path), name, *heads],
                    env=variables,
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
        # A writer that lost several races leaves numbers out, but not one that some pull request has.
        assert sorted(numbers, reverse=True) == [pull.number for pull in local_forge.provider.every_pull_request()]
        assert len(numbers) == len(set(numbers)) == 20
        for name, report in reports.items():
            for head, number in report.items():
                found = local_forge.provider.pull_request(number)
                assert (found.head, found.author, found.state) == (head, name, "open")
                assert reviewers(local_forge, number) == [name]
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
            assert sorted(reviewers(local_forge, pull.number)) == ["ann", "bob", "eve"]


class TestNumbers:
    # The checksum of the first nonce is near the lowest, and that of the second near the highest.
    @pytest.mark.parametrize(("nonce", "fourth_to_sixth", "highest"), [("665", [1, 1, 1], 1), ("1670", [2, 4, 8], 128)])
    def test_are_taken_in_order_until_three_races_are_lost(
        self, nonce: str, fourth_to_sixth: list[int], highest: int
    ) -> None:
        chosen: list[int] = []

        def decide(refs: Refs) -> Decision[None]:
            chosen.append(ledger.free_number(refs))
            return [RefUpdate(ref=pull_ref(chosen[-1]), new="0" * 40, expected=None)], None

        ledger = Ledger(
            Losing(),
            now=lambda: datetime(2026, 3, 1, 12, tzinfo=UTC),
            sleep=lambda _: None,
            nonce=lambda: nonce,
            monotonic=lambda: 0.0,
        )
        with pytest.raises(ProviderError, match="20 times in a row"):
            ledger.transact(decide)
        assert chosen[:3] == [1, 1, 1]
        assert (chosen[3:6], max(chosen)) == (fourth_to_sixth, highest)

    def test_the_pause_grows_with_the_time_that_the_lost_decision_took(self) -> None:
        slept: list[float] = []
        seconds = itertools.count(step=3)
        ledger = Ledger(
            Losing(),
            now=lambda: datetime(2026, 3, 1, 12, tzinfo=UTC),
            sleep=slept.append,
            nonce=lambda: "1670",  # near the highest random number
            monotonic=lambda: next(seconds),
        )
        with pytest.raises(ProviderError, match="20 times in a row"):
            ledger.transact(lambda _: ([RefUpdate(ref=pull_ref(1), new="0" * 40, expected=None)], None))
        assert 2.9 < slept[0] < 3

    def test_a_push_whose_answer_is_lost_uses_one_number(self, local_forge: "LocalForge") -> None:
        sha = local_forge.push(HEAD, {"mine.txt": "1\n"})

        def lose_answer(push: int) -> None:
            if push == 1:
                raise GitError("git push failed: the remote end hung up unexpectedly")

        store = Interposed(local_forge.writers.repository, after=lose_answer)
        assert local_forge.writers.make("Bob", store=store).open_pull_request(draft(HEAD, sha)).number == 1
        assert [pull.number for pull in local_forge.provider.every_pull_request()] == [1]


class Losing(NoStore):
    """An empty remote, where another writer is always faster."""

    def refs(self, *_patterns: str) -> Refs:
        return Refs(default_branch="main", shas={})

    def push(self, _updates: object) -> None:
        raise LeaseLostError("moved")


class TestRaces:
    """A rival acts between our reading and our push, each time at the worst moment."""

    def test_a_number_used_by_another_writer_is_not_used_again(self, local_forge: "LocalForge") -> None:
        other = local_forge.push("promote/other", {"other.txt": "1\n"})
        mine = local_forge.push(HEAD, {"mine.txt": "1\n"})

        def rival(push: int) -> None:
            if push == 1:
                local_forge.provider.open_pull_request(draft("promote/other", other))

        store = Interposed(local_forge.writers.repository, before=rival)
        opened = local_forge.writers.make("Bob", store=store).open_pull_request(draft(HEAD, mine))
        assert (opened.number, store.pushes) == (2, 2)

    def test_a_pull_request_opened_by_another_writer_is_updated(self, local_forge: "LocalForge") -> None:
        sha = local_forge.push(HEAD, {"mine.txt": "1\n"})

        def rival(push: int) -> None:
            if push == 1:
                local_forge.provider.open_pull_request(draft(HEAD, sha, title="Rival"))

        store = Interposed(local_forge.writers.repository, before=rival)
        opened = local_forge.writers.make("Bob", store=store).open_pull_request(draft(HEAD, sha, title="Mine"))
        assert (opened.number, opened.title) == (1, "Mine")
        assert len(local_forge.provider.every_pull_request()) == 1

    def test_two_writers_collide_on_a_branch_whatever_their_numbers(self, local_forge: "LocalForge") -> None:
        sha = local_forge.push(HEAD, {"mine.txt": "1\n"})

        def rival(push: int) -> None:
            if push == 1:
                # Its listing had shown it a #1 that ours missed: the numbers alone do not collide.
                local_forge.provider.open_pull_request(draft(HEAD, sha, title="Rival"))
                found = records(local_forge.remote)
                index = index_of(found, HEAD)
                overwrite(local_forge.remote, "pulls/2", json.dumps(found["pulls/1"] | {"number": 2}).encode())
                overwrite(local_forge.remote, index, json.dumps(found[index] | {"numbers": [2]}).encode())
                local_forge.remote.git("update-ref", "-d", f"{ROOT}/pulls/1")

        store = Interposed(local_forge.writers.repository, before=rival)
        opened = local_forge.writers.make("Bob", store=store).open_pull_request(draft(HEAD, sha, title="Mine"))
        assert (opened.number, opened.title) == (2, "Mine")
        assert "pulls/1" not in records(local_forge.remote)

    def test_a_moved_base_is_merged_at_its_present_tip(self, local_forge: "LocalForge") -> None:
        opened = propose(local_forge)
        moved: list[str] = []

        def rival(push: int) -> None:
            if push == 1:
                moved.append(local_forge.push("main", {"rival.txt": "1\n"}))

        store = Interposed(local_forge.writers.repository, before=rival)
        assert local_forge.writers.make("Bob", store=store).merge(opened).state == "merged"
        assert local_forge.remote.sha("main^1") == moved[0]
        assert local_forge.remote.sha("main^2") == opened.head_sha

    def test_a_merge_that_is_seen_in_part_opens_no_second_pull_request(self, local_forge: "LocalForge") -> None:
        repository = local_forge.writers.repository
        opened = propose(local_forge, gated=False)
        before = repository.refs("refs/*")
        assert local_forge.provider.set_auto_merge(opened, enabled=True).state == "merged"
        record = {pull_ref(1): repository.refs("refs/*").shas[pull_ref(1)]}
        store = Interposed(repository, seen=[Refs(default_branch="main", shas={**before.shas, **record})])
        with pytest.raises(OutdatedError, match="has no branch"):
            local_forge.writers.make("Bob", store=store).open_pull_request(draft(HEAD, opened.head_sha))
        assert [pull.number for pull in local_forge.provider.every_pull_request()] == [1]

    def test_a_merge_that_the_base_lost_again_can_be_proposed_again(self, local_forge: "LocalForge") -> None:
        base = local_forge.branches()["main"]
        opened = propose(local_forge, gated=False)
        assert local_forge.provider.set_auto_merge(opened, enabled=True).state == "merged"
        local_forge.remote.git("update-ref", "refs/heads/main", base)
        local_forge.remote.git("update-ref", f"refs/heads/{HEAD}", opened.head_sha)
        assert local_forge.provider.open_pull_request(draft(HEAD, opened.head_sha)).number == 2
        assert 5 < sum(local_forge.writers.slept) < 20

    def test_a_head_that_moves_meanwhile_is_not_merged(self, local_forge: "LocalForge") -> None:
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

    def test_a_verdict_published_during_the_arming_merges(self, local_forge: "LocalForge") -> None:
        opened = propose(local_forge)

        def verdict(push: int) -> None:
            if push == 1:
                local_forge.provider.set_status(opened.head_sha, PASSED)

        store = Interposed(local_forge.writers.repository, before=verdict)
        assert local_forge.writers.make("Bob", store=store).set_auto_merge(opened, enabled=True).state == "merged"

    def test_a_branch_deleted_during_a_merge_is_a_closed_pull_request(self, local_forge: "LocalForge") -> None:
        opened = propose(local_forge)

        def rival(push: int) -> None:
            if push == 1:
                local_forge.delete(HEAD)

        store = Interposed(local_forge.writers.repository, before=rival)
        answer = local_forge.writers.make("Bob", store=store).merge(opened)
        assert (answer.state, answer.reason) == ("moved", "pull request #1 is closed already")

    @pytest.mark.parametrize(("branch", "state"), [("main", "merged"), (HEAD, "moved")])
    def test_a_branch_rewritten_between_listing_and_fetching_is_read_again(
        self, local_forge: "LocalForge", branch: str, state: str
    ) -> None:
        opened = propose(local_forge)
        rewritten: list[str] = []

        class Rival(Interposed):
            def fetch_commit(self, sha: str) -> bool:
                if sha == local_forge.branches()[branch] and not rewritten:
                    new = {f"{branch}-rewritten.txt": "1\n"}
                    rewritten.append(local_forge.remote.commit(new, branch=branch, start="main"))
                return super().fetch_commit(sha)

        store = Rival(local_forge.writers.repository)
        assert local_forge.writers.make("Bob", store=store).merge(opened).state == state
        assert len(rewritten) == 1
        if state == "merged":
            assert local_forge.remote.sha("main^1") == rewritten[0]

    def test_lost_again_and_again_end_with_one_clear_error(self, local_forge: "LocalForge") -> None:
        opened = propose(local_forge)

        def rival(push: int) -> None:
            local_forge.push("main", {"rival.txt": f"{push}\n"})

        store = Interposed(local_forge.writers.repository, before=rival)
        lost = rf"changed the remote {ATTEMPTS} times in a row .* .refs/heads/main at .*: run it again"
        with pytest.raises(ProviderError, match=lost):
            local_forge.writers.make("Bob", store=store).merge(opened)
        assert store.pushes == ATTEMPTS
        slept = local_forge.writers.slept
        assert len(set(slept)) == ATTEMPTS - 1
        assert slept[0] < 0.2 < 10 < max(slept) <= 30

    def test_a_failure_without_another_writer_is_not_repeated(self, local_forge: "LocalForge") -> None:
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
        # A push of an identical object passes a lease that expects nothing: the nonce prevents it.
        # docs/facts/forges.md#shallow-clones-refs-and-pushes
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
    def test_at_any_step_and_run_again_ends_the_same(self, local_forge: "LocalForge", push: int, moment: str) -> None:
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


def test_a_record_is_fetched_once(local_forge: "LocalForge", caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    opened = propose(local_forge)
    repository = local_forge.writers.repository
    forge = local_forge.writers.make("Bob")
    forge.details(opened.number)
    before = repository.commands
    forge.details(opened.number)
    assert repository.commands - before == 1


def test_a_merge_that_is_decided_again_fetches_the_base_alone(local_forge: "LocalForge") -> None:
    opened = propose(local_forge)
    fetched: list[str] = []

    class Counting(Interposed):
        def fetch(self, *refs: str) -> dict[str, str]:
            fetched.extend(refs)
            return super().fetch(*refs)

    def rival(push: int) -> None:
        if push == 1:
            local_forge.push("main", {"a": "1\n"})

    store = Counting(local_forge.writers.repository, before=rival)
    assert local_forge.writers.make("Bob", store=store).merge(opened).state == "merged"
    assert store.pushes == 2
    assert not any(ref.startswith("refs/heads/") for ref in fetched)


class TestReadAhead:
    def test_few_records_come_with_the_first_fetch(
        self, local_forge: "LocalForge", checkout: "Checkout", make_writers: "Callable[[Path], Writers]"
    ) -> None:
        opened = [propose(local_forge, f"promote/webshop-{app}") for app in ("a", "b", "c")]
        local_forge.provider.set_status(opened[0].head_sha, PASSED)
        writers = make_writers(checkout.path)
        fetches: list[tuple[str, ...]] = []

        class Counting(Interposed):
            def fetch(self, *refs: str) -> dict[str, str]:
                fetches.append(refs)
                return super().fetch(*refs)

        provider = writers.make(store=Counting(writers.repository))
        for pull in opened:
            assert [found.number for found in provider.pull_requests(head=pull.head)] == [pull.number]
        assert provider.statuses([opened[0].head_sha])[opened[0].head_sha]
        assert [sorted(refs) for refs in fetches] == [sorted(f"{ROOT}/{ref}" for ref in records(local_forge.remote))]

    def test_a_damaged_record_prevents_no_other_from_being_read(
        self, local_forge: "LocalForge", checkout: "Checkout", make_writers: "Callable[[Path], Writers]"
    ) -> None:
        pull = propose(local_forge)
        local_forge.provider.set_status(pull.head_sha, PASSED)
        remote = local_forge.remote
        damaged = remote.sha(f"{ROOT}/statuses/{pull.head_sha}")
        path = remote.path / "objects" / damaged[:2] / damaged[2:]
        path.unlink()
        path.write_bytes(b"")
        other = make_writers(checkout.path).make()
        assert other.pull_request(pull.number).head_sha == pull.head_sha
        with pytest.raises(GitError):
            other.statuses([pull.head_sha])
