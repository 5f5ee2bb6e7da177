"""What is rewritten, what becomes of it, and what stays as it is."""

from __future__ import annotations

import pytest

from linters.engine import lint
from linters.fixing import fix
from linters.session import Given, Session
from linters.source import Source

MENDED = {
    "-- why\nCREATE  INDEX i ON t (a) /* x */;\n": "-- why\nCREATE  INDEX CONCURRENTLY i ON t (a) /* x */;\n",
    "DROP INDEX i;": "DROP INDEX CONCURRENTLY i;",
    "REINDEX TABLE t;": "REINDEX TABLE CONCURRENTLY t;",
    'alter table only "T" add constraint "C" check (a > 0);': 'alter table only "T" add constraint "C" check (a > 0)'
    ' NOT VALID;\nalter table only "T" VALIDATE CONSTRAINT "C";',
    "ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES r (id);": "ALTER TABLE t ADD CONSTRAINT t_a_fkey FOREIGN KEY (a)"
    " REFERENCES r (id) NOT VALID;\nALTER TABLE t VALIDATE CONSTRAINT t_a_fkey;",
    "ALTER TABLE s.t ADD CONSTRAINT u UNIQUE (a, b);": "CREATE UNIQUE INDEX CONCURRENTLY u ON s.t (a, b);\n"
    "ALTER TABLE s.t ADD CONSTRAINT u UNIQUE USING INDEX u;",
    "ALTER TABLE t ADD c numeric(3, 1) DEFAULT 1, ADD CONSTRAINT k CHECK (a > 0);": "ALTER TABLE t ADD c"
    " numeric(3, 1) DEFAULT 1;\nALTER TABLE t ADD CONSTRAINT k CHECK (a > 0) NOT VALID;\n"
    "ALTER TABLE t VALIDATE CONSTRAINT k;",
    "ALTER TABLE t ALTER a SET NOT NULL": "ALTER TABLE t ADD CONSTRAINT t_a_given CHECK (a IS NOT NULL) NOT VALID;\n"
    "ALTER TABLE t VALIDATE CONSTRAINT t_a_given;\nALTER TABLE t ALTER a SET NOT NULL;\n"
    "ALTER TABLE t DROP CONSTRAINT t_a_given",
    "SELECT :v;\nALTER TABLE t ADD CONSTRAINT k CHECK (a > 0);\nSELECT 1;": "SELECT :v;\nALTER TABLE t ADD CONSTRAINT k"
    " CHECK (a > 0) NOT VALID;\nALTER TABLE t VALIDATE CONSTRAINT k;\nSELECT 1;",
    "CREATE TABLE n (r_id int REFERENCES r (id));": "SET lock_timeout = '2s';\n"
    "CREATE TABLE n (r_id int REFERENCES r (id));",
}
LEFT = (
    "BEGIN; CREATE INDEX i ON t (a); COMMIT;",
    "CREATE INDEX IF NOT EXISTS i ON t (a);",
    "DROP INDEX i, j;",
    "ALTER TABLE t ADD UNIQUE (a) DEFERRABLE;",
    "ALTER TABLE t DROP COLUMN a;",
    "CREATE TABLE t (a int);\nSELEC 1;\n\\echo x\n",
)


def fixed(script, **given):
    return fix(Source("-", script.encode()), lint(script, Session(Given(**given))), given.get("in_transaction", False))


@pytest.mark.parametrize("script", MENDED)
def test_a_mechanical_hazard_is_rewritten_and_found_no_more(script):
    made = fixed(script)
    assert made == MENDED[script]
    assert lint(made) == []
    assert fixed(made) == made


@pytest.mark.parametrize("script", LEFT)
def test_what_has_no_mechanical_form_stays(script):
    assert fixed(script) == script


def test_nothing_is_rewritten_for_a_tool_that_runs_it_in_a_transaction():
    assert fixed("CREATE INDEX i ON t (a);", in_transaction=True) == "CREATE INDEX i ON t (a);"


def test_the_timeout_does_not_cancel_a_concurrent_build():
    made = fixed("CREATE TABLE n (r_id int REFERENCES r (id));\nCREATE INDEX i ON t (a);\nDROP TRIGGER g ON t;\n")
    assert made.splitlines() == [
        "SET lock_timeout = '2s';",
        "CREATE TABLE n (r_id int REFERENCES r (id));",
        "RESET lock_timeout;",
        "CREATE INDEX CONCURRENTLY i ON t (a);",
        "SET lock_timeout = '2s';",
        "DROP TRIGGER g ON t;",
    ]
    assert lint(made) == []
