//! Facts about servers in, findings out: no server is asked here.

use std::path::Path;

use super::facts::*;
use super::*;
use crate::config::{self, Database};
use crate::shardmap::TableName;

fn config() -> Config {
    let yaml = "
users: [{ name: app, password: x, databases: [app] }]
databases:
  app:
    service: { user: trunkline, password: x }
    shards: { s1: { servers: ['h1:1', 'h1:2'] }, s2: { servers: ['h2:1'] } }
    keyspaces:
      tenants:
        key: { column: org, type: bigint }
        tables: [orders, items, orgs: { key: id }]
      people: { key: { column: person, type: text }, tables: [people] }
      visits:
        key: { columns: [{ name: org, type: bigint }, { name: at, type: timestamp }] }
        spread: 2
        tables: [visits, hits: { key: [org_id, at] }]
      shops:
        key: { columns: [{ name: country, type: char }, { name: city, type: text }] }
        function: list
        values: { 0: [DE], 1: [US] }
        tables: [shops]
    reference_tables: [classes, other.kinds]
";
    config::parse(yaml, Path::new("t.yaml"), &|_| None).unwrap_or_else(|errors| panic!("{errors}"))
}

fn name(name: &str) -> TableName {
    let (schema, name) = name.split_once('.').unwrap_or(("public", name));
    TableName {
        schema: schema.to_owned(),
        name: name.to_owned(),
    }
}

fn column(name: &str, type_name: &str) -> Column {
    // As `format_type` prints it without a modifier.
    let (base_type, modifier) = match (type_name.split_once('('), type_name.split_once(')')) {
        (Some((before, rest)), Some((_, after))) => {
            (format!("{before}{after}"), rest.split([',', ')']).next())
        }
        _ => (type_name.to_owned(), None),
    };
    Column {
        name: name.to_owned(),
        base_type,
        is_enum: false,
        full_type: type_name.to_owned(),
        modifier: modifier.and_then(|of| of.parse().ok()).unwrap_or(-1),
        not_null: true,
        ..Column::default()
    }
}

fn table(columns: &[(&str, &str)], primary: &[&str]) -> Table {
    let columns = columns
        .iter()
        .map(|(name, type_name)| column(name, type_name))
        .collect();
    let key = UniqueKey {
        primary: true,
        columns: primary.iter().map(|column| (*column).to_owned()).collect(),
        name: "pkey".to_owned(),
        predicate: None,
    };
    Table {
        kind: 'r',
        columns,
        unique: vec![key],
        ..Table::default()
    }
}

fn server(address: &str, in_recovery: bool) -> ServerFacts {
    let state = ServerState {
        version: 150_018,
        in_recovery,
        max_connections: 100,
        reserved_connections: 3,
        encoding: "UTF8".to_owned(),
    };
    let session = SessionState {
        standard_conforming_strings: true,
        schemas: vec!["public".to_owned()],
    };
    ServerFacts {
        address: address.to_owned(),
        service: Ok(state),
        users: vec![("app".to_owned(), Ok(session))],
        other_verifiers: Vec::new(),
        lookup_error: None,
        connections_max: 21,
    }
}

fn visit(org: &'static str) -> [(&'static str, &'static str); 3] {
    [
        (org, "bigint"),
        ("at", "timestamp(6) without time zone"),
        ("id", "bigint"),
    ]
}

fn catalog() -> Catalog {
    let orders = table(&[("org", "bigint"), ("id", "bigint")], &["id", "org"]);
    let tables = [
        ("orders", orders.clone()),
        ("items", orders),
        ("orgs", table(&[("id", "bigint")], &["id"])),
        ("people", table(&[("person", "text")], &["person"])),
        ("visits", table(&visit("org"), &["at", "id", "org"])),
        ("hits", table(&visit("org_id"), &["at", "id", "org_id"])),
        (
            "shops",
            table(
                &[("country", "character(2)"), ("city", "text")],
                &["country"],
            ),
        ),
        ("classes", table(&[("id", "integer")], &["id"])),
        ("other.kinds", table(&[("id", "integer")], &["id"])),
    ];
    let tables = tables
        .into_iter()
        .map(|(table, facts)| (name(table), facts))
        .collect();
    Catalog {
        tables,
        foreign_keys: Vec::new(),
    }
}

