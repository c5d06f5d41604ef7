//! Finds paths from one room into another in Rust sources.

/// A file of the package: its path under `src/`, and its text.
pub struct Source<'a> {
    pub path: &'a str,
    pub text: &'a str,
}

/// The modules of `lib.rs`, bottom-up.
pub struct Rooms {
    names: Vec<String>,
}

impl Rooms {
    pub fn read(lib: &str) -> Self {
        let declared = |line: &str| {
            let declaration = line.strip_suffix(';')?;
            let (visibility, name) = declaration.split_once("mod ")?;
            let outer = matches!(visibility, "" | "pub " | "pub(crate) ");
            outer.then(|| name.to_owned())
        };
        Self {
            names: lib.lines().filter_map(declared).collect(),
        }
    }

    /// Every forbidden path in a file, as `path:line: why`.
    pub fn faults(&self, source: &Source<'_>, doors: &[(&str, &[&str])]) -> Vec<String> {
        let module = module_of(source.path);
        let Some(room) = module.first().map(String::as_str) else {
            return Vec::new();
        };
        // Test modules next door are exempt, as inline ones are.
        if source.path.ends_with("/tests.rs") || source.path.contains("/tests/") {
            return Vec::new();
        }
        let Some(own) = self.position(room) else {
            return Vec::new();
        };
        let code = without_tests(&without_text(source.text));
        let mut faults = Vec::new();
        for found in paths(&code) {
            let line = 1 + code[..found.at].matches('\n').count();
            let place = format!("{}:{line}", source.path);
            for target in self.targets(&module, &found) {
                let theirs = self.position(&target);
                if theirs.is_some_and(|theirs| theirs > own) {
                    faults.push(format!(
                        "{place}: `{room}` imports `{target}`, which is listed below it"
                    ));
                }
            }
            let first = found.first();
            let guarded = doors.iter().find(|(name, _)| *name == first);
            if let Some((name, rooms)) = guarded.filter(|(_, rooms)| !rooms.contains(&room)) {
                faults.push(format!(
                    "{place}: the crate `{name}` belongs to {}",
                    rooms.join(" and ")
                ));
            }
        }
        faults
    }

    fn position(&self, room: &str) -> Option<usize> {
        self.names.iter().position(|name| name == room)
    }

    /// The rooms a path leads to: one, or several for `crate::{a::X, b::Y}`.
    fn targets(&self, module: &[String], found: &Found<'_>) -> Vec<String> {
        match found.first() {
            "crate" => found.second(),
            "super" => {
                // `super` in module a::b is a; in a room itself it is the package.
                let ups = found.leading_supers();
                let inline = module.len() as isize - ups as isize;
                if inline <= 0 {
                    found.after(ups)
                } else {
                    Vec::new()
                }
            }
            _ => Vec::new(),
        }
    }
}

/// `sql/scope/names.rs` is the module sql::scope::names, `sql/mod.rs` is sql.
fn module_of(path: &str) -> Vec<String> {
    let path = path.strip_suffix(".rs").unwrap_or(path);
    let path = path.strip_suffix("/mod").unwrap_or(path);
    match path {
        "lib" | "main" => Vec::new(),
        _ => path.split('/').map(str::to_owned).collect(),
    }
}

/// A path in the code: where it starts, and the code from there on.
struct Found<'a> {
    at: usize,
    rest: &'a str,
}

impl Found<'_> {
    fn first(&self) -> &str {
        let end = self
            .rest
            .find(|c: char| !is_name(c))
            .unwrap_or(self.rest.len());
        &self.rest[..end]
    }

    fn second(&self) -> Vec<String> {
        self.after(1)
    }

    fn leading_supers(&self) -> usize {
        let segments = self.rest.split("::").map(str::trim);
        segments.take_while(|segment| *segment == "super").count()
    }

    /// The names after the first `skip` segments, all of them where braces list several.
    fn after(&self, skip: usize) -> Vec<String> {
        let mut rest = self.rest;
        for _ in 0..skip {
            match rest.split_once("::") {
                Some((_, after)) => rest = after.trim_start(),
                None => return Vec::new(),
            }
        }
        let Some(list) = rest.strip_prefix('{') else {
            let end = rest.find(|c: char| !is_name(c)).unwrap_or(rest.len());
            return vec![rest[..end].to_owned()];
        };
        let (mut names, mut depth, mut name) = (Vec::new(), 0, String::new());
        let mut at_start = true;
        for c in list.chars() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => at_start = true,
                c if depth == 0 && at_start && is_name(c) => name.push(c),
                _ if !name.is_empty() => at_start = false,
                _ => {}
            }
            if (!at_start || c == ',') && !name.is_empty() {
                names.push(std::mem::take(&mut name));
            }
        }
        if !name.is_empty() {
            names.push(name);
        }
        names
    }
}

