"""SQL is read and rewritten by its parse tree: what only looks like a column stays as it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linters.expressions import PostgresExpressions, quoted

READER = PostgresExpressions()


@pytest.mark.parametrize(
    ("expression", "columns"),
    [
        ("lower(name) || '@x'", {"name"}),
        ("id + paid", {"id", "paid"}),
        ("'name'", set()),
        ('"Full Name"', {"Full Name"}),
        ("Full_Name", {"full_name"}),
        ("users.name", {"name"}),
        ("extract(year FROM born)", {"born"}),
        ("(name::name)", {"name"}),
        ("CASE WHEN a THEN b ELSE c END", {"a", "b", "c"}),
        ("count", {"count"}),
        ("имя || 'ü'", {"имя"}),
        ("now()", set()),
        ("E'it\\'s name'", set()),
    ],
)
def test_columns(expression, columns):
    assert READER.columns(expression) == columns


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1; DROP TABLE users",
        "a, b",
        "a AS b",
        "a FROM users",
        "a) , (b",
        "(SELECT 1)",
        "a -- comment",
        "a /* comment */",
        "$1",
        "*",
        "count(*) OVER ()",
        "a WHERE true",
        "a UNION SELECT 1",
        "a\0",
        "f(" * 400 + "1" + ")" * 400,
        "SELECT 1",
        "a LIMIT 1",
        "'open",
    ],
)
def test_what_is_not_one_expression_is_refused_in_one_line(text):
    with pytest.raises(ValueError, match=r"^[^\n]+$"):
        READER.check(text)


@pytest.mark.parametrize(
    ("expression", "qualified"),
    [
        ("name || paid_name", 'NEW."name" || NEW."paid_name"'),
        ("users.name", "users.name"),
        ("'name' || name", "'name' || NEW.\"name\""),
        ("lower(имя) || имя", 'lower(NEW."имя") || NEW."имя"'),
        ("name(name)", 'name(NEW."name")'),
    ],
)
def test_qualify(expression, qualified):
    assert READER.qualify(expression, "NEW") == qualified


@pytest.mark.parametrize(
    ("definition", "renamed"),
    [
        ("CHECK ((old <> ''::text))", "CHECK ((\"new\" <> ''::text))"),
        ("CHECK ((cold > 1))", "CHECK ((cold > 1))"),
        ("UNIQUE (old, other)", 'UNIQUE ("new", other)'),
        ("UNIQUE NULLS NOT DISTINCT (old)", 'UNIQUE NULLS NOT DISTINCT ("new")'),
        ("FOREIGN KEY (old) REFERENCES orgs(old)", 'FOREIGN KEY ("new") REFERENCES orgs(old)'),
        (
            "FOREIGN KEY (a, old) REFERENCES orgs(a, old) ON DELETE SET NULL (old)",
            'FOREIGN KEY (a, "new") REFERENCES orgs(a, old) ON DELETE SET NULL ("new")',
        ),
        ("CHECK ((old > 0)) NOT VALID", 'CHECK (("new" > 0)) NOT VALID'),
    ],
)
def test_rename_in_constraint(definition, renamed):
    assert READER.rename_in_constraint(definition, {"old": "new"}) == renamed


@pytest.mark.parametrize(
    "definition",
    [
        "CREATE INDEX i ON public.t USING btree (old)",
        "CREATE UNIQUE INDEX i ON public.t USING btree (a, old DESC NULLS LAST) INCLUDE (old) WHERE (old > 1)",
        'CREATE INDEX i ON public.t USING gin (old gin_trgm_ops) WITH (fastupdate=off) TABLESPACE "T"',
        'CREATE INDEX i ON public.t USING btree (lower(old) COLLATE "C" text_pattern_ops)',
        "CREATE UNIQUE INDEX i ON public.t USING btree (old) NULLS NOT DISTINCT",
    ],
)
def test_copy_index_keeps_everything_but_names(definition):
    copy = READER.copy_index(definition, name="Copy", names={"old": "new"}, concurrently=True)
    assert "CONCURRENTLY" in copy
    back = READER.copy_index(copy, name="i", names={"new": "old"}, concurrently=False)
    assert back == READER.copy_index(definition, name="i", names={}, concurrently=False)
    assert "old" not in copy


@pytest.mark.parametrize(
    ("constraint", "key"),
    [
        ('CONSTRAINT "The Key" PRIMARY KEY (id, "B")', ("The Key", True, ("id", "B"))),
        ("UNIQUE (a) DEFERRABLE", ("", False, ("a",))),
        ("FOREIGN KEY (a) REFERENCES t (id)", None),
        ("LIKE other INCLUDING ALL", None),
    ],
)
def test_keys_of_create_table(constraint, key):
    assert READER.key(constraint) == key


def test_split_leaves_semicolons_in_texts_and_functions_alone():
    script = "SELECT ';'; CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$ SELECT 1; $$;\n-- end;\n"
    first, second = READER.split(script)
    assert first == "SELECT ';'"
    assert second.endswith("$$ SELECT 1; $$")
    with pytest.raises(ValueError, match="SELEC"):
        READER.split("SELEC 1")


@given(
    st.text(min_size=1, max_size=20).filter(
        lambda name: "\0" not in name and not any("\ud800" <= c <= "\udfff" for c in name)
    )
)
def test_any_name_survives_quoting_and_reading(name):
    assert READER.columns(f"lower({quoted(name)})") == {name}
    assert READER.rename(quoted(name), {name: "x"}) == '"x"'
