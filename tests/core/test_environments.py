"""The order of environments: graphs with one entry, and the ways of applications through them."""

from collections.abc import Collection, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_promotion.core.environments import Environment, Pipeline, Requirements, described, requirement_mode
from gitops_promotion.errors import UsageError


def pipeline(**after: Requirements | None) -> Pipeline:
    """Return a pipeline: the requirements of each environment, None for the one above it."""
    return Pipeline(environments=tuple(Environment(name=name, after=value) for name, value in after.items()))


LIST = pipeline(dev=None, qa=None, prod=None)
REGIONS = pipeline(dev=(), qa=None, eu=(("qa",),), us=(("qa",),), asia=(("qa",),))
WAVES = pipeline(dev=None, canary=None, wave1=None, wave2=None)
FAN = pipeline(dev=None, eu=(("dev",),), us=(("dev",),), prod=(("eu",), ("us",)), archive=(("eu", "us"),))


@pytest.mark.parametrize(
    ("graph", "names", "sources", "targets"),
    [
        (LIST, ("dev", "qa", "prod"), {"qa": ("dev",), "prod": ("qa",)}, {"dev": ("qa",), "prod": ()}),
        (REGIONS, ("dev", "qa", "eu", "us", "asia"), {"asia": ("qa",)}, {"qa": ("eu", "us", "asia"), "eu": ()}),
        (FAN, ("dev", "eu", "us", "prod", "archive"), {"prod": ("eu", "us")}, {"us": ("prod", "archive")}),
        (pipeline(prod=(("qa",),), qa=(("dev",),), dev=()), ("dev", "qa", "prod"), {"dev": ()}, {"dev": ("qa",)}),
    ],
)
def test_sources_stand_before_targets(
    graph: Pipeline,
    names: tuple[str, ...],
    sources: Mapping[str, tuple[str, ...]],
    targets: Mapping[str, tuple[str, ...]],
) -> None:
    assert graph.fault == ""
    assert graph.names == names
    assert graph.entry.name == names[0]
    assert {name: graph.sources(name) for name in sources} == sources
    assert {name: graph.targets(name) for name in targets} == targets


def test_before_and_behind_reach_to_the_ends() -> None:
    assert FAN.before("prod") == ("dev", "eu", "us")
    assert FAN.behind("eu") == ("prod", "archive")
    assert FAN.behind("dev") == ("eu", "us", "prod", "archive")
    assert LIST.before("dev") == ()


def test_steps_are_the_promotions_that_may_be() -> None:
    assert list(FAN.steps()) == [
        (("dev",), "eu"),
        (("dev",), "us"),
        (("eu", "us"), "prod"),
        (("eu", "us"), "archive"),
    ]


def test_an_unknown_environment_is_an_error_that_lists_the_names() -> None:
    for ask in (LIST.environment, LIST.requirements, LIST.sources):
        with pytest.raises(UsageError, match="'stage' is not in the configuration: use one of dev, qa, prod"):
            ask("stage")
        with pytest.raises(UsageError, match=r": did you mean prod\? use one of dev, qa, prod"):
            ask("prd")


@pytest.mark.parametrize(
    ("graph", "text"),
    [
        (LIST, "dev -> qa -> prod"),
        (pipeline(dev=None), "dev"),
        (pipeline(prod=(("dev",),), dev=()), "dev -> prod"),
        (FAN, "dev -> eu, us; eu and us -> prod; eu or us -> archive"),
    ],
)
def test_a_pipeline_is_shown_as_arrows(graph: Pipeline, text: str) -> None:
    assert str(graph) == text


def test_requirements_are_words() -> None:
    assert described((("a", "b"), ("c",))) == "(a or b) and c"
    assert [requirement_mode(graph) for graph in ((), (("a",),), (("a",), ("b",)), (("a", "b"),))] == [
        "all",
        "all",
        "all",
        "any",
    ]


@pytest.mark.parametrize(
    ("graph", "fault"),
    [
        (pipeline(dev=None, qa=(("qa",),)), "qa comes after itself"),
        (pipeline(dev=None, a=(("b",),), b=(("a",),)), "is a cycle"),
        (pipeline(dev=None, a=(("dev", "b"),), b=(("a",),)), "is a cycle"),
        (pipeline(dev=(), qa=()), "dev and qa would be the entry"),
        (pipeline(a=(("b",),), b=(("a",),)), "is a cycle"),
    ],
)
def test_a_graph_that_is_no_pipeline_says_why(graph: Pipeline, fault: str) -> None:
    assert fault in graph.fault


# The ways of applications


