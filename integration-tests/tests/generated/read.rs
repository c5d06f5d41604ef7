//! Statements that read.

use super::family::VIEWS;
use super::{Generator, Made, Relation};

impl Generator {
    pub fn read(&mut self) -> Made {
        self.begin();
        let mut sql = match self.random.below(14) {
            0 | 1 => self.union(),
            2 | 3 => self.with(),
            4 if self.random.chance(50) => self.recursive(),
            _ => self.select(&[], false),
        };
        if self.random.chance(4) {
            sql = format!("select count(*) from ({sql}) as whole");
        }
        self.end(sql)
    }

    /// One SELECT; `outer` are relations of enclosing queries. A `scalar` one gives one column, one row.
    pub fn select(&mut self, outer: &[Relation], scalar: bool) -> String {
        self.depth += 1;
        let count = if self.depth > 2 {
            1
        } else {
            1 + self.random.pick(&[0, 0, 0, 1, 1, 2])
        };
        let (mut from, mut relations, mut conditions) = (String::new(), Vec::new(), Vec::new());
        for number in 0..count {
            let (text, relation) = self.relation(outer, &relations);
            if number == 0 {
                from = text;
            } else {
                let joined = self.join(&from, &text, &relations, &relation, outer);
                from = joined;
            }
            if relation.keyed && self.random.chance(self.tied) {
                conditions.push(self.tie(&relation));
            }
            relations.push(relation);
        }
        let sight: Vec<Relation> = relations.iter().chain(outer).cloned().collect();
        for _ in 0..self.random.pick(&[0, 0, 1, 1, 2]) {
            conditions.push(self.predicate(&sight));
        }
        let filter = self.filter(conditions);
        let text = self.output(&relations, &sight, &from, &filter, scalar);
        self.depth -= 1;
        text
    }

    /// WHERE of these conditions, mostly of all of them.
    fn filter(&mut self, mut conditions: Vec<String>) -> String {
        if self.random.chance(8)
            && let Some(last) = conditions.pop()
        {
            if let Some(other) = conditions.pop() {
                conditions.push(format!(
                    "({other} {} {last})",
                    self.random
                        .pick(&["or", "and", "or not", "and not", "is not distinct from"])
                ));
            } else {
                conditions.push(last);
            }
        }
        let place = self.random.below(conditions.len() as u64 + 1) as usize;
        conditions.rotate_left(place);
        let glue = self.random.pick(&[" and ", " AND ", "\nand "]);
        let condition = conditions.join(glue);
        match (condition.is_empty(), self.random.below(60)) {
            (true, _) => String::new(),
            (false, 0) => format!(" where not ({condition})"),
            (false, 1) => format!(" where ({condition}) is not false"),
            (false, 2) => format!(" where case when {condition} then true else false end"),
            (false, 3) => format!(" where coalesce({condition}, true)"),
            (false, 4 | 5) => format!(" where (({condition}))"),
            (false, 6) => format!(" where ({condition}) is true"),
            (false, _) => format!(" where {condition}"),
        }
    }

