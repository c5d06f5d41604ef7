-- orm: Entity Framework

-- types: 20,20
SELECT t.id, t.organization_id, t.title, t.state
FROM tasks AS t
WHERE t.organization_id = $1 AND t.id = $2
LIMIT 1

SELECT t.id, t.title
FROM tasks AS t
WHERE t.organization_id = $1
ORDER BY t.created_at DESC, t.id
LIMIT $3 OFFSET $2

SELECT count(*)::int
FROM tasks AS t
WHERE t.organization_id = 42 AND t.state <> 'done'

SELECT EXISTS (
    SELECT 1
    FROM users AS u
    WHERE u.organization_id = $1 AND u.email = $2)

SELECT t0.id, t0.title, t0.organization_id, c.id, c.body
FROM (
    SELECT t.id, t.organization_id, t.title
    FROM tasks AS t
    WHERE t.organization_id = $1
    ORDER BY t.id
    LIMIT $2
) AS t0
LEFT JOIN comments AS c ON t0.organization_id = c.organization_id AND t0.id = c.task_id
ORDER BY t0.id

SELECT t.id, p.name
FROM tasks AS t
INNER JOIN projects AS p ON t.organization_id = p.organization_id AND t.project_id = p.id
WHERE t.organization_id = $1 AND p.status = 'open'

SELECT t.id, p0.name
FROM tasks AS t
INNER JOIN (
    SELECT p.id, p.organization_id, p.name
    FROM projects AS p
    WHERE p.deleted_at IS NULL
) AS p0 ON t.organization_id = p0.organization_id AND t.project_id = p0.id
WHERE t.organization_id = $1

SELECT p.id, (
    SELECT count(*)::int
    FROM tasks AS t
    WHERE p.organization_id = t.organization_id AND p.id = t.project_id) AS "Count"
FROM projects AS p
WHERE p.organization_id = $1

SELECT t1.id, t1.title
FROM projects AS p
LEFT JOIN LATERAL (
    SELECT t.id, t.title, t.organization_id
    FROM tasks AS t
    WHERE p.organization_id = t.organization_id AND p.id = t.project_id
    ORDER BY t.created_at DESC
    LIMIT 1
) AS t1 ON TRUE
WHERE p.organization_id = $1

SELECT t0.state, t0.c
FROM (
    SELECT t.state, count(*)::int AS c
    FROM tasks AS t
    WHERE t.organization_id = $1
    GROUP BY t.state
) AS t0
WHERE t0.c > 5

SELECT t1.id, t1.title
FROM (
    SELECT t.project_id, t.organization_id
    FROM tasks AS t
    WHERE t.organization_id = $1
    GROUP BY t.organization_id, t.project_id
) AS t3
LEFT JOIN (
    SELECT t2.id, t2.title, t2.project_id, t2.organization_id
    FROM (
        SELECT t0.id, t0.title, t0.project_id, t0.organization_id, ROW_NUMBER() OVER(PARTITION BY t0.organization_id, t0.project_id ORDER BY t0.created_at DESC) AS row
        FROM tasks AS t0
        WHERE t0.organization_id = $1
    ) AS t2
    WHERE t2.row <= 1
) AS t1 ON t3.organization_id = t1.organization_id AND t3.project_id = t1.project_id

SELECT t.id
FROM tasks AS t
WHERE t.organization_id = $1 AND t.id = ANY ($2)

SELECT t.id
FROM tasks AS t
WHERE t.organization_id = 42 AND EXISTS (
    SELECT 1
    FROM task_tags AS tt
    INNER JOIN tags AS t0 ON tt.organization_id = t0.organization_id AND tt.tag_id = t0.id
    WHERE t.organization_id = tt.organization_id AND t.id = tt.task_id AND t0.name = 'red')

SELECT t.id, t.title
FROM tasks AS t
WHERE t.organization_id = $1
UNION
SELECT p.id, p.name
FROM projects AS p
WHERE p.organization_id = $1

SELECT d.id, ts_rank(d.search, websearch_to_tsquery('english', $2)) AS rank
FROM docs AS d
WHERE d.tenant = $1 AND d.search @@ websearch_to_tsquery('english', $2)

INSERT INTO tasks (id, organization_id, created_at, state, title)
VALUES ($1, $2, $3, $4, $5)

INSERT INTO comments (id, organization_id, task_id, body)
VALUES ($1, $2, $3, $4),
($5, $2, $3, $6)
RETURNING id

UPDATE tasks SET state = $1, title = $2
WHERE organization_id = $3 AND id = $4 AND version = $5

UPDATE tasks AS t
SET state = 'done',
    updated_at = now()
WHERE t.organization_id = $1 AND t.due_on < $2

UPDATE tasks AS t
SET priority = p.position
FROM projects AS p
WHERE t.organization_id = p.organization_id AND t.project_id = p.id AND t.organization_id = 42

DELETE FROM tasks
WHERE organization_id = $1 AND id = $2

DELETE FROM comments AS c
WHERE c.organization_id = $1 AND c.created_at < $2

-- types: 2950,1184,1184
SELECT r.at, r.value
FROM readings AS r
WHERE r.device_id = $1 AND r.at >= $2 AND r.at < $3
ORDER BY r.at

SELECT o.order_id, l.line_no
FROM orders AS o
LEFT JOIN order_lines AS l ON o.organization_id = l.organization_id AND o.order_id = l.order_id
WHERE o.organization_id = $1 AND o.order_id = $2
ORDER BY o.order_id, l.line_no

-- orm: Dapper

-- types: 23,23
select * from tasks where organization_id = $1 and id = $2

SELECT t.*, p.* FROM tasks t INNER JOIN projects p ON p.organization_id = t.organization_id AND p.id = t.project_id WHERE t.organization_id = $1

SELECT * FROM tasks WHERE organization_id = $1 AND id = ANY($2)

SELECT COUNT(1) FROM comments WHERE organization_id=$1 AND task_id=$2

INSERT INTO tags (organization_id, id, name) VALUES ($1, $2, $3) ON CONFLICT (organization_id, id) DO UPDATE SET name = EXCLUDED.name

UPDATE tasks SET title = $3 WHERE organization_id = $1 AND id = $2

with t as (select id, organization_id, parent_id from tasks where organization_id = $1) select a.id, b.id as child from t a left join t b on b.parent_id = a.id

DELETE FROM task_tags WHERE (organization_id, task_id, tag_id) = ($1, $2, $3)
