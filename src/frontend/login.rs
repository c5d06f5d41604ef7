//! Proving who a client is.

use super::Doors;
use crate::auth::{ScramError, ScramServer};
use crate::config::User;
use crate::error::{PgError, SqlState};
use crate::net::Buffered;
use crate::session::Failure;
use crate::wire::{self, Replies, frontend};

/// SCRAM messages are far smaller.
const PASSWORD_BYTES_MAX: usize = 10_000;

/// SCRAM-SHA-256. An unknown user goes through the same motions. False where the client left.
pub(super) async fn authenticate(
    doors: &Doors,
    io: &mut Buffered,
    name: &str,
    user: Option<&User>,
) -> Result<bool, Failure> {
    let secret = doors.secrets.for_user(name, user);
    let mut scram = ScramServer::new(secret);
    io.output.authentication_sasl(&[ScramServer::MECHANISM]);
    io.flush().await?;
    let Some(initial) = password_message(io).await? else {
        return Ok(false);
    };
    let first = initial_response(&initial)?;
    let challenge = scram.first(first).map_err(|e| refused(doors, name, &e))?;
    io.output.authentication_sasl_continue(challenge);
    io.flush().await?;
    let Some(response) = password_message(io).await? else {
        return Ok(false);
    };
    let last = scram
        .finish(&response)
        .map_err(|e| refused(doors, name, &e))?;
    io.output.authentication_sasl_final(last);
    Ok(true)
}

/// Body of the next message, which must be a password message.
async fn password_message(io: &mut Buffered) -> Result<Option<Vec<u8>>, Failure> {
    loop {
        let head = wire::header(&io.input).map_err(|e| violation(e.to_string()))?;
        if let Some(head) = head {
            if head.tag != frontend::PASSWORD || head.len > PASSWORD_BYTES_MAX {
                return Err(violation(format!(
                    "expected SASL response, got message type 0x{:02x}",
                    head.tag
                )));
            }
            if io.input.len() >= head.len {
                let frame = io.input.split_to(head.len);
                return Ok(Some(frame[wire::HEADER_BYTES..].to_vec()));
            }
        }
        if io.fill().await? == 0 {
            return Ok(None);
        }
    }
}

/// SASLInitialResponse: the mechanism's name, then the counted first message.
fn initial_response(body: &[u8]) -> Result<&[u8], Failure> {
    let malformed = || violation("malformed SASLInitialResponse".to_owned());
    let end = body.iter().position(|b| *b == 0).ok_or_else(malformed)?;
    let (mechanism, rest) = (&body[..end], &body[end + 1..]);
    if mechanism != ScramServer::MECHANISM.as_bytes() {
        return Err(violation(
            "client selected an invalid SASL authentication mechanism".to_owned(),
        ));
    }
    let (length, data) = rest.split_first_chunk::<4>().ok_or_else(malformed)?;
    if usize::try_from(i32::from_be_bytes(*length)) != Ok(data.len()) {
        return Err(malformed());
    }
    Ok(data)
}

fn violation(message: String) -> Failure {
    Failure::Fatal(PgError::client(SqlState::PROTOCOL_VIOLATION, message))
}

fn refused(doors: &Doors, name: &str, error: &ScramError) -> Failure {
    doors.shared.metrics.clients.login_failures.inc();
    match error {
        ScramError::WrongProof => Failure::Fatal(wrong_password(name)),
        ScramError::Malformed(_) => violation(error.to_string()),
        ScramError::Unsupported(_) => Failure::Fatal(PgError::client(
            SqlState::FEATURE_NOT_SUPPORTED,
            error.to_string(),
        )),
    }
}

pub(super) fn wrong_password(name: &str) -> PgError {
    PgError::client(
        SqlState::INVALID_PASSWORD,
        format!("password authentication failed for user \"{name}\""),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_initial_response_is_checked() {
        assert_eq!(
            initial_response(b"SCRAM-SHA-256\0\0\0\0\x03abc").ok(),
            Some(&b"abc"[..])
        );
        for body in [
            &b"SCRAM-SHA-256"[..],
            b"SCRAM-SHA-256\0",
            b"SCRAM-SHA-256\0\0\0\0\x04abc",
            b"X\0\0\0\0\0",
            b"",
        ] {
            assert!(initial_response(body).is_err(), "{body:?}");
        }
    }
}
