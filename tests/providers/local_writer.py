"""One of several writers that run at once, as a process of its own with the arguments CHECKOUT NAME HEAD...

Prints a JSON object: the number that each head's pull request got. Without the variable WITH_GIT what goes to a plain
remote is no process.
"""

import json
import os
import secrets
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from gitops_promotion.core.forge import CommitStatus, Draft
from gitops_promotion.git import Repository
from gitops_promotion.providers import Connection
from gitops_promotion.providers.local import provider as local
from tests.support import processes


def write(checkout: str, name: str, heads: list[str]) -> dict[str, int]:
    numbers = {}
    with Repository.open(Path(checkout), environ=os.environ) as repository:
        forge = local.connect(
            Connection(
                store=repository,
                url=repository.url,
                token=str,
                author=name,
                environ={},
                now=lambda: datetime.now(UTC),
                sleep=time.sleep,
                nonce=lambda: secrets.token_hex(8),
            )
        )
        refs = repository.refs("refs/heads/*")
        for head in heads:
            sha = refs.shas[f"refs/heads/{head}"]
            draft = Draft(head=head, head_sha=sha, base="main", title=f"{name}: {head}", body="", gated=True)
            numbers[head] = forge.open_pull_request(draft).number
            forge.review(numbers[head], "approved", f"{name} was here")
            forge.set_status(refs.shas["refs/heads/main"], CommitStatus(context=f"{name}/{head}", state="success"))
    return numbers


def main() -> None:
    if "WITH_GIT" not in os.environ:
        processes.spare(setattr)
    print(json.dumps(write(sys.argv[1], sys.argv[2], sys.argv[3:])))
