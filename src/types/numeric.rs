//! PostgreSQL's `numeric`: decimal numbers in digits of base 10,000, with a display scale, NaN and infinities.
//!
//! Results have the digits and the scale that PostgreSQL gives them.
//! Source: `src/backend/utils/adt/numeric.c`

mod wire;

pub use wire::Wire;
