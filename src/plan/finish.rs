//! What is left of a SELECT when the proxy has put the answers of several shards together: HAVING, expressions over aggregates,
//! orders by them, windows, a language's order of texts. A server does it, with the client's own words over the merged rows.
//!
//! ```text
//!   select name, round(avg(n), 2) from t group by name having count(*) > 1 order by 2
//!     shards:    select (name), sum(n), count(n), count(*) from t group by 1 order by 1
//!     merged:    name, avg(n), count(*)
//!     finished:  select name as "name", round(trunkline.trunkline_1, 2) as "round"
//!                from (… unnest($1::text[]), unnest($2::numeric[]), … …) where trunkline.trunkline_2 > 1 order by 2
//! ```

use std::fmt::Write as _;

use super::{Merge, Sort};

/// What a server does with merged rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Finish {
    /// What the shards are sent where this is taken; `None`: it is always taken, and they are sent the plan's own.
    pub instead: Option<Merge>,
    /// Groups are put together once more ahead of the query, which is over what comes of that.
    pub regrouped: Option<Regrouped>,
    pub query: Query,
}

/// Groups of more keys than the client's, for aggregates with DISTINCT: each of their arguments is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Regrouped {
    /// So many of the first merged columns are the client's keys.
    pub keys: usize,
    /// What comes behind them.
    pub calls: Box<[Call]>,
}

/// An aggregate over a merged column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pub name: Box<str>,
    pub place: usize,
    /// The column has the values; else it has what this aggregate is of parts of them.
    pub distinct: bool,
}

/// The query over merged rows.
#[derive(Clone, Debug, PartialEq)]
pub enum Query {
    Groups(OverGroups),
    Rows(OverRows),
    Tables(OverTables),
}

/// Pieces of the client's text in which what has been merged is named by its place.
#[derive(Clone, Debug, PartialEq)]
pub struct OverGroups {
    /// From SELECT to its list.
    pub head: Box<str>,
    /// Expressions of the list, without labels.
    pub items: Box<[Box<str>]>,
    /// Behind FROM and its relations: WHERE, WINDOW, ORDER BY, LIMIT.
    pub rest: Box<str>,
    /// Merged columns that the pieces call what the client calls them.
    pub names: Box<[Name]>,
}

/// The client's rows, ordered and limited once more. What is compared is in the last merged columns.
#[derive(Clone, Debug, PartialEq)]
pub struct OverRows {
    pub order: Box<[Sort]>,
    /// Of rows that agree in so many of these columns the first one comes out; none is left out for zero.
    pub distinct: usize,
    /// The client's LIMIT, OFFSET and FETCH.
    pub tail: Box<str>,
}

/// The client's own query, whose tables are WITH queries of what has been merged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverTables {
    /// WITH, perhaps with RECURSIVE.
    pub head: Box<str>,
    /// Each with its columns, in the order of the merged ones.
    pub tables: Box<[WithQuery]>,
    /// What comes behind these.
    pub rest: Box<str>,
}

/// It stands for the table of its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WithQuery {
    pub name: Box<str>,
    pub columns: Box<[Box<str>]>,
}

/// A column's name, perhaps with its relation's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    pub relation: Option<Box<str>>,
    pub column: Box<str>,
    /// The merged column's place.
    pub place: usize,
}

/// The type of a merged column, as a server writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FinishedType {
    /// Without modifiers.
    pub bare: String,
    /// With them.
    pub exact: String,
    /// -1 for none.
    pub modifier: i32,
    /// Of texts that have another than the database's.
    pub collation: Option<String>,
}

/// What a merged column is called in [`Finish`]'s pieces.
pub fn merged_column(place: usize) -> String {
    format!("trunkline.trunkline_{place}")
}

