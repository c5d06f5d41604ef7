//! Plans by exact text, and by what texts that differ only in their literals have in common.
//!
//! Asked at Parse and for simple queries. A short text seen before is found by its bytes alone. Else it is compared
//! with those that begin like it ([`Template`]), and if it is like none of them read once for its shape ([`Shape`]),
//! whose plan leaves slots open for the literals. A plan cannot depend on
//! a literal's value, because it is made from tokens that do not have them; what cannot be planned so
//! is planned, and kept, by its exact text. What servers say of scattered ones is kept for all that differ in the values of
//! literals only ([`scatter::kinds`]).
//!
//! Bounded by bytes; spread over several locks, because every session asks. Refusals are not kept: they
//! are rare, and cheap to find again.

mod alike;
mod size;

use std::cell::RefCell;
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use hashbrown::{DefaultHashBuilder, HashTable};

use alike::{Alike, Known};
use size::size;

use super::{Context, plan, plan_tokens, scatter};
use crate::error::PgError;
use crate::plan::{Hint, Learned, Plan, Planned};
use crate::sql::{self, Literals, Shape, Template};
use crate::types::Oid;

/// Locks the cache is spread over.
const SEGMENTS: usize = 16;
/// Longer texts without a shape are planned anew each time: one of them would push out many.
const TEXT_BYTES_MAX: usize = 64 << 10;
/// Longer texts are looked up by their shape only: that is shorter, and few are sent twice.
const SHORT_BYTES_MAX: usize = 4 << 10;
/// Texts remembered as seen once. A text that is seen again soon is kept whole.
const SEEN: usize = 4 << 10;
/// What an entry takes besides what its key and plan point to, roughly: both of them, the list and the
/// table, and what the allocator adds.
const ENTRY_BYTES: usize = size_of::<Entry>() + size_of::<Plan>() + 160;

/// Where a plan came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// This very text was asked for before.
    Exact,
    /// One was that differs in its literals, or in blanks and comments.
    Shape,
    /// It was made now.
    Miss,
}

/// A cache of plans for one database.
pub struct PlanCache {
    segments: Vec<RwLock<Segment>>,
    bytes_max: usize,
    hasher: DefaultHashBuilder,
    /// By a text's hash the rest of it.
    seen: Vec<AtomicU32>,
}

thread_local! {
    /// The shape of the text last looked at, for the room it takes.
    static SCRATCH: RefCell<Shape> = RefCell::default();
}

/// Everything a plan depends on, as asked for. The schema's version numbers the [`super::Schema`], as the map's
/// numbers the map: whoever replaces either gives it another number.
#[derive(Clone, Copy)]
struct Asked<'a> {
    text: &'a [u8],
    by: By,
    context: &'a Context<'a>,
}

/// What a text is looked up by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    /// Its own bytes.
    Text,
    /// What it begins with: [`Template::beginning`].
    Beginning,
    /// Its shape's bytes.
    Shape,
    /// What servers say the same of.
    Kinds,
}

/// The same, kept.
struct Key {
    text: Box<[u8]>,
    by: By,
    search_path: Option<Box<[String]>>,
    role: Box<str>,
    hint: Option<Hint>,
    param_types: Box<[Oid]>,
    map: u64,
    schema: u64,
    transaction_pooling: bool,
    gathers: bool,
}

/// What the cache has to say.
#[derive(Clone)]
enum Answer {
    /// Of a text.
    Planned(Planned),
    /// Of a shape.
    Slotted(Arc<Slotted>),
    /// Of a shape whose plan depends on the literals' values.
    ByText,
    /// Of what texts begin with.
    Alike(Arc<Alike>),
    /// Of texts that servers say the same of.
    Learned(Learned),
}

/// The plan of a shape, and the places of the literals that it needs.
struct Slotted {
    plan: Arc<Plan>,
    places: Box<[u32]>,
}

impl Slotted {
    /// Of the text that the shape was read from.
    fn planned(&self, text: &str, shape: &Shape) -> Planned {
        Planned {
            plan: Arc::clone(&self.plan),
            literals: shape.literals(text, &self.places),
        }
    }
}

impl PlanCache {
    /// Keeps plans of about this many bytes, texts included.
    pub fn new(bytes_max: usize) -> Self {
        Self {
            segments: (0..SEGMENTS).map(|_| RwLock::default()).collect(),
            bytes_max: bytes_max / SEGMENTS,
            hasher: DefaultHashBuilder::default(),
            seen: (0..SEEN).map(|_| AtomicU32::new(0)).collect(),
        }
    }

