"""The gate of images: what becomes of one that no tag explains, and the key that says so."""

from collections.abc import Sequence

import pytest

from gitops_promotion.core import config
from gitops_promotion.core.discussion import Discussion, Person
from gitops_promotion.core.forge import Review
from gitops_promotion.core.gates import Evidence, Question, Verdict
from gitops_promotion.core.gates.unmanaged_images import Images
from gitops_promotion.core.names import Application
from gitops_promotion.core.opinions import Facts
from gitops_promotion.core.overrides import Override
from gitops_promotion.core.tags import NO_TAG
from gitops_promotion.core.unmanaged_images import Comparison, ImageChange
from gitops_promotion.errors import ConfigError
from gitops_promotion.workflow.rejections import approvals_of

CHANGE = ImageChange("Deployment web", "container log", "log:1", "evil:1")
TEXT = "images of prod: unmanaged: Deployment web, container log: log:1 -> evil:1"
APPROVALS = ", approvals: {approvers: [ann]}"
DIGEST = "the digest sha256:1"


def parse(keys: str) -> config.Config:
    return config.parse(f"environments:\n- {{name: dev}}\n- {{name: prod{keys}}}\n", "f.yaml")


def verdict(
    policy: str, images: Comparison | None, *, unseen: Sequence[str] = (), approved_by: str = "", keys: str = APPROVALS
) -> Verdict:
    (gate,) = (g for g in parse(f", unmanagedImages: {policy}{keys}").gates("prod") if isinstance(g, Images))
    question = Question(
        application=Application("shop", "web"),
        tag=NO_TAG,
        environment="prod",
        requirements=(),
        images=images,
        unseen=tuple(unseen),
    )
    reviews = (Review(author=approved_by, verdict="approved", sha="1"),) if approved_by else ()
    discussion = Discussion(author=Person(name="bob"), reviews=reviews)
    return gate.judge(question, Evidence(opinions=Facts(discussion=discussion, head_sha="1")))


@pytest.mark.parametrize(("policy", "decision"), [("report", "pass"), ("approve", "wait"), ("refuse", "refuse")])
def test_an_unmanaged_image_is_named_and_gets_what_the_policy_says(policy: str, decision: str) -> None:
    found = verdict(policy, Comparison(changes=(CHANGE,)))
    assert found.decision == decision
    assert found.texts[0].startswith(TEXT)
    assert found.warnings == ((TEXT,) if policy == "report" else ())


@pytest.mark.parametrize("policy", ["report", "approve", "refuse"])
def test_what_was_not_compared_or_is_explained_passes(policy: str) -> None:
    assert verdict(policy, None) == Verdict(decision="pass")
    assert verdict(policy, Comparison()).texts == ("images of prod: none changes without a gated tag",)
    assert verdict(policy, Comparison()).decision == "pass"


@pytest.mark.parametrize(("policy", "decision"), [("report", "pass"), ("approve", "refuse"), ("refuse", "refuse")])
def test_a_build_that_fails_is_refused_even_with_an_approval(policy: str, decision: str) -> None:
    found = verdict(policy, Comparison(problem="prod does not build\n::error::x"), approved_by="ann")
    assert (found.decision, "\n" in found.texts[0]) == (decision, False)


def test_an_approval_lets_it_pass_and_the_images_stay_named() -> None:
    found = verdict("approve", Comparison(changes=(CHANGE,)), approved_by="ann")
    assert (found.decision, found.texts[0], found.tally is not None) == ("pass", TEXT, True)
    assert verdict("approve", Comparison(changes=(CHANGE,)), approved_by="zoe").decision == "wait"


def test_a_digest_that_no_source_has_is_unmanaged() -> None:
    assert verdict("refuse", Comparison(), unseen=[DIGEST]).decision == "refuse"


def test_many_images_are_cut() -> None:
    changes = tuple(ImageChange("Deployment web", f"container c{n}", "a:1", "b:1") for n in range(50))
    assert verdict("refuse", Comparison(changes=changes)).texts[-1] == "images of prod: 30 more are unmanaged"


def test_a_report_alone_gates_no_environment() -> None:
    gates = config.parse("environments: [{name: dev, unmanagedImages: report}]", "f.yaml").gates("dev")
    assert [gate.judges_sources for gate in gates] == [True]
    gates = config.parse("environments: [{name: dev, unmanagedImages: refuse}]", "f.yaml").gates("dev")
    assert [gate.judges_sources for gate in gates] == [False]


@pytest.mark.parametrize("keys", ["", ", unmanagedImages: off", ", unmanagedImages: ''"])
def test_without_the_key_and_off_there_is_no_gate(keys: str) -> None:
    assert not any(isinstance(gate, Images) for gate in parse(keys).gates("prod"))


def test_an_override_of_the_gates_goes_past_it() -> None:
    override = Override(person="ann", reason="fire", gates=True)
    assert not any(isinstance(g, Images) for g in parse(", unmanagedImages: refuse").gates("prod", override))


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        (", unmanagedImages: approve", "unmanagedImages of prod is approve, and nobody approves there: add approvals"),
        (", unmanagedImages: allow", "accepted are off, report, approve, refuse"),
        (", unmanagedImages: [off]", "f.yaml:3"),
    ],
)
def test_a_wrong_key_is_an_error_with_its_line(keys: str, problem: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse(keys)
    assert problem in str(error.value)
    assert str(error.value).startswith("f.yaml:3: ")


def test_the_people_of_a_question_about_images_alone_are_those_of_approve() -> None:
    gates = parse(f", unmanagedImages: approve{APPROVALS}").gates("prod", only=["images"])
    assert (approvals_of(gates) or pytest.fail("nobody")).approvers == ("ann",)
    assert approvals_of(parse(f", unmanagedImages: refuse{APPROVALS}").gates("prod", only=["images"])) is None


WAY_OUT = "take it out of this pull request"


@pytest.mark.parametrize(
    ("policy", "of_change", "of_problem"), [("report", "", ""), ("approve", "", WAY_OUT), ("refuse", WAY_OUT, WAY_OUT)]
)
def test_the_way_out_is_named_where_nobody_can_approve_it(policy: str, of_change: str, of_problem: str) -> None:
    assert verdict(policy, Comparison(changes=(CHANGE,))).reasons[0].missing == of_change
    assert verdict(policy, Comparison(problem="kustomize failed")).reasons[0].missing == of_problem
