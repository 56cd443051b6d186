-- name: preflight_capped$
SELECT count(*)
  FROM (SELECT value ->> 0 AS window_key, value -> 1 AS limits
          FROM json_array_elements(CAST(:caps AS json)) AS places(value)) caps
  JOIN members m ON m.campaign_id = :campaign_id
                AND m.window_key = caps.window_key
                AND m.state IN ('pending', 'retry')
 WHERE EXISTS (SELECT 1
                 FROM json_array_elements(caps.limits) AS cap(value)
                WHERE (SELECT count(*)
                         FROM members o
                         JOIN attempts a ON a.member_id = o.id
                        WHERE o.contact_id = m.contact_id
                          AND a.send_at > CAST(cap.value ->> 0 AS bigint)
                          AND (a.sid IS NOT NULL OR a.state IN ('intent', 'unknown')))
                      >= CAST(cap.value ->> 1 AS bigint))
   AND NOT EXISTS (SELECT 1
                     FROM contacts c
                     JOIN dnc d ON d.phone = c.phone
                    WHERE c.id = m.contact_id
                      AND (d.campaign_id IS NULL OR d.campaign_id = m.campaign_id));

-- name: preflight_unfilled
SELECT p.value AS name, count(*) AS members
  FROM members m
  JOIN contacts c ON c.id = m.contact_id
 CROSS JOIN json_array_elements_text(CAST(:names AS json)) AS p(value)
 WHERE m.campaign_id = :campaign_id
   AND m.state IN ('pending', 'retry')
   AND coalesce(CAST(c.variables AS json) ->> p.value,
                CASE p.value WHEN 'name' THEN c.name
                             WHEN 'email' THEN c.email
                             WHEN 'phone' THEN c.phone
                             ELSE '' END) = ''
   AND NOT EXISTS (SELECT 1 FROM dnc d
                    WHERE d.phone = c.phone
                      AND (d.campaign_id IS NULL OR d.campaign_id = m.campaign_id))
 GROUP BY p.value;

-- name: preflight_unplaced
SELECT m.id, c.phone, c.name
  FROM members m
  JOIN contacts c ON c.id = m.contact_id
 WHERE m.campaign_id = :campaign_id
   AND m.state IN ('pending', 'retry')
   AND m.window_key IN (SELECT json_array_elements_text(CAST(:keys AS json)))
   AND m.id > :after
   AND NOT EXISTS (SELECT 1 FROM dnc d
                    WHERE d.phone = c.phone
                      AND (d.campaign_id IS NULL OR d.campaign_id = m.campaign_id))
 ORDER BY m.id
 LIMIT :limit;
