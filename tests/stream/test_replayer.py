"""The replayer delivers every row, in order and once where nothing fails, at least once where something does."""

import contextlib
import gzip
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from google.api_core.exceptions import DeadlineExceeded
from google.pubsub_v1.types import PubsubMessage

from app.events.files import EventFileError
from app.events.generator import Settings, generate
from app.events.upload import upload
from app.gcp.clients import subscriber_client
from app.local.emulators import environment
from app.local.gcs import gcs_emulator
from app.local.pubsub import PubsubEmulator, google_emulator_jar, pubsub_emulator
from app.stream.replayer import CheckpointError, PublishError, ReplaySettings, replay

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-c", "import sys; from app.stream.replayer_command import main; sys.exit(main())"]
SECONDS = 20_000
_numbers = count()


@pytest.fixture(scope="module", params=["google", "packaged"])
def emulator(request: pytest.FixtureRequest) -> Iterator[PubsubEmulator]:
    if request.param == "google" and not google_emulator_jar():
        pytest.skip("unavoidable: Google's emulator is not on this machine")
    with pubsub_emulator(request.param) as running, environment(running.environment):
        yield running


@pytest.fixture(scope="module")
def one_emulator() -> Iterator[PubsubEmulator]:
    with pubsub_emulator() as running, environment(running.environment):
        yield running


@dataclass
class Channel:
    """A topic with one subscription."""

    topic: str
    subscription: str

    def messages(self, rows: int) -> list[PubsubMessage]:
        """All messages, waiting until `rows` different rows are there or for ten seconds."""
        found: list[PubsubMessage] = []
        until = time.monotonic() + 10
        with subscriber_client() as client:
            while time.monotonic() < until:
                try:
                    answer = client.pull(subscription=self.subscription, max_messages=200, timeout=1, retry=None)
                except DeadlineExceeded:
                    answer = None
                if answer and answer.received_messages:
                    client.acknowledge(
                        subscription=self.subscription, ack_ids=[one.ack_id for one in answer.received_messages]
                    )
                    found += [one.message for one in answer.received_messages]
                elif len(numbered(found)) >= rows:
                    break
        return found


@pytest.fixture
def channel(emulator: PubsubEmulator) -> Channel:
    return channel_of(emulator)


@pytest.fixture
def one_channel(one_emulator: PubsubEmulator) -> Channel:
    return channel_of(one_emulator)


def channel_of(emulator: PubsubEmulator) -> Channel:
    topic = emulator.create_topic(f"topic-{next(_numbers)}")
    return Channel(topic, emulator.create_subscription(f"subscription-{next(_numbers)}", topic))


def rows_of(seconds: int = SECONDS) -> list[bytes]:
    """A row a second from midnight on."""
    start = datetime(2019, 10, 1, tzinfo=UTC)
    return [
        f"{start + timedelta(seconds=n):%Y-%m-%d %H:%M:%S} UTC,view,{n},2053013555631882655,,apple,9.90,512,s".encode()
        for n in range(seconds)
    ]


def write(path: Path, rows: list[bytes]) -> str:
    data = b"\n".join(rows)
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return str(path)


def placed(messages: list[PubsubMessage]) -> list[tuple[str, int, bytes]]:
    """Source, number and bytes of each row, in the order of the messages."""
    return [
        (message.attributes["source"], int(message.attributes["first_row"]) + i, row)
        for message in messages
        for i, row in enumerate(message.data.splitlines())
    ]


def numbered(messages: list[PubsubMessage]) -> dict[tuple[str, int], bytes]:
    return {(source, number): row for source, number, row in placed(messages)}


def whole(path: str, rows: list[bytes]) -> list[tuple[str, int, bytes]]:
    return [(path, number, row) for number, row in enumerate(rows, 1)]


def first_deliveries(messages: list[PubsubMessage]) -> list[tuple[str, int, bytes]]:
    return list(dict.fromkeys(placed(messages)))


