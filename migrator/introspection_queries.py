"""The catalog queries of `migrator.introspection`, for PostgreSQL 12 to 18.

Each reads every user schema at once, so a database of a thousand tables costs
no more round trips than one of ten. Text from the server is fully qualified,
because the reader empties the search path first.
"""

USER_SCHEMA = "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND NOT (n.nspname = ANY (:ignored))"

TABLES = f"""
SELECT c.oid, n.nspname, c.relname, c.relkind::text, c.relispartition, c.reltuples::float8, c.relpages,
       CASE WHEN NOT pg_catalog.pg_has_role(c.relowner, 'USAGE') THEN pg_catalog.pg_get_userbyid(c.relowner) END,
       pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(c.relowner)), pg_catalog.obj_description(c.oid, 'pg_class'),
       c.relrowsecurity, coalesce(pg_catalog.pg_get_expr(c.relpartbound, c.oid), ''),
       CASE WHEN c.relispartition THEN coalesce(pg_catalog.pg_get_partition_constraintdef(c.oid), '') ELSE '' END,
       pg_catalog.row_security_active(c.oid)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND {USER_SCHEMA}
"""

RELATIONS = f"""
SELECT n.nspname, c.relname
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE {USER_SCHEMA}
"""

COLUMNS = f"""
SELECT a.attrelid, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull,
       pg_catalog.pg_get_expr(d.adbin, d.adrelid), a.attgenerated::text, a.attidentity::text,
       CASE WHEN a.attcollation <> t.typcollation AND a.attcollation <> 0
            THEN pg_catalog.quote_ident(cn.nspname) || '.' || pg_catalog.quote_ident(co.collname) END,
       pg_catalog.col_description(a.attrelid, a.attnum),
       CASE WHEN a.attstattarget >= 0 THEN a.attstattarget END,
       CASE WHEN a.attstorage <> t.typstorage THEN CASE a.attstorage WHEN 'p' THEN 'PLAIN'
            WHEN 'e' THEN 'EXTERNAL' WHEN 'm' THEN 'MAIN' ELSE 'EXTENDED' END END,
       {{compression}},
       a.attoptions, t.typname::text, t.typtype::text,
       coalesce(co.collisdeterministic, true), a.attnum, a.atttypid
FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_class c ON c.oid = a.attrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
LEFT JOIN pg_catalog.pg_collation co ON co.oid = a.attcollation
LEFT JOIN pg_catalog.pg_namespace cn ON cn.oid = co.collnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND a.attnum > 0 AND NOT a.attisdropped AND {USER_SCHEMA}
ORDER BY a.attrelid, a.attnum
"""

COMPRESSION_SINCE_14 = "CASE a.attcompression WHEN 'p' THEN 'pglz' WHEN 'l' THEN 'lz4' END"

CONSTRAINED_TYPES = """
WITH RECURSIVE part(whole, oid) AS MATERIALIZED (
  SELECT t.oid, t.typbasetype FROM pg_catalog.pg_type t WHERE t.typbasetype <> 0
  UNION ALL SELECT t.oid, t.typelem FROM pg_catalog.pg_type t WHERE t.typelem <> 0
  UNION ALL SELECT t.oid, a.atttypid FROM pg_catalog.pg_type t
  JOIN pg_catalog.pg_attribute a ON a.attrelid = t.typrelid AND a.attnum > 0
  WHERE t.typtype = 'c' AND t.typrelid >= 16384 AND a.attrelid >= 16384
), bad(oid) AS (
  SELECT t.oid FROM pg_catalog.pg_type t WHERE t.typtype = 'd'
    AND (t.typnotnull OR EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.contypid = t.oid))
  UNION
  SELECT part.whole FROM bad JOIN part ON part.oid = bad.oid
)
SELECT t.oid, t.typname::text FROM bad JOIN pg_catalog.pg_type t ON t.oid = bad.oid
"""

GRANTS = f"""
SELECT a.attrelid, a.attname, x.privilege_type,
       CASE WHEN x.grantee = 0 THEN 'PUBLIC'
            ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(x.grantee)) END, x.is_grantable
FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_class c ON c.oid = a.attrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL pg_catalog.aclexplode(a.attacl) x
WHERE a.attacl IS NOT NULL AND NOT a.attisdropped AND {USER_SCHEMA}
ORDER BY 1, 2, 4, 3
"""

