"""Environments in a graph: fan-out, fan-in, any of several, and branches that do not concern each other."""

import json
import random
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.commands.conftest import Shop
    from tests.conftest import Remote

FAN = """\
prflow: per-env
environments:
- {name: dev, auto: true}
- {name: eu, auto: true, after: dev}
- {name: us, auto: true, after: dev}
- {name: prod, auto: true, after: [eu, us]}
"""
ANY = FAN.replace("[eu, us]", "{any: [eu, us]}")
ENVIRONMENTS = ("dev", "eu", "us", "prod")


@pytest.fixture
def fan(
    make_remote: "Callable[..., Remote]", make_shop: "Callable[[Remote], Shop]", manifest: Callable[..., str]
) -> "Callable[[str], Shop]":
    """Return a shop with this configuration, and webui at 1 everywhere."""

    def make(config: str) -> "Shop":
        files = {f"webshop/{env}/webui.yaml": manifest("webui", "1") for env in ENVIRONMENTS}
        return make_shop(make_remote({"gitops-promotion.yaml": config, **files}))

    return make


def report(shop: "Shop", contexts: Iterable[str], state: str = "success") -> None:
    """Report on the newest commit as Flux does, straight into the remote."""
    sha = shop.remote.sha("main")
    statuses = [
        {
            "context": c,
            "state": state,
            "description": "",
            "url": "",
            "author": "",
            "created_at": "2026-01-01T00:00:00+00:00",
        }
        for c in contexts
    ]
    record = json.dumps({"version": 1, "nonce": state, "sha": sha, "statuses": statuses})
    blob = shop.remote.git("hash-object", "-w", "--stdin", stdin=record)
    shop.remote.git("update-ref", f"refs/gitops-promotion/statuses/{sha}", blob)


def green(shop: "Shop", *environments: str) -> None:
    report(shop, [f"kustomization/webshop-{environment}/x" for environment in environments])


def results(shop: "Shop", *more: str) -> dict[str, str]:
    return {o["environment"]: o["result"] for o in shop.run("promote", "--all", *more).outcomes}


def merge(shop: "Shop", *environments: str) -> None:
    """Report these environments healthy, and publish the verdicts: that merges what may merge."""
    green(shop, *environments)
    shop.run("status", "--publish")


def set_by_hand(shop: "Shop", environment: str, tag: str) -> None:
    path = f"webshop/{environment}/webui.yaml"
    text = re.sub(r"webui:[\w.]+ #", f"webui:{tag} #", shop.remote.show(path, "main"))
    shop.edit({path: text}, f"Set {tag} by hand")


def test_one_arrival_is_proposed_for_each_environment_behind_it(fan: "Callable[[str], Shop]") -> None:
    shop = fan(FAN)
    before = shop.remote.sha("main")
    shop.new("2")
    shop.push_event(before)
    outcomes = shop.run("promote").outcomes
    assert [(o["environment"], o["result"], o["branch"]) for o in outcomes] == [
        ("eu", "opened", "promote/webshop-webui-eu"),
        ("us", "opened", "promote/webshop-webui-us"),
    ]


def test_several_sources_must_all_have_the_tag_and_be_healthy(fan: "Callable[[str], Shop]") -> None:
    shop = fan(FAN)
    shop.new("2")
    assert results(shop) == {"eu": "opened", "us": "opened"}
    green(shop, "dev")
    eu = next(p for p in range(2, 4) if "eu" in shop.local("show", str(p)))
    shop.check(eu)
    [skipped] = [o for o in shop.run("promote", "--all").outcomes if o["environment"] == "prod"]
    assert (skipped["result"], skipped["message"]) == (
        "skipped",
        "its sources do not have one tag yet: eu has 2, us has 1",
    )
    forced = shop.run("promote", "--app", "webui", "--env", "prod", code=2).only
    assert forced["message"] == skipped["message"]
    shop.run("status", "--publish")
    assert shop.tag("us") == "2"
    assert results(shop) == {"prod": "opened"}
    # The gate asks every source.
    green(shop, "eu")
    pull = str(4)
    reasons = shop.check(int(pull), code=4).only["reasons"]
    assert any("status gate of us: webshop/webui 2 has no status yet" in reason for reason in reasons)
    green(shop, "eu", "us")
    assert shop.check(4).results == ["passed"]
    assert shop.tag("prod") == "2"