impl Finish {
    /// The whole text. `params`: how many parameters are the client's; those of the merged columns follow, an array each.
    /// `labels`: what the client's columns are called.
    pub fn text(&self, types: &[FinishedType], params: usize, labels: &[String]) -> String {
        let merged = || relation(types, params);
        match &self.query {
            Query::Groups(query) => {
                let relation = match &self.regrouped {
                    Some(regrouped) => regrouped.relation(&merged(), types),
                    None => merged(),
                };
                query.text(&relation, labels)
            }
            Query::Rows(query) => query.text(&merged(), labels),
            Query::Tables(query) => query.text(types, params),
        }
    }

    /// What it takes, roughly, with what the shards are sent instead.
    pub(super) fn bytes(&self) -> usize {
        let query = match &self.query {
            Query::Groups(query) => {
                let items: usize = query.items.iter().map(|item| item.len()).sum();
                let names = query.names.len() * size_of::<Name>();
                query.head.len() + items + query.rest.len() + names
            }
            Query::Rows(query) => query.order.len() * size_of::<Sort>() + query.tail.len(),
            Query::Tables(query) => {
                let names = query.tables.iter().flat_map(|table| &table.columns);
                let names: usize = names.map(|name| size_of::<Box<str>>() + name.len()).sum();
                query.rest.len() + names
            }
        };
        let regrouped = self.regrouped.as_ref();
        let regrouped = regrouped.map_or(0, |it| it.calls.len() * (size_of::<Call>() + 8));
        size_of::<Self>() + query + regrouped + self.instead.as_ref().map_or(0, Merge::bytes)
    }

    /// For EXPLAIN, without the columns' types.
    pub(super) fn line(&self) -> String {
        let when = match &self.instead {
            None => "",
            Some(_) => " where its order is a language's",
        };
        let again = match &self.regrouped {
            None => "",
            Some(_) => ", grouped once more",
        };
        let what = match &self.query {
            Query::Groups(query) => {
                format!(
                    ": {} {} …{}",
                    query.head,
                    query.items.join(", "),
                    query.rest
                )
            }
            Query::Rows(_) | Query::Tables(_) => String::new(),
        };
        format!("  finished by a server{when}{again}{what}")
    }
}

impl Regrouped {
    /// FROM, with the keys and the calls as a relation.
    fn relation(&self, from: &str, types: &[FinishedType]) -> String {
        let mut columns: Vec<String> = (0..self.keys).map(merged_column).collect();
        for (at, call) in self.calls.iter().enumerate() {
            let call = call.text(&types[call.place].exact);
            columns.push(format!("{call} AS trunkline_{}", self.keys + at));
        }
        let keys: Vec<String> = (1..=self.keys).map(|key| key.to_string()).collect();
        let by = match self.keys {
            0 => String::new(),
            _ => format!(" GROUP BY {}", keys.join(", ")),
        };
        format!(
            " FROM (SELECT {}{from}{by}) AS trunkline",
            columns.join(", ")
        )
    }
}

impl Call {
    /// `of`: its column's type.
    fn text(&self, of: &str) -> String {
        let (name, column) = (&*self.name, merged_column(self.place));
        match (self.distinct, name) {
            (true, _) => format!("pg_catalog.{name}(DISTINCT {column})"),
            // Of no rows it is zero.
            (false, "count") => format!("COALESCE(pg_catalog.sum({column}), 0)::{of}"),
            // The sum of sums may be of a wider type.
            (false, _) => format!("pg_catalog.{name}({column})::{of}"),
        }
    }
}

impl OverGroups {
    fn text(&self, relation: &str, labels: &[String]) -> String {
        let mut text = String::from(&*self.head);
        for (place, (item, label)) in self.items.iter().zip(labels).enumerate() {
            let comma = if place == 0 { "" } else { "," };
            let _ = write!(text, "{comma} {item} AS {}", quoted(label));
        }
        text.push_str(relation);
        for (relation, names) in self.relations() {
            let named =
                |name: &&Name| format!("{} AS {}", merged_column(name.place), quoted(&name.column));
            let names: Vec<String> = names.iter().map(named).collect();
            let relation = relation.map_or("trunkline_own".to_owned(), quoted);
            let names = names.join(", ");
            let _ = write!(text, " CROSS JOIN LATERAL (SELECT {names}) AS {relation}");
        }
        text.push_str(&self.rest);
        text
    }

