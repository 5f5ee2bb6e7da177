"""What reads a column follows when another takes its place, and comes back as it was; or the plan names it."""

from __future__ import annotations

import json

import pytest

from migrator.errors import PlanRefused, StepFailed
from tests.lifecycle.test_operations import BASE
from tests.lifecycle.walking import Case, walk

READ = """
CREATE VIEW members WITH (security_barrier) AS SELECT u.id, u.org_id, o.name
  FROM users u JOIN orgs o ON o.id = u.org_id WHERE u.org_id > 0 AND o.name <> '50 %';
CREATE VIEW sizes AS SELECT org_id, count(*) AS size FROM members GROUP BY org_id;
CREATE VIEW "both of them" AS SELECT m.name FROM members m JOIN sizes USING (org_id);
CREATE VIEW plain WITH (check_option = local) AS SELECT id, org_id, full_name FROM users WHERE org_id IS NOT NULL;
ALTER VIEW plain ALTER COLUMN org_id SET DEFAULT 5;
COMMENT ON VIEW plain IS 'it''s \\ plain';
COMMENT ON COLUMN plain.org_id IS 'where';
GRANT SELECT (org_id), UPDATE (org_id) ON plain TO {reader};
GRANT SELECT ON members TO PUBLIC;
REVOKE TRUNCATE ON sizes FROM CURRENT_USER;
GRANT CREATE ON SCHEMA public TO {reader};
GRANT SELECT ON users TO {reader};
ALTER VIEW "both of them" OWNER TO {reader};
CREATE FUNCTION instead() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER instead INSTEAD OF DELETE ON sizes FOR EACH ROW EXECUTE FUNCTION instead();
ALTER TABLE users ENABLE ROW LEVEL SECURITY;
CREATE POLICY "its own" ON users FOR UPDATE TO {reader} USING (org_id > 0) WITH CHECK (org_id < 1000);
COMMENT ON POLICY "its own" ON users IS 'who may';
CREATE STATISTICS orgs_and_codes (dependencies) ON org_id, code FROM users;
COMMENT ON STATISTICS orgs_and_codes IS 'they go together';
ALTER DEFAULT PRIVILEGES GRANT INSERT ON TABLES TO PUBLIC
"""
"""Views over views, a policy and statistics, all of which read users.org_id."""

TRIGGER = """
CREATE TABLE log (what text);
CREATE FUNCTION moved() RETURNS trigger LANGUAGE plpgsql AS
  'BEGIN INSERT INTO log VALUES (NEW.id || '' moved''); RETURN NULL; END';
CREATE TRIGGER moved AFTER UPDATE OF org_id ON users FOR EACH ROW
  WHEN (OLD.org_id IS DISTINCT FROM NEW.org_id) EXECUTE FUNCTION moved();
ALTER TABLE users ENABLE ALWAYS TRIGGER moved;
COMMENT ON TRIGGER moved ON users IS 'who moved'
"""

