"""The keys of approvals: who must agree before a promotion into an environment may merge."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

from gitops_promotion.core.environments import Environment
from gitops_promotion.core.gates import seats
from gitops_promotion.core.untrusted import quoted

if TYPE_CHECKING:
    from gitops_promotion.core.config.document import Document, Entry

Strategy = Literal["single", "multi", "four-eyes", "quorum"]
"""How many people must agree: one, each, two, or a number of them."""

KEYS = ("approvals",)
TOP_KEYS = ("approverGroups",)
MAPPINGS: Mapping[str, tuple[str, ...]] = {"environments[].approvals": ("strategy", "quorum", "approvers", "groups")}

_STRATEGIES = get_args(Strategy)[:3]
_EXAMPLE = "{strategy: four-eyes, groups: [ops]}"
_PEOPLE = "[ann, bob]"
_MOST = 100

Groups = Mapping[str, tuple[str, ...]]
"""The people of each group in `approverGroups`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalSettings:
    """Who must agree to a promotion into one environment.

    `quorum` is the number of people for the strategy of that name. Where `groups` has names, `approvers` is empty.
    `line` is the line of the configuration that names the people.
    """

    strategy: Strategy
    quorum: int = 0
    approvers: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    line: int = field(default=0, compare=False)


def is_of_forge(group: str) -> bool:
    r"""Return True for the name of a forge's own group: `org/team` or `[Project]\Group`."""
    return "/" in group or "\\" in group


def read(document: "Document", fields: Mapping[str, "Entry"], prefix: str) -> ApprovalSettings | None:
    """Return `approvals` of one environment, None if it has none."""
    entry, key_path = fields.get("approvals"), f"{prefix}.approvals"
    if entry is None:
        return None
    values = document.mapping(entry, key_path, MAPPINGS["environments[].approvals"])
    if entry.is_empty or (entry.node.id == "mapping" and not entry.node.value):
        document.fail(entry.line, f"{key_path} is empty: write {_EXAMPLE}, or leave it out")
        return None
    for key, value in values.items():
        if value.is_empty:
            document.fail(value.line, f"{key_path}.{key} is empty: give it a value, or leave it out")
    if entry.node.id != "mapping":
        return None
    approvers = _people(document, values.get("approvers"), f"{key_path}.approvers")
    groups = document.texts(values.get("groups"), f"{key_path}.groups", _group_problem, "[ops]", several=True)
    _check_once(document, values.get("groups"), f"{key_path}.groups", groups)
    if not approvers and not groups and not any(key in values for key in ("approvers", "groups")):
        document.fail(entry.line, f"{key_path} names nobody: add approvers: {_PEOPLE} or groups: [ops]")
    if approvers and groups:
        document.warn(
            values["approvers"].line,
            f"{key_path} has groups and approvers: the groups count, and approvers is ignored; remove one of the two",
        )
        approvers = ()
    people = values.get("groups" if groups else "approvers", entry)
    strategy, quorum = _strategy(document, values, key_path)
    return ApprovalSettings(strategy=strategy, quorum=quorum, approvers=approvers, groups=groups, line=people.line)


def _strategy(document: "Document", values: Mapping[str, "Entry"], key_path: str) -> tuple[Strategy, int]:
    """Return the strategy and the number of people of a quorum; `single` where neither is given."""
    quorum, strategy = values.get("quorum"), values.get("strategy")
    if quorum is not None and strategy is not None:
        document.fail(quorum.line, f"{key_path} has strategy and quorum: remove one of the two")
    if quorum is not None:
        text = document.checked(quorum, f"{key_path}.quorum", _quorum_problem, "")
        return "quorum", 0 if _quorum_problem(text) else int(text)
    text = document.checked(strategy, f"{key_path}.strategy", _strategy_problem, "single")
    return next((candidate for candidate in _STRATEGIES if candidate == text), "single"), 0


def _strategy_problem(text: str) -> str:
    return "" if text in _STRATEGIES else f"accepted are {', '.join(_STRATEGIES)}, or quorum: N in its place"


def _quorum_problem(text: str) -> str:
    is_number = text.isascii() and text.isdigit() and len(text) < 4 and 0 < int(text) <= _MOST
    return "" if is_number else f"write a number of people from 1 to {_MOST}"