    fn output(
        &mut self,
        relations: &[Relation],
        sight: &[Relation],
        from: &str,
        filter: &str,
        scalar: bool,
    ) -> String {
        let first = relations[0].alias.clone();
        if scalar {
            let what = self
                .random
                .pick(&[
                    "count(*)",
                    "min(ALIAS.n)",
                    "max(ALIAS.v)",
                    "count(distinct ALIAS.n)",
                ])
                .replace("ALIAS", &first);
            return format!("select {what} from {from}{filter}");
        }
        let columns: Vec<String> = relations
            .iter()
            .map(|relation| format!("{0}.n, {0}.v", relation.alias))
            .collect();
        let columns = columns.join(", ");
        let places = |count: usize| {
            let places: Vec<_> = (1..=count).map(|n| n.to_string()).collect();
            places.join(", ")
        };
        match self.random.below(13) {
            0 => format!("select count(*), sum({first}.n), max({first}.v) from {from}{filter}"),
            1 => format!(
                "select {first}.n, count(*) from {from}{filter} group by {first}.n having count(*) > 0"
            ),
            2 => format!("select distinct {first}.v from {from}{filter}"),
            3 if self.depth < 3 => {
                let inner = self.select(sight, true);
                format!("select {first}.n, ({inner}) as inside from {from}{filter}")
            }
            4 => format!(
                "select {columns} from {from}{filter} order by {}",
                places(relations.len() * 2)
            ),
            5 => format!(
                "select {columns}, row_number() over (partition by {first}.n order by {columns}) from {from}{filter}"
            ),
            6 => format!("select * from {from}{filter}"),
            7 => format!(
                "select {columns} from {from}{filter} order by {} {}",
                places(relations.len() * 2),
                self.random.pick(&[
                    "limit 3",
                    "offset 1",
                    "fetch first 2 rows with ties",
                    "limit all"
                ])
            ),
            8 => format!("select {first}.* from {from}{filter}"),
            9 if relations[0].keyed => {
                format!("select {first}.k, {first}.o, {columns} from {from}{filter}")
            }
            10 if relations[0].keyed => format!(
                "select {first}.k, count(*), max({first}.n) from {from}{filter} group by {}",
                self.random
                    .pick(&[
                        "1",
                        "ALIAS.k",
                        "rollup (ALIAS.k)",
                        "grouping sets ((ALIAS.k), ())"
                    ])
                    .replace("ALIAS", &first)
            ),
            11 => format!("select {columns} from {from}{filter} for update"),
            _ => format!("select {columns} from {from}{filter}"),
        }
    }

    pub fn relation(&mut self, outer: &[Relation], before: &[Relation]) -> (String, Relation) {
        let alias = self.alias();
        let keyed = |text: String, alias: String| (text, Relation { alias, keyed: true });
        let bare = |text: String, alias: String| {
            (
                text,
                Relation {
                    alias,
                    keyed: false,
                },
            )
        };
        match self.random.below(30) {
            0 if self.depth < 3 => {
                let sight: Vec<Relation> = before.iter().chain(outer).cloned().collect();
                let inner = self.star(&sight);
                keyed(format!("lateral ({inner}) {alias}"), alias)
            }
            1..=3 if self.depth < 3 => {
                let inner = self.star(outer);
                keyed(format!("({inner}) as {alias}"), alias)
            }
            4 => bare(format!("refs {alias}"), alias),
            5 if self.random.chance(20) => bare(format!("plain {alias}"), alias),
            6 => {
                // The key under another name, and another column under the key's.
                let table = self.source();
                let names =
                    self.random
                        .pick(&["(k, n, v)", "(o, n, v, k)", "(n, k, v)", "(a)", "(k)"]);
                keyed(format!("{table} as {alias} {names}"), alias)
            }
            7 => {
                let (table, name) = (self.table(), self.family.name);
                let lower = table.to_ascii_lowercase();
                let letter = lower.trim_end_matches('"').chars().last().unwrap_or('a');
                keyed(table, format!("{name}_{letter}"))
            }
            8 => bare(
                format!("(values (0, 'v0'), (1, 'v1'), (2, null)) {alias} (n, v)"),
                alias,
            ),
            9 => bare(format!("generate_series(0, 2) {alias} (n)"), alias),
            10 | 11 => {
                let view = self.random.pick(&VIEWS);
                keyed(format!("{}_{view} {alias}", self.family.name), alias)
            }
            12 => {
                let argument = match before.iter().chain(outer).find(|r| r.keyed) {
                    Some(relation) if self.random.chance(40) => format!("{}.k", relation.alias),
                    _ => self.value(self.key),
                };
                keyed(format!("{}_f({argument}) {alias}", self.family.name), alias)
            }
            13 => {
                let base = self.family.base;
                let (one, two) = (self.value(self.key), self.other_key());
                let two = self.value(two);
                let values = self.random.pick(&["one", "one", "both"]);
                let second = if values == "one" { one.clone() } else { two };
                keyed(
                    format!(
                        "(values ({one}::{base}, 0, 'v0', null::{base}), ({second}, 1, 'v1', null)) as {alias} (k, n, v, o)"
                    ),
                    alias,
                )
            }
            14 => {
                let table = self.table();
                keyed(format!("only {table} {alias}"), alias)
            }
            _ => {
                let table = self.source();
                let space = self.random.pick(&[" ", " as ", " AS /* hidden */ "]);
                keyed(format!("{table}{space}{alias}"), alias)
            }
        }
    }

