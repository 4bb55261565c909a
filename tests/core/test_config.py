"""The configuration: what each key means, what is refused and how, and how names become paths and branches."""

import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_promotion.core.config import KEYS, ApplicationSettings, Config, parse
from gitops_promotion.core.config.values import duration
from gitops_promotion.core.environments import Environment, Pipeline
from gitops_promotion.core.layout import Layout, MarkerName
from gitops_promotion.core.names import Application, check_application
from gitops_promotion.errors import ConfigError, UsageError
from tests.support.examples import ASCII, examples

ENVIRONMENTS = "environments: [{name: dev, auto: true}, {name: qa}, {name: prod}]\n"
FILE = "gitops-promotion.yaml"


def faults(text: str | bytes) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse(text, FILE)
    return str(caught.value).splitlines()


def only_fault(text: str | bytes) -> str:
    found = faults(text)
    assert len(found) == 1, found
    return found[0]


def refused(key_and_value: str) -> str:
    """The one fault of a file whose second line is under test."""
    fault = only_fault(ENVIRONMENTS + key_and_value + "\n")
    assert fault.startswith(f"{FILE}:2: "), fault
    return fault


# The predecessor's keys


def test_the_predecessors_own_example_means_what_it_meant() -> None:
    config = parse(
        """\
prflow: per-app
environments:
  - name: dev
    auto: true
  - name: qa
    auto: true
  - name: prod
    auto: false
groups:
  apps:
    applications:
      podinfo:
        featureOverwrite: false
        featureLabelSelector:
          app: podinfo
""",
        FILE,
    )
    assert config.prflow == "per-app"
    assert config.pipeline.environments == (
        Environment(name="dev", auto=True),
        Environment(name="qa", auto=True),
        Environment(name="prod", auto=False),
    )
    assert config.groups == {
        "apps": {"podinfo": ApplicationSettings(feature_overwrite=False, feature_label_selector={"app": "podinfo"})}
    }
    assert config.branch(Application("apps", "podinfo"), "qa") == "promote/apps-podinfo"
    assert config.layout.folder(Application("apps", "podinfo"), "qa") == "apps/qa"


def test_what_is_left_out_has_the_documented_default() -> None:
    config = parse("environments: [{name: dev}]", FILE)
    assert config == Config(
        pipeline=Pipeline(environments=(Environment(name="dev", auto=False),)),
        layout=Layout(environments=(Environment(name="dev", auto=False),)),
        prflow="per-app",
        status_timeout=300.0,
        groups={},
        provider="",
        branch_template="promote/{group}-{app}",
        status_contexts=("*/{group}-{env}", "*/{group}-{env}/*"),
        status_authors=(),
        check_run_apps=(),
        fail_fast=False,
        merge_method="",
        commit_author=None,
        commit_signing="git",
    )


@pytest.mark.parametrize("key", [key for key in KEYS[""] if key != "environments"])
@pytest.mark.parametrize("value", ["", " ~", " null", " ''"])
def test_an_empty_value_counts_as_absent(key: str, value: str) -> None:
    assert parse(f"{ENVIRONMENTS}{key}:{value}\n", FILE) == parse(ENVIRONMENTS, FILE)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("5", 300),
        ("'5'", 300),
        ("5m", 300),
        ("300s", 300),
        ("1h", 3600),
        ("1h30m", 5400),
        ("1.5h", 5400),
        ("90s", 90),
        ("5m0s", 300),
        ("0", 300),
        ("0s", 300),
        ("527040", 366 * 86400),
    ],
)
def test_b19_an_integer_timeout_is_minutes_and_zero_the_default(written: str, seconds: float) -> None:
    assert parse(f"{ENVIRONMENTS}status_timeout_minutes: {written}", FILE).status_timeout == seconds


@pytest.mark.parametrize(
    "written",
    ["-5", "5 m", "five", "1e3", "5.5", "0x10", "1_000", "[5]", "'-5m'", "9" * 5000, "527041", "400d", "\u0665"],
)
def test_b19_a_timeout_that_is_none_is_refused(written: str) -> None:
    fault = refused(f"status_timeout_minutes: {written}")
    assert len(fault) < 700
    if not written.startswith("["):
        assert "accepted are whole minutes such as 5, or 300s, 5m, 1h30m, at most 366d" in fault


