"""The hands of people and programs around a repository on the loopback GitHub: what they do without our API."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from tests.forges import github_acts as acts
from tests.forges import github_rules as rules
from tests.forges.github_state import (
    AutoMerge,
    CheckRun,
    Comment,
    Opinion,
    Protection,
    Pull,
    Queue,
    RefusedError,
    Repo,
    Review,
    Settings,
    State,
    Status,
    Token,
    World,
)
from tests.forges.repository import Method, Repository
from tests.support import refs


@dataclass(frozen=True, kw_only=True)
class Hosted:
    """One repository. `by` is always a login; logins that end in `[bot]` are bots'."""

    repo: Repo = field(repr=False)
    url: str
    turn: Callable[[Token], AbstractContextManager[World]] = field(repr=False)
    root: Path = field(repr=False)

    @property
    def git(self) -> Repository:
        """The bare repository itself; what is changed there directly is seen as a push at the next request."""
        return self.repo.git

    @property
    def settings(self) -> Settings:
        return self.repo.settings

    @property
    def full_name(self) -> str:
        return self.repo.full_name

    def branches(self) -> dict[str, str]:
        return self.git.branches()

    def pull(self, number: int) -> Pull:
        """What GitHub knows of a pull request, all late pushes taken note of."""
        with self._acting(""):
            return self.repo.pull(number)

    def pulls(self) -> list[Pull]:
        with self._acting(""):
            return list(self.repo.pulls.values())

    def protect(
        self,
        branch: str = "main",
        *,
        checks: Sequence[str] = (),
        strict: bool = False,
        approvals: int = 0,
        dismiss_stale: bool = False,
        ruleset: bool = False,
        more: Mapping[str, Mapping[str, object]] | None = None,
    ) -> None:
        """Protect branches (a pattern): pushes are refused, merges need the checks and approvals."""
        rule = Protection(
            pattern=branch,
            checks=tuple(checks),
            strict=strict,
            approvals=approvals,
            dismiss_stale=dismiss_stale,
            ruleset=ruleset or more is not None,
            more=more or {},
        )
        self.repo.protections[:] = [rule, *(each for each in self.repo.protections if each.pattern != branch)]
        self.git.protect({each.pattern for each in self.repo.protections})

    def unprotect(self) -> None:
        self.repo.protections.clear()
        self.git.protect(set())

    def merge_queue(self, branch: str = "main", *, method: Method = "merge", minimum: int = 1) -> None:
        """Demand that changes go through a queue; it merges `minimum` green ones at a time."""
        self.repo.queue = Queue(branch=branch, method=method, minimum=minimum)

    def queued(self) -> list[tuple[int, str]]:
        """The numbers in the queue, each with the commit that its checks run on."""
        with self._acting(""):
            entries = self.repo.queue.entries if self.repo.queue else []
            return [(entry.pull.number, entry.head_sha) for entry in entries]

    def push(
        self,
        branch: str,
        files: Mapping[str, str | bytes | None],
        *,
        by: str = "ann",
        message: str = "",
        start: str | None = None,
    ) -> str:
        """Commit onto a branch (a new one begins at `start`, else at the default branch) and push it."""
        with self._acting(by):
            first = start or (None if branch in self.git.branches() else self.repo.default_branch)
            author = f"{by} <{by}@users.noreply.github.test>"
            return self.git.commit(files, message or f"Change {branch}", branch=branch, start=first, author=author)

    def force(self, branch: str, sha: str, *, by: str = "ann") -> None:
        """Push a commit onto a branch whatever was there."""
        with self._acting(by):
            refs.change(self.git.path, f"refs/heads/{branch}", sha)

    def delete_branch(self, branch: str, *, by: str = "ann") -> None:
        with self._acting(by):
            self.git.git("update-ref", "-d", f"refs/heads/{branch}")

    def fork(self, owner: str) -> "Hosted":
        """Fork it; pull requests from there go `open_pull_request(..., fork=...)`."""
        path = self.root / owner / f"{self.repo.name}.git"
        git = Repository.make(path, {}, self.repo.default_branch)
        git.git("fetch", "--quiet", self.git.url, "+refs/heads/*:refs/heads/*")
        world = self.repo.world
        fork = Repo(
            id=len(world.repos) + 1,
            world=world,
            owner=owner,
            name=self.repo.name,
            git=git,
            default_branch=self.repo.default_branch,
            parent=self.repo,
            tips=git.branches(),
        )
        world.repos[fork.full_name] = fork
        url = f"{self.url.rpartition(self.full_name)[0]}{fork.full_name}.git"
        return Hosted(repo=fork, url=url, turn=self.turn, root=self.root)

    def delete_fork(self, fork: "Hosted") -> None:
        """Delete a fork: the heads of its pull requests are in no repository any more."""
        with self._acting("ann"):
            del self.repo.world.repos[fork.full_name]
            for pull in self.repo.pulls.values():
                if pull.head_repo is fork.repo:
                    pull.head_repo = None

    def open_pull_request(
        self,
        head: str,
        *,
        base: str = "",
        title: str = "Change",
        body: str | None = None,
        by: str = "ann",
        draft: bool = False,
        fork: "Hosted | None" = None,
    ) -> int:
        with self._acting(by):
            source = fork.repo if fork else self.repo
            target = base or self.repo.default_branch
            pull = acts.open_pull(
                self.repo, head_repo=source, head=head, base=target, title=title, body=body, draft=draft, author=by
            )
            return pull.number

    def edit(
        self, number: int, *, title: str | None = None, body: str | None = None, draft: bool | None = None
    ) -> None:
        with self._acting("ann"):
            pull = self.repo.pull(number)
            pull.title = pull.title if title is None else title
            pull.body = pull.body if body is None else body
            pull.draft = pull.draft if draft is None else draft
            if pull.draft:
                pull.auto_merge = None

    def close(self, number: int, *, by: str = "ann") -> None:
        with self._acting(by):
            acts.close(self.repo, self.repo.pull(number))

    def reopen(self, number: int, *, by: str = "ann") -> None:
        with self._acting(by):
            acts.reopen(self.repo, self.repo.pull(number))

    def merge(self, number: int, method: Method = "merge", *, by: str = "bob", bypass: bool = True) -> str:
        """Merge by hand, as an administrator may; `bypass=False` keeps to the rules. Returns the new tip."""
        with self._acting(by):
            return acts.merge(self.repo, self.repo.pull(number), method, by=by, bypass=bypass)

    def arm(self, number: int, method: Method = "merge", *, by: str = "bob") -> None:
        """Switch auto-merge on in the browser."""
        with self._acting(by):
            wish = AutoMerge(method=method, by=by, at=self.repo.world.clock.tick())
            acts.enable_auto_merge(self.repo, self.repo.pull(number), wish, expected="")

    def review(self, number: int, by: str, state: Opinion, *, body: str = "") -> None:
        with self._acting(by):
            pull = self.repo.pull(number)
            if by == pull.author and state != "COMMENTED":
                verb = "approve" if state == "APPROVED" else "request changes on"
                raise RefusedError(422, f"Can not {verb} your own pull request")
            at = self.repo.world.clock.tick()
            review = Review(
                id=self.repo.world.new_id(), user=by, state=state, body=body, sha=pull.head_sha, submitted_at=at
            )
            pull.reviews.append(review)
            world = self.repo.world
            world.record("pull_request_review", self.repo, {"action": "submitted", "number": number})

    def dismiss(self, number: int, user: str, *, by: str = "bob") -> None:
        """Dismiss the last approval or objection of a person."""
        with self._acting(by):
            pull = self.repo.pull(number)
            acts.dismiss(self.repo, pull, [review for review in pull.opinions() if review.user == user][-1])

    def retarget(self, number: int, base: str, *, by: str = "bob") -> None:
        """Let a pull request go into another branch, as everybody who may write can."""
        with self._acting(by) as world:
            pull = self.repo.pull(number)
            world.clock.tick()
            self.repo.note(pull, "BaseRefChangedEvent", before=pull.base_ref, after=base)
            pull.base_ref = base

    def edit_review(self, number: int, user: str, body: str) -> None:
        """Change the text of a person's last review, as they may afterwards."""
        with self._acting(user) as world:
            review = [review for review in self.repo.pull(number).reviews if review.user == user][-1]
            review.body, review.edited_at = body, world.clock.tick()

    def comment(self, number: int, body: str, *, by: str = "ann") -> None:
        with self._acting(by) as world:
            pull = self.repo.pull(number)
            pull.comments.append(Comment(id=world.new_id(), user=by, body=body, created_at=world.clock.tick()))

    def delete_account(self, login: str) -> None:
        """What somebody wrote stays, and belongs to nobody."""
        with self._acting(""):
            for pull in self.repo.pulls.values():
                pull.author = "" if pull.author == login else pull.author
                for review in pull.reviews:
                    review.user = "" if review.user == login else review.user

    def post_status(
        self,
        sha: str,
        context: str,
        state: State,
        *,
        by: str = "flux[bot]",
        description: str | None = None,
        target_url: str | None = None,
    ) -> Status:
        with self._acting(by):
            return acts.post_status(
                self.repo,
                sha,
                context=context,
                creator=by,
                state=state,
                description=description,
                target_url=target_url,
            )

    def check_run(self, sha: str, name: str, conclusion: str, *, app: str = "github-actions") -> None:
        """Report a check run: `conclusion` in lower case, "" while it runs."""
        with self._acting(f"{app}[bot]") as world:
            world.apps.setdefault(app, len(world.apps) + 1)
            at = world.clock.tick()
            run = CheckRun(
                id=world.new_id(),
                sha=sha,
                name=name,
                app=app,
                conclusion=conclusion,
                started_at=at,
                completed_at=at if conclusion else None,
            )
            self.repo.checks.setdefault(sha, []).append(run)

    def merge_ref(self, number: int) -> str:
        """Write `refs/pull/<number>/merge`, what a checkout on `pull_request` gets, and return its commit."""
        with self._acting(""):
            sha = rules.potential_merge(self.repo, self.repo.pull(number))
            assert sha is not None, f"#{number} conflicts"
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
            pulls = []
            for name in names:
                at = world.clock.tick()
                pull = Pull(
                    number=len(self.repo.pulls) + 1,
                    title=name,
                    body=None,
                    author="eve",
                    head_repo=self.repo,
                    head_ref=name,
                    head_sha=self.repo.tips[name],
                    base_ref=self.repo.default_branch,
                    base_sha=start,
                    draft=False,
                    created_at=at,
                    updated_at=at,
                )
                self.repo.pulls[pull.number] = pull
                pulls.append(pull)
            # One git for all their refs.
            refs = "".join(f"create refs/pull/{pull.number}/head {pull.head_sha}\n" for pull in pulls)
            self.git.git("update-ref", "--stdin", stdin=refs)
            for pull in pulls[:closed]:
                acts.close(self.repo, pull)
        # As a server does from time to time: hundreds of small files are slow to read.
        self.git.git("pack-refs", "--all")

    def _acting(self, login: str) -> AbstractContextManager[World]:
        return self.turn(Token(secret="", login=login))