SAME_NAME = Case(
    'ChangeType("users", "org_id", "bigint")',
    "UPDATE users SET org_id = 3 WHERE id = 7; INSERT INTO users (org_id) VALUES (4)",
    "SELECT (SELECT count(*) FROM members) || ' ' || (SELECT size FROM sizes WHERE org_id = 3) || ' '"
    " || (SELECT pg_typeof(org_id) FROM members LIMIT 1) || ' ' || (SELECT string_agg(what, ',') FROM log)",
    "3001 335 bigint 7 moved",
    given=READ + ";" + TRIGGER,
)
OTHER_NAME = Case(
    'RenameColumn("users", "org_id", "organisation")',
    "UPDATE users SET organisation = 3 WHERE id = 7; INSERT INTO users (organisation) VALUES (4)",
    "SELECT (SELECT count(*) FROM members) || ' ' || (SELECT size FROM sizes WHERE org_id = 3)",
    "3001 335",
    given=READ + "; CREATE MATERIALIZED VIEW sums AS SELECT * FROM sizes",
)
NEWEST = {
    "change type, second name": Case(
        'ChangeType("users", "org_id", "bigint", to="organisation")',
        question="SELECT count(*) || pg_typeof(max(org_id))::text FROM members WHERE org_id = 3",
        answer="334bigint",
        given=READ,
    ),
    "change type in the catalog only": Case(
        'ChangeType("users", "code", "text")',
        question="SELECT count(*) || pg_typeof(min(code))::text FROM coded",
        answer="2999text",
        given="ALTER TABLE users ALTER COLUMN code TYPE varchar(20);"
        " CREATE VIEW coded AS SELECT id, code FROM users WHERE code <> 'c1'",
        moves=True,
    ),
    "change type of a primary key": Case(
        'ChangePrimaryKeyType("orgs", "id")',
        "UPDATE users SET org_id = 3 WHERE id = 7",
        "SELECT count(*) || pg_typeof(max(org_id))::text FROM members WHERE org_id = 3",
        "335bigint",
        given=READ
        + "; CREATE VIEW staff AS SELECT coalesce(u.org_id, o.id) FROM users u JOIN orgs o ON o.id = u.org_id",
    ),
}


def walk_all(case, database, project):
    reader = f"reader_{database.name}"
    database.run(*BASE.format(reader=reader).split(";\n"))
    try:
        database.run(*case.given.format(reader=reader).split(";\n"))
        project.url = database.url
        walk(case, database, project, project.revision("change", case.operation))
    finally:
        database.run(f"DROP OWNED BY {reader} CASCADE", f"DROP ROLE {reader}")


@pytest.mark.parametrize("case", [SAME_NAME, OTHER_NAME], ids=["same name", "other name"])
def test_what_reads_the_column_goes_out_and_comes_back(case, any_database, project):
    walk_all(case, any_database, project)


@pytest.mark.parametrize("name", NEWEST)
def test_other_changes_take_the_same_way(name, database, project):
    walk_all(NEWEST[name], database, project)


USERS = "CREATE TABLE users (id int PRIMARY KEY, org_id int, height int); INSERT INTO users VALUES (1, 2, 3)"
SEEN = f"{USERS}; CREATE VIEW seen AS SELECT id, org_id FROM users"
CHANGE = 'ChangeType("users", "org_id", "bigint")'
RENAME = 'RenameColumn("users", "org_id", "organisation")'


def given(database, project, tables, operation):
    database.run(tables)
    project.url = database.url
    return project.revision("change", operation)


def test_the_plan_says_what_is_created_again(database, project):
    given(database, project, f"{SEEN}; CREATE VIEW over_it AS SELECT id FROM seen", CHANGE)
    assert "recreates: view public.over_it, view public.seen" in project.cli("plan").stdout
    steps = json.loads(project.cli("plan", "--format", "json").stdout)["revisions"][0]["steps"]
    (switch,) = [step for step in steps if step["recreates"]]
    assert switch["phase"] == "contract"
    assert switch["lock"].startswith("ACCESS EXCLUSIVE on public.over_it")


@pytest.mark.parametrize(
    ("operation", "meanwhile", "reason"),
    [
        (CHANGE, "ALTER VIEW seen OWNER TO pg_monitor", "view public.seen is not what it was"),
        (RENAME, "CREATE VIEW later AS SELECT org_id FROM users", "view later.* came after the revision began"),
    ],
)
def test_nothing_that_changed_meanwhile_is_lost_or_left_behind(operation, meanwhile, reason, database, project):
    revision = given(database, project, SEEN, operation)
    project.apply()
    database.run(meanwhile)
    before = database.dump()
    with pytest.raises(StepFailed, match=reason):
        project.apply("contract", revision)
    assert database.dump() == before


def test_a_view_that_cannot_read_the_other_type_is_found_before_anything_is_there(database, project):
    tables = f"{USERS}; CREATE FUNCTION half(int) RETURNS int LANGUAGE sql AS 'SELECT $1 / 2'"
    given(database, project, f"{tables}; CREATE VIEW halves AS SELECT half(org_id) FROM users", CHANGE)
    before = database.dump()
    with pytest.raises(StepFailed, match=r"half\(bigint\) does not exist"):
        project.apply()
    assert database.dump() == before


