//! Prepared statements: one global name for each text, so that a server connection prepares it
//! once for all clients, and not before somebody needs it there.

use std::hash::BuildHasher;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use hashbrown::{Equivalent, HashMap};
use lru::LruCache;

use crate::backend::{SettingsMark, StatementId};
use crate::error::{PgError, SqlState};
use crate::executor::Signature;
use crate::plan::Planned;
use crate::shardmap::MapVersion;
use crate::types::Oid;
use crate::wire::Description;

/// Named statements one session may hold.
const STATEMENTS_MAX: usize = 10_000;

/// What their names, texts and parameter types may take together.
const STATEMENT_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Texts remembered beyond those in use, before the unused are swept out.
const SWEEP_AT_LEAST: usize = 1_024;

/// The same in bytes: an unused text takes its room until then.
const SWEEP_BYTES: usize = 16 * 1024 * 1024;

/// A statement's text with all that its meaning on a server depends on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Identity {
    text: Arc<str>,
    param_types: Vec<Oid>,
    /// Literals are read under the settings of Parse (DateStyle, search_path …).
    settings: SettingsMark,
}

/// The same, as asked for.
#[derive(Clone, Copy, Hash)]
struct Asked<'a> {
    text: &'a str,
    param_types: &'a [Oid],
    settings: SettingsMark,
}

impl Equivalent<Identity> for Asked<'_> {
    fn equivalent(&self, known: &Identity) -> bool {
        *self.text == *known.text
            && *self.param_types == *known.param_types
            && self.settings == known.settings
    }
}

/// Texts that shards are sent and that keep their names, whether or not a session holds them.
const SENT_MAX: NonZeroUsize = NonZeroUsize::new(1_000).unwrap();

/// Longer ones have none.
const SENT_BYTES_MAX: usize = 16 * 1024;

/// Texts remembered as sent once.
const SEEN: usize = 4 << 10;

/// What the servers know a text by; shared by all sessions that hold it.
#[derive(Debug)]
pub struct Global {
    pub id: StatementId,
    /// The name on server connections, NUL left out.
    pub name: Vec<u8>,
    pub text: Arc<str>,
    pub param_types: Vec<Oid>,
    settings: SettingsMark,
}

impl Global {
    fn is_of(&self, text: &str, param_types: &[Oid], settings: SettingsMark) -> bool {
        self.settings == settings && *self.param_types == *param_types && *self.text == *text
    }
}

/// What a plan was made under. Another one means planning again: tables may have moved, a view may
/// have appeared, an unqualified name may mean another table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Epoch {
    pub(super) database: u64,
    pub(super) map: MapVersion,
    pub(super) schema: u64,
    /// Of the search_path and the role, which say what names mean.
    pub(super) names: u64,
    /// Of the settings literals are read under.
    pub(super) reading: u64,
    pub(super) hint: u64,
}

/// A statement as one session prepared it: planned once for each epoch.
#[derive(Debug)]
pub struct Prepared {
    pub global: Arc<Global>,
    pub plan: Planned,
    pub epoch: Epoch,
    /// What its client knows of its columns since shards first answered it. Stays when it is planned again.
    pub told: OnceLock<Description>,
    /// What servers have said of its types since it was planned; asked for by `signature()`.
    pub signature: OnceLock<Arc<Signature>>,
}

/// All texts that any session holds prepared, and those that were sent to several shards more than once. Asked at Parse
/// only, and for each of the latter.
#[derive(Debug)]
pub struct Globals {
    next: AtomicU64,
    texts: Mutex<Texts>,
    /// By a text's hash the rest of it.
    seen: Vec<AtomicU32>,
}

impl Default for Globals {
    fn default() -> Self {
        Self {
            next: AtomicU64::default(),
            texts: Mutex::default(),
            seen: (0..SEEN).map(|_| AtomicU32::new(0)).collect(),
        }
    }
}

#[derive(Debug)]
struct Texts {
    by_identity: HashMap<Identity, Weak<Global>>,
    sent: LruCache<StatementId, Arc<Global>>,
    /// Taken in since the last sweep.
    bytes: usize,
}

impl Default for Texts {
    fn default() -> Self {
        // Unbounded inside, since a bounded `LruCache` allocates its whole room.
        let mut sent = LruCache::unbounded();
        sent.resize(SENT_MAX);
        Self {
            by_identity: HashMap::default(),
            sent,
            bytes: 0,
        }
    }
}

