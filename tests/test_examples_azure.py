"""The example pipelines and the guide for Azure DevOps use what there is, as safely as they can."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gitops_promotion import cli
from gitops_promotion.core.forge import OWN_CONTEXT
from gitops_promotion.render.outputs import outputs
from tests.support.yaml_core import load

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "examples/azure").glob("*.y*ml"))
GUIDE = (ROOT / "docs/azure-devops.md").read_text(encoding="utf-8")


PIPELINES: dict[str, dict[str, Any]] = {path.name: load(path.read_text(encoding="utf-8")) for path in FILES}
FENCES: list[str] = re.findall(r"^(?: {2})?```yaml\n(.*?)^(?: {2})?```$", GUIDE, re.MULTILINE | re.DOTALL)


def jobs(pipeline: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The jobs of a pipeline: of its stages, its own, or the steps that stand for one."""
    for stage in pipeline.get("stages", [pipeline]):
        yield from stage.get("jobs", [stage] if "steps" in stage else [])


def steps(pipeline: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for job in jobs(pipeline):
        yield from steps_of(job)


def steps_of(job: dict[str, Any]) -> list[dict[str, Any]]:
    """The steps of a job; one that waits for the approvals of an environment has them in a strategy."""
    found: list[dict[str, Any]] = job.get("strategy", {}).get("runOnce", {}).get("deploy", job).get("steps", [])
    return found


def every_step() -> list[tuple[str, dict[str, Any]]]:
    """The steps of the examples and of everything else in the guide that has steps."""
    files = {path.read_text(encoding="utf-8") for path in FILES}
    shown = [load(text) for text in FENCES if text not in files and "---" not in text]
    found = [(name, step) for name, pipeline in PIPELINES.items() for step in steps(pipeline)]
    return found + [("docs/azure-devops.md", step) for document in shown for step in steps(document)]


STEPS = every_step()
SCRIPTS = [
    (where, step, step.get("script") or step["inputs"]["inlineScript"])
    for where, step in STEPS
    if "script" in step or "inlineScript" in step.get("inputs", {})
]
OURS = [(where, step) for where, step, script in SCRIPTS if script.startswith("gitops-promotion ")]


def test_there_are_pipelines_for_both_repositories_and_both_ways() -> None:
    gitops = {"new.yml", "new-job.yml", "promote.yml", "status.yml", "published.yml", "vote.yml", "heal.yml"}
    gitops |= {"feature-job.yml", "feature-delete.yml", "feature-stale.yml", "board.yml", "rollback.yml"}
    apps = {"app-release.yml", "app-calls-new.yml", "app-preview.yml", "app-wait.yml"}
    assert set(PIPELINES) == {*apps, *gitops}
    assert {where for where, _ in OURS} == {*gitops - {"new.yml"}, "app-wait.yml", "docs/azure-devops.md"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_guide_shows_each_file_to_the_letter(path: Path) -> None:
    assert path.read_text(encoding="utf-8") in FENCES


@pytest.mark.parametrize(("where", "step", "script"), SCRIPTS)
def test_a_command_line_in_a_step_is_understood(where: str, step: dict[str, Any], script: str) -> None:
    for line in script.splitlines():
        if line.startswith("gitops-promotion "):
            _, verb, *words = shlex.split(line)
            cli.command(verb).make_context(verb, words)


@pytest.mark.parametrize(("where", "step"), OURS)
def test_a_script_gets_every_value_by_its_environment_and_the_token_too(where: str, step: dict[str, Any]) -> None:
    assert not re.search(r"\$\(|\$\{\{|\$\[", step["script"]), "a value with a quote would break out of the script"
    assert set(re.findall(r"\$(\w+)", step["script"])) == set(step["env"]) - {"SYSTEM_ACCESSTOKEN"}
    assert step["env"]["SYSTEM_ACCESSTOKEN"] == "$(System.AccessToken)"


@pytest.mark.parametrize("name", sorted({where for where, _ in OURS} & set(PIPELINES)))
def test_a_job_is_short_in_our_image_and_keeps_no_credentials(name: str) -> None:
    job, *_ = jobs(PIPELINES[name])
    assert int(job["timeoutInMinutes"]) <= 20
    # The image has an entry point, and an agent starts it by a command of its own.
    assert job["container"] == {"image": "ghcr.io/OWNER/gitops-promotion:2.0.0", "options": '--entrypoint=""'}
    checkout, step, *_ = steps_of(job)
    assert checkout["fetchDepth"] == "1"
    assert "persistCredentials" not in checkout
    expected = "board" if name == "board.yml" else "promotion"
    assert step["name"] == expected, "other jobs read its outputs by this name"


def test_what_starts_each_pipeline() -> None:
    on_main = {"batch": "true", "branches": {"include": ["main"]}}
    assert {name: PIPELINES[name]["trigger"] for name in PIPELINES if not name.endswith("-job.yml")} == {
        "app-release.yml": {"branches": {"include": ["main"]}},
        "app-calls-new.yml": {"branches": {"include": ["main"]}},
        "app-wait.yml": "none",
        "new.yml": "none",
        "promote.yml": on_main,
        "status.yml": "none",
        "published.yml": on_main,
        "vote.yml": "none",
        "heal.yml": "none",
        "rollback.yml": "none",
        "board.yml": on_main,
        "app-preview.yml": "none",
        "feature-delete.yml": "none",
        "feature-stale.yml": "none",
    }
    for name in ("published.yml", "heal.yml", "feature-stale.yml", "board.yml"):
        (schedule,) = PIPELINES[name]["schedules"]
        assert schedule["always"] == "true", "else it runs after a change only"
    assert "--all" in next(step["script"] for where, step in OURS if where == "heal.yml")


def test_the_pipeline_for_votes_looks_as_the_published_one_does_and_uses_nothing_of_the_event() -> None:
    assert PIPELINES["vote.yml"]["jobs"] == PIPELINES["published.yml"]["jobs"]
    assert "parameters." not in (ROOT / "examples/azure/vote.yml").read_text(encoding="utf-8")
    assert "change *Votes score changed*" in GUIDE


def test_the_run_that_waits_for_people_ends_before_its_job_and_fails_where_nothing_was_looked_at() -> None:
    wait, tell = jobs(PIPELINES["app-wait.yml"])
    step = wait["steps"][1]
    _, _, *words = shlex.split(step["script"])
    timeout = words[words.index("--timeout") + 1]
    assert int(timeout.removesuffix("m")) < int(wait["timeoutInMinutes"])
    assert step["continueOnError"] == "true"
    read = {name: text[text.index("promotion.") :] for name, text in tell["variables"].items()}
    assert read == {name: f"promotion.{name}'] ]" for name in read}
    assert set(read) <= set(outputs([], limit=10))
    assert tell["steps"][-1]["script"].endswith("exit 1")


@pytest.mark.parametrize(
    ("name", "template"),
    [("new.yml", "new-job.yml"), ("app-calls-new.yml", "new-job.yml"), ("app-preview.yml", "feature-job.yml")],
)
def test_a_template_gets_the_parameters_that_it_has(name: str, template: str) -> None:
    has = {parameter["name"]: "default" in parameter for parameter in PIPELINES[template]["parameters"]}
    call = next(job for job in jobs(PIPELINES[name]) if "template" in job)
    assert call["template"].partition("@")[0].removeprefix("pipelines/") == template
    assert {each for each, optional in has.items() if not optional} <= set(call["parameters"]) <= set(has)
    # Where another repository's pipeline calls it, its own is what `self` means.
    assert ("@" in call["template"]) == (call["parameters"].get("repository") == "gitops")


def test_a_preview_is_cleared_away_by_the_name_it_was_shown_under() -> None:
    call = next(job for job in jobs(PIPELINES["app-preview.yml"]) if "template" in job)
    assert call["parameters"]["feature"] == "pr-$(System.PullRequest.PullRequestId)"
    delete = PIPELINES["feature-delete.yml"]
    assert delete["variables"]["number"] == "${{ parameters.WebHook.resource.pullRequestId }}"
    (step,) = (step for where, step in OURS if where == "feature-delete.yml")
    assert step["env"]["FEATURE"] == "pr-$(number)"


def test_the_tag_that_is_promoted_is_the_one_that_was_pushed() -> None:
    pushed = {
        name: step["inputs"]["tags"]
        for name in ("app-release.yml", "app-calls-new.yml", "app-preview.yml")
        for step in steps(PIPELINES[name])
        if step.get("task", "").startswith("Docker@")
    }
    assert pushed["app-release.yml"] == "$(Build.BuildNumber)"
    for name in ("app-calls-new.yml", "app-preview.yml"):
        call = next(job for job in jobs(PIPELINES[name]) if "template" in job)
        assert call["parameters"]["tag"] == pushed[name]
    new = PIPELINES["new.yml"]
    (source,) = new["resources"]["pipelines"]
    # The name of a run is its Build.BuildNumber.
    assert new["jobs"][0]["parameters"]["tag"] == f"$(resources.pipeline.{source['pipeline']}.runName)"


def test_the_guide_names_the_policies_that_hold_a_promotion() -> None:
    assert re.search(rf"status to check `{OWN_CONTEXT}`", GUIDE)
    assert "*Build Validation*, *Add build policy*: the pipeline `status`" in GUIDE


def test_the_guides_outputs_are_those_that_are_set() -> None:
    part = GUIDE.partition("\n## Outputs of a step\n")[2].partition("\n\nLater steps")[0].rpartition("\n\n")[2]
    assert re.findall(r"`(\w+)`", part) == list(outputs([], limit=10))
