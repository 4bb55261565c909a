"""What a run on GitHub is about, told by its environment and event file, and what the runner is told."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from gitops_promotion import ci
from gitops_promotion.ci import CIContext, Published, github, runner, shell
from gitops_promotion.ci import context as ci_context
from gitops_promotion.errors import Fault, UsageError

A, B, ZERO = "a" * 40, "b" * 40, "0" * 40
GITHUB = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_EVENT_PATH": "event.json",
    "GITHUB_SERVER_URL": "https://ghe.example.com",
    "GITHUB_REPOSITORY": "org/gitops",
    "GITHUB_RUN_ID": "77",
    "GITHUB_REF": "refs/heads/main",
    "GITHUB_SHA": A,
}
PULL_REQUEST = {
    "number": 5,
    "pull_request": {
        "number": 5,
        "head": {"ref": "promote/apps-web", "sha": B, "repo": {"full_name": "org/gitops"}},
        "base": {"ref": "main", "sha": A, "repo": {"full_name": "org/gitops"}},
    },
}


def nothing_is_read(path: str) -> str:
    raise AssertionError(f"{path} was read")


def on_github(event: str, payload: object = None, **more: str) -> CIContext:
    def read(path: str) -> str:
        assert path == "event.json"
        return payload if isinstance(payload, str) else json.dumps(payload)

    return github.context({**GITHUB, "GITHUB_EVENT_NAME": event, **more}, nothing_is_read if payload is None else read)


def changed(document: Mapping[str, Any], path: str, value: object) -> dict[str, Any]:
    """A copy with one value replaced."""
    key, _, rest = path.partition(".")
    return {**document, key: changed(document[key], rest, value) if rest else value}


def test_a_shell_has_an_empty_context() -> None:
    environ = {"HOME": "/root", "GITHUB_SHA": A}
    assert runner(environ).context(environ, nothing_is_read) == CIContext()


# GitHub


def test_a_push_on_github_is_its_range() -> None:
    assert on_github("push", {"ref": "refs/heads/main", "before": A, "after": B}) == CIContext(
        runner="github",
        event="push",
        head_branch="main",
        head_sha=B,
        before=A,
        after=B,
        run_url="https://ghe.example.com/org/gitops/actions/runs/77",
    )


@pytest.mark.parametrize(("before", "after", "head"), [(ZERO, B, B), (A, ZERO, ""), ("0" * 64, "b" * 64, "b" * 64)])
def test_a_branch_just_made_or_deleted_has_no_range(before: str, after: str, head: str) -> None:
    found = on_github("push", {"ref": "refs/heads/main", "before": before, "after": after})
    assert (found.before, found.after, found.head_sha) == ("", "", head)


def test_a_pushed_tag_is_no_branch_and_no_range() -> None:
    found = on_github("push", {"ref": "refs/tags/main", "before": A, "after": B})
    assert (found.head_branch, found.before, found.after) == ("", "", "")


@pytest.mark.parametrize("event", ["pull_request", "pull_request_target", "pull_request_review"])
def test_b20_a_pull_request_is_its_own_head_and_not_the_runners_merge(event: str) -> None:
    found = on_github(event, PULL_REQUEST, GITHUB_REF="refs/pull/5/merge", GITHUB_HEAD_REF="promote/apps-web")
    assert found == CIContext(
        runner="github",
        event="pull_request",
        head_branch="promote/apps-web",
        head_sha=B,
        pull_request=5,
        run_url="https://ghe.example.com/org/gitops/actions/runs/77",
        unreviewed=event != "pull_request_target",
    )


@pytest.mark.parametrize("repository", [{"full_name": "stranger/gitops"}, None, {}])
def test_b25_a_pull_request_of_a_fork_is_foreign_even_if_the_fork_is_gone(repository: object) -> None:
    assert on_github("pull_request", changed(PULL_REQUEST, "pull_request.head.repo", repository)).foreign is True


def test_a_merge_group_is_its_range() -> None:
    group = {"head_ref": "refs/heads/gh-readonly-queue/main/pr-5-x", "head_sha": B, "base_sha": A}
    found = on_github("merge_group", {"merge_group": group})
    assert (found.event, found.head_branch) == ("merge_group", "gh-readonly-queue/main/pr-5-x")
    assert (found.head_sha, found.before, found.after) == (B, A, B)
    assert found.unreviewed


@pytest.mark.parametrize("event", ["schedule", "workflow_dispatch", "repository_dispatch"])
def test_other_events_need_no_event_file(event: str) -> None:
    found = on_github(event)
    assert (found.event, found.head_branch, found.head_sha) == (event, "main", A)
    assert (found.before, found.after, found.pull_request) == ("", "", None)
    assert on_github(event, GITHUB_REF="refs/tags/main").head_branch == ""


def test_an_event_file_is_read_up_to_a_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "event.json"
    path.write_text('{"ü": 1}', encoding="utf-8")
    monkeypatch.setattr(ci_context, "EVENT_LIMIT", 9)
    assert ci.read_file(str(path)) == '{"ü": 1}'
    monkeypatch.setattr(ci_context, "EVENT_LIMIT", 8)
    with pytest.raises(ValueError, match="more than 8 bytes"):
        ci.read_file(str(path))


@pytest.mark.parametrize(
    ("run", "number"),
    [
        ({"event": "pull_request_review", "pull_requests": [{"number": 5}]}, 5),
        ({"event": "pull_request_review", "pull_requests": []}, None),
        ({"event": "pull_request_review", "pull_requests": [{"number": "5"}]}, None),
        ({"event": "pull_request_review", "pull_requests": [{"number": True}]}, None),
        ({"event": "pull_request_review", "pull_requests": [5]}, None),
        ({"event": "push", "pull_requests": [{"number": 5}]}, None),
        ({"event": "pull_request_review"}, None),
        (None, None),
    ],
)
def test_the_run_after_a_review_is_about_its_pull_request(run: object, number: int | None) -> None:
    found = on_github("workflow_run", {"workflow_run": run})
    # The branch of such a run is the default one, whatever was reviewed.
    assert (found.pull_request, found.head_branch) == (number, "" if number else "main")
    assert found.event == ("pull_request" if number else "workflow_run")
    assert not found.unreviewed


def test_a_status_event_names_its_context() -> None:
    found = on_github("status", {"context": "gitops-promotion", "sha": B, "state": "success"})
    assert (found.event, found.status_context, found.head_branch) == ("status", "gitops-promotion", "main")
    with pytest.raises(UsageError, match=r"^context of the event file 'event\.json' is None"):
        on_github("status", {})


# Who started the run


@pytest.mark.parametrize("event", ["workflow_dispatch", "repository_dispatch", "push", "status"])
def test_the_actor_is_whoever_started_or_reran_the_run(event: str) -> None:
    payload = {"ref": "refs/heads/main", "before": A, "after": B, "context": "ci"}
    environ = {"GITHUB_ACTOR": "bob", "GITHUB_TRIGGERING_ACTOR": "ann"}
    assert on_github(event, payload, **environ).actor == "ann"
    assert on_github("pull_request", PULL_REQUEST, **environ).actor == "ann"


def test_a_bot_a_schedule_and_an_unnamed_starter_are_no_actor() -> None:
    assert on_github("workflow_dispatch", GITHUB_TRIGGERING_ACTOR="promoter[bot]").actor == ""
    assert on_github("schedule", GITHUB_TRIGGERING_ACTOR="ann").actor == ""
    assert on_github("workflow_dispatch", GITHUB_ACTOR="ann").actor == ""


@pytest.mark.parametrize("name", ["ann\nTag: 9.9", "ann\x1b[2J", "a" * 257])
def test_an_actor_that_no_account_can_have_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=r"^GITHUB_TRIGGERING_ACTOR is "):
        on_github("workflow_dispatch", GITHUB_TRIGGERING_ACTOR=name)


# What a dispatch asks for


def inputs_of(event: str, payload: object, **more: str) -> dict[str, str]:
    return github.inputs({**GITHUB, "GITHUB_EVENT_NAME": event, **more}, lambda _: json.dumps(payload))


@pytest.mark.parametrize(("event", "key"), [("repository_dispatch", "client_payload"), ("workflow_dispatch", "inputs")])
def test_a_dispatch_may_name_group_app_and_tag(event: str, key: str) -> None:
    sent = {"group": "webshop", "app": "webui", "tag": "1.10", "feature": "x", "built_at": 5}
    sent |= {"env": "prod", "override_gates": True, "override_hold": True, "reason": "x", "again": True, "as": "ann"}
    assert inputs_of(event, {key: sent}) == {"group": "webshop", "app": "webui", "tag": "1.10"}
    assert inputs_of(event, {key: {"app": "webui", "tag": None, "group": ""}}) == {"app": "webui"}
    assert inputs_of(event, {key: None}) == {}
    assert inputs_of(event, {}) == {}


@pytest.mark.parametrize("value", [1.1, 5, True, ["1.0"], {"a": "b"}, [], 0])
def test_a_tag_that_is_no_string_is_refused_and_not_made_one(value: object) -> None:
    with pytest.raises(UsageError) as caught:
        inputs_of("repository_dispatch", {"client_payload": {"tag": value}})
    text = str(caught.value)
    assert text.startswith("client_payload.tag of the event file 'event.json' is ")
    assert text.endswith("not a string: send it in quotes, or give --tag")


@pytest.mark.parametrize("payload", [5, ["group"], True])
def test_a_payload_that_is_no_object_is_refused(payload: object) -> None:
    with pytest.raises(UsageError, match=r"^client_payload\.group of the event file"):
        inputs_of("repository_dispatch", {"client_payload": payload})


def test_only_a_dispatch_on_github_has_inputs() -> None:
    for event in ("push", "pull_request", "schedule", "status", ""):
        assert github.inputs({**GITHUB, "GITHUB_EVENT_NAME": event}, nothing_is_read) == {}
    for environ in ({}, {"TF_BUILD": "True"}):
        environ["GITHUB_EVENT_NAME"] = "repository_dispatch"
        assert runner(environ).inputs(environ, nothing_is_read) == {}


def test_a_long_hostile_value_is_shown_short_and_on_one_line() -> None:
    with pytest.raises(UsageError) as caught:
        inputs_of("repository_dispatch", {"client_payload": {"tag": ["\n::set-output name=result::passed"] * 1000}})
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300


# Where results go


def read_outputs(text: str) -> dict[str, str]:
    """Read the file as GitHub's runner does: `name<<delimiter`, lines, and a line that is the delimiter."""
    values: dict[str, str] = {}
    lines = iter(text.split("\n"))
    for line in lines:
        if not line:
            continue
        equals, heredoc = line.find("="), line.find("<<")
        if heredoc < 0 or 0 <= equals < heredoc:
            name, _, value = line.partition("=")
            values[name] = value
            continue
        name, delimiter = line.split("<<", 1)
        value_lines = []
        for inner in lines:
            if inner == delimiter:
                break
            value_lines.append(inner)
        else:
            raise AssertionError(f"no end of {name}")
        values[name] = "\n".join(value_lines)
    return values


