//! Conditions: those that tie a relation to the statement's key, and those that only look so.

use integration_tests::pair::Parameter;

use super::family::Kind;
use super::{Generator, Relation};

impl Generator {
    /// The key equals the statement's value, written in one of many ways.
    pub fn tie(&mut self, relation: &Relation) -> String {
        let alias = relation.alias.clone();
        let column = match self.random.below(16) {
            0 => "k".to_owned(),
            1 => format!("{alias}.\"k\""),
            2 => format!("{alias} . K"),
            _ => format!("{alias}.k"),
        };
        let key = if self.random.chance(97) {
            self.key
        } else {
            self.random.pick(self.family.keys)
        };
        let tie = self.equality(&column, &alias, key);
        if !self.family.composite() || self.random.chance(12) {
            return tie;
        }
        let number = self.part();
        match self.random.below(8) {
            0 => {
                let value = self.value(key);
                format!("({alias}.k, {alias}.n) = ({value}, {number})")
            }
            1 => {
                let value = self.value(key);
                format!("({alias}.n, {alias}.k) in (({number}, {value}))")
            }
            2 => format!("{tie} and {alias}.n in ({number})"),
            3 => format!("{number} = {alias}.n and {tie}"),
            _ => format!("{tie} and {alias}.n = {number}"),
        }
    }

    /// The value of a composite key's second column.
    pub fn part(&mut self) -> String {
        let part = if self.random.chance(95) {
            self.part
        } else {
            self.random.below(3)
        };
        if self.with_parameters && self.random.chance(40) {
            self.parameters
                .push(Parameter::new(23, Some(&part.to_string())));
            return format!("${}", self.parameters.len());
        }
        part.to_string()
    }

    fn equality(&mut self, column: &str, alias: &str, key: &'static str) -> String {
        let value = self.value(key);
        match self.random.below(34) {
            0 => format!("{value} = {column}"),
            1 => format!("({column}) = ({value})"),
            2 => format!("{column} in ({value})"),
            3 => {
                let second = self.other_key();
                let second = self.value(second);
                format!("{column} in ({value}, {second})")
            }
            4 => format!("{column} is not distinct from {value}"),
            5 => {
                let array = self.array(&[key]);
                format!("{column} = any ({array})")
            }
            6 if self.random.chance(30) => {
                format!("{column} >= {value} and {column} <= {value}")
            }
            7 => format!("({column}, {alias}.n) = ({value}, 1)"),
            8 if self.random.chance(30) => format!("{column} = {value} or false"),
            9 if self.random.chance(30) => format!("{column} = (select {value})"),
            10 => {
                let second = self.other_key();
                let array = self.array(&[key, second]);
                format!("{column} = any ({array})")
            }
            11 => {
                let again = self.value(key);
                format!("({column} = {value} or {column} = {again} and {alias}.n > 0)")
            }
            12 => {
                let second = self.other_key();
                let second = self.value(second);
                format!("({column} = {value} or {column} = {second})")
            }
            13 => {
                let table = self.table();
                format!("{column} in (select y.k from {table} y where y.k = {value})")
            }
            14 => {
                let table = self.table();
                format!(
                    "{column} = (select max(y.k::text)::{} from {table} y where y.k = {value})",
                    self.family.base
                )
            }
            15 => format!("{column} = {value} is true"),
            16 => format!("({column} = {value}) = true"),
            17 => format!("row({column}) = row({value})"),
            18 if self.random.chance(30) => format!("{column} operator(pg_catalog.=) {value}"),
            19 if self.random.chance(30) => format!("not ({column} <> {value})"),
            20 if self.random.chance(30) => format!("coalesce({column}, {value}) = {value}"),
            21 if self.random.chance(30) => format!("{column} between {value} and {value}"),
            22 if self.family.kind == Kind::Integer => format!("{column}={value}"),
            23 => format!("({column}, {alias}.n) in (({value}, 0), ({value}, 1))"),
            _ => format!("{column} = {value}"),
        }
    }

