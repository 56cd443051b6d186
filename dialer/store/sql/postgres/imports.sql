-- name: not_to_be_called
SELECT phone
  FROM dnc
 WHERE phone IN (SELECT json_array_elements_text(CAST(:phones AS json)))
   AND coalesce(campaign_id, 0) IN (0, :campaign_id);

-- name: members_elsewhere
SELECT c.phone
  FROM contacts c
  JOIN members m ON m.contact_id = c.id
  JOIN campaigns ca ON ca.id = m.campaign_id
 WHERE c.phone IN (SELECT json_array_elements_text(CAST(:phones AS json)))
   AND m.campaign_id <> :campaign_id
   AND m.state IN ('pending', 'dialing', 'called', 'retry')
   AND ca.status IN ('active', 'paused');

-- name: undialed_of_import
-- As in the common file; whom a claim is taking at this moment is being called.
SELECT m.id
  FROM members m
 WHERE m.id > :after AND m.import_id = :import_id
   AND m.attempt_id IS NULL AND m.attempts = 0 AND m.state NOT IN ('dialing', 'called')
   AND NOT EXISTS (SELECT 1 FROM attempts a WHERE a.member_id = m.id)
 ORDER BY m.id
 LIMIT :limit
   FOR UPDATE OF m SKIP LOCKED;

-- name: orphans_of_import
-- As in the common file; whom another import enrols at this moment stays.
SELECT c.id
  FROM contacts c
 WHERE c.id > :after AND c.import_id = :import_id AND c.changed_at = c.created_at
   AND NOT EXISTS (SELECT 1 FROM members m WHERE m.contact_id = c.id)
 ORDER BY c.id
 LIMIT :limit
   FOR UPDATE OF c SKIP LOCKED;
