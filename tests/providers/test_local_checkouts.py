"""The `local` provider by git itself, from its first command to its last, in every kind of checkout."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests.providers.local_hands import HEAD, PASSED, draft

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Remote
    from tests.providers.conftest import Writers


@pytest.mark.parametrize(
    ("clone", "init"),
    [((), ()), (("--depth=1",), ()), (("--bare",), ()), ((), ("--object-format=sha256",))],
    ids=["full", "depth 1", "bare", "sha256"],
)
def test_every_kind_of_checkout_works(
    make_remote: Callable[..., "Remote"],
    make_writers: "Callable[[Path], Writers]",
    clone: tuple[str, ...],
    init: tuple[str, ...],
) -> None:
    remote = make_remote({"a.txt": "1\n"}, init=init)
    sha = remote.commit({"b.txt": "1\n"}, branch=HEAD, start="main")
    # The base is not where the branch began any more, so a merge needs history that a shallow clone lacks.
    for number in range(3):
        remote.commit({"c.txt": f"{number}\n"})
    forge = make_writers(remote.clone("kind", *clone).path).make()
    forge.set_auto_merge(forge.open_pull_request(draft(HEAD, sha)), enabled=True)
    forge.set_status(sha, PASSED)
    assert forge.pull_request(1).merge_sha == remote.sha("main")
    assert sorted(remote.files("main")) == ["a.txt", "b.txt", "c.txt"]
