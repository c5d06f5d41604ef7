//! Trees in few words.

use std::fmt::Write as _;

use crate::sql::tree::{
    Arm, Assignment, Block, Call, Column, Constant, Fact, From, InsertSource, Join, JoinKind,
    Operand, Output, Query, Slot, Verb,
};

pub(super) fn query(query: &Query) -> String {
    let mut out = String::new();
    lines(query, 0, &mut out);
    out
}

fn line(depth: usize, out: &mut String, text: &str) {
    let _ = writeln!(out, "{}{text}", "  ".repeat(depth));
}

fn lines(query: &Query, depth: usize, out: &mut String) {
    for cte in &query.ctes {
        let recursive = if query.recursive { " recursive" } else { "" };
        let columns = names(&cte.columns);
        line(
            depth,
            out,
            &format!("with{recursive} {}{columns}:", cte.name),
        );
        lines(&cte.query, depth + 1, out);
    }
    for arm in &query.arms {
        match arm {
            Arm::Nested(query) => {
                line(depth, out, "nested:");
                lines(query, depth + 1, out);
            }
            Arm::Block(found) => block(found, depth, out),
        }
    }
    for query in &query.tail {
        line(depth, out, "tail:");
        lines(query, depth + 1, out);
    }
    if query.limited {
        line(depth, out, "limited");
    }
}

fn block(block: &Block, depth: usize, out: &mut String) {
    verb(&block.verb, depth, out);
    let depth = depth + 1;
    let mut field = |name: &str, items: Vec<String>| {
        if !items.is_empty() {
            line(depth, out, &format!("{name}: {}", items.join("; ")));
        }
    };
    field("from", block.from.iter().map(from).collect());
    field("facts", block.facts.iter().map(fact).collect());
    field("out", block.outputs.iter().map(output).collect());
    field("calls", block.calls.iter().map(call).collect());
    let locks = block.locks.iter();
    field(
        "locks",
        locks
            .map(|of| of.clone().unwrap_or_else(|| "all".into()))
            .collect(),
    );
    if let Some(on) = &block.distinct_on {
        field("distinct on", vec![operands(on)]);
    }
    field(
        "windows",
        block
            .windows
            .iter()
            .map(|w| format!("[{}]", operands(w)))
            .collect(),
    );
    for item in &block.from {
        within(item, depth, out);
    }
    for (place, query) in block.subqueries.iter().enumerate() {
        line(depth, out, &format!("#{place}:"));
        lines(query, depth + 1, out);
    }
}

fn verb(verb: &Verb, depth: usize, out: &mut String) {
    match verb {
        Verb::Select => line(depth, out, "select"),
        Verb::Values => line(depth, out, "values"),
        Verb::Delete => line(depth, out, "delete"),
        Verb::Update(sets) => line(depth, out, &format!("update set {}", assignments(sets))),
        Verb::Merge(merge) => {
            let source = if merge.by_source { " by source" } else { "" };
            line(
                depth,
                out,
                &format!("merge{source} set {}", assignments(&merge.sets)),
            );
            for (columns, values) in &merge.inserts {
                let text = format!("  insert{} ({})", names(columns), operands(values));
                line(depth, out, &text);
            }
        }
        Verb::Insert(insert) => {
            let alias = insert.alias.iter().map(|alias| format!(" as {alias}"));
            let head = format!(
                "insert {}{}{}",
                insert.target,
                alias.collect::<String>(),
                names(&insert.columns)
            );
            line(depth, out, &head);
            if !insert.conflict_sets.is_empty() {
                let sets = assignments(&insert.conflict_sets);
                line(depth, out, &format!("  on conflict set {sets}"));
            }
            match &insert.source {
                InsertSource::DefaultValues => line(depth, out, "  default values"),
                InsertSource::Values(rows) => {
                    let rows = rows.iter().map(|row| format!("({})", operands(row)));
                    let rows = rows.collect::<Vec<_>>().join(", ");
                    line(depth, out, &format!("  values {rows}"));
                }
                InsertSource::Query(query) => lines(query, depth + 1, out),
            }
        }
    }
}

/// The queries in a FROM item.
fn within(item: &From, depth: usize, out: &mut String) {
    match item {
        From::Table(_) => {}
        From::Derived { alias, query, .. } => {
            line(
                depth,
                out,
                &format!("{}:", alias.clone().unwrap_or_default()),
            );
            lines(query, depth + 1, out);
        }
        From::Function {
            alias, subqueries, ..
        } => {
            for (place, query) in subqueries.iter().enumerate() {
                let alias = alias.clone().unwrap_or_default();
                line(depth, out, &format!("{alias} #{place}:"));
                lines(query, depth + 1, out);
            }
        }
        From::Join(join) => {
            within(&join.left, depth, out);
            within(&join.right, depth, out);
            for (place, query) in join.subqueries.iter().enumerate() {
                line(depth, out, &format!("on #{place}:"));
                lines(query, depth + 1, out);
            }
        }
    }
}

