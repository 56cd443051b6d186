-- name: table_rows
-- By the server's own statistics, which lag behind a little.
SELECT relname AS name, n_live_tup AS entries FROM pg_stat_user_tables ORDER BY relname;