    /// The names by their relations.
    fn relations(&self) -> Vec<(Option<&str>, Vec<&Name>)> {
        let mut relations: Vec<(Option<&str>, Vec<&Name>)> = Vec::new();
        for name in &self.names {
            let relation = name.relation.as_deref();
            match relations.iter_mut().find(|(known, _)| *known == relation) {
                Some((_, names)) => names.push(name),
                None => relations.push((relation, vec![name])),
            }
        }
        relations
    }
}

impl OverRows {
    fn text(&self, relation: &str, labels: &[String]) -> String {
        let compared = labels.len()..labels.len() + self.order.len();
        let compared: Vec<String> = compared.map(merged_column).collect();
        let distinct = match self.distinct {
            0 => String::new(),
            some => format!(" DISTINCT ON ({})", compared[..some].join(", ")),
        };
        let label = |(place, label): (usize, &String)| {
            format!("{} AS {}", merged_column(place), quoted(label))
        };
        let items: Vec<String> = labels.iter().enumerate().map(label).collect();
        let sort = |(column, sort): (&String, &Sort)| format!("{column}{}", sort.text());
        let order: Vec<String> = compared.iter().zip(&self.order).map(sort).collect();
        format!(
            "SELECT{distinct} {}{relation} ORDER BY {} {}",
            items.join(", "),
            order.join(", "),
            self.tail
        )
    }
}

impl OverTables {
    fn text(&self, types: &[FinishedType], params: usize) -> String {
        let (mut queries, mut first) = (Vec::with_capacity(self.tables.len()), 0);
        for WithQuery { name, columns } in &self.tables {
            let own = types.get(first..first + columns.len());
            let rows = rows(own.unwrap_or_default(), params + first, |at| {
                quoted(&columns[at])
            });
            queries.push(format!("{} AS ({rows})", quoted(name)));
            first += columns.len();
        }
        format!("{} {}{}", self.head, queries.join(", "), self.rest)
    }
}

/// FROM, with the merged columns as a relation.
fn relation(types: &[FinishedType], params: usize) -> String {
    let rows = rows(types, params, |place| format!("trunkline_{place}"));
    format!(" FROM ({rows}) AS trunkline")
}

/// A query of merged columns, which are the parameters behind so many, as arrays.
fn rows(types: &[FinishedType], params: usize, name: impl Fn(usize) -> String) -> String {
    let column = |(place, of): (usize, &FinishedType)| {
        let collate = of.collation.as_ref();
        let collate = collate.map_or(String::new(), |name| format!(" COLLATE {name}"));
        // A column of a query within has a type and a collation as a table's has.
        format!("u.c{place}::{}{collate} AS {}", of.exact, name(place))
    };
    let columns: Vec<String> = types.iter().enumerate().map(column).collect();
    let array = |(place, of): (usize, &FinishedType)| {
        format!("pg_catalog.unnest(${}::{}[])", params + place + 1, of.bare)
    };
    let arrays: Vec<String> = types.iter().enumerate().map(array).collect();
    let aliases: Vec<String> = (0..types.len()).map(|place| format!("c{place}")).collect();
    format!(
        "SELECT {} FROM ROWS FROM ({}) AS u({})",
        columns.join(", "),
        arrays.join(", "),
        aliases.join(", ")
    )
}

