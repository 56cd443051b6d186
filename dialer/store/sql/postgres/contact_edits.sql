-- name: contacts_by_id
SELECT id, phone, name, tags
  FROM contacts
 WHERE id IN (SELECT CAST(json_array_elements_text(CAST(:ids AS json)) AS bigint));

-- name: hold_members
SELECT m.id
  FROM members m
 WHERE m.campaign_id = :campaign_id
   AND m.contact_id IN
       (SELECT CAST(json_array_elements_text(CAST(:contact_ids AS json)) AS bigint))
 ORDER BY m.id
   FOR UPDATE OF m SKIP LOCKED;

-- name: members_to_edit
SELECT m.id, m.campaign_id, m.contact_id, c.phone, c.name, m.state, m.reason, m.priority,
       m.next_at, m.attempts, m.attempt_id, m.last_outcome,
       EXISTS (SELECT 1 FROM dnc d
                WHERE d.phone = c.phone
                  AND (d.campaign_id IS NULL OR d.campaign_id = m.campaign_id)) AS listed,
       EXISTS (SELECT 1 FROM attempts a WHERE a.member_id = m.id) AS dialed,
       EXISTS (SELECT 1 FROM attempts a
                WHERE a.member_id = m.id AND a.closed_at IS NULL) AS in_call,
       (SELECT max(a.intent_at)
          FROM members o
          JOIN attempts a ON a.member_id = o.id
         WHERE o.contact_id = m.contact_id AND a.state = 'not_placed') AS unplaced_at
  FROM members m
  JOIN contacts c ON c.id = m.contact_id
 WHERE m.campaign_id = :campaign_id
   AND m.contact_id IN
       (SELECT CAST(json_array_elements_text(CAST(:contact_ids AS json)) AS bigint))
 ORDER BY m.id;

-- name: hold_members_of_contact
SELECT m.id FROM members m WHERE m.contact_id = :contact_id ORDER BY m.id FOR UPDATE OF m;
