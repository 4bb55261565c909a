"""One repository on the Azure DevOps of the tests, with the hands of the people and programs around it."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from tests.forges import azure_notes as notes
from tests.forges import azure_rules as rules
from tests.forges.azure_state import (
    Comment,
    Options,
    Policy,
    PolicyKind,
    Pull,
    RefusedError,
    Repo,
    State,
    Status,
    Strategy,
    Thread,
    Token,
    World,
)
from tests.forges.repository import Repository
from tests.support import refs


@dataclass(frozen=True, kw_only=True)
class HostedRepo:
    """`url` is what git clones."""

    repo: Repo
    url: str
    turn: Callable[[Token], AbstractContextManager[World]]

    @property
    def git(self) -> Repository:
        """The bare repository itself; what is changed there directly is seen as a push at the next request."""
        return self.repo.git

    def branches(self) -> dict[str, str]:
        return self.git.branches()

    def pull(self, number: int) -> Pull:
        """What is known of a pull request, all late pushes taken note of."""
        with self._acting(""):
            return self.repo.pull(number)

    def pulls(self) -> list[Pull]:
        with self._acting(""):
            return list(self.repo.pulls.values())

    # -- policies

    def require_status(
        self, name: str, *, genre: str = "", branch: str = "main", blocking: bool = True, resets: bool = True
    ) -> Policy:
        """Demand a status of pull requests; `resets`: of the newest push."""
        return self._add("status", branch=branch, name=name, genre=genre, blocking=blocking, resets=resets)

    def require_build(self, definition: int, *, name: str = "", branch: str = "main", blocking: bool = True) -> Policy:
        return self._add("build", branch=branch, definition=definition, name=name, blocking=blocking)

    def require_reviewers(self, minimum: int = 1, *, branch: str = "main", resets: bool = True) -> Policy:
        return self._add("reviewers", branch=branch, minimum=minimum, resets=resets)

    def allow_strategies(self, *strategies: Strategy, branch: str = "main") -> Policy:
        self.repo.policies[:] = [each for each in self.repo.policies if each.kind != "strategy"]
        return self._add("strategy", branch=branch, strategies=strategies)

    def demand(self, kind: PolicyKind, *, branch: str = "main", **settings: object) -> Policy:
        """Add a policy with settings as the server has them."""
        return self._add(kind, branch=branch, more=settings)

    def limit_file_sizes(self) -> Policy:
        """Refuse pushes of large files: a policy of the whole repository, about which no pull request is asked."""
        return self._add("size", branch="")

    def _add(self, kind: PolicyKind, *, branch: str, **more: Any) -> Policy:
        policy = Policy(id=self.repo.world.new_id(), kind=kind, branch=branch, **more)
        self.repo.policies.append(policy)
        # A branch with a policy takes no pushes.
        self.git.protect({each.branch for each in self.repo.policies if each.branch})
        return policy

    def drop_policies(self) -> None:
        self.repo.policies.clear()
        self.git.protect(set())

    # -- git

    def push(self, branch: str, files: Mapping[str, str | bytes | None], *, by: str = "ann", message: str = "") -> str:
        """Commit onto a branch (a new one begins at the default branch) and push it."""
        with self._acting(by):
            start = None if branch in self.git.branches() else self.repo.default_branch
            author = f"{by} <{by}@azure.test>"
            return self.git.commit(files, message or f"Change {branch}", branch=branch, start=start, author=author)

    def delete_branch(self, branch: str, *, by: str = "ann") -> None:
        with self._acting(by):
            self.git.git("update-ref", "-d", f"refs/heads/{branch}")

    # -- pull requests

    def open_pull_request(
        self, head: str, *, base: str = "", title: str = "Change", body: str = "", by: str = "ann", fork: bool = False
    ) -> int:
        with self._acting(by):
            target = base or self.repo.default_branch
            return rules.open_pull(
                self.repo, head=head, base=target, title=title, body=body, author=by, fork=fork
            ).number

    def edit(self, number: int, *, body: str | None = None, draft: bool | None = None) -> None:
        with self._acting("ann"):
            pull = self.repo.pull(number)
            pull.body = pull.body if body is None else body
            pull.draft = pull.draft if draft is None else draft

    def abandon(self, number: int, *, by: str = "ann") -> None:
        with self._acting(by):
            rules.abandon(self.repo, self.repo.pull(number), by)

    def reactivate(self, number: int, *, by: str = "ann") -> None:
        with self._acting(by):
            rules.reactivate(self.repo, self.repo.pull(number), by)

    def complete(
        self, number: int, strategy: Strategy = "noFastForward", *, by: str = "bob", delete_source: bool = False
    ) -> str:
        """Complete it by hand, as somebody who may bypass policies; returns the new tip."""
        with self._acting(by):
            options = Options(strategy=strategy, delete_source=delete_source)
            if not rules.complete(self.repo, self.repo.pull(number), options, by):
                raise RefusedError(409, "GitPullRequestConflictException", "It conflicts.")
        return self.git.sha(self.repo.default_branch)

    def arm(self, number: int, strategy: Strategy = "noFastForward", *, by: str = "bob") -> None:
        """Set auto-complete in the browser."""
        with self._acting(by):
            pull = self.repo.pull(number)
            pull.options = Options(strategy=strategy)
            rules.arm(self.repo, pull, by)

    def vote(self, number: int, by: str, vote: int) -> None:
        with self._acting(by):
            notes.voted(self.repo, self.repo.pull(number), by, vote)

    def add_reviewer(self, number: int, name: str) -> None:
        """Ask a person or a group for a vote, in the browser."""
        with self._acting("ann") as world:
            pull = self.repo.pull(number)
            (pull.groups if name in world.groups else pull.votes)[name] = 0

    def comment(self, number: int, text: str, *, by: str, properties: Mapping[str, str] | None = None) -> None:
        """Write a comment; whoever uses the API may give its thread any properties."""
        with self._acting(by) as world:
            at = world.clock.tick()
            comment = Comment(id=1, by=by, text=text, at=at, kind="system" if properties else "text")
            values = {key: {"$type": "System.String", "$value": value} for key, value in (properties or {}).items()}
            thread = Thread(
                id=world.new_id(), at=at, comments=[comment], properties=values, people=(by,), status="active"
            )
            self.repo.pull(number).threads.append(thread)

    def finish_build(self, number: int, definition: int, *, passed: bool) -> None:
        """Have the pipeline of a build policy end."""
        with self._acting("build"):
            self.repo.pull(number).builds[definition] = passed

    def post_status(
        self,
        sha: str,
        name: str,
        state: State,
        *,
        genre: str | None = "fluxcd",
        by: str = "flux",
        description: str | None = None,
        target_url: str | None = None,
    ) -> None:
        with self._acting(by):
            said = self._status(name, state, genre=genre, by=by, description=description, target_url=target_url)
            self.repo.statuses.setdefault(sha, []).append(said)

    def post_pull_status(
        self, number: int, name: str, state: State, *, by: str = "ci", genre: str | None = None, iteration: int = 0
    ) -> None:
        """Add a status to a pull request, to its newest push unless an iteration is named."""
        with self._acting(by):
            pull = self.repo.pull(number)
            at = iteration or pull.iterations[-1].id
            pull.statuses.append(self._status(name, state, genre=genre, by=by, iteration=at))

    def _status(
        self,
        name: str,
        state: State,
        *,
        genre: str | None,
        by: str,
        description: str | None = None,
        target_url: str | None = None,
        iteration: int | None = None,
    ) -> Status:
        world = self.repo.world
        return Status(
            id=world.new_id(),
            genre=genre,
            name=name,
            state=state,
            description=description,
            target_url=target_url,
            by=by,
            at=world.clock.tick(),
            iteration=iteration,
        )

    def merge_ref(self, number: int) -> str | None:
        """Write `refs/pull/<number>/merge`, what a build of it checks out; None where it conflicts."""
        with self._acting(""):
            sha = rules.trial(self.repo, self.repo.pull(number))
            if sha is not None:
                refs.change(self.git.path, f"refs/pull/{number}/merge", sha)
            return sha

    def crowd(self, *, opened: int, closed: int, prefix: str = "other/") -> None:
        """Have that many pull requests of other people, the closed ones older, to make many pages."""
        start = self.git.sha(self.repo.default_branch)
        names = [f"{prefix}{number}" for number in range(1, opened + closed + 1)]
        stream = []
        for name in names:
            text = f"{name}\n"
            stream.append(f"commit refs/heads/{name}\ncommitter Eve <eve@example.com> 1772366400 +0000\n")
            stream.append(f"data {len(text)}\n{text}\nfrom {start}\nM 100644 inline crowd/{name}\n")
            stream.append(f"data {len(text)}\n{text}\n")
        self.git.git("fast-import", "--quiet", stdin="".join(stream))
        with self._acting("eve") as world:
            for number, name in enumerate(names):
                pull = rules.add_pull(self.repo, head=name, base="main", title=name, body="", author="eve")
                if number < closed:
                    pull.status, pull.closed_by, pull.closed_at = "abandoned", "eve", world.clock.tick()
        # As a server does from time to time: hundreds of small files are slow to read.
        self.git.git("pack-refs", "--all")

    def make_group(self, name: str, *members: str) -> None:
        """Make a group, called `[PROJECT]\\NAME`."""
        with self._acting("") as world:
            world.groups[name] = set(members)
            world.people |= {member for member in members if not member.startswith("[")}

    def _acting(self, name: str) -> AbstractContextManager[World]:
        return self.turn(Token(secret="", name=name))