TABLE_GRANTS = f"""
SELECT c.oid, x.privilege_type,
       CASE WHEN x.grantee = 0 THEN 'PUBLIC'
            ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(x.grantee)) END, x.is_grantable
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) x
WHERE c.relkind IN ('r', 'p') AND x.grantee <> c.relowner AND {USER_SCHEMA}
ORDER BY 1, 3, 2
"""

SEQUENCES = f"""
SELECT d.refobjid, d.refobjsubid, n.nspname, s.relname, d.deptype::text,
       pg_catalog.format('START WITH %s INCREMENT BY %s MINVALUE %s MAXVALUE %s CACHE %s %s',
         q.seqstart, q.seqincrement, q.seqmin, q.seqmax, q.seqcache,
         CASE WHEN q.seqcycle THEN 'CYCLE' ELSE 'NO CYCLE' END)
FROM pg_catalog.pg_depend d
JOIN pg_catalog.pg_class s ON s.oid = d.objid AND s.relkind = 'S'
JOIN pg_catalog.pg_namespace n ON n.oid = s.relnamespace
JOIN pg_catalog.pg_sequence q ON q.seqrelid = s.oid
WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass
  AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0 AND {USER_SCHEMA}
ORDER BY d.deptype, s.relname
"""

INDEXES = f"""
SELECT i.indrelid, n.nspname, c.relname, pg_catalog.pg_get_indexdef(c.oid), i.indisunique, i.indisvalid,
       k.conname, pg_catalog.obj_description(c.oid, 'pg_class'), i.indisclustered, i.indisreplident,
       (SELECT array_agg(a.attname::text ORDER BY a.attnum) FROM pg_catalog.pg_attribute a
        WHERE a.attrelid = i.indrelid AND (a.attnum = ANY (i.indkey::int2[]) OR a.attnum IN (
          SELECT d.refobjsubid FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::regclass
            AND d.objid = c.oid AND d.refclassid = 'pg_catalog.pg_class'::regclass
            AND d.refobjid = i.indrelid AND d.refobjsubid > 0)) AND a.attnum > 0),
       CASE WHEN i.indpred IS NULL AND NOT (0 = ANY (i.indkey::int2[]))
         THEN (SELECT array_agg(a.attname::text ORDER BY p.at) FROM unnest(i.indkey::int2[]) WITH ORDINALITY p(num, at)
               JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = p.num
               WHERE p.at <= i.indnkeyatts) END
FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_constraint k ON k.conindid = c.oid AND k.contype IN ('p', 'u', 'x')
  AND k.conrelid = i.indrelid
WHERE {USER_SCHEMA} ORDER BY c.relname
"""

CONSTRAINTS = f"""
SELECT k.conrelid, k.conname, k.contype::text, pg_catalog.pg_get_constraintdef(k.oid), k.convalidated,
       pg_catalog.obj_description(k.oid, 'pg_constraint'), ic.relname,
       CASE WHEN k.condeferred THEN 'DEFERRABLE INITIALLY DEFERRED' WHEN k.condeferrable THEN 'DEFERRABLE'
            ELSE '' END,
       fn.nspname, fc.relname,
       (SELECT array_agg(a.attname::text ORDER BY p.at) FROM unnest(k.conkey) WITH ORDINALITY p(num, at)
        JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = p.num),
       (SELECT array_agg(a.attname::text ORDER BY p.at) FROM unnest(k.confkey) WITH ORDINALITY p(num, at)
        JOIN pg_catalog.pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = p.num),
       k.confrelid,
       CASE WHEN k.contype = 'f' THEN CASE k.confdeltype WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL'
         WHEN 'd' THEN 'SET DEFAULT' WHEN 'r' THEN 'RESTRICT' ELSE 'NO ACTION' END ELSE '' END
FROM pg_catalog.pg_constraint k
JOIN pg_catalog.pg_class c ON c.oid = k.conrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_class ic ON ic.oid = k.conindid
LEFT JOIN pg_catalog.pg_class fc ON fc.oid = k.confrelid
LEFT JOIN pg_catalog.pg_namespace fn ON fn.oid = fc.relnamespace
WHERE k.contype IN ('c', 'u', 'p', 'f', 'x', 'n') AND {USER_SCHEMA} ORDER BY k.conname
"""

