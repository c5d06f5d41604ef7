-- orm: Eloquent

select * from "tasks" where "organization_id" = $1 and "tasks"."id" = $2 limit 1

select * from "tasks" where "tasks"."organization_id" = $1 and "tasks"."organization_id" is not null and "tasks"."deleted_at" is null order by "created_at" desc limit 15 offset 30

select count(*) as aggregate from "tasks" where "organization_id" = $1 and "state" <> $2

select exists(select * from "users" where "organization_id" = $1 and "email" = $2) as "exists"

select * from "comments" where "comments"."organization_id" = $1 and "comments"."task_id" in (1, 2, 3, 5)

select "tags".*, "task_tags"."task_id" as "pivot_task_id", "task_tags"."tag_id" as "pivot_tag_id" from "tags" inner join "task_tags" on "tags"."id" = "task_tags"."tag_id" and "tags"."organization_id" = "task_tags"."organization_id" where "task_tags"."organization_id" = $1 and "task_tags"."task_id" in (7, 8)

select "projects".*, (select count(*) from "tasks" where "projects"."id" = "tasks"."project_id" and "projects"."organization_id" = "tasks"."organization_id" and "tasks"."deleted_at" is null) as "tasks_count" from "projects" where "projects"."organization_id" = $1

select * from "users" where "organization_id" = $1 and exists (select * from "tasks" where "users"."id" = "tasks"."assignee_id" and "tasks"."organization_id" = "users"."organization_id" and "state" = $2)

select * from "projects" where "organization_id" = $1 and (select count(*) from "tasks" where "projects"."id" = "tasks"."project_id" and "projects"."organization_id" = "tasks"."organization_id") >= 3

select * from "tasks" where "organization_id" = $1 and ("state" = $2 or ("assignee_id" is null and "priority" > $3)) and "meta"->>'color' = $4

select * from "tasks" where "organization_id" = $1 and "due_on"::date = $2 and extract(year from "created_at") = $3

select "state", sum("estimate") as "total" from "tasks" where "organization_id" = $1 group by "state" having sum("estimate") > $2

select * from "tasks" where "organization_id" = $1 and "id" > $2 order by "id" asc limit 100

select * from "tasks" where "organization_id" = $1 and "id" = $2 limit 1 for update

select * from "tasks" where "organization_id" = $1 and ("meta")::jsonb @> $2 and coalesce(("meta"->>'open')::jsonb, 'false'::jsonb) = 'true'::jsonb

(select "id", "title" from "tasks" where "organization_id" = $1) union all (select "id", "name" as "title" from "projects" where "organization_id" = $2) order by "title" asc limit 10

select * from (select *, row_number() over (partition by "comments"."task_id" order by "created_at" desc) as "laravel_row" from "comments" where "comments"."organization_id" = $1 and "comments"."task_id" in (1, 2)) as "laravel_table" where "laravel_row" <= 3 order by "laravel_row"

insert into "tasks" ("organization_id", "id", "title", "state", "updated_at", "created_at") values ($1, $2, $3, $4, $5, $6) returning "id"

insert into "tags" ("color", "id", "name", "organization_id") values ('red', 1, 'a', 42), ('blue', 2, 'b', 42) on conflict ("organization_id", "name") do update set "color" = "excluded"."color"

insert into "task_tags" ("organization_id", "tag_id", "task_id") values ($1, $2, $3), ($1, $4, $3) on conflict do nothing

insert into "comments" ("organization_id", "id", "task_id", "body") select "organization_id", "id" + 1000000, "task_id", "body" from "comments" where "organization_id" = 42 and "task_id" = 7

update "tasks" set "title" = $1, "updated_at" = $2 where "organization_id" = $3 and "id" = $4

update "tasks" set "version" = "version" + 1, "updated_at" = $1 where "organization_id" = $2 and "id" = $3

