"""What a run on Azure Pipelines is about, told by its variables, and what the agent is told."""

from pathlib import Path

import pytest

from gitops_promotion.ci import CIContext, azure
from gitops_promotion.errors import Fault, UsageError

A, B = "a" * 40, "b" * 40
AZURE = {
    "TF_BUILD": "True",
    "BUILD_REASON": "IndividualCI",
    "BUILD_SOURCEBRANCH": "refs/heads/main",
    "BUILD_SOURCEVERSION": A,
    "BUILD_BUILDID": "12",
    "SYSTEM_COLLECTIONURI": "https://dev.azure.com/org/",
    "SYSTEM_TEAMPROJECT": "Web Shop",
}
AZURE_URL = "https://dev.azure.com/org/Web%20Shop/_build/results?buildId=12"


def nothing_is_read(path: str) -> str:
    raise AssertionError(f"{path} was read")


def test_a_push_on_azure_has_a_branch_and_no_range() -> None:
    assert azure.context(AZURE, nothing_is_read) == CIContext(
        runner="azure", event="push", head_branch="main", head_sha=A, run_url=AZURE_URL
    )


@pytest.mark.parametrize(
    ("reason", "event"), [("BatchedCI", "push"), ("Schedule", "schedule"), ("Manual", "manual"), ("", "")]
)
def test_the_reason_of_a_build_on_azure_is_its_event(reason: str, event: str) -> None:
    assert azure.context({**AZURE, "BUILD_REASON": reason}, nothing_is_read).event == event


def test_b20_a_pull_request_on_azure_is_its_own_head_and_not_the_runners_merge() -> None:
    environ = {
        **AZURE,
        "BUILD_REASON": "PullRequest",
        "BUILD_SOURCEBRANCH": "refs/pull/5/merge",
        "SYSTEM_PULLREQUEST_SOURCEBRANCH": "refs/heads/promote/apps-web",
        "SYSTEM_PULLREQUEST_SOURCECOMMITID": B,
        "SYSTEM_PULLREQUEST_PULLREQUESTID": "5",
        "SYSTEM_PULLREQUEST_ISFORK": "False",
    }
    expected = CIContext(
        runner="azure",
        event="pull_request",
        head_branch="promote/apps-web",
        head_sha=B,
        pull_request=5,
        run_url=AZURE_URL,
        unreviewed=True,
    )
    assert azure.context(environ, nothing_is_read) == expected
    assert azure.context({**environ, "SYSTEM_PULLREQUEST_ISFORK": "True"}, nothing_is_read).foreign is True
    # An Azure pipeline for a repository on GitHub: a bare branch, and the number people see beside an internal id.
    environ["SYSTEM_PULLREQUEST_SOURCEBRANCH"] = "promote/apps-web"
    environ |= {"SYSTEM_PULLREQUEST_PULLREQUESTID": "123456789", "SYSTEM_PULLREQUEST_PULLREQUESTNUMBER": "5"}
    assert azure.context(environ, nothing_is_read) == expected


def test_a_macro_that_azure_did_not_expand_counts_as_absent() -> None:
    environ = {
        **AZURE,
        "SYSTEM_PULLREQUEST_SOURCEBRANCH": "$(System.PullRequest.SourceBranch)",
        "SYSTEM_PULLREQUEST_PULLREQUESTID": "$(System.PullRequest.PullRequestId)",
    }
    assert azure.context(environ, nothing_is_read) == azure.context(AZURE, nothing_is_read)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BUILD_SOURCEVERSION", "main"),
        ("BUILD_SOURCEBRANCH", "refs/heads/a b"),
        ("SYSTEM_PULLREQUEST_PULLREQUESTID", "5; rm"),
        ("SYSTEM_PULLREQUEST_PULLREQUESTID", ""),
        ("SYSTEM_PULLREQUEST_SOURCEBRANCH", "refs/heads/"),
    ],
)
def test_a_value_of_azure_that_cannot_be_is_named(name: str, value: str) -> None:
    environ = {**AZURE, name: value}
    if name.startswith("SYSTEM"):
        environ.setdefault("SYSTEM_PULLREQUEST_SOURCEBRANCH", "refs/heads/promote/x")
        environ.setdefault("SYSTEM_PULLREQUEST_PULLREQUESTID", "5")
    with pytest.raises(UsageError, match=f"^{name} is "):
        azure.context(environ, nothing_is_read)


