-- Tables of values that are hard to compare, to add up or to move, in databases that sort by bytes. No table of the demo.
--
-- Sharded by organization_id: figures, moments, things, arrays, made, figures_told, moments_told, things_told
-- Sharded by organization_id: hollow, nobody, one_place, two_places, crowds, papers, stored, '"a table with a name of sixty-three bytes; which is ünder limit"'
-- Reference tables: scales
-- Unsharded, on the default shard: ledger
-- Views, on every shard: extremes, picked, "a view with a name of sixty-three bytes, which is all it may be"
--
-- The parts are those of cases/several/world.sql. The tables with _told have the rows of those without, and a column of a
-- user-defined type more: such rows travel as text.
--
-- Where floats are added up their sums are exact: id < 100 has values of few binary digits, NaN and the infinities.

-- part: everywhere

create type temper as enum ('sad', 'happy', 'Ecstatic');
alter type temper add value 'meh' before 'happy';
create domain ratio as numeric check (value >= 0);
create domain word as text;
create type pair as (a int, b text);
create type span as range (subtype = float8, subtype_diff = float8mi);

create table figures (
    organization_id bigint,
    id int,
    f4 real,
    f8 double precision,
    n numeric,
    fixed numeric(20,4),
    s smallint,
    i int,
    b bigint,
    cash money,
    bits bit(5),
    bit_string bit varying,
    yes boolean,
    primary key (organization_id, id)
);
create table figures_told (like figures including all, feeling temper);
create table moments (
    organization_id bigint,
    id int,
    day date,
    at_local timestamp,
    at_zone timestamptz,
    clock time,
    clock_zone timetz,
    span interval,
    exact timestamp(0),
    primary key (organization_id, id)
);
create table moments_told (like moments including all, feeling temper);
create table things (
    organization_id bigint,
    id int,
    device uuid,
    raw bytea,
    host inet,
    net cidr,
    mac macaddr,
    mac8 macaddr8,
    plain json,
    payload jsonb,
    ints int4range,
    numbers numrange,
    days daterange,
    several int4multirange,
    letter "char",
    label name,
    code char(5),
    title varchar(20),
    note text,
    place pg_lsn,
    primary key (organization_id, id)
);
create table things_told (like things including all, feeling temper);
create table arrays (
    organization_id bigint,
    id int,
    ints int[],
    words text[],
    numbers numeric[],
    floats float8[],
    grid int[][],
    flags boolean[],
    primary key (organization_id, id)
);
create table made (
    organization_id bigint,
    id int,
    feeling temper,
    part ratio,
    said word,
    duo pair,
    feelings temper[],
    pairs pair[],
    shares ratio[],
    reach span,
    primary key (organization_id, id)
);
create table hollow (
    organization_id bigint primary key,
    i int,
    n numeric,
    f8 double precision,
    t text,
    day date,
    raw bytea,
    yes boolean,
    payload jsonb,
    ints int[],
    feeling temper
);
create table papers (
    organization_id bigint,
    id int,
    markup xml,
    words text[],
    feeling temper,
    primary key (organization_id, id)
);
create table stored (organization_id bigint primary key, filler text);
alter table stored alter filler set storage external;
create table nobody (like figures including all);
create table one_place (like figures including all);
create table two_places (like figures including all);
-- No key, and few values: rows are there twice, on one shard and on several.
create table crowds (
    organization_id bigint not null,
    i int,
    n numeric,
    t text
);
create table "a table with a name of sixty-three bytes; which is ünder limit" (
    organization_id bigint,
    "a column with a name of sixty-three bytes, that's ""all"" it does" int,
    "ÄÖÜ, a column whose umlauts take two bytes each, sixty-three" text,
    a_column_with_a_name_of_sixty_three_bytes_and_without_any_quote int,
    "select" int,
    "Organization_ID" int,
    " " text
);
create table scales (
    id int primary key,
    n numeric,
    f8 double precision,
    span interval,
    word text
);
insert into scales (id, n, f8, span, word) values
    (1, '1.0', '0', '1 day', 'a'),
    (2, '1.00', '-0', '24:00:00', 'A'),
    (3, 'NaN', 'NaN', '1 mon', 'b'),
    (4, 'Infinity', 'Infinity', '30 days', null),
    (5, null, null, null, '');

-- part: views

-- Its constants are printed as the settings say.
create view picked as
    select organization_id, id, at_zone, '{a,NULL}'::text[] as words, interval '-1 day +02:00:00.5' as span,
        timestamptz '2025-02-03 04:05:06.789+05:30' as at, date '2025-02-03' as day, 0.12345678901234567::float8 as f
    from moments where at_zone > '2025-02-03 04:05:06+05:30' or day < date '2000-03-02' and '{1,NULL}'::int[] is not null;
create view extremes as
    select organization_id, max(f8) as top, min(f8) as low, max(n) as most, count(*) as rows from figures group by organization_id;
create view "a view with a name of sixty-three bytes, which is all it may be" as
    select organization_id, "a column with a name of sixty-three bytes, that's ""all"" it does" as "an output with a name of sixty-three bytes and it's the longest"
    from "a table with a name of sixty-three bytes; which is ünder limit";

-- part: default shard

create table ledger (
    id int primary key,
    organization_id bigint,
    n numeric,
    f8 double precision
);
insert into ledger (id, organization_id, n, f8) values
    (1, 1, '1', '0'),
    (2, 2, '1.000', '-0'),
    (3, 3, 'NaN', 'NaN'),
    (4, 9, null, null);

-- part: sharded rows

insert into figures (organization_id, id, f4, f8, n, fixed, s, i, b, cash, bits, bit_string, yes) values
    (1, 1, '0', '-0', '1', '9999999999999999.9999', '-1', '7', null, '100', '10101', '0', null),
    (1, 2, '0.5', 'NaN', '0.1', null, '100', '-2147483648', null, '100', '01111', '0', null),
    (1, 3, '1.5', '3', '0', '-1.5', null, '-1', null, '100', '00000', '0', null),
    (1, 4, 'NaN', '0.5', '-Infinity', '0.0001', '32767', '2147483647', null, '100', '10101', '0', null),
    (1, 5, null, '-2.25', '1e-30', '1.5', '-32768', '1', null, '100', '01111', '0', null),
    (1, 90, null, null, null, null, null, null, null, null, null, null, null),
    (1, 100, '1e-45', '5e-324', (repeat('9', 1000) || '.' || repeat('1', 1000))::numeric, null, null, null, null, null, null, null, null);

insert into figures (organization_id, id, f4, f8, n, fixed, s, i, b, cash, bits, bit_string, yes) values
    (2, 1, '-0', '-Infinity', '1.0', null, '100', '-2147483648', '5', '-0.01', '00001', '10', 't'),
    (2, 2, '-0.125', 'NaN', '0.10', '-1.5', null, '-1', '5', '-0.01', null, '10', 't'),
    (2, 3, '-2.25', '0', '0.00', '0.0001', '32767', '2147483647', '5', '-0.01', '11111', '10', 't'),
    (2, 4, 'Infinity', '1.5', '1e20', '1.5', '-32768', '1', '5', '-0.01', '00001', '10', 't'),
    (2, 5, '0', '-1', null, '-9999999999999999.9999', '0', '42', '5', '-0.01', null, '10', 't'),
    (2, 90, null, null, null, null, null, null, null, null, null, null, null),
    (2, 101, '3.4028235e38', '1.7976931348623157e308', ('-' || repeat('9', 1000) || '.' || repeat('1', 1000))::numeric, null, null, null, null, null, null, null, null);

insert into figures (organization_id, id, f4, f8, n, fixed, s, i, b, cash, bits, bit_string, yes) values
    (3, 1, 'NaN', '65536.0625', '1.00', '-1.5', null, '-1', '9223372036854775807', '12.34', '01111', null, 't'),
    (3, 2, null, '1.5', '-0.5', '0.0001', '32767', '2147483647', '9223372036854775807', '12.34', '00000', null, 't'),
    (3, 3, '1024', 'Infinity', '1', '1.5', '-32768', '1', '9223372036854775807', '12.34', '10101', null, 't'),
    (3, 4, '-Infinity', '-0', '0.1', '-9999999999999999.9999', '0', '42', '9223372036854775807', '12.34', '01111', null, 't'),
    (3, 5, '-0', 'NaN', '0', '0', '1', '0', '9223372036854775807', '12.34', '00000', null, 't'),
    (3, 90, null, null, null, null, null, null, null, null, null, null, null),
    (3, 102, '-3.4028235e38', '-1.7976931348623157e308', ('0.' || repeat('0', 999) || '1')::numeric, null, null, null, null, null, null, null, null);