TRIGGERS = f"""
SELECT t.tgrelid, t.tgname, pg_catalog.pg_get_triggerdef(t.oid), (t.tgtype & 3) = 3, t.tgenabled IN ('O', 'A'),
       (SELECT array_agg(a.attname::text) FROM pg_catalog.pg_attribute a WHERE a.attrelid = t.tgrelid
        AND (a.attnum = ANY (t.tgattr::int2[]) OR a.attnum IN (SELECT d.refobjsubid
          FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_trigger'::regclass AND d.objid = t.oid
          AND d.refobjid = t.tgrelid AND d.refobjsubid > 0)) AND a.attnum > 0)
FROM pg_catalog.pg_trigger t
JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE NOT t.tgisinternal AND {USER_SCHEMA} ORDER BY t.tgname
"""

OWN_FUNCTIONS = r"""
SELECT n.nspname, p.proname, 'source with MD5 ' || pg_catalog.md5(p.prosrc)
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE p.proname >= '_migrator_' AND p.proname < '_migrator`'
"""

OWN_AT_REST = r"""
SELECT pg_catalog.format('column %s of %s.%s', a.attname, n.nspname, c.relname), a.attname,
       pg_catalog.format_type(a.atttypid, a.atttypmod)
FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p')
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE NOT a.attisdropped AND a.attname >= '_migrator_' AND a.attname < '_migrator`'
UNION ALL
SELECT pg_catalog.format('table %s.%s', n.nspname, c.relname), c.relname, 'there'
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND c.relname >= '_migrator_' AND c.relname < '_migrator`'
"""

DEPENDENTS = """
SELECT d.refobjid, a.attname, CASE WHEN v.relkind = 'v' AND r.rulename = '_RETURN' THEN v.oid END,
       CASE WHEN v.relkind = 'v' AND r.rulename = '_RETURN' THEN 'view'
            WHEN v.relkind = 'm' THEN 'materialized view' ELSE 'rule' END,
       CASE WHEN r.rulename = '_RETURN' THEN v.oid::regclass::text ELSE r.rulename::text END
FROM pg_catalog.pg_depend d
JOIN pg_catalog.pg_rewrite r ON r.oid = d.objid JOIN pg_catalog.pg_class v ON v.oid = r.ev_class
JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
WHERE d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass
  AND d.refobjsubid > 0 AND NOT (v.oid = d.refobjid AND v.relkind IN ('v', 'm'))
UNION ALL
SELECT d.refobjid, a.attname, NULL, 'policy', p.polname::text
         || CASE WHEN p.polrelid <> d.refobjid THEN ' on ' || p.polrelid::regclass::text ELSE '' END
FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_policy p ON p.oid = d.objid
JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
WHERE d.classid = 'pg_catalog.pg_policy'::regclass AND d.refobjsubid > 0
UNION ALL
SELECT d.refobjid, a.attname, NULL, 'function', d.objid::regprocedure::text
FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass
  AND d.refobjsubid > 0
UNION ALL
SELECT s.stxrelid, a.attname, NULL, 'statistics', pg_catalog.format('%I.%I', n.nspname, s.stxname)
FROM pg_catalog.pg_statistic_ext s JOIN pg_catalog.pg_namespace n ON n.oid = s.stxnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = s.stxrelid
 AND (a.attnum = ANY (s.stxkeys::int2[]) OR a.attnum IN (SELECT d.refobjsubid FROM pg_catalog.pg_depend d
   WHERE d.classid = 'pg_catalog.pg_statistic_ext'::regclass AND d.objid = s.oid AND d.refobjsubid > 0))
"""

VIEWS_OVER_VIEWS = """
SELECT DISTINCT d.refobjid, r.ev_class
FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_rewrite r ON r.oid = d.objid
JOIN pg_catalog.pg_class v ON v.oid = d.refobjid AND v.relkind = 'v'
JOIN pg_catalog.pg_class o ON o.oid = r.ev_class AND o.relkind = 'v'
WHERE d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass
  AND r.ev_class <> d.refobjid AND r.rulename = '_RETURN' AND v.oid >= 16384
"""

