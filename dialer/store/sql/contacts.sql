-- name: hold_contacts$
-- Who writes contacts waits here for others who do; a write transaction has done so already.
SELECT 1;

-- name: contacts_by_phone
SELECT id, phone, name, email, zone, place, language, tags, variables
  FROM contacts
 WHERE phone IN (SELECT value FROM json_each(:phones));

-- name: add_contacts*!
INSERT INTO contacts (phone, name, email, zone, place, language, tags, variables, import_id,
                      created_at, changed_at)
VALUES (:phone, :name, :email, :zone, :place, :language, :tags, :variables, :import_id,
        :now, :now);

-- name: update_contacts*!
UPDATE contacts
   SET name = :name, email = :email, zone = :zone, place = :place, language = :language, tags = :tags,
       variables = :variables, changed_at = :now
 WHERE phone = :phone;

-- name: memberships_by_phone
SELECT c.id, c.phone, c.place, m.id AS member_id
  FROM contacts c
  LEFT JOIN members m ON m.contact_id = c.id AND m.campaign_id = :campaign_id
 WHERE c.phone IN (SELECT value FROM json_each(:phones));

-- name: add_members!
-- The people, each a pair of phone number and priority, who are no members yet. CROSS JOIN has
-- SQLite take them in their order.
INSERT INTO members (campaign_id, contact_id, window_key, state, priority, import_id, next_at,
                     created_at, changed_at)
SELECT :campaign_id, c.id, c.place, :state, json_extract(p.value, '$[1]'), :import_id, :now, :now,
       :now
  FROM json_each(:people) p
 CROSS JOIN contacts c
 WHERE c.phone = json_extract(p.value, '$[0]')
   AND NOT EXISTS (SELECT 1 FROM members m
                    WHERE m.contact_id = c.id AND m.campaign_id = :campaign_id);

-- name: move_members_to_place*!
-- Where a contact may be has turned out to be somewhere else.
UPDATE members
   SET window_key = :place
 WHERE contact_id = (SELECT id FROM contacts WHERE phone = :phone);

-- name: campaign_to_join^
-- The campaign keeps its status until the members are in.
SELECT id, name, status FROM campaigns WHERE id = :campaign_id;

-- name: list_contacts
SELECT id, phone, name, email, zone, language, tags, created_at
  FROM contacts
 ORDER BY id
 LIMIT :limit;

-- name: list_members
SELECT c.id, c.phone, c.name, c.email, c.zone, c.language, c.tags, c.created_at,
       m.state, m.priority, m.attempts, m.next_at, m.reason, m.last_outcome
  FROM members m
  JOIN contacts c ON c.id = m.contact_id
 WHERE m.campaign_id = :campaign_id
 ORDER BY m.id
 LIMIT :limit;

-- name: list_members_in
SELECT c.id, c.phone, c.name, c.email, c.zone, c.language, c.tags, c.created_at,
       m.state, m.priority, m.attempts, m.next_at, m.reason, m.last_outcome
  FROM members m
  JOIN contacts c ON c.id = m.contact_id
 WHERE m.campaign_id = :campaign_id AND m.state = :state
 ORDER BY m.id
 LIMIT :limit;

-- name: contact_by_phone^
SELECT * FROM contacts WHERE phone = :phone;

-- name: contact_by_id^
SELECT * FROM contacts WHERE id = :contact_id;

-- name: memberships
SELECT m.id, ca.name AS campaign, m.state, m.priority, m.attempts, m.next_at, m.reason,
       m.last_outcome, m.created_at
  FROM members m
  JOIN campaigns ca ON ca.id = m.campaign_id
 WHERE m.contact_id = :contact_id
 ORDER BY m.id;

-- name: attempts_at_contact
SELECT a.id, a.campaign_id, ca.name AS campaign, ct.name AS contact, n.phone AS from_, a.phone, a.state,
       a.outcome, a.detail, a.intent_at, a.answered_at, a.ended_at, a.duration_s, a.sid
  FROM members m
  JOIN contacts ct ON ct.id = m.contact_id
  JOIN attempts a ON a.member_id = m.id
  JOIN campaigns ca ON ca.id = a.campaign_id
  JOIN numbers n ON n.id = a.number_id
 WHERE m.contact_id = :contact_id
 ORDER BY a.intent_at, a.id;
