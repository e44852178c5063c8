"""No command replaces what no command of ours has made."""

from pathlib import Path

import pytest

from app.output_folder import NotOursError, claim

NAMES = ("answers", "ledger.json", "latest")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_a_folder_with_somebody_elses_files_is_refused_by_their_names_and_left_alone(
    tmp_path: Path, name: str, kind: str
) -> None:
    theirs = tmp_path / name
    match kind:
        case "file":
            theirs.write_text("theirs")
        case "folder":
            theirs.mkdir()
        case "link":
            theirs.symlink_to("nowhere")
    with pytest.raises(NotOursError, match=f"already has {name}, .*--out"):
        claim(tmp_path, NAMES)
    assert list(tmp_path.iterdir()) == [theirs]


def test_what_was_claimed_is_claimed_again_with_its_results_and_with_others_beside_them(tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    out.parent.mkdir()
    (tmp_path / "new" / "answers").write_text("not in the folder")
    claim(out, NAMES)
    (out / "answers").mkdir()
    (out / "notes.txt").write_text("theirs")
    claim(out, NAMES)
    assert (out / "notes.txt").read_text() == "theirs"