READERS = """
WITH parts AS MATERIALIZED (
  SELECT c.oid AS owner, 'pg_catalog.pg_class'::regclass AS class, c.oid AS part
  FROM pg_catalog.pg_class c WHERE c.oid >= 16384 AND c.relkind IN ('r', 'p', 'v')
  UNION ALL
  SELECT c.oid, 'pg_catalog.pg_type'::regclass, v.type
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_type t ON t.oid = c.reltype
  CROSS JOIN LATERAL (VALUES (t.oid), (t.typarray)) v(type) WHERE c.oid >= 16384 AND c.relkind IN ('r', 'p', 'v')
  UNION ALL
  SELECT d.refobjid, 'pg_catalog.pg_class'::regclass, s.oid
  FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_class s ON s.oid = d.objid AND s.relkind = 'S'
  WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass
    AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0
)
SELECT DISTINCT parts.owner,
       CASE WHEN r.oid IS NULL THEN pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid)
            ELSE pg_catalog.pg_describe_object('pg_catalog.pg_class'::regclass, r.ev_class, 0) END
FROM parts JOIN pg_catalog.pg_depend d
  ON d.refclassid = parts.class AND d.refobjid = parts.part AND d.deptype = 'n' AND parts.owner >= 16384
LEFT JOIN pg_catalog.pg_rewrite r ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND r.oid = d.objid
LEFT JOIN pg_catalog.pg_policy p ON d.classid = 'pg_catalog.pg_policy'::regclass AND p.oid = d.objid
LEFT JOIN pg_catalog.pg_constraint k ON d.classid = 'pg_catalog.pg_constraint'::regclass AND k.oid = d.objid
LEFT JOIN pg_catalog.pg_trigger g ON d.classid = 'pg_catalog.pg_trigger'::regclass AND g.oid = d.objid
LEFT JOIN pg_catalog.pg_attrdef a ON d.classid = 'pg_catalog.pg_attrdef'::regclass AND a.oid = d.objid
LEFT JOIN pg_catalog.pg_index i ON d.classid = 'pg_catalog.pg_class'::regclass AND i.indexrelid = d.objid
WHERE coalesce(r.ev_class, p.polrelid, k.conrelid, g.tgrelid, a.adrelid, i.indrelid, 0) <> parts.owner
  AND coalesce(k.contype, '-') <> 'f'
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_class v WHERE v.oid = parts.owner AND v.relkind = 'v'
    AND d.refclassid = 'pg_catalog.pg_class'::regclass AND r.rulename = '_RETURN' AND EXISTS (
      SELECT FROM pg_catalog.pg_class o WHERE o.oid = r.ev_class AND o.relkind = 'v'))
ORDER BY 1, 2
"""

PUBLICATIONS_SINCE_15 = """
SELECT r.prrelid, a.attname, NULL::oid, 'publication', p.pubname::text
FROM pg_catalog.pg_publication_rel r JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid
JOIN pg_catalog.pg_attribute a ON a.attrelid = r.prrelid AND a.attnum = ANY (r.prattrs::int2[])
"""

PUBLISHED = """
SELECT c.oid, p.pubname::text, p.pubupdate AND NOT CASE c.relreplident WHEN 'f' THEN true WHEN 'n' THEN false
         ELSE EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND i.indimmediate
           AND CASE c.relreplident WHEN 'd' THEN i.indisprimary ELSE i.indisreplident END) END
FROM pg_catalog.pg_publication_tables t JOIN pg_catalog.pg_publication p USING (pubname)
JOIN pg_catalog.pg_namespace n ON n.nspname = t.schemaname
JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = t.tablename
ORDER BY c.oid, p.pubname
"""

INHERITANCE = """
SELECT i.inhrelid, i.inhparent FROM pg_catalog.pg_inherits i
"""

ENUMS = f"""
SELECT n.nspname, t.typname, array_agg(e.enumlabel::text ORDER BY e.enumsortorder),
       CASE WHEN NOT pg_catalog.pg_has_role(t.typowner, 'USAGE') THEN pg_catalog.pg_get_userbyid(t.typowner) END
FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
JOIN pg_catalog.pg_enum e ON e.enumtypid = t.oid WHERE {USER_SCHEMA}
GROUP BY n.nspname, t.typname, t.typowner
"""

PARTITION_KEYS = """
SELECT t.partrelid, array_agg(coalesce(a.attname::text, '') ORDER BY k.at)
FROM pg_catalog.pg_partitioned_table t CROSS JOIN LATERAL unnest(t.partattrs::int2[]) WITH ORDINALITY k(num, at)
LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = t.partrelid AND a.attnum = k.num AND k.num > 0
GROUP BY t.partrelid
"""

VOLATILITY = """
SELECT level, pg_catalog.string_agg(name, E'\\x01') FROM (
  SELECT p.proname::text AS name, max(CASE p.provolatile WHEN 'v' THEN 2 WHEN 's' THEN 1 ELSE 0 END) AS level
  FROM pg_catalog.pg_proc p GROUP BY p.proname
) AS functions GROUP BY level
"""
