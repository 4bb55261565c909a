"""What an adapter answers where another writer was faster: the caller reads again, and nothing is done twice."""

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from gitops_promotion.core.forge import Draft, PullRequest
from gitops_promotion.errors import LeaseLostError, OutdatedError, ProviderError
from tests.forges import azure_errors, faults

if TYPE_CHECKING:
    from tests.providers.conftest import AzureForge, Forge, GitHubForge, LocalForge

HEAD = "promote/webshop-webui"


def draft(forge: "Forge", sha: str, base_sha: str = "") -> Draft:
    base_sha = base_sha or forge.branches()["main"]
    return Draft(head=HEAD, head_sha=sha, base="main", title="Promote", body="", gated=False, base_sha=base_sha)


def propose(forge: "Forge") -> PullRequest:
    return forge.provider.open_pull_request(draft(forge, forge.push(HEAD, {"a.txt": "1\n"})))


class TestEveryForge:
    def test_a_branch_that_was_deleted_meanwhile_has_no_pull_request(self, forge: "Forge") -> None:
        sha = forge.push(HEAD, {"a.txt": "1\n"})
        forge.delete(HEAD)
        with pytest.raises(OutdatedError, match=f"{HEAD}.*: run again"):
            forge.provider.open_pull_request(draft(forge, sha))

    def test_a_branch_that_moved_meanwhile_has_no_pull_request_for_the_old_head(
        self, local_forge: "LocalForge"
    ) -> None:
        sha = local_forge.push(HEAD, {"a.txt": "1\n"})
        local_forge.push(HEAD, {"a.txt": "2\n"})
        with pytest.raises(OutdatedError, match=f"{HEAD}.* moved before .*: run again"):
            local_forge.provider.open_pull_request(draft(local_forge, sha))

    @pytest.mark.parametrize("name", ["github", "azdo"])
    def test_a_branch_that_moved_meanwhile_is_not_waited_for(self, name: str, request: pytest.FixtureRequest) -> None:
        forge: GitHubForge | AzureForge = request.getfixturevalue(f"{name}_forge")
        propose(forge)
        sha = forge.push(HEAD, {"a.txt": "2\n"})
        forge.push(HEAD, {"a.txt": "3\n"})
        pauses = len(forge.slept)
        with pytest.raises(OutdatedError):
            forge.provider.open_pull_request(draft(forge, sha))
        assert len(forge.slept) == pauses

    def test_a_pull_request_merged_meanwhile_cannot_be_closed(self, forge: "Forge") -> None:
        opened = propose(forge)
        forge.merge_by_hand(opened.number)
        with pytest.raises(OutdatedError, match=r"is merged already: revert [0-9a-f]{40} instead"):
            forge.provider.close_pull_request(opened)

    def test_a_pull_request_closed_meanwhile_is_not_opened_again_in_another(self, forge: "Forge") -> None:
        opened = propose(forge)
        forge.provider.pull_requests(head=HEAD)
        forge.close_by_hand(opened.number, by="ann")
        sha = forge.push(HEAD, {"a.txt": "2\n"})
        with pytest.raises(OutdatedError, match=f"#{opened.number} is not open any more"):
            forge.provider.open_pull_request(replace(draft(forge, sha), number=opened.number))
        assert [pull.state for pull in forge.provider.pull_requests(head=HEAD)] == ["closed"]

    def test_a_pull_request_closed_meanwhile_is_not_merged(self, forge: "Forge") -> None:
        opened = propose(forge)
        forge.provider.close_pull_request(opened)
        assert forge.provider.merge(opened).state == "moved"
        assert forge.provider.set_auto_merge(opened, enabled=False).state == "moved"

    def test_a_head_that_moved_meanwhile_is_not_merged(self, forge: "Forge") -> None:
        opened = propose(forge)
        forge.push(HEAD, {"a.txt": "2\n"})
        assert forge.provider.merge(opened).state == "moved"


