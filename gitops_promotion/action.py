"""The GitHub Action's way in: its inputs become one command line, without a shell in between.

The runner sets `INPUT_<NAME>` for each input of action.yml. Every input that is named like an option of the verb in
`action` is given to it as that option; the command line then says what is wrong with a value.
"""

import os
from collections.abc import Mapping

import click

from gitops_promotion import cli

VERBS = tuple(name for name, verb in cli.VERBS.items() if verb.in_action)
"""The verbs that the action runs."""

NO_INPUTS = {
    "token": "goes by the environment, since arguments show in lists of processes",
    "output": "the log is for people; later steps read the action's outputs",
    "help": "is in README.md",
}
"""Options that are not handed on, and why."""

# Workflows for the Go tool may give these to every action; it read them where they meant something.
_WHERE_THEY_MEAN_SOMETHING = ("group", "app", "tag", "feature")


def options(verb: str) -> dict[str, click.Option]:
    """Return the options of a verb that are inputs, by their names without dashes; none of an unknown verb."""
    params = cli.command(verb).params if verb in VERBS else []
    options = {
        max(param.opts, key=len).removeprefix("--"): param for param in params if isinstance(param, click.Option)
    }
    return {name: option for name, option in options.items() if name not in NO_INPUTS}


def arguments(inputs: Mapping[str, str]) -> list[str]:
    """Return the command line for these inputs, by their names; an empty input counts as not given.

    Inputs that the verb has no option for are handed on too, for the command line to refuse, but for the four that
    the Go tool passed over: group, app, tag and feature. Without `env`, the first two do not force a promotion.
    """
    verb = inputs.get("action", "")
    has = options(verb)
    given = {name: text for name, text in inputs.items() if text and name not in ("action", *NO_INPUTS)}
    for name in _WHERE_THEY_MEAN_SOMETHING:
        if name not in has or (verb == "promote" and "env" not in given):
            given.pop(name, None)
    line = [verb]
    for name, text in sorted(given.items()):
        if name in has and has[name].is_flag and text.lower() in ("true", "false"):
            line += [f"--{name}"] if text.lower() == "true" else []
        else:
            line.append(f"--{name}={text}")
    return line


def run() -> None:
    """Run the verb that the environment's inputs ask for, and exit with its code."""
    known = {"action", *(name for verb in VERBS for name in options(verb))}
    inputs = {name: os.environ.get(f"INPUT_{name.upper()}", "").strip() for name in known}
    # Taken out of the environment: processes that are started have no use for a second copy of a token.
    if token := os.environ.pop("INPUT_TOKEN", "").strip():
        os.environ["GITOPS_PROMOTION_TOKEN"] = token
    if inputs["action"] not in VERBS:
        click.echo(f"error: the input action is {inputs['action']!r}: give one of {', '.join(VERBS)}", err=True)
        raise SystemExit(2)
    cli.main(arguments(inputs))


if __name__ == "__main__":
    run()
