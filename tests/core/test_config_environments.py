"""The keys of one environment: accepted forms, and each error with its file and line."""

import pytest

from gitops_promotion.core.config import parse
from gitops_promotion.core.environments import Environment
from gitops_promotion.core.gates.health import Health
from gitops_promotion.core.gates.health_keys import Clusters
from gitops_promotion.core.names import Application
from gitops_promotion.core.status_contexts import DEFAULT
from gitops_promotion.errors import ConfigError, Fault

FILE = "gitops-promotion.yaml"


def environments(*lines: str, more: str = "") -> str:
    """Return a configuration with one environment a line, the first on line 2."""
    return "environments:\n" + "".join(f"- {{{line}}}\n" for line in lines) + more


def read(*lines: str, more: str = "") -> tuple[Environment, ...]:
    return parse(environments(*lines, more=more), FILE).pipeline.environments


def faults(*lines: str, more: str = "") -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse(environments(*lines, more=more), FILE)
    return [str(fault) for fault in caught.value.faults]


PER_ENV = "prflow: per-env\n"


@pytest.mark.parametrize(
    ("written", "requirements"),
    [
        ("name: prod", (("us",),)),
        ("name: prod, after: dev", (("dev",),)),
        ("name: prod, after: [eu, us]", (("eu",), ("us",))),
        ("name: prod, after: {all: [eu, us]}", (("eu",), ("us",))),
        ("name: prod, after: {any: [eu, us]}", (("eu", "us"),)),
        ("name: prod, after: {any: eu}", (("eu",),)),
        ("name: prod, after: [eu, eu]", (("eu",),)),
    ],
)
def test_after_is_a_name_a_list_all_or_any(written: str, requirements: tuple[tuple[str, ...], ...]) -> None:
    text = environments("name: dev", "name: eu, after: dev", "name: us, after: dev", written, more=PER_ENV)
    assert parse(text, FILE).pipeline.requirements("prod") == requirements


def test_an_order_may_be_as_long_as_the_limit_and_no_longer() -> None:
    backwards = ["name: e0", *(f"name: e{n}, after: e{n + 1}" for n in range(1, 199)), "name: e199, after: e0"]
    assert parse(environments(*backwards), FILE).pipeline.names[:2] == ("e0", "e199")
    assert "environments has 201 entries, at most 200 are accepted" in faults(*(f"name: e{n}" for n in range(201)))[0]


def test_the_environment_without_a_source_is_the_entry_wherever_it_stands() -> None:
    text = environments("name: prod, after: qa", "name: qa, after: dev", "name: dev, after: []")
    pipeline = parse(text, FILE).pipeline
    assert (pipeline.entry.name, pipeline.names) == ("dev", ("dev", "qa", "prod"))


@pytest.mark.parametrize(
    ("lines", "line", "words"),
    [
        (["name: dev", "name: qa, after: stage"], 3, "qa comes after 'stage', which is no environment: use dev, qa"),
        (["name: dev", "name: qa, after: [dev, qa]"], 3, "qa comes after itself: leave it out of its own `after`"),
        (
            ["name: dev", "name: a, after: c", "name: b, after: a", "name: c, after: b"],
            3,
            "is a cycle: take one `after` away",
        ),
        (["name: dev, after: qa", "name: qa, after: dev"], 2, "is a cycle"),
        (["name: dev", "name: qa, after: []"], 2, "dev and qa would be the entry: exactly one may have no `after`"),
        (["name: dev, after: dev"], 2, "comes after itself"),
        (["name: dev", "name: qa, after: {}"], 3, "environments[1].after needs one of any and all"),
        (["name: dev", "name: qa, after: {any: [dev], all: [dev]}"], 3, "needs one of any and all"),
        (["name: dev", "name: qa, after: {any: []}"], 3, "environments[1].after.any is empty"),
        (["name: dev", "name: qa, after: {each: [dev]}"], 3, "unknown key 'each'"),
        (["name: dev", "name: qa, after: [a/b]"], 3, "environment 'a/b' is not a valid name"),
        (["name: dev", "name: qa, after: [[dev]]"], 3, "environments[1].after[0] is a sequence"),
        (["name: dev", "name: eu, after: dev", "name: us, after: dev"], 1, "eu and us come after dev, and with prflow "
         "per-app an application has one branch: set prflow: per-env"),
    ],
)  # fmt: skip
def test_an_order_that_is_no_pipeline_is_an_error_with_its_line(lines: list[str], line: int, words: str) -> None:
    found = faults(*lines)
    assert found[0].startswith(f"{FILE}:{line}: "), found
    assert words in found[0]


