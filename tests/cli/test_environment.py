"""What the environment may hold: secrets, bytes that are no text, and no room for temporary files."""

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gitops_promotion import cli

if TYPE_CHECKING:
    from tests.conftest import Checkout, Remote

AGENT = {
    "TF_BUILD": "True",
    "BUILD_BUILDID": "12",
    "BUILD_SOURCEBRANCH": "refs/heads/main",
    "SYSTEM_COLLECTIONURI": "https://dev.azure.com/acme/",
    "SYSTEM_TEAMPROJECT": "shop",
}
RUNNER = {"GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": "schedule", "GITHUB_REPOSITORY": "a/b", "GITHUB_RUN_ID": "1"}
NEW = ("new", "--group=webshop", "--app=webui", "--tag=1.4.2")


def run(capsys: pytest.CaptureFixture[str], checkout: "Checkout", *args: str) -> tuple[int, str]:
    """Return the exit code and the output of a command line, stdout and stderr."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as raised:
        cli.main([*args, "--sourcedir", str(checkout.path)])
    printed = capsys.readouterr()
    return int(raised.value.code or 0), printed.out + printed.err


# Secrets: child processes inherit `os.environ`, and libraries pass it on.

KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\n"
FOR_THE_REMOTE = {
    "GITOPS_PROMOTION_TOKEN": "secret-1",
    "GITHUB_TOKEN": "secret-2",
    "AZURE_DEVOPS_EXT_PAT": "secret-3",
    "SYSTEM_ACCESSTOKEN": "secret-4",
    "ANOTHER_FORGES_PASSWORD": "secret-5",
}
SECRETS = FOR_THE_REMOTE | {
    "GITHUB_APP_PRIVATE_KEY": "secret-6",
    "GITOPS_PROMOTION_NOTIFY_OPS": "https://hooks.invalid/secret-8",
    "GITOPS_PROMOTION_NOTIFY_OPS_SECRET": "secret-9",
    "OF_ANOTHER_TOOL": KEY,
    "GIT_CONFIG_COUNT": "1",
    "GIT_CONFIG_KEY_0": "http.https://forge.invalid.extraHeader",
    "GIT_CONFIG_VALUE_0": "Authorization: Basic secret-7",
}


def test_git_gets_no_secret_and_its_library_starts_it_for_no_version(
    checkout: "Checkout", environ: dict[str, str], tmp_path: Path
) -> None:
    records = tmp_path / "records"
    git = tmp_path / "programs" / "git"
    for folder in (records, git.parent):
        folder.mkdir()
    git.write_text(
        f"#!/bin/sh\n{{ printf '%s\\0' \"$*\"; cat /proc/$$/environ; }} >{records}/$$\n"
        f'exec {shutil.which("git", path=environ["PATH"])} "$@"\n'
    )
    git.chmod(0o755)
    variables = environ | SECRETS | {"PATH": f"{git.parent}{os.pathsep}{environ['PATH']}"}
    program = [sys.executable, "-m", "gitops_promotion", *NEW, "--sourcedir", str(checkout.path)]
    result = subprocess.run(program, env=variables, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr

    commands = [path.read_text().partition("\0")[::2] for path in records.iterdir()]
    assert len(commands) > 5
    assert "version" not in dict(commands), "only what is used of the library is loaded"
    of_settings = SECRETS["GIT_CONFIG_VALUE_0"]
    for arguments, text in commands:
        secrets = {value for value in SECRETS.values() if f"={value}\0" in text and value != "1"}
        if any(f" {verb} " in f" {arguments} " for verb in ("fetch", "push", "ls-remote")):
            assert secrets <= {*FOR_THE_REMOTE.values(), SECRETS["GIT_CONFIG_KEY_0"], of_settings}, arguments
        elif " config --list " in arguments:  # it reads the settings of the variables
            assert secrets == {SECRETS["GIT_CONFIG_KEY_0"], of_settings}, arguments
        else:
            assert secrets == set(), arguments


def test_secrets_are_out_of_the_process_during_a_run_and_back_afterwards(
    checkout: "Checkout", capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (SECRETS | RUNNER | {"HTTPS_PROXY": "http://proxy.invalid"}).items():
        monkeypatch.setenv(name, value)
    before = dict(os.environ)
    variables_in_run: list[dict[str, str]] = []

    def broken(*_: object, **__: object) -> None:
        variables_in_run.append(dict(os.environ))
        raise AssertionError

    monkeypatch.setattr("gitops_promotion.commands.promote.promote", broken)
    code, _ = run(capsys, checkout, "promote")
    assert code == 1
    assert variables_in_run[0].keys() & {*SECRETS, "GIT_CONFIG_NOSYSTEM"} == set()
    assert (
        variables_in_run[0].items()
        >= (RUNNER | {name: before[name] for name in ("HTTPS_PROXY", "PATH", "HOME")}).items()
    )
    assert dict(os.environ) == before


# Bytes that are no text: Python holds them as half surrogates, which most encodings refuse.


@pytest.mark.parametrize("role", ["AUTHOR_NAME", "AUTHOR_EMAIL", "COMMITTER_NAME", "COMMITTER_EMAIL"])
def test_a_person_whose_name_is_not_utf_8_can_promote(
    role: str,
    remote: "Remote",
    checkout: "Checkout",
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(f"GIT_{role}", "J\udcfcrgen")
    code, text = run(capsys, checkout, *NEW)
    assert (code, text.startswith("merged")) == (0, True), text
    assert "J\ufffdrgen" in remote.git("log", "--format=%an %ae %cn %ce", "main")


@pytest.mark.parametrize(
    ("runner", "name"),
    [
        (AGENT, "BUILD_BUILDID"),
        (AGENT, "SYSTEM_TEAMPROJECT"),
        (AGENT, "SYSTEM_COLLECTIONURI"),
        (RUNNER, "GITHUB_RUN_ID"),
        (RUNNER, "GITHUB_REPOSITORY"),
        (RUNNER, "GITHUB_TRIGGERING_ACTOR"),
    ],
)
def test_a_variable_of_the_runner_that_is_not_utf_8_is_no_bug(
    runner: dict[str, str],
    name: str,
    checkout: "Checkout",
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for key, value in (runner | {name: "a\udcffb"}).items():
        monkeypatch.setenv(key, value)
    code, text = run(capsys, checkout, *NEW)
    assert "Traceback" not in text
    assert code in (0, 2)


@pytest.mark.parametrize("variable", ["GITHUB_TOKEN", "GITOPS_PROMOTION_TOKEN"])
def test_a_token_with_characters_that_no_token_has_is_a_usage_error(
    variable: str, checkout: "Checkout", capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout.git("remote", "set-url", "origin", "http://127.0.0.1:1/acme/gitops.git")
    monkeypatch.setenv("GITHUB_SERVER_URL", "http://127.0.0.1:1")
    monkeypatch.setenv(variable, "tok\u00e9n-tok\u00e9n" if variable.startswith("GITOPS") else "tok\udcff")
    code, text = run(capsys, checkout, "promote", "--provider=github")
    assert (code, text) == (2, "error: the token has characters that no token has: copy it again\n")


# No room for temporary files


FULL = OSError(errno.ENOSPC, "No space left on device", "/tmp/x")  # noqa: S108  nothing is written
QUOTA = OSError(errno.EDQUOT, "Disk quota exceeded")
NO_FOLDER = FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']")


@pytest.mark.parametrize("error", [FULL, QUOTA, NO_FOLDER])
@pytest.mark.parametrize("args", [NEW, ("promote",), ("status",), ("local", "list")])
def test_a_full_disk_is_exit_5_and_one_line(
    args: tuple[str, ...],
    error: OSError,
    checkout: "Checkout",
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_: object, **__: object) -> str:
        raise error

    monkeypatch.setattr("tempfile.mkdtemp", full)
    code, text = run(capsys, checkout, *args)
    assert (code, text.count("\n")) == (5, 1), text
    assert text.startswith("error: ")
    assert "set TMPDIR to another folder" in text


def test_a_demo_without_room_is_exit_5_and_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> str:
        raise FULL

    monkeypatch.setattr("tempfile.mkdtemp", full)
    with pytest.raises(SystemExit) as raised:
        cli.main(["demo"])
    assert (raised.value.code, capsys.readouterr().err.count("\n")) == (5, 1)


@pytest.mark.parametrize(("number", "code"), [(errno.ENOSPC, 5), (errno.EDQUOT, 5), (errno.EIO, 1)])
def test_a_disk_that_fills_up_later_is_exit_5_and_any_other_error_a_bug(
    number: int,
    code: int,
    checkout: "Checkout",
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number), "a/file")

    monkeypatch.setattr("gitops_promotion.commands.promote.promote", broken)
    exit_code, text = run(capsys, checkout, "promote")
    assert (exit_code, "Traceback" in text) == (code, code == 1)
    if code == 5:
        problem = f"cannot write a/file ({os.strerror(number)})"
        assert text == f"error: {problem}: free space there, or set TMPDIR to another folder\n"
