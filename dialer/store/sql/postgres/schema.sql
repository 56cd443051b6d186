-- name: has_schema$
SELECT to_regclass('alembic_version')::text;