    /// A subquery with the columns of a table.
    pub fn star(&mut self, outer: &[Relation]) -> String {
        self.depth += 1;
        let (table, alias) = (self.source(), self.alias());
        let relation = Relation {
            alias: alias.clone(),
            keyed: true,
        };
        let list = self.random.pick(&[
            "k, n, v, o",
            "k, n, v, o",
            "*",
            "*",
            "k, n, v, o, 1 as one",
            "o as k, n, v, k as o",
            "k as o, n, v, o as k",
            "distinct k, n, v, o",
            "distinct on (k) k, n, v, o",
            "distinct on (n) k, n, v, o",
            "k, row_number() over (partition by k order by n, v, o)::int as n, v, o",
            "k, row_number() over (order by k, n, v, o)::int as n, v, o",
            "k, count(*)::int as n, max(v) as v, min(n)::int as o",
        ]);
        let mut sql = format!("select {list} from {table} {alias}");
        let mut conditions = Vec::new();
        if self.random.chance(self.tied) {
            conditions.push(self.tie(&relation));
        }
        let sight: Vec<Relation> = std::iter::once(relation)
            .chain(outer.iter().cloned())
            .collect();
        if self.random.chance(40) {
            conditions.push(self.predicate(&sight));
        }
        if !conditions.is_empty() {
            sql += &format!(" where {}", conditions.join(" and "));
        }
        if list.contains("count(*)") {
            sql += self
                .random
                .pick(&[" group by k", " group by k", " group by rollup (k)"]);
        } else if list.contains("on (k)") {
            sql += " order by k, n, v, o";
        } else if list.contains("on (n)") {
            sql += " order by n, k, v, o";
        } else if self.random.chance(10) {
            sql += self.random.pick(&[
                " order by 1, 2, 3, 4 limit 3",
                " order by 2, 1, 3, 4 limit 3",
                " order by 1, 2, 3, 4 offset 2",
                " order by 1, 2, 3, 4 fetch first 3 rows only",
            ]);
        }
        self.depth -= 1;
        sql
    }

    pub fn join(
        &mut self,
        left: &str,
        right: &str,
        before: &[Relation],
        relation: &Relation,
        outer: &[Relation],
    ) -> String {
        let other = before[self.random.below(before.len() as u64) as usize].clone();
        let both = relation.keyed && other.keyed;
        if self.random.chance(20) {
            return format!("{left}, {right}");
        }
        if self.random.chance(5) {
            return format!("{left} cross join {right}");
        }
        let kind = self.random.pick(&[
            "join",
            "inner join",
            "left join",
            "left outer join",
            "right join",
            "full join",
            "join",
        ]);
        if both && self.random.chance(20) {
            return format!(
                "{left} {kind} {right} using (k{})",
                self.random.pick(&["", ", n"])
            );
        }
        if both && self.random.chance(5) {
            return format!("{left} natural {kind} {right}");
        }
        let mut conditions = Vec::new();
        if both && self.random.chance(70) {
            conditions.push(match self.random.below(10) {
                0 => format!(
                    "({0}.k, {0}.n) = ({1}.k, {1}.n)",
                    other.alias, relation.alias
                ),
                1 => format!("{}.k = {}.o", other.alias, relation.alias),
                2 => format!(
                    "{}.k is not distinct from {}.k",
                    other.alias, relation.alias
                ),
                _ => format!("{}.k = {}.k", other.alias, relation.alias),
            });
            if self.family.composite() && self.random.chance(80) {
                conditions.push(format!("{}.n = {}.n", other.alias, relation.alias));
            }
        }
        if relation.keyed && self.random.chance(25) {
            conditions.push(self.tie(relation));
        }
        if other.keyed && self.random.chance(15) {
            conditions.push(self.tie(&other));
        }
        if conditions.is_empty() || self.random.chance(50) {
            conditions.push(format!("{}.n = {}.n", other.alias, relation.alias));
        }
        if self.random.chance(15) {
            let sight: Vec<Relation> = [other, relation.clone()]
                .into_iter()
                .chain(outer.iter().cloned())
                .collect();
            conditions.push(self.predicate(&sight));
        }
        let glue = if self.random.chance(8) {
            " or "
        } else {
            " and "
        };
        format!("{left} {kind} {right} on {}", conditions.join(glue))
    }