class TestLocal:
    """The same changes are on the base already, by another run or by a person."""

    def merged_by_a_rival(self, forge: "LocalForge") -> tuple[str, str]:
        """Return the base before, and the head that was pushed after a rival had merged the same change."""
        base = forge.branches()["main"]
        opened = propose(forge)
        assert forge.provider.merge(opened).state == "merged"
        sha = forge.remote.commit({"a.txt": "1\n"}, "The same", branch=HEAD, start=base)
        return base, sha

    @pytest.mark.parametrize("same_commit", [False, True])
    def test_no_pull_request_is_opened_for_what_the_base_has(
        self, local_forge: "LocalForge", same_commit: bool
    ) -> None:
        base, sha = self.merged_by_a_rival(local_forge)
        main = local_forge.branches()["main"]
        if same_commit:
            sha = local_forge.remote.sha("main^2")
            local_forge.remote.git("update-ref", f"refs/heads/{HEAD}", sha)
        with pytest.raises(OutdatedError, match=f"main already has the changes of {HEAD}: run again"):
            local_forge.provider.open_pull_request(draft(local_forge, sha, base))
        assert len(local_forge.provider.every_pull_request()) == 1
        assert local_forge.branches() == {"main": main}

    def test_its_branch_stays_where_the_server_allows_no_deletions(self, local_forge: "LocalForge") -> None:
        base, sha = self.merged_by_a_rival(local_forge)
        local_forge.remote.git("config", "receive.denyDeletes", "true")
        with pytest.raises(OutdatedError, match="already has the changes"):
            local_forge.provider.open_pull_request(draft(local_forge, sha, base))
        assert local_forge.branches()[HEAD] == sha

    def test_another_change_of_the_base_is_no_reason(self, local_forge: "LocalForge") -> None:
        base = local_forge.branches()["main"]
        sha = local_forge.push(HEAD, {"a.txt": "1\n"})
        local_forge.push("main", {"other.txt": "1\n"})
        assert local_forge.provider.open_pull_request(draft(local_forge, sha, base)).number == 1

    def test_a_merge_that_would_change_nothing_makes_no_commit(self, local_forge: "LocalForge") -> None:
        opened = propose(local_forge)
        main = local_forge.push("main", {"a.txt": "1\n"})
        result = local_forge.provider.set_auto_merge(opened, enabled=True)
        assert (result.state, result.reason) == ("merged", "main already had its changes")
        assert local_forge.branches() == {"main": main}
        merged = local_forge.provider.pull_request(opened.number)
        # The tip of the base may be of anything: it did not come by this pull request.
        assert (merged.state, merged.merge_sha) == ("merged", opened.head_sha)


class TestGitHub:
    @pytest.mark.parametrize(
        "reason",
        [
            "Base branch was modified. Review and try the merge again.",
            "Head branch was modified. Review and try the merge again.",
            "Merge already in progress",
        ],
    )
    def test_a_merge_among_many_is_tried_again_and_then_decided_again(
        self, github_forge: "GitHubForge", reason: str
    ) -> None:
        opened = propose(github_forge)
        github_forge.server.faults.add(faults.refusal(405, reason), method="PUT", times=3)
        result = github_forge.provider.merge(opened)
        assert result.state == "moved"
        assert repr(reason) in result.reason
        assert github_forge.server.faults.pending == 0
        assert github_forge.provider.merge(opened).state == "merged"

    def test_a_pull_request_that_stays_armed_is_no_race(self, github_forge: "GitHubForge") -> None:
        github_forge.require_gate()
        opened = propose(github_forge)
        github_forge.provider.set_auto_merge(opened, enabled=True)
        sha = github_forge.push(HEAD, {"a.txt": "2\n"})
        github_forge.server.faults.add(
            faults.refusal(400, "no"), kind="graphql", body="disablePullRequestAutoMerge", times=9
        )
        with pytest.raises(ProviderError, match="stays armed, GitHub says 'no'") as caught:
            github_forge.provider.open_pull_request(draft(github_forge, sha))
        assert not isinstance(caught.value, LeaseLostError)


class TestAzureDevOps:
    def test_the_one_that_exists_but_is_not_open_any_more_is_a_race(self, azdo_forge: "AzureForge") -> None:
        sha = azdo_forge.push(HEAD, {"a.txt": "1\n"})
        exists = azure_errors.refusal(409, "GitPullRequestExistsException", "TF401179: An active one exists.")
        azdo_forge.server.faults.add(azure_errors.fault(exists, "exists"), method="POST", path=r"(?i)/pullrequests$")
        with pytest.raises(OutdatedError, match="TF401179"):
            azdo_forge.provider.open_pull_request(draft(azdo_forge, sha))

    def test_any_other_refusal_to_open_is_an_error_at_once(self, azdo_forge: "AzureForge") -> None:
        sha = azdo_forge.push(HEAD, {"a.txt": "1\n"})
        refusal = azure_errors.refusal(400, "InvalidArgumentValueException", "Invalid title")
        azdo_forge.server.faults.add(azure_errors.fault(refusal, "400"), method="POST", path=r"(?i)/pullrequests$")
        with pytest.raises(ProviderError, match=r"Invalid title.*: correct that there") as caught:
            azdo_forge.provider.open_pull_request(draft(azdo_forge, sha))
        assert not isinstance(caught.value, LeaseLostError)

    def test_a_stale_completion_is_decided_again(self, azdo_forge: "AzureForge") -> None:
        opened = propose(azdo_forge)
        stale = azure_errors.refusal(409, "GitPullRequestStaleException", "TF401192: edited")
        azdo_forge.server.faults.add(azure_errors.fault(stale, "stale"), method="PATCH", body="completed")
        result = azdo_forge.provider.merge(opened)
        assert result.state == "moved"
        assert "TF401192" in result.reason
        assert azdo_forge.provider.merge(opened).state == "merged"

    def test_an_older_answer_does_not_arm_a_newer_head(self, azdo_forge: "AzureForge") -> None:
        azdo_forge.require_gate()
        opened = propose(azdo_forge)
        azdo_forge.push(HEAD, {"a.txt": "2\n"})
        assert azdo_forge.provider.set_auto_merge(opened, enabled=True).state == "moved"
        assert not azdo_forge.provider.pull_request(opened.number).auto_merge