def test_every_row_arrives_once_and_in_order(channel: Channel, tmp_path: Path) -> None:
    plain, packed = write(tmp_path / "one.csv", rows_of()), write(tmp_path / "two.csv.gz", rows_of(1234))
    summary = replay(ReplaySettings(topic=channel.topic, files=(plain, packed)))
    messages = channel.messages(SECONDS + 1234)
    assert placed(messages) == whole(plain, rows_of()) + whole(packed, rows_of(1234))
    assert {len(message.data.splitlines()) for message in messages} == {500, 234}
    first = dict(messages[1].attributes)
    assert first == {
        "format": "csv/1",
        "source": plain,
        "first_row": "501",
        "first_event_time": "2019-10-01T00:08:20Z",
    }
    assert (summary.rows, summary.blocks, summary.skipped, summary.retries) == (SECONDS + 1234, 43, 0, 0)
    assert summary.rows_by_source == {plain: SECONDS, packed: 1234}
    assert summary.bytes == len(b"\n".join(rows_of())) + len(b"\n".join(rows_of(1234)))
    assert (summary.first_event_time, summary.last_event_time) == ("2019-10-01T00:00:00Z", "2019-10-01T05:33:19Z")
    assert summary.finished


def test_more_than_one_request_holds_arrives_in_order(channel: Channel, tmp_path: Path) -> None:
    rows = [row for chunk in generate(Settings(events=200_000, seed=3)) for row in chunk.splitlines()][1:]
    path = write(tmp_path / "store.csv", rows)
    assert replay(ReplaySettings(topic=channel.topic, files=(path,))).bytes > 2 * 8_388_608
    assert placed(channel.messages(len(rows))) == whole(path, rows)


def test_one_row_a_message_is_possible(channel: Channel, tmp_path: Path) -> None:
    path = write(tmp_path / "one.csv", rows_of(2500))
    assert replay(ReplaySettings(topic=channel.topic, files=(path,), block_rows=1)).blocks == 2500
    messages = channel.messages(2500)
    assert len(messages) == 2500
    assert placed(messages) == whole(path, rows_of(2500))


def test_a_message_has_at_most_the_bytes_asked_for_and_a_long_row_goes_alone(channel: Channel, tmp_path: Path) -> None:
    rows = [*rows_of(50), b"x" * 2_000_000, *rows_of(50)]
    path = write(tmp_path / "one.csv", rows)
    replay(ReplaySettings(topic=channel.topic, files=(path,), block_bytes=1000))
    messages = channel.messages(102)  # the long row comes in two parts
    small = [message for message in messages if not message.data.startswith(b"x")]
    assert max(len(message.data) for message in small) <= 1000
    assert b"".join(message.data for message in messages) == b"\n".join(rows)


def test_a_topic_that_is_not_there_is_an_error_that_names_it(channel: Channel, tmp_path: Path) -> None:
    path = write(tmp_path / "one.csv", rows_of(10))
    with pytest.raises(PublishError, match="topics/nowhere does not exist"):
        replay(ReplaySettings(topic="projects/demo-project/topics/nowhere", files=(path,)))


def test_events_outside_of_the_period_are_skipped_and_counted(one_channel: Channel, tmp_path: Path) -> None:
    rows = [*rows_of(1000), b"no event"]
    path = write(tmp_path / "one.csv", rows)
    start = datetime(2019, 10, 1, 0, 1, 40, tzinfo=UTC)
    settings = ReplaySettings(topic=one_channel.topic, files=(path,), start=start, end=start + timedelta(seconds=250))
    summary = replay(settings)
    assert placed(one_channel.messages(250)) == whole(path, rows)[100:350]
    assert (summary.rows, summary.skipped) == (250, 751)


