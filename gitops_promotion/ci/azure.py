"""Azure Pipelines: its variables, and the commands its agent reads in a log.

The agent's source defines commands and their escapes: https://github.com/microsoft/azure-pipelines-agent/tree/master/src,
Microsoft.VisualStudio.Services.Agent/Command.cs and Agent.Worker/TaskCommandExtension.cs.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

from gitops_promotion.ci.context import HEADS, CIContext, Level, Published, Values
from gitops_promotion.errors import Fault

NAME = "azure"
OUTPUT_LIMIT = 30_000
"""Characters of an output: it becomes a variable of every later step's environment, and Windows takes 32,767 for one.

Linux takes 128 KiB, and starts no program at all with a longer one.
"""

OBEYS = re.compile(r"#(?=#(?:\[|vso))", re.IGNORECASE)
"""`##vso[command]` and `##[command]` anywhere in a line. The agent warns about `##vso` without a command."""
INPUTS_ADVICE = "; an empty variable or parameter counts as not given"

_SWITCH = "TF_BUILD"
_VALUES = Values(_SWITCH)
_EVENTS = {"pullrequest": "pull_request", "individualci": "push", "batchedci": "push"}
_NO_GIT = ("tfsversioncontrol", "svn")
# Accounts that no person signs in with; they queue builds for schedules and for pushes by pipelines:
# https://learn.microsoft.com/azure/devops/pipelines/build/variables#identity_values
_SERVICE = re.compile(
    r"^Microsoft\.VisualStudio\.Services\.|\bBuild Service\b|\bProject Collection Service Accounts$|\[bot\]$",
    re.IGNORECASE,
)
_MERGE = re.compile(r"refs/pull/([0-9]+)/merge")


def here(environ: Mapping[str, str]) -> bool:
    """Return True on Azure Pipelines."""
    return environ.get(_SWITCH, "").lower() == "true"


def context(environ: Mapping[str, str], read: Callable[[str], str]) -> CIContext:
    """Return the subject of the run. Raises UsageError."""
    del read  # no event file
    by_hand = _value(environ, "BUILD_REASON").lower() == "manual"
    return replace(_build_context(environ), actor=_actor(environ), dispatched=by_hand)


def _actor(environ: Mapping[str, str]) -> str:
    """Return the person for whom the build was queued: the mail address, as votes name people, else the name.

    "" for a schedule, and for an account that no person signs in with.
    """
    mail, full_name = "BUILD_REQUESTEDFOREMAIL", "BUILD_REQUESTEDFOR"
    if _value(environ, "BUILD_REASON").lower() == "schedule" or _SERVICE.search(_value(environ, full_name)):
        return ""
    variable = mail if _value(environ, mail) else full_name
    return _VALUES.person(variable, _value(environ, variable))


def _build_context(environ: Mapping[str, str]) -> CIContext:
    reason = _value(environ, "BUILD_REASON").lower()
    url = _run_url(environ)
    if source := _value(environ, "SYSTEM_PULLREQUEST_SOURCEBRANCH"):
        # For a repository on GitHub the id is internal, and the number is the pull request's; Azure Repos has only
        # the id.
        numbers = ("SYSTEM_PULLREQUEST_PULLREQUESTNUMBER", "SYSTEM_PULLREQUEST_PULLREQUESTID")
        number = next((variable for variable in numbers if _value(environ, variable)), numbers[1])
        commit = "SYSTEM_PULLREQUEST_SOURCECOMMITID"
        return CIContext(
            runner=NAME,
            event="pull_request",
            head_branch=_VALUES.branch("SYSTEM_PULLREQUEST_SOURCEBRANCH", source),
            head_sha=_VALUES.sha_or_none(commit, _value(environ, commit)),
            pull_request=_VALUES.number(number, _value(environ, number)),
            foreign=_value(environ, "SYSTEM_PULLREQUEST_ISFORK").lower() == "true",
            run_url=url,
            unreviewed=True,
        )
    if _value(environ, "BUILD_REPOSITORY_PROVIDER").lower() in _NO_GIT:
        # This is the pipeline of an application in such a repository; it checks out the GitOps repository beside it.
        return CIContext(runner=NAME, event=_EVENTS.get(reason, reason), run_url=url)
    source = _value(environ, "BUILD_SOURCEBRANCH")
    if merge := _MERGE.fullmatch(source):
        # Somebody started it by hand on the merge of a pull request: only its number is known, the commit is temporary.
        number_of_merge = _VALUES.number("BUILD_SOURCEBRANCH", merge[1])
        return CIContext(runner=NAME, event=reason, pull_request=number_of_merge, run_url=url, unreviewed=True)
    return CIContext(
        runner=NAME,
        event=_EVENTS.get(reason, reason),
        head_branch=_VALUES.branch("BUILD_SOURCEBRANCH", source) if source.startswith(HEADS) else "",
        head_sha=_VALUES.sha_or_none("BUILD_SOURCEVERSION", _value(environ, "BUILD_SOURCEVERSION")),
        run_url=url,
    )


def _value(environ: Mapping[str, str], variable: str) -> str:
    # The agent leaves a macro as it was written if the variable does not exist.
    text = environ.get(variable, "")
    return "" if text.startswith("$(") else text


def _run_url(environ: Mapping[str, str]) -> str:
    variables = ("SYSTEM_COLLECTIONURI", "SYSTEM_TEAMPROJECT", "BUILD_BUILDID")
    collection, project, build = (_value(environ, variable) for variable in variables)
    if not (collection and project and build):
        return ""
    project, build = (quote(text, safe="", errors="surrogateescape") for text in (project, build))
    return f"{collection.rstrip('/')}/{project}/_build/results?buildId={build}"


def inputs(environ: Mapping[str, str], read: Callable[[str], str]) -> dict[str, str]:
    """Return no inputs: a pipeline passes its parameters on as options."""
    del environ, read
    return {}


def annotation(level: Level, title: str, text: str, fault: Fault | None = None) -> str:
    """Return the command that shows a text on the run's page, "" for a notice: the agent has none."""
    if level == "notice":
        return ""
    place = f";sourcepath={_escaped(fault.path)};linenumber={fault.line or 1}" if fault else ""
    return f"##vso[task.logissue type={level}{place}]{_escaped(f'{title}: {text}')}"


