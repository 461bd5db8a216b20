"""What a PostgreSQL database has, read from its catalogs: a few queries for all tables at once."""

from __future__ import annotations

from typing import Any

from devctl.safety.programs.connect import Session

_TABLES = """
SELECT c.oid::bigint AS id, n.nspname AS schema, c.relname AS name, c.relkind::text AS kind, c.relispartition AS part
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname IN (%s) AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT EXISTS (
  SELECT FROM pg_catalog.pg_depend d
  WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
"""
_COLUMNS = """
SELECT a.attrelid::bigint AS id, a.attname AS name, pg_catalog.format_type(a.atttypid, a.atttypmod) AS type,
  NOT a.attnotnull AS nullable, pg_catalog.pg_get_expr(d.adbin, d.adrelid) AS value, a.attidentity::text AS identity,
  %s AS generated, a.attislocal AS local,
  CASE WHEN a.attcollation <> t.typcollation THEN l.collname END AS collation,
  q.seqstart AS start, q.seqincrement AS increment
FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_class c ON c.oid = a.attrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
LEFT JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation
LEFT JOIN pg_catalog.pg_depend p ON a.attidentity <> '' AND p.refclassid = 'pg_catalog.pg_class'::regclass
  AND p.refobjid = a.attrelid AND p.refobjsubid = a.attnum AND p.deptype = 'i'
  AND p.classid = 'pg_catalog.pg_class'::regclass
LEFT JOIN pg_catalog.pg_sequence q ON q.seqrelid = p.objid
WHERE n.nspname IN (%s) AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attrelid, a.attnum
"""
_NAMES = """(SELECT json_agg(a.attname ORDER BY u.place) FROM unnest(%s) WITH ORDINALITY AS u (number, place)
  JOIN pg_catalog.pg_attribute a ON a.attrelid = %s AND a.attnum = u.number)"""
_CONSTRAINTS = """
SELECT k.conrelid::bigint AS id, k.conname AS name, k.contype::text AS kind, {columns} AS columns,
  rn.nspname AS target_schema, rc.relname AS target, {targets} AS targets,
  k.confupdtype::text AS on_update, k.confdeltype::text AS on_delete, k.confmatchtype::text AS match,
  k.condeferrable AS deferrable, k.condeferred AS deferred, k.convalidated AS validated, k.conislocal AS local,
  CASE WHEN k.contype = 'c' THEN pg_catalog.pg_get_expr(k.conbin, k.conrelid)
       WHEN k.contype = 'x' THEN pg_catalog.pg_get_constraintdef(k.oid) END AS text,
  {nulls} AS nulls_not_distinct
FROM pg_catalog.pg_constraint k
JOIN pg_catalog.pg_class c ON c.oid = k.conrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_class rc ON rc.oid = k.confrelid AND k.confrelid <> 0
LEFT JOIN pg_catalog.pg_namespace rn ON rn.oid = rc.relnamespace
LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = k.conindid AND k.contype IN ('p', 'u')
WHERE n.nspname IN ({schemas}) AND k.contype IN ('p', 'u', 'f', 'c', 'x')
"""
_INDEXES = """
SELECT i.indrelid::bigint AS id, x.relname AS name, i.indisunique AS "unique", m.amname AS method,
  i.indisvalid AS valid, {nulls} AS nulls_not_distinct, pg_catalog.pg_get_expr(i.indpred, i.indrelid) AS predicate,
  (SELECT json_agg(json_build_object(
      'column', a.attname, 'text', pg_catalog.pg_get_indexdef(i.indexrelid, g.n, false),
      'key', g.n <= {keys}, 'option', i.indoption[g.n - 1],
      'operators', o.opcname, 'usual', o.opcdefault,
      'collation', CASE WHEN i.indcollation[g.n - 1] NOT IN (0, coalesce(a.attcollation, t.typcollation, 0))
                        THEN l.collname END
    ) ORDER BY g.n)
   FROM pg_catalog.generate_series(1, i.indnatts) AS g (n)
   LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[g.n - 1] AND a.attnum <> 0
   LEFT JOIN pg_catalog.pg_attribute e ON e.attrelid = i.indexrelid AND e.attnum = g.n
   LEFT JOIN pg_catalog.pg_type t ON t.oid = e.atttypid
   LEFT JOIN pg_catalog.pg_opclass o ON o.oid = i.indclass[g.n - 1]
   LEFT JOIN pg_catalog.pg_collation l ON l.oid = i.indcollation[g.n - 1]) AS parts
FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid JOIN pg_catalog.pg_am m ON m.oid = x.relam
JOIN pg_catalog.pg_class c ON c.oid = i.indrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname IN ({schemas}) AND NOT EXISTS (
  SELECT FROM pg_catalog.pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x'))
"""
_ENUMS = """
SELECT n.nspname AS schema, t.typname AS name,
  (SELECT json_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid) AS labels
FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
WHERE t.typtype = 'e' AND n.nspname NOT IN ('pg_catalog', 'information_schema')
"""


def literal(text: str) -> str:
    """A string constant of SQL."""
    return "'" + text.replace("'", "''") + "'"


def read(session: Session, version: int, schemas: list[str]) -> dict[str, Any]:
    """``tables``, ``columns``, ``constraints``, ``indexes`` (each with the ``id`` of its table) and ``enums``.

    ``version`` is the server's version number, such as 150003.
    """
    names = ", ".join(literal(each) for each in schemas) or "''"
    nulls = "coalesce(i.indnullsnotdistinct, false)" if version >= 150000 else "false"
    generated = "a.attgenerated::text" if version >= 120000 else "''"
    keys = "i.indnkeyatts" if version >= 110000 else "i.indnatts"
    columns, targets = _NAMES % ("k.conkey", "k.conrelid"), _NAMES % ("k.confkey", "k.confrelid")
    return {
        "tables": session.records(_TABLES % names),
        "columns": session.records(_COLUMNS % (generated, names)),
        "constraints": session.records(
            _CONSTRAINTS.format(columns=columns, targets=targets, nulls=nulls, schemas=names)
        ),
        "indexes": session.records(_INDEXES.format(nulls=nulls, keys=keys, schemas=names)),
        "enums": session.records(_ENUMS),
    }
