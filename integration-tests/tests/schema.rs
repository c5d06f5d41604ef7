//! What the catalogs say decides what names and columns mean: views, partitions, functions, `search_path`,
//! statements that name no columns.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use std::time::{Duration, Instant};

use integration_tests::client::{connect, connect_as, texts};
use integration_tests::cluster::APP;
use integration_tests::wire::{Parameters, Script, Wire};
use integration_tests::{Cluster, Proxy, ProxyOptions, Setup};
use tokio::sync::{Mutex, MutexGuard, OnceCell};
use tokio_postgres::Client;

struct World {
    cluster: Cluster,
    proxy: Proxy,
}

static WORLD: OnceCell<World> = OnceCell::const_new();
/// The catalogs are one thing: tests that change them take turns.
static TURN: Mutex<()> = Mutex::const_new(());

async fn world() -> &'static World {
    WORLD
        .get_or_init(async || {
            let setup = Setup {
                sample: None,
                everywhere: "
                    create schema sales;
                    create table orders (organization_id bigint not null, id int, note text default 'none',
                                         primary key (organization_id, id));
                    create table lines (id int, organization_id bigint not null, item text);
                    create table sales.leads (organization_id bigint not null, id int);
                    create table parted (organization_id bigint not null, at date, what text) partition by range (at);
                    create table parted_2025 partition of parted for values from ('2025-01-01') to ('2026-01-01');
                    create table parted_rest partition of parted default;
                    create table family (organization_id bigint not null, id int);
                    create table child (extra text) inherits (family);
                    create view recent as select id, organization_id as org, note from orders where id > 1;
                    create view of_view as select org, count(*) as n from recent group by org;
                    create table narrow (organization_id integer not null, id int);
                    create table turned (organization_id bigint not null, id bigint);
                    create function counted(org bigint) returns bigint stable language sql
                        as 'select count(*) from public.orders where organization_id = org';
                    create function rowwise(orders) returns int stable language sql as 'select 1'",
                default_shard: "create table settings (name text, value text); insert into settings values ('a', 'b')",
                ..Setup::default()
            };
            let cluster = Cluster::start(&setup);
            let tables = ["orders", "lines", "sales.leads", "parted", "family", "narrow", "turned"];
            let options = ProxyOptions {
                tables: tables.map(str::to_owned).to_vec(),
                ..ProxyOptions::default()
            };
            let proxy = Proxy::start(&cluster, &options);
            World { cluster, proxy }
        })
        .await
}

/// The proxy and one PostgreSQL that has all rows.
struct Sides {
    proxy: Client,
    oracle: Client,
    _turn: MutexGuard<'static, ()>,
}

impl Sides {
    async fn connect() -> Self {
        let turn = TURN.lock().await;
        let world = world().await;
        Self {
            proxy: connect(world.proxy.port).await,
            oracle: connect(world.cluster.oracle.port()).await,
            _turn: turn,
        }
    }

    async fn same(&self, sql: &str) {
        let (expected, found) = (
            texts(&self.oracle, sql).await,
            texts(&self.proxy, sql).await,
        );
        assert_eq!(found, expected, "{sql}");
    }

    async fn refused(&self, sql: &str, reason: &str) {
        let error = self.proxy.simple_query(sql).await.expect_err(sql);
        let error = error.as_db_error().unwrap();
        let (code, message) = (error.code().code(), error.message());
        assert_eq!(code, "0A000", "{sql}: {message}");
        assert!(message.contains(reason), "{sql}: {message}");
    }
}

/// On every shard and the oracle, past the proxy.
async fn everywhere(sql: &str) {
    let cluster = &world().await.cluster;
    for shard in 0..cluster.shards.len() {
        on_shard(shard, sql).await;
    }
    let oracle = connect(cluster.oracle.port()).await;
    oracle.batch_execute(sql).await.unwrap();
}

async fn on_shard(shard: usize, sql: &str) {
    let client = connect(world().await.cluster.primary_port(shard)).await;
    client.batch_execute(sql).await.unwrap();
}

