"""Constraints that read every row, or build an index, while others wait."""

from __future__ import annotations

from collections.abc import Iterator

from linters import actions
from linters.rules.base import HAZARD, At, Found, code, listing, quoted, rule, schema_of, sql_name
from linters.values import Constraint, Kind

T = "CREATE TABLE r (id bigint PRIMARY KEY); CREATE TABLE t (id bigint PRIMARY KEY, a int, b text, r_id bigint);"


def named(constraint: Constraint, table: str) -> str:
    from linters.applying import default_name
    from linters.values import Name

    return quoted(constraint.name or default_name(constraint, Name("", table)))


def of_kind(at: At, *kinds: Kind) -> Constraint | None:
    found = at.action.constraint
    return found if found.kind in kinds else None


@rule(
    "unique-builds-index",
    HAZARD,
    actions.AddConstraint,
    condition="a UNIQUE constraint is added to a table in use, and not from an index that is there",
    effect="reads and writes wait while its index is built",
    safer="CREATE UNIQUE INDEX CONCURRENTLY, then ADD CONSTRAINT … UNIQUE USING INDEX",
    given=T,
    bad="ALTER TABLE t ADD CONSTRAINT t_a UNIQUE (a)",
    good="CREATE UNIQUE INDEX CONCURRENTLY t_a ON t (a); ALTER TABLE t ADD CONSTRAINT t_a UNIQUE USING INDEX t_a",
)
def unique(at: At) -> Iterator[Found]:
    yield from key(at, Kind.UNIQUE)


@rule(
    "primary-key-builds-index",
    HAZARD,
    actions.AddConstraint,
    condition="a PRIMARY KEY is added to a table in use, and not from an index that is there",
    effect="reads and writes wait while every row is read and its index is built",
    safer="CREATE UNIQUE INDEX CONCURRENTLY on columns that are NOT NULL, then ADD PRIMARY KEY USING INDEX",
    given="CREATE TABLE t (id bigint NOT NULL, a int);",
    bad="ALTER TABLE t ADD PRIMARY KEY (id)",
    good="CREATE UNIQUE INDEX CONCURRENTLY t_pkey ON t (id);"
    " ALTER TABLE t ADD CONSTRAINT t_pkey PRIMARY KEY USING INDEX t_pkey",
)
def primary(at: At) -> Iterator[Found]:
    yield from key(at, Kind.PRIMARY)


def key(at: At, kind: Kind) -> Iterator[Found]:
    constraint, table = at.action.constraint, at.session.resolve(at.action.table)
    if constraint.kind is not kind or constraint.using_index or not at.in_use(table):
        return
    name = named(constraint, table.name)
    operation = "AddUnique" if kind is Kind.UNIQUE else "AddPrimaryKey"
    yield Found(
        f"{kind.value} ({listing(constraint.columns)}) builds its index while reads and writes of {table} wait",
        f"CREATE UNIQUE INDEX CONCURRENTLY {name} ON {sql_name(table)} ({listing(constraint.columns)});\n"
        f"ALTER TABLE {sql_name(table)} ADD CONSTRAINT {name} {kind.value} USING INDEX {name};",
        code(operation, table.name, list(constraint.columns), name=constraint.name, schema=schema_of(table)),
    )


@rule(
    "primary-key-scans",
    HAZARD,
    actions.AddConstraint,
    condition="ADD PRIMARY KEY USING INDEX on columns that nothing proves to be NOT NULL",
    effect="reads and writes wait while every row is checked for NULL",
    safer="prove it first: ADD CHECK (… IS NOT NULL) NOT VALID, VALIDATE, SET NOT NULL",
    given="CREATE TABLE t (id bigint, a int); CREATE UNIQUE INDEX t_id ON t (id);",
    bad="ALTER TABLE t ADD PRIMARY KEY USING INDEX t_id",
    good="""ALTER TABLE t ADD CONSTRAINT t_id_given CHECK (id IS NOT NULL) NOT VALID;
ALTER TABLE t VALIDATE CONSTRAINT t_id_given;
ALTER TABLE t ALTER id SET NOT NULL;
ALTER TABLE t ADD PRIMARY KEY USING INDEX t_id;""",
)
def primary_from_index(at: At) -> Iterator[Found]:
    constraint = of_kind(at, Kind.PRIMARY)
    if constraint is None or not constraint.using_index or not at.worked_on(at.cost.scans):
        return
    index = at.session.indexes.get(at.session.resolve(at.action.table)._replace(name=constraint.using_index))
    column = next((c for c in index.columns if c), "…") if index is not None else "…"
    yield Found(f"{at.cost.why}, so every row is read while reads and writes wait", proof_steps(at, column))


def proof_steps(at: At, column: str) -> str:
    table, column = sql_name(at.session.resolve(at.action.table)), quoted(column)
    check = quoted(f"{at.action.table.name}_{column.strip(chr(34))}_given")
    return (
        f"ALTER TABLE {table} ADD CONSTRAINT {check} CHECK ({column} IS NOT NULL) NOT VALID;\n"
        f"ALTER TABLE {table} VALIDATE CONSTRAINT {check};\n"
        f"ALTER TABLE {table} ALTER {column} SET NOT NULL;\n"
        f"ALTER TABLE {table} DROP CONSTRAINT {check};"
    )


