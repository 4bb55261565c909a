"""The table of gates: which of them demand a published verdict."""

import pytest

from gitops_promotion.core import config

HEALTH = "environments: [{name: dev, auto: true}, {name: prod%s}]\n%s"


@pytest.mark.parametrize(
    ("keys", "top", "published"),
    [
        ("", "", False),
        (", requiredContexts: [tests]", "", False),
        ("", "approverGroups: {ops: [ann, bob]}", False),
        (", approvals: {approvers: [ann]}", "", True),
        (", windows: [{from: '09:00', to: '16:00'}]", "", True),
        (", freezes: [{from: 2026-12-24, until: 2026-12-26}]", "", True),
        ("", "freezes: [{from: 2026-12-24, until: 2026-12-26}]", True),
    ],
)
def test_a_gate_that_people_or_the_clock_decide_demands_a_published_verdict(
    keys: str, top: str, published: bool
) -> None:
    assert config.parse(HEALTH % (keys, top), "gitops-promotion.yaml").must_publish is published
