"""One of several writers of the same file, as a process of its own with the arguments CHECKOUT NAME COUNT."""

import os
import sys
from pathlib import Path

from gitops_promotion.core.commits import RefUpdate
from gitops_promotion.errors import LeaseLostError
from gitops_promotion.git import Repository


def main() -> None:
    _, path, name, count_of_pushes = sys.argv
    with Repository.open(Path(path), environ=os.environ) as repository:
        won = 0
        while won < int(count_of_pushes):
            tip = repository.fetch("refs/heads/main")["refs/heads/main"]
            count = int(repository.read(tip, ["count"]).get("count", b"0"))
            sha = repository.commit(tip, {"count": b"%d" % (count + 1)}, f"By {name}\n")
            try:
                repository.push([RefUpdate(ref="refs/heads/main", new=sha, expected=tip)])
                won += 1
            except LeaseLostError:
                pass
