"""The proposal for trees of each usual layout works as it is: the configuration finds every marker that it adds."""

import re
from collections.abc import Callable, Mapping, Sequence

import pytest

from gitops_promotion.core.checks import Tree, check
from gitops_promotion.core.config import FILE, parse
from gitops_promotion.core.init import Proposal, propose, text
from gitops_promotion.core.init.images import find_deployers
from gitops_promotion.core.markers import set_tag
from gitops_promotion.core.names import Application
from gitops_promotion.core.tags import Tag
from gitops_promotion.errors import UsageError
from gitops_promotion.render.init import human

Files = Mapping[str, str]
MARKER = re.compile(rb' # \{"\$imagepolicy": "[^"]+"\}')


def deployment(name: str, tag: str = "1.0.0", *, image: str = "") -> str:
    return (
        f"apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\nspec:\n  template:\n    spec:\n"
        f"      containers:\n        - name: {name}\n          image: {image or f'ghcr.io/acme/{name}'}:{tag}\n"
    )


def values(name: str, tag: str = "1.0.0") -> str:
    return f"image:\n  repository: ghcr.io/acme/{name}\n  tag: {tag}\n"


def overlay(name: str, tag: str = "1.0.0") -> str:
    return f"resources: [../base]\nimages:\n  - name: {name}\n    newName: ghcr.io/acme/{name}\n    newTag: {tag}\n"


def release(name: str, version: str) -> str:
    return (
        "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\n"
        f"metadata:\n  name: {name}\nspec:\n  chart:\n    spec:\n      version: {version}\n"
    )


def kustomization(name: str, path: str) -> str:
    return (
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\n"
        f"metadata:\n  name: {name}\n  namespace: flux-system\nspec:\n  path: ./{path}\n"
    )


def proposed(files: Files, forge: str = "") -> Proposal:
    return propose({path: text.encode() for path, text in files.items()}, forge=forge)


def config(proposal: Proposal) -> str:
    """The configuration without its comments."""
    text = proposal.edits[FILE].decode()
    return re.sub(r" *#.*", "", text).strip() + "\n"


def each(names: Sequence[str], make: Callable[[str], Files]) -> Files:
    return {path: text for name in names for path, text in make(name).items()}


def with_reports(text: str) -> str:
    """Return a configuration in which every environment but the first reports what changes of its images."""
    start, first, *later = text.split("  - {name: ")
    return "  - {name: ".join([start, first, *(e.replace("}\n", ", unmanagedImages: report}\n", 1) for e in later)])