insert into figures (organization_id, id, f4, f8, n, fixed, s, i, b, cash, bits, bit_string, yes) values
    (4, 1, 'Infinity', '3', '-1', '0.0001', '32767', '2147483647', '-9223372036854775808', '0', null, '1', 'f'),
    (4, 2, '0', '0.5', '2.5', '1.5', '-32768', '1', '-9223372036854775808', '0', '11111', '1', 'f'),
    (4, 3, '0.5', '-2.25', '1.0', '-9999999999999999.9999', '0', '42', '-9223372036854775808', '0', '00001', '1', 'f'),
    (4, 4, '1.5', '-Infinity', '0.10', '0', '1', '0', '-9223372036854775808', '0', null, '1', 'f'),
    (4, 5, 'NaN', 'NaN', '0.00', '9999999999999999.9999', '-1', '7', '-9223372036854775808', '0', '11111', '1', 'f'),
    (4, 90, null, null, null, null, null, null, null, null, null, null, null),
    (4, 103, '1.1754944e-38', '2.2250738585072014e-308', ('1' || repeat('0', 1000) || '.' || repeat('0', 1000))::numeric, null, null, null, null, null, null, null, null);

insert into figures (organization_id, id, f4, f8, n, fixed, s, i, b, cash, bits, bit_string, yes) values
    (5, 1, '-Infinity', '0', 'NaN', '1.5', '-32768', '1', '0', '92233720368547758.07', '00000', '0000', null),
    (5, 2, '-0', '1.5', '100', '-9999999999999999.9999', '0', '42', '0', '92233720368547758.07', '10101', '0000', null),
    (5, 3, '-0.125', '-1', '1.00', '0', '1', '0', '0', '92233720368547758.07', '01111', '0000', null),
    (5, 4, '-2.25', '65536.0625', '-0.5', '9999999999999999.9999', '-1', '7', '0', '92233720368547758.07', '00000', '0000', null),
    (5, 5, 'Infinity', '1.5', '1', null, '100', '-2147483648', '0', '92233720368547758.07', '10101', '0000', null),
    (5, 90, null, null, null, null, null, null, null, null, null, null, null),
    (5, 104, '16777217', '0.1', ('1' || repeat('0', 1000))::numeric, null, null, null, null, null, null, null, null);

insert into figures (organization_id, id, f4, f8, n, fixed, s, i, b, cash, bits, bit_string, yes) values
    (6, 1, '1.5', 'Infinity', 'Infinity', '-9999999999999999.9999', '0', '42', '1', null, '11111', '', 't'),
    (6, 2, 'NaN', '-0', '99.99', '0', '1', '0', '1', null, '00001', '', 't'),
    (6, 3, null, 'NaN', '-1', '9999999999999999.9999', '-1', '7', '1', null, null, '', 't'),
    (6, 4, '1024', '3', '2.5', null, '100', '-2147483648', '1', null, '11111', '', 't'),
    (6, 5, '-Infinity', '0.5', '1.0', '-1.5', null, '-1', '1', null, '00001', '', 't'),
    (6, 90, null, null, null, null, null, null, null, null, null, null, null),
    (6, 105, '0.1', '9007199254740993', (repeat('123456789', 111) || '.' || repeat('987654321', 111))::numeric, null, null, null, null, null, null, null, null);

insert into figures (organization_id, id, f4, f8, n, fixed, s, i, b, cash, bits, bit_string, yes) values
    (7, 1, '-2.25', '-2.25', '-Infinity', '0', '1', '0', '9223372036854775807', '0.01', '10101', '01', 't'),
    (7, 2, 'Infinity', '-Infinity', '1e-30', '9999999999999999.9999', '-1', '7', '9223372036854775807', '0.01', '01111', '01', 't'),
    (7, 3, '0', 'NaN', 'NaN', null, '100', '-2147483648', '9223372036854775807', '0.01', '00000', '01', 't'),
    (7, 4, '0.5', '0', '100', '-1.5', null, '-1', '9223372036854775807', '0.01', '10101', '01', 't'),
    (7, 5, '1.5', '1.5', '1.00', '0.0001', '32767', '2147483647', '9223372036854775807', '0.01', '01111', '01', 't'),
    (7, 90, null, null, null, null, null, null, null, null, null, null, null);

insert into figures (organization_id, id, f4, f8, n, fixed, s, i, b, cash, bits, bit_string, yes) values
    (8, 1, '1024', '-1', '1e20', '9999999999999999.9999', '-1', '7', '-1', '-92233720368547758.08', '00001', '11111111', 'f'),
    (8, 2, '-Infinity', '65536.0625', null, null, '100', '-2147483648', '-1', '-92233720368547758.08', null, '11111111', 'f'),
    (8, 3, '-0', '1.5', 'Infinity', '-1.5', null, '-1', '-1', '-92233720368547758.08', '11111', '11111111', 'f'),
    (8, 4, '-0.125', 'Infinity', '99.99', '0.0001', '32767', '2147483647', '-1', '-92233720368547758.08', '00001', '11111111', 'f'),
    (8, 5, '-2.25', '-0', '-1', '1.5', '-32768', '1', '-1', '-92233720368547758.08', null, '11111111', 'f'),
    (8, 90, null, null, null, null, null, null, null, null, null, null, null);

insert into moments (organization_id, id, day, at_local, at_zone, clock, clock_zone, span, exact) values
    (1, 1, '2025-01-01', 'infinity', 'infinity', '23:59:59.999999', '24:00:00-15:59:59', '0', '2025-01-01 00:00:00.5'),
    (1, 2, '1999-12-31', '294276-12-31 23:59:59.999999', '4714-11-24 00:00:00+00 BC', '12:00', '12:00:00+05:30', '720:00:00', '1999-12-31 23:59:59.9'),
    (1, 3, '1970-01-01', null, '2025-10-26 01:30:00+02', '12:34:56.789012', null, '30 days', 'infinity'),
    (1, 4, '4713-01-01 BC', '0001-01-01 00:00:00 BC', '0044-03-15 12:00:00+00 BC', null, '12:00:00+00', '1 mon', '2025-01-01 00:00:00'),
    (1, 5, '-infinity', '1999-12-31 23:59:59.999999', '2025-01-01 01:00:00+01', '24:00:00', '13:00:00+01', '24:00:00', null),
    (1, 6, '2025-01-01', 'infinity', null, '00:00:00.000001', '11:00:00-01', '1 day', '2025-01-01 00:00:00.5'),
    (1, 7, '1999-12-31', '294276-12-31 23:59:59.999999', '2025-03-30 01:00:00+00', '00:00:00', '00:00:00+15:59:59', '23:00:00.25', '1999-12-31 23:59:59.9'),
    (1, 90, null, null, null, null, null, null, null);

insert into moments (organization_id, id, day, at_local, at_zone, clock, clock_zone, span, exact) values
    (2, 1, 'infinity', '4713-01-01 00:00:00 BC', '-infinity', '12:00', '12:00:00+05:30', '12 mons', 'infinity'),
    (2, 2, null, '2025-01-01 00:00:00.0000005', '2025-01-01 00:00:00+00', '12:34:56.789012', null, '1 year', '2025-01-01 00:00:00'),
    (2, 3, '2000-02-29', '-infinity', '1883-11-18 12:03:58-04:56:02', null, '12:00:00+00', '-00:00:00.000001', null),
    (2, 4, '5874897-12-31', '2024-02-29 12:00:00.000001', '294276-12-31 23:59:59.999999+00', '24:00:00', '13:00:00+01', '0', '2025-01-01 00:00:00.5'),
    (2, 5, '0044-03-15 BC', '2025-01-01 00:00:00', 'infinity', '00:00:00.000001', '11:00:00-01', '720:00:00', '1999-12-31 23:59:59.9'),
    (2, 6, 'infinity', '4713-01-01 00:00:00 BC', '4714-11-24 00:00:00+00 BC', '00:00:00', '00:00:00+15:59:59', '30 days', 'infinity'),
    (2, 7, null, '2025-01-01 00:00:00.0000005', '2025-10-26 01:30:00+02', '23:59:59.999999', '24:00:00-15:59:59', '1 mon', '2025-01-01 00:00:00'),
    (2, 90, null, null, null, null, null, null, null);

insert into moments (organization_id, id, day, at_local, at_zone, clock, clock_zone, span, exact) values
    (3, 1, '-infinity', '1999-12-31 23:59:59.999999', '0044-03-15 12:00:00+00 BC', '12:34:56.789012', null, '-1 mon +1 day -02:00:00.5', null),
    (3, 2, '2025-01-01', 'infinity', '2025-01-01 01:00:00+01', null, '12:00:00+00', '1 mon -1 day 02:00:00', '2025-01-01 00:00:00.5'),
    (3, 3, '1999-12-31', '294276-12-31 23:59:59.999999', null, '24:00:00', '13:00:00+01', '360 days', '1999-12-31 23:59:59.9'),
    (3, 4, '1970-01-01', null, '2025-03-30 01:00:00+00', '00:00:00.000001', '11:00:00-01', '12 mons', 'infinity'),
    (3, 5, '4713-01-01 BC', '0001-01-01 00:00:00 BC', '-infinity', '00:00:00', '00:00:00+15:59:59', '1 year', '2025-01-01 00:00:00'),
    (3, 6, '-infinity', '1999-12-31 23:59:59.999999', '2025-01-01 00:00:00+00', '23:59:59.999999', '24:00:00-15:59:59', '-00:00:00.000001', null),
    (3, 90, null, null, null, null, null, null, null);