HOSTILE = [
    "1.0\nresult=passed",
    "x\nend-1\nresult<<y\npassed\ny",
    "end-1",
    "end-1\nend-2\nresult=passed",
    "a\r\nb",
    "%0Aresult=passed",
    "::set-output name=result::passed",
    "name<<EOF",
    "",
    "\n\n",
    "caf\u00e9 \U0001f40d \udc80",
]


@pytest.mark.parametrize("value", HOSTILE)
def test_no_value_can_end_itself_and_set_another_output(value: str, tmp_path: Path) -> None:
    file = tmp_path / "output"
    file.write_text("before=kept\n")
    guesses = iter(["end-1", "end-2", "end-3"])
    environ = {**GITHUB, "GITHUB_OUTPUT": str(file)}
    outputs = {"result": "refused", "message": value, "tag": "1.0"}
    assert github.publish(environ, outputs=outputs, summary="", nonce=lambda: next(guesses)) == Published()
    expected = value.replace("\udc80", "\\udc80")
    with file.open(encoding="utf-8", newline="") as opened:
        assert read_outputs(opened.read()) == {"before": "kept", "result": "refused", "message": expected, "tag": "1.0"}


def test_the_summary_is_appended_and_a_file_that_is_not_to_be_had_is_a_warning(tmp_path: Path) -> None:
    file = tmp_path / "summary"
    file.write_text("# Mine\n")
    environ = {**GITHUB, "GITHUB_OUTPUT": str(tmp_path / "gone" / "output"), "GITHUB_STEP_SUMMARY": str(file)}
    (warning,) = github.publish(environ, outputs={"tag": "1"}, summary="| a |\n", nonce=lambda: "n").warnings
    assert warning.startswith("GITHUB_OUTPUT ")
    assert warning.endswith("(No such file or directory): mount the runner's files in this step")
    assert file.read_text() == "# Mine\n| a |\n"


