"""Views, policies, triggers and statistics on PostgreSQL: how each is dropped, and created just as it was.

The server writes the statements. It is asked twice: when a revision is planned, and again under the lock
under which they run, because what has been changed in between must not be lost.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from phases.catalog import Definition
from phases.dialects.base import Change, Changes
from phases.dialects.postgresql_statements import block
from phases.dialects.postgresql_tables import REVOKE_BODY
from phases.model import Lock, LockMode, TableName
from phases.names import TRIGGER_PREFIX
from phases.sql import literal, qualified

ROLE = "CASE WHEN {0} = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid({0})) END"
GRANTED = "CASE WHEN x.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END"
TRIGGER_COMMENTS = """
ARRAY(SELECT pg_catalog.format('COMMENT ON TRIGGER %I ON %s IS %L', t.tgname, t.tgrelid::pg_catalog.regclass, d.text)
      FROM pg_catalog.obj_description(t.oid, 'pg_trigger') d(text) WHERE d.text IS NOT NULL)
"""

VIEWS = f"""
SELECT 'view' AS kind, c.oid AS relation, w.path AS name, 'DROP VIEW ' || w.path AS removal,
       ARRAY['CREATE ' || w.made, w.owned,
             'DO ' || pg_catalog.quote_literal(replace(replace({literal(REVOKE_BODY)},
               '{{view}}', pg_catalog.quote_literal(w.path)), '{{full}}', replace(w.path, '''', '''''')))]
       || ARRAY(SELECT pg_catalog.format('REVOKE %s ON %s FROM %s', d.privilege_type, w.path, w.owner)
                FROM pg_catalog.aclexplode(pg_catalog.acldefault('r', c.relowner)) d
                WHERE c.relacl IS NOT NULL AND d.grantee = c.relowner AND NOT EXISTS (
                  SELECT FROM pg_catalog.aclexplode(c.relacl) x
                  WHERE x.grantee = c.relowner AND x.privilege_type = d.privilege_type) ORDER BY 1)
       || ARRAY(SELECT pg_catalog.format('GRANT %s ON %s TO %s%s', x.privilege_type, w.path,
                  {ROLE.format("x.grantee")}, {GRANTED})
                FROM pg_catalog.aclexplode(c.relacl) x WHERE x.grantee <> c.relowner ORDER BY 1)
       || ARRAY(SELECT pg_catalog.format('GRANT %s (%I) ON %s TO %s%s', x.privilege_type, a.attname, w.path,
                  {ROLE.format("x.grantee")}, {GRANTED})
                FROM pg_catalog.pg_attribute a CROSS JOIN LATERAL pg_catalog.aclexplode(a.attacl) x
                WHERE a.attrelid = c.oid AND a.attacl IS NOT NULL AND x.grantee <> c.relowner ORDER BY 1)
       || ARRAY(SELECT pg_catalog.format('COMMENT ON VIEW %s IS %L', w.path, d.text)
                FROM pg_catalog.obj_description(c.oid, 'pg_class') d(text) WHERE d.text IS NOT NULL)
       || ARRAY(SELECT pg_catalog.format('COMMENT ON COLUMN %s.%I IS %L', w.path, a.attname, d.text)
                FROM pg_catalog.pg_attribute a
                CROSS JOIN LATERAL pg_catalog.col_description(c.oid, a.attnum) d(text)
                WHERE a.attrelid = c.oid AND d.text IS NOT NULL ORDER BY a.attnum)
       || ARRAY(SELECT pg_catalog.format('ALTER VIEW %s ALTER COLUMN %I SET DEFAULT %s', w.path, a.attname,
                  pg_catalog.pg_get_expr(f.adbin, f.adrelid))
                FROM pg_catalog.pg_attrdef f
                JOIN pg_catalog.pg_attribute a ON a.attrelid = f.adrelid AND a.attnum = f.adnum
                WHERE f.adrelid = c.oid ORDER BY a.attnum)
       || ARRAY(SELECT u.statement FROM pg_catalog.pg_trigger t
                CROSS JOIN LATERAL unnest(ARRAY[pg_catalog.pg_get_triggerdef(t.oid)] || {TRIGGER_COMMENTS})
                  WITH ORDINALITY u(statement, at)
                WHERE t.tgrelid = c.oid AND NOT t.tgisinternal ORDER BY t.tgname, u.at) AS made,
       'CREATE OR REPLACE ' || w.made AS replacing,
       ARRAY(SELECT pg_catalog.format('it has a rule %I', r.rulename) FROM pg_catalog.pg_rewrite r
             WHERE r.ev_class = c.oid AND r.rulename <> '_RETURN' ORDER BY 1)
       || ARRAY(SELECT pg_catalog.format('it belongs to extension %I', e.extname) FROM pg_catalog.pg_depend d
                JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
                WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e')
       || ARRAY(SELECT DISTINCT 'it has a security label'::text FROM pg_catalog.pg_seclabel s WHERE s.objoid = c.oid)
       || ARRAY(SELECT DISTINCT pg_catalog.format('role %I has granted privileges on it',
                  pg_catalog.pg_get_userbyid(x.grantor)) FROM (
                  SELECT c.relacl AS acl UNION ALL
                  SELECT a.attacl FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid) g
                CROSS JOIN LATERAL pg_catalog.aclexplode(g.acl) x WHERE x.grantor <> c.relowner) AS obstacles
FROM pg_catalog.pg_class c CROSS JOIN LATERAL (
  SELECT n.path, n.owner, pg_catalog.format('ALTER VIEW %s OWNER TO %s', n.path, n.owner) AS owned,
         pg_catalog.format('VIEW %s%s AS %s', n.path,
           ' WITH (' || pg_catalog.array_to_string(c.reloptions, ', ') || ')',
           pg_catalog.rtrim(pg_catalog.pg_get_viewdef(c.oid), ';')) AS made
  FROM (SELECT c.oid::pg_catalog.regclass::text AS path,
               pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(c.relowner)) AS owner) n) w
WHERE c.relkind = 'v' AND c.oid >= 16384
"""

POLICIES = f"""
SELECT 'policy' AS kind, p.polrelid AS relation, p.polname::text AS name,
       pg_catalog.format('DROP POLICY %I ON %s', p.polname, p.polrelid::pg_catalog.regclass) AS removal,
       ARRAY[pg_catalog.format('CREATE POLICY %I ON %s AS %s FOR %s TO %s%s%s', p.polname,
               p.polrelid::pg_catalog.regclass,
               CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
               CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE'
                 WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
               (SELECT string_agg({ROLE.format("u.role")}, ', ' ORDER BY u.at)
                FROM unnest(p.polroles) WITH ORDINALITY u(role, at)),
               ' USING (' || pg_catalog.pg_get_expr(p.polqual, p.polrelid) || ')',
               ' WITH CHECK (' || pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid) || ')')]
       || ARRAY(SELECT pg_catalog.format('COMMENT ON POLICY %I ON %s IS %L', p.polname,
                  p.polrelid::pg_catalog.regclass, d.text)
                FROM pg_catalog.obj_description(p.oid, 'pg_policy') d(text) WHERE d.text IS NOT NULL) AS made,
       '' AS replacing, '{{}}'::text[] AS obstacles
FROM pg_catalog.pg_policy p
"""

TRIGGERS = f"""
SELECT 'trigger' AS kind, t.tgrelid AS relation, t.tgname::text AS name,
       pg_catalog.format('DROP TRIGGER %I ON %s', t.tgname, t.tgrelid::pg_catalog.regclass) AS removal,
       ARRAY[pg_catalog.pg_get_triggerdef(t.oid)]
       || ARRAY(SELECT pg_catalog.format('ALTER TABLE %s %s TRIGGER %I', t.tgrelid::pg_catalog.regclass,
                  CASE t.tgenabled WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'ENABLE ALWAYS' END,
                  t.tgname) WHERE t.tgenabled <> 'O')
       || {TRIGGER_COMMENTS} AS made,
       '' AS replacing, '{{}}'::text[] AS obstacles
FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
WHERE NOT t.tgisinternal AND c.relkind <> 'v'
"""

# The target is a column since PostgreSQL 13, hence the detour by JSON.
STATISTICS = """
SELECT 'statistics' AS kind, s.stxrelid AS relation, w.path AS name, 'DROP STATISTICS ' || w.path AS removal,
       ARRAY[pg_catalog.pg_get_statisticsobjdef(s.oid), pg_catalog.format('ALTER STATISTICS %s OWNER TO %I', w.path,
               pg_catalog.pg_get_userbyid(s.stxowner))]
       || ARRAY(SELECT pg_catalog.format('ALTER STATISTICS %s SET STATISTICS %s', w.path, w.target)
                WHERE w.target::int >= 0)
       || ARRAY(SELECT pg_catalog.format('COMMENT ON STATISTICS %s IS %L', w.path, d.text)
                FROM pg_catalog.obj_description(s.oid, 'pg_statistic_ext') d(text) WHERE d.text IS NOT NULL) AS made,
       '' AS replacing, '{}'::text[] AS obstacles
FROM pg_catalog.pg_statistic_ext s JOIN pg_catalog.pg_namespace n ON n.oid = s.stxnamespace
CROSS JOIN LATERAL (SELECT pg_catalog.format('%I.%I', n.nspname, s.stxname) AS path,
                           pg_catalog.to_jsonb(s) ->> 'stxstattarget' AS target) w
"""

DEFINITIONS = {"view": VIEWS, "policy": POLICIES, "trigger": TRIGGERS, "statistics": STATISTICS}
"""What is there, by kind. To be asked with an empty search path, so that every name is qualified."""

# Whoever owns it by then: nothing but the lock is wanted, and LOCK TABLE would lock what the view reads as well.
LOCK_VIEW_BODY = """
BEGIN
  EXECUTE (SELECT pg_catalog.format('ALTER VIEW %s OWNER TO %I', {view}, pg_catalog.pg_get_userbyid(c.relowner))
           FROM pg_catalog.pg_class c WHERE c.oid = {view}::pg_catalog.regclass);
END
"""

UNCHANGED_BODY = """
DECLARE
  path text := pg_catalog.current_setting('search_path');
  part record;
  found text[];
  changed text;
BEGIN
  PERFORM pg_catalog.set_config('search_path', '', true);
  FOR part IN SELECT * FROM (VALUES {parts}) v(kind, relation, name, in_place, digest) LOOP
    {questions}
    IF pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(
         pg_catalog.array_to_string(found, chr(10)), 'UTF8')), 'hex') IS DISTINCT FROM part.digest
    THEN
      changed := pg_catalog.concat_ws(', ', changed, part.kind || ' ' || part.name);
    END IF;
  END LOOP;
  PERFORM pg_catalog.set_config('search_path', path, true);
  IF changed IS NOT NULL THEN
    RAISE EXCEPTION '% is not what it was when the revision began, and would be lost', changed
      USING HINT = 'make it what it was; or restore and abort the revision, and apply it again';
  END IF;
END
"""

QUESTION = """IF part.kind = {kind} THEN
      SELECT CASE WHEN part.in_place THEN ARRAY[d.replacing] ELSE d.made END INTO found FROM ({query}) d
      WHERE d.relation = pg_catalog.to_regclass(part.relation) AND d.name = part.name;
    END IF;"""

FORGOTTEN_BODY = """
DECLARE
  reading text;
BEGIN
  SELECT string_agg(DISTINCT pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid), ', ') INTO reading
  FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
  WHERE d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = {table}::pg_catalog.regclass
    AND a.attname = {column} AND NOT EXISTS (SELECT FROM pg_catalog.pg_trigger t
      WHERE d.classid = 'pg_catalog.pg_trigger'::pg_catalog.regclass AND t.oid = d.objid AND t.tgname ~ {ours})
    AND d.classid IN ('pg_catalog.pg_rewrite'::pg_catalog.regclass,
      'pg_catalog.pg_policy'::pg_catalog.regclass, 'pg_catalog.pg_trigger'::pg_catalog.regclass,
      'pg_catalog.pg_proc'::pg_catalog.regclass, 'pg_catalog.pg_statistic_ext'::pg_catalog.regclass);
  IF reading IS NOT NULL THEN
    RAISE EXCEPTION '% came after the revision began, and would read a column that nobody writes', reading
      USING HINT = 'drop it, and create it again after the contract';
  END IF;
END
"""

REHEARSED = "MGRRH"
"""SQLSTATE by which a rehearsal ends."""

REHEARSAL_BODY = """
BEGIN
  {statements}
  RAISE EXCEPTION USING ERRCODE = {rehearsed};
EXCEPTION WHEN SQLSTATE {rehearsed} THEN NULL;
END
"""


def digest(statements: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(statements).encode()).hexdigest()


def lock_of(part: Definition) -> tuple[Lock, ...]:
    by = ""
    if part.kind == "view":
        by = block("lock a view", LOCK_VIEW_BODY.format(view=literal(qualified(part.relation))))
    return (Lock(part.relation, LockMode.ACCESS_EXCLUSIVE, by),)


class PostgreSQLDefinitions:
    """The part of the PostgreSQL dialect that drops and creates what depends on a column."""

    __slots__ = ()

    def check_unchanged(self, parts: Sequence[Definition], *, in_place: bool) -> Changes:
        rows = []
        for part in parts:
            there = in_place and bool(part.replace)
            made = (part.replace,) if there else part.create
            words = (part.kind, qualified(part.relation), part.name)
            rows.append(f"({', '.join(map(literal, words))}, {str(there).lower()}, {literal(digest(made))})")
        kinds = dict.fromkeys(part.kind for part in parts)
        asked = (QUESTION.format(kind=literal(kind), query=DEFINITIONS[kind]) for kind in kinds)
        body = UNCHANGED_BODY.format(parts=", ".join(rows), questions="\n    ".join(asked))
        return (
            Change(
                block("refuse to lose what has changed", body), tuple(lock for part in parts for lock in lock_of(part))
            ),
        )

    def check_forgotten(self, table: TableName, column: str) -> Changes:
        body = FORGOTTEN_BODY.format(
            ours=literal(f"^{TRIGGER_PREFIX}"), table=literal(qualified(table)), column=literal(column)
        )
        return (Change(block("refuse to leave anything behind", body), (Lock(table, LockMode.ACCESS_EXCLUSIVE),)),)

    def drop_defined(self, part: Definition) -> Changes:
        return (Change(part.drop, lock_of(part)),)

    def create_defined(self, part: Definition) -> Changes:
        return tuple(Change(sql, lock_of(part)) for sql in part.create)

    def replace_defined(self, part: Definition) -> Changes:
        return (Change(part.replace, lock_of(part)),)

    def rehearse(self, changes: Sequence[Change]) -> Changes:
        statements = "\n  ".join(f"EXECUTE {literal(change.sql)};" for change in changes)
        body = REHEARSAL_BODY.format(statements=statements, rehearsed=literal(REHEARSED))
        return (
            Change(
                block("rehearse the switch, and take it back", body),
                tuple(lock for change in changes for lock in change.locks),
            ),
        )