@pytest.mark.parametrize(
    ("written", "value"),
    [(word, True) for word in ("true", "True", "TRUE", "yes", "Yes", "on", "ON", "y")]
    + [(word, False) for word in ("false", "no", "NO", "off", "Off", "n", "", "~", "null")],
)
def test_a_boolean_may_be_any_word_the_predecessor_took(written: str, value: bool) -> None:
    config = parse(f"environments: [{{name: dev, auto: {written}}}]\nfailFast: {written}\n", FILE)
    assert config.pipeline.entry.auto is value
    assert config.fail_fast is value


@pytest.mark.parametrize("written", ["maybe", "1", "0", "'true'", '"no"', "[true]", "{a: b}", "tru"])
def test_b39_a_boolean_that_is_none_is_refused(written: str) -> None:
    assert "failFast is " in refused(f"failFast: {written}")
    fault = only_fault(f"environments: [{{name: dev, auto: {written}}}]")
    assert "environments[0].auto is " in fault


@pytest.mark.parametrize("name", ["on", "no", "1", "010", "1e3", "true"])
def test_a_name_is_taken_as_it_is_written(name: str) -> None:
    assert parse(f"environments: [{{name: {name}}}]", FILE).pipeline.entry.name == name


# Strictness


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("environments: [{name: dev}]\nprFlow: per-app", 2, "'prFlow', did you mean 'prflow'?"),
        ("environments: [{name: dev}]\nstatusTimeoutMinutes: 1", 2, "did you mean 'status_timeout_minutes'?"),
        ("environments: [{name: dev}]\nzzz: 1", 2, "'zzz', accepted: prflow, status_timeout_minutes,"),
        ("environments:\n- name: dev\n  automatic: true", 3, "did you mean 'auto'?"),
        ("environments: [{name: d}]\ngroups:\n  g: {apps: {}}", 3, "accepted: applications and x-..."),
        ("environments: [{name: d}]\ngroups: {g: {applications: {a: {overwrite: on}}}}", 2, "'featureOverwrite'?"),
        ("environments: [{name: d}]\ncommitAuthor: {name: a, email: b, mail: c}", 2, "did you mean 'email'?"),
    ],
)
def test_b39_an_unknown_key_is_refused_with_the_nearest(text: str, line: int, words: str) -> None:
    fault = only_fault(text)
    assert fault.startswith(f"{FILE}:{line}: ")
    assert "unknown key" in fault
    assert words in fault


def test_keys_that_start_with_x_are_left_to_people() -> None:
    text = "x-a: &d {auto: [{}]}\nenvironments: [{name: dev, x-b: {c: d}}]\ngroups: {g: {x-c: 1}}\n"
    assert parse(text, FILE).pipeline.entry.name == "dev"


def test_b39_environments_of_one_name_are_refused_with_both_lines() -> None:
    fault = only_fault("environments:\n- name: dev\n- name: qa\n- name: dev\n")
    assert fault.startswith(f"{FILE}:4: environments[2].name is 'dev': taken by line 2")
    assert "taken by line 2" in only_fault("environments:\n- name: dev\n- name: DEV\n")
    assert "taken by line 2" in only_fault("environments:\n- name: dev\n- name: dev\n- name: prod\n")