def conceal(secret: str) -> str:
    """Return the command after which the agent masks a text in its log."""
    return f"##vso[task.setsecret]{_escaped(secret)}"


def publish(
    environ: Mapping[str, str], *, outputs: Mapping[str, str], summary: str, nonce: Callable[[], str]
) -> Published:
    """Return the commands that set outputs as variables and upload a summary, which is written to a file.

    Each output is set twice. As an output of the step, which needs a name, it is for other jobs. As a variable with the
    prefix `gitops_promotion_`, which overwrites no `tag` or `branch` of the pipeline, it is for later steps of the job.
    """
    commands = []
    for output, value in outputs.items():
        text = _escaped(value[:OUTPUT_LIMIT])
        commands.append(f"##vso[task.setvariable variable={output};isOutput=true]{text}")
        commands.append(f"##vso[task.setvariable variable=gitops_promotion_{output}]{text}")
    folder = _value(environ, "AGENT_TEMPDIRECTORY")
    if not folder:
        return Published(commands=tuple(commands))
    # The agent reads the file later, so the next run must write to another one.
    path = Path(folder, f"gitops-promotion-{nonce()[:8]}.md")
    try:
        with path.open("x", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
            file.write(summary)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        warning = f"AGENT_TEMPDIRECTORY {folder!r} cannot be written ({reason}): mount the agent's folders in this step"
        return Published(commands=tuple(commands), warnings=(warning,))
    return Published(commands=(*commands, f"##vso[task.uploadsummary]{_escaped(str(path))}"))


def _escaped(text: str) -> str:
    # The percent sign comes first: `%0A` in a text must not come out as the end of a line.
    for character, escape in {"%": "%AZP25", "\r": "%0D", "\n": "%0A", "]": "%5D", ";": "%3B"}.items():
        text = text.replace(character, escape)
    return text
