-- name: table_rows
-- How long the tables are, about: rows are numbered, and those deleted since leave gaps.
SELECT 'agents' AS name, count(*) AS entries FROM agents
UNION ALL SELECT 'attempts', COALESCE(max(rowid), 0) FROM attempts
UNION ALL SELECT 'audit_log', COALESCE(max(rowid), 0) FROM audit_log
UNION ALL SELECT 'call_events', count(*) FROM call_events
UNION ALL SELECT 'campaigns', count(*) FROM campaigns
UNION ALL SELECT 'contacts', COALESCE(max(rowid), 0) FROM contacts
UNION ALL SELECT 'daemons', count(*) FROM daemons
UNION ALL SELECT 'dnc', COALESCE(max(rowid), 0) FROM dnc
UNION ALL SELECT 'exports', count(*) FROM exports
UNION ALL SELECT 'imports', count(*) FROM imports
UNION ALL SELECT 'import_rows', COALESCE(max(rowid), 0) FROM import_rows
UNION ALL SELECT 'jobs', count(*) FROM jobs
UNION ALL SELECT 'members', COALESCE(max(rowid), 0) FROM members
UNION ALL SELECT 'numbers', count(*) FROM numbers
UNION ALL SELECT 'schedules', count(*) FROM schedules;