@pytest.mark.parametrize("text", ["prflow: per-app", "environments:", "environments: []", "prflow:\nenvironments: ~"])
def test_a_file_without_environments_is_refused(text: str) -> None:
    assert "environments is missing or empty, write it as [{name: dev, auto: true}" in only_fault(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("environments: dev", "environments is not a list"),
        ("environments: {name: dev}", "environments is not a list"),
        ("environments: [dev]", "environments[0] is not a mapping"),
        ("environments: [{auto: true}]", "environments[0] has no name"),
        ("environments: [{name: }]", "environments[0] has no name"),
        ("environments: [{name: [a]}]", "environments[0].name is a sequence"),
        ("environments: [{name: ../prod}]", "is not a valid name: use letters"),
        ("environments: [{name: a/b}]", "is not a valid name: use letters"),
        ("environments: [{name: !secret dev}]", "the YAML tag '!secret'"),
        (ENVIRONMENTS + "prflow: per_app", "prflow is 'per_app': accepted are per-app, per-env"),
        (ENVIRONMENTS + "prflow: [per-app]", "prflow is a sequence"),
        (ENVIRONMENTS + "provider: git hub", "is not a valid name"),
        (ENVIRONMENTS + "groups: [apps]", "groups is not a mapping"),
        (ENVIRONMENTS + "groups: {a b: {}}", "group 'a b' is not a valid name"),
        (ENVIRONMENTS + "groups: {a: {applications: [b]}}", "groups.a.applications is not a mapping"),
        (ENVIRONMENTS + "groups: {a: {applications: {b/c: {}}}}", "application 'b/c' is not a valid name"),
        (ENVIRONMENTS + "groups: {a: {applications: {b: {featureLabelSelector: [c]}}}}", "Selector is not a mapping"),
        (ENVIRONMENTS + "groups: {a: {applications: {b: {featureLabelSelector: {c d: e}}}}}", "the key 'c d'"),
        (ENVIRONMENTS + "groups: {a: {applications: {b: {featureLabelSelector: {c: e f}}}}}", "not a Kubernetes label"),
        (ENVIRONMENTS + "commitAuthor: bot", "commitAuthor is not a mapping"),
        (ENVIRONMENTS + "commitAuthor: {email: a@b}", "commitAuthor has no name"),
        (ENVIRONMENTS + "commitAuthor: {name: a}", "commitAuthor has no email"),
        (ENVIRONMENTS + 'commitAuthor: {name: "a\\nb", email: a@b}', "git takes one line"),
        (ENVIRONMENTS + "commitAuthor: {name: a, email: <a@b>}", "git takes one line"),
        (ENVIRONMENTS + "commitAuthor: {name: '...', email: a@b}", "git takes one line"),
        ("- name: dev", "the file is not a mapping"),
        ("dev", "the file is not a mapping"),
    ],
)
def test_b39_a_value_of_the_wrong_kind_is_refused(text: str, words: str) -> None:
    assert any(words in fault for fault in faults(text))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- name: dev", "the file is not a mapping"),
        ("enviroments: [{name: dev}]", "unknown key 'enviroments', did you mean 'environments'?"),
        ("provider: local", "environments is missing"),
    ],
)
def test_one_mistake_is_one_fault(text: str, words: str) -> None:
    assert words in only_fault(text)


def test_every_fault_of_a_file_is_reported_at_once_with_its_line() -> None:
    found = faults(
        """\
prflow: sometimes
status_timeout_minutes: soon
environments:
  - {name: dev, auto: perhaps}
  - {name: dev}
pathTemplate: /{env}
unknown: key
"""
    )
    assert [fault.split(" ")[0] for fault in found] == [f"{FILE}:{line}:" for line in (1, 2, 4, 5, 6, 7)]


@pytest.mark.parametrize(
    ("count", "last"), [(21, "21: the file has an unknown"), (22, "21: here and below are 2 more")]
)
def test_of_many_faults_the_first_are_reported(count: int, last: str) -> None:
    found = faults("".join(f"unknown{number}: x\n" for number in range(1, count + 1)) + ENVIRONMENTS)
    assert len(found) == 21
    assert [fault.split(" ")[0] for fault in found[:20]] == [f"{FILE}:{line}:" for line in range(1, 21)]
    assert found[20].startswith(f"{FILE}:{last}")


def test_values_of_the_file_cannot_fake_lines_or_talk_to_the_terminal() -> None:
    found = faults(
        ENVIRONMENTS + '"a\\n\\e[2Jb": 1\ngroups: {g: {applications: {"x\\ry": {z: 1}}}}\n' + f"? k{'l' * 9999}\n: 1"
    )
    assert len(found) == 4
    assert all(fault.isprintable() and len(fault) < 600 for fault in found)


# YAML


def test_anchors_and_merge_keys_work_as_people_use_them() -> None:
    config = parse(
        """\
x-open: &open {auto: true}
x-label: &label {featureLabelSelector: {app: web}}
environments:
  - {<<: *open, name: dev}
  - <<: [*open, {name: other}]
    name: qa
    auto: false
groups:
  a: &group {applications: {web: {<<: *label, featureOverwrite: true}}}
  b: *group
""",
        FILE,
    )
    assert [(one.name, one.auto) for one in config.pipeline.environments] == [("dev", True), ("qa", False)]
    assert config.groups["a"] == config.groups["b"]
    assert config.groups["a"]["web"].feature_label_selector == {"app": "web"}


def test_each_of_several_merges_is_read() -> None:
    found = faults("environments: [{name: dev}]\n<<: [text, {prFlow: x}]\n")
    assert len(found) == 2
    assert "unknown key 'prFlow'" in found[0]
    assert "merges ('<<') something that is not another mapping" in found[1]


