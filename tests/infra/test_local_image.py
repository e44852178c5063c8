"""The batch job's image on this computer."""

from pathlib import Path

from tests.infra.declared import declare_stack


def test_here_nothing_is_in_the_cloud() -> None:
    declared = declare_stack("local")
    assert not [one for one in declared.resources if one.type.startswith(("gcp:", "docker-build:"))]
    image = declared.one("docker:index/remoteImage:RemoteImage", "local-batch-job").inputs
    assert Path(image["build"]["dockerfile"]) == Path(image["build"]["context"]) / "app" / "batch" / "Dockerfile"
    assert Path(image["build"]["dockerfile"]).is_file()
    assert image["name"].endswith(image["triggers"]["content"][:12])
