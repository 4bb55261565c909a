"""The images gate: images that change without a tag that the gates judge (docs/unmanaged-images.md)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

from gitops_promotion.core import untrusted
from gitops_promotion.core.environments import Environment, Pipeline, Requirements
from gitops_promotion.core.gates import Common, Evidence, Gate, Need, Question, Reason, Verdict, approvals
from gitops_promotion.core.gates.approvals import Approvals

if TYPE_CHECKING:
    from gitops_promotion.core.config.document import Document, Entry

Policy = Literal["off", "report", "approve", "refuse"]
"""What the gate does about an image that changes without a gated tag."""

_POLICIES = get_args(Policy)
_SHOWN = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSettings:
    """The key `unmanagedImages` of one environment, and its line."""

    policy: Policy
    line: int = field(default=0, compare=False)


def read(document: "Document", fields: Mapping[str, "Entry"], key_path: str) -> ImageSettings | None:
    """Return the policy of one environment, None where images are not compared."""
    entry = fields.get("unmanagedImages")
    text = document.checked(entry, f"{key_path}.unmanagedImages", _policy_problem, "off")
    policy: Policy = next((policy for policy in _POLICIES if policy == text), "off")
    return ImageSettings(policy=policy, line=entry.line if entry else 0) if policy != "off" else None


def _policy_problem(text: str) -> str:
    return "" if text in _POLICIES else f"accepted are {', '.join(_POLICIES)}"


def check(document: "Document", _item: "Entry", environment: Environment, _top: Any) -> None:
    """Report an environment in which nobody can approve what needs an approval."""
    settings = environment.setting("images")
    if isinstance(settings, ImageSettings) and settings.policy == "approve" and not environment.setting("approvals"):
        document.fail(
            settings.line,
            f"unmanagedImages of {environment.name} is approve, and nobody approves there: add approvals, or write "
            "report or refuse",
        )


def make(
    environment: str, pipeline: Pipeline, settings: Mapping[str, ImageSettings | None], common: Common
) -> "Images | None":
    """Return the images gate of an environment, None where images are not compared."""
    policy = settings.get(environment)
    if policy is None:
        return None
    approval_settings: dict[str, Any] = {e.name: e.setting("approvals") for e in pipeline.environments}
    gate = approvals.make(environment, pipeline, approval_settings, common) if policy.policy == "approve" else None
    return Images(policy=policy.policy, approvals=gate)


@dataclass(frozen=True, slots=True, kw_only=True)
class Images(Gate):
    """The policy of one environment; `approvals` is the gate that decides under `approve`."""

    policy: Policy
    approvals: Approvals | None = None

    @property
    def needs(self) -> frozenset[Need]:
        """The opinions of people under `approve`."""
        return frozenset({"opinions"} if self.approvals else ())

    @property
    def judges_sources(self) -> bool:
        """True under `report`: that stops nothing, so it makes no environment a gated one."""
        return self.policy == "report"

    def judge(self, question: Question, evidence: Evidence) -> Verdict:
        """Return the verdict on the images that no gated tag explains; a pass where images were not compared."""
        gate = f"images of {question.environment}"
        images = question.images
        if images is None:
            return Verdict(decision="pass")
        if images.problem:
            reason = Reason(gate=gate, evidence=untrusted.line(images.problem, 1000), missing=self._way_out)
            return self._decided((reason,), None)
        texts = [*map(str, images.changes), *question.unseen]
        if not texts:
            return Verdict(decision="pass", reasons=(Reason(gate=gate, evidence="none changes without a gated tag"),))
        reasons = [
            Reason(gate=gate, evidence=f"unmanaged: {untrusted.line(text, 600)}", missing=self._way_out)
            for text in texts[:_SHOWN]
        ]
        if len(texts) > _SHOWN:
            reasons.append(Reason(gate=gate, evidence=f"{len(texts) - _SHOWN} more are unmanaged"))
        opinions = self.approvals.judge(question, evidence) if self.approvals else None
        return self._decided(tuple(reasons), opinions)

    @property
    def _way_out(self) -> str:
        return "" if self.policy == "report" else "take it out of this pull request"

    def _decided(self, reasons: tuple[Reason, ...], opinions: Verdict | None) -> Verdict:
        if self.policy == "report":
            return Verdict(decision="pass", reasons=reasons, warnings=tuple(map(str, reasons)))
        if opinions is None:
            return Verdict(decision="refuse", reasons=reasons)
        without_way_out = tuple(Reason(gate=reason.gate, evidence=reason.evidence) for reason in reasons)
        return Verdict(decision=opinions.decision, reasons=(*without_way_out, *opinions.reasons), tally=opinions.tally)

    def note(self, _requirements: Requirements) -> str:
        """Return no sentence: a promotion changes only tags."""
        return ""