    /// The plan of this text with the literals that fill its slots, and where it came from.
    pub fn plan(&self, text: &str, context: &Context<'_>) -> Result<(Planned, Lookup), PgError> {
        if let Some(found) = self.known(text, context) {
            return Ok(found);
        }
        SCRATCH.with_borrow_mut(|shape| match shape.read(text) {
            true => self.by_shape(text, shape, context),
            false => self.by_text(text, context),
        })
    }

    /// As [`Self::plan`], of this text alone: its literals decide more than where it goes.
    pub fn plan_by_text(&self, text: &str, context: &Context<'_>) -> Result<Planned, PgError> {
        let asked = Asked {
            text: text.as_bytes(),
            by: By::Text,
            context,
        };
        // What is kept under the client's text may be its shape's plan, which only says that there has to be another one.
        if let Some(Answer::Planned(planned)) = self.find(self.hash(&asked), &asked)
            && !matches!(&*planned.plan, Plan::Route(route) if route.by_text)
        {
            return Ok(planned);
        }
        Ok(self.by_text(text, context)?.0)
    }

    /// The plan of what a client sent, where that is one statement whose like was planned before: nothing has to be
    /// split for that.
    pub fn known(&self, text: &str, context: &Context<'_>) -> Option<(Planned, Lookup)> {
        let asked = Asked {
            text: text.as_bytes(),
            by: By::Text,
            context,
        };
        let short = text.len() <= SHORT_BYTES_MAX;
        let hash = if short { self.hash(&asked) } else { 0 };
        if short && let Some(Answer::Planned(planned)) = self.find(hash, &asked) {
            return Some((planned, Lookup::Exact));
        }
        let planned = SCRATCH.with_borrow_mut(|shape| {
            self.known_alike(text, shape, context)
                .or_else(|| self.known_shape(text, shape, context))
        })?;
        if short && self.is_seen(hash) {
            self.keep(hash, &asked, Answer::Planned(planned.clone()));
        }
        Some((planned, Lookup::Shape))
    }

    /// By a text like it: where that is, most of the text is only compared.
    fn known_alike(&self, text: &str, shape: &mut Shape, context: &Context<'_>) -> Option<Planned> {
        let asked = Asked {
            text: Template::beginning(text)?.as_bytes(),
            by: By::Beginning,
            context,
        };
        let Answer::Alike(alike) = self.find(self.hash(&asked), &asked)? else {
            return None;
        };
        Some(alike.find(text, shape)?.slotted.planned(text, shape))
    }

    fn known_shape(&self, text: &str, shape: &mut Shape, context: &Context<'_>) -> Option<Planned> {
        if !shape.read(text) {
            return None;
        }
        let asked = Asked {
            text: shape.bytes(),
            by: By::Shape,
            context,
        };
        let Answer::Slotted(slotted) = self.find(self.hash(&asked), &asked)? else {
            return None;
        };
        self.learn(text, shape, &slotted, context);
        Some(slotted.planned(text, shape))
    }

    /// Keeps a text whose shape came before, and whose beginning did, for others like it.
    fn learn(&self, text: &str, shape: &Shape, slotted: &Arc<Slotted>, context: &Context<'_>) {
        let Some(beginning) = Template::beginning(text).filter(|_| Template::fits(text, shape))
        else {
            return;
        };
        let asked = Asked {
            text: beginning.as_bytes(),
            by: By::Beginning,
            context,
        };
        let hash = self.hash(&asked);
        if !self.is_seen(hash) {
            return;
        }
        let alike = match self.find(hash, &asked) {
            Some(Answer::Alike(alike)) => alike,
            _ => Arc::new(Alike::new(Vec::new())),
        };
        let Some(others) = alike.with_room() else {
            return;
        };
        let is_like = |known: &Arc<Known>| Shape::default().read_like(text, &known.template, &[]);
        if others.iter().any(is_like) {
            // They were not tried, or another session was faster.
            alike.trust_again();
            return;
        }
        let Some(template) = Template::new(text, shape) else {
            return;
        };
        let slotted = Arc::clone(slotted);
        let known = others.iter().cloned();
        let known = known.chain([Arc::new(Known { template, slotted })]);
        let alike = Alike::new(known.collect());
        self.keep(hash, &asked, Answer::Alike(Arc::new(alike)));
    }

