"""The same for an async engine, in what a framework calls its lifespan."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import create_async_engine

from migrator.app import readiness_async, register_async

engine = create_async_engine(os.environ["DATABASE_URL"])


@asynccontextmanager
async def lifespan(app: object = None) -> AsyncIterator[None]:
    await register_async(engine, app="shop", version=os.environ.get("VERSION", "2.0"), heartbeat=30.0)
    yield
    await engine.dispose()


async def main() -> None:
    async with lifespan():
        print(await readiness_async(engine))


asyncio.run(main())
