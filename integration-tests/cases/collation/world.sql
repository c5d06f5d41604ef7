-- Texts that a locale sorts otherwise than their bytes, for databases whose locale is ICU's en-US, beside the demo's tables and
-- those of cases/several.
--
-- Sharded by organization_id: words, words_told, few, places
-- Reference tables: labels
-- Unsharded, on the default shard: glossary
-- Views, on every shard: first_words
--
-- The parts are those of cases/several/world.sql. words_told has the rows of words, and a column of a user-defined type more.

-- part: everywhere

-- Case does not count, accents do.
create collation nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
-- Numbers in texts count as numbers.
create collation counted (provider = icu, locale = 'en-u-kn-true');
create domain bytes_first as text collate "C";
create type tone as enum ('low', 'High', 'Äh');
create table words (
    organization_id bigint,
    id int,
    t text,
    bytewise text collate "C",
    posix text collate "POSIX",
    german text collate "de-x-icu",
    counting text collate counted,
    nocase text collate nocase,
    code char(6),
    code_c char(6) collate "C",
    title varchar(12),
    label name,
    letter "char",
    made bytes_first,
    many text[],
    many_c text[] collate "C",
    primary key (organization_id, id)
);
create table words_told (like words including all, of tone);
create table few (
    organization_id bigint not null,
    t text,
    nocase text collate nocase
);
create table places (
    organization_id bigint,
    street text,
    number int,
    primary key (organization_id, street, number)
);
create table labels (
    t text primary key,
    bytewise text collate "C"
);
insert into labels (t, bytewise) values
    ('a', 'a'),
    ('B', 'B'),
    ('ä', 'ä'),
    ('Z', 'Z'),
    ('ss', 'ss'),
    ('resume', 'Résumé');

-- part: views

create view first_words as
    select organization_id, min(t) as first, min(bytewise) as first_bytes, max(t) as last from words group by organization_id;

-- part: default shard

create table glossary (
    id int primary key,
    t text,
    nocase text collate nocase
);
insert into glossary (id, t, nocase) values
    (1, 'a', 'A'),
    (2, 'É', 'é'),
    (3, 'ß', 'SS'),
    (4, 'coop', 'CO-OP'),
    (5, null, null);

-- part: sharded rows

insert into words (organization_id, id, t, bytewise, posix, german, counting, nocase, code, code_c, title, label, letter, made, many, many_c) values
    (1, 1, 'a', 'A', 'a-b', 'aB', 'a2', 'ä', 'é', 'SS', 'ss', 'B', 'a', 'ﬁ', null, null),
    (1, 2, 'e', '10', '_a', 'ø', 'a2', 'oe', 'É', 'AB', 'AB', 'I', 'B', 'n', null, null),
    (1, 3, 'E', 'it''s', 'n', 'å', 'a2', 'ss', 'aB', 'Ö', 'I', 'Ab', 'Z', '🙂', null, null),
    (1, 4, 'Ab', 'œ', 'resume', 'a ', 'a2', 'I', 'ø', 'I', 'a', 'é', 'b', 'resume', null, null),
    (1, 5, 'o', 'İ', 'b', 'Résumé', 'a2', 'E', 'å', 'co-op', 'E', 'a ', '', 'a b', null, null),
    (1, 6, 'aa', 'CO-OP', 'its', 'ab', 'a2', 'é', 'a ', 'a', 'o', 'fi', '~', 'b', null, null),
    (1, 7, 'é', 'ä', 'i', 'Ä', 'a2', 'aB', 'Résumé', 'e', 'é', 'z', null, '9', null, null),
    (1, 8, null, 'ß', 'Z', 'a_b', 'a2', 'Résumé', 'ab', 'E', 'é', 'resume', 'a', 'its', null, null),
    (1, 90, null, null, null, null, null, null, null, null, null, null, null, null, null, null);
insert into words_told select w.*, 'High'::tone from words w where w.organization_id = 1;