/// As an identifier.
fn quoted(name: impl AsRef<str>) -> String {
    format!("\"{}\"", name.as_ref().replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merged_columns_have_the_clients_names_and_their_own_types() {
        let of = |bare: &str, exact: &str, collation: Option<&str>| FinishedType {
            bare: bare.to_owned(),
            exact: exact.to_owned(),
            modifier: -1,
            collation: collation.map(str::to_owned),
        };
        let name = |relation: Option<&str>, column: &str, place| Name {
            relation: relation.map(Into::into),
            column: column.into(),
            place,
        };
        let finish = |query| Finish {
            instead: None,
            regrouped: None,
            query,
        };
        let groups = finish(Query::Groups(OverGroups {
            head: "select".into(),
            items: ["t.a".into(), "trunkline.trunkline_2 + 1".into()].into(),
            rest: " WHERE b > $1".into(),
            names: [name(Some("t"), "a", 0), name(None, "b", 1)].into(),
        }));
        let types = [
            of("varchar", "varchar(3)", Some("\"C\"")),
            of("integer", "integer", None),
            of("bigint", "bigint", None),
        ];
        let labels = ["a".to_owned(), "?column?".to_owned()];
        assert_eq!(
            groups.text(&types, 1, &labels),
            "select t.a AS \"a\", trunkline.trunkline_2 + 1 AS \"?column?\" \
             FROM (SELECT u.c0::varchar(3) COLLATE \"C\" AS trunkline_0, u.c1::integer AS trunkline_1, \
             u.c2::bigint AS trunkline_2 FROM ROWS FROM (pg_catalog.unnest($2::varchar[]), pg_catalog.unnest($3::integer[]), \
             pg_catalog.unnest($4::bigint[])) AS u(c0, c1, c2)) AS trunkline CROSS JOIN LATERAL (SELECT trunkline.trunkline_0 AS \"a\") AS \"t\" \
             CROSS JOIN LATERAL (SELECT trunkline.trunkline_1 AS \"b\") AS trunkline_own WHERE b > $1"
        );
        let mut regrouped = groups;
        let call = |name: &str, place, distinct| Call {
            name: name.into(),
            place,
            distinct,
        };
        regrouped.regrouped = Some(Regrouped {
            keys: 1,
            calls: [call("count", 1, true), call("count", 2, false)].into(),
        });
        let text = regrouped.text(&types, 0, &labels);
        let again = "FROM (SELECT trunkline.trunkline_0, pg_catalog.count(DISTINCT trunkline.trunkline_1) AS trunkline_1, \
             COALESCE(pg_catalog.sum(trunkline.trunkline_2), 0)::bigint AS trunkline_2 FROM (SELECT u.c0::";
        assert!(text.contains(again), "{text}");
        assert!(
            text.contains("AS trunkline GROUP BY 1) AS trunkline CROSS JOIN"),
            "{text}"
        );
        let table = |name: &str, columns: &[&str]| WithQuery {
            name: name.into(),
            columns: columns.iter().map(|name| (*name).into()).collect(),
        };
        let tables = finish(Query::Tables(OverTables {
            head: "WITH".into(),
            tables: [table("a", &["x", "y"]), table("B", &["z"])].into(),
            rest: " select $1".into(),
        }));
        let with_number = [&types[..], &[of("integer", "integer", None)]].concat();
        assert_eq!(
            tables.text(&with_number, 1, &[]),
            "WITH \"a\" AS (SELECT u.c0::varchar(3) COLLATE \"C\" AS \"x\", u.c1::integer AS \"y\" \
             FROM ROWS FROM (pg_catalog.unnest($2::varchar[]), pg_catalog.unnest($3::integer[])) AS u(c0, c1)), \
             \"B\" AS (SELECT u.c0::bigint AS \"z\" FROM ROWS FROM (pg_catalog.unnest($4::bigint[])) AS u(c0)) select $1"
        );
        let rows = finish(Query::Rows(OverRows {
            order: [Sort {
                descending: true,
                nulls_first: false,
            }]
            .into(),
            distinct: 1,
            tail: "LIMIT 3".into(),
        }));
        assert_eq!(
            rows.text(&types[1..], 0, &labels[..1]),
            "SELECT DISTINCT ON (trunkline.trunkline_1) trunkline.trunkline_0 AS \"a\" \
             FROM (SELECT u.c0::integer AS trunkline_0, u.c1::bigint AS trunkline_1 \
             FROM ROWS FROM (pg_catalog.unnest($1::integer[]), pg_catalog.unnest($2::bigint[])) AS u(c0, c1)) AS trunkline \
             ORDER BY trunkline.trunkline_1 DESC NULLS LAST LIMIT 3"
        );
    }
}
