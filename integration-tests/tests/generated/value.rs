//! A key's value in one of the forms in which clients write or send it, and in some that only look like it.

use integration_tests::pair::Parameter;

use super::Generator;
use super::family::{Kind, quoted};

impl Generator {
    /// A key as a literal, cast literal or parameter.
    pub fn value(&mut self, key: &str) -> String {
        if self.with_parameters && self.random.chance(55) {
            return self.parameter(key);
        }
        match self.family.kind {
            Kind::Integer => self.integer(key),
            Kind::Text => self.text(key),
            Kind::Bpchar => self.bpchar(key),
            Kind::Uuid => self.uuid(key),
            Kind::Date => self.date(key),
            Kind::Timestamp | Kind::Timestamptz => self.timestamp(key),
            Kind::Bytea => self.bytea(key),
        }
    }

    fn parameter(&mut self, key: &str) -> String {
        let oid = match self.family.oid {
            20 | 21 | 23 if self.random.chance(20) => self.random.pick(&[20, 20, 1700]),
            1043 | 1042 if self.random.chance(30) => 25,
            25 if self.random.chance(30) => 1043,
            oid => oid,
        };
        let given = (!self.random.chance(2)).then_some(key);
        let number = self.number_of(Parameter::new(oid, given), 70);
        let name = self.cast_name();
        match self.random.below(6) {
            0 => format!("${number}::{name}"),
            1 => format!("cast(${number} as {name})"),
            _ => format!("${number}"),
        }
    }

    /// The number of an equal parameter, this often of a hundred, or of a new one.
    fn number_of(&mut self, parameter: Parameter, again: u64) -> usize {
        let known = self.parameters.iter().position(|p| *p == parameter);
        match known {
            Some(place) if self.random.chance(again) => place + 1,
            _ => {
                self.parameters.push(parameter);
                self.parameters.len()
            }
        }
    }

