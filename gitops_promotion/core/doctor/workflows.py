"""The workflows of GitHub that a GitOps repository needs, by the verbs that they run and the events that start them."""

import re
from collections.abc import Iterator, Mapping

import yaml
from yaml.error import YAMLError

FOLDER = ".github/workflows/"
_VERB = re.compile(r"^\s*action:\s*[\"']?([a-z-]+)|gitops-promotion +([a-z-]+)", re.MULTILINE)
_GUIDE = "docs/github.md shows the workflows"


def publishes(text: str) -> bool:
    """Return True if a workflow publishes the verdict as a commit status."""
    return re.search(r"publish:\s*[\"']?true|--publish", text) is not None


def gaps(files: Mapping[str, bytes], *, must_publish: bool) -> Iterator[tuple[str, str, str]]:
    """Yield what is missing: the workflow ("" for none), the problem, and what to do."""
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


def _events(text: str) -> set[str]:
    try:
        document = yaml.load(text, Loader=yaml.CBaseLoader)  # noqa: S506  the base loader makes texts alone
    except YAMLError:
        return set()
    on = document.get("on") if isinstance(document, dict) else None
    return {on} if isinstance(on, str) else {str(name) for name in on or ()}
