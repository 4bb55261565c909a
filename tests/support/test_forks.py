"""A forked program has what any program has, and ends as any program ends."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.forks import Forks


def show() -> None:
    """Print what a program is given; fail as its first argument says."""
    print(sys.argv[1:], os.environ["GREETING"], "PRIVATE" in os.environ, Path.cwd().name, sys.stdin.read())
    print("warning", file=sys.stderr)
    if sys.argv[1] == "killed":
        sys.stdout.flush()
        os.kill(os.getpid(), signal.SIGKILL)
    if sys.argv[1] == "raises":
        raise ValueError("wrong")
    sys.exit(int(sys.argv[1]))


@pytest.fixture
def run(forks: Forks, tmp_path: Path, environ: dict[str, str]) -> Callable[..., subprocess.CompletedProcess[str]]:
    program = forks.write_program(tmp_path / "show", "tests.support.test_forks:show")

    def run_program(*arguments: str) -> subprocess.CompletedProcess[str]:
        variables = {**environ, "GREETING": "hello"}
        command = [str(program), *arguments]
        return subprocess.run(
            command, cwd=tmp_path, env=variables, input="in", capture_output=True, text=True, check=False
        )

    return run_program


def test_one_that_is_started_from_here_needs_no_program(
    forks: Forks, tmp_path: Path, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    variables = {**environ, "GREETING": "hello"}
    names = "0", "3", "killed", "raises"
    runs = {name: forks.start("tests.support.test_forks:show", [name, "ü"], variables) for name in names}
    done = {name: run.wait() for name, run in runs.items()}
    assert {name: each.returncode for name, each in done.items()} == {
        "0": 0,
        "3": 3,
        "killed": -signal.SIGKILL,
        "raises": 1,
    }
    assert done["3"].stderr == "warning\n"
    assert done["raises"].stderr.endswith("ValueError: wrong\n")
    assert {name: each.stdout for name, each in done.items()} == {
        name: f"{[name, 'ü']} hello False {tmp_path.name} \n" for name in names
    }


def test_a_client_that_ends_too_early_ends_nothing_else(forks: Forks, environ: dict[str, str]) -> None:
    for data in (b"", b"\0\0\0\0\0\0\0\7", b"\0\0\0\0\0\0\0\7" + b"("):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(forks.address)
            client.sendall(data)
    assert forks.start("tests.support.test_forks:show", ["0"], environ | {"GREETING": "hello"}).wait().returncode == 0


@pytest.mark.parametrize("code", [0, 3])
def test_it_has_arguments_environment_folder_and_streams(
    run: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRIVATE", "1")
    done = run(str(code), "a b", "ü")
    assert (done.returncode, done.stderr) == (code, "warning\n")
    assert done.stdout == f"{[str(code), 'a b', 'ü']} hello False {tmp_path.name} in\n"


def test_an_exception_ends_it_with_a_traceback(run: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    done = run("raises")
    assert done.returncode == 1
    assert done.stderr.endswith("ValueError: wrong\n")


def test_who_started_it_sees_that_it_was_killed(run: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    assert run("killed").returncode == -signal.SIGKILL
