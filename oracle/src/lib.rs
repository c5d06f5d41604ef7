//! The relations a statement names, by PostgreSQL's own grammar (`libpg_query`), and the statements of
//! Trunkline's corpora. `tests/relations.rs` compares.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use trunkline::internals::corpora::{golden, sent};

/// What PostgreSQL's parser makes of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    /// A query or statement that writes, and the relations it names, with their schemas where it gives them.
    /// Names of WITH are none.
    Relations(BTreeSet<String>),
    /// Anything else.
    Other,
    Error(String),
}

/// Reads one statement. The tree is walked as a whole, whatever its nodes are: what is spelled like a table's
/// place is one.
pub fn relations(text: &str) -> Reading {
    let parsed = match pg_query::parse(text, 0) {
        Ok(parsed) => parsed,
        Err(error) => return Reading::Error(error.to_string()),
    };
    let tree = serde_json::to_value(&parsed.protobuf).expect("a tree of plain values");
    let statements = tree["stmts"].as_array().cloned().unwrap_or_default();
    let [statement] = statements.as_slice() else {
        return Reading::Error(format!("{} statements", statements.len()));
    };
    let queries = [
        "SelectStmt",
        "InsertStmt",
        "UpdateStmt",
        "DeleteStmt",
        "MergeStmt",
    ];
    let node = &statement["stmt"]["node"];
    if !queries.iter().any(|query| !node[query].is_null()) {
        return Reading::Other;
    }
    let mut walk = Walk::default();
    walk.value(node, false);
    Reading::Relations(walk.found)
}

#[derive(Default)]
struct Walk {
    /// Names of WITH that are in sight.
    ctes: Vec<String>,
    found: BTreeSet<String>,
}

impl Walk {
    /// `target` is set for what INSERT, UPDATE, DELETE or MERGE writes, which is never a name of WITH.
    fn value(&mut self, value: &Value, target: bool) {
        match value {
            Value::Array(values) => values.iter().for_each(|value| self.value(value, false)),
            Value::Object(fields)
                if fields.contains_key("relname") && fields.contains_key("relpersistence") =>
            {
                self.range_var(value, target);
            }
            Value::Object(fields) => {
                let before = self.ctes.len();
                if let Some(with) = fields.get("with_clause") {
                    self.with(with);
                }
                let writes = fields.contains_key("returning_list")
                    || fields.contains_key("returning_clause")
                    || fields.contains_key("merge_when_clauses");
                for (name, value) in fields {
                    match name.as_str() {
                        // The aliases after FOR UPDATE OF; the list of WITH has been walked.
                        "locking_clause" | "with_clause" => {}
                        "relation" => self.value(value, writes),
                        _ => self.value(value, false),
                    }
                }
                self.ctes.truncate(before);
            }
            _ => {}
        }
    }

    fn with(&mut self, with: &Value) {
        let recursive = with["recursive"].as_bool() == Some(true);
        let ctes = with["ctes"].as_array().cloned().unwrap_or_default();
        let ctes: Vec<&Value> = ctes
            .iter()
            .map(|cte| &cte["node"]["CommonTableExpr"])
            .collect();
        let name = |cte: &Value| cte["ctename"].as_str().unwrap_or_default().to_owned();
        if recursive {
            self.ctes.extend(ctes.iter().map(|cte| name(cte)));
        }
        for cte in ctes {
            self.value(&cte["ctequery"], false);
            if !recursive {
                self.ctes.push(name(cte));
            }
        }
    }

    fn range_var(&mut self, relation: &Value, target: bool) {
        let text = |field: &str| relation[field].as_str().unwrap_or_default().to_owned();
        let (schema, name) = (text("schemaname"), text("relname"));
        if !schema.is_empty() {
            self.found.insert(format!("{schema}.{name}"));
        } else if target || !self.ctes.contains(&name) {
            self.found.insert(name);
        }
    }
}

/// A statement of a corpus.
#[derive(Clone, Debug)]
pub struct Statement {
    /// Its file, and its number there.
    pub place: String,
    pub sql: String,
}

/// All statements of the golden files, of the mappers' corpus and of the integration tests' cases.
pub fn corpora() -> Vec<Statement> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut statements = Vec::new();
    for path in files(&root.join("src/planner/testdata"), "txt") {
        let cases = golden(&text(&path));
        // The splitter takes the semicolon of a simple query.
        let texts = cases
            .iter()
            .map(|case| case.sql.trim_end_matches([';', '\n']));
        add(&path, texts, &mut statements);
    }
    for path in files(&root.join("src/planner/testdata/orm"), "sql") {
        let sent = sent(&text(&path)).expect("OIDs");
        add(&path, sent.iter().map(|sent| &*sent.sql), &mut statements);
    }
    for path in files(&root.join("integration-tests/cases"), "txt") {
        let text = text(&path);
        let paragraphs: Vec<String> = text.split("\n\n").map(without_comments).collect();
        add(
            &path,
            paragraphs.iter().map(String::as_str),
            &mut statements,
        );
    }
    statements
}

fn files(directory: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("the directory exists");
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.expect("a readable entry").path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .filter(|path| !path.ends_with("schema.sql"))
        .collect();
    paths.sort();
    paths
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).expect("a readable file")
}

fn without_comments(paragraph: &str) -> String {
    let lines = paragraph.lines().filter(|line| !line.starts_with('#'));
    lines.collect::<Vec<_>>().join("\n")
}

fn add<'t>(path: &Path, texts: impl Iterator<Item = &'t str>, statements: &mut Vec<Statement>) {
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    for (number, text) in texts.filter(|text| !text.trim().is_empty()).enumerate() {
        let (place, sql) = (format!("{file} {}", number + 1), text.to_owned());
        statements.push(Statement { place, sql });
    }
}
