"""Images are built from the repository, named by digest, and kept in a registry that forgets old ones."""

import re

import pytest

from tests.infra.declared import ROOT
from tests.infra.environments import environment

IMAGE = "docker-build:index:Image"


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_images_are_built_from_dockerfiles_of_the_repository_and_pushed(stack: str) -> None:
    images = environment(stack).all(IMAGE)
    assert f"{stack}-stream" in {image.name for image in images}
    for image in images:
        context, dockerfile = image.inputs["context"]["location"], image.inputs["dockerfile"]["location"]
        assert (ROOT / "infra" / context).resolve() == ROOT
        assert (ROOT / "infra" / dockerfile).is_file()
        assert image.inputs["push"] is True
        assert (image.inputs["exec"], image.inputs["builder"]) == (True, {"name": "default"}), "the daemon's own"
        assert image.inputs["platforms"] == ["linux/amd64"]
        assert image.inputs["tags"] == [f"europe-west1-docker.pkg.dev/demo-project/{stack}-images/{image.name}:current"]


def test_no_token_is_kept_in_the_state() -> None:
    assert not any(image.inputs.get("registries") for image in environment("dev").all(IMAGE))


def test_whatever_runs_an_image_names_it_by_its_digest() -> None:
    for one in environment("prod").resources:
        for image in re.findall(r"[a-z0-9-]+-docker\.pkg\.dev/[^\s\"',]+", str(dict(one.inputs))):
            if one.type != IMAGE and "--registries" not in image:
                assert re.search(r"@sha256:[0-9a-f]{64}$", image), (one.name, image)


def test_the_registry_keeps_the_newest_images_and_deletes_old_ones() -> None:
    repository = environment("prod").one("gcp:artifactregistry/repository:Repository").inputs
    assert repository["cleanupPolicyDryRun"] is False
    assert {policy["id"]: policy["action"] for policy in repository["cleanupPolicies"]} == {
        "keep-newest": "KEEP",
        "delete-old": "DELETE",
    }


@pytest.mark.parametrize(
    "name", ["app/batch/Dockerfile.dockerignore", "app/stream/Dockerfile.dockerignore", ".dockerignore"]
)
def test_the_build_sees_code_and_pinned_requirements_alone(name: str) -> None:
    lines = [line for line in (ROOT / name).read_text().splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*"
    seen = {line.removeprefix("!").rstrip("/") for line in lines if line.startswith("!")}
    assert {"pyproject.toml", "requirements.lock"} <= seen
    assert all(path.split("/")[0] == "app" for path in seen - {"pyproject.toml", "requirements.lock"})
