"""The builds of the shop, and what they differ in. Elsewhere they would be three commits."""

from __future__ import annotations

from sqlalchemy import String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

COLUMNS = {"1.0": "full_name", "2.0-rc1": "name", "2.0": "name"}
"""What each build calls the name of a user in the database."""


def user_model(version: str) -> type:
    """The users, as a build sees them."""

    class Base(DeclarativeBase):
        pass

    class User(Base):
        __tablename__ = "users"
        id: Mapped[int] = mapped_column(primary_key=True)
        name: Mapped[str] = mapped_column(COLUMNS[version], String(80))

    return User


def initials(version: str, name: str) -> str:
    """The initials of a user. 2.0-rc1 takes for granted that everybody has two names."""
    if version == "2.0-rc1":
        first, last = name.split()
        return first[0] + last[0]
    return "".join(word[0] for word in name.split())