/// Facts with which nothing is wrong.
fn facts() -> DatabaseFacts {
    let shard = |name: &str, servers| ShardFacts {
        name: name.to_owned(),
        servers,
        catalog: Some(Ok(catalog())),
    };
    DatabaseFacts {
        unusable_tls: None,
        shards: vec![
            shard("s1", vec![server("h1:1", true), server("h1:2", false)]),
            shard("s2", vec![server("h2:1", false)]),
        ],
    }
}

fn catalog_of(facts: &mut DatabaseFacts, shard: usize) -> &mut Catalog {
    match &mut facts.shards[shard].catalog {
        Some(Ok(catalog)) => catalog,
        other => panic!("no catalog: {other:?}"),
    }
}

fn table_of<'f>(facts: &'f mut DatabaseFacts, shard: usize, table: &str) -> &'f mut Table {
    catalog_of(facts, shard)
        .tables
        .get_mut(&name(table))
        .expect("a table of the test")
}

/// Findings after a change to sound facts, one per line: severity, shard, object, message.
fn found(change: impl FnOnce(&mut DatabaseFacts)) -> String {
    let mut facts = facts();
    change(&mut facts);
    let config = config();
    let database: &Database = &config.databases["app"];
    let mut findings = servers::findings(database, &facts);
    findings.extend(tables::findings(&database.map, &facts));
    let line = |finding: &Finding| {
        assert!(!finding.way_out.is_empty(), "{finding}");
        let shard = finding.shard.as_deref().unwrap_or("-");
        format!(
            "{:?} {shard} {}: {}",
            finding.severity, finding.object, finding.message
        )
    };
    findings.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn nothing_is_found_where_all_fits() {
    assert_eq!(found(|_| {}), "");
}

#[test]
fn servers_that_do_not_answer() {
    let all_down = found(|facts| {
        let server = &mut facts.shards[1].servers[0];
        server.service = Err(LoginError::Unreachable("connection refused".to_owned()));
        server.users.clear();
        facts.shards[1].catalog = None;
    });
    assert_eq!(
        all_down,
        "Error s2 server h2:1: cannot be talked to: connection refused"
    );
    let refused = found(|facts| {
        facts.shards[1].servers[0].users[0].1 =
            Err(LoginError::Refused("role does not exist".to_owned()));
    });
    assert_eq!(
        refused,
        "Error s2 server h2:1: refuses user `app`: role does not exist"
    );
}

#[test]
fn tls_files_that_cannot_be_used() {
    let found = found(|facts| {
        *facts = DatabaseFacts {
            unusable_tls: Some("ca.pem holds no certificate".to_owned()),
            shards: Vec::new(),
        };
    });
    assert_eq!(
        found,
        "Error - server_tls: ca.pem holds no certificate, so no server was asked"
    );
}

#[test]
fn roles_of_servers() {
    let change_role = |server: usize, in_recovery: bool| {
        found(move |facts| {
            if let Ok(state) = &mut facts.shards[0].servers[server].service {
                state.in_recovery = in_recovery;
            }
        })
    };
    assert_eq!(
        change_role(0, false),
        "Error s1 servers: several servers are primaries: h1:1, h1:2"
    );
    assert_eq!(
        change_role(1, true),
        "Error s1 servers: none of the servers that answer is a primary"
    );
}

#[test]
fn settings_of_servers() {
    let found = found(|facts| {
        let server = &mut facts.shards[1].servers[0];
        server.connections_max = 98;
        if let Ok(state) = &mut server.service {
            state.version = 120_001;
            state.encoding = "SQL_ASCII".to_owned();
        }
    });
    assert_eq!(
        found,
        "Error s2 server h2:1: runs PostgreSQL 12, older than 13\n\
         Error s2 server h2:1: the database's encoding is SQL_ASCII, so its texts hash differently\n\
         Warning s2 server h2:1: the pools may open 98 connections, the server takes 97 (max_connections 100 without \
         3 reserved ones)\n\
         Warning - servers: PostgreSQL's major version differs: 12 on s2, 15 on s1"
    );
}

#[test]
fn settings_of_sessions() {
    let with = |schemas: &[&str], strings: bool| {
        let schemas = schemas.iter().map(|schema| (*schema).to_owned()).collect();
        found(move |facts| {
            facts.shards[1].servers[0].users[0].1 = Ok(SessionState {
                standard_conforming_strings: strings,
                schemas,
            });
        })
    };
    assert!(
        with(&["public"], false)
            .starts_with("Error s2 user app on server h2:1: standard_conforming_strings is off")
    );
    assert!(
        with(&["app"], true)
            .starts_with("Error s2 user app on server h2:1: search_path does not lead")
    );
    assert!(
        with(&["app", "public"], true)
            .starts_with("Warning s2 user app on server h2:1: search_path finds")
    );
}

#[test]
fn tables_that_are_not_there() {
    let found = found(|facts| {
        catalog_of(facts, 1).tables.remove(&name("orders"));
        table_of(facts, 0, "classes").kind = 'v';
        table_of(facts, 1, "classes").kind = 'v';
    });
    assert_eq!(
        found,
        "Error - table classes: is a view\nError s2 table orders: does not exist"
    );
}

#[test]
fn definitions_that_differ() {
    let found = found(|facts| {
        table_of(facts, 1, "orders").columns.reverse();
        let items = table_of(facts, 1, "items");
        items.columns[1].full_type = "integer".to_owned();
        items.columns[1].not_null = false;
        items.columns[1].default = Some("7".to_owned());
        items.unique.clear();
    });
    assert_eq!(
        found,
        "Error s2 table items: column id is of type integer, but on s1 bigint\n\
         Warning s2 table items: column id is nullable, but on s1 NOT NULL\n\
         Warning s2 table items: column id has the default 7, but on s1 no default\n\
         Error s2 table items: unique keys are none, but on s1 primary key (id, org)\n\
         Error s2 table orders: has the columns id, org, but on s1 org, id"
    );
}

#[test]
fn constraints_and_indexes_that_differ() {
    let set = |facts: &mut DatabaseFacts, shard, constraints: &[&str], indexes: &[&str]| {
        let owned = |list: &[&str]| list.iter().map(|one| (*one).to_owned()).collect();
        let classes = table_of(facts, shard, "classes");
        classes.constraints = owned(constraints);
        classes.indexes = owned(indexes);
    };
    // Order and names do not count, and columns that differ hide nothing.
    let (positive, small) = ("CHECK ((id > 0))", "CHECK ((id < 9))");
    let (by_id, by_name) = ("CREATE INDEX ON id", "CREATE INDEX ON name");
    let (key, deferred) = ("PRIMARY KEY (id)", "PRIMARY KEY (id) DEFERRABLE");
    let same = found(|facts| {
        set(facts, 0, &[positive, small, key], &[by_id, by_name]);
        set(facts, 1, &[small, key, positive], &[by_name, by_id]);
    });
    assert_eq!(same, "");
    let differing = found(|facts| {
        set(facts, 0, &[positive, key], &[by_id, by_id]);
        set(facts, 1, &[small, deferred], &[by_name, by_id]);
        table_of(facts, 1, "classes").columns[0].name = "number".to_owned();
    });
    assert_eq!(
        differing,
        "Error s2 table classes: has the columns number, but on s1 id\n\
         Error s2 table classes: lacks the constraint CHECK ((id > 0)), which s1 has\n\
         Error s2 table classes: lacks the constraint PRIMARY KEY (id), which s1 has\n\
         Error s2 table classes: has the constraint CHECK ((id < 9)), which s1 has not\n\
         Error s2 table classes: has the constraint PRIMARY KEY (id) DEFERRABLE, which s1 has not\n\
         Warning s2 table classes: lacks the index CREATE INDEX ON id, which s1 has\n\
         Warning s2 table classes: has the index CREATE INDEX ON name, which s1 has not"
    );
    // A missing key is one finding.
    let keyless = found(|facts| {
        set(facts, 0, &[key], &[]);
        table_of(facts, 1, "classes").unique.clear();
    });
    assert_eq!(
        keyless,
        "Error s2 table classes: unique keys are none, but on s1 primary key (id)"
    );
}

#[test]
fn sharding_keys() {
    let on_both = |change: fn(&mut Table)| {
        found(|facts| {
            change(table_of(facts, 0, "orders"));
            change(table_of(facts, 1, "orders"));
        })
    };
    for (change, expected) in [
        (
            (|t| t.columns[0] = column("other", "bigint")) as fn(&mut Table),
            "Error - table orders: has no column org",
        ),
        (
            |t| t.columns[0] = column("org", "text"),
            "Error - table orders: key column org is of type text, but keyspace tenants says bigint",
        ),
        (
            |t| t.columns[0].not_null = false,
            "Warning - table orders: key column org may be NULL",
        ),
        (
            |t| t.columns[0].generated = true,
            "Error - table orders: key column org is generated",
        ),
        (
            |t| t.unique[0].columns = vec!["id".into()],
            "Error - table orders: pkey (primary key (id)) lacks the key column org",
        ),
        (
            |t| t.columns[1].default = Some("nextval('s'::regclass)".into()),
            "Warning - table orders: column id takes its default from a sequence",
        ),
        (
            |t| t.columns[1].identity = true,
            "Warning - table orders: column id takes its default from a sequence",
        ),
        (
            |t| t.columns[0].identity = true,
            "Warning - table orders: key column org takes its default from a sequence",
        ),
        (
            |t| t.triggers = vec!["trigger audit".into()],
            "Warning - table orders: trigger audit runs on one shard",
        ),
        (
            |t| t.rewriters = vec!["trigger stamp".into()],
            "Warning - table orders: trigger stamp may change a row's sharding key",
        ),
        (
            |t| {
                t.columns[0] = column("org", "mood");
                t.columns[0].is_enum = true;
            },
            "Error - table orders: key column org is of type mood, which cannot be a sharding key: an enum's",
        ),
        (
            |t| t.columns[0] = column("org", "numeric(10,0)"),
            "Error - table orders: key column org is of type numeric(10,0), which cannot be a sharding key: numeric",
        ),
        (
            |t| t.columns[0] = column("org", "citext"),
            "Error - table orders: key column org is of type citext, which cannot be a sharding key: different",
        ),
        (
            |t| t.columns[0] = column("org", "json"),
            "Error - table orders: key column org is of type json, which cannot be a sharding key: its values",
        ),
        (
            |t| t.children = vec![name("orders_2026"), name("items")],
            "Warning - table orders: its partitions are not listed: orders_2026",
        ),
    ] {
        let found = on_both(change);
        assert!(
            found.starts_with(expected) && found.lines().count() == 1,
            "{found}\nexpected {expected}"
        );
    }
}

#[test]
fn a_narrower_key_column_has_only_keys() {
    for narrower in ["integer", "smallint"] {
        let found = found(|facts| {
            for shard in 0..2 {
                table_of(facts, shard, "orders").columns[0] = column("org", narrower);
            }
        });
        assert_eq!(found, "", "{narrower}");
    }
}

#[test]
fn domains_count_as_what_is_beneath() {
    let domain = |inner_type: &str| {
        let beneath = column("person", inner_type);
        found(|facts| {
            for shard in 0..2 {
                let people = table_of(facts, shard, "people");
                people.columns[0] = Column {
                    full_type: "name_of_person".to_owned(),
                    ..beneath.clone()
                };
            }
        })
    };
    assert_eq!(domain("text"), "");
    let cut = domain("character varying(10)");
    assert!(
        cut.starts_with("Error - table people: key column person is of type name_of_person, but keyspace people says text"),
        "{cut}"
    );
}

#[test]
fn modifiers_of_key_types() {
    let with = |table: &'static str, at: usize, key: &'static str, type_name: &str| {
        let column = column(key, type_name);
        found(|facts| {
            for shard in 0..2 {
                table_of(facts, shard, table).columns[at] = column.clone();
            }
        })
    };
    assert_eq!(with("shops", 0, "country", "character(5)"), "");
    assert_eq!(with("shops", 0, "country", "bpchar"), "");
    assert_eq!(with("visits", 1, "at", "timestamp without time zone"), "");
    for (found, expected) in [
        (
            with("visits", 1, "at", "timestamp(3) without time zone"),
            "Error - table visits: key column at is of type timestamp(3) without time zone, which rounds",
        ),
        (
            with("visits", 1, "at", "timestamp with time zone"),
            "Error - table visits: key column at is of type timestamp with time zone, but keyspace visits says",
        ),
        (
            with("shops", 0, "country", "character varying"),
            "Error - table shops: key column country is of type character varying, but keyspace shops says bpchar",
        ),
    ] {
        assert!(
            found.starts_with(expected) && found.lines().count() == 1,
            "{found}\nexpected {expected}"
        );
    }
}

#[test]
fn keys_of_several_columns() {
    let on_both = |table: &'static str, change: fn(&mut Table)| {
        found(|facts| {
            change(table_of(facts, 0, table));
            change(table_of(facts, 1, table));
        })
    };
    for (found, expected) in [
        (
            on_both("visits", |t| t.columns[1].name = "day".into()),
            "Error - table visits: has no column at, the sharding key",
        ),
        // Both columns decide where a visit is, but only the country where a shop is.
        (
            on_both("visits", |t| {
                t.unique[0].columns = vec!["id".into(), "org".into()]
            }),
            "Error - table visits: pkey (primary key (id, org)) lacks the key column at",
        ),
        (
            on_both("hits", |t| t.unique[0].columns = vec!["id".into()]),
            "Error - table hits: pkey (primary key (id)) lacks the key column org_id, at",
        ),
        (
            on_both("shops", |t| t.unique[0].columns = vec!["city".into()]),
            "Error - table shops: pkey (primary key (city)) lacks the key column country",
        ),
        (
            on_both("visits", |t| t.columns[1].not_null = false),
            "Warning - table visits: key column at may be NULL",
        ),
    ] {
        assert!(
            found.starts_with(expected) && found.lines().count() == 1,
            "{found}\nexpected {expected}"
        );
    }
}

