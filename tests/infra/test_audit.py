"""Where it is set, who reads events and passwords is logged."""

from tests.infra.environments import environment

CONFIG = "gcp:projects/iAMAuditConfig:IAMAuditConfig"


def test_production_logs_who_reads_objects_and_passwords() -> None:
    logged = {one.inputs["service"]: one.inputs["auditLogConfigs"] for one in environment("prod").all(CONFIG)}
    assert logged == {
        "secretmanager.googleapis.com": [{"logType": "DATA_READ"}],
        "storage.googleapis.com": [{"logType": "DATA_READ"}],
    }


def test_reads_are_logged_by_setting_only() -> None:
    assert not environment("dev").all(CONFIG)


def test_services_that_are_off_are_not_asked_to_log() -> None:
    (logged,) = environment("prod", batch="off").all(CONFIG)
    assert logged.inputs["service"] == "storage.googleapis.com"
