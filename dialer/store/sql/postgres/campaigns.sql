-- name: deciding_plan^
SELECT c.*, g.kind AS agent_kind, s.body AS schedule_body,
       (SELECT max(r.id) FROM rule_sets r) AS rule_set_id
  FROM campaigns c
  JOIN agents g ON g.id = c.agent_id
  LEFT JOIN schedules s ON s.id = c.schedule_id
 WHERE c.id = :campaign_id
   FOR KEY SHARE OF c;
