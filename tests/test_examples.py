"""The example workflows and the guide use what there is, as safely as they can."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gitops_promotion import action, cli
from gitops_promotion.core.forge import OWN_CONTEXT
from tests.support.yaml_core import load

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "examples/github").glob("*.y*ml"))
GUIDE = (ROOT / "docs/github.md").read_text(encoding="utf-8")
INPUTS = load((ROOT / "action.yml").read_text(encoding="utf-8"))["inputs"]
OURS = "OWNER/gitops-promotion@v2"


WORKFLOWS: dict[str, dict[str, Any]] = {path.name: load(path.read_text(encoding="utf-8")) for path in FILES}


def fences(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)


def steps(workflow: Any) -> Iterator[dict[str, Any]]:
    """All steps of a workflow, or of a list of steps."""
    if isinstance(workflow, list):
        yield from workflow
    for job in workflow.get("jobs", {}).values() if isinstance(workflow, dict) else ():
        yield from job.get("steps", ())  # one that calls another workflow has none


def every_step() -> list[tuple[str, dict[str, Any]]]:
    """The steps of the examples and of everything else in the guide that has steps."""
    shown = [
        load(text)
        for text in fences("yaml")
        if text not in {path.read_text(encoding="utf-8") for path in FILES} and "---" not in text
    ]
    found = [(name, step) for name, workflow in WORKFLOWS.items() for step in steps(workflow)]
    return found + [("docs/github.md", step) for document in shown for step in steps(document)]


STEPS = every_step()


def test_there_are_examples_for_both_repositories_and_both_ways() -> None:
    assert set(WORKFLOWS) == {
        *("app-release.yml", "new.yml", "promote.yml", "status.yml", "published.yml", "heal.yml"),
        *("app-preview.yml", "feature.yml", "feature-stale.yml", "review.yml", "app-wait.yml"),
        *("board.yml", "board-pages.yml", "rollback.yml"),
    }
    assert sum(step.get("uses") == OURS for _, step in STEPS) >= 6


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_guide_shows_each_file_to_the_letter(path: Path) -> None:
    assert path.read_text(encoding="utf-8") in fences("yaml")


@pytest.mark.parametrize(("where", "step"), [(w, s) for w, s in STEPS if s.get("uses", "").startswith("OWNER/")])
def test_a_step_gives_the_action_what_its_verb_has(where: str, step: dict[str, Any]) -> None:
    assert step["uses"] == OURS
    given = dict(step["with"])
    verb = given.pop("action")
    assert given.pop("token")
    assert verb in cli.VERBS
    assert given.keys() <= INPUTS.keys() & action.options(verb).keys(), where
    line = action.arguments({"action": verb, **{name: str(value) for name, value in given.items()}})
    command = cli.command(verb)
    with command.make_context(verb, line[1:]) as understood:
        assert all(understood.params[each.name] for each in command.params if each.name in given), where


def commands() -> Iterator[tuple[str, str]]:
    for where, step in STEPS:
        for line in str(step.get("run", "")).splitlines():
            if line.strip().startswith("gitops-promotion "):
                yield where, line.strip()


@pytest.mark.parametrize(("where", "line"), sorted(commands()))
def test_a_command_line_in_a_step_is_understood(where: str, line: str) -> None:
    _, verb, *words = line.split()
    cli.command(verb).make_context(verb, words)


def test_b41_what_must_start_workflows_is_done_with_an_apps_token() -> None:
    for name, workflow in WORKFLOWS.items():
        made = {step["id"] for step in steps(workflow) if "create-github-app-token@" in step.get("uses", "")}
        for step in steps(workflow):
            if step.get("uses") == OURS and step["with"]["action"] not in ("status", "wait", "board"):
                assert step["with"]["token"] in {f"${{{{ steps.{id_}.outputs.token }}}}" for id_ in made}, name


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_job_has_the_permissions_that_it_names_and_no_more(name: str) -> None:
    workflow = WORKFLOWS[name]
    assert workflow["permissions"] == {}
    for step in steps(workflow):
        uses, given = step.get("uses", ""), step.get("with", {})
        if "create-github-app-token@" in uses:
            assert any(key.startswith("permission-") for key in given), "else the token has all that the App has"
        if uses.startswith("actions/checkout@"):
            assert given["persist-credentials"] is False
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] <= 30


@pytest.mark.parametrize("name", WORKFLOWS)
def test_the_guides_table_of_permissions_is_what_the_workflows_ask_for(name: str) -> None:
    rows = re.findall(r"^\| (`.*?`) \| (\w+) \| (\w+) \| (\w+) \| (\w+) \|$", GUIDE, re.MULTILINE)
    table = {verb: levels for verbs, *levels in rows for verb in re.findall(r"`(.*?)`", verbs)}
    for job in WORKFLOWS[name]["jobs"].values():
        for step in job["steps"]:
            if step.get("uses") != OURS:
                continue
            verb = step["with"]["action"] + (" --publish" if step["with"].get("publish") else "")
            made = next((s["with"] for s in job["steps"] if "create-github-app-token@" in s.get("uses", "")), None)
            asked = job["permissions"] if made is None else {k.removeprefix("permission-"): v for k, v in made.items()}
            areas = ("contents", "pull-requests", "statuses", "checks")
            assert [asked.get(area, "none") for area in areas] == table[verb]


@pytest.mark.parametrize(("where", "step"), [(w, s) for w, s in STEPS if w != "docs/github.md"])
def test_nothing_from_outside_is_put_into_a_script_and_actions_are_named_by_commit(
    where: str, step: dict[str, Any]
) -> None:
    assert "${{" not in step.get("run", ""), where
    uses = step.get("uses", OURS)
    assert uses == OURS or re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}", uses), where


def test_what_the_application_sends_is_what_new_reads() -> None:
    script = next(step["run"] for step in steps(WORKFLOWS["app-release.yml"]) if "run" in step)
    sent = dict(re.findall(r'--raw-field "?([\w\[\]]+)=(\S+?)"?(?=\s|$)', script))
    assert {"client_payload[group]", "client_payload[app]", "client_payload[tag]"} == set(sent) - {"event_type"}
    assert WORKFLOWS["new.yml"]["on"]["repository_dispatch"]["types"] == [sent["event_type"]]
    assert set(WORKFLOWS["new.yml"]["on"]["workflow_dispatch"]["inputs"]) == {"group", "app", "tag"}


def test_a_git_tag_that_starts_a_build_names_one_image_only() -> None:
    # `tags` of the build is a list, separated by commas or lines: v1,ghcr.io/acme/cart:2 would push a second image.
    release = WORKFLOWS["app-release.yml"]
    build = next(step for step in steps(release) if "/build-push-action@" in step.get("uses", ""))
    assert build["with"]["tags"] == "ghcr.io/acme/webui:${{ github.ref_name }}"
    # In a filter of GitHub a dot is a dot, and `+` repeats the set in front of it.
    patterns = [pattern.replace(".", r"\.") for pattern in release["on"]["push"]["tags"]]
    assert not any(set(pattern) & set("*?!") for pattern in patterns)
    started = {
        name
        for name in ("v1.4.2", "v10.0.12", "v1,ghcr.io/acme/cart:2", "v1.4.2,b", "v1.4.2\nb", "v1.4/2")
        if any(re.fullmatch(pattern, name) for pattern in patterns)
    }
    assert started == {"v1.4.2", "v10.0.12"}


def test_a_push_is_never_dropped_for_another_and_lost_ones_are_made_up_for() -> None:
    assert "concurrency" not in WORKFLOWS["promote.yml"], "GitHub cancels all waiting runs of a group but one"
    heal = WORKFLOWS["heal.yml"]
    assert heal["on"]["schedule"]
    assert [step["with"]["all"] for step in steps(heal) if step.get("uses") == OURS] == [True]


def test_new_waits_for_its_own_application_only() -> None:
    group = WORKFLOWS["new.yml"]["concurrency"]["group"]
    assert {"client_payload.group", "client_payload.app", "inputs.group", "inputs.app"} <= set(
        re.findall(r"(?:github\.event\.)?((?:client_payload|inputs)\.\w+)", group)
    )


def test_publishing_does_not_start_itself_and_runs_no_workflow_of_a_pull_request() -> None:
    published = WORKFLOWS["published.yml"]
    assert {"status", "schedule", "merge_group"} < set(published["on"])
    assert "pull_request" not in published["on"], "it would run with secrets what the pull request says"
    (job,) = published["jobs"].values()
    assert f"github.event.context != '{OWN_CONTEXT}'" in job["if"]
    checkout = next(step for step in job["steps"] if step.get("uses", "").startswith("actions/checkout@"))
    assert "ref" not in checkout["with"], "the default branch, not the pull request"


def test_a_review_starts_publishing_by_a_run_that_can_do_nothing() -> None:
    review = WORKFLOWS["review.yml"]
    assert set(review["on"]) == {"pull_request_review"}, "the one event of reviews: it runs the pull request's own file"
    assert set(review["on"]["pull_request_review"]["types"]) == {"submitted", "edited", "dismissed"}
    assert review["permissions"] == {}
    assert "secrets" not in (ROOT / "examples/github/review.yml").read_text(encoding="utf-8")
    assert list(steps(review)) == [{"run": "true"}]
    trigger = WORKFLOWS["published.yml"]["on"]["workflow_run"]
    assert trigger == {"workflows": [review["name"]], "types": ["completed"]}


def test_the_run_that_waits_for_people_ends_before_its_job_and_fails_where_nothing_was_looked_at() -> None:
    (job,) = WORKFLOWS["app-wait.yml"]["jobs"].values()
    wait = next(step for step in job["steps"] if step.get("uses") == OURS)
    assert int(wait["with"]["timeout"].removesuffix("m")) < job["timeout-minutes"]
    assert wait["continue-on-error"] is True
    assert "exit 1" in job["steps"][-1]["run"]
    names = {name for step in job["steps"] for name in re.findall(r"steps\.wait\.outputs\.(\w+)", str(step))}
    assert names <= load((ROOT / "action.yml").read_text(encoding="utf-8"))["outputs"].keys()


def test_a_run_for_a_pull_request_is_dropped_for_no_other() -> None:
    group = WORKFLOWS["published.yml"]["concurrency"]["group"]
    for key in ("pull_request.number", "workflow_run.pull_requests[0].number", "merge_group.head_ref"):
        assert f"github.event.{key}" in group
    assert WORKFLOWS["published.yml"]["concurrency"]["cancel-in-progress"] is False


@pytest.mark.parametrize("name", ["status.yml", "published.yml"])
def test_a_required_check_answers_the_merge_queue_too(name: str) -> None:
    assert "merge_group" in WORKFLOWS[name]["on"]


def test_the_guide_names_the_checks_that_the_workflows_make() -> None:
    (job,) = WORKFLOWS["status.yml"]["jobs"]
    assert re.search(rf"^   - `{job}`, from \*GitHub Actions\*", GUIDE, re.MULTILINE)
    assert re.search(rf"^   - `{OWN_CONTEXT}`, from your App", GUIDE, re.MULTILINE)


def test_the_guides_table_of_inputs_is_complete() -> None:
    part = GUIDE.partition("\n## The action\n")[2].partition("\nSwitches")[0]
    rows = re.findall(r"^\| (`.*?) \|", part, re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`(.*?)`", row)} == set(INPUTS)


CHANNEL = re.compile(r"GITOPS_PROMOTION_NOTIFY_TEAM: \$[{(]")


@pytest.mark.parametrize("folder", ["github", "azure"])
def test_what_runs_on_the_default_branch_shows_where_channels_go_and_nothing_else_does(folder: str) -> None:
    pages = (ROOT / "examples" / folder).glob("*.yml")
    shown = {page.stem.removesuffix("-job") for page in pages if CHANNEL.search(page.read_text(encoding="utf-8"))}
    assert shown - {"vote"} == {"new", "promote", "heal", "published", "rollback"}
