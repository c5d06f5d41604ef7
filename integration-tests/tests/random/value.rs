//! Values: literals as people write them, and parameters.

use integration_tests::pair::{Form, Parameter};

use crate::generator::{Expr, Generator};
use crate::node::{Node, tree};
use crate::schema::Type;

/// Keys that have rows, large, small and none, on every shard.
pub const KEYS: [&str; 14] = [
    "1", "2", "3", "5", "7", "13", "42", "64", "151", "173", "199", "200", "999", "-5",
];

fn texts(ty: Type) -> &'static [&'static str] {
    match ty {
        Type::Int2 | Type::Int4 | Type::Int8 => &[
            "0", "1", "1", "2", "2", "3", "5", "7", "10", "42", "100", "-1",
        ],
        Type::Numeric => &["0", "1", "0.5", "2.50", "-3.75", "19.99", "100", "0.0001"],
        Type::Real | Type::Float => &["0", "0.5", "1.25", "-3.5", "1e10", "NaN", "Infinity"],
        Type::Bool => &["t", "f"],
        Type::Text => &[
            "", "a", "b", "Team 3", "Team 12", "DE", "final", "first", "it's", "ä", "x y", "50%",
            "Z",
        ],
        Type::Date => &[
            "2025-01-01",
            "2025-01-02",
            "2025-03-31",
            "2024-02-29",
            "1999-12-31",
        ],
        Type::Timestamp => &[
            "2025-01-01 00:00:00",
            "2025-06-15 18:45:12.5",
            "1999-12-31 23:59:59.999999",
        ],
        Type::Timestamptz => &[
            "2025-01-01 00:00:00+00",
            "2025-06-15 12:00:00+00",
            "2025-03-30 00:59:59.999999+00",
        ],
        Type::Interval => &["1 day", "1 mon", "02:30:00", "-1 year -2 mons", "0"],
        Type::Uuid => &[
            "00000000-0000-0000-0000-000000000000",
            "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        ],
        Type::Bytea => &["\\x", "\\x00", "\\x41", "\\xdeadbeef"],
        Type::Mood => &["sad", "happy", "Ecstatic", "meh"],
        Type::Ints => &["{}", "{1}", "{1,2,3}", "{1,NULL,3}"],
        Type::Texts => &["{}", "{a}", "{a,b}", "{ä,NULL}"],
        Type::Jsonb | Type::Json => &[
            "{}",
            "[1, 2]",
            "{\"a\": 1}",
            "null",
            "\"x\"",
            "{\"a\": {\"b\": [true]}}",
        ],
    }
}

/// The type that a driver declares; none: PostgreSQL's text forms are not sent for it here.
fn oid(ty: Type) -> Option<u32> {
    Some(match ty {
        Type::Bool => 16,
        Type::Bytea => 17,
        Type::Int8 => 20,
        Type::Int2 => 21,
        Type::Int4 => 23,
        Type::Text => 25,
        Type::Date => 1082,
        Type::Timestamp => 1114,
        Type::Timestamptz => 1184,
        Type::Numeric => 1700,
        Type::Uuid => 2950,
        _ => return None,
    })
}

pub fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

impl Generator {
    /// A value of a known type: a literal, or a parameter.
    pub fn literal(&mut self, ty: Type) -> Expr {
        if self.chance(3) {
            self.used("null literal");
            return Expr::new(tree![format!("null::{}", ty.name())], ty).bound(0.0);
        }
        let text = self.pick(texts(ty));
        self.literal_of(ty, text)
    }

    /// This value.
    pub fn literal_of(&mut self, ty: Type, text: &str) -> Expr {
        let bound = text.parse::<f64>().map_or(1.0, f64::abs);
        let bound = if bound.is_nan() { f64::INFINITY } else { bound };
        if let Some(oid) = oid(ty)
            && self.chance(self.parameters)
        {
            let node = self.parameter(Parameter::new(oid, Some(text)), ty.name());
            return Expr::new(node, ty).bound(bound);
        }
        let (name, quoted) = (ty.name(), quoted(text));
        let bracketed = match text.starts_with('-') {
            true => format!("({text})"),
            false => text.to_owned(),
        };
        let (text, ty) = match (ty, self.below(5)) {
            (Type::Int4, 0..4) => (bracketed, ty),
            (Type::Int8, 0..3) => (bracketed, Type::Int4),
            (Type::Numeric, 0..3) if text.contains('.') => (bracketed, ty),
            (Type::Bool, 0..4) => {
                let name = if text == "t" { "true" } else { "false" };
                (name.to_owned(), ty)
            }
            (Type::Date | Type::Timestamp | Type::Uuid, 0) => (format!("{name} {quoted}"), ty),
            (_, 1) => (format!("cast({quoted} as {name})"), ty),
            _ => (format!("{quoted}::{name}"), ty),
        };
        Expr::new(tree![text], ty).bound(bound)
    }

    /// A value beside something of its type, which says what a quoted text without a type is.
    pub fn operand(&mut self, ty: Type) -> Node {
        let known = !matches!(ty, Type::Int2 | Type::Int4 | Type::Int8);
        if known && self.chance(50) && !self.chance(self.parameters) {
            let text = self.pick(texts(ty));
            return tree![quoted(text)];
        }
        self.literal(ty).node
    }

    /// A parameter; without a declared type always with a cast, which decides what it is.
    pub fn parameter(&mut self, value: Parameter, cast: &'static str) -> Node {
        let typed = match self.form {
            Form::Simple => false,
            Form::Unnamed { typed, .. } | Form::Named { typed, .. } => typed,
        };
        self.used("parameter");
        self.numbers += 1;
        Node::Parameter {
            number: self.numbers,
            value,
            cast: (!typed || self.chance(40)).then_some(cast),
        }
    }

    /// A key: of the key's type, or a literal that becomes one.
    pub fn key(&mut self) -> Node {
        let key = self.pick(&KEYS);
        self.literal_of(Type::Int8, key).node
    }

    /// An array of keys.
    pub fn keys(&mut self, count: u64) -> Node {
        let keys: Vec<&str> = (0..count).map(|_| self.pick(&KEYS)).collect();
        if self.chance(self.parameters) {
            return self.parameter(Parameter::array(20, &keys), "bigint[]");
        }
        match self.below(2) {
            0 => tree![format!("array[{}]::bigint[]", keys.join(", "))],
            _ => tree![format!("'{{{}}}'::bigint[]", keys.join(","))],
        }
    }

    /// An array of values of a type; `None`: not of that type.
    pub fn array(&mut self, ty: Type) -> Option<Node> {
        if !matches!(
            ty,
            Type::Int4 | Type::Int8 | Type::Text | Type::Date | Type::Uuid
        ) {
            return None;
        }
        let count = 1 + self.below(4);
        let values: Vec<&str> = (0..count).map(|_| self.pick(texts(ty))).collect();
        if self.chance(self.parameters) {
            let oid = oid(ty).expect("an array of every such type");
            let cast = match ty {
                Type::Int4 => "int[]",
                Type::Int8 => "bigint[]",
                Type::Text => "text[]",
                Type::Date => "date[]",
                _ => "uuid[]",
            };
            return Some(self.parameter(Parameter::array(oid, &values), cast));
        }
        let values: Vec<_> = values.into_iter().map(quoted).collect();
        Some(tree![format!(
            "array[{}]::{}[]",
            values.join(", "),
            ty.name()
        )])
    }
}
