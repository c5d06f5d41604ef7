//! One statement on both sides, in one form, and what came of it.

use integration_tests::wire::{Format, Parameters, Reply, Script, Wire};

use super::world::world;

/// A value for a parameter, and the type a driver would declare for it.
#[derive(Clone, Debug)]
pub struct Parameter {
    pub oid: u32,
    /// PostgreSQL's text form.
    pub text: Option<String>,
}

impl Parameter {
    /// `int8 5`.
    pub fn parse(text: &str) -> Self {
        let (name, value) = text.split_once(' ').unwrap_or((text, ""));
        let oid = match name {
            "int2" => 21,
            "int4" => 23,
            "int8" => 20,
            "text" => 25,
            "varchar" => 1043,
            "uuid" => 2950,
            "numeric" => 1700,
            "bool" => 16,
            other => panic!("no type {other}"),
        };
        Self {
            oid,
            text: (value != "null").then(|| value.to_owned()),
        }
    }

    /// The value in this format, as far as the type has both here.
    fn bytes(&self, format: Format) -> Option<Vec<u8>> {
        let text = self.text.as_ref()?;
        let number = || text.trim().parse::<i64>();
        Some(match (format, self.oid) {
            (Format::Binary, 20) => number().unwrap().to_be_bytes().to_vec(),
            (Format::Binary, 23) => (number().unwrap() as i32).to_be_bytes().to_vec(),
            (Format::Binary, 21) => (number().unwrap() as i16).to_be_bytes().to_vec(),
            (Format::Binary, 16) => vec![u8::from(text == "t")],
            (Format::Binary, 2950) => {
                let digits: String = text.chars().filter(char::is_ascii_hexdigit).collect();
                (0..16)
                    .map(|at| u8::from_str_radix(&digits[at * 2..at * 2 + 2], 16).unwrap())
                    .collect()
            }
            _ => text.clone().into_bytes(),
        })
    }

    fn has_binary(&self) -> bool {
        self.oid != 1700
    }
}

/// How a statement is sent.
#[derive(Clone, Copy, Debug)]
pub enum Form {
    Simple,
    Unnamed {
        typed: bool,
        given: Format,
        wanted: Format,
    },
    /// Prepared by name, then executed thrice.
    Named {
        typed: bool,
        given: Format,
        wanted: Format,
    },
}

impl Form {
    pub fn all(simple: bool) -> Vec<Self> {
        let mut forms = if simple {
            vec![Self::Simple]
        } else {
            Vec::new()
        };
        for typed in if simple { &[true][..] } else { &[true, false] } {
            for given in if simple {
                &[Format::Text][..]
            } else {
                &[Format::Text, Format::Binary]
            } {
                for wanted in [Format::Text, Format::Binary] {
                    forms.push(Self::Unnamed {
                        typed: *typed,
                        given: *given,
                        wanted,
                    });
                    forms.push(Self::Named {
                        typed: *typed,
                        given: *given,
                        wanted,
                    });
                }
            }
        }
        forms
    }

    pub fn plain(simple: bool) -> Self {
        if simple {
            Self::Simple
        } else {
            Self::Unnamed {
                typed: true,
                given: Format::Text,
                wanted: Format::Text,
            }
        }
    }

    /// The same, executed once.
    pub fn once(self) -> Self {
        match self {
            Self::Named {
                typed,
                given,
                wanted,
            } => Self::Unnamed {
                typed,
                given,
                wanted,
            },
            form => form,
        }
    }
}

pub enum Outcome {
    Same,
    Refused(String),
    Different(String),
}

pub struct Pair {
    subject: Wire,
    oracle: Wire,
}

impl Pair {
    pub fn connect() -> Self {
        Self {
            subject: Wire::connect(world().subject.port()).unwrap(),
            oracle: Wire::connect(world().cluster.oracle.port()).unwrap(),
        }
    }

    pub fn has_proxy(&self) -> bool {
        world().subject.proxy().is_some()
    }

    /// What must succeed on both sides, or fail on both.
    pub fn both(&mut self, sql: &str) {
        for wire in [&mut self.oracle, &mut self.subject] {
            wire.simple(sql).unwrap();
        }
    }

    /// What the proxy has to refuse.
    pub fn refused(&mut self, sql: &str, parameters: &[Parameter], form: Form) -> Outcome {
        if !self.has_proxy() {
            return Outcome::Refused(String::new());
        }
        let found = send(&mut self.subject, sql, parameters, form).unwrap();
        let error = found.iter().find(|reply| reply.tag == b'E');
        let refused = error.is_some_and(|error| error.field(b'C').as_deref() == Some("0A000"));
        if refused
            && !found
                .iter()
                .any(|reply| matches!(reply.tag, b'D' | b'C' | b'G'))
        {
            return Outcome::Refused(String::new());
        }
        Outcome::Different(format!("{sql}: {form:?}: not refused: {found:?}"))
    }

