"""Give a second column the indexes and constraints of the first, and take them over.

Used wherever one column stands in for another: both exist side by side until
the contract, then the second takes the place (and, where it says nothing about
the column, the name) of the first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from phases import names
from phases.catalog import Catalog, Constraint, ConstraintKind, Index, Table
from phases.dialects.base import Change, Changes, Dialect
from phases.errors import Refused
from phases.model import Step

ATTACHED = (ConstraintKind.UNIQUE,)
CHECKED = (ConstraintKind.CHECK, ConstraintKind.FOREIGN)


@dataclass(frozen=True)
class ColumnCopy:
    """What hangs on column `old` of a table, and its double on column `new`."""

    catalog: Catalog
    dialect: Dialect
    table: Table
    old: str
    new: str
    keeps_names: bool = False
    references: tuple[tuple[str, str, str], ...] = ()
    """Foreign keys whose target moves as well: constraint, referenced column, the column that comes in its place."""
    followed: bool = False
    """Foreign keys that point here follow the column: whoever plans this sees to them."""

    def validate(self) -> None:
        """Refuse what cannot be doubled.

        Raises:
            Refused: naming the index, constraint or foreign key in the way.
        """
        table = self.table.name
        for key in self.table.incoming:
            if self.old in key.columns and not self.followed:
                raise Refused(
                    f'foreign key "{key.constraint}" of "{key.table}" references "{table}"."{self.old}"',
                    remedy=f"drop that foreign key in an earlier revision and add it again for {self.new}",
                )
        parts: tuple[Constraint | Index, ...] = (*self._constraints(), *self._indexes())
        for part in parts:
            if shared := set(part.columns) & set(self.table.leaving):
                raise Refused(
                    f'"{part.name}" of "{table}" covers "{self.old}" and "{min(shared)}",'
                    " which another operation of this revision renames",
                    remedy="rename them in two revisions, the second after the contract of the first",
                )
        for constraint in self._constraints():
            if constraint.kind is ConstraintKind.EXCLUSION:
                raise Refused(
                    f'exclusion constraint "{constraint.name}" of "{table}" covers "{self.old}":'
                    " it cannot be built without blocking writes",
                    remedy="drop it in an earlier revision and add it again in a maintenance window",
                )
        for index in self.table.indexes:
            if self.old in index.columns and not index.valid:
                raise Refused(
                    f'index "{index.name}" of "{table}" is invalid',
                    remedy="drop it, or build it again with REINDEX INDEX CONCURRENTLY",
                )
            if self.old in index.columns and (index.replica_identity or index.clustered):
                raise Refused(f'index "{index.name}" of "{table}" is its replica identity or cluster order')

    def _constraints(self) -> Iterator[Constraint]:
        return (c for c in self.table.constraints if self.old in c.columns)

    def _indexes(self) -> Iterator[Index]:
        """Indexes that serve no constraint."""
        return (i for i in self.table.indexes if self.old in i.columns and i.constraint is None)

    def _index_of(self, constraint: Constraint) -> Index:
        return next(i for i in self.table.indexes if i.constraint == constraint.name)

    def _final(self, name: str, *, relation: bool) -> str:
        """Name the double ends up with: the column's part of it changed, or the same name."""
        if self.keeps_names:
            return name
        changed = names.renamed(name, self.old, self.new)
        if relation:
            free = not self.catalog.taken(changed, self.table.name.schema)
        else:
            free = changed not in {*self.table.leaving_constraints, *(c.name for c in self.table.constraints)}
        return changed if free else name

    def _built(self, name: str, *, relation: bool) -> str:
        """Name of the double while both exist."""
        final = self._final(name, relation=relation)
        if final != name:
            return final
        return names.owned("copy", self.table.name.schema, self.table.name.name, name)

    def _definition(self, constraint: Constraint) -> str:
        expressions = self.dialect.expressions
        text = expressions.rename_in_constraint(constraint.definition, {self.old: self.new})
        for name, old, new in self.references:
            if name == constraint.name:
                text = expressions.rename_referenced(text, {old: new})
        return text

    def build(self, *, keys: bool = True) -> tuple[Step, ...]:
        """Steps of the migrate phase: indexes, then constraints, none of which blocks writes.

        Args:
            keys: False leaves foreign keys out.
        """
        steps: list[Step] = []
        for index in self._indexes():
            name = self._built(index.name, relation=True)
            steps += self._build_index(index, name)
        for constraint in self._constraints():
            if constraint.kind in ATTACHED:
                name = self._built(constraint.name, relation=True)
                steps += self._build_unique(constraint, name, {self.old: self.new})
            elif constraint.kind is ConstraintKind.PRIMARY:
                steps.append(self._build_key(constraint))
            elif constraint.kind in CHECKED and (keys or constraint.kind is not ConstraintKind.FOREIGN):
                name = self._built(constraint.name, relation=False)
                steps += self._add_checked(self._double(constraint), name)
        return tuple(steps)

    def _build_index(self, index: Index, name: str) -> list[Step]:
        dialect, table = self.dialect, self.table.name
        copied = dialect.expressions.copy_index(
            index.definition, name=name, names={self.old: self.new}, concurrently=False
        )
        steps = [dialect.build_index(table, name, copied, undo=False)]
        if index.comment is not None:
            comment = dialect.comment_on_index(table, name, index.comment)
            steps.append(dialect.together(f"comment on index {name}", comment))
        return steps

    def _build_unique(self, constraint: Constraint, name: str, columns: dict[str, str]) -> list[Step]:
        dialect, table = self.dialect, self.table.name
        index = self._index_of(constraint)
        copied = dialect.expressions.copy_index(index.definition, name=name, names=columns, concurrently=False)
        attach = dialect.attach_index(table, constraint, name, name)
        return [
            dialect.build_index(table, name, copied, undo=False),
            dialect.together(f"attach unique constraint {name}", attach),
        ]

    def _build_key(self, key: Constraint) -> Step:
        """The index of a second primary key; a table has but one, so it is attached in the contract."""
        name, definition = self._built(key.name, relation=True), self._index_of(key).definition
        renamed = {self.old: self.new}
        copied = self.dialect.expressions.copy_index(definition, name=name, names=renamed, concurrently=False)
        return self.dialect.build_index(self.table.name, name, copied, undo=False)

    def _add_checked(self, constraint: Constraint, name: str) -> list[Step]:
        dialect, table = self.dialect, self.table
        added = dialect.add_constraint(table.name, constraint, name, constraint.definition)
        undo: tuple[Step, ...] = ()
        if constraint.kind is ConstraintKind.FOREIGN:
            # With the column it would go, too, and lock the other table behind the lock of this one.
            dropped = dialect.drop_constraint(table.name, replace(constraint, name=name))
            undo = (dialect.together(f"drop {constraint.kind} {name}", dropped),)
        steps = [dialect.together(f"declare {constraint.kind} {name}", added, undo=undo)]
        if constraint.validated:
            steps.append(dialect.prove(table, constraint, name))
        return steps

    def _double(self, constraint: Constraint) -> Constraint:
        """A constraint over the other column, under the name it still has to be given."""
        columns = tuple(self.new if column == self.old else column for column in constraint.columns)
        return replace(constraint, columns=columns, definition=self._definition(constraint))

    def doubled_keys(self) -> tuple[Constraint, ...]:
        """The foreign keys that `build` makes, by the names they have while both columns are there."""
        keys = (c for c in self._constraints() if c.kind is ConstraintKind.FOREIGN)
        return tuple(replace(self._double(c), name=self._built(c.name, relation=False)) for c in keys)

    def release_keys(self) -> tuple[Step, ...]:
        """First steps of the contract: drop the old column's foreign keys.

        Apart from the switch, because dropping a foreign key locks a second table.
        """
        dialect, table = self.dialect, self.table.name
        steps = []
        for constraint in self._constraints():
            if constraint.kind is not ConstraintKind.FOREIGN:
                continue
            changes = [*dialect.drop_constraint(table, constraint), *self._take_name(constraint)]
            undo = self._bring_back_key(constraint)
            steps.append(dialect.together(f"drop foreign key {constraint.name}", changes, undo=undo))
        return tuple(steps)

    def _bring_back_key(self, constraint: Constraint) -> tuple[Step, ...]:
        dialect, table = self.dialect, self.table.name
        steps = [*dialect.support(self.table, constraint), *self._add_checked(constraint, constraint.name)]
        built, final = (
            self._built(constraint.name, relation=False),
            self._final(constraint.name, relation=False),
        )
        if built != final:
            back = dialect.rename_constraint(table, final, built, self._double(constraint))
            steps.insert(0, dialect.together(f"rename foreign key {final} back", back))
        return tuple(steps)

    def _built_key(self, key: Constraint) -> str:
        return self._built(key.name, relation=True)

    def _take_name(self, constraint: Constraint) -> Changes:
        relation = constraint.kind in ATTACHED
        built = self._built(constraint.name, relation=relation)
        final = self._final(constraint.name, relation=relation)
        if built == final:
            return ()
        return self.dialect.rename_constraint(self.table.name, built, final, self._double(constraint))

    def switch(self) -> Changes:
        """Drop what the quarantined column must not enforce; hand over names that stay.

        Plain indexes follow the quarantined column until the purge, so that a
        restore does not have to build them again. Unique ones would refuse the
        rows that come in meanwhile.
        """
        dialect, table = self.dialect, self.table.name
        changes: list[Change] = []
        for constraint in self._constraints():
            if constraint.kind is not ConstraintKind.FOREIGN:
                changes += dialect.drop_constraint(table, constraint)
            if constraint.kind is ConstraintKind.PRIMARY:
                changes += dialect.attach_index(table, constraint, constraint.name, self._built_key(constraint))
            elif constraint.kind is not ConstraintKind.FOREIGN:
                changes += self._take_name(constraint)
        for index in self._indexes():
            built, final = self._built(index.name, relation=True), self._final(index.name, relation=True)
            if index.unique:
                changes += dialect.drop_index_inside(table, index)
            elif built != final:
                changes += dialect.rename_index(table, index.name, self._aside(index))
            if built != final:
                changes += dialect.rename_index(table, built, final)
        return tuple(changes)

    def _aside(self, index: Index) -> str:
        return names.quarantine(self.table.name.schema, self.table.name.name, "index", index.name)

    def switch_back(self) -> Changes:
        """Give the names back; what was dropped is built again by `rebuild`."""
        dialect, table = self.dialect, self.table.name
        changes: list[Change] = []
        for constraint in self._constraints():
            if constraint.kind is ConstraintKind.FOREIGN:
                continue
            relation = constraint.kind in ATTACHED
            built = self._built(constraint.name, relation=relation)
            final = self._final(constraint.name, relation=relation)
            if built != final:
                changes += dialect.rename_constraint(table, final, built, self._double(constraint))
        for index in self._indexes():
            built, final = self._built(index.name, relation=True), self._final(index.name, relation=True)
            if built != final:
                changes += dialect.rename_index(table, final, built)
                if not index.unique:
                    changes += dialect.rename_index(table, self._aside(index), index.name)
        return tuple(changes)

    def rebuild(self) -> tuple[Step, ...]:
        """Steps of a restore that give the old column back what `switch` dropped."""
        steps: list[Step] = []
        for index in self._indexes():
            if index.unique:
                steps.append(self.dialect.build_index(self.table.name, index.name, index.definition, undo=False))
                if index.comment is not None:
                    comment = self.dialect.comment_on_index(self.table.name, index.name, index.comment)
                    steps.append(self.dialect.together(f"comment on index {index.name}", comment))
        for constraint in self._constraints():
            if constraint.kind in ATTACHED:
                steps += self._build_unique(constraint, constraint.name, {})
            elif constraint.kind is ConstraintKind.CHECK:
                steps += self._add_checked(constraint, constraint.name)
        return tuple(steps)

    def doubles(self) -> tuple[str, ...]:
        """Names of the indexes that `build` makes."""
        return tuple(self._built(index.name, relation=True) for index in self._indexes())

    def twins(self) -> tuple[tuple[str, str], ...]:
        """Each index over the first column, and its double."""
        return tuple((index.name, self._built(index.name, relation=True)) for index in self._indexes())

    def followers(self) -> tuple[str, ...]:
        """Names that the plain indexes of the quarantined column have."""
        found = []
        for index in self._indexes():
            built, final = self._built(index.name, relation=True), self._final(index.name, relation=True)
            if not index.unique:
                found.append(self._aside(index) if built != final else index.name)
        return tuple(found)

    def drop_asides(self) -> tuple[Step, ...]:
        """Drop the plain indexes that followed the quarantined column."""
        aside = (replace(i, name=self._aside(i)) for i in self._indexes() if not i.unique)
        return tuple(self.dialect.remove_index(self.table.name, index) for index in aside)
