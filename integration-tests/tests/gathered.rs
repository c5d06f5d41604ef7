//! Statements that gather rows within the client's own transactions: beside one PostgreSQL, or refused with 0A000.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use integration_tests::wire::{Parameters, Reply, Script, Wire};
use integration_tests::{Kind, World};

const SAMPLE: f64 = 0.01;
/// What the proxy refuses here fails there too, so that both transactions have.
const FAILS: &str = "select no_such_column";

/// A client of the proxy, and one of a PostgreSQL with all rows.
struct Both {
    proxy: Wire,
    oracle: Wire,
    /// On another shard than the default one.
    elsewhere: String,
}

impl Both {
    fn new(world: &World) -> Self {
        Self {
            proxy: Wire::connect(world.subject.port()).unwrap(),
            oracle: Wire::connect(world.cluster.oracle.port()).unwrap(),
            elsewhere: world.cluster.organization_on(1).to_string(),
        }
    }

    /// Each line is a statement: alike on both sides; behind `!` it is refused, in a pipeline behind `|`, which a
    /// statement follows. `$o` is an organization on another shard than the default one.
    fn run(&mut self, lines: &str) {
        for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let line = line.replace("$o", &self.elsewhere);
            if let Some(refused) = line.strip_prefix("! ") {
                let replies = self.proxy.simple(refused).unwrap();
                let error = replies.iter().find(|reply| reply.tag == b'E');
                let code = error.and_then(|error| error.field(b'C'));
                assert_eq!(code.as_deref(), Some("0A000"), "{line}: {replies:?}");
                self.oracle.simple(FAILS).unwrap();
                continue;
            }
            if let Some(pipeline) = line.strip_prefix("| ") {
                let mut script = Script::new();
                for statement in pipeline.split(" | ") {
                    let script = script.parse("", statement, &[]);
                    script
                        .bind("", "", &Parameters::NONE)
                        .describe_portal("")
                        .execute("", 0);
                }
                self.script(script.sync(), &line);
                continue;
            }
            let proxy = self.proxy.simple(&line).unwrap();
            same(proxy, self.oracle.simple(&line).unwrap(), &line);
        }
    }

    fn script(&mut self, script: &Script, what: &str) -> Vec<Reply> {
        let proxy = self.proxy.run(script).unwrap();
        same(proxy.clone(), self.oracle.run(script).unwrap(), what);
        proxy
    }
}

/// The same but for numbers of relations, positions and hints.
fn same(proxy: Vec<Reply>, oracle: Vec<Reply>, what: &str) {
    let seen = |replies: Vec<Reply>| -> Vec<String> {
        let seen = replies.iter().filter_map(|reply| match reply.tag {
            b'T' | b'S' | b'N' => None,
            b'E' => Some(format!("E {:?}", reply.field(b'C'))),
            _ => Some(format!("{reply:?}")),
        });
        seen.collect()
    };
    assert_eq!(seen(proxy), seen(oracle), "{what}");
}

#[test]
fn in_transactions() {
    let world = World::new(&Kind::demo(SAMPLE));
    let mut both = Both::new(&world);
    read_only(&mut both);
    elsewhere(&mut both);
    failures(&mut both);
    in_parts(&mut both);
    new_snapshots(&world, &mut both);
    filtered(&mut both);
    little_travels(&world, &mut both);
}

