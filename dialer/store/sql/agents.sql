-- name: add_agent$
INSERT INTO agents (name, kind, target, options, created_at)
VALUES (:name, :kind, :target, :options, :now)
RETURNING id;

-- name: agent_by_name^
SELECT * FROM agents WHERE name = :name;

-- name: agent_by_id^
SELECT * FROM agents WHERE id = :agent_id;

-- name: list_agents
SELECT g.id, g.name, g.kind, g.target, g.options, g.created_at,
       (SELECT count(*) FROM campaigns c WHERE c.agent_id = g.id) AS campaigns
  FROM agents g
 ORDER BY g.id;

-- name: edit_agent!
UPDATE agents SET name = :name, kind = :kind, target = :target, options = :options
 WHERE id = :agent_id;

-- name: agent_users
SELECT name FROM campaigns WHERE agent_id = :agent_id ORDER BY id;

-- name: delete_agent!
DELETE FROM agents WHERE id = :agent_id;

-- name: revise_campaigns_of_agent!
-- Plans that daemons have read before are stale.
UPDATE campaigns SET revision = revision + 1 WHERE agent_id = :agent_id;
