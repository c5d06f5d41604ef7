//! Planning takes time in proportion to the text, whatever the text is made of.

use super::robust::{check, check_known};

/// A statement of `size` repetitions of something.
type Shape = (&'static str, fn(usize) -> String);

/// What a statement may be made of in great number.
const SHAPES: &[Shape] = &[
    ("parentheses", |n| {
        format!("select {}1{} from matches", "(".repeat(n), ")".repeat(n))
    }),
    ("open parentheses", |n| {
        format!("select {} from matches", "(".repeat(n))
    }),
    ("brackets", |n| {
        format!("select {} from matches", "array[".repeat(n))
    }),
    ("case", |n| {
        format!("select {}1 from matches", "case when true then ".repeat(n))
    }),
    ("casts", |n| {
        format!("select 1{} from matches", "::int".repeat(n))
    }),
    ("or", |n| {
        format!("select * from matches where a{}", " or a".repeat(n))
    }),
    ("and", |n| {
        format!(
            "select * from matches where organization_id = 5{}",
            " and a = 1".repeat(n)
        )
    }),
    ("keys", |n| {
        format!(
            "select * from matches where organization_id = 5{}",
            " and organization_id = 5".repeat(n)
        )
    }),
    ("not", |n| {
        format!("select {}true from matches", "not ".repeat(n))
    }),
    ("minus", |n| {
        format!("select {}1 from matches", "- ".repeat(n))
    }),
    ("or of keys", |n| {
        let more = " or organization_id = 5".repeat(n);
        format!("select * from matches where organization_id = 5{more}")
    }),
    ("or within and", |n| {
        let more = " and (organization_id = 5 or organization_id = 6)".repeat(n);
        format!("select * from matches where organization_id = 5{more}")
    }),
    ("rows in list", |n| {
        let more = ",(5,1)".repeat(n);
        format!("select * from matches where (organization_id, id) in ((5,1){more})")
    }),
    ("is true", |n| {
        let more = " is true".repeat(n);
        format!("select * from matches where (organization_id = 5){more}")
    }),
    ("distinct on", |n| {
        let (names, outputs) = (",a".repeat(n), ",b".repeat(n));
        format!("select distinct on (a{names}) a{outputs} from matches where organization_id = 5")
    }),
    ("functions over one window", |n| {
        let (over, by) = (",sum(a) over w".repeat(n), ",b".repeat(n));
        format!(
            "select a{over} from matches where organization_id = 5 window w as (partition by a{by})"
        )
    }),
    ("windows from one window", |n| {
        let by = ",b".repeat(n);
        let more: String = (0..n).map(|i| format!(",w{i} as (w)")).collect();
        format!("select sum(a) over w0 from matches window w as (partition by a{by}){more}")
    }),
    ("conflicts without end", |n| {
        let more = " on conflict (a".repeat(n);
        format!("insert into matches (organization_id) values (5){more}")
    }),
    ("conflicts", |n| {
        let more = " on conflict (a) b".repeat(n);
        format!("insert into matches (organization_id) values (5){more}")
    }),
    ("locks of", |n| {
        let more = ", matches".repeat(n);
        format!("select * from matches where organization_id = 5 for key share of matches{more}")
    }),
    ("only", |n| {
        format!("select * from only ({} matches", "only (".repeat(n))
    }),
    ("subscripts", |n| {
        let more = ", a[1]".repeat(n);
        format!("update matches set b = 1{more} = 5 where organization_id = 5")
    }),
    ("subscripts of one", |n| {
        let more = "[1]".repeat(n);
        format!("update matches set a{more} = 5 where organization_id = 5")
    }),
    ("tables", |n| {
        format!("table matches{}", " union table matches".repeat(n))
    }),
    ("merge clauses", |n| {
        let more = " when matched then do nothing".repeat(n);
        format!("merge into matches m using classes c on m.organization_id = 5{more}")
    }),
    ("signs", |n| {
        format!("select {}1 from matches", "+".repeat(n))
    }),
    ("mixed signs", |n| {
        format!("select 1 {}1 from matches", "*+-+".repeat(n))
    }),
    ("in list", |n| {
        format!(
            "select * from matches where organization_id in (5{})",
            ",5".repeat(n)
        )
    }),
    ("values", |n| {
        format!(
            "insert into matches (organization_id, id) values (5,1){}",
            ",(5,1)".repeat(n)
        )
    }),
    ("parameters", |n| {
        format!(
            "insert into matches (organization_id, id) values ($1,$2){}",
            ",($1,$2)".repeat(n)
        )
    }),
    ("columns", |n| {
        format!("select a{} from matches", ",a".repeat(n))
    }),
    ("subqueries", |n| {
        format!("select {}1 from matches", "(select ".repeat(n))
    }),
    ("ctes", |n| {
        format!(
            "with a as (select 1){} select * from matches",
            ",a as (select 1)".repeat(n)
        )
    }),
    ("joins", |n| {
        format!(
            "select * from matches{}",
            " join matches using (organization_id)".repeat(n)
        )
    }),
    ("tables", |n| {
        format!("select * from matches{}", ", matches".repeat(n))
    }),
    ("unions", |n| {
        format!(
            "select 1 from matches{}",
            " union all select 1 from matches".repeat(n)
        )
    }),
    ("arrays", |n| {
        format!("select array[1{}] from matches", ",1".repeat(n))
    }),
    ("subscripts", |n| {
        format!("select a{} from matches", "[1]".repeat(n))
    }),
    ("paths", |n| {
        format!("select a{} from matches", "->'b'".repeat(n))
    }),
    ("dots", |n| {
        format!("select a{} from matches", ".a".repeat(n))
    }),
    ("windows", |n| {
        format!(
            "select 1{} from matches",
            ",sum(a) over (partition by a)".repeat(n)
        )
    }),
    ("calls", |n| {
        format!("select {} from matches", "f(".repeat(n))
    }),
    ("settings", |n| {
        format!("select {} from matches", "set_config(".repeat(n))
    }),
    ("intervals", |n| {
        format!("select {} 1 from matches", "interval ".repeat(n))
    }),
    ("weaker locks", |n| {
        format!("select 1 from matches{}", " for key share".repeat(n))
    }),
    ("names", |n| "matches ".repeat(n)),
    ("copies", |n| {
        format!("copy matches {}", "from stdin ".repeat(n))
    }),
    ("explains", |n| {
        format!("{}select 1 from matches", "explain ".repeat(n))
    }),
    ("comments", |n| {
        format!("select 1 {} from matches", "/*".repeat(n))
    }),
    ("closed comments", |n| {
        format!("select 1 {}{} from matches", "/*".repeat(n), "*/".repeat(n))
    }),
    ("line comments", |n| {
        format!("select 'a' {} from matches", "--x\n".repeat(n))
    }),
    ("continuations", |n| {
        format!("select 'a' {} from matches", "\n'a'".repeat(n))
    }),
    ("strings", |n| {
        format!("select 'a' {} from matches", "-- b\n ,'a'".repeat(n))
    }),
    ("dollars", |n| {
        format!("select {} from matches", "$a".repeat(n))
    }),
    ("dollar quotes", |n| {
        format!("select {} from matches", "$a$ $b$".repeat(n))
    }),
    ("tags", |n| {
        format!("select ${} from matches", "a".repeat(n))
    }),
    ("quotes", |n| {
        format!("select {} from matches", "''".repeat(n))
    }),
    ("escapes", |n| {
        format!("select U&'{}' from matches", "\\0061".repeat(n))
    }),
    ("surrogates", |n| {
        format!("select U&'{}' from matches", "\\D83D\\DE00".repeat(n))
    }),
    ("c escapes", |n| {
        format!("select E'{}' from matches", "\\x41".repeat(n))
    }),
    ("quoted names", |n| {
        format!("select U&\"{}\" from matches", "\\0061".repeat(n))
    }),
    ("long name", |n| {
        format!("select {} from matches", "é".repeat(n))
    }),
    ("digits", |n| {
        format!("select {} from matches", "1".repeat(n))
    }),
    ("unended string", |n| {
        format!("select '{} from matches", "a".repeat(n))
    }),
    ("semicolons", |n| ";".repeat(n)),
    ("statements", |n| "select 1;".repeat(n)),
    ("begin atomic", |n| {
        format!("create function f() begin atomic {}", "case ".repeat(n))
    }),
    ("controls", |n| {
        format!("set search_path to a{}", ",a".repeat(n))
    }),
    ("deallocate", |n| format!("deallocate {}", "a ".repeat(n))),
    ("mixed conditions", |n| {
        format!(
            "select * from matches where organization_id = 5{}",
            " and (a = 1 or b like 'x' and not c is null)".repeat(n)
        )
    }),
    ("keys in or", |n| {
        format!(
            "select * from matches where organization_id = 1{}",
            (0..n)
                .map(|key| format!(" or organization_id = {key}"))
                .collect::<String>()
        )
    }),
    ("different keys", |n| {
        format!(
            "select * from matches where organization_id = 1{}",
            (0..n)
                .map(|key| format!(" and organization_id = {key}"))
                .collect::<String>()
        )
    }),
    ("key parameters", |n| {
        format!(
            "select * from matches where organization_id = $1{}",
            (1..n)
                .map(|key| format!(" and ${key} = organization_id"))
                .collect::<String>()
        )
    }),
    ("sums", |n| {
        format!("select 1{} from matches", " + 1".repeat(n))
    }),
    ("concatenations", |n| {
        format!("select 'a'{} from matches", " || 'a'".repeat(n))
    }),
    ("is null", |n| {
        format!("select a{} from matches", " is null".repeat(n))
    }),
    ("between", |n| {
        format!(
            "select * from matches where organization_id = 5{}",
            " and a between 1 and 2".repeat(n)
        )
    }),
    ("collations", |n| {
        format!("select a{} from matches", " collate b".repeat(n))
    }),
    ("whens", |n| {
        format!(
            "select case{} end from matches",
            " when a = 1 then 2".repeat(n)
        )
    }),
    ("arguments", |n| {
        format!("select f(a{}) from matches", ",a".repeat(n))
    }),
    ("calls in a list", |n| {
        format!("select f(a){} from matches", ",f(a)".repeat(n))
    }),
    ("exists", |n| {
        format!(
            "select * from matches where organization_id = 5{}",
            " and exists (select 1)".repeat(n)
        )
    }),
    ("subqueries over tables", |n| {
        format!(
            "select * from matches where organization_id = 5{}",
            " and exists (select 1 from matches where organization_id = 5)".repeat(n)
        )
    }),
    ("subqueries in a list", |n| {
        format!("select (select 1){} from matches", ",(select 1)".repeat(n))
    }),
    ("nested lists", |n| {
        format!(
            "select * from matches where (1,2) in ((1,2){})",
            ",(1,2)".repeat(n)
        )
    }),
    ("derived tables", |n| {
        format!("select * from matches{}", ", (select 1) x".repeat(n))
    }),
    ("lateral tables", |n| {
        format!(
            "select * from matches{}",
            ", lateral (select 1) x".repeat(n)
        )
    }),
    ("functions in from", |n| {
        format!(
            "select * from matches{}",
            ", generate_series(1, 2) x".repeat(n)
        )
    }),
    ("different ctes", |n| {
        let names = |each: fn(usize) -> String| (0..n).map(each).collect::<String>();
        format!(
            "with a as (select 1){} select * from a{}",
            names(|at| format!(",a{at} as (select 1 from matches)")),
            names(|at| format!(",a{at}"))
        )
    }),
    ("cte after cte", |n| {
        format!(
            "with a0 as (select 1){} select * from matches",
            (1..=n)
                .map(|at| format!(",a{at} as (select * from a{})", at - 1))
                .collect::<String>()
        )
    }),
    ("recursive ctes", |n| {
        format!(
            "with recursive a0 as (select 1){} select * from matches",
            (1..=n)
                .map(|at| format!(",a{at} as (select * from a{})", at - 1))
                .collect::<String>()
        )
    }),
    ("unlisted tables", |n| {
        format!(
            "select * from matches{}",
            (0..n).map(|at| format!(",t{at}")).collect::<String>()
        )
    }),
    ("subqueries over unlisted tables", |n| {
        format!(
            "select 1{} from matches",
            (0..n)
                .map(|at| format!(",(select 1 from t{at})"))
                .collect::<String>()
        )
    }),
    ("natural joins", |n| {
        format!("select * from matches{}", " natural join x".repeat(n))
    }),
    ("left joins", |n| {
        format!(
            "select * from matches m{} where m.organization_id = 5",
            " left join matches a on a.organization_id = m.organization_id".repeat(n)
        )
    }),
    ("conditions of a join", |n| {
        format!(
            "select * from matches m join matches a on a.organization_id = m.organization_id{} where m.organization_id = 5",
            (0..n)
                .map(|key| format!(" and a.organization_id = {key}"))
                .collect::<String>()
        )
    }),
    ("columns of using", |n| {
        format!(
            "select * from matches join matches b using (organization_id{}) where organization_id = 5",
            ",organization_id".repeat(n)
        )
    }),
    ("locks", |n| {
        format!(
            "select * from matches where organization_id = 5{}",
            " for update of matches".repeat(n)
        )
    }),
    ("group by", |n| {
        format!(
            "select 1 from matches where organization_id = 5 group by a{}",
            ",a".repeat(n)
        )
    }),
    ("order by", |n| {
        format!(
            "select 1 from matches where organization_id = 5 order by a{}",
            ",a desc nulls last".repeat(n)
        )
    }),
    ("grouping sets", |n| {
        format!(
            "select 1 from matches where organization_id = 5 group by grouping sets ((a){})",
            ",(a,b)".repeat(n)
        )
    }),
    ("window definitions", |n| {
        format!(
            "select 1 from matches where organization_id = 5 window w as (order by a){}",
            ",w as (order by a)".repeat(n)
        )
    }),
    ("aliases", |n| {
        format!("select a as b{} from matches", ",a as b".repeat(n))
    }),
    ("casts in a list", |n| {
        format!(
            "select cast(a as int){} from matches",
            ",cast(a as int)".repeat(n)
        )
    }),
    ("typed strings", |n| {
        format!(
            "select date '2020-01-01'{} from matches",
            ",date '2020-01-01'".repeat(n)
        )
    }),
    ("intervals in a list", |n| {
        format!(
            "select interval '1 day'{} from matches",
            ",interval '1 day'".repeat(n)
        )
    }),
    ("conflict sets", |n| {
        format!(
            "insert into matches (organization_id) values (5) on conflict (id) do update set a = 1{}",
            ",a = excluded.a".repeat(n)
        )
    }),
    ("sets", |n| {
        format!(
            "update matches set a = 1{} where organization_id = 5",
            ",a = 1".repeat(n)
        )
    }),
    ("sets of keys", |n| {
        format!(
            "update matches set a = 1{} where organization_id = 5",
            ",organization_id = 5".repeat(n)
        )
    }),
    ("returning", |n| {
        format!(
            "delete from matches where organization_id = 5 returning a{}",
            ",a".repeat(n)
        )
    }),
    ("column lists", |n| {
        format!(
            "insert into matches (organization_id{}) values (5{})",
            ",a".repeat(n),
            ",1".repeat(n)
        )
    }),
    ("rows of twenty", |n| {
        let row = format!("(5{})", ",'abcdefgh'".repeat(19));
        format!(
            "insert into matches (organization_id{}) values {row}{}",
            ",a".repeat(19),
            format!(",{row}").repeat(n / 20)
        )
    }),
    ("different keys of rows", |n| {
        format!(
            "insert into matches (organization_id, id) values (5,1){}",
            (0..n).map(|key| format!(",({key},1)")).collect::<String>()
        )
    }),
    ("different parameters", |n| {
        format!(
            "insert into matches (organization_id, id) values ($1,$2){}",
            (1..n.min(32_000))
                .map(|at| format!(",(${},${})", at * 2 + 1, at * 2 + 2))
                .collect::<String>()
        )
    }),
    ("explained", |n| {
        format!(
            "explain (analyze) select * from matches where organization_id = 5 and id in (1{})",
            ",1".repeat(n)
        )
    }),
    ("options of explain", |n| {
        format!(
            "explain (analyze{}) select 1 from matches",
            ",verbose".repeat(n)
        )
    }),
    ("declared", |n| {
        format!(
            "declare c cursor for select * from matches where organization_id = 5 and id in (1{})",
            ",1".repeat(n)
        )
    }),
    ("prepared", |n| {
        format!(
            "prepare p as select * from matches where organization_id = 5 and id in (1{})",
            ",1".repeat(n)
        )
    }),
    ("measured", |n| {
        format!(
            "select pg_relation_size('a'){}",
            ",pg_relation_size('a.b')".repeat(n)
        )
    }),
    ("indices of ifs", |n| {
        format!("select a{} from matches", "[1:2]".repeat(n))
    }),
    ("strings of bodies", |n| {
        format!("create function f() as '{}'", "a b ".repeat(n))
    }),
    ("at time zones", |n| {
        format!("select a{} from matches", " at time zone 'x'".repeat(n))
    }),
    ("any", |n| {
        format!("select * from matches where a{}", " = any(a)".repeat(n))
    }),
    ("like", |n| {
        format!("select a{} from matches", " like a".repeat(n))
    }),
    ("custom operators", |n| {
        format!("select a{} from matches", " <<<->>> a".repeat(n))
    }),
    ("filters", |n| {
        format!(
            "select 1{} from matches",
            ",count(*) filter (where a)".repeat(n)
        )
    }),
    ("rows", |n| {
        format!("select 1{} from matches", ",row(1,2)".repeat(n))
    }),
    ("tuples", |n| {
        format!("select 1{} from matches", ",(1,2)".repeat(n))
    }),
    ("parenthesized", |n| {
        format!("select 1{} from matches", ",((1))".repeat(n))
    }),
    ("parenthesized unions", |n| {
        format!(
            "(select 1 from matches){}",
            " union all (select 1 from matches)".repeat(n)
        )
    }),
    ("keyed unions", |n| {
        format!(
            "select 1 from matches where organization_id = 5{}",
            " union all select 1 from matches where organization_id = 5".repeat(n)
        )
    }),
    ("rows tied to rows", |n| {
        format!(
            "insert into matches (organization_id) values (1){} returning (select 1 from matches m where m.organization_id = matches.organization_id)",
            (0..n).map(|key| format!(",({key})")).collect::<String>()
        )
    }),
    ("long keys of joins", |n| {
        format!(
            "select * from matches{} where {}",
            ", matches".repeat(n.min(200)),
            (0..n)
                .map(|at| format!("matches.organization_id = {at} and "))
                .collect::<String>()
        )
    }),
    ("queries or joins", |n| {
        format!(
            "select * from {}matches{}",
            "((select * from ".repeat(n),
            ") x join matches y on true)".repeat(n)
        )
    }),
    ("positions", |n| {
        format!(
            "select {}1{} from matches",
            "position(".repeat(n),
            ", 2)".repeat(n)
        )
    }),
    ("qualified calls", |n| {
        format!(
            "select {}1{} from matches",
            "a.ceil(".repeat(n),
            ")".repeat(n)
        )
    }),
    ("nested rows", |n| {
        format!(
            "select * from {}select 1{} from matches{}",
            "(".repeat(110),
            ",1".repeat(n),
            ") x join matches y on true".repeat(110)
        )
    }),
    ("keys under or", |n| {
        format!(
            "select * from matches where {}organization_id = 1",
            (0..n)
                .map(|key| format!("organization_id = {key} or "))
                .collect::<String>()
        )
    }),
    ("or of keys and keys", |n| {
        format!(
            "select * from matches where organization_id = 1{}",
            (0..n)
                .map(|key| format!(" and (organization_id = {key} or x = organization_id)"))
                .collect::<String>()
        )
    }),
    ("tables within tables", |n| {
        format!(
            "select * from {}matches{} where organization_id = 5",
            "(select * from ".repeat(n),
            ") x".repeat(n)
        )
    }),
    ("tables of limits within tables", |n| {
        format!(
            "select * from {}matches{} where organization_id = 5",
            "(select * from ".repeat(n),
            " limit 1) x".repeat(n)
        )
    }),
    ("ctes that references tie", |n| {
        format!(
            "with a0 as (select * from matches){} select * from a{n} where organization_id = 5",
            (1..=n)
                .map(|at| format!(",a{at} as (select * from a{})", at - 1))
                .collect::<String>()
        )
    }),
    ("ctes that double", |n| {
        format!(
            "with a0 as (select * from matches){} select * from a{n} where organization_id = 5",
            (1..=n)
                .map(|at| format!(
                    ",a{at} as (select x.* from a{before} x join a{before} y using (organization_id))",
                    before = at - 1
                ))
                .collect::<String>()
        )
    }),
    ("references to one cte", |n| {
        format!(
            "with a as (select * from matches) select 1{}",
            " union all select 1 from a where organization_id = 5".repeat(n)
        )
    }),
    ("recursion within recursion", |n| {
        format!(
            "{}select organization_id from matches{} where organization_id = 5",
            "with recursive t as (select 5 as k union all select k from t union all ".repeat(n),
            ") select k from t".repeat(n)
        )
    }),
    ("subqueries compared with", |n| {
        format!(
            "select * from matches where organization_id = 5{}",
            " and organization_id in (select id from organizations)".repeat(n)
        )
    }),
    ("subqueries within subqueries", |n| {
        format!(
            "select * from matches where organization_id = 5{}{}",
            " and organization_id in (select id from organizations where id = 5".repeat(n),
            ")".repeat(n)
        )
    }),
    ("conditions within a table", |n| {
        format!(
            "select * from (select * from matches where x = y{}) m where organization_id = 5",
            (0..n)
                .map(|at| format!(" and x = {at}"))
                .collect::<String>()
        )
    }),
    ("joins of tables", |n| {
        format!(
            "select * from matches m{} where m.organization_id = 5",
            " join (select * from detections) d using (organization_id)".repeat(n)
        )
    }),
    ("lateral tables of tables", |n| {
        format!(
            "select * from matches m{} where m.organization_id = 5",
            ", lateral (select * from detections d where d.organization_id = m.organization_id) x"
                .repeat(n)
        )
    }),
    ("values joined", |n| {
        format!(
            "select * from (values (1){}) v (k) join matches on organization_id = k{}",
            (0..n).map(|key| format!(",({key})")).collect::<String>(),
            " join detections using (organization_id)".repeat(100)
        )
    }),
    ("outputs", |n| {
        format!(
            "select * from (select organization_id{} from matches) x where organization_id = 5",
            ", x, y".repeat(n)
        )
    }),
    ("stars", |n| {
        format!(
            "select * from (select *{} from matches) x where organization_id = 5",
            ", *".repeat(n)
        )
    }),
    ("values in from", |n| {
        format!("select * from (values (1){}) v, matches", ",(1)".repeat(n))
    }),
];

/// Processor time of this thread: other tests and other programs do not count.
fn cpu_seconds() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

fn seconds(text: &str) -> f64 {
    let started = cpu_seconds();
    let _ = check_known(text);
    cpu_seconds() - started
}

/// Four times the text takes about four times as long, whatever it is made of.
#[test]
fn time_grows_with_the_text() {
    // Below this a measurement is mostly noise: stacks that grow, pages touched for the first time. And where nesting
    // ends at its limit, the parser may take more than its share: a hundred `array[` that do not close, 0.14 s.
    const FLOOR: f64 = 0.25;
    for (name, shape) in SHAPES {
        // Some shapes are refused where they are long: there is a shorter pair, too.
        for size in [25, 700] {
            let (small, large) = (shape(size), shape(size * 4));
            // The best of some: what disturbs a measurement only makes it longer.
            let grows = || seconds(&large) < seconds(&small).max(FLOOR) * 6.0;
            assert!(
                (0..3).any(|_| grows()),
                "{name} x {size}: {} s, four times that: {} s",
                seconds(&small),
                seconds(&large)
            );
        }
    }
}

/// Nested as deep as is read, in every way the parser may try twice.
#[test]
fn nothing_is_tried_again_and_again() {
    for (open, close) in [
        ("((select * from ", ") x join matches y on true)"),
        ("(((select * from ", ") x) join matches y on true)"),
    ] {
        let text = format!(
            "select * from {}matches{}",
            open.repeat(35),
            close.repeat(35)
        );
        assert!(seconds(&text) < 5.0, "{open}");
    }
    for (open, close) in [
        ("position(", ", 2)"),
        ("position(1 in ", ")"),
        ("a.ceil(", ")"),
        ("a.position(", " in 1)"),
        ("a.cast(", " as int)"),
        ("a.substring(", " from 1)"),
        ("a.b.trim(", ")"),
        ("ceil(", ", 2, 3)"),
        ("cast(", ", 1)"),
        ("extract(", ", 1)"),
        ("overlay(", ", 1)"),
        ("substring(", " similar 1)"),
        ("trim(", ", 1, 2)"),
        ("array(", ")"),
        ("exists(", ")"),
        ("1 in (", ")"),
        ("1 in ((", "), 1)"),
        ("any(", ")"),
        ("row(", ").a"),
        ("(", ").a"),
        ("(", ")[1]"),
        ("a[", "]"),
        ("f(a => ", ")"),
        ("interval (", ")"),
        ("json_object(", " : 1)"),
        ("f(1 order by ", ")"),
        ("f(variadic ", ")"),
        ("f(distinct ", ")"),
        ("f(1) filter (where ", ")"),
        ("f(1) over (order by ", ")"),
    ] {
        let text = format!(
            "select {}1{} from matches",
            open.repeat(55),
            close.repeat(55)
        );
        assert!(seconds(&text) < 5.0, "{open}");
    }
}

/// Prints what each shape takes, up to the limits: `cargo test --release --lib -- --ignored --nocapture measure_shapes`.
#[test]
#[ignore = "a measurement, for a release build"]
fn measure_shapes() {
    let memory = |field: &str| {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix(field));
        line.and_then(|line| {
            line.trim_matches(|c: char| !c.is_ascii_digit())
                .parse()
                .ok()
        })
        .unwrap_or(0_u64)
    };
    let only = std::env::var("SHAPE").unwrap_or_default();
    for (name, shape) in SHAPES.iter().filter(|(name, _)| name.contains(&*only)) {
        let unit = crate::sql::tokens(&shape(1_000)).map_or(1_000, |tokens| tokens.len());
        let most = crate::sql::TOKENS_MAX * 999 / unit;
        for size in [1_000, 4_500, 19_000, most / 4, most] {
            let text = shape(size);
            let tokens = crate::sql::tokens(&text).map_or(0, |tokens| tokens.len());
            // Linux: the peak begins anew.
            let _ = std::fs::write("/proc/self/clear_refs", "5");
            let before = memory("VmRSS:");
            let took = seconds(&text);
            let peak = memory("VmHWM:").saturating_sub(before);
            let told =
                check(&text).map_or_else(|error| error.to_string(), |_| "planned".to_owned());
            println!(
                "{name:28} {size:7} {tokens:7} tokens {took:8.3} s {peak:8} KiB {:.60}",
                told
            );
        }
    }
}