impl Texts {
    /// Forgets texts nobody holds, once there are many or they take much room.
    fn sweep(&mut self) {
        let map = &mut self.by_identity;
        let full = map.len() >= SWEEP_AT_LEAST && map.len() == map.capacity();
        if full || self.bytes >= SWEEP_BYTES {
            map.retain(|_, global| global.strong_count() > 0);
            self.bytes = 0;
        }
    }
}

impl Prepared {
    /// Of use where a shard has other OIDs of types than its client knows: made when first asked for.
    pub(super) fn signature(&self) -> &Arc<Signature> {
        self.signature.get_or_init(Arc::default)
    }

    /// A Parse of this text would come to the same again, if its plan were made under `epoch`.
    pub(super) fn is_again(
        &self,
        text: &str,
        param_types: &[Oid],
        settings: SettingsMark,
        epoch: Epoch,
    ) -> bool {
        self.epoch == epoch && self.global.is_of(text, param_types, settings)
    }
}

impl Globals {
    /// What a text that shards are sent is called there; `None` for one that has not been sent lately: many are sent once.
    pub fn sent(
        &self,
        text: &str,
        param_types: &[Oid],
        settings: SettingsMark,
    ) -> Option<StatementId> {
        if text.len() > SENT_BYTES_MAX {
            return None;
        }
        let asked = Asked {
            text,
            param_types,
            settings,
        };
        let mut texts = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
        let known = texts.by_identity.get(&asked).and_then(Weak::upgrade);
        if let Some(global) = known
            && texts.sent.get(&global.id).is_some()
        {
            return Some(global.id);
        }
        let hash = texts.by_identity.hasher().hash_one(asked);
        let rest = (hash >> 32) as u32;
        if self.seen[hash as usize % SEEN].swap(rest, Ordering::Relaxed) != rest {
            return None;
        }
        let global = self.interned(&mut texts, asked);
        let id = global.id;
        texts.sent.push(id, global);
        Some(id)
    }

    pub fn intern(&self, text: &str, param_types: &[Oid], settings: SettingsMark) -> Arc<Global> {
        let asked = Asked {
            text,
            param_types,
            settings,
        };
        let mut texts = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
        self.interned(&mut texts, asked)
    }

    fn interned(&self, texts: &mut Texts, asked: Asked<'_>) -> Arc<Global> {
        let Asked {
            text,
            param_types,
            settings,
        } = asked;
        let known = texts.by_identity.get(&asked);
        if let Some(global) = known.and_then(Weak::upgrade) {
            return global;
        }
        texts.sweep();
        texts.bytes += text.len();
        let id = StatementId(self.next.fetch_add(1, Ordering::Relaxed) + 1);
        let new = |text| {
            Arc::new(Global {
                id,
                name: id.name(),
                text,
                param_types: param_types.to_vec(),
                settings,
            })
        };
        // Nobody holds it any more, but its text is still there.
        if let Some((identity, place)) = texts.by_identity.get_key_value_mut(&asked) {
            let global = new(Arc::clone(&identity.text));
            *place = Arc::downgrade(&global);
            return global;
        }
        let global = new(text.into());
        let identity = Identity {
            text: Arc::clone(&global.text),
            param_types: param_types.to_vec(),
            settings,
        };
        texts.by_identity.insert(identity, Arc::downgrade(&global));
        global
    }
}

/// The statements of one session: the unnamed one and those it named.
#[derive(Debug, Default)]
pub struct Statements {
    unnamed: Option<Arc<Prepared>>,
    named: HashMap<Box<[u8]>, Arc<Prepared>>,
    /// Of the named ones.
    bytes: usize,
}

/// What a named statement takes of [`STATEMENT_BYTES_MAX`].
fn bytes(name: &[u8], prepared: &Prepared) -> usize {
    let global = &prepared.global;
    name.len()
        + global.text.len()
        + size_of_val(&*global.param_types)
        + prepared.plan.literals.bytes()
}

