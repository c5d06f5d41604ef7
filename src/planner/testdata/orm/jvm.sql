-- orm: Hibernate

-- types: 20,20
select t1_0.id,t1_0.organization_id,t1_0.assignee_id,t1_0.body,t1_0.created_at,t1_0.state,t1_0.title,t1_0.version from tasks t1_0 where t1_0.organization_id=$1 and t1_0.id=$2

select this_.id as id1_3_0_, this_.title as title2_3_0_ from tasks this_ where this_.organization_id=$1 order by this_.id asc limit $2

select t1_0.id,t1_0.title from tasks t1_0 where t1_0.organization_id=$1 order by t1_0.created_at desc offset $2 rows fetch first $3 rows only

select count(t1_0.id) from tasks t1_0 where t1_0.organization_id=$1 and t1_0.state in ($2,$3)

select p1_0.id,p1_0.name,t1_0.project_id,t1_0.id,t1_0.title from projects p1_0 left join tasks t1_0 on p1_0.organization_id=t1_0.organization_id and p1_0.id=t1_0.project_id where (p1_0.organization_id,p1_0.id)=($1,$2)

select t1_0.task_id,t1_0.tag_id,t2_0.name from task_tags t1_0 join tags t2_0 on t2_0.organization_id=t1_0.organization_id and t2_0.id=t1_0.tag_id where (t1_0.organization_id,t1_0.task_id)=($1,$2)

select c1_0.task_id,c1_0.id,c1_0.body from comments c1_0 where c1_0.organization_id=$1 and c1_0.task_id = any ($2)

select distinct u1_0.id,u1_0.name from users u1_0 join tasks t1_0 on u1_0.id=t1_0.assignee_id and t1_0.organization_id=u1_0.organization_id where u1_0.organization_id=$1 and t1_0.due_on<current_date

select u1_0.id from users u1_0 where u1_0.organization_id=$1 and exists(select 1 from comments c1_0 where c1_0.organization_id=u1_0.organization_id and c1_0.author_id=u1_0.id)

select u1_0.id,(select count(t1_0.id) from tasks t1_0 where t1_0.organization_id=u1_0.organization_id and t1_0.assignee_id=u1_0.id) from users u1_0 where u1_0.organization_id=$1

select p1_0.status,count(p1_0.id),sum(coalesce(p1_0.budget,0)) from projects p1_0 where p1_0.organization_id=$1 group by p1_0.status having count(p1_0.id)>$2 order by 2 desc

select id from tasks where organization_id=$1 and id=$2 and version=$3 for no key update

select t1_0.id from tasks t1_0 where t1_0.organization_id=$1 and t1_0.state='queued' order by t1_0.id fetch first 1 rows only for update skip locked

-- types: 20,1043,1184,20,1043,1043,23,20
insert into tasks (assignee_id,body,created_at,organization_id,state,title,version,id) values ($1,$2,$3,$4,$5,$6,$7,$8)

-- types: 20,1043,1043,1043,23,20,20,23
update tasks set assignee_id=$1,body=$2,state=$3,title=$4,version=$5 where organization_id=$6 and id=$7 and version=$8

update tasks t1_0 set state=$1 where t1_0.organization_id=$2 and t1_0.due_on<$3

delete from comments c1_0 where c1_0.organization_id=$1 and c1_0.task_id in (select t1_0.id from tasks t1_0 where t1_0.organization_id=$2 and t1_0.state='done')

delete from task_tags where organization_id=$1 and task_id=$2 and tag_id=$3

select o1_0.order_id,o1_0.organization_id,o1_0.customer,l1_0.line_no,l1_0.sku from orders o1_0 left join order_lines l1_0 on o1_0.organization_id=l1_0.organization_id and o1_0.order_id=l1_0.order_id where o1_0.organization_id=$1 and o1_0.order_id=$2

