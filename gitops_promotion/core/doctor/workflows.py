"""The workflows of GitHub that a GitOps repository needs, by the verbs that they run and the events that start them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml
from yaml.error import YAMLError

FOLDER = ".github/workflows/"
_VERB = re.compile(r"^\s*action:\s*[\"']?([a-z-]+)|gitops-promotion +([a-z-]+)", re.MULTILINE)
_OWN_TOKEN = re.compile(r"\$\{\{[^}]*\b(?:github\.token|secrets\.GITHUB_TOKEN)\b", re.IGNORECASE)
_WRITERS = ("new", "promote", "rollback", "feature", "feature-delete", "hold", "release")
_GUIDE = "docs/github.md shows the workflows"


def publishes(text: str) -> bool:
    """Return True if a workflow publishes the verdict as a commit status."""
    return re.search(r"publish:\s*[\"']?true|--publish", text) is not None


def gaps(files: Mapping[str, bytes], *, must_publish: bool) -> Iterator[tuple[str, str, str]]:
    """Yield what is missing: the path of the workflow ("" if there is none), the problem, and what to do."""
    running: dict[str, dict[str, set[str]]] = {}
    for path, content in files.items():
        if path.startswith(FOLDER):
            text = content.decode(errors="replace")
            for verb in {match[1] or match[2] for match in _VERB.finditer(text)}:
                name = "status --publish" if verb == "status" and publishes(text) else verb
                running.setdefault(name, {})[path] = _events(text)
    yield from _gap(running, "promote", {"push"}, "a merge starts no promotion into the next environment")
    if "status --publish" in running or must_publish:
        events = {"status", "pull_request_target", "schedule"}
        yield from _gap(running, "status --publish", events, "the verdict on a pull request is not published in time")
    else:
        yield from _gap(running, "status", {"pull_request"}, "no job checks whether a pull request may merge")


def _gap(
    running: Mapping[str, Mapping[str, set[str]]], verb: str, events: set[str], effect: str
) -> Iterator[tuple[str, str, str]]:
    workflows = running.get(verb, {})
    if not workflows:
        yield "", f"no workflow of the default branch runs `{verb}`, so {effect}", f"add one: {_GUIDE}"
        return
    present = set().union(*workflows.values())
    if "pull_request" in present:
        present.add("pull_request_target")
    if lacking := sorted(events - present):
        path = min(workflows)
        yield path, f"`{verb}` is not started by {' and '.join(lacking)}, so {effect}", f"add it to `on:`; {_GUIDE}"


def gate_jobs(files: Mapping[str, bytes]) -> dict[str, bool]:
    """Return the names of the jobs that wait for the gate, False where the name is an expression."""
    return {name: "${{" not in name for _, name, verbs in _jobs(files) for verb in verbs if verb == "status"}


def without_merge_group(files: Mapping[str, bytes]) -> list[str]:
    """Return the workflows with the gate that a merge queue does not start."""
    gates = {path for path, _, verbs in _jobs(files) if verbs & {"status", "status --publish"}}
    return sorted(path for path in gates if "merge_group" not in _events(files[path].decode(errors="replace")))


def own_tokens(files: Mapping[str, bytes]) -> Iterator[tuple[str, str]]:
    """Yield the workflow and the verb where a step opens or merges pull requests with the workflow's own token."""
    for path, step, verb in _steps(files):
        tokens = [value for key in ("with", "env") for value in _mapping(step.get(key)).values()]
        if verb in _WRITERS and any(_OWN_TOKEN.search(str(token)) for token in tokens):
            yield path, verb


def _jobs(files: Mapping[str, bytes]) -> Iterator[tuple[str, str, set[str]]]:
    """Yield the workflow, the name and the verbs of each job."""
    for path, content in files.items():
        text = content.decode(errors="replace")
        for key, job in _mapping(_document(text).get("jobs")).items() if path.startswith(FOLDER) else ():
            verbs = {_verb(step) for step in _list(_mapping(job).get("steps"))}
            yield path, str(_mapping(job).get("name") or key), verbs


def _steps(files: Mapping[str, bytes]) -> Iterator[tuple[str, Mapping[str, Any], str]]:
    for path, content in files.items():
        for job in _mapping(_document(content.decode(errors="replace")).get("jobs")).values():
            for step in _list(_mapping(job).get("steps")) if path.startswith(FOLDER) else ():
                yield path, _mapping(step), _verb(step)


def _verb(step: object) -> str:
    """Return the verb that a step runs, "" for none."""
    text = yaml.safe_dump(_mapping(step))
    match = _VERB.search(text)
    verb = (match[1] or match[2]) if match else ""
    return "status --publish" if verb == "status" and publishes(text) else verb


def _document(text: str) -> Mapping[str, Any]:
    try:
        return _mapping(yaml.load(text, Loader=yaml.CBaseLoader))  # noqa: S506  the base loader makes strings only
    except YAMLError:
        return {}


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> Sequence[object]:
    return value if isinstance(value, list) else ()


def _events(text: str) -> set[str]:
    on = _document(text).get("on")
    return {on} if isinstance(on, str) else {str(name) for name in on or ()}
