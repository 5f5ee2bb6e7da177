"""One column takes the place of another while both are in use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from phases import names
from phases.catalog import Catalog, Column, Definition, Table
from phases.dialects.base import Change, Changes, Dialect
from phases.dual_write import DualWrite, shared_default
from phases.errors import Refused
from phases.model import Step
from phases.operations.base import Steps, without_undo
from phases.operations.copies import ColumnCopy
from phases.operations.dependents import Dependents


@dataclass(frozen=True)
class Replacement:
    """Steps by which column `old` gives way to another.

    Args:
        catalog: the catalog before the change.
        dialect: of the server.
        table: the table.
        old: exact name of the column that goes.
        new: the column that comes, as it is while both are there: without NOT NULL, default and sequence.
        up, down: what each is made of the other; the other column itself where they hold the same value.
        exact: `up` is reversible, so that nothing but the new side need be compared.
        fallible: `up` or `down` can raise.
        keeps_name: `new` takes the name of `old` in the contract.
        references, followed: as for `ColumnCopy`.
        unhook, rehook: steps of a restore that point foreign keys at `old`, and back at `new`.
        unchecked: as for `Dependents`.
    """

    catalog: Catalog
    dialect: Dialect
    table: Table
    old: str
    new: Column
    up: str
    down: str
    exact: bool = True
    fallible: bool = False
    keeps_name: bool = False
    references: tuple[tuple[str, str, str], ...] = ()
    followed: bool = False
    unhook: tuple[Step, ...] = ()
    rehook: tuple[Step, ...] = ()
    unchecked: tuple[Definition, ...] = ()

    @property
    def column(self) -> Column:
        return self.table.column(self.old)

    @property
    def final(self) -> str:
        """Name of the new column after the contract."""
        return self.old if self.keeps_name else self.new.name

    @property
    def label(self) -> str:
        return f"{self.table.name.name}.{self.final}"

    @property
    def copy(self) -> ColumnCopy:
        return ColumnCopy(
            self.catalog,
            self.dialect,
            self.table,
            self.old,
            self.new.name,
            self.keeps_name,
            self.references,
            self.followed,
        )

    @property
    def dependents(self) -> Dependents:
        return Dependents(
            self.catalog,
            self.dialect,
            self.table,
            self.old,
            retyped=self.column.type != self.new.type,
            renamed=not self.keeps_name,
            unchecked=self.unchecked,
        )

    def link(self, *, fills_old: bool = False) -> DualWrite:
        up, down = ((self.new.name, self.up),), ((self.old, self.down),)
        name = f"{self.old}.{self.new.name}"
        return DualWrite(
            self.table.name,
            name,
            (self.column,),
            (self.new,),
            up,
            down,
            exact=self.exact,
            fallible=self.fallible,
            fills_old=fills_old,
        )

    def _shared_default(self) -> str | None:
        return self.link().new_defaults(self.dialect.expressions.substitute, self.dialect.cast).get(self.new.name)

    def _own_default(self) -> str | None:
        """Default the new column gets in the contract, where both sides could not carry it before."""
        default = self.column.default
        if default is None or shared_default(self.column) is not None:
            return None
        if self.link().plain:
            return default
        return self.dialect.expressions.substitute(self.up, {self.old: self.dialect.cast(default, self.column.type)})

    def validate(self, null_on_insert: str | None) -> None:
        """Refuse a column that cannot be doubled, or an intent that cannot be told.

        Raises:
            Refused: with the reason and the remedy.
        """
        column, where = self.column, f'"{self.table.name}"."{self.old}"'
        if column.generated is not None:
            raise Refused(f"{where} is a generated column", remedy="add a second generated column")
        if column.constrained_domain:
            raise Refused(
                f"{where} is of a domain with constraints ({column.type}): adding a second such column"
                " makes PostgreSQL rewrite the table under an exclusive lock",
                remedy="move the constraints of the domain to CHECK constraints of the table first",
            )
        if null_on_insert not in (None, "default"):
            raise Refused(f'null_on_insert is "{null_on_insert}"; it can only be "default"')
        if self.link().unshareable and not column.not_null and null_on_insert is None:
            raise Refused(
                f'"{self.old}" is nullable and its default ({column.default}) gives another value each'
                " time, so an INSERT that means NULL cannot be told from one that gives nothing",
                remedy='say null_on_insert="default" if such a row may get the default',
            )
        self.copy.validate()

    def expand(self) -> Steps:
        dialect, name = self.dialect, self.table.name
        properties = replace(self.new, grants=self.column.grants, comment=self.column.comment)
        changes = [
            *dialect.add_column(name, properties),
            *dialect.copy_column_properties(name, properties, self.new.name),
        ]
        if (default := self._shared_default()) is not None:
            # Set apart from ADD COLUMN: rows that are there must stay NULL to be seen as unfilled.
            # Before the triggers, which take what is not the default for written.
            changes += dialect.set_default(name, properties, default)
        changes += dialect.dual_write(self.link())
        stand_in = dialect.stand_in(self.column)
        if stand_in is not None:
            changes += dialect.set_default(name, self.column, stand_in)
        changes += self._rehearsal()
        undo = dialect.together(
            f"remove {name.name}.{self.new.name} and its dual write",
            (
                *(dialect.drop_default(name, self.column) if stand_in is not None else ()),
                *dialect.drop_dual_write(self.link()),
                *dialect.drop_column(name, self.new.name, self.copy.doubles(), self.copy.doubled_keys()),
            ),
        )
        title = f"add {name.name}.{self.new.name} and dual writes with {self.old}"
        return (dialect.together(title, changes, undo=(undo,)),)

    def _rehearsal(self) -> Changes:
        """What reads the column may not be able to read one of another type: that is better known at once."""
        following = replace(self.dependents, unchecked=self.dependents.parts)
        if not (following.parts and following.retyped):
            return ()
        return self.dialect.rehearse((*following.away(), *self._take_over(following)))

    def _take_over(self, following: Dependents) -> Changes:
        """Rename the old column away, and create what reads it over the other one."""
        aside = self.dialect.rename_column(self.table.name, self.old, self.quarantined)
        return (*aside, *self._rename(self.new.name, self.final), *following.again(self.final))

    def migrate(self, *, keys: bool = True) -> Steps:
        dialect, differs = self.dialect, self.dialect.disagree(self.link())
        # A value that cannot be mapped is NULL until somebody mends it: NULL is refused from the contract on.
        required = () if self._required_late else self._required()
        return (
            dialect.fill(self.table, {self.new.name: self.up}, differs, target=self.label),
            *self.copy.build(keys=keys),
            *without_undo(required),
            dialect.verify(self.table, differs, target=self.label),
        )

    @property
    def _required_late(self) -> bool:
        return self.fallible or self.dialect.requires_late

    def _required(self) -> Sequence[Step]:
        by_then = replace(self.new, default=self._shared_default(), comment=self.column.comment)
        return self.dialect.require_values(self.table.name, by_then) if self.column.not_null else ()

    def contract(self) -> Steps:
        last = self._exchanged() or (self._required() if self._required_late else ())
        switch = self.dialect.together(
            f"quarantine {self.table.name.name}.{self.old}",
            self._switch(),
            undo=self._restore_name() if self.keeps_name else self._restore(),
            reprepares=self.keeps_name or self.dependents.views_retyped,
            recreates=self.dependents.names,
        )
        return (*last, *self.copy.release_keys(), switch)

    def _exchanged(self) -> Sequence[Step]:
        """Give the first column the name of the second, where that spares the server a rebuild for each NOT NULL.

        Both hold the same values, and the triggers, which know nothing but names, go on as before. What another
        operation builds over the second would stay with it, so then it is done in the other way.
        """
        dialect, name, old, new = self.dialect, self.table.name, self.old, self.new.name
        alike = self.link().plain and (self.column.type, self.column.collation) == (self.new.type, self.new.collation)
        same = alike and self.column.not_null and not self.keeps_name
        alone = not {old, new} & self.table.shared and not self.copy.doubled_keys()
        if not (same and alone) or self._own_default() is not None:
            return ()
        changes = dialect.exchange_columns(name, old, new, self.copy.twins())
        back = dialect.exchange_columns(name, new, old, self.copy.twins())
        if changes and (stand_in := dialect.stand_in(self.column)) is not None:
            changes = (*changes, *dialect.drop_default(name, replace(self.column, name=new)))
            # Before the names change: INSERT … SELECT of the new version gives nothing under the old one.
            back = (*dialect.set_default(name, replace(self.column, name=new), stand_in), *back)
        undo = (dialect.together(f"exchange {new} and {old} of {name.name}", back),)
        return (dialect.together(f"exchange {old} and {new} of {name.name}", changes, undo=undo),) if changes else ()

    def _switch(self) -> Changes:
        """Everything that makes the old column disappear, in one short transaction."""
        dialect, name, column = self.dialect, self.table.name, self.column
        following = self.dependents
        changes = [*following.away(), *self.copy.switch(), *dialect.move_sequence(name, column, self.new)]
        if column.not_null and not self._exchanged():
            changes += [*dialect.drop_not_null(name, column), *self._hand_over_not_null()]
        # Not before: until the old column is optional, writers of the other one count on the triggers.
        changes += dialect.drop_dual_write(self.link())
        if column.default is not None:
            changes += dialect.drop_default(name, replace(column, not_null=False))
        if (default := self._own_default()) is not None:
            by_then = replace(self.new, not_null=column.not_null, comment=column.comment)
            changes += dialect.set_default(name, by_then, default)
        changes += self._take_over(following)
        return (*changes, *dialect.check_forgotten(name, self.quarantined))

    def _hand_over_not_null(self) -> Changes:
        """Give the new NOT NULL constraint the name of the old one, where the server has such names."""
        ours, theirs = self.new.not_null_name, self.column.not_null_name
        if ours is None or theirs is None:
            return ()
        return self.dialect.rename_constraint(self.table.name, ours, theirs)

    def _rename(self, old: str, new: str) -> Changes:
        return self.dialect.rename_column(self.table.name, old, new) if self.keeps_name else ()

    @property
    def quarantined(self) -> str:
        name = self.table.name
        return names.quarantine(name.schema, name.name, self.new.name, self.old)

    def _restore(self) -> Steps:
        """Bring the old column back: writable at once, then filled with what was written meanwhile."""
        dialect, table, column = self.dialect, self.table, self.column
        differs, target = dialect.disagree(self.link(fills_old=True)), f"{table.name.name}.{self.old}"
        standing = replace(column, default=column.default or dialect.stand_in(column))
        required = dialect.require_values(table.name, standing) if column.not_null and not self._exchanged() else ()
        return (
            dialect.together(f"bring back {target}", self._bring_back()),
            dialect.fill(table, {self.old: self.down}, differs, target=target),
            *self.copy.rebuild(),
            *required,
            dialect.together(
                f"settle dual writes of {target}",
                self._settle(),
                reprepares=self.dependents.views_retyped,
                recreates=self.dependents.names,
            ),
            dialect.verify(table, dialect.disagree(self.link()), target=target),
        )

    def _bring_back(self) -> Changes:
        dialect, name, column = self.dialect, self.table.name, self.column
        changes: list[Change] = [*dialect.rename_column(name, self.quarantined, self.old), *self.copy.switch_back()]
        if column.default is not None:
            changes += dialect.set_default(name, replace(column, not_null=False), column.default)
        if self._own_default() is not None:
            changes += dialect.drop_default(name, replace(self.new, not_null=column.not_null))
        return (*changes, *dialect.dual_write(self.link(fills_old=True)))

    def _settle(self) -> Changes:
        source = replace(self.new, sequence=self.column.sequence)
        moved = self.dialect.move_sequence(self.table.name, source, self.column)
        following = replace(self.dependents, unchecked=self.dependents.parts)
        back = (*following.away(), *following.again(self.old))
        return (*moved, *self.dialect.redirect_dual_write(self.link()), *back)

    def _mirror(self) -> Replacement:
        """The way back where the name is kept: the quarantined column replaces the one that has the name."""
        after, column = self.outcome(), self.column
        name = self.quarantined
        named = names.owned("not_null", self.table.name.schema, self.table.name.name, name)
        old = replace(bare(column, name), not_null_name=named if column.not_null_name else None)
        rename = self.dialect.expressions.rename
        return Replacement(
            after,
            self.dialect,
            after.tables[self.table.name],
            self.old,
            old,
            rename(self.down, {self.new.name: self.old}),
            rename(self.up, {self.old: name}),
            exact=self.exact,
            fallible=self.fallible,
            keeps_name=True,
            followed=self.followed,
            unchecked=self.dependents.parts,
        )

    def _restore_name(self) -> Steps:
        """Feed and fill the quarantined column under cover, and give it the name back when it is complete.

        Whoever uses the name meanwhile must not find a column that is still being filled.
        Foreign keys stay on the wider column; those of the former are brought back by the steps that dropped them.
        """
        dialect, name, mirror = self.dialect, self.table.name, self._mirror()
        label, column = f"{name.name}.{self.old}", self.column
        feed = [*dialect.dual_write(mirror.link())]
        if (default := mirror._shared_default()) is not None:
            feed += dialect.set_default(name, replace(column, name=self.quarantined), default)
        changes = [*mirror._switch(), *dialect.rename_column(name, mirror.quarantined, self.new.name)]
        if column.default is not None:
            changes += [*dialect.set_default(name, column, column.default)]
        changes += [*dialect.dual_write(self.link())]
        if (default := self._shared_default()) is not None:
            changes += dialect.set_default(name, self.new, default)
        return (
            *self.copy.drop_asides(),
            dialect.together(f"feed the former {label}", feed),
            *mirror.migrate(keys=False),
            *self.unhook,
            dialect.together(f"bring back {label}", changes, reprepares=True, recreates=self.dependents.names),
            *self.copy.drop_asides(),
            *self.copy.build(keys=False),
            *(() if self._required_late else self._required()),
            *self.rehook,
            dialect.verify(self.table, dialect.disagree(self.link()), target=label),
        )

    def purge(self) -> Steps:
        changes = self.dialect.drop_column(self.table.name, self.quarantined, self.copy.followers())
        return (self.dialect.together(f"drop quarantined {self.table.name.name}.{self.old}", changes),)

    def outcome(self) -> Catalog:
        table, column = self.table, self.column
        after = replace(
            self.new,
            name=self.final,
            not_null=column.not_null,
            not_null_name=column.not_null_name if self.keeps_name else self.new.not_null_name,
            default=self._shared_default() or self._own_default(),
            default_volatility=column.default_volatility,
            sequence=column.sequence,
        )
        columns = tuple(after if c.name == self.old else c for c in table.columns)
        leaving = table.leaving if self.keeps_name else (*table.leaving, self.old)
        mirrored, written = (*table.mirrored, self.final), (*table.written, self.final)
        changed = replace(table, columns=columns, leaving=leaving, mirrored=mirrored, written=written)
        return self.catalog.with_table(changed)


def bare(column: Column, name: str) -> Column:
    """A column as its double begins: what enforces or gives values comes later."""
    return replace(column, name=name, not_null=False, not_null_name=None, default=None, sequence=None)
