"""Azure Pipelines: its variables."""

from collections.abc import Mapping
from urllib.parse import quote

from gitops_promotion.ci.values import HEADS, CIContext, branch, number, sha_or_none

_EVENTS = {"pullrequest": "pull_request", "individualci": "push", "batchedci": "push"}


def context(environ: Mapping[str, str]) -> CIContext:
    """Return what the runner says. Raises UsageError."""

    def value(name: str) -> str:
        # A macro of a variable that does not exist is passed on as it was written.
        text = environ.get(name, "")
        return "" if text.startswith("$(") else text

    reason = value("BUILD_REASON").lower()
    url = ""
    if value("SYSTEM_COLLECTIONURI") and value("SYSTEM_TEAMPROJECT") and value("BUILD_BUILDID"):
        project = f"{value('SYSTEM_COLLECTIONURI').rstrip('/')}/{quote(value('SYSTEM_TEAMPROJECT'), safe='')}"
        url = f"{project}/_build/results?buildId={quote(value('BUILD_BUILDID'), safe='')}"
    if source := value("SYSTEM_PULLREQUEST_SOURCEBRANCH"):
        # For a repository on GitHub the id is an internal one, and the number is what people see; Azure Repos has the
        # id only.
        names = ("SYSTEM_PULLREQUEST_PULLREQUESTNUMBER", "SYSTEM_PULLREQUEST_PULLREQUESTID")
        name = next((name for name in names if value(name)), names[1])
        return CIContext(
            runner="azure",
            event="pull_request",
            head_branch=branch("SYSTEM_PULLREQUEST_SOURCEBRANCH", source),
            head_sha=sha_or_none("SYSTEM_PULLREQUEST_SOURCECOMMITID", value("SYSTEM_PULLREQUEST_SOURCECOMMITID")),
            pull_request=number(name, value(name)),
            foreign=value("SYSTEM_PULLREQUEST_ISFORK").lower() == "true",
            run_url=url,
        )
    source = value("BUILD_SOURCEBRANCH")
    return CIContext(
        runner="azure",
        event=_EVENTS.get(reason, reason),
        head_branch=branch("BUILD_SOURCEBRANCH", source) if source.startswith(HEADS) else "",
        head_sha=sha_or_none("BUILD_SOURCEVERSION", value("BUILD_SOURCEVERSION")),
        run_url=url,
    )