select ol1_0.order_id,sum(ol1_0.quantity*ol1_0.price) from order_lines ol1_0 where ol1_0.organization_id=$1 and ol1_0.order_id=$2 group by ol1_0.order_id

with recursive tree (id, parent_id, organization_id, depth) as (select t1_0.id,t1_0.parent_id,t1_0.organization_id,0 from tasks t1_0 where t1_0.organization_id=$1 and t1_0.id=$2 union all select t2_0.id,t2_0.parent_id,t2_0.organization_id,tree1_0.depth+1 from tasks t2_0 join tree tree1_0 on t2_0.organization_id=tree1_0.organization_id and t2_0.parent_id=tree1_0.id) select tree2_0.id,tree2_0.depth from tree tree2_0 order by tree2_0.depth

merge into tags as t using (select cast($1 as bigint) organization_id,cast($2 as bigint) id,cast($3 as text) name) s on (t.organization_id=s.organization_id and t.id=s.id) when not matched then insert (organization_id,id,name) values (s.organization_id,s.id,s.name) when matched then update set name=s.name

-- types: 2950,1184
select r1_0.at,r1_0.value from readings r1_0 where r1_0.device_id=$1 and r1_0.at>$2 order by r1_0.at

-- types: 1043,1043
select d1_0.id,d1_0.title from docs d1_0 where d1_0.tenant=$1 and lower(d1_0.title) like lower($2) escape '\'

-- orm: Spring Data

SELECT "tasks"."id" AS "id", "tasks"."title" AS "title", "tasks"."organization_id" AS "organization_id" FROM "tasks" WHERE "tasks"."organization_id" = $1 AND ("tasks"."id" = $2)

SELECT COUNT(*) FROM "tasks" WHERE "tasks"."organization_id" = $1 AND ("tasks"."state" = $2)

SELECT tasks.id, tasks.title FROM tasks WHERE tasks.organization_id = $1 AND (tasks.title ILIKE $2) ORDER BY tasks.title ASC LIMIT 20 OFFSET 0

select t from tasks t where t.organization_id = 42 and t.id between 5 and 50 order by t.id limit 10

select t.id, t.title, c.cnt from tasks t inner join (select task_id, organization_id, count(*) as cnt from comments group by task_id, organization_id) c on c.task_id = t.id and c.organization_id = t.organization_id where t.organization_id = $1

insert into "comments" ("organization_id", "id", "task_id", "body") values ($1, $2, $3, $4)

UPDATE "tasks" SET "state" = $1 WHERE "tasks"."organization_id" = $2 AND ("tasks"."id" IN ($3, $4, $5))

DELETE FROM "comments" WHERE "comments"."organization_id" = $1 AND ("comments"."id" = $2)

select exists(select 1 from users where organization_id = $1 and lower(email) = lower($2))

-- types: 23,25
SELECT name FROM users WHERE organization_id = $1 AND email = $2

-- orm: Exposed

SELECT tasks.id, tasks.title FROM tasks WHERE (tasks.organization_id = 42) AND (tasks.id = 7)

SELECT tasks.id, projects."name" FROM tasks INNER JOIN projects ON (tasks.organization_id = projects.organization_id) AND (projects.id = tasks.project_id) WHERE tasks.organization_id = $1

SELECT COUNT(*) FROM tasks WHERE (tasks.organization_id = $1) AND (tasks."state" <> $2)

UPDATE tasks SET title=$1 WHERE (tasks.organization_id = $2) AND (tasks.id = $3)

INSERT INTO tags (color, id, "name", organization_id) VALUES ($1, $2, $3, $4) ON CONFLICT (organization_id, "name") DO UPDATE SET color=EXCLUDED.color

DELETE FROM task_tags WHERE (task_tags.organization_id = 42) AND (task_tags.task_id IN (SELECT tasks.id FROM tasks WHERE (tasks.organization_id = 42) AND (tasks.deleted_at IS NOT NULL)))

