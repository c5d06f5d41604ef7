//! Statements that write.

use super::{Generator, Made, Relation};

impl Generator {
    pub fn write(&mut self) -> Made {
        self.begin();
        let sql = match self.random.below(20) {
            0..=5 => self.insert(),
            6..=8 => self.insert_select(),
            9..=12 => self.update(),
            13..=15 => self.delete(),
            16 | 17 => self.merge(),
            _ => self.writing_cte(),
        };
        self.end(sql)
    }

    fn keyed(alias: &str) -> Relation {
        Relation {
            alias: alias.to_owned(),
            keyed: true,
        }
    }

    fn insert(&mut self) -> String {
        let table = self.target();
        let columns = self.random.pick(&[
            "(k, n, v)",
            "(n, k, v)",
            "(\"k\", N, v)",
            "(k, n)",
            "(v, n, k)",
            "(o, n, k, v)",
            "",
        ]);
        let mut rows = Vec::new();
        for _ in 0..1 + self.random.pick(&[0, 0, 1, 2]) {
            let key = if self.random.chance(95) {
                self.key
            } else {
                self.random.pick(self.family.keys)
            };
            let mut key = self.value(key);
            let number = self.number();
            if self.random.chance(2) {
                key = self
                    .random
                    .pick(&["null", "default", "'x'", "1", "(select 1)"])
                    .to_owned();
            }
            rows.push(match columns {
                "(k, n)" => format!("({key}, {number})"),
                "(n, k, v)" => format!("({number}, {key}, 'w')"),
                "(v, n, k)" => format!("(null, {number}, {key})"),
                "(o, n, k, v)" => {
                    let other = self.other_key();
                    format!("({}, {number}, {key}, 'w')", self.value(other))
                }
                _ => format!("({key}, {number}, 'w')"),
            });
        }
        let overriding = if self.random.chance(3) {
            " overriding user value"
        } else {
            ""
        };
        let mut sql = format!(
            "insert into {table} {columns}{overriding} values {}",
            rows.join(", ")
        );
        sql += &self.conflict();
        if self.random.chance(50) {
            sql += self
                .random
                .pick(&[" returning *", " returning k, n", " returning n as m, v"]);
        }
        sql
    }

    /// A new row's `n`, which is a part of a composite key.
    fn number(&mut self) -> String {
        if self.family.composite() && self.random.chance(90) {
            return (self.part + 16 * self.random.below(3)).to_string();
        }
        (self.random.below(2000) + 10).to_string()
    }

    fn conflict(&mut self) -> String {
        match self.random.below(10) {
            0 => " on conflict do nothing".to_owned(),
            1 => " on conflict (k, n) do update set v = excluded.v".to_owned(),
            2 => " on conflict (k, n) do update set k = excluded.k, v = 'again'".to_owned(),
            3 if self.random.chance(30) => {
                let other = self.other_key();
                format!(
                    " on conflict (k, n) do update set k = {}",
                    self.value(other)
                )
            }
            4 if self.random.chance(30) => {
                " on conflict (k, n) do update set n = excluded.n + 1, o = excluded.k".to_owned()
            }
            _ => String::new(),
        }
    }

