"""The operations a migration is made of; each is a value that returns steps."""

from phases.operations.add_column import AddColumn as AddColumn
from phases.operations.base import Operation as Operation
from phases.operations.base import Precheck as Precheck
from phases.operations.base import Touch as Touch
from phases.operations.create_table import Column as Column
from phases.operations.create_table import CreateTable as CreateTable
from phases.operations.data import Backfill as Backfill
from phases.operations.data import RunSQL as RunSQL
from phases.operations.drop_column import DropColumn as DropColumn
from phases.operations.indexes import CreateIndex as CreateIndex
from phases.operations.indexes import DropIndex as DropIndex
from phases.operations.rename_column import RenameColumn as RenameColumn