LAYOUTS: dict[str, tuple[Files, str, set[str]]] = {
    "a folder for each group and environment": (
        each(
            ("dev", "qa", "prod"),
            lambda e: {
                f"shop/{e}/web.yaml": deployment("web"),
                f"shop/{e}/kustomization.yaml": overlay("cart"),
                f"blog/{e}/site.yaml": deployment("site"),
            },
        ),
        "environments:\n  - {name: dev, auto: true}\n  - {name: qa, auto: true}\n  - {name: prod, auto: false}\n",
        {"shop/web", "shop/cart", "blog/site"},
    ),
    "a folder for each environment, with groups below": (
        {
            **each(
                ("dev", "prod"),
                lambda e: {
                    f"clusters/{e}/shop/web.yaml": deployment("web"),
                    f"clusters/{e}/blog/site.yaml": deployment("site"),
                },
            ),
            "flux/dev.yaml": kustomization("shop-dev", "clusters/dev/shop"),
            "flux/dev-blog.yaml": kustomization("blog-dev", "clusters/dev/blog"),
            "flux/prod.yaml": kustomization("shop-prod", "clusters/prod/shop"),
            "flux/prod-blog.yaml": kustomization("blog-prod", "clusters/prod/blog"),
        },
        "environments:\n  - {name: dev, auto: true}\n  - {name: prod, auto: false}\n"
        'pathTemplate: "clusters/{env}/{group}"\n',
        {"shop/web", "blog/site"},
    ),
    "one folder for each environment, one Kustomization name in every cluster": (
        each(
            ("staging", "production"),
            lambda e: {
                f"apps/{e}/podinfo-values.yaml": release("podinfo", '">=1.0.0"'),
                f"clusters/{e}/apps.yaml": kustomization("apps", f"apps/{e}"),
            },
        ),
        "environments:\n  - {name: staging, auto: true, statusContext: flux/staging/apps}\n"
        "  - {name: production, auto: false, statusContext: flux/production/apps}\n"
        'pathTemplate: "apps/{env}"\n',
        {"apps/podinfo"},
    ),
    "a file for each environment, with the markers of image automation": (
        each(
            ("ithc", "stg", "prod"),
            lambda e: {
                f"apps/{group}/{app}/{e}.yaml": "spec:\n  values:\n    java:\n"
                f'      image: acme.azurecr.io/{app}:prod-1 # {{"$imagepolicy": "flux-system:{app}"}}\n'
                for group, app in (("courtfines", "courtfines-app"), ("pdda", "pdda-app"))
            },
        ),
        "environments:\n  - {name: ithc, auto: true}\n  - {name: stg, auto: true}\n  - {name: prod, auto: false}\n"
        'pathTemplate: "apps/{group}/{app}/{env}.yaml"\nmarkerTemplate: "flux-system:{app}"\n',
        {"courtfines/courtfines-app", "pdda/pdda-app"},
    ),
    "a file for each environment, with markers whose names are not those of folders": (
        each(
            ("test", "prod"),
            lambda e: {
                f"apps/{group}/{folder}/{e}.yaml": f'image: x/{app}:1 # {{"$imagepolicy": "flux-system:{app}"}}\n'
                for group, folder, app in (
                    ("toffee", "receiver", "toffee-receiver"),
                    ("toffee", "backend", "toffee-backend"),
                    ("met", "themis-fe", "themis-fe"),
                )
            },
        ),
        "environments:\n  - {name: test, auto: true}\n  - {name: prod, auto: false}\n"
        'pathTemplate: "apps/{group}/*/{env}.yaml"\nmarkerTemplate: "flux-system:{app}"\n',
        {"toffee/toffee-receiver", "toffee/toffee-backend", "met/themis-fe"},
    ),
    "a values file for each environment": (
        each(("dev", "prod"), lambda e: {f"charts/{app}/values-{e}.yaml": values(app) for app in ("web", "cart")}),
        "environments:\n  - {name: dev, auto: true}\n  - {name: prod, auto: false}\n"
        'pathTemplate: "charts/{app}/values-{env}.yaml"\n',
        {"charts/web", "charts/cart"},
    ),
    "a file for each application and environment, in folders of different depth": (
        each(
            ("dev", "prod"),
            lambda e: {f"shop/web-{e}.yaml": deployment("web"), f"b/c/site-{e}.yaml": deployment("site")},
        ),
        'environments:\n  - {name: dev, auto: true, path: [b/c/site-dev.yaml, "{group}/web-dev.yaml"]}\n'
        '  - {name: prod, auto: false, path: [b/c/site-prod.yaml, "{group}/web-prod.yaml"]}\n',
        {"c/site", "shop/web"},
    ),
    "stages below each application": (
        each(
            ("dev", "prod"),
            lambda e: {
                f"shop/stages/{e}/web.yaml": deployment("web"),
                f"blog/stages/{e}/site.yaml": deployment("site"),
                f"stages/{e}/portal.yaml": deployment("portal"),
            },
        ),
        'environments:\n  - {name: dev, auto: true, path: ["{group}/stages/dev", stages/dev]}\n'
        '  - {name: prod, auto: false, path: ["{group}/stages/prod", stages/prod]}\n',
        {"shop/web", "blog/site", "apps/portal"},
    ),
    "components at any depth": (
        each(
            ("development", "staging", "production"),
            lambda e: {
                f"components/a/{e}/base/kustomization.yaml": overlay("alpha"),
                f"components/b/deep/{e}/kustomization.yaml": overlay("beta"),
                f"components/c/deep/er/{e}/kustomization.yaml": overlay("gamma"),
                f"components/d/deep/er/still/{e}/kustomization.yaml": overlay("delta"),
            },
        ),
        "environments:\n  - {name: development, auto: true}\n  - {name: staging, auto: true}\n"
        '  - {name: production, auto: false}\npathTemplate: "components/**/{env}"\n',
        {"components/alpha", "components/beta", "components/gamma", "components/delta"},
    ),
    "a policy of image automation for each environment": (
        {
            f"k8s/{place}/{env}/kustomization.yaml": "images:\n"
            + "".join(
                f'  - name: {app}\n    newName: x/{app} # {{"$imagepolicy": "default:{prefix}{app}:name"}}\n'
                f'    newTag: 1.0.0 # {{"$imagepolicy": "default:{prefix}{app}:tag"}}\n'
                for app in apps
            )
            for place, apps in (("apps/shop", ("web", "api")), ("apps/blog", ("site",)), ("old/cart", ("cart",)))
            for env, prefix in (("staging", "stg-"), ("production", ""))
        },
        'environments:\n  - {name: staging, auto: true, marker: "default:stg-{app}"}\n'
        '  - {name: production, auto: false, marker: "default:{app}"}\npathTemplate: "k8s/*/{group}/{env}"\n',
        {"shop/web", "shop/api", "blog/site", "cart/cart"},
    ),
    "a policy whose name ends with its environment's short name": (
        {
            f"apps/{env}/web.yaml": f'image: x/web:1.0.0 # {{"$imagepolicy": "flux-system:web{suffix}"}}\n'
            for env, suffix in (("staging", "-stg"), ("production", ""))
        },
        'environments:\n  - {name: staging, auto: true, marker: "flux-system:{app}-stg"}\n'
        '  - {name: production, auto: false, marker: "flux-system:{app}"}\npathTemplate: "apps/{env}"\n',
        {"flux-system/web"},
    ),
    "one file for all environments": (
        {
            "appsets/web.yaml": "elements:\n"
            '  - {cluster: dev}\n  - tag: 1.4.2 # {"$imagepolicy": "shop:web-dev:tag"}\n'
            '  - tag: 1.4.1 # {"$imagepolicy": "shop:web-prod:tag"}\n'
        },
        "environments:\n  - {name: dev, auto: true}\n  - {name: prod, auto: false}\n"
        'pathTemplate: appsets\nmarkerTemplate: "{group}:{app}-{env}"\n',
        {"shop/web"},
    ),
    "three regions of production": (
        each(
            ("dev", "qa", "prod-eu", "prod-us", "prod-asia"),
            lambda e: {f"shop/{e}/web.yaml": deployment("web"), f"blog/{e}/site.yaml": deployment("site")},
        ),
        "prflow: per-env\nenvironments:\n  - {name: dev, auto: true}\n  - {name: qa, auto: true, after: [dev]}\n"
        "  - {name: prod-asia, auto: false, after: [qa]}\n  - {name: prod-eu, auto: false, after: [qa]}\n"
        "  - {name: prod-us, auto: false, after: [qa]}\n",
        {"shop/web", "blog/site"},
    ),
    "an application that leaves an environment out": (
        {
            **each(("dev", "qa", "prod"), lambda e: {f"shop/{e}/web.yaml": deployment("web")}),
            **each(("dev", "prod"), lambda e: {f"blog/{e}/batch.yaml": deployment("batch")}),
        },
        "environments:\n  - {name: dev, auto: true}\n  - {name: qa, auto: true}\n  - {name: prod, auto: false}\n"
        "groups:\n  blog:\n    applications:\n      batch: {environments: [dev, prod]}\n",
        {"shop/web", "blog/batch"},
    ),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_proposal_for_a_layout_works_unchanged(name: str) -> None:
    files, expected, applications = LAYOUTS[name]
    proposal = proposed(files)
    assert config(proposal) == with_reports(expected)
    assert {str(application) for application in proposal.applications} == applications
    tree = Tree(contents={**{path: text.encode() for path, text in files.items()}, **proposal.edits})
    assert {finding.code for finding in check(tree).findings} <= {"GP207"}
    places = {(site.application, site.environment) for site in tree.owned}
    assert places == {(a, e) for a, environments in proposal.applications.items() for e in environments}
    for site, owned in tree.owned.items():
        marker = tree.config.layout.marker_name(site.application, site.environment) if tree.config else None
        assert marker
        assert set_tag(owned.files, group=marker.group, app=marker.app, tag=Tag("2.0.0")).edits


@pytest.mark.parametrize("name", LAYOUTS)
def test_only_marker_comments_are_added_to_files_that_are_there(name: str) -> None:
    files, _, _ = LAYOUTS[name]
    proposal = proposed(files)
    for path, content in proposal.edits.items():
        if path != FILE:
            assert path in files
            assert MARKER.sub(b"", content) == MARKER.sub(b"", files[path].encode())
            assert proposal.old[path] == files[path].encode()


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_tree_with_the_proposal_gets_no_new_markers(name: str) -> None:
    files, _, _ = LAYOUTS[name]
    edited = {**files, **{path: content.decode() for path, content in proposed(files).edits.items()}}
    again = propose({path: text.encode() for path, text in edited.items() if path != FILE})
    assert set(again.edits) == {FILE}


# What is marked, and what is left to a person


def shop(text: str, **more: str) -> Proposal:
    return proposed({f"shop/{e}/web.yaml": text.replace("ENV", e) for e in ("dev", "prod")} | more)


def marked(proposal: Proposal, path: str = "shop/dev/web.yaml") -> list[str]:
    """The lines of a file that got a marker."""
    return [line.strip() for line in proposal.edits[path].decode().splitlines() if "$imagepolicy" in line]


@pytest.mark.parametrize("ending", ["\n", "\r\n", ""])
def test_line_ends_and_the_end_of_the_file_stay(ending: str) -> None:
    text = f"\ufeffimage: ghcr.io/acme/web:1.0.0{ending}"
    proposal = shop(text)
    assert proposal.edits["shop/dev/web.yaml"].decode() == text.rstrip("\r\n") + (
        f' # {{"$imagepolicy": "shop:web"}}{ending}'
    )


def test_a_digest_beside_a_tag_gets_its_marker_too() -> None:
    digest = "sha256:" + "a" * 64
    proposal = shop(f"images:\n  - name: web\n    newTag: 1.0.0\n    digest: {digest}\n")
    assert marked(proposal) == [
        'newTag: 1.0.0 # {"$imagepolicy": "shop:web:tag"}',
        f'digest: {digest} # {{"$imagepolicy": "shop:web:digest"}}',
    ]


def test_of_several_containers_the_one_that_its_object_is_named_after_is_marked() -> None:
    text = deployment("web") + "        - name: proxy\n          image: envoyproxy/envoy:v1.31.0\n"
    proposal = shop(text)
    assert marked(proposal) == ['image: ghcr.io/acme/web:1.0.0 # {"$imagepolicy": "shop:web"}']
    assert [line for line in proposal.undecided if line.startswith("shop/dev/web.yaml:11: envoyproxy/envoy:v1.31.0")]


@pytest.mark.parametrize(
    "extra",
    [
        "image: {repository: ghcr.io/acme/web, tag: 1.0.0}\n",
        "image: ghcr.io/acme/web:1.0.0 # the image\n",
        "image: >-\n  ghcr.io/acme/web:1.0.0\n",
    ],
)
def test_a_value_that_takes_no_marker_is_named_with_its_line(extra: str) -> None:
    indented = "".join(f"  {line}\n" for line in extra.splitlines())
    proposal = shop(f"first:\n  image: ghcr.io/acme/web:1.0.0\nother:\n{indented}")
    assert len(marked(proposal)) == 1
    assert any(line.startswith("shop/dev/web.yaml:4: ") for line in proposal.undecided)


def test_an_image_whose_name_no_application_can_have_is_left_to_a_person() -> None:
    proposal = shop(deployment("web") + "---\n" + deployment("other", image="ghcr.io/acme/x.lock"))
    assert [line for line in proposal.undecided if "gives no name that an application can have" in line]


def test_a_folder_is_named_without_slashes_around_it() -> None:
    [deployer] = find_deployers(kustomization("shop", "shop/x/").encode(), "flux.yaml")
    assert (deployer.name, deployer.path) == ("shop", "shop/x")


def test_tags_that_differ_in_one_environment_are_left_to_a_person() -> None:
    files = {f"shop/{e}/site.yaml": deployment("site") for e in ("dev", "prod")}
    proposal = shop(
        deployment("a", image="ghcr.io/acme/web") + "---\n" + deployment("b", "2.0.0", image="x/web"), **files
    )
    assert "shop/dev/web.yaml" not in proposal.edits
    assert any("differs from other tags of shop/web" in line for line in proposal.undecided)


def test_other_kinds_encrypted_files_and_flux_itself_are_left_alone() -> None:
    files = {f"shop/{e}/site.yaml": deployment("site") for e in ("dev", "prod")}
    more = {
        "shop/dev/policy.yaml": "kind: ImagePolicy\nspec:\n  image: ghcr.io/acme/x:1\n",
        "shop/dev/secret.yaml": "image: ghcr.io/acme/x:1\nsops: {}\n",
        "shop/dev/flux-system/gotk-components.yaml": deployment("source-controller"),
        "shop/dev/broken.yaml": "image: [\n",
        "shop/dev/template.yaml": "image: {{ .Values.image }}:1\n",
    }
    assert set(proposed({**files, **more}).edits) == {*files, FILE}


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"web.yaml": deployment("web")},
        {"shop/dev/web.yaml": deployment("web")},
        {"shop/a/web.yaml": deployment("web"), "shop/b/web.yaml": deployment("web")},
        {"shop/dev/web.yaml": "a: 1\n", "shop/prod/web.yaml": "a: 1\n"},
        {"dev.yaml": "\x00", "prod.yaml": "&a [*a]"},
    ],
)
def test_a_tree_without_an_application_in_two_environments_has_no_proposal(files: Files) -> None:
    with pytest.raises(UsageError, match="no application was found in two environments"):
        proposed(files)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (
            "kind: Deployment\nspec: {containers: [{name: web, image: ghcr.io/acme/web:1}]}\n",
            "shop/dev/web.yaml:2: no marker fits behind the tag of web, nor behind 1 more, since its line goes on "
            "there, and a marker must be the only comment: write each image in block style",
        ),
        (
            "image: ghcr.io/acme/web:1 # the image\n",
            "shop/dev/web.yaml:1: no marker fits behind the tag of web, nor behind 1 more, since its line goes on "
            "there, and a marker must be the only comment: write each image in block style, with nothing behind its "
            "tag, and other comments above it",
        ),
        (
            "newTag: x\nimages: [{name: web, newTag: 1.0.0}]\n",
            "shop/dev/web.yaml:2: no marker fits behind the tag of web",
        ),
        ("images:\n  - name: web\n    newTag: ${TAG}\n", "shop/dev/web.yaml:3: '${TAG}' is no tag, so no marker fits"),
    ],
)
def test_a_tree_in_which_no_marker_fits_behind_an_image_is_told_so(text: str, error: str) -> None:
    with pytest.raises(UsageError, match=re.escape(error)):
        shop(text)