/// Every place where a path of two or more segments starts.
fn paths(code: &str) -> Vec<Found<'_>> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(position) = code[from..].find("::") {
        let end = from + position;
        let start = code[..end]
            .rfind(|c: char| !is_name(c))
            .map_or(0, |at| at + 1);
        let before = code[..start].trim_end();
        // Not in the middle of a longer path, which was found where it starts.
        let longer = before
            .strip_suffix("::")
            .is_some_and(|b| b.ends_with(|c| is_name(c) || c == '>'));
        if start < end && !longer {
            found.push(Found {
                at: start,
                rest: &code[start..],
            });
        }
        from = end + 2;
    }
    found
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Blanks comments and the contents of strings, keeping every line where it is.
fn without_text(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = match (chars[at], chars.get(at + 1)) {
            ('/', Some('/')) => line_end(&chars, at),
            ('/', Some('*')) => comment_end(&chars, at),
            ('"', _) => string_end(&chars, at),
            ('r', Some('"' | '#'))
                if !at
                    .checked_sub(1)
                    .is_some_and(|b| is_name(chars[b]) && chars[b] != 'b') =>
            {
                raw_string_end(&chars, at)
            }
            ('\'', _) => char_end(&chars, at),
            _ => at,
        };
        if end == at {
            code.push(chars[at]);
            at += 1;
        } else {
            code.extend(
                chars[at..end]
                    .iter()
                    .map(|c| if *c == '\n' { '\n' } else { ' ' }),
            );
            at = end;
        }
    }
    code
}

fn line_end(chars: &[char], from: usize) -> usize {
    chars[from..]
        .iter()
        .position(|c| *c == '\n')
        .map_or(chars.len(), |n| from + n)
}