def test_a_byte_order_mark_and_windows_line_ends_are_no_hindrance() -> None:
    assert parse(b"\xef\xbb\xbfprflow: per-env\r\nenvironments:\r\n- name: dev\r\n", FILE).prflow == "per-env"


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", 1, "is empty, it needs at least 'environments:"),
        ("# only a comment\n", 1, "is empty"),
        ("environments: [{name: dev}]\n---\nprflow: per-env\n", 2, "expected a single document"),
        ("environments:\n\t- name: dev\n", 2, "'\\t'"),
        ("environments: [{name: dev}\n", 2, "is not valid YAML here, correct it: "),
        ("a: 'open\n", 2, "while scanning a quoted scalar begun on line 1"),
        ("environments: *nowhere\n", 1, "undefined alias 'nowhere'"),
        ("%YAML 3.0\n---\na: b\n", 1, "incompatible YAML document"),
        ("a: b\nc: \x07\n", 2, "has a character that YAML forbids"),
        ('x-a: b\nx-c: "\\UFFFFFFFF"\n', 2, "is not valid YAML, correct it: an escape names no character"),
        (
            'x-a: "\\U0010FFFF"\n\nx-c: "\\U00110000"\n',
            3,
            "is not valid YAML, correct it: an escape names no character",
        ),
        ('environments: [{name: dev}]\nprflow: "\\ud800"\n', 2, "has half of a surrogate pair"),
        (b"a: b\nc: \xff\n", 2, "is not UTF-8 text"),
        ("a: b\n".encode("utf-16"), 1, "is not UTF-8 text"),
        ("a: " + "[" * 600, 1, "nested too deeply"),
        ("environments: " + "{a: " * 600, 1, "nested too deeply"),
        ("x" * 1_100_000, 1, "larger than 1048576 characters"),
        ("environments: [{name: dev}]\nprflow: per-app\nprflow: per-env\n", 3, "'prflow' twice, first on line 2"),
        ("environments: [{name: dev}]\nx-a: 1\nx-a: 2\n", 3, "'x-a' twice"),
        ("environments: [{name: dev}]\n? [a]\n: b\n", 2, "a key that is not a plain string"),
        ("environments: [{name: dev}]\n~: b\n", 2, "a key that is not a plain string"),
        (
            "environments: [{name: dev}]\ngroups: &a {<<: *a}\n",
            2,
            "merges ('<<') something that is not another mapping",
        ),
        ("environments: [{name: dev}]\n<<: text\n", 2, "merges ('<<') something that is not another mapping"),
    ],
)
def test_hostile_or_broken_yaml_is_one_clear_line(text: str | bytes, line: int, words: str) -> None:
    fault = only_fault(text)
    assert fault.startswith(f"{FILE}:{line}: ")
    assert words in fault
    assert len(fault) < 700


@pytest.mark.parametrize("use", ["<<: *a10", "<<: [{}]".format(", ".join(["*a10"] * 99)), "groups: *b"])
def test_a_mapping_may_not_stand_for_a_billion_others(use: str) -> None:
    lines = ["x-0: &a0 {}"]
    lines += [f"x-{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 8)}]}}" for n in range(1, 11)]
    if use == "groups: *b":
        apps = "{" + ", ".join(f"c{n}: &c {{}}" if n == 0 else f"c{n}: *c" for n in range(250)) + "}"
        lines = [f"x-apps: &apps {{applications: {apps}}}"]
        lines += ["x-b: &b {" + ", ".join(f"g{n}: *apps" for n in range(250)) + "}"]
    assert "its aliases expand to too much data" in only_fault("\n".join([*lines, "environments: [{name: d}]", use]))


def test_an_alias_that_contains_itself_is_an_ordinary_fault() -> None:
    assert "groups.g has an unknown key 'g'" in only_fault(ENVIRONMENTS + "groups: &a {g: *a}\n")
    assert "environments[0] is not a mapping" in only_fault("environments: &a [*a]\n")


def test_an_anchor_set_twice_is_no_warning() -> None:
    assert parse("x-a: &a 1\nx-b: &a dev\nenvironments: [{name: *a}]\n", FILE).pipeline.entry.name == "dev"


@examples(150)
@given(
    st.one_of(
        st.text(alphabet="abx-{}[]:,&*!|>'\"#%@`?\n\t \\~<=0\ufeff\u2028\x85é", max_size=60),
        st.lists(
            st.sampled_from(
                [*KEYS[""], "name", "auto", ": ", "- ", "\n", "  ", "dev", "[", "]", "{", "}", ",", "&a ", "*a", "<<: "]
            ),
            max_size=30,
        ).map("".join),
    )
)
def test_no_text_at_all_ends_in_a_traceback(text: str) -> None:
    try:
        config = parse(text, FILE)
    except ConfigError as error:
        assert all(re.match(rf"{FILE}:[1-9][0-9]*: \S", line) for line in str(error).splitlines())
    else:
        assert config.pipeline.environments