def test_an_image_that_takes_no_marker_is_not_the_cause_where_there_is_one_environment() -> None:
    with pytest.raises(UsageError, match="no application was found in two environments"):
        proposed({"shop/dev/web.yaml": "images: [{name: web, newTag: 1.0.0}]\n"})


# Statuses


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ({"dev": "shop-dev", "prod": "shop-prod"}, ""),
        ({"dev": "apps-dev", "prod": "apps-prod"}, 'statusContext: ["*/apps-{env}", "*/apps-{env}/*"]\n'),
        ({"dev": "dev-shop", "prod": "prod-shop"}, 'statusContext: ["*/{env}-shop", "*/{env}-shop/*"]\n'),
    ],
)
def test_the_names_of_kustomizations_say_the_status_contexts(names: dict[str, str], expected: str) -> None:
    more = {f"flux/{e}.yaml": kustomization(name, f"shop/{e}") for e, name in names.items()}
    proposal = shop(deployment("web"), **more)
    assert config(proposal).partition("unmanagedImages: report}\n")[2] == expected
    assert not proposal.provider
    assert not any("statusContext" in line for line in proposal.undecided)


def test_without_a_kustomization_the_contexts_are_undecided() -> None:
    assert any("set statusContext" in line for line in shop(deployment("web")).undecided)