fn names(columns: &[String]) -> String {
    match columns {
        [] => String::new(),
        columns => format!(" ({})", columns.join(", ")),
    }
}

fn from(item: &From) -> String {
    let named = |alias: &Option<String>, columns: &[String]| {
        let alias: String = alias.iter().map(|alias| format!(" as {alias}")).collect();
        alias + &names(columns)
    };
    match item {
        From::Table(table) => {
            let target = if table.target { "target " } else { "" };
            let named = named(&table.alias, &table.columns);
            format!("{target}{}{named}", table.name)
        }
        From::Derived {
            lateral,
            alias,
            columns,
            ..
        } => {
            let lateral = if *lateral { "lateral " } else { "" };
            format!("{lateral}query{}", named(alias, columns))
        }
        From::Function {
            alias,
            columns,
            call: called,
            ..
        } => {
            let called = called.as_ref().map_or_else(|| "function".to_owned(), call);
            called + &named(alias, columns)
        }
        From::Join(found) => join(found),
    }
}

fn join(join: &Join) -> String {
    let kind = match join.kind {
        JoinKind::Inner => "join",
        JoinKind::Left => "left join",
        JoinKind::Right => "right join",
        JoinKind::Full => "full join",
    };
    let natural = if join.natural { "natural " } else { "" };
    let mut text = format!(
        "({} {natural}{kind} {}",
        from(&join.left),
        from(&join.right)
    );
    if !join.on.is_empty() {
        let on: Vec<_> = join.on.iter().map(fact).collect();
        let _ = write!(text, " on {}", on.join("; "));
    }
    if !join.using.is_empty() {
        let _ = write!(text, " using ({})", join.using.join(", "));
    }
    text + ")"
}

fn fact(found: &Fact) -> String {
    match found {
        Fact::Equal { left, right } => format!("{} = {}", operand(left), operand(right)),
        Fact::OneOf {
            operand: left,
            values,
        } => format!("{} in ({})", operand(left), operands(values)),
        Fact::Element {
            operand: left,
            array,
        } => format!("{} = any {}", operand(left), operand(array)),
        Fact::InQuery {
            operands: left,
            subquery,
            single,
        } => {
            let operator = if *single { "=" } else { "in" };
            format!("({}) {operator} #{subquery}", operands(left))
        }
        Fact::Either(arms) => {
            let arm = |arm: &Vec<Fact>| arm.iter().map(fact).collect::<Vec<_>>().join("; ");
            let arms: Vec<_> = arms.iter().map(arm).collect();
            format!("{{{}}}", arms.join(" | "))
        }
    }
}

fn output(output: &Output) -> String {
    match output {
        Output::All(None) => "*".to_owned(),
        Output::All(Some(relation)) => format!("{relation}.*"),
        Output::Column { name, values } => {
            let name = name.clone().unwrap_or_else(|| "unknown".to_owned());
            format!("{name}: {}", operands(values))
        }
    }
}

fn call(call: &Call) -> String {
    let arguments = call.arguments.as_ref();
    let arguments = arguments.map_or_else(|| "unknown".to_owned(), |list| operands(list));
    format!("{}({arguments})", call.name)
}

fn assignments(sets: &[Assignment]) -> String {
    let set = |set: &Assignment| format!("{} = {}", set.column, operand(&set.value));
    sets.iter().map(set).collect::<Vec<_>>().join(", ")
}

fn operands(list: &[Operand]) -> String {
    list.iter().map(operand).collect::<Vec<_>>().join(", ")
}

fn operand(operand: &Operand) -> String {
    match operand {
        Operand::Column(Column { relation, name }) => match relation {
            Some(relation) => format!("{relation}.{name}"),
            None => name.clone(),
        },
        Operand::CastColumn(Column { relation, name }, cast) => {
            let relation = relation.as_ref().map_or(String::new(), |r| format!("{r}."));
            format!("{relation}{name}::{}", cast.name())
        }
        Operand::Constant(Constant::Null) => "null".to_owned(),
        Operand::Constant(Constant::Default) => "default".to_owned(),
        Operand::Constant(Constant::Int(value)) => value.to_string(),
        Operand::Constant(Constant::Unknown(text)) => format!("'{text}'"),
        Operand::Constant(Constant::Typed(of, text)) => format!("{} '{text}'", of.name()),
        Operand::Param { index, cast, array } => {
            let array = if *array { "[]" } else { "" };
            let cast = cast.map_or(String::new(), |cast| format!("::{}", cast.name()));
            format!("${}{cast}{array}", index + 1)
        }
        Operand::Slot(Slot {
            place,
            string,
            negative,
            cast,
            array,
        }) => {
            let sign = if *negative { "-" } else { "" };
            let class = if *string { "string" } else { "integer" };
            let array = if *array { "[]" } else { "" };
            let cast = cast.map_or(String::new(), |cast| format!("::{}", cast.name()));
            format!("{sign}{class}@{place}{cast}{array}")
        }
        Operand::Other => "?".to_owned(),
    }
}
