-- orm: Peewee

SELECT "t1"."id", "t1"."organization_id", "t1"."title" FROM "tasks" AS "t1" WHERE (("t1"."organization_id" = 42) AND ("t1"."id" = 7)) LIMIT 1 OFFSET 0

SELECT "t1"."id", "t2"."name" FROM "tasks" AS "t1" INNER JOIN "projects" AS "t2" ON (("t1"."organization_id" = "t2"."organization_id") AND ("t1"."project_id" = "t2"."id")) WHERE ("t1"."organization_id" = 42) ORDER BY "t1"."id" LIMIT 20 OFFSET 20

SELECT COUNT(1) FROM (SELECT 1 FROM "tasks" AS "t1" WHERE ("t1"."organization_id" = 42)) AS "_wrapped"

SELECT "t1"."id", COUNT("t2"."id") AS "n" FROM "tasks" AS "t1" LEFT OUTER JOIN "comments" AS "t2" ON (("t2"."organization_id" = "t1"."organization_id") AND ("t2"."task_id" = "t1"."id")) WHERE ("t1"."organization_id" = 42) GROUP BY "t1"."id"

SELECT "t1"."id" FROM "users" AS "t1" WHERE (("t1"."organization_id" = 42) AND ("t1"."id" IN (SELECT "t2"."assignee_id" FROM "tasks" AS "t2" WHERE (("t2"."organization_id" = 42) AND ("t2"."state" = 'open')))))

SELECT "t1"."id", "t1"."body", "t1"."task_id" FROM "comments" AS "t1" INNER JOIN (SELECT "t2"."id", "t2"."organization_id" FROM "tasks" AS "t2" WHERE ("t2"."organization_id" = 42)) AS "t3" ON (("t1"."organization_id" = "t3"."organization_id") AND ("t1"."task_id" = "t3"."id"))

INSERT INTO "tasks" ("id", "organization_id", "title") VALUES (1, 42, 'a'), (2, 42, 'b') RETURNING "tasks"."id"

UPDATE "tasks" SET "version" = ("tasks"."version" + 1) WHERE (("tasks"."organization_id" = 42) AND ("tasks"."id" = 7))

DELETE FROM "comments" WHERE (("comments"."organization_id" = 42) AND ("comments"."task_id" IN (SELECT "t1"."id" FROM "tasks" AS "t1" WHERE (("t1"."organization_id" = 42) AND ("t1"."state" = 'done')))))