insert into moments (organization_id, id, day, at_local, at_zone, clock, clock_zone, span, exact) values
    (4, 1, '0044-03-15 BC', '2025-01-01 00:00:00', '294276-12-31 23:59:59.999999+00', null, '12:00:00+00', '-178000000 years', '1999-12-31 23:59:59.9'),
    (4, 2, 'infinity', '4713-01-01 00:00:00 BC', 'infinity', '24:00:00', '13:00:00+01', '178000000 years', 'infinity'),
    (4, 3, null, '2025-01-01 00:00:00.0000005', '4714-11-24 00:00:00+00 BC', '00:00:00.000001', '11:00:00-01', null, '2025-01-01 00:00:00'),
    (4, 4, '2000-02-29', '-infinity', '2025-10-26 01:30:00+02', '00:00:00', '00:00:00+15:59:59', '-1 mon +1 day -02:00:00.5', null),
    (4, 5, '5874897-12-31', '2024-02-29 12:00:00.000001', '0044-03-15 12:00:00+00 BC', '23:59:59.999999', '24:00:00-15:59:59', '1 mon -1 day 02:00:00', '2025-01-01 00:00:00.5'),
    (4, 6, '0044-03-15 BC', '2025-01-01 00:00:00', '2025-01-01 01:00:00+01', '12:00', '12:00:00+05:30', '360 days', '1999-12-31 23:59:59.9'),
    (4, 90, null, null, null, null, null, null, null);

insert into moments (organization_id, id, day, at_local, at_zone, clock, clock_zone, span, exact) values
    (5, 1, '4713-01-01 BC', '0001-01-01 00:00:00 BC', '2025-03-30 01:00:00+00', '24:00:00', '13:00:00+01', '2562047788:00:54.775807', '2025-01-01 00:00:00'),
    (5, 2, '-infinity', '1999-12-31 23:59:59.999999', '-infinity', '00:00:00.000001', '11:00:00-01', '-2147483648 days', null),
    (5, 3, '2025-01-01', 'infinity', '2025-01-01 00:00:00+00', '00:00:00', '00:00:00+15:59:59', '2147483647 days', '2025-01-01 00:00:00.5'),
    (5, 4, '1999-12-31', '294276-12-31 23:59:59.999999', '1883-11-18 12:03:58-04:56:02', '23:59:59.999999', '24:00:00-15:59:59', '-178000000 years', '1999-12-31 23:59:59.9'),
    (5, 5, '1970-01-01', null, '294276-12-31 23:59:59.999999+00', '12:00', '12:00:00+05:30', '178000000 years', 'infinity'),
    (5, 6, '4713-01-01 BC', '0001-01-01 00:00:00 BC', 'infinity', '12:34:56.789012', null, null, '2025-01-01 00:00:00'),
    (5, 90, null, null, null, null, null, null, null);

insert into moments (organization_id, id, day, at_local, at_zone, clock, clock_zone, span, exact) values
    (6, 1, '5874897-12-31', '2024-02-29 12:00:00.000001', '2025-10-26 01:30:00+02', '00:00:00.000001', '11:00:00-01', '-178956970 years -8 mons', '2025-01-01 00:00:00.5'),
    (6, 2, '0044-03-15 BC', '2025-01-01 00:00:00', '0044-03-15 12:00:00+00 BC', '00:00:00', '00:00:00+15:59:59', '00:00:59.999999', '1999-12-31 23:59:59.9'),
    (6, 3, 'infinity', '4713-01-01 00:00:00 BC', '2025-01-01 01:00:00+01', '23:59:59.999999', '24:00:00-15:59:59', interval '-2562047788:00:54.775807' - interval '00:00:00.000001', 'infinity'),
    (6, 4, null, '2025-01-01 00:00:00.0000005', null, '12:00', '12:00:00+05:30', '2562047788:00:54.775807', '2025-01-01 00:00:00'),
    (6, 5, '2000-02-29', '-infinity', '2025-03-30 01:00:00+00', '12:34:56.789012', null, '-2147483648 days', null),
    (6, 6, '5874897-12-31', '2024-02-29 12:00:00.000001', '-infinity', null, '12:00:00+00', '2147483647 days', '2025-01-01 00:00:00.5'),
    (6, 90, null, null, null, null, null, null, null);

insert into moments (organization_id, id, day, at_local, at_zone, clock, clock_zone, span, exact) values
    (7, 1, '1970-01-01', null, '1883-11-18 12:03:58-04:56:02', '00:00:00', '00:00:00+15:59:59', '1 day -24:00:00', 'infinity'),
    (7, 2, '4713-01-01 BC', '0001-01-01 00:00:00 BC', '294276-12-31 23:59:59.999999+00', '23:59:59.999999', '24:00:00-15:59:59', '-00:00:59.5', '2025-01-01 00:00:00'),
    (7, 3, '-infinity', '1999-12-31 23:59:59.999999', 'infinity', '12:00', '12:00:00+05:30', '100 years 11 mons -31 days +25:01:01.000001', null),
    (7, 4, '2025-01-01', 'infinity', '4714-11-24 00:00:00+00 BC', '12:34:56.789012', null, '-178956970 years -8 mons', '2025-01-01 00:00:00.5'),
    (7, 5, '1999-12-31', '294276-12-31 23:59:59.999999', '2025-10-26 01:30:00+02', null, '12:00:00+00', '00:00:59.999999', '1999-12-31 23:59:59.9'),
    (7, 6, '1970-01-01', null, '0044-03-15 12:00:00+00 BC', '24:00:00', '13:00:00+01', interval '-2562047788:00:54.775807' - interval '00:00:00.000001', 'infinity'),
    (7, 90, null, null, null, null, null, null, null);

insert into moments (organization_id, id, day, at_local, at_zone, clock, clock_zone, span, exact) values
    (8, 1, '2000-02-29', '-infinity', null, '23:59:59.999999', '24:00:00-15:59:59', '24:00:00', null),
    (8, 2, '5874897-12-31', '2024-02-29 12:00:00.000001', '2025-03-30 01:00:00+00', '12:00', '12:00:00+05:30', '1 day', '2025-01-01 00:00:00.5'),
    (8, 3, '0044-03-15 BC', '2025-01-01 00:00:00', '-infinity', '12:34:56.789012', null, '23:00:00.25', '1999-12-31 23:59:59.9'),
    (8, 4, 'infinity', '4713-01-01 00:00:00 BC', '2025-01-01 00:00:00+00', null, '12:00:00+00', '1 day -24:00:00', 'infinity'),
    (8, 5, null, '2025-01-01 00:00:00.0000005', '1883-11-18 12:03:58-04:56:02', '24:00:00', '13:00:00+01', '-00:00:59.5', '2025-01-01 00:00:00'),
    (8, 6, '2000-02-29', '-infinity', '294276-12-31 23:59:59.999999+00', '00:00:00.000001', '11:00:00-01', '100 years 11 mons -31 days +25:01:01.000001', null),
    (8, 90, null, null, null, null, null, null, null);

