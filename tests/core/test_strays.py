"""Markers that no environment claims: the reason, and the key that an error advises to change."""

import pytest

from gitops_promotion.core.environments import Environment, Pipeline
from gitops_promotion.core.layout import MARKER, PATH, Layout, MarkerName
from gitops_promotion.core.names import Application
from gitops_promotion.core.strays import Stray, mismatch, nothing_found, suggested_place, unclaimed, without_way

DEV, QA, PROD = (Environment(name=name) for name in ("dev", "qa", "prod"))


def layout(*environments: Environment, path: str = PATH, marker: str = MARKER) -> Layout:
    return Layout(environments=environments or (DEV, QA, PROD), path=path, marker=marker)


def stray(path: str, marker: str = "shop:web", line: int = 4) -> Stray:
    group, _, app = marker.partition(":")
    return Stray(path, line, MarkerName(group, app))


@pytest.mark.parametrize(
    ("places", "application", "text"),
    [
        (
            ["dev webui", "qa webui", "prod webui", "prod webiu"],
            "webiu",
            "no promotion brings shop/webiu into prod, since it has no marker in qa: add one, or did you mean "
            "shop/webui?",
        ),
        (["dev webui", "qa webui", "prod webiu"], "webui", ""),
        # Promoted from qa; without a target; of another name; of a name that is not in qa.
        (["dev webui", "qa webui", "qa webiu", "prod webiu"], "webiu", ""),
        (["dev webui", "qa webui", "dev webiu"], "webiu", ""),
        (["dev webui", "qa webui", "dev webiu", "prod webiu"], "webiu", ""),
        (["dev webui", "qa webui", "prod shop"], "shop", ""),
        (["dev webui", "prod webiu"], "webiu", ""),
    ],
)
def test_a_name_that_no_promotion_reaches_is_said_where_another_is_near(
    places: list[str], application: str, text: str
) -> None:
    sites = {(Application("shop", place.split()[1]), place.split()[0]) for place in places}
    assert without_way(Pipeline(environments=(DEV, QA, PROD)), Application("shop", application), sites) == text


def test_a_short_name_is_near_where_the_caller_says_so() -> None:
    pipeline = Pipeline(environments=(DEV, PROD))
    sites = {(Application("shop", "web"), "dev"), (Application("shop", "wbe"), "prod")}
    assert without_way(pipeline, Application("shop", "wbe"), sites) == ""
    assert without_way(pipeline, Application("shop", "wbe"), sites, nearness=0.6).endswith("did you mean shop/web?")


@pytest.mark.parametrize(
    ("paths", "marker", "advice"),
    [
        # Environments first, the group behind them, or none at all.
        (
            ["clusters/dev/shop/web.yaml", "clusters/prod/shop/web.yaml"],
            "shop:web",
            'pathTemplate, such as "clusters/{env}/{group}"',
        ),
        (["dev/shop/web.yaml"], "shop:web", 'pathTemplate, such as "{env}/{group}"'),
        (["deploy/dev/web.yaml", "deploy/qa/web.yaml"], "shop:web", 'pathTemplate, such as "deploy/{env}"'),
        (["a/apps/dev/web.yaml"], "apps:web", 'pathTemplate, such as "a/{group}/{env}"'),
        # A file for each environment.
        (["charts/web/values-dev.yaml"], "shop:web", 'pathTemplate, such as "charts/{app}/values-{env}.yaml"'),
        (["apps/shop/web/qa.yaml"], "shop:web", 'pathTemplate, such as "apps/{group}/{app}/{env}.yaml"'),
        # The path is right, and the marker has another form.
        (
            ["apps/dev/web.yaml", "infra/dev/nginx.yaml"],
            "flux-system:web",
            'markerTemplate, such as "flux-system:{app}"',
        ),
        (["shop/dev/web.yaml", "shop/qa/web.yaml"], "flux-system:web", 'markerTemplate, such as "flux-system:{app}"'),
        # An environment that is called otherwise in the tree.
        (["shop/production/web.yaml"], "shop:web", 'environments[2].path, such as "shop/production"'),
        (["shop/development/web.yaml"], "shop:web", 'environments[0].path, such as "shop/development"'),
    ],
)
def test_the_error_names_the_nearest_key_and_a_value_for_it(paths: list[str], marker: str, advice: str) -> None:
    text = nothing_found(layout(), [stray(path, marker) for path in paths])
    assert text.endswith(f": set {advice}"), text


