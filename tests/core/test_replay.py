"""Histories taken back: the same tags as reading every version of every file, also where files are odd."""

import random

import pytest

from gitops_promotion.core.commits import Commit, FileChange
from gitops_promotion.core.deployments import timeline
from gitops_promotion.core.environments import Environment
from gitops_promotion.core.layout import Layout
from gitops_promotion.core.markers import is_manifest, mentions
from gitops_promotion.core.names import Application, Site
from gitops_promotion.core.replay import Replay
from gitops_promotion.core.tags import Tag

LAYOUT = Layout(environments=(Environment(name="dev"), Environment(name="qa")))
APPS = ("a", "ab", "b")
PATHS = ("shop/dev/x.yaml", "shop/dev/y.yaml", "shop/qa/x.yaml", "elsewhere/x.yaml", "shop/dev/readme.txt")
LINES = (
    'tag: {tag} # {{"$imagepolicy": "shop:{app}:tag"}}',
    'tag: "{tag}" # {{"$imagepolicy": "shop:{app}:tag"}}',
    'image: ghcr.io/acme/{app}:{tag} # {{"$imagepolicy": "shop:{app}"}}',
    'digest: sha256:{digest} # {{"$imagepolicy": "shop:{app}:digest"}}',
    'name: acme/{app} # {{"$imagepolicy": "shop:{app}:name"}}',
    'tag: &anchor {tag} # {{"$imagepolicy": "shop:{app}:tag"}}',
    'tag: *anchor # {{"$imagepolicy": "shop:{app}:tag"}}',
    'text: |\n    tag: {tag} # {{"$imagepolicy": "shop:{app}:tag"}}',
    "port: {tag}",
    "broken: [",
    '# tag: {tag} # {{"$imagepolicy": "shop:{app}:tag"}}',
)
WEIGHTS = (8, 8, 8, 2, 2, 1, 1, 1, 4, 1, 1)


class Repository:
    """Files that change at random; every version of each is kept."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311  for tests alone
        self.files: dict[str, list[str]] = {}
        self.blobs: dict[str, bytes] = {}
        self.commits: list[Commit] = []

    def line(self) -> str:
        [form] = self.random.choices(LINES, WEIGHTS)
        digest = self.random.choice("ab") * 64
        return form.format(tag=f"1.{self.random.randrange(3)}", app=self.random.choice(APPS), digest=digest)

    def oid(self, lines: list[str] | None) -> str | None:
        if lines is None:
            return None
        # Items of a list, so that keys may be repeated.
        content = "".join(f"- {line}\n" for line in lines).encode()
        oid = f"{content.hex()}"
        self.blobs[oid] = content
        return oid

    def commit(self) -> None:
        changes = []
        for path in self.random.sample(PATHS, self.random.randint(1, 2)):
            old = self.files.get(path)
            lines = list(old or [])
            for _ in range(self.random.randint(1, 2)):
                place = self.random.randrange(len(lines) + 1)
                if place < len(lines) and self.random.random() < 0.7:
                    lines[place] = self.random.choice([self.line(), lines[place].replace("1.0", "1.1")])
                elif place < len(lines) and self.random.random() < 0.4:
                    del lines[place]
                else:
                    lines.insert(place, self.line())
            gone = self.random.random() < 0.05
            changes.append(FileChange(path=path, old=self.oid(old), new=None if gone else self.oid(lines)))
            self.files.pop(path, None)
            if not gone:
                self.files[path] = lines
        sha = f"{len(self.commits):040x}"
        self.commits.append(
            Commit(sha=sha, parents=("p",), author_email="", committer_email="", message="", changes=tuple(changes))
        )

    def tip(self, site: Site) -> dict[str, bytes]:
        contents = {path: self.blobs[str(self.oid(lines))] for path, lines in self.files.items()}
        name = LAYOUT.marker_name(site.application, site.environment)
        return {
            path: content
            for path, content in contents.items()
            if is_manifest(path) and site in LAYOUT.claims(path, name) and mentions(content, name.group, name.app)
        }


@pytest.mark.parametrize("seed", range(40))
def test_the_changes_are_those_of_reading_every_version(seed: int) -> None:
    repository = Repository(seed)
    for _ in range(25):
        repository.commit()
    newest_first = repository.commits[::-1]
    claims = [Site(Application("shop", app), env) for app in APPS for env in ("dev", "qa")]
    replay = Replay(layout=LAYOUT)
    replay.start({site: repository.tip(site) for site in claims})
    changes = replay.changes(newest_first[:9], repository.blobs)
    changes += replay.changes(newest_first[9:], repository.blobs)
    found = {site: [(c.commit.sha, c.previous, c.tag) for c in changes if c.site == site] for site in claims}
    for site in claims:
        assert found[site] == expected(repository, site), site


def expected(repository: Repository, site: Site) -> list[tuple[str, Tag | None, Tag | None]]:
    """Each change of a tag, read from every version of the files."""
    points = timeline(
        repository.commits[::-1],
        repository.tip(site),
        repository.blobs,
        holds=lambda path: LAYOUT.holds(path, site.application, site.environment),
        marker=LAYOUT.marker_name(site.application, site.environment),
    )
    tags = [*(point.tag for point in points), None]
    return [
        (point.commit.sha, before, point.tag)
        for point, before in zip(points, tags[1:], strict=True)
        if before != point.tag
    ]
