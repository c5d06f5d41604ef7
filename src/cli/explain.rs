//! `trunkline explain -c FILE 'SQL'`: where each statement would go and why. The same planner and the same
//! lines as a running proxy's.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use clap::Args;

use super::subject::{Subject, SubjectArgs, refusal};
use crate::config::Config;
use crate::plan::{ParamValues, Values};
use crate::session::Settings;
use crate::sql;
use crate::types::Format;

#[derive(Debug, Args)]
pub struct ExplainArgs {
    #[command(flatten)]
    subject: SubjectArgs,
    /// The value of a parameter, as text; may be given for each
    #[arg(long = "param", value_name = "N=VALUE", value_parser = parameter)]
    params: Vec<(u16, String)>,
    /// One or more statements
    sql: String,
}

/// `1=42` for `$1`.
fn parameter(text: &str) -> Result<(u16, String), String> {
    let (number, value) = text
        .split_once('=')
        .ok_or("write it as number=value, 1=42 for $1")?;
    match number.trim_start_matches('$').parse::<u16>() {
        Ok(number @ 1..) => Ok((number - 1, value.to_owned())),
        _ => Err(format!("\"{number}\" is not the number of a parameter")),
    }
}

/// Values given on the command line, zero-based.
#[derive(Debug, Default)]
struct Given(BTreeMap<u16, String>);

impl ParamValues for Given {
    fn param(&self, index: u16) -> Option<(Format, Option<&[u8]>)> {
        let value = self.0.get(&index)?;
        Some((Format::Text, Some(value.as_bytes())))
    }
}

impl ExplainArgs {
    pub fn config(&self) -> &Path {
        self.subject.config()
    }
}

/// Prints where each statement would go; fails where one is refused.
pub fn run(arguments: &ExplainArgs, config: &Config) -> ExitCode {
    let subject = match arguments.subject.subject(config) {
        Ok(subject) => subject,
        Err(reason) => return super::without_subject(&reason),
    };
    let params = Given(arguments.params.iter().cloned().collect());
    if let Some(message) = not_mentioned(&params, &arguments.sql) {
        return super::wrong_input(&message);
    }
    let (answer, all_planned) = explain(&subject, &params, &arguments.sql);
    print!("{answer}");
    if all_planned {
        ExitCode::SUCCESS
    } else {
        arguments.subject.advise();
        ExitCode::FAILURE
    }
}

/// A parameter that is given and stands in no statement.
fn not_mentioned(params: &Given, text: &str) -> Option<String> {
    let tokens = sql::tokens(text).ok()?;
    let stands = |index: u16| {
        let number = (u32::from(index) + 1).to_string();
        tokens
            .iter()
            .any(|token| token.kind == sql::Kind::Param && token.value == number)
    };
    let index = params.0.keys().find(|index| !stands(**index))?;
    Some(format!("there is no parameter ${}", u32::from(*index) + 1))
}

/// Each statement, its plan or refusal, and whether all of them have a plan.
fn explain(subject: &Subject<'_>, params: &Given, text: &str) -> (String, bool) {
    let values = Values::of_params(&[], params);
    let pieces = match sql::split(text) {
        Ok(pieces) => pieces,
        Err(error) => return (refusal(&error), false),
    };
    let settings = Settings::default();
    let mut answers = Vec::new();
    let mut all = true;
    for piece in pieces {
        let statement = &text[piece.range];
        let planned = subject.plan(statement, &settings, params);
        all &= planned.is_ok();
        let answer = match planned {
            Ok(planned) => planned.lines(subject.map, values).join("\n") + "\n",
            Err(error) => refusal(&error),
        };
        answers.push(format!("{statement}\n{}", indent(&answer)));
    }
    (answers.join("\n"), all)
}

fn indent(lines: &str) -> String {
    lines.lines().map(|line| format!("  {line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::planner::tests::map;
    use crate::shardmap::KeyspaceIndex;
    use crate::types::KeyValue;

    fn explained(params: &[(u16, &str)], sql: &str) -> (String, bool) {
        let params = params.iter().map(|(index, v)| (*index, (*v).to_owned()));
        let subject = Subject {
            map: &map(),
            schema: Arc::default(),
            user: "app",
            transaction_pooling: true,
            gathers: true,
        };
        explain(&subject, &Given(params.collect()), sql)
    }

    #[test]
    fn parameters_are_given_by_number() {
        assert_eq!(parameter("1=42"), Ok((0, "42".to_owned())));
        assert_eq!(parameter("$3=a=b"), Ok((2, "a=b".to_owned())));
        for text in ["", "1", "0=1", "x=1", "-1=1", "65537=1"] {
            assert!(parameter(text).is_err(), "{text}");
        }
        let sql = "select * from matches where organization_id = $1";
        let (text, all) = explained(&[(0, "5")], sql);
        assert!(all, "{text}");
        assert!(
            text.contains("organization_id = 5 -> logical 29 of tenants (hash) -> s1"),
            "{text}"
        );
        let (text, _) = explained(&[], sql);
        assert!(
            text.contains("organization_id = $1 -> tenants (hash)"),
            "{text}"
        );
        let given = |index| not_mentioned(&Given([(index, "5".to_owned())].into()), sql);
        assert_eq!(given(0), None);
        assert_eq!(given(1).as_deref(), Some("there is no parameter $2"));
        let (text, all) = explained(&[(0, "5")], &format!("{sql} /* trunkline: shard=s2 */"));
        assert!(!all && text.contains("the hint shard=s2"), "{text}");
    }

    #[test]
    fn many_values_are_summed_up() {
        let rows: Vec<String> = (0..40).map(|id| format!("(5, {id})")).collect();
        let sql = format!(
            "insert into matches (organization_id, id) values {}",
            rows.join(", ")
        );
        let (text, all) = explained(&[], &sql);
        assert!(all, "{text}");
        assert_eq!(text.matches("logical 29").count(), 1, "{text}");
        let keys: Vec<String> = (0..20_000i64)
            .filter(|key| {
                let place = map().locate(KeyspaceIndex(0), &[KeyValue::Int(*key)]);
                place.is_some_and(|(_, shard)| shard.0 == 0)
            })
            .take(30)
            .map(|key| format!("({key}, 1)"))
            .collect();
        let sql = format!(
            "insert into matches (organization_id, id) values {}",
            keys.join(", ")
        );
        let (text, all) = explained(&[], &sql);
        assert!(all, "{text}");
        assert!(text.contains("(30 values) -> "), "{text}");
        assert!(text.lines().count() < 6, "{text}");
    }

    #[test]
    fn each_statement_is_explained() {
        let (text, all) = explained(
            &[],
            "begin; select * from matches where organization_id = 5; select ctid from matches",
        );
        assert!(!all);
        assert!(text.contains("Control Begin: BEGIN"), "{text}");
        assert!(
            text.contains("matches: organization_id = 5 -> logical 29 of tenants (hash) -> s1"),
            "{text}"
        );
        assert!(
            text.contains("Refused 0A000: matches is sharded by organization_id"),
            "{text}"
        );
        assert!(text.contains("hint: add organization_id"), "{text}");
        let (_, all) = explained(&[], "select * from matches where organization_id = $1");
        assert!(all);
    }
}
