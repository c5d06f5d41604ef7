//! Dates and times in ISO form, which means the same under every `DateStyle` and `TimeZone`. Other forms
//! PostgreSQL may read are not read here.
//! Source: `ParseDateTime` and `DecodeDateTime` in `src/backend/utils/adt/datetime.c`.

use std::fmt::Write;

use super::{KeyError, trim};

/// `DATE_NOBEGIN` and `DATE_NOEND`.
pub(super) const DATE_INFINITE: [i32; 2] = [i32::MIN, i32::MAX];
/// `DT_NOBEGIN` and `DT_NOEND`.
pub(super) const TIMESTAMP_INFINITE: [i64; 2] = [i64::MIN, i64::MAX];

/// Days from 4714-11-24 BC to 5874897-12-31, as PostgreSQL counts them: from 2000-01-01 on.
const DATES: std::ops::RangeInclusive<i32> = -2_451_545..=2_145_031_948;
/// Microseconds from 4714-11-24 00:00 BC to 294276-12-31 23:59:59.999999.
const TIMESTAMPS: std::ops::Range<i64> = -211_813_488_000_000_000..9_223_371_331_200_000_000;

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

/// Text in ISO form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    /// `-infinity` (0) or `infinity` (1).
    Infinite(usize),
    At {
        days: i64,
        /// Of the day, up to 24:00:00.
        micros: i64,
        /// Seconds east of Greenwich.
        offset: Option<i64>,
    },
}

/// Days since 2000-01-01. A time and an offset are checked and dropped, as PostgreSQL does.
pub(super) fn parse_date(text: &[u8], expected: &'static str) -> Result<i32, KeyError> {
    match parse(text, expected)? {
        Moment::Infinite(end) => Ok(DATE_INFINITE[end]),
        Moment::At { days, .. } => i32::try_from(days)
            .ok()
            .filter(|days| DATES.contains(days))
            .ok_or(KeyError::OutOfRange { expected }),
    }
}

/// Microseconds since 2000-01-01 in nobody's time zone. An offset is checked and dropped, as PostgreSQL does.
pub(super) fn parse_timestamp(text: &[u8], expected: &'static str) -> Result<i64, KeyError> {
    match parse(text, expected)? {
        Moment::Infinite(end) => Ok(TIMESTAMP_INFINITE[end]),
        Moment::At { days, micros, .. } => instant(days, micros, 0, expected),
    }
}

/// Microseconds since 2000-01-01 UTC. Without an offset the session's `TimeZone` would decide.
pub(super) fn parse_timestamptz(text: &[u8], expected: &'static str) -> Result<i64, KeyError> {
    match parse(text, expected)? {
        Moment::Infinite(end) => Ok(TIMESTAMP_INFINITE[end]),
        Moment::At {
            days,
            micros,
            offset: Some(offset),
        } => instant(days, micros, offset, expected),
        Moment::At { offset: None, .. } => Err(KeyError::Unread { expected }),
    }
}

/// True for a day and a time in ISO form that exist in no calendar: other errors may be a form that is not
/// read here.
pub(super) fn is_certainly_invalid(text: &[u8]) -> bool {
    trim(text).is_empty() || matches!(parse(text, ""), Err(KeyError::OutOfRange { .. }))
}

/// The value of a date's binary form.
pub(super) fn is_date(days: i32) -> bool {
    DATE_INFINITE.contains(&days) || DATES.contains(&days)
}

/// The value of a timestamp's binary form, with or without time zone.
pub(super) fn is_timestamp(micros: i64) -> bool {
    TIMESTAMP_INFINITE.contains(&micros) || TIMESTAMPS.contains(&micros)
}

fn instant(days: i64, micros: i64, offset: i64, expected: &'static str) -> Result<i64, KeyError> {
    // Checked: a year of seven digits is a date, but no timestamp.
    days.checked_mul(DAY)
        .and_then(|start| start.checked_add(micros)?.checked_sub(offset * SECOND))
        .filter(|micros| TIMESTAMPS.contains(micros))
        .ok_or(KeyError::OutOfRange { expected })
}

