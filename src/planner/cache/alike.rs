//! Texts that begin in the same way: which of them a text is like.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use super::Slotted;
use crate::plan::Plan;
use crate::sql::{Shape, Template};

/// Texts that begin in the same way, each for all that are like it: few enough to try them all.
pub(super) struct Alike {
    pub(super) known: Vec<Arc<Known>>,
    /// Above zero they are tried: each text that is like none of them takes one away, up to [`TRUST`] each other gives
    /// one back. Else it counts down to `-REST`, when they are renewed.
    pub(super) trust: AtomicI32,
}

pub(super) struct Known {
    pub(super) template: Template,
    pub(super) slotted: Arc<Slotted>,
}

impl Alike {
    pub(super) fn new(known: Vec<Arc<Known>>) -> Self {
        Self {
            known,
            trust: AtomicI32::new(TRUST),
        }
    }

    /// The one that a text is like, whose literals the shape has then.
    pub(super) fn find(&self, text: &str, shape: &mut Shape) -> Option<&Known> {
        let trust = self.trust.load(Ordering::Relaxed);
        let mut tried = match trust > 0 {
            true => self.known.iter(),
            false => [].iter(),
        };
        let is_like =
            |known: &&Arc<Known>| shape.read_like(text, &known.template, &known.slotted.places);
        let found = tried.find(is_like);
        let change = match found {
            Some(_) => i32::from(trust < TRUST),
            None => -i32::from(trust > -REST),
        };
        if change != 0 {
            self.trust.fetch_add(change, Ordering::Relaxed);
        }
        found.map(|known| &**known)
    }

    /// They are worth trying after all.
    pub(super) fn trust_again(&self) {
        self.trust.store(TRUST, Ordering::Relaxed);
    }

    /// Those that stay where one more comes; `None` while there is no room for it.
    pub(super) fn with_room(&self) -> Option<&[Arc<Known>]> {
        match self.known.as_slice() {
            known if known.len() < ALIKE_MAX => Some(known),
            [_, rest @ ..] if self.trust.load(Ordering::Relaxed) <= -REST => Some(rest),
            _ => None,
        }
    }

    pub(super) fn bytes(&self) -> usize {
        let each = |known: &Arc<Known>| {
            let slotted = size_of::<Slotted>() + size_of_val(&*known.slotted.places);
            size_of::<Known>() + known.template.bytes() + slotted + size_of::<Plan>()
        };
        self.known.iter().map(each).sum()
    }
}

/// Texts kept that begin in the same way.
pub(super) const ALIKE_MAX: usize = 8;
/// Where so many more texts are like none of them than like one, they are not worth the trying: lists whose length
/// changes, comments.
pub(super) const TRUST: i32 = 64;
/// After so many texts more there is another try, with one of them renewed.
pub(super) const REST: i32 = 1_000;