def test_one_kustomization_name_in_every_cluster_needs_a_provider_that_tells_them_apart() -> None:
    files, _, _ = LAYOUTS["one folder for each environment, one Kustomization name in every cluster"]
    provider = proposed(files, forge="azdo").provider
    assert provider.startswith("# in the cluster of staging\n# in the cluster of production: 'flux/production/'\n")
    assert "type: azuredevops\n" in provider
    assert """commitStatusExpr: "'flux/staging/' + event.involvedObject.name"\n""" in provider


def test_the_path_of_a_part_of_the_repository_is_found_by_the_place_of_the_kustomization() -> None:
    files = each(
        ("staging", "production"),
        lambda e: {
            f"apps/{e}/web.yaml": deployment("web"),
            f"clusters/{e}/apps.yaml": kustomization("apps", e),
        },
    )
    assert "statusContext: flux/production/apps" in config(proposed(files))


def test_an_application_of_argo_cd_counts_as_a_kustomization_does() -> None:
    more = {
        f"argo/{e}.yaml": "apiVersion: argoproj.io/v1alpha1\nkind: Application\n"
        f"metadata: {{name: shop-{e}}}\nspec:\n  source: {{path: shop/{e}}}\n"
        for e in ("dev", "prod")
    }
    assert not any("statusContext" in line for line in shop(deployment("web"), **more).undecided)


