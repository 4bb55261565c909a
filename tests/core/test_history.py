"""Events from first-parent histories, on values alone."""

from datetime import UTC, datetime, timedelta

import pytest

from gitops_promotion.core.commits import Commit, CommitHeader, FileChange
from gitops_promotion.core.discussion import Discussion, Person
from gitops_promotion.core.discussion import Event as PullEvent
from gitops_promotion.core.environments import Environment
from gitops_promotion.core.forge import Review
from gitops_promotion.core.history import Event, approved_commits, events, with_people
from gitops_promotion.core.layout import Layout
from gitops_promotion.core.names import Application, Site
from gitops_promotion.core.replay import Replay

WEB, CART = Application("shop", "web"), Application("shop", "cart")
LAYOUT = Layout(environments=(Environment(name="dev"), Environment(name="qa")))
START = datetime(2026, 1, 1, tzinfo=UTC)


def text(**tags: str) -> bytes:
    return "".join(f'{app}: {tag} # {{"$imagepolicy": "shop:{app}:tag"}}\n' for app, tag in tags.items()).encode()


class Branch:
    """A default branch that is written oldest first: each commit is a message and the new contents of files."""

    def __init__(self) -> None:
        self.commits: list[Commit] = []
        self.blobs: dict[str, bytes] = {}
        self.files: dict[str, bytes] = {}
        self.heads: dict[str, CommitHeader] = {}

    def commit(
        self,
        message: str,
        files: dict[str, bytes | None] | None = None,
        *,
        author: str = "Ann",
        head: str = "",
        complete: bool = True,
    ) -> str:
        sha = f"{len(self.commits):040x}"
        changes = []
        for path, content in (files or {}).items():
            old = self.files.pop(path, None)
            changes.append(FileChange(path=path, old=self._blob(old), new=self._blob(content)))
            if content is not None:
                self.files[path] = content
        parents = (self.commits[-1].sha,) if self.commits else ()
        if head:
            parents = (*parents, f"{sha[:-1]}h")
            self.heads[sha] = CommitHeader(parents=(), author="bot", author_email="bot@example.org", message=head)
        self.commits.append(
            Commit(
                sha=sha,
                parents=parents,
                author_email="",
                committer_email="",
                message=message,
                changes=tuple(changes) if complete else (),
                complete=complete,
                author=author,
                committed_at=START + timedelta(hours=len(self.commits)),
            )
        )
        return sha

    def _blob(self, content: bytes | None) -> str | None:
        if content is None:
            return None
        oid = f"blob {len(self.blobs)}"
        self.blobs[oid] = content
        return oid

    def events(self, *, only: str = "") -> list[Event]:
        claims = [Site(app, env) for app in (CART, WEB) for env in ("dev", "qa")]
        wanted = [site for site in claims if only in ("", site.application.name)]
        tip = {
            site: {
                path: content
                for path, content in self.files.items()
                if path.startswith(f"shop/{site.environment}/") and f":{site.application.name}:tag".encode() in content
            }
            for site in wanted
        }
        newest_first = self.commits[::-1]
        replay = Replay(layout=LAYOUT, only=wanted.__contains__)
        replay.start(tip)
        changes = replay.changes(newest_first, self.blobs)
        return events(newest_first, changes, self.heads, prefixes=("promote/",), only=wanted.__contains__)


def promoted(tag: str, env: str = "dev", app: str = "web", **trailers: str) -> str:
    lines = {"Promotion": f"shop/{app}", "Environment": env, "Tag": tag, **trailers}
    return f"Promote shop/{app} version {tag} to environment {env}\n\n" + "".join(
        f"{key.replace('_', '-')}: {value}\n" for key, value in lines.items()
    )


def short(found: list[Event]) -> list[str]:
    return [f"{e.kind} {e.application.name} {e.environment} {e.previous_tag}>{e.tag}" for e in found]


@pytest.fixture
def branch() -> Branch:
    made = Branch()
    made.commit("Start", {"shop/dev/web.yaml": text(web="1"), "shop/qa/web.yaml": text(web="1")})
    return made


def test_every_change_of_a_tag_is_an_event_whoever_made_it(branch: Branch) -> None:
    branch.commit("Merge pull request #1: x", {"shop/dev/web.yaml": text(web="2")}, head=promoted("2"))
    branch.commit("Only a port", {"shop/dev/port.yaml": b"port: 1\n"})
    branch.commit("Hotfix", {"shop/qa/web.yaml": text(web="3")}, author="Bob")
    found = branch.events()
    assert short(found) == ["manual web qa 1>3", "promotion web dev 1>2", "manual web dev >1", "manual web qa >1"]
    assert [(event.by, event.pull_request) for event in found[:2]] == [("Bob", None), ("Ann", 1)]
    assert found[0].time == START + timedelta(hours=3)


