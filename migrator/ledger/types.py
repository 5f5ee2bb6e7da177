"""Moments as the servers keep them: aware, the database's own, to the microsecond."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime, TypeDecorator
from sqlalchemy.dialects import mysql
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement


class Moment(TypeDecorator[datetime]):
    """A moment. MySQL and MariaDB keep it in UTC, which is the time zone of every session of ours."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Any) -> Any:
        return dialect.type_descriptor(DateTime(timezone=True).with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb"))

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        return value if value is None or value.tzinfo is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value


class now(FunctionElement[datetime]):
    """The server's clock, which moves inside a transaction."""

    type = Moment()
    inherit_cache = True


@compiles(now)
def _(element: now, compiler: Any, **options: Any) -> str:
    del element, compiler, options
    # `now()` stands still inside a transaction; what decides about time must not.
    return "clock_timestamp()"


@compiles(now, "mysql", "mariadb")
def _(element: now, compiler: Any, **options: Any) -> str:
    del element, compiler, options
    return "CURRENT_TIMESTAMP(6)"


NOW: Any = now()


class utc_now(FunctionElement[datetime]):
    """The same in a session of somebody else's, whose time zone may be any."""

    type = Moment()
    inherit_cache = True


@compiles(utc_now)
def _(element: utc_now, compiler: Any, **options: Any) -> str:
    del element, compiler, options
    return "clock_timestamp()"


@compiles(utc_now, "mysql", "mariadb")
def _(element: utc_now, compiler: Any, **options: Any) -> str:
    del element, compiler, options
    return "UTC_TIMESTAMP(6)"