# Environments in their order


def test_b39_the_order_of_the_list_is_the_way_of_a_promotion() -> None:
    config = parse(ENVIRONMENTS, FILE)
    assert config.pipeline.entry.name == "dev"
    assert config.pipeline.sources("dev") == ()
    assert config.pipeline.sources("qa") == ("dev",)
    assert config.pipeline.sources("prod") == ("qa",)


def test_b39_an_unknown_environment_is_an_error_that_lists_the_known() -> None:
    config = parse(ENVIRONMENTS, FILE)
    for look_up in (config.environment, config.pipeline.sources, config.gates):
        with pytest.raises(
            UsageError, match=r"environment 'stage' is not in the configuration: use one of dev, qa, prod"
        ):
            look_up("stage")


# Paths


def environment_of(config: Config, path: str, group: str) -> str | None:
    """The environment that a marker of the group's application `web` belongs to in this file."""
    claims = config.layout.claims(path, MarkerName(group, "web"))
    assert len(claims) <= 1, claims
    return next((site.environment for site in claims), None)


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("'{group}/{env}'", "apps/qa"),
        ("'{env}/{group}'", "qa/apps"),
        ("'clusters/{env}'", "clusters/qa"),
        ("'k8s/{group}-{env}/overlay {env}'", "k8s/apps-qa/overlay qa"),
    ],
)
def test_a_path_follows_its_template_there_and_back(template: str, path: str) -> None:
    config = parse(f"{ENVIRONMENTS}pathTemplate: {template}", FILE)
    assert config.layout.folder(Application("apps", "web"), "qa") == path
    assert environment_of(config, f"{path}/web/deployment.yaml", "apps") == "qa"
    assert environment_of(config, f"{path}-blue/deployment.yaml", "apps") is None
    assert environment_of(config, path, "apps") is None
    assert environment_of(config, f"other/{path}/deployment.yaml", "apps") is None


def test_a_file_belongs_to_the_environment_of_its_own_groups_folder_only() -> None:
    config = parse("environments: [{name: b-c}, {name: c}]\npathTemplate: '{group}-{env}'", FILE)
    assert environment_of(config, "a-b-c/x.yaml", "a") == "b-c"
    assert environment_of(config, "a-b-c/x.yaml", "a-b") == "c"
    assert environment_of(config, "a-b-c/x.yaml", "other") is None


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("/{env}", "relative to the repository's root"),
        ("{group}/../{env}", "'..'"),
        ("./{env}", "'.'"),
        ("{group}//{env}", "must not have empty"),
        ("{group}/{env}/", "must not have empty"),
        (".Git/{env}", "'.git'"),
        ("a\\{env}", "nor a backslash"),
        ("{group}", "it must contain {env}"),
        ("{group}/{name}/{env}", "{name} is not a placeholder, accepted are {group}, {app}, {env}"),
        ("{group}/a**/{env}", "`**` must be a segment of its own"),
        ("{env.__class__}", "{env.__class__} is not a placeholder"),
        ("{}/{env}", "{} is not a placeholder"),
        ("{{env}}", "a brace has no partner"),
        ("{env}/{", "a brace has no partner"),
        ("{env}\\x07", "a control character"),
    ],
)
def test_b6_a_path_template_cannot_lead_out_of_the_repository(template: str, words: str) -> None:
    escaped = template.replace("\\", "\\\\").replace("\\\\x", "\\x")
    assert words in refused(f'pathTemplate: "{escaped}"')


@pytest.mark.parametrize(
    "name", ["..", "../prod", "a/b", "", ".git", "a\nb", "a b", "x.lock", "{env}", "-x", "a" * 101]
)
def test_b6_names_are_checked_again_where_they_become_paths_and_branches(name: str) -> None:
    config = parse(ENVIRONMENTS, FILE)
    for call in (
        lambda: check_application(name, "web"),
        lambda: check_application("apps", name),
        lambda: config.branch(Application(name, "web"), "qa"),
        lambda: config.branch(Application("apps", name), "qa"),
        lambda: config.branch(Application("apps", "web"), name),
        lambda: config.collisions(Application(name, "web"), "qa"),
    ):
        with pytest.raises(UsageError, match="is not a valid name"):
            call()


