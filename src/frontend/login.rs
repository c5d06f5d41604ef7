//! Proving who a client is: the exchange of each method, and the turn an attempt has to wait for after too many
//! failures of its address.
//!
//! ```text
//! scram        Sasl ──initial──> Continue ──response──┐
//! md5, password  Request ──password───────────────────┴─> turn ─> judged ─> proven, or 28P01
//! certificate    ────────────────────────────────────────────────> judged ─> proven, or 28000
//! ```
//!
//! A name that nobody has, and a user whose password is stored in a form that the method cannot use, go through
//! the same messages, the same work and the same waits, to the same error.

use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Doors;
use crate::auth::{
    Md5Challenge, Mechanism, Pass, Proof, ScramError, ScramServer, Secret, Source, Throttle,
    TurnedAway, is_password, password,
};
use crate::config::{Method, User};
use crate::error::{PgError, SqlState, named};
use crate::net::{Buffered, timer};
use crate::session::Failure;
use crate::wire::{self, Replies, frontend};

/// A message before the login is done, its header included. SCRAM messages are far smaller.
const PASSWORD_BYTES_MAX: usize = 10_000;

/// Passwords in clear that are checked at once: each takes a core for some milliseconds.
const CLEAR_TEXT_CHECKS_MAX: usize = 2;

/// What all logins of a proxy share.
pub struct Gate {
    throttle: Throttle,
    clear_text: Arc<Semaphore>,
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            throttle: Throttle::default(),
            clear_text: Arc::new(Semaphore::new(CLEAR_TEXT_CHECKS_MAX)),
        }
    }
}

/// One client's attempt to log in.
pub(super) struct Attempt<'a> {
    pub(super) doors: &'a Doors,
    pub(super) io: &'a mut Buffered,
    /// As the client calls itself.
    pub(super) name: &'a str,
    /// Who that is; `None` for nobody.
    pub(super) user: Option<&'a User>,
    pub(super) secret: Arc<Secret>,
    pub(super) terms: Terms,
}

/// What an attempt may cost.
#[derive(Clone, Copy)]
pub(super) struct Terms {
    pub(super) source: Source,
    /// Allowed in a minute.
    pub(super) failures: u32,
    /// When the login must be done.
    pub(super) deadline: Instant,
}

/// Refuses a client whose address has so many attempts waiting that this one would have to be turned away,
/// before anything is looked up for it.
pub(super) fn not_crowded(doors: &Doors, terms: Terms) -> Result<(), Failure> {
    // Given back at once.
    enter(doors, terms).map(drop)
}

impl<'a> Attempt<'a> {
    /// Runs the method's exchange; `None` where the client left.
    ///
    /// Errors: 28P01, 28000 where a certificate or the channel is wrong, 08P01, 53300 where too many attempts of
    /// the address wait.
    ///
    /// May be dropped midway: the client is not logged in then.
    pub(super) async fn prove(&mut self, method: Method) -> Result<Option<Proof>, Failure> {
        let proof = match method {
            Method::Scram => self.scram().await,
            Method::Md5 => self.md5().await,
            Method::Password => self.clear_text().await,
            Method::Certificate => self.certificate().map(Some),
            // No rule with this method lets anybody come here.
            Method::Reject => Err(self.wrong_password()),
        };
        if proof.is_err() && self.user.is_some() && !self.secret.fits(method) {
            let user = named(self.name);
            tracing::debug!(
                user,
                ?method,
                "the stored form of the password does not fit the method"
            );
        }
        proof
    }

