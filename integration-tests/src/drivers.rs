//! Drivers of other languages.
