//! What Trunkline itself says to a client, appended to the client's output buffer.

use bytes::{BufMut, Bytes, BytesMut};
use pgwire::messages::Message;
use pgwire::messages::data::{DataRow, FieldDescription, ParameterDescription, RowDescription};
use pgwire::messages::response::{CommandComplete, ErrorResponse, NoticeResponse};
use pgwire::messages::startup::{
    Authentication, BackendKeyData, NegotiateProtocolVersion, ParameterStatus, SecretKey,
};

use crate::error::PgError;
use crate::types::Oid;

/// The status byte of ReadyForQuery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionStatus {
    Idle,
    InTransaction,
    Failed,
}

impl TransactionStatus {
    pub fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            b'I' => Some(Self::Idle),
            b'T' => Some(Self::InTransaction),
            b'E' => Some(Self::Failed),
            _ => None,
        }
    }

    pub fn as_byte(self) -> u8 {
        match self {
            Self::Idle => b'I',
            Self::InTransaction => b'T',
            Self::Failed => b'E',
        }
    }
}

/// A column of an answer made by the proxy, always in text form.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    pub name: &'static str,
    pub oid: Oid,
}

/// ParseComplete as it is on the wire.
pub const PARSE_COMPLETE: [u8; 5] = *b"1\0\0\0\x04";

/// Encoders over an output buffer. None can fail: messages are small and made here.
pub trait Replies {
    fn put_message(&mut self, message: &impl Message);
    fn put_fixed(&mut self, bytes: &[u8]);

    fn authentication_ok(&mut self) {
        self.put_message(&Authentication::Ok);
    }

    fn authentication_clear_text(&mut self) {
        self.put_message(&Authentication::CleartextPassword);
    }

    fn authentication_md5(&mut self, salt: [u8; 4]) {
        self.put_message(&Authentication::MD5Password(salt.to_vec()));
    }

    fn authentication_sasl(&mut self, mechanisms: &[&str]) {
        self.put_message(&Authentication::SASL(
            mechanisms.iter().map(|m| (*m).to_owned()).collect(),
        ));
    }

    fn authentication_sasl_continue(&mut self, data: Vec<u8>) {
        self.put_message(&Authentication::SASLContinue(Bytes::from(data)));
    }

    fn authentication_sasl_final(&mut self, data: Vec<u8>) {
        self.put_message(&Authentication::SASLFinal(Bytes::from(data)));
    }

    /// `version` as in a startup packet.
    fn negotiate_protocol_version(&mut self, version: u32, options: Vec<String>) {
        self.put_message(&NegotiateProtocolVersion::new(version as i32, options));
    }

    fn parameter_status(&mut self, name: &str, value: &str) {
        self.put_message(&ParameterStatus::new(name.to_owned(), value.to_owned()));
    }

    /// `secret` has 4 to 256 bytes.
    fn backend_key_data(&mut self, process_id: u32, secret: &[u8]) {
        let secret = SecretKey::Bytes(Bytes::copy_from_slice(secret));
        self.put_message(&BackendKeyData::new(process_id as i32, secret));
    }

    fn ready_for_query(&mut self, status: TransactionStatus) {
        self.put_fixed(&[b'Z', 0, 0, 0, 5, status.as_byte()]);
    }

    fn error(&mut self, error: &PgError) {
        self.put_message(&ErrorResponse::new(fields(error)));
    }

    fn warning(&mut self, error: &PgError) {
        let mut fields = fields(error);
        for (field, value) in &mut fields {
            if matches!(*field, b'S' | b'V') {
                *value = "WARNING".to_owned();
            }
        }
        self.put_message(&NoticeResponse::new(fields));
    }

    fn command_complete(&mut self, tag: &str) {
        self.put_message(&CommandComplete::new(tag.to_owned()));
    }

    fn parse_complete(&mut self) {
        self.put_fixed(&PARSE_COMPLETE);
    }

    fn bind_complete(&mut self) {
        self.put_fixed(b"2\0\0\0\x04");
    }

    fn close_complete(&mut self) {
        self.put_fixed(b"3\0\0\0\x04");
    }

    fn portal_suspended(&mut self) {
        self.put_fixed(b"s\0\0\0\x04");
    }

    fn no_data(&mut self) {
        self.put_fixed(b"n\0\0\0\x04");
    }

    fn empty_query(&mut self) {
        self.put_fixed(b"I\0\0\0\x04");
    }

    fn parameter_description(&mut self, types: &[u32]) {
        self.put_message(&ParameterDescription::new(types.to_vec()));
    }