    async fn scram(&mut self) -> Result<Option<Proof>, Failure> {
        let end_point = self
            .io
            .stream
            .encryption()
            .and_then(|tls| tls.end_point_binding.clone());
        let mut scram = ScramServer::new(Arc::clone(&self.secret), end_point);
        let offered = scram.mechanisms();
        let names: Vec<&str> = offered.iter().map(|mechanism| mechanism.name()).collect();
        self.io.output.authentication_sasl(&names);
        let Some(initial) = self.answer("SASL").await? else {
            return Ok(None);
        };
        let (mechanism, first) = initial_response(&initial, offered)?;
        let challenge = match first {
            Some(first) => scram.first(mechanism, first),
            // The client's first message comes in answer to an empty challenge.
            None => {
                self.io.output.authentication_sasl_continue(Vec::new());
                let Some(first) = self.answer("SASL").await? else {
                    return Ok(None);
                };
                scram.first(mechanism, &first)
            }
        };
        let challenge = challenge.map_err(|error| self.refused(&error))?;
        self.io.output.authentication_sasl_continue(challenge);
        let Some(response) = self.answer("SASL").await? else {
            return Ok(None);
        };
        let Some(pass) = self.turn().await? else {
            return Ok(None);
        };
        match scram.finish(&response) {
            Ok(proven) => {
                self.io.output.authentication_sasl_final(proven.answer);
                Ok(Some(Proof::Scram(proven.keys)))
            }
            Err(ScramError::WrongProof) => self.failed(pass).await,
            Err(error) => Err(self.refused(&error)),
        }
    }

    async fn md5(&mut self) -> Result<Option<Proof>, Failure> {
        let challenge = Md5Challenge::new();
        self.io.output.authentication_md5(challenge.salt);
        let Some(body) = self.answer("password").await? else {
            return Ok(None);
        };
        let response = password(&body).map_err(|error| violation(error.to_string()))?;
        let Some(pass) = self.turn().await? else {
            return Ok(None);
        };
        match challenge.accepts(&self.secret, response) {
            true => Ok(Some(Proof::Md5)),
            false => self.failed(pass).await,
        }
    }

    async fn clear_text(&mut self) -> Result<Option<Proof>, Failure> {
        self.io.output.authentication_clear_text();
        let Some(body) = self.answer("password").await? else {
            return Ok(None);
        };
        let given = password(&body)
            .map_err(|error| violation(error.to_string()))?
            .to_vec();
        let Some((pass, permit)) = self.turn_to_work().await? else {
            return Ok(None);
        };
        let (secret, name) = (Arc::clone(&self.secret), self.name.to_owned());
        let work = self.doors.secrets.work();
        let checked = tokio::task::spawn_blocking(move || {
            let right = is_password(&secret, &name, &given, work);
            drop(permit);
            String::from_utf8(given).ok().filter(|_| right)
        });
        match checked.await {
            Ok(Some(password)) => Ok(Some(Proof::ClearText(password))),
            Ok(None) => self.failed(pass).await,
            Err(error) => Err(Failure::Fatal(PgError::proxy(
                SqlState::INTERNAL_ERROR,
                format!("the password could not be checked: {error}"),
            ))),
        }
    }

    /// What the TLS handshake has verified stands for the user if it has the right name.
    fn certificate(&self) -> Result<Proof, Failure> {
        let tls = self.io.stream.encryption();
        let certificate = tls.and_then(|tls| tls.client_certificate.as_ref());
        let shown = certificate.and_then(|certificate| certificate.common_name.as_deref());
        if shown.is_some() && shown == self.user.map(|user| user.certificate.as_str()) {
            return Ok(Proof::Certificate);
        }
        let name = named(self.name);
        Err(Failure::Fatal(PgError::client(
            SqlState::INVALID_AUTHORIZATION,
            format!("certificate authentication failed for user \"{name}\""),
        )))
    }