    /// Plans a text by a shape that is not known.
    fn by_shape(
        &self,
        text: &str,
        shape: &Shape,
        context: &Context<'_>,
    ) -> Result<(Planned, Lookup), PgError> {
        let asked = Asked {
            text: shape.bytes(),
            by: By::Shape,
            context,
        };
        let hash = self.hash(&asked);
        if let Some(Answer::ByText) = self.find(hash, &asked) {
            return self.by_text(text, context);
        }
        let slotted = match shape.slotted(sql::tokens(text)?) {
            Some(tokens) => plan_tokens(text, &tokens, context).map(Arc::new),
            None => return self.by_text(text, context),
        };
        let plan = match slotted {
            Ok(plan) => plan,
            Err(error) if shape.is_whole() => return Err(error),
            // Perhaps it needs to see a literal. If not, its own error is the right one.
            Err(_) => {
                let found = self.by_text(text, context)?;
                self.keep(hash, &asked, Answer::ByText);
                return Ok(found);
            }
        };
        let places = match &*plan {
            Plan::Route(route) => route.slots(),
            Plan::Control(_) => Box::default(),
        };
        let slotted = Slotted { plan, places };
        let planned = slotted.planned(text, shape);
        self.keep(hash, &asked, Answer::Slotted(Arc::new(slotted)));
        Ok((planned, Lookup::Miss))
    }

    fn by_text(&self, text: &str, context: &Context<'_>) -> Result<(Planned, Lookup), PgError> {
        let planned = |plan| Planned {
            plan,
            literals: Literals::NONE,
        };
        if text.len() > TEXT_BYTES_MAX {
            return Ok((planned(Arc::new(plan(text, context)?)), Lookup::Miss));
        }
        let asked = Asked {
            text: text.as_bytes(),
            by: By::Text,
            context,
        };
        let hash = self.hash(&asked);
        // Short ones were looked for before.
        if text.len() > SHORT_BYTES_MAX
            && let Some(Answer::Planned(planned)) = self.find(hash, &asked)
        {
            return Ok((planned, Lookup::Exact));
        }
        let mut plan = plan(text, context)?;
        self.share_learned(&mut plan, text, context);
        let planned = planned(Arc::new(plan));
        self.keep(hash, &asked, Answer::Planned(planned.clone()));
        Ok((planned, Lookup::Miss))
    }

    /// What servers have said of texts that differ from this one in the values of literals holds for this one, too.
    fn share_learned(&self, plan: &mut Plan, text: &str, context: &Context<'_>) {
        let Plan::Route(route) = plan else {
            return;
        };
        let arrays = { route.gather.iter_mut() }.filter_map(|gather| gather.arrays.as_mut());
        let Some(scatter) = route.scatter.iter_mut().chain(arrays).next() else {
            return;
        };
        let Some(kinds) = scatter::kinds(scatter, text) else {
            return;
        };
        let asked = Asked {
            text: &kinds,
            by: By::Kinds,
            context,
        };
        let hash = self.hash(&asked);
        match self.find(hash, &asked) {
            Some(Answer::Learned(learned)) => scatter.learned = learned,
            _ => self.keep(hash, &asked, Answer::Learned(scatter.learned.clone())),
        }
    }

    fn hash(&self, asked: &Asked<'_>) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        let context = asked.context;
        hasher.write(asked.text);
        hasher.write(context.role.as_bytes());
        hasher.write_u64(context.map.version.0 ^ context.schema.version.rotate_left(32));
        hasher.write_u8(asked.by as u8);
        if context.search_path.is_some()
            || context.hint.is_some()
            || !context.param_types.is_empty()
        {
            (context.search_path, context.hint, context.param_types).hash(&mut hasher);
        }
        hasher.finish()
    }

    fn segment(&self, hash: u64) -> &RwLock<Segment> {
        // Other bits than those the tables take.
        &self.segments[(hash >> 32) as usize % SEGMENTS]
    }

    fn find(&self, hash: u64, asked: &Asked<'_>) -> Option<Answer> {
        // A panic while the lock was held cannot have left the table half changed in a way that matters.
        let segment = self
            .segment(hash)
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        segment.find(hash, asked)
    }

    fn keep(&self, hash: u64, asked: &Asked<'_>, answer: Answer) {
        let key = Key::of(asked);
        let entry = Entry {
            bytes: size(&key, &answer),
            key,
            answer,
            hash,
            used: AtomicBool::new(false),
        };
        let mut segment = self
            .segment(hash)
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        segment.insert(entry, asked, self.bytes_max);
    }

    /// Whether the text of this hash was seen lately; from now on it was.
    fn is_seen(&self, hash: u64) -> bool {
        let rest = (hash >> 32) as u32;
        self.seen[hash as usize % SEEN].swap(rest, Ordering::Relaxed) == rest
    }

