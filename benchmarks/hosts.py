"""The loopback GitHub of the tests, with a generated repository."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import Counts, environment
from benchmarks.repositories import git
from gitops_promotion.core.forge import OWN_CONTEXT
from tests.forges.github import GitHub
from tests.forges.github_people import Hosted
from tests.support import refs

REPOSITORY = "acme/gitops"


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A GitHub whose repository requires this tool's check, and a checkout of it."""

    server: GitHub
    hosted: Hosted
    checkout: Path

    @property
    def variables(self) -> dict[str, str]:
        """The environment of the tool, of the floor and of the Go tool."""
        header = f"Authorization: Bearer {self.server.token}"
        return environment(
            {
                "GITHUB_SERVER_URL": self.server.url,
                "GITHUB_API_URL": self.server.api_url,
                "GITHUB_GRAPHQL_URL": self.server.graphql_url,
                "GITHUB_TOKEN": self.server.token,
                "REPOSITORY": REPOSITORY,
                "HEADER": header,
            }
        )

    def pass_checks(self) -> None:
        """Let the required check of every open pull request be green, and Flux apply what is merged then."""
        for pull in self.hosted.pulls():
            if pull.open:
                self.hosted.post_status(pull.head_sha, OWN_CONTEXT, "success", by="promoter")
        for pull in self.hosted.pulls():
            if pull.merge_sha:
                self.apply(pull.merge_sha)

    def apply(self, sha: str) -> None:
        """Let Flux report a commit as applied in all environments."""
        for name in ("dev", "qa", "prod"):
            self.hosted.post_status(sha, f"kustomization/shop-{name}/2fb0a5b0", "success", description="applied")

    def update_checkout(self) -> None:
        """Bring the checkout to the tip of the default branch, as CI would check it out."""
        self._fetch("main")
        git(self.checkout, "reset", "--quiet", "--hard", "FETCH_HEAD")

    def check_out(self, branch: str) -> None:
        """Check out a branch."""
        self._fetch(branch)
        git(self.checkout, "checkout", "--quiet", "-B", branch, "FETCH_HEAD")

    def _fetch(self, branch: str) -> None:
        token = f"http.extraHeader=Authorization: Bearer {self.server.token}"
        git(self.checkout, "-c", token, "fetch", "--quiet", "origin", branch)

    def counts(self, before: int, processes: tuple[int, int]) -> Counts:
        """Return the counts of what was asked for since the log had `before` requests."""
        log = self.server.requests[before:]
        transfers = sum(each.kind == "git" for each in log)
        return Counts(
            commands=processes[0],
            processes=processes[1],
            requests=len(log) - transfers,
            transfers=transfers,
            sent=sum(each.sent for each in log),
        )


@contextmanager
def host(root: Path, template: Path, checkout: Path) -> Iterator[Host]:
    """Yield a GitHub with the repository of `template`, and `checkout` at its tip and with its address."""
    with GitHub(root) as server:
        hosted = server.repository(REPOSITORY, {})
        packs = hosted.git.path / "objects" / "pack"
        packs.mkdir(exist_ok=True)
        for file in (template / "objects" / "pack").iterdir():
            os.link(file, packs / file.name)
        for ref, sha in refs.read_refs(template).items():
            refs.change(hosted.git.path, ref, sha)
        hosted.protect("main", checks=[OWN_CONTEXT])
        git(checkout, "remote", "set-url", "origin", hosted.url)
        git(checkout, "checkout", "--quiet", "--force", "-B", "main", refs.read_refs(template)["refs/heads/main"])
        yield Host(server=server, hosted=hosted, checkout=checkout)


def push_event(root: Path, before: str, after: str) -> Mapping[str, str]:
    """Return the variables of GitHub Actions for a push to the default branch."""
    file = root / "event.json"
    file.write_text(f'{{"ref": "refs/heads/main", "before": "{before}", "after": "{after}"}}')
    return {
        "GITHUB_ACTIONS": "true",
        "GITHUB_EVENT_NAME": "push",
        "GITHUB_EVENT_PATH": str(file),
        "GITHUB_REF": "refs/heads/main",
        "GITHUB_SHA": after,
        "GITHUB_REPOSITORY": REPOSITORY,
    }