def test_one_of_several_sources_suffices_and_the_others_are_named(fan: "Callable[[str], Shop]") -> None:
    shop = fan(ANY)
    shop.new("2")
    shop.run("promote")
    green(shop, "dev")
    us = next(p for p in range(2, 4) if "environment us" in shop.local("show", str(p)))
    shop.check(us)
    outcomes = {o["environment"]: o for o in shop.run("promote", "--all").outcomes}
    assert (outcomes["prod"]["result"], outcomes["prod"]["tag"]) == ("opened", "2")
    green(shop, "us")
    passed = shop.check(4).only
    assert passed["result"] == "passed"
    assert "status gate of us: webshop/webui 2 is healthy" in passed["reasons"][0]
    assert passed["reasons"][1].startswith("status gate of eu: webshop/webui 2 has not been in eu")
    assert (shop.tag("eu"), shop.tag("prod")) == ("1", "2")


def test_of_different_tags_the_one_that_arrived_last_goes_on(fan: "Callable[[str], Shop]") -> None:
    shop = fan(ANY)
    shop.new("2")
    shop.run("promote")
    merge(shop, "dev")
    shop.new("3")
    shop.run("promote", "--all")
    green(shop, "dev")
    into_us = next(p for p in range(4, 9) if "version 3 to environment us" in shop.local("show", str(p)))
    shop.check(into_us)
    assert (shop.tag("eu"), shop.tag("us")) == ("2", "3")
    outcomes = {o["environment"]: o for o in shop.run("promote", "--all").outcomes}
    assert outcomes["prod"]["tag"] == "3"


def test_a_tag_set_by_hand_in_one_branch_of_the_graph_concerns_that_branch_alone(fan: "Callable[[str], Shop]") -> None:
    shop = fan(ANY)
    shop.new("2")
    shop.run("promote")
    merge(shop, "dev")
    set_by_hand(shop, "us", "9")
    outcomes = {o["environment"]: o for o in shop.run("promote", "--all").outcomes}
    assert (outcomes["prod"]["result"], outcomes["prod"]["tag"]) == ("opened", "2"), "eu has it by a promotion"


def test_a_rollback_in_one_branch_of_the_graph_concerns_that_branch_alone(fan: "Callable[[str], Shop]") -> None:
    shop = fan(FAN)
    shop.new("2")
    shop.run("promote")
    merge(shop, "dev")
    shop.run("promote", "--all")
    merge(shop, "eu", "us")
    assert [shop.tag(environment) for environment in ENVIRONMENTS] == ["2", "2", "2", "2"]
    back = ("rollback", "--group", "webshop", "--app", "webui", "--env", "us", "--to", "1", "--reason", "slow")
    assert shop.run(*back).results == ["merged"]
    assert [shop.tag(environment) for environment in ENVIRONMENTS] == ["2", "2", "1", "2"]
    [line] = shop.document("board")["applications"]
    behind = {cell["environment"]: cell["behind"] for cell in line["environments"]}
    assert (behind["us"]["of"], behind["us"]["versions"], behind["prod"]) == ("dev", 1, None)
    shop.new("3")
    outcomes = {o["environment"]: o for o in shop.run("promote", "--all").outcomes}
    assert {name: outcome["result"] for name, outcome in outcomes.items()} == {
        "eu": "opened",
        "us": "opened",
        "prod": "skipped",
    }
    assert "us has 1" in outcomes["prod"]["message"]