insert into words (organization_id, id, t, bytewise, posix, german, counting, nocase, code, code_c, title, label, letter, made, many, many_c) values
    (2, 1, 'a-b', 'E', 'É', 'its', '10', 'a_b', 'b', 'a_b', '10', 'a.b', '~', 'oe', '{"e","A"}', '{"e","A"}'),
    (2, 2, 'z', 'Ab', 'ø', 'ñ', '10', 'Resume', '9', 'fi', 'œ', 'ss', null, 'ı', '{"E","it''s"}', '{"E","it''s"}'),
    (2, 3, '_a', 'o', 'a ', 'i', '10', 'ﬁ', 'its', 'Å', 'CO-OP', 'co-op', 'a', 'coop', '{"Ab","İ"}', '{"Ab","İ"}'),
    (2, 4, 'ﬁ', 'aa', 'ab', 'résumé', '10', 'a b', 'ñ', '-', 'ß', 'o', 'B', 'B', '{"o","ä"}', '{"o","ä"}'),
    (2, 5, 'n', 'é', 'a_b', 'Z', '10', 'ñ', 'i', 'Resume', 'a.b', 'É', 'Z', 'ss', '{"aa",""}', '{"aa",""}'),
    (2, 6, '🙂', null, 'Å', 'A', '10', 'A', 'résumé', 'a-b', 'ı', 'Résumé', 'b', 'SS', '{"é","oe"}', '{"é","oe"}'),
    (2, 7, 'resume', 'é', 'Resume', '10', '10', 'İ', 'Z', 'z', 'B', 'Å', '', 'AB', '{NULL,"coop"}', '{NULL,"coop"}'),
    (2, 90, null, null, null, null, null, null, null, null, null, null, null, null, null, null);
insert into words_told select w.*, 'Äh'::tone from words w where w.organization_id = 2;

insert into words (organization_id, id, t, bytewise, posix, german, counting, nocase, code, code_c, title, label, letter, made, many, many_c) values
    (3, 1, 'ä', 'z', 'ss', 'AB', 'A2', 'ß', 'ss', '10', 'z', 'A', 'Z', 'ø', '{"a-b","a-b"}', '{"a-b","a-b"}'),
    (3, 2, 'ß', '_a', 'AB', 'Ö', 'A2', 'ı', 'SS', 'it''s', 'ﬁ', 'CO-OP', 'b', 'å', '{"z","_a"}', '{"z","_a"}'),
    (3, 3, '', 'ﬁ', 'I', 'I', 'A2', 'SS', 'AB', 'œ', '🙂', 'oe', '', 'a ', '{"_a","n"}', '{"_a","n"}'),
    (3, 4, 'a.b', 'n', 'a', 'co-op', 'A2', 'co-op', 'Ö', 'İ', 'a b', 'SS', '~', 'Résumé', '{"ﬁ","resume"}', '{"ﬁ","resume"}'),
    (3, 5, 'oe', '🙂', 'E', 'a', 'A2', 'Ab', 'I', 'CO-OP', '9', 'a', null, 'ab', '{"n","b"}', '{"n","b"}'),
    (3, 6, 'ı', 'resume', 'o', 'e', 'A2', null, 'co-op', 'ä', 'ñ', 'aa', 'a', 'Ä', '{"🙂","its"}', '{"🙂","its"}'),
    (3, 7, 'coop', 'a b', 'é', 'E', 'A2', 'ø', 'a', 'ß', 'résumé', 'aB', 'B', 'a_b', '{"resume","i"}', '{"resume","i"}'),
    (3, 90, null, null, null, null, null, null, null, null, null, null, null, null, null, null);
insert into words_told select w.*, 'low'::tone from words w where w.organization_id = 3;

