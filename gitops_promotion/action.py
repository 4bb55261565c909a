"""The entry point of the GitHub Action: turns its inputs into one command line, without a shell.

The runner sets `INPUT_<NAME>` for each input of action.yml. Each input with the name of an option becomes that option
of the verb in `action`. The command line checks the values.
"""

import os
from collections.abc import Mapping

import click

from gitops_promotion import cli

VERBS = tuple(name for name, verb in cli.VERBS.items() if verb.in_action)
"""The verbs that the action runs."""

NO_INPUTS = {
    "token": "is passed in the environment, since lists of processes show arguments",
    "remote": "is origin in a checkout of a workflow",
    "output": "is for people; later steps read the outputs of the action",
    "help": "is in README.md",
}
"""Options that are no inputs, each with the reason."""

# Workflows for the Go tool may set these inputs for every action. It ignored those that the action did not use.
_IGNORED_IF_UNUSED = ("group", "app", "tag", "feature")


def options(verb: str) -> dict[str, click.Option]:
    """Return the options of a verb that are inputs, by their names without dashes; none of an unknown verb."""
    params = cli.command(verb).params if verb in VERBS else []
    options = {
        max(param.opts, key=len).removeprefix("--"): param for param in params if isinstance(param, click.Option)
    }
    return {name: option for name, option in options.items() if name not in NO_INPUTS}


def arguments(inputs: Mapping[str, str]) -> list[str]:
    """Return the command line for these inputs, by their names; an empty input counts as absent.

    Inputs without an option of the verb stay in the command line, which refuses them. The exceptions are the four
    inputs that the Go tool ignored: group, app, tag and feature. Without `env`, the first two force no promotion.
    """
    verb = inputs.get("action", "")
    verb_options = options(verb)
    values = {name: text for name, text in inputs.items() if text and name not in ("action", *NO_INPUTS)}
    for name in _IGNORED_IF_UNUSED:
        if name not in verb_options or (verb == "promote" and "env" not in values):
            values.pop(name, None)
    line = [verb]
    for name, text in sorted(values.items()):
        if name in verb_options and verb_options[name].is_flag and text.lower() in ("true", "false"):
            line += [f"--{name}"] if text.lower() == "true" else []
        else:
            line.append(f"--{name}={text}")
    return line


def run() -> None:
    """Run the verb of the input `action` with the other inputs, and exit with its code."""
    names = {"action", *(name for verb in VERBS for name in options(verb))}
    inputs = {name: os.environ.get(f"INPUT_{name.upper()}", "").strip() for name in names}
    # Removed from the environment, so that child processes do not get a second copy of the token.
    if token := os.environ.pop("INPUT_TOKEN", "").strip():
        os.environ["GITOPS_PROMOTION_TOKEN"] = token
    if inputs["action"] not in VERBS:
        from gitops_promotion.core.untrusted import quoted

        click.echo(f"error: the input action is {quoted(inputs['action'])}: give one of {', '.join(VERBS)}", err=True)
        raise SystemExit(2)
    cli.main(arguments(inputs))


if __name__ == "__main__":
    run()
