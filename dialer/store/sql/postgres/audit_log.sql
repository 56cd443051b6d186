-- name: hold_audit_log$
-- Nearly every action bumps the revision in this row: one lock, and so no two orders to take them.
SELECT revision FROM control WHERE id = 1 FOR UPDATE;
