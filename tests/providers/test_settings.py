"""What `doctor` reads of a forge's settings, by the real SDKs, on forges of our own, and its cost."""

from typing import TYPE_CHECKING, Any

import pytest

from gitops_promotion.core.forge import OWN_CONTEXT, ForgeSettings, RequiredCheck
from gitops_promotion.providers.github import queries

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.providers.conftest import AzureForge, Forge, GitHubForge

HEAD = "promote/gitops-promotion-doctor"
REPOSITORY = "GET /api/v3/repos/acme/gitops"


def read(forge: "Forge", **more: Any) -> ForgeSettings:
    provider = forge.connect(**more) if more else forge.provider  # type: ignore[attr-defined]  # of forges with tokens
    settings: ForgeSettings = provider.forge_settings(base="main", head=HEAD, publishes=True)
    return settings


def problems(settings: ForgeSettings) -> str:
    return "\n".join(obstacle.problem for obstacle in (*settings.obstacles, *settings.denials))


class TestEveryForge:
    def test_everything_that_is_unknown_has_a_reason(self, forge: "Forge") -> None:
        forge.require_gate()
        settings = read(forge)
        assert [check.name for check in settings.checks or ()] == [OWN_CONTEXT]
        assert (settings.auto_merge, settings.has_merge_queue, settings.starts_workflows) == (True, False, True)
        assert settings.merge_methods == ("merge", "squash", "rebase")
        assert (settings.approvals, settings.some_approvals, settings.is_strict) == (0, False, False)
        assert settings.lacking == ()
        assert settings.obstacles == settings.denials == ()


class TestGitHub:
    def test_it_takes_five_reads_and_one_more_for_a_classic_protection(self, github_forge: "GitHubForge") -> None:
        reads = [
            "POST /api/graphql",
            f"{REPOSITORY}/commits/main/check-runs",
            f"{REPOSITORY}/rules/branches/main",
            f"{REPOSITORY}/rules/branches/promote/gitops-promotion-doctor",
            f"{REPOSITORY}/branches/main",
        ]
        assert read(github_forge).checks == ()
        assert github_forge.calls() == reads
        github_forge.hosted.protect("main", checks=["ci"], strict=True, approvals=2)
        settings = read(github_forge)
        assert github_forge.calls() == [*reads, f"{REPOSITORY}/branches/main/protection/required_status_checks"]
        assert (settings.is_strict, settings.approvals, settings.hidden) == (True, 2, ())
        assert settings.checks == (RequiredCheck(name="ci"),)

    def test_the_rules_of_rulesets(self, github_forge: "GitHubForge") -> None:
        pull_request = {
            "required_approving_review_count": 1,
            "dismiss_stale_reviews_on_push": True,
            "require_code_owner_review": True,
            "require_last_push_approval": False,
            "required_review_thread_resolution": False,
            "allowed_merge_methods": ["merge", "squash"],
        }
        more: Mapping[str, Mapping[str, object]] = {
            "pull_request": pull_request,
            "required_linear_history": {},
            "required_signatures": {},
            "update": {"update_allows_fetch_and_merge": False},
            "required_deployments": {"required_deployment_environments": ["stage"]},
        }
        github_forge.hosted.protect("main", checks=["ci", OWN_CONTEXT], strict=True, more=more)
        github_forge.hosted.protect("promote/*", more={"creation": {}, "non_fast_forward": {}})
        github_forge.hosted.settings.allow_auto_merge = False
        settings = read(github_forge)
        assert settings.wants_signatures
        assert (settings.is_strict, settings.approvals, settings.some_approvals) == (True, 1, True)
        assert (settings.auto_merge, settings.merge_methods) == (False, ("squash",))
        assert [check.name for check in settings.checks or () if check.weakness] == [OWN_CONTEXT]
        for text in ("deployment to stage", "can update main", "not be created", "no forced pushes"):
            assert text in problems(settings)

    @pytest.mark.parametrize(
        ("rule", "methods"),
        [
            ("required_linear_history", ("squash", "rebase")),
            ("required_signatures", ("merge", "squash")),
            ("deletion", ("merge", "squash", "rebase")),
        ],
    )
    def test_rules_that_limit_the_ways_to_merge(
        self, github_forge: "GitHubForge", rule: str, methods: tuple[str, ...]
    ) -> None:
        github_forge.hosted.protect("main", more={rule: {}})
        github_forge.hosted.protect("promote/*", more={"required_signatures": {}} if rule == "deletion" else {})
        settings = read(github_forge)
        assert settings.merge_methods == methods
        assert settings.wants_signatures == (rule != "required_linear_history")

    def test_a_merge_queue(self, github_forge: "GitHubForge") -> None:
        github_forge.hosted.merge_queue()
        assert read(github_forge).has_merge_queue

    def test_an_old_server_that_lacks_a_field(
        self, github_forge: "GitHubForge", monkeypatch: pytest.MonkeyPatch
    ) -> None:
        query = queries.REPOSITORY_SETTINGS.replace("refUpdateRule", "refChangeRule")
        monkeypatch.setattr(queries, "REPOSITORY_SETTINGS", query)
        github_forge.hosted.protect("main", checks=["ci"])
        settings = read(github_forge)
        assert (settings.auto_merge, settings.merge_methods, settings.has_merge_queue) == (None, None, None)
        assert (settings.approvals, settings.some_approvals, settings.starts_workflows) == (None, None, None)
        assert settings.checks == (RequiredCheck(name="ci"),)
        assert [hidden.what.partition(" (")[0] for hidden in settings.hidden] == [
            "auto-merge, the ways to merge, the queue and the reviews"
        ]

    def test_the_token_of_a_workflow(self, github_forge: "GitHubForge") -> None:
        permissions = {"contents": "write", "pull_requests": "write", "statuses": "read"}
        name = "github-actions[bot]"
        token = github_forge.server.give_token(name, kind="actions", permissions=permissions)
        github_forge.hosted.protect("main", checks=["ci"])
        settings = read(github_forge, token=token)
        assert (settings.starts_workflows, settings.is_strict) == (False, None)
        assert settings.lacking == ("checks: read",)
        assert [hidden.what.partition(" (")[0] for hidden in settings.hidden] == [
            "what the token may write",
            "whether pull requests into main must be up to date",
        ]

    def test_somebody_who_may_not_write(self, github_forge: "GitHubForge") -> None:
        github_forge.hosted.repo.writers = frozenset({"promoter"})
        token = github_forge.server.give_token("ann")
        assert read(github_forge, token=token).lacking == ("the role of somebody who may write (it has read)",)

    def test_an_app_is_told_its_permissions(self, github_forge: "GitHubForge") -> None:
        permissions = {"contents": "write", "pull_requests": "read", "checks": "read", "statuses": "read"}
        app = github_forge.server.install_app("promoter", "acme/gitops", permissions=permissions)
        token = github_forge.server.give_token("promoter[bot]", kind="installation", permissions=permissions)
        environ = {
            "GITHUB_APP_ID": str(app.id),
            "GITHUB_APP_PRIVATE_KEY": app.private_key,
            "GITHUB_SERVER_URL": github_forge.server.url,
        }
        settings = read(github_forge, token=token, environ=environ)
        assert settings.lacking == ("pull-requests: write", "statuses: write")
        assert settings.hidden == ()

    def test_a_required_workflow_is_a_check(self, github_forge: "GitHubForge") -> None:
        github_forge.hosted.protect(
            "main", more={"workflows": {"workflows": [{"repository_id": 1, "path": "gate.yml"}]}}
        )
        assert read(github_forge).checks == (RequiredCheck(name="gate.yml", is_build=True),)


