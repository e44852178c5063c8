from pathlib import Path

import pytest

from app.batch.errors import SettingsError
from app.batch.stores.redis import RedisSettings

URL = "redis://cache.example:6390/2"


def settings(**environment: str) -> RedisSettings:
    return RedisSettings.from_environment({"REDIS_URL": URL} | environment)


def test_the_address_is_read_from_the_url_with_defaults_for_all_else() -> None:
    found = settings()
    assert (found.host, found.port, found.database, found.user, found.tls) == ("cache.example", 6390, 2, "", False)
    assert found.address == URL
    assert settings(REDIS_URL="redis://[::1]:6390/2").address == "redis://[::1]:6390/2"
    assert RedisSettings.from_environment({"REDIS_URL": "redis://cache"}) == RedisSettings("cache", 6379, 0)


def test_tls_and_a_user_are_read_from_the_url(tmp_path: Path) -> None:
    authority = tmp_path / "ca.pem"
    authority.touch()
    found = settings(REDIS_URL="rediss://lo%40der@cache:6380", REDIS_TLS_CA=str(authority))
    assert (found.tls, found.user, found.tls_ca) == (True, "lo@der", str(authority))
    assert found.address == "rediss://cache:6380/0"


def test_the_password_comes_from_a_variable_or_a_file_and_is_not_told(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("of a file\n")
    assert settings(REDIS_PASSWORD="of a variable").password == "of a variable"
    assert settings(REDIS_PASSWORD_FILE=str(file)).password == "of a file"
    assert settings().password == ""
    assert "of a" not in repr(settings(REDIS_PASSWORD="of a variable"))


def test_a_password_in_the_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(SettingsError, match="leave the password out") as told:
        settings(REDIS_URL="redis://user:hidden@cache:6379/0")
    assert "hidden" not in str(told.value)


@pytest.mark.parametrize(
    "url", ["", "cache:6379", "http://cache", "redis://", "redis://cache:x", "redis://cache/one", "redis://cache:70000"]
)
def test_what_is_no_address_is_refused_with_an_example(url: str) -> None:
    with pytest.raises(SettingsError, match="for example redis://"):
        settings(REDIS_URL=url)


def test_every_fault_is_told_at_once() -> None:
    with pytest.raises(SettingsError) as told:
        settings(REDIS_PREFIX="{shop}", REDIS_BOARD_SIZE="1", REDIS_LOCK_SECONDS="0", REDIS_TLS_CA="/not/there")
    for name in ("REDIS_PREFIX", "REDIS_BOARD_SIZE", "REDIS_LOCK_SECONDS", "REDIS_TLS_CA: there is no file"):
        assert name in str(told.value)


def test_a_number_that_is_none_and_a_file_that_is_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="REDIS_TIMEOUT_SECONDS: 'soon' is no whole number; for example 30"):
        settings(REDIS_TIMEOUT_SECONDS="soon")
    with pytest.raises(SettingsError, match=r"REDIS_PASSWORD_FILE: .* cannot be read"):
        settings(REDIS_PASSWORD_FILE=str(tmp_path / "nothing"))