#[test]
fn text_keys() {
    let found = found(|facts| {
        let people = table_of(facts, 0, "people");
        people.columns[0].nondeterministic = Some("ignore_case".to_owned());
    });
    assert!(
        found.starts_with("Error s1 table people: key column person has the collation ignore_case"),
        "{found}"
    );
}

#[test]
fn foreign_keys() {
    let with = |from: &str, from_columns: &[&str], to: &str, to_columns: &[&str]| {
        let key = ForeignKey {
            name: "fk".to_owned(),
            from: name(from),
            from_columns: from_columns
                .iter()
                .map(|column| (*column).to_owned())
                .collect(),
            to: name(to),
            to_columns: to_columns
                .iter()
                .map(|column| (*column).to_owned())
                .collect(),
        };
        found(move |facts| catalog_of(facts, 0).foreign_keys.push(key))
    };
    assert_eq!(with("items", &["org", "id"], "orders", &["org", "id"]), "");
    assert_eq!(with("orders", &["org"], "orgs", &["id"]), "");
    assert_eq!(
        with("hits", &["at", "org_id"], "visits", &["at", "org"]),
        ""
    );
    assert_eq!(with("orders", &["id"], "classes", &["id"]), "");
    assert_eq!(with("other.kinds", &["id"], "classes", &["id"]), "");
    assert_eq!(with("unlisted", &["id"], "classes", &["id"]), "");
    for (found, expected) in [
        (
            with("items", &["id"], "orders", &["id"]),
            "Error s1 table items: foreign key fk to orders does not tie org to org",
        ),
        (
            with("items", &["org", "id"], "orders", &["id", "org"]),
            "Error s1 table items: foreign key fk to orders does not tie",
        ),
        (
            with("hits", &["org_id", "id"], "visits", &["org", "id"]),
            "Error s1 table hits: foreign key fk to visits does not tie at to at",
        ),
        (
            with("items", &["org"], "people", &["person"]),
            "Error s1 table items: foreign key fk to people crosses from keyspace tenants to keyspace people",
        ),
        (
            with("items", &["id"], "logs", &["id"]),
            "Error s1 table items: foreign key fk to logs refers to a table that is not listed",
        ),
        (
            with("classes", &["id"], "orders", &["id"]),
            "Error s1 table classes: foreign key fk to orders refers from a reference table",
        ),
        (
            with("logs", &["org"], "orders", &["org"]),
            "Error s1 table logs: foreign key fk to orders refers from a table that is not listed",
        ),
    ] {
        assert!(
            found.starts_with(expected) && found.lines().count() == 1,
            "{found}\nexpected {expected}"
        );
    }
}

#[test]
fn a_report_prints_what_to_do() {
    let mut finding = Finding::error(Some("s1"), "table orders", "does not exist", "create it");
    finding.database = "app".to_owned();
    let report = Report {
        findings: vec![finding],
        servers: 2,
        tables: 1,
    };
    assert!(!report.is_ok());
    assert_eq!(
        report.to_string(),
        "error: database app, shard s1, table orders: does not exist\n  way out: create it\n\
         2 servers, 1 listed tables: 1 errors, 0 warnings"
    );
}
