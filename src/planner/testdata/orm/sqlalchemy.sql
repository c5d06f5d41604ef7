-- orm: SQLAlchemy

SELECT tasks.id, tasks.organization_id, tasks.title, tasks.state 
FROM tasks 
WHERE tasks.organization_id = $1::BIGINT AND tasks.id = $2::BIGINT

SELECT tasks.id AS tasks_id, tasks.organization_id AS tasks_organization_id, tasks.title AS tasks_title 
FROM tasks 
WHERE tasks.organization_id = 42 ORDER BY tasks.created_at DESC 
 LIMIT 20 OFFSET 40

SELECT anon_1.tasks_id AS anon_1_tasks_id, anon_1.tasks_title AS anon_1_tasks_title, comments_1.id AS comments_1_id, comments_1.body AS comments_1_body 
FROM (SELECT tasks.id AS tasks_id, tasks.organization_id AS tasks_organization_id, tasks.title AS tasks_title 
FROM tasks 
WHERE tasks.organization_id = $1::BIGINT ORDER BY tasks.id 
 LIMIT $2::INTEGER) AS anon_1 LEFT OUTER JOIN comments AS comments_1 ON anon_1.tasks_organization_id = comments_1.organization_id AND anon_1.tasks_id = comments_1.task_id ORDER BY anon_1.tasks_id

SELECT comments.task_id AS comments_task_id, comments.id AS comments_id, comments.body AS comments_body 
FROM comments 
WHERE (comments.organization_id, comments.task_id) IN ((42, 1), (42, 2), (42, 3))

SELECT comments.task_id AS comments_task_id, comments.id AS comments_id 
FROM comments 
WHERE comments.organization_id = $1::BIGINT AND comments.task_id IN ($2::BIGINT, $3::BIGINT, $4::BIGINT)

SELECT tasks_1.id AS tasks_1_id, tags.name AS tags_name 
FROM tasks AS tasks_1 JOIN task_tags AS task_tags_1 ON tasks_1.organization_id = task_tags_1.organization_id AND tasks_1.id = task_tags_1.task_id JOIN tags ON tags.organization_id = task_tags_1.organization_id AND tags.id = task_tags_1.tag_id 
WHERE tasks_1.organization_id = $1::BIGINT AND tasks_1.id IN ($2::BIGINT, $3::BIGINT)

SELECT count(*) AS count_1 
FROM (SELECT tasks.id AS tasks_id 
FROM tasks 
WHERE tasks.organization_id = $1::BIGINT AND tasks.state != $2::VARCHAR) AS anon_1

SELECT EXISTS (SELECT 1 
FROM users 
WHERE users.organization_id = 42 AND users.email = 'ada@example.org') AS anon_1

SELECT users.id, users.name 
FROM users 
WHERE users.organization_id = $1::BIGINT AND (EXISTS (SELECT 1 
FROM tasks 
WHERE users.organization_id = tasks.organization_id AND users.id = tasks.assignee_id AND tasks.state = $2::VARCHAR))

SELECT users.id, (SELECT count(tasks.id) AS count_1 
FROM tasks 
WHERE tasks.organization_id = users.organization_id AND tasks.assignee_id = users.id) AS n 
FROM users 
WHERE users.organization_id = $1::BIGINT ORDER BY n DESC

WITH busy AS 
(SELECT tasks.assignee_id AS assignee_id, count(tasks.id) AS n 
FROM tasks 
WHERE tasks.organization_id = $1::BIGINT GROUP BY tasks.assignee_id)
 SELECT users.name, busy.n 
FROM users JOIN busy ON users.id = busy.assignee_id 
WHERE users.organization_id = $1::BIGINT

WITH RECURSIVE tree(id, organization_id, parent_id, depth) AS 
(SELECT tasks.id AS id, tasks.organization_id AS organization_id, tasks.parent_id AS parent_id, 0 AS depth 
FROM tasks 
WHERE tasks.organization_id = 42 AND tasks.parent_id IS NULL UNION ALL SELECT tasks.id AS id, tasks.organization_id AS organization_id, tasks.parent_id AS parent_id, tree.depth + 1 AS anon_1 
FROM tasks JOIN tree ON tasks.parent_id = tree.id AND tasks.organization_id = tree.organization_id)
 SELECT tree.id, tree.depth 
FROM tree ORDER BY tree.depth

SELECT row_number() OVER (PARTITION BY tasks.project_id ORDER BY tasks.priority DESC) AS rn, tasks.id 
FROM tasks 
WHERE tasks.organization_id = $1::BIGINT

SELECT anon_1.id, anon_1.title 
FROM (SELECT tasks.id AS id, tasks.title AS title, row_number() OVER (PARTITION BY tasks.organization_id, tasks.project_id ORDER BY tasks.created_at DESC) AS rn, tasks.organization_id AS organization_id 
FROM tasks) AS anon_1 
WHERE anon_1.rn <= $1::INTEGER AND anon_1.organization_id = $2::BIGINT