@pytest.mark.parametrize(
    ("graph", "names", "requirements"),
    [
        (LIST, "dev prod", {"dev": (), "prod": (("dev",),)}),
        (LIST, "qa prod", {"qa": (), "prod": (("qa",),)}),
        (LIST, "dev qa prod", {"qa": (("dev",),), "prod": (("qa",),)}),
        (REGIONS, "dev eu us", {"eu": (("dev",),), "us": (("dev",),)}),
        # prod after eu and us: without us it needs eu alone, for every tag in eu has been in dev.
        (FAN, "dev eu prod", {"prod": (("eu",),)}),
        (FAN, "dev prod", {"prod": (("dev",),)}),
        # One of several that suffices is left out: the others remain.
        (FAN, "dev eu archive", {"archive": (("eu",),)}),
        (FAN, "dev archive", {"archive": (("dev",),)}),
        # What an application says itself is not left out, though us has had it.
        (
            pipeline(dev=None, us=None, x=None, prod=(("dev",), ("us",), ("x",))),
            "dev us prod",
            {"prod": (("dev",), ("us",))},
        ),
        # A tag in c has been in a or b, not certainly in a.
        (
            pipeline(dev=(), a=(("dev",),), b=(("dev",),), c=(("a", "b"),), x=(("a",),), prod=(("c",), ("x",))),
            "dev a b c prod",
            {"prod": (("c",), ("a",))},
        ),
        # A tag in x has been in a, one in y has not.
        (
            pipeline(dev=(), a=(("dev",),), x=(("a",),), y=(("dev",),), m=(("a",),), prod=(("x", "y"), ("m",))),
            "dev a x y prod",
            {"prod": (("x", "y"), ("a",))},
        ),
    ],
)
def test_the_neighbours_of_an_environment_that_is_left_out_are_joined(
    graph: Pipeline, names: str, requirements: Mapping[str, Requirements]
) -> None:
    way = graph.way(names.split())
    assert way.fault == ""
    assert {name: way.requirements(name) for name in requirements} == requirements


def test_a_way_without_the_entry_begins_behind_it() -> None:
    assert LIST.way(["qa", "prod"]).entry.name == "qa"
    assert "eu and us would be the entry" in REGIONS.way(["eu", "us"]).fault


def test_a_way_keeps_what_environments_are() -> None:
    graph = Pipeline(environments=(Environment(name="dev"), Environment(name="qa"), Environment(name="x", auto=True)))
    assert graph.way(["dev", "x"]).environment("x").auto


@st.composite
def graphs(draw: st.DrawFn) -> Pipeline:
    """Generate pipelines: each environment follows some of those before it in a hidden order."""
    names = draw(st.permutations([f"e{number}" for number in range(draw(st.integers(1, 6)))]))
    environments = {names[0]: Environment(name=names[0], after=())}
    for number, name in enumerate(names[1:], start=1):
        sources = st.lists(st.sampled_from(names[:number]), min_size=1, max_size=3, unique=True).map(tuple)
        groups = draw(st.lists(sources, min_size=1, max_size=2, unique=True).map(tuple))
        environments[name] = Environment(name=name, after=groups)
    return Pipeline(environments=tuple(environments[name] for name in draw(st.permutations(names))))


@given(graphs())
def test_every_generated_graph_is_a_pipeline_in_which_sources_come_first(graph: Pipeline) -> None:
    assert graph.fault == ""
    assert sorted(graph.names) == sorted(e.name for e in graph.environments)
    for name in graph.names:
        assert all(graph.names.index(source) < graph.names.index(name) for source in graph.sources(name))
        assert set(graph.before(name)) >= set(graph.sources(name))
        assert all(name in graph.sources(target) for target in graph.targets(name))
        assert all((other in graph.behind(name)) is (name in graph.before(other)) for other in graph.names)
    assert [target for _, target in graph.steps()] == [name for name in graph.names if name != graph.entry.name]


@given(
    st.integers(1, 5).flatmap(
        lambda size: st.lists(
            st.lists(st.sampled_from([f"e{number}" for number in range(size)]), max_size=2),
            min_size=size,
            max_size=size,
        )
    )
)
def test_without_a_fault_everything_is_behind_the_one_entry(sources: list[list[str]]) -> None:
    graph = pipeline(**{f"e{number}": tuple((name,) for name in names) for number, names in enumerate(sources)})
    if not graph.fault:
        assert {graph.entry.name, *graph.behind(graph.entry.name)} == set(graph.names)
        assert len(graph.names) == len(sources)


@given(graphs())
def test_a_way_through_all_environments_changes_nothing(graph: Pipeline) -> None:
    way = graph.way(graph.names)
    assert {name: way.requirements(name) for name in way.names} == {n: graph.requirements(n) for n in graph.names}


def test_a_way_of_a_list_is_the_list_of_those_environments() -> None:
    assert str(WAVES.way(["dev", "wave1", "wave2"])) == "dev -> wave1 -> wave2"


def met(graph: Pipeline, name: str, reached: Collection[str], kept: Collection[str]) -> bool:
    """Return whether a tag that is in `reached` may go on to `name`, by following what is left out to its sources."""
    return all(
        any(source in reached for source in group if source in kept)
        if set(group) & set(kept)
        else any(met(graph, source, reached, kept) for source in group)
        for group in graph.requirements(name)
    )


@given(graphs(), st.data())
def test_a_way_lets_a_tag_go_on_where_the_graph_does_by_itself(graph: Pipeline, data: st.DataObject) -> None:
    kept = data.draw(st.sets(st.sampled_from(graph.names), min_size=1))
    way = graph.way(kept)
    # A tag spreads step by step, at the pace of each environment.
    reached: list[str] = []
    for _ in range(data.draw(st.integers(0, len(kept)))):
        possible = [name for name in way.names if name not in reached and met(graph, name, reached, kept)]
        if possible:
            reached.append(data.draw(st.sampled_from(possible)))
    for name in way.names:
        by_way = all(any(source in reached for source in group) for group in way.requirements(name))
        assert by_way is met(graph, name, reached, kept)


@given(graphs(), st.data())
def test_a_tag_reaches_every_environment_of_a_way(graph: Pipeline, data: st.DataObject) -> None:
    kept = data.draw(st.sets(st.sampled_from(graph.names), min_size=1))
    way = graph.way(kept)
    reached = {name for name in way.names if not way.requirements(name)}
    for _ in way.names:
        reached |= {n for n in way.names if all(set(group) & reached for group in way.requirements(n))}
    assert reached == set(kept)