def test_one_commit_with_several_tags_is_an_event_for_each(branch: Branch) -> None:
    branch.commit("Both", {"shop/dev/web.yaml": text(web="2", cart="5"), "shop/qa/web.yaml": text(web="2")})
    assert short(branch.events())[:3] == ["manual cart dev >5", "manual web dev 1>2", "manual web qa 1>2"]
    assert short(branch.events(only="cart")) == ["manual cart dev >5"]


def test_a_moved_file_and_a_changed_line_beside_the_tag_are_no_events(branch: Branch) -> None:
    branch.commit("Move", {"shop/dev/web.yaml": None, "shop/dev/deep/web.yaml": text(web="1") + b"port: 1\n"})
    assert len(branch.events()) == 2


def test_markers_that_disagree_or_go_away_are_an_event_without_a_tag(branch: Branch) -> None:
    branch.commit("Half", {"shop/dev/other.yaml": text(web="2")})
    branch.commit("Gone", {"shop/qa/web.yaml": None})
    branch.commit("Whole", {"shop/dev/web.yaml": text(web="2")})
    assert short(branch.events())[:3] == ["manual web dev >2", "manual web qa 1>", "manual web dev 1>"]


def test_a_broken_manifest_is_an_event_without_a_tag(branch: Branch) -> None:
    branch.commit("Break", {"shop/dev/web.yaml": text(web="2") + b"a: [\n"})
    branch.commit("Mend", {"shop/dev/web.yaml": text(web="3")})
    assert short(branch.events())[:2] == ["manual web dev >3", "manual web dev 1>"]


def test_trailers_say_who_started_overrode_and_why(branch: Branch) -> None:
    message = promoted(
        "2", Triggered_By="carol", Override_By="dave", Override_Reason="fire", Built_At="2026-01-01T00:00:00Z"
    )
    branch.commit("Merge pull request #1: x", {"shop/dev/web.yaml": text(web="2")}, head=message)
    event = branch.events()[0]
    assert (event.kind, event.by, event.overridden_by, event.reason) == ("override", "carol", "dave", "fire")
    assert event.built_at == START


def test_long_names_and_reasons_of_commits_are_cut(branch: Branch) -> None:
    long = "x" * 1000
    message = promoted("2", Override_By=long, Override_Reason=long)
    branch.commit("Merge pull request #1: x", {"shop/dev/web.yaml": text(web="2")}, author=long, head=message)
    event = branch.events()[0]
    assert (len(event.by), len(event.overridden_by), len(event.reason)) == (100, 100, 300)


def test_the_trailers_of_a_promotion_say_nothing_of_another_change_in_its_commit(branch: Branch) -> None:
    message = promoted("2", Triggered_By="carol", Override_By="dave")
    branch.commit(message, {"shop/dev/web.yaml": text(web="2"), "shop/qa/web.yaml": text(web="9")})
    assert short(branch.events())[:2] == ["override web dev 1>2", "manual web qa 1>9"]
    assert [(event.by, event.overridden_by) for event in branch.events()[:2]] == [("carol", "dave"), ("Ann", "")]


def test_a_rollback_is_one_only_if_the_tag_was_there_before(branch: Branch) -> None:
    branch.commit(promoted("2"), {"shop/dev/web.yaml": text(web="2")})
    branch.commit(promoted("1", Rollback="true", Rollback_Reason="slow"), {"shop/dev/web.yaml": text(web="1")})
    branch.commit(promoted("3", Rollback="true"), {"shop/dev/web.yaml": text(web="3")})
    branch.commit("Revert", {"shop/dev/web.yaml": text(web="2")})
    assert short(branch.events())[:4] == [
        "manual web dev 3>2",
        "promotion web dev 1>3",
        "rollback web dev 2>1",
        "promotion web dev 1>2",
    ]
    assert [event.reason for event in branch.events()[:4]] == ["", "", "slow", ""]


def test_a_rollback_past_its_gates_is_a_rollback_that_somebody_overrode(branch: Branch) -> None:
    branch.commit(promoted("2"), {"shop/dev/web.yaml": text(web="2")})
    message = promoted("1", Rollback="true", Override_By="dave", Override_Reason="broken")
    branch.commit(message, {"shop/dev/web.yaml": text(web="1")})
    event = branch.events()[0]
    assert (event.kind, event.overridden_by, event.reason) == ("rollback", "dave", "broken")