SELECT projects.id, anon_1.title 
FROM projects JOIN LATERAL (SELECT tasks.title AS title 
FROM tasks 
WHERE tasks.organization_id = projects.organization_id AND tasks.project_id = projects.id ORDER BY tasks.created_at DESC 
 LIMIT $1::INTEGER) AS anon_1 ON true 
WHERE projects.organization_id = $2::BIGINT

SELECT tasks.id 
FROM tasks 
WHERE tasks.organization_id = $1::BIGINT AND (tasks.created_at, tasks.id) < ($2::TIMESTAMP WITH TIME ZONE, $3::BIGINT) ORDER BY tasks.created_at DESC, tasks.id DESC 
 LIMIT $4::INTEGER

SELECT tasks.id, tasks.meta ->> 'color' AS color 
FROM tasks 
WHERE tasks.organization_id = 42 AND (tasks.meta @> '{"beta": true}'::JSONB) AND (tasks.meta #>> '{a,b}') = 'c'

SELECT tasks.id 
FROM tasks 
WHERE tasks.organization_id = 42 AND 'red' = ANY (tasks.labels)

SELECT tasks.id, tasks.title 
FROM tasks 
WHERE tasks.organization_id = $1::BIGINT AND tasks.id = ANY ($2::BIGINT[])

SELECT docs.id, docs.title 
FROM docs 
WHERE docs.tenant = $1::VARCHAR AND docs.id = $2::BIGINT

SELECT devices.device_id, devices.name 
FROM devices 
WHERE devices.device_id = $1::UUID

SELECT readings.at, readings.value 
FROM readings JOIN devices ON devices.device_id = readings.device_id 
WHERE devices.device_id = 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::UUID AND readings.at >= '2026-01-01 00:00:00+00:00'::TIMESTAMP WITH TIME ZONE

SELECT orders.order_id, order_lines.sku 
FROM orders JOIN order_lines ON orders.organization_id = order_lines.organization_id AND orders.order_id = order_lines.order_id 
WHERE orders.organization_id = $1::BIGINT AND orders.order_id = $2::BIGINT

INSERT INTO tasks (id, organization_id, project_id, title, state) VALUES ($1::BIGINT, $2::BIGINT, $3::BIGINT, $4::VARCHAR, $5::VARCHAR) RETURNING tasks.id

INSERT INTO tasks (id, organization_id, title) SELECT p0::BIGINT, p1::BIGINT, p2::VARCHAR FROM (VALUES (1, 42, 'a', 0), (2, 42, 'b', 1)) AS imp_sen(p0, p1, p2, sen_counter) ORDER BY sen_counter RETURNING tasks.id, tasks.id AS id__1

INSERT INTO comments (id, organization_id, task_id, body) VALUES (1, 42, 7, 'one'), (2, 42, 7, 'two'), (3, 42, 8, 'three')

INSERT INTO tags (id, organization_id, name, color) VALUES ($1::BIGINT, $2::BIGINT, $3::VARCHAR, $4::VARCHAR) ON CONFLICT (organization_id, name) DO UPDATE SET color = excluded.color WHERE (tags.color IS DISTINCT FROM excluded.color) RETURNING tags.id

UPDATE tasks SET title=$1::VARCHAR, version=$2::INTEGER WHERE tasks.organization_id = $3::BIGINT AND tasks.id = $4::BIGINT AND tasks.version = $5::INTEGER

UPDATE tasks SET state='closed' FROM projects WHERE tasks.organization_id = 42 AND projects.organization_id = tasks.organization_id AND projects.id = tasks.project_id AND projects.status = 'closed'

DELETE FROM comments USING tasks WHERE comments.organization_id = $1::BIGINT AND comments.organization_id = tasks.organization_id AND comments.task_id = tasks.id AND tasks.state = $2::VARCHAR RETURNING comments.id

DELETE FROM tasks WHERE tasks.organization_id = $1::BIGINT AND tasks.id = $2::BIGINT

SELECT tasks.id FROM tasks WHERE tasks.organization_id = $1::BIGINT AND tasks.id = $2::BIGINT FOR UPDATE NOWAIT

SELECT open_tasks.id, open_tasks.title, open_tasks.project_name 
FROM open_tasks 
WHERE open_tasks.organization_id = $1::BIGINT ORDER BY open_tasks.due_on NULLS LAST

SELECT anon_1.id, anon_1.title 
FROM (SELECT tasks.id AS id, tasks.title AS title 
FROM tasks 
WHERE tasks.organization_id = 42 UNION ALL SELECT projects.id AS id, projects.name AS title 
FROM projects 
WHERE projects.organization_id = 42) AS anon_1 ORDER BY anon_1.title
