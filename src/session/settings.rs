//! What the session has SET, so that it stays true on whichever server connection comes next.
//!
//! A setting is kept as the client's own statement and replayed as text; values are not interpreted,
//! except `search_path` and the role, which the planner must know, and those under `trunkline.`, which no
//! server hears of. What a transaction sets counts when it commits.
//! Source: <https://www.postgresql.org/docs/current/sql-set.html>

use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::LazyLock;

use crate::backend::SettingsMark;
use crate::error::{PgError, SqlState, named};
use crate::plan::{Control, Hint, Setting};
use crate::planner::{self, KEY, KEYSPACE, SHARD, is_own_setting};
use crate::shardmap::ShardMap;
use crate::sql;

/// Settings a startup packet brings; others in it are refused by name.
const STARTUP_BYTES_MAX: usize = 10_000;

/// A session may hold this many bytes of SET statements; a fence against one that sets without end.
const SETTINGS_BYTES_MAX: usize = 64 * 1024;

/// What servers read literals under, when they parse a statement.
const READING: &[&str] = &[
    "array_nulls",
    "datestyle",
    "intervalstyle",
    "lc_monetary",
    "timezone",
    "xmloption",
];

static KEYS: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// One setting that differs from the server's default.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    name: String,
    /// The statement that sets it.
    text: String,
    values: Option<Vec<String>>,
}

/// A change made in a transaction that has not committed.
#[derive(Clone, Debug)]
enum Change {
    Set(Entry),
    /// SET LOCAL: seen by the planner, never replayed.
    Local(Entry),
    Reset(Option<String>),
}

/// Everything the session has SET.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// From the startup packet: what RESET returns to.
    startup: Vec<Entry>,
    entries: Vec<Entry>,
    changes: Vec<Change>,
    /// The entries before the first SET of a pipeline that has not come to its Sync: an error in the rest
    /// of it takes that SET back.
    before_pipeline: Option<Vec<Entry>>,
    savepoints: Vec<(String, usize)>,
    mark: SettingsMark,
    search_path: Option<Vec<String>>,
    /// Of SET ROLE.
    role: Option<String>,
    /// Rises whenever `search_path` or the role changes.
    names_version: u64,
    /// Equal where the settings of [`READING`] are.
    reading: u64,
    /// What the settings of our own ask for.
    hint: Option<Hint>,
    /// Rises whenever `hint` changes.
    hint_version: u64,
}

impl Settings {
    /// Takes the startup packet's parameters, which act as defaults of the session. Of two that set the same the
    /// later one counts.
    ///
    /// Errors: what SET would be refused for; 22023 for a list that cannot be read; 42704 for names of our own that
    /// are no settings.
    pub fn from_startup<'a>(
        parameters: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, PgError> {
        let mut settings = Self::default();
        for (name, value) in parameters {
            let setting = Setting {
                name: name.to_ascii_lowercase(),
                values: Some(list(name, value)?),
            };
            planner::check_setting(&setting)?;
            settings.startup.push(Entry {
                text: startup_text(&setting),
                name: setting.name,
                values: setting.values,
            });
        }
        debug_assert!(
            settings.startup.iter().map(|e| e.name.len()).sum::<usize>() <= STARTUP_BYTES_MAX
        );
        settings.refresh();
        Ok(settings)
    }

    /// Identifies this set of values; equal marks mean equal settings on a connection.
    pub fn mark(&self) -> SettingsMark {
        self.mark
    }

    /// What unqualified names are looked up in; `None` for the server's default.
    pub fn search_path(&self) -> Option<&[String]> {
        self.search_path.as_deref()
    }

    /// The role the session has taken, `none` for the one it logged in with; `None` where it has not set any, and
    /// begins in one that the servers know.
    pub fn role(&self) -> Option<&str> {
        self.role.as_deref()
    }

    /// Another number means that names may mean something else.
    pub fn names_version(&self) -> u64 {
        self.names_version
    }

    /// Another number means that a server may read a literal otherwise.
    pub fn reading(&self) -> u64 {
        self.reading
    }

    /// Where the session wants its statements to go.
    pub fn hint(&self) -> Option<&Hint> {
        self.hint.as_ref()
    }

    pub fn hint_version(&self) -> u64 {
        self.hint_version
    }

