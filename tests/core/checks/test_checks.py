"""Each check on one broken set-up that has its finding and no other; none on good ones."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from gitops_promotion.commands import demo
from gitops_promotion.core.branch_names import fill
from gitops_promotion.core.checks import CHECKS, CODES, USELESS, Tree, check
from gitops_promotion.core.config import parse
from gitops_promotion.core.doctor import ROWS
from gitops_promotion.core.environments import Environment
from gitops_promotion.core.layout import Layout, is_file_pattern
from gitops_promotion.core.names import Application
from tests.conftest import NOW, WEBSHOP

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "checks.md").read_text(encoding="utf-8")
CONFIG = "environments: [{name: dev, auto: true}, {name: prod}]\n"
HOLDS = "gitops-promotion.holds.yaml"
ALL_AUTO = "environments:\n- {name: dev, auto: true}\n- {name: prod, auto: true}\n"
MARKER = '# {"$imagepolicy": "shop:web"}'
TAG = '# {"$imagepolicy": "shop:web:tag"}'
API = '# {"$imagepolicy": "shop:api"}'
DIGEST = "sha256:" + "a" * 64


def image(value: str = "ghcr.io/acme/web:1.0.0", marker: str = MARKER) -> str:
    return f"image: {value} {marker}\n"


GOOD = {"gitops-promotion.yaml": CONFIG, "shop/dev/web.yaml": image(), "shop/prod/web.yaml": image()}


def findings(files: Mapping[str, str | None]) -> list[tuple[str, str, int]]:
    """The code, the file and the line of each finding."""
    contents = {path: text.encode() for path, text in {**GOOD, **files}.items() if text is not None}
    return [(finding.code, finding.path, finding.line) for finding in check(Tree(contents=contents, now=NOW)).findings]


BROKEN: list[tuple[str, dict[str, str | None], str, int]] = [
    ("GP001", {"gitops-promotion.yaml": None}, "gitops-promotion.yaml", 1),
    ("GP001", {"gitops-promotion.yaml": None, "gitops-promotion.yml": CONFIG}, "gitops-promotion.yml", 1),
    ("GP002", {"gitops-promotion.yaml": CONFIG + "prflow: per-appp\n"}, "gitops-promotion.yaml", 2),
    ("GP003", {"gitops-promotion.yaml": CONFIG + "statusContext: '*/{env}-*'\n"}, "gitops-promotion.yaml", 2),
    ("GP004", {"gitops-promotion.yaml": CONFIG + "groups:\n  shpo: {}\n"}, "gitops-promotion.yaml", 3),
    (
        "GP004",
        {"gitops-promotion.yaml": CONFIG + "groups:\n  shop:\n    applications:\n      wbe: {}\n"},
        "gitops-promotion.yaml",
        5,
    ),
    (
        "GP101",
        {"shop/dev/web.yaml": None, "shop/prod/web.yaml": None, "k8s/dev/shop/web.yaml": image()},
        "gitops-promotion.yaml",
        1,
    ),
    ("GP102", {"shop/prod/web.yaml": None}, "gitops-promotion.yaml", 1),
    ("GP102", {"shop/prod/web.yaml": "image: ghcr.io/acme/web:1.0.0\n"}, "gitops-promotion.yaml", 1),
    ("GP103", {"shop/dev/cart.yaml": image(marker='# {"$imagepolicy": "shop:cart"}')}, "shop/dev/cart.yaml", 1),
    (
        "GP104",
        {"gitops-promotion.yaml": "environments: [{name: dev, auto: true}, {name: prod, path: 'shop/*'}]\n"},
        "shop/dev/web.yaml",
        1,
    ),
    ("GP105", {"shop/dev/api.yaml": image(marker='# {"$imagepolicy": "shpo:web"}')}, "shop/dev/api.yaml", 1),
    ("GP106", {"clusters/api.yaml": "---\n" + image()}, "clusters/api.yaml", 2),
    (
        "GP107",
        {
            "gitops-promotion.yaml": "environments: [{name: dev, auto: true}, {name: qa}, {name: prod}]\n"
            "groups: {shop: {applications: {web: {environments: [dev, prod]}, api: {}}}}\n",
            "shop/qa/web.yaml": image(),
            **{f"shop/{name}/api.yaml": image(marker=API) for name in ("dev", "qa", "prod")},
        },
        "shop/qa/web.yaml",
        1,
    ),
    ("GP202", {"shop/dev/api.yaml": "a: 1\n# " + image()}, "shop/dev/api.yaml", 2),
    ("GP202", {"shop/dev/api.yaml": f"# - ghcr.io/acme/web:1 {MARKER}\n"}, "shop/dev/api.yaml", 1),
    ("GP203", {"shop/dev/api.yaml": "run: |\n  " + image()}, "shop/dev/api.yaml", 2),
    ("GP203", {"docs/notes.yml": f"run: >-\n  first\n\n  tag: 1 {TAG}"}, "docs/notes.yml", 4),
    ("GP204", {"shop/dev/api.yaml": f"a: 1\n{MARKER}\n"}, "shop/dev/api.yaml", 2),
    ("GP204", {"shop/dev/api.yaml": f"image: {MARKER}\n  name: a\n"}, "shop/dev/api.yaml", 1),
    ("GP204", {"shop/dev/api.yaml": f"image: | {MARKER}\n  name: a\n"}, "shop/dev/api.yaml", 1),
    ("GP205", {"shop/dev/web.yaml": image(DIGEST)}, "shop/dev/web.yaml", 1),
    ("GP205", {"shop/dev/web.yaml": f'tag: "" {TAG}\n'}, "shop/dev/web.yaml", 1),
    ("GP206", {"shop/dev/api.yaml": image() + "a: [\n"}, "shop/dev/api.yaml", 3),
    ("GP207", {"shop/dev/web.yaml": f'version: ">=1.0.0-alpha" {TAG}\n'}, "shop/dev/web.yaml", 1),
    (
        "GP301",
        {"shop/dev/web.yaml": image() + f"other: ghcr.io/acme/web:2.0.0 {MARKER}\n"},
        "shop/dev/web.yaml",
        1,
    ),
    (
        "GP302",
        {
            "shop/dev/web.yaml": image(f"ghcr.io/acme/web:1.0.0@{DIGEST}"),
            "shop/prod/web.yaml": f"tag: 1.0.0 {TAG}\n",
        },
        "shop/prod/web.yaml",
        1,
    ),
    ("GP303", {"shop/dev/web.yaml": f"tag: 1.0.0 {TAG}\ndigest: {DIGEST}\n"}, "shop/dev/web.yaml", 2),
    (
        "GP401",
        {
            f"{group}/{name}/web.yaml": image(marker=f'# {{"$imagepolicy": "{group}:{app}"}}')
            for group, app in (("a-b", "c"), ("a", "b-c"))
            for name in ("dev", "prod")
        },
        "gitops-promotion.yaml",
        1,
    ),
    (
        "GP402",
        {
            "gitops-promotion.yaml": "environments: [{name: dev, auto: true}, "
            "{name: prod, statusContext: kustomization/shop-dev/a}]\n"
        },
        "gitops-promotion.yaml",
        1,
    ),
    (
        "GP402",
        {
            "gitops-promotion.yaml": "environments: [{name: dev, auto: true}, {name: a-dev}, {name: prod}]\n",
            "shop/a-dev/web.yaml": image(),
            **{
                f"shop-a/{name}/web.yaml": image(marker='# {"$imagepolicy": "shop-a:web"}')
                for name in ("dev", "a-dev", "prod")
            },
        },
        "gitops-promotion.yaml",
        1,
    ),
    ("GP108", {"shop/dev/web.yaml": "image: web:1\n", "shop/prod/web.yaml": None}, "gitops-promotion.yaml", 1),
    # What a file that cannot be read holds is not known: nothing else is said of its environment.
    ("GP206", {"shop/prod/web.yaml": image() + "x: [\n"}, "shop/prod/web.yaml", 3),
    (
        "GP206",
        {
            "shop/prod/web.yaml": image() + "x: [\n",
            **{f"shop/{name}/api.yaml": image(marker=API) for name in ("dev", "prod")},
        },
        "shop/prod/web.yaml",
        3,
    ),
    ("GP403", {"gitops-promotion.yaml": ALL_AUTO}, "gitops-promotion.yaml", 3),
    (
        "GP404",
        {
            "gitops-promotion.yaml": CONFIG.replace(
                "name: prod", "name: prod, freezes: [{from: 2026-01-01, until: 2099-01-01}]"
            )
        },
        "gitops-promotion.yaml",
        1,
    ),
    ("GP405", {HOLDS: "holds:\n- {group: shop, app: web, environment: prdo}\n"}, HOLDS, 2),
    ("GP405", {HOLDS: "holds: [\n"}, HOLDS, 2),
    ("GP406", {HOLDS: "# held\nholds:\n- {group: '*', app: wbe, environment: prod}\n"}, HOLDS, 3),
    ("GP901", {"shop/dev/api.yaml": "a: 1 # gitops-promotion: allow GP999 it is fine\n"}, "shop/dev/api.yaml", 1),
    ("GP901", {"shop/dev/api.yaml": "a: 1 # gitops-promotion: allow GP201 it is fine\n"}, "shop/dev/api.yaml", 1),
]

MISSPELLED = (
    '# {"$ImagePolicy": "shop:web:tag"}',
    '# {"imagepolicy": "shop:web:tag"}',
    "# {'$imagepolicy': 'shop:web:tag'}",
    '# {"$imagepolcy": "shop:web:tag"}',
    '# {"$image-policy": "shop:web:tag"}',
    '# {"$imagepolicy": "shop:web:tags"}',
    '# {"$imagepolicy": "shop:web:Tag"}',
    '# {"$imagepolicy": "shop: web:tag"}',
    '# {"$imagepolicy": "shop:web:tag"} is the tag',
    "# {\u201c$imagepolicy\u201d: \u201cshop:web:tag\u201d}",
    '# {$imagepolicy: "shop:web:tag"}',
    "# $imagepolicy: shop:web:tag",
)
BROKEN += [("GP201", {"shop/dev/api.yaml": f"tag: 1 {marker}\n"}, "shop/dev/api.yaml", 1) for marker in MISSPELLED]
STORE: dict[str, str | None] = {
    f"Store/{name}/web.yaml": image(marker='# {"$imagepolicy": "Store:web"}') for name in ("dev", "prod")
}
BROKEN += [
    ("GP402", {"gitops-promotion.yaml": f"{CONFIG}statusContext: {contexts}\n", **STORE}, "gitops-promotion.yaml", 1)
    for contexts in (
        "'*/{app}-{env}'",
        "['*/{app}-{env}', '*/{group}-{app}-{env}']",
        "['*/{app}-{env}', '{app}/cd-{env}']",
    )
]
BROKEN += [("GP201", {"other/notes.yml": f"# {marker}\n"}, "other/notes.yml", 1) for marker in MISSPELLED[:4]]


@pytest.mark.parametrize(("code", "files", "path", "line"), BROKEN)
def test_a_broken_set_up_has_its_finding_and_no_other(
    code: str, files: dict[str, str | None], path: str, line: int
) -> None:
    assert set(findings(files)) == {(code, path, line)}


def test_the_file_of_holds_is_never_taken_for_the_configuration() -> None:
    contents = {"gitops-promotion.holds.yaml": b"holds: []\n"}
    (finding,) = check(Tree(contents=contents)).findings
    assert (finding.code, finding.path) == ("GP001", "gitops-promotion.yaml")
    assert "move this file" not in finding.fix


def test_every_code_has_a_broken_set_up() -> None:
    assert {code for code, *_ in BROKEN} == set(CODES)


def test_codes_are_unique_and_of_one_form() -> None:
    assert len(set(CODES)) == len(CODES)
    assert all(re.fullmatch(r"GP\d{3}", code) for code in CODES)


def layouts() -> Iterator[tuple[str, dict[str, str]]]:
    """The examples of the pages about layouts, with the applications of their comments in every environment."""
    for page in ("layouts.md", "image-automation.md"):
        text = (ROOT / "docs" / page).read_text(encoding="utf-8")
        for match in re.finditer(r"^```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
            if "environments:" in match[1]:
                place = f"{page}:{text.count(chr(10), 0, match.start()) + 1}"
                yield place, {"gitops-promotion.yaml": match[1], **applications(match[1])}


def applications(example: str) -> dict[str, str]:
    """The files of an example: each application of its comments, in each environment that it passes through."""
    files: dict[str, str] = {}
    config = parse(example, "example")
    comments = re.findall(r"^# (\S+) with .* is (\S+)/(\S+) in (\S+)$", example, re.MULTILINE)
    for path, group, name, environment in comments:
        number = next(i for i, p in enumerate(config.layout.patterns(environment)) if _fits(p, path, environment))
        for application in (Application(group, name), Application(group, f"{name}-2")):
            for target in config.way(application).names:
                pattern = config.layout.patterns(target)[number]
                file = fill(pattern, group=group, app=application.name, env=target)
                file = file.replace("**/", "").replace("*", "x")
                file = file if is_file_pattern(file) else f"{file}/web.yaml"
                marker = config.layout.marker_name(application, target)
                files[file] = files.get(file, "") + f'tag{len(files)}: v1 # {{"$imagepolicy": "{marker}:tag"}}\n'
    return files


def _fits(pattern: str, path: str, environment: str) -> bool:
    only = Environment(name=environment, paths=(pattern,))
    return bool(Layout(environments=(only,)).in_reach(path))


@pytest.mark.parametrize(
    "files",
    [
        pytest.param(GOOD, id="smallest"),
        pytest.param(demo.files(), id="demo"),
        pytest.param(
            {
                "gitops-promotion.yaml": CONFIG.replace(
                    "name: prod",
                    "name: prod, windows: [{days: mon, from: '09:00', to: '16:00'}], freezes: "
                    "[{from: 2026-02-20, until: 2026-03-20}]",
                ),
                HOLDS: "holds:\n- {group: shop, app: '*', environment: '*', until: 2020-01-01}\n",
                "shop/dev/web.yaml": image(),
                "shop/prod/web.yaml": image(),
            },
            id="calendar and holds",
        ),
        pytest.param(WEBSHOP, id="tests"),
        *(pytest.param(files, id=place) for place, files in layouts()),
    ],
)
def test_a_good_set_up_has_no_finding(files: Mapping[str, str]) -> None:
    tree = Tree(contents={path: text.encode() for path, text in files.items()}, now=NOW)
    assert check(tree).findings == ()
    assert tree.owned
    assert check(tree, strict=True).exit_code == 0


@pytest.mark.parametrize(
    "text",
    [
        '# The marker {"$imagepolicy": "shop:web"} sets the image\n',
        '# Write "$imagepolicy": "shop:web" behind it.\n',
        "# imagePullPolicy: if:absent\n",
        "a: \"x # {'$imagepolicy': 'shop:web'}\"\n",
        "kind: ImagePolicy # see docs: the policy\n",
        "# policy: a:b\n",
        'a: 1 # {"$kyaml": "shop:web"}\n',
        "\ufeffa: 1\n",
    ],
)
def test_text_that_is_no_marker_is_no_finding(text: str) -> None:
    assert findings({"shop/dev/api.yaml": text}) == []


def test_a_file_that_is_not_utf_8_or_not_yaml_ends_no_check() -> None:
    contents = {path: text.encode() for path, text in GOOD.items()}
    contents |= {"a.yaml": b"\xff # {'$imagepolicy': 'shop:web'}", "b.yaml": b"{{ x # {'$imagepolicy': 'a:b'}\n"}
    assert [finding.code for finding in check(Tree(contents=contents)).findings] == ["GP201"]


ALLOWED = "# gitops-promotion: allow GP203 a copy for the docs\n"


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("run: |\n  {allow}  {marked}", []),
        ("run: |\n  {allow}\n  {marked}", ["GP901", "GP203"]),
        ("run: |\n  # gitops-promotion: allow GP203\n  {marked}", ["GP901", "GP203"]),
        ("run: |\n  # gitops-promotion: allow GP202 a copy\n  {marked}", ["GP901", "GP203"]),
        ("run: |\n  # gitops-promotion: allow GP202 a copy\n  {allow}  {marked}", ["GP901"]),
        ("run: |\n  a # gitops-promotion: allow GP203 a copy\n  {marked}", ["GP901", "GP203"]),
    ],
)
def test_a_finding_is_accepted_in_place_with_a_reason(text: str, codes: list[str]) -> None:
    text = text.format(allow=ALLOWED, marked=image())
    assert [code for code, *_ in findings({"shop/dev/api.yaml": text})] == codes


def test_the_configuration_accepts_findings_too() -> None:
    config = (
        "environments:\n"
        "- {name: dev, auto: true}\n"
        "- {name: prod, auto: true} # gitops-promotion: allow GP403 the canary decides\n"
    )
    assert findings({"gitops-promotion.yaml": config}) == []


def test_every_finding_says_why_and_what_to_do() -> None:
    for _, files, *_ in BROKEN:
        contents = {path: text.encode() for path, text in {**GOOD, **files}.items() if text is not None}
        for finding in check(Tree(contents=contents, now=NOW)).findings:
            assert finding.message.isprintable()
            assert finding.fix.isprintable()
            assert len(finding.message) > 20
            assert len(finding.fix) > 5
            assert finding.url.endswith(f"/docs/checks.md#{finding.code.lower()}")


def test_every_code_has_its_section_in_the_page_with_level_and_title() -> None:
    found = dict(re.findall(r"^### (GP\d{3})\n\n\*((?:Error|Warning): .+?)\.\*", PAGE, re.MULTILINE))
    expected = {row.code: f"{row.level.capitalize()}: {row.title}" for row in CHECKS}
    expected |= {row.code: f"{row.level.capitalize()}: {row.title}" for row in ROWS}
    assert found == {**expected, USELESS: "Warning: a comment that allows nothing"}


def test_a_suggestion_of_a_misspelled_marker_is_a_marker_without_a_finding() -> None:
    for marker in MISSPELLED[:5]:
        contents = {**GOOD, "other/api.yaml": f"tag: 1 {marker}\n"}
        tree = Tree(contents={path: text.encode() for path, text in contents.items()})
        suggestion = check(tree).findings[0].fix.removeprefix("write it as ")
        codes = [code for code, *_ in findings({"other/api.yaml": f"tag: 1 {suggestion}\n"})]
        assert codes == ["GP106"]


def test_a_mistyped_marker_is_named_beside_the_application_that_lacks_one() -> None:
    files = {**GOOD, "shop/prod/web.yaml": image(marker='# {"$imagepolicy": "shop:wbe"}')}
    [finding] = check(Tree(contents={path: text.encode() for path, text in files.items()}, now=NOW)).findings
    assert (finding.code, "correct the marker shop:wbe at shop/prod/web.yaml:1, " in finding.fix) == ("GP103", True)
    # An application that goes there by itself is no slip.
    both = {**files, "shop/dev/wbe.yaml": files["shop/prod/web.yaml"]}
    [finding] = check(Tree(contents={path: text.encode() for path, text in both.items()}, now=NOW)).findings
    assert "correct the marker" not in finding.fix
    assert ", or leave " in finding.fix


def test_a_digest_that_the_next_environment_cannot_hold_is_told_its_place() -> None:
    files = next(files for code, files, *_ in BROKEN if code == "GP302")
    contents = {path: text.encode() for path, text in {**GOOD, **files}.items() if text is not None}
    [finding] = check(Tree(contents=contents, now=NOW)).findings
    assert finding.fix.endswith(':digest"} behind a digest')
