-- orm: GORM

SELECT * FROM "tasks" WHERE "tasks"."organization_id" = 42 AND "tasks"."id" = 7 AND "tasks"."deleted_at" IS NULL ORDER BY "tasks"."id" LIMIT 1

SELECT * FROM "tasks" WHERE organization_id = $1 AND state IN ($2,$3) AND "tasks"."deleted_at" IS NULL ORDER BY created_at desc LIMIT $4 OFFSET $5

SELECT count(*) FROM "tasks" WHERE organization_id = $1 AND "tasks"."deleted_at" IS NULL

SELECT * FROM "comments" WHERE organization_id = $1 AND "comments"."task_id" IN ($2,$3,$4)

SELECT * FROM "comments" WHERE ("comments"."organization_id","comments"."task_id") IN ((42,1),(42,2),(42,3))

SELECT "tasks"."id","tasks"."title","Project"."id" AS "Project__id","Project"."name" AS "Project__name" FROM "tasks" LEFT JOIN "projects" "Project" ON "tasks"."organization_id" = "Project"."organization_id" AND "tasks"."project_id" = "Project"."id" AND "Project"."deleted_at" IS NULL WHERE "tasks"."organization_id" = $1 AND "tasks"."deleted_at" IS NULL

SELECT "tags"."id","tags"."name" FROM "tags" JOIN "task_tags" ON "task_tags"."organization_id" = "tags"."organization_id" AND "task_tags"."tag_id" = "tags"."id" AND "task_tags"."task_id" = 7 WHERE "tags"."organization_id" = 42

SELECT tasks.id, count(comments.id) as n FROM "tasks" left join comments on comments.organization_id = tasks.organization_id and comments.task_id = tasks.id WHERE tasks.organization_id = 42 AND "tasks"."deleted_at" IS NULL GROUP BY "tasks"."id" HAVING count(comments.id) > 2

SELECT * FROM "users" WHERE organization_id = 42 AND id IN (SELECT "assignee_id" FROM "tasks" WHERE organization_id = 42 AND state = 'open')

SELECT AVG("priority") as p FROM (SELECT * FROM "tasks" WHERE organization_id = 42 AND "tasks"."deleted_at" IS NULL) as u

SELECT * FROM "tasks" WHERE organization_id = $1 AND id = $2 AND "tasks"."deleted_at" IS NULL ORDER BY "tasks"."id" LIMIT $3 FOR UPDATE

INSERT INTO "tasks" ("id","organization_id","title","state","created_at","updated_at","deleted_at") VALUES ($1,$2,$3,$4,$5,$6,NULL) RETURNING "id"

INSERT INTO "comments" ("organization_id","id","task_id","body") VALUES (42,1,7,'a'),(42,2,7,'b'),(42,3,7,'c') ON CONFLICT ("organization_id","id") DO UPDATE SET "body"="excluded"."body"

INSERT INTO "task_tags" ("organization_id","task_id","tag_id") VALUES (42,7,1),(42,7,2) ON CONFLICT DO NOTHING

UPDATE "tasks" SET "state"=$1,"updated_at"=$2 WHERE "organization_id" = $3 AND "id" = $4 AND "tasks"."deleted_at" IS NULL

UPDATE "projects" SET "budget"=budget - 100,"updated_at"='2026-01-02 03:04:05.678' WHERE organization_id = 42 AND id = 3 AND "projects"."deleted_at" IS NULL

UPDATE "tasks" SET "deleted_at"='2026-01-02 03:04:05.678' WHERE organization_id = 42 AND "tasks"."id" = 7 AND "tasks"."deleted_at" IS NULL

DELETE FROM "task_tags" WHERE "task_tags"."organization_id" = 42 AND "task_tags"."task_id" = 7 AND ("task_tags"."tag_id" <> 3)

SELECT * FROM "readings" WHERE device_id = 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11' ORDER BY at desc LIMIT 1

SELECT * FROM "docs" WHERE tenant = $1 AND tags @> $2

-- orm: sqlc

-- name: GetTask :one
SELECT id, organization_id, title, state FROM tasks WHERE organization_id = $1 AND id = $2 LIMIT 1

-- name: ListTasks :many
SELECT t.id, t.title, p.name AS project_name FROM tasks t JOIN projects p USING (organization_id) WHERE organization_id = $1 AND p.id = t.project_id ORDER BY t.id LIMIT $2 OFFSET $3

-- name: CountTasksByState :many
SELECT state, count(*)::bigint AS n FROM tasks WHERE organization_id = $1 GROUP BY state

-- name: ListTasksByIDs :many
SELECT * FROM tasks WHERE organization_id = $1 AND id = ANY($2::bigint[])

-- name: SearchTasks :many
SELECT id, title FROM tasks WHERE organization_id = $1 AND ($2::text = '' OR title ILIKE '%' || $2 || '%') AND (state = $3 OR $3 IS NULL)

-- name: UpdateTask :one
UPDATE tasks SET title = COALESCE($1, title), state = COALESCE($2, state), updated_at = now() WHERE organization_id = $3 AND id = $4 RETURNING *

