//! An aggregate's value and its forms.

use std::borrow::Cow;
use std::io::Write;

use crate::types::Format;
use crate::types::float::{put_float4, put_float8};
use crate::types::numeric::{Numeric, Overflow};

/// The value of an aggregate.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    Null,
    Bool(bool),
    Int2(i16),
    Int4(i32),
    Int8(i64),
    Float4(f32),
    Float8(f64),
    Numeric(Cow<'a, Numeric>),
    Bits {
        /// Padded with zeros to whole bytes.
        bytes: &'a [u8],
        /// How many bits there are.
        count: i32,
    },
    /// As a shard gave it.
    Given {
        binary: &'a [u8],
        /// In the client's format.
        shown: &'a [u8],
    },
}

impl Value<'_> {
    /// Appends the value in a format; false where it is NULL and has no bytes. [`Value::Given`] has the format it was
    /// asked for in. Floats are written with `extra_float_digits` above zero: under another setting their text is
    /// not PostgreSQL's.
    ///
    /// Errors: a number that PostgreSQL could not store.
    pub fn put(&self, format: Format, out: &mut Vec<u8>) -> Result<bool, Overflow> {
        match format {
            Format::Binary => self.put_binary(out)?,
            Format::Text => self.put_text(out)?,
        }
        Ok(!matches!(self, Self::Null))
    }

    fn put_binary(&self, out: &mut Vec<u8>) -> Result<(), Overflow> {
        match self {
            Self::Null => {}
            Self::Bool(value) => out.push((*value).into()),
            Self::Int2(value) => out.extend_from_slice(&value.to_be_bytes()),
            Self::Int4(value) => out.extend_from_slice(&value.to_be_bytes()),
            Self::Int8(value) => out.extend_from_slice(&value.to_be_bytes()),
            Self::Float4(value) => out.extend_from_slice(&value.to_be_bytes()),
            Self::Float8(value) => out.extend_from_slice(&value.to_be_bytes()),
            Self::Numeric(value) => value.put_binary(out)?,
            Self::Bits { bytes, count } => {
                out.extend_from_slice(&count.to_be_bytes());
                out.extend_from_slice(bytes);
            }
            Self::Given { shown, .. } => out.extend_from_slice(shown),
        }
        Ok(())
    }

    fn put_text(&self, out: &mut Vec<u8>) -> Result<(), Overflow> {
        match self {
            Self::Null => {}
            Self::Bool(value) => out.push(if *value { b't' } else { b'f' }),
            Self::Int2(value) => put_integer((*value).into(), out),
            Self::Int4(value) => put_integer((*value).into(), out),
            Self::Int8(value) => put_integer(*value, out),
            Self::Float4(value) => put_float4(*value, out),
            Self::Float8(value) => put_float8(*value, out),
            Self::Numeric(value) => value.put_text(out)?,
            Self::Bits { bytes, count } => {
                let bit = |at| b'0' + (bytes[at / 8] >> (7 - at % 8) & 1);
                out.extend((0..*count as usize).map(bit));
            }
            Self::Given { shown, .. } => out.extend_from_slice(shown),
        }
        Ok(())
    }
}

fn put_integer(value: i64, out: &mut Vec<u8>) {
    write!(out, "{value}").expect("a vector takes all");
}
