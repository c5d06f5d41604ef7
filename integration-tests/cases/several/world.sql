-- The world of the statements in this directory, beside the demo's tables (src/cluster/sample), of which organizations,
-- matches and detections are sharded by organization_id and classes is a reference table.
--
-- Sharded by organization_id: readings, tags, empty_rows, lonely
-- Reference tables:           levels
-- Unsharded, on the default shard: countries, notes
-- Views, on every shard:      match_sheets, match_places, organization_crowds
--
-- All of it is for the oracle. The parts between the lines that begin with "-- part:" are for these:
--
--   everywhere        types, sharded and reference tables, reference rows: every shard
--   sharded rows      each INSERT has rows of one organization: its shard, or all through the proxy
--   default shard     unsharded tables with their rows
--   views             every shard
--
-- A statement ends with a semicolon at the end of a line; no other line ends so. Every row is written out.
--
-- Where floats are added up their sums are exact: the rows of readings with reading_id >= 900 hold those values of double_n
-- that would not be, and NaN and the infinities are there, to be filtered or not.

-- part: everywhere

create type mood as enum ('sad', 'happy', 'Ecstatic');
alter type mood add value 'meh' before 'happy';

create table readings (
    organization_id bigint,
    reading_id bigint,
    small_n smallint,
    int_n int,
    big_n bigint,
    real_n real,
    double_n double precision,
    numeric_n numeric,
    price numeric(10,2),
    valid boolean,
    day date,
    local_at timestamp,
    seen_at timestamptz,
    lasted interval,
    note text,
    code char(5),
    title varchar(20),
    raw bytea,
    device uuid,
    payload jsonb,
    numbers int[],
    words text[],
    feeling mood,
    "Mixed ""Case""" int,
    a_name_of_sixty_three_bytes_which_is_as_long_as_postgres_allows text,
    primary key (organization_id, reading_id)
);
-- No key: rows may be there twice.
create table tags (
    organization_id bigint not null,
    match_id bigint,
    tag text
);
create table empty_rows (
    organization_id bigint primary key,
    id bigint,
    n int,
    amount numeric,
    ratio double precision,
    label text
);
create table lonely (
    organization_id bigint,
    id bigint,
    n int,
    label text,
    primary key (organization_id, id)
);
create table levels (
    level int primary key,
    name text
);
insert into levels (level, name) values
    (1, 'low'),
    (2, 'middle'),
    (3, 'high'),
    (7, null),
    (10, 'extreme');

-- part: sharded rows

insert into readings (organization_id, reading_id, small_n, int_n, big_n, real_n, double_n, numeric_n, price, valid, day, local_at, seen_at, lasted, note, code, title, raw, device, payload, numbers, words, feeling, "Mixed ""Case""", a_name_of_sixty_three_bytes_which_is_as_long_as_postgres_allows) values
    (1, 1, 7, 1, 5, '0.5', '0.125', '1', '19.99', true, '2025-01-01', '2025-01-01 00:00:00', '2025-01-01 00:00:00+00', '1 day', 'a', 'a', 'first', '\x', '00000000-0000-0000-0000-000000000000', '{}', '{}', '{a,b}', 'happy', 1, null),
    (1, 2, 0, null, 9223372036854775807, null, '0', '33.333', '12345678.9', null, '1999-12-31', null, 'infinity', null, 'á', 'abcde', '', null, 'ffffffff-ffff-ffff-ffff-ffffffffffff', '[]', null, '{"with space","q\"uote",NULL,""}', 'happy', null, 'y');