    pub fn compare(&mut self, sql: &str, parameters: &[Parameter], form: Form) -> Outcome {
        let expected = send(&mut self.oracle, sql, parameters, form)
            .unwrap_or_else(|error| panic!("oracle: {sql}: {error}"));
        let found = match send(&mut self.subject, sql, parameters, form) {
            Ok(found) => found,
            Err(error) => {
                self.subject = Wire::connect(world().subject.port()).unwrap();
                return Outcome::Different(format!("the connection ended: {error}\n{sql}"));
            }
        };
        let code = |replies: &[Reply]| {
            let error = replies.iter().find(|reply| reply.tag == b'E');
            error.map(|error| {
                (
                    error.field(b'C').unwrap_or_default(),
                    error.field(b'M').unwrap_or_default(),
                )
            })
        };
        if let Some((state, message)) = code(&found) {
            let same = code(&expected).is_some_and(|(_, expected)| expected == message);
            // A NULL key would lie on no shard: the proxy says what a NOT NULL column would have.
            let null_key = state == "23502" && message.contains("sharding key");
            if (state == "0A000" || null_key) && !same {
                if found.iter().any(|reply| reply.tag == b'D') {
                    return Outcome::Different(format!("rows before a refusal\n{sql}"));
                }
                return Outcome::Refused(message);
            }
        }
        let (expected, found) = (canonical(expected, sql), canonical(found, sql));
        if expected == found {
            return Outcome::Same;
        }
        let at = (0..)
            .find(|n| expected.get(*n) != found.get(*n))
            .unwrap_or_default();
        Outcome::Different(format!(
            "{sql}\n  {parameters:?}\n  {form:?}\n  message {at} of {} and {}: expected {:?}\n  found {:?}",
            expected.len(),
            found.len(),
            expected.get(at),
            found.get(at)
        ))
    }
}

/// Rows without ORDER BY come in any order. One in a subquery or window orders no result.
fn canonical(mut replies: Vec<Reply>, sql: &str) -> Vec<Reply> {
    if outside_parentheses(sql).contains("order by") {
        return replies;
    }
    let mut start = 0;
    while start < replies.len() {
        let end = start
            + replies[start..]
                .iter()
                .take_while(|reply| reply.tag == b'D')
                .count();
        replies[start..end].sort_by(|a, b| a.body.cmp(&b.body));
        start = end + 1;
    }
    replies
}

/// Lower case, strings and quoted names left out.
fn outside_parentheses(sql: &str) -> String {
    let (mut depth, mut quote, mut outside) = (0, None, String::new());
    for c in sql.chars() {
        match (quote, c) {
            (Some(open), _) => quote = (c != open).then_some(open),
            (None, '\'' | '"') => quote = Some(c),
            (None, '(') => depth += 1,
            (None, ')') => depth -= 1,
            (None, _) if depth == 0 => outside.push(c.to_ascii_lowercase()),
            (None, _) => {}
        }
    }
    outside
}

#[test]
fn only_the_outermost_order_counts() {
    let ordered = |sql| outside_parentheses(sql).contains("order by");
    assert!(ordered("select a from (select 1) x ORDER BY 1"));
    assert!(!ordered("select a from (select b order by 1) x"));
    assert!(!ordered("select 'order by'"));
}

fn send(
    wire: &mut Wire,
    sql: &str,
    parameters: &[Parameter],
    form: Form,
) -> std::io::Result<Vec<Reply>> {
    let (typed, given, wanted) = match form {
        Form::Simple => return wire.simple(sql),
        Form::Unnamed {
            typed,
            given,
            wanted,
        }
        | Form::Named {
            typed,
            given,
            wanted,
        } => (typed, given, wanted),
    };
    let given = if parameters.iter().all(Parameter::has_binary) {
        given
    } else {
        Format::Text
    };
    let types: Vec<u32> = parameters
        .iter()
        .map(|parameter| if typed { parameter.oid } else { 0 })
        .collect();
    let bytes: Vec<_> = parameters
        .iter()
        .map(|parameter| parameter.bytes(given))
        .collect();
    let values: Vec<_> = bytes.iter().map(Option::as_deref).collect();
    let parameters = Parameters {
        types: &types,
        values: &values,
        given,
        wanted,
    };
    if matches!(form, Form::Unnamed { .. }) {
        return wire.extended(sql, &parameters);
    }
    let mut prepare = Script::new();
    prepare
        .parse("kept", sql, &types)
        .describe_statement("kept")
        .sync();
    let mut replies = wire.run(&prepare)?;
    for _ in 0..3 {
        let mut execute = Script::new();
        execute
            .bind("", "kept", &parameters)
            .describe_portal("")
            .execute("", 0)
            .sync();
        replies.extend(wire.run(&execute)?);
    }
    let mut close = Script::new();
    close.close_statement("kept").sync();
    replies.extend(wire.run(&close)?);
    Ok(replies)
}
