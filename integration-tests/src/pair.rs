//! One statement to the proxy and to the oracle, in one form, and what came of it.

mod loose;

pub use loose::{Answer, QUERY_CANCELED, Rows};

use crate::wire::{Format, Parameters, Reply, Script, Wire};
use crate::{Random, Subject};

/// A value for a parameter, and the type a driver would declare for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    pub oid: u32,
    /// PostgreSQL's text form.
    pub text: Option<String>,
    /// Of an array, what is in it.
    elements: Option<Vec<String>>,
}

/// Arrays and the types of their elements.
const ARRAYS: [(u32, u32); 11] = [
    (1001, 17),
    (1005, 21),
    (1007, 23),
    (1009, 25),
    (1014, 1042),
    (1015, 1043),
    (1016, 20),
    (1115, 1114),
    (1182, 1082),
    (1185, 1184),
    (2951, 2950),
];

impl Parameter {
    /// `int8 5`, `int8[] {5,6}`.
    pub fn parse(text: &str) -> Self {
        let (name, value) = text.split_once(' ').unwrap_or((text, ""));
        let list = value.strip_prefix('{').and_then(|it| it.strip_suffix('}'));
        let (element, list) = match name.strip_suffix("[]") {
            Some(element) => (element, Some(list.expect("a list"))),
            None => (name, None),
        };
        let oid = match element {
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
        match list {
            Some(list) => Self::array(oid, &list.split(',').collect::<Vec<_>>()),
            None => Self::new(oid, (value != "null").then_some(value)),
        }
    }

    pub fn new(oid: u32, text: Option<&str>) -> Self {
        Self {
            oid,
            text: text.map(str::to_owned),
            elements: None,
        }
    }

    /// An array of a key's type.
    pub fn array(element: u32, elements: &[&str]) -> Self {
        let array = ARRAYS.iter().find(|(_, of)| *of == element);
        let (oid, _) = array.expect("an array of every key's type");
        let quoted: Vec<String> = elements
            .iter()
            .map(|element| {
                let element = element.replace('\\', "\\\\").replace('"', "\\\"");
                format!("\"{element}\"")
            })
            .collect();
        Self {
            oid: *oid,
            text: Some(format!("{{{}}}", quoted.join(","))),
            elements: Some(elements.iter().map(|&element| element.to_owned()).collect()),
        }
    }

    /// The value in this format, as far as the type has both here.
    fn bytes(&self, format: Format) -> Option<Vec<u8>> {
        let text = self.text.as_ref()?;
        if format == Format::Text {
            return Some(text.clone().into_bytes());
        }
        let Some(elements) = &self.elements else {
            return Some(binary(self.oid, text));
        };
        let array = ARRAYS.iter().find(|(array, _)| *array == self.oid);
        let (_, element) = array.expect("an array");
        let mut out = Vec::new();
        for number in [1, 0, *element as i32, elements.len() as i32, 1] {
            out.extend(number.to_be_bytes());
        }
        for text in elements {
            let bytes = binary(*element, text);
            out.extend((bytes.len() as i32).to_be_bytes());
            out.extend(bytes);
        }
        Some(out)
    }

    fn has_binary(&self) -> bool {
        self.oid != 1700
    }
}

/// PostgreSQL's binary form of a value that is given in its text form.
fn binary(oid: u32, text: &str) -> Vec<u8> {
    let number = || text.trim().parse::<i64>().unwrap();
    let hex = |digits: &str| -> Vec<u8> {
        let digits: Vec<u8> = digits.bytes().filter(u8::is_ascii_hexdigit).collect();
        let byte = |pair: &[u8]| u8::from_str_radix(&String::from_utf8_lossy(pair), 16).unwrap();
        digits.chunks(2).map(byte).collect()
    };
    match oid {
        20 => number().to_be_bytes().to_vec(),
        23 => (number() as i32).to_be_bytes().to_vec(),
        21 => (number() as i16).to_be_bytes().to_vec(),
        16 => vec![u8::from(text == "t")],
        17 => hex(text.strip_prefix("\\x").unwrap()),
        2950 => hex(text),
        1082 if text == "infinity" => i32::MAX.to_be_bytes().to_vec(),
        1082 if text == "-infinity" => i32::MIN.to_be_bytes().to_vec(),
        1082 => (micros(text).div_euclid(MICROS_PER_DAY) as i32)
            .to_be_bytes()
            .to_vec(),
        1114 | 1184 => micros(text).to_be_bytes().to_vec(),
        _ => text.as_bytes().to_vec(),
    }
}

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// Microseconds from 2000-01-01 to `YYYY-MM-DD[ HH:MM:SS[.ffffff]][+00]`; the infinities are the extremes.
fn micros(text: &str) -> i64 {
    match text {
        "infinity" => return i64::MAX,
        "-infinity" => return i64::MIN,
        _ => {}
    }
    let text = text.trim_end_matches("+00");
    let (date, time) = text.split_once(' ').unwrap_or((text, "00:00:00"));
    let parts: Vec<i64> = date.split('-').map(|part| part.parse().unwrap()).collect();
    // Days from 0000-03-01, a year that begins in March having its leap day last.
    let (year, month) = (
        parts[0] - i64::from(parts[1] <= 2),
        (parts[1] + 9).rem_euclid(12),
    );
    let days = year * 365 + year.div_euclid(4) - year.div_euclid(100)
        + year.div_euclid(400)
        + (153 * month + 2) / 5
        + parts[2]
        - 1
        - 730_425;
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let seconds = time
        .split(':')
        .fold(0, |sum, part| sum * 60 + part.parse::<i64>().unwrap());
    let fraction: i64 = format!("{fraction:0<6}").parse().unwrap();
    days * MICROS_PER_DAY + seconds * 1_000_000 + fraction
}

#[test]
fn binary_forms_are_postgresqls() {
    assert_eq!(binary(1082, "2000-01-01"), [0; 4]);
    assert_eq!(binary(1082, "2024-02-29"), 8825_i32.to_be_bytes());
    assert_eq!(binary(1082, "1999-12-31"), (-1_i32).to_be_bytes());
    assert_eq!(
        binary(1114, "2000-01-02 00:00:01.5"),
        86_401_500_000_i64.to_be_bytes()
    );
    assert_eq!(binary(17, "\\x00ff"), [0, 255]);
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

    /// One of them, the usual ones more often.
    pub fn random(random: &mut Random, simple: bool) -> Self {
        let given = random.pick(&[Format::Text, Format::Binary]);
        let wanted = random.pick(&[Format::Text, Format::Binary]);
        let typed = random.chance(60);
        match random.below(8) {
            0..=5 if simple => Self::Simple,
            0 => Self::Named {
                typed,
                given,
                wanted,
            },
            _ => Self::Unnamed {
                typed,
                given,
                wanted,
            },
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
    /// The same error on both sides: its SQLSTATE and message.
    Failed(String),
    Refused(String),
    Different(String),
}

/// A connection to the proxy and one to the oracle.
pub struct Pair {
    subject: Wire,
    oracle: Wire,
    port: u16,
    /// Whether the subject is a proxy and not, to test the tests, another PostgreSQL.
    proxied: bool,
}

impl Pair {
    pub fn connect(subject: &Subject, oracle: u16) -> Self {
        Self {
            subject: Wire::connect(subject.port()).unwrap(),
            oracle: Wire::connect(oracle).unwrap(),
            port: subject.port(),
            proxied: subject.proxy().is_some(),
        }
    }

    pub fn has_proxy(&self) -> bool {
        self.proxied
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

    /// Asks both.
    pub fn compare(&mut self, sql: &str, parameters: &[Parameter], form: Form) -> Outcome {
        self.compare_rows(sql, parameters, form, is_ordered(sql))
    }

    /// As `compare`, where it is known whether the order of the rows counts.
    pub fn compare_rows(
        &mut self,
        sql: &str,
        parameters: &[Parameter],
        form: Form,
        ordered: bool,
    ) -> Outcome {
        let expected = send(&mut self.oracle, sql, parameters, form)
            .unwrap_or_else(|error| panic!("oracle: {sql}: {error}"));
        match self.ask(sql, parameters, form) {
            Ok(found) => judge(expected, found, sql, parameters, form, ordered),
            Err(outcome) => outcome,
        }
    }

    /// Asks the proxy, and only where it does not refuse the oracle too.
    pub fn answer(&mut self, sql: &str, parameters: &[Parameter], form: Form) -> Outcome {
        let found = match self.ask(sql, parameters, form) {
            Ok(found) => found,
            Err(outcome) => return outcome,
        };
        if self.proxied
            && let Some(message) = refusal(&found)
        {
            return refused_cleanly(&found, message, sql);
        }
        let expected = send(&mut self.oracle, sql, parameters, form)
            .unwrap_or_else(|error| panic!("oracle: {sql}: {error}"));
        if let Some(error) = same_violation(&expected, &found) {
            return Outcome::Failed(error);
        }
        judge(expected, found, sql, parameters, form, is_ordered(sql))
    }

    fn ask(
        &mut self,
        sql: &str,
        parameters: &[Parameter],
        form: Form,
    ) -> Result<Vec<Reply>, Outcome> {
        send(&mut self.subject, sql, parameters, form).map_err(|error| {
            self.subject = Wire::connect(self.port).unwrap();
            Outcome::Different(format!("the connection ended: {error}\n{sql}"))
        })
    }
}

/// The words of a refusal, if this is one: 0A000, or the error a NOT NULL column would have, for a NULL key
/// would lie on no shard.
fn refusal(replies: &[Reply]) -> Option<String> {
    let error = replies.iter().find(|reply| reply.tag == b'E')?;
    let (state, message) = (error.field(b'C')?, error.field(b'M')?);
    let null_key = state == "23502" && message.contains("sharding key");
    (state == "0A000" || null_key).then_some(message)
}

fn refused_cleanly(found: &[Reply], message: String, sql: &str) -> Outcome {
    if found.iter().any(|reply| reply.tag == b'D') {
        return Outcome::Different(format!("rows before a refusal\n{sql}"));
    }
    Outcome::Refused(message)
}

/// Both sides say that a constraint is violated. By which of several rows, and which constraint, depends on the order
/// in which a server meets them, so code and message may differ; MERGE says of two rows of one key that one row is
/// changed twice.
fn same_violation(expected: &[Reply], found: &[Reply]) -> Option<String> {
    let violation = |replies: &[Reply]| {
        let error = replies.iter().find(|reply| reply.tag == b'E')?;
        let (code, message) = (error.field(b'C')?, error.field(b'M')?);
        let twice = code == "21000" && message.starts_with("MERGE command");
        (twice || code.starts_with("23")).then_some(code)
    };
    violation(found).and(violation(expected))
}

/// Bytes that are no value of the parameter's type: the proxy says so where the server would, in words and with a
/// SQLSTATE of class 22 of its own.
fn unread_parameter(expected: &[Reply], found: &[Reply]) -> Option<String> {
    let data_error = |replies: &[Reply]| {
        let error = replies.iter().find(|reply| reply.tag == b'E')?.clone();
        error.field(b'C')?.starts_with("22").then_some(error)
    };
    data_error(expected)?;
    let error = data_error(found)?;
    let ours = error.field(b'D')?.contains("holds the sharding key");
    let no_rows = found.iter().all(|reply| reply.tag != b'D');
    (ours && no_rows).then(|| error.field(b'M').unwrap_or_default())
}

fn judge(
    expected: Vec<Reply>,
    found: Vec<Reply>,
    sql: &str,
    parameters: &[Parameter],
    form: Form,
    ordered: bool,
) -> Outcome {
    if let Some(message) = refusal(&found) {
        let error = expected.iter().find(|reply| reply.tag == b'E');
        let same = error.and_then(|error| error.field(b'M')).as_ref() == Some(&message);
        if !same {
            return refused_cleanly(&found, message, sql);
        }
    }
    if let Some(error) = unread_parameter(&expected, &found) {
        return Outcome::Failed(error);
    }
    let (expected, found) = match ordered {
        true => (expected, found),
        false => (unordered(expected), unordered(found)),
    };
    if expected == found {
        let error = found.iter().find(|reply| reply.tag == b'E');
        return error.map_or(Outcome::Same, |error| {
            let field = |name| error.field(name).unwrap_or_default();
            Outcome::Failed(format!("{} {}", field(b'C'), field(b'M')))
        });
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

/// Rows without ORDER BY come in any order. One in a subquery or window orders no result.
pub fn is_ordered(sql: &str) -> bool {
    outside_parentheses(sql).contains("order by")
}

/// With the rows of each answer in an order of our own.
fn unordered(mut replies: Vec<Reply>) -> Vec<Reply> {
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
    assert!(is_ordered("select a from (select 1) x ORDER BY 1"));
    assert!(!is_ordered("select a from (select b order by 1) x"));
    assert!(!is_ordered("select 'order by'"));
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
