"""The command line as a step of an Azure pipeline, in the checkout that an agent makes: one commit, detached."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gitops_promotion import cli

if TYPE_CHECKING:
    from tests.conftest import Checkout, Remote

NEW = ("new", "--group=webshop", "--app=webui", "--tag=1.4.2")
COMMAND = re.compile(r"##vso\[(\S+?)(?: (.*?))?\](.*)")
OWN_COMMANDS = {"task.setvariable", "task.logissue", "task.uploadsummary"}


@pytest.fixture
def agents(remote: "Remote") -> "Checkout":
    """What the agent leaves: depth 1, no branch, and for a pull request a merge that only it has."""
    checkout = remote.clone("agent", "--depth=1", "--no-tags")
    checkout.git("checkout", "--quiet", "--detach")
    return checkout


@pytest.fixture
def step(
    agents: "Checkout", capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., tuple[str, str]]:
    """Run a verb as a pipeline's step; returns stdout and stderr."""
    (tmp_path / "temp").mkdir()
    variables = {
        "TF_BUILD": "True",
        "AGENT_TEMPDIRECTORY": str(tmp_path / "temp"),
        "BUILD_REASON": "IndividualCI",
        "BUILD_SOURCEBRANCH": "refs/heads/main",
        "BUILD_SOURCEVERSION": agents.sha(),
        "BUILD_BUILDID": "12",
        "SYSTEM_COLLECTIONURI": "https://dev.azure.com/acme/",
        "SYSTEM_TEAMPROJECT": "Web Shop",
    }

    def run(*args: str, code: int = 0, **changes: str) -> tuple[str, str]:
        for name, text in (variables | changes).items():
            monkeypatch.setenv(name, text)
        capsys.readouterr()
        with pytest.raises(SystemExit) as raised:
            cli.main([*args, "--sourcedir", str(agents.path)])
        printed = capsys.readouterr()
        assert (raised.value.code or 0) == code, printed.out + printed.err
        return printed.out, printed.err

    return run


def commands(text: str) -> list[tuple[str, str, str]]:
    """What an agent obeys, wherever in a line it stands."""
    matches = (COMMAND.search(line) for line in re.split(r"[\r\n]", text))
    return [(match[1], match[2] or "", match[3]) for match in matches if match]


def variables(text: str) -> dict[str, str]:
    return {
        properties.removeprefix("variable="): value
        for name, properties, value in commands(text)
        if name == "task.setvariable"
    }


def test_a_step_sets_outputs_for_its_own_job_and_for_others_and_uploads_a_summary(
    step: Callable[..., Any], remote: "Remote", tmp_path: Path
) -> None:
    out, err = step(*NEW, "--quiet")
    assert "##" not in out
    values = variables(err)
    for name, value in {"result": "merged", "tag": "1.4.2", "previous_tag": "1.0.0", "environment": "dev"}.items():
        assert values[f"{name};isOutput=true"] == values[f"gitops_promotion_{name}"] == value
    (outcome,) = json.loads(values["gitops_promotion_outcomes"].replace("%5D", "]"))
    assert outcome["app"] == "webui"
    ((_, _, path),) = [command for command in commands(err) if command[0] == "task.uploadsummary"]
    assert Path(path).parent == tmp_path / "temp"
    assert "| merged | `webshop/webui` | `1.0.0` → `1.4.2` | `dev` |" in Path(path).read_text()
    assert "1.4.2" in remote.show("webshop/dev/webui.yaml", "main")


def test_an_error_is_an_issue_of_the_run(step: Callable[..., Any]) -> None:
    _, err = step("new", "--group=webshop", "--app=nope", "--tag=1", code=2)
    ((_, properties, text),) = [command for command in commands(err) if command[0] == "task.logissue"]
    assert properties == "type=error"
    assert text.startswith("failed: webshop/nope 1: ")
    assert variables(err)["result;isOutput=true"] == "failed"


def test_an_error_in_a_file_is_an_issue_at_its_line(step: Callable[..., Any], remote: "Remote") -> None:
    remote.commit({"gitops-promotion.yaml": "environments:\n  - {name: dev, auto: true}\nprflow: nope\n"})
    _, err = step("promote", code=2)
    ((_, properties, text),) = [command for command in commands(err) if command[0] == "task.logissue"]
    assert properties == "type=error;sourcepath=gitops-promotion.yaml;linenumber=3"
    assert text.startswith("gitops-promotion: failed: gitops-promotion.yaml:3: ")