insert into words (organization_id, id, t, bytewise, posix, german, counting, nocase, code, code_c, title, label, letter, made, many, many_c) values
    (4, 1, 'é', '', '10', 'fi', null, 'fi', 'Ä', 'Ab', 'aB', 'ñ', 'a', 'ñ', '{"ß","É"}', '{"ß","É"}'),
    (4, 2, 'É', 'a.b', 'œ', 'Å', null, 'a-b', 'a_b', 'o', 'å', '10', 'B', 'i', '{"","ø"}', '{"","ø"}'),
    (4, 3, 'aB', 'oe', 'CO-OP', '-', null, 'n', 'fi', 'aa', 'Résumé', 'ä', 'Z', 'résumé', '{"a.b","a "}', '{"a.b","a "}'),
    (4, 4, 'ø', 'ı', 'ß', 'Resume', null, 'b', 'Å', 'é', 'Ä', 'ı', 'b', 'Z', '{"oe","ab"}', '{"oe","ab"}'),
    (4, 5, 'å', 'coop', 'a.b', 'a-b', null, 'i', '-', null, 'fi', 'AB', '', 'A', '{"ı","a_b"}', '{"ı","a_b"}'),
    (4, 6, 'a ', 'B', 'ı', 'z', null, '10', 'Resume', 'é', '-', 'e', '~', '10', '{"coop","Å"}', '{"coop","Å"}'),
    (4, 7, 'Résumé', 'ss', 'B', '_a', null, 'CO-OP', 'a-b', 'É', 'a-b', 'é', null, 'it''s', '{"B","Resume"}', '{"B","Resume"}'),
    (4, 90, null, null, null, null, null, null, null, null, null, null, null, null, null, null);
insert into words_told select w.*, 'High'::tone from words w where w.organization_id = 4;

insert into words (organization_id, id, t, bytewise, posix, german, counting, nocase, code, code_c, title, label, letter, made, many, many_c) values
    (5, 1, 'a b', 'É', 'z', 'it''s', 'a02', '', 'A', '_a', 'SS', '_a', '', 'Ö', '{}', '{}'),
    (5, 2, 'b', 'aB', 'ﬁ', 'œ', 'a02', 'coop', '10', 'ﬁ', 'Ö', 'a b', '~', 'I', '{}', '{}'),
    (5, 3, '9', 'ø', '🙂', 'İ', 'a02', 'AB', 'it''s', 'n', 'co-op', 'i', null, 'co-op', '{}', '{}'),
    (5, 4, 'its', 'å', 'a b', 'CO-OP', 'a02', 'a', 'œ', '🙂', 'e', 'it''s', 'a', 'a', '{}', '{}'),
    (5, 5, 'ñ', 'a ', '9', 'ä', 'a02', 'o', 'İ', 'resume', 'Ab', 'ß', 'B', 'e', '{}', '{}'),
    (5, 6, 'i', 'Résumé', 'ñ', 'ß', 'a02', 'é', 'CO-OP', 'a b', 'aa', 'coop', 'Z', 'E', '{}', '{}'),
    (5, 7, 'résumé', 'ab', 'résumé', '', 'a02', 'å', 'ä', 'b', null, 'Ö', 'b', 'Ab', '{}', '{}'),
    (5, 90, null, null, null, null, null, null, null, null, null, null, null, null, null, null);
insert into words_told select w.*, 'Äh'::tone from words w where w.organization_id = 5;

