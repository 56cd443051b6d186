-- name: add_dnc*!
INSERT INTO dnc (phone, campaign_id, source, note, created_at)
VALUES (:phone, :campaign_id, :source, :note, :now)
    ON CONFLICT (phone, coalesce(campaign_id, 0)) DO NOTHING;

-- name: add_dnc_history*!
INSERT INTO dnc_history (phone, campaign_id, event, detail, at)
VALUES (:phone, :campaign_id, :event, :detail, :now);

-- name: listed_among
-- Which of these phones are listed for exactly this scope; 0 is every campaign.
SELECT phone
  FROM dnc
 WHERE phone IN (SELECT value FROM json_each(:phones))
   AND coalesce(campaign_id, 0) = :scope;

-- name: fail_listed!
-- The literals are the rows (pending|retry, fail) of the member table; a test ties them to it.
UPDATE members
   SET state = 'failed', reason = 'do_not_call', changed_at = :now
 WHERE contact_id IN (SELECT id FROM contacts
                       WHERE phone IN (SELECT value FROM json_each(:phones)))
   AND state IN ('pending', 'retry')
   AND (:scope = 0 OR campaign_id = :scope);

-- name: refuse_members*!
UPDATE members
   SET state = :state, reason = 'do_not_call', changed_at = :now
 WHERE id = :member_id AND state = :was;

-- name: phone_of_attempt$
SELECT phone FROM attempts WHERE id = :attempt_id;

-- name: called_alike
-- Whom one of our numbers has called, under a number of this form.
SELECT DISTINCT a.phone
  FROM numbers n
  JOIN attempts a ON a.number_id = n.id
 WHERE n.phone = :number AND a.phone LIKE :alike AND a.sid IS NOT NULL
 ORDER BY a.phone;

-- name: listed_callers
-- The entries that concern somebody who calls us: for everybody, or of a campaign that called them.
SELECT d.phone, d.campaign_id
  FROM dnc d
 WHERE d.phone = :phone
   AND (d.campaign_id IS NULL
        OR EXISTS (SELECT 1
                     FROM contacts c
                     JOIN members m ON m.contact_id = c.id
                     JOIN attempts a ON a.member_id = m.id
                    WHERE c.phone = d.phone
                      AND m.campaign_id = d.campaign_id
                      AND a.sid IS NOT NULL))
 ORDER BY d.id;

-- name: phone_of_call$
-- By the attempt, or by the carrier's name for a call that is under way.
SELECT phone FROM attempts WHERE id = :call
 UNION
SELECT phone FROM attempts WHERE closed_at IS NULL AND sid = :call;

-- name: dnc_of
SELECT d.id, d.phone, d.campaign_id, c.name AS campaign, d.source, d.note, d.created_at
  FROM dnc d
  LEFT JOIN campaigns c ON c.id = d.campaign_id
 WHERE d.phone = :phone
 ORDER BY d.id;

-- name: list_dnc
-- What stands for an erased number is no number to show, search or export.
SELECT d.id, d.phone, d.campaign_id, c.name AS campaign, d.source, d.note, d.created_at
  FROM dnc d
  LEFT JOIN campaigns c ON c.id = d.campaign_id
 WHERE (:scope = 0 OR d.campaign_id = :scope)
   AND (d.phone LIKE :pattern OR lower(d.note) LIKE :pattern)
   AND d.phone LIKE '+%'
 ORDER BY d.id DESC
 LIMIT :limit;

-- name: dnc_scoped
-- The entries of one phone, of one campaign, or one entry: what a removal takes away.
SELECT id, phone, campaign_id
  FROM dnc
 WHERE (:phone = '' OR phone = :phone)
   AND (:scope = -1 OR coalesce(campaign_id, 0) = :scope);

-- name: remove_dnc*!
DELETE FROM dnc WHERE id = :id;

-- name: dnc_history_of
SELECT h.id, h.phone, h.campaign_id, c.name AS campaign, h.event, h.detail, h.at
  FROM dnc_history h
  LEFT JOIN campaigns c ON c.id = h.campaign_id
 WHERE h.phone = :phone
 ORDER BY h.id;
