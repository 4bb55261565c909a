"""A pull request and a plan with all that they must have: a test replaces what it is about."""

from gitops_promotion.core.forge import PullRequest
from gitops_promotion.core.kinds import PROMOTION
from gitops_promotion.core.model import Plan, Request
from gitops_promotion.core.names import Application
from gitops_promotion.core.tags import Tag

PROMOTION_INTO_QA = Request(
    kind=PROMOTION, application=Application("webshop", "webui"), tag=Tag("1.4.2"), environment="qa"
)
PLAN = Plan(
    request=PROMOTION_INTO_QA,
    branch="promote/webshop-webui",
    base="main",
    base_sha="1" * 40,
    previous_tag="1.4.1",
    message="",
    title="",
    body="",
    auto_merge=False,
    gated=False,
    edits={},
)
OPEN_PULL = PullRequest(
    number=7,
    url="",
    head=PLAN.branch,
    head_sha="2" * 40,
    base=PLAN.base,
    state="open",
    merge_sha=None,
    auto_merge=False,
    title="",
    body="",
    author="ann",
)
