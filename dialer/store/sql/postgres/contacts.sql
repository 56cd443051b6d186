-- name: hold_contacts$
-- The number is arbitrary but fixed.
SELECT pg_advisory_xact_lock(4017212);

-- name: contacts_by_phone
SELECT id, phone, name, email, zone, place, language, tags, variables
  FROM contacts
 WHERE phone IN (SELECT json_array_elements_text(CAST(:phones AS json)));

-- name: memberships_by_phone
SELECT c.id, c.phone, c.place, m.id AS member_id
  FROM contacts c
  LEFT JOIN members m ON m.contact_id = c.id AND m.campaign_id = :campaign_id
 WHERE c.phone IN (SELECT json_array_elements_text(CAST(:phones AS json)));

-- name: add_members!
INSERT INTO members (campaign_id, contact_id, window_key, state, priority, import_id, next_at,
                     created_at, changed_at)
SELECT CAST(:campaign_id AS integer), c.id, c.place, :state, CAST(p.value ->> 1 AS bigint),
       CAST(:import_id AS integer), CAST(:now AS bigint), :now, :now
  FROM json_array_elements(CAST(:people AS json)) WITH ORDINALITY AS p(value, place)
  JOIN contacts c ON c.phone = p.value ->> 0
 WHERE NOT EXISTS (SELECT 1 FROM members m
                    WHERE m.contact_id = c.id AND m.campaign_id = :campaign_id)
 ORDER BY p.place;

-- name: campaign_to_join^
SELECT id, name, status FROM campaigns WHERE id = :campaign_id FOR KEY SHARE;
