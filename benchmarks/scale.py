"""How many requests promotions cost, counted on the loopback GitHub, and how many of them a token can carry.

Run as `python -m benchmarks scale [PROMOTIONS]`. So many applications go through three environments; a third of them
shows that the requests grow with the promotions alone. The numbers replace those of docs/scale.md. Exits 1 if one
promotion costs more requests among many than among few.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import report
from benchmarks.hosts import Host, host
from benchmarks.measure import PROGRAM, run
from benchmarks.repositories import GROUP, Size, build_size, git
from tests.forges.faults import Request

HOURLY = 5000
"""Requests an hour of one user or of one installation of an App, and points of GraphQL."""
CONTENT_HOURLY = 500
"""Requests an hour that make content."""
TOLERANCE = 1.1
"""How many times the requests of a promotion may grow from few to many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """Requests of one kind each; `content` are those of them that make content, as a new pull request does."""

    rest: int = 0
    graphql: int = 0
    content: int = 0

    @classmethod
    def of(cls, requests: Sequence[Request]) -> "Calls":
        """Count requests; those of git are none of the API's."""
        graphql = [request for request in requests if request.kind == "graphql"]
        rest = [request for request in requests if request.kind == "rest"]
        content = sum(request.method in ("POST", "PUT", "PATCH", "DELETE") for request in rest)
        content += sum(b"mutation" in request.body for request in graphql)
        return cls(rest=len(rest), graphql=len(graphql), content=content)

    def each(self, promotions: int) -> tuple[float, float, float]:
        """Return the three counts for one promotion."""
        return self.rest / promotions, self.graphql / promotions, self.content / promotions


def main(arguments: Sequence[str]) -> int:
    """Count, write the numbers into the documentation, and return the exit code."""
    many = int(arguments[0]) if arguments else 12
    few = max(1, many // 3)
    calls = {number: _simulated(number) for number in (few, many)}
    text = _text(calls, few, many)
    report.replace_part(report.SCALE, text)
    print(text)
    growing = [
        step
        for step, of_step in calls[many].items()
        if sum(of_step.each(many)) > TOLERANCE * sum(calls[few][step].each(few))
    ]
    return int(bool(growing))


def _simulated(promotions: int) -> Mapping[str, Calls]:
    """Return the requests of each step, while so many applications go through all environments."""
    with TemporaryDirectory(prefix="benchmark-") as folder:
        root = Path(folder)
        template = build_size(root / "template.git", Size(name="", applications=promotions))
        git(root, "clone", "--quiet", str(template), str(root / "checkout"))
        with host(root / "forge", template, root / "checkout") as github:
            return dict(_steps(github, promotions))


def _steps(github: Host, promotions: int) -> Iterator[tuple[str, Calls]]:
    def counted(*commands: Sequence[str]) -> Calls:
        before = len(github.server.requests)
        for command in commands:
            run((*PROGRAM, *command), github.checkout, github.variables)
        return Calls.of(github.server.requests[before:])

    apps = [f"app{number}" for number in range(promotions)]
    yield "`new`, a run each", counted(*(("new", "--group", GROUP, "--app", app, "--tag", "1.0.1") for app in apps))
    github.pass_checks()
    github.update_checkout()
    yield "`promote --all`, one run", counted(("promote", "--all"))
    opened = [pull.number for pull in github.hosted.pulls() if pull.open]
    assert len(opened) == promotions
    yield "`status --pr`, one look each", counted(*(("status", "--pr", str(number)) for number in opened))
    yield "`status --publish`, one run", counted(("status", "--publish"))
    github.pass_checks()
    github.update_checkout()
    forced = [("promote", "--group", GROUP, "--app", app, "--env", "prod") for app in apps]
    yield "`promote`, a run each", counted(*forced)


def _text(calls: Mapping[int, Mapping[str, Calls]], few: int, many: int) -> str:
    lines = [
        f"`python -m benchmarks scale {many}` on {report.machine()}. Requests for one promotion:",
        "",
        f"| step | REST | GraphQL | of both, makes content | REST and GraphQL with {few} promotions |",
        "| --- | --: | --: | --: | --: |",
    ]
    for step, of_step in calls[many].items():
        rest, graphql, content = of_step.each(many)
        before = sum(calls[few][step].each(few)[:2])
        lines.append(f"| {step} | {rest:.2f} | {graphql:.2f} | {content:.2f} | {before:.2f} |")
    lines += [
        "",
        "Requests for one promotion on a way through three environments, and promotions an hour with one token:",
        "",
    ]
    lines += [
        "| way | REST | GraphQL | makes content | promotions by REST and GraphQL | promotions by content |",
        "| --- | --: | --: | --: | --: | --: |",
    ]
    new, every, status, publish, alone = calls[many].values()
    ways = {
        "`new`, then `promote` and `status` for each pull request": [new, alone, alone, status, status],
        "`new`, then `promote --all` and `status --publish` for all": [new, every, every, publish, publish],
    }
    for way, parts in ways.items():
        # Three promotions each: into the first, the second and the third environment.
        rest, graphql, content = (sum(values) / 3 for values in zip(*(part.each(many) for part in parts), strict=True))
        by_requests, by_content = min(HOURLY / rest, HOURLY / graphql), CONTENT_HOURLY / content
        lines.append(f"| {way} | {rest:.2f} | {graphql:.2f} | {content:.2f} | {by_requests:.0f} | {by_content:.0f} |")
    return "\n".join(lines) + "\n"