/// RELOAD, and then until a statement is answered as wanted.
async fn reloaded(sides: &Sides, sql: &str, wanted: impl Fn(Result<(), String>) -> bool) {
    let admin = connect_as(world().await.proxy.port, APP, APP, "trunkline").await;
    admin.simple_query("RELOAD").await.unwrap();
    let give_up = Instant::now() + Duration::from_secs(9);
    loop {
        let answer = sides.proxy.simple_query(sql).await;
        let answer = answer
            .map(|_| ())
            .map_err(|error| error.as_db_error().unwrap().message().to_owned());
        if wanted(answer.clone()) {
            return;
        }
        assert!(Instant::now() < give_up, "{sql}: {answer:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Asks again and again, for a while, until there is an error.
async fn first_error(client: &Client, sql: &str) -> String {
    let give_up = Instant::now() + Duration::from_secs(9);
    while Instant::now() < give_up {
        if let Err(error) = client.simple_query(sql).await {
            return error.as_db_error().unwrap().message().to_owned();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{sql} is answered still");
}

async fn organizations() -> [i64; 2] {
    [0, 1].map(|shard| WORLD.get().unwrap().cluster.organization_on(shard))
}

#[tokio::test]
async fn columns_need_no_table_and_inserts_no_columns() {
    let sides = Sides::connect().await;
    for org in organizations().await {
        sides
            .same(&format!(
                "insert into orders values ({org}, 1, default), ({org}, 2, 'x')"
            ))
            .await;
        sides
            .same(&format!("insert into lines values (1, {org}, 'apple')"))
            .await;
        for sql in [
            format!("select * from orders where organization_id = {org} order by id"),
            format!(
                "select item, note from orders join lines using (organization_id) where organization_id = {org} and note = 'x'"
            ),
            format!("select note from orders natural join lines where organization_id = {org}"),
            format!("select item from lines, settings_of where organization_id = {org}")
                .replace(", settings_of", ""),
            format!(
                "select * from (select * from orders) o where organization_id = {org} order by id"
            ),
        ] {
            sides.same(&sql).await;
        }
        // Row by row they are where they belong.
        let shard = world().await.cluster.shard_of(org);
        let there = connect(world().await.cluster.primary_port(shard)).await;
        let count = format!("select count(*) from orders where organization_id = {org}");
        assert_eq!(texts(&there, &count).await, [[Some("2".to_owned())]]);
    }
    let all = "select item from orders natural join lines";
    sides.same(&format!("{all} order by 1")).await;
    let lock = format!("{all} for update");
    sides.refused(&lock, "organization_id").await;
}

#[tokio::test]
async fn partitions_and_children_are_as_their_table() {
    let sides = Sides::connect().await;
    for org in organizations().await {
        for sql in [
            format!(
                "insert into parted values ({org}, '2025-05-05', 'a'), ({org}, '2030-01-01', 'b')"
            ),
            format!("insert into parted_2025 values ({org}, '2025-06-06', 'c')"),
            format!("select what from parted where organization_id = {org} order by what"),
            format!("select * from parted_2025 where organization_id = {org} order by what"),
            format!("select what from only parted_rest where organization_id = {org}"),
            format!("update parted_rest set what = 'd' where organization_id = {org}"),
            format!(
                "select p.what from parted p join parted_rest r using (organization_id) where r.organization_id = {org} order by 1"
            ),
            format!("insert into family values ({org}, 1)"),
            format!("insert into child (extra, organization_id, id) values ('e', {org}, 2)"),
            format!("select id from family where organization_id = {org} order by id"),
            format!("select id from only family where organization_id = {org} order by id"),
            format!("select * from child where organization_id = {org}"),
        ] {
            sides.same(&sql).await;
        }
    }
    for sql in [
        "select * from parted_2025 order by 1, 2, 3",
        "select * from parted order by 1, 2, 3",
        "select * from family order by 1, 2",
        "select * from child join family using (organization_id, id) order by 1, 2, 3",
        "select organization_id, id from only family order by 1, 2",
    ] {
        sides.same(sql).await;
    }
    for sql in [
        "select * from parted_2025 for update",
        "select array_agg(id order by id) from only family",
    ] {
        sides.refused(sql, "organization_id").await;
    }
    sides.refused("drop table parted_2025", "DROP").await;
}

#[tokio::test]
async fn a_key_column_may_be_narrower_than_the_key() {
    let sides = Sides::connect().await;
    for org in organizations().await {
        for sql in [
            format!("insert into narrow values ({org}, 1), ('{org}', 2), ({org}::bigint, 3)"),
            format!("insert into orders values ({org}, 31) on conflict do nothing"),
            format!("select id from narrow where organization_id = {org} order by id"),
            format!("select id from narrow where organization_id = '{org}' order by id"),
            format!("select id from narrow where organization_id = {org}::bigint order by id"),
            format!(
                "select id from narrow where organization_id in ({org}, {org}::smallint) order by id"
            ),
            format!("select id from narrow where organization_id = any ('{{{org}}}') order by id"),
            format!(
                "select n.id, o.id from narrow n join orders o using (organization_id)
                  where o.organization_id = {org} and o.id = 31 order by 1"
            ),
            "select id from narrow where organization_id = 3000000000".to_owned(),
        ] {
            sides.same(&sql).await;
        }
        let sql = "select id from narrow where organization_id = $1 order by id";
        let of_column = i32::try_from(org).unwrap();
        let (there, here) = (&sides.oracle, &sides.proxy);
        let ids = |rows: Vec<tokio_postgres::Row>| -> Vec<i32> {
            rows.iter().map(|row| row.get(0)).collect()
        };
        let expected = ids(there.query(sql, &[&of_column]).await.unwrap());
        assert_eq!(expected, [1, 2, 3]);
        assert_eq!(ids(here.query(sql, &[&of_column]).await.unwrap()), expected);
        let cast = sql.replace("$1", "$1::bigint");
        assert_eq!(ids(here.query(&cast, &[&org]).await.unwrap()), expected);
        let list = sql.replace("= $1", "= any ($1)");
        let found = here.query(&list, &[&vec![of_column]]).await.unwrap();
        assert_eq!(ids(found), expected);
    }
    for client in [&sides.proxy, &sides.oracle] {
        for sql in [
            "insert into narrow values (3000000000, 1)",
            "select id from narrow where organization_id = '3000000000'",
        ] {
            let error = client.simple_query(sql).await.expect_err(sql);
            assert_eq!(error.code().unwrap().code(), "22003", "{sql}");
        }
    }
}

#[tokio::test]
async fn views_and_functions_are_looked_into() {
    let sides = Sides::connect().await;
    for org in organizations().await {
        sides
            .same(&format!(
                "insert into orders values ({org}, 11), ({org}, 12) on conflict do nothing"
            ))
            .await;
        for sql in [
            format!("select * from recent where org = {org} order by id"),
            format!("select * from of_view where org = {org}"),
            format!(
                "select r.id from recent r join orders o on o.organization_id = r.org and o.id = r.id where r.org = {org} order by 1"
            ),
            format!("select counted({org})"),
        ] {
            sides.same(&sql).await;
        }
        sides
            .refused(
                &format!("delete from recent where org = {org}"),
                "writing to view recent",
            )
            .await;
        sides
            .refused(
                &format!("select o.rowwise from orders o where organization_id = {org}"),
                "rowwise",
            )
            .await;
    }
    for sql in [
        "select * from recent order by org, id",
        "select * from of_view order by org",
        "select r.id, v.n from public.recent r join of_view v using (org) order by org, r.id",
    ] {
        sides.same(sql).await;
    }
    sides.refused("select * from recent for update", "").await;
    sides.refused("select counted(id) from recent", "").await;
}

#[tokio::test]
async fn bodies_that_servers_print_have_named_arguments() {
    let sides = Sides::connect().await;
    let [org, other] = organizations().await;
    everywhere(&format!(
        "create function atomic(org bigint) returns bigint stable language sql
             begin atomic select count(*) from orders where organization_id = org; end;
         create function returned(organization_id bigint) returns bigint stable language sql
             return (select count(*) from orders o where o.organization_id = returned.organization_id);
         create function own_name(organization_id bigint) returns bigint stable language sql begin atomic
             select count(*) from orders own_name, family b
              where own_name.organization_id = {org} and b.organization_id = $1 and own_name.id = b.id; end;
         create function mixed(out n bigint, organization_id bigint, out m bigint, id bigint) returns record stable language sql
             begin atomic select count(*), 1::bigint from orders o where o.organization_id = $2 and o.id < $1; end;
         create function unqualified(key bigint) returns bigint stable language sql
             as 'select count(*) from orders where organization_id = key';
         create function calls(key bigint) returns bigint stable language sql begin atomic select unqualified(key); end;
         create function in_on(organization_id bigint) returns bigint stable language sql as
             'select count(*) from (values (1)) r (n) join (values (1)) s (n) on unqualified(organization_id) >= 0 and r.n = s.n,
                     public.orders a where a.organization_id = {org}'"
    ))
    .await;
    let known = |answer: Result<(), String>| answer.is_err_and(|m| m.contains("organization_id"));
    reloaded(&sides, &format!("select own_name({org})"), known).await;
    for key in [org, other] {
        sides
            .same(&format!(
                "insert into orders values ({key}, 21), ({key}, 22) on conflict do nothing"
            ))
            .await;
        sides
            .same(&format!(
                "insert into family (organization_id, id) values ({key}, 21)"
            ))
            .await;
        for function in ["atomic", "returned", "unqualified", "calls"] {
            sides.same(&format!("select {function}({key})")).await;
        }
        sides
            .refused(&format!("select own_name({key})"), "organization_id")
            .await;
        sides
            .refused(&format!("select mixed(1000, {key})"), "OUT arguments")
            .await;
        sides
            .refused(&format!("select in_on({key})"), "organization_id")
            .await;
    }
    for key in [org, other] {
        sides
            .same(&format!("delete from orders where organization_id = {key}"))
            .await;
        sides
            .same(&format!("delete from family where organization_id = {key}"))
            .await;
    }
    everywhere("drop function atomic, returned, own_name, mixed, calls, in_on, unqualified").await;
}

#[tokio::test]
async fn bodies_that_leave_settings_behind_are_refused() {
    let sides = Sides::connect().await;
    everywhere(
        "create function set_path(t text) returns text language sql as $$ select set_config('search_path', t, false) $$;
         create function set_path_i(t text) returns text immutable language sql
             as $$ select set_config('search_path', t, false) $$;
         create function set_path_2(t text) returns text immutable language sql as 'select set_path_i(t)';
         create function count_recent() returns bigint immutable language sql as 'select count(*) from recent';
         create function plus(a int, b int) returns int immutable language sql as 'select a + b';
         create view sneaky as select set_config('search_path', 'sales, public', false) as path;
         create view sneakier as select pg_advisory_lock(7) is null as locked;
         create view harmless as select set_config('work_mem', '8MB', true) as memory",
    )
    .await;
    // Declared IMMUTABLE, it reads a view. (Asking for the others before they are known would do what they do.)
    let known = |answer: Result<(), String>| answer.is_err_and(|m| m.contains("organization_id"));
    reloaded(&sides, "select count_recent()", known).await;
    for sql in [
        "select set_path('sales, public')",
        "select set_path_i('sales, public')",
        "select set_path_2('sales, public')",
        "select * from sneaky",
        "select path from public.sneaky where path <> ''",
        "select * from sneakier",
        // A server prints its arguments with casts.
        "select memory from harmless",
    ] {
        sides.refused(sql, "").await;
    }
    for sql in ["select plus(1, 2)", "show search_path"] {
        sides.same(sql).await;
    }
    // What names no such thing stays as the default shard's.
    on_shard(
        0,
        "create view of_settings as select plus(1, 2), value from settings",
    )
    .await;
    let oracle = connect(world().await.cluster.oracle.port()).await;
    let made = "create view of_settings as select plus(1, 2), value from settings";
    oracle.batch_execute(made).await.unwrap();
    sides.same("select * from of_settings").await;
    let drop = "drop view of_settings";
    on_shard(0, drop).await;
    oracle.batch_execute(drop).await.unwrap();
    everywhere(
        "drop view sneaky, sneakier, harmless;
         drop function set_path, set_path_i, set_path_2, count_recent, plus",
    )
    .await;
}

#[tokio::test]
async fn views_made_past_the_proxy_are_known_after_reload() {
    let sides = Sides::connect().await;
    let [org, other] = organizations().await;
    let select = format!("select count(*) from late where organization_id = {org}");
    everywhere("create view late as select * from orders where id < 100").await;
    // Until then it is a name like any other, and its rows are those of the default shard.
    let untied = |answer: Result<(), String>| answer.is_err_and(|m| m.contains("organization_id"));
    reloaded(&sides, "select 1 from late for update", untied).await;
    sides.same(&select).await;
    sides
        .same(&select.replace(&org.to_string(), &other.to_string()))
        .await;
    sides.same("select count(*) from late").await;
    // On one shard it says something else.
    on_shard(
        1,
        "create or replace view late as select * from orders where id < 50",
    )
    .await;
    let differs = |answer: Result<(), String>| {
        answer.is_err_and(|message| message.contains("differs between shards s1 and s2"))
    };
    reloaded(&sides, &select, differs).await;
    everywhere("drop view late").await;
}

#[tokio::test]
async fn a_column_that_only_one_shard_has_hides_no_table() {
    let sides = Sides::connect().await;
    let [org, _] = organizations().await;
    sides
        .same(&format!("insert into family values ({org}, 70)"))
        .await;
    on_shard(1, "alter table family add column later int").await;
    let star = format!("insert into family values ({org}, 71)");
    // Which columns there are is not known now; statements that do not ask go on.
    reloaded(
        &sides,
        &format!("{star} returning no_such_column"),
        |answer| answer.is_err_and(|message| !message.contains("no_such_column")),
    )
    .await;
    sides
        .same(&format!(
            "select id from family where organization_id = {org} and id = 70"
        ))
        .await;
    sides.refused(&star, "").await;
    sides
        .refused("select * from family", "organization_id")
        .await;
    let count = "select count(family.id) from family";
    sides.refused(count, "organization_id").await;
    on_shard(1, "alter table family drop column later").await;
    reloaded(&sides, count, |answer| answer.is_ok()).await;
    sides.same(count).await;
    reloaded(&sides, &format!("select counted({org})"), |answer| {
        answer.is_ok()
    })
    .await;
}

/// What is brought from shard to shard has its columns by place.
#[tokio::test]
async fn columns_in_another_order_are_not_gathered() {
    let sides = Sides::connect().await;
    let keys = organizations().await;
    let all = "select organization_id, turned.id from turned order by 1, 2";
    let refill = async || {
        for key in keys {
            let insert = "insert into turned (organization_id, id) values";
            sides.same(&format!("{insert} ({key}, {key} + 1000)")).await;
        }
    };
    refill().await;
    sides.same(all).await;
    on_shard(
        1,
        "drop table turned; create table turned (id bigint, organization_id bigint not null)",
    )
    .await;
    let differ = |answer: Result<(), String>| answer.is_err_and(|m| m.contains("organization_id"));
    reloaded(&sides, all, differ).await;
    // One shard answers as before.
    for key in keys {
        let delete = format!("delete from turned where organization_id = {key}");
        for client in [&sides.proxy, &sides.oracle] {
            client.simple_query(&delete).await.unwrap();
        }
    }
    refill().await;
    sides.refused(all, "organization_id").await;
    for key in keys {
        let one = format!("select turned.id from turned where organization_id = {key}");
        sides.same(&one).await;
    }
    on_shard(
        1,
        "drop table turned; create table turned (organization_id bigint not null, id bigint)",
    )
    .await;
    everywhere("truncate turned").await;
    reloaded(&sides, all, |answer| answer.is_ok()).await;
    refill().await;
    sides.same(all).await;
    everywhere("truncate turned").await;
}

#[tokio::test]
async fn names_are_looked_up_along_search_path() {
    let sides = Sides::connect().await;
    let [_, org] = organizations().await;
    let paths = [
        (
            "sales, public",
            format!("insert into leads values ({org}, 1)"),
        ),
        (
            "sales, public",
            format!("select * from leads where organization_id = {org}"),
        ),
        (
            "public, sales",
            format!("select * from leads where organization_id = {org}"),
        ),
        (
            "sales, public",
            format!("select count(*) from orders where organization_id = {org}"),
        ),
        (
            "\"$user\", public",
            format!("select count(*) from orders where organization_id = {org}"),
        ),
        ("sales", "select value from public.settings".to_owned()),
    ];
    for (path, sql) in &paths {
        sides.same(&format!("set search_path = {path}")).await;
        sides.same(sql).await;
    }
    // An ordinary table of the default shard hides the sharded one.
    sides.same("set search_path = public").await;
    for side in [&sides.proxy, &sides.oracle] {
        side.simple_query("create schema app").await.unwrap();
    }
    let cluster = &world().await.cluster;
    for port in [cluster.primary_port(0), cluster.oracle.port()] {
        let client = connect(port).await;
        client
            .batch_execute(
                "create table app.lines (item text); insert into app.lines values ('hidden')",
            )
            .await
            .unwrap();
    }
    sides.same("reset search_path").await;
    let lock = "select item from lines for update";
    reloaded(&sides, lock, |answer| answer.is_ok()).await;
    sides.same("select item from lines").await;
    sides
        .same(&format!(
            "select item from public.lines where organization_id = {org} order by 1"
        ))
        .await;
    sides.same("set role none").await;
    for port in [cluster.primary_port(0), cluster.oracle.port()] {
        connect(port)
            .await
            .batch_execute("drop schema app cascade")
            .await
            .unwrap();
    }
    let gone = |answer: Result<(), String>| answer.is_err_and(|m| m.contains("organization_id"));
    reloaded(&sides, lock, gone).await;
    sides.same("select item from lines order by 1").await;
}

#[tokio::test]
async fn roles_begin_with_their_own_search_path() {
    let sides = Sides::connect().await;
    let [_, org] = organizations().await;
    everywhere(&format!("alter role {APP} set search_path = sales, public")).await;
    // Connections that are open keep the old path: so this proxy begins with none.
    let options = ProxyOptions {
        tables: vec!["orders".to_owned(), "sales.leads".to_owned()],
        users: format!("  - {{ name: clerk, password: clerk, databases: [ {APP} ] }}"),
        ..ProxyOptions::default()
    };
    let proxy = Proxy::start(&world().await.cluster, &options);
    let of_leads = format!("select * from leads where organization_id = {org}");
    // On the command line it is as in a session of that user, by default the first one.
    for (arguments, found) in [
        (vec![], Ok("sales.leads: organization_id")),
        (vec!["--user", APP], Ok("sales.leads: organization_id")),
        (vec!["--user", "clerk"], Ok("leads (not in the shard map)")),
        (vec!["--user", "nobody"], Err("user \"nobody\" may not use")),
    ] {
        let (text, planned) = proxy.explain(&[&arguments, &["--connect", &*of_leads][..]].concat());
        let (Ok(expected) | Err(expected)) = found;
        assert!(text.contains(expected), "{arguments:?}: {text}");
        assert_eq!(planned, found.is_ok(), "{arguments:?}: {text}");
    }
    let client = connect(proxy.port).await;
    let plan = texts(
        &client,
        &format!("explain select count(*) from leads where organization_id = {org}"),
    )
    .await;
    let explained = format!("{plan:?}");
    assert!(explained.contains("sales.leads"), "{explained}");
    let leads = format!("select count(*) from leads where organization_id = {org}");
    client.batch_execute("begin").await.unwrap();
    client.simple_query(&leads).await.unwrap();
    everywhere(&format!("alter role {APP} reset search_path")).await;
    let admin = connect_as(proxy.port, APP, APP, "trunkline").await;
    admin.simple_query("RELOAD").await.unwrap();
    // The transaction has a connection that begins in `sales` still.
    let refused = first_error(&client, &leads).await;
    assert!(refused.contains("was changed"), "{refused}");
    client.batch_execute("rollback").await.unwrap();
    let unknown = first_error(&client, &leads).await;
    assert!(unknown.contains("\"leads\" does not exist"), "{unknown}");
    drop(sides);
}

#[tokio::test]
async fn what_is_defined_through_the_proxy_counts_at_once() {
    let sides = Sides::connect().await;
    let [_, org] = organizations().await;
    everywhere("create schema app").await;
    let of_lines = format!("select item from lines where organization_id = {org} order by 1");
    sides
        .same(&format!("insert into lines values (2, {org}, 'pear')"))
        .await;
    sides.same(&of_lines).await;
    let rows = format!("select {org}::bigint as organization_id, 'hidden' as item");
    let on_s1 = "/* trunkline: shard=s1 */";
    let made = format!("create table app.lines as {rows} {on_s1}");
    // A table of the role's own schema, on the default shard only, hides the sharded one.
    for messages in [
        vec![made.clone()],
        vec![rows.replace(" as item", " as item into app.lines ") + on_s1],
        vec![format!(
            "explain (analyze, costs off, timing off, summary off) {made}"
        )],
        vec!["begin".to_owned(), made.clone(), "commit".to_owned()],
        vec![format!("begin; {made}; commit")],
        vec![
            "begin".to_owned(),
            made.clone(),
            "commit and chain".to_owned(),
        ],
    ] {
        for sql in &messages {
            sides.proxy.simple_query(sql).await.unwrap();
            sides.oracle.simple_query(sql).await.unwrap();
        }
        sides.same(&of_lines).await;
        sides.same("rollback").await;
        sides.same(&format!("drop table app.lines {on_s1}")).await;
        sides.same(&of_lines).await;
    }
    for client in [&sides.proxy, &sides.oracle] {
        client.execute(&made, &[]).await.unwrap();
    }
    sides.same(&of_lines).await;
    sides.same(&format!("drop table app.lines {on_s1}")).await;
    everywhere("drop schema app").await;
}

#[tokio::test]
async fn a_grant_through_the_proxy_counts_at_once() {
    let sides = Sides::connect().await;
    let [_, org] = organizations().await;
    let on_s1 = "/* trunkline: shard=s1 */";
    let of_lines = format!("select item from lines where organization_id = {org} order by 1");
    sides
        .same(&format!(
            "create table sales.lines (organization_id bigint, item text) {on_s1}"
        ))
        .await;
    sides.same("set search_path = sales, public").await;
    sides.same(&of_lines).await;
    let revoke = format!("revoke usage on schema sales from {APP} {on_s1}");
    sides.same(&revoke).await;
    // To PostgreSQL it is the table of `public` now, if no other role grants it the schema.
    sides
        .refused(&of_lines, "may mean sales.lines or public.lines")
        .await;
    let grant = format!("grant usage on schema sales to {APP} {on_s1}");
    sides.same(&grant).await;
    sides.same(&of_lines).await;
    sides.same("reset search_path").await;
    sides.same(&format!("drop table sales.lines {on_s1}")).await;
}

#[tokio::test]
async fn a_transaction_s_own_definitions_are_not_guessed_at() {
    let sides = Sides::connect().await;
    let [org, _] = organizations().await;
    everywhere("create schema app").await;
    let on_s1 = "/* trunkline: shard=s1 */";
    let made = format!("create table app.lines as select 'hidden' as item {on_s1}");
    let of_lines = format!("select item from lines where organization_id = {org}");
    let refused = "where something was defined under one";
    for between in ["", "savepoint s; rollback to s"] {
        sides.same("begin").await;
        sides.same(&made).await;
        sides.proxy.simple_query(between).await.unwrap();
        // Where a hint tells the shard again, nothing is guessed; what looks no name up goes on.
        sides.same(&format!("select item from lines {on_s1}")).await;
        sides.same("show application_name").await;
        sides.same("select 1").await;
        sides.refused(&of_lines, refused).await;
        sides.same("rollback").await;
        // Whether a row belongs there is not guessed at either.
        sides.same("begin").await;
        sides.same(&made).await;
        let stored = format!("insert into app.lines values ('row') {on_s1}");
        sides
            .refused(&stored, "a write, where something was defined")
            .await;
        sides.same("rollback").await;
        sides.same("select item from lines order by 1").await;
    }
    // The same within one string and one pipeline, which are planned before they run.
    sides.refused(&format!("{made}; {of_lines}"), refused).await;
    let ends = format!("begin; {made}; rollback; begin");
    sides.proxy.simple_query(&ends).await.unwrap();
    sides.refused(&of_lines, refused).await;
    sides.same("rollback").await;
    let mut wire = Wire::connect(world().await.proxy.port).unwrap();
    let mut script = Script::new();
    for sql in [&made, &of_lines] {
        script.parse("", sql, &[]);
        script.bind("", "", &Parameters::NONE).execute("", 0);
    }
    let replies = wire.run(script.sync()).unwrap();
    let error = replies.iter().find(|reply| reply.tag == b'E').unwrap();
    let message = error.field(b'M').unwrap_or_default();
    assert!(message.contains(refused), "{message}");
    // Nothing of it is left, and definitions of other things stand in nobody's way.
    sides.same("create table plain_one (a int)").await;
    sides.same("begin").await;
    sides.same("alter table plain_one add column b int").await;
    sides.same("insert into plain_one values (1, 2)").await;
    sides.same("commit").await;
    sides.same("select * from plain_one").await;
    sides.same("drop table plain_one").await;
    everywhere("drop schema app").await;
}
