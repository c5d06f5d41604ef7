//! Statements made up from shapes, predicates, scopes and forms of literals, with a liking for what
//! looks tied to one key and is not.

use integration_tests::wire::Format;

use super::pair::{Form, Parameter};
use super::world::{FAMILIES, Family};

pub struct Made {
    pub sql: String,
    pub parameters: Vec<Parameter>,
}

pub struct Generator {
    state: u64,
    parameters: Vec<Parameter>,
    /// Whether this statement may have parameters.
    with_parameters: bool,
    family: &'static Family,
    /// The key most conditions of this statement name.
    key: &'static str,
    /// How often of a hundred a relation gets its condition.
    tied: u64,
    aliases: usize,
    depth: usize,
}

/// A relation in sight: its alias, and the name of its key column, if it has one.
#[derive(Clone)]
struct Relation {
    alias: String,
    keyed: bool,
}

impl Generator {
    pub fn new(seed: u64) -> Self {
        Self {
            state: seed,
            parameters: Vec::new(),
            with_parameters: false,
            family: &FAMILIES[0],
            key: "1",
            tied: 80,
            aliases: 0,
            depth: 0,
        }
    }

    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }

    pub fn form(&mut self, simple: bool) -> Form {
        let given = self.pick(&[Format::Text, Format::Binary]);
        let wanted = self.pick(&[Format::Text, Format::Binary]);
        let typed = self.chance(60);
        match self.below(3) {
            0 | 1 if simple => Form::Simple,
            0 => Form::Named {
                typed,
                given,
                wanted,
            },
            _ => Form::Unnamed {
                typed,
                given,
                wanted,
            },
        }
    }

    fn begin(&mut self) {
        self.parameters.clear();
        self.with_parameters = self.chance(50);
        self.family = &FAMILIES[self.below(FAMILIES.len() as u64) as usize];
        self.key = self.pick(self.family.keys);
        self.tied = self.pick(&[70, 92, 98, 100, 100]);
        self.aliases = 0;
        self.depth = 0;
    }

    fn end(&mut self, sql: String) -> Made {
        let sql = self.disguise(sql);
        Made {
            sql,
            parameters: std::mem::take(&mut self.parameters),
        }
    }

    pub fn read(&mut self) -> Made {
        self.begin();
        let mut sql = match self.below(12) {
            0 => self.union(),
            1 | 2 => self.with(),
            _ => self.select(&[], false),
        };
        if self.chance(4) {
            sql = format!("select count(*) from ({sql}) as whole");
        }
        self.end(sql)
    }

    fn alias(&mut self) -> String {
        self.aliases += 1;
        // Names that hide others: a table's, a key's, an outer alias.
        match self.below(14) {
            0 => format!("{}_{}", self.family.name, self.pick(&["a", "b"])),
            1 => "k".to_owned(),
            2 => format!("x{}", self.aliases.saturating_sub(1)),
            3 => format!("\"X{}\"", self.aliases),
            _ => format!("x{}", self.aliases),
        }
    }

    fn table(&mut self) -> String {
        let name = format!("{}_{}", self.family.name, self.pick(&["a", "b"]));
        match self.below(12) {
            0 => format!("public.{name}"),
            1 => format!("\"{name}\""),
            2 => name.to_ascii_uppercase(),
            3 => format!("PUBLIC . \"{name}\""),
            _ => name,
        }
    }

    /// One SELECT; `outer` are relations of enclosing queries. A `scalar` one gives one column, one row.
    fn select(&mut self, outer: &[Relation], scalar: bool) -> String {
        self.depth += 1;
        let count = if self.depth > 2 {
            1
        } else {
            1 + self.pick(&[0, 0, 0, 1, 1, 2])
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
            if relation.keyed && self.chance(self.tied) {
                conditions.push(self.tie(&relation));
            }
            relations.push(relation);
        }
        let sight: Vec<Relation> = relations.iter().chain(outer).cloned().collect();
        for _ in 0..self.pick(&[0, 0, 1, 1, 2]) {
            conditions.push(self.predicate(&sight));
        }
        if self.chance(15) && conditions.len() > 1 {
            let last = conditions.pop().unwrap();
            let other = conditions.pop().unwrap();
            conditions.push(format!(
                "({other} {} {last})",
                self.pick(&["or", "and", "or not", "and not", "is not distinct from"])
            ));
        }
        let place = self.below(conditions.len() as u64 + 1) as usize;
        conditions.rotate_left(place);
        let condition = conditions.join(self.pick(&[" and ", " AND ", "\nand "]));
        let filter = match (condition.is_empty(), self.below(40)) {
            (true, _) => String::new(),
            (false, 0) => format!(" where not ({condition})"),
            (false, 1) => format!(" where ({condition}) is not false"),
            (false, 2) => format!(" where case when {condition} then true else false end"),
            (false, 3) => format!(" where coalesce({condition}, true)"),
            (false, 4 | 5) => format!(" where (({condition}))"),
            (false, _) => format!(" where {condition}"),
        };
        let text = self.output(&relations, &sight, &from, &filter, scalar);
        self.depth -= 1;
        text
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
        match self.below(10) {
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
                (1..=relations.len() * 2)
                    .map(|n| n.to_string())
                    .collect::<Vec<_>>()
                    .join(", ")
            ),
            5 => format!(
                "select {columns}, row_number() over (partition by {first}.n order by {columns}) from {from}{filter}"
            ),
            6 => format!("select * from {from}{filter}"),
            _ => format!("select {columns} from {from}{filter}"),
        }
    }

    fn relation(&mut self, outer: &[Relation], before: &[Relation]) -> (String, Relation) {
        let alias = self.alias();
        let keyed = |text: String, alias: String| (text, Relation { alias, keyed: true });
        match self.below(22) {
            0 if self.depth < 3 => {
                let sight: Vec<Relation> = before.iter().chain(outer).cloned().collect();
                let inner = self.star(&sight);
                keyed(format!("lateral ({inner}) {alias}"), alias)
            }
            1 | 2 if self.depth < 3 => {
                let inner = self.star(outer);
                keyed(format!("({inner}) as {alias}"), alias)
            }
            3 => (
                format!("refs {alias}"),
                Relation {
                    alias,
                    keyed: false,
                },
            ),
            4 if self.chance(30) => (
                format!("plain {alias}"),
                Relation {
                    alias,
                    keyed: false,
                },
            ),
            5 => {
                // The key under another name, and another column under the key's.
                let table = self.table();
                keyed(
                    format!(
                        "{table} as {alias} {}",
                        self.pick(&["(k, n, v)", "(n, k, v)", "(a)", "(k)"])
                    ),
                    alias,
                )
            }
            6 => {
                let (table, name) = (self.table(), self.family.name);
                let alias = if table.to_ascii_lowercase().contains("_a") {
                    format!("{name}_a")
                } else {
                    format!("{name}_b")
                };
                keyed(table, alias)
            }
            7 => (
                format!("(values (0, 'v0'), (1, 'v1'), (2, null)) {alias} (n, v)"),
                Relation {
                    alias,
                    keyed: false,
                },
            ),
            8 => (
                format!("generate_series(0, 2) {alias} (n)"),
                Relation {
                    alias,
                    keyed: false,
                },
            ),
            _ => {
                let table = self.table();
                keyed(
                    format!(
                        "{table}{}{alias}",
                        self.pick(&[" ", " as ", " AS /* hidden */ "])
                    ),
                    alias,
                )
            }
        }
    }

    /// A subquery with the columns of a table.
    fn star(&mut self, outer: &[Relation]) -> String {
        self.depth += 1;
        let (table, alias) = (self.table(), self.alias());
        let relation = Relation {
            alias: alias.clone(),
            keyed: true,
        };
        let mut sql = format!(
            "select {} from {table} {alias}",
            self.pick(&["k, n, v", "*", "k, n, v, 1 as one"])
        );
        let mut conditions = Vec::new();
        if self.chance(self.tied) {
            conditions.push(self.tie(&relation));
        }
        let sight: Vec<Relation> = std::iter::once(relation)
            .chain(outer.iter().cloned())
            .collect();
        if self.chance(40) {
            conditions.push(self.predicate(&sight));
        }
        if !conditions.is_empty() {
            sql += &format!(" where {}", conditions.join(" and "));
        }
        if self.chance(10) {
            sql += " order by 1, 2, 3 limit 3";
        }
        self.depth -= 1;
        sql
    }

    fn join(
        &mut self,
        left: &str,
        right: &str,
        before: &[Relation],
        relation: &Relation,
        outer: &[Relation],
    ) -> String {
        let other = before[self.below(before.len() as u64) as usize].clone();
        let both = relation.keyed && other.keyed;
        if self.chance(20) {
            return format!("{left}, {right}");
        }
        if self.chance(5) {
            return format!("{left} cross join {right}");
        }
        let kind = self.pick(&[
            "join",
            "inner join",
            "left join",
            "left outer join",
            "right join",
            "full join",
            "join",
        ]);
        if both && self.chance(20) {
            return format!("{left} {kind} {right} using (k{})", self.pick(&["", ", n"]));
        }
        if both && self.chance(4) {
            return format!("{left} natural {kind} {right}");
        }
        let mut conditions = Vec::new();
        if both && self.chance(70) {
            conditions.push(format!("{}.k = {}.k", other.alias, relation.alias));
        }
        if relation.keyed && self.chance(25) {
            conditions.push(self.tie(relation));
        }
        if other.keyed && self.chance(15) {
            conditions.push(self.tie(&other));
        }
        if conditions.is_empty() || self.chance(50) {
            conditions.push(format!("{}.n = {}.n", other.alias, relation.alias));
        }
        if self.chance(15) {
            let sight: Vec<Relation> = [other, relation.clone()]
                .into_iter()
                .chain(outer.iter().cloned())
                .collect();
            conditions.push(self.predicate(&sight));
        }
        let glue = if self.chance(8) { " or " } else { " and " };
        format!("{left} {kind} {right} on {}", conditions.join(glue))
    }

    /// The key equals the statement's value, written in one of many ways.
    fn tie(&mut self, relation: &Relation) -> String {
        let column = match self.below(8) {
            0 => "k".to_owned(),
            1 => format!("{}.\"k\"", relation.alias),
            2 => format!("{} . K", relation.alias),
            _ => format!("{}.k", relation.alias),
        };
        let key = if self.chance(97) {
            self.key
        } else {
            self.pick(self.family.keys)
        };
        let value = self.value(key);
        match self.below(24) {
            0 => format!("{value} = {column}"),
            1 => format!("({column}) = ({value})"),
            2 => format!("{column} in ({value})"),
            3 => {
                let second = self.pick(self.family.keys);
                let second = self.value(second);
                format!("{column} in ({value}, {second})")
            }
            4 => format!("{column} is not distinct from {value}"),
            5 => format!("{column} = any (array[{value}])"),
            6 if self.chance(30) => format!("{column} >= {value} and {column} <= {value}"),
            7 => format!("({column}, {}.n) = ({value}, 1)", relation.alias),
            8 if self.chance(30) => format!("{column} = {value} or false"),
            9 if self.chance(30) => format!("{column} = (select {value})"),
            _ => format!("{column} = {value}"),
        }
    }

    fn integer(&self) -> bool {
        matches!(self.family.key_type, "bigint" | "integer" | "smallint")
    }

    /// A key as a literal, cast literal or parameter.
    fn value(&mut self, key: &str) -> String {
        let quoted = format!("'{}'", key.replace('\'', "''"));
        let name = self.family.key_type;
        if self.with_parameters && self.chance(55) {
            let mut parameter = Parameter {
                oid: self.family.oid,
                text: Some(key.to_owned()),
            };
            if self.chance(2) {
                parameter.text = None;
            }
            let number = match self
                .parameters
                .iter()
                .position(|known| known.oid == parameter.oid && known.text == parameter.text)
            {
                Some(place) if self.chance(70) => place + 1,
                _ => {
                    self.parameters.push(parameter);
                    self.parameters.len()
                }
            };
            return match self.below(6) {
                0 => format!("${number}::{name}"),
                1 => format!("cast(${number} as {name})"),
                _ => format!("${number}"),
            };
        }
        if self.integer() {
            let wide = self.pick(&["bigint", "int8", "bigint", name]);
            return match self.below(20) {
                0 => quoted,
                1 => format!("' {key} '"),
                2 => format!("{quoted}::{wide}"),
                3 => format!("cast({quoted} as {wide})"),
                4 => format!("({key})::{wide}"),
                5 => format!("{wide} {quoted}").replace("smallint '", "int2 '"),
                6 => format!("({key})"),
                7 => format!("{key}.0"),
                8 => format!("{quoted}::numeric"),
                9 if self.chance(30) => format!("{key} + 0"),
                10 => format!("E{quoted}"),
                11 if !key.starts_with('-') => format!("'0{key}'"),
                12 => format!("$${key}$$"),
                _ => key.to_owned(),
            };
        }
        if name == "uuid" {
            return match self.below(8) {
                0 => format!("{quoted}::uuid"),
                1 => format!("uuid {quoted}"),
                2 => quoted.to_ascii_uppercase(),
                3 => format!("'{{{key}}}'"),
                4 => format!("'{}'", key.replace('-', "")),
                5 => format!("cast({quoted} as uuid)"),
                _ => quoted,
            };
        }
        let escaped = key.replace('\\', "\\\\").replace('\'', "\\'");
        match self.below(16) {
            0 => format!("{quoted}::text"),
            1 => format!("{quoted}::varchar"),
            2 => format!("E'{escaped}'"),
            3 => format!("$t${key}$t$"),
            4 => format!("text {quoted}"),
            5 => format!(
                "U&'{}'",
                key.replace('\\', "\\\\")
                    .replace('\'', "''")
                    .replace('a', "\\0061")
            ),
            6 => format!("{quoted}::varchar(3)"),
            7 => format!("{quoted}::char(5)"),
            8 => format!("{quoted} || ''"),
            9 => format!("{quoted} collate \"C\""),
            10 => format!("{quoted}::name"),
            11 => format!("N{quoted}"),
            _ => quoted,
        }
    }

    /// Something about relations in sight, the first of which is the nearest.
    fn predicate(&mut self, sight: &[Relation]) -> String {
        let near = sight[0].alias.clone();
        let any = sight[self.below(sight.len() as u64) as usize].clone();
        match self.below(20) {
            0 => format!("{near}.n < {}", self.small()),
            1 => format!("{near}.v is null"),
            2 => format!("{near}.v like 'v%'"),
            3 => format!("{near}.n = {}.n", any.alias),
            4 if any.keyed && sight[0].keyed => format!("{near}.k = {}.k", any.alias),
            5 if any.keyed => {
                let tie = self.tie(&any);
                format!("({tie} or {near}.n = {})", self.small())
            }
            6 if any.keyed => {
                let tie = self.tie(&any);
                format!("not ({tie})")
            }
            7 if any.keyed => {
                let tie = self.tie(&any);
                format!("case when {near}.n = 1 then {tie} else true end")
            }
            8 | 9 if self.depth < 3 => {
                let inner = self.select(sight, false);
                let not = self.pick(&["", "", "not "]);
                format!("{not}exists ({inner})")
            }
            10 if self.depth < 3 => {
                let inner = self.select(sight, true);
                format!("{near}.n {} ({inner})", self.pick(&["<", "=", ">", "<>"]))
                    .replace("max(", "count(")
            }
            11 if self.depth < 3 => {
                let (table, alias) = (self.table(), self.alias());
                let relation = Relation {
                    alias: alias.clone(),
                    keyed: true,
                };
                let filter = if self.chance(self.tied) {
                    format!(" where {}", self.tie(&relation))
                } else {
                    String::new()
                };
                format!(
                    "{near}.n {} (select {alias}.n from {table} {alias}{filter})",
                    self.pick(&["in", "not in", "= any", "<> all"])
                )
            }
            12 if any.keyed && self.depth < 3 => {
                let table = self.table();
                format!(
                    "{}.k in (select k from {table} where {table}.n = {})",
                    any.alias,
                    self.small()
                )
                .replace("public.", "")
            }
            13 => format!("{near}.n between 0 and {}", self.small()),
            14 if any.keyed => format!("{}.k is not null", any.alias),
            15 if any.keyed => format!("{0}.k = {0}.k", any.alias),
            16 => format!(
                "coalesce({near}.v, 'none') <> {}",
                self.pick(&["'v1'", "$q$v1$q$", "E'v\\x31'", "'k = 1' -- or '\n"])
            ),
            17 => format!("({near}.n, {near}.v) is not null"),
            _ => format!("{near}.n >= 0"),
        }
    }

    /// A number for `n`, sometimes as a parameter.
    fn small(&mut self) -> String {
        let n = self.below(5);
        if self.with_parameters && self.chance(40) {
            // Now and then the one that holds a key.
            if self.integer() && !self.parameters.is_empty() && self.chance(15) {
                return format!("${}", 1 + self.below(self.parameters.len() as u64));
            }
            self.parameters.push(Parameter {
                oid: 23,
                text: Some(n.to_string()),
            });
            return format!("${}", self.parameters.len());
        }
        n.to_string()
    }

    fn union(&mut self) -> String {
        let mut sql = self.star(&[]);
        for _ in 0..1 + self.below(2) {
            let arm = self.star(&[]);
            let (open, close) = self.pick(&[("", ""), ("(", ")")]);
            let operator = self.pick(&["union", "union all", "intersect", "except", "except all"]);
            sql = format!("({sql}) {operator} {open}{arm}{close}");
        }
        sql
    }

    fn with(&mut self) -> String {
        let name = match self.below(6) {
            0 => format!("{}_a", self.family.name),
            1 => "\"CTE\"".to_owned(),
            _ => "cte".to_owned(),
        };
        let inner = self.star(&[]);
        let materialized = self.pick(&["", "", "materialized ", "not materialized "]);
        let recursive = self.pick(&["", "", "", "recursive "]);
        let relation = Relation {
            alias: "c1".to_owned(),
            keyed: true,
        };
        let mut conditions = vec![self.predicate(std::slice::from_ref(&relation))];
        if self.chance(30) {
            conditions.push(self.tie(&relation));
        }
        let mut from = format!("{name} c1");
        if self.chance(50) {
            let (text, other) = self.relation(&[], &[]);
            if !text.starts_with("lateral") {
                from = self.join(&from, &text, std::slice::from_ref(&relation), &other, &[]);
                if other.keyed && self.chance(self.tied) {
                    conditions.push(self.tie(&other));
                }
            }
        }
        format!(
            "with {recursive}{name} as {materialized}({inner}) select c1.n, c1.v from {from} where {}",
            conditions.join(" and ")
        )
    }

    pub fn write(&mut self) -> Made {
        self.begin();
        let sql = match self.below(10) {
            0..=3 => self.insert(),
            4..=6 => self.update(),
            7 | 8 => self.delete(),
            _ => {
                let (write, relation) = (
                    self.update(),
                    Relation {
                        alias: "x90".to_owned(),
                        keyed: true,
                    },
                );
                let tie = self.tie(&relation);
                let table = self.table();
                let write = if write.contains("returning") {
                    write
                } else {
                    format!("{write} returning 1 as n")
                };
                format!("with done as ({write}) select count(*) from done, {table} x90 where {tie}")
            }
        };
        self.end(sql)
    }

    fn insert(&mut self) -> String {
        let table = self.table();
        let columns = self.pick(&[
            "(k, n, v)",
            "(n, k, v)",
            "(\"k\", N, v)",
            "(k, n)",
            "(v, n, k)",
            "",
        ]);
        let mut rows = Vec::new();
        for _ in 0..1 + self.pick(&[0, 0, 1, 2]) {
            let key = if self.chance(95) {
                self.key
            } else {
                self.pick(self.family.keys)
            };
            let (mut key, number) = (self.value(key), self.below(2000) + 10);
            if self.chance(2) {
                key = self
                    .pick(&["null", "default", "'x'", "1", "(select 1)"])
                    .to_owned();
            }
            rows.push(match columns {
                "(k, n)" => format!("({key}, {number})"),
                "(n, k, v)" => format!("({number}, {key}, 'w')"),
                "(v, n, k)" => format!("(null, {number}, {key})"),
                _ => format!("({key}, {number}, 'w')"),
            });
        }
        let mut sql = format!("insert into {table} {columns} values {}", rows.join(", "));
        match self.below(8) {
            0 => sql += " on conflict do nothing",
            1 => sql += " on conflict (k, n) do update set v = excluded.v",
            2 => sql += " on conflict (k, n) do update set k = excluded.k, v = 'again'",
            3 if self.chance(30) => {
                let other = self.pick(self.family.keys).replace('\'', "''");
                sql += &format!(" on conflict (k, n) do update set k = '{other}'");
            }
            _ => {}
        }
        if self.chance(50) {
            sql += self.pick(&[" returning *", " returning k, n", " returning n as m, v"]);
        }
        sql
    }

    fn update(&mut self) -> String {
        let table = self.table();
        let alias = self.alias();
        let relation = Relation {
            alias: alias.clone(),
            keyed: true,
        };
        let mut set = self
            .pick(&[
                "v = 'u'",
                "v = v || 'u'",
                "v = null",
                "n = n + 10000",
                "(v, n) = ('t', n)",
            ])
            .replace("n + 10000", &format!("{alias}.n + 10000"))
            .replace("v ||", &format!("{alias}.v ||"));
        if set.contains("('t', n)") {
            set = format!("(v, n) = ('t', {alias}.n)");
        }
        if self.chance(8) {
            let value = self.value(self.key);
            set += &format!(", k = {value}");
        }
        let mut conditions = Vec::new();
        if self.chance(self.tied) {
            conditions.push(self.tie(&relation));
        }
        if self.chance(60) {
            conditions.push(self.predicate(std::slice::from_ref(&relation)));
        }
        let mut from = String::new();
        if self.chance(15) {
            let (other, second) = (self.table(), "y1".to_owned());
            from = format!(" from {other} y1");
            let second = Relation {
                alias: second,
                keyed: true,
            };
            let tie = if self.chance(60) {
                format!("y1.k = {alias}.k")
            } else {
                self.tie(&second)
            };
            conditions.push(tie);
            conditions.push(format!("y1.n = {alias}.n"));
        }
        let filter = if conditions.is_empty() {
            String::new()
        } else {
            format!(" where {}", conditions.join(" and "))
        };
        let returning = if self.chance(40) {
            format!(" returning {alias}.n, {alias}.v")
        } else {
            String::new()
        };
        format!("update {table} as {alias} set {set}{from}{filter}{returning}")
    }

    fn delete(&mut self) -> String {
        let (table, alias) = (self.table(), self.alias());
        let relation = Relation {
            alias: alias.clone(),
            keyed: true,
        };
        let mut conditions = vec![format!("{alias}.n > {}", self.below(3000))];
        if self.chance(self.tied) {
            conditions.push(self.tie(&relation));
        }
        if self.chance(40) {
            conditions.push(self.predicate(std::slice::from_ref(&relation)));
        }
        let using = if self.chance(10) {
            conditions.push(format!("refs.n = {alias}.n"));
            " using refs"
        } else {
            ""
        };
        let returning = if self.chance(40) { " returning *" } else { "" };
        format!(
            "delete from {table} {alias}{using} where {}{returning}",
            conditions.join(" and ")
        )
    }

    /// The same statement to PostgreSQL, another text to us.
    fn disguise(&mut self, sql: String) -> String {
        match self.below(12) {
            0 => format!("/* k = 1 */ {sql}"),
            1 => format!("-- select * from big_a\n{sql}"),
            2 => format!("{sql} /* nested /* and */ k = 2 */"),
            3 => format!("{sql}\n-- where k = 3"),
            4 => sql.replacen(" where ", " /* ' */ WHERE\t", 1),
            5 => sql.replacen("select ", "SELECT\n", 1),
            _ => sql,
        }
    }
}
