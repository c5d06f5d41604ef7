//! The rows of the sample, as lines of COPY's text format.
//!
//! Every row follows from its organization and its number alone, so each shard's rows can be made
//! without the others', and come out the same on every machine.

use std::fmt::Write;

use bytes::BytesMut;

const CLASSES: [&str; 12] = [
    "ball",
    "player",
    "goalkeeper",
    "referee",
    "goal",
    "corner flag",
    "offside line",
    "foul",
    "header",
    "pass",
    "shot",
    "save",
];
const COUNTRIES: [&str; 8] = ["DE", "AT", "CH", "FR", "ES", "IT", "NL", "PL"];
/// Names with everything that has to survive quoting.
const LABELS: [&str; 6] = [
    "first touch",
    "it's close",
    "Flügel → Mitte",
    "50% \"sure\"",
    "",
    "守門員",
];
const ORGANIZATIONS: i64 = 200;
/// The organization far larger than the others.
const LARGEST: i64 = 7;
const LARGEST_MATCHES: f64 = 25_000.0;
/// 2025-01-01, in days since 1970-01-01.
const FIRST_DAY: u64 = 20_089;

/// A table of the sample, in the order in which they are filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    Classes,
    Organizations,
    Matches,
    Detections,
}

impl Table {
    pub(super) const ALL: [Self; 4] = [
        Self::Classes,
        Self::Organizations,
        Self::Matches,
        Self::Detections,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Classes => "classes",
            Self::Organizations => "organizations",
            Self::Matches => "matches",
            Self::Detections => "detections",
        }
    }
}

/// How much there is of the sample: 1 is about 100,000 matches and a million detections.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    scale: f64,
}

impl Sample {
    /// Every scale has 200 organizations with one match or more.
    pub fn new(scale: f64) -> Self {
        Self { scale }
    }

    pub fn organizations(&self) -> impl Iterator<Item = i64> + use<> {
        1..=ORGANIZATIONS
    }

    pub fn matches(&self, organization: i64) -> u64 {
        let full = match organization {
            LARGEST => LARGEST_MATCHES,
            _ => 176.0 + (organization * 37 % 401) as f64,
        };
        ((full * self.scale) as u64).max(1)
    }

    /// Rows of all sharded tables together, of the organizations that `belongs` picks; the
    /// reference table's come on top for every shard.
    pub fn rows(&self, belongs: impl Fn(i64) -> bool) -> u64 {
        let of_one = |organization| {
            let matches = self.matches(organization);
            1 + matches + detections_before(matches)
        };
        self.organizations()
            .filter(|id| belongs(*id))
            .map(of_one)
            .sum()
    }

    pub fn reference_rows(&self) -> u64 {
        CLASSES.len() as u64
    }

    /// Whose rows a table has: `None` stands for the rows of no organization.
    pub(super) fn organizations_of(
        &self,
        table: Table,
    ) -> impl Iterator<Item = Option<i64>> + use<> {
        let sharded = table != Table::Classes;
        let organizations = self.organizations().filter(move |_| sharded).map(Some);
        (!sharded).then_some(None).into_iter().chain(organizations)
    }

    /// How often [`Sample::write`] has to be called for an organization's rows in a table.
    pub(super) fn groups(&self, table: Table, organization: Option<i64>) -> u64 {
        match (table, organization) {
            (Table::Matches | Table::Detections, Some(organization)) => self.matches(organization),
            _ => 1,
        }
    }

    /// Appends a group of rows (a match's detections, say); returns how many rows that were.
    pub(super) fn write(
        &self,
        table: Table,
        organization: Option<i64>,
        group: u64,
        to: &mut BytesMut,
    ) -> u64 {
        let id = organization.unwrap_or_default();
        let mut random = Random::new(id as u64, table as u64, group);
        // Writing to memory cannot fail.
        let _ = match table {
            Table::Classes => {
                for (class, name) in CLASSES.iter().enumerate() {
                    let _ = writeln!(to, "{}\t{name}", class + 1);
                }
                return self.reference_rows();
            }
            Table::Organizations => {
                let country = random.pick(&COUNTRIES);
                let created = Moment {
                    day: random.below(300),
                    second: random.below(86_400),
                };
                writeln!(to, "{id}\tOrganization {id}\t{country}\t{created}")
            }
            Table::Matches => {
                let (home, away) = (random.below(40) + 1, random.below(40) + 1);
                let day = Moment {
                    day: group % 365,
                    second: 0,
                }
                .date();
                let _ = write!(to, "{id}\t{}\tTeam {home}\tTeam {away}\t{day}\t", group + 1);
                match random.below(10) {
                    0 => writeln!(to, "\\N"),
                    _ => writeln!(to, "{}", random.below(60_000)),
                }
            }
            Table::Detections => {
                let count = detections(group);
                let first = detections_before(group);
                for number in 0..count {
                    write_detection(to, id, group, first + number + 1, &mut random);
                }
                return count;
            }
        };
        1
    }
}

