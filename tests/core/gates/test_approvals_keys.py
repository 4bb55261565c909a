"""The keys of approvals: accepted forms, and each error with its file and line."""

import pytest

from gitops_promotion.core.config import Config, parse
from gitops_promotion.core.gates.approvals import Approvals
from gitops_promotion.errors import ConfigError

FILE = "gitops-promotion.yaml"
TOP = "approverGroups:\n  ops: [ann, bob]\n  product: [bob, Cid]\n  lead: [ann]\n"


def text(approvals: str) -> str:
    """Return a configuration in which the approvals of prod are on line 4."""
    return f"environments:\n- name: dev\n- name: prod\n  approvals: {approvals}\n{TOP}"


def gate(approvals: str) -> Approvals:
    found = [gate for gate in parse(text(approvals), FILE).gates("prod") if isinstance(gate, Approvals)]
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize(
    ("written", "strategy", "quorum", "people"),
    [
        ("{approvers: [ann]}", "single", 0, {}),
        ("{strategy: single, approvers: [ann, bob]}", "single", 0, {}),
        ("{strategy: multi, approvers: [ann, bob]}", "multi", 0, {}),
        ("{strategy: multi, groups: [ops, product]}", "multi", 0, {"ops": ("ann", "bob"), "product": ("bob", "Cid")}),
        ("{strategy: four-eyes, groups: [ops]}", "four-eyes", 0, {"ops": ("ann", "bob")}),
        ("{quorum: 2, groups: [acme/ops]}", "quorum", 2, {"acme/ops": ()}),
        (r"{quorum: 2, groups: ['[Shop]\Ops', ops]}", "quorum", 2, {r"[Shop]\Ops": (), "ops": ("ann", "bob")}),
        ("{quorum: 3, groups: [ops, product]}", "quorum", 3, {"ops": ("ann", "bob"), "product": ("bob", "Cid")}),
    ],
)
def test_approvals_have_a_strategy_or_a_quorum_and_name_people(
    written: str, strategy: str, quorum: int, people: dict[str, tuple[str, ...]]
) -> None:
    found = gate(written)
    assert (found.strategy, found.quorum, found.groups) == (strategy, quorum, people)


def test_the_groups_of_the_forge_are_those_with_a_slash_or_a_backslash() -> None:
    found = gate(r"{strategy: multi, groups: [ops, acme/ops, '[Shop]\Ops']}")
    assert found.forge_groups == ("acme/ops", r"[Shop]\Ops")


