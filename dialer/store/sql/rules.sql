-- name: newest_rule_set^
SELECT id, body, created_at FROM rule_sets ORDER BY id DESC LIMIT 1;

-- name: add_rule_set$
INSERT INTO rule_sets (body, created_at) VALUES (:body, :now)
RETURNING id;

-- name: rule_set_by_id^
SELECT id, body FROM rule_sets WHERE id = :rule_set_id;

-- name: recall_put_off!
-- Whoever waits because of a cap is looked at again.
UPDATE members SET next_at = :now
 WHERE reason = 'callee_cap' AND state IN ('pending', 'retry') AND next_at > :now;
