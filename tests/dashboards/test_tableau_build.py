import datetime as dt
import hashlib
import os
import subprocess
import sys
import zipfile
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from lxml import etree
from tableauhyperapi import HyperException

from app.analytics import QUESTIONS
from app.dashboards.report import RunFacts
from app.dashboards.tableau import AnswersError, ExtractError, build_workbook
from app.dashboards.tableau.extracts import write_extracts
from app.dashboards.tableau.hyper_file import make_stable
from app.output_folder import MARKER
from tests.dashboards import tableau_schema
from tests.dashboards.tableau_extracts import hyper, rows, unpack

pytestmark = pytest.mark.integration  # Hyper is an engine of its own

HOSTILE = ['"quoted"', "Tom & Co", "<b>bold</b>", "it's", "]] [x]", "back\\slash", "\N{PARTY POPPER} party", "\x01bell"]


@pytest.fixture(scope="module")
def package(report_answers: dict[str, pa.Table], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_workbook(report_answers, tmp_path_factory.mktemp("tableau"))


def emptied(answers: dict[str, pa.Table]) -> dict[str, pa.Table]:
    return {name: answer.slice(0, 0) for name, answer in answers.items()}


def test_every_extract_equals_its_questions_answer(
    package: Path, report_answers: dict[str, pa.Table], tmp_path: Path
) -> None:
    extracts = unpack(package, tmp_path)
    assert set(extracts) == set(report_answers)
    with hyper() as process:
        for name, answer in report_answers.items():
            expected = [list(row.values()) for row in answer.to_pylist()]
            assert rows(process, extracts[name]) == expected, name


def test_a_package_is_laid_out_as_tableau_does(package: Path) -> None:
    with zipfile.ZipFile(package) as opened:
        names = opened.namelist()
        tree = etree.fromstring(opened.read("Shop.twb"))
    assert names == ["Shop.twb", *(f"Data/Extracts/{name}.hyper" for name in sorted(QUESTIONS))]
    referred = {item.get("dbname") for item in tree.findall("datasources/datasource/extract/connection")}
    assert referred == set(names[1:])


def test_beside_the_package_stand_the_live_workbook_and_its_sources(package: Path) -> None:
    assert sorted(path.name for path in package.parent.iterdir()) == [
        MARKER,
        "Shop-live.twb",
        "Shop.twbx",
        "datasources",
    ]
    sources = {path.name for path in (package.parent / "datasources").iterdir()}
    assert sources == {f"{name}.tds" for name in QUESTIONS}


def test_two_builds_are_equal_byte_for_byte_in_processes_of_their_own(
    package: Path, report_answers: dict[str, pa.Table], tmp_path: Path
) -> None:
    answers = tmp_path / "run" / "answers" / "stream"
    answers.mkdir(parents=True)
    for name, answer in report_answers.items():
        pq.write_table(answer, answers / f"{name}.parquet")
    code = (
        "import sys, pathlib; from app.dashboards.tableau import build_workbook;"
        "build_workbook(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))"
    )
    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONHASHSEED": "12345", "TZ": "Asia/Tokyo"}
    command = [sys.executable, "-c", code, str(tmp_path / "run"), str(tmp_path / "out")]
    subprocess.run(command, cwd=root, env=environment, check=True)
    one, other = (
        {path.relative_to(folder): hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*.t*")}
        for folder in (package.parent, tmp_path / "out")
    )
    assert len(one) == len(QUESTIONS) + 2
    assert one == other


def test_names_with_any_character_reach_extract_and_workbook(
    report_answers: dict[str, pa.Table], tmp_path: Path
) -> None:
    brands = QUESTIONS["top_brands"].schema
    views = QUESTIONS["views_by_category"].schema
    count = len(HOSTILE)
    answers = {
        **report_answers,
        "top_brands": pa.table([range(count), HOSTILE, range(count), [Decimal("0.10")] * count], schema=brands),
        "views_by_category": pa.table([HOSTILE, range(count), [0.5] * count], schema=views),
    }
    package = build_workbook(answers, tmp_path)
    with hyper() as process:
        extracts = unpack(package, tmp_path / "unpacked")
        assert [row[1] for row in rows(process, extracts["top_brands"])] == HOSTILE
        assert [row[0] for row in rows(process, extracts["views_by_category"])] == HOSTILE
    tree = etree.parse(tmp_path / "unpacked" / "Shop.twb")
    members = tree.findall("datasources/datasource[@name='Parameters']/column[@name='[department]']/members/member")
    chosen = {item.get("value") for item in members}
    assert {'"\\"quoted\\""', '"Tom & Co"', '"<b>bold</b>"', '"back\\\\slash"', '"\N{PARTY POPPER} party"'} <= chosen
    assert not any("bell" in value for value in chosen)  # XML has no such character; the sheets show the name
    tableau_schema.load().assertValid(tree)


def test_empty_answers_give_a_workbook_with_empty_extracts(report_answers: dict[str, pa.Table], tmp_path: Path) -> None:
    package = build_workbook(emptied(report_answers), tmp_path)
    with hyper() as process:
        for name, file in unpack(package, tmp_path / "unpacked").items():
            assert rows(process, file) == [], name
    tableau_schema.load().assertValid(etree.parse(tmp_path / "unpacked" / "Shop.twb"))


def test_the_time_of_a_run_is_that_of_its_extracts(report_answers: dict[str, pa.Table], tmp_path: Path) -> None:
    folder = tmp_path / "answers" / "batch"
    folder.mkdir(parents=True)
    pq.write_table(report_answers["event_types"], folder / "event_types.parquet")
    RunFacts(finished="2026-11-24T14:05:00+02:00").write(tmp_path)
    package = build_workbook(tmp_path, tmp_path)
    with zipfile.ZipFile(package) as opened:
        tree = etree.fromstring(opened.read("Shop.twb"))
    (extract,) = tree.findall("datasources/datasource/extract/connection")
    assert extract.get("update-time") == "11/24/2026 12:05:00 PM"


def test_a_build_that_fails_leaves_the_one_before(report_answers: dict[str, pa.Table], tmp_path: Path) -> None:
    package = build_workbook(report_answers, tmp_path)
    before = package.read_bytes()
    brands = QUESTIONS["top_brands"].schema
    too_much = pa.table([[1], ["a"], [1], [Decimal(10) ** 17]], schema=brands)
    with pytest.raises(ExtractError, match=r"top_brands: an extract holds decimals of 18 digits at most"):
        build_workbook({"top_brands": too_much}, tmp_path)
    assert package.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == [MARKER, "Shop-live.twb", "Shop.twbx", "datasources"]


def test_answers_to_no_question_and_of_other_columns_are_refused(tmp_path: Path) -> None:
    with pytest.raises(AnswersError, match=r"no answer to any question.*run scripts/demo"):
        build_workbook({"of_old": pa.table({"n": [1]})}, tmp_path)
    with pytest.raises(AnswersError, match=r"the answer to event_types is not the question's of today"):
        build_workbook({"event_types": pa.table({"n": [1]})}, tmp_path)
    with pytest.raises(AnswersError, match=r"run scripts/demo --out"):
        build_workbook(tmp_path, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_values_keep_their_types_and_their_nothing(tmp_path: Path) -> None:
    moment = dt.datetime(2019, 10, 1, 12, 30, 15, 123456, tzinfo=dt.UTC)
    answer = pa.table(
        {
            "text": pa.array(["a", None, ""]),
            "number": pa.array([2**62, None, -1], pa.int64()),
            "rate": pa.array([0.1, None, 1e300]),
            "money": pa.array([Decimal("9999999999999999.99"), None, Decimal("-0.01")], pa.decimal128(38, 2)),
            "day": pa.array([dt.date(2019, 10, 1), None, dt.date(1, 1, 1)]),
            "moment": pa.array([moment, None, moment], pa.timestamp("us", tz="UTC")),
            "flag": pa.array([True, None, False]),
        }
    )
    files = write_extracts({"one": answer}, tmp_path)
    with hyper() as process:
        assert rows(process, files["one"]) == [list(row.values()) for row in answer.to_pylist()]


@pytest.mark.parametrize("count", [0, 1, 150_000])
def test_equal_rows_give_equal_extracts(count: int, tmp_path: Path) -> None:
    texts = pa.array([f"v{value % 977}" for value in range(count)], pa.string())
    answer = pa.table({"number": pa.array(range(count), pa.int64()), "text": texts})
    made = []
    for folder in ("one", "other"):
        (tmp_path / folder).mkdir()
        made.append(write_extracts({"answer": answer}, tmp_path / folder)["answer"].read_bytes())
    assert made[0] == made[1]


def test_other_rows_give_an_extract_with_another_id(tmp_path: Path) -> None:
    files = write_extracts({"a": pa.table({"n": [1]}), "b": pa.table({"n": [2]})}, tmp_path)
    at = [file.read_bytes().index(b"HyperDB\0") + 16 for file in files.values()]
    ids = [file.read_bytes()[place : place + 16] for file, place in zip(files.values(), at, strict=True)]
    assert ids[0] != ids[1]


def test_hyper_checks_the_checksums_of_the_headers(tmp_path: Path) -> None:
    """So the rows that are read from a file say that the checksum of its newer header is right."""
    file = write_extracts({"a": pa.table({"n": [1]})}, tmp_path)["a"]
    data = bytearray(file.read_bytes())
    data[96] ^= 1
    file.write_bytes(data)
    with hyper() as process:
        with pytest.raises(HyperException, match=r'schema "Extract" does not exist'):
            rows(process, file)  # the older header counts, of the time before the rows
        data[4096 + 96] ^= 1
        file.write_bytes(data)
        with pytest.raises(HyperException, match=r"checksum"):
            rows(process, file)


def test_a_file_of_another_form_is_left_alone(tmp_path: Path) -> None:
    file = write_extracts({"a": pa.table({"n": [1]})}, tmp_path)["a"]
    good = file.read_bytes()
    for changed in (b"", good[:5000], b"X" + good[1:], good[:100] + b"\xff" + good[101:]):
        file.write_bytes(changed)
        assert not make_stable(file)
        assert file.read_bytes() == changed