    pub fn other_key(&mut self) -> &'static str {
        if self.random.chance(30) {
            self.key
        } else {
            self.random.pick(self.family.keys)
        }
    }

    /// Something about relations in sight, the first of which is the nearest.
    pub fn predicate(&mut self, sight: &[Relation]) -> String {
        let near = sight[0].alias.clone();
        let any = sight[self.random.below(sight.len() as u64) as usize].clone();
        match self.random.below(26) {
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
                let not = self.random.pick(&["", "", "not "]);
                format!("{not}exists ({inner})")
            }
            10 if self.depth < 3 => {
                let inner = self.select(sight, true);
                format!(
                    "{near}.n {} ({inner})",
                    self.random.pick(&["<", "=", ">", "<>"])
                )
                .replace("max(", "count(")
            }
            11 | 12 if self.depth < 3 => {
                self.member(&near, any.keyed.then_some(any.alias.as_str()))
            }
            13 => format!("{near}.n between 0 and {}", self.small()),
            14 if any.keyed => format!("{}.k is not null", any.alias),
            15 if any.keyed => format!("{0}.k = {0}.k", any.alias),
            16 => format!(
                "coalesce({near}.v, 'none') <> {}",
                self.random
                    .pick(&["'v1'", "$q$v1$q$", "E'v\\x31'", "'k = 1' -- or '\n"])
            ),
            17 => format!("({near}.n, {near}.v) is not null"),
            18 if any.keyed && sight[0].keyed => format!("{near}.o = {}.k", any.alias),
            19 if any.keyed => {
                let value = self.value(self.key);
                format!("{}.o = {value}", any.alias)
            }
            20 if any.keyed => format!("{0}.k = {0}.o", any.alias),
            21 if any.keyed => format!("({0}.k = {0}.o) is not true", any.alias),
            22 if any.keyed => format!("{near}.* is not null and {}.k is not null", any.alias),
            _ => format!("{near}.n >= 0"),
        }
    }

    /// A column is in a subquery.
    fn member(&mut self, near: &str, keyed: Option<&str>) -> String {
        let (table, alias) = (self.table(), self.alias());
        let relation = Relation {
            alias: alias.clone(),
            keyed: true,
        };
        let filter = if self.random.chance(self.tied) {
            format!(" where {}", self.tie(&relation))
        } else {
            String::new()
        };
        let operator = self.random.pick(&["in", "in", "not in", "= any", "<> all"]);
        match (keyed, self.random.below(6)) {
            (Some(outer), 0 | 1) => {
                format!("{outer}.k {operator} (select {alias}.k from {table} {alias}{filter})")
            }
            (Some(outer), 2) => {
                format!(
                    "({outer}.k, {outer}.n) {operator} (select {alias}.k, {alias}.n from {table} {alias}{filter})"
                )
            }
            (Some(outer), 3) => {
                format!("{outer}.k {operator} (select {alias}.o from {table} {alias}{filter})")
            }
            (Some(outer), 4) => {
                // Not the subquery's own: the outer column of that name.
                format!("{outer}.k {operator} (select {outer}.k from {table} {alias}{filter})")
            }
            _ => format!("{near}.n {operator} (select {alias}.n from {table} {alias}{filter})"),
        }
    }

    /// A number for `n`, sometimes as a parameter.
    pub fn small(&mut self) -> String {
        let n = self.random.below(5);
        if self.with_parameters && self.random.chance(40) {
            // Now and then the one that holds a key.
            if self.family.kind == Kind::Integer
                && !self.parameters.is_empty()
                && self.random.chance(15)
            {
                return format!("${}", 1 + self.random.below(self.parameters.len() as u64));
            }
            self.parameters
                .push(Parameter::new(23, Some(&n.to_string())));
            return format!("${}", self.parameters.len());
        }
        n.to_string()
    }
}