impl Statements {
    /// Keeps a statement under `name`; the unnamed one is replaced, a named one is not.
    pub fn insert(&mut self, name: &[u8], prepared: Arc<Prepared>) -> Result<(), PgError> {
        if name.is_empty() {
            self.unnamed = Some(prepared);
            return Ok(());
        }
        if self.named.contains_key(name) {
            let name = String::from_utf8_lossy(name);
            return Err(PgError::client(
                SqlState::DUPLICATE_PREPARED_STATEMENT,
                format!("prepared statement \"{name}\" already exists"),
            ));
        }
        let bytes = self.bytes + bytes(name, &prepared);
        if self.named.len() >= STATEMENTS_MAX || bytes > STATEMENT_BYTES_MAX {
            return Err(PgError::proxy(
                SqlState::PROGRAM_LIMIT_EXCEEDED,
                format!(
                    "a session may hold {STATEMENTS_MAX} prepared statements, of {STATEMENT_BYTES_MAX} bytes together"
                ),
            )
            .with_hint("Close statements that are no longer used."));
        }
        self.bytes = bytes;
        self.named.insert(name.into(), prepared);
        Ok(())
    }

    /// Puts a statement planned anew in the place of its former self.
    pub fn replace(&mut self, name: &[u8], prepared: Arc<Prepared>) {
        if name.is_empty() {
            self.unnamed = Some(prepared);
        } else if let Some(place) = self.named.get_mut(name) {
            *place = prepared;
        }
    }

    pub fn find(&self, name: &[u8]) -> Result<&Arc<Prepared>, PgError> {
        let found = if name.is_empty() {
            self.unnamed.as_ref()
        } else {
            self.named.get(name)
        };
        found.ok_or_else(|| missing(name))
    }

    /// Closing what is not there is not an error in the protocol.
    pub fn close(&mut self, name: &[u8]) {
        if name.is_empty() {
            self.unnamed = None;
        } else {
            self.remove(name);
        }
    }

    fn remove(&mut self, name: &[u8]) -> bool {
        let removed = self.named.remove(name);
        self.bytes -= removed.as_ref().map_or(0, |prepared| bytes(name, prepared));
        removed.is_some()
    }

    /// SQL-level DEALLOCATE: it is an error if there is no such statement.
    pub fn deallocate(&mut self, name: Option<&str>) -> Result<(), PgError> {
        match name {
            None => {
                self.named.clear();
                self.bytes = 0;
            }
            Some(name) if !self.remove(name.as_bytes()) => {
                return Err(missing(name.as_bytes()));
            }
            Some(_) => {}
        }
        Ok(())
    }

    /// A simple query replaces the unnamed statement, as PostgreSQL's does.
    pub fn forget_unnamed(&mut self) {
        self.unnamed = None;
    }

    /// A Parse replaces it too; perhaps by its like.
    pub fn take_unnamed(&mut self) -> Option<Arc<Prepared>> {
        self.unnamed.take()
    }
}