def _people(document: "Document", entry: "Entry | None", key_path: str) -> tuple[str, ...]:
    """Return a list of people, each one once."""
    people = document.texts(entry, key_path, _person_problem, _PEOPLE, several=True)
    _check_once(document, entry, key_path, people)
    return people


def _check_once(document: "Document", entry: "Entry | None", key_path: str, names: tuple[str, ...]) -> None:
    folded = [name.casefold() for name in names]
    repeated = next((name for number, name in enumerate(names) if name.casefold() in folded[:number]), "")
    if entry is not None and repeated:
        document.fail(entry.line, f"{key_path} has {quoted(repeated)} twice (case ignored): remove one")


def _person_problem(text: str) -> str:
    if text.casefold().endswith("[bot]"):
        return "that is a bot, and the opinion of a bot never counts"
    # Azure DevOps has e-mail addresses, names with blanks, and DOMAIN\\name.
    is_name = text.isprintable() and text == text.strip() and len(text) <= 256
    return (
        ""
        if is_name and "/" not in text and not text.startswith("[")
        else "write the name that a person has on the forge, and put groups under groups"
    )


def _group_problem(text: str) -> str:
    is_name = text.isprintable() and text == text.strip() and len(text) <= 256
    return "" if is_name else r"write a name of approverGroups, or the forge's own as org/team or '[Project]\Group'"


def read_top(document: "Document", top: Mapping[str, "Entry"]) -> Groups | None:
    """Return `approverGroups`, the people by group, None if there are none."""
    entry = top.get("approverGroups")
    groups: dict[str, tuple[str, ...]] = {}
    for name, people in document.mapping(entry, "approverGroups", None).items():
        key_path = f"approverGroups.{name}"
        if is_of_forge(name) or _group_problem(name):
            document.fail(
                people.line,
                f"approverGroups has the name {quoted(name)}: write one without / and \\, which only groups of the "
                "forge have",
            )
        if people.is_empty:
            document.fail(people.line, f"{key_path} is empty: write {_PEOPLE}, or remove the group")
        groups[name] = _people(document, people, key_path)
    return groups or None


def check(document: "Document", item: "Entry", environment: Environment, top: Any) -> None:
    """Report groups that do not exist, and seats that these people can never fill."""
    settings = environment.setting("approvals")
    if not isinstance(settings, ApprovalSettings):
        return
    group_members: Groups = top or {}
    subject = f"approvals of {environment.name}"
    line = settings.line or item.line
    for group in settings.groups:
        if not is_of_forge(group) and group not in group_members:
            names = ", ".join(group_members) or "none"
            document.fail(
                line,
                f"{subject} has the group {quoted(group)}, which is not in approverGroups (known: {names}): add it "
                r"there, or name one of the forge as org/team or '[Project]\Group'",
            )
            return
    if problem := _impossible(settings, group_members):
        document.fail(line, f"{subject} can never be complete: {problem}")


def _impossible(settings: ApprovalSettings, group_members: Groups) -> str:
    """Return why these people can never fill the seats, "" if they can; members of forge groups are unknown here."""
    groups = {
        group: {name.casefold() for name in group_members[group]} for group in settings.groups if group in group_members
    }
    people = {name.casefold() for name in settings.approvers}.union(*groups.values())
    is_open = len(groups) < len(settings.groups)
    if settings.strategy == "quorum" and settings.quorum > len(people) and not is_open and people:
        return f"the quorum is {settings.quorum} and {_count(len(people))} named; lower it, or name more"
    if settings.strategy == "four-eyes":
        if len(settings.approvers) == 1:
            return "four-eyes needs two people and approvers names one; name another"
        for group, members in groups.items():
            if len(members) == 1:
                return f"four-eyes needs two people of a group and {group} has one; add another"
    if settings.strategy == "multi" and None in seats.fill([members for members in groups.values() if members]):
        return f"{' and '.join(groups)} need a different person each and have {len(people)} in all; add people to them"
    return ""


def _count(number: int) -> str:
    return "1 person is" if number == 1 else f"{number} people are"
