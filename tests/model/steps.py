"""The sequences: what can happen to tags, to health, to pull requests, to the configuration, and in which settings.

They come from a seed and not from hypothesis's own lists: those repeat themselves, and few of their tags reach prod.
"""

from random import Random
from typing import Any

from tests.model.world import ENVIRONMENTS, OPS, Settings

Step = tuple[Any, ...]

APP = ("webui", "webui", "webui", "api")
LATER = ENVIRONMENTS[1:]

# How likely a step is, and what its words are chosen from.
STEPS: dict[str, tuple[int, tuple[tuple[object, ...], ...]]] = {
    "go on": (36, (APP,)),
    "new": (3, (APP,)),
    "build again": (2, (APP,)),
    "promote": (4, ()),
    "publish": (4, ()),
    "flux": (5, (ENVIRONMENTS, ("success", "success", "failure"))),
    "merge": (2, ()),
    "close": (2, ()),
    "rollback": (3, (APP, LATER, ("", "it burns"))),
    "hold": (2, (APP, LATER)),
    "release": (3, (APP, LATER)),
    "freeze": (1, ((True, False),)),
    "thaw": (2, ()),
    "by hand": (2, (APP, ENVIRONMENTS)),
    "force": (3, (APP, LATER)),
    "override": (1, (APP, LATER, ("1.0.0", "2.1", "2.2"))),
    "override hold": (1, (APP, LATER)),
    "feature": (1, (("webui",),)),
}
OF_APPROVALS: dict[str, tuple[int, tuple[tuple[object, ...], ...]]] = {
    "review": (4, (OPS, (True, True, False))),
    "approve": (2, ()),
}
OF_TIME: dict[str, tuple[int, tuple[tuple[object, ...], ...]]] = {"wait": (3, ((1, 2, 7),))}


def sequence(seed: int, *, is_long: bool) -> tuple[Settings, list[Step]]:
    """Return the settings and the steps of a seed. A short sequence has no channel: that costs a start of a server."""
    random = Random(seed)  # noqa: S311  no secret
    settings = Settings(
        flow=random.choice(["per-app", "per-env"]),
        has_windows=random.random() < 0.3,
        has_soak=random.random() < 0.4,
        has_approvals=random.random() < 0.4,
        has_channel=is_long and random.random() < 0.4,
    )
    steps = STEPS | (OF_APPROVALS if settings.has_approvals else {}) | (OF_TIME if settings.has_clock else {})
    length = random.randint(8, 25) if is_long else random.randint(3, 6)
    names = random.choices([*steps], [weight for weight, _ in steps.values()], k=length)
    return settings, [(name, *map(random.choice, steps[name][1])) for name in names]