/// Portals over answers of several shards: rows in parts, portals beside one another, what ends them.
#[test]
fn portals_of_several_shards() {
    let world = World::new(&Kind::demo(SAMPLE));
    let mut both = Both::new(&world);
    let rows = "select match_id, organization_id from matches order by 1, 2";
    let groups =
        "select home, count(*) from matches where organization_id > $1 group by home order by home";
    let finished = "select home, count(*) || 'x' from matches where organization_id > $1 group by home \
                    having count(*) > 2 order by count(*) desc, home";
    let few = "select organization_id from organizations order by 1 limit 5 offset $1";
    let after = |value: &'static [u8]| -> [Option<&[u8]>; 1] { [Some(value)] };
    let (zero, three) = (after(b"0"), after(b"3"));
    let parameters = |values| Parameters {
        values,
        ..Parameters::NONE
    };
    for transaction in [false, true] {
        let what = format!("transaction {transaction}");
        let mut step = |lines: &str, build: &dyn Fn(&mut Script)| {
            let mut script = Script::new();
            build(&mut script);
            both.run(lines);
            both.script(&script, &what);
        };
        let (begins, ends) = match transaction {
            true => ("begin", "rollback"),
            false => ("", ""),
        };
        step(begins, &|script| {
            script.parse("", rows, &[]).bind("", "", &Parameters::NONE);
            script.describe_portal("").execute("", 3).execute("", 2);
            script.parse("g", groups, &[20]).describe_statement("g");
            script.bind("one", "g", &parameters(&zero));
            script.bind("two", "g", &parameters(&three));
            script.execute("one", 2).execute("two", 0);
            script
                .execute("one", 0)
                .execute("one", 0)
                .close_portal("one");
            script.parse("h", finished, &[20]).describe_statement("h");
            script.bind("four", "h", &parameters(&three));
            script.describe_portal("four");
            script
                .execute("four", 2)
                .execute("four", 3)
                .execute("four", 0);
            script.parse("f", few, &[20]);
            script.bind("three", "f", &parameters(&three));
            script.execute("three", 5).execute("three", 5).sync();
        });
        step(ends, &|script| {
            script.close_statement("g").close_statement("f");
            script.close_statement("h").sync();
        });
        // What a Sync means to a portal.
        step(begins, &|script| {
            script.parse("", rows, &[]);
            script.bind("kept", "", &Parameters::NONE);
            script.execute("kept", 4).sync();
        });
        step("", &|script| {
            script.execute("kept", 4).sync();
        });
        step(ends, &|script| {
            script.execute("kept", 4).sync();
        });
    }
    // Errors void a pipeline, whichever message has them.
    let divided = "select 1 / (match_id - match_id) from matches order by 1";
    let finishing = "select home, 1 / (count(*) - count(*)) from matches group by home";
    for (sql, values) in [
        (divided, &[][..]),
        (finishing, &[]),
        (few, &[Some(&b"-1"[..])]),
        (few, &[Some(b"x")]),
        (few, &[None]),
    ] {
        let mut script = Script::new();
        let types = if values.is_empty() { &[][..] } else { &[20] };
        script.parse("", sql, types);
        script.bind("", "", &parameters(values)).execute("", 0);
        script.parse("", "select 2", &[]).sync();
        let [proxy, oracle] = [&mut both.proxy, &mut both.oracle].map(|side| {
            let replies = side.run(&script).unwrap();
            // A Bind may fail where PostgreSQL's Execute does.
            let told = replies
                .into_iter()
                .filter(|reply| !b"12".contains(&reply.tag));
            told.collect::<Vec<_>>()
        });
        same(proxy, oracle, sql);
    }
}

