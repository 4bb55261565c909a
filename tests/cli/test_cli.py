"""The command line itself: options, exit codes, streams (docs/exit-codes.md; docs/migrating.md, B40)."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gitops_promotion import cli

if TYPE_CHECKING:
    from tests.conftest import Checkout, Remote

VERBS = ["new", "promote", "status", "set-tag", "demo", "local list", "local show", "local merge", "local set-status"]


def run(capsys: pytest.CaptureFixture[str], *args: str, code: int = 0) -> tuple[str, str]:
    capsys.readouterr()
    exit_code: object = 0
    try:
        cli.main(list(args))
    except SystemExit as error:
        exit_code = error.code or 0
    printed = capsys.readouterr()
    assert exit_code == code, printed.out + printed.err
    return printed.out, printed.err


@pytest.mark.parametrize("verb", VERBS)
def test_b40_every_verb_has_help_with_its_options(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = run(capsys, *verb.split(), "--help")
    assert out.startswith("Usage:")
    if verb in ("new", "promote", "status"):
        for option in ("--sourcedir", "--provider", "--token", "--dry-run", "--output", "--verbose", "--quiet"):
            assert option in out


def test_b40_an_unknown_flag_and_a_missing_one_are_usage_errors(capsys: pytest.CaptureFixture[str]) -> None:
    _, err = run(capsys, "new", "--gruop", "webshop", code=2)
    assert "--group" in err
    _, err = run(capsys, "new", "--group", "webshop", code=2)
    assert "--app" in err
    run(capsys, "nope", code=2)


@pytest.mark.parametrize("value", ["5", "x", "-1s", "1e9d"])
def test_b19_a_duration_needs_its_unit(value: str, capsys: pytest.CaptureFixture[str]) -> None:
    _, err = run(capsys, "status", f"--timeout={value}", code=2)
    assert "30s, 5m, 1h30m or 7d" in err


def test_a_folder_that_is_no_repository_is_exit_5(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, err = run(capsys, "promote", "--sourcedir", str(tmp_path), code=5)
    assert err.count("error:") == 1
    assert "--sourcedir" in err


def test_human_text_has_the_result_and_the_application(
    checkout: "Checkout", capsys: pytest.CaptureFixture[str]
) -> None:
    out, err = run(capsys, "new", "--group=webshop", "--app=webui", "--tag=1.4.2", "--sourcedir", str(checkout.path))
    assert out.splitlines()[0] == "merged     webshop/webui 1.0.0 -> 1.4.2 in dev: pull request #1 merged"
    assert "provider local (the remote is a path)" in err
    out, err = run(
        capsys, "new", "--group=webshop", "--app=webui", "--tag=1.4.2", "--sourcedir", str(checkout.path), "--quiet"
    )
    assert out.startswith("unchanged")
    assert err == ""


def test_json_is_one_document_for_errors_too(checkout: "Checkout", capsys: pytest.CaptureFixture[str]) -> None:
    args = ("new", "--group=webshop", "--app=nope", "--tag=1", "--sourcedir", str(checkout.path), "-o", "json")
    out, err = run(capsys, *args, code=2)
    document = json.loads(out)
    assert document["version"] == 1
    assert [(o["result"], o["exit_code"]) for o in document["outcomes"]] == [("failed", 2)]
    assert document["outcomes"][0]["message"] in err
    assert [document["outcomes"][0][key] for key in ("group", "app", "tag")] == ["webshop", "nope", "1"]


def test_local_list_and_local_show_have_json_too(checkout: "Checkout", capsys: pytest.CaptureFixture[str]) -> None:
    at_checkout = ("--sourcedir", str(checkout.path))
    run(capsys, "new", "--group=webshop", "--app=webui", "--tag=1.4.2", *at_checkout)
    run(capsys, "promote", *at_checkout)
    open_list = json.loads(run(capsys, "local", "list", *at_checkout, "-o", "json")[0])
    assert [pull["number"] for pull in open_list["pull_requests"]] == [2]
    full_list = json.loads(run(capsys, "local", "list", "--all", *at_checkout, "-o", "json")[0])
    assert [pull["state"] for pull in full_list["pull_requests"]] == ["open", "merged"]
    details = json.loads(run(capsys, "local", "show", "2", *at_checkout, "-o", "json")[0])["pull_request"]
    assert details["gated"] is True
    assert "+  image: ghcr.io/webshop/webui:1.4.2" in details["diff"]
    table = run(capsys, "local", "list", *at_checkout)[0]
    assert table.splitlines()[0].split() == ["NUMBER", "STATE", "AUTO-MERGE", "BRANCH", "TITLE"]
    run(capsys, "local", "show", "99", *at_checkout, code=2)


def test_a_remote_that_cannot_be_reached_is_exit_5(
    checkout: "Checkout", capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout.git("remote", "set-url", "origin", "ssh://git@forge.invalid/x.git")
    monkeypatch.setenv("GIT_SSH_COMMAND", "false")
    _, err = run(capsys, "promote", "--sourcedir", str(checkout.path), code=5)
    assert "forge.invalid" in err


def test_the_log_and_the_result_mask_a_token(
    remote: "Remote", checkout: "Checkout", capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITOPS_PROMOTION_TOKEN", "tok-3n-tok")
    at_checkout = ("--sourcedir", str(checkout.path), "--verbose")
    out, err = run(capsys, "new", "--group=webshop", "--app=tok-3n-tok", "--tag=1", *at_checkout, code=2)
    assert "tok-3n-tok" not in out + err
    assert "***" in err


def test_colour_only_on_a_terminal_and_never_with_no_color(
    checkout: "Checkout", capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    args = ("promote", "--sourcedir", str(checkout.path))
    assert "\x1b" not in run(capsys, *args)[0]
    monkeypatch.setattr("gitops_promotion.terminal.Terminal.has_colour", True)
    assert "\x1b[32m" in run(capsys, *args)[0]


def test_no_color_turns_colours_off(monkeypatch: pytest.MonkeyPatch) -> None:
    from gitops_promotion.terminal import Terminal

    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert Terminal().has_colour
    monkeypatch.setenv("NO_COLOR", "1")
    assert not Terminal().has_colour


def test_python_m_runs_the_command_line(tmp_path: Path) -> None:
    program = [sys.executable, "-m", "gitops_promotion"]
    process = subprocess.run([*program, "promote", "--sourcedir", str(tmp_path)], capture_output=True, text=True)
    assert (process.returncode, process.stderr.count("error: ")) == (5, 1), process.stderr
    helped = subprocess.run([*program, "--help"], capture_output=True, text=True)
    assert "Move container images" in helped.stdout


def test_help_imports_only_click() -> None:
    script = (
        "import sys\nfrom gitops_promotion import cli\n"
        "try: cli.main(['--help'])\nexcept SystemExit: pass\n"
        "bad = {'git', 'github', 'azure', 'msrest', 'ruamel', 'tenacity', 'requests'} & set(sys.modules)\n"
        "sys.exit(f'imported: {bad}' if bad else 0)\n"
    )
    process = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert process.returncode == 0, process.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_while_waiting_is_exit_130_and_leaves_nothing_behind(
    number: signal.Signals,
    checkout: "Checkout",
    environ: dict[str, str],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    at_checkout = ("--sourcedir", str(checkout.path))
    run(capsys, "new", "--group=webshop", "--app=webui", "--tag=1.4.2", *at_checkout)
    run(capsys, "promote", *at_checkout)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    program = [sys.executable, "-c", "from gitops_promotion.cli import main; main()"]
    waiting = subprocess.Popen(
        [*program, "status", "--pr", "2", "--timeout", "60s", *at_checkout],
        env=environ | {"TMPDIR": str(temporary), "PYTHONUNBUFFERED": "1"},
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        # A background job inherits SIGINT as ignored, and Python leaves it so.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert waiting.stderr is not None
    for line in waiting.stderr:
        if line.startswith("waiting, "):
            break
    assert list(temporary.iterdir())
    waiting.send_signal(number)
    try:
        _, err = waiting.communicate(timeout=30)
    finally:
        waiting.kill()
    assert waiting.returncode == 130
    assert "interrupted" in err
    assert not list(temporary.iterdir())
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("redirection", "code", "lines"),
    [
        (">/dev/full", 5, ["error: cannot write the output (No space left on device): free space there"]),
        (">/dev/full 2>&1", 5, []),
        (">&-", 0, []),
        ("2>&-", 0, ["unchanged  nothing to promote: in dev -> qa -> prod no application differs from the one before"]),
    ],
)
def test_an_output_that_takes_nothing_gives_no_traceback(
    redirection: str, code: int, lines: list[str], checkout: "Checkout", environ: dict[str, str]
) -> None:
    program = f'exec "{sys.executable}" -m gitops_promotion promote --quiet {redirection}'
    process = subprocess.run(
        ["sh", "-c", program],
        cwd=checkout.path,
        env=environ | {"PYTHONPATH": str(Path(cli.__file__).parents[2])},
        capture_output=True,
        text=True,
    )
    assert (process.returncode, (process.stdout + process.stderr).splitlines()) == (code, lines)


def test_a_closed_pipe_gives_no_traceback(checkout: "Checkout", environ: dict[str, str]) -> None:
    program = [sys.executable, "-c", "from gitops_promotion.cli import main; main()"]
    reader, writer = os.pipe()
    os.close(reader)
    process = subprocess.run(
        [*program, "promote", "--sourcedir", str(checkout.path)],
        env=environ | {"PATH": os.environ["PATH"]},
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(writer)
    assert "Traceback" not in process.stderr