    /// What SHOW answers for a setting of our own; empty where it is not set.
    pub fn own(&self, name: &str) -> &str {
        let entry = match name {
            SHARD | KEY => self.hint_entry().filter(|entry| entry.name == name),
            _ => self.current(name),
        };
        let values = entry.and_then(|entry| entry.values.as_deref());
        values
            .and_then(<[String]>::first)
            .map_or("", String::as_str)
    }

    /// Checks what the startup packet brought of our own settings.
    ///
    /// Errors: 22023 for values that mean nothing in this map, and for two that exclude each other; 42704
    /// for unknown names.
    pub fn check_startup(&self, map: &ShardMap) -> Result<(), PgError> {
        let own = || self.startup.iter().filter(|entry| is_own(entry));
        for entry in own() {
            let setting = Setting {
                name: entry.name.clone(),
                values: entry.values.clone(),
            };
            planner::check_own_setting(&setting, map)?;
        }
        let has = |name: &str| own().any(|entry| entry.name == name);
        if has(SHARD) && has(KEY) {
            return Err(PgError::client(
                SqlState::INVALID_PARAMETER_VALUE,
                format!("{SHARD} and {KEY} exclude each other"),
            ));
        }
        Ok(())
    }

    /// The statements that bring a connection with default settings to this session's.
    pub fn replay(&self) -> String {
        let statements: Vec<&str> = self
            .startup
            .iter()
            .chain(&self.entries)
            .filter(|entry| !is_own(entry))
            .map(|e| e.text.as_str())
            .collect();
        statements.join(";\n")
    }

    /// As `replay`, for a connection that has these settings.
    pub fn replay_onto(&self, has: SettingsMark) -> String {
        let back = match has {
            SettingsMark(0) => "",
            _ => "SET SESSION AUTHORIZATION DEFAULT; RESET ALL;\n",
        };
        back.to_owned() + &self.replay()
    }

    /// The statements that bring a connection with what [`Self::replay`] sets to what the transaction has set since, each
    /// with a semicolon behind it.
    pub fn pending(&self) -> String {
        let own = |name: &str| is_own_setting(name);
        let mut text = String::new();
        let mut push = |statement: &str| {
            text.push_str(statement);
            text.push_str("\n;");
        };
        for change in &self.changes {
            match change {
                Change::Set(entry) | Change::Local(entry) if own(&entry.name) => {}
                Change::Set(entry) | Change::Local(entry) => push(&entry.text),
                Change::Reset(Some(name)) if own(name) => {}
                Change::Reset(name) => {
                    match name {
                        Some(name) => push(&format!("RESET \"{}\"", name.replace('"', "\"\""))),
                        None => push("RESET ALL"),
                    }
                    if let Some(restore) = self.replay_startup(name.as_deref(), false) {
                        push(&restore);
                    }
                }
            }
        }
        text
    }

    /// Errors: 54000 where one more statement of this size would be too much.
    pub fn check_room(&self, text: &str) -> Result<(), PgError> {
        if !self.is_full(text) {
            return Ok(());
        }
        Err(PgError::proxy(
            SqlState::PROGRAM_LIMIT_EXCEEDED,
            "the session's settings take too much room",
        ))
    }

    fn is_full(&self, text: &str) -> bool {
        let pending = self.changes.iter().map(|change| match change {
            Change::Set(entry) | Change::Local(entry) => entry.text.len(),
            Change::Reset(_) => 0,
        });
        let held: usize = self
            .entries
            .iter()
            .map(|e| e.text.len())
            .chain(pending)
            .sum();
        held + text.len() > SETTINGS_BYTES_MAX
    }

    /// A SET succeeded. Outside a transaction it counts at once (`commit` follows).
    pub fn set(&mut self, setting: &Setting, local: bool, text: &str) {
        if setting.values.is_none() && !local {
            // TO DEFAULT.
            return self.reset(Some(&setting.name));
        }
        let mut entry = Entry {
            name: setting.name.clone(),
            text: text.to_owned(),
            values: setting.values.clone(),
        };
        // Of shard and key the last one counts, which need not be this one (`hint_entry`).
        if entry.values.is_none() && !matches!(&*entry.name, SHARD | KEY) {
            let startup = self.startup.iter().rfind(|start| start.name == entry.name);
            entry.values = startup.and_then(|start| start.values.clone());
        }
        self.changes.push(if local {
            Change::Local(entry)
        } else {
            Change::Set(entry)
        });
        // The mark is that of what is committed.
        self.refresh_planning();
    }