/// In a transaction that is READ ONLY, wherever it runs.
fn read_only(both: &mut Both) {
    both.run(
        "begin read only
         select count(*), sum(spectators) from matches
         select name from organizations where organization_id = $o
         select count(*), sum(spectators) from matches
         select o.name, c.name from organizations o join countries c on c.code = o.country order by 1, 2 limit 3
         select name from organizations where organization_id = $o
         show transaction_read_only
         | select count(*) from tags | select name from organizations where organization_id = $o | select max(tag) from tags
         | select count(*) from tags | commit
         select count(*) from tags
         begin read only
         select name from organizations where organization_id = $o
         set local timezone = 'Asia/Kolkata'
         select played_on, played_on::text from matches where match_id = 1 order by 2, 1 limit 3
         savepoint a
         set local timezone = 'America/Lima'
         select min(played_on), min(seen_at) from matches, readings
         rollback to a
         select min(seen_at), min(seen_at)::text from readings
         commit
         select min(seen_at), min(seen_at)::text from readings",
    );
    // What depends on the transaction, or lasts longer than the statement, is refused.
    for refused in [
        "select now() > '2020-01-01', count(*) from matches",
        "select count(*) from match_sheets",
        "declare c cursor for select home from matches order by 1",
    ] {
        both.run(&format!(
            "begin read only
             select name from organizations where organization_id = $o
             ! {refused}
             select 1
             commit"
        ));
    }
    both.run(
        "begin read only
         select name from organizations where organization_id = $o
         select set_config('timezone', 'Asia/Tokyo', true)
         ! select min(seen_at)::text from readings
         rollback
         begin isolation level repeatable read read only
         select name from organizations where organization_id = $o
         ! select count(*) from matches
         rollback",
    );
}

/// Where unsharded tables are read, which are on the default shard, and the transaction is on another one.
fn elsewhere(both: &mut Both) {
    let both_read = "select count(*) from organizations o join countries c on c.code = o.country";
    both.run(&format!(
        "begin
         select name from organizations where organization_id = $o
         {both_read}
         update organizations set name = name where organization_id = $o
         ! {both_read}
         rollback
         begin
         update organizations set name = 'another' where organization_id = $o
         select count(*) from organizations where name = 'another'
         rollback
         begin
         select name from organizations where organization_id = $o for update
         ! {both_read}
         rollback
         begin
         select name from organizations where organization_id = $o
         {both_read}
         update organizations set name = 'another' where organization_id = $o
         select name from organizations where organization_id = $o
         select count(*) from organizations where name = 'another'
         rollback
         select count(*) from organizations where name = 'another'"
    ));
}

/// What fails elsewhere has failed the transaction.
fn failures(both: &mut Both) {
    let fails = "select 1 / (count(*) - count(*)) from matches";
    both.run(&format!(
        "begin read only
         select name from organizations where organization_id = $o
         {fails}
         select 1
         select count(*) from matches
         commit
         select 1
         begin read only
         select name from organizations where organization_id = $o
         savepoint a
         {fails}
         select name from organizations where organization_id = $o
         rollback to a
         select count(*) from matches
         select name from organizations where organization_id = $o
         | select count(*) from matches | {fails} | select 1
         select 1
         rollback to a
         select count(*) from matches
         | {fails} | rollback
         rollback
         begin read only
         select name from organizations where organization_id = $o
         | select count(*) from matches | select no_such_column | select 1
         commit
         begin read only
         select name from organizations where organization_id = $o
         | select count(*) from matches | select nothing from organizations where organization_id = $o
         rollback"
    ));
}

/// A portal that is read in parts.
fn in_parts(both: &mut Both) {
    let query = "select organization_id, match_id from matches order by 1, 2";
    both.run("begin");
    let mut first = Script::new();
    first.parse("", query, &[]).bind("c", "", &Parameters::NONE);
    both.script(first.execute("c", 2).sync(), "first");
    for _ in 0..3 {
        both.script(Script::new().execute("c", 2).sync(), "more");
    }
    both.run(
        "select count(*) from matches
         commit
         begin read only
         select name from organizations where organization_id = $o",
    );
    // The transaction that stands aside has a portal of this name, maybe.
    let mut script = Script::new();
    script.parse("", query, &[]).bind("", "", &Parameters::NONE);
    let replies = both.proxy.run(script.execute("", 2).sync()).unwrap();
    let error = replies.iter().find(|reply| reply.tag == b'E');
    assert_eq!(
        error.and_then(|error| error.field(b'C')).as_deref(),
        Some("0A000")
    );
    both.oracle.simple(FAILS).unwrap();
    both.run("select 1\nrollback");
}

