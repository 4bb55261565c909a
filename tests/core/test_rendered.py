"""What changes in the objects of an environment, and that no value of a Secret is in it."""

from gitops_promotion.core.feature.manifests import parse
from gitops_promotion.core.rendered import rendered_difference

DEPLOYMENT = (
    "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  namespace: shop\nspec:\n  image: web:{}\n  x: 1\n"
)
SECRET = """\
apiVersion: v1
kind: Secret
metadata:
  name: db
  annotations:
    kubectl.kubernetes.io/last-applied-configuration: '{{"data": "{0}"}}'
    version: "{1}"
data:
  password: {0}
stringData:
  token: {0}
"""


def difference(before: str, after: str, limit: int = 1000) -> str:
    return "\n".join(rendered_difference(parse(before.encode()), parse(after.encode()), limit))


def test_the_changed_lines_of_each_object_are_shown_folded() -> None:
    assert difference(DEPLOYMENT.format(1), DEPLOYMENT.format(2)) == (
        "<details><summary>Rendered difference</summary>\n\n```diff\n# Deployment shop/web\n spec:\n"
        "-  image: web:1\n+  image: web:2\n   x: 1\n```\n\n</details>\n"
    )


def test_the_same_objects_have_no_difference() -> None:
    assert difference(DEPLOYMENT, DEPLOYMENT) == ""


def test_objects_that_come_and_go_are_shown() -> None:
    found = difference(DEPLOYMENT.format(1), SECRET.format("c2VjcmV0", 1))
    assert "# Deployment shop/web\n-apiVersion: apps/v1" in found
    assert "# Secret db\n+apiVersion: v1" in found
    assert "+  password: (hidden)" in found or '+  password: "(hidden)"' in found
    assert "c2VjcmV0" not in found


def test_no_value_of_a_secret_is_shown_whatever_changes_in_it() -> None:
    found = difference(SECRET.format("b2xk", 1), SECRET.format("bmV3", 2))
    assert "version" in found
    assert "b2xk" not in found
    assert "bmV3" not in found
    indented = "".join(f"  {line}\n" for line in SECRET.format("b2xk", 1).splitlines())
    listed = "apiVersion: v1\nkind: List\nmetadata:\n  name: all\nitems:\n- " + indented[2:]
    assert "b2xk" not in difference(DEPLOYMENT.format(1), listed)


def test_a_long_difference_is_cut_by_lines_and_stays_closed() -> None:
    many = "".join(f"---\n{DEPLOYMENT}".replace("name: web", f"name: web{number}") for number in range(50))
    found = difference(many.format(*[1] * 50), many.format(*[2] * 50), limit=500)
    assert len(found) <= 500
    assert "more lines\n```\n\n</details>" in found
    assert difference(many.format(*[1] * 50), many.format(*[2] * 50), limit=80) == ""


def test_no_text_of_an_object_ends_the_fence() -> None:
    text = 'kind: ConfigMap\nmetadata:\n  name: c\ndata:\n  x: "```\\n</details>{}"\n'
    found = difference(text.format(1), text.format(2))
    assert "````diff" in found
    assert found.endswith("````\n\n</details>\n")