    /// A RESET of one setting, or of all, succeeded.
    pub fn reset(&mut self, name: Option<&str>) {
        self.changes.push(Change::Reset(name.map(str::to_owned)));
        self.refresh_planning();
    }

    /// The statements that restore what RESET of this setting (or of all), or TO DEFAULT, should return to, if the
    /// startup packet said so.
    pub fn replay_startup(&self, name: Option<&str>, local: bool) -> Option<String> {
        let texts: Vec<String> = self
            .startup
            .iter()
            .filter(|entry| !is_own(entry) && name.is_none_or(|name| entry.name == name))
            .map(|entry| match entry.text.strip_prefix("SET ") {
                Some(rest) if local => format!("SET LOCAL {rest}"),
                _ => entry.text.clone(),
            })
            .collect();
        (!texts.is_empty()).then(|| texts.join(";\n"))
    }

    /// The transaction has SET or RESET something.
    pub fn has_changes(&self) -> bool {
        !self.changes.is_empty()
    }

    pub fn has_savepoint(&self, name: &str) -> bool {
        self.savepoints.iter().any(|(n, _)| n == name)
    }

    pub fn savepoint(&mut self, name: &str) {
        self.savepoints.push((name.to_owned(), self.changes.len()));
    }

    pub fn release(&mut self, name: &str) {
        if let Some(at) = self.savepoints.iter().rposition(|(n, _)| n == name) {
            self.savepoints.truncate(at);
        }
    }

    pub fn rollback_to(&mut self, name: &str) {
        if let Some(at) = self.savepoints.iter().rposition(|(n, _)| n == name) {
            self.savepoints.truncate(at + 1);
            self.changes.truncate(self.savepoints[at].1);
            self.refresh_planning();
        }
    }

    /// A SET outside a transaction block takes effect, until its pipeline fails.
    pub fn commit_in_pipeline(&mut self) {
        let before = self.before_pipeline.take();
        let before = before.unwrap_or_else(|| self.entries.clone());
        self.commit();
        self.before_pipeline = Some(before);
    }

    /// The transaction committed.
    pub fn commit(&mut self) {
        self.before_pipeline = None;
        self.savepoints.clear();
        if self.changes.is_empty() {
            return;
        }
        for change in std::mem::take(&mut self.changes) {
            match change {
                Change::Local(_) => {}
                // RESET ALL leaves the role alone.
                Change::Reset(None) => self.entries.retain(|e| e.name == "role"),
                Change::Reset(Some(name)) => self.entries.retain(|e| e.name != name),
                Change::Set(entry) => {
                    let excluded = match entry.name.as_str() {
                        SHARD => KEY,
                        KEY => SHARD,
                        name => name,
                    };
                    self.entries
                        .retain(|e| e.name != entry.name && e.name != excluded);
                    self.entries.push(entry);
                }
            }
        }
        self.refresh();
    }

    /// What a statement that succeeded means for the settings. `failed`: its transaction had before. True
    /// where it took back what connections already have.
    pub fn take_effect(&mut self, control: &Control, statement: &str, failed: bool) -> bool {
        match control {
            Control::Commit { .. } if failed => return self.rollback(),
            Control::Rollback { .. } => return self.rollback(),
            Control::Set { setting, local } => self.set(setting, *local, statement),
            Control::Reset { name } => self.reset(name.as_deref()),
            Control::Savepoint { name } => self.savepoint(name),
            Control::Release { name } => self.release(name),
            Control::RollbackTo { name } => self.rollback_to(name),
            Control::Commit { .. } => self.commit(),
            _ => {}
        }
        false
    }

    /// The transaction rolled back. True where that took back what connections already have.
    #[must_use = "the connection in use has settings the session no longer has"]
    pub fn rollback(&mut self) -> bool {
        self.savepoints.clear();
        let before = self.before_pipeline.take();
        let undone = before.is_some();
        if let Some(entries) = before {
            self.entries = entries;
        }
        if undone || !self.changes.is_empty() {
            self.changes.clear();
            self.refresh();
        }
        undone
    }

    fn refresh(&mut self) {
        let all = self.startup.iter().chain(&self.entries);
        self.mark = mark(all.filter(|entry| !is_own(entry)));
        self.refresh_planning();
    }