insert into readings (organization_id, reading_id, small_n, int_n, big_n, real_n, double_n, numeric_n, price, valid, day, local_at, seen_at, lasted, note, code, title, raw, device, payload, numbers, words, feeling, "Mixed ""Case""", a_name_of_sixty_three_bytes_which_is_as_long_as_postgres_allows) values
    (2, 1, null, 0, 5, 'Infinity', '0.5', '-98765.4321', '-99999999.99', true, '2025-01-01', 'infinity', '2025-12-31 23:59:59+00', '1 year', 'back\slash', '9', 'Über', '\x41', '80000000-0000-4000-8000-000000000001', '{"a": 2, "tags": ["x", "y"]}', '{1,NULL,3}', '{ä,Ä}', 'Ecstatic', 2, 'x'),
    (2, 2, 1, -2147483648, -9223372036854775808, '-0.75', '-1', '-Infinity', '-3.5', false, '2000-01-01', '-infinity', '2025-03-30 00:59:59.999999+00', '-00:00:01', 'aa', null, 'twenty characters ok', '\x00', null, '{"b": [], "ä": "ö"}', '[0:1]={7,8}', '{a,b,c}', 'meh', 3, 'x'),
    (2, 3, -1, 2, 7, '-0', '0.125', '1.00', '99999999.99', true, '2025-03-31', '2025-06-15 18:45:12.5', '2025-06-15 12:00:00-07', '24:00:00', 'b', 'a b', '%', '\x00ff', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12', null, '{1}', '{"NULL","{x}"}', null, 2, null),
    (2, 4, 32767, 10, null, '-3.5', '1024.5', '2.5', '5', true, '2024-02-29', '2025-01-01 00:00:00', '2025-02-14 08:30:00.25+05:30', '00:00:00.000001', 'ss', 'A', 'first ', '\xdeadbeef', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '12.50', '{2147483647,-2147483648}', '{}', 'sad', 1, null),
    (2, 5, 12, 10, 0, '-Infinity', '-7.75', '1000', '7.25', null, 'infinity', '2025-01-01 00:00:00.000001', '2025-10-26 00:30:00+00', '365 days', 'a	b', 'ä', 'second', '\x5c27', '12345678-9abc-def0-1234-56789abcdef0', '[1, "two", null, {"three": 3}]', '{1,2,3}', null, 'happy', null, 'y');

insert into readings (organization_id, reading_id, small_n, int_n, big_n, real_n, double_n, numeric_n, price, valid, day, local_at, seen_at, lasted, note, code, title, raw, device, payload, numbers, words, feeling, "Mixed ""Case""", a_name_of_sixty_three_bytes_which_is_as_long_as_postgres_allows) values
    (3, 1, -32768, 42, 1000000000000, '-0.5', 'NaN', '-0.5', '100', true, '0044-03-15 BC', '1999-12-31 23:59:59.999999', '2025-10-26 01:30:00+00', '1 mon -1 day 02:00:00', 'ä', 'a', 'third place', '\x00', '00000000-0000-0000-0000-000000000000', 'null', '{NULL}', '{b}', 'happy', 2, 'x'),
    (3, 2, 7, 3, -1, '100.75', '12.625', '-1', null, false, '9999-12-31', '2025-03-30 02:30:00', '2025-01-01 01:00:00+01', '1 mon', 'Zebra', '', '_x', '\xff', 'ffffffff-ffff-ffff-ffff-ffffffffffff', '"just text"', '{{1,2},{3,4}}', '{NULL}', 'Ecstatic', 3, 'x'),
    (3, 3, 100, 2147483647, 5, '2', '-2', '10', '0.01', true, '1970-01-01', '0001-01-01 12:00:00 BC', '1969-12-31 23:59:59.5+00', '-1 year -2 mons', 'Flügel → Mitte', '12', 'First', '\x4142', '80000000-0000-4000-8000-000000000001', '{"a": null}', '{3,2,1}', '{a,b}', 'meh', 2, null),
    (3, 4, 3, -10, 9223372036854775807, '0.5', null, '1.0', '0', true, null, '2024-02-29 12:00:00', '0044-03-15 12:00:00+00 BC', '12 mons', 'A', 'ab', null, '\x', null, '{"a": 1, "b": [1, 2, 3]}', '{1,2}', '{"with space","q\"uote",NULL,""}', null, 1, null);

insert into readings (organization_id, reading_id, small_n, int_n, big_n, real_n, double_n, numeric_n, price, valid, day, local_at, seen_at, lasted, note, code, title, raw, device, payload, numbers, words, feeling, "Mixed ""Case""", a_name_of_sixty_three_bytes_which_is_as_long_as_postgres_allows) values
    (5, 1, 3, 1, 5, '1.25', '3', '0.000000000000000000001', '7.25', null, '2025-06-15', '2025-01-01 00:00:00', null, '90:00:00', 'é', 'B', 'uber', null, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12', '{"a": "text", "nested": {"k": null}}', '{}', '{ä,Ä}', 'sad', null, 'y'),
    (5, 2, 12, null, -9223372036854775808, '2', '2048', '7', '19.99', true, '-infinity', null, '-infinity', '30 days', '"quoted"', 'a', 'its', '\x41', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'true', null, '{a,b,c}', 'happy', 2, 'x'),
    (5, 3, 7, 0, 7, '16', '-Infinity', '3.14159265358979323846264338327950288', '12345678.9', false, '2025-01-31', 'infinity', '2025-01-01 00:00:00+00', '0', 'a-a', 'abcde', 'first', '\x00', '12345678-9abc-def0-1234-56789abcdef0', '{}', '{1,NULL,3}', '{"NULL","{x}"}', 'happy', 3, 'x');

insert into readings (organization_id, reading_id, small_n, int_n, big_n, real_n, double_n, numeric_n, price, valid, day, local_at, seen_at, lasted, note, code, title, raw, device, payload, numbers, words, feeling, "Mixed ""Case""", a_name_of_sixty_three_bytes_which_is_as_long_as_postgres_allows) values
    (7, 1, 0, -2147483648, null, '0', '7', null, '-99999999.99', true, '2025-01-01', '-infinity', 'infinity', '01:02:03.5', 'B', '9', '', '\x00ff', '00000000-0000-0000-0000-000000000000', '[]', '[0:1]={7,8}', '{}', 'Ecstatic', 2, null),
    (7, 2, null, 2, 0, 'NaN', '-0', '0.00', '-3.5', true, '1999-12-31', '2025-06-15 18:45:12.5', '2025-12-31 23:59:59+00', '1 day', '10', null, 'Über', '\xdeadbeef', 'ffffffff-ffff-ffff-ffff-ffffffffffff', '{"a": 2, "tags": ["x", "y"]}', '{1}', null, 'meh', 1, null),
    (7, 3, 1, 10, 1000000000000, '0.25', '3', '0.1', '99999999.99', null, '2025-01-01', '2025-01-01 00:00:00', '2025-03-30 00:59:59.999999+00', null, 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx', 'a b', 'twenty characters ok', '\x5c27', '80000000-0000-4000-8000-000000000001', '{"b": [], "ä": "ö"}', '{2147483647,-2147483648}', '{b}', null, null, 'y'),
    (7, 4, -1, 10, -1, '0.5', 'Infinity', '123456789012345678901234567890.123456789', '5', true, '2000-01-01', '2025-01-01 00:00:00.000001', '2025-06-15 12:00:00-07', '1 year', null, 'A', '%', '\x00', null, null, '{1,2,3}', '{NULL}', 'sad', 2, 'x'),
    (7, 5, 32767, 42, 5, null, '65536.0625', '2.50', '7.25', false, '2025-03-31', '1999-12-31 23:59:59.999999', '2025-02-14 08:30:00.25+05:30', '-00:00:01', 'it''s', 'ä', 'first ', '\xff', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12', '12.50', '{NULL}', '{a,b}', 'happy', 3, 'x'),
    (7, 6, 12, 3, 9223372036854775807, 'Infinity', '0.125', 'Infinity', '100', true, '2024-02-29', '2025-03-30 02:30:00', '2025-10-26 00:30:00+00', '24:00:00', '🙂', 'a', 'second', '\x4142', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '[1, "two", null, {"three": 3}]', '{{1,2},{3,4}}', '{"with space","q\"uote",NULL,""}', 'happy', 2, null),
    (7, 7, -32768, 2147483647, 5, '-0.75', '0', '0', null, true, 'infinity', '0001-01-01 12:00:00 BC', '2025-10-26 01:30:00+00', '00:00:00.000001', '', '', 'third place', '\x', '12345678-9abc-def0-1234-56789abcdef0', 'null', '{3,2,1}', '{ä,Ä}', 'Ecstatic', 1, null),
    (7, 8, 7, -10, -9223372036854775808, '-0', '0.5', '100', '0.01', null, '0044-03-15 BC', '2024-02-29 12:00:00', '2025-01-01 01:00:00+01', '365 days', 'é', '12', '_x', null, '00000000-0000-0000-0000-000000000000', '"just text"', '{1,2}', '{a,b,c}', 'meh', null, 'y'),
    (7, 9, 100, 1, 7, '-3.5', '-1', 'NaN', '0', true, '9999-12-31', '2025-01-01 00:00:00', '1969-12-31 23:59:59.5+00', '1 mon -1 day 02:00:00', '50% of_all', 'ab', 'First', '\x41', 'ffffffff-ffff-ffff-ffff-ffffffffffff', '{"a": null}', '{}', '{"NULL","{x}"}', null, 2, 'x');

insert into readings (organization_id, reading_id, small_n, int_n, big_n, real_n, double_n, numeric_n, price, valid, day, local_at, seen_at, lasted, note, code, title, raw, device, payload, numbers, words, feeling, "Mixed ""Case""", a_name_of_sixty_three_bytes_which_is_as_long_as_postgres_allows) values
    (8, 1, 3, null, null, '-Infinity', '0.125', '1', '7.25', false, '1970-01-01', null, '0044-03-15 12:00:00+00 BC', '1 mon', 'a b', 'B', null, '\x00', '80000000-0000-4000-8000-000000000001', '{"a": 1, "b": [1, 2, 3]}', null, '{}', 'sad', 3, 'x'),
    (8, 2, 3, 0, 0, '-0.5', '1024.5', '33.333', '19.99', true, null, 'infinity', null, '-1 year -2 mons', ' ', 'a', 'uber', '\x00ff', null, '{"a": "text", "nested": {"k": null}}', '{1,NULL,3}', null, 'happy', 2, null),
    (8, 3, 12, -2147483648, 1000000000000, '100.75', '-7.75', '-98765.4321', '12345678.9', true, '2025-06-15', '-infinity', '-infinity', '12 mons', '9', 'abcde', 'its', '\xdeadbeef', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12', 'true', '[0:1]={7,8}', '{b}', 'happy', 1, null),
    (8, 4, 7, 2, -1, '2', 'NaN', '-Infinity', '-99999999.99', null, '-infinity', '2025-06-15 18:45:12.5', '2025-01-01 00:00:00+00', '90:00:00', 'É', '9', 'first', '\x5c27', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{}', '{1}', '{NULL}', 'Ecstatic', null, 'y'),
    (8, 5, 0, 10, 5, '0.5', '12.625', '1.00', '-3.5', true, '2025-01-31', '2025-01-01 00:00:00', 'infinity', '30 days', 'Ä', null, '', '\x00', '12345678-9abc-def0-1234-56789abcdef0', '[]', '{2147483647,-2147483648}', '{a,b}', 'meh', 2, 'x');

insert into readings (organization_id, reading_id, small_n, int_n, big_n, real_n, double_n, numeric_n, price, valid, day, local_at, seen_at, lasted, note, code, title, raw, device, payload, numbers, words, feeling, "Mixed ""Case""", a_name_of_sixty_three_bytes_which_is_as_long_as_postgres_allows) values
    (11, 1, null, 10, 9223372036854775807, '1.25', '-2', '2.5', '99999999.99', false, '2025-01-01', '2025-01-01 00:00:00.000001', '2025-12-31 23:59:59+00', '0', 'ß', 'a b', 'Über', '\xff', '00000000-0000-0000-0000-000000000000', '{"a": 2, "tags": ["x", "y"]}', '{1,2,3}', '{"with space","q\"uote",NULL,""}', null, 3, 'x'),
    (11, 2, 1, 42, 5, '2', null, '1000', '5', true, '1999-12-31', '1999-12-31 23:59:59.999999', '2025-03-30 00:59:59.999999+00', '01:02:03.5', 'NULL', 'A', 'twenty characters ok', '\x4142', 'ffffffff-ffff-ffff-ffff-ffffffffffff', '{"b": [], "ä": "ö"}', '{NULL}', '{ä,Ä}', 'sad', 2, null),
    (11, 3, -1, 3, -9223372036854775808, '16', '3', '-0.5', '7.25', true, '2025-01-01', '2025-03-30 02:30:00', '2025-06-15 12:00:00-07', '1 day', 'a ', 'ä', '%', '\x', '80000000-0000-4000-8000-000000000001', null, '{{1,2},{3,4}}', '{a,b,c}', 'happy', 1, null),
    (11, 4, 32767, 2147483647, 7, '0', '2048', '-1', '100', null, '2000-01-01', '0001-01-01 12:00:00 BC', '2025-02-14 08:30:00.25+05:30', null, 'zebra', 'a', 'first ', null, null, '12.50', '{3,2,1}', '{"NULL","{x}"}', 'happy', null, 'y');

insert into readings (organization_id, reading_id, small_n, int_n, big_n, real_n, double_n, numeric_n, price, valid, day, local_at, seen_at, lasted, note, code, title, raw, device, payload, numbers, words, feeling, "Mixed ""Case""", a_name_of_sixty_three_bytes_which_is_as_long_as_postgres_allows) values
    (13, 1, 12, -10, null, 'NaN', '-Infinity', '10', null, true, '2025-03-31', '2024-02-29 12:00:00', '2025-10-26 00:30:00+00', '1 year', '守門員', '', 'second', '\x41', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12', '[1, "two", null, {"three": 3}]', '{1,2}', '{}', 'Ecstatic', 2, 'x'),
    (13, 2, -32768, 1, 0, '0.25', '7', '1.0', '0.01', false, '2024-02-29', '2025-01-01 00:00:00', '2025-10-26 01:30:00+00', '-00:00:01', 'a', '12', 'third place', '\x00', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'null', '{}', null, 'meh', 3, 'x'),
    (13, 3, 7, null, 1000000000000, '0.5', '-0', '0.000000000000000000001', '0', true, 'infinity', null, '2025-01-01 01:00:00+01', '24:00:00', 'á', 'ab', '_x', '\x00ff', '12345678-9abc-def0-1234-56789abcdef0', '"just text"', null, '{b}', null, 2, null),
    (13, 900, null, null, null, '3.4028235e38', '1e300', null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null),
    (13, 901, null, null, null, '1e-45', '0.1', null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null);

insert into readings (organization_id, reading_id, small_n, int_n, big_n, real_n, double_n, numeric_n, price, valid, day, local_at, seen_at, lasted, note, code, title, raw, device, payload, numbers, words, feeling, "Mixed ""Case""", a_name_of_sixty_three_bytes_which_is_as_long_as_postgres_allows) values
    (17, 1, 100, 0, -1, null, '3', '7', '7.25', true, '0044-03-15 BC', 'infinity', '1969-12-31 23:59:59.5+00', '00:00:00.000001', 'back\slash', 'B', 'First', '\xdeadbeef', '00000000-0000-0000-0000-000000000000', '{"a": null}', '{1,NULL,3}', '{NULL}', 'sad', 1, null),
    (17, 2, 3, -2147483648, 5, 'Infinity', 'Infinity', '3.14159265358979323846264338327950288', '19.99', null, '9999-12-31', '-infinity', '0044-03-15 12:00:00+00 BC', '365 days', 'aa', 'a', null, '\x5c27', 'ffffffff-ffff-ffff-ffff-ffffffffffff', '{"a": 1, "b": [1, 2, 3]}', '[0:1]={7,8}', '{a,b}', 'happy', null, 'y');

insert into readings (organization_id, reading_id, small_n, int_n, big_n, real_n, double_n, numeric_n, price, valid, day, local_at, seen_at, lasted, note, code, title, raw, device, payload, numbers, words, feeling, "Mixed ""Case""", a_name_of_sixty_three_bytes_which_is_as_long_as_postgres_allows) values
    (19, 1, 12, 3, 0, '0.5', '0.125', '33.333', '7.25', true, '2025-01-01', '2024-02-29 12:00:00', '2025-10-26 00:30:00+00', '90:00:00', 'B', 'ä', 'third place', '\x00ff', '00000000-0000-0000-0000-000000000000', '"just text"', '{1,2}', null, 'happy', 3, null),
    (19, 2, 7, 2147483647, 1000000000000, '1.25', '1024.5', '-98765.4321', '100', null, '1999-12-31', '2025-01-01 00:00:00', '2025-10-26 01:30:00+00', '30 days', '10', 'a', '_x', '\xdeadbeef', 'ffffffff-ffff-ffff-ffff-ffffffffffff', '{"a": null}', '{}', '{b}', 'happy', 2, 'y'),
    (19, 3, 0, -10, -1, '2', '-7.75', '-Infinity', null, true, '2025-01-01', null, '2025-01-01 01:00:00+01', '0', 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx', '', 'First', '\x5c27', '80000000-0000-4000-8000-000000000001', '{"a": 1, "b": [1, 2, 3]}', null, '{NULL}', 'Ecstatic', 1, 'x'),
    (19, 4, null, 1, 5, '16', 'NaN', '1.00', '0.01', false, '2000-01-01', 'infinity', '1969-12-31 23:59:59.5+00', '01:02:03.5', null, '12', null, '\x00', null, '{"a": "text", "nested": {"k": null}}', '{1,NULL,3}', '{a,b}', 'meh', null, 'x'),
    (19, 5, 1, null, 9223372036854775807, '0', '12.625', '2.5', '0', true, '2025-03-31', '-infinity', '0044-03-15 12:00:00+00 BC', '1 day', 'it''s', 'ab', 'uber', '\xff', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12', 'true', '[0:1]={7,8}', '{"with space","q\"uote",NULL,""}', null, 2, null),
    (19, 77, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null);

insert into readings (organization_id, reading_id, small_n, int_n, big_n, real_n, double_n, numeric_n, price, valid, day, local_at, seen_at, lasted, note, code, title, raw, device, payload, numbers, words, feeling, "Mixed ""Case""", a_name_of_sixty_three_bytes_which_is_as_long_as_postgres_allows) values
    (21, 1, -1, 0, 5, 'NaN', '-2', '1000', '7.25', true, '2024-02-29', '2025-06-15 18:45:12.5', null, null, '🙂', 'B', 'its', '\x4142', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{}', '{1}', '{ä,Ä}', 'sad', 3, null),
    (21, 2, 32767, -2147483648, -9223372036854775808, '0.25', null, '-0.5', '19.99', null, 'infinity', '2025-01-01 00:00:00', '-infinity', '1 year', '', 'a', 'first', '\x', '12345678-9abc-def0-1234-56789abcdef0', '[]', '{2147483647,-2147483648}', '{a,b,c}', 'happy', 2, 'y'),
    (21, 3, 12, 2, 7, '0.5', '3', '-1', '12345678.9', true, '0044-03-15 BC', '2025-01-01 00:00:00.000001', '2025-01-01 00:00:00+00', '-00:00:01', 'é', 'abcde', '', null, '00000000-0000-0000-0000-000000000000', '{"a": 2, "tags": ["x", "y"]}', '{1,2,3}', '{"NULL","{x}"}', 'happy', 1, 'x'),
    (21, 4, -32768, 10, null, null, '2048', '10', '-99999999.99', false, '9999-12-31', '1999-12-31 23:59:59.999999', 'infinity', '24:00:00', '50% of_all', '9', 'Über', '\x41', 'ffffffff-ffff-ffff-ffff-ffffffffffff', '{"b": [], "ä": "ö"}', '{NULL}', '{}', 'Ecstatic', null, 'x');

insert into readings (organization_id, reading_id, small_n, int_n, big_n, real_n, double_n, numeric_n, price, valid, day, local_at, seen_at, lasted, note, code, title, raw, device, payload, numbers, words, feeling, "Mixed ""Case""", a_name_of_sixty_three_bytes_which_is_as_long_as_postgres_allows) values
    (23, 1, 7, 10, 0, 'Infinity', '-Infinity', '1.0', '-3.5', true, '1970-01-01', '2025-03-30 02:30:00', '2025-12-31 23:59:59+00', '00:00:00.000001', 'a b', null, 'twenty characters ok', '\x00', '80000000-0000-4000-8000-000000000001', null, '{{1,2},{3,4}}', null, 'meh', 2, null),
    (23, 2, 100, 42, 1000000000000, '-0.75', '7', '0.000000000000000000001', '99999999.99', true, null, '0001-01-01 12:00:00 BC', '2025-03-30 00:59:59.999999+00', '365 days', ' ', 'a b', '%', '\x00ff', null, '12.50', '{3,2,1}', '{b}', null, 3, null),
    (23, 3, 3, 3, -1, '-0', '-0', '7', '5', null, '2025-06-15', '2024-02-29 12:00:00', '2025-06-15 12:00:00-07', '1 mon -1 day 02:00:00', '9', 'A', 'first ', '\xdeadbeef', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12', '[1, "two", null, {"three": 3}]', '{1,2}', '{NULL}', 'sad', 2, 'y');

insert into readings (organization_id, reading_id, small_n, int_n, big_n, real_n, double_n, numeric_n, price, valid, day, local_at, seen_at, lasted, note, code, title, raw, device, payload, numbers, words, feeling, "Mixed ""Case""", a_name_of_sixty_three_bytes_which_is_as_long_as_postgres_allows) values
    (29, 1, 3, 2147483647, 5, '-3.5', '3', '3.14159265358979323846264338327950288', '7.25', true, '-infinity', '2025-01-01 00:00:00', '2025-02-14 08:30:00.25+05:30', '1 mon', 'É', 'ä', 'second', '\x5c27', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'null', '{}', '{a,b}', 'happy', 1, 'x');

insert into readings (organization_id, reading_id, small_n, int_n, big_n, real_n, double_n, numeric_n, price, valid, day, local_at, seen_at, lasted, note, code, title, raw, device, payload, numbers, words, feeling, "Mixed ""Case""", a_name_of_sixty_three_bytes_which_is_as_long_as_postgres_allows) values
    (31, 1, 12, -10, 9223372036854775807, '-Infinity', 'Infinity', null, '100', false, '2025-01-31', null, '2025-10-26 00:30:00+00', '-1 year -2 mons', 'Ä', 'a', 'third place', '\x00', '12345678-9abc-def0-1234-56789abcdef0', '"just text"', null, '{"with space","q\"uote",NULL,""}', 'happy', null, 'x'),
    (31, 2, 7, 1, 5, '-0.5', '65536.0625', '0.00', null, true, '2025-01-01', 'infinity', '2025-10-26 01:30:00+00', '12 mons', 'ß', '', '_x', '\xff', '00000000-0000-0000-0000-000000000000', '{"a": null}', '{1,NULL,3}', '{ä,Ä}', 'Ecstatic', 2, null),
    (31, 3, 0, null, -9223372036854775808, '100.75', '0.125', '0.1', '0.01', true, '1999-12-31', '-infinity', '2025-01-01 01:00:00+01', '90:00:00', 'NULL', '12', 'First', '\x4142', 'ffffffff-ffff-ffff-ffff-ffffffffffff', '{"a": 1, "b": [1, 2, 3]}', '[0:1]={7,8}', '{a,b,c}', 'meh', 3, null),
    (31, 4, null, 0, 7, '2', '0', '123456789012345678901234567890.123456789', '0', null, '2025-01-01', '2025-06-15 18:45:12.5', '1969-12-31 23:59:59.5+00', '30 days', 'a ', 'ab', null, '\x', '80000000-0000-4000-8000-000000000001', '{"a": "text", "nested": {"k": null}}', '{1}', '{"NULL","{x}"}', null, 2, 'y'),
    (31, 5, 1, -2147483648, null, '0.5', '0.5', '2.50', '7.25', true, '2000-01-01', '2025-01-01 00:00:00', '0044-03-15 12:00:00+00 BC', '0', 'zebra', 'B', 'uber', null, null, 'true', '{2147483647,-2147483648}', '{}', 'sad', 1, 'x');

insert into readings (organization_id, reading_id, small_n, int_n, big_n, real_n, double_n, numeric_n, price, valid, day, local_at, seen_at, lasted, note, code, title, raw, device, payload, numbers, words, feeling, "Mixed ""Case""", a_name_of_sixty_three_bytes_which_is_as_long_as_postgres_allows) values
    (37, 1, -1, 2, 0, '1.25', '-1', 'Infinity', '19.99', false, '2025-03-31', '2025-01-01 00:00:00.000001', null, '01:02:03.5', '守門員', 'a', 'its', '\x41', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12', '{}', '{1,2,3}', null, 'happy', null, 'x'),
    (37, 2, 32767, 10, 1000000000000, '2', '0.125', '0', '12345678.9', true, '2024-02-29', '1999-12-31 23:59:59.999999', '-infinity', '1 day', 'a', 'abcde', 'first', '\x00', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '[]', '{NULL}', '{b}', 'happy', 2, null),
    (37, 3, 12, 10, -1, '16', '1024.5', '100', '-99999999.99', true, 'infinity', '2025-03-30 02:30:00', '2025-01-01 00:00:00+00', null, 'á', '9', '', '\x00ff', '12345678-9abc-def0-1234-56789abcdef0', '{"a": 2, "tags": ["x", "y"]}', '{{1,2},{3,4}}', '{NULL}', 'Ecstatic', 3, null),
    (37, 4, -32768, 42, 5, '0', '-7.75', 'NaN', '-3.5', null, '0044-03-15 BC', '0001-01-01 12:00:00 BC', 'infinity', '1 year', 'back\slash', null, 'Über', '\xdeadbeef', '00000000-0000-0000-0000-000000000000', '{"b": [], "ä": "ö"}', '{3,2,1}', '{a,b}', 'meh', 2, 'y');

insert into readings (organization_id, reading_id, small_n, int_n, big_n, real_n, double_n, numeric_n, price, valid, day, local_at, seen_at, lasted, note, code, title, raw, device, payload, numbers, words, feeling, "Mixed ""Case""", a_name_of_sixty_three_bytes_which_is_as_long_as_postgres_allows) values
    (41, 1, 7, 3, 9223372036854775807, 'NaN', 'NaN', '1', '99999999.99', true, '9999-12-31', '2024-02-29 12:00:00', '2025-12-31 23:59:59+00', '-00:00:01', 'aa', 'a b', 'twenty characters ok', '\x5c27', 'ffffffff-ffff-ffff-ffff-ffffffffffff', null, '{1,2}', '{"with space","q\"uote",NULL,""}', null, 1, 'x'),
    (41, 2, 100, 2147483647, 5, '0.25', '12.625', '33.333', '5', false, '1970-01-01', '2025-01-01 00:00:00', '2025-03-30 00:59:59.999999+00', '24:00:00', 'b', 'A', '%', '\x00', '80000000-0000-4000-8000-000000000001', '12.50', '{}', '{ä,Ä}', 'sad', null, 'x'),
    (41, 3, 3, -10, -9223372036854775808, '0.5', '-2', '-98765.4321', '7.25', true, null, null, '2025-06-15 12:00:00-07', '00:00:00.000001', 'ss', 'ä', 'first ', '\xff', null, '[1, "two", null, {"three": 3}]', null, '{a,b,c}', 'happy', 2, null);

insert into readings (organization_id, reading_id, small_n, int_n, big_n, real_n, double_n, numeric_n, price, valid, day, local_at, seen_at, lasted, note, code, title, raw, device, payload, numbers, words, feeling, "Mixed ""Case""", a_name_of_sixty_three_bytes_which_is_as_long_as_postgres_allows) values
    (42, 1, 3, 1, 7, null, null, 999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890.01234567890123456789012345678901234567890123456789, '100', true, '2025-06-15', 'infinity', '2025-02-14 08:30:00.25+05:30', '365 days', 'a	b', 'a', 'second', '\x4142', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12', 'null', '{1,NULL,3}', '{"NULL","{x}"}', 'happy', 3, null),
    (42, 2, 12, null, null, 'Infinity', '3', '1.00', null, null, '-infinity', '-infinity', '2025-10-26 00:30:00+00', '1 mon -1 day 02:00:00', 'ä', '', 'third place', '\x', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '"just text"', '[0:1]={7,8}', '{}', 'Ecstatic', 2, 'y');

insert into readings (organization_id, reading_id, small_n, int_n, big_n, real_n, double_n, numeric_n, price, valid, day, local_at, seen_at, lasted, note, code, title, raw, device, payload, numbers, words, feeling, "Mixed ""Case""", a_name_of_sixty_three_bytes_which_is_as_long_as_postgres_allows) values
    (43, 1, 7, 0, 0, '-0.75', '2048', '2.5', '0.01', true, '2025-01-31', '2025-06-15 18:45:12.5', '2025-10-26 01:30:00+00', '1 mon', 'Zebra', '12', '_x', null, '12345678-9abc-def0-1234-56789abcdef0', '{"a": null}', '{1}', null, 'meh', 1, 'x'),
    (43, 2, 0, -2147483648, 1000000000000, '-0', '-Infinity', '1000', '0', false, '2025-01-01', '2025-01-01 00:00:00', '2025-01-01 01:00:00+01', '-1 year -2 mons', 'Flügel → Mitte', 'ab', 'First', '\x41', '00000000-0000-0000-0000-000000000000', '{"a": 1, "b": [1, 2, 3]}', '{2147483647,-2147483648}', '{b}', null, null, 'x'),
    (43, 3, null, 2, -1, '-3.5', '7', '-0.5', '7.25', true, '1999-12-31', '2025-01-01 00:00:00.000001', '1969-12-31 23:59:59.5+00', '12 mons', 'A', 'B', null, '\x00', 'ffffffff-ffff-ffff-ffff-ffffffffffff', '{"a": "text", "nested": {"k": null}}', '{1,2,3}', '{NULL}', 'sad', 2, null),
    (43, 4, 1, 10, 5, '-Infinity', '-0', '-1', '19.99', true, '2025-01-01', '1999-12-31 23:59:59.999999', '0044-03-15 12:00:00+00 BC', '90:00:00', 'é', 'a', 'uber', '\x00ff', '80000000-0000-4000-8000-000000000001', 'true', '{NULL}', '{a,b}', 'happy', 3, null),
    (43, 5, -1, 10, 9223372036854775807, '-0.5', '3', '10', '12345678.9', null, '2000-01-01', '2025-03-30 02:30:00', null, '30 days', '"quoted"', 'abcde', 'its', '\xdeadbeef', null, '{}', '{{1,2},{3,4}}', '{"with space","q\"uote",NULL,""}', 'happy', 2, 'y');

insert into readings (organization_id, reading_id, small_n, int_n, big_n, real_n, double_n, numeric_n, price, valid, day, local_at, seen_at, lasted, note, code, title, raw, device, payload, numbers, words, feeling, "Mixed ""Case""", a_name_of_sixty_three_bytes_which_is_as_long_as_postgres_allows) values
    (47, 1, 32767, 42, 5, '100.75', 'Infinity', '1.0', '-99999999.99', true, '2025-03-31', '0001-01-01 12:00:00 BC', '-infinity', '0', 'a-a', '9', 'first', '\x5c27', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12', '[]', '{3,2,1}', '{ä,Ä}', 'Ecstatic', 1, 'x'),
    (47, 2, 12, 3, -9223372036854775808, '2', '65536.0625', '0.000000000000000000001', '-3.5', false, '2024-02-29', '2024-02-29 12:00:00', '2025-01-01 00:00:00+00', '01:02:03.5', 'B', null, '', '\x00', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{"a": 2, "tags": ["x", "y"]}', '{1,2}', '{a,b,c}', 'meh', null, 'x'),
    (47, 3, -32768, 2147483647, 7, '0.5', '0.125', '7', '99999999.99', true, 'infinity', '2025-01-01 00:00:00', 'infinity', '1 day', '10', 'a b', 'Über', '\xff', '12345678-9abc-def0-1234-56789abcdef0', '{"b": [], "ä": "ö"}', '{}', '{"NULL","{x}"}', null, 2, null),
    (47, 4, 7, -10, null, '1.25', '0', '3.14159265358979323846264338327950288', '5', true, '0044-03-15 BC', null, '2025-12-31 23:59:59+00', null, 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx', 'A', 'twenty characters ok', '\x4142', '00000000-0000-0000-0000-000000000000', null, null, '{}', 'sad', 3, null);

insert into readings (organization_id, reading_id, small_n, int_n, big_n, real_n, double_n, numeric_n, price, valid, day, local_at, seen_at, lasted, note, code, title, raw, device, payload, numbers, words, feeling, "Mixed ""Case""", a_name_of_sixty_three_bytes_which_is_as_long_as_postgres_allows) values
    (53, 1, 100, 1, 0, '2', '0.5', null, '7.25', null, '9999-12-31', 'infinity', '2025-03-30 00:59:59.999999+00', '1 year', null, 'ä', '%', '\x', 'ffffffff-ffff-ffff-ffff-ffffffffffff', '12.50', '{1,NULL,3}', null, 'happy', 2, 'y'),
    (53, 2, 3, 10, -9223372036854775808, '-0.75', '12.625', '-98765.4321', '19.99', true, '2025-01-01', '0001-01-01 12:00:00 BC', '-infinity', '1 mon -1 day 02:00:00', 'ß', 'a', '', '\xff', '00000000-0000-0000-0000-000000000000', '{"b": [], "ä": "ö"}', '{3,2,1}', '{a,b,c}', 'happy', null, null),
    (53, 3, 12, 10, 7, '-0', '-2', '-Infinity', '12345678.9', null, '1999-12-31', '2024-02-29 12:00:00', '2025-01-01 00:00:00+00', '1 mon', 'NULL', 'abcde', 'Über', '\x4142', 'ffffffff-ffff-ffff-ffff-ffffffffffff', null, '{1,2}', '{"NULL","{x}"}', 'happy', 2, 'y');

insert into readings (organization_id, reading_id, small_n, int_n, big_n, real_n, double_n, numeric_n, price, valid, day, local_at, seen_at, lasted, note, code, title, raw, device, payload, numbers, words, feeling, "Mixed ""Case""", a_name_of_sixty_three_bytes_which_is_as_long_as_postgres_allows) values
    (59, 1, 7, 42, null, '-3.5', null, '1.00', '-99999999.99', true, '2025-01-01', '2025-01-01 00:00:00', 'infinity', '-1 year -2 mons', 'a ', '9', 'twenty characters ok', '\x', '80000000-0000-4000-8000-000000000001', '12.50', '{}', '{}', 'Ecstatic', 3, 'x'),
    (59, 2, 0, 3, 0, '-Infinity', '3', '2.5', '-3.5', false, '2000-01-01', null, '2025-12-31 23:59:59+00', '12 mons', 'zebra', null, '%', null, null, '[1, "two", null, {"three": 3}]', null, null, 'meh', 2, 'x');

insert into readings (organization_id, reading_id, small_n, int_n, big_n, real_n, double_n, numeric_n, price, valid, day, local_at, seen_at, lasted, note, code, title, raw, device, payload, numbers, words, feeling, "Mixed ""Case""", a_name_of_sixty_three_bytes_which_is_as_long_as_postgres_allows) values
    (61, 1, null, 2147483647, 1000000000000, '-0.5', '2048', '1000', '99999999.99', true, '2025-03-31', 'infinity', '2025-03-30 00:59:59.999999+00', '90:00:00', '守門員', 'a b', 'first ', '\x41', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12', 'null', '{1,NULL,3}', '{b}', null, 1, null),
    (61, 2, 1, -10, -1, '100.75', '-Infinity', '-0.5', '5', true, '2024-02-29', '-infinity', '2025-06-15 12:00:00-07', '30 days', 'a', 'A', 'second', '\x00', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '"just text"', '[0:1]={7,8}', '{NULL}', 'sad', null, null),
    (61, 3, -1, 1, 5, '2', '7', '-1', '7.25', null, 'infinity', '2025-06-15 18:45:12.5', '2025-02-14 08:30:00.25+05:30', '0', 'á', 'ä', 'third place', '\x00ff', '12345678-9abc-def0-1234-56789abcdef0', '{"a": null}', '{1}', '{a,b}', 'happy', 2, 'y'),
    (61, 4, 32767, null, 9223372036854775807, '0.5', '-0', '10', '100', true, '0044-03-15 BC', '2025-01-01 00:00:00', '2025-10-26 00:30:00+00', '01:02:03.5', 'back\slash', 'a', '_x', '\xdeadbeef', '00000000-0000-0000-0000-000000000000', '{"a": 1, "b": [1, 2, 3]}', '{2147483647,-2147483648}', '{"with space","q\"uote",NULL,""}', 'happy', 3, 'x'),
    (61, 5, 12, 0, 5, '1.25', '3', '1.0', null, false, '9999-12-31', '2025-01-01 00:00:00.000001', '2025-10-26 01:30:00+00', '1 day', 'aa', '', 'First', '\x5c27', 'ffffffff-ffff-ffff-ffff-ffffffffffff', '{"a": "text", "nested": {"k": null}}', '{1,2,3}', '{ä,Ä}', 'Ecstatic', 2, 'x'),
    (61, 900, null, null, null, null, '-1e300', null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null),
    (61, 901, null, null, null, null, '5e-324', null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null);

insert into readings (organization_id, reading_id, small_n, int_n, big_n, real_n, double_n, numeric_n, price, valid, day, local_at, seen_at, lasted, note, code, title, raw, device, payload, numbers, words, feeling, "Mixed ""Case""", a_name_of_sixty_three_bytes_which_is_as_long_as_postgres_allows) values
    (67, 1, -32768, -2147483648, -9223372036854775808, '2', 'Infinity', '0.000000000000000000001', '0.01', true, '1970-01-01', '1999-12-31 23:59:59.999999', '2025-01-01 01:00:00+01', null, 'b', '12', null, '\x00', '80000000-0000-4000-8000-000000000001', 'true', '{NULL}', '{a,b,c}', 'meh', 1, null),
    (67, 2, 7, 2, 7, '16', '65536.0625', '7', '0', true, null, '2025-03-30 02:30:00', '1969-12-31 23:59:59.5+00', '1 year', 'ss', 'ab', 'uber', '\xff', null, '{}', '{{1,2},{3,4}}', '{"NULL","{x}"}', null, null, null),
    (67, 3, 100, 10, null, '0', '0.125', '3.14159265358979323846264338327950288', '7.25', null, '2025-06-15', '0001-01-01 12:00:00 BC', '0044-03-15 12:00:00+00 BC', '-00:00:01', 'a	b', 'B', 'its', '\x4142', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12', '[]', '{3,2,1}', '{}', 'sad', 2, 'y'),
    (67, 4, 3, 10, 0, 'NaN', '0', null, '19.99', true, '-infinity', '2024-02-29 12:00:00', null, '24:00:00', 'ä', 'a', 'first', '\x', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{"a": 2, "tags": ["x", "y"]}', '{1,2}', null, 'happy', 3, 'x');

insert into readings (organization_id, reading_id, small_n, int_n, big_n, real_n, double_n, numeric_n, price, valid, day, local_at, seen_at, lasted, note, code, title, raw, device, payload, numbers, words, feeling, "Mixed ""Case""", a_name_of_sixty_three_bytes_which_is_as_long_as_postgres_allows) values
    (71, 1, 3, 42, 1000000000000, '0.25', '0.5', '0.00', '12345678.9', false, '2025-01-31', '2025-01-01 00:00:00', '-infinity', '00:00:00.000001', 'Zebra', 'abcde', '', null, '12345678-9abc-def0-1234-56789abcdef0', '{"b": [], "ä": "ö"}', '{}', '{b}', 'happy', 2, 'x'),
    (71, 2, 12, 3, -1, '0.5', '-1', '0.1', '-99999999.99', true, '2025-01-01', null, '2025-01-01 00:00:00+00', '365 days', 'Flügel → Mitte', '9', 'Über', '\x41', '00000000-0000-0000-0000-000000000000', null, null, '{NULL}', 'Ecstatic', 1, null),
    (71, 3, 7, 2147483647, 5, null, '0.125', '123456789012345678901234567890.123456789', '-3.5', true, '1999-12-31', 'infinity', 'infinity', '1 mon -1 day 02:00:00', 'A', null, 'twenty characters ok', '\x00', 'ffffffff-ffff-ffff-ffff-ffffffffffff', '12.50', '{1,NULL,3}', '{a,b}', 'meh', null, null);

insert into readings (organization_id, reading_id, small_n, int_n, big_n, real_n, double_n, numeric_n, price, valid, day, local_at, seen_at, lasted, note, code, title, raw, device, payload, numbers, words, feeling, "Mixed ""Case""", a_name_of_sixty_three_bytes_which_is_as_long_as_postgres_allows) values
    (73, 1, 0, -10, 9223372036854775807, 'Infinity', '1024.5', '2.50', '99999999.99', null, '2025-01-01', '-infinity', '2025-12-31 23:59:59+00', '1 mon', 'é', 'a b', '%', '\x00ff', '80000000-0000-4000-8000-000000000001', '[1, "two", null, {"three": 3}]', '[0:1]={7,8}', '{"with space","q\"uote",NULL,""}', null, 2, 'y'),
    (73, 2, null, 1, 5, '-0.75', '-7.75', 'Infinity', '5', true, '2000-01-01', '2025-06-15 18:45:12.5', '2025-03-30 00:59:59.999999+00', '-1 year -2 mons', '"quoted"', 'A', 'first ', '\xdeadbeef', null, 'null', '{1}', '{ä,Ä}', 'sad', 3, 'x');

insert into readings (organization_id, reading_id, small_n, int_n, big_n, real_n, double_n, numeric_n, price, valid, day, local_at, seen_at, lasted, note, code, title, raw, device, payload, numbers, words, feeling, "Mixed ""Case""", a_name_of_sixty_three_bytes_which_is_as_long_as_postgres_allows) values
    (77, 1, 1, null, -9223372036854775808, '-0', 'NaN', '0', '7.25', false, '2025-03-31', '2025-01-01 00:00:00', '2025-06-15 12:00:00-07', '12 mons', 'a-a', 'ä', 'second', '\x5c27', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12', '"just text"', '{2147483647,-2147483648}', '{a,b,c}', 'happy', 2, 'x'),
    (77, 2, -1, 0, 7, '-3.5', '12.625', '100', '100', true, '2024-02-29', '2025-01-01 00:00:00.000001', '2025-02-14 08:30:00.25+05:30', '90:00:00', 'B', 'a', 'third place', '\x00', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{"a": null}', '{1,2,3}', '{"NULL","{x}"}', 'happy', 1, null),
    (77, 3, 32767, -2147483648, null, '-Infinity', '-2', 'NaN', null, true, 'infinity', '1999-12-31 23:59:59.999999', '2025-10-26 00:30:00+00', '30 days', '10', '', '_x', '\xff', '12345678-9abc-def0-1234-56789abcdef0', '{"a": 1, "b": [1, 2, 3]}', '{NULL}', '{}', 'Ecstatic', null, null),
    (77, 4, 12, 2, 0, '-0.5', null, '1', '0.01', null, '0044-03-15 BC', '2025-03-30 02:30:00', '2025-10-26 01:30:00+00', '0', 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx', '12', 'First', '\x4142', '00000000-0000-0000-0000-000000000000', '{"a": "text", "nested": {"k": null}}', '{{1,2},{3,4}}', null, 'meh', 2, 'y'),
    (77, 5, -32768, 10, 1000000000000, '100.75', '3', '33.333', '0', true, '9999-12-31', '0001-01-01 12:00:00 BC', '2025-01-01 01:00:00+01', '01:02:03.5', null, 'ab', null, '\x', 'ffffffff-ffff-ffff-ffff-ffffffffffff', 'true', '{3,2,1}', '{b}', null, 3, 'x');

insert into readings (organization_id, reading_id, small_n, int_n, big_n, real_n, double_n, numeric_n, price, valid, day, local_at, seen_at, lasted, note, code, title, raw, device, payload, numbers, words, feeling, "Mixed ""Case""", a_name_of_sixty_three_bytes_which_is_as_long_as_postgres_allows) values
    (79, 1, 7, 10, -1, '2', '2048', '-98765.4321', '7.25', false, '1970-01-01', '2024-02-29 12:00:00', '1969-12-31 23:59:59.5+00', '1 day', 'it''s', 'B', 'uber', null, '80000000-0000-4000-8000-000000000001', '{}', '{1,2}', '{NULL}', 'sad', 2, 'x'),
    (79, 2, 100, 42, 5, '0.5', '-Infinity', '-Infinity', '19.99', true, null, '2025-01-01 00:00:00', '0044-03-15 12:00:00+00 BC', null, '🙂', 'a', 'its', '\x41', null, '[]', '{}', '{a,b}', 'happy', 1, null),
    (79, 3, 3, 3, 9223372036854775807, '1.25', '7', '1.00', '12345678.9', true, '2025-06-15', null, null, '1 year', '', 'abcde', 'first', '\x00', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12', '{"a": 2, "tags": ["x", "y"]}', null, '{"with space","q\"uote",NULL,""}', 'happy', null, null),
    (79, 4, 3, 2147483647, 5, '2', '-0', '2.5', '-99999999.99', null, '-infinity', 'infinity', '-infinity', '-00:00:01', 'é', '9', '', '\x00ff', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{"b": [], "ä": "ö"}', '{1,NULL,3}', '{ä,Ä}', 'Ecstatic', 2, 'y');

insert into readings (organization_id, reading_id, small_n, int_n, big_n, real_n, double_n, numeric_n, price, valid, day, local_at, seen_at, lasted, note, code, title, raw, device, payload, numbers, words, feeling, "Mixed ""Case""", a_name_of_sixty_three_bytes_which_is_as_long_as_postgres_allows) values
    (83, 1, 12, -10, -9223372036854775808, '16', '3', '1000', '-3.5', true, '2025-01-31', '-infinity', '2025-01-01 00:00:00+00', '24:00:00', '50% of_all', null, 'Über', '\xdeadbeef', '12345678-9abc-def0-1234-56789abcdef0', null, '[0:1]={7,8}', '{a,b,c}', 'meh', 3, 'x'),
    (83, 2, 7, 1, 7, '0', 'Infinity', '-0.5', '99999999.99', false, '2025-01-01', '2025-06-15 18:45:12.5', 'infinity', '00:00:00.000001', 'a b', 'a b', 'twenty characters ok', '\x5c27', '00000000-0000-0000-0000-000000000000', '12.50', '{1}', '{"NULL","{x}"}', null, 2, 'x'),
    (83, 3, 0, null, null, 'NaN', '65536.0625', '-1', '5', true, '1999-12-31', '2025-01-01 00:00:00', '2025-12-31 23:59:59+00', '365 days', ' ', 'A', '%', '\x00', 'ffffffff-ffff-ffff-ffff-ffffffffffff', '[1, "two", null, {"three": 3}]', '{2147483647,-2147483648}', '{}', 'sad', 1, null);

insert into readings (organization_id, reading_id, small_n, int_n, big_n, real_n, double_n, numeric_n, price, valid, day, local_at, seen_at, lasted, note, code, title, raw, device, payload, numbers, words, feeling, "Mixed ""Case""", a_name_of_sixty_three_bytes_which_is_as_long_as_postgres_allows) values
    (89, 1, null, 0, 0, '0.25', '0.125', '10', '7.25', true, '2025-01-01', '2025-01-01 00:00:00.000001', '2025-03-30 00:59:59.999999+00', '1 mon -1 day 02:00:00', '9', 'ä', 'first ', '\xff', '80000000-0000-4000-8000-000000000001', 'null', '{1,2,3}', null, 'happy', null, null),
    (89, 2, 1, -2147483648, 1000000000000, '0.5', '0', '1.0', '100', null, '2000-01-01', '1999-12-31 23:59:59.999999', '2025-06-15 12:00:00-07', '1 mon', 'É', 'a', 'second', '\x4142', null, '"just text"', '{NULL}', '{b}', 'happy', 2, 'y');

insert into readings (organization_id, reading_id, small_n, int_n, big_n, real_n, double_n, numeric_n, price, valid, day, local_at, seen_at, lasted, note, code, title, raw, device, payload, numbers, words, feeling, "Mixed ""Case""", a_name_of_sixty_three_bytes_which_is_as_long_as_postgres_allows) values
    (97, 1, -1, 2, -1, null, '0.5', '0.000000000000000000001', null, true, '2025-03-31', '2025-03-30 02:30:00', '2025-02-14 08:30:00.25+05:30', '-1 year -2 mons', 'Ä', '', 'third place', '\x', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12', '{"a": null}', '{{1,2},{3,4}}', '{NULL}', 'Ecstatic', 3, 'x'),
    (97, 2, 32767, 10, 5, 'Infinity', '-1', '7', '0.01', false, '2024-02-29', '0001-01-01 12:00:00 BC', '2025-10-26 00:30:00+00', '12 mons', 'ß', '12', '_x', null, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{"a": 1, "b": [1, 2, 3]}', '{3,2,1}', '{a,b}', 'meh', 2, 'x'),
    (97, 3, 12, 10, 9223372036854775807, '-0.75', '0.125', '3.14159265358979323846264338327950288', '0', true, 'infinity', '2024-02-29 12:00:00', '2025-10-26 01:30:00+00', '90:00:00', 'NULL', 'ab', 'First', '\x41', '12345678-9abc-def0-1234-56789abcdef0', '{"a": "text", "nested": {"k": null}}', '{1,2}', '{"with space","q\"uote",NULL,""}', null, 1, null),
    (97, 4, -32768, 42, 5, '-0', '1024.5', null, '7.25', true, '0044-03-15 BC', '2025-01-01 00:00:00', '2025-01-01 01:00:00+01', '30 days', 'a ', 'B', null, '\x00', '00000000-0000-0000-0000-000000000000', 'true', '{}', '{ä,Ä}', 'sad', null, null),
    (97, 5, 7, 3, -9223372036854775808, '-3.5', '-7.75', '0.00', '19.99', null, '9999-12-31', null, '1969-12-31 23:59:59.5+00', '0', 'zebra', 'a', 'uber', '\x00ff', 'ffffffff-ffff-ffff-ffff-ffffffffffff', '{}', null, '{a,b,c}', 'happy', 2, 'y');

insert into readings (organization_id, reading_id, small_n, int_n, big_n, real_n, double_n, numeric_n, price, valid, day, local_at, seen_at, lasted, note, code, title, raw, device, payload, numbers, words, feeling, "Mixed ""Case""", a_name_of_sixty_three_bytes_which_is_as_long_as_postgres_allows) values
    (101, 1, 3, 0, 5, '16', '2048', '-Infinity', '7.25', true, '2025-01-01', '2025-03-30 02:30:00', '2025-02-14 08:30:00.25+05:30', '-00:00:01', 'Flügel → Mitte', 'ä', '_x', '\x41', '00000000-0000-0000-0000-000000000000', '{"a": "text", "nested": {"k": null}}', '{{1,2},{3,4}}', '{a,b}', 'happy', 2, null),
    (101, 2, 3, -2147483648, 9223372036854775807, '0', '-Infinity', '1.00', '100', null, '1999-12-31', '0001-01-01 12:00:00 BC', '2025-10-26 00:30:00+00', '24:00:00', 'A', 'a', 'First', '\x00', 'ffffffff-ffff-ffff-ffff-ffffffffffff', 'true', '{3,2,1}', '{"with space","q\"uote",NULL,""}', 'happy', 1, 'y'),
    (101, 3, 12, 2, 5, 'NaN', '7', '2.5', null, true, '2025-01-01', '2024-02-29 12:00:00', '2025-10-26 01:30:00+00', '00:00:00.000001', 'é', '', null, '\x00ff', '80000000-0000-4000-8000-000000000001', '{}', '{1,2}', '{ä,Ä}', 'Ecstatic', null, 'x'),
    (101, 4, 7, 10, -9223372036854775808, '0.25', '-0', '1000', '0.01', false, '2000-01-01', '2025-01-01 00:00:00', '2025-01-01 01:00:00+01', '365 days', '"quoted"', '12', 'uber', '\xdeadbeef', null, '[]', '{}', '{a,b,c}', 'meh', 2, 'x'),
    (101, 900, null, null, null, null, '1.7976931348623157e308', null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null);

insert into readings (organization_id, reading_id, small_n, int_n, big_n, real_n, double_n, numeric_n, price, valid, day, local_at, seen_at, lasted, note, code, title, raw, device, payload, numbers, words, feeling, "Mixed ""Case""", a_name_of_sixty_three_bytes_which_is_as_long_as_postgres_allows) values
    (103, 1, 0, 10, 7, '0.5', '3', -9999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999991234567890123456789012345678901234567890123456789012345678901234567890, '0', true, '2025-03-31', null, '1969-12-31 23:59:59.5+00', '1 mon -1 day 02:00:00', 'a-a', 'ab', 'its', '\x5c27', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12', '{"a": 2, "tags": ["x", "y"]}', null, '{"NULL","{x}"}', null, 3, null),
    (103, 2, null, 42, null, null, 'Infinity', '-1', '7.25', true, '2024-02-29', 'infinity', '0044-03-15 12:00:00+00 BC', '1 mon', 'B', 'B', 'first', '\x00', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{"b": [], "ä": "ö"}', '{1,NULL,3}', '{}', 'sad', 2, null),
    (103, 3, 1, 3, 0, 'Infinity', '65536.0625', '10', '19.99', null, 'infinity', '-infinity', null, '-1 year -2 mons', '10', 'a', '', '\xff', '12345678-9abc-def0-1234-56789abcdef0', null, '[0:1]={7,8}', null, 'happy', 1, 'y');

insert into readings (organization_id, reading_id, small_n, int_n, big_n, real_n, double_n, numeric_n, price, valid, day, local_at, seen_at, lasted, note, code, title, raw, device, payload, numbers, words, feeling, "Mixed ""Case""", a_name_of_sixty_three_bytes_which_is_as_long_as_postgres_allows) values
    (113, 1, -1, 2147483647, 1000000000000, '-0.75', '0.125', '1.0', '12345678.9', true, '0044-03-15 BC', '2025-06-15 18:45:12.5', '-infinity', '12 mons', 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx', 'abcde', 'Über', '\x4142', '00000000-0000-0000-0000-000000000000', '12.50', '{1}', '{b}', 'happy', null, 'x'),
    (113, 2, 32767, -10, -1, '-0', '0', '0.000000000000000000001', '-99999999.99', false, '9999-12-31', '2025-01-01 00:00:00', '2025-01-01 00:00:00+00', '90:00:00', null, '9', 'twenty characters ok', '\x', 'ffffffff-ffff-ffff-ffff-ffffffffffff', '[1, "two", null, {"three": 3}]', '{2147483647,-2147483648}', '{NULL}', 'Ecstatic', 2, 'x');

insert into readings (organization_id, reading_id, small_n, int_n, big_n, real_n, double_n, numeric_n, price, valid, day, local_at, seen_at, lasted, note, code, title, raw, device, payload, numbers, words, feeling, "Mixed ""Case""", a_name_of_sixty_three_bytes_which_is_as_long_as_postgres_allows) values
    (127, 1, 12, 1, 5, '-3.5', '0.5', '7', '-3.5', true, '1970-01-01', '2025-01-01 00:00:00.000001', 'infinity', '30 days', 'it''s', null, '%', null, '80000000-0000-4000-8000-000000000001', 'null', '{1,2,3}', '{a,b}', 'meh', 3, null),
    (127, 2, -32768, null, 9223372036854775807, '-Infinity', '-1', '3.14159265358979323846264338327950288', '99999999.99', true, null, '1999-12-31 23:59:59.999999', '2025-12-31 23:59:59+00', '0', '🙂', 'a b', 'first ', '\x41', null, '"just text"', '{NULL}', '{"with space","q\"uote",NULL,""}', null, 2, null),
    (127, 3, 7, 0, 5, '-0.5', '0.125', null, '5', null, '2025-06-15', '2025-03-30 02:30:00', '2025-03-30 00:59:59.999999+00', '01:02:03.5', '', 'A', 'second', '\x00', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12', '{"a": null}', '{{1,2},{3,4}}', '{ä,Ä}', 'sad', 1, 'y'),
    (127, 4, 100, -2147483648, -9223372036854775808, '100.75', '1024.5', '0.00', '7.25', true, '-infinity', '0001-01-01 12:00:00 BC', '2025-06-15 12:00:00-07', '1 day', 'é', 'ä', 'third place', '\x00ff', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{"a": 1, "b": [1, 2, 3]}', '{3,2,1}', '{a,b,c}', 'happy', null, 'x'),
    (127, 5, 3, 2, 7, '2', '-7.75', '0.1', '100', false, '2025-01-31', '2024-02-29 12:00:00', '2025-02-14 08:30:00.25+05:30', null, '50% of_all', 'a', '_x', '\xdeadbeef', '12345678-9abc-def0-1234-56789abcdef0', '{"a": "text", "nested": {"k": null}}', '{1,2}', '{"NULL","{x}"}', 'happy', 2, 'x');

insert into readings (organization_id, reading_id, small_n, int_n, big_n, real_n, double_n, numeric_n, price, valid, day, local_at, seen_at, lasted, note, code, title, raw, device, payload, numbers, words, feeling, "Mixed ""Case""", a_name_of_sixty_three_bytes_which_is_as_long_as_postgres_allows) values
    (150, 1, 3, 10, null, '0.5', 'NaN', '123456789012345678901234567890.123456789', null, true, '2025-01-01', '2025-01-01 00:00:00', '2025-10-26 00:30:00+00', '1 year', 'a b', '', 'First', '\x5c27', '00000000-0000-0000-0000-000000000000', 'true', '{}', '{}', 'Ecstatic', 3, null);

insert into readings (organization_id, reading_id, small_n, int_n, big_n, real_n, double_n, numeric_n, price, valid, day, local_at, seen_at, lasted, note, code, title, raw, device, payload, numbers, words, feeling, "Mixed ""Case""", a_name_of_sixty_three_bytes_which_is_as_long_as_postgres_allows) values
    (151, 1, 12, 10, 0, '1.25', '12.625', '2.50', '0.01', true, '1999-12-31', null, '2025-10-26 01:30:00+00', '-00:00:01', ' ', '12', null, '\x00', 'ffffffff-ffff-ffff-ffff-ffffffffffff', '{}', null, null, 'meh', 2, null),
    (151, 2, 7, 42, 1000000000000, '2', '-2', 'Infinity', '0', null, '2025-01-01', 'infinity', '2025-01-01 01:00:00+01', '24:00:00', '9', 'ab', 'uber', '\xff', '80000000-0000-4000-8000-000000000001', '[]', '{1,NULL,3}', '{b}', null, 1, 'y'),
    (151, 3, 0, 3, -1, '16', null, '0', '7.25', true, '2000-01-01', '-infinity', '1969-12-31 23:59:59.5+00', '00:00:00.000001', 'É', 'B', 'its', '\x4142', null, '{"a": 2, "tags": ["x", "y"]}', '[0:1]={7,8}', '{NULL}', 'sad', null, 'x');

insert into readings (organization_id, reading_id, small_n, int_n, big_n, real_n, double_n, numeric_n, price, valid, day, local_at, seen_at, lasted, note, code, title, raw, device, payload, numbers, words, feeling, "Mixed ""Case""", a_name_of_sixty_three_bytes_which_is_as_long_as_postgres_allows) values
    (173, 1, null, 2147483647, 5, '0', '3', '100', '19.99', false, '2025-03-31', '2025-06-15 18:45:12.5', '0044-03-15 12:00:00+00 BC', '365 days', 'Ä', 'a', 'first', '\x', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12', '{"b": [], "ä": "ö"}', '{1}', '{a,b}', 'happy', 2, 'x'),
    (173, 2, 1, -10, 9223372036854775807, 'NaN', '2048', 'NaN', '12345678.9', true, '2024-02-29', '2025-01-01 00:00:00', null, '1 mon -1 day 02:00:00', 'ß', 'abcde', '', null, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', null, '{2147483647,-2147483648}', '{"with space","q\"uote",NULL,""}', 'happy', 3, null);

insert into readings (organization_id, reading_id, small_n, int_n, big_n, real_n, double_n, numeric_n, price, valid, day, local_at, seen_at, lasted, note, code, title, raw, device, payload, numbers, words, feeling, "Mixed ""Case""", a_name_of_sixty_three_bytes_which_is_as_long_as_postgres_allows) values
    (181, 1, -1, 1, 5, '0.25', '-Infinity', '1', '-99999999.99', true, 'infinity', '2025-01-01 00:00:00.000001', '-infinity', '1 mon', 'NULL', '9', 'Über', '\x41', '12345678-9abc-def0-1234-56789abcdef0', '12.50', '{1,2,3}', '{ä,Ä}', 'Ecstatic', 2, null),
    (181, 2, 32767, null, -9223372036854775808, '0.5', '7', '33.333', '-3.5', null, '0044-03-15 BC', '1999-12-31 23:59:59.999999', '2025-01-01 00:00:00+00', '-1 year -2 mons', 'a ', null, 'twenty characters ok', '\x00', '00000000-0000-0000-0000-000000000000', '[1, "two", null, {"three": 3}]', '{NULL}', '{a,b,c}', 'meh', 1, 'y'),
    (181, 3, 12, 0, 7, null, '-0', '-98765.4321', '99999999.99', true, '9999-12-31', '2025-03-30 02:30:00', 'infinity', '12 mons', 'zebra', 'a b', '%', '\x00ff', 'ffffffff-ffff-ffff-ffff-ffffffffffff', 'null', '{{1,2},{3,4}}', '{"NULL","{x}"}', null, null, 'x'),
    (181, 4, -32768, -2147483648, null, 'Infinity', '3', '-Infinity', '5', false, '1970-01-01', '0001-01-01 12:00:00 BC', '2025-12-31 23:59:59+00', '90:00:00', '守門員', 'A', 'first ', '\xdeadbeef', '80000000-0000-4000-8000-000000000001', '"just text"', '{3,2,1}', '{}', 'sad', 2, 'x'),
    (181, 5, 7, 2, 0, '-0.75', 'Infinity', '1.00', '7.25', true, null, '2024-02-29 12:00:00', '2025-03-30 00:59:59.999999+00', '30 days', 'a', 'ä', 'second', '\x5c27', null, '{"a": null}', '{1,2}', null, 'happy', 3, null);

insert into readings (organization_id, reading_id, small_n, int_n, big_n, real_n, double_n, numeric_n, price, valid, day, local_at, seen_at, lasted, note, code, title, raw, device, payload, numbers, words, feeling, "Mixed ""Case""", a_name_of_sixty_three_bytes_which_is_as_long_as_postgres_allows) values
    (199, 1, 100, 10, 1000000000000, '-0', '65536.0625', '2.5', '100', true, '2025-06-15', '2025-01-01 00:00:00', '2025-06-15 12:00:00-07', '0', 'á', 'a', 'third place', '\x00', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12', '{"a": 1, "b": [1, 2, 3]}', '{}', '{b}', 'happy', 2, null),
    (199, 2, 3, 10, -1, '-3.5', '0.125', '1000', null, null, '-infinity', null, '2025-02-14 08:30:00.25+05:30', '01:02:03.5', 'back\slash', '', '_x', '\xff', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{"a": "text", "nested": {"k": null}}', null, '{NULL}', 'Ecstatic', 1, 'y'),
    (199, 3, 3, 42, 5, '-Infinity', '0', '-0.5', '0.01', true, '2025-01-31', 'infinity', '2025-10-26 00:30:00+00', '1 day', 'aa', '12', 'First', '\x4142', '12345678-9abc-def0-1234-56789abcdef0', 'true', '{1,NULL,3}', '{a,b}', 'meh', null, 'x'),
    (199, 4, 12, 3, 9223372036854775807, '-0.5', '0.5', '-1', '0', false, '2025-01-01', '-infinity', '2025-10-26 01:30:00+00', null, 'b', 'ab', null, '\x', '00000000-0000-0000-0000-000000000000', '{}', '[0:1]={7,8}', '{"with space","q\"uote",NULL,""}', null, 2, 'x'),
    (199, 900, null, null, null, null, '0.2', null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null),
    (199, 901, null, null, null, null, '1e-7', null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null);

insert into readings (organization_id, reading_id, small_n, int_n, big_n, real_n, double_n, numeric_n, price, valid, day, local_at, seen_at, lasted, note, code, title, raw, device, payload, numbers, words, feeling, "Mixed ""Case""", a_name_of_sixty_three_bytes_which_is_as_long_as_postgres_allows) values
    (200, 1, 7, 2147483647, 5, '100.75', '-1', '10', '7.25', true, '1999-12-31', '2025-06-15 18:45:12.5', '2025-01-01 01:00:00+01', '1 year', 'ss', 'B', 'uber', null, 'ffffffff-ffff-ffff-ffff-ffffffffffff', '[]', '{1}', '{ä,Ä}', 'sad', 3, null),
    (200, 2, 0, -10, -9223372036854775808, '2', '0.125', '1.0', '19.99', true, '2025-01-01', '2025-01-01 00:00:00', '1969-12-31 23:59:59.5+00', '-00:00:01', 'a	b', 'a', 'its', '\x41', '80000000-0000-4000-8000-000000000001', '{"a": 2, "tags": ["x", "y"]}', '{2147483647,-2147483648}', '{a,b,c}', 'happy', 2, null),
    (200, 3, null, 1, 7, '0.5', '1024.5', '0.000000000000000000001', '12345678.9', null, '2000-01-01', '2025-01-01 00:00:00.000001', '0044-03-15 12:00:00+00 BC', '24:00:00', 'ä', 'abcde', 'first', '\x00', null, '{"b": [], "ä": "ö"}', '{1,2,3}', '{"NULL","{x}"}', 'happy', 1, 'y');

insert into readings (organization_id, reading_id, small_n, int_n, big_n, real_n, double_n, numeric_n, price, valid, day, local_at, seen_at, lasted, note, code, title, raw, device, payload, numbers, words, feeling, "Mixed ""Case""", a_name_of_sixty_three_bytes_which_is_as_long_as_postgres_allows) values
    (1001, 1, 1, null, null, '1.25', '-7.75', '7', '-99999999.99', true, '2025-03-31', '1999-12-31 23:59:59.999999', null, '00:00:00.000001', 'Zebra', '9', '', '\x00ff', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12', null, '{NULL}', '{}', 'Ecstatic', null, 'x'),
    (1001, 2, -1, 0, 0, '2', 'NaN', '3.14159265358979323846264338327950288', '-3.5', false, '2024-02-29', '2025-03-30 02:30:00', '-infinity', '365 days', 'Flügel → Mitte', null, 'Über', '\xdeadbeef', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '12.50', '{{1,2},{3,4}}', null, 'meh', 2, 'x');

insert into readings (organization_id, reading_id, small_n, int_n, big_n, real_n, double_n, numeric_n, price, valid, day, local_at, seen_at, lasted, note, code, title, raw, device, payload, numbers, words, feeling, "Mixed ""Case""", a_name_of_sixty_three_bytes_which_is_as_long_as_postgres_allows) values
    (-5, 1, 32767, -2147483648, 1000000000000, '16', '12.625', null, '99999999.99', true, 'infinity', '0001-01-01 12:00:00 BC', '2025-01-01 00:00:00+00', '1 mon -1 day 02:00:00', 'A', 'a b', 'twenty characters ok', '\x5c27', '12345678-9abc-def0-1234-56789abcdef0', '[1, "two", null, {"three": 3}]', '{3,2,1}', '{b}', null, 3, null),
    (-5, 2, 12, 2, -1, '0', '-2', '0.00', '5', true, '0044-03-15 BC', '2024-02-29 12:00:00', 'infinity', '1 mon', 'é', 'A', '%', '\x00', '00000000-0000-0000-0000-000000000000', 'null', '{1,2}', '{NULL}', 'sad', 2, null),
    (-5, 3, -32768, 10, 5, 'NaN', null, '0.1', '7.25', null, '9999-12-31', '2025-01-01 00:00:00', '2025-12-31 23:59:59+00', '-1 year -2 mons', '"quoted"', 'ä', 'first ', '\xff', 'ffffffff-ffff-ffff-ffff-ffffffffffff', '"just text"', '{}', '{a,b}', 'happy', 1, 'y'),
    (-5, 4, 100, -10, 0, '-Infinity', '3', '1.00', '19.99', true, '2025-01-01', '1999-12-31 23:59:59.999999', null, '01:02:03.5', 'a b', 'a', 'Über', '\x5c27', '00000000-0000-0000-0000-000000000000', '[1, "two", null, {"three": 3}]', '{NULL}', null, 'happy', 2, null),
    (-5, 5, 3, 1, 1000000000000, '-0.5', 'Infinity', '2.5', '12345678.9', null, '1999-12-31', '2025-03-30 02:30:00', '-infinity', '1 day', ' ', 'abcde', 'twenty characters ok', '\x00', 'ffffffff-ffff-ffff-ffff-ffffffffffff', 'null', '{{1,2},{3,4}}', '{b}', 'happy', 3, 'y');

insert into tags (organization_id, match_id, tag) values (1, 1, 'final'), (1, 1, 'night'), (1, 9000, 'ghost');
insert into tags (organization_id, match_id, tag) values (2, 1, 'friendly'), (2, 1, 'cup'), (2, 1, 'final'), (2, 2, 'snow'), (2, 1, 'friendly');
insert into tags (organization_id, match_id, tag) values (3, 1, 'derby');
insert into tags (organization_id, match_id, tag) values (4, 1, 'night'), (4, 1, 'snow'), (4, 2, 'friendly'), (4, 2, 'cup'), (4, 2, 'final'), (4, 1, null);
insert into tags (organization_id, match_id, tag) values (5, 1, 'cup'), (5, 1, 'final'), (5, 1, 'night'), (5, null, 'rain');
insert into tags (organization_id, match_id, tag) values (6, 1, 'rain'), (6, 2, 'night'), (6, 2, 'snow'), (6, 9005, 'ghost');
insert into tags (organization_id, match_id, tag) values (7, 1, 'snow'), (7, 1, 'derby'), (7, 2, 'cup'), (7, 2, 'final'), (7, 2, 'night'), (7, 40, 'rain'), (7, 40, 'friendly'), (7, 250, 'rain'), (7, 250, 'friendly');
insert into tags (organization_id, match_id, tag) values (9, 1, 'final'), (9, 1, 'night'), (9, 1, 'snow'), (9, 2, 'rain'), (9, 1, 'final');
insert into tags (organization_id, match_id, tag) values (10, 1, 'friendly');
insert into tags (organization_id, match_id, tag) values (12, 1, 'derby'), (12, 1, 'rain'), (12, 2, 'final'), (12, 2, 'night'), (12, 2, 'snow');
insert into tags (organization_id, match_id, tag) values (14, 1, 'night'), (14, 1, 'snow'), (14, 1, 'derby'), (14, 9010, 'ghost'), (14, 1, null);
insert into tags (organization_id, match_id, tag) values (15, 1, 'cup'), (15, 2, 'derby'), (15, 2, 'rain');
insert into tags (organization_id, match_id, tag) values (20, 1, 'rain'), (20, 1, 'friendly');
insert into tags (organization_id, match_id, tag) values (25, 1, 'snow'), (25, 1, 'derby'), (25, 1, 'rain'), (25, 2, 'cup'), (25, 1, 'snow'), (25, null, 'rain');
insert into tags (organization_id, match_id, tag) values (33, 1, 'final');
insert into tags (organization_id, match_id, tag) values (42, 1, 'friendly'), (42, 1, 'cup'), (42, 2, 'snow'), (42, 2, 'derby'), (42, 2, 'rain'), (42, 9015, 'ghost');
insert into tags (organization_id, match_id, tag) values (50, 1, 'derby'), (50, 1, 'rain'), (50, 1, 'friendly');
insert into tags (organization_id, match_id, tag) values (64, 1, 'night'), (64, 2, 'friendly'), (64, 2, 'cup'), (64, 1, null);
insert into tags (organization_id, match_id, tag) values (77, 1, 'cup'), (77, 1, 'final');
insert into tags (organization_id, match_id, tag) values (88, 1, 'rain'), (88, 1, 'friendly'), (88, 1, 'cup'), (88, 2, 'night'), (88, 1, 'rain');
insert into tags (organization_id, match_id, tag) values (99, 1, 'snow'), (99, 9020, 'ghost');
insert into tags (organization_id, match_id, tag) values (100, 1, 'final'), (100, 1, 'night'), (100, 2, 'rain'), (100, 2, 'friendly'), (100, 2, 'cup');
insert into tags (organization_id, match_id, tag) values (111, 1, 'friendly'), (111, 1, 'cup'), (111, 1, 'final'), (111, null, 'rain');
insert into tags (organization_id, match_id, tag) values (123, 1, 'derby'), (123, 2, 'final'), (123, 2, 'night');
insert into tags (organization_id, match_id, tag) values (144, 1, 'night'), (144, 1, 'snow'), (144, 1, null);
insert into tags (organization_id, match_id, tag) values (160, 1, 'cup'), (160, 1, 'final'), (160, 1, 'night'), (160, 2, 'derby'), (160, 9025, 'ghost'), (160, 1, 'cup');
insert into tags (organization_id, match_id, tag) values (175, 1, 'rain');
insert into tags (organization_id, match_id, tag) values (188, 1, 'snow'), (188, 1, 'derby'), (188, 2, 'cup'), (188, 2, 'final'), (188, 2, 'night');
insert into tags (organization_id, match_id, tag) values (200, 1, 'final'), (200, 1, 'night'), (200, 1, 'snow');

insert into lonely (organization_id, id, n, label) values
    (42, 1, 10, 'one'),
    (42, 2, 20, 'two'),
    (42, 3, null, 'three'),
    (42, 4, 20, null),
    (42, 5, -5, 'five'),
    (42, 6, 0, '');

-- part: default shard

create table countries (
    code char(2) primary key,
    name text,
    continent text
);
insert into countries (code, name, continent) values
    ('DE', 'Germany', 'Europe'),
    ('AT', 'Austria', 'Europe'),
    ('CH', 'Switzerland', 'Europe'),
    ('FR', 'France', 'Europe'),
    ('IT', 'Italy', null),
    ('NL', null, 'Europe'),
    ('BR', 'Brazil', 'South America'),
    ('JP', 'Japan', 'Asia'),
    ('US', 'United States', 'North America');
create table notes (
    id int primary key,
    organization_id bigint,
    body text
);
insert into notes (id, organization_id, body) values
    (1, 1, 'first'),
    (2, 1, 'second'),
    (3, 7, 'the largest'),
    (4, 42, null),
    (5, null, 'of nobody'),
    (6, 999, 'of nobody we know'),
    (7, 200, ''),
    (8, 3, 'first'),
    (9, 7, 'again');

-- part: views

create view match_sheets as
    select organization_id, match_id, home || ' - ' || away as pairing, played_on, spectators from matches;
create view match_places as
    select m.organization_id, m.match_id, m.played_on, m.spectators, o.name as organization, o.country
    from matches m join organizations o on o.organization_id = m.organization_id;
create view organization_crowds as
    select organization_id, count(*) as matches, sum(spectators) as crowd, max(played_on) as last_played
    from matches group by organization_id;