insert into words (organization_id, id, t, bytewise, posix, german, counting, nocase, code, code_c, title, label, letter, made, many, many_c) values
    (6, 1, 'B', 'b', 'é', 'Ab', 'a10', 'ab', 'e', '', 'A', 'ab', 'B', 'fi', '{"a b","Z"}', '{"a b","Z"}'),
    (6, 2, 'ss', '9', 'aB', 'o', 'a10', 'Å', 'E', 'a.b', 'it''s', '-', 'Z', 'Å', '{"b","10"}', '{"b","10"}'),
    (6, 3, 'SS', 'its', 'å', 'aa', 'a10', 'z', 'Ab', 'oe', 'İ', 'ﬁ', 'b', '-', '{"9","œ"}', '{"9","œ"}'),
    (6, 4, 'AB', 'ñ', 'Résumé', 'é', 'a10', '🙂', 'o', 'ı', 'ä', 'b', '', 'Resume', '{"its","CO-OP"}', '{"its","CO-OP"}'),
    (6, 5, 'Ö', 'i', 'Ä', null, 'a10', '9', 'aa', 'coop', '', 'résumé', '~', 'a-b', '{"ñ","ß"}', '{"ñ","ß"}'),
    (6, 6, 'I', 'résumé', 'fi', 'é', 'a10', 'résumé', 'é', 'B', 'oe', 'œ', null, 'z', '{"i","a.b"}', '{"i","a.b"}'),
    (6, 7, 'co-op', 'Z', '-', 'É', 'a10', 'it''s', null, 'ss', 'coop', '', 'a', '_a', '{"résumé","ı"}', '{"résumé","ı"}'),
    (6, 90, null, null, null, null, null, null, null, null, null, null, null, null, null, null);
insert into words_told select w.*, 'low'::tone from words w where w.organization_id = 6;

insert into words (organization_id, id, t, bytewise, posix, german, counting, nocase, code, code_c, title, label, letter, made, many, many_c) values
    (7, 1, 'ab', 'SS', 'SS', 'ﬁ', '9', 'a.b', 'z', 'aB', '_a', 'ø', null, 'œ', '{"ss","z"}', '{"ss","z"}'),
    (7, 2, 'Ä', 'AB', 'Ö', 'n', '9', 'B', '_a', 'ø', 'n', 'Ä', 'a', 'İ', '{"SS","ﬁ"}', '{"SS","ﬁ"}'),
    (7, 3, 'a_b', 'Ö', 'co-op', '🙂', '9', 'Ö', 'ﬁ', 'å', 'resume', 'Resume', 'B', 'CO-OP', '{"AB","🙂"}', '{"AB","🙂"}'),
    (7, 4, 'fi', 'I', 'e', 'resume', '9', 'e', 'n', 'a ', 'b', 'n', 'Z', 'ä', '{"Ö","a b"}', '{"Ö","a b"}'),
    (7, 5, 'Å', 'co-op', 'Ab', 'a b', '9', 'aa', '🙂', 'Résumé', 'its', '9', 'b', 'ß', '{"I","9"}', '{"I","9"}'),
    (7, 6, '-', 'a', 'aa', 'b', '9', 'É', 'resume', 'ab', 'i', 'Z', '', '', '{"co-op","ñ"}', '{"co-op","ñ"}'),
    (7, 7, 'Resume', 'e', null, '9', '9', 'a ', 'a b', 'Ä', 'Z', 'İ', '~', 'a.b', '{"a","résumé"}', '{"a","résumé"}'),
    (7, 90, null, null, null, null, null, null, null, null, null, null, null, null, null, null);
insert into words_told select w.*, 'High'::tone from words w where w.organization_id = 7;

