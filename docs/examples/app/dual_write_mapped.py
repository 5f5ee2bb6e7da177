"""Two columns that hold one thing in two shapes: a price in cents, and in whole units with two digits."""

import os

from sqlalchemy import BigInteger, Numeric, cast, create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from migrator.app import dual_write


class Base(DeclarativeBase):
    pass


class Product(Base):
    __tablename__ = "products"
    __mapper_args__ = {"eager_defaults": True}  # noqa: RUF012 (what the server computes is loaded with the flush)
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    cents: Mapped[int | None] = mapped_column(BigInteger)
    price: Mapped[float | None] = mapped_column(Numeric(12, 2))


dual_write(
    Product.cents,
    Product.price,
    up=lambda cents: cast(cents / 100.0, Numeric(12, 2)),
    down=lambda price: cast(price * 100, BigInteger),
)

engine = create_engine(os.environ["DATABASE_URL"])
Base.metadata.create_all(engine)
with Session(engine) as session, session.begin():
    session.add_all([Product(id=1, cents=1250), Product(id=2, price=3)])
    session.flush()
    found = session.execute(select(Product.cents, Product.price).order_by(Product.id)).all()
    print([(cents, str(price)) for cents, price in found])
engine.dispose()