# Branches


@pytest.mark.parametrize(
    ("flow", "template", "branch", "prefix"),
    [
        ("per-app", "", "promote/apps-web", "promote/"),
        ("per-env", "", "promote/apps-web-qa", "promote/"),
        ("per-env", "promote/{env}/{group}-{app}", "promote/qa/apps-web", "promote/"),
        ("per-app", "bots/promote/{app}.{group}", "bots/promote/web.apps", "bots/promote/"),
        ("per-app", "bots/p-{group}/{app}", "bots/p-apps/web", "bots/"),
    ],
)
def test_a_branch_follows_its_template(flow: str, template: str, branch: str, prefix: str) -> None:
    config = parse(f"{ENVIRONMENTS}prflow: {flow}\nbranchTemplate: '{template}'", FILE)
    assert config.branch(Application("apps", "web"), "qa") == branch
    assert config.branch_prefixes == (prefix, "feature/", "remove/", "hold/", "rollback/")


@pytest.mark.parametrize(
    ("flow", "template", "words"),
    [
        ("per-app", "promote/{group}", "it must contain {app}"),
        ("per-app", "promote/{app}", "it must contain {group}"),
        ("per-env", "promote/{group}-{app}", "it must contain {env}"),
        ("per-app", "promote/{env}/{group}-{app}", "leave {env} out, or set prflow: per-env"),
        ("per-app", "promote/{group}-{app}-{tag}", "{tag} is not a placeholder, accepted are {group}, {app}, {env}"),
        ("per-app", "promote/{group}-{app}-{app}", "each placeholder may appear only once"),
        ("per-app", "{group}-{app}", "a slash, such as promote/"),
        ("per-app", "{group}/{app}", "a slash, such as promote/"),
        ("per-app", "feature/{group}-{app}", "start it with promote/ or a prefix of your own"),
        ("per-app", "remove/{group}-{app}", "start it with promote/ or a prefix of your own"),
        ("per-app", "refs/{group}-{app}", "start it with promote/ or a prefix of your own"),
        ("per-app", "/{group}-{app}", "is no valid ref"),
        ("per-app", "promote//{group}-{app}", "is no valid ref"),
        ("per-app", "promote/{group}-{app}/", "is no valid ref"),
        ("per-app", "promote/{group}-{app}.", "is no valid ref"),
        ("per-app", "promote/{group}-{app}.lock", "is no valid ref"),
        ("per-app", "promote/{group}..{app}", "is no valid ref"),
        ("per-app", "promote/.{group}-{app}", "is no valid ref"),
        ("per-app", "-promote/{group}-{app}", "is no valid ref"),
        ("per-app", "promote/{group} {app}", "is no valid ref"),
        ("per-app", "promote/{group}~{app}", "is no valid ref"),
        ("per-app", "promote/{group}@{{{app}", "a brace has no partner"),
        ("per-app", f"promote/{'x' * 250}/{{group}}-{{app}}", "has a part of more than 240 characters"),
    ],
)
def test_b32_a_branch_template_that_gives_no_good_branch_is_refused(flow: str, template: str, words: str) -> None:
    assert words in only_fault(f"{ENVIRONMENTS}prflow: {flow}\nbranchTemplate: '{template}'")


def test_b32_names_that_make_a_bad_ref_only_together_are_refused() -> None:
    config = parse("environments: [{name: ck}]\nprflow: per-env\nbranchTemplate: 'promote/{group}/{app}.lo{env}'", FILE)
    with pytest.raises(UsageError, match=r"makes the branch 'promote/a/b\.lock', which is no valid ref .*: rename one"):
        config.branch(Application("a", "b"), "ck")
    config = parse("environments: [{name: dev}]\nprflow: per-env", FILE)
    with pytest.raises(UsageError, match="a part of more than 240 characters"):
        config.branch(Application("a" * 100, "b" * 100), "c" * 100)


@examples(40)
@given(
    st.lists(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,5}", fullmatch=True, alphabet=ASCII), min_size=3, max_size=3)
)
def test_b32_git_takes_every_branch_that_is_made(names: list[str]) -> None:
    config = parse("environments: [{name: dev}]\nprflow: per-env\nbranchTemplate: 'p/{env}/{group}.{app}'", FILE)
    try:
        branch = config.branch(Application(*names[:2]), names[2])
    except UsageError:
        return
    subprocess.run(["git", "check-ref-format", f"refs/heads/{branch}"], check=True)