def test_a_feature_is_an_event_of_its_trailers_since_its_copy_has_no_marker(branch: Branch) -> None:
    branch.commit(
        "Merge pull request #4: x", {"shop/dev/web-pr-1/x.yaml": b"a: 1\n"}, head=promoted("7", Feature="pr-1")
    )
    branch.commit("Out\n\nPromotion: shop/web\nEnvironment: dev\nFeature: pr-1")
    found = branch.events()[:2]
    assert short(found) == ["feature web dev >", "feature web dev >7"]
    assert [event.feature for event in found] == ["pr-1", "pr-1"]
    assert short(branch.events(only="cart")) == []


def test_a_commit_that_adds_a_feature_and_changes_a_tag_is_two_events(branch: Branch) -> None:
    branch.commit(promoted("7", Feature="pr-1"), {"shop/dev/web.yaml": text(web="2")})
    assert short(branch.events())[:2] == ["manual web dev 1>2", "feature web dev >7"]


def test_a_line_that_only_looks_like_the_marked_one_is_no_event(branch: Branch) -> None:
    note = b"note: |\n" + text(web="1").replace(b"web:", b"  web:", 1)
    branch.commit("Note", {"shop/dev/web.yaml": text(web="1") + note.replace(b" 1 #", b" 2 #")})
    branch.commit("Other note", {"shop/dev/web.yaml": text(web="1") + note})
    assert len(branch.events()) == 2


def test_history_that_is_cut_off_ends_without_inventing_arrivals() -> None:
    branch = Branch()
    branch.commit("Cut", {"shop/dev/web.yaml": text(web="1")}, complete=False)
    branch.commit(promoted("2"), {"shop/dev/web.yaml": text(web="2")})
    assert short(branch.events()) == ["promotion web dev 1>2"]


def test_a_name_that_json_escapes_is_found(branch: Branch) -> None:
    escaped = rb'web: 2 # {"$imagepolicy": "sh\u006fp:web:tag"}' + b"\n"
    branch.commit("Escape", {"shop/dev/web.yaml": escaped})
    assert short(branch.events())[0] == "manual web dev 1>2"


def test_people_of_the_forge_stand_in_for_those_of_the_commit(branch: Branch) -> None:
    branch.commit("Merge pull request #1: x", {"shop/dev/web.yaml": text(web="2")}, head=promoted("2"))
    branch.commit("Merge pull request #2: x", {"shop/dev/web.yaml": text(web="3")}, head=promoted("3"))

    def discussion(*, merged_by: Person, approved: tuple[str, ...] = ()) -> Discussion:
        return Discussion(
            author=Person(name="bot", is_bot=True),
            reviews=(
                *(Review(author=name, verdict="approved", sha="s") for name in approved),
                Review(author="dave", verdict="changes-requested", sha="s"),
            ),
            events=(PullEvent(kind="merged", at=START, by=merged_by),),
        )

    found = with_people(
        branch.events(),
        {
            1: discussion(merged_by=Person(name="carol"), approved=("bob", "erin")),
            2: discussion(merged_by=Person(name="app[bot]", is_bot=True)),
        },
        merged={event.sha: {"s"} for event in branch.events()},
    )
    assert [(event.by, event.approved_by) for event in found[:2]] == [("Ann", ()), ("carol", ("bob", "erin"))]
    assert found[2].approved_by == ()


def test_an_approval_of_other_edits_is_none_of_what_was_merged(branch: Branch) -> None:
    branch.commit("Merge pull request #1: x", {"shop/dev/web.yaml": text(web="2")}, head=promoted("2"))
    reviews = tuple(
        Review(author=name, verdict="approved", sha=sha)
        for name, sha in (("ann", "of another tag"), ("bob", "head"), ("eva", "older base"), ("zoe", ""))
    )
    discussions = {1: Discussion(author=Person(name="bot"), reviews=reviews)}
    [newest, *_] = branch.events()
    assert approved_commits([newest], discussions) == {newest.sha: ("of another tag", "head", "older base", "")}
    [found] = with_people([newest], discussions, merged={newest.sha: {"head", "older base"}})
    assert found.approved_by == ("bob", "eva")
    [found] = with_people([newest], discussions, merged={})
    assert found.approved_by == ()