    /// Sends what is there to be sent. The answer is the body of the next message, which must be a password
    /// message; `None` where the client left.
    async fn answer(&mut self, expected: &str) -> Result<Option<Vec<u8>>, Failure> {
        self.io.flush().await?;
        loop {
            // From the first byte on, so that nothing is waited for that is not wanted.
            if let Some(tag) = self
                .io
                .input
                .first()
                .filter(|tag| **tag != frontend::PASSWORD)
            {
                let message = format!("expected {expected} response, got message type {tag}");
                return Err(violation(message));
            }
            let head = wire::header(&self.io.input).map_err(|e| violation(e.to_string()))?;
            if let Some(head) = head {
                if head.len > PASSWORD_BYTES_MAX {
                    return Err(violation(format!(
                        "invalid message length {}",
                        head.len - 1
                    )));
                }
                if self.io.input.len() >= head.len {
                    let frame = self.io.input.split_to(head.len);
                    return Ok(Some(frame[wire::HEADER_BYTES..].to_vec()));
                }
            }
            if self.io.fill().await? == 0 {
                return Ok(None);
            }
        }
    }

    /// Waits until the attempt may be judged; `None` where the client left meanwhile.
    async fn turn(&mut self) -> Result<Option<Pass<'a>>, Failure> {
        let pass = enter(self.doors, self.terms)?;
        self.wait_for(pass).await
    }

    async fn wait_for(&mut self, pass: Pass<'a>) -> Result<Option<Pass<'a>>, Failure> {
        if let Some(turn) = pass.turn() {
            self.doors.shared.metrics.clients.logins_throttled.inc();
            tracing::debug!(
                user = named(self.name),
                "a login waits: too many of its address have failed"
            );
            if !wait(self.io, turn).await? {
                return Ok(None);
            }
        }
        Ok(Some(pass))
    }

    /// As `turn`, with leave to take a core for a while. Whoever waits for its turn waits without that leave:
    /// the attempts of one address must not keep others from having theirs checked.
    async fn turn_to_work(&mut self) -> Result<Option<(Pass<'a>, OwnedSemaphorePermit)>, Failure> {
        let mut pass = self.turn().await?;
        while let Some(entered) = pass {
            let clear_text = Arc::clone(&self.doors.gate.clear_text);
            let permit = clear_text
                .acquire_owned()
                .await
                .expect("nobody closes the semaphore");
            if entered.turn().is_some() {
                return Ok(Some((entered, permit)));
            }
            // Others may have failed while this one waited for its core.
            let again = enter(self.doors, self.terms)?;
            if again.turn().is_none() {
                return Ok(Some((again, permit)));
            }
            drop(permit);
            pass = self.wait_for(again).await?;
        }
        Ok(None)
    }

    async fn failed(&mut self, pass: Pass<'a>) -> Result<Option<Proof>, Failure> {
        match pass.failed() {
            Some(turn) if !wait(self.io, turn).await? => Ok(None),
            _ => Err(self.wrong_password()),
        }
    }

    fn wrong_password(&self) -> Failure {
        wrong_password(self.name)
    }

    fn refused(&self, error: &ScramError) -> Failure {
        let code = match error {
            ScramError::WrongProof => return self.wrong_password(),
            ScramError::Malformed(_) => SqlState::PROTOCOL_VIOLATION,
            ScramError::Unsupported(_) => SqlState::FEATURE_NOT_SUPPORTED,
            ScramError::Channel(_) => SqlState::INVALID_AUTHORIZATION,
        };
        Failure::Fatal(PgError::client(code, error.to_string()))
    }
}

fn enter(doors: &Doors, terms: Terms) -> Result<Pass<'_>, Failure> {
    let entered = doors
        .gate
        .throttle
        .enter(terms.source, terms.failures, terms.deadline);
    entered.map_err(|TurnedAway| {
        doors.shared.metrics.clients.logins_throttled.inc();
        Failure::Fatal(
            PgError::proxy(
                SqlState::TOO_MANY_CONNECTIONS,
                "too many logins from this address have failed, and too many wait for their turn",
            )
            .with_hint("Try again in a minute."),
        )
    })
}

/// False where the client leaves first. What it sends stays in the input buffer.
async fn wait(io: &mut Buffered, until: Instant) -> Result<bool, Failure> {
    let mut turn = pin!(timer::sleep_until(until.into()));
    loop {
        tokio::select! {
            () = &mut turn => return Ok(true),
            read = io.fill(), if io.input.len() < PASSWORD_BYTES_MAX => {
                if read? == 0 {
                    return Ok(false);
                }
            }
        }
    }
}