fn missing(name: &[u8]) -> PgError {
    let message = if name.is_empty() {
        "unnamed prepared statement does not exist".to_owned()
    } else {
        format!(
            "prepared statement \"{}\" does not exist",
            String::from_utf8_lossy(name)
        )
    };
    PgError::client(SqlState::INVALID_STATEMENT_NAME, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Control, Plan};
    use crate::sql::Literals;

    const MEBIBYTE: usize = 1024 * 1024;

    fn prepared(text: &str, types: usize) -> Arc<Prepared> {
        Arc::new(Prepared {
            global: Globals::default().intern(text, &vec![Oid(23); types], SettingsMark(0)),
            plan: Planned {
                plan: Arc::new(Plan::Control(Control::DiscardAll)),
                literals: Literals::NONE,
            },
            epoch: Epoch {
                map: MapVersion(1),
                database: 0,
                schema: 0,
                names: 0,
                reading: 0,
                hint: 0,
            },
            told: OnceLock::new(),
            signature: OnceLock::new(),
        })
    }

    #[test]
    fn names_texts_and_types_count() {
        let long = vec![b'n'; MEBIBYTE];
        let name = |number: usize| [number.to_string().as_bytes(), &long].concat();
        let text = "x".repeat(MEBIBYTE);
        for (what, one) in [
            ("names", prepared("", 0)),
            ("texts", prepared(&text, 0)),
            ("types", prepared("", MEBIBYTE / 4)),
        ] {
            let mut statements = Statements::default();
            let full = (0..STATEMENTS_MAX).find_map(|number| {
                let name = match what {
                    "names" => name(number),
                    _ => number.to_string().into_bytes(),
                };
                let refused = statements.insert(&name, one.clone()).err()?;
                assert_eq!(refused.code, SqlState::PROGRAM_LIMIT_EXCEEDED);
                Some(number)
            });
            assert_eq!(full, Some(STATEMENT_BYTES_MAX / MEBIBYTE - 1), "{what}");
            assert!(statements.bytes <= STATEMENT_BYTES_MAX, "{what}");
            for number in 0..STATEMENTS_MAX.min(100) {
                statements.close(number.to_string().as_bytes());
                statements.close(&name(number));
            }
            assert_eq!(statements.bytes, 0, "{what}");
        }
    }

    #[test]
    fn a_session_holds_so_many_statements() {
        let mut statements = Statements::default();
        let one = prepared("", 0);
        for number in 0..STATEMENTS_MAX {
            let name = number.to_string();
            assert!(statements.insert(name.as_bytes(), one.clone()).is_ok());
        }
        let refused = statements.insert(b"one more", one).expect_err("full");
        assert_eq!(refused.code, SqlState::PROGRAM_LIMIT_EXCEEDED);
        statements.deallocate(None).expect("all may go");
        assert_eq!(statements.bytes, 0);
    }

    #[test]
    fn the_same_parse_again_is_known_by_all_it_depends_on() {
        let before = prepared("select $1", 1);
        let (types, settings, epoch) = ([Oid(23)], SettingsMark(0), before.epoch);
        assert!(before.is_again("select $1", &types, settings, epoch));
        assert!(!before.is_again("select $2", &types, settings, epoch));
        assert!(!before.is_again("select $1", &[Oid(20)], settings, epoch));
        assert!(!before.is_again("select $1", &[], settings, epoch));
        assert!(!before.is_again("select $1", &types, SettingsMark(1), epoch));
        let others = [
            Epoch {
                database: 1,
                ..epoch
            },
            Epoch {
                map: MapVersion(2),
                ..epoch
            },
            Epoch { schema: 1, ..epoch },
            Epoch { names: 1, ..epoch },
            Epoch {
                reading: 1,
                ..epoch
            },
            Epoch { hint: 1, ..epoch },
        ];
        for other in others {
            assert!(
                !before.is_again("select $1", &types, settings, other),
                "{other:?}"
            );
        }
    }

    #[test]
    fn long_texts_nobody_holds_are_forgotten() {
        let globals = Globals::default();
        let held = globals.intern("select 1", &[], SettingsMark(0));
        for number in 0..100 {
            let text = format!("select {number} -- {}", "x".repeat(1 << 20));
            drop(globals.intern(&text, &[], SettingsMark(0)));
            let texts = globals.texts.lock().expect("no panic");
            assert!(texts.by_identity.len() <= 2 + SWEEP_BYTES / (1 << 20));
        }
        assert!(Arc::ptr_eq(
            &held,
            &globals.intern("select 1", &[], SettingsMark(0))
        ));
    }

    #[test]
    fn what_is_sent_again_has_a_name() {
        let globals = Globals::default();
        let mark = SettingsMark(0);
        let sent = |text: &str| globals.sent(text, &[], mark);
        assert_eq!(sent("select 1"), None);
        let id = sent("select 1").expect("it came before");
        assert_eq!(sent("select 1"), Some(id));
        assert_eq!(globals.intern("select 1", &[], mark).id, id, "one name");
        assert_eq!(globals.sent("select 1", &[Oid(23)], mark), None);
        assert_eq!(globals.sent("select 1", &[], SettingsMark(1)), None);
        for number in 0..3 * SENT_MAX.get() {
            assert_eq!(sent(&format!("select {number}, 2")), None, "once");
        }
        assert_eq!(sent("select 1"), Some(id));
        let long = "x".repeat(SENT_BYTES_MAX + 1);
        assert_eq!((sent(&long), sent(&long)), (None, None));
        let others: Vec<_> = (0..SENT_MAX.get())
            .map(|number| {
                let text = format!("select {number}, 3");
                sent(&text);
                sent(&text).expect("it came before")
            })
            .collect();
        assert_eq!(
            globals.texts.lock().map_or(0, |texts| texts.sent.len()),
            others.len()
        );
        assert_ne!(sent("select 1"), Some(id), "others were used since");
    }
}
