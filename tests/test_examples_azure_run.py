"""The example pipelines for Azure DevOps, run as an agent runs them, from a new tag to the door of prod."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gitops_promotion import cli
from tests.agent import Agent, Done

if TYPE_CHECKING:
    from tests.conftest import Checkout, Remote

EXAMPLES = Path(__file__).parents[1] / "examples/azure"


@pytest.fixture
def play(remote: "Remote", tmp_path: Path, environ: dict[str, str]) -> Callable[..., Done]:
    """Run one of the examples for a branch of the remote; what the service says comes as `names__with_dots`."""

    def run(name: str, *, code: int = 0, branch: str = "main", **more: str) -> Done:
        sha = remote.sha(branch)

        def checkout(folder: Path) -> None:
            made = remote.clone(str(folder), "--depth=1", "--no-tags", f"--branch={branch}")
            made.git("checkout", "--quiet", "--detach")

        service = {
            "Build.Reason": "IndividualCI",
            "Build.SourceBranch": f"refs/heads/{branch}",
            "Build.SourceVersion": sha,
            "Build.BuildId": "12",
            "System.CollectionUri": "https://dev.azure.com/acme/",
            "System.TeamProject": "platform",
            **{key.replace("__", "."): text for key, text in more.items()},
        }
        agent = Agent(folder=tmp_path, environ=environ, checkout=checkout, secrets={"System.AccessToken": "s3cr3t"})
        done = agent.run(EXAMPLES / name, service)
        assert done.code == code, done.printed
        assert "s3cr3t" not in done.printed
        return done

    return run


def test_the_pipelines_bring_a_tag_to_the_door_of_prod(
    play: Callable[..., Done], remote: "Remote", checkout: "Checkout"
) -> None:
    flux = checkout
    done = play("new.yml", Build__Reason="ResourceTrigger", resources__pipeline__webui__runName="1.4.2")
    assert done.variables["promotion.result"] == done.variables["gitops_promotion_result"] == "merged"
    assert done.summaries[0].startswith("### gitops-promotion new\n")
    done = play("promote.yml")
    assert json.loads(done.variables["promotion.outcomes"])[0]["environment"] == "qa"
    head = remote.sha("promote/webshop-webui")
    build = {
        "Build__Reason": "PullRequest",
        "Build__SourceBranch": "refs/pull/2/merge",
        "System__PullRequest__SourceBranch": "refs/heads/promote/webshop-webui",
        "System__PullRequest__SourceCommitId": head,
        "System__PullRequest__PullRequestId": "2",
    }
    done = play("published.yml", Build__Reason="Schedule")
    assert done.variables["promotion.message"].startswith("published pending: ")
    with pytest.raises(SystemExit, match="0"):
        cli.main(["local", "set-status", "main", "kustomization/webshop-dev", "success", "--sourcedir", str(flux.path)])
    done = play("status.yml", branch="promote/webshop-webui", **build)
    assert done.variables["promotion.result"] == "passed"
    done = play("heal.yml", Build__Reason="Schedule")
    assert done.variables["promotion.environment"] == "prod"
    assert "1.4.2" in remote.show("webshop/qa/webui.yaml", "main")


def test_started_by_hand_new_says_which_variable_it_lacks(play: Callable[..., Done]) -> None:
    done = play("new.yml", code=2, Build__Reason="Manual")
    ((level, text),) = done.issues
    assert level == "error"
    assert "--tag has '$(resources.pipeline.webui.runName)' in it, a variable that the pipeline does not have" in text


@pytest.mark.parametrize(
    "name",
    [
        "1.4.2'; touch pwned; '",
        '1.4.2"; touch pwned; "',
        "$(touch pwned)",
        "`touch pwned`",
        "1 ##vso[task.setvariable variable=x]y",
    ],
)
def test_the_name_of_a_run_is_no_script_and_no_command(name: str, play: Callable[..., Done], tmp_path: Path) -> None:
    done = play("new.yml", code=2, resources__pipeline__webui__runName=name)
    assert not list(tmp_path.rglob("pwned"))
    assert "x" not in done.variables
    assert done.variables["promotion.result"] == "failed"
