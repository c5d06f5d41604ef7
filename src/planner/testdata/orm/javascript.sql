-- orm: Prisma

SELECT "public"."tasks"."id", "public"."tasks"."organization_id", "public"."tasks"."title" FROM "public"."tasks" WHERE ("public"."tasks"."organization_id" = $1 AND "public"."tasks"."id" = $2 AND 1=1) LIMIT $3 OFFSET $4

SELECT "public"."comments"."id", "public"."comments"."task_id", "public"."comments"."body" FROM "public"."comments" WHERE ("public"."comments"."organization_id" = $1 AND "public"."comments"."task_id" IN ($2,$3,$4)) OFFSET $5

SELECT "public"."tasks"."id" FROM "public"."tasks" WHERE ("public"."tasks"."organization_id" = $1 AND ("public"."tasks"."title"::text ILIKE $2 OR "public"."tasks"."body"::text ILIKE $3)) ORDER BY "public"."tasks"."id" ASC LIMIT $4 OFFSET $5

SELECT COUNT(*) FROM (SELECT "public"."tasks"."id" FROM "public"."tasks" WHERE "public"."tasks"."organization_id" = $1 OFFSET $2) AS "sub"

SELECT COUNT(*), "public"."tasks"."state" FROM "public"."tasks" WHERE "public"."tasks"."organization_id" = $1 GROUP BY "public"."tasks"."state" HAVING COUNT("public"."tasks"."id") > $2 OFFSET $3

SELECT "t0"."id", "t0"."title", "tasks_project"."__prisma_data__" AS "project" FROM "public"."tasks" AS "t0" LEFT JOIN LATERAL (SELECT JSONB_BUILD_OBJECT('id', "t1"."id", 'name', "t1"."name") AS "__prisma_data__" FROM (SELECT "t2".* FROM "public"."projects" AS "t2" WHERE ("t0"."project_id" = "t2"."id" AND "t0"."organization_id" = "t2"."organization_id") LIMIT $1) AS "t1") AS "tasks_project" ON TRUE WHERE "t0"."organization_id" = $2 ORDER BY "t0"."id" ASC

SELECT "t1"."id", "t1"."name", COALESCE("p_tasks"."__prisma_data__", '[]') AS "tasks" FROM "public"."projects" AS "t1" LEFT JOIN LATERAL (SELECT COALESCE(JSONB_AGG("__prisma_data__"), '[]') AS "__prisma_data__" FROM (SELECT "t4"."__prisma_data__" FROM (SELECT JSONB_BUILD_OBJECT('id', "t3"."id", 'title', "t3"."title") AS "__prisma_data__" FROM (SELECT "t2".* FROM "public"."tasks" AS "t2" WHERE ("t1"."id" = "t2"."project_id" AND "t1"."organization_id" = "t2"."organization_id") /* root select */) AS "t3" /* inner select */) AS "t4" /* middle select */) AS "t5" /* outer select */) AS "p_tasks" ON TRUE WHERE ("t1"."organization_id" = $1 AND "t1"."id" = $2) LIMIT $3

SELECT "public"."users"."id" FROM "public"."users" WHERE ("public"."users"."organization_id" = $1 AND ("public"."users"."organization_id","public"."users"."id") IN (SELECT "t1"."organization_id", "t1"."assignee_id" FROM "public"."tasks" AS "t1" WHERE ("t1"."state" = $2 AND "t1"."organization_id" IS NOT NULL AND "t1"."assignee_id" IS NOT NULL))) OFFSET $3

SELECT "public"."tasks"."id" FROM "public"."tasks" WHERE ("public"."tasks"."organization_id" = $1 AND EXISTS(SELECT "t0"."id" FROM "public"."comments" AS "t0" WHERE ("t0"."body" LIKE $2 AND ("public"."tasks"."organization_id") = ("t0"."organization_id") AND ("public"."tasks"."id") = ("t0"."task_id") AND "t0"."id" IS NOT NULL))) OFFSET $3

SELECT "public"."tasks"."id" FROM "public"."tasks" LEFT JOIN "public"."projects" AS "orderby_1" ON ("orderby_1"."organization_id" = "public"."tasks"."organization_id" AND "orderby_1"."id" = "public"."tasks"."project_id") WHERE ("public"."tasks"."organization_id" = $1 AND 1=1) ORDER BY "orderby_1"."name" ASC OFFSET $2

