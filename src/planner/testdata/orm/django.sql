-- orm: Django

SELECT "tasks"."id", "tasks"."organization_id", "tasks"."project_id", "tasks"."title", "tasks"."state", "tasks"."due_on" FROM "tasks" WHERE ("tasks"."organization_id" = 42 AND "tasks"."id" = 1017) LIMIT 21

SELECT "tasks"."id", "tasks"."title" FROM "tasks" WHERE "tasks"."organization_id" = 42 ORDER BY "tasks"."created_at" DESC, "tasks"."id" DESC LIMIT 25 OFFSET 50

SELECT COUNT(*) AS "__count" FROM "tasks" WHERE ("tasks"."organization_id" = 42 AND NOT ("tasks"."state" = 'done'))

SELECT COUNT(*) FROM (SELECT DISTINCT "tasks"."assignee_id" AS "col1" FROM "tasks" WHERE "tasks"."organization_id" = 42) subquery

SELECT 1 AS "a" FROM "users" WHERE ("users"."organization_id" = 42 AND UPPER("users"."email"::text) = UPPER('ada@example.org')) LIMIT 1

SELECT "tasks"."id", "tasks"."organization_id", "tasks"."title", "projects"."id", "projects"."organization_id", "projects"."name" FROM "tasks" INNER JOIN "projects" ON ("tasks"."project_id" = "projects"."id" AND "tasks"."organization_id" = "projects"."organization_id") WHERE ("tasks"."organization_id" = 42 AND "projects"."status" = 'open') ORDER BY "tasks"."priority" ASC

SELECT "tasks"."id", "tasks"."title", T4."name" FROM "tasks" LEFT OUTER JOIN "users" T4 ON ("tasks"."assignee_id" = T4."id" AND (T4."organization_id" = "tasks"."organization_id")) WHERE "tasks"."organization_id" = 42

SELECT ("task_tags"."task_id") AS "_prefetch_related_val_task_id", "tags"."id", "tags"."organization_id", "tags"."name" FROM "tags" INNER JOIN "task_tags" ON ("tags"."id" = "task_tags"."tag_id" AND "tags"."organization_id" = "task_tags"."organization_id") WHERE ("task_tags"."organization_id" = 42 AND "task_tags"."task_id" IN (1, 2, 3, 5, 8, 13))

SELECT "comments"."id", "comments"."organization_id", "comments"."task_id", "comments"."body" FROM "comments" WHERE ("comments"."organization_id" = 42 AND "comments"."task_id" IN (1, 2, 3)) ORDER BY "comments"."created_at" ASC

SELECT "projects"."id", "projects"."name", COUNT("tasks"."id") AS "task_count" FROM "projects" LEFT OUTER JOIN "tasks" ON ("projects"."id" = "tasks"."project_id" AND "projects"."organization_id" = "tasks"."organization_id") WHERE "projects"."organization_id" = 42 GROUP BY "projects"."id", "projects"."organization_id", "projects"."name" HAVING COUNT("tasks"."id") > 3 ORDER BY "task_count" DESC

SELECT "projects"."id", "projects"."name", COUNT("tasks"."id") FILTER (WHERE "tasks"."state" = 'done') AS "done", COUNT("tasks"."id") FILTER (WHERE NOT ("tasks"."state" = 'done')) AS "open" FROM "projects" LEFT OUTER JOIN "tasks" ON ("projects"."organization_id" = "tasks"."organization_id" AND "projects"."id" = "tasks"."project_id") WHERE "projects"."organization_id" = 42 GROUP BY 1, 2

SELECT "users"."id", "users"."name" FROM "users" WHERE ("users"."organization_id" = 42 AND EXISTS(SELECT 1 AS "a" FROM "tasks" U0 WHERE (U0."assignee_id" = "users"."id" AND U0."organization_id" = "users"."organization_id" AND U0."state" = 'open') LIMIT 1))

SELECT "users"."id", "users"."name" FROM "users" WHERE ("users"."organization_id" = 42 AND NOT EXISTS(SELECT 1 AS "a" FROM "comments" U0 WHERE (U0."author_id" = ("users"."id") AND U0."organization_id" = ("users"."organization_id")) LIMIT 1))

SELECT "tasks"."id", "tasks"."title" FROM "tasks" WHERE ("tasks"."organization_id" = 42 AND "tasks"."project_id" IN (SELECT U0."id" FROM "projects" U0 WHERE (U0."organization_id" = 42 AND U0."status" = 'open')))

SELECT "tasks"."id", (SELECT U0."body" FROM "comments" U0 WHERE (U0."organization_id" = "tasks"."organization_id" AND U0."task_id" = "tasks"."id") ORDER BY U0."created_at" DESC LIMIT 1) AS "last_comment" FROM "tasks" WHERE "tasks"."organization_id" = 42

SELECT "tasks"."id" FROM "tasks" WHERE ("tasks"."organization_id" = 42 AND ("tasks"."title" LIKE '%urgent%' OR "tasks"."body" LIKE '%urgent%')) ORDER BY "tasks"."id" ASC

