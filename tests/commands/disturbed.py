"""A verb, as a process of its own that is disturbed before or after one of its git commands.

Its arguments are MOMENT, NUMBER, then those of the command line. MOMENT is `before` or `after` the git command of that
number, which counts from 1; `never` disturbs nothing. At that moment the process is killed, or, with the command of
another program in the variable RIVAL, that program runs to its end. The last line on stderr has the names of the git
commands. Without the variable WITH_GIT what goes to a plain remote is no process.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

from gitops_promotion import cli
from gitops_promotion.git.process import Dialogue, Runner
from tests.support import processes


def main() -> None:
    moment, number, *words = sys.argv[1:]
    rival = json.loads(os.environ.pop("RIVAL", "[]"))
    if not os.environ.pop("WITH_GIT", ""):
        processes.spare(setattr)

    def disturb(now: str, count: int) -> None:
        if (now, str(count)) != (moment, number):
            return
        if not rival:
            os.kill(os.getpid(), signal.SIGKILL)
        done = subprocess.run(rival, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    names = name_commands(setattr, disturb)
    try:
        cli.main(words)
    finally:
        print(*names, file=sys.stderr)


def name_commands(
    change: Callable[[object, str, object], None], reach: Callable[[str, int], None] = lambda *_: None
) -> list[str]:
    """Return a list that will have the names of the git commands that are started from now on.

    `change` is `setattr`, or that of a pytest.MonkeyPatch. `reach` is called with `before` or `after`, and the number
    of the command.
    """
    names: list[str] = []
    start, run, open_dialogue = Runner.start, Runner.run, Dialogue.__init__

    def counted_start(self: Runner, command: Sequence[str], *arguments: Any, **options: Any) -> Any:
        names.append(next(word for word in command if not word.startswith("-")))
        reach("before", len(names))
        return start(self, command, *arguments, **options)

    def counted_run(self: Runner, *arguments: Any, **options: Any) -> Any:
        result = run(self, *arguments, **options)
        reach("after", len(names))
        return result

    def counted_dialogue(self: Dialogue, *arguments: Any) -> None:
        open_dialogue(self, *arguments)
        reach("after", len(names))

    change(Runner, "start", counted_start)
    change(Runner, "run", counted_run)
    change(Dialogue, "__init__", counted_dialogue)
    return names