@pytest.mark.parametrize(
    ("tables", "operation", "reason"),
    [
        ("CREATE MATERIALIZED VIEW kept AS SELECT org_id FROM users", RENAME, "materialized view public.kept .*locked"),
        ("CREATE MATERIALIZED VIEW kept AS SELECT id FROM seen", CHANGE, "view public.seen .*public.kept needs it"),
        ("CREATE RULE note AS ON INSERT TO seen DO INSTEAD NOTHING", CHANGE, "public.seen .it has a rule note"),
        ("ALTER TABLE users ADD twice int GENERATED ALWAYS AS (org_id * 2) STORED", RENAME, "generated column twice"),
        ("CREATE TABLE notes (id int, seen seen)", CHANGE, "view public.seen .*notes.* needs it"),
        ("CREATE PUBLICATION known FOR TABLE users (id, org_id)", CHANGE, "publication known .its subscribers"),
        ("CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT org_id FROM users; END", CHANGE, "function public.f"),
        (
            "CREATE TRIGGER t BEFORE UPDATE OF org_id ON users FOR EACH ROW"
            " EXECUTE FUNCTION suppress_redundant_updates_trigger()",
            RENAME,
            "trigger t .it would not fire",
        ),
        ("SELECT", 'DropColumn("users", "org_id")', "view public.seen"),
        (
            "CREATE VIEW tall AS SELECT org_id, height FROM users",
            f'{RENAME}, RenameColumn("users", "height", "size")',
            "in one revision",
        ),
    ],
)
def test_what_cannot_follow_is_refused_by_name(tables, operation, reason, database, project):
    given(database, project, f"{SEEN}; {tables}", operation)
    with pytest.raises(PlanRefused, match=reason):
        project.plan("head")


NAMING = (
    "CREATE FUNCTION cleaned() RETURNS trigger LANGUAGE plpgsql AS"
    " 'BEGIN NEW.org_id := abs(NEW.org_id); RETURN NEW; END'",
    "CREATE TRIGGER cleaned BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION cleaned()",
    "CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
    "CREATE TRIGGER noted BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION noted('id', 'org_id')",
    "CREATE FUNCTION most() RETURNS int LANGUAGE sql AS 'SELECT max(u.ORG_ID) FROM Users u'",
    "CREATE FUNCTION org_of(users) RETURNS int LANGUAGE sql AS 'SELECT $1.org_id'",
    "CREATE FUNCTION elsewhere() RETURNS text LANGUAGE sql AS 'SELECT $$org_id, users_of$$'",
    "CREATE FUNCTION about() RETURNS text LANGUAGE sql AS 'SELECT $$users, their_org_id$$'",
)
GOING = (
    RENAME,
    'DropColumn("users", "org_id")',
    'ChangeType("users", "org_id", "bigint", to="organisation")',
    'TransformColumns("users", "org_id", Column("organisation", "int"), up={"organisation": "org_id + 1"},'
    ' down={"org_id": "organisation - 1"})',
    'SplitTable("users", "org_id", to="members")',
)


@pytest.mark.parametrize("operation", GOING, ids=lambda operation: operation.partition("(")[0])
def test_functions_that_name_a_column_that_goes_have_to_be_seen_to(operation, database, project):
    given(database, project, "; ".join((USERS, *NAMING)), operation)
    before = database.dump()
    with pytest.raises(PlanRefused) as refused:
        project.apply()
    assert refused.value.message.endswith("(for example public.cleaned; public.most; public.noted; public.org_of)")
    assert 'functions=["schema.function", …]' in refused.value.next_step
    assert database.dump() == before
    seen_to = 'functions=["public.cleaned", "public.most", "public.noted", "public.org_of"])'
    project.last = None
    project.revision("change", operation[:-1] + ", " + seen_to)
    project.apply("expand")
