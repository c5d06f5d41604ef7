-- orm: ActiveRecord

SELECT "tasks".* FROM "tasks" WHERE "tasks"."organization_id" = $1 AND "tasks"."id" = $2 LIMIT $3

SELECT "tasks".* FROM "tasks" WHERE "tasks"."organization_id" = $1 AND "tasks"."deleted_at" IS NULL ORDER BY "tasks"."created_at" DESC LIMIT $2 OFFSET $3

SELECT 1 AS one FROM "users" WHERE "users"."email" = $1 AND "users"."organization_id" = $2 LIMIT $3

SELECT COUNT(*) FROM "tasks" WHERE "tasks"."organization_id" = $1 AND "tasks"."state" != $2

SELECT COUNT(count_column) FROM (SELECT 1 AS count_column FROM "tasks" WHERE "tasks"."organization_id" = $1 LIMIT $2) subquery_for_count

SELECT COUNT(*) AS "count_all", "tasks"."state" AS "tasks_state" FROM "tasks" WHERE "tasks"."organization_id" = $1 GROUP BY "tasks"."state"

SELECT SUM("order_lines"."quantity" * "order_lines"."price") FROM "order_lines" WHERE "order_lines"."organization_id" = $1 AND "order_lines"."order_id" = $2

SELECT "comments".* FROM "comments" WHERE "comments"."organization_id" = $1 AND "comments"."task_id" IN ($2, $3, $4)

SELECT "comments".* FROM "comments" WHERE ("comments"."organization_id" = 42 AND "comments"."task_id" = 1 OR "comments"."organization_id" = 42 AND "comments"."task_id" = 2 OR "comments"."organization_id" = 42 AND "comments"."task_id" = 3)

SELECT "tasks".* FROM "tasks" INNER JOIN "projects" ON "projects"."organization_id" = "tasks"."organization_id" AND "projects"."id" = "tasks"."project_id" WHERE "tasks"."organization_id" = $1 AND "projects"."status" = $2

SELECT DISTINCT "tasks"."id", "tasks"."created_at" AS alias_0 FROM "tasks" LEFT OUTER JOIN "comments" ON "comments"."organization_id" = "tasks"."organization_id" AND "comments"."task_id" = "tasks"."id" WHERE "tasks"."organization_id" = $1 AND (comments.body ILIKE '%bug%') ORDER BY "tasks"."created_at" DESC LIMIT $2

SELECT "tasks"."id" AS t0_r0, "tasks"."title" AS t0_r1, "projects"."id" AS t1_r0, "projects"."name" AS t1_r1 FROM "tasks" LEFT OUTER JOIN "projects" ON "projects"."organization_id" = "tasks"."organization_id" AND "projects"."id" = "tasks"."project_id" WHERE "tasks"."organization_id" = $1 AND "tasks"."id" = $2

SELECT "users".* FROM "users" WHERE "users"."organization_id" = $1 AND "users"."id" IN (SELECT "tasks"."assignee_id" FROM "tasks" WHERE "tasks"."organization_id" = $2 AND "tasks"."state" = $3)

SELECT "tasks".* FROM "tasks" WHERE "tasks"."organization_id" = 42 AND (EXISTS (SELECT 1 FROM "comments" WHERE "comments"."task_id" = "tasks"."id" AND "comments"."organization_id" = "tasks"."organization_id"))

SELECT "tags".* FROM "tags" INNER JOIN "task_tags" ON "tags"."id" = "task_tags"."tag_id" AND "tags"."organization_id" = "task_tags"."organization_id" WHERE "task_tags"."organization_id" = $1 AND "task_tags"."task_id" = $2

SELECT "tasks".* FROM "tasks" WHERE "tasks"."organization_id" = $1 AND "tasks"."id" > $2 ORDER BY "tasks"."id" ASC LIMIT $3

SELECT "tasks"."id" FROM "tasks" WHERE "tasks"."organization_id" = 42 AND (tasks.due_on < CURRENT_DATE) AND ("tasks"."state" = 'open' OR "tasks"."state" = 'waiting')

