-- orm: Ecto

SELECT t0."id", t0."organization_id", t0."title", t0."state" FROM "tasks" AS t0 WHERE ((t0."organization_id" = $1) AND (t0."id" = $2))

SELECT t0."id", t0."title", p1."name" FROM "tasks" AS t0 INNER JOIN "projects" AS p1 ON (p1."organization_id" = t0."organization_id") AND (p1."id" = t0."project_id") WHERE (t0."organization_id" = $1) ORDER BY t0."created_at" DESC LIMIT 20

SELECT c0."id", c0."body", c0."task_id", c0."task_id" FROM "comments" AS c0 WHERE (c0."organization_id" = $1) AND (c0."task_id" = ANY($2)) ORDER BY c0."task_id"

SELECT count(*) FROM (SELECT DISTINCT st0."assignee_id" AS "assignee_id" FROM "tasks" AS st0 WHERE (st0."organization_id" = $1)) AS s0

SELECT count(t0."id") FROM "tasks" AS t0 WHERE (t0."organization_id" = $1) AND NOT (t0."state" = 'done')

SELECT TRUE FROM "users" AS u0 WHERE (u0."organization_id" = $1) AND (u0."email" = $2) LIMIT 1

SELECT u0."id" FROM "users" AS u0 WHERE (u0."organization_id" = $1) AND (exists((SELECT 1 FROM "tasks" AS st0 WHERE (st0."organization_id" = u0."organization_id") AND (st0."assignee_id" = u0."id"))))

SELECT p0."id", s1."n" FROM "projects" AS p0 LEFT OUTER JOIN LATERAL (SELECT count(st0."id") AS "n" FROM "tasks" AS st0 WHERE (st0."organization_id" = p0."organization_id") AND (st0."project_id" = p0."id")) AS s1 ON TRUE WHERE (p0."organization_id" = $1)

WITH RECURSIVE "tree" AS ((SELECT st0."id" AS "id", st0."parent_id" AS "parent_id" FROM "tasks" AS st0 WHERE (st0."organization_id" = 42) AND (st0."parent_id" IS NULL)) UNION ALL (SELECT st0."id", st0."parent_id" FROM "tasks" AS st0 INNER JOIN "tree" AS st1 ON st0."parent_id" = st1."id" WHERE (st0."organization_id" = 42))) SELECT t0."id" FROM "tree" AS t0

SELECT t0."id", first_value(t0."title") OVER "w" FROM "tasks" AS t0 WHERE (t0."organization_id" = $1) WINDOW "w" AS (PARTITION BY t0."project_id" ORDER BY t0."id")

SELECT t0."id" FROM "tasks" AS t0 WHERE (t0."organization_id" = $1) AND ((t0."meta"#>'{"a","b"}') = '"c"')

INSERT INTO "tasks" AS t0 ("id","organization_id","title","created_at","updated_at") VALUES ($1,$2,$3,$4,$5) RETURNING "id"

INSERT INTO "tags" ("id","organization_id","name","color") VALUES (1,42,'a','x'),(2,42,'b',DEFAULT) ON CONFLICT ("organization_id","name") DO UPDATE SET "color" = EXCLUDED."color" RETURNING "id"

UPDATE "tasks" SET "title" = $1, "updated_at" = $2 WHERE "organization_id" = $3 AND "id" = $4

UPDATE "tasks" AS t0 SET "state" = 'done', "version" = t0."version" + 1 FROM "projects" AS p1 WHERE (p1."organization_id" = t0."organization_id") AND (p1."id" = t0."project_id") AND (t0."organization_id" = $1) AND (p1."status" = $2)

DELETE FROM "comments" WHERE "organization_id" = $1 AND "id" = $2

DELETE FROM "comments" AS c0 USING "tasks" AS t1 WHERE (t1."organization_id" = c0."organization_id") AND (t1."id" = c0."task_id") AND (c0."organization_id" = $1) AND (t1."state" = 'done')

SELECT t0."id" FROM "tasks" AS t0 WHERE (t0."organization_id" = $1) AND (t0."state" = $2) ORDER BY t0."id" LIMIT 1 FOR UPDATE SKIP LOCKED

SELECT d0."id", d0."title" FROM "docs" AS d0 WHERE (d0."tenant" = $1) AND (d0."title" ILIKE $2)

SELECT e0."kind", count(e0."id") FROM "events" AS e0 WHERE (e0."organization_id" = $1) GROUP BY e0."kind"

(SELECT t0."id" AS "id" FROM "tasks" AS t0 WHERE (t0."organization_id" = $1)) UNION ALL (SELECT p0."id" AS "id" FROM "projects" AS p0 WHERE (p0."organization_id" = $2))

-- orm: Sequel

SELECT * FROM "tasks" WHERE (("organization_id" = 42) AND ("id" = 7)) LIMIT 1

SELECT "tasks".* FROM "tasks" INNER JOIN "projects" ON (("projects"."organization_id" = "tasks"."organization_id") AND ("projects"."id" = "tasks"."project_id")) WHERE ("tasks"."organization_id" = 42)

SELECT count(*) AS "count" FROM (SELECT "state" FROM "tasks" WHERE ("organization_id" = 42) GROUP BY "state") AS "t1" LIMIT 1

SELECT * FROM "comments" WHERE (("organization_id", "task_id") IN ((42, 1), (42, 2)))

SELECT * FROM (SELECT * FROM "tasks" WHERE ("organization_id" = 42) UNION SELECT * FROM "tasks" WHERE (("organization_id" = 42) AND ("priority" > 3))) AS "t1" ORDER BY "id"

SELECT * FROM "tasks" WHERE (("organization_id" = 42) AND ("title" ILIKE '%x%' ESCAPE '\') AND ("state" NOT IN ('done', 'dropped')))

INSERT INTO "tasks" ("organization_id", "id", "title") VALUES (42, 8, 'it''s') RETURNING "id"

UPDATE "tasks" SET "title" = 'x' WHERE (("organization_id" = 42) AND ("id" = 8))

DELETE FROM "tasks" WHERE (("organization_id" = 42) AND ("id" = 8))

SELECT "id" FROM "tasks" WHERE (("organization_id" = 42) AND (EXISTS (SELECT 1 FROM "comments" WHERE (("comments"."organization_id" = "tasks"."organization_id") AND ("comments"."task_id" = "tasks"."id")))))