-- name: UpsertTag :one
INSERT INTO tags (organization_id, id, name, color) VALUES ($1, $2, $3, $4) ON CONFLICT (organization_id, name) DO UPDATE SET color = EXCLUDED.color RETURNING *

-- name: InsertComments :exec
INSERT INTO comments (organization_id, id, task_id, body) SELECT $1, unnest($2::bigint[]), $3, unnest($4::text[])

-- name: MoveTasks :execrows
WITH moved AS (UPDATE tasks SET project_id = $1 WHERE organization_id = $2 AND project_id = $3 RETURNING id) SELECT count(*) FROM moved

-- name: ClaimTask :one
UPDATE tasks SET state = 'running' WHERE organization_id = $1 AND id = (SELECT id FROM tasks WHERE organization_id = $1 AND state = 'queued' ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING id

-- name: DeleteDone :execrows
DELETE FROM tasks WHERE organization_id = $1 AND state = 'done' AND updated_at < now() - make_interval(days => $2)

-- name: Latest :many
SELECT DISTINCT ON (organization_id, project_id) id, project_id FROM tasks WHERE organization_id = $1 ORDER BY organization_id, project_id, created_at DESC

-- name: DeviceStats :one
SELECT d.name, (SELECT avg(r.value) FROM readings r WHERE r.device_id = d.device_id)::float8 AS mean FROM devices d WHERE d.device_id = $1

-- name: OrderTotal :one
SELECT COALESCE(SUM(quantity * price), 0)::numeric AS total FROM order_lines WHERE organization_id = $1 AND order_id = $2

-- name: BlobByDigest :one
SELECT size, content FROM blobs WHERE digest = $1

-- name: BookingsOf :many
SELECT id, room, guest FROM bookings WHERE day = $1::date ORDER BY room

-- orm: ent

SELECT "tasks"."id", "tasks"."title" FROM "tasks" WHERE "tasks"."organization_id" = $1 AND "tasks"."id" = $2 LIMIT 2

SELECT COUNT(DISTINCT "tasks"."id") FROM "tasks" WHERE "tasks"."organization_id" = $1

SELECT DISTINCT "comments"."id", "comments"."body" FROM "comments" JOIN (SELECT "tasks"."id", "tasks"."organization_id" FROM "tasks" WHERE "tasks"."organization_id" = $1 AND "tasks"."id" = $2) AS "t1" ON "comments"."task_id" = "t1"."id" AND "comments"."organization_id" = "t1"."organization_id"

SELECT "users"."id" FROM "users" WHERE "users"."organization_id" = $1 AND EXISTS (SELECT "tasks"."assignee_id" FROM "tasks" WHERE "users"."id" = "tasks"."assignee_id" AND "tasks"."organization_id" = $2)

INSERT INTO "comments" ("organization_id", "task_id", "body", "id") VALUES ($1, $2, $3, $4), ($1, $5, $6, $7) RETURNING "id"

UPDATE "tasks" SET "title" = $1 WHERE "organization_id" = $2 AND "id" = $3 RETURNING "id", "title"

DELETE FROM "tasks" WHERE "tasks"."organization_id" = $1 AND "tasks"."id" = $2

-- orm: Bun

SELECT "t"."id", "t"."organization_id", "t"."title" FROM "tasks" AS "t" WHERE ("t"."organization_id" = 42) AND ("t"."id" = 7)

SELECT "t"."id", "project"."id" AS "project__id", "project"."name" AS "project__name" FROM "tasks" AS "t" LEFT JOIN "projects" AS "project" ON ("project"."id" = "t"."project_id") AND ("project"."organization_id" = "t"."organization_id") WHERE (t.organization_id = 42) ORDER BY "t"."id" ASC LIMIT 20

WITH "_data" ("id", "priority") AS (VALUES (1::BIGINT, 5::INTEGER), (2::BIGINT, 6::INTEGER)) UPDATE "tasks" AS "t" SET priority = _data.priority FROM "_data" WHERE (t.organization_id = 42) AND (t.id = _data.id)

INSERT INTO "tags" AS "tag" ("organization_id", "id", "name", "color") VALUES (42, 1, 'a', DEFAULT), (42, 2, 'b', DEFAULT) ON CONFLICT (organization_id, name) DO UPDATE SET color = EXCLUDED.color RETURNING "id"

DELETE FROM "comments" AS "c" WHERE (c.organization_id = 42) AND ("c"."id" IN (1, 2, 3))

-- orm: pgx

select id, title from tasks where organization_id=$1 and id=$2

select t.id, c.body from tasks t left join lateral (select body from comments c where c.organization_id=t.organization_id and c.task_id=t.id order by id desc limit 1) c on true where t.organization_id=$1

insert into detections(organization_id,match_id,detection_id,class_id,x,y,confidence) values($1,$2,$3,$4,$5,$6,$7)

select m.match_id, count(d.detection_id) from matches m left join detections d on d.organization_id=m.organization_id and d.match_id=m.match_id where m.organization_id=$1 group by m.match_id

update matches set score=score+1 where organization_id=$1 and match_id=$2 returning score

select class_id, percentile_cont(0.5) within group (order by confidence) from detections where organization_id = $1 and match_id = $2 group by rollup (class_id)
