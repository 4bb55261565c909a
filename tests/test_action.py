"""action.yml and the image say what the command line can do, and nothing stands between the inputs and it."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from gitops_promotion import action, cli
from gitops_promotion.render.outputs import outputs
from tests.support.yaml_core import load

if TYPE_CHECKING:
    from tests.conftest import Checkout, Remote

ROOT = Path(__file__).parents[1]
ACTION: dict[str, Any] = load((ROOT / "action.yml").read_text(encoding="utf-8"))
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
RELEASE = (ROOT / ".github/workflows/release.yml").read_text(encoding="utf-8")
VERBS = action.VERBS
NO_OPTIONS = {"action", "token"}
TOKEN = "ghs_" + "s3cr3t" * 6


def run_action(*, folder: Path, path: str = "", **environ: str) -> subprocess.CompletedProcess[str]:
    """Start what the runner starts in the container, with this interpreter for the image's."""
    (separator, python, *args) = ACTION["runs"]["args"]
    assert (separator, Path(python).name) == ("--", "python")
    return subprocess.run(
        [sys.executable, *args],
        cwd=folder,
        env=dict(os.environ) | {"PATH": path + os.environ["PATH"]} | environ,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def act(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run the action in this process: `act(folder, **variables)` returns exit code, stdout and stderr."""

    def run(folder: Path, **environ: str) -> tuple[int, str, str]:
        monkeypatch.chdir(folder)
        for name, text in environ.items():
            monkeypatch.setenv(name, text)
        with pytest.raises(SystemExit) as ended:
            action.run()
        return int(ended.value.code or 0), *capsys.readouterr()

    return run


def inputs(**values: str) -> dict[str, str]:
    """Return the variables of a runner: every input, absent ones empty."""
    every = dict.fromkeys(ACTION["inputs"], "") | {name.replace("_", "-"): text for name, text in values.items()}
    return {f"INPUT_{name.upper()}": text for name, text in every.items()}


def test_the_inputs_are_the_options_of_the_verbs() -> None:
    options = {name for verb in VERBS for name in action.options(verb)}
    assert set(ACTION["inputs"]) == options | NO_OPTIONS


def test_every_option_that_is_no_input_exists_and_has_a_reason() -> None:
    names = {
        max(option.opts, key=len).removeprefix("--")
        for verb in VERBS
        for option in cli.command(verb).params
        if option.name not in (None, *action.options(verb))
    }
    assert set(action.NO_INPUTS) - {"help"} <= names


def test_inputs_have_the_defaults_of_the_command_line() -> None:
    assert [name for name, value in ACTION["inputs"].items() if "default" in value] == []
    assert {name for name, value in ACTION["inputs"].items() if value["required"]} == NO_OPTIONS


@pytest.mark.parametrize("name", sorted(set(ACTION["inputs"]) - NO_OPTIONS))
def test_an_inputs_description_names_the_verbs_that_have_it(name: str) -> None:
    having = {verb for verb in VERBS if name in action.options(verb)}
    described = set(re.findall(r"`(\S+?)`", ACTION["inputs"][name]["description"])) & set(VERBS)
    assert described == (set() if having == set(VERBS) else having)


def test_the_description_of_the_input_action_names_the_verbs() -> None:
    assert re.findall(r"`(\S+?)`", ACTION["inputs"]["action"]["description"]) == list(VERBS)


def test_the_inputs_of_the_go_tools_action_are_still_there() -> None:
    assert {"action", "token", "group", "app", "tag", "feature"} <= set(ACTION["inputs"])


def test_the_documented_outputs_are_the_real_ones() -> None:
    assert list(ACTION["outputs"]) == list(outputs([], limit=10))


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"action": "new", "group": "g", "app": "a", "tag": "1"}, ["new", "--app=a", "--group=g", "--tag=1"]),
        ({"action": "new", "group": "", "dry-run": ""}, ["new"]),
        ({"action": "new", "tag": "--quiet"}, ["new", "--tag=--quiet"]),
        ({"action": "promote", "all": "true", "dry-run": "false"}, ["promote", "--all"]),
        ({"action": "promote", "all": "True"}, ["promote", "--all"]),
        ({"action": "promote", "all": "yes"}, ["promote", "--all=yes"]),
        ({"action": "promote", "app": "a", "env": "prod"}, ["promote", "--app=a", "--env=prod"]),
        ({"action": "status", "pr": "3", "timeout": "5m"}, ["status", "--pr=3", "--timeout=5m"]),
        ({"action": "status", "output": "json", "token": TOKEN}, ["status"]),
    ],
)
def test_inputs_become_options(values: dict[str, str], line: list[str]) -> None:
    assert action.arguments(values) == line


@pytest.mark.parametrize("verb", ["promote", "status"])
def test_inputs_that_the_go_tool_ignored_do_not_force_a_promotion(verb: str) -> None:
    values = {"action": verb, "group": "g", "app": "a", "tag": "1", "feature": "f"}
    assert action.arguments(values) == [verb]
    assert "--feature=f" not in action.arguments({**values, "action": "new"})


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"action": "promote", "pr": "3"}, "--pr"),
        ({"action": "promote", "all": "yes"}, "--all"),
        ({"action": "status", "timeout": "5"}, "30s, 5m, 1h30m or 7d"),
        ({"action": "demo"}, "give one of new, promote, status"),
        ({"action": ""}, "give one of new, promote, status"),
        ({"action": "new; id"}, "give one of new, promote, status"),
        ({"action": "x" * 100_000}, "x'...: give one of new, promote, status"),
    ],
)
def test_an_input_that_no_verb_takes_is_a_usage_error(
    act: Callable[..., tuple[int, str, str]], tmp_path: Path, values: dict[str, str], text: str
) -> None:
    code, out, err = act(tmp_path, **inputs(**values))
    assert (code, out) == (2, "")
    assert text in err
    assert len(err) < 1000


def test_the_action_promotes_and_later_steps_get_its_outputs(
    remote: "Remote", checkout: "Checkout", tmp_path: Path
) -> None:
    outputs_file = tmp_path / "outputs"
    run = run_action(
        folder=checkout.path,
        GITHUB_ACTIONS="true",
        GITHUB_OUTPUT=str(outputs_file),
        **inputs(action="new", group="webshop", app="webui", tag="1.5.0", provider="local"),
    )
    assert run.returncode == 0, run.stderr
    assert "1.5.0" in remote.show("webshop/dev/webui.yaml", "main")
    names = re.findall(r"^(\w+)<<", outputs_file.read_text(encoding="utf-8"), re.MULTILINE)
    assert names == list(ACTION["outputs"])


@pytest.mark.parametrize("tag", ["$(touch pwned)", "`touch pwned`", "1; touch pwned", "1\n::set-output name=tag::2"])
def test_no_shell_reads_an_input(act: Callable[..., tuple[int, str, str]], checkout: "Checkout", tag: str) -> None:
    values = inputs(action="new", group="webshop", app="webui", tag=tag, provider="local")
    code, out, err = act(checkout.path, GITHUB_ACTIONS="true", **values)
    assert code == 2
    assert not (checkout.path / "pwned").exists()
    assert "\n::set-output" not in out + err


def test_nothing_is_imported_from_the_workspace(checkout: "Checkout", tmp_path: Path) -> None:
    marker = tmp_path / "imported"
    for module in ("click", "gitops_promotion", "os", "sitecustomize"):
        (checkout.path / f"{module}.py").write_text(f"open({str(marker)!r}, 'w')\nraise SystemExit(99)\n")
    run = run_action(
        folder=checkout.path,
        PYTHONPATH=str(checkout.path),
        **inputs(action="new", group="webshop", app="webui", tag="1.5.0", provider="local"),
    )
    assert run.returncode == 0, run.stderr
    assert not marker.exists()


def test_the_token_reaches_no_argument_and_no_second_variable(checkout: "Checkout", tmp_path: Path) -> None:
    """A git in front of the real one writes down how it was called; a pasted secret often ends in a newline."""
    real = shutil.which("git")
    called, token = tmp_path / "called", tmp_path / "token"
    wrapper = tmp_path / "bin" / "git"
    wrapper.parent.mkdir()
    wrapper.write_text(
        f'#!/bin/sh\n{{ echo "$0 $*"; env | grep ^INPUT_TOKEN; }} >>{called}\n'
        f'printf "<%s>" "$GITOPS_PROMOTION_TOKEN" >{token}\nexec {real} "$@"\n'
    )
    wrapper.chmod(0o755)
    run = run_action(
        folder=checkout.path,
        path=f"{wrapper.parent}:",
        **inputs(
            action="new", token=f"{TOKEN}\n", group="webshop", app="webui", tag="1.5", provider="local", verbose="true"
        ),
    )
    assert run.returncode == 0, run.stderr
    assert "push" in called.read_text()
    assert TOKEN not in called.read_text() + run.stdout + run.stderr
    assert token.read_text() == f"<{TOKEN}>"


def test_the_action_starts_a_program_of_the_image() -> None:
    runs = ACTION["runs"]
    assert (runs["using"], runs["entrypoint"]) == ("docker", "/usr/bin/tini")
    folder = str(Path(runs["args"][1]).parents[1])
    assert f"-m venv --without-pip {folder}" in DOCKERFILE
    assert f"COPY --from=package {folder} {folder}" in DOCKERFILE
    last_stage = DOCKERFILE.rpartition("\nFROM ")[2]
    assert re.search(r"--no-install-recommends git openssh-client gpg gpg-agent tini\b", last_stage)
    assert "-I" in runs["args"]


def test_base_images_are_named_by_exact_tags() -> None:
    images = re.findall(r"^FROM (?:--platform=\S+ )?(\S+)", DOCKERFILE, re.MULTILINE)
    assert len(images) == 3
    assert all(re.fullmatch(r"[a-z/]+:\d+\.\d+-[a-z-]+(@sha256:[0-9a-f]{64})?", image) for image in images), images


def test_a_release_names_the_base_images_by_digest(tmp_path: Path) -> None:
    (script,) = re.findall(r"- name: Name the base images by digest\n        run: \|\n((?: {10}.*\n)+)", RELEASE)
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    docker = tmp_path / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text('#!/bin/sh\necho "$*" >>calls\n[ -z "$DIGEST" ] || printf "sha256:%064d\\n" "$(wc -l <calls)"\n')
    docker.chmod(0o755)
    environ = {"PATH": f"{docker.parent}{os.pathsep}{os.environ['PATH']}"}
    command = ["bash", "-eo", "pipefail", "-c", script]
    run = subprocess.run(
        command, cwd=tmp_path, env=environ | {"DIGEST": ""}, capture_output=True, text=True, check=False
    )
    assert (run.returncode, "gave no digest of golang:" in run.stdout) == (1, True), run
    assert (tmp_path / "Dockerfile").read_text() == DOCKERFILE

    (tmp_path / "calls").unlink()
    subprocess.run(command, cwd=tmp_path, env=environ | {"DIGEST": "1"}, check=True)
    pinned = (tmp_path / "Dockerfile").read_text()
    images = re.findall(r"^FROM (?:--platform=\S+ )?(\S+)(?: AS \w+)?$", pinned, re.MULTILINE)
    digests = ["@sha256:" + f"{number:064d}" for number in (1, 2, 2)]
    bases = re.findall(r"^FROM (?:--platform=\S+ )?(\S+)", DOCKERFILE, re.MULTILINE)
    assert images == [base + digest for base, digest in zip(bases, digests, strict=True)]
    assert re.sub(r"@sha256:[0-9]{64}", "", pinned) == DOCKERFILE, "nothing else changes"


@pytest.mark.parametrize("name", ["image", "build"])
def test_everything_that_the_image_installs_has_hashes(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    entries = re.findall(
        r"^([a-z0-9-]+)==([\w.]+) \\\n((?: {4}--hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", text, re.MULTILINE
    )
    comments = re.findall(r"^#.*\n", text, re.MULTILINE)
    assert "".join(comments) + "".join(f"{n}=={version} \\\n{hashes}" for n, version, hashes in entries) == text
    installs = re.findall(
        rf"pip (?:--python \S+ )?install (.*?) -r requirements/{name}\.txt", DOCKERFILE.replace("\\\n", "")
    )
    assert [{"--require-hashes", "--no-deps", "--only-binary=:all:"} <= set(line.split()) for line in installs] == [
        True
    ]


def test_nothing_else_of_the_image_comes_from_a_registry_of_packages() -> None:
    lines = re.findall(r"python -m pip .*", DOCKERFILE.replace("\\\n", ""))
    steps = [step for line in lines for step in line.split(" && ")]
    assert len(steps) == 5
    for step in steps:
        if "venv" not in step:
            assert ("--require-hashes" in step) != (
                "--no-index --no-build-isolation" in step or "--no-index /" in step
            ), step


def test_the_image_has_every_dependency_of_the_package_in_a_version_that_it_accepts() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    versions = dict(
        re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / "requirements" / "image.txt").read_text(), re.MULTILINE)
    )
    for dependency in map(Requirement, project["dependencies"]):
        assert dependency.specifier.contains(versions[canonicalize_name(dependency.name)], prereleases=True), dependency


def test_the_image_is_built_from_the_files_of_the_package() -> None:
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert let_in == {
        "gitops_promotion",
        "pyproject.toml",
        "requirements",
        "README.md",
        "LICENSE",
        "examples",
        "hatch_build.py",
    }


def test_a_release_finds_the_line_for_its_image() -> None:
    (pattern,) = re.findall(r"s\|\^(.*?)\$\|", RELEASE)
    lines = (ROOT / "action.yml").read_text(encoding="utf-8").splitlines()
    assert lines.count(pattern) == 1


def test_the_release_names_every_action_by_its_commit() -> None:
    uses = re.findall(r"uses: (.*)", RELEASE)
    assert len(uses) > 5
    assert [line for line in uses if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line)] == []
    assert "\npermissions: {}\n" in RELEASE
