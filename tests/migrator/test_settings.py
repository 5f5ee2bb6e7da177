"""Where settings come from, what is refused, and that no password gets out."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.errors import SettingsError
from migrator.setting_values import duration, mask, normalise_url
from migrator.settings import load

ALPHABET = st.characters(blacklist_categories=("Cs", "Cc", "Zl", "Zp"))
SECRET = "S3CRET~"


def configured(folder: Path, body: str) -> Path:
    (folder / "pyproject.toml").write_text(body, encoding="utf-8")
    return folder


def test_a_flag_beats_the_environment_which_beats_the_file_which_beats_the_default(tmp_path: Path) -> None:
    configured(tmp_path, '[tool.migrator]\nlock_timeout = "1s"\nretention = "2d"\nlock_retries = 5\n')
    environ = {"MIGRATOR_LOCK_TIMEOUT": "2s", "MIGRATOR_LOCK_RETRIES": "6"}
    found = load({"lock_timeout": "3s", "retention": None}, environ=environ, directory=tmp_path)
    assert (found.lock_timeout, found.lock_retries, found.retention) == (3.0, 6, 2 * 86400.0)
    assert found.source("lock_timeout") == "--lock-timeout"
    assert found.source("lock_retries") == "MIGRATOR_LOCK_RETRIES"
    assert found.source("retention") == f"{tmp_path / 'pyproject.toml'}:3"
    assert found.source("batch_target") == "default"


def test_our_own_variable_beats_the_general_one(tmp_path: Path) -> None:
    environ = {"DATABASE_URL": "postgresql://general/x", "MIGRATOR_DATABASE_URL": "postgresql://ours/x"}
    assert load(environ=environ, directory=tmp_path).require_url() == "postgresql+psycopg://ours/x"


def test_the_file_is_searched_upwards(tmp_path: Path) -> None:
    configured(tmp_path, "[tool.migrator]\ngate_hours = 48\n")
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    assert load(environ={}, directory=deep).gate_hours == 48


def test_the_variable_named_in_the_file_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configured(tmp_path, '[tool.migrator]\ndatabase_url_env = "SHOP_DB"\n')
    settings = load(environ={}, directory=tmp_path)
    with pytest.raises(SettingsError, match="SHOP_DB"):
        settings.require_url()
    monkeypatch.setenv("SHOP_DB", "postgres://h/shop")
    assert settings.require_url() == "postgresql+psycopg://h/shop"


def test_without_a_url_the_message_says_where_to_give_one(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        load(environ={}, directory=tmp_path).require_url()
    assert "--database-url" in caught.value.next_step
    assert "MIGRATOR_DATABASE_URL" in caught.value.next_step


@pytest.mark.parametrize(
    ("body", "line", "says"),
    [
        ('[tool.migrator]\n\nlock_timeot = "1s"\n', 3, 'unknown setting "lock_timeot"'),
        ("[tool.migrator]\nworkers = 0\n", 2, "0 is not a number of workers"),
        ("[tool.migrator]\nworkers = 99\n", 2, "99 is more than 32 workers"),
        ("[tool.migrator\n", 1, "not valid TOML"),
        ("[tool.migrator]\na = = 1\n", 2, "not valid TOML"),
        ("[tool.migrator]\ngate_hours = 12\n", 2, "below 24 hours"),
        ("[tool.migrator]\ngate_hours = nan\n", 2, "below 24 hours"),
        ("[tool.migrator]\ngate_hours = -inf\n", 2, "below 24 hours"),
        ('[tool.migrator]\nlock_timeout = "fast"\n', 2, "is not a duration"),
        ("[tool.migrator]\nlock_timeout = 5\n", 2, "is not a duration"),
        ("[tool.migrator]\nreplica_lag = 5\n", 2, "is not a duration"),
        ("[tool.migrator]\nlock_retries = 1.5\n", 2, "not a whole number above zero"),
        ("[tool.migrator]\nlock_retries = 0\n", 2, "not a whole number above zero"),
        ("[tool.migrator]\nlock_retries = [1]\n", 2, "must be text or a number"),
    ],
)
def test_a_wrong_file_is_refused_with_file_and_line(tmp_path: Path, body: str, line: int, says: str) -> None:
    configured(tmp_path, body)
    with pytest.raises(SettingsError) as caught:
        load(environ={}, directory=tmp_path)
    assert f"{tmp_path / 'pyproject.toml'}:{line}" in caught.value.message
    assert says in caught.value.message


def test_an_infinite_gate_is_refused(tmp_path: Path) -> None:
    configured(tmp_path, "[tool.migrator]\ngate_hours = inf\n")
    with pytest.raises(SettingsError, match="gate_hours"):
        load(environ={}, directory=tmp_path)


def test_an_unknown_key_names_the_near_miss(tmp_path: Path) -> None:
    configured(tmp_path, '[tool.migrator]\nlock_timeot = "1s"\n')
    with pytest.raises(SettingsError) as caught:
        load(environ={}, directory=tmp_path)
    assert caught.value.next_step == 'did you mean "lock_timeout"?'


def test_a_table_that_is_none_is_refused(tmp_path: Path) -> None:
    configured(tmp_path, "[tool.alembic]\n[tool]\nmigrator = 3\n")
    with pytest.raises(SettingsError, match="not a table"):
        load(environ={}, directory=tmp_path)


def test_the_gate_says_how_a_single_contract_is_let_through(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="--override --reason"):
        load(environ={"MIGRATOR_GATE_HOURS": "1"}, directory=tmp_path)


@pytest.mark.parametrize("url", [f"postgresql://u:{SECRET}@h/d", f"postgresql://h/d?user=u&password={SECRET}"])
def test_a_password_in_the_file_is_refused_without_showing_it(tmp_path: Path, url: str) -> None:
    configured(tmp_path, f'[tool.migrator]\ndatabase_url = "{url}"\n')
    with pytest.raises(SettingsError) as caught:
        load(environ={}, directory=tmp_path)
    assert "database_url_env" in caught.value.next_step
    assert SECRET not in str(caught.value) + caught.value.next_step


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("2s", 2), ("5m", 300), ("24h", 86400), ("7d", 604800), (" 1.5 s ", 1.5)],
)
def test_durations_are_read(text: str, seconds: float) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize(("given_lag", "seconds"), [("0", 0.0), ("0s", 0.0), ("2m", 120.0)])
def test_replicas_may_be_behind_for_a_duration_or_are_not_looked_at(
    tmp_path: Path, given_lag: str, seconds: float
) -> None:
    assert load(environ={"MIGRATOR_REPLICA_LAG": given_lag}, directory=tmp_path).replica_lag == seconds


@pytest.mark.parametrize("text", ["", "5", "-1s", "5 weeks", "1s2m", "ms", "nan s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        duration(text)


@pytest.mark.parametrize(
    ("given_url", "normal"),
    [
        ("postgres://h/d", "postgresql+psycopg://h/d"),
        ("postgresql://h/d", "postgresql+psycopg://h/d"),
        ("postgresql+asyncpg://h/d", "postgresql+psycopg://h/d"),
        ("mysql://h/d", "mysql+pymysql://h/d"),
        ("mariadb://h/d", "mariadb+pymysql://h/d"),
        ("postgresql:///d?host=/var/run", "postgresql+psycopg:///d?host=/var/run"),
    ],
)
def test_urls_name_the_driver_we_use(given_url: str, normal: str) -> None:
    assert normalise_url(given_url) == normal


@pytest.mark.parametrize(
    "url",
    [
        "",
        f"u:{SECRET}@h/d",
        f"u:{SECRET}@h/d?x=://",
        f"oracle://u:{SECRET}@h/d",
        f"postgresql://u:{SECRET}@h:port/d",
        f"postgresql://u:p@{SECRET}@h/d",
    ],
)
def test_a_malformed_url_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(SettingsError) as caught:
        normalise_url(url)
    assert SECRET not in f"{caught.value}{caught.value.next_step}{caught.value.facts}"


@given(st.text(ALPHABET, min_size=1, max_size=30))
def test_mask_hides_any_password_in_a_url(password: str) -> None:
    for written in (quote(password, safe=""), password):
        shown = mask(f"cannot connect to postgresql://user:<{written}>@host:5432/db: it is down")
        assert shown == "cannot connect to postgresql://user:***@host:5432/db: it is down"


@given(st.text(ALPHABET, min_size=1, max_size=30))
def test_mask_hides_any_password_in_a_query_or_connection_string(password: str) -> None:
    encoded = quote_plus(password)
    assert mask(f"postgresql://h/d?password={encoded}&sslmode=off") == "postgresql://h/d?password=***&sslmode=off"
    literal = password.replace("\\", "\\\\").replace("'", "\\'")
    assert mask(f"host=h password='{literal}' user=u") == "host=h password=*** user=u"


@given(st.text(max_size=80))
def test_masking_twice_changes_nothing_more(text: str) -> None:
    assert mask(mask(text)) == mask(text)


@pytest.mark.parametrize(
    "text",
    ["postgresql://postgres@127.0.0.1:5432/d", "http://h:80/metrics", "users.password", "mail joe@example.org"],
)
def test_mask_leaves_what_has_no_password(text: str) -> None:
    assert mask(text) == text


def test_two_urls_in_one_line_are_both_masked_and_both_readable() -> None:
    assert mask("from postgresql://a:x@h1/d to postgresql://b:y@h2/d") == (
        "from postgresql://a:***@h1/d to postgresql://b:***@h2/d"
    )