def test_a_fan_out_is_accepted_with_a_branch_for_each_environment() -> None:
    text = environments("name: dev", "name: eu, after: dev", "name: us, after: dev", more=PER_ENV)
    assert parse(text, FILE).pipeline.targets("dev") == ("eu", "us")


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("path: /apps/dev", "it must be relative to the repository's root"),
        ("path: apps//dev", "it must not have empty, '.', '..' or '.git' parts"),
        ("path: ../dev", "'..'"),
        ("path: 'apps\\dev'", "nor a backslash"),
        ("path: a**b", "`**` must be a segment of its own"),
        ("path: x/**/a/**/b/**/c/**/d", "it must not have more than 3 `**`"),
        ("path: a/*-*-*-*/b", "nor more than 3 `*` in one segment"),
        ("path: 'apps/{cluster}'", "{cluster} is not a placeholder, accepted are {group}, {app}, {env}"),
        ("path: 'apps/{env'", "a brace has no partner"),
        ("path: []", "environments[0].path is an empty list"),
        ("marker: web", "it must be two names with a colon between them"),
        ("marker: 'a:b:tag'", "without :tag"),
        ("marker: 'a b:{app}'", "two names"),
        ("marker: '{x}:{app}'", "{x} is not a placeholder"),
        ("marker: [a]", "environments[0].marker is a sequence"),
    ],
)
def test_a_pattern_or_form_that_cannot_be_one_is_an_error(written: str, words: str) -> None:
    [fault] = faults(f"name: dev, {written}")
    assert fault.startswith(f"{FILE}:2: environments[0].")
    assert words in fault, fault


def test_path_takes_one_pattern_or_several_and_no_placeholder_is_needed() -> None:
    one, several = read("name: dev, path: apps/dev", "name: qa, path: ['{group}/qa', 'x/*/qa.yaml'], marker: 'f:{app}'")
    assert one.paths == ("apps/dev",)
    assert (several.paths, several.marker) == (("{group}/qa", "x/*/qa.yaml"), "f:{app}")


def test_a_path_for_all_needs_the_environment_unless_the_marker_has_it() -> None:
    [fault] = faults("name: dev", more="pathTemplate: apps\n")
    assert fault == f"{FILE}:3: pathTemplate is 'apps': it must contain {{env}}, unless markerTemplate has it"
    parse(environments("name: dev", more="pathTemplate: apps\nmarkerTemplate: 'f:{app}-{env}'\n"), FILE)


# Whose statuses


def test_a_status_context_of_one_environment_needs_no_placeholder() -> None:
    dev, qa = read(
        "name: dev, statusContext: kustomization/apps/2fb0a5b0",
        "name: qa, statusContext: ['kustomization/{group}/77c1d9e4', 'cd/{app}-qa']",
    )
    assert dev.setting("health").contexts == ("kustomization/apps/2fb0a5b0",)
    assert qa.setting("health").contexts == ("kustomization/{group}/77c1d9e4", "cd/{app}-qa")


def test_the_same_status_context_in_two_environments_is_an_error() -> None:
    [fault] = faults(
        "name: dev, statusContext: kustomization/apps/a1", "name: qa, statusContext: Kustomization/apps/A1"
    )
    assert fault.startswith(f"{FILE}:3: qa and dev have statuses of the same name, 'Kustomization/apps/A1': give each ")
    assert "(environments[1], environments[0])" in fault
    [fault] = faults("name: dev", "name: qa, statusContext: '*/{group}-dev'")
    assert fault.startswith(f"{FILE}:3: ")


def test_patterns_for_all_environments_are_left_as_they_were() -> None:
    more = "statusContext: '*/*{env}'\n"
    config = parse(environments("name: dev", "name: x-dev", more=more), FILE)
    assert config.status_contexts == ("*/*{env}",)


@pytest.mark.parametrize("context", ["kustomization/*/2fb0a5b0", "*", "*/*", "kustomization/apps-*/2fb0"])
def test_a_star_in_the_place_of_a_name_is_an_error_in_one_environment(context: str) -> None:
    [fault] = faults("name: dev", f"name: qa, statusContext: '{context}'")
    assert fault.startswith(
        f"{FILE}:3: environments[1].statusContext is '{context}': its * takes the statuses of other"
    )
    assert "{group} and {app}" in fault


def test_a_star_in_the_place_of_a_name_is_a_warning_for_all_environments() -> None:
    config = parse(environments("name: dev", more="statusContext: '*/*-{env}/*'\n"), FILE)
    [warning] = config.warnings
    assert str(warning).startswith(f"{FILE}:3: statusContext is '*/*-{{env}}/*': its * takes the statuses of other ")
    assert str(warning).endswith("such as */{group}-{env}/*")
    assert parse(environments("name: dev"), FILE).warnings == ()


def test_the_application_is_a_placeholder_of_every_status_context() -> None:
    more = "statusContext: 'cd/{group}-{app}-{env}'\n"
    config = parse(environments("name: dev", more=more), FILE)
    assert config.warnings == ()
    assert config.context_templates == {"dev": ("cd/{group}-{app}-{env}",)}