def test_a_source_without_a_marker_is_awaited_with_the_marker_to_add(fan: "Callable[[str], Shop]") -> None:
    shop = fan(FAN)
    shop.edit({"webshop/us/webui.yaml": None, "webshop/us/x.yaml": "kind: x\n"})
    shop.new("2")
    shop.run("promote")
    merge(shop, "dev")
    outcomes = {o["environment"]: o for o in shop.run("promote", "--all").outcomes if o["environment"]}
    for name in ("us", "prod"):
        assert outcomes[name]["result"] == "skipped"
        assert outcomes[name]["message"] == "us has no marker of webshop/webui"
        assert "in webshop/us on main" in outcomes[name]["warnings"][0]
    forced = shop.run("promote", "--app", "webui", "--env", "prod", code=2).only
    assert forced["message"].startswith("us has no marker of webshop/webui; no ")


def test_of_any_sources_one_without_a_marker_is_not_awaited(fan: "Callable[[str], Shop]") -> None:
    shop = fan(ANY)
    shop.edit({"webshop/us/webui.yaml": None})
    shop.new("2")
    shop.run("promote")
    merge(shop, "dev")
    assert results(shop)["prod"] == "opened"


# Generated graphs and layouts

LAYOUTS: Sequence[tuple[str, str, str]] = [
    # A path, a marker and a file for an application in an environment.
    ("{group}/{env}", "{group}:{app}", "shop/%(env)s/web.yaml"),
    ("clusters/{env}/{group}", "{group}:{app}", "clusters/%(env)s/shop/a/web.yaml"),
    ("apps/*/{app}/{env}.yaml", "flux-system:{app}", "apps/shop/web/%(env)s.yaml"),
    ("components/**/{env}", "{group}:{app}-{env}", "components/a/b/%(env)s/web.yaml"),
    ("{group}/web.yaml", "{group}:{app}-{env}", "shop/web.yaml"),
]
Requirements = Sequence[Sequence[str]]


def generated(chance: random.Random) -> dict[str, Requirements]:
    """Return environments with their requirements: each follows some of those before it."""
    names = [f"e{number}" for number in range(chance.randint(2, 5))]
    graph: dict[str, Requirements] = {names[0]: ()}
    for number, name in enumerate(names[1:], start=1):
        sources = chance.sample(names[:number], chance.randint(1, min(2, number)))
        graph[name] = [sources] if chance.random() < 0.5 else [[source] for source in sources]
    return graph


def configuration(graph: Mapping[str, Requirements], path: str, marker: str, chance: random.Random) -> str:
    lines = ["prflow: per-env", f"pathTemplate: '{path}'", f"markerTemplate: '{marker}'", "environments:"]
    items = list(graph.items())
    chance.shuffle(items)
    for name, groups in items:
        after = f"{{any: {json.dumps(groups[0])}}}" if len(groups) == 1 else json.dumps([s for g in groups for s in g])
        lines.append(f"- {{name: {name}, auto: true, after: {after}, statusContext: flux/{name}}}")
    return "\n".join(lines).replace('"', "") + "\n"


def content(marker: str, file: str, graph: Iterable[str]) -> dict[str, str]:
    files: dict[str, str] = {}
    for name in graph:
        group, _, app = marker.replace("{group}", "shop").replace("{app}", "web").replace("{env}", name).partition(":")
        line = f'{name}:\n  image: x/web:1 # {{"$imagepolicy": "{group}:{app}"}}\n'
        path = file % {"env": name} if "%" in file else file
        files[path] = files.get(path, "") + line
    return files