/// Detections of an organization's match `number`, between 5 and 15.
fn detections(number: u64) -> u64 {
    5 + number * 7 % 11
}

/// Eleven matches in a row have 110 detections, because 7 and 11 share no factor.
fn detections_before(number: u64) -> u64 {
    number / 11 * 110 + (number / 11 * 11..number).map(detections).sum::<u64>()
}

fn write_detection(to: &mut BytesMut, organization: i64, group: u64, id: u64, random: &mut Random) {
    let class = random.below(CLASSES.len() as u64) + 1;
    let score = random.below(10_001);
    let at = Moment {
        day: group % 365,
        second: 64_800 + random.below(6_300),
    };
    let _ = write!(
        to,
        "{organization}\t{}\t{id}\t{class}\t{}.{:04}\t{at}\t",
        group + 1,
        score / 10_000,
        score % 10_000
    );
    let _ = match random.below(8) {
        choice @ 0..6 => write!(to, "{}", LABELS[choice as usize]),
        _ => write!(to, "\\N"),
    };
    let (x, y, frame) = (
        random.below(1_920),
        random.below(1_080),
        random.below(150_000),
    );
    let _ = writeln!(to, "\t{{\"frame\": {frame}, \"box\": [{x}, {y}, 32, 64]}}");
}

/// A moment in 2025, as PostgreSQL writes a `timestamptz` in UTC.
struct Moment {
    day: u64,
    second: u64,
}

impl Moment {
    /// The civil calendar, from days since 1970 by way of years that start in March.
    /// Source: <https://howardhinnant.github.io/date_algorithms.html#civil_from_days>
    fn date(&self) -> String {
        let days = self.day + FIRST_DAY + 719_468;
        let (era, of_era) = (days / 146_097, days % 146_097);
        let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * month + 2) / 5 + 1;
        let (month, carry) = if month < 10 {
            (month + 3, 0)
        } else {
            (month - 9, 1)
        };
        format!("{:04}-{month:02}-{day:02}", era * 400 + year + carry)
    }
}

impl std::fmt::Display for Moment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (hour, minute, second) = (self.second / 3_600, self.second / 60 % 60, self.second % 60);
        write!(f, "{} {hour:02}:{minute:02}:{second:02}+00", self.date())
    }
}

/// SplitMix64: small, and the same everywhere.
/// Source: <https://prng.di.unimi.it/splitmix64.c>
struct Random(u64);

impl Random {
    fn new(organization: u64, table: u64, group: u64) -> Self {
        let mut random = Self(organization << 40 ^ table << 36 ^ group);
        random.next();
        random
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len() as u64) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_sample_has_the_promised_size() {
        let sample = Sample::new(1.0);
        let matches: u64 = sample.organizations().map(|id| sample.matches(id)).sum();
        assert!((95_000..=105_000).contains(&matches), "{matches}");
        let rows = sample.rows(|_| true);
        assert!((1_050_000..=1_150_000).contains(&rows), "{rows}");
    }

    #[test]
    fn rows_are_the_same_every_time_and_counted_right() {
        let sample = Sample::new(0.01);
        let generate = || {
            let (mut text, mut rows) = (BytesMut::new(), 0);
            for table in Table::ALL {
                for organization in sample.organizations_of(table) {
                    for group in 0..sample.groups(table, organization) {
                        rows += sample.write(table, organization, group, &mut text);
                    }
                }
            }
            (text, rows)
        };
        let (text, rows) = generate();
        assert_eq!(generate().0, text);
        assert_eq!(
            text.iter().filter(|byte| **byte == b'\n').count() as u64,
            rows
        );
        assert_eq!(rows, sample.rows(|_| true) + sample.reference_rows());
    }

    #[test]
    fn detections_are_summed_right() {
        for number in [0, 1, 10, 11, 12, 500] {
            assert_eq!(
                detections_before(number),
                (0..number).map(detections).sum::<u64>()
            );
        }
    }

    #[test]
    fn dates_are_real() {
        let date = |day| Moment { day, second: 0 }.date();
        assert_eq!(date(0), "2025-01-01");
        assert_eq!(date(58), "2025-02-28");
        assert_eq!(date(59), "2025-03-01");
        assert_eq!(date(364), "2025-12-31");
    }
}
