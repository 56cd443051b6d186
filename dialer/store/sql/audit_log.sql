-- name: hold_audit_log$
-- Who appends to the chain waits here for others who do; a write transaction has done so already.
SELECT 1;

-- name: audit_log_head$
SELECT hash FROM audit_log ORDER BY id DESC LIMIT 1;

-- name: add_audit_entry!
INSERT INTO audit_log (at, actor, action, subject, before, after, previous_hash, hash)
VALUES (:at, :actor, :action, :subject, :before, :after, :previous_hash, :hash);

-- name: audit_entries_after
SELECT id, at, actor, action, subject, before, after, previous_hash, hash
  FROM audit_log
 WHERE id > :after_id
 ORDER BY id
 LIMIT :limit;

-- name: list_audit_log
-- An empty text asks for anything; an action is also found by its first word.
SELECT id, at, actor, action, subject, before, after, previous_hash, hash
  FROM audit_log
 WHERE at >= :since_at
   AND (:actor = '' OR actor = :actor)
   AND (:action = '' OR action = :action OR substr(action, 1, length(:action) + 1) = :action || '.')
   AND (:subject = '' OR subject = :subject)
 ORDER BY id DESC
 LIMIT :limit;

-- name: audit_entry^
SELECT id, at, actor, action, subject, before, after, previous_hash, hash
  FROM audit_log
 WHERE id = :entry_id;

-- name: audit_entry_with_hash$
SELECT id FROM audit_log WHERE hash = :hash ORDER BY id LIMIT 1;
