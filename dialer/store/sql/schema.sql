-- name: has_schema$
SELECT name FROM sqlite_master WHERE type = 'table' AND name = 'alembic_version';

-- name: schema_revision$
SELECT version_num FROM alembic_version;
