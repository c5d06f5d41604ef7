-- orm: Diesel

SELECT "tasks"."id", "tasks"."organization_id", "tasks"."title" FROM "tasks" WHERE (("tasks"."organization_id" = $1) AND ("tasks"."id" = $2)) LIMIT $3

SELECT "tasks"."id", "projects"."name" FROM ("tasks" INNER JOIN "projects" ON (("tasks"."project_id" = "projects"."id") AND ("tasks"."organization_id" = "projects"."organization_id"))) WHERE ("tasks"."organization_id" = $1)

SELECT "tasks"."id", "users"."name" FROM (("tasks" INNER JOIN "projects" ON (("projects"."organization_id" = "tasks"."organization_id") AND ("projects"."id" = "tasks"."project_id"))) LEFT OUTER JOIN "users" ON (("users"."organization_id" = "tasks"."organization_id") AND ("users"."id" = "tasks"."assignee_id"))) WHERE (("tasks"."organization_id" = $1) AND ("projects"."status" = $2)) ORDER BY "tasks"."id"  LIMIT $3 OFFSET $4

SELECT COUNT(*) FROM "tasks" WHERE ("tasks"."organization_id" = $1)

SELECT EXISTS (SELECT "users"."id", "users"."email" FROM "users" WHERE (("users"."organization_id" = $1) AND ("users"."email" = $2)))

SELECT "comments"."id", "comments"."task_id", "comments"."body" FROM "comments" WHERE (("comments"."organization_id" = $1) AND ("comments"."task_id" = ANY($2)))

SELECT "tasks"."id" FROM "tasks" WHERE (("tasks"."organization_id" = $1) AND "tasks"."id" IN (SELECT "comments"."task_id" FROM "comments" WHERE (("comments"."organization_id" = $2) AND ("comments"."author_id" = $3))))

SELECT *, COUNT(*) OVER () FROM (SELECT "tasks"."id", "tasks"."title" FROM "tasks" WHERE ("tasks"."organization_id" = $1)) t LIMIT $2 OFFSET $3

INSERT INTO "tasks" ("id", "organization_id", "title", "state") VALUES ($1, $2, $3, DEFAULT) RETURNING "tasks"."id", "tasks"."title"

INSERT INTO "tags" ("id", "organization_id", "name") VALUES ($1, $2, $3), ($4, $5, $6) ON CONFLICT ("organization_id", "name") DO NOTHING

UPDATE "tasks" SET "title" = $1, "version" = ("tasks"."version" + $2) WHERE (("tasks"."organization_id" = $3) AND ("tasks"."id" = $4)) RETURNING "tasks"."id"

DELETE  FROM "comments" WHERE (("comments"."organization_id" = $1) AND ("comments"."id" = $2))

SELECT "tasks"."id" FROM "tasks" WHERE (("tasks"."organization_id" = $1) AND ("tasks"."id" = $2)) FOR UPDATE SKIP LOCKED

SELECT "readings"."at", "readings"."value" FROM "readings" WHERE (("readings"."device_id" = $1) AND ("readings"."at" > $2)) ORDER BY "readings"."at" DESC

-- orm: SeaORM

SELECT "tasks"."id", "tasks"."organization_id", "tasks"."title", CAST("tasks"."state" AS text) FROM "tasks" WHERE "tasks"."organization_id" = $1 AND "tasks"."id" = $2 LIMIT $3

SELECT "tasks"."id" AS "A_id", "tasks"."title" AS "A_title", "projects"."id" AS "B_id", "projects"."name" AS "B_name" FROM "tasks" LEFT JOIN "projects" ON "tasks"."organization_id" = "projects"."organization_id" AND "tasks"."project_id" = "projects"."id" WHERE "tasks"."organization_id" = $1

SELECT COUNT(*) AS num_items FROM (SELECT "tasks"."id" FROM "tasks" WHERE "tasks"."organization_id" = $1) AS "sub_query"

SELECT "tasks"."id" FROM "tasks" WHERE "tasks"."organization_id" = 42 AND ("tasks"."title" LIKE '%a%' OR "tasks"."state" IS NULL) ORDER BY "tasks"."id" ASC LIMIT 10 OFFSET 0

SELECT "comments"."id" FROM "comments" WHERE ("comments"."organization_id", "comments"."task_id") IN ((42, 1), (42, 2))

SELECT "comments"."id" FROM "comments" WHERE "comments"."organization_id" = $1 AND "comments"."task_id" IN ($2, $3)

INSERT INTO "tasks" ("id", "organization_id", "title") VALUES ($1, $2, $3) RETURNING "id", "organization_id", "title"

INSERT INTO "tags" ("id", "organization_id", "name", "color") VALUES ($1, $2, $3, $4) ON CONFLICT ("organization_id", "name") DO UPDATE SET "color" = "excluded"."color" RETURNING "id"

UPDATE "tasks" SET "title" = $1 WHERE "tasks"."organization_id" = $2 AND "tasks"."id" = $3 RETURNING "id", "title"

DELETE FROM "tasks" WHERE "tasks"."organization_id" = $1 AND "tasks"."id" = $2

SELECT "docs"."id", "docs"."title" FROM "docs" WHERE "docs"."tenant" = 'acme' AND "docs"."id" BETWEEN 1 AND 100

-- orm: sqlx

SELECT id, title AS "title!" FROM tasks WHERE organization_id = $1 AND id = $2

SELECT t.id, t.title, COUNT(c.id) AS "comments!" FROM tasks t LEFT JOIN comments c ON (c.organization_id, c.task_id) = (t.organization_id, t.id) WHERE t.organization_id = $1 GROUP BY t.organization_id, t.id

INSERT INTO detections (organization_id, match_id, detection_id, class_id) SELECT $1, $2, * FROM UNNEST($3::bigint[], $4::int[])

INSERT INTO comments (organization_id, id, task_id, body) VALUES ($1, $2, $3, $4) RETURNING id

WITH t AS (SELECT id FROM tasks WHERE organization_id = $1 AND state = 'queued' ORDER BY id FOR UPDATE SKIP LOCKED LIMIT 5) UPDATE tasks SET state = 'running' FROM t WHERE tasks.organization_id = $1 AND tasks.id = t.id RETURNING tasks.id

DELETE FROM readings WHERE device_id = $1 AND at < $2

SELECT at, value, avg(value) OVER (ORDER BY at ROWS BETWEEN 5 PRECEDING AND CURRENT ROW) AS mean FROM readings WHERE device_id = $1

SELECT EXISTS(SELECT 1 FROM blobs WHERE digest = $1)

SELECT title FROM docs WHERE tenant = $1 AND id = ANY($2)
