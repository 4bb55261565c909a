"""The options that verbs share, and the values of options in messages."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import click
from click.shell_completion import CompletionItem

from gitops_promotion import render
from gitops_promotion.cli import environment, option_values
from gitops_promotion.errors import UsageError

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

# A macro of Azure Pipelines: the agent passes one of an undefined variable on as it is written.
MACRO = re.compile(r"\$\([A-Za-z_][\w.-]*\)")
# Texts by people for people, which may contain anything.
_FREE_TEXTS = ("comment", "description", "reason")
_PATHS = ("sourcedir", "repo", "cache_dir")


def several(*options: Decorator) -> Decorator:
    """Return one decorator that adds the options in the order given."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def output(view: render.View, *names: str) -> Decorator:
    """Return the options for what is printed; `--output` has the formats that can show the view.

    `names` are more names of that option.
    """
    return several(
        environment.option(
            *names,
            "-o",
            "--output",
            "output",
            type=click.Choice(render.formats(view)),
            default=render.DEFAULT,
            help="Output format.",
        ),
        environment.option(
            "-v", "--verbose", is_flag=True, help="Also print each git command and each request, with its time."
        ),
        environment.option("-q", "--quiet", is_flag=True, help="Print only errors to stderr."),
    )


dry_run = click.option("--dry-run", is_flag=True, help="Show the plan with its diff, and change nothing.")
sourcedir = environment.option(
    "--sourcedir", default=".", metavar="DIR", help="The checkout of the GitOps repository [default: .]."
)
checkout = several(
    sourcedir,
    environment.option(
        "--remote", default="", metavar="NAME", help="The remote of the checkout [default: origin, or the only one]."
    ),
    environment.option(
        "--provider",
        default="",
        metavar="NAME",
        help="The forge, such as github [default: found by the remote's address].",
    ),
    environment.option(
        "--token",
        default="",
        # A secret that was pasted or read from a file often ends with a line break.
        callback=lambda _, __, value: value.strip(),
        metavar="TOKEN",
        help="The forge's token; better set GITOPS_PROMOTION_TOKEN in the environment.",
    ),
    click.option(
        "--api-url", default="", metavar="URL", help="The forge's API [default: GITHUB_API_URL, else by the remote]."
    ),
)
connection = several(
    checkout,
    environment.option(
        "--repo",
        default="",
        metavar="URL",
        help="The GitOps repository's address, in place of a checkout: only what is needed is fetched.",
    ),
    environment.option(
        "--cache-dir",
        "cache_dir",
        default="",
        metavar="DIR",
        help="With --repo: a folder that keeps what is fetched for the next run.",
    ),
)
application = several(
    click.option("--group", required=True, help="The group, the first part of its markers."),
    click.option("--app", required=True, help="The application, the second part of its markers."),
)
held = several(
    click.option("--group", required=True, help="The group; * for every one."),
    click.option("--app", required=True, help="The application; * for every one."),
    click.option("--env", "environment", default="*", help="The environment [default: *, every one]."),
    click.option("--tag", default="", help="One tag alone [default: every tag]."),
)
scope = several(
    click.option("--group", default="", help="Only applications of this group."),
    click.option("--app", default="", help="Only this application."),
    click.option("--env", "environment", default="", help="Only this environment."),
)
feature = click.option(
    "--feature",
    "name",
    required=True,
    help="The feature's name, such as pr-123; only its letters, digits and dashes are kept, in lower case.",
)


person = click.option(
    "--as",
    "person",
    default="",
    callback=option_values.one_line,
    metavar="NAME",
    help="With the local provider: who acts [default: git's user.name].",
)
promotion = several(
    click.option("--group", default="", help="The group, the first part of its markers."),
    click.option("--app", default="", help="The application, the second part of its markers."),
    click.option("--env", "environment", default="", help="The environment that the promotion goes into."),
    click.option(
        "--pr",
        "number",
        callback=option_values.number,
        metavar="NUMBER",
        help="The pull request, in place of these.",
    ),
    click.option(
        "--comment",
        default="",
        callback=option_values.one_line,
        metavar="TEXT",
        help="The reason.",
    ),
    person,
)


