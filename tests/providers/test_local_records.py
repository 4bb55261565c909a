"""Records that others wrote or damaged: told from healthy ones, and never in the way of those."""

import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from gitops_promotion.core.forge import PullRequest
from gitops_promotion.errors import ProviderError
from gitops_promotion.providers.local.records import LIMIT, ROOT, Record
from tests.providers.local_hands import HEAD, PASSED, draft, index_of, overwrite, propose, records

if TYPE_CHECKING:
    from tests.providers.conftest import LocalForge


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
    "huge": altered(more="x" * LIMIT),
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

    def test_have_a_valid_one_to_alter(self) -> None:
        assert Record.parse(2, json.dumps(HEALTHY).encode(), "0" * 40).head == HEAD

    @pytest.mark.parametrize("name", [*HOSTILE, *HOSTILE_FIELDS])
    def test_are_told_apart_from_valid_ones(self, name: str) -> None:
        content = HOSTILE[name] if name in HOSTILE else HOSTILE_FIELDS[name](HEALTHY)
        with pytest.raises(ValueError, match=r"^it") as error:
            Record.parse(2, content, "0" * 40)
        assert len(str(error.value)) < 200
        assert "\n" not in str(error.value)

    def test_of_number_true_is_not_number_one(self) -> None:
        with pytest.raises(ValueError, match="'number' is missing or not of type int"):
            Record.parse(1, json.dumps(HEALTHY | {"number": True}).encode(), "0" * 40)

    @pytest.fixture(params=["not JSON", "another number"])
    def broken(self, request: pytest.FixtureRequest, local_forge: "LocalForge") -> PullRequest:
        """A pull request beside a healthy one, its record damaged after it was opened."""
        propose(local_forge, "promote/healthy")
        opened = propose(local_forge)
        content = HOSTILE.get(request.param) or HOSTILE_FIELDS[request.param](records(local_forge.remote)["pulls/2"])
        overwrite(local_forge.remote, "pulls/2", content)
        return opened

    def test_are_errors_for_a_request_of_one(self, local_forge: "LocalForge", broken: PullRequest) -> None:
        forge = local_forge.writers.make("Bob")
        before = local_forge.branches()
        for ask in (
            lambda: forge.pull_request(broken.number),
            lambda: forge.pull_requests(head=HEAD),
            lambda: forge.open_pull_request(draft(HEAD, broken.head_sha)),
            lambda: forge.set_auto_merge(broken, enabled=True),
            lambda: forge.close_pull_request(broken),
            lambda: forge.merge(broken),
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
    def test_that_are_no_blobs_are_refused(self, local_forge: "LocalForge", kind: str) -> None:
        healthy = propose(local_forge, "promote/healthy")
        remote = local_forge.remote
        remote.git("tag", "-a", "-m", "x", "v1", "main")
        target = {"commit": "main", "tree": "main^{tree}", "tag": "v1"}[kind]
        remote.git("update-ref", f"{ROOT}/pulls/2", remote.sha(target))
        forge = local_forge.writers.make("Bob")
        assert forge.every_pull_request() == [healthy]
        with pytest.raises(ProviderError, match="pulls/2"):
            forge.pull_request(2)

    @pytest.mark.parametrize(
        "name", ["pulls/x", "pulls/007", "pulls/-1", "pulls/9999999999", "pulls/5/deep", "other/1"]
    )
    def test_under_other_names_are_not_read(self, local_forge: "LocalForge", name: str) -> None:
        overwrite(local_forge.remote, name, b"{}")
        assert propose(local_forge).number == 1

    @pytest.mark.parametrize(("number", "following"), [(999_999_999, 2), (999_999_998, 2), (2, 3), (7, 2)])
    def test_of_other_programs_use_up_no_numbers(self, local_forge: "LocalForge", number: int, following: int) -> None:
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
            local_forge.provider.review(opened.number, "approved", "x" * LIMIT)
        assert local_forge.provider.discussions([opened.number])[opened.number].reviews == ()