/// `infinity`, or a date, perhaps with a time, perhaps with an offset:
///
/// ```text
/// YYYY-MM-DD [ (' ' | 'T') HH:MM[:SS[.f{1,6}]] ] [ [' '] (Z | UTC | (+|-)HHMM | (+|-)HH[:MM[:SS]]) ]
/// ```
///
/// The year has four to seven digits, other fields may have one; an offset without a time needs its blank.
fn parse(text: &[u8], expected: &'static str) -> Result<Moment, KeyError> {
    let text = trim(text);
    if text.eq_ignore_ascii_case(b"infinity") {
        return Ok(Moment::Infinite(1));
    }
    if text.eq_ignore_ascii_case(b"-infinity") {
        return Ok(Moment::Infinite(0));
    }
    let unread = KeyError::Unread { expected };
    let mut cursor = Cursor(text);
    let parsed = moment(&mut cursor).filter(|_| cursor.0.is_empty());
    let Some((date, time, offset)) = parsed else {
        return Err(unread);
    };
    let out_of_range = KeyError::OutOfRange { expected };
    let (year, month, day) = date;
    if year == 0 || !(1..=12).contains(&month) || !(1..=days_of(year, month)).contains(&day) {
        return Err(out_of_range);
    }
    let (hour, minute, second, micros) = time.unwrap_or_default();
    if second == 60 {
        // A minute later, or an error, by the fraction.
        return Err(unread);
    }
    let midnight = (hour, minute, second, micros) == (24, 0, 0, 0);
    if (hour > 23 && !midnight) || minute > 59 || second > 59 {
        return Err(out_of_range);
    }
    if let Some((_, hours, minutes, seconds)) = offset
        && (hours > 15 || minutes > 59 || seconds > 59)
    {
        return Err(out_of_range);
    }
    Ok(Moment::At {
        days: days_from_2000(year, month, day),
        micros: (hour * 3600 + minute * 60 + second) * SECOND + micros,
        offset: offset
            .map(|(sign, hours, minutes, seconds)| sign * (hours * 3600 + minutes * 60 + seconds)),
    })
}

type Date = (i64, i64, i64);
type Time = (i64, i64, i64, i64);
/// Sign, hours, minutes, seconds.
type Offset = (i64, i64, i64, i64);

fn moment(cursor: &mut Cursor<'_>) -> Option<(Date, Option<Time>, Option<Offset>)> {
    let year = cursor.digits(4, 7)?;
    cursor.eat(b'-')?;
    let month = cursor.digits(1, 2)?;
    cursor.eat(b'-')?;
    let day = cursor.digits(1, 2)?;
    let date = (year, month, day);
    let time = match cursor.0 {
        [] => return Some((date, None, None)),
        [b'T' | b't', ..] | [b' ', b'0'..=b'9', ..] => {
            cursor.0 = &cursor.0[1..];
            Some(time(cursor)?)
        }
        [b' ', ..] => None,
        _ => return None,
    };
    if cursor.0.is_empty() {
        return Some((date, time, None));
    }
    let _ = cursor.eat(b' ');
    Some((date, time, Some(offset(cursor)?)))
}

fn time(cursor: &mut Cursor<'_>) -> Option<Time> {
    let hour = cursor.digits(1, 2)?;
    cursor.eat(b':')?;
    let minute = cursor.digits(1, 2)?;
    if cursor.eat(b':').is_none() {
        return Some((hour, minute, 0, 0));
    }
    let second = cursor.digits(1, 2)?;
    let mut micros = 0;
    if cursor.eat(b'.').is_some() {
        let before = cursor.0.len();
        micros = cursor.digits(1, 6)?;
        for _ in before - cursor.0.len()..6 {
            micros *= 10;
        }
    }
    Some((hour, minute, second, micros))
}