@rule(
    "check-scans",
    HAZARD,
    actions.AddConstraint,
    condition="a CHECK is added to a table in use without NOT VALID",
    effect="reads and writes wait while every row is checked",
    safer="ADD … NOT VALID, then VALIDATE CONSTRAINT in a transaction of its own",
    given=T,
    bad="ALTER TABLE t ADD CONSTRAINT t_a CHECK (a > 0)",
    good="ALTER TABLE t ADD CONSTRAINT t_a CHECK (a > 0) NOT VALID; ALTER TABLE t VALIDATE CONSTRAINT t_a",
)
def check(at: At) -> Iterator[Found]:
    constraint = of_kind(at, Kind.CHECK)
    if constraint is None or not constraint.validated or not at.worked_on(at.cost.scans):
        return
    table, name = at.session.resolve(at.action.table), named(constraint, at.action.table.name)
    yield Found(
        f"CHECK ({constraint.expression}) reads every row of {table} while reads and writes wait",
        f"ALTER TABLE {sql_name(table)} ADD CONSTRAINT {name} CHECK ({constraint.expression}) NOT VALID;\n"
        f"ALTER TABLE {sql_name(table)} VALIDATE CONSTRAINT {name};  -- in a transaction of its own",
        code("AddCheck", table.name, str(constraint.expression), name=constraint.name, schema=schema_of(table)),
    )


@rule(
    "foreign-key-scans",
    HAZARD,
    actions.AddConstraint,
    condition="a FOREIGN KEY is added to a table in use without NOT VALID",
    effect="writes to both tables wait while every row is looked up",
    safer="ADD … NOT VALID, then VALIDATE CONSTRAINT in a transaction of its own",
    given=T,
    bad="ALTER TABLE t ADD CONSTRAINT t_r FOREIGN KEY (r_id) REFERENCES r (id)",
    good="ALTER TABLE t ADD CONSTRAINT t_r FOREIGN KEY (r_id) REFERENCES r (id) NOT VALID;"
    " ALTER TABLE t VALIDATE CONSTRAINT t_r",
)
def foreign(at: At) -> Iterator[Found]:
    constraint, table = of_kind(at, Kind.FOREIGN), at.session.relation(at.action.table)
    if constraint is None or not constraint.validated or not at.worked_on(at.cost.scans):
        return
    target = at.session.resolve(constraint.references) if constraint.references else None
    name = named(constraint, table.name.name)
    other = f"REFERENCES {sql_name(target)}" if target else ""
    other += f" ({listing(constraint.referenced_columns)})" if constraint.referenced_columns else ""
    steps = (
        f"ALTER TABLE {sql_name(table.name)} ADD CONSTRAINT {name} FOREIGN KEY ({listing(constraint.columns)})"
        f" {other} NOT VALID;\nALTER TABLE {sql_name(table.name)} VALIDATE CONSTRAINT {name};"
        "  -- in a transaction of its own"
    )
    if table.kind == "partitioned" and at.session.version < 18:
        steps = "add it to each partition NOT VALID, validate it there, and then to the partitioned table"
    operation = code(
        "AddForeignKey", table.name.name, list(constraint.columns), target.name if target else "",
        list(constraint.referenced_columns), name=constraint.name, schema=schema_of(table.name),
    )  # fmt: skip
    yield Found(f"every row of {table.name} is looked up in {target} while writes to both wait", steps, operation)


@rule(
    "validate-under-lock",
    HAZARD,
    actions.ValidateConstraint,
    condition="a constraint is validated in the transaction, or the statement, that holds a stronger lock",
    effect="the lock that was brief is held for as long as every row is read",
    safer="COMMIT before VALIDATE CONSTRAINT, and give it a statement of its own",
    given=T,
    bad="BEGIN; ALTER TABLE t ADD CONSTRAINT k CHECK (a > 0) NOT VALID; ALTER TABLE t VALIDATE CONSTRAINT k; COMMIT",
    good="ALTER TABLE t ADD CONSTRAINT t_a CHECK (a > 0) NOT VALID; ALTER TABLE t VALIDATE CONSTRAINT t_a",
)
def validate(at: At) -> Iterator[Found]:
    tables = at.worked_on(at.cost.scans)
    if not tables:
        return
    held = at.held(at.action.table)
    where = f"the lock of line {held.line}" if held is not None else "the lock of another part of this statement"
    yield Found(
        f"{where} keeps {at.waiting(tables[0])} of {tables[0]} waiting while every row is checked",
        f"COMMIT;\nALTER TABLE {sql_name(tables[0])} VALIDATE CONSTRAINT {quoted(at.action.name)};",
    )


