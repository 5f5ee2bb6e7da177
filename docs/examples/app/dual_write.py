"""A build that writes users.full_name and users.display_name, where nobody may create triggers."""

import os

from sqlalchemy import String, create_engine, insert, select, text, update
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from migrator.app import differing_rows, dual_write


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    full_name: Mapped[str | None] = mapped_column(String(80))
    display_name: Mapped[str | None] = mapped_column(String(80))


pair = dual_write(User.full_name, User.display_name, revision="0002_display_name")

engine = create_engine(os.environ["DATABASE_URL"])
with Session(engine) as session, session.begin():
    session.add(User(id=2, full_name="Grace"))
    session.execute(insert(User), [{"id": 3, "display_name": "Barbara"}, {"id": 4, "display_name": "Edsger"}])
    session.flush()
    session.execute(update(User).where(User.id == 4).values(display_name="Edsger W."))
    print(session.execute(select(User.full_name, User.display_name).where(User.id.in_([2, 3, 4]))).all())

    session.execute(text("UPDATE users SET display_name = 'nobody saw this' WHERE id = 3"))
    count, keys = differing_rows(session, pair)
    print(f"{count} rows differ: {keys}")
engine.dispose()
