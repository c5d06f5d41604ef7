//! Statements made up from shapes, predicates, scopes and forms of literals, with a liking for what looks tied to
//! one key and is not.

use integration_tests::Random;
use integration_tests::pair::Parameter;

use super::family::Family;

pub struct Made {
    pub sql: String,
    pub parameters: Vec<Parameter>,
}

pub struct Generator {
    pub random: Random,
    pub parameters: Vec<Parameter>,
    /// Whether this statement may have parameters.
    pub with_parameters: bool,
    pub family: &'static Family,
    /// The key most conditions of this statement name, and the value of a composite key's second column.
    pub key: &'static str,
    pub part: u64,
    /// How often of a hundred a relation gets its condition.
    pub tied: u64,
    aliases: usize,
    pub depth: usize,
}

/// A relation in sight: its alias, and whether it has the columns `k, n, v, o`, or `n` and perhaps `v`.
#[derive(Clone)]
pub struct Relation {
    pub alias: String,
    pub keyed: bool,
}

impl Generator {
    pub fn new(seed: u64, family: &'static Family) -> Self {
        Self {
            random: Random::new(seed),
            parameters: Vec::new(),
            with_parameters: false,
            family,
            key: family.keys[0],
            part: 0,
            tied: 80,
            aliases: 0,
            depth: 0,
        }
    }

    pub fn begin(&mut self) {
        self.parameters.clear();
        self.with_parameters = self.random.chance(50);
        self.key = self.random.pick(self.family.keys);
        self.part = self.random.below(3);
        self.tied = self.random.pick(&[70, 92, 98, 100, 100]);
        self.aliases = 0;
        self.depth = 0;
    }

    pub fn end(&mut self, sql: String) -> Made {
        let sql = self.disguise(sql);
        Made {
            sql,
            parameters: std::mem::take(&mut self.parameters),
        }
    }

    pub fn alias(&mut self) -> String {
        self.aliases += 1;
        // Names that hide others: a table's, a key's, an outer alias.
        match self.random.below(14) {
            0 => format!("{}_{}", self.family.name, self.random.pick(&["a", "b"])),
            1 => "k".to_owned(),
            2 => format!("x{}", self.aliases.saturating_sub(1)),
            3 => format!("\"X{}\"", self.aliases),
            _ => format!("x{}", self.aliases),
        }
    }

    /// A table with rows of its own keyspace.
    pub fn table(&mut self) -> String {
        let kind = self
            .random
            .pick(&["a", "a", "a", "b", "b", "b", "p", "p1", "i", "i1"]);
        let name = format!("{}_{kind}", self.family.name);
        match self.random.below(12) {
            0 => format!("public.{name}"),
            1 => format!("\"{name}\""),
            2 => name.to_ascii_uppercase(),
            3 => format!("PUBLIC . \"{name}\""),
            _ => name,
        }
    }

    /// A table or a view.
    pub fn source(&mut self) -> String {
        if self.random.chance(12) {
            let view = self.random.pick(&super::family::VIEWS);
            return format!("{}_{view}", self.family.name);
        }
        self.table()
    }

    /// A table to write; now and then a view.
    pub fn target(&mut self) -> String {
        if self.random.chance(2) {
            return format!("{}_v", self.family.name);
        }
        self.table()
    }

    /// The same statement to PostgreSQL, another text to us.
    fn disguise(&mut self, sql: String) -> String {
        match self.random.below(14) {
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