def test_the_error_names_the_patterns_and_where_markers_are() -> None:
    text = nothing_found(layout(DEV, PROD, path="k8s/{env}"), [stray(f"x/{n}.yaml", line=n) for n in range(1, 6)])
    assert text.startswith("no environment has a marker: the patterns are dev in k8s/dev, prod in k8s/prod; ")
    assert "markers are in x/1.yaml:1 (shop:web), x/2.yaml:2 (shop:web), x/3.yaml:3 (shop:web), 2 more: " in text
    assert text.endswith("correct pathTemplate, or the names of the environments")


def test_an_environment_with_a_key_of_its_own_is_advised_to_change_that_key() -> None:
    own = Environment(name="dev", paths=("nowhere",))
    text = nothing_found(layout(own, PROD), [stray("clusters/dev/web.yaml")])
    assert text.endswith('set environments[0].path, such as "clusters/dev"'), text
    own = Environment(name="dev", paths=("clusters/dev",), marker="other:{app}")
    text = nothing_found(layout(own, PROD), [stray("clusters/dev/web.yaml")])
    assert text.endswith('set environments[0].marker, such as "shop:{app}"'), text


def test_the_form_of_markers_is_advised_for_the_environment_whose_file_it_is() -> None:
    own = Environment(name="prod", paths=("clusters/prod",), marker="other:{app}")
    text = nothing_found(layout(DEV, own), [stray("clusters/prod/web.yaml")])
    assert text.endswith('set environments[1].marker, such as "shop:{app}"'), text


def test_the_form_of_a_marker_that_ends_with_the_environment_has_it_as_a_placeholder() -> None:
    text = nothing_found(layout(path="flux/{env}", marker="other:{app}"), [stray("flux/dev/w.yaml", "flux:web-dev")])
    assert text.endswith('set markerTemplate, such as "flux:{app}-{env}"'), text


def test_the_advice_is_the_one_that_most_markers_fit() -> None:
    odd = stray("odd/qa.yaml", "odd:one")
    text = nothing_found(layout(), [odd, *(stray(f"clusters/{env}/shop/web.yaml") for env in ("dev", "qa", "prod"))])
    assert 'such as "clusters/{env}/{group}"' in text


def test_a_marker_in_the_file_of_an_environment_is_told_the_markers_that_belong_there() -> None:
    text = mismatch(layout(), stray("webshop/prod/web.yaml", "wbshop:web"))
    assert text == (
        "webshop/prod/web.yaml:4: the marker wbshop:web belongs to no environment: markers in this file are "
        "webshop:{app} (prod): correct the marker, or markerTemplate"
    )
    by_marker = layout(path="flux/{env}", marker="flux-system:{app}-{env}")
    assert "flux-system:{app}-dev (dev)" in mismatch(by_marker, stray("flux/dev/web.yaml", "flux-system:web-prod"))
    assert mismatch(layout(), stray("README/web.yaml")) == ""


def test_a_marker_outside_of_all_patterns_is_told_the_key() -> None:
    assert unclaimed(layout(), stray("web.yaml")) == (
        "web.yaml:4: the marker shop:web belongs to no environment, since no path takes the file in: correct "
        "pathTemplate, or move the file"
    )
    assert unclaimed(layout(), stray("shop/dev/a.yaml", "x:y")) == mismatch(layout(), stray("shop/dev/a.yaml", "x:y"))


def test_an_environment_without_files_is_told_the_markers_it_may_mean() -> None:
    text = suggested_place(layout(), "prod", [stray("other.yaml"), stray("shop/production/web.yaml")])
    assert (
        text
        == 'shop/production/web.yaml:4 has the marker shop:web: set environments[2].path, such as "shop/production"'
    )
    assert suggested_place(layout(), "qa", [stray("shop/production/web.yaml")]) == ""
    assert suggested_place(layout(), "prod", [stray("shop/prod/web.yaml", "sohp:web")]) == "", "the path is right"
    flux = layout(marker="flux-system:{app}")
    assert suggested_place(flux, "prod", [stray("shop/production/web.yaml")]) == "", "the marker would not fit"


@pytest.mark.parametrize(
    ("path", "advice"),
    [
        # A pattern for all environments would take the files of the others away.
        ("shop/k8s/web/prod.yaml", 'set environments[2].path, such as "{group}/k8s/{app}/prod.yaml"'),
        ("shop/web/prod.yml", "rename the file to shop/web/prod.yaml"),
    ],
)
def test_the_advice_for_one_environment_leaves_the_others_as_they_are(path: str, advice: str) -> None:
    one = layout(path="{group}/{app}/{env}.yaml")
    assert suggested_place(one, "prod", [stray(path)]) == f"{path}:4 has the marker shop:web: {advice}"
