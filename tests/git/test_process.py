"""Starting git: the environment of the process, and a git that does not start."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gitops_promotion.errors import GitError
from gitops_promotion.git.process import Runner

if TYPE_CHECKING:
    from tests.conftest import Checkout

ROOT = Path(__file__).parents[2]


def write_git(folder: Path, script: str) -> str:
    """Write a program `git`, and return its folder."""
    program = folder / "git"
    program.write_text(script)
    program.chmod(0o755)
    return str(folder)


def test_git_gets_the_given_variables_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SOME_TOKEN", "LC_ALL", "LANGUAGE", "GIT_DIR", "-u", "BASH_FUNC_f%%", "two\nlines", "odd\udcff"):
        monkeypatch.setenv(name, "of the program")
    path = write_git(tmp_path, "#!/bin/sh\n/bin/cat /proc/$$/environ\nexit\n")
    for variables in ({"PATH": path}, {"PATH": path, "LC_ALL": "C.UTF-8", "HOME": "/home", "A": "1\n2", "EMPTY": ""}):
        environ = Runner(tmp_path).run(["version"], variables).stdout.decode()
        assert dict(line.split("=", 1) for line in environ.split("\0")[:-1]) == variables


@pytest.mark.parametrize(
    ("script", "reason"),
    [("#!/nonexistent/sh\n", "No such file or directory"), ("#!/\n", "Permission denied")],
)
def test_a_git_that_cannot_be_started_is_one_error(script: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(GitError) as caught:
        Runner(tmp_path).run(["version"], {"PATH": write_git(tmp_path, script)})
    assert str(caught.value) == f"git cannot be started ({reason}): check the program `git` and run again"


def test_a_git_that_does_not_end_in_time_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gitops_promotion.git.process._GRACE", 0.1)
    # The child keeps the output open, as ssh does.
    path = write_git(tmp_path, f"#!/bin/sh\n/bin/sleep 60 &\necho $! > {tmp_path}/child\nexec /bin/sleep 60\n")
    with pytest.raises(TimeoutError):
        Runner(tmp_path).run(["fetch"], {"PATH": path}, seconds=0.3)
    os.kill(int((tmp_path / "child").read_text()), signal.SIGKILL)


def test_a_git_that_always_fails_is_one_error(tmp_path: Path, checkout: "Checkout") -> None:
    program = (
        "import os; from pathlib import Path\n"
        "from gitops_promotion.errors import GitError\nfrom gitops_promotion.git import Repository\n"
        "try:\n Repository.open(Path('.'), environ=os.environ)\nexcept GitError as error: print(error)"
    )
    path = write_git(tmp_path, "#!/bin/sh\necho 'fatal: broken' >&2\nexit 1\n")
    result = subprocess.run(
        [sys.executable, "-c", program],
        cwd=checkout.path,
        env={"PATH": path, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout == f"cannot read the repository {checkout.path}: broken: try `git fetch` in the same folder\n"