class Epilog(click.Command):
    """A command whose help ends with examples and the address of a page.

    `page` is a page of this project with a heading, such as `docs/concepts.md#new`.
    """

    def __init__(self, *args: Any, examples: Sequence[str] = (), page: str = "", **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        # click keeps the help option of the first context, which may have no parent to take its names from.
        self.context_settings.setdefault("help_option_names", ["-h", "--help"])
        self.examples = tuple(examples)
        self.page = page

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples and the address of the page; their lines stay whole, to be copied."""
        from gitops_promotion.core.pages import page

        super().format_epilog(ctx, formatter)
        if self.examples:
            formatter.write("\nExamples:\n")
            formatter.write("".join(f"  {example}\n" for example in self.examples))
        if self.page:
            path, _, anchor = self.page.partition("#")
            formatter.write(f"\n{page(path, anchor)}\n")


_NARROWING = frozenset({"group", "app", "env", "environment", "tag", "until"})
"""The options without which some verbs act on all applications or environments, or without an end."""


class Command(Epilog):
    """A command that refuses options given twice and empty values, and completes names from the checkout."""

    def __init__(self, *args: Any, **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        for param in self.params:
            for name in set(param.opts) & set(COMPLETED):
                param.type = Name(COMPLETED[name])

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments.

        Raises click.UsageError for an option that is given twice, since one value would be lost, and for an empty value
        of what narrows the verb: a variable of a CI system that is not set must not widen what it does. Any other empty
        option counts as not given.
        """
        values, _, order = self.make_parser(ctx).parse_args(args=list(args))
        for param in order:
            if isinstance(param, click.Option) and not param.is_flag and order.count(param) > 1:
                raise click.UsageError(f"{max(param.opts, key=len)} is given twice: give it once", ctx)
        # A shell completes the names of a line whose values are not all there.
        for param in () if ctx.resilient_parsing else filter(self._narrows, order):
            value = values.get(param.name or "")
            if value == "" or (isinstance(value, tuple) and "" in value):
                name = max(param.opts, key=len) if isinstance(param, click.Option) else param.human_readable_name
                way = "give a value" if param.required else "give a value, or leave it out"
                raise click.UsageError(f"{name} is empty (a variable of the workflow may not be set): {way}", ctx)
        return super().parse_args(ctx, args)

    def _narrows(self, param: click.Parameter) -> bool:
        """Return True if a verb does more without a parameter; `new` takes what is not given from the event."""
        return isinstance(param, click.Argument) or (self.name != "new" and param.name in _NARROWING)


COMPLETED = {"--group": "group", "--app": "app", "--env": "environment", "--provider": "provider"}
"""The options whose values are completed, with what they name."""


class Name(click.types.StringParamType):
    """The name of a group, application, environment or forge, completed from the checkout."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def shell_complete(self, ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Return the names that begin with what is typed; none where the checkout cannot be read."""
        from gitops_promotion.commands.completion import names

        values = {key: str(value) for key, value in ctx.params.items() if value}
        place = (values.get("sourcedir", "."), values.get("group", ""))
        words = names(self.kind, *place, environment.variables(ctx))
        return [CompletionItem(word) for word in words if word.startswith(incomplete)]


def shorten(text: str, values: Iterable[object]) -> str:
    """Return a message in which each of these values is one line of limited length, however the message quotes it."""
    from pathlib import PurePath

    from gitops_promotion.core import untrusted

    for value in sorted({str(value) for value in values if value}, key=len, reverse=True):
        if len(value) <= untrusted.VALUE_LIMIT:
            break
        short = untrusted.line(value, untrusted.VALUE_LIMIT)
        for spelling in (value, str(PurePath(value)), repr(value)[1:-1], ascii(value)[1:-1]):
            text = text.replace(spelling, short)
    return text


def check(values: Mapping[str, object]) -> None:
    """Check the values of the current command's options and arguments. Raises UsageError.

    A macro of Azure Pipelines is refused, and so are bytes that are not UTF-8, which Python holds as half surrogates;
    paths may have such bytes. A token that is too short to be masked is refused too.
    """
    for param in click.get_current_context().command.params:
        value = values.get(param.name or "")
        if not isinstance(value, str):
            continue
        name = param.opts[-1] if isinstance(param, click.Option) else param.human_readable_name
        source = f" or {param.envvar}" if isinstance(param.envvar, str) else ""
        if param.name not in _FREE_TEXTS and (macro := MACRO.search(value)):
            raise UsageError(
                f"{name}{source} contains {macro[0]!r}, a variable that the pipeline does not define: define it, or "
                "correct its name"
            )
        if param.name not in _PATHS and not _is_utf_8(value):
            raise UsageError(f"{name}{source} contains bytes that are not UTF-8: write it in UTF-8")
        if param.name == "token" and is_too_short(value):
            raise UsageError(f"{name}{source} is too short for a token, and could not be masked: give all of it")


def _is_utf_8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_too_short(token: str) -> bool:
    """Return True for a token that is given but too short to be masked: ordinary words would be masked too."""
    from gitops_promotion.core.secrets import SHORTEST

    return 0 < len(token) < SHORTEST