def test_environments_that_no_promotion_joins_are_named() -> None:
    files = {
        **each(("dev", "prod-eu", "prod-us"), lambda e: {f"shop/{e}/web.yaml": deployment("web")}),
        **each(("prod-eu", "prod-us"), lambda e: {f"blog/{e}/site.yaml": deployment("site")}),
    }
    proposal = proposed(files)
    assert list(proposal.applications) == [Application("shop", "web")]
    assert any(note.startswith("blog/site is only in prod-eu and prod-us") for note in proposal.notes)


def test_regions_are_shown_side_by_side_as_the_configuration_has_them() -> None:
    stages = ("dev", "qa", "prod-eu", "prod-us")
    proposal = proposed(
        {
            **each(stages, lambda e: {f"shop/{e}/web.yaml": deployment("web")}),
            **each(stages[1:], lambda e: {f"shop/{e}/api.yaml": deployment("api")}),
        }
    )
    assert human(proposal).split("\n")[:2] == [
        "shop/api  qa -> prod-eu, prod-us",
        "shop/web  dev -> qa; qa -> prod-eu, prod-us",
    ]
    assert "| `shop/web` | `dev -> qa; qa -> prod-eu, prod-us` |" in text.pull_request_body(proposal)


def test_every_proposed_configuration_is_accepted_without_a_warning() -> None:
    for files, _, _ in LAYOUTS.values():
        assert parse(proposed(files).edits[FILE], FILE).warnings == ()
