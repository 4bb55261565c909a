"""What a branch of this tool may change: whoever pushed to it, and whatever its commits claim."""

from collections.abc import Mapping

import pytest

from gitops_promotion.core import branch_contents
from gitops_promotion.core.commits import EntryKind, FileChange
from gitops_promotion.core.config import Config
from gitops_promotion.core.environments import Environment, Pipeline
from gitops_promotion.core.kinds import HOLD, ROLLBACK
from gitops_promotion.core.layout import Layout
from gitops_promotion.core.model import Kind, Request
from gitops_promotion.core.names import Application

ENVIRONMENTS = tuple(Environment(name=name) for name in ("dev", "qa", "prod"))
CONFIG = Config(pipeline=Pipeline(environments=ENVIRONMENTS), layout=Layout(environments=ENVIRONMENTS))
WEBUI = Application("webshop", "webui")
FILE = "gitops-promotion.holds.yaml"
QA, PROD = "webshop/qa/w.yaml", "webshop/prod/w.yaml"

Files = Mapping[str, str | None]


def tag(name: str, app: str = "webui") -> str:
    return f'tag: "{name}" # {{"$imagepolicy": "webshop:{app}:tag"}}\n'


def request(kind: Kind, app: str, environment: str) -> Request:
    return Request(kind=kind, application=Application("webshop", app), environment=environment)


def holds(*entries: str) -> str:
    """A file of holds: `app environment tag reason`, where `-` is no tag."""
    lines = ["holds:\n"]
    for entry in entries:
        app, environment, held, reason = entry.split(" ", 3)
        lines.append(f'- group: webshop\n  app: "{app}"\n  environment: "{environment}"\n  reason: {reason}\n')
        lines.append(f'  tag: "{held}"\n' if held != "-" else "")
    return "".join(lines)


def diff(
    before: Files, after: Files, kinds: Mapping[str, EntryKind] | None = None
) -> tuple[list[FileChange], dict[str, bytes]]:
    blobs = {text: text.encode() for text in (*before.values(), *after.values()) if text is not None}
    changes = [
        FileChange(path=path, old=before.get(path), new=after.get(path), new_kind=(kinds or {}).get(path, "file"))
        for path in sorted(before.keys() | after.keys())
        if before.get(path) != after.get(path)
    ]
    return changes, blobs


@pytest.mark.parametrize(
    ("before", "after", "beyond"),
    [
        pytest.param({QA: tag("1")}, {QA: tag("2")}, [], id="a tag"),
        pytest.param({QA: tag("1")}, {QA: tag("2") + "hostPID: true\n"}, [QA], id="a line more"),
        pytest.param({QA: tag("1", "cart")}, {QA: tag("2", "cart")}, [QA], id="the tag of another application"),
        pytest.param({}, {"evil.yaml": "x\n"}, ["evil.yaml"], id="a file more"),
        pytest.param(
            {QA: tag("1"), FILE: holds("webui qa 1 rolled back to 0")}, {QA: tag("2"), FILE: holds()}, [], id="its hold"
        ),
        pytest.param(
            {QA: tag("1"), FILE: holds("webui qa - no")}, {QA: tag("2"), FILE: holds()}, [], id="a hold on all tags"
        ),
        pytest.param(
            {QA: tag("1"), FILE: holds("webui prod - no")},
            {QA: tag("2"), FILE: holds()},
            [FILE],
            id="a hold of another environment",
        ),
        pytest.param(
            {QA: tag("1"), FILE: holds("webui qa 3 no")},
            {QA: tag("2"), FILE: holds()},
            [FILE],
            id="a hold on another tag",
        ),
        pytest.param(
            {QA: tag("1"), FILE: holds("cart qa 2 no")},
            {QA: tag("2"), FILE: holds()},
            [FILE],
            id="a hold of another application",
        ),
        pytest.param({FILE: holds("webui qa - no")}, {FILE: holds()}, [FILE], id="a hold without a tag that needs it"),
        pytest.param(
            {QA: tag("1"), FILE: holds()},
            {QA: tag("2"), FILE: holds("webui qa 3 no")},
            [FILE],
            id="a hold that is added",
        ),
    ],
)
def test_a_promotion_changes_tags_and_lifts_the_holds_on_them(before: Files, after: Files, beyond: list[str]) -> None:
    assert branch_contents.beyond_tags(WEBUI, *diff(before, after), CONFIG) == beyond