def test_groups_win_over_approvers_with_a_warning() -> None:
    config = parse(text("{groups: [ops], approvers: [cid]}"), FILE)
    [found] = [gate for gate in config.gates("prod") if isinstance(gate, Approvals)]
    assert found.approvers == ()
    assert [str(warning) for warning in config.warnings] == [
        "gitops-promotion.yaml:4: environments[1].approvals has groups and approvers: the groups count, and approvers "
        "is ignored; remove one of the two"
    ]


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        ("", "environments[1].approvals is empty"),
        ("{}", "environments[1].approvals is empty"),
        ("ann", "environments[1].approvals is not a mapping"),
        ("{strategy: multi}", "environments[1].approvals names nobody"),
        ("{approvers: []}", "environments[1].approvals.approvers is an empty list"),
        ("{approvers: }", "environments[1].approvals.approvers is empty"),
        ("{groups: []}", "environments[1].approvals.groups is an empty list"),
        ("{approvers: ann}", "environments[1].approvals.approvers is not a list"),
        (
            "{strategy: all, approvers: [ann]}",
            "environments[1].approvals.strategy is 'all': accepted are single, multi",
        ),
        ("{strategy: quorum, approvers: [ann]}", "environments[1].approvals.strategy is 'quorum': accepted are"),
        ("{strategy: single, quorum: 1, approvers: [ann]}", "environments[1].approvals has strategy and quorum"),
        ("{quorum: 0, approvers: [ann]}", "environments[1].approvals.quorum is '0': write a number"),
        ("{quorum: 0100, approvers: [ann]}", "environments[1].approvals.quorum is '0100': write a number"),
        ("{quorum: 100, approvers: [ann]}", "can never be complete: the quorum is 100 and 1 person"),
        ("{quorum: 101, approvers: [ann]}", "environments[1].approvals.quorum is '101': write a number"),
        ("{quorum: two, approvers: [ann]}", "environments[1].approvals.quorum is 'two': write a number"),
        ("{quorum: 3, approvers: [ann, bob]}", "can never be complete: the quorum is 3 and 2 people are named"),
        ("{quorum: 4, groups: [ops, product]}", "can never be complete: the quorum is 4 and 3 people are named"),
        ("{strategy: four-eyes, approvers: [ann]}", "can never be complete: four-eyes needs two people"),
        ("{strategy: four-eyes, groups: [ops, lead]}", "can never be complete: four-eyes needs two people of a group"),
        ("{strategy: multi, groups: [ops, product, lead, acme/x]}", ""),
        (
            "{groups: [dba]}",
            "approvals of prod has the group 'dba', which is not in approverGroups (known: ops, product",
        ),
        ("{approvers: [ann, ANN]}", "approvals.approvers has 'ANN' twice"),
        ("{groups: [ops, ops]}", "approvals.groups has 'ops' twice"),
        ("{approvers: ['flux[bot]']}", "that is a bot"),
        (f"{{approvers: [{'a' * 256}]}}", ""),
        (f"{{approvers: [{'a' * 257}]}}", "put groups under groups"),
        (f"{{groups: [acme/{'a' * 251}]}}", ""),
        (f"{{groups: [acme/{'a' * 252}]}}", "write a name of approverGroups"),
        ("{approvers: [acme/ops]}", "put groups under groups"),
        (r"{approvers: ['[Shop]\Ops']}", "put groups under groups"),
        ("{aprovers: [ann]}", "unknown key 'aprovers', did you mean 'approvers'?"),
    ],
)
def test_a_policy_that_nobody_can_fulfil_is_an_error_with_its_line(written: str, fault: str) -> None:
    if not fault:
        gate(written)
        return
    with pytest.raises(ConfigError) as caught:
        parse(text(written), FILE)
    assert [str(f) for f in caught.value.faults if str(f).startswith("gitops-promotion.yaml:4: ") and fault in str(f)]


def test_seats_that_need_more_people_than_there_are_cannot_be_filled() -> None:
    with pytest.raises(ConfigError, match="lead and deputy need a different person each and have 1 in all"):
        parse(text("{strategy: multi, groups: [lead, deputy]}") + "  deputy: [Ann]\n", FILE)


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        ("approverGroups: {acme/ops: [ann]}", "approverGroups has the name 'acme/ops'"),
        ("approverGroups: {ops: []}", "approverGroups.ops is an empty list"),
        ("approverGroups: {ops: }", "approverGroups.ops is empty"),
        ("approverGroups: {ops: ann}", "approverGroups.ops is not a list"),
        ("approverGroups: {ops: [ann, Ann]}", "approverGroups.ops has 'Ann' twice"),
        ("approverGroups: [ann]", "approverGroups is not a mapping"),
    ],
)
def test_a_group_of_approvers_is_a_name_and_a_list_of_people(written: str, fault: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(f"environments: [name: dev]\n{written}\n", FILE)
    assert [str(f) for f in caught.value.faults if str(f).startswith(f"{FILE}:2: ") and fault in str(f)]


def test_the_entry_may_have_approvals_too() -> None:
    config: Config = parse(f"environments: [{{name: dev, approvals: {{groups: [ops]}}}}]\n{TOP}", FILE)
    assert [type(gate) for gate in config.gates("dev")] == [Approvals]
