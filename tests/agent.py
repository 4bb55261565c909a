"""An agent of Azure Pipelines: runs the jobs of the example pipelines, their scripts in a real shell.

What it does to variables, macros and commands is what microsoft/azure-pipelines-agent does (VarUtil, Variables,
Command, TaskCommandExtension); what the service does before that, such as templates, is as its documentation says.
"""

import os
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.yaml_core import load

_COMMAND = re.compile(r"##vso\[(\S+?)(?: (.*?))?\](.*)")
_ESCAPES = (("%3B", ";"), ("%0D", "\r"), ("%0A", "\n"), ("%5D", "]"), ("%AZP25", "%"))


@dataclass(frozen=True, kw_only=True)
class Done:
    """How a job ended: the exit code of the script that ended it, what was printed, and what the agent was told."""

    code: int
    printed: str
    variables: Mapping[str, str]
    issues: list[tuple[str, str]]
    summaries: list[str]


@dataclass(frozen=True, kw_only=True)
class Agent:
    """One machine; `checkout` makes a shallow checkout of what a job is about in the folder that it is given.

    `programs` is a folder with what the container image of the jobs has on its PATH.
    """

    folder: Path
    programs: Path
    environ: Mapping[str, str]
    checkout: Callable[[Path], object]
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)

    def run(self, pipeline: Path, variables: Mapping[str, str]) -> Done:
        """Run the steps of a pipeline's jobs; `variables` by their names as the documentation writes them."""
        number = len(list(self.folder.glob("run-*")))
        work = self.folder / f"run-{number}"
        (work / "temp").mkdir(parents=True)
        known = {**variables, "TF_BUILD": "True", "Agent.TempDirectory": str(work / "temp")}
        printed, issues, summaries, code = "", [], [], 0
        for step in steps(pipeline):
            if "checkout" in step:
                assert step == {"checkout": "self", "fetchDepth": "1"}
                self.checkout(work / "s")
                continue
            done = self._script(step, known, work)
            printed += done.stdout
            for line in re.split(r"[\r\n]+", done.stdout):
                if command := _COMMAND.search(line):
                    name, properties, text = command[1], _properties(command[2] or ""), plain(command[3])
                    if name == "task.setvariable":
                        own = f"{step['name']}." if properties.get("isOutput") == "true" else ""
                        known[own + properties["variable"]] = text
                    elif name == "task.logissue":
                        issues.append((properties["type"], text))
                    elif name == "task.uploadsummary":
                        summaries.append(Path(text).read_text(encoding="utf-8"))
                    else:
                        raise AssertionError(line)
            if done.returncode:
                code = done.returncode
                break
        return Done(code=code, printed=printed, variables=known, issues=issues, summaries=summaries)

    def _script(
        self, step: Mapping[str, Any], known: Mapping[str, str], work: Path
    ) -> subprocess.CompletedProcess[str]:
        environ = {
            **self.environ,
            "PATH": f"{self.programs}{os.pathsep}{self.environ['PATH']}",
            **{re.sub(r"[. ]", "_", name).upper(): text for name, text in known.items()},
            **{name: macros(text, {**known, **self.secrets}) for name, text in step.get("env", {}).items()},
        }
        file = work / "script.sh"
        file.write_text(macros(step["script"], known))
        return subprocess.run(
            ["bash", "--noprofile", "--norc", str(file)],
            cwd=work / "s",
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )


def steps(pipeline: Path) -> Iterator[dict[str, Any]]:
    """The steps of a pipeline's jobs, templates of the same folder put in."""
    for job in load(pipeline.read_text(encoding="utf-8"))["jobs"]:
        if "template" not in job:
            yield from job["steps"]
            continue
        template = (pipeline.parent / job["template"]).read_text(encoding="utf-8")
        defaults = {each["name"]: each.get("default") for each in load(template)["parameters"]}
        for inner in load(template)["jobs"]:
            yield from _with_parameters(inner["steps"], {**defaults, **job["parameters"]})


def _with_parameters(node: Any, parameters: Mapping[str, str]) -> Any:
    if isinstance(node, dict):
        return {key: _with_parameters(value, parameters) for key, value in node.items()}
    if isinstance(node, list):
        return [_with_parameters(value, parameters) for value in node]
    if isinstance(node, str):
        return re.sub(r"\$\{\{ parameters\.(\w+) \}\}", lambda found: parameters[found[1]], node)
    return node


def macros(text: str, known: Mapping[str, str]) -> str:
    """Put variables in for `$(name)`; one that does not exist stays as it is written."""
    names = {name.lower(): value for name, value in known.items()}
    return re.sub(r"\$\(([^()]+)\)", lambda found: names.get(found[1].lower(), found[0]), text)


def plain(text: str) -> str:
    """Undo the escapes of a command, in the agent's order."""
    for escape, character in _ESCAPES:
        text = text.replace(escape, character)
    return text


def _properties(text: str) -> dict[str, str]:
    pairs = [part.split("=", 1) for part in text.split(";") if part]
    return {key: plain(value) for key, value in pairs}