def test_the_pace_is_kept(one_channel: Channel, tmp_path: Path) -> None:
    path = write(tmp_path / "one.csv", rows_of(101))
    arrived: list[tuple[float, int]] = []
    began = time.monotonic()
    settings = ReplaySettings(topic=one_channel.topic, files=(path,), speed=50, block_ms=200)
    replay(settings, watch=lambda now: arrived.append((time.monotonic() - began, now.rows)))
    assert [rows for _, rows in arrived][-1] == 101
    # row n is due after n / 50 s, and waits 0.2 s at most for others of its message
    for seconds, rows in arrived:
        assert seconds >= (rows - 1 - 10) / 50 - 0.01
        assert seconds <= (rows - 1) / 50 + 0.5
    assert len(numbered(one_channel.messages(101))) == 101


def test_files_without_rows_give_no_message(one_channel: Channel, tmp_path: Path) -> None:
    header = b"event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session\n"
    files = [write(tmp_path / "empty.csv", []), write(tmp_path / "header.csv", [header, b""][:1])]
    full = write(tmp_path / "full.csv", rows_of(3))
    summary = replay(ReplaySettings(topic=one_channel.topic, files=(*files, full)))
    assert summary.finished
    assert summary.rows_by_source == {files[0]: 0, files[1]: 0, full: 3}
    assert len(one_channel.messages(3)) == 1


def test_a_missing_file_is_an_error_before_anything_is_published(one_channel: Channel, tmp_path: Path) -> None:
    path = write(tmp_path / "one.csv", rows_of(10))
    with pytest.raises(EventFileError, match=r"nothing\.csv does not exist"):
        replay(ReplaySettings(topic=one_channel.topic, files=(path, str(tmp_path / "nothing.csv"))))
    assert one_channel.messages(0) == []


