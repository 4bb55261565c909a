"""The example pipelines for Azure DevOps, run as an agent runs them, from a new tag to the door of prod."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.agent import Agent, Done
from tests.conftest import WEBSHOP, Checkout
from tests.forges.azure import AzureDevOps

if TYPE_CHECKING:
    from tests.conftest import Remote
    from tests.forges.azure_people import HostedRepo
    from tests.support.forks import Forks

EXAMPLES = Path(__file__).parents[1] / "examples/azure"
BUILD = 7
"""The pipeline that a branch policy may require."""


def service(*, branch: str, sha: str, collection: str, more: Mapping[str, str]) -> dict[str, str]:
    """What the service tells every run; `more` has names with `__` for dots."""
    return {
        "Build.Reason": "IndividualCI",
        "Build.SourceBranch": f"refs/heads/{branch}",
        "Build.SourceVersion": sha,
        "Build.BuildId": "12",
        "System.CollectionUri": f"{collection}/",
        "System.TeamProject": "platform",
        **{name.replace("__", "."): text for name, text in more.items()},
    }


@dataclass(frozen=True, kw_only=True)
class Platform:
    """The project `platform` on an Azure DevOps of our own, with its repository and its build identity."""

    server: AzureDevOps
    gitops: "HostedRepo"
    token: str = field(repr=False)
    folder: Path
    programs: Path
    environ: Mapping[str, str]

    def run(self, name: str, *, code: int = 0, branch: str = "main", **more: str) -> Done:
        """Run one of the examples in the checkout that an agent makes of a branch."""

        def checkout(folder: Path) -> None:
            header = f"http.extraHeader=AUTHORIZATION: bearer {self.token}"
            here = Checkout(path=self.folder, environ=self.environ)
            clone = ("clone", "--quiet", "--depth=1", "--no-tags", f"--branch={branch}", self.gitops.url, str(folder))
            here.git("-c", header, *clone)
            Checkout(path=folder, environ=self.environ).git("checkout", "--quiet", "--detach")

        variables = service(
            branch=branch, sha=self.gitops.branches()[branch], collection=self.server.collection, more=more
        )
        agent = Agent(
            folder=self.folder,
            programs=self.programs,
            environ=self.environ,
            checkout=checkout,
            secrets={"System.AccessToken": self.token},
        )
        done = agent.run(EXAMPLES / name, variables)
        assert done.code == code, done.printed
        assert self.token not in done.printed
        return done

    def validate(self, number: int, name: str = "status.yml", *, code: int = 0) -> Done:
        """Run the build that a policy asks for of a pull request, and tell the policy how it ended."""
        pull = self.gitops.pull(number)
        done = self.run(
            name,
            code=code,
            branch=pull.head_ref.removeprefix("refs/heads/"),
            Build__Reason="PullRequest",
            Build__SourceBranch=f"refs/pull/{number}/merge",
            System__PullRequest__SourceBranch=pull.head_ref,
            System__PullRequest__SourceCommitId=pull.head_sha,
            System__PullRequest__PullRequestId=str(number),
            System__PullRequest__IsFork="False",
        )
        self.gitops.finish_build(number, BUILD, passed=code == 0)
        return done

    def tags(self) -> dict[str, str]:
        """The tag of each environment on main."""
        found = {each: self.gitops.git.show(f"webshop/{each}/webui.yaml", "main") for each in ("dev", "qa", "prod")}
        return {each: text.partition("webui:")[2].partition(" ")[0] for each, text in found.items()}


@pytest.fixture
def programs(tmp_path: Path, forks: "Forks") -> Path:
    """The folder with `gitops-promotion`."""
    folder = tmp_path / "programs"
    folder.mkdir()
    forks.write_program(folder / "gitops-promotion", "gitops_promotion.cli:main")
    return folder


@pytest.fixture
def platform(tmp_path: Path, programs: Path, environ: dict[str, str]) -> Iterator[Platform]:
    with AzureDevOps(tmp_path / "azure") as server:
        token = server.give_token("platform Build Service (acme)", kind="jwt")
        gitops = server.repository("platform/gitops", WEBSHOP)
        yield Platform(server=server, gitops=gitops, token=token, folder=tmp_path, programs=programs, environ=environ)


def test_the_pipelines_bring_a_tag_to_the_door_of_prod(platform: Platform) -> None:
    platform.gitops.require_build(BUILD)
    done = platform.run("new.yml", Build__Reason="ResourceTrigger", resources__pipeline__webui__runName="1.4.2")
    assert done.variables["promotion.result"] == done.variables["gitops_promotion_result"] == "opened"
    assert done.summaries[0].startswith("### gitops-promotion new\n")
    assert platform.tags() == {"dev": "1.0.0", "qa": "1.0.0", "prod": "1.0.0"}
    platform.validate(1)
    assert platform.tags() == {"dev": "1.4.2", "qa": "1.0.0", "prod": "1.0.0"}

    done = platform.run("promote.yml")
    assert [outcome["environment"] for outcome in json.loads(done.variables["promotion.outcomes"])] == ["qa"]
    platform.gitops.post_status(
        platform.gitops.branches()["main"], "kustomization/webshop-dev/2fb0a5b0", "succeeded", genre="fluxcd:dev"
    )
    assert platform.validate(2).variables["promotion.result"] == "passed"
    assert platform.tags() == {"dev": "1.4.2", "qa": "1.4.2", "prod": "1.0.0"}

    done = platform.run("heal.yml", Build__Reason="Schedule")
    assert done.variables["promotion.environment"] == "prod"
    assert done.variables["promotion.pull_request_number"] == "3"
    platform.gitops.post_status(platform.gitops.branches()["main"], "kustomization/webshop-qa/2fb0a5b0", "succeeded")
    platform.validate(3)
    assert platform.gitops.pull(3).active, "prod has auto: false"


def test_the_published_verdict_holds_promotions_and_lets_people_through(platform: Platform) -> None:
    platform.gitops.require_status("gitops-promotion")
    platform.gitops.require_build(BUILD, blocking=False)
    platform.run("new.yml", resources__pipeline__webui__runName="1.4.2")
    platform.run("published.yml", Build__Reason="Schedule")
    platform.run("promote.yml")
    done = platform.run("published.yml", Build__Reason="Schedule")
    assert done.variables["promotion.message"].startswith("published pending: ")
    platform.gitops.post_status(platform.gitops.branches()["main"], "kustomization/webshop-dev/2fb0a5b0", "succeeded")
    platform.run("published.yml", Build__Reason="Schedule")
    assert platform.tags() == {"dev": "1.4.2", "qa": "1.4.2", "prod": "1.0.0"}

    platform.gitops.push("readme", {"README.md": "# Ours\n"})
    number = platform.gitops.open_pull_request("readme")
    platform.validate(number, "published.yml")
    assert [status.state for status in platform.gitops.pull(number).statuses] == ["succeeded"]


@pytest.fixture
def play(remote: "Remote", tmp_path: Path, programs: Path, environ: dict[str, str]) -> Callable[..., Done]:
    """Run one of the examples where the remote is plain git."""

    def run(name: str, *, code: int = 0, **more: str) -> Done:
        def checkout(folder: Path) -> None:
            remote.clone(str(folder), "--depth=1", "--no-tags")

        variables = service(branch="main", sha=remote.sha("main"), collection="https://dev.azure.com/acme", more=more)
        secrets = {"System.AccessToken": "s3cr3t"}
        agent = Agent(folder=tmp_path, programs=programs, environ=environ, checkout=checkout, secrets=secrets)
        done = agent.run(EXAMPLES / name, variables)
        assert done.code == code, done.printed
        return done

    return run


def test_started_by_hand_new_says_which_variable_it_lacks(play: Callable[..., Done]) -> None:
    done = play("new.yml", code=2, Build__Reason="Manual")
    ((level, text),) = done.issues
    assert level == "error"
    assert "--tag contains '$(resources.pipeline.webui.runName)', a variable that the pipeline does not define" in text


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