    /// Bytes kept now, roughly.
    #[cfg(test)]
    fn bytes(&self) -> usize {
        self.segments
            .iter()
            .map(|segment| segment.read().unwrap_or_else(PoisonError::into_inner).bytes)
            .sum()
    }

    /// Entries kept now.
    #[cfg(test)]
    fn entries(&self) -> usize {
        self.segments
            .iter()
            .map(|segment| {
                segment
                    .read()
                    .unwrap_or_else(PoisonError::into_inner)
                    .index
                    .len()
            })
            .sum()
    }
}

impl Key {
    fn of(asked: &Asked<'_>) -> Self {
        let context = asked.context;
        Self {
            text: asked.text.into(),
            by: asked.by,
            search_path: context.search_path.map(Into::into),
            role: context.role.into(),
            hint: context.hint.cloned(),
            param_types: context.param_types.into(),
            map: context.map.version.0,
            schema: context.schema.version,
            transaction_pooling: context.transaction_pooling,
            gathers: context.gathers,
        }
    }

    fn is(&self, asked: &Asked<'_>) -> bool {
        let context = asked.context;
        *self.text == *asked.text
            && self.by == asked.by
            && self.map == context.map.version.0
            && self.schema == context.schema.version
            && self.transaction_pooling == context.transaction_pooling
            && self.gathers == context.gathers
            && *self.role == *context.role
            && *self.param_types == *context.param_types
            && self.search_path.as_deref() == context.search_path
            && self.hint.as_ref() == context.hint
    }
}

/// Entries are found by the index and swept out by a hand that goes round: one that was used since it came
/// by stays for another round.
#[derive(Default)]
struct Segment {
    index: HashTable<u32>,
    entries: Vec<Option<Entry>>,
    free: Vec<u32>,
    hand: usize,
    bytes: usize,
}

struct Entry {
    hash: u64,
    key: Key,
    answer: Answer,
    bytes: usize,
    used: AtomicBool,
}

impl Segment {
    fn entry(&self, place: u32) -> Option<&Entry> {
        self.entries.get(place as usize)?.as_ref()
    }

    fn find(&self, hash: u64, asked: &Asked<'_>) -> Option<Answer> {
        let is = |place: &u32| self.entry(*place).is_some_and(|entry| entry.key.is(asked));
        let entry = self.entry(*self.index.find(hash, is)?)?;
        // Written only where it changes, so that readers do not take the line from each other.
        if !entry.used.load(Ordering::Relaxed) {
            entry.used.store(true, Ordering::Relaxed);
        }
        Some(entry.answer.clone())
    }

    fn insert(&mut self, entry: Entry, asked: &Asked<'_>, bytes_max: usize) {
        let Some(room) = bytes_max.checked_sub(entry.bytes) else {
            return;
        };
        // Another session was faster, or what was known is not enough any more.
        let is = |place: &u32| self.entry(*place).is_some_and(|known| known.key.is(asked));
        if let Some(place) = self.index.find(entry.hash, is).copied() {
            self.take_out(place);
        }
        while self.bytes > room {
            self.sweep();
        }
        let Self {
            index,
            entries,
            free,
            bytes,
            ..
        } = self;
        let (hash, size) = (entry.hash, entry.bytes);
        let place = match free.pop() {
            Some(place) => {
                entries[place as usize] = Some(entry);
                place
            }
            None => {
                let Ok(place) = u32::try_from(entries.len()) else {
                    return;
                };
                entries.push(Some(entry));
                place
            }
        };
        *bytes += size;
        let hash_of = |place: &u32| {
            entries[*place as usize]
                .as_ref()
                .map_or(0, |entry| entry.hash)
        };
        index.insert_unique(hash, place, hash_of);
    }

    /// Moves the hand on by one, over an entry that was used or an empty place, or takes the entry out.
    fn sweep(&mut self) {
        self.hand = (self.hand + 1) % self.entries.len().max(1);
        let Some(slot) = self.entries.get_mut(self.hand) else {
            // Nothing is left.
            self.bytes = 0;
            return;
        };
        let was_used = |entry: &mut Entry| std::mem::take(entry.used.get_mut());
        if slot.as_mut().is_some_and(|entry| !was_used(entry)) {
            self.take_out(self.hand as u32);
        }
    }

    fn take_out(&mut self, place: u32) {
        let Some(entry) = self.entries.get_mut(place as usize).and_then(Option::take) else {
            return;
        };
        self.bytes -= entry.bytes;
        self.free.push(place);
        if let Ok(found) = self.index.find_entry(entry.hash, |other| *other == place) {
            found.remove();
        }
    }
}

#[cfg(test)]
mod tests;
