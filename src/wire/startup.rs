//! The packets a client may send before it is logged in. They have no type byte.

use std::collections::BTreeMap;
use std::fmt;

/// PostgreSQL's own limit on a startup packet.
/// Source: `MAX_STARTUP_PACKET_LENGTH` in `src/include/libpq/pqcomm.h`.
pub const STARTUP_BYTES_MAX: usize = 10_000;

const CANCEL_REQUEST: u32 = 80_877_102;
const SSL_REQUEST: u32 = 80_877_103;
const GSSENC_REQUEST: u32 = 80_877_104;

/// The first packet of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartupPacket {
    Ssl,
    GssEnc,
    Cancel(CancelRequest),
    Startup(Startup),
}

/// What BackendKeyData had told the client.
#[derive(Clone, PartialEq, Eq)]
pub struct CancelRequest {
    pub process_id: u32,
    pub secret: Vec<u8>,
}

/// Never shows the secret.
impl fmt::Debug for CancelRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CancelRequest({}, …)", self.process_id)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Startup {
    /// Minor version of protocol 3.
    pub minor: u16,
    /// Parameters other than `user` and `database`, `_pq_.` options among them.
    pub parameters: BTreeMap<String, String>,
    pub user: String,
    /// The user's name where the client named no database.
    pub database: String,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartupError {
    #[error("invalid length of startup packet")]
    Length,
    #[error("unsupported frontend protocol {major}.{minor}: server supports 3.0 to 3.2")]
    Version { major: u16, minor: u16 },
    #[error("invalid startup packet layout: expected terminator as last byte")]
    Layout,
    #[error("no PostgreSQL user name specified in startup packet")]
    NoUser,
    #[error("startup parameters must be valid UTF-8")]
    Encoding,
}

/// Reads the packet at the start of `buf`: it and its length in bytes, or `None` until all of it has
/// arrived. The length is checked before anything else is waited for.
pub fn startup_packet(buf: &[u8]) -> Result<Option<(StartupPacket, usize)>, StartupError> {
    let Some((length, _)) = buf.split_first_chunk::<4>() else {
        return Ok(None);
    };
    let length = u32::from_be_bytes(*length) as usize;
    if !(8..=STARTUP_BYTES_MAX).contains(&length) {
        return Err(StartupError::Length);
    }
    let Some(packet) = buf.get(4..length) else {
        return Ok(None);
    };
    let code = u32::from_be_bytes([packet[0], packet[1], packet[2], packet[3]]);
    let body = &packet[4..];
    let packet = match code {
        SSL_REQUEST if body.is_empty() => StartupPacket::Ssl,
        GSSENC_REQUEST if body.is_empty() => StartupPacket::GssEnc,
        SSL_REQUEST | GSSENC_REQUEST => return Err(StartupError::Length),
        CANCEL_REQUEST => cancel(body)?,
        version => startup(version, body)?,
    };
    Ok(Some((packet, length)))
}

fn cancel(body: &[u8]) -> Result<StartupPacket, StartupError> {
    let (process_id, secret) = body.split_first_chunk::<4>().ok_or(StartupError::Length)?;
    // Protocol 3.2 allows keys of up to 256 bytes; none is empty.
    if secret.is_empty() || secret.len() > 256 {
        return Err(StartupError::Length);
    }
    let process_id = u32::from_be_bytes(*process_id);
    Ok(StartupPacket::Cancel(CancelRequest {
        process_id,
        secret: secret.to_vec(),
    }))
}

fn startup(version: u32, body: &[u8]) -> Result<StartupPacket, StartupError> {
    let (major, minor) = ((version >> 16) as u16, (version & 0xffff) as u16);
    if major != 3 {
        return Err(StartupError::Version { major, minor });
    }
    let mut parameters = BTreeMap::new();
    let mut fields = body.strip_suffix(&[0]).ok_or(StartupError::Layout)?;
    while !fields.is_empty() {
        let name = field(&mut fields)?;
        if name.is_empty() {
            // The terminator, and more behind it.
            return Err(StartupError::Layout);
        }
        let value = field(&mut fields)?;
        parameters.insert(name, value);
    }
    let user = parameters
        .remove("user")
        .filter(|user| !user.is_empty())
        .ok_or(StartupError::NoUser)?;
    let database = parameters
        .remove("database")
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| user.clone());
    Ok(StartupPacket::Startup(Startup {
        minor,
        parameters,
        user,
        database,
    }))
}

fn field(fields: &mut &[u8]) -> Result<String, StartupError> {
    let end = fields
        .iter()
        .position(|b| *b == 0)
        .ok_or(StartupError::Layout)?;
    let text = std::str::from_utf8(&fields[..end]).map_err(|_| StartupError::Encoding)?;
    *fields = &fields[end + 1..];
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(code: u32, body: &[u8]) -> Vec<u8> {
        let mut packet = ((8 + body.len()) as u32).to_be_bytes().to_vec();
        packet.extend(code.to_be_bytes());
        packet.extend_from_slice(body);
        packet
    }

    #[test]
    fn reads_a_startup() {
        let bytes = packet(196_608, b"user\0app\0application_name\0psql\0\0");
        let Ok(Some((StartupPacket::Startup(startup), length))) = startup_packet(&bytes) else {
            panic!("not a startup");
        };
        assert_eq!(length, bytes.len());
        assert_eq!(
            (startup.user.as_str(), startup.database.as_str()),
            ("app", "app")
        );
        assert_eq!(startup.parameters["application_name"], "psql");
    }

    #[test]
    fn waits_for_the_rest_but_not_for_a_claimed_size() {
        let bytes = packet(196_608, b"user\0app\0\0");
        for end in 0..bytes.len() {
            assert_eq!(startup_packet(&bytes[..end]), Ok(None), "cut at {end}");
        }
        assert_eq!(
            startup_packet(&10_001u32.to_be_bytes()),
            Err(StartupError::Length)
        );
        assert_eq!(
            startup_packet(&7u32.to_be_bytes()),
            Err(StartupError::Length)
        );
    }

    #[test]
    fn malformed_packets_are_refused() {
        for body in [
            &b""[..],
            b"user\0app\0",
            b"user\0\0",
            b"user\0\0\0",
            b"user",
            b"\0",
            b"a\0b\0\0",
            b"user\0app\0\0x\0\0",
            b"user\0a\xc0\xafpp\0\0",
        ] {
            assert!(startup_packet(&packet(196_608, body)).is_err(), "{body:?}");
        }
        assert!(startup_packet(&packet(131_072, b"")).is_err());
        let cancel = |key: &[u8]| {
            let body = [&b"\0\0\0\x01"[..], key].concat();
            startup_packet(&packet(80_877_102, &body))
        };
        assert!(cancel(&[]).is_err() && cancel(&[7; 257]).is_err());
        for length in [1, 4, 32, 256] {
            let read = StartupPacket::Cancel(CancelRequest {
                process_id: 1,
                secret: vec![7; length],
            });
            assert_eq!(cancel(&vec![7; length]), Ok(Some((read, 12 + length))));
        }
        assert!(startup_packet(&packet(80_877_103, b"x")).is_err());
    }
}
