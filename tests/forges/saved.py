"""What a forge knows, kept so that a test can begin there again as often as it likes."""

import shutil
from collections.abc import Callable
from copy import deepcopy

from tests.forges import azure_state, github_state
from tests.support.snapshots import Snapshot


def save(world: github_state.World | azure_state.World) -> Callable[[], None]:
    """Keep all that a forge knows now, and return what makes it know that again.

    The world and its repositories stay the same objects. Tokens that were made later are forgotten.
    """
    owners = [world, *world.repos.values()]
    kept_as_they_are = {id(each): each for each in (*owners, *(repo.git for repo in world.repos.values()))}
    values = deepcopy([vars(owner) for owner in owners], dict(kept_as_they_are))
    folders = {repo.git.path: Snapshot.take(repo.git.path) for repo in world.repos.values()}

    def restore() -> None:
        for owner, of_owner in zip(owners, deepcopy(values, dict(kept_as_they_are)), strict=True):
            vars(owner).clear()
            vars(owner).update(of_owner)
        for path, snapshot in folders.items():
            shutil.rmtree(path)
            snapshot.write(path)

    return restore
