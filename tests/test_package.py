"""The package and its release: what the index shows, and what the workflows run."""

import json
import os
import re
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gitops_promotion.errors import ProviderError
from gitops_promotion.providers.azure_devops import api
from tests.support.yaml_core import load

ROOT = Path(__file__).parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def test_links_of_the_description_work_outside_of_the_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    # The library that builds the package is not needed to read the links.
    interface = SimpleNamespace(MetadataHookInterface=object)
    for name in ("hatchling", "hatchling.metadata", "hatchling.metadata.plugin", "hatchling.metadata.plugin.interface"):
        monkeypatch.setitem(sys.modules, name, interface)
    scope = runpy.run_path(str(ROOT / "hatch_build.py"))
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    text = scope["description"](readme, PROJECT["urls"]["Homepage"])
    outside = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    links = re.findall(r"\]\(([^)\s]+)\)", outside)
    assert len(links) > 20
    assert [link for link in links if not re.match(r"https://|#", link)] == []
    assert re.findall(r"```.*?```", text, re.DOTALL) == re.findall(r"```.*?```", readme, re.DOTALL)


def test_every_python_of_the_classifiers_is_tried_in_ci() -> None:
    versions = [c.rpartition(" ")[2] for c in PROJECT["classifiers"] if re.search(r"Python :: 3\.\d+$", c)]
    ci = load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
    assert ci["jobs"]["checks"]["strategy"]["matrix"]["python"] == versions
    assert f">={versions[0]}" == PROJECT["requires-python"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_every_action_is_pinned_by_its_commit(path: Path) -> None:
    uses = re.findall(r"uses: (\S+)(.*)", path.read_text(encoding="utf-8"))
    assert uses
    for name, comment in uses:
        assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", name), name
        assert re.fullmatch(r" # v\d+\.\d+\.\d+", comment), name


def test_everything_that_the_image_is_built_from_has_its_hash() -> None:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    installs = [part for part in re.split(r"\n|&&", text) if re.search(r"\bpip\b.* install ", part)]
    assert len(installs) == 3
    for install in installs:
        assert "--no-index" in install or "--require-hashes --only-binary=:all: -r requirements/" in " ".join(
            install.split()
        )
    for path in (ROOT / "requirements").glob("*.txt"):
        wanted = path.read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
        wanted = [line for line in wanted if line.strip() and not line.lstrip().startswith("#")]
        assert wanted
        for line in wanted:
            assert re.fullmatch(r"[\w.-]+==\S+( ;.*?)?(\s+--hash=sha256:[0-9a-f]{64})+\s*", line), line[:80]


@pytest.mark.parametrize("digest", [f"sha256:{'a' * 64}", "", "sha256:short", "not found"])
def test_a_release_names_every_base_image_by_its_digest_or_stops(tmp_path: Path, digest: str) -> None:
    release = load((ROOT / ".github/workflows/release.yml").read_text(encoding="utf-8"))
    (step,) = (
        step
        for job in release["jobs"].values()
        for step in job.get("steps", ())
        if step.get("name") == "Name the base images by digest"
    )
    docker = tmp_path / "docker"
    docker.write_text(f"#!/bin/sh\necho '{digest}'\n")
    docker.chmod(0o755)
    (tmp_path / "Dockerfile").write_text((ROOT / "Dockerfile").read_text(encoding="utf-8"))
    variables = os.environ | {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
    done = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == (0 if digest.endswith("aaa") else 1), done.stderr
    bases = re.findall(r"^FROM (?:--platform=\S+ )?(\S+)", (tmp_path / "Dockerfile").read_text(), re.MULTILINE)
    assert len(bases) == 3
    if done.returncode == 0:
        assert [base for base in bases if not base.endswith(f"@{digest}")] == []


def test_the_forms_of_issues_and_dependabot_are_yaml() -> None:
    paths = [*(ROOT / ".github").glob("ISSUE_TEMPLATE/*.yml"), ROOT / ".github" / "dependabot.yml"]
    assert len(paths) == 4
    for path in paths:
        assert load(path.read_text(encoding="utf-8"))


def test_a_client_library_that_cannot_be_imported_is_an_error_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "msrest.exceptions", None)
    api._sdk.cache_clear()
    try:
        with pytest.raises(ProviderError, match=r"cannot be imported \(.*msrest.*\): install `azure-devops`"):
            api._sdk()
    finally:
        monkeypatch.undo()
        api._sdk.cache_clear()


def test_the_ruleset_to_import_requires_the_check_of_the_waiting_workflow() -> None:
    ruleset = json.loads((ROOT / "examples" / "github" / "ruleset.json").read_text(encoding="utf-8"))
    rules = {rule["type"]: rule.get("parameters", {}) for rule in ruleset["rules"]}
    status = load((ROOT / "examples/github/status.yml").read_text(encoding="utf-8"))
    [check] = rules["required_status_checks"]["required_status_checks"]
    assert [check["context"]] == list(status["jobs"])
    assert {"deletion", "non_fast_forward", "pull_request"} <= set(rules)
    assert ruleset["bypass_actors"] == []


def test_the_reusable_workflow_takes_what_new_takes_and_puts_no_input_into_a_script() -> None:
    workflow = load((ROOT / ".github/workflows/send-image.yml").read_text(encoding="utf-8"))
    inputs = workflow["on"]["workflow_call"]["inputs"]
    assert {"group", "app", "tag"} < set(inputs)
    assert all("${{" not in step.get("run", "") for step in workflow["jobs"]["send"]["steps"])