SELECT "tasks".* FROM "tasks" WHERE "tasks"."organization_id" = $1 AND "tasks"."id" = $2 LIMIT $3 FOR UPDATE

INSERT INTO "tasks" ("organization_id", "id", "project_id", "title", "state", "created_at", "updated_at") VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING "id"

INSERT INTO "task_tags" ("organization_id","task_id","tag_id") VALUES (42, 1, 2), (42, 1, 3) ON CONFLICT  DO NOTHING RETURNING "organization_id","task_id","tag_id"

INSERT INTO "tags" ("organization_id","id","name","color") VALUES (42, 1, 'x', 'red') ON CONFLICT ("organization_id","name") DO UPDATE SET "color"=excluded."color" RETURNING "id"

UPDATE "tasks" SET "title" = $1, "updated_at" = $2, "version" = $3 WHERE "tasks"."organization_id" = $4 AND "tasks"."id" = $5 AND "tasks"."version" = $6

UPDATE "projects" SET "position" = COALESCE("projects"."position", 0) + $1 WHERE "projects"."organization_id" = $2 AND "projects"."id" = $3

UPDATE "tasks" SET "deleted_at" = $1 WHERE ("tasks"."organization_id", "tasks"."id") IN (SELECT "tasks"."organization_id", "tasks"."id" FROM "tasks" INNER JOIN "projects" ON "projects"."organization_id" = "tasks"."organization_id" AND "projects"."id" = "tasks"."project_id" WHERE "tasks"."organization_id" = $2 AND "projects"."deleted_at" IS NOT NULL)

DELETE FROM "comments" WHERE "comments"."organization_id" = $1 AND "comments"."id" = $2

DELETE FROM "task_tags" WHERE "task_tags"."organization_id" = $1 AND "task_tags"."task_id" = $2 AND "task_tags"."tag_id" IN ($3, $4)

SELECT "tasks".* FROM ((SELECT "tasks".* FROM "tasks" WHERE "tasks"."organization_id" = 42 AND "tasks"."state" = 'open') UNION (SELECT "tasks".* FROM "tasks" WHERE "tasks"."organization_id" = 42 AND "tasks"."priority" > 5)) "tasks" ORDER BY "tasks"."id" ASC

SELECT "tasks".*, (SELECT COUNT(*) FROM comments c WHERE c.organization_id = tasks.organization_id AND c.task_id = tasks.id) AS comments_count FROM "tasks" WHERE "tasks"."organization_id" = $1 /*application:Tracker,controller:tasks,action:index*/

WITH "recent" AS (SELECT "tasks".* FROM "tasks" WHERE "tasks"."organization_id" = $1 ORDER BY "tasks"."updated_at" DESC LIMIT 100) SELECT "recent".* FROM "recent" WHERE "recent"."state" = 'open'

SELECT DISTINCT ON (tasks.project_id) tasks.* FROM "tasks" WHERE "tasks"."organization_id" = $1 ORDER BY tasks.project_id, tasks.created_at DESC

SELECT "docs".* FROM "docs" WHERE "docs"."tenant" = $1 AND "docs"."id" = $2 LIMIT $3

SELECT "docs"."id" FROM "docs" WHERE "docs"."tenant" = 'o''brien' AND (docs.meta->>'lang' = 'en') AND (docs.search @@ to_tsquery('english', 'a & b'))

SELECT "readings".* FROM "readings" WHERE "readings"."device_id" = $1 AND "readings"."at" BETWEEN $2 AND $3 ORDER BY "readings"."at" ASC

SELECT "bookings".* FROM "bookings" WHERE "bookings"."day" = $1

SELECT "blobs".* FROM "blobs" WHERE "blobs"."digest" = $1 LIMIT $2

SELECT "events".* FROM "events" WHERE "events"."organization_id" = $1 AND "events"."created_at" >= $2 ORDER BY "events"."created_at" DESC LIMIT $3