def test_promote_after_a_merge_compares_all_applications_without_a_range(
    step: Callable[..., Any], remote: "Remote"
) -> None:
    step(*NEW)
    out, _ = step("promote", BUILD_SOURCEVERSION=remote.sha("main"))
    assert out.startswith("opened     webshop/webui 1.0.0 -> 1.4.2 in qa")


def test_b20_status_in_the_build_of_a_pull_request_judges_its_head(
    step: Callable[..., Any], remote: "Remote", agents: "Checkout"
) -> None:
    step(*NEW)
    step("promote")
    head = remote.sha("promote/webshop-webui")
    agents.git("fetch", "--quiet", "--depth=1", "origin", head)
    agents.git("checkout", "--quiet", head)
    merge = agents.git("commit-tree", "-p", head, "-m", "Merge pull request 2", f"{head}^{{tree}}")
    agents.git("checkout", "--quiet", merge)
    build = {
        "BUILD_REASON": "PullRequest",
        "BUILD_SOURCEBRANCH": "refs/pull/2/merge",
        "BUILD_SOURCEVERSION": merge,
        "SYSTEM_PULLREQUEST_SOURCEBRANCH": "refs/heads/promote/webshop-webui",
        "SYSTEM_PULLREQUEST_SOURCECOMMITID": head,
        "SYSTEM_PULLREQUEST_PULLREQUESTID": "2",
        "SYSTEM_PULLREQUEST_ISFORK": "False",
    }
    out, err = step("status", "--timeout=0", code=4, **build)
    assert "webshop/webui 1.4.2 has no status yet" in out
    assert [properties for name, properties, _ in commands(err) if name == "task.logissue"] == ["type=warning"]
    step("local", "set-status", "main", "kustomization/webshop-dev", "success")
    # Started by hand on the same ref, a build is told the number only.
    by_hand = dict.fromkeys((name for name in build if name.startswith("SYSTEM")), "") | {"BUILD_REASON": "Manual"}
    out, _ = step("status", "--timeout=0", **(build | by_hand))
    assert out.startswith("passed     webshop/webui 1.4.2 in qa")


@pytest.mark.parametrize(
    "text",
    ["x ##vso[task.setvariable variable=x]y", "##VSO[task.complete result=Succeeded;]", "a\n##[error]b", "##vso"],
)
def test_no_option_can_give_the_agent_a_command(text: str, step: Callable[..., Any]) -> None:
    for args in (
        ("new", "--group=webshop", "--app=webui", f"--tag={text}"),
        ("new", f"--group={text}", "--app=webui", "--tag=1", "--output=json"),
        ("promote", f"--{text}"),
        ("promote", f"--env={text}", "--app=webui"),
    ):
        out, err = step(*args, code=2)
        assert "##" not in out
        assert {name for name, _, _ in commands(err)} <= OWN_COMMANDS
        lines = [line for line in err.split("\n") if line.startswith("##vso[task.")]
        assert err.count("##") == len(lines), "in an output it would become a command where a later step prints it"


@pytest.mark.parametrize("name", ["tag", "Build.BuildNumber", "my-tag"])
def test_an_undefined_variable_is_named(name: str, step: Callable[..., Any]) -> None:
    for tag in (f"$({name})", f"1.4.$({name})"):
        _, err = step("new", "--group=webshop", "--app=webui", f"--tag={tag}", code=2)
        assert f"error: --tag contains '$({name})', a variable that the pipeline does not define: define it, or" in err
    assert variables(err)["result;isOutput=true"] == "failed"


def test_a_token_that_is_an_undefined_variable_is_not_sent(
    step: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITOPS_PROMOTION_TOKEN", "$(PROMOTION_TOKEN)")
    _, err = step("promote", code=2)
    assert (
        "--token or GITOPS_PROMOTION_TOKEN contains '$(PROMOTION_TOKEN)', a variable that the pipeline does not define"
        in err
    )


def test_a_description_may_contain_a_variable(step: Callable[..., Any]) -> None:
    step("local", "set-status", "main", "kustomization/webshop-dev", "success", "--description", "ran $(make)")


def test_an_empty_option_counts_as_absent(step: Callable[..., Any]) -> None:
    step(*NEW, "--built-at=", "--api-url=", "--provider=")
    _, err = step("new", "--group=webshop", "--app=webui", "--tag=", code=2)
    assert "error: --tag missing: give it; an empty variable or parameter counts as not given" in err
    _, err = step("status", "--pr=", "--timeout=", "--interval=", code=2)
    assert "no pull request to check" in err
    assert "is not the number of a pull request" in step("status", "--pr=0", code=2)[1]