fn comment_end(chars: &[char], from: usize) -> usize {
    let (mut depth, mut at) = (0, from);
    while at + 1 < chars.len() {
        match (chars[at], chars[at + 1]) {
            ('/', '*') => (depth, at) = (depth + 1, at + 2),
            ('*', '/') => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    chars.len()
}

fn string_end(chars: &[char], from: usize) -> usize {
    let mut at = from + 1;
    while at < chars.len() {
        match chars[at] {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    chars.len()
}

fn raw_string_end(chars: &[char], from: usize) -> usize {
    let hashes = chars[from + 1..].iter().take_while(|c| **c == '#').count();
    if chars.get(from + 1 + hashes) != Some(&'"') {
        return from;
    }
    let mut at = from + 2 + hashes;
    while at < chars.len() {
        let closing = chars[at] == '"'
            && chars[at + 1..]
                .iter()
                .take(hashes)
                .filter(|c| **c == '#')
                .count()
                == hashes;
        if closing {
            return at + 1 + hashes;
        }
        at += 1;
    }
    chars.len()
}

/// A character literal; a lifetime's apostrophe stays.
fn char_end(chars: &[char], from: usize) -> usize {
    match (chars.get(from + 1), chars.get(from + 2)) {
        (Some('\\'), _) => chars[from + 3..]
            .iter()
            .position(|c| *c == '\'')
            .map_or(from, |n| from + 4 + n),
        (Some(_), Some('\'')) => from + 3,
        _ => from,
    }
}

/// Blanks every item under `#[cfg(test)]`.
fn without_tests(code: &str) -> String {
    let mut code = code.to_owned();
    let mut from = 0;
    while let Some(position) = code[from..].find("#[cfg(test)]") {
        let start = from + position;
        let end = item_end(&code, start + "#[cfg(test)]".len());
        let blank: String = code[start..end]
            .chars()
            .map(|c| if c == '\n' { '\n' } else { ' ' })
            .collect();
        code.replace_range(start..end, &blank);
        from = start + blank.len();
    }
    code
}

/// An item ends with its closing brace, or with a semicolon before any brace.
fn item_end(code: &str, from: usize) -> usize {
    let mut depth = 0;
    for (offset, c) in code[from..].char_indices() {
        match c {
            ';' if depth == 0 => return from + offset + 1,
            '{' => depth += 1,
            '}' => {
                depth -= 1;
                if depth == 0 {
                    return from + offset + 1;
                }
            }
            _ => {}
        }
    }
    code.len()
}

mod tests {
    use super::*;

    const LIB: &str =
        "//! The package.\nmod error;\n/// Words.\npub(crate) mod types;\nmod sql;\npub mod cli;\n";

    fn check(path: &str, text: &str) -> Vec<String> {
        Rooms::read(LIB).faults(&Source { path, text }, &[("sqlparser", &["sql"])])
    }

    #[test]
    fn upward_imports_are_fine() {
        let text = "use crate::error::PgError;\nuse crate::{error, types::Oid};\nuse std::fmt;";
        assert_eq!(check("sql/mod.rs", text), [""; 0]);
        assert_eq!(
            check("cli/mod.rs", "fn f() { crate::sql::parse() }"),
            [""; 0]
        );
    }

    #[test]
    fn downward_imports_are_named_with_their_line() {
        let expected = ["types/oid.rs:2: `types` imports `sql`, which is listed below it"];
        assert_eq!(
            check("types/oid.rs", "\nuse crate::sql::Statement;"),
            expected
        );
        assert_eq!(
            check("types/oid.rs", "\nfn f(s: &crate::sql::Statement) {}"),
            expected
        );
        assert_eq!(
            check(
                "types/oid.rs",
                "\nuse crate::{error::E, sql::{self, Piece}, types};"
            ),
            expected
        );
        assert_eq!(
            check("types/oid.rs", "\nuse super::super::sql::Statement;"),
            expected
        );
        assert_eq!(check("types/oid.rs", "\nuse crate::\n    sql;").len(), 1);
        assert_eq!(check("types/mod.rs", "use super::cli::run;").len(), 1);
        assert_eq!(check("types/mod.rs", "use super::{error, cli};").len(), 1);
        assert_eq!(check("error.rs", "use crate::types::Oid;").len(), 1);
    }

    #[test]
    fn super_within_a_room_is_fine() {
        assert_eq!(
            check("types/oid.rs", "use super::sql::Local; use super::Key;"),
            [""; 0]
        );
        assert_eq!(
            check("types/key/text.rs", "use super::super::sql;"),
            [""; 0]
        );
    }

    #[test]
    fn tests_comments_and_strings_are_exempt() {
        let text = "// use crate::sql;\n/* crate::cli::x /* crate::sql::y */ */\nconst A: &str = \"crate::sql::x \\\" crate::cli::y\";\n\
                    const B: &str = r#\"crate::sql::\"x\"\"#;\nconst C: char = '\"'; fn f<'a>(x: &'a str) {}\n\
                    #[cfg(test)]\nmod tests {\n    use crate::sql::x;\n}\n#[cfg(test)]\nuse crate::cli::run;\n";
        assert_eq!(check("types/mod.rs", text), [""; 0]);
        assert_eq!(
            check("types/mod.rs", &format!("{text}use crate::cli::x;")).len(),
            1
        );
        assert_eq!(check("types/key/tests.rs", "use crate::sql::x;"), [""; 0]);
    }

    #[test]
    fn crates_have_one_door() {
        let text = "use sqlparser::ast::Expr;";
        assert_eq!(check("sql/parse.rs", text), [""; 0]);
        assert_eq!(
            check("cli/mod.rs", text),
            ["cli/mod.rs:1: the crate `sqlparser` belongs to sql"]
        );
        assert_eq!(
            check("cli/mod.rs", "fn f(e: ::sqlparser::ast::Expr) {}").len(),
            1
        );
    }
}