@rule(
    "set-not-null-scans",
    HAZARD,
    actions.SetNotNull,
    condition="SET NOT NULL on a column for which no validated CHECK proves it",
    effect="reads and writes wait while every row is checked",
    safer="ADD CHECK (… IS NOT NULL) NOT VALID, VALIDATE, SET NOT NULL, DROP CONSTRAINT",
    given=T,
    bad="ALTER TABLE t ALTER a SET NOT NULL",
    good="""ALTER TABLE t ADD CONSTRAINT t_a CHECK (a IS NOT NULL) NOT VALID;
ALTER TABLE t VALIDATE CONSTRAINT t_a;
ALTER TABLE t ALTER a SET NOT NULL;
ALTER TABLE t DROP CONSTRAINT t_a;""",
)
def set_not_null(at: At) -> Iterator[Found]:
    if not at.worked_on(at.cost.scans):
        return
    table, column = at.session.resolve(at.action.table), at.action.column
    dropped = [a.name for a in at.siblings if isinstance(a, actions.DropConstraint)]
    message = f"every row of {table} is read while reads and writes wait: {at.cost.why}"
    if dropped:
        message += f"; {', '.join(dropped)} is dropped first when both are parts of one statement"
    yield Found(message, proof_steps(at, column), code("SetNotNull", table.name, column, schema=schema_of(table)))


@rule(
    "not-null-scans",
    HAZARD,
    actions.AddConstraint,
    condition="a NOT NULL constraint is added without NOT VALID",
    effect="reads and writes wait while every row is checked",
    safer="ADD … NOT NULL … NOT VALID, then VALIDATE CONSTRAINT (PostgreSQL 18)",
    given=T,
    bad="ALTER TABLE t ADD CONSTRAINT t_a NOT NULL a",
    good="ALTER TABLE t ADD CONSTRAINT t_a NOT NULL a NOT VALID; ALTER TABLE t VALIDATE CONSTRAINT t_a",
)
def not_null(at: At) -> Iterator[Found]:
    constraint = of_kind(at, Kind.NOT_NULL)
    if constraint is None or not at.worked_on(at.cost.scans):
        return
    table, column = at.session.resolve(at.action.table), constraint.columns[0]
    steps = proof_steps(at, column)
    if at.session.version >= 18:
        name = named(constraint, table.name)
        steps = (
            f"ALTER TABLE {sql_name(table)} ADD CONSTRAINT {name} NOT NULL {quoted(column)} NOT VALID;\n"
            f"ALTER TABLE {sql_name(table)} VALIDATE CONSTRAINT {name};  -- in a transaction of its own"
        )
    yield Found(f"every row of {table} is checked while reads and writes wait", steps)


@rule(
    "exclusion-builds-index",
    HAZARD,
    actions.AddConstraint,
    condition="an EXCLUDE constraint is added to a table in use",
    effect="reads and writes wait while its index is built; there is no online form",
    safer="a second table with the constraint, copied and kept in step, that takes the name",
    given="CREATE TABLE t (id bigint PRIMARY KEY, during tsrange);",
    bad="ALTER TABLE t ADD CONSTRAINT t_during EXCLUDE USING gist (during WITH &&)",
    good="CREATE TABLE t2 (id bigint PRIMARY KEY, during tsrange, EXCLUDE USING gist (during WITH &&))",
)
def exclusion(at: At) -> Iterator[Found]:
    if of_kind(at, Kind.EXCLUSION) is not None and at.worked_on(at.cost.builds):
        yield Found(f"the index of EXCLUDE is built while reads and writes of {at.action.table} wait")


@rule(
    "domain-scans",
    HAZARD,
    actions.AlterDomain,
    condition="a constraint is added to a domain, or validated, that tables in use have columns of",
    effect="writes to every such table wait while its rows are checked",
    safer="ALTER DOMAIN … ADD CONSTRAINT … NOT VALID, and for old rows a CHECK of each table, which VALIDATE can prove",
    given="CREATE DOMAIN positive AS int; CREATE TABLE t (id bigint PRIMARY KEY, a positive);",
    bad="ALTER DOMAIN positive ADD CONSTRAINT above CHECK (value > 0)",
    good="ALTER DOMAIN positive ADD CONSTRAINT above CHECK (value > 0) NOT VALID",
)
def domain(at: At) -> Iterator[Found]:
    constraint = at.action.constraint
    if not at.action.validates:
        return
    known = at.session.domains.get(at.action.domain.name)
    if known is not None and not at.cost.scans:
        return
    if constraint is None:
        yield Found(
            f"VALIDATE reads every value of {at.action.domain} while writes to its tables wait",
            "-- a CHECK … NOT VALID of each table, validated there, holds up nobody",
        )
        return
    name = constraint.name or "…"
    yield Found(
        f"every value of {at.action.domain} is checked while writes to its tables wait",
        f"ALTER DOMAIN {sql_name(at.action.domain)} ADD CONSTRAINT {quoted(name)}"
        f" {constraint.kind.value} ({constraint.expression or 'value'}) NOT VALID;",
    )