    fn row_description(&mut self, columns: &[Column]) {
        let fields = columns
            .iter()
            .map(|c| {
                FieldDescription::new(c.name.to_owned(), 0, 0, c.oid.0, type_size(c.oid), -1, 0)
            })
            .collect();
        self.put_message(&RowDescription::new(fields));
    }

    /// Values are cut where they are longer than anything the proxy has to say.
    fn data_row(&mut self, values: &[Option<String>]) {
        let mut data = BytesMut::new();
        for value in values {
            match value {
                None => data.put_i32(-1),
                Some(text) => {
                    let text = cut(text);
                    data.put_i32(text.len() as i32);
                    data.put_slice(text.as_bytes());
                }
            }
        }
        self.put_message(&DataRow::new(data, values.len() as i16));
    }
}

impl Replies for BytesMut {
    fn put_message(&mut self, message: &impl Message) {
        message
            .encode(self)
            .expect("pgwire's encoders fail on oversized messages only");
    }

    fn put_fixed(&mut self, bytes: &[u8]) {
        self.put_slice(bytes);
    }
}

/// Source: `typlen` in `pg_type.dat`.
fn type_size(oid: Oid) -> i16 {
    match oid {
        Oid::BOOL => 1,
        Oid::INT2 => 2,
        Oid::INT4 => 4,
        Oid::INT8 => 8,
        _ => -1,
    }
}

fn fields(error: &PgError) -> Vec<(u8, String)> {
    let severity = error.severity.as_str().to_owned();
    let mut fields = vec![
        (b'S', severity.clone()),
        (b'V', severity),
        (b'C', error.code.to_string()),
        (b'M', clean(&error.message)),
    ];
    fields.extend(error.detail.as_deref().map(|detail| (b'D', clean(detail))));
    fields.extend(error.hint.as_deref().map(|hint| (b'H', clean(hint))));
    fields.extend(error.position.map(|position| (b'P', position.to_string())));
    fields.extend(
        error
            .context
            .as_deref()
            .map(|context| (b'W', clean(context))),
    );
    fields
}

/// The start of a text, short enough that no row of the few columns there are can be too long.
fn cut(text: &str) -> &str {
    const VALUE_BYTES_MAX: usize = 1 << 20;
    &text[..text.floor_char_boundary(VALUE_BYTES_MAX)]
}

/// A NUL would end the field early; a field is bounded so that a client's own text, quoted in a
/// message, cannot blow up the answer.
fn clean(text: &str) -> String {
    const FIELD_CHARS_MAX: usize = 8_192;
    text.chars()
        .filter(|c| *c != '\0')
        .take(FIELD_CHARS_MAX)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::SqlState;

    #[test]
    fn an_error_has_its_fields_and_no_early_end() {
        let mut out = BytesMut::new();
        out.error(
            &PgError::client(SqlState::SYNTAX_ERROR, "near \"a\0b\"")
                .with_hint("h")
                .with_position(3),
        );
        assert_eq!(
            &out[..],
            b"E\0\0\0\x2bSERROR\0VERROR\0C42601\0Mnear \"ab\"\0Hh\0P3\0\0".as_slice()
        );
    }

    #[test]
    fn keys_and_versions() {
        let mut out = BytesMut::new();
        out.backend_key_data(7, b"abcd");
        out.backend_key_data(7, &[b'k'; 32]);
        out.negotiate_protocol_version(196_610, vec!["_pq_.x".to_owned()]);
        let expected = [
            &b"K\0\0\0\x0c\0\0\0\x07abcd"[..],
            b"K\0\0\0\x28\0\0\0\x07",
            &[b'k'; 32],
            b"v\0\0\0\x13\0\x03\0\x02\0\0\0\x01_pq_.x\0",
        ];
        assert_eq!(&out[..], expected.concat());
    }

    #[test]
    fn long_values_are_cut_at_a_character() {
        let mut out = BytesMut::new();
        out.data_row(&[
            Some("é".repeat(1 << 20)),
            Some("a".to_owned() + &"é".repeat(1 << 20)),
        ]);
        let lengths = |at: usize| u32::from_be_bytes(out[at..at + 4].try_into().expect("four"));
        assert_eq!(lengths(1) as usize + 1, out.len());
        assert_eq!(
            (lengths(7), lengths(11 + (1 << 20))),
            (1 << 20, (1 << 20) - 1)
        );
    }

    #[test]
    fn rows_and_status() {
        let mut out = BytesMut::new();
        out.data_row(&[Some("ab".to_owned()), None]);
        out.ready_for_query(TransactionStatus::Failed);
        assert_eq!(
            &out[..],
            b"D\0\0\0\x10\0\x02\0\0\0\x02ab\xff\xff\xff\xffZ\0\0\0\x05E".as_slice()
        );
    }
}