/// Each statement of a READ COMMITTED transaction sees what has been committed.
fn new_snapshots(world: &World, both: &mut Both) {
    let mut others = Both::new(world);
    both.run(
        "begin read only
         select name from organizations where organization_id = $o
         select count(*) from tags",
    );
    others
        .run("insert into tags (organization_id, match_id, tag) values ($o, 1, 'while you read')");
    both.run(
        "select count(*) from tags
         select count(*) from tags where organization_id = $o",
    );
    others.run("delete from tags where organization_id = $o and tag = 'while you read'");
    both.run(
        "select count(*) from tags
         commit",
    );
}

/// Rows that a condition leaves out do not travel, whatever is joined, set or written around it.
fn filtered(both: &mut Both) {
    both.run(
        "select o.name, t.tag from organizations o left join tags t using (organization_id) where t.match_id = 1 order by 1, 2
         select o.name, t.tag from organizations o left join tags t using (organization_id) where t.match_id is null order by 1, 2
         select count(*) from tags t full join readings r on r.reading_id = t.match_id where t.tag <> 'snow' and r.int_n > -5
         select count(*), count(t.tag) from readings r left join tags t on r.reading_id = t.match_id where r.price between -5 and 19.99 and r.day < '2025-02-01'
         select organization_id, reading_id from readings where local_at >= date '2025-01-01' and feeling = 'happy' and title = '%' order by 1, 2
         select organization_id, reading_id from readings where double_n <= 0.5 and real_n in (0.5, 2) and not valid order by 1, 2
         select \"Mixed \"\"Case\"\"\" from readings where \"Mixed \"\"Case\"\"\" > 1 and note not in ('a', 'b', 'it''s') order by 1
         select count(*) from readings where numeric_n > 1 and numeric_n < 10 and (int_n = 10 or int_n is null)
         select count(*) from readings r where r.seen_at > '2025-01-01' and r.code = 'a' and r.small_n <> 7
         set timezone = 'Pacific/Auckland'
         select count(*) from readings r where r.seen_at > '2025-01-01' and r.local_at > '2025-01-01' and r.day > '2025-01-01'
         reset timezone
         begin
         update tags set match_id = 99 where organization_id = $o
         select count(*) from tags t, levels l where t.match_id = 99 and l.level = 1
         select count(*) from tags t where t.match_id <> 99
         rollback
         select count(*) from tags t where t.match_id = 99",
    );
}

fn little_travels(world: &World, both: &mut Both) {
    let moved = || {
        let page = world.subject.proxy().unwrap().metrics();
        let total = |name: &str| -> f64 {
            let mut lines = page.lines().filter(|line| line.starts_with(name));
            lines
                .next()
                .and_then(|line| line.rsplit(' ').next()?.parse().ok())
                .unwrap()
        };
        (
            total("trunkline_gathered_rows_total"),
            total("trunkline_gathered_bytes_total"),
        )
    };
    let of = |both: &mut Both, statement: &str| {
        let before = moved();
        both.run(statement);
        let after = moved();
        let moved = (after.0 - before.0, after.1 - before.1);
        println!("{statement}: {} rows, {} bytes", moved.0, moved.1);
        moved
    };
    // Outside of a transaction they would travel as arrays, those of the shard itself among them.
    both.run(
        "begin
         select name from organizations where organization_id = $o",
    );
    let all = of(
        both,
        "select count(*), max(name) from (select * from organizations) o, (select * from detections) d \
         where d.class_id = o.organization_id % 9 and d.score > 0.9",
    );
    let named = of(
        both,
        "select count(*), max(name) from organizations o, detections d \
         where d.class_id = o.organization_id % 9 and (d.score > 0.9)",
    );
    let few = of(
        both,
        "select count(*), max(name) from organizations o, detections d \
         where d.class_id = o.organization_id % 9 and d.score > 0.9",
    );
    both.run("commit");
    assert_eq!(named.0, all.0);
    assert!(named.1 * 2.0 < all.1 && few.0 * 4.0 < all.0 && few.1 * 8.0 < all.1);
}