def test_without_the_runner_or_its_files_nothing_is_written(tmp_path: Path) -> None:
    file = tmp_path / "output"
    for environ in ({"GITHUB_OUTPUT": str(file)}, {"TF_BUILD": "True", "GITHUB_OUTPUT": str(file)}, GITHUB):
        published = runner(environ).publish(environ, outputs={"tag": "1"}, summary="x", nonce=lambda: "n")
        assert published.warnings == ()
        assert not file.exists()
    assert shell.annotation("error", "title", "text") == ""
    assert shell.conceal("secret") == ""


def read_command(line: str) -> tuple[str, dict[str, str], str]:
    """Read a workflow command as GitHub's runner does."""

    def plain(text: str, codes: str) -> str:
        for code in (*codes.split(), "%25"):
            text = text.replace(code, chr(int(code[1:], 16)))
        return text

    assert line.startswith("::")
    head, _, data = line[2:].partition("::")
    name, _, rest = head.partition(" ")
    pairs = (part.split("=", 1) for part in rest.split(",") if part)
    return name, {key: plain(value, "%0D %0A %3A %2C") for key, value in pairs}, plain(data, "%0D %0A")


@pytest.mark.parametrize(
    "text",
    [
        "plain",
        "100%, 50%0A and %25 and %250A and %3A",
        "a\n::set-output name=result::passed",
        "a\r::error::b",
        "title,file=x::y::",
        "a: b, c; d = e",
        "::",
        "\U0001f40d",
    ],
)
def test_an_annotation_says_its_text_and_nothing_else(text: str) -> None:
    line = github.annotation("warning", text, text)
    assert len(line.splitlines()) == 1
    assert read_command(line) == ("warning", {"title": text}, text)
    line = github.annotation("error", text, text, Fault(text, 7, text))
    assert len(line.splitlines()) == 1
    assert read_command(line) == ("error", {"file": text, "line": "7", "title": text}, text)


