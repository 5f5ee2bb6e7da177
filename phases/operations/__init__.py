"""The operations a migration is made of; each is a value that returns steps."""

from phases.operations.add_column import AddColumn as AddColumn
from phases.operations.base import Operation as Operation
from phases.operations.base import Precheck as Precheck
from phases.operations.base import Touch as Touch
from phases.operations.constraints import AddCheck as AddCheck
from phases.operations.constraints import AddForeignKey as AddForeignKey
from phases.operations.constraints import DropConstraint as DropConstraint
from phases.operations.create_table import Column as Column
from phases.operations.create_table import CreateTable as CreateTable
from phases.operations.data import Backfill as Backfill
from phases.operations.data import RunSQL as RunSQL
from phases.operations.defaults import DropDefault as DropDefault
from phases.operations.defaults import SetDefault as SetDefault
from phases.operations.drop_column import DropColumn as DropColumn
from phases.operations.indexes import CreateIndex as CreateIndex
from phases.operations.indexes import DropIndex as DropIndex
from phases.operations.nulls import DropNotNull as DropNotNull
from phases.operations.nulls import SetNotNull as SetNotNull
from phases.operations.rename_column import RenameColumn as RenameColumn
from phases.operations.todo import Todo as Todo
from phases.operations.unique import AddUnique as AddUnique