INSERT INTO "public"."tasks" ("id","organization_id","title","state","created_at") VALUES ($1,$2,$3,$4,$5) RETURNING "public"."tasks"."id", "public"."tasks"."title"

INSERT INTO "public"."tags" ("organization_id","id","name") VALUES ($1,$2,$3) ON CONFLICT ("organization_id","name") DO UPDATE SET "color" = $4 WHERE ("public"."tags"."organization_id" = $5 AND 1=1) RETURNING "public"."tags"."id"

INSERT INTO "public"."comments" ("organization_id","id","task_id","body") VALUES (42,1,7,'a'), (42,2,7,'b') ON CONFLICT DO NOTHING

UPDATE "public"."tasks" SET "title" = $1, "updated_at" = $2 WHERE ("public"."tasks"."organization_id" = $3 AND "public"."tasks"."id" = $4 AND 1=1) RETURNING "public"."tasks"."id", "public"."tasks"."title"

UPDATE "public"."tasks" SET "version" = ("public"."tasks"."version" + $1) WHERE ("public"."tasks"."organization_id" = $2 AND ("public"."tasks"."id" IN ($3,$4) AND 1=1))

DELETE FROM "public"."comments" WHERE ("public"."comments"."organization_id" = $1 AND "public"."comments"."id" = $2 AND 1=1) RETURNING "public"."comments"."id"