ANN = {"BUILD_REQUESTEDFOR": "Ann Lee", "BUILD_REQUESTEDFOREMAIL": "ann@example.org"}


def actor(**more: str) -> str:
    return azure.context({**AZURE, **more}, nothing_is_read).actor


@pytest.mark.parametrize("reason", ["Manual", "IndividualCI", "PullRequest", "ResourceTrigger"])
def test_the_actor_on_azure_is_the_person_the_build_was_queued_for(reason: str) -> None:
    assert actor(BUILD_REASON=reason, **ANN) == "ann@example.org"
    # A server of one's own need not know anybody's address.
    assert actor(BUILD_REASON=reason, BUILD_REQUESTEDFOR="Ann Lee", BUILD_REQUESTEDFOREMAIL="") == "Ann Lee"
    macro = "$(Build.RequestedForEmail)"
    assert actor(BUILD_REASON=reason, BUILD_REQUESTEDFOR="Ann Lee", BUILD_REQUESTEDFOREMAIL=macro) == "Ann Lee"


@pytest.mark.parametrize(
    "name",
    [
        "Microsoft.VisualStudio.Services.TFS",
        "Project Collection Build Service (acme)",
        "Web Shop Build Service (acme)",
        "[DefaultCollection]\\Project Collection Service Accounts",
        "promoter[bot]",
        "",
    ],
)
def test_a_service_account_on_azure_is_no_actor(name: str) -> None:
    assert actor(BUILD_REASON="IndividualCI", BUILD_REQUESTEDFOR=name) == ""


def test_a_schedule_on_azure_has_no_actor() -> None:
    assert actor(BUILD_REASON="Schedule", **ANN) == ""


@pytest.mark.parametrize("name", ["BUILD_REQUESTEDFOR", "BUILD_REQUESTEDFOREMAIL"])
def test_an_actor_on_azure_that_no_account_can_have_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=f"^{name} is "):
        actor(BUILD_REASON="Manual", **{name: "ann\r\nTag: 9.9"})


def test_a_run_url_needs_all_its_parts() -> None:
    for name in ("SYSTEM_COLLECTIONURI", "SYSTEM_TEAMPROJECT", "BUILD_BUILDID"):
        assert azure.context({**AZURE, name: ""}, nothing_is_read).run_url == ""


def test_a_run_that_a_person_starts_on_a_pull_requests_merge_knows_its_number_only() -> None:
    environ = {**AZURE, "BUILD_REASON": "Manual", "BUILD_SOURCEBRANCH": "refs/pull/5/merge"}
    assert azure.context(environ, nothing_is_read) == CIContext(
        runner="azure", event="manual", pull_request=5, run_url=AZURE_URL, dispatched=True, unreviewed=True
    )
    with pytest.raises(UsageError, match=r"^BUILD_SOURCEBRANCH is '0'"):
        azure.context({**environ, "BUILD_SOURCEBRANCH": "refs/pull/0/merge"}, nothing_is_read)


@pytest.mark.parametrize(
    ("provider", "branch", "version"), [("TfsVersionControl", "$/Shop/main", "C15"), ("Svn", "trunk", "15")]
)
def test_a_pipeline_of_another_kind_of_repository_has_no_branch_and_no_commit(
    provider: str, branch: str, version: str
) -> None:
    environ = {**AZURE, "BUILD_SOURCEBRANCH": branch, "BUILD_SOURCEVERSION": version}
    with pytest.raises(UsageError, match=r"^BUILD_SOURCEVERSION is "):
        azure.context(environ, nothing_is_read)
    found = azure.context({**environ, "BUILD_REPOSITORY_PROVIDER": provider}, nothing_is_read)
    assert found == CIContext(runner="azure", event="push", run_url=AZURE_URL)


# Where results go


def read_command(line: str) -> tuple[str, dict[str, str], str]:
    """Read a logging command as the agent does: Command.TryParse and CommandStringConvertor.Unescape."""

    def plain(text: str) -> str:
        for escape, character in (("%3B", ";"), ("%0D", "\r"), ("%0A", "\n"), ("%5D", "]"), ("%AZP25", "%")):
            text = text.replace(escape, character)
        return text

    assert "\n" not in line
    assert "\r" not in line
    start = line.index("##vso[") + len("##vso[")
    end = line.index("]", start)
    name, _, rest = line[start:end].partition(" ")
    pairs = [part.split("=", 1) for part in rest.split(";") if part]
    return name, {key: plain(value) for key, value in pairs}, plain(line[end + 1 :])