class TestAzure:
    def test_it_takes_four_reads(self, azdo_forge: "AzureForge") -> None:
        read(azdo_forge)
        kinds = [
            call.rpartition("/")[2] for call in azdo_forge.calls() if "OPTIONS" not in call and "Areas" not in call
        ]
        assert kinds == ["gitops", "PermissionEvaluationBatch", "configurations", "configurations"]

    def test_the_policies_of_the_default_branch(self, azdo_forge: "AzureForge") -> None:
        hosted = azdo_forge.hosted
        hosted.require_build(7, name="gate")
        hosted.require_build(8, name="lint", blocking=False)
        hosted.require_reviewers(2)
        hosted.allow_strategies("squash")
        hosted.limit_file_sizes()
        hosted.demand("required reviewers", filenamePatterns=["/webshop/prod/*"], requiredReviewerIds=["x"])
        hosted.demand("work items")
        settings = read(azdo_forge)
        assert settings.checks == (RequiredCheck(name="gate", is_build=True),)
        assert (settings.approvals, settings.some_approvals, settings.merge_methods) == (2, True, ("squash",))
        assert problems(settings).startswith("main wants linked work items")

    @pytest.mark.parametrize(
        ("settings", "weakness"),
        [
            ({"invalidateOnSourceUpdate": False}, "an older push"),
            ({"policyApplicability": "conditional"}, "only once the status was posted"),
            ({}, "from everybody with Contribute"),
            ({"authorId": "b5b3a4a5-0000-4000-8000-000000000001"}, ""),
        ],
    )
    def test_the_policy_for_the_published_verdict(
        self, azdo_forge: "AzureForge", settings: dict[str, Any], weakness: str
    ) -> None:
        more: dict[str, Any] = {
            "statusName": OWN_CONTEXT,
            "statusGenre": None,
            "invalidateOnSourceUpdate": True,
            **settings,
        }
        azdo_forge.hosted.demand("status", **more)
        [check] = read(azdo_forge).checks or ()
        assert weakness in (check.weakness.problem if check.weakness else "")
        assert bool(check.weakness) == bool(weakness)

    def test_a_build_that_starts_by_hand(self, azdo_forge: "AzureForge") -> None:
        azdo_forge.hosted.demand("build", displayName="gate", buildDefinitionId=7, manualQueueOnly=True)
        [check] = read(azdo_forge).checks or ()
        assert check.weakness
        assert "starts by hand" in check.weakness.problem

    def test_policies_of_the_branches_of_promotions(self, azdo_forge: "AzureForge") -> None:
        azdo_forge.hosted.require_reviewers(branch=HEAD)
        assert "take no pushes" in problems(read(azdo_forge))

    def test_the_permissions_of_the_token(self, azdo_forge: "AzureForge") -> None:
        lacks = frozenset({"CreateBranch", "PullRequestContribute"})
        settings = read(azdo_forge, token=azdo_forge.server.give_token("build", kind="jwt", lacks=lacks))
        assert settings.lacking == ("the permission 'Create branch'", "the permission 'Contribute to pull requests'")
        assert settings.grant_command.startswith("az devops security permission update --namespace-id 2e9eb7ed-")
        assert settings.grant_command.endswith("--allow-bit 16400")
        assert "--subject aad." in settings.grant_command
        assert settings.hidden == ()
        assert [hidden.what for hidden in read(azdo_forge).hidden] == ["which scopes the personal access token has"]