insert into words (organization_id, id, t, bytewise, posix, german, counting, nocase, code, code_c, title, label, letter, made, many, many_c) values
    (8, 1, 'Z', 'Ä', 'A', 'a.b', 'b1', 'Ä', 'ß', '9', 'É', 'E', 'b', 'o', '{"ab","é"}', '{"ab","é"}'),
    (8, 2, 'A', 'a_b', 'it''s', 'oe', 'b1', '-', null, 'its', 'ø', null, '', 'aa', '{"Ä","aB"}', '{"Ä","aB"}'),
    (8, 3, '10', 'fi', 'İ', 'ı', 'b1', '_a', 'a.b', 'ñ', 'a ', 'å', '~', 'é', '{"a_b","å"}', '{"a_b","å"}'),
    (8, 4, 'it''s', 'Å', 'ä', 'coop', 'b1', 'resume', 'oe', 'i', 'ab', 'a_b', null, null, '{"fi","Résumé"}', '{"fi","Résumé"}'),
    (8, 5, 'œ', '-', '', 'B', 'b1', 'its', 'ı', 'résumé', 'a_b', 'a-b', 'a', 'é', '{"Å","Ä"}', '{"Å","Ä"}'),
    (8, 6, 'İ', 'Resume', 'oe', 'ss', 'b1', 'Z', 'coop', 'Z', 'Å', '🙂', 'B', 'É', '{"-","fi"}', '{"-","fi"}'),
    (8, 7, 'CO-OP', 'a-b', 'coop', 'SS', 'b1', 'œ', 'B', 'A', 'Resume', 'its', 'Z', 'aB', '{"Resume","-"}', '{"Resume","-"}'),
    (8, 90, null, null, null, null, null, null, null, null, null, null, null, null, null, null);
insert into words_told select w.*, 'Äh'::tone from words w where w.organization_id = 8;

insert into few (organization_id, t, nocase) values (1, 'B', 'A'), (1, 'é', 'B'), (1, 'É', 'É'), (1, 'e', 'ss'), (1, 'ss', 'SS');
insert into few (organization_id, t, nocase) values (2, 'e', 'b'), (2, 'ss', 'é'), (2, 'ß', 'e'), (2, 'SS', 'ß'), (2, null, null);
insert into few (organization_id, t, nocase) values (3, 'SS', 'B'), (3, null, 'É'), (3, 'a', 'ss'), (3, 'A', 'SS'), (3, 'b', 'a');
insert into few (organization_id, t, nocase) values (4, 'A', 'é'), (4, 'b', 'e'), (4, 'B', 'ß'), (4, 'é', null), (4, 'É', 'A');
insert into few (organization_id, t, nocase) values (5, 'é', 'É'), (5, 'É', 'ss'), (5, 'e', 'SS'), (5, 'ss', 'a'), (5, 'ß', 'b');
insert into few (organization_id, t, nocase) values (6, 'ss', 'e'), (6, 'ß', 'ß'), (6, 'SS', null), (6, null, 'A'), (6, 'a', 'B');
insert into few (organization_id, t, nocase) values (7, null, 'ss'), (7, 'a', 'SS'), (7, 'A', 'a'), (7, 'b', 'b'), (7, 'B', 'é');
insert into few (organization_id, t, nocase) values (8, 'b', 'ß'), (8, 'B', null), (8, 'é', 'A'), (8, 'É', 'B'), (8, 'e', 'É');

insert into places (organization_id, street, number) values (1, 'a street', 0), (1, 'Ä-Street', 1), (1, 'Astreet', 2), (1, 'Z street', 3);
insert into places (organization_id, street, number) values (2, 'Ä-Street', 0), (2, 'Astreet', 1), (2, 'Z street', 2), (2, 'ästreet', 3);
insert into places (organization_id, street, number) values (3, 'Astreet', 0), (3, 'Z street', 1), (3, 'ästreet', 2), (3, 'A-Street', 3);
insert into places (organization_id, street, number) values (4, 'Z street', 0), (4, 'ästreet', 1), (4, 'A-Street', 2), (4, 'a street', 3);
insert into places (organization_id, street, number) values (5, 'ästreet', 0), (5, 'A-Street', 1), (5, 'a street', 2), (5, 'Ä-Street', 3);
insert into places (organization_id, street, number) values (6, 'A-Street', 0), (6, 'a street', 1), (6, 'Ä-Street', 2), (6, 'Astreet', 3);
insert into places (organization_id, street, number) values (7, 'a street', 0), (7, 'Ä-Street', 1), (7, 'Astreet', 2), (7, 'Z street', 3);
insert into places (organization_id, street, number) values (8, 'Ä-Street', 0), (8, 'Astreet', 1), (8, 'Z street', 2), (8, 'ästreet', 3);