    /// The type of the key in a cast, without a length.
    fn cast_name(&self) -> &'static str {
        match self.family.kind {
            Kind::Bpchar => "bpchar",
            _ => self.family.base,
        }
    }

    /// An array of keys: a constructor, a literal or a parameter.
    pub fn array(&mut self, keys: &[&str]) -> String {
        let name = self.cast_name();
        let simple = |key: &&str| {
            !key.contains(['\'', '"', '\\', '{', '}', ',']) && !key.is_empty() && *key != "null"
        };
        match self.random.below(6) {
            0 | 1 if self.with_parameters => {
                let parameter = Parameter::array(self.family.oid, keys);
                let number = self.number_of(parameter, 50);
                match self.random.below(4) {
                    0 => format!("${number}::{name}[]"),
                    1 => format!("cast(${number} as {name}[])"),
                    _ => format!("${number}"),
                }
            }
            2 | 3 if keys.iter().all(simple) => {
                let list: Vec<_> = keys
                    .iter()
                    .map(|key| {
                        if key.contains(' ') {
                            format!("\"{key}\"")
                        } else {
                            (*key).to_owned()
                        }
                    })
                    .collect();
                let cast = format!("::{name}[]");
                let cast = if self.random.chance(50) {
                    cast.as_str()
                } else {
                    ""
                };
                format!("'{{{}}}'{cast}", list.join(","))
            }
            _ => {
                let list: Vec<_> = keys.iter().map(|key| self.value(key)).collect();
                // Literals without a type would make an array of texts.
                format!("array[{}]::{name}[]", list.join(", "))
            }
        }
    }

    fn integer(&mut self, key: &str) -> String {
        let quoted = quoted(key);
        let wide = self
            .random
            .pick(&["bigint", "int8", "bigint", self.family.base]);
        match self.random.below(20) {
            0 => quoted,
            1 => format!("' {key} '"),
            2 => format!("{quoted}::{wide}"),
            3 => format!("cast({quoted} as {wide})"),
            4 => format!("({key})::{wide}"),
            5 => format!("{wide} {quoted}"),
            6 => format!("({key})"),
            7 => format!("{key}.0"),
            8 => format!("{quoted}::numeric"),
            9 if self.random.chance(30) => format!("{key} + 0"),
            10 => format!("E{quoted}"),
            11 if !key.starts_with('-') => format!("'0{key}'"),
            12 => format!("$${key}$$"),
            13 if !key.starts_with('-') => format!("+{key}"),
            14 => format!("({key})::float8"),
            _ => key.to_owned(),
        }
    }

    fn text(&mut self, key: &str) -> String {
        let quoted = quoted(key);
        let escaped = key.replace('\\', "\\\\").replace('\'', "\\'");
        match self.random.below(18) {
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
            12 => format!("{quoted}::character varying"),
            13 => format!("{quoted}::bpchar"),
            _ => quoted,
        }
    }

    fn bpchar(&mut self, key: &str) -> String {
        let quoted = quoted(key);
        let blank = format!("'{key}  '");
        match self.random.below(14) {
            0 => format!("{quoted}::char(6)"),
            1 => format!("{quoted}::bpchar"),
            2 => blank,
            3 => format!("{blank}::bpchar"),
            4 => format!("{quoted}::text"),
            5 => format!("{blank}::text"),
            6 => format!("{blank}::varchar"),
            7 => format!("{quoted}::char(2)"),
            8 => format!("cast({quoted} as bpchar)"),
            _ => quoted,
        }
    }

    fn uuid(&mut self, key: &str) -> String {
        let quoted = quoted(key);
        match self.random.below(8) {
            0 => format!("{quoted}::uuid"),
            1 => format!("uuid {quoted}"),
            2 => quoted.to_ascii_uppercase(),
            3 => format!("'{{{key}}}'"),
            4 => format!("'{}'", key.replace('-', "")),
            5 => format!("cast({quoted} as uuid)"),
            _ => quoted,
        }
    }

    fn date(&mut self, key: &str) -> String {
        let quoted = quoted(key);
        match self.random.below(14) {
            0 => format!("{quoted}::date"),
            1 => format!("date {quoted}"),
            2 => format!("cast({quoted} as date)"),
            3 => format!("' {key} '"),
            4 if !key.contains("inf") => format!("'{}'", key.replace('-', "")),
            5 if !key.contains("inf") => format!("'{key} 00:00:00'"),
            6 => format!("{quoted}::timestamp"),
            7 => format!("{quoted}::timestamp::date"),
            8 if key == "2000-01-01" => self
                .random
                .pick(&[
                    "'January 1, 2000'",
                    "'2000-1-1'",
                    "'epoch'::date + 10957",
                    "'2000.001'",
                ])
                .to_owned(),
            9 => format!("{quoted}::timestamptz"),
            _ => quoted,
        }
    }

    fn timestamp(&mut self, key: &str) -> String {
        let (quoted, name) = (quoted(key), self.family.base);
        let plain = !key.contains("inf");
        match self.random.below(16) {
            0 => format!("{quoted}::{name}"),
            1 => format!("{name} {quoted}"),
            2 => format!("cast({quoted} as {name})"),
            3 if plain => quoted.replace(' ', "T"),
            4 if plain => quoted.replace("+00", "Z"),
            5 if plain => quoted.replace("04:05:06+00", "05:05:06+01"),
            6 if plain => quoted.replace("+00", ""),
            7 if plain => quoted.replace(" 00:00:00'", "'"),
            8 => format!("{quoted}::date"),
            9 => format!("{quoted}::timestamptz"),
            10 => format!("{quoted}::timestamp"),
            11 => format!("{quoted}::{name}(3)"),
            12 if plain => quoted.replace("+00", "+00:00"),
            _ => quoted,
        }
    }

    fn bytea(&mut self, key: &str) -> String {
        let quoted = quoted(key);
        match self.random.below(10) {
            0 => format!("{quoted}::bytea"),
            1 => format!("bytea {quoted}"),
            2 => format!("E'\\{key}'"),
            3 => quoted.to_ascii_uppercase().replace('X', "x"),
            4 if key == "\\x61" => "'a'".to_owned(),
            5 if key == "\\x6162" => self
                .random
                .pick(&["'ab'", "'\\141b'", "'\\x61 62'", "'a'::bytea || 'b'::bytea"])
                .to_owned(),
            6 if key == "\\x5c" => "'\\\\'".to_owned(),
            7 => format!("decode('{}', 'hex')", key.trim_start_matches("\\x")),
            _ => quoted,
        }
    }
}