update "tasks" set "state" = $1 where ctid in (select "tasks"."ctid" from "tasks" inner join "projects" on "projects"."organization_id" = "tasks"."organization_id" and "projects"."id" = "tasks"."project_id" where "tasks"."organization_id" = $2 and "projects"."status" = $3) and "organization_id" = $4

delete from "task_tags" where "task_tags"."organization_id" = $1 and "task_tags"."task_id" = $2 and "task_tags"."tag_id" in ($3, $4)

delete from "tasks" where "organization_id" = $1 and "id" = $2

select * from "docs" where "tenant" = $1 and (to_tsvector('english', "title") || to_tsvector('english', "body")) @@ plainto_tsquery('english', $2)

-- orm: Doctrine

SELECT t0.id AS id_1, t0.title AS title_2, t0.state AS state_3, t0.organization_id AS organization_id_4 FROM tasks t0 WHERE t0.organization_id = $1 AND t0.id = $2 LIMIT 1

SELECT t0_.id AS id_0, t0_.title AS title_1, p1_.id AS id_2, p1_.name AS name_3 FROM tasks t0_ INNER JOIN projects p1_ ON t0_.organization_id = p1_.organization_id AND t0_.project_id = p1_.id WHERE t0_.organization_id = $1 ORDER BY t0_.created_at DESC LIMIT 10

SELECT count(DISTINCT t0_.id) AS sclr_0 FROM tasks t0_ WHERE t0_.organization_id = $1 AND t0_.state IN ($2, $3)

SELECT DISTINCT id_0, created_at_2 FROM (SELECT t0_.id AS id_0, t0_.title AS title_1, t0_.created_at AS created_at_2, c1_.id AS id_3 FROM tasks t0_ LEFT JOIN comments c1_ ON t0_.organization_id = c1_.organization_id AND t0_.id = c1_.task_id WHERE t0_.organization_id = $1) dctrn_result ORDER BY created_at_2 DESC LIMIT 10

SELECT COUNT(*) AS dctrn_count FROM (SELECT DISTINCT id_0 FROM (SELECT t0_.id AS id_0, t0_.title AS title_1 FROM tasks t0_ WHERE t0_.organization_id = $1) dctrn_result) dctrn_table

SELECT u0_.id AS id_0 FROM users u0_ WHERE u0_.organization_id = $1 AND EXISTS (SELECT 1 FROM tasks t1_ WHERE t1_.organization_id = u0_.organization_id AND t1_.assignee_id = u0_.id)

SELECT t0_.id AS id_0 FROM tasks t0_ WHERE t0_.organization_id = 42 AND t0_.assignee_id IN (SELECT u1_.id FROM users u1_ WHERE u1_.organization_id = 42 AND u1_.active = true)

SELECT t0.id AS id_1, t0.name AS name_2 FROM tags t0 INNER JOIN task_tags ON t0.organization_id = task_tags.organization_id AND t0.id = task_tags.tag_id WHERE task_tags.organization_id = $1 AND task_tags.task_id = $2

INSERT INTO tasks (id, organization_id, title, state, created_at) VALUES ($1, $2, $3, $4, $5)

UPDATE tasks SET title = $1, version = version + 1 WHERE organization_id = $2 AND id = $3 AND version = $4

DELETE FROM comments WHERE organization_id = $1 AND id = $2

SELECT t0.version FROM tasks t0 WHERE t0.organization_id = $1 AND t0.id = $2 FOR UPDATE

SELECT SUM(o0_.quantity) AS sclr_0, o0_.sku AS sku_1 FROM order_lines o0_ WHERE o0_.organization_id = $1 AND o0_.order_id = $2 GROUP BY o0_.sku

SELECT p0_.id AS id_0, p0_.number AS number_1 FROM pages p0_ INNER JOIN docs d1_ ON (d1_.tenant = p0_.tenant AND d1_.id = p0_.doc_id) WHERE p0_.tenant = 'acme' AND d1_.title LIKE 'A%'