    fn insert_select(&mut self) -> String {
        let target = self.target();
        let (source, alias) = (self.source(), self.alias());
        let relation = Self::keyed(&alias);
        let shift = 5000 + self.random.below(5) * 100;
        let value = self.value(self.key);
        let base = self.family.base;
        let shifted = if self.family.composite() && self.random.chance(80) {
            format!("{alias}.n + 0")
        } else {
            format!("{alias}.n + {shift}")
        };
        let list = match self.random.below(10) {
            0 => format!("{value}, {shifted}, {alias}.v, {alias}.k"),
            1 => format!("{value}::{base}, {shifted}, {alias}.v, {alias}.o"),
            2 => format!("{alias}.o, {shifted}, {alias}.v, {alias}.k"),
            3 => format!("coalesce({alias}.k, {value}), {shifted}, {alias}.v, {alias}.o"),
            4 => format!("distinct {alias}.k, {shifted}, {alias}.v, {alias}.o"),
            _ => format!("{alias}.k, {shifted}, {alias}.v, {alias}.o"),
        };
        let mut conditions = vec![format!("{alias}.n < 5")];
        if self.random.chance(self.tied) {
            conditions.push(self.tie(&relation));
        }
        if self.random.chance(30) {
            conditions.push(self.predicate(std::slice::from_ref(&relation)));
        }
        let filter = conditions.join(" and ");
        let query = match self.random.below(8) {
            0 => format!(
                "with s as (select * from {source} {alias} where {filter}) select k, n + {shift}, v, o from s"
            ),
            1 => {
                let arm = self.star(&[]);
                format!("select {list} from {source} {alias} where {filter} union ({arm})")
            }
            2 => format!("select {value}, r.n + {shift}, r.v, null from refs r"),
            3 => {
                let table = self.table();
                format!(
                    "select {list} from {source} {alias} join {table} z on z.k = {alias}.k and z.n = {alias}.n where {filter}"
                )
            }
            _ => format!("select {list} from {source} {alias} where {filter}"),
        };
        let columns = self
            .random
            .pick(&["", "(k, n, v, o)", "(k, n, v, o)", "(o, n, v, k)"]);
        let mut conflict =
            self.random
                .pick(&["", " on conflict do nothing", " on conflict do nothing"]);
        // Of several rows of one key the first stays, and which one comes first is the server's choice.
        if [" distinct ", " union ", " join "]
            .iter()
            .any(|word| query.contains(word))
        {
            conflict = "";
        }
        let returning = self
            .random
            .pick(&["", "", " returning *", " returning n, k"]);
        format!("insert into {target} {columns} {query}{conflict}{returning}")
    }

