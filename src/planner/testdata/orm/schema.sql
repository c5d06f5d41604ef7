-- The tables the statements of this directory are about: a tracker of tasks whose tenants are organizations,
-- the demo's matches, and one keyspace of each other kind of key. Read by PostgreSQL and, one column a line,
-- by the test.

create table organizations (
    id bigint primary key,
    name text,
    slug text,
    plan text,
    settings jsonb,
    created_at timestamptz,
    updated_at timestamptz,
    deleted_at timestamptz
);

create table users (
    id bigint,
    organization_id bigint,
    email text,
    name text,
    role text,
    active boolean,
    last_login timestamptz,
    created_at timestamptz,
    updated_at timestamptz,
    deleted_at timestamptz,
    primary key (organization_id, id),
    unique (organization_id, email)
);

create table projects (
    id bigint,
    organization_id bigint,
    owner_id bigint,
    name text,
    slug text,
    status text,
    position int,
    budget numeric,
    settings jsonb,
    created_at timestamptz,
    updated_at timestamptz,
    deleted_at timestamptz,
    primary key (organization_id, id),
    unique (organization_id, slug)
);

create table tasks (
    id bigint,
    organization_id bigint,
    project_id bigint,
    parent_id bigint,
    assignee_id bigint,
    title text,
    body text,
    state text,
    priority int,
    estimate numeric,
    due_on date,
    labels text[],
    meta jsonb,
    search tsvector,
    version int,
    created_at timestamptz,
    updated_at timestamptz,
    deleted_at timestamptz,
    primary key (organization_id, id)
);

create table comments (
    id bigint,
    organization_id bigint,
    task_id bigint,
    author_id bigint,
    body text,
    created_at timestamptz,
    updated_at timestamptz,
    primary key (organization_id, id)
);

create table tags (
    id bigint,
    organization_id bigint,
    name text,
    color text,
    primary key (organization_id, id),
    unique (organization_id, name)
);

create table task_tags (
    organization_id bigint,
    task_id bigint,
    tag_id bigint,
    primary key (organization_id, task_id, tag_id)
);

create table matches (
    organization_id bigint,
    match_id bigint,
    played_on date,
    home text,
    away text,
    score int,
    meta jsonb,
    primary key (organization_id, match_id)
);

create table detections (
    organization_id bigint,
    match_id bigint,
    detection_id bigint,
    class_id int,
    x double precision,
    y double precision,
    confidence real,
    at timestamptz,
    label text,
    primary key (organization_id, match_id, detection_id)
);

create table classes (
    id int primary key,
    name text
);

create table docs (
    tenant text,
    id bigint,
    title text,
    body text,
    tags text[],
    meta jsonb,
    search tsvector,
    rev int,
    created_at timestamptz,
    updated_at timestamptz,
    primary key (tenant, id)
);

create table pages (
    tenant text,
    doc_id bigint,
    id bigint,
    number int,
    content text,
    primary key (tenant, id)
);

create table devices (
    device_id uuid primary key,
    name text,
    kind text,
    meta jsonb,
    created_at timestamptz
);

create table readings (
    device_id uuid,
    at timestamptz,
    value double precision,
    unit text,
    primary key (device_id, at)
);

create table orders (
    organization_id bigint,
    order_id bigint,
    customer text,
    status text,
    total numeric,
    placed_at timestamptz,
    primary key (organization_id, order_id)
);

create table order_lines (
    organization_id bigint,
    order_id bigint,
    line_no int,
    sku text,
    quantity int,
    price numeric,
    primary key (organization_id, order_id, line_no)
);

create table bookings (
    day date,
    id bigint,
    room text,
    guest text,
    price numeric,
    primary key (day, id)
);

create table blobs (
    digest bytea primary key,
    size bigint,
    content bytea,
    created_at timestamptz
);

create table events (
    organization_id bigint,
    id bigint,
    kind text,
    payload jsonb,
    created_at timestamptz
) partition by range (created_at);

create table events_2025 partition of events for values from ('2025-01-01') to ('2026-01-01');

create table events_2026 partition of events for values from ('2026-01-01') to ('2027-01-01');

create view open_tasks as
select t.organization_id, t.id, t.title, t.project_id, t.priority, t.due_on, p.name as project_name
from public.tasks t join public.projects p on p.organization_id = t.organization_id and p.id = t.project_id
where t.state <> 'done';

create view task_counts as
select organization_id, project_id, count(*) as tasks from public.tasks group by organization_id, project_id;

create view recent_matches as
select organization_id, match_id, played_on, home, away from public.matches where played_on > '2025-01-01';
