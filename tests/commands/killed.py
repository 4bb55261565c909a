"""A verb, as a process of its own that is killed: its arguments are AFTER, then those of the command line.

Every outside effect on plain git is a push: of a commit, of a record, of a merge. The process is killed after the one
of number AFTER; 0 lets it live.
"""

import os
import signal
import sys
from typing import Any

from gitops_promotion import cli
from gitops_promotion.git import Repository


def main() -> None:
    left, push = int(sys.argv[1]), Repository.push

    def push_and_die(self: Repository, *arguments: Any, **options: Any) -> None:
        nonlocal left
        push(self, *arguments, **options)
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    Repository.push = push_and_die  # type: ignore[method-assign]
    cli.main(sys.argv[2:])