SELECT "public"."docs"."id" FROM "public"."docs" WHERE ("public"."docs"."tenant" = $1 AND ("public"."docs"."meta"#>ARRAY['author','name']::text[])::jsonb::jsonb = $2) OFFSET $3

SELECT "public"."order_lines"."line_no" FROM "public"."order_lines" WHERE ("public"."order_lines"."organization_id" = $1 AND "public"."order_lines"."order_id" = $2) ORDER BY "public"."order_lines"."line_no" ASC OFFSET $3

SELECT MIN("sub"."value"), AVG("sub"."value") FROM (SELECT "public"."readings"."value" FROM "public"."readings" WHERE "public"."readings"."device_id" = $1 OFFSET $2) AS "sub"

-- orm: TypeORM

SELECT "Task"."id" AS "Task_id", "Task"."title" AS "Task_title", "Task"."organization_id" AS "Task_organization_id" FROM "tasks" "Task" WHERE (("Task"."organization_id" = $1) AND ("Task"."id" = $2)) AND ( "Task"."deleted_at" IS NULL ) LIMIT 1

SELECT "task"."id" AS "task_id", "project"."name" AS "project_name" FROM "tasks" "task" LEFT JOIN "projects" "project" ON "project"."id"="task"."project_id" AND "project"."organization_id"="task"."organization_id" AND ("project"."deleted_at" IS NULL) WHERE "task"."organization_id" = $1 ORDER BY "task"."id" ASC

SELECT DISTINCT "distinctAlias"."Task_id" AS "ids_Task_id" FROM (SELECT "Task"."id" AS "Task_id", "Task__Task_comments"."id" AS "Task__Task_comments_id" FROM "tasks" "Task" LEFT JOIN "comments" "Task__Task_comments" ON "Task__Task_comments"."task_id"="Task"."id" AND "Task__Task_comments"."organization_id"="Task"."organization_id" WHERE (("Task"."organization_id" = $1))) "distinctAlias" ORDER BY "Task_id" ASC LIMIT 10

SELECT COUNT(1) AS "cnt" FROM "tasks" "Task" WHERE (("Task"."organization_id" = $1))

SELECT COUNT(DISTINCT("task"."id")) AS "cnt" FROM "tasks" "task" INNER JOIN "comments" "c" ON "c"."task_id"="task"."id" AND "c"."organization_id"="task"."organization_id" WHERE "task"."organization_id" = $1

SELECT "Task"."id" AS "Task_id" FROM "tasks" "Task" WHERE (("Task"."organization_id" = $1 AND "Task"."state" = $2) OR ("Task"."organization_id" = $1 AND "Task"."priority" = $3))

SELECT "tag"."id" AS "tag_id" FROM "tags" "tag" INNER JOIN "task_tags" "task_tag" ON "task_tag"."tag_id"="tag"."id" AND "task_tag"."organization_id"="tag"."organization_id" WHERE "task_tag"."organization_id" = $1 AND "task_tag"."task_id" IN ($2, $3)

SELECT 1 AS "row_exists" FROM (SELECT 1 AS dummy_column) "dummy_table" WHERE EXISTS (SELECT 1 FROM "users" "User" WHERE (("User"."organization_id" = $1) AND ("User"."email" = $2))) LIMIT 1

INSERT INTO "tasks"("id", "organization_id", "title", "state", "created_at", "updated_at") VALUES ($1, $2, $3, DEFAULT, DEFAULT, DEFAULT) RETURNING "created_at", "updated_at", "state"

INSERT INTO "tags"("id", "organization_id", "name", "color") VALUES (1, 42, 'a', DEFAULT), (2, 42, 'b', DEFAULT) ON CONFLICT ( "organization_id", "name" ) DO UPDATE SET "color" = EXCLUDED."color" RETURNING "id"

UPDATE "tasks" SET "title" = $1, "updated_at" = CURRENT_TIMESTAMP WHERE "organization_id" = $2 AND "id" IN ($3) RETURNING "updated_at"

UPDATE "tasks" SET "version" = "version" + 1 WHERE "organization_id" = 42 AND "id" = 5

DELETE FROM "task_tags" WHERE "organization_id" = $1 AND "task_id" = $2 AND "tag_id" = $3

SELECT "r"."at" AS "r_at", "r"."value" AS "r_value" FROM "readings" "r" WHERE "r"."device_id" = 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11' AND "r"."at" > now() - interval '1 day' ORDER BY "r"."at" DESC LIMIT 100

SELECT "v"."id" AS "v_id", "v"."title" AS "v_title" FROM "open_tasks" "v" WHERE "v"."organization_id" = $1 AND "v"."project_id" = $2

-- orm: Sequelize

SELECT "id", "organization_id", "title", "state", "created_at" AS "createdAt" FROM "tasks" AS "Task" WHERE "Task"."organization_id" = 42 AND "Task"."id" = 7 LIMIT 1;

SELECT "Task"."id", "Task"."title", "comments"."id" AS "comments.id", "comments"."body" AS "comments.body" FROM "tasks" AS "Task" LEFT OUTER JOIN "comments" AS "comments" ON "Task"."id" = "comments"."task_id" AND "Task"."organization_id" = "comments"."organization_id" WHERE "Task"."organization_id" = 42 ORDER BY "Task"."id" ASC;

SELECT "Task".*, "comments"."id" AS "comments.id", "comments"."body" AS "comments.body" FROM (SELECT "Task"."id", "Task"."organization_id", "Task"."title" FROM "tasks" AS "Task" WHERE ("Task"."organization_id" = 42 AND "Task"."deleted_at" IS NULL) ORDER BY "Task"."id" DESC LIMIT 10 OFFSET 20) AS "Task" LEFT OUTER JOIN "comments" AS "comments" ON "Task"."id" = "comments"."task_id" AND "Task"."organization_id" = "comments"."organization_id" ORDER BY "Task"."id" DESC;

SELECT count(*) AS "count" FROM "tasks" AS "Task" WHERE "Task"."organization_id" = 42 AND "Task"."state" IN ('open', 'waiting');

SELECT count("Task"."id") AS "count" FROM "tasks" AS "Task" INNER JOIN "projects" AS "project" ON "Task"."project_id" = "project"."id" AND "Task"."organization_id" = "project"."organization_id" AND "project"."status" = 'open' WHERE "Task"."organization_id" = 42;

SELECT "Task"."id", "tags"."id" AS "tags.id", "tags->TaskTag"."tag_id" AS "tags.TaskTag.tag_id" FROM "tasks" AS "Task" INNER JOIN ( "task_tags" AS "tags->TaskTag" INNER JOIN "tags" AS "tags" ON "tags"."id" = "tags->TaskTag"."tag_id" AND "tags"."organization_id" = "tags->TaskTag"."organization_id" AND "tags"."name" = 'red') ON "Task"."id" = "tags->TaskTag"."task_id" AND "Task"."organization_id" = "tags->TaskTag"."organization_id" WHERE "Task"."organization_id" = 42;

SELECT "Task"."id" FROM "tasks" AS "Task" WHERE (( SELECT "id" FROM "comments" AS "comments" WHERE ("comments"."task_id" = "Task"."id" AND "comments"."organization_id" = "Task"."organization_id") LIMIT 1 ) IS NOT NULL) AND "Task"."organization_id" = 42 LIMIT 10;

SELECT sum("quantity") AS "sum" FROM "order_lines" AS "OrderLine" WHERE "OrderLine"."organization_id" = 42 AND "OrderLine"."order_id" = 17;

SELECT "id" FROM "tasks" AS "Task" WHERE ("Task"."title" ILIKE '%x%' OR "Task"."priority" > 3) AND "Task"."organization_id" = '42';

SELECT "id", "meta"#>>'{a,b}' AS "ab" FROM "tasks" AS "Task" WHERE ("Task"."meta"#>>'{a,b}') = 'c' AND "Task"."organization_id" = 42;

INSERT INTO "tasks" ("id","organization_id","title","state","created_at","updated_at") VALUES ($1,$2,$3,$4,$5,$6) RETURNING "id","organization_id","title","state","created_at","updated_at";

INSERT INTO "comments" ("organization_id","id","task_id","body") VALUES (42,1,7,'a'),(42,2,7,'b') ON CONFLICT ("organization_id","id") DO UPDATE SET "body"=EXCLUDED."body" RETURNING "organization_id","id","task_id","body";

UPDATE "tasks" SET "title"=$1,"updated_at"=$2 WHERE "organization_id" = $3 AND "id" = $4

UPDATE "tasks" SET "version"="version"+ 1,"updated_at"='2026-01-02 03:04:05.000 +00:00' WHERE "organization_id" = 42 AND "id" = 7 RETURNING *

DELETE FROM "comments" WHERE "organization_id" = 42 AND "id" IN (SELECT "id" FROM "comments" WHERE "organization_id" = 42 AND "task_id" = 7 LIMIT 5)

DELETE FROM "task_tags" WHERE "organization_id" = 42 AND "task_id" = 7 AND "tag_id" IN (3, 4)

-- orm: Knex

select * from "tasks" where "organization_id" = $1 and "id" = $2 limit $3

select "t".*, "p"."name" as "project" from "tasks" as "t" inner join "projects" as "p" on "p"."organization_id" = "t"."organization_id" and "p"."id" = "t"."project_id" where "t"."organization_id" = $1 order by "t"."id" asc limit $2

select count(*) from "tasks" where "organization_id" = $1

select count(*) as "n" from (select "id" from "tasks" where "organization_id" = $1 group by "id") as "t"

select * from "tasks" where "organization_id" = 42 and ("state" = 'open' or "assignee_id" is null) order by "created_at" desc limit 10

select * from "tasks" where ("organization_id", "id") in (($1, $2))

select "assignee_id", count("id") from "tasks" where "organization_id" = $1 group by "assignee_id" having count("id") > $2

with "mine" as (select * from "tasks" where "organization_id" = $1 and "assignee_id" = $2) select * from "mine" where "due_on" < $3

select * from "users" where "organization_id" = $1 and exists (select 1 from "tasks" where "tasks"."organization_id" = "users"."organization_id" and "tasks"."assignee_id" = "users"."id")

select "id" from "tasks" where "organization_id" = $1 union all select "id" from "projects" where "organization_id" = $1

insert into "tags" ("color", "id", "name", "organization_id") values ($1, $2, $3, $4) on conflict ("organization_id", "name") do update set "color" = excluded."color" returning *

insert into "comments" ("body", "id", "organization_id", "task_id") values ('a', 1, 42, 7), ('b', DEFAULT, 42, 7)

update "tasks" set "state" = $1 where "organization_id" = $2 and "id" = $3 returning "id", "state"

delete from "tasks" where "organization_id" = $1 and "id" in ($2, $3)

select * from "tasks" where "organization_id" = $1 and "id" = $2 for update

-- orm: Objection

select "tasks".* from "tasks" where "tasks"."organization_id" in ($1)

select "tasks"."id" as "id", "project"."id" as "project:id", "project"."name" as "project:name" from "tasks" inner join "projects" as "project" on "project"."organization_id" = "tasks"."organization_id" and "project"."id" = "tasks"."project_id" where "tasks"."organization_id" = $1

select "comments".* from "comments" where ("comments"."organization_id", "comments"."task_id") in ((42, 1), (42, 2))

select "tasks".*, (select count(*) from "comments" where "comments"."organization_id" = "tasks"."organization_id" and "comments"."task_id" = "tasks"."id") as "commentCount" from "tasks" where "tasks"."organization_id" = $1

insert into "task_tags" ("organization_id", "tag_id", "task_id") values ($1, $2, $3) returning "task_id"

update "tasks" set "title" = $1 where "tasks"."organization_id" = $2 and "tasks"."id" = $3

-- orm: Drizzle

select "id", "organization_id", "title" from "tasks" where ("tasks"."organization_id" = $1 and "tasks"."id" = $2) limit $3

select "tasks"."id", "projects"."name" from "tasks" left join "projects" on ("projects"."organization_id" = "tasks"."organization_id" and "projects"."id" = "tasks"."project_id") where "tasks"."organization_id" = $1 order by "tasks"."id" desc limit $2 offset $3

select "tasks"."id", "tasks"."title", "tasks_comments"."data" as "comments" from "tasks" "tasks" left join lateral (select coalesce(json_agg(json_build_array("tasks_comments"."id", "tasks_comments"."body")), '[]'::json) as "data" from "comments" "tasks_comments" where ("tasks_comments"."organization_id" = "tasks"."organization_id" and "tasks_comments"."task_id" = "tasks"."id")) "tasks_comments" on true where "tasks"."organization_id" = $1

select count(*) from "tasks" where ("tasks"."organization_id" = $1 and "tasks"."state" = $2)

with "sq" as (select "id", "organization_id" from "tasks" where "tasks"."organization_id" = $1) select "comments"."id" from "comments" inner join "sq" on ("sq"."organization_id" = "comments"."organization_id" and "sq"."id" = "comments"."task_id")

select "id" from "tasks" where ("tasks"."organization_id" = $1 and ("tasks"."created_at" < $2 or ("tasks"."created_at" = $3 and "tasks"."id" < $4))) order by "tasks"."created_at" desc limit $5

insert into "tasks" ("id", "organization_id", "project_id", "title", "state", "created_at") values ($1, $2, default, $3, default, default) returning "id"

insert into "tags" ("id", "organization_id", "name", "color") values ($1, $2, $3, $4) on conflict ("organization_id","name") do update set "color" = $5

update "tasks" set "state" = $1 where ("tasks"."organization_id" = $2 and "tasks"."id" = $3) returning "id"

delete from "comments" where ("comments"."organization_id" = $1 and "comments"."id" = $2) returning "id", "body"

select "number", "content" from "pages" where ("pages"."tenant" = $1 and "pages"."doc_id" = $2) order by "pages"."number" asc

select "kind", count("id") from "events" where ("events"."organization_id" = 42 and "events"."created_at" >= '2026-01-01T00:00:00.000Z') group by "kind"

-- orm: MikroORM

select "t0".* from "tasks" as "t0" where "t0"."organization_id" = 42 and "t0"."id" = 7 limit 1

select "t0"."id", "p1"."id" as "p1__id", "p1"."name" as "p1__name" from "tasks" as "t0" left join "projects" as "p1" on "t0"."organization_id" = "p1"."organization_id" and "t0"."project_id" = "p1"."id" where "t0"."organization_id" = 42 order by "t0"."id" asc limit 10

select "t0".* from "tasks" as "t0" where "t0"."organization_id" = 42 and "t0"."id" in (select "t0"."id" from (select "t0"."id" from "tasks" as "t0" left join "comments" as "c1" on "t0"."organization_id" = "c1"."organization_id" and "t0"."id" = "c1"."task_id" where "t0"."organization_id" = 42 group by "t0"."id" order by min("t0"."created_at") asc limit 5) as "t0")

select count(*) as "count" from "tasks" as "t0" where "t0"."organization_id" = 42

select "c0".* from "comments" as "c0" where ("c0"."organization_id", "c0"."task_id") in ((42, 1), (42, 2)) order by "c0"."id" asc

update "tasks" set "priority" = case when ("organization_id" = 42 and "id" = 1) then 5 when ("organization_id" = 42 and "id" = 2) then 6 else "priority" end where ("organization_id", "id") in ((42, 1), (42, 2))

delete from "comments" where ("organization_id", "id") in ((42, 9))
