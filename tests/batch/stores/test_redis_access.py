"""The Redis store through what stands between it and a server: access lists, TLS, a cluster."""

import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pyarrow as pa
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from app.batch.errors import StoreError
from app.batch.ingest import Ingested
from app.batch.stores import Run
from app.batch.stores.redis import RedisStore, Shop
from app.events.generator import Settings, generate
from app.local.process import LOOPBACK, free_port
from app.local.redis import RedisOptions, RedisServer, redis_server
from tests.batch.stores.redis_loads import client_of, content, ledger_of, load, settings_of, shown, stage

pytestmark = pytest.mark.integration

Staged = tuple[Ingested, pa.Table]
LOADER = ("~{shop}:*", "+@read", "+@write", "+@connection", "+eval", "+evalsha", "+script|load")
SLOTS = 16_384
READER = ("~{shop}:*", "+@read", "+@connection")


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with redis_server() as running:
        yield running


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> Staged:
    data = b"".join(generate(Settings(events=5_000, seed=3, days=2)))
    return stage(tmp_path_factory.mktemp("staged"), data)


def test_users_need_no_more_rights_than_the_error_names(server: RedisServer, staged: Staged) -> None:
    with client_of(server) as client:
        client.execute_command("ACL", "SETUSER", "loader", "on", ">loads", "resetkeys", "-@all", *LOADER)
        client.execute_command("ACL", "SETUSER", "reader", "on", ">reads", "resetkeys", "-@all", *READER)
    load(settings_of(server, user="loader", password="loads"), *staged)
    reader = settings_of(server, user="reader", password="reads")
    assert shown(reader) == ledger_of(staged[0]).stored
    with Shop(reader) as shop:
        assert shop.visitors(*list(shop.days())) > 0
        assert shop.memory()["run"] > 0
    with pytest.raises(StoreError, match="does not allow it; give the user") as told:
        RedisStore(reader).open(Run.begin())
    assert " ".join(LOADER) in str(told.value)


def test_a_cluster_takes_all_keys_in_one_slot(staged: Staged) -> None:
    with redis_server(_in_cluster(free_port())) as node, client_of(node) as client:
        client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, SLOTS - 1)
        load(settings_of(node), *staged)
        load(settings_of(node), *staged)
        assert shown(settings_of(node)) == ledger_of(staged[0]).stored
        assert len({client.execute_command("CLUSTER", "KEYSLOT", key) for key in content(node)}) == 1


def test_a_node_of_a_cluster_that_has_not_the_keys_names_the_one_that_has() -> None:
    bus_port = free_port()
    with (
        redis_server(_in_cluster(free_port())) as here,
        redis_server(_in_cluster(bus_port)) as there,
        client_of(here) as client,
        client_of(there) as other,
    ):
        slot = int(client.execute_command("CLUSTER", "KEYSLOT", "{shop}:lock"))
        client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, slot - 1, slot + 1, SLOTS - 1)
        other.execute_command("CLUSTER", "ADDSLOTS", slot)
        client.execute_command("CLUSTER", "MEET", LOOPBACK, there.port, bus_port)
        with pytest.raises(StoreError, match=rf"put the address of the node that it names .*{LOOPBACK}:{there.port}"):
            RedisStore(settings_of(here, retry_seconds=60)).open(Run.begin())


def test_a_load_through_tls_is_the_same_and_an_unknown_authority_is_refused(
    server: RedisServer, staged: Staged, tmp_path: Path
) -> None:
    certificate = _certificate(tmp_path / "server.pem")
    other = _certificate(tmp_path / "other.pem")
    load(settings_of(server), *staged)
    plain = content(server)
    with _tls_in_front_of(server, certificate) as port:
        secret = settings_of(server, port=port, tls=True, tls_ca=str(certificate), prefix="shop")
        load(secret, *staged)
        assert shown(secret) == ledger_of(staged[0]).stored
        assert content(server) == plain
        stranger = settings_of(server, port=port, tls=True, tls_ca=str(other), retry_seconds=0)
        with pytest.raises(StoreError, match="certificate"):
            RedisStore(stranger).open(Run.begin())


def _in_cluster(bus_port: int) -> RedisOptions:
    """A node that has no slots yet.

    Unless told, it talks to the others on a port 10,000 above its own, which is one that the kernel gives to outgoing
    connections.
    """
    return RedisOptions(more=("cluster-enabled yes", f"cluster-port {bus_port}"))


def _certificate(file: Path) -> Path:
    """A key and a certificate for the loopback address that it signed itself, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, file.stem)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(LOOPBACK))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return file


@contextmanager
def _tls_in_front_of(server: RedisServer, certificate: Path) -> Iterator[int]:
    """A port that speaks TLS for a server that does not, as the servers of wheels do not."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    listener = socket.create_server((LOOPBACK, 0))

    def copy(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)

    def serve(plain: socket.socket) -> None:
        with suppress(OSError):
            inner = socket.create_connection((LOOPBACK, server.port))
            outer = context.wrap_socket(plain, server_side=True)
            threading.Thread(target=copy, args=(inner, outer), daemon=True).start()
            copy(outer, inner)

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.close()