/// SASLInitialResponse: the mechanism's name, then the counted first message, or -1 where that comes later.
fn initial_response<'b>(
    body: &'b [u8],
    offered: &[Mechanism],
) -> Result<(Mechanism, Option<&'b [u8]>), Failure> {
    let malformed = || violation("malformed SASLInitialResponse");
    let end = body.iter().position(|b| *b == 0).ok_or_else(malformed)?;
    let (name, rest) = (&body[..end], &body[end + 1..]);
    let mechanism = offered
        .iter()
        .find(|mechanism| mechanism.name().as_bytes() == name);
    let mechanism = mechanism
        .ok_or_else(|| violation("client selected an invalid SASL authentication mechanism"))?;
    let (length, data) = rest.split_first_chunk::<4>().ok_or_else(malformed)?;
    let first = match i32::from_be_bytes(*length) {
        -1 if data.is_empty() => None,
        length if usize::try_from(length) == Ok(data.len()) => Some(data),
        _ => return Err(malformed()),
    };
    Ok((*mechanism, first))
}

/// A SASLInitialResponse names one of what was offered, and its data lie in the message.
#[cfg(feature = "internals")]
pub fn fuzz_initial_response(body: &[u8]) {
    let offered = [Mechanism::ScramPlus, Mechanism::Scram];
    if let Ok((mechanism, first)) = initial_response(body, &offered) {
        assert!(body.starts_with(mechanism.name().as_bytes()));
        assert!(first.is_none_or(|first| body.ends_with(first)));
    }
}

fn violation(message: impl Into<String>) -> Failure {
    Failure::Fatal(PgError::client(SqlState::PROTOCOL_VIOLATION, message))
}

/// The one answer to whoever does not get in, whatever the reason.
pub(super) fn wrong_password(name: &str) -> Failure {
    let name = named(name);
    Failure::Fatal(PgError::client(
        SqlState::INVALID_PASSWORD,
        format!("password authentication failed for user \"{name}\""),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_passwords_in_clear_are_checked_at_once() {
        let gate = Gate::default();
        let checks: Vec<_> = std::iter::from_fn(|| {
            let clear_text = Arc::clone(&gate.clear_text);
            clear_text.try_acquire_owned().ok()
        })
        .collect();
        assert_eq!(checks.len(), CLEAR_TEXT_CHECKS_MAX);
    }

    #[test]
    fn an_initial_response_is_checked() {
        let plain = [Mechanism::Scram];
        let both = [Mechanism::ScramPlus, Mechanism::Scram];
        let read = |body| initial_response(body, &plain).ok();
        assert_eq!(
            read(b"SCRAM-SHA-256\0\0\0\0\x03abc"),
            Some((Mechanism::Scram, Some(&b"abc"[..])))
        );
        assert_eq!(
            read(b"SCRAM-SHA-256\0\xff\xff\xff\xff"),
            Some((Mechanism::Scram, None))
        );
        let bound = b"SCRAM-SHA-256-PLUS\0\0\0\0\x03abc";
        assert_eq!(read(bound), None);
        assert_eq!(
            initial_response(bound, &both).ok(),
            Some((Mechanism::ScramPlus, Some(&b"abc"[..])))
        );
        for body in [
            &b"SCRAM-SHA-256"[..],
            b"SCRAM-SHA-256\0",
            b"SCRAM-SHA-256\0\0\0\0\x04abc",
            b"SCRAM-SHA-256\0\0\0\0\x02abc",
            b"SCRAM-SHA-256\0\xff\xff\xff\xffabc",
            b"SCRAM-SHA-256\0\x7f\xff\xff\xffabc",
            b"SCRAM-SHA-25\0\0\0\0\0",
            b"X\0\0\0\0\0",
            b"",
        ] {
            assert_eq!(read(body), None, "{body:?}");
        }
    }
}