@pytest.mark.parametrize(
    ("more", "pair", "environment", "others"),
    [
        ("", ("a-b", "c"), "dev", {("a", "b-c")}),
        ("", ("a", "b-c"), "dev", {("a-b", "c")}),
        ("", ("a", "b"), "dev", set()),
        ("", ("a", "b-c-d"), "dev", {("a-b", "c-d"), ("a-b-c", "d")}),
        # `a` + `-b` does not collide with `a-` + `b`: neither is a name
        ("", ("a", "b--c"), "dev", set()),
        ("branchTemplate: 'p/{group}/{app}'", ("a", "b-c"), "dev", set()),
        ("branchTemplate: 'p/{app}-{group}'", ("b-c", "a"), "dev", {("c", "a-b")}),
        ("branchTemplate: 'p/{group}{app}'", ("ab", "c"), "dev", {("a", "bc")}),
        ("prflow: per-env", ("a", "b"), "eu-qa", {("a", "b-eu"), ("a-b", "eu")}),
        ("prflow: per-env", ("a", "b-eu"), "qa", {("a", "b"), ("a-b", "eu")}),
        ("prflow: per-env", ("a", "b"), "dev", set()),
        ("prflow: per-env\nbranchTemplate: 'p/{env}/{group}-{app}'", ("a-b", "c"), "qa", {("a", "b-c")}),
    ],
)
def test_b32_the_applications_that_share_a_branch_are_found(
    more: str, pair: tuple[str, str], environment: str, others: set[tuple[str, str]]
) -> None:
    config = parse(f"environments: [{{name: dev}}, {{name: qa}}, {{name: eu-qa}}]\n{more}", FILE)
    collisions = config.collisions(Application(*pair), environment)
    assert set(collisions) == {Application(*other) for other in others}
    assert len(collisions) == len(others)


@examples(150)
@given(
    st.sampled_from(["{group}-{app}-{env}", "{env}-{app}-{group}", "{group}.{env}-{app}", "{env}/{group}-{app}"]),
    st.lists(st.from_regex(r"[ab](?:-?[ab]){0,3}", fullmatch=True, alphabet=ASCII), min_size=4, max_size=4),
)
def test_b32_two_applications_share_a_branch_exactly_if_they_collide(template: str, names: list[str]) -> None:
    config = parse(
        f"environments: [{{name: a}}, {{name: b}}, {{name: a-b}}]\nprflow: per-env\nbranchTemplate: p/{template}", FILE
    )
    one, other = Application(*names[:2]), Application(*names[2:])
    for environment in ("a", "b", "a-b"):
        shared = any(config.branch(one, environment) == config.branch(other, into) for into in ("a", "b", "a-b"))
        assert (other in config.collisions(one, environment)) is (shared and one != other)


# Statuses and identity


@pytest.mark.parametrize(
    ("written", "contexts"),
    [
        ("'flux/{env}/{group}'", ("flux/{env}/{group}",)),
        ("['*/{group}-{env}', 'argocd/{env}']", ("*/{group}-{env}", "argocd/{env}")),
        ("\n- '{env}'", ("{env}",)),
    ],
)
def test_status_contexts_are_one_pattern_or_several(written: str, contexts: tuple[str, ...]) -> None:
    assert parse(f"{ENVIRONMENTS}statusContext: {written}", FILE).status_contexts == contexts


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("flux/all", "statusContext is 'flux/all': it must contain {env}"),
        ("['*/{env}', flux]", "statusContext[1] is 'flux': it must contain {env}"),
        ("'{name}/{env}'", "{name} is not a placeholder"),
        ("[]", "statusContext is an empty list"),
        ("['']", "statusContext[0] is empty"),
        ("[~]", "statusContext[0] is empty"),
        ("[[a]]", "statusContext[0] is a sequence"),
        ("{a: b}", "statusContext is a mapping"),
        ('"{env}\\n"', "a control character"),
    ],
)
def test_a_status_context_that_would_match_all_environments_or_none_is_refused(written: str, words: str) -> None:
    assert words in refused(f"statusContext: {written}")


def test_the_author_of_commits_is_a_name_and_an_address() -> None:
    config = parse(ENVIRONMENTS + "commitAuthor: {name: 'Zoë (bot)', email: bot@example.com}", FILE)
    assert config.commit_author == ("Zoë (bot)", "bot@example.com")