def test_the_gate_looks_for_the_statuses_of_each_environment() -> None:
    config = parse(environments("name: dev, statusContext: x", "name: qa, requiredContexts: [e2e]", "name: prod"), FILE)
    [gate] = config.gates("prod")
    assert isinstance(gate, Health)
    assert gate.contexts == {"dev": ("x",), "qa": DEFAULT, "prod": DEFAULT}
    assert config.gates("dev") == ()


@pytest.mark.parametrize(
    ("written", "clusters"),
    [
        ("clusters: 3", Clusters(count=3, required=3)),
        ("clusters: 3, require: all", Clusters(count=3, required=3)),
        ("clusters: 3, require: 2", Clusters(count=3, required=2)),
        ("clusters: [0c9c2e41, 77c1d9e4]", Clusters(count=2, required=2, names=("0c9c2e41", "77c1d9e4"))),
        ("clusters: [10, 1e3], require: 1", Clusters(count=2, required=1, names=("10", "1e3"))),
        ("clusters: ~", None),
        ("auto: true", None),
    ],
)
def test_clusters_are_a_number_or_the_last_parts_of_contexts(written: str, clusters: Clusters | None) -> None:
    settings = read(f"name: dev, {written}")[0].setting("health")
    assert (settings.clusters if settings else None) == clusters


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("clusters: 0", "environments[0].clusters is '0': write a number from 1 to 1000, or a list"),
        ("clusters: 1001", "write a number from 1 to 1000"),
        ("clusters: -1", "write a number from 1 to 1000"),
        ("clusters: 0c9c2e41", "or a list such as [0c9c2e41, 77c1d9e4]"),
        ("clusters: \u0663", "write a number"),
        ("clusters: []", "environments[0].clusters is an empty list"),
        ("clusters: [a, A]", "environments[0].clusters has a cluster twice (case ignored)"),
        ("clusters: [a/b]", "environments[0].clusters[0] is 'a/b': write the last part of a status context"),
        ("clusters: ['*']", "write the last part of a status context"),
        ("clusters: {a: 1}", "environments[0].clusters is a mapping"),
        ("clusters: 2, require: 3", "environments[0].require is 3 and clusters has 2"),
        ("clusters: [a], require: 2", "environments[0].require is 2 and clusters has 1"),
        ("clusters: 2, require: 0", "environments[0].require is '0': accepted are all, or a number of clusters"),
        ("clusters: 2, require: most", "accepted are all, or a number of clusters"),
        ("require: 2", "environments[0].require needs clusters, write for example clusters: 3"),
        ("requiredContexts: GitOps-Promotion", "that is this tool's own status"),
        ("requiredContexts: []", "environments[0].requiredContexts is an empty list"),
        ("requiredContexts: [' e2e']", "write one line without blanks at its ends"),
        ('requiredContexts: ["a\\nb"]', "write one line without blanks at its ends"),
    ],
)
def test_clusters_and_required_statuses_that_cannot_be_met_are_errors(written: str, words: str) -> None:
    [fault] = faults(f"name: dev, {written}")
    assert fault.startswith(f"{FILE}:2: ")
    assert words in fault


def test_required_statuses_are_one_or_several() -> None:
    dev, qa = read("name: dev, requiredContexts: e2e", "name: qa, requiredContexts: [e2e, load/50%]")
    assert (dev.setting("health").required, qa.setting("health").required) == (("e2e",), ("e2e", "load/50%"))


# An application's own way


def own_way(names: str) -> str:
    return f"groups: {{shop: {{applications: {{batch: {{environments: {names}}}}}}}}}\n"


def test_an_application_leaves_environments_out_in_the_order_of_the_pipeline() -> None:
    config = parse(environments("name: dev", "name: qa", "name: prod", more=own_way("[prod, dev]")), FILE)
    assert config.way(Application("shop", "batch")).names == ("dev", "prod")
    assert config.way(Application("shop", "web")).names == ("dev", "qa", "prod")
    assert parse(environments("name: dev", "name: qa", more=own_way("")), FILE).way(
        Application("shop", "batch")
    ).names == ("dev", "qa")


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ("[dev, stage]", "environments has 'stage', which is no environment: use dev, qa-eu, qa-us"),
        ("[]", "environments is an empty list"),
        ("dev", "environments is not a list"),
        ("[qa-eu, qa-us]", "qa-eu and qa-us would be the entry"),
    ],
)
def test_an_own_way_that_is_none_is_an_error(names: str, words: str) -> None:
    lines = ("name: dev", "name: qa-eu, after: dev", "name: qa-us, after: dev")
    [fault] = faults(*lines, more=PER_ENV + own_way(names))
    assert fault.startswith(f"{FILE}:6: groups.shop.applications.batch.environments")
    assert words in fault


def test_warnings_carry_file_and_line() -> None:
    config = parse(environments("name: dev", more="statusContext:\n- '*/{group}-{env}'\n- '*{env}'\n"), FILE)
    assert [(fault.path, fault.line) for fault in config.warnings] == [(FILE, 3)]
    assert all(isinstance(fault, Fault) for fault in config.warnings)
