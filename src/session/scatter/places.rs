//! Places of errors: what a server says of the text that it was sent is told to the client of its own.

/// Where a position in the shards' text is in the client's: both begin and end alike, and nothing is known between.
#[derive(Clone, Copy, Debug)]
pub(super) struct Places {
    /// In characters.
    before: usize,
    sent: usize,
    own: usize,
    after: usize,
}

impl Places {
    pub(super) fn of(sent: &str, own: &str) -> Self {
        let alike = |(sent, own): &(char, char)| sent == own;
        let before = sent.chars().zip(own.chars()).take_while(alike).count();
        let (sent_count, own_count) = (sent.chars().count(), own.chars().count());
        let ends = sent.chars().rev().zip(own.chars().rev());
        let after = ends
            .take(sent_count.min(own_count) - before)
            .take_while(alike)
            .count();
        Self {
            before,
            sent: sent_count,
            own: own_count,
            after,
        }
    }

    /// `None` for a place that the client's text has not.
    pub(super) fn own(&self, position: u32) -> Option<u32> {
        let at = (position as usize).checked_sub(1)?;
        if at < self.before {
            return Some(position);
        }
        let from_end = self.sent.checked_sub(at)?;
        (from_end <= self.after).then(|| (self.own - from_end + 1) as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_those_of_the_clients_text() {
        let own = "select ä from t order by x limit 3";
        let sent = "select ä, (x) from t order by x limit 3";
        let places = Places::of(sent, own);
        let at = |text: &str, word: &str| {
            let byte = text.find(word).expect("it is there");
            text[..byte].chars().count() as u32 + 1
        };
        for word in ["select", "ä", "from", "t order", "limit", "3"] {
            assert_eq!(places.own(at(sent, word)), Some(at(own, word)), "{word}");
        }
        assert_eq!(places.own(at(sent, "(x)")), None);
        assert_eq!(places.own(0), None);
        assert_eq!(places.own(1_000), None);
        assert_eq!(Places::of(own, own).own(5), Some(5));
        assert_eq!(Places::of("aa", "a").own(2), None);
    }
}