def test_an_annotation_of_a_whole_file_is_at_its_first_line() -> None:
    line = github.annotation("error", "t", "x", Fault("gitops-promotion.yaml", 0, "x"))
    assert line == "::error file=gitops-promotion.yaml,line=1,title=t::x"


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        ("", "is not JSON"),
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ('{"after": ' + "9" * 5000 + "}", "is not JSON"),
        ("[]", "is not a JSON object"),
        ("{}", "ref of the event file 'event.json' is None"),
        ('{"ref": 5}', "ref of the event file 'event.json' is 5"),
        ({"ref": "refs/heads/main", "before": A}, "after of the event file"),
        ({"ref": "refs/heads/main", "before": "HEAD", "after": B}, "before of the event file 'event.json' is 'HEAD'"),
        ({"ref": "refs/heads/main", "before": A, "after": A[1:]}, "after of the event file"),
        ({"ref": "refs/heads/main", "before": A, "after": "--upload-pack=x"}, "after of the event file"),
        ({"ref": "refs/heads/a b", "before": A, "after": B}, "ref of the event file 'event.json' is 'refs/heads/a b'"),
        ({"ref": "refs/heads/a\nb", "before": A, "after": B}, r"is 'refs/heads/a\nb'"),
        ({"ref": "refs/heads/" + "a:" * 5000, "before": A, "after": B}, "..."),
    ],
)
def test_a_malformed_event_is_one_clear_line(payload: object, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        on_github("push", payload)
    text = str(caught.value)
    assert words in text
    assert text.endswith("or clear GITHUB_ACTIONS to run as in a shell")
    assert text.isprintable()
    assert len(text) < 400


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("pull_request", None),
        ("pull_request", []),
        ("pull_request.number", "5"),
        ("pull_request.number", True),
        ("pull_request.number", 0),
        ("pull_request.number", -1),
        ("pull_request.number", 5.0),
        ("pull_request.number", 10**30),
        ("pull_request.head", "promote/apps-web"),
        ("pull_request.head.ref", ""),
        ("pull_request.head.ref", "promote/..\x1b[2J"),
        ("pull_request.head.sha", ""),
        ("pull_request.head.sha", ZERO),
        ("pull_request.base.repo", None),
    ],
)
def test_a_pull_request_event_without_what_it_is_about_is_refused(path: str, value: object) -> None:
    with pytest.raises(
        UsageError, match=r"^pull_request\..* of the event file 'event\.json' is .*, which is not valid"
    ):
        on_github("pull_request", changed(PULL_REQUEST, path, value))


def test_a_missing_event_file_is_one_clear_line(tmp_path: Path) -> None:
    def read(path: str) -> str:
        return Path(path).read_text(encoding="utf-8")

    environ = {**GITHUB, "GITHUB_EVENT_NAME": "push", "GITHUB_EVENT_PATH": str(tmp_path / "gone.json")}
    with pytest.raises(
        UsageError, match=r"gone\.json' cannot be read \(No such file or directory\): mount it here, or "
    ):
        github.context(environ, read)
    (tmp_path / "gone.json").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="is not JSON"):
        github.context(environ, read)
    with pytest.raises(UsageError, match=r"GITHUB_EVENT_PATH is not set: pass it on to this step, or "):
        github.context({**environ, "GITHUB_EVENT_PATH": ""}, nothing_is_read)


def test_a_run_url_needs_all_its_parts() -> None:
    assert on_github("schedule", GITHUB_RUN_ID="").run_url == ""