SELECT "t1"."id" FROM "tasks" AS "t1" WHERE (("t1"."organization_id" = 42) AND ("t1"."meta" #>> '{"color"}' = 'red'))

-- orm: Tortoise

SELECT "organization_id","title","id" FROM "tasks" WHERE "organization_id"=$1 AND "id"=$2 LIMIT $3

SELECT "tasks"."id","tasks"."title" FROM "tasks" LEFT OUTER JOIN "projects" "tasks__project" ON "tasks__project"."id"="tasks"."project_id" AND "tasks__project"."organization_id"="tasks"."organization_id" WHERE "tasks"."organization_id"=$1 AND "tasks__project"."status"=$2

SELECT COUNT(*) FROM "tasks" WHERE "organization_id"=$1

SELECT 1 FROM "users" WHERE "organization_id"=$1 AND "email"=$2 LIMIT $3

SELECT "body","id","task_id" FROM "comments" WHERE "organization_id"=$1 AND "task_id" IN ($2,$3,$4)

INSERT INTO "tasks" ("organization_id","title","id") VALUES ($1,$2,$3) RETURNING "id"

UPDATE "tasks" SET "title"=$1 WHERE "organization_id"=$2 AND "id"=$3

DELETE FROM "tasks" WHERE "organization_id"=$1 AND "id"=$2

SELECT "id" FROM "tasks" WHERE "organization_id"=42 AND CAST("title" AS VARCHAR) LIKE '%x%' ESCAPE '\'

-- orm: psycopg2

select id, title from tasks where organization_id = 42 and id = 7

select * from tasks where organization_id = 42 and id = ANY(ARRAY[1,2,3])

select * from tasks where organization_id = 42 and (project_id, state) in ((1, 'open'), (2, 'open'))

select * from docs where tenant = 'acme' and id in (1, 2)

select * from docs where tenant = E'o\'brien' and title like 'a%'

insert into tasks (organization_id, id, title, due_on, labels, meta) values (42, 1, 'x', '2026-02-03'::date, ARRAY['a','b'], '{"a": 1}')

insert into detections (organization_id, match_id, detection_id, class_id, x, y) values (42, 1, 1, 3, 0.5, 0.25), (42, 1, 2, 3, 0.5, 0.5), (42, 1, 3, 4, -1.5, 1e-3)

UPDATE tasks SET priority = data.p FROM (VALUES (1, 10), (2, 20)) AS data (id, p) WHERE tasks.organization_id = 42 AND tasks.id = data.id

select * from readings where device_id = 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid and at >= '2026-01-01T00:00:00+00:00'::timestamptz

select * from bookings where day = '2026-02-03'::date

select size from blobs where digest = '\xdeadbeef'::bytea

select match_id, home, away from recent_matches where organization_id = 42 order by played_on desc

select m.match_id, c.name, count(*) from matches m join detections d using (organization_id, match_id) join classes c on c.id = d.class_id where m.organization_id = 42 group by 1, 2

select tasks from task_counts where organization_id = 42 and project_id = 3

delete from detections d using matches m where d.organization_id = 42 and m.organization_id = 42 and d.match_id = m.match_id and m.played_on < '2020-01-01'

with gone as (delete from comments where organization_id = 42 and task_id = 7 returning *) select count(*) from gone

with t as (insert into tasks (organization_id, id, title) values (42, 10, 'x') returning organization_id, id) insert into comments (organization_id, id, task_id, body) select organization_id, 1, id, 'first' from t

-- orm: asyncpg

SELECT id, title FROM tasks WHERE organization_id = $1 AND id = ANY($2::bigint[])

SELECT t.id, x.n FROM unnest($2::bigint[]) WITH ORDINALITY AS x(id, n) JOIN tasks t ON t.id = x.id WHERE t.organization_id = $1 ORDER BY x.n

INSERT INTO readings (device_id, at, value) VALUES ($1, $2, $3) ON CONFLICT (device_id, at) DO UPDATE SET value = EXCLUDED.value

INSERT INTO readings (device_id, at, value, unit) SELECT $1::uuid, r.at, r.value, r.unit FROM unnest($2::timestamptz[], $3::float8[], $4::text[]) AS r(at, value, unit)

SELECT date_bin('5 minutes', at, timestamptz '2026-01-01 00:00:00+00') AS slot, avg(value) FROM readings WHERE device_id = $1 AND at >= $2 GROUP BY slot ORDER BY slot

MERGE INTO order_lines l USING (VALUES ($1::bigint, $2::bigint, $3::int, $4::int)) AS v(organization_id, order_id, line_no, quantity) ON l.organization_id = v.organization_id AND l.order_id = v.order_id AND l.line_no = v.line_no WHEN MATCHED THEN UPDATE SET quantity = v.quantity WHEN NOT MATCHED THEN INSERT (organization_id, order_id, line_no, quantity) VALUES (v.organization_id, v.order_id, v.line_no, v.quantity)

INSERT INTO orders (organization_id, order_id, customer, status) VALUES ($1, $2, $3, 'new') ON CONFLICT (organization_id, order_id) DO NOTHING RETURNING order_id

UPDATE orders SET total = s.total FROM (SELECT organization_id, order_id, sum(quantity * price) AS total FROM order_lines WHERE organization_id = $1 AND order_id = $2 GROUP BY organization_id, order_id) s WHERE orders.organization_id = s.organization_id AND orders.order_id = s.order_id

DELETE FROM orders WHERE organization_id = 42 AND order_id = 17

INSERT INTO orders VALUES (42, 18, 'ada', 'new', 0, now())

SELECT home, away FROM matches NATURAL JOIN detections WHERE organization_id = $1 AND label = $2

SELECT p.id, t.* FROM projects p CROSS JOIN LATERAL (SELECT count(*) AS n, max(priority) AS top FROM tasks t WHERE t.organization_id = p.organization_id AND t.project_id = p.id) t WHERE p.organization_id = $1

SELECT * FROM events_2026 WHERE organization_id = $1 AND kind = $2

-- types: 1082
SELECT room FROM bookings WHERE day = $1

-- types: 17
SELECT content FROM blobs WHERE digest = $1

-- types: 20,20
SELECT m.home, (SELECT jsonb_object_agg(c.name, x.n) FROM (SELECT class_id, count(*) AS n FROM detections d WHERE d.organization_id = m.organization_id AND d.match_id = m.match_id GROUP BY class_id) x JOIN classes c ON c.id = x.class_id) AS seen FROM matches m WHERE m.organization_id = $1 AND m.match_id = $2

SELECT * FROM (SELECT *, ntile(4) OVER (PARTITION BY organization_id ORDER BY score) AS quarter FROM matches) m WHERE organization_id = $1 AND quarter = 4

WITH a AS MATERIALIZED (SELECT * FROM detections WHERE organization_id = $1 AND confidence > 0.9) SELECT a.match_id, count(*) FROM a JOIN matches m ON m.organization_id = a.organization_id AND m.match_id = a.match_id GROUP BY a.match_id

-- orm: psycopg2

INSERT INTO pages (tenant, doc_id, id, number, content) SELECT tenant, id, 1, 1, body FROM docs WHERE tenant = 'acme' AND id = 5

UPDATE devices SET meta = meta || '{"seen": true}' WHERE device_id = '{A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11}'

SELECT o.customer FROM orders o WHERE (o.organization_id, o.order_id) = (42, 17) FOR SHARE

SELECT d.title, p.number FROM docs d LEFT JOIN pages p ON p.tenant = d.tenant AND p.doc_id = d.id WHERE d.tenant IN ('acme')