# Durations


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30.0),
        ("5m", 300.0),
        ("1h30m", 5400.0),
        ("7d", 604800.0),
        ("1d12h", 129600.0),
        ("250ms", 0.25),
        ("1m250ms", 60.25),
        ("0.5s", 0.5),
        ("0", 0.0),
        ("0s", 0.0),
        ("366d", 366 * 86400.0),
    ],
)
def test_a_duration_is_read_as_seconds(text: str, seconds: float) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "s", "-5m", "+5m", "5", "5 m", "m5", "30s5m", "5m5m", "1e3s", "\u0663s", "5M", "nan", "inf", "5m\n"]
)
def test_b19_what_is_no_duration_or_has_no_unit_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"(has no unit|is not a duration): write it as 30s, 5m, 1h30m or 7d"):
        duration(text)


@pytest.mark.parametrize("text", ["367d", "999999999d", "999999999h999999999m"])
def test_a_duration_that_would_overflow_a_clock_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is too long: use at most 366d"):
        duration(text)


# Who may speak for an environment, and how merges are made


def test_lists_of_accounts_are_read_as_written() -> None:
    written = ENVIRONMENTS + 'statusAuthors: ["flux-acme[bot]", ann@example.com]\ncheckRunApps: [argo-cd, "x1"]\n'
    config = parse(written, FILE)
    assert config.status_authors == ("flux-acme[bot]", "ann@example.com")
    assert config.check_run_apps == ("argo-cd", "x1")


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("statusAuthors: flux", "statusAuthors is not a list, write it as"),
        ("statusAuthors: []", "statusAuthors is an empty list, write a login or leave"),
        ("statusAuthors: [~]", r"statusAuthors\[0\] is empty"),
        ("statusAuthors: [' x']", r"statusAuthors\[0\] is ' x': write one line"),
        ("checkRunApps: ['a/b']", r"checkRunApps\[0\] is 'a/b': write an app's slug"),
        ("checkRunApps: [{a: b}]", r"checkRunApps\[0\] is a mapping"),
        ("mergeMethod: fast-forward", "mergeMethod is 'fast-forward': accepted are merge, squash, rebase"),
        ("commitSigning: gpg", "commitSigning is 'gpg': accepted are git, forge, off"),
        (
            "commitAuthor: {name: a, email: b@c}\ncommitSigning: forge",
            "2: commitAuthor and `commitSigning: forge` exclude",
        ),
        ("mergeMethod: SQUASH", "mergeMethod is 'SQUASH': accepted are merge, squash, rebase"),
    ],
)
def test_what_names_no_account_or_method_is_refused(line: str, fault: str) -> None:
    assert re.search(fault, refused(line))


@pytest.mark.parametrize("method", ["merge", "squash", "rebase"])
def test_a_merge_method_may_be_chosen(method: str) -> None:
    assert parse(f"{ENVIRONMENTS}mergeMethod: {method}\n", FILE).merge_method == method


@pytest.mark.parametrize("signing", ["git", "forge", "off"])
def test_who_signs_commits_may_be_chosen(signing: str) -> None:
    assert parse(f"{ENVIRONMENTS}commitSigning: {signing}\n", FILE).commit_signing == signing


# Documentation


def test_every_key_is_documented() -> None:
    text = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    for where, keys in KEYS.items():
        for key in keys:
            assert f"`{where}.{key}`".replace("`.", "`") in headings


def test_every_documented_example_is_accepted() -> None:
    text = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text(encoding="utf-8")
    examples = re.findall(r"^```yaml\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    assert len(examples) >= len(KEYS[""])
    for example in examples:
        whole = example if re.search("^environments:", example, re.MULTILINE) else ENVIRONMENTS + example
        assert parse(whole, "docs/configuration.md").pipeline.names


@pytest.mark.parametrize(("text", "value"), [("true", "yes"), ("warn", "warn"), ("no", "no"), ("", "no")])
def test_verify_image_is_a_switch_with_a_third_position(text: str, value: str) -> None:
    assert parse(f"{ENVIRONMENTS}verifyImage: {text}\n", FILE).verify_image == value


def test_verify_image_takes_no_other_word() -> None:
    assert "verifyImage is 'maybe'" in only_fault(f"{ENVIRONMENTS}verifyImage: maybe\n")


@pytest.mark.parametrize(("value", "shown"), [("maybe", "'maybe'"), ("'true'", "'true' in quotes")])
def test_a_flag_is_a_plain_word(value: str, shown: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse(f"environments: [{{name: dev, auto: {value}}}]\n", "f.yaml")
    assert f"environments[0].auto is {shown}: accepted are true, false, yes, no, on, off" in str(error.value)
