-- name: add_agent$
INSERT INTO agents (name, kind, target, options, created_at)
VALUES (:name, :kind, :target, :options, :now)
RETURNING id;

-- name: agent_by_name^
SELECT * FROM agents WHERE name = :name;

-- name: list_agents
SELECT g.id, g.name, g.kind, g.target, g.options, g.created_at,
       (SELECT count(*) FROM campaigns c WHERE c.agent_id = g.id) AS campaigns
  FROM agents g
 ORDER BY g.id;
