-- What is counted of a campaign before it starts: however many members, a few hundred rows.

-- name: preflight_states
SELECT state, count(*) AS members
  FROM members
 WHERE campaign_id = :campaign_id
 GROUP BY state;

-- name: preflight_audience
-- Those who wait for a call, by where they may be, and apart those who are not to be called.
SELECT m.window_key,
       EXISTS (SELECT 1 FROM dnc d
                WHERE d.phone = c.phone
                  AND (d.campaign_id IS NULL OR d.campaign_id = m.campaign_id)) AS listed,
       count(*) AS members,
       CAST(sum(m.attempts) AS bigint) AS attempts,
       min(m.next_at) AS next_at
  FROM members m
  JOIN contacts c ON c.id = m.contact_id
 WHERE m.campaign_id = :campaign_id AND m.state IN ('pending', 'retry')
 GROUP BY 1, 2;

-- name: preflight_capped$
-- Those who have had as many calls as may be, by the caps of their place: [key, [[since, calls]]].
SELECT count(*)
  FROM (SELECT json_extract(value, '$[0]') AS window_key, json_extract(value, '$[1]') AS limits
          FROM json_each(:caps)) caps
 CROSS JOIN members m
 WHERE m.campaign_id = :campaign_id
   AND m.window_key = caps.window_key
   AND m.state IN ('pending', 'retry')
   AND EXISTS (SELECT 1
                 FROM json_each(caps.limits) cap
                WHERE (SELECT count(*)
                         FROM members o
                         JOIN attempts a ON a.member_id = o.id
                        WHERE o.contact_id = m.contact_id
                          AND a.send_at > json_extract(cap.value, '$[0]')
                          AND (a.sid IS NOT NULL OR a.state IN ('intent', 'unknown')))
                      >= json_extract(cap.value, '$[1]'))
   AND NOT EXISTS (SELECT 1
                     FROM contacts c
                     JOIN dnc d ON d.phone = c.phone
                    WHERE c.id = m.contact_id
                      AND (d.campaign_id IS NULL OR d.campaign_id = m.campaign_id));

-- name: preflight_unfilled
-- For how many of those to be called nothing stands in place of each of these names.
SELECT p.value AS name, count(*) AS members
  FROM members m
  JOIN contacts c ON c.id = m.contact_id
 CROSS JOIN json_each(:names) p
 WHERE m.campaign_id = :campaign_id
   AND m.state IN ('pending', 'retry')
   AND coalesce((SELECT v.value FROM json_each(c.variables) v WHERE v.key = p.value),
                CASE p.value WHEN 'name' THEN c.name
                             WHEN 'email' THEN c.email
                             WHEN 'phone' THEN c.phone
                             ELSE '' END) = ''
   AND NOT EXISTS (SELECT 1 FROM dnc d
                    WHERE d.phone = c.phone
                      AND (d.campaign_id IS NULL OR d.campaign_id = m.campaign_id))
 GROUP BY p.value;

-- name: preflight_unplaced
-- Those to be called at these places, in pages.
SELECT m.id, c.phone, c.name
  FROM members m
  JOIN contacts c ON c.id = m.contact_id
 WHERE m.campaign_id = :campaign_id
   AND m.state IN ('pending', 'retry')
   AND m.window_key IN (SELECT value FROM json_each(:keys))
   AND m.id > :after
   AND NOT EXISTS (SELECT 1 FROM dnc d
                    WHERE d.phone = c.phone
                      AND (d.campaign_id IS NULL OR d.campaign_id = m.campaign_id))
 ORDER BY m.id
 LIMIT :limit;

-- name: preflight_done^
-- Those who are done after a call at least, and the calls they have had.
SELECT count(*) AS members, CAST(coalesce(sum(attempts), 0) AS bigint) AS calls
  FROM members
 WHERE campaign_id = :campaign_id
   AND state IN ('completed', 'failed', 'no_conversation')
   AND attempts > 0;

-- name: preflight_held^
-- How long the latest calls kept their lines, of whatever campaign.
SELECT count(*) AS calls, CAST(avg(closed_at - send_at) AS bigint) AS held_ms
  FROM (SELECT closed_at, send_at
          FROM attempts
         WHERE state = 'ended' AND sid IS NOT NULL
         ORDER BY id DESC
         LIMIT :limit) latest;

-- name: preflight_any_call$
SELECT 1 FROM attempts LIMIT 1;

-- name: preflight_any_listed$
SELECT 1 FROM dnc LIMIT 1;

-- name: preflight_agent^
SELECT g.kind, g.target, g.options
  FROM campaigns c
  JOIN agents g ON g.id = c.agent_id
 WHERE c.id = :campaign_id;