def test_the_rows_before_a_damage_are_published_and_a_repaired_file_is_another_replay(
    one_channel: Channel, tmp_path: Path
) -> None:
    path = tmp_path / "cut.csv.gz"
    write(path, rows_of())
    packed = path.read_bytes()
    path.write_bytes(packed[: len(packed) // 2])
    settings = ReplaySettings(topic=one_channel.topic, files=(str(path),), checkpoint=str(tmp_path / "at.json"))
    with pytest.raises(EventFileError, match="ends in the middle"):
        replay(settings)
    published = json.loads((tmp_path / "at.json").read_text())["tally"]["rows"][0]
    assert published > 5000
    assert placed(one_channel.messages(published)) == whole(str(path), rows_of())[:published]
    path.write_bytes(packed)
    with pytest.raises(CheckpointError, match="its files are others, or were written anew"):
        replay(settings)


def test_files_of_a_glob_are_replayed_in_the_order_of_time(one_channel: Channel, tmp_path: Path) -> None:
    october = write(tmp_path / "2019-Oct.csv", rows_of(5))
    november = write(tmp_path / "2019-Nov.csv", [row.replace(b"2019-10", b"2019-11") for row in rows_of(5)])
    assert november < october
    replay(ReplaySettings(topic=one_channel.topic, files=(str(tmp_path / "2019-*.csv"),)))
    assert [source for source, _, _ in placed(one_channel.messages(10))] == [october] * 5 + [november] * 5


def test_objects_are_replayed_with_a_checkpoint_beside_them(one_channel: Channel, tmp_path: Path) -> None:
    with gcs_emulator() as gcs, environment(gcs.environment):
        bucket = gcs.create_bucket("events")
        for name in ("a.csv", "b.csv.gz"):
            upload(write(tmp_path / name, rows_of(1000)), f"{bucket}/raw/{name}")
        settings = ReplaySettings(
            topic=one_channel.topic, files=(f"{bucket}/raw/",), checkpoint=f"{bucket}/state/at.json"
        )
        first, again = replay(settings), replay(settings)
    sources = [f"{bucket}/raw/{name}" for name in ("a.csv", "b.csv.gz")]
    assert first.rows_by_source == again.rows_by_source == dict.fromkeys(sources, 1000)
    assert (again.resumed_rows, again.finished) == (2000, True)
    assert placed(one_channel.messages(2000)) == [row for source in sources for row in whole(source, rows_of(1000))]


def start_command(*arguments: str, **variables: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, "--json", *arguments],
        cwd=ROOT,
        env=os.environ | variables,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def wait_for_rows(checkpoint: Path, rows: int) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        with contextlib.suppress(FileNotFoundError):
            if sum(json.loads(checkpoint.read_text())["tally"]["rows"]) >= rows:
                return
        time.sleep(0.01)
    pytest.fail("the replay makes no progress")


def summary_of(process: subprocess.Popen[str]) -> dict[str, Any]:
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    summary: dict[str, Any] = json.loads(out)
    return summary


@pytest.mark.parametrize("name", ["one.csv", "one.csv.gz"])
def test_a_replay_that_is_killed_continues_without_losing_a_row(
    one_channel: Channel, tmp_path: Path, name: str
) -> None:
    path, checkpoint = write(tmp_path / name, rows_of()), tmp_path / "at.json"
    arguments = ("--topic", one_channel.topic, "--checkpoint", str(checkpoint), path)
    killed = start_command("--speed", "4000", "--block-ms", "20", *arguments)
    for share in (0.2, 0.5):
        wait_for_rows(checkpoint, int(share * SECONDS))
        killed.send_signal(signal.SIGKILL)
        killed.communicate()
        assert sum(json.loads(checkpoint.read_text())["tally"]["rows"]) < SECONDS
        killed = start_command("--speed", "4000", "--block-ms", "20", *arguments)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    summary = summary_of(start_command(*arguments))
    messages = one_channel.messages(SECONDS)
    assert sorted(set(placed(messages))) == whole(path, rows_of())
    assert summary["rows"] == SECONDS  # a row that was published again counts once
    assert 0 < summary["resumed_rows"] < SECONDS


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_replay_that_is_told_to_stop_writes_its_checkpoint_and_repeats_nothing(
    one_channel: Channel, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    path, checkpoint = write(tmp_path / "one.csv", rows_of()), tmp_path / "at.json"
    arguments = ("--topic", one_channel.topic, "--checkpoint", str(checkpoint), path)
    stopped = start_command("--speed", "4000", "--block-ms", "20", *arguments)
    wait_for_rows(checkpoint, 1000)
    stopped.send_signal(number)
    out, err = stopped.communicate(timeout=20)
    assert stopped.returncode == code, err
    assert json.loads(out)["finished"] is False
    assert 1000 <= json.loads(out)["rows"] < SECONDS
    summary = summary_of(start_command(*arguments))
    assert (summary["rows"], summary["resumed_rows"]) == (SECONDS, json.loads(out)["rows"])
    assert placed(one_channel.messages(SECONDS)) == whole(path, rows_of())


class Proxy:
    """A way to the emulator that can be closed and opened."""

    def __init__(self, target: str) -> None:
        host, _, port = target.rpartition(":")
        self._target = (host, int(port))
        self._open: list[socket.socket] = []
        self._listener = self._listen(0)
        self.host = f"127.0.0.1:{self._listener.getsockname()[1]}"

    def close(self) -> None:
        # an accept under way keeps the port open until it is woken
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for one in self._open:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._open.clear()

    def reopen(self) -> None:
        self._listener = self._listen(int(self.host.rpartition(":")[2]))

    def _listen(self, port: int) -> socket.socket:
        listener = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
        return listener

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                here, _ = listener.accept()
                there = socket.create_connection(self._target)
                self._open += [here, there]
                for source, sink in ((here, there), (there, here)):
                    threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    @staticmethod
    def _pump(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                sink.sendall(data)
        for one in (source, sink):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def proxy(one_emulator: PubsubEmulator) -> Iterator[Proxy]:
    made = Proxy(one_emulator.host)
    yield made
    made.close()


def test_nothing_is_lost_and_the_order_kept_while_pubsub_is_gone_for_20_seconds(
    one_channel: Channel, proxy: Proxy, tmp_path: Path
) -> None:
    path, checkpoint = write(tmp_path / "one.csv", rows_of()), tmp_path / "at.json"
    arguments = ("--topic", one_channel.topic, "--checkpoint", str(checkpoint), "--speed", "2000", path)
    replaying = start_command(*arguments, PUBSUB_EMULATOR_HOST=proxy.host)
    wait_for_rows(checkpoint, 4000)
    proxy.close()
    time.sleep(20)
    assert replaying.poll() is None
    proxy.reopen()
    summary = summary_of(replaying)
    assert summary["retries"] > 0
    assert (summary["rows"], summary["finished"]) == (SECONDS, True)
    assert first_deliveries(one_channel.messages(SECONDS)) == whole(path, rows_of())


def test_a_server_that_does_not_answer_is_asked_again(
    one_emulator: PubsubEmulator, one_channel: Channel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.stream.replayer_publisher._REQUEST_SECONDS", 1)
    path = write(tmp_path / "one.csv", rows_of())
    settings = ReplaySettings(topic=one_channel.topic, files=(path,), speed=5000)
    with one_emulator.server.paused():
        resume = threading.Timer(4, lambda: os.kill(one_emulator.server.pid, signal.SIGCONT))
        resume.start()
        summary = replay(settings)
    assert summary.retries > 0
    assert first_deliveries(one_channel.messages(SECONDS)) == whole(path, rows_of())


def test_a_replay_gives_up_when_it_is_told_how_long_to_try(one_channel: Channel, proxy: Proxy, tmp_path: Path) -> None:
    proxy.close()
    path = write(tmp_path / "one.csv", rows_of(10))
    with environment({"PUBSUB_EMULATOR_HOST": proxy.host}), pytest.raises(PublishError, match="Raise --retry-seconds"):
        replay(ReplaySettings(topic=one_channel.topic, files=(path,), retry_seconds=1))


def test_a_replay_stops_while_pubsub_is_gone(one_channel: Channel, proxy: Proxy, tmp_path: Path) -> None:
    proxy.close()
    path = write(tmp_path / "one.csv", rows_of(10))
    stop = threading.Event()
    threading.Timer(1, stop.set).start()
    with environment({"PUBSUB_EMULATOR_HOST": proxy.host}):
        summary = replay(ReplaySettings(topic=one_channel.topic, files=(path,)), stop=stop)
    assert (summary.finished, summary.rows) == (False, 0)


def test_the_command_says_what_is_wrong_with_its_exit_code(tmp_path: Path) -> None:
    for arguments, code, message in (
        (("--topic", "events", "a.csv"), 2, "no topic's full name"),
        (("--topic", "projects/p/topics/t", str(tmp_path / "nothing.csv")), 1, "does not exist; check the path"),
    ):
        process = start_command(*arguments)
        out, err = process.communicate(timeout=30)
        assert (process.returncode, out) == (code, "")
        assert message in err


def test_memory_does_not_grow_with_the_file(one_emulator: PubsubEmulator, tmp_path: Path) -> None:
    topic = one_emulator.create_topic(f"unread-{next(_numbers)}")
    part = b"\n".join(rows_of()) + b"\n"
    path = tmp_path / "big.csv"
    with path.open("wb") as file:
        for _ in range(200):  # 300 MB
            file.write(part)
    code = (
        "import resource, sys; from app.stream.replayer import ReplaySettings, replay\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "before = peak(); replay(ReplaySettings(topic=sys.argv[1], files=(sys.argv[2],))); print(peak() - before)"
    )
    done = subprocess.run([sys.executable, "-c", code, topic, str(path)], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 150_000  # kilobytes
