//! Every value a key is compared with, once: texts may be long, and are told apart here only.

use std::collections::HashMap;
use std::rc::Rc;

use crate::plan::KeySource;
use crate::sql::tree::Slot;
use crate::types::KeyValue;

/// A place among the sets of a [`Pool`].
pub(super) type SetId = usize;
/// A place among its values.
pub(super) type Source = usize;

#[derive(Default)]
pub(super) struct Pool {
    values: Vec<KeySource>,
    places: HashMap<KeySource, Source>,
    sets: Vec<Rc<[Source]>>,
    set_places: HashMap<Rc<[Source]>, SetId>,
}

impl Pool {
    pub(super) fn source(&mut self, source: KeySource) -> Source {
        let next = self.values.len();
        let place = *self.places.entry(source.clone()).or_insert(next);
        if place == next {
            self.values.push(source);
        }
        place
    }

    /// The set of these values, in the order in which they come first.
    pub(super) fn set(&mut self, mut sources: Vec<Source>) -> SetId {
        if sources.len() > 1 {
            let mut seen = std::collections::HashSet::new();
            sources.retain(|source| seen.insert(*source));
        }
        let sources: Rc<[Source]> = sources.into();
        if let Some(&place) = self.set_places.get(&sources) {
            return place;
        }
        self.sets.push(sources.clone());
        self.set_places.insert(sources, self.sets.len() - 1);
        self.sets.len() - 1
    }

    pub(super) fn one(&mut self, source: KeySource) -> SetId {
        let source = self.source(source);
        self.set(vec![source])
    }

    /// A value that nothing else equals. No text has so many literals that one would get this place.
    pub(super) fn nobodys(&mut self) -> SetId {
        let place = u32::MAX - u32::try_from(self.values.len()).unwrap_or(u32::MAX / 2);
        self.one(KeySource::Slot(Slot {
            place,
            string: false,
            negative: false,
            cast: None,
            array: false,
        }))
    }

    pub(super) fn sources(&self, set: SetId) -> Rc<[Source]> {
        self.sets[set].clone()
    }

    pub(super) fn values(&self, set: SetId) -> impl Iterator<Item = &KeySource> {
        self.sets[set].iter().map(|source| &self.values[*source])
    }

    /// Each value of the one is in the other.
    pub(super) fn within(&self, one: SetId, other: SetId) -> bool {
        one == other || {
            let other: std::collections::HashSet<_> = self.sets[other].iter().collect();
            self.sets[one].iter().all(|source| other.contains(source))
        }
    }

    /// The set of fewest values, the first of several.
    pub(super) fn smallest(&self, sets: &[SetId]) -> Option<SetId> {
        sets.iter().copied().min_by_key(|set| self.sets[*set].len())
    }

    /// What a copy of the set takes.
    pub(super) fn bytes(&self, set: SetId) -> usize {
        let bytes = |source: &KeySource| {
            size_of::<KeySource>()
                + match source {
                    KeySource::Literal(KeyValue::Text(text)) => text.len(),
                    KeySource::Literal(KeyValue::Bytea(bytes)) => bytes.len(),
                    _ => 0,
                }
        };
        self.values(set).map(bytes).sum()
    }
}