HOSTILE = [
    "plain",
    "100%, 50%0A and %AZP25 and %AZP250A and %3B",
    "a\n##vso[task.setvariable variable=result]passed",
    "a\r##vso[task.complete result=Succeeded]",
    "x]##vso[task.setsecret]y",
    "a; isSecret=true; b = c",
    "]",
    "",
    "caf\u00e9 \U0001f40d",
]


@pytest.mark.parametrize("value", HOSTILE)
def test_no_value_can_end_itself_and_give_another_command(value: str) -> None:
    published = azure.publish(AZURE, outputs={"message": value}, summary="x", nonce=lambda: "n")
    assert [read_command(line) for line in published.commands] == [
        ("task.setvariable", {"variable": "message", "isOutput": "true"}, value),
        ("task.setvariable", {"variable": "gitops_promotion_message"}, value),
    ]
    assert read_command(azure.annotation("error", value, value)) == (
        "task.logissue",
        {"type": "error"},
        f"{value}: {value}",
    )
    # The agent leaves out properties without a value; no file has an empty name.
    place = {"sourcepath": f"{value}.yaml", "linenumber": "7"}
    assert read_command(azure.annotation("error", value, value, Fault(f"{value}.yaml", 7, value))) == (
        "task.logissue",
        {"type": "error", **place},
        f"{value}: {value}",
    )
    assert read_command(azure.conceal(value)) == ("task.setsecret", {}, value)


def test_an_agent_that_does_not_decode_percents_sees_no_command_either() -> None:
    # DECODE_PERCENTS=false, and agents before 2.179: `%AZP25` stays as it is.
    line = azure.annotation("warning", "t", "50%0A##vso[task.complete]%5D")
    assert line.count("##vso[") == 2
    assert line.startswith("##vso[task.logissue type=warning]t: 50%AZP250A##vso[task.complete%5D%AZP255D")


def test_there_is_no_notice() -> None:
    assert azure.annotation("notice", "t", "x") == ""


def test_an_output_is_no_longer_than_an_environment_variable_may_be() -> None:
    assert 32_767 - len("GITOPS_PROMOTION_OUTCOMES=") > azure.OUTPUT_LIMIT
    line, _ = azure.publish(AZURE, outputs={"message": "x" * 200_000}, summary="", nonce=lambda: "n").commands
    assert len(read_command(line)[2]) == azure.OUTPUT_LIMIT


def test_the_summary_is_a_file_of_its_own_that_the_agent_is_told_to_upload(tmp_path: Path) -> None:
    environ = {**AZURE, "AGENT_TEMPDIRECTORY": str(tmp_path / "a;]b")}
    (tmp_path / "a;]b").mkdir()
    nonces = iter(("1" * 32, "2" * 32))
    texts = []
    for summary in ("| a \udc80 |\n", "| b |\n"):
        (line,) = azure.publish(environ, outputs={}, summary=summary, nonce=lambda: next(nonces)).commands
        name, _, path = read_command(line)
        assert name == "task.uploadsummary"
        assert Path(path).suffix == ".md"
        texts.append(Path(path))
    assert [path.read_text() for path in texts] == ["| a \\udc80 |\n", "| b |\n"]


def test_a_folder_that_is_not_to_be_had_is_a_warning_and_outputs_are_set_all_the_same(tmp_path: Path) -> None:
    environ = {**AZURE, "AGENT_TEMPDIRECTORY": str(tmp_path / "gone")}
    published = azure.publish(environ, outputs={"tag": "1"}, summary="x", nonce=lambda: "n")
    (warning,) = published.warnings
    assert warning.startswith("AGENT_TEMPDIRECTORY ")
    assert warning.endswith("(No such file or directory): mount the agent's folders in this step")
    assert len(published.commands) == 2


@pytest.mark.parametrize("folder", ["", "$(Agent.TempDirectory)"])
def test_without_a_folder_there_is_no_summary(folder: str) -> None:
    published = azure.publish({**AZURE, "AGENT_TEMPDIRECTORY": folder}, outputs={}, summary="x", nonce=lambda: "n")
    assert (published.commands, published.warnings) == ((), ())