@pytest.mark.parametrize(
    ("before", "after", "beyond"),
    [
        pytest.param({PROD: tag("2")}, {PROD: tag("1")}, [], id="a tag"),
        pytest.param(
            {PROD: tag("2")}, {PROD: tag("1"), FILE: holds("webui prod 2 rolled back to 1")}, [], id="the first hold"
        ),
        pytest.param(
            {PROD: tag("2"), FILE: holds("cart qa - no")},
            {PROD: tag("1"), FILE: holds("cart qa - no", "webui prod 2 rolled back to 1")},
            [],
            id="one hold more",
        ),
        pytest.param({PROD: tag("2")}, {PROD: tag("1") + "hostPID: true\n"}, [PROD], id="a line more"),
        pytest.param({}, {"webshop/prod/evil.yaml": "x\n"}, ["webshop/prod/evil.yaml"], id="a file more"),
        pytest.param({QA: tag("2")}, {QA: tag("1")}, [QA], id="the tag of another environment"),
        pytest.param({PROD: tag("2", "cart")}, {PROD: tag("1", "cart")}, [PROD], id="another application"),
        pytest.param(
            {FILE: holds("webui prod 2 no")}, {FILE: holds("webui prod 1 no")}, [FILE], id="a hold in place of another"
        ),
        pytest.param({FILE: holds("webui prod 2 no")}, {FILE: holds()}, [FILE], id="a hold that is lifted"),
        pytest.param({FILE: holds("webui prod 2 no")}, {FILE: None}, [FILE], id="the holds that go"),
        pytest.param({}, {FILE: holds("webui qa 2 no")}, [FILE], id="a hold of another environment"),
        pytest.param({}, {FILE: holds("webui * 2 no")}, [FILE], id="a hold of every environment"),
        pytest.param({}, {FILE: "holds: [1]\n"}, [FILE], id="holds that cannot be read"),
    ],
)
def test_a_rollback_changes_one_tag_and_adds_a_hold(before: Files, after: Files, beyond: list[str]) -> None:
    assert ROLLBACK.beyond(request(ROLLBACK, "webui", "prod"), *diff(before, after), CONFIG) == beyond


@pytest.mark.parametrize(
    ("branch", "before", "after", "beyond"),
    [
        pytest.param("hold/webshop-webui-qa", {}, {FILE: holds("webui qa - no")}, [], id="the first hold"),
        pytest.param(
            "hold/webshop-webui-qa", {FILE: holds("webui qa - no")}, {FILE: holds()}, [], id="a hold that is lifted"
        ),
        pytest.param("hold/webshop-_all-_all", {}, {FILE: holds("* * - no")}, [], id="a hold of all"),
        pytest.param("hold/webshop-webui-qa", {}, {FILE: holds("* qa - no")}, [FILE], id="a wider hold"),
        pytest.param(
            "hold/webshop-webui-qa", {FILE: holds("webui prod - no")}, {FILE: holds()}, [FILE], id="another is lifted"
        ),
        pytest.param(
            "hold/webshop-webui-qa",
            {},
            {FILE: holds("webui qa - no"), PROD: "x\n"},
            [PROD],
            id="a file more",
        ),
        pytest.param("hold/webshop-webui-qa", {FILE: holds("webui qa - no")}, {FILE: None}, [FILE], id="the file goes"),
        pytest.param("hold/webshop-webui-qa", {}, {FILE: "holds: [1]\n"}, [FILE], id="holds that cannot be read"),
    ],
)
def test_a_branch_of_holds_changes_the_holds_that_it_is_named_for(
    branch: str, before: Files, after: Files, beyond: list[str]
) -> None:
    app, environment = branch.removeprefix("hold/webshop-").replace("_all", "*").split("-")
    hold = request(HOLD, app, environment)
    assert HOLD.branch(hold, CONFIG) == branch
    assert HOLD.beyond(hold, *diff(before, after), CONFIG) == beyond


@pytest.mark.parametrize("path", [QA, FILE])
def test_a_link_is_never_a_part_of_it(path: str) -> None:
    changes, blobs = diff({QA: tag("1"), FILE: holds("webui qa - no")}, {QA: tag("2"), FILE: "x"}, {path: "symlink"})
    assert path in branch_contents.beyond_tags(WEBUI, changes, blobs, CONFIG)
    assert path in ROLLBACK.beyond(request(ROLLBACK, "webui", "qa"), changes, blobs, CONFIG)
    assert path in HOLD.beyond(request(HOLD, "webui", "qa"), changes, blobs, CONFIG)
