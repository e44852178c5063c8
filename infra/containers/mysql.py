"""MySQL: the answers to the questions."""

from typing import Final

import pulumi

from app.batch.stores.mysql.grants import GRAFANA, INIT_CONNECT, LOADER, User, grants_sql
from infra.containers import SHOP_FOLDER, text_of
from infra.containers.images import MYSQL
from infra.containers.spec import File, HealthCheck, Spec
from infra.passwords import Passwords

PORT: Final = 3306
_USER: Final = "999:999"
_USERS: Final = "/docker-entrypoint-initdb.d/users.sql"


def mysql(passwords: Passwords, memory_mb: int) -> Spec:
    """A server whose administrator comes from inside alone, and whose other users have the rights of the store."""
    return Spec(
        role="mysql",
        image=MYSQL,
        user=_USER,
        memory_mb=memory_mb,
        port=PORT,
        data_path="/var/lib/mysql",
        command=[
            "bash",
            f"{SHOP_FOLDER}/start.sh",
            f"--innodb-buffer-pool-size={memory_mb // 2}M",
            "--innodb-redo-log-capacity=512M",
            # The job loads by LOAD DATA LOCAL. What is lost of the last second of a crash is loaded by the next run.
            "--local-infile=1",
            "--innodb-flush-log-at-trx-commit=2",
            "--skip-log-bin",
            "--performance-schema=OFF",
            "--skip-name-resolve",
            "--character-set-server=utf8mb4",
            "--default-time-zone=+00:00",
            f"--init-connect={INIT_CONNECT}",
        ],
        environment={
            "MYSQL_ROOT_PASSWORD_FILE": f"{SHOP_FOLDER}/administrator",
            "MYSQL_ROOT_HOST": "localhost",
        },
        files=[
            File(f"{SHOP_FOLDER}/start.sh", text_of("mysql.sh")),
            File(f"{SHOP_FOLDER}/administrator", passwords["mysql-admin"], is_secret=True),
            File(
                _USERS,
                pulumi.Output.all(passwords["mysql-loader"], passwords["mysql-grafana"]).apply(
                    lambda given: _statements(*given)
                ),
                is_secret=True,
            ),
        ],
        # By TCP, which the server that prepares a new folder does not take.
        health=HealthCheck(
            ("CMD", "mysqladmin", "ping", "--host=127.0.0.1", "--user=nobody", "--silent"), start_seconds=180
        ),
        stop_seconds=60,
    )


def _statements(loader: str, grafana: str) -> str:
    statements = grants_sql(User(LOADER, loader), User(GRAFANA, grafana))
    return "".join(f"{statement};\n" for statement in statements)
