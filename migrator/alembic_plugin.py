"""Our plugin for Alembic, which makes `alembic check` and `alembic revision --autogenerate` agree with ours.

Alembic finds it by its entry point, and uses it where `env.py` asks for it:

```python
from migrator.alembic_plugin import options

context.configure(connection=connection, target_metadata=target_metadata, **options())
```
"""

from __future__ import annotations

import copy
import importlib.util
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

# Alembic imports this module while it is being imported itself, so nothing of it is imported up here.
if TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext
    from alembic.operations import ops
    from alembic.runtime.plugins import Plugin
    from alembic.util import PriorityDispatchResult
    from sqlalchemy import Column

NAME = "migrator"

CHECKS = "alembic.ext.checkconstraint_byname"
"""Compares CHECK constraints; Alembic 1.19.2 and later leave it out unless it is named."""


def setup(plugin: Plugin) -> None:
    """Called by Alembic when it finds the entry point."""
    from alembic.util import DispatchPriority

    plugin.add_autogenerate_comparator(write_operations, "autogenerate", priority=DispatchPriority.LAST)
    for family in ("postgresql", "mysql", "mariadb"):
        plugin.add_autogenerate_comparator(
            compare_default, "column", "server_default", qualifier=family, priority=DispatchPriority.FIRST
        )


def options() -> dict[str, Any]:
    """What `context.configure()` needs so that Alembic knows about migrations in flight and writes operations."""
    from alembic.runtime.plugins import Plugin

    from migrator.alembic_support import include_object

    with suppress(ValueError):  # Alembic has it already, where the entry point is installed
        Plugin.setup_plugin_from_module(sys.modules[__name__], NAME)
    checks = [CHECKS] if importlib.util.find_spec(CHECKS) else []
    return {
        "include_object": include_object,
        "compare_server_default": True,
        "autogenerate_plugins": ["alembic.autogenerate.*", *checks, NAME],
    }


def write_operations(autogen: AutogenContext, found: ops.UpgradeOps) -> PriorityDispatchResult:
    """Take out what is no difference, and hand the operations to the template of the file.

    Renames are given with `alembic -x rename=users.full_name=name`.
    """
    from alembic.util import PriorityDispatchResult

    from migrator.alembic_support import shown_by_alembic
    from migrator.autogenerate.comparing import DIRECT, conclude
    from migrator.autogenerate.renames import never, parse
    from migrator.autogenerate.rendering import template_arguments
    from migrator.revisions import RevisionGraph

    context = autogen.migration_context
    if context.opts.get(DIRECT) or context.script is None or context.config is None:
        return PriorityDispatchResult.CONTINUE
    with shown_by_alembic():
        # Reading the revisions gives the directory a map of them; Alembic's own has to stay as it is.
        graph = RevisionGraph.of(context.config, copy.copy(context.script))
        comparison = conclude(autogen, found, graph, [parse(text) for text in given_renames()], never)
    context.opts.get("template_args", {}).update(template_arguments(comparison.proposals))
    return PriorityDispatchResult.CONTINUE


def given_renames() -> list[str]:
    from alembic import context

    words = [word.partition("=") for word in context.get_x_argument()]
    return [value for name, _, value in words if name == "rename"]


def compare_default(
    autogen: AutogenContext,
    op: ops.AlterColumnOp,
    _schema: str | None,
    _table: str,
    _name: str,
    there: Column[Any],
    wanted: Column[Any],
) -> PriorityDispatchResult:
    """Compare two defaults without calling what changes from call to call, or types that have no `=`.

    Alembic would ask the server for `nextval(…) = nextval(…)`, which takes a number, and for
    `'{}'::json = '{}'`, which fails.
    """
    from alembic.util import PriorityDispatchResult

    from migrator.autogenerate import defaults, defaults_mysql

    if autogen.migration_context._user_compare_server_default is not True or autogen.connection is None:
        return PriorityDispatchResult.CONTINUE
    postgresql = autogen.connection.dialect.name == "postgresql"
    different = (defaults if postgresql else defaults_mysql).differ(autogen.connection, there, wanted)
    if different is None:
        return PriorityDispatchResult.CONTINUE
    op.existing_server_default = there.server_default
    if different:
        op.modify_server_default = wanted.server_default
    return PriorityDispatchResult.STOP
