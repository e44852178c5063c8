"""The comment of a pull request and the issue of drift: one of each, renewed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.ci import comment, issue
from infra.ci.github import GitHub, GitHubError
from tests.infra.ci.github_server import Repository, github

pytestmark = pytest.mark.integration


@pytest.fixture
def repository(monkeypatch: pytest.MonkeyPatch) -> Iterator[Repository]:
    with github() as found:
        for name, value in found.environment().items():
            monkeypatch.setenv(name, value)
        yield found


def put_comment(folder: Path, commit: str = "0123456789abcdef") -> int:
    given = ["--sections", str(folder), "--environments", "dev,prod", "--pull-request", "12", "--commit", commit]
    return comment.main(given)


def put_issue(folder: Path) -> int:
    return issue.main(["--sections", str(folder), "--environments", "dev,prod", "--run", "https://example.com/runs/1"])


def sections(folder: Path, **texts: str) -> Path:
    for name, text in texts.items():
        place = folder / f"section-{name}" / f"{name}.md"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    return folder


def test_one_comment_has_all_environments_in_order(repository: Repository, tmp_path: Path) -> None:
    assert put_comment(sections(tmp_path, prod="### prod\n", dev="### dev\n")) == 0
    (only,) = repository.comments[12]
    assert only["body"] == f"{comment.MARKER}\n## Preview of 0123456789ab\n\n### dev\n\n### prod\n"


def test_the_next_commit_renews_the_comment_and_leaves_those_of_others(repository: Repository, tmp_path: Path) -> None:
    repository.comments[12] = [{"id": number, "body": f"{number}"} for number in range(150)]
    folder = sections(tmp_path, prod="### prod\n", dev="### dev\n")
    assert put_comment(folder) == 0
    assert put_comment(folder, "fedcba9876543210") == 0
    assert len(repository.comments[12]) == 151
    assert "fedcba987654" in repository.comments[12][-1]["body"]


def test_an_environment_without_a_section_is_said_to_be_missing(repository: Repository, tmp_path: Path) -> None:
    assert put_comment(sections(tmp_path, dev="### dev\n")) == 0
    assert "### prod\n\n**There is nothing of it:**" in repository.comments[12][0]["body"]


def test_a_comment_that_is_too_long_is_cut(repository: Repository, tmp_path: Path) -> None:
    assert put_comment(sections(tmp_path, dev="x" * 70_000, prod="")) == 0
    body = repository.comments[12][0]["body"]
    assert len(body) < 65_536
    assert body.endswith("(cut; the workflow's log has all of it)")


def test_drift_opens_one_issue_renews_it_and_closes_it(repository: Repository, tmp_path: Path) -> None:
    repository.issues.append({"number": 1, "state": "open", "title": "another", "body": None})
    repository.issues.append(
        {"number": 2, "state": "open", "title": "a pull request", "body": issue.MARKER, "pull_request": {}}
    )
    assert put_issue(sections(tmp_path, dev="", prod="### prod\n\nchanged\n")) == 0
    assert put_issue(sections(tmp_path, prod="### prod\n\nchanged more\n")) == 0
    assert [one["title"] for one in repository.issues[2:]] == [issue.TITLE]
    assert "changed more" in repository.issues[2]["body"]
    assert "### dev" not in repository.issues[2]["body"]
    assert put_issue(sections(tmp_path, prod="")) == 0
    assert repository.issues[2]["state"] == "closed"
    assert "dev, prod" in repository.comments[3][0]["body"]
    assert [one["state"] for one in repository.issues[:2]] == ["open", "open"]


def test_without_drift_nothing_is_written(repository: Repository, tmp_path: Path) -> None:
    assert put_issue(sections(tmp_path, dev="", prod="")) == 0
    assert repository.issues == []
    assert repository.comments == {}


def test_an_environment_that_could_not_be_looked_at_keeps_the_issue_open(
    repository: Repository, tmp_path: Path
) -> None:
    assert put_issue(sections(tmp_path, dev="")) == 0
    assert "### prod\n\n**There is nothing of it:**" in repository.issues[0]["body"]


def test_a_refusal_is_told(repository: Repository, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    repository.refuses = True
    assert put_comment(sections(tmp_path, dev="")) == 1
    assert put_issue(sections(tmp_path, dev="x", prod="")) == 1
    assert "403" in capsys.readouterr().err


def test_a_server_that_does_not_answer_is_told() -> None:
    with pytest.raises(GitHubError, match="did not answer GET"):
        GitHub("http://127.0.0.1:9", "me/shop", "x").keep_comment(1, "<!-- x -->", "")


def test_outside_of_a_workflow_the_missing_variables_are_named() -> None:
    with pytest.raises(GitHubError, match="GITHUB_REPOSITORY, GITHUB_TOKEN"):
        GitHub.of_workflow({"GITHUB_API_URL": "https://api.github.com"})