    /// What plans depend on.
    fn refresh_planning(&mut self) {
        let values = |name| self.current(name).and_then(|entry| entry.values.clone());
        let search_path = values("search_path");
        let role = values("role").and_then(|values| values.into_iter().next());
        if search_path != self.search_path || role != self.role {
            self.search_path = search_path;
            self.role = role;
            self.names_version += 1;
        }
        let mut hasher = KEYS.build_hasher();
        for name in READING {
            self.current(name)
                .map(|entry| &entry.values)
                .hash(&mut hasher);
        }
        self.reading = hasher.finish();
        let (shard, key) = (self.own(SHARD), self.own(KEY));
        let hint = planner::of_settings(Some(shard), Some(key), Some(self.own(KEYSPACE)));
        if hint != self.hint {
            self.hint = hint;
            self.hint_version += 1;
        }
    }

    /// What a setting is set to; `None` for the server's default.
    fn current(&self, name: &str) -> Option<&Entry> {
        let of = |entry: &&Entry| entry.name == name;
        // RESET ALL leaves the role alone.
        let all = name != "role";
        // The last word of the transaction, from the end: a string of statements may have said much before.
        for change in self.changes.iter().rev() {
            match change {
                Change::Set(entry) | Change::Local(entry) if of(&entry) => return Some(entry),
                Change::Reset(reset) if reset.as_deref().map_or(all, |reset| reset == name) => {
                    return self.startup.iter().rfind(of);
                }
                _ => {}
            }
        }
        let committed = self.entries.iter().rfind(of);
        committed.or_else(|| self.startup.iter().rfind(of))
    }

    /// The shard or the key that is set: of the two the last one counts.
    fn hint_entry(&self) -> Option<&Entry> {
        let of = |name: &str| matches!(name, SHARD | KEY);
        let startup = || self.startup.iter().rfind(|entry| of(&entry.name));
        // Those of the two that have been taken back since.
        let mut unset: Vec<&str> = Vec::new();
        for change in self.changes.iter().rev() {
            match change {
                Change::Reset(None) => return startup(),
                Change::Reset(Some(name)) if of(name) => unset.push(name),
                Change::Set(entry) | Change::Local(entry) if of(&entry.name) => {
                    match &entry.values {
                        _ if unset.contains(&entry.name.as_str()) => {}
                        Some(_) => return Some(entry),
                        None => unset.push(&entry.name),
                    }
                }
                _ => {}
            }
        }
        let counts = |entry: &&Entry| of(&entry.name) && !unset.contains(&entry.name.as_str());
        self.entries.iter().rfind(counts).or_else(startup)
    }
}

fn is_own(entry: &Entry) -> bool {
    is_own_setting(&entry.name)
}

/// Zero for no settings. Two different sets get equal marks with a chance of 2^-64; the key is
/// random, so nobody can look for such a pair.
fn mark<'a>(entries: impl Iterator<Item = &'a Entry>) -> SettingsMark {
    let mut hasher = KEYS.build_hasher();
    let mut any = false;
    for entry in entries {
        any = true;
        hasher.write(entry.text.as_bytes());
        hasher.write_u8(0);
    }
    SettingsMark(if any { hasher.finish().max(1) } else { 0 })
}

/// Names of settings may have several parts. A list keeps its elements: the server would take one string for one
/// name.
fn startup_text(setting: &Setting) -> String {
    let name = setting.name.split('.');
    let name: Vec<_> = name
        .map(|part| format!("\"{}\"", part.replace('"', "\"\"")))
        .collect();
    let values = setting.values.iter().flatten();
    let mut values: Vec<_> = values
        .map(|value| format!("'{}'", value.replace('\'', "''")))
        .collect();
    if values.is_empty() {
        // No schema has the empty name.
        values.push("''".to_owned());
    }
    format!("SET {} TO {}", name.join("."), values.join(", "))
}

fn list(name: &str, value: &str) -> Result<Vec<String>, PgError> {
    if !name.eq_ignore_ascii_case("search_path") {
        return Ok(vec![value.to_owned()]);
    }
    sql::name_list(value).ok_or_else(|| {
        let message = format!(
            "invalid value for parameter \"search_path\": \"{}\"",
            named(value)
        );
        PgError::client(SqlState::INVALID_PARAMETER_VALUE, message)
            .with_detail("List syntax is invalid.")
    })
}

#[cfg(test)]
mod tests;
