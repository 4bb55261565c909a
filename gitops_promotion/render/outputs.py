"""Turns outcomes into the outputs of a step, for later steps of a workflow or pipeline."""

import json
from collections.abc import Sequence

from gitops_promotion.core.gates.approvals import Tally
from gitops_promotion.core.model import Outcome
from gitops_promotion.render.approvals import opinion_fields
from gitops_promotion.render.common import without_commands
from gitops_promotion.render.json_v1 import outcome_fields

NAMES = ("result", "message", "group", "app", "environment", "tag", "previous_tag", "branch", "sha", "feature_url")
"""The outputs that are fields of the first outcome."""


def outputs(outcomes: Sequence[Outcome], *, limit: int) -> dict[str, str]:
    """Return the outputs by name: the fields of the first outcome, and `outcomes` with all of them as JSON.

    The JSON is one line of at most `limit` characters. It has each outcome as in the JSON document, but without the
    plan and the diff of a dry run. Outcomes beyond the limit are left out, from the end.
    """
    documents: list[str] = []
    room = limit - 1
    for outcome in outcomes:
        fields = {key: value for key, value in outcome_fields(outcome).items() if key not in ("plan", "diff")}
        document = without_commands(json.dumps(fields, separators=(",", ":")))
        room -= len(document) + 1
        if room < 0:
            break
        documents.append(document)
    first = next(iter(outcomes), None)
    pull = first.pull_request if first else None
    return {
        **{name: getattr(first, name, "") for name in NAMES},
        "pull_request_number": str(pull.number) if pull else "",
        "pull_request_url": pull.url if pull else "",
        **_opinions(first.tally if first else None),
        "outcomes": f"[{','.join(documents)}]",
    }


def _opinions(tally: Tally | None) -> dict[str, str]:
    """Return what people decided: empty texts where nobody is asked.

    `comment` is the text of the opinion that decides: of a rejection, else of the newest approval.
    """
    if tally is None:
        return dict.fromkeys(("decision", "comment", "approved_by", "rejected_by", "approvals"), "")
    decisive = [opinion for opinion in tally.opinions if opinion.counts]
    decisive = [opinion for opinion in decisive if opinion.verdict != "approved"] or decisive
    newest = max(decisive, key=lambda opinion: opinion.at.timestamp() if opinion.at else 0.0, default=None)
    return {
        "decision": {"pass": "true", "refuse": "false", "wait": "pending"}[tally.decision],
        "comment": newest.comment if newest else "",
        "approved_by": "|".join(tally.approved_by),
        "rejected_by": "|".join(tally.rejected_by),
        "approvals": without_commands(json.dumps(opinion_fields(tally), separators=(",", ":"))),
    }