insert into things (organization_id, id, device, raw, host, net, mac, mac8, plain, payload, ints, numbers, days, several, letter, label, code, title, note, place) values
    (1, 1, '00000000-0000-0000-0000-000000000000', '\x00', '10.0.0.0/8', '::/0', null, '00:00:00:00:00:00:00:00', '{"a": 1, "a": 2}', '"a"', '[-2147483648,0)', '[1.0,2.00)', '(,)', null, null, 'Ä', 'A', 'A', '\', '16/B374D848'),
    (1, 2, '80000000-0000-4000-8000-000000000001', '\x5c', '10.0.0.1', null, '08:00:2b:01:02:03', '80:00:00:00:00:00:00:00', '"x"', '{"a": 1}', null, '[1.0,2.00)', 'empty', '{[1,5),[7,9)}', ' ', 'Ä', '', '9', '9', 'FFFFFFFF/FFFFFFFF'),
    (1, 3, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '\xdeadbeef', null, '0.0.0.0/0', '00:00:00:00:00:00', null, 'null', '-0', '[5,6)', '[1.0,2.00)', '[-infinity,infinity]', '{(,)}', 'a', 'Ä', 'abcde', 'B', 'b', '0/0'),
    (1, 4, '00000000-0000-0000-0000-000000000000', '\xff', '0.0.0.0/0', '10.1.0.0/16', '80:00:00:00:00:00', '08:00:2b:ff:fe:01:02:03', '[1, 2,  3]', '{"a": {}}', '[1,1]', '[1.0,2.00)', '(,)', null, 'B', 'Ä', 'ab', 'A', 'e', null),
    (1, 5, '80000000-0000-4000-8000-000000000001', '\x0a', 'fe80::1/64', '10.0.0.0/16', 'ff:ff:ff:ff:ff:ff', 'ff:ff:ff:ff:ff:ff:ff:ff', '{"a":1}', 'true', '(,)', '[1.0,2.00)', 'empty', '{[1,5),[7,9)}', '', 'Ä', 'a ', '9', 'NULL', '1/0'),
    (1, 6, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '\x00', '10.0.0.0/8', '192.168.1.0/24', null, '00:00:00:00:00:00:00:00', '{"a" : 1 }', '"a"', '(,5)', '[1.0,2.00)', '[-infinity,infinity]', '{(,)}', 'Z', 'Ä', 'a', 'B', '', '16/B374D848'),
    (1, 7, '00000000-0000-0000-0000-000000000000', '\x5c', '10.0.0.1', '10.0.0.0/8', '08:00:2b:01:02:03', '80:00:00:00:00:00:00:00', '{}', '{"a": 1}', '[1,)', '[1.0,2.00)', '(,)', null, '~', 'Ä', '    x', 'A', 'z', 'FFFFFFFF/FFFFFFFF'),
    (1, 8, '80000000-0000-4000-8000-000000000001', '\xdeadbeef', null, '::/0', '00:00:00:00:00:00', null, '1.00', '-0', '[1,5)', '[1.0,2.00)', 'empty', '{[1,5),[7,9)}', null, 'Ä', null, '9', '\', '0/0'),
    (1, 90, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null);

insert into things (organization_id, id, device, raw, host, net, mac, mac8, plain, payload, ints, numbers, days, several, letter, label, code, title, note, place) values
    (2, 1, 'ffffffff-ffff-ffff-ffff-ffffffffffff', '\x00ff', '::1', null, '00:00:00:00:00:00', null, null, '[1, 2]', 'empty', '[NaN,NaN]', null, '{}', ' ', 'a', 'ä', 'twenty characters ok', '\N', '0/0'),
    (2, 2, '7fffffff-ffff-4fff-8fff-ffffffffffff', null, '10.0.0.1/8', '0.0.0.0/0', '80:00:00:00:00:00', '08:00:2b:ff:fe:01:02:03', '{"a": 1, "a": 2}', null, '[-2147483648,0)', '[NaN,NaN]', '[2025-01-01,2025-02-01)', '{[1,9)}', 'a', 'a', 'A', '', '"', null),
    (2, 3, null, '\x0000', '::ffff:10.0.0.1', '10.1.0.0/16', 'ff:ff:ff:ff:ff:ff', 'ff:ff:ff:ff:ff:ff:ff:ff', '"x"', '[[]]', null, '[NaN,NaN]', '(,2025-01-01)', '{(,1),[9,)}', 'B', 'a', '', '_', 'B', '1/0'),
    (2, 4, 'ffffffff-ffff-ffff-ffff-ffffffffffff', '\x5c2e', '::/0', '10.0.0.0/16', null, '00:00:00:00:00:00:00:00', 'null', 'null', '[5,6)', '[NaN,NaN]', null, '{}', '', 'a', 'abcde', 'twenty characters ok', 'é', '16/B374D848'),
    (2, 5, '7fffffff-ffff-4fff-8fff-ffffffffffff', '\x', '255.255.255.255', '192.168.1.0/24', '08:00:2b:01:02:03', '80:00:00:00:00:00:00:00', '[1, 2,  3]', '1.00', '[1,1]', '[NaN,NaN]', '[2025-01-01,2025-02-01)', '{[1,9)}', 'Z', 'a', 'ab', '', null, 'FFFFFFFF/FFFFFFFF'),
    (2, 6, null, '\x00ff', '::1', '10.0.0.0/8', '00:00:00:00:00:00', null, '{"a":1}', '[1, 2]', '(,)', '[NaN,NaN]', '(,2025-01-01)', '{(,1),[9,)}', '~', 'a', 'a ', '_', ' ', '0/0'),
    (2, 7, 'ffffffff-ffff-ffff-ffff-ffffffffffff', null, '10.0.0.1/8', '::/0', '80:00:00:00:00:00', '08:00:2b:ff:fe:01:02:03', '{"a" : 1 }', null, '(,5)', '[NaN,NaN]', null, '{}', null, 'a', 'a', 'twenty characters ok', 'a b', null),
    (2, 8, '7fffffff-ffff-4fff-8fff-ffffffffffff', '\x0000', '::ffff:10.0.0.1', null, 'ff:ff:ff:ff:ff:ff', 'ff:ff:ff:ff:ff:ff:ff:ff', '{}', '[[]]', '[1,)', '[NaN,NaN]', '[2025-01-01,2025-02-01)', '{[1,9)}', ' ', 'a', '    x', '', '\N', '1/0'),
    (2, 90, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null);

insert into things (organization_id, id, device, raw, host, net, mac, mac8, plain, payload, ints, numbers, days, several, letter, label, code, title, note, place) values
    (3, 1, '80000000-0000-4000-8000-000000000001', '\x0a', 'fe80::1/64', '0.0.0.0/0', 'ff:ff:ff:ff:ff:ff', 'ff:ff:ff:ff:ff:ff:ff:ff', '1.00', '{"b": [], "ä": "ö"}', '[1,5)', null, 'empty', '{[1,5),[7,9)}', 'a', 'a_name_of_sixty_three_bytes_which_is_as_long_as_postgres_allows', null, 'ä', '\.', '1/0'),
    (3, 2, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '\x00', '10.0.0.0/8', '10.1.0.0/16', null, '00:00:00:00:00:00:00:00', null, '""', 'empty', null, '[-infinity,infinity]', '{(,)}', 'B', 'a_name_of_sixty_three_bytes_which_is_as_long_as_postgres_allows', 'ä', 'a', '
', '16/B374D848'),
    (3, 3, '00000000-0000-0000-0000-000000000000', '\x5c', '10.0.0.1', '10.0.0.0/16', '08:00:2b:01:02:03', '80:00:00:00:00:00:00:00', '{"a": 1, "a": 2}', '[]', '[-2147483648,0)', null, '(,)', null, '', 'a_name_of_sixty_three_bytes_which_is_as_long_as_postgres_allows', 'A', null, 'ä', 'FFFFFFFF/FFFFFFFF'),
    (3, 4, '80000000-0000-4000-8000-000000000001', '\xdeadbeef', null, '192.168.1.0/24', '00:00:00:00:00:00', null, '"x"', '1', null, null, 'empty', '{[1,5),[7,9)}', 'Z', 'a_name_of_sixty_three_bytes_which_is_as_long_as_postgres_allows', '', 'ä', 'ss', '0/0'),
    (3, 5, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '\xff', '0.0.0.0/0', '10.0.0.0/8', '80:00:00:00:00:00', '08:00:2b:ff:fe:01:02:03', 'null', '[1]', '[5,6)', null, '[-infinity,infinity]', '{(,)}', '~', 'a_name_of_sixty_three_bytes_which_is_as_long_as_postgres_allows', 'abcde', 'a', '🙂', null),
    (3, 6, '00000000-0000-0000-0000-000000000000', '\x0a', 'fe80::1/64', '::/0', 'ff:ff:ff:ff:ff:ff', 'ff:ff:ff:ff:ff:ff:ff:ff', '[1, 2,  3]', '{"b": [], "ä": "ö"}', '[1,1]', null, '(,)', null, null, 'a_name_of_sixty_three_bytes_which_is_as_long_as_postgres_allows', 'ab', null, 'a', '1/0'),
    (3, 7, '80000000-0000-4000-8000-000000000001', '\x00', '10.0.0.0/8', null, null, '00:00:00:00:00:00:00:00', '{"a":1}', '""', '(,)', null, 'empty', '{[1,5),[7,9)}', ' ', 'a_name_of_sixty_three_bytes_which_is_as_long_as_postgres_allows', 'a ', 'ä', 'a-b', '16/B374D848'),
    (3, 8, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '\x5c', '10.0.0.1', '0.0.0.0/0', '08:00:2b:01:02:03', '80:00:00:00:00:00:00:00', '{"a" : 1 }', '[]', '(,5)', null, '[-infinity,infinity]', '{(,)}', 'a', 'a_name_of_sixty_three_bytes_which_is_as_long_as_postgres_allows', 'a', 'a', '\.', 'FFFFFFFF/FFFFFFFF'),
    (3, 90, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null);

insert into things (organization_id, id, device, raw, host, net, mac, mac8, plain, payload, ints, numbers, days, several, letter, label, code, title, note, place) values
    (4, 1, '7fffffff-ffff-4fff-8fff-ffffffffffff', '\x', '255.255.255.255', '10.1.0.0/16', '08:00:2b:01:02:03', '80:00:00:00:00:00:00:00', '{}', '1e400', '[1,)', '[1,2)', '[2025-01-01,2025-02-01)', '{[1,9)}', 'B', null, '    x', 'Ä', '	', 'FFFFFFFF/FFFFFFFF'),
    (4, 2, null, '\x00ff', '::1', '10.0.0.0/16', '00:00:00:00:00:00', null, '1.00', '{}', '[1,5)', '[1,2)', '(,2025-01-01)', '{(,1),[9,)}', '', null, null, 'a ', 'line
break', '0/0'),
    (4, 3, 'ffffffff-ffff-ffff-ffff-ffffffffffff', null, '10.0.0.1/8', '192.168.1.0/24', '80:00:00:00:00:00', '08:00:2b:ff:fe:01:02:03', null, 'false', 'empty', '[1,2)', null, '{}', 'Z', null, 'ä', '10', 'Z', null),
    (4, 4, '7fffffff-ffff-4fff-8fff-ffffffffffff', '\x0000', '::ffff:10.0.0.1', '10.0.0.0/8', 'ff:ff:ff:ff:ff:ff', 'ff:ff:ff:ff:ff:ff:ff:ff', '{"a": 1, "a": 2}', '"B"', '[-2147483648,0)', '[1,2)', '[2025-01-01,2025-02-01)', '{[1,9)}', '~', null, 'A', 'Ä', 'ß', '1/0'),
    (4, 5, null, '\x5c2e', '::/0', '::/0', null, '00:00:00:00:00:00:00:00', '"x"', '{"a": 1, "b": null}', null, '[1,2)', '(,2025-01-01)', '{(,1),[9,)}', null, null, '', 'a ', '10', '16/B374D848'),
    (4, 6, 'ffffffff-ffff-ffff-ffff-ffffffffffff', '\x', '255.255.255.255', null, '08:00:2b:01:02:03', '80:00:00:00:00:00:00:00', 'null', '1e400', '[5,6)', '[1,2)', null, '{}', ' ', null, 'abcde', '10', 'A', 'FFFFFFFF/FFFFFFFF'),
    (4, 7, '7fffffff-ffff-4fff-8fff-ffffffffffff', '\x00ff', '::1', '0.0.0.0/0', '00:00:00:00:00:00', null, '[1, 2,  3]', '{}', '[1,1]', '[1,2)', '[2025-01-01,2025-02-01)', '{[1,9)}', 'a', null, 'ab', 'Ä', 'ab', '0/0'),
    (4, 8, null, null, '10.0.0.1/8', '10.1.0.0/16', '80:00:00:00:00:00', '08:00:2b:ff:fe:01:02:03', '{"a":1}', 'false', '(,)', '[1,2)', '(,2025-01-01)', '{(,1),[9,)}', 'B', null, 'a ', 'a ', '	', null),
    (4, 90, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null);

insert into things (organization_id, id, device, raw, host, net, mac, mac8, plain, payload, ints, numbers, days, several, letter, label, code, title, note, place) values
    (5, 1, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '\xff', '0.0.0.0/0', '10.0.0.0/16', '80:00:00:00:00:00', '08:00:2b:ff:fe:01:02:03', '{"a" : 1 }', '{"a": {}}', '(,5)', '[,Infinity]', '[-infinity,infinity]', '{(,)}', '', 'B', 'a', 'B', 'NULL', null),
    (5, 2, '00000000-0000-0000-0000-000000000000', '\x0a', 'fe80::1/64', '192.168.1.0/24', 'ff:ff:ff:ff:ff:ff', 'ff:ff:ff:ff:ff:ff:ff:ff', '{}', 'true', '[1,)', '[,Infinity]', '(,)', null, 'Z', 'B', '    x', 'A', '', '1/0'),
    (5, 3, '80000000-0000-4000-8000-000000000001', '\x00', '10.0.0.0/8', '10.0.0.0/8', null, '00:00:00:00:00:00:00:00', '1.00', '"a"', '[1,5)', '[,Infinity]', 'empty', '{[1,5),[7,9)}', '~', 'B', null, '9', 'z', '16/B374D848'),
    (5, 4, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '\x5c', '10.0.0.1', '::/0', '08:00:2b:01:02:03', '80:00:00:00:00:00:00:00', null, '{"a": 1}', 'empty', '[,Infinity]', '[-infinity,infinity]', '{(,)}', null, 'B', 'ä', 'B', '\', 'FFFFFFFF/FFFFFFFF'),
    (5, 5, '00000000-0000-0000-0000-000000000000', '\xdeadbeef', null, null, '00:00:00:00:00:00', null, '{"a": 1, "a": 2}', '-0', '[-2147483648,0)', '[,Infinity]', '(,)', null, ' ', 'B', 'A', 'A', '9', '0/0'),
    (5, 6, '80000000-0000-4000-8000-000000000001', '\xff', '0.0.0.0/0', '0.0.0.0/0', '80:00:00:00:00:00', '08:00:2b:ff:fe:01:02:03', '"x"', '{"a": {}}', null, '[,Infinity]', 'empty', '{[1,5),[7,9)}', 'a', 'B', '', '9', 'b', null),
    (5, 7, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '\x0a', 'fe80::1/64', '10.1.0.0/16', 'ff:ff:ff:ff:ff:ff', 'ff:ff:ff:ff:ff:ff:ff:ff', 'null', 'true', '[5,6)', '[,Infinity]', '[-infinity,infinity]', '{(,)}', 'B', 'B', 'abcde', 'B', 'e', '1/0'),
    (5, 90, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null);

insert into things (organization_id, id, device, raw, host, net, mac, mac8, plain, payload, ints, numbers, days, several, letter, label, code, title, note, place) values
    (6, 1, null, '\x5c2e', '::/0', '192.168.1.0/24', null, '00:00:00:00:00:00:00:00', '{"a":1}', 'null', '(,)', 'empty', '(,2025-01-01)', '{(,1),[9,)}', 'Z', 'ä', 'a ', '_', null, '16/B374D848'),
    (6, 2, 'ffffffff-ffff-ffff-ffff-ffffffffffff', '\x', '255.255.255.255', '10.0.0.0/8', '08:00:2b:01:02:03', '80:00:00:00:00:00:00:00', '{"a" : 1 }', '1.00', '(,5)', 'empty', null, '{}', '~', 'ä', 'a', 'twenty characters ok', ' ', 'FFFFFFFF/FFFFFFFF'),
    (6, 3, '7fffffff-ffff-4fff-8fff-ffffffffffff', '\x00ff', '::1', '::/0', '00:00:00:00:00:00', null, '{}', '[1, 2]', '[1,)', 'empty', '[2025-01-01,2025-02-01)', '{[1,9)}', null, 'ä', '    x', '', 'a b', '0/0'),
    (6, 4, null, null, '10.0.0.1/8', null, '80:00:00:00:00:00', '08:00:2b:ff:fe:01:02:03', '1.00', null, '[1,5)', 'empty', '(,2025-01-01)', '{(,1),[9,)}', ' ', 'ä', null, '_', '\N', null),
    (6, 5, 'ffffffff-ffff-ffff-ffff-ffffffffffff', '\x0000', '::ffff:10.0.0.1', '0.0.0.0/0', 'ff:ff:ff:ff:ff:ff', 'ff:ff:ff:ff:ff:ff:ff:ff', null, '[[]]', 'empty', 'empty', null, '{}', 'a', 'ä', 'ä', 'twenty characters ok', '"', '1/0'),
    (6, 6, '7fffffff-ffff-4fff-8fff-ffffffffffff', '\x5c2e', '::/0', '10.1.0.0/16', null, '00:00:00:00:00:00:00:00', '{"a": 1, "a": 2}', 'null', '[-2147483648,0)', 'empty', '[2025-01-01,2025-02-01)', '{[1,9)}', 'B', 'ä', 'A', '', 'B', '16/B374D848'),
    (6, 7, null, '\x', '255.255.255.255', '10.0.0.0/16', '08:00:2b:01:02:03', '80:00:00:00:00:00:00:00', '"x"', '1.00', null, 'empty', '(,2025-01-01)', '{(,1),[9,)}', '', 'ä', '', '_', 'é', 'FFFFFFFF/FFFFFFFF'),
    (6, 90, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null);

insert into things (organization_id, id, device, raw, host, net, mac, mac8, plain, payload, ints, numbers, days, several, letter, label, code, title, note, place) values
    (7, 1, '00000000-0000-0000-0000-000000000000', '\xdeadbeef', null, '10.0.0.0/8', '00:00:00:00:00:00', null, '[1, 2,  3]', '1', '[1,1]', '(1,2]', '(,)', null, '~', 'pg', 'ab', null, '🙂', '0/0'),
    (7, 2, '80000000-0000-4000-8000-000000000001', '\xff', '0.0.0.0/0', '::/0', '80:00:00:00:00:00', '08:00:2b:ff:fe:01:02:03', '{"a":1}', '[1]', '(,)', '(1,2]', 'empty', '{[1,5),[7,9)}', null, 'pg', 'a ', 'ä', 'a', null),
    (7, 3, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '\x0a', 'fe80::1/64', null, 'ff:ff:ff:ff:ff:ff', 'ff:ff:ff:ff:ff:ff:ff:ff', '{"a" : 1 }', '{"b": [], "ä": "ö"}', '(,5)', '(1,2]', '[-infinity,infinity]', '{(,)}', ' ', 'pg', 'a', 'a', 'a-b', '1/0'),
    (7, 4, '00000000-0000-0000-0000-000000000000', '\x00', '10.0.0.0/8', '0.0.0.0/0', null, '00:00:00:00:00:00:00:00', '{}', '""', '[1,)', '(1,2]', '(,)', null, 'a', 'pg', '    x', null, '\.', '16/B374D848'),
    (7, 5, '80000000-0000-4000-8000-000000000001', '\x5c', '10.0.0.1', '10.1.0.0/16', '08:00:2b:01:02:03', '80:00:00:00:00:00:00:00', '1.00', '[]', '[1,5)', '(1,2]', 'empty', '{[1,5),[7,9)}', 'B', 'pg', null, 'ä', '
', 'FFFFFFFF/FFFFFFFF'),
    (7, 6, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '\xdeadbeef', null, '10.0.0.0/16', '00:00:00:00:00:00', null, null, '1', 'empty', '(1,2]', '[-infinity,infinity]', '{(,)}', '', 'pg', 'ä', 'a', 'ä', '0/0'),
    (7, 7, '00000000-0000-0000-0000-000000000000', '\xff', '0.0.0.0/0', '192.168.1.0/24', '80:00:00:00:00:00', '08:00:2b:ff:fe:01:02:03', '{"a": 1, "a": 2}', '[1]', '[-2147483648,0)', '(1,2]', '(,)', null, 'Z', 'pg', 'A', null, 'ss', null),
    (7, 90, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null);

insert into things (organization_id, id, device, raw, host, net, mac, mac8, plain, payload, ints, numbers, days, several, letter, label, code, title, note, place) values
    (8, 1, 'ffffffff-ffff-ffff-ffff-ffffffffffff', '\x0000', '::ffff:10.0.0.1', '::/0', 'ff:ff:ff:ff:ff:ff', 'ff:ff:ff:ff:ff:ff:ff:ff', 'null', '"B"', '[5,6)', '[1,1]', null, '{}', null, '', 'abcde', '10', '10', '1/0'),
    (8, 2, '7fffffff-ffff-4fff-8fff-ffffffffffff', '\x5c2e', '::/0', null, null, '00:00:00:00:00:00:00:00', '[1, 2,  3]', '{"a": 1, "b": null}', '[1,1]', '[1,1]', '[2025-01-01,2025-02-01)', '{[1,9)}', ' ', '', 'ab', 'Ä', 'A', '16/B374D848'),
    (8, 3, null, '\x', '255.255.255.255', '0.0.0.0/0', '08:00:2b:01:02:03', '80:00:00:00:00:00:00:00', '{"a":1}', '1e400', '(,)', '[1,1]', '(,2025-01-01)', '{(,1),[9,)}', 'a', '', 'a ', 'a ', 'ab', 'FFFFFFFF/FFFFFFFF'),
    (8, 4, 'ffffffff-ffff-ffff-ffff-ffffffffffff', '\x00ff', '::1', '10.1.0.0/16', '00:00:00:00:00:00', null, '{"a" : 1 }', '{}', '(,5)', '[1,1]', null, '{}', 'B', '', 'a', '10', '	', '0/0'),
    (8, 5, '7fffffff-ffff-4fff-8fff-ffffffffffff', null, '10.0.0.1/8', '10.0.0.0/16', '80:00:00:00:00:00', '08:00:2b:ff:fe:01:02:03', '{}', 'false', '[1,)', '[1,1]', '[2025-01-01,2025-02-01)', '{[1,9)}', '', '', '    x', 'Ä', 'line
break', null),
    (8, 6, null, '\x0000', '::ffff:10.0.0.1', '192.168.1.0/24', 'ff:ff:ff:ff:ff:ff', 'ff:ff:ff:ff:ff:ff:ff:ff', '1.00', '"B"', '[1,5)', '[1,1]', '(,2025-01-01)', '{(,1),[9,)}', 'Z', '', null, 'a ', 'Z', '1/0'),
    (8, 7, 'ffffffff-ffff-ffff-ffff-ffffffffffff', '\x5c2e', '::/0', '10.0.0.0/8', null, '00:00:00:00:00:00:00:00', null, '{"a": 1, "b": null}', 'empty', '[1,1]', null, '{}', '~', '', 'ä', '10', 'ß', '16/B374D848'),
    (8, 90, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null);

insert into arrays (organization_id, id, ints, words, numbers, floats, grid, flags) values
    (1, 1, '{}', '{a}', '{1.00}', '{Infinity,-Infinity}', null, '{t,f}'),
    (1, 2, '{2147483647}', null, '{0.1,0.2}', '{0}', null, '{f}'),
    (1, 3, null, '{ä}', '{-Infinity}', '{NULL,1}', null, '{}'),
    (1, 4, '{1,NULL}', '{"a b","c,d","e\"f","g\\h","{}"}', '{1.00}', '{Infinity,-Infinity}', null, null),
    (1, 5, '{{1,2}}', '{"NULL"}', '{0.1,0.2}', '{0}', null, '{NULL,t}'),
    (1, 90, null, null, null, null, null, null);

insert into arrays (organization_id, id, ints, words, numbers, floats, grid, flags) values
    (2, 1, '{1}', '{""}', '{NaN}', '{5e-324}', '{{1,2,3,4}}', '{f}'),
    (2, 2, '[0:1]={1,2}', '{a,NULL}', '{}', '{-0}', '{{1,2,3,4}}', '{}'),
    (2, 3, '{}', '{}', '{NULL}', null, '{{1,2,3,4}}', null),
    (2, 4, '{2147483647}', '{{a,b},{c,d}}', '{NaN}', '{5e-324}', '{{1,2,3,4}}', '{NULL,t}'),
    (2, 5, null, '{A}', '{}', '{-0}', '{{1,2,3,4}}', '{t,f}'),
    (2, 90, null, null, null, null, null, null);

insert into arrays (organization_id, id, ints, words, numbers, floats, grid, flags) values
    (3, 1, '{1,2}', '{ä}', '{1,Infinity}', '{}', '{{1,2},{3,4}}', '{}'),
    (3, 2, '[-1:0]={1,2}', '{"a b","c,d","e\"f","g\\h","{}"}', '{1.0}', '{NaN}', '{{1,2},{3,4}}', null),
    (3, 3, '{1}', '{"NULL"}', null, '{1e308}', '{{1,2},{3,4}}', '{NULL,t}'),
    (3, 4, '[0:1]={1,2}', '{a}', '{1,Infinity}', '{}', '{{1,2},{3,4}}', '{t,f}'),
    (3, 90, null, null, null, null, null, null);

insert into arrays (organization_id, id, ints, words, numbers, floats, grid, flags) values
    (4, 1, '{1,2,3}', '{}', '{-Infinity}', '{NULL,1}', '{{1},{2}}', null),
    (4, 2, '{{1,2},{3,4}}', '{{a,b},{c,d}}', '{1.00}', '{Infinity,-Infinity}', '{{1},{2}}', '{NULL,t}'),
    (4, 3, '{1,2}', '{A}', '{0.1,0.2}', '{0}', '{{1},{2}}', '{t,f}'),
    (4, 4, '[-1:0]={1,2}', '{""}', '{-Infinity}', '{NULL,1}', '{{1},{2}}', '{f}'),
    (4, 90, null, null, null, null, null, null);

insert into arrays (organization_id, id, ints, words, numbers, floats, grid, flags) values
    (5, 1, '{NULL}', '{"NULL"}', '{NULL}', null, '{}', '{NULL,t}'),
    (5, 2, '{{{1}}}', '{a}', '{NaN}', '{5e-324}', '{}', '{t,f}'),
    (5, 3, '{1,2,3}', null, '{}', '{-0}', '{}', '{f}'),
    (5, 4, '{{1,2},{3,4}}', '{ä}', '{NULL}', null, '{}', '{}'),
    (5, 90, null, null, null, null, null, null);

insert into arrays (organization_id, id, ints, words, numbers, floats, grid, flags) values
    (6, 1, '{1,NULL}', '{A}', null, '{1e308}', '[2:3][0:1]={{1,2},{3,4}}', '{t,f}'),
    (6, 2, '{{1,2}}', '{""}', '{1,Infinity}', '{}', '[2:3][0:1]={{1,2},{3,4}}', '{f}'),
    (6, 3, '{NULL}', '{a,NULL}', '{1.0}', '{NaN}', '[2:3][0:1]={{1,2},{3,4}}', '{}'),
    (6, 4, '{{{1}}}', '{}', null, '{1e308}', '[2:3][0:1]={{1,2},{3,4}}', null),
    (6, 90, null, null, null, null, null, null);

insert into made (organization_id, id, feeling, part, said, duo, feelings, pairs, shares, reach) values
    (1, 1, 'sad', '0.0', 'A', '(,)', '{Ecstatic}', '{"(1,\"a b\")"}', '{NaN,NULL}', 'empty'),
    (1, 2, 'happy', null, 'ä', '(,a)', null, '{}', '{1,1.0}', 'empty'),
    (1, 3, null, '1.00', 'B', '(1,)', '{}', '{"(1,a)"}', '{}', 'empty'),
    (1, 4, 'meh', '0', null, '(1,a)', '{sad}', '{"(1,a)","(2,)"}', null, 'empty'),
    (1, 90, null, null, null, null, null, null, null, null);

insert into made (organization_id, id, feeling, part, said, duo, feelings, pairs, shares, reach) values
    (2, 1, 'meh', 'NaN', 'ä', '(2,"x""y")', null, '{}', null, '(,)'),
    (2, 2, 'Ecstatic', '0.0', 'B', '(1,"")', '{}', '{"(1,a)"}', '{NaN,NULL}', '(,)'),
    (2, 3, 'sad', null, null, '(1,"a b")', '{sad}', '{"(1,a)","(2,)"}', '{1,1.0}', '(,)'),
    (2, 4, 'happy', '1.00', '', '(,)', '{sad,happy}', '{NULL}', '{}', '(,)'),
    (2, 90, null, null, null, null, null, null, null, null);

insert into made (organization_id, id, feeling, part, said, duo, feelings, pairs, shares, reach) values
    (3, 1, 'happy', '0.5', 'B', '(1,A)', '{}', '{"(1,a)"}', '{}', '[5e-324,1]'),
    (3, 2, null, 'NaN', null, null, '{sad}', '{"(1,a)","(2,)"}', null, '[5e-324,1]'),
    (3, 3, 'meh', '0.0', '', '(-2147483648,"\\")', '{sad,happy}', '{NULL}', '{NaN,NULL}', '[5e-324,1]'),
    (3, 4, 'Ecstatic', null, 'a', '(2,"x""y")', '{NULL,meh}', null, '{1,1.0}', '[5e-324,1]'),
    (3, 90, null, null, null, null, null, null, null, null);

insert into made (organization_id, id, feeling, part, said, duo, feelings, pairs, shares, reach) values
    (4, 1, 'Ecstatic', '1', null, '(1,)', '{sad}', '{"(1,a)","(2,)"}', '{1,1.0}', '[-Infinity,NaN]'),
    (4, 2, 'sad', '0.5', '', '(1,a)', '{sad,happy}', '{NULL}', '{}', '[-Infinity,NaN]'),
    (4, 3, 'happy', 'NaN', 'a', '(1,"(2,b)")', '{NULL,meh}', null, null, '[-Infinity,NaN]'),
    (4, 4, null, '0.0', 'A', '(1,A)', '{Ecstatic}', '{"(1,\"a b\")"}', '{NaN,NULL}', '[-Infinity,NaN]'),
    (4, 90, null, null, null, null, null, null, null, null);

insert into made (organization_id, id, feeling, part, said, duo, feelings, pairs, shares, reach) values
    (5, 1, null, 'Infinity', '', '(1,"a b")', '{sad,happy}', '{NULL}', '{NaN,NULL}', null),
    (5, 2, 'meh', '1', 'a', '(,)', '{NULL,meh}', null, '{1,1.0}', null),
    (5, 3, 'Ecstatic', '0.5', 'A', '(,a)', '{Ecstatic}', '{"(1,\"a b\")"}', '{}', null),
    (5, 4, 'sad', 'NaN', 'ä', '(1,)', null, '{}', null, null),
    (5, 90, null, null, null, null, null, null, null, null);

insert into made (organization_id, id, feeling, part, said, duo, feelings, pairs, shares, reach) values
    (6, 1, 'sad', '0', 'a', '(-2147483648,"\\")', '{NULL,meh}', null, null, '[0,1)'),
    (6, 2, 'happy', 'Infinity', 'A', '(2,"x""y")', '{Ecstatic}', '{"(1,\"a b\")"}', '{NaN,NULL}', '[0,1)'),
    (6, 3, null, '1', 'ä', '(1,"")', null, '{}', '{1,1.0}', '[0,1)'),
    (6, 4, 'meh', '0.5', 'B', '(1,"a b")', '{}', '{"(1,a)"}', '{}', '[0,1)'),
    (6, 90, null, null, null, null, null, null, null, null);

insert into made (organization_id, id, feeling, part, said, duo, feelings, pairs, shares, reach) values
    (7, 1, 'meh', '1.00', 'A', '(1,"(2,b)")', '{Ecstatic}', '{"(1,\"a b\")"}', '{}', '[0,-0]'),
    (7, 2, 'Ecstatic', '0', 'ä', '(1,A)', null, '{}', null, '[0,-0]'),
    (7, 3, 'sad', 'Infinity', 'B', null, '{}', '{"(1,a)"}', '{NaN,NULL}', '[0,-0]'),
    (7, 4, 'happy', '1', null, '(-2147483648,"\\")', '{sad}', '{"(1,a)","(2,)"}', '{1,1.0}', '[0,-0]'),
    (7, 90, null, null, null, null, null, null, null, null);

insert into figures_told select t.*, 'meh'::temper from figures t where t.organization_id = 1;
insert into moments_told select t.*, 'meh'::temper from moments t where t.organization_id = 1;
insert into things_told select t.*, 'meh'::temper from things t where t.organization_id = 1;
insert into figures_told select t.*, 'happy'::temper from figures t where t.organization_id = 2;
insert into moments_told select t.*, 'happy'::temper from moments t where t.organization_id = 2;
insert into things_told select t.*, 'happy'::temper from things t where t.organization_id = 2;
insert into figures_told select t.*, 'Ecstatic'::temper from figures t where t.organization_id = 3;
insert into moments_told select t.*, 'Ecstatic'::temper from moments t where t.organization_id = 3;
insert into things_told select t.*, 'Ecstatic'::temper from things t where t.organization_id = 3;
insert into figures_told select t.*, 'sad'::temper from figures t where t.organization_id = 4;
insert into moments_told select t.*, 'sad'::temper from moments t where t.organization_id = 4;
insert into things_told select t.*, 'sad'::temper from things t where t.organization_id = 4;
insert into figures_told select t.*, 'meh'::temper from figures t where t.organization_id = 5;
insert into moments_told select t.*, 'meh'::temper from moments t where t.organization_id = 5;
insert into things_told select t.*, 'meh'::temper from things t where t.organization_id = 5;
insert into figures_told select t.*, 'happy'::temper from figures t where t.organization_id = 6;
insert into moments_told select t.*, 'happy'::temper from moments t where t.organization_id = 6;
insert into things_told select t.*, 'happy'::temper from things t where t.organization_id = 6;
insert into figures_told select t.*, 'Ecstatic'::temper from figures t where t.organization_id = 7;
insert into moments_told select t.*, 'Ecstatic'::temper from moments t where t.organization_id = 7;
insert into things_told select t.*, 'Ecstatic'::temper from things t where t.organization_id = 7;
insert into figures_told select t.*, 'sad'::temper from figures t where t.organization_id = 8;
insert into moments_told select t.*, 'sad'::temper from moments t where t.organization_id = 8;
insert into things_told select t.*, 'sad'::temper from things t where t.organization_id = 8;

insert into hollow (organization_id) values (1);
insert into hollow (organization_id) values (2);
insert into hollow (organization_id) values (3);
insert into hollow (organization_id) values (4);
insert into hollow (organization_id) values (6);

insert into one_place (organization_id, id, f4, f8, n, fixed, s, i, b, cash, bits, bit_string, yes) values
    (2, 1, '0', '-0', '1', '9999999999999999.9999', '-1', '7', null, '100', '10101', '0', null),
    (2, 2, '-Infinity', '0', 'NaN', '1.5', '-32768', '1', '0', '92233720368547758.07', '00000', '0000', null),
    (2, 3, '0.5', 'NaN', '0.1', null, '100', '-2147483648', null, '100', '01111', '0', null),
    (2, 4, '-0', '1.5', '100', '-9999999999999999.9999', '0', '42', '0', '92233720368547758.07', '10101', '0000', null),
    (2, 90, null, null, null, null, null, null, null, null, null, null, null);

insert into one_place (organization_id, id, f4, f8, n, fixed, s, i, b, cash, bits, bit_string, yes) values
    (9, 1, '-0', '-Infinity', '1.0', null, '100', '-2147483648', '5', '-0.01', '00001', '10', 't'),
    (9, 2, '1.5', 'Infinity', 'Infinity', '-9999999999999999.9999', '0', '42', '1', null, '11111', '', 't'),
    (9, 3, '-0.125', 'NaN', '0.10', '-1.5', null, '-1', '5', '-0.01', null, '10', 't'),
    (9, 4, 'NaN', '-0', '99.99', '0', '1', '0', '1', null, '00001', '', 't'),
    (9, 90, null, null, null, null, null, null, null, null, null, null, null);

insert into one_place (organization_id, id, f4, f8, n, fixed, s, i, b, cash, bits, bit_string, yes) values
    (10, 1, 'NaN', '65536.0625', '1.00', '-1.5', null, '-1', '9223372036854775807', '12.34', '01111', null, 't'),
    (10, 2, '-2.25', '-2.25', '-Infinity', '0', '1', '0', '9223372036854775807', '0.01', '10101', '01', 't'),
    (10, 3, null, '1.5', '-0.5', '0.0001', '32767', '2147483647', '9223372036854775807', '12.34', '00000', null, 't'),
    (10, 4, 'Infinity', '-Infinity', '1e-30', '9999999999999999.9999', '-1', '7', '9223372036854775807', '0.01', '01111', '01', 't'),
    (10, 90, null, null, null, null, null, null, null, null, null, null, null);

insert into one_place (organization_id, id, f4, f8, n, fixed, s, i, b, cash, bits, bit_string, yes) values
    (14, 1, 'Infinity', '3', '-1', '0.0001', '32767', '2147483647', '-9223372036854775808', '0', null, '1', 'f'),
    (14, 2, '1024', '-1', '1e20', '9999999999999999.9999', '-1', '7', '-1', '-92233720368547758.08', '00001', '11111111', 'f'),
    (14, 3, '0', '0.5', '2.5', '1.5', '-32768', '1', '-9223372036854775808', '0', '11111', '1', 'f'),
    (14, 4, '-Infinity', '65536.0625', null, null, '100', '-2147483648', '-1', '-92233720368547758.08', null, '11111111', 'f'),
    (14, 90, null, null, null, null, null, null, null, null, null, null, null);

insert into two_places (organization_id, id, f4, f8, n, fixed, s, i, b, cash, bits, bit_string, yes) values
    (2, 1, '0', '-0', '1', '9999999999999999.9999', '-1', '7', null, '100', '10101', '0', null),
    (2, 2, '-2.25', '-2.25', '-Infinity', '0', '1', '0', '9223372036854775807', '0.01', '10101', '01', 't'),
    (2, 3, '-0', '1.5', '100', '-9999999999999999.9999', '0', '42', '0', '92233720368547758.07', '10101', '0000', null),
    (2, 90, null, null, null, null, null, null, null, null, null, null, null);

insert into two_places (organization_id, id, f4, f8, n, fixed, s, i, b, cash, bits, bit_string, yes) values
    (4, 1, '-0', '-Infinity', '1.0', null, '100', '-2147483648', '5', '-0.01', '00001', '10', 't'),
    (4, 2, '1024', '-1', '1e20', '9999999999999999.9999', '-1', '7', '-1', '-92233720368547758.08', '00001', '11111111', 'f'),
    (4, 3, 'NaN', '-0', '99.99', '0', '1', '0', '1', null, '00001', '', 't'),
    (4, 90, null, null, null, null, null, null, null, null, null, null, null);

insert into two_places (organization_id, id, f4, f8, n, fixed, s, i, b, cash, bits, bit_string, yes) values
    (5, 1, 'NaN', '65536.0625', '1.00', '-1.5', null, '-1', '9223372036854775807', '12.34', '01111', null, 't'),
    (5, 2, '0.5', 'NaN', '0.1', null, '100', '-2147483648', null, '100', '01111', '0', null),
    (5, 3, 'Infinity', '-Infinity', '1e-30', '9999999999999999.9999', '-1', '7', '9223372036854775807', '0.01', '01111', '01', 't'),
    (5, 90, null, null, null, null, null, null, null, null, null, null, null);

insert into two_places (organization_id, id, f4, f8, n, fixed, s, i, b, cash, bits, bit_string, yes) values
    (6, 1, 'Infinity', '3', '-1', '0.0001', '32767', '2147483647', '-9223372036854775808', '0', null, '1', 'f'),
    (6, 2, '-0.125', 'NaN', '0.10', '-1.5', null, '-1', '5', '-0.01', null, '10', 't'),
    (6, 3, '-Infinity', '65536.0625', null, null, '100', '-2147483648', '-1', '-92233720368547758.08', null, '11111111', 'f'),
    (6, 90, null, null, null, null, null, null, null, null, null, null, null);

insert into two_places (organization_id, id, f4, f8, n, fixed, s, i, b, cash, bits, bit_string, yes) values
    (7, 1, '-Infinity', '0', 'NaN', '1.5', '-32768', '1', '0', '92233720368547758.07', '00000', '0000', null),
    (7, 2, null, '1.5', '-0.5', '0.0001', '32767', '2147483647', '9223372036854775807', '12.34', '00000', null, 't'),
    (7, 90, null, null, null, null, null, null, null, null, null, null, null);

insert into two_places (organization_id, id, f4, f8, n, fixed, s, i, b, cash, bits, bit_string, yes) values
    (8, 1, '1.5', 'Infinity', 'Infinity', '-9999999999999999.9999', '0', '42', '1', null, '11111', '', 't'),
    (8, 2, '0', '0.5', '2.5', '1.5', '-32768', '1', '-9223372036854775808', '0', '11111', '1', 'f'),
    (8, 90, null, null, null, null, null, null, null, null, null, null, null);

insert into crowds (organization_id, i, n, t) values
    (1, '1', '1.0', 'a'),
    (1, '1', 'NaN', 'A'),
    (1, '2', null, null),
    (1, null, '0', 'a'),
    (1, '0', 'NaN', ''),
    (1, '1', '1', 'a');
insert into crowds (organization_id, i, n, t) values
    (2, '1', 'NaN', 'a'),
    (2, '2', null, 'A'),
    (2, '0', '0', null),
    (2, '1', 'NaN', 'a'),
    (2, null, '1', ''),
    (2, '1', '1.0', 'a');
insert into crowds (organization_id, i, n, t) values
    (3, '1', null, 'a'),
    (3, null, '0', 'A'),
    (3, '1', 'NaN', null),
    (3, '0', '1', 'a'),
    (3, '2', '1.0', ''),
    (3, '1', 'NaN', 'a');
insert into crowds (organization_id, i, n, t) values
    (4, '1', '0', 'a'),
    (4, '0', 'NaN', 'A'),
    (4, null, '1', null),
    (4, '2', '1.0', 'a'),
    (4, '1', 'NaN', ''),
    (4, '1', null, 'a');
insert into crowds (organization_id, i, n, t) values
    (5, '1', 'NaN', 'a'),
    (5, '1', '1', 'A'),
    (5, '1', '1.0', null),
    (5, '1', 'NaN', 'a'),
    (5, '1', null, ''),
    (5, '1', '0', 'a');
insert into crowds (organization_id, i, n, t) values
    (6, '1', '1', 'a'),
    (6, '1', '1.0', 'A'),
    (6, '2', 'NaN', null),
    (6, null, null, 'a'),
    (6, '0', '0', ''),
    (6, '1', 'NaN', 'a');
insert into crowds (organization_id, i, n, t) values
    (7, '1', '1.0', 'a'),
    (7, '2', 'NaN', 'A'),
    (7, '0', null, null),
    (7, '1', '0', 'a'),
    (7, null, 'NaN', ''),
    (7, '1', '1', 'a');
insert into crowds (organization_id, i, n, t) values
    (8, '1', 'NaN', 'a'),
    (8, null, null, 'A'),
    (8, '1', '0', null),
    (8, '0', 'NaN', 'a'),
    (8, '2', '1', ''),
    (8, '1', '1.0', 'a');

insert into "a table with a name of sixty-three bytes; which is ünder limit" values
    (1, 1, 'a1', 10, 1, -1, 'x'),
    (1, null, null, null, null, null, null);
insert into "a table with a name of sixty-three bytes; which is ünder limit" values
    (2, 2, 'a2', 20, 0, -2, 'x'),
    (2, null, null, null, null, null, null);
insert into "a table with a name of sixty-three bytes; which is ünder limit" values
    (3, 0, 'a3', 30, 1, -3, 'x'),
    (3, null, null, null, null, null, null);
insert into "a table with a name of sixty-three bytes; which is ünder limit" values
    (4, 1, 'a4', 40, 0, -4, 'x'),
    (4, null, null, null, null, null, null);
insert into "a table with a name of sixty-three bytes; which is ünder limit" values
    (5, 2, 'a5', 50, 1, -5, 'x'),
    (5, null, null, null, null, null, null);
insert into "a table with a name of sixty-three bytes; which is ünder limit" values
    (6, 0, 'a6', 60, 0, -6, 'x'),
    (6, null, null, null, null, null, null);
insert into papers (organization_id, id, markup, words) values
    (1, 1, '<a/>', '{a,NULL}'),
    (1, 2, '<a>1</a><b/>', '{"NULL",NULL}'),
    (1, 3, null, null);
insert into papers (organization_id, id, markup, words) values
    (2, 1, 'no element', '{NULL,NULL}'),
    (2, 2, '<!DOCTYPE a><a/>', '{}');
insert into papers (organization_id, id, markup, words) values
    (4, 1, '<ä>&lt;</ä>', '{null,"null"}'),
    (4, 2, '', '{{a,NULL},{NULL,b}}');
insert into stored (organization_id, filler) values (1, repeat('x', 50000));
insert into stored (organization_id, filler) values (2, repeat('y', 50000));
insert into stored (organization_id, filler) values (4, repeat('z', 50000));
