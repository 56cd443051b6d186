-- name: hold^
SELECT held_at, held_by, hold_reason, hang_up_at, reconcile_since_at, reconciled_at
  FROM control
 WHERE id = 1;

-- name: set_hold!
UPDATE control
   SET held_at = :now, held_by = :by, hold_reason = :reason, hang_up_at = :hang_up_at
 WHERE id = 1;

-- name: hang_up_held!
UPDATE control SET hang_up_at = :now WHERE id = 1 AND held_at IS NOT NULL AND hang_up_at IS NULL;

-- name: release_hold!
UPDATE control
   SET held_at = NULL, held_by = NULL, hold_reason = NULL, hang_up_at = NULL,
       reconcile_since_at = NULL, reconciled_at = NULL
 WHERE id = 1 AND held_at IS NOT NULL;

-- name: want_reconciliation!
UPDATE control SET reconcile_since_at = :since_at, reconciled_at = NULL WHERE id = 1;

-- name: note_reconciled!
-- What the hold says is where whoever releases it looks. Something else may be wanted by now.
UPDATE control SET reconciled_at = :now, hold_reason = :reason
 WHERE id = 1 AND held_at = :held_at AND reconcile_since_at = :since_at AND reconciled_at IS NULL;

-- name: open_calls$
SELECT count(*) FROM attempts WHERE closed_at IS NULL AND state = 'placed';

-- name: active_campaigns
SELECT id, name FROM campaigns WHERE status = 'active' ORDER BY id;