    pub fn union(&mut self) -> String {
        let mut sql = self.star(&[]);
        for _ in 0..1 + self.random.below(2) {
            let arm = self.star(&[]);
            let (open, close) = if arm.contains("order by") {
                ("(", ")")
            } else {
                self.random.pick(&[("", ""), ("(", ")")])
            };
            let operator =
                self.random
                    .pick(&["union", "union all", "intersect", "except", "except all"]);
            sql = format!("({sql}) {operator} {open}{arm}{close}");
        }
        if self.random.chance(15) {
            // Filtered from outside.
            let relation = Relation {
                alias: "w".to_owned(),
                keyed: true,
            };
            let tie = self.tie(&relation);
            sql = format!("select w.n, w.v from ({sql}) w where {tie}");
        }
        sql
    }

    fn with(&mut self) -> String {
        let name = match self.random.below(6) {
            0 => format!("{}_a", self.family.name),
            1 => "\"CTE\"".to_owned(),
            _ => "cte".to_owned(),
        };
        let mut inner = if self.random.chance(15) {
            self.union()
        } else {
            self.star(&[])
        };
        let materialized = self
            .random
            .pick(&["", "", "materialized ", "not materialized "]);
        let recursive = self.random.pick(&["", "", "", "recursive "]);
        if !recursive.is_empty() {
            // Should it speak of itself by a table's name, it would go on for ever.
            inner = inner.replace(" union all ", " union ");
        }
        let columns = self.random.pick(&["", "", "", " (k, n)", " (o, n, v, k)"]);
        let relation = Relation {
            alias: "c1".to_owned(),
            keyed: true,
        };
        let mut conditions = vec![self.predicate(std::slice::from_ref(&relation))];
        if self.random.chance(50) {
            conditions.push(self.tie(&relation));
        }
        let mut from = format!("{name} c1");
        if self.random.chance(50) {
            let (text, other) = self.relation(&[], &[]);
            if !text.starts_with("lateral") {
                from = self.join(&from, &text, std::slice::from_ref(&relation), &other, &[]);
                if other.keyed && self.random.chance(self.tied) {
                    conditions.push(self.tie(&other));
                }
            }
        }
        if self.random.chance(15) {
            // A second reference, of which nothing else is said.
            from += &format!(" join {name} c2 on c2.n = c1.n");
        }
        let unused = if self.random.chance(6) {
            format!(", unused as ({})", self.star(&[]))
        } else {
            String::new()
        };
        format!(
            "with {recursive}{name}{columns} as {materialized}({inner}){unused} select c1.n, c1.v from {from} where {}",
            conditions.join(" and ")
        )
    }

    /// A walk along `n`, which passes the key on or does not.
    fn recursive(&mut self) -> String {
        let (first, second) = (self.table(), self.table());
        let relation = Relation {
            alias: "x".to_owned(),
            keyed: true,
        };
        let tie = self.tie(&relation);
        let step = self.random.pick(&[
            "y.k = w.k and y.n = w.n + 1",
            "y.k = w.k and y.n = w.n + 1",
            "y.k = w.o and y.n = w.n + 1",
            "y.n = w.n + 1",
            "y.o = w.k and y.n = w.n + 1",
        ]);
        let list = self.random.pick(&[
            "y.k, y.n, y.v, y.o",
            "w.k, y.n, y.v, y.o",
            "y.o, y.n, y.v, y.k",
        ]);
        let mut outer = String::new();
        if self.random.chance(30) {
            let walked = Relation {
                alias: "w".to_owned(),
                keyed: true,
            };
            outer = format!(" where {}", self.tie(&walked));
        }
        let union = self.random.pick(&["union", "union all"]);
        format!(
            "with recursive w (k, n, v, o) as (select x.k, x.n, x.v, x.o from {first} x where {tie} and x.n = 0 {union} select {list} from {second} y join w on {step} where w.n < 3) select n, v from w{outer}"
        )
    }
}