def tags(shop: "Shop", file: str, graph: Iterable[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in graph:
        text = shop.remote.show(file % {"env": name} if "%" in file else file, "main")
        match = re.search(rf"^{name}:\n  image: x/web:(\w+)", text, re.MULTILINE)
        assert match
        found[name] = match[1]
    return found


def test_every_environment_gets_the_tag_and_none_before_its_sources(
    make_remote: "Callable[..., Remote]", make_shop: "Callable[[Remote], Shop]", request: pytest.FixtureRequest
) -> None:
    seeds = range(60 if request.config.getoption("--thorough") else len(LAYOUTS))
    for seed in seeds:
        chance = random.Random(seed)  # noqa: S311  graphs, no secrets
        path, marker, file = LAYOUTS[seed % len(LAYOUTS)]
        graph = generated(chance)
        files = {
            "gitops-promotion.yaml": configuration(graph, path, marker, chance),
            **content(marker, file, graph),
        }
        shop = make_shop(make_remote(files, name=f"graph-{seed}.git"))
        group = "flux-system" if path.startswith("apps") else "shop"
        shop.run("new", "--group", group, "--app", "web", "--tag", "2")
        history = [tags(shop, file, graph)]
        assert history[0] == {name: "2" if not groups else "1" for name, groups in graph.items()}, files
        for _ in range(2 * len(graph)):
            report(shop, [f"flux/{name}" for name in graph if chance.random() < 0.8])
            shop.run("promote", "--all")
            shop.run("status", "--publish")
            now = tags(shop, file, graph)
            for name, groups in graph.items():
                if now[name] == "2":
                    assert all(any(now[source] == "2" for source in group) for group in groups), (files, name, now)
            history.append(now)
            if set(now.values()) == {"2"}:
                break
        for _ in graph if "1" in history[-1].values() else ():
            report(shop, [f"flux/{name}" for name in graph])
            shop.run("promote", "--all")
            shop.run("status", "--publish")
        assert set(tags(shop, file, graph).values()) == {"2"}, (files, history)


def test_a_list_means_the_same_with_its_defaults_written_out(
    make_remote: "Callable[..., Remote]",
    make_shop: "Callable[[Remote], Shop]",
    manifest: Callable[..., str],
    request: pytest.FixtureRequest,
) -> None:
    for seed in range(20 if request.config.getoption("--thorough") else 2):
        chance = random.Random(seed)  # noqa: S311  repositories, no secrets
        names = ["dev", "qa", "stage", "prod"][: chance.randint(2, 4)]
        plain = "environments:\n" + "".join(
            f"- {{name: {name}, auto: {chance.choice(['true', 'false'])}}}\n" for name in names
        )
        full = plain
        for name, above in zip(names, ["", *names], strict=False):
            keys = (
                f"after: {above or '[]'}, path: '{{group}}/{name}', marker: '{{group}}:{{app}}', "
                f"statusContext: ['*/{{group}}-{name}', '*/{{group}}-{name}/*']"
            )
            full = full.replace(f"name: {name},", f"name: {name}, {keys},")
        files = {
            f"{group}/{name}/{app}.yaml": manifest(app, str(chance.randint(1, 3)), group)
            for name in names
            for group, app in (("webshop", "webui"), ("webshop", "cart"), ("blog", "site"))
            if chance.random() < 0.9
        }
        shop = make_shop(make_remote({"gitops-promotion.yaml": plain, **files}, name=f"list-{seed}.git"))
        shown = [outcomes_of(shop, names)]
        shop.edit({"gitops-promotion.yaml": full})
        shown.append(outcomes_of(shop, names))
        # What to correct is the key that decides.
        plain_text, full_text = (json.dumps(outcomes) for outcomes in shown)
        assert re.sub(r"environments\[\d\]\.path", "pathTemplate", full_text) == plain_text, (plain, files)


def outcomes_of(shop: "Shop", names: Sequence[str]) -> list[object]:
    """Return what `promote` and `new` would do, without commits and the names of keys."""
    keys = ("result", "exit_code", "message", "group", "app", "environment", "tag", "previous_tag", "branch", "diff")
    runs = [shop.run("promote", "--all", "--dry-run", code=None)]
    for application in (("webshop", "webui"), ("blog", "site")):
        names_of = ("--group", application[0], "--app", application[1])
        runs.append(shop.run("new", *names_of, "--tag", "9", "--dry-run", code=None))
        runs.append(shop.run("promote", *names_of, "--env", names[-1], "--dry-run", code=None))
    return [
        (run.code, [{key: re.sub(r"\b[0-9a-f]{7,40}\b", "", str(o[key])) for key in keys} for o in run.outcomes])
        for run in runs
    ]