SELECT "tasks"."id" FROM "tasks" WHERE (UPPER("tasks"."title"::text) LIKE UPPER('%it''s%') AND "tasks"."due_on" BETWEEN '2026-01-01'::date AND '2026-01-31'::date AND "tasks"."organization_id" = 42)

SELECT DATE_TRUNC('month', "tasks"."created_at" AT TIME ZONE 'UTC') AS "month", COUNT("tasks"."id") AS "n" FROM "tasks" WHERE "tasks"."organization_id" = 42 GROUP BY DATE_TRUNC('month', "tasks"."created_at" AT TIME ZONE 'UTC') ORDER BY 1 ASC

SELECT "tasks"."id", RANK() OVER (PARTITION BY "tasks"."project_id" ORDER BY "tasks"."priority" DESC) AS "place" FROM "tasks" WHERE "tasks"."organization_id" = 42

SELECT * FROM (SELECT "tasks"."id" AS "col1", "tasks"."title" AS "col2", ROW_NUMBER() OVER (PARTITION BY "tasks"."project_id" ORDER BY "tasks"."created_at" DESC) AS "qual0" FROM "tasks" WHERE "tasks"."organization_id" = 42) "qualify" WHERE "qual0" <= 3

SELECT "tasks"."id", "tasks"."version" FROM "tasks" WHERE ("tasks"."organization_id" = 42 AND "tasks"."id" = 7) FOR UPDATE

SELECT "tasks"."id" FROM "tasks" WHERE ("tasks"."organization_id" = 42 AND "tasks"."state" = 'queued') ORDER BY "tasks"."id" ASC LIMIT 1 FOR UPDATE SKIP LOCKED

SELECT "tasks"."id" FROM "tasks" INNER JOIN "projects" ON ("tasks"."organization_id" = "projects"."organization_id" AND "tasks"."project_id" = "projects"."id") WHERE ("tasks"."organization_id" = 42 AND "projects"."id" = 3) FOR NO KEY UPDATE OF "tasks"

INSERT INTO "tasks" ("id", "organization_id", "project_id", "title", "state", "created_at") VALUES (9001, 42, 3, 'Write tests', 'open', '2026-03-04T05:06:07+00:00'::timestamptz) RETURNING "tasks"."id"

INSERT INTO "task_tags" ("organization_id", "task_id", "tag_id") VALUES (42, 1, 10), (42, 1, 11), (42, 1, 12) ON CONFLICT DO NOTHING

INSERT INTO "tags" ("id", "organization_id", "name", "color") VALUES (1, 42, 'red', '#f00'), (2, 42, 'green', '#0f0') ON CONFLICT("organization_id", "name") DO UPDATE SET "color" = EXCLUDED."color" RETURNING "tags"."id"

UPDATE "tasks" SET "title" = 'New', "version" = ("tasks"."version" + 1), "updated_at" = '2026-03-04T05:06:07+00:00'::timestamptz WHERE ("tasks"."organization_id" = 42 AND "tasks"."id" = 9001)

UPDATE "tasks" SET "priority" = CASE WHEN ("tasks"."id" = 1) THEN 10 WHEN ("tasks"."id" = 2) THEN 20 ELSE NULL END::integer WHERE ("tasks"."organization_id" = 42 AND "tasks"."id" IN (1, 2))

UPDATE "tasks" SET "state" = 'archived' WHERE ("tasks"."organization_id" = 42 AND "tasks"."project_id" IN (SELECT U0."id" FROM "projects" U0 WHERE (U0."organization_id" = 42 AND U0."deleted_at" IS NOT NULL)))

DELETE FROM "comments" WHERE ("comments"."organization_id" = 42 AND "comments"."task_id" IN (1, 2, 3))

DELETE FROM "task_tags" WHERE ("task_tags"."organization_id" = 42 AND "task_tags"."tag_id" IN (SELECT U0."id" FROM "tags" U0 WHERE (U0."organization_id" = 42 AND U0."name" = 'old')))

(SELECT "tasks"."id" AS "col1", "tasks"."title" AS "col2" FROM "tasks" WHERE "tasks"."organization_id" = 42) UNION (SELECT "projects"."id" AS "col1", "projects"."name" AS "col2" FROM "projects" WHERE "projects"."organization_id" = 42) ORDER BY 2 ASC LIMIT 20

SELECT "docs"."id", "docs"."title" FROM "docs" WHERE ("docs"."tenant" = 'acme' AND "docs"."search" @@ (plainto_tsquery('english'::regconfig, 'sharding proxy'))) ORDER BY ts_rank("docs"."search", plainto_tsquery('english'::regconfig, 'sharding proxy')) DESC

SELECT "docs"."id" FROM "docs" WHERE ("docs"."tenant" = 'acme' AND ("docs"."meta" -> 'author') = '"ada"'::jsonb AND "docs"."tags" && ARRAY['a','b']::text[])

SELECT "tasks"."id" FROM "tasks" WHERE ("tasks"."organization_id" = $1 AND "tasks"."id" = $2)
