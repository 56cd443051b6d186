-- name: add_number$
INSERT INTO numbers (phone, name, zone, max_live, spam_score, spam_source, spam_scored_at,
                     created_at)
VALUES (:phone, :name, :zone, :max_live, :score, :source, :scored_at, :now)
RETURNING id;

-- name: number_by_phone^
SELECT * FROM numbers WHERE phone = :phone;

-- name: number_phones
SELECT phone FROM numbers ORDER BY id;

-- name: list_numbers
SELECT id, phone, name, zone, max_live, spam_score, spam_source, spam_scored_at, disabled_at,
       calls_total, created_at
  FROM numbers
 ORDER BY id;

-- name: number_days_since
SELECT number_id, day, calls FROM number_days WHERE day >= :since_day;

-- name: disable_number!
UPDATE numbers SET disabled_at = :now WHERE id = :number_id AND disabled_at IS NULL;

-- name: enable_number!
UPDATE numbers SET disabled_at = NULL WHERE id = :number_id AND disabled_at IS NOT NULL;

-- name: score_number!
UPDATE numbers SET spam_score = :score, spam_source = :source, spam_scored_at = :now
 WHERE id = :number_id;

-- name: revise_campaigns_of_number!
-- Plans that daemons have read before are stale.
UPDATE campaigns SET revision = revision + 1
 WHERE id IN (SELECT campaign_id FROM campaign_numbers WHERE number_id = :number_id);

-- name: campaigns_of_number
SELECT c.id, c.name, c.status, c.max_calls_per_day, c.spam_threshold, cn.weight, cn.last_used_at
  FROM campaign_numbers cn
  JOIN campaigns c ON c.id = cn.campaign_id
 WHERE cn.number_id = :number_id
 ORDER BY c.id;

-- name: number_traces^
SELECT (SELECT count(*) FROM attempts a WHERE a.number_id = :number_id) AS attempts,
       (SELECT count(*) FROM attempts a
         WHERE a.number_id = :number_id AND a.closed_at IS NULL) AS live;

-- name: delete_number_days!
DELETE FROM number_days WHERE number_id = :number_id;

-- name: delete_number!
DELETE FROM numbers WHERE id = :number_id;
