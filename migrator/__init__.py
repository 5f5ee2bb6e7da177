"""Change the schema of a live database while two versions of an application use it.

The names a revision file needs are here; the verbs are in `migrator.api`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from migrator.migration import Migration
    from phases.operations import (
        AddCheck,
        AddColumn,
        AddEnumValue,
        AddExclusion,
        AddForeignKey,
        AddPrimaryKey,
        AddUnique,
        AttachPartition,
        Backfill,
        ChangePrimaryKeyType,
        ChangeType,
        Column,
        CreateIndex,
        CreateTable,
        DetachPartition,
        DropColumn,
        DropConstraint,
        DropDefault,
        DropIndex,
        DropNotNull,
        DropTable,
        MergeTables,
        PartitionTable,
        RebuildTable,
        RemoveEnumValue,
        RenameColumn,
        RenameConstraint,
        RenameEnumValue,
        RenameIndex,
        RenameTable,
        RunSQL,
        SetDefault,
        SetNotNull,
        SplitTable,
        Todo,
        TransformColumns,
    )

__version__ = "0.1.0"

__all__ = [
    "AddCheck",
    "AddColumn",
    "AddEnumValue",
    "AddExclusion",
    "AddForeignKey",
    "AddPrimaryKey",
    "AddUnique",
    "AttachPartition",
    "Backfill",
    "ChangePrimaryKeyType",
    "ChangeType",
    "Column",
    "CreateIndex",
    "CreateTable",
    "DetachPartition",
    "DropColumn",
    "DropConstraint",
    "DropDefault",
    "DropIndex",
    "DropNotNull",
    "DropTable",
    "MergeTables",
    "Migration",
    "PartitionTable",
    "RebuildTable",
    "RemoveEnumValue",
    "RenameColumn",
    "RenameConstraint",
    "RenameEnumValue",
    "RenameIndex",
    "RenameTable",
    "RunSQL",
    "SetDefault",
    "SetNotNull",
    "SplitTable",
    "Todo",
    "TransformColumns",
]


def __getattr__(name: str) -> Any:
    # Imported on demand: `migrator --help` must not wait for any of it.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = "migrator.migration" if name == "Migration" else "phases.operations"
    return getattr(importlib.import_module(home), name)
