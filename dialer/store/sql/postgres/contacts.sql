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

-- name: campaign_to_join^
SELECT id, name, status FROM campaigns WHERE id = :campaign_id FOR KEY SHARE;