    fn update(&mut self) -> String {
        let table = self.target();
        let alias = self.alias();
        let relation = Self::keyed(&alias);
        let mut set = match self.random.below(8) {
            0 | 1 => "v = 'u'".to_owned(),
            2 => format!("v = {alias}.v || 'u'"),
            3 => "v = null".to_owned(),
            4 => format!("n = {alias}.n + 10000"),
            5 => format!("(v, n) = ('t', {alias}.n)"),
            6 => format!("o = {alias}.k"),
            _ => {
                let value = self.value(self.key);
                format!("o = {value}, v = 'o'")
            }
        };
        match self.random.below(24) {
            0 | 1 => {
                let value = self.value(self.key);
                set += &format!(", k = {value}");
            }
            2 => set += &format!(", k = {alias}.k"),
            3 => set += &format!(", k = {alias}.o"),
            4 if set.starts_with("v = 'u'") => {
                let value = self.value(self.key);
                set = format!("(v, k) = ('u', {value})");
            }
            5 if set.starts_with("v = 'u'") => set = "(v, k) = (select 'u', null)".to_owned(),
            _ => {}
        }
        let mut conditions = Vec::new();
        if self.random.chance(self.tied) {
            conditions.push(self.tie(&relation));
        }
        if self.random.chance(60) {
            conditions.push(self.predicate(std::slice::from_ref(&relation)));
        }
        let mut from = String::new();
        if self.random.chance(25) {
            let other = self.source();
            from = format!(" from {other} y1");
            let second = Self::keyed("y1");
            let tie = if self.random.chance(60) {
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
        let returning = if self.random.chance(40) {
            format!(" returning {alias}.n, {alias}.v")
        } else {
            String::new()
        };
        format!("update {table} as {alias} set {set}{from}{filter}{returning}")
    }

    fn delete(&mut self) -> String {
        let (table, alias) = (self.target(), self.alias());
        let relation = Self::keyed(&alias);
        let mut conditions = vec![format!("{alias}.n > {}", self.random.below(8) * 300)];
        if self.random.chance(self.tied) {
            conditions.push(self.tie(&relation));
        }
        if self.random.chance(40) {
            conditions.push(self.predicate(std::slice::from_ref(&relation)));
        }
        let using = match self.random.below(10) {
            0 => {
                conditions.push(format!("refs.n = {alias}.n"));
                " using refs".to_owned()
            }
            1 | 2 => {
                conditions.push(if self.random.chance(70) {
                    format!("u.k = {alias}.k")
                } else {
                    self.tie(&Self::keyed("u"))
                });
                format!(" using {} u", self.source())
            }
            _ => String::new(),
        };
        let returning = match self.random.below(10) {
            0..=3 => format!(" returning {alias}.*"),
            _ => String::new(),
        };
        format!(
            "delete from {table} {alias}{using} where {}{returning}",
            conditions.join(" and ")
        )
    }

    fn merge(&mut self) -> String {
        let (target, base) = (self.target(), self.family.base);
        let value = self.value(self.key);
        let number = self.number();
        let source = match self.random.below(8) {
            0..=2 => format!(
                "(values ({value}::{base}, {number}, 'm'), ({value}::{base}, {}, 'm')) as s (k, n, v)",
                self.part % 5
            ),
            3 => format!("(select {value}::{base} as k, r.n, r.v from refs r) s"),
            4..=6 => {
                let (table, alias) = (self.source(), self.alias());
                let tie = self.tie(&Self::keyed(&alias));
                format!(
                    "(select {alias}.k, {alias}.n, {alias}.v from {table} {alias} where {tie}) s"
                )
            }
            _ => format!("{} s", self.table()),
        };
        let mut on = match self.random.below(10) {
            0 => "t.n = s.n".to_owned(),
            1 => "t.k = s.k or t.n = s.n".to_owned(),
            _ => "t.k = s.k and t.n = s.n".to_owned(),
        };
        if self.random.chance(30) {
            on += &format!(" and {}", self.tie(&Self::keyed("t")));
        }
        let matched = self.random.pick(&[
            "update set v = s.v",
            "update set v = t.v || s.v",
            "update set k = s.k, v = 'm'",
            "update set o = s.k",
            "update set n = t.n + 20000",
            "delete",
            "do nothing",
        ]);
        let condition = self
            .random
            .pick(&["", "", " and s.n > 1", " and t.v is not null"]);
        let mut sql = format!(
            "merge into {target} t using {source} on {on} when matched{condition} then {matched}"
        );
        if self.random.chance(70) {
            let insert = match self.random.below(8) {
                0 => format!("insert (k, n, v) values ({value}, s.n, 'new')"),
                1 => "insert values (s.k, s.n, s.v)".to_owned(),
                2 => {
                    let other = self.other_key();
                    format!("insert (k, n) values ({}, s.n)", self.value(other))
                }
                3 => "insert (v, n) values (s.v, s.n)".to_owned(),
                _ => "insert (k, n, v) values (s.k, s.n, s.v)".to_owned(),
            };
            sql += &format!(" when not matched then {insert}");
        }
        sql
    }

    fn writing_cte(&mut self) -> String {
        let write = match self.random.below(3) {
            0 => self.insert(),
            1 => self.delete(),
            _ => self.update(),
        };
        let write = match write.split_once(" returning ") {
            Some((write, _)) => write.to_owned(),
            None => write,
        };
        match self.random.below(4) {
            0 => {
                let target = self.target();
                let list = self
                    .random
                    .pick(&["k, n + 30000, v", "o, n + 30000, v", "k, n, v"]);
                format!(
                    "with done as ({write} returning *) insert into {target} (k, n, v) select {list} from done"
                )
            }
            1 => format!("with done as ({write} returning n, v) select * from done"),
            _ => {
                let tie = self.tie(&Self::keyed("x90"));
                let table = self.table();
                format!(
                    "with done as ({write} returning 1 as n) select count(*) from done, {table} x90 where {tie}"
                )
            }
        }
    }
}
