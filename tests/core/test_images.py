"""Which image each marker is about (docs/images.md), and where its registry is."""

import pytest

from gitops_promotion.core.images import DOCKER_HUB, Image, is_loopback, marked_images
from gitops_promotion.errors import ManifestError, UsageError


@pytest.mark.parametrize(
    ("text", "host", "name"),
    [
        ("nginx", DOCKER_HUB, "library/nginx"),
        ("docker.io/nginx", DOCKER_HUB, "library/nginx"),
        ("index.docker.io/org/web", DOCKER_HUB, "org/web"),
        ("org/web", DOCKER_HUB, "org/web"),
        ("ghcr.io/org/web", "ghcr.io", "org/web"),
        ("GHCR.io/org/web", "ghcr.io", "org/web"),
        ("localhost/web", "localhost", "web"),
        ("registry:5000/web", "registry:5000", "web"),
    ],
)
def test_the_registry_of_a_name(text: str, host: str, name: str) -> None:
    assert Image.parse(text) == Image(host, name)


@pytest.mark.parametrize("text", ["", "Web", "${REGISTRY}/web", "a@b.io/web", "ghcr.io/", "x/../y", "ghcr.io/a b"])
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        Image.parse(text)


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("127.0.0.1.example.com", False),
        ("localhost.example.com", False),
        ("128.0.0.1", False),
        ("127.1", False),
        ("127.0.0.256", False),
        ("10.0.0.1", False),
    ],
)
def test_only_addresses_of_this_machine_are_asked_without_tls(host: str, local: bool) -> None:
    assert is_loopback(host) is local
    assert Image(f"{host}:5000", "web").is_local is local


def marked(text: str) -> list[str]:
    text = text.replace("#TAG", '# {"$imagepolicy": "shop:web:tag"}').replace("#ALL", '# {"$imagepolicy": "shop:web"}')
    text = text.replace("#NAME", '# {"$imagepolicy": "shop:web:name"}')
    found = marked_images({"a.yaml": text.encode()}, "shop", "web")
    return sorted(map(str, found.images)) + list(found.unnamed)


@pytest.mark.parametrize(
    ("text", "image"),
    [
        ("image: ghcr.io/org/web:1 #ALL\n", "ghcr.io/org/web"),
        ("image: ghcr.io/org/web:1 #TAG\n", "ghcr.io/org/web"),
        ("url: docker://ghcr.io/org/web:1 #ALL\n", "ghcr.io/org/web"),
        ("images:\n- name: web\n  newName: ghcr.io/org/web\n  newTag: v1 #TAG\n", "ghcr.io/org/web"),
        ("images:\n- name: ghcr.io/org/web\n  newTag: v1 #TAG\n", "ghcr.io/org/web"),
        ("images:\n- newTag: v1 #TAG\n  name: org/web\n- name: org/other\n", f"{DOCKER_HUB}/org/web"),
        ("images:\n- name: x\n  newName: ghcr.io/o/w #NAME\n  newTag: v1 #TAG\n", "ghcr.io/o/w"),
        ("spec:\n  values:\n    image:\n      repository: ghcr.io/o/w\n      tag: v1 #TAG\n", "ghcr.io/o/w"),
        ("image:\n  registry: quay.io\n  repository: o/w\n  tag: v1 #TAG\n", "quay.io/o/w"),
        ("image:\n  hub: ghcr.io/o/w #NAME\n  version: v1 #TAG\n", "ghcr.io/o/w"),
        ("base: &b {repository: ghcr.io/o/w}\nimage:\n  <<: *b\n  tag: v1 #TAG\n", "ghcr.io/o/w"),
    ],
)
def test_the_image_of_a_marker(text: str, image: str) -> None:
    assert marked(text) == [image]


def test_images_of_several_markers_are_named_once_and_others_are_told() -> None:
    text = "a:\n  image: ghcr.io/o/w:1 #ALL\nb:\n  image: ghcr.io/o/w:1 #ALL\nc:\n  version: v1 #TAG\n"
    assert marked(text) == ["ghcr.io/o/w", "a.yaml:6: cannot tell the image of shop:web (no name stands beside it)"]
    text = "image: ghcr.io/o/w:1 #ALL\nb: {repository: '${X}/web', tag: v1} #TAG\n"
    assert marked("image: ghcr.io/o/w:1 #ALL\nb:\n  repository: ${X}/web\n  tag: v1 #TAG\n")[1].endswith(
        "(its name is '${X}/web')"
    )


def test_the_images_of_other_applications_are_not_asked_for() -> None:
    assert marked('a: ghcr.io/o/w:1 #ALL\nb: ghcr.io/o/x:1 # {"$imagepolicy": "shop:other"}\n') == ["ghcr.io/o/w"]


@pytest.mark.parametrize("text", ["spec:\n  chart:\n    version: 1.2.3 #TAG\n", "tag: v1 #TAG\n"])
def test_an_image_that_cannot_be_told_is_an_error_with_its_line(text: str) -> None:
    with pytest.raises(ManifestError, match=r"a.yaml:[13]: cannot tell which image"):
        marked(text)