/// `Z` and `UTC` are in the default list of `timezone_abbreviations` and in those that build on it.
fn offset(cursor: &mut Cursor<'_>) -> Option<Offset> {
    let sign = match cursor.0 {
        [b'+', rest @ ..] => {
            cursor.0 = rest;
            1
        }
        [b'-', rest @ ..] => {
            cursor.0 = rest;
            -1
        }
        zone if zone.eq_ignore_ascii_case(b"z") || zone.eq_ignore_ascii_case(b"utc") => {
            cursor.0 = &[];
            return Some((1, 0, 0, 0));
        }
        _ => return None,
    };
    let all = cursor.0;
    let hours = cursor.digits(2, 4)?;
    match (all.len() - cursor.0.len(), cursor.0) {
        (4, _) => return Some((sign, hours / 100, hours % 100, 0)),
        (2, []) => return Some((sign, hours, 0, 0)),
        (2, [b':', ..]) => {}
        _ => return None,
    }
    cursor.eat(b':')?;
    let minutes = cursor.digits(2, 2)?;
    let seconds = match cursor.eat(b':') {
        Some(()) => cursor.digits(2, 2)?,
        None => 0,
    };
    Some((sign, hours, minutes, seconds))
}

struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    fn eat(&mut self, byte: u8) -> Option<()> {
        let rest = self.0.strip_prefix(&[byte])?;
        self.0 = rest;
        Some(())
    }

    /// All digits that follow, where there are neither fewer nor more of them.
    fn digits(&mut self, min: usize, max: usize) -> Option<i64> {
        let count = self.0.iter().take_while(|b| b.is_ascii_digit()).count();
        if !(min..=max).contains(&count) {
            return None;
        }
        let (digits, rest) = self.0.split_at(count);
        self.0 = rest;
        let add = |number, digit: &u8| number * 10 + i64::from(digit - b'0');
        Some(digits.iter().fold(0, add))
    }
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 => 28 + i64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// In the proleptic Gregorian calendar, counted from a March, so that the leap day is a year's last.
fn days_from_2000(year: i64, month: i64, day: i64) -> i64 {
    let from_march = (month + 9) % 12;
    let year = year - i64::from(month < 3);
    let whole = year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    whole + (from_march * 153 + 2) / 5 + day - 1 - MARCH_OF_YEAR_0
}

/// Days from March 1 of the year 0 to 2000-01-01.
const MARCH_OF_YEAR_0: i64 = 730_425;

/// Year, month and day of what [`days_from_2000`] counts.
fn date_from_2000(days: i64) -> Date {
    let days = days + MARCH_OF_YEAR_0;
    // The guess is right or one too high: the mean year is a little longer than the days before its end say.
    let mut year = (days * 400).div_euclid(146_097);
    let start =
        |year: i64| year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    while start(year) > days {
        year -= 1;
    }
    while start(year + 1) <= days {
        year += 1;
    }
    let day_of_year = days - start(year);
    let from_march = (day_of_year * 5 + 2) / 153;
    let day = day_of_year - (from_march * 153 + 2) / 5 + 1;
    let month = (from_march + 2) % 12 + 1;
    (year + i64::from(month < 3), month, day)
}

/// `2020-01-31`, `0044-03-15 BC`, `infinity`: what PostgreSQL prints under `DateStyle` ISO.
pub(super) fn print_date(days: i32) -> String {
    match days {
        i32::MIN => "-infinity".to_owned(),
        i32::MAX => "infinity".to_owned(),
        _ => {
            let (date, era) = print_day(days.into());
            format!("{date}{era}")
        }
    }
}

/// `2020-01-31 10:20:30.5`, with `zone` behind it.
pub(super) fn print_timestamp(micros: i64, zone: &str) -> String {
    match micros {
        i64::MIN => return "-infinity".to_owned(),
        i64::MAX => return "infinity".to_owned(),
        _ => {}
    }
    let (date, era) = print_day(micros.div_euclid(DAY));
    let of_day = micros.rem_euclid(DAY);
    let seconds = of_day / SECOND;
    let mut text = format!(
        "{date} {:02}:{:02}:{:02}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    );
    let fraction = of_day % SECOND;
    if fraction != 0 {
        // Writing to a string does not fail.
        let _ = write!(text, ".{fraction:06}");
        text.truncate(text.trim_end_matches('0').len());
    }
    text + zone + era
}

fn print_day(days: i64) -> (String, &'static str) {
    let (year, month, day) = date_from_2000(days);
    let (year, era) = if year > 0 {
        (year, "")
    } else {
        (1 - year, " BC")
    };
    (format!("{year:04}-{month:02}-{day:02}"), era)
}
