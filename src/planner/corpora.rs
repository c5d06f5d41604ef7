//! How statements are written in the files that tests read: golden plans (`testdata/*.txt`) and what mappers send
//! (`testdata/orm/*.sql`). Text in, statements out; the tests of other packages read the same files.

/// A statement of a golden file, `----`, what becomes of it, and an empty line.
#[derive(Debug, Default)]
pub struct Golden {
    /// Comments, directives and the statement, as written.
    pub head: String,
    pub sql: String,
    /// Of `#! name: value`.
    pub directives: Vec<(String, String)>,
}

pub fn golden(file: &str) -> Vec<Golden> {
    let mut cases = Vec::new();
    let mut case = Golden::default();
    let mut in_answer = false;
    for line in file.lines() {
        if in_answer {
            in_answer = !line.is_empty();
            continue;
        }
        if line == "----" {
            cases.push(std::mem::take(&mut case));
            in_answer = true;
            continue;
        }
        case.head.push_str(line);
        case.head.push('\n');
        if let Some((name, value)) = line
            .strip_prefix("#! ")
            .and_then(|directive| directive.split_once(": "))
        {
            case.directives.push((name.to_owned(), value.to_owned()));
        } else if !line.starts_with("# ") {
            case.sql.push_str(line);
            case.sql.push('\n');
        }
    }
    cases
}

/// What a mapper or driver sends. Statements stand between empty lines.
#[derive(Debug)]
pub struct Sent {
    /// Who sends it: of the last line `-- orm: NAME`.
    pub orm: String,
    /// OIDs that Parse declares: of a line `-- types: 20,25` before it.
    pub types: Vec<u32>,
    /// Without the semicolon at its end, which is the splitter's.
    pub sql: String,
}

/// Errors: a text that is no OID.
pub fn sent(file: &str) -> Result<Vec<Sent>, std::num::ParseIntError> {
    let (mut orm, mut types, mut lines) = (String::new(), Vec::new(), Vec::new());
    let mut statements = Vec::new();
    for line in file.lines().chain([""]) {
        if let Some(name) = line.strip_prefix("-- orm: ") {
            orm = name.to_owned();
        } else if let Some(oids) = line.strip_prefix("-- types: ") {
            types = oids.split(',').map(str::parse).collect::<Result<_, _>>()?;
        } else if !line.is_empty() {
            lines.push(line);
        } else if !lines.is_empty() {
            let sql = std::mem::take(&mut lines).join("\n");
            statements.push(Sent {
                orm: orm.clone(),
                types: std::mem::take(&mut types),
                sql: sql.trim_end_matches(';').to_owned(),
            });
        }
    }
    Ok(statements)
}