-- orm: jOOQ

select "public"."tasks"."id", "public"."tasks"."title" from "public"."tasks" where ("public"."tasks"."organization_id" = $1 and "public"."tasks"."id" = $2)

select "t"."id", "p"."name" from "public"."tasks" as "t" join "public"."projects" as "p" on ("p"."organization_id" = "t"."organization_id" and "p"."id" = "t"."project_id") where "t"."organization_id" = cast(42 as bigint) order by "t"."id" offset 0 rows fetch next 10 rows only

select "public"."projects"."id", (select coalesce(jsonb_agg(jsonb_build_array("t"."v0")), jsonb_build_array()) from (select "public"."tasks"."title" as "v0" from "public"."tasks" where ("public"."tasks"."organization_id" = "public"."projects"."organization_id" and "public"."tasks"."project_id" = "public"."projects"."id")) as "t") as "titles" from "public"."projects" where "public"."projects"."organization_id" = $1

select "v0", "v1" from (select "public"."tasks"."state" as "v0", count(*) as "v1" from "public"."tasks" where "public"."tasks"."organization_id" = $1 group by "public"."tasks"."state") as "x" order by "v1" desc

select "t"."id" from "public"."tasks" as "t" where ("t"."organization_id" = $1 and ("t"."due_on", "t"."id") > (date '2026-01-01', 5)) order by "t"."due_on", "t"."id" limit 10

select "t"."id", lag("t"."priority") over (partition by "t"."project_id" order by "t"."id") as "before" from "public"."tasks" as "t" where "t"."organization_id" = 42

with "open" as (select "t"."id", "t"."organization_id" from "public"."tasks" as "t" where ("t"."organization_id" = $1 and "t"."state" = 'open')) select "c"."body" from "open" join "public"."comments" as "c" on ("c"."organization_id" = "open"."organization_id" and "c"."task_id" = "open"."id")

insert into "public"."tags" ("organization_id", "id", "name") values (42, 1, 'a'), (42, 2, 'b') on conflict ("organization_id", "name") do update set "color" = 'grey' returning "public"."tags"."id"

insert into "public"."task_tags" ("organization_id", "task_id", "tag_id") select "t"."organization_id", "t"."id", cast($1 as bigint) from "public"."tasks" as "t" where ("t"."organization_id" = $2 and "t"."state" = 'open')

insert into "public"."matches" as "m" ("organization_id", "match_id", "home", "score") values ($1, $2, $3, $4) on conflict ("organization_id", "match_id") do update set "score" = ("m"."score" + "excluded"."score")

update "public"."tasks" set ("title", "body") = row ($1, $2) where ("public"."tasks"."organization_id" = $3 and "public"."tasks"."id" = $4)

update "public"."tasks" set "priority" = "s"."p" from (values (cast(1 as bigint), cast(10 as int)), (2, 20)) as "s" ("id", "p") where ("public"."tasks"."organization_id" = 42 and "public"."tasks"."id" = "s"."id")

merge into "public"."projects" using (select 1 as "one") as "dummy" on ("public"."projects"."organization_id" = 42 and "public"."projects"."slug" = 'web') when matched then update set "name" = 'Web' when not matched then insert ("organization_id", "id", "slug", "name") values (42, 9, 'web', 'Web')

delete from "public"."comments" where ("public"."comments"."organization_id" = $1 and not exists (select 1 as "one" from "public"."tasks" where ("public"."tasks"."organization_id" = "public"."comments"."organization_id" and "public"."tasks"."id" = "public"."comments"."task_id")))

select "public"."classes"."name", count(*) from "public"."detections" join "public"."classes" on "public"."detections"."class_id" = "public"."classes"."id" where "public"."detections"."organization_id" = $1 group by "public"."classes"."name"

(select "id" from "public"."tasks" where "organization_id" = 42) except (select "task_id" from "public"."comments" where "organization_id" = 42)
