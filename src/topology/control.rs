//! Connections of the control plane: as the service user, for our own questions only.
//!
//! The socket is opened by `net`, so that `server_tls` means here exactly what it means for statements;
//! `tokio_postgres` speaks the protocol over it, and gets no more of a server's answers than an [`Allowance`].

use std::error::Error as _;
use std::fmt::Write;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::AbortHandle;
use tokio_postgres::config::SslMode;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, NoTls};

use super::allowance::{Allowance, Limited};
use crate::config::{Address, Service};
use crate::net::{self, Tls, timer};

/// Why the control plane got no answer.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    #[error("cannot be reached: {0}")]
    Unreachable(#[from] io::Error),
    #[error("no answer within {} s", .0.as_secs_f64())]
    TimedOut(Duration),
    /// The server answered with an error, or the connection broke.
    #[error("{}", describe(.0))]
    Postgres(#[from] tokio_postgres::Error),
    /// Bytes allowed.
    #[error("sent more than {0} bytes in answer to one question")]
    TooMuch(usize),
    #[error("answered {0} in an unexpected form")]
    Unexpected(&'static str),
}

impl ControlError {
    /// The server is there and takes statements, though it refused ours: wrong password of the service
    /// user, too many connections. False also while a server starts up or shuts down.
    /// That this process has no descriptor left says nothing of the server either.
    pub fn is_refusal(&self) -> bool {
        let error = match self {
            Self::Postgres(error) => error,
            Self::Unreachable(error) => return net::is_exhausted(error),
            _ => return false,
        };
        match error.code() {
            Some(code) => ![
                SqlState::ADMIN_SHUTDOWN,
                SqlState::CRASH_SHUTDOWN,
                SqlState::CANNOT_CONNECT_NOW,
            ]
            .contains(code),
            None => false,
        }
    }
}

/// `tokio_postgres` keeps the reason in the source.
fn describe(error: &tokio_postgres::Error) -> String {
    if let Some(error) = error.as_db_error() {
        return format!("{} ({})", error.message(), error.code().code());
    }
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            let _ = write!(text, ": {cause_text}");
        }
        source = cause.source();
    }
    text
}

/// A control-plane connection. Dropping it closes it.
pub struct Control {
    pub client: Client,
    driver: AbortHandle,
    allowance: Arc<Allowance>,
}

impl Control {
    /// Connects and logs in as the service user, within `timeout`, which then also ends each of its
    /// statements. The login, and the answer to each [`question`](Self::question), may be of `answer_max` bytes.
    ///
    /// Cancel safe.
    pub async fn connect(
        address: &Address,
        dbname: &str,
        service: &Service,
        tls: &Tls,
        timeout: Duration,
        answer_max: usize,
    ) -> Result<Self, ControlError> {
        let options = format!("{FIXED_SEARCH_PATH} {}", options(timeout));
        Self::login(address, dbname, service, tls, timeout, answer_max, options).await
    }

    /// As `connect`, but with the `search_path` that the server gives the service user: for who asks for that
    /// first, and then sets its own.
    pub async fn connect_as_given(
        address: &Address,
        dbname: &str,
        service: &Service,
        tls: &Tls,
        timeout: Duration,
        answer_max: usize,
    ) -> Result<Self, ControlError> {
        let options = options(timeout);
        Self::login(address, dbname, service, tls, timeout, answer_max, options).await
    }

    async fn login(
        address: &Address,
        dbname: &str,
        service: &Service,
        tls: &Tls,
        timeout: Duration,
        answer_max: usize,
        options: String,
    ) -> Result<Self, ControlError> {
        let mut config = tokio_postgres::Config::new();
        config
            .user(&service.user)
            .dbname(dbname)
            .application_name(APPLICATION_NAME)
            .options(options)
            .ssl_mode(SslMode::Disable);
        if let Some(password) = service.password.for_servers() {
            config.password(password);
        }
        let allowance = Allowance::new(answer_max);
        let login = async {
            let stream = Limited::new(
                net::open(address, tls, timeout).await?,
                Arc::clone(&allowance),
            );
            let (client, connection) = config.connect_raw(stream, NoTls).await?;
            let driver = tokio::spawn(async move {
                // Whoever asks next hears from the client that it is closed.
                let _ = connection.await;
            });
            Ok(Self {
                client,
                driver: driver.abort_handle(),
                allowance: Arc::clone(&allowance),
            })
        };
        let outcome = within(timeout, login).await;
        allowed(&allowance, outcome)
    }

    /// Asks over this connection, with an allowance of its own. Questions that are asked at the same time share
    /// what the last one of them began with.
    pub async fn question<T, E: From<ControlError>>(
        &self,
        question: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        self.allowance.renew();
        let outcome = question.await;
        allowed(&self.allowance, outcome)
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// To `tokio_postgres` a server that sent too much is a connection that broke.
fn allowed<T, E: From<ControlError>>(allowance: &Allowance, outcome: Result<T, E>) -> Result<T, E> {
    match outcome {
        Err(_) if allowance.is_exceeded() => Err(ControlError::TooMuch(allowance.max).into()),
        outcome => outcome,
    }
}

/// Runs a request of the control plane for at most `timeout`.
pub async fn within<T>(
    timeout: Duration,
    request: impl Future<Output = Result<T, ControlError>>,
) -> Result<T, ControlError> {
    match timer::timeout(timeout, request).await {
        Ok(outcome) => outcome,
        Err(_) => Err(ControlError::TimedOut(timeout)),
    }
}

/// For questions whose answer is a row.
pub const ROW_ANSWER_MAX: usize = 1024 * 1024;

const APPLICATION_NAME: &str = "trunkline monitor";

/// Settings of the role or the database must not change what our questions mean. Asked for at the start of
/// a connection, this goes before both.
/// Source: <https://www.postgresql.org/docs/current/runtime-config-client.html#GUC-SEARCH-PATH>
pub const FIXED_SEARCH_PATH: &str = "-c search_path=pg_catalog,pg_temp";

/// A question that we have given up is given up by the server, too.
fn options(timeout: Duration) -> String {
    let limit = timeout.as_millis().clamp(1, i32::MAX as u128);
    format!("-c statement_timeout={limit}")
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::config::Password;

    /// What sockets may hold between us and a server that nobody reads.
    const SOCKETS: usize = 8 * 1024 * 1024;

    fn message(tag: u8, body: &[u8]) -> Vec<u8> {
        let length = (body.len() as u32 + 4).to_be_bytes();
        [&[tag], &length[..], body].concat()
    }

    fn row(bytes: usize) -> Vec<u8> {
        let value = (bytes as u32).to_be_bytes();
        message(b'D', &[&[0, 1], &value[..], &vec![b'x'; bytes]].concat())
    }

    /// One column of text.
    fn description() -> Vec<u8> {
        let column = b"\0\x01a\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0";
        message(b'T', column)
    }

    fn answer(row: &[u8]) -> Vec<u8> {
        let (end, ready) = (message(b'C', b"SELECT 1\0"), message(b'Z', b"I"));
        [&description(), row, &end, &ready].concat()
    }

    fn login() -> Vec<u8> {
        [message(b'R', &[0; 4]), message(b'Z', b"I")].concat()
    }

    /// A server that answers what it reads with these bytes in turn, and goes on with the last ones without end.
    struct Liar {
        address: Address,
        sent: Arc<AtomicUsize>,
    }

    async fn liar(answers: Vec<Vec<u8>>, endless: Vec<u8>) -> Liar {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let sent = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&sent);
        tokio::spawn(async move {
            let (mut client, _) = listener.accept().await?;
            for answer in answers {
                read(&mut client).await?;
                client.write_all(&answer).await?;
            }
            while !endless.is_empty() {
                count.fetch_add(client.write(&endless).await?, Ordering::Relaxed);
            }
            io::Result::Ok(())
        });
        let host = "127.0.0.1".to_owned();
        let address = Address::Tcp { host, port };
        Liar { address, sent }
    }

    async fn read(client: &mut TcpStream) -> io::Result<()> {
        client.read(&mut [0; 4096]).await.map(|_| ())
    }

    async fn connect(liar: &Liar) -> Result<Control, ControlError> {
        let service = Service {
            user: "trunkline".to_owned(),
            password: Password::Plain("secret".to_owned()),
        };
        let (tls, timeout) = (Tls::disabled(), Duration::from_secs(20));
        Control::connect(
            &liar.address,
            "app",
            &service,
            &tls,
            timeout,
            ROW_ANSWER_MAX,
        )
        .await
    }

    async fn ask(control: &Control) -> Result<usize, ControlError> {
        let question = async { Ok(control.client.simple_query("SELECT 1").await?.len()) };
        within(Duration::from_secs(20), control.question(question)).await
    }

    #[track_caller]
    fn assert_too_much<T>(outcome: Result<T, ControlError>, liar: &Liar) {
        match outcome {
            Err(error @ ControlError::TooMuch(_)) => {
                assert!(error.to_string().contains("more than 1048576 bytes"));
                assert!(!error.is_refusal());
            }
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("it is too much"),
        }
        let sent = liar.sent.load(Ordering::Relaxed);
        assert!(sent < ROW_ANSWER_MAX + SOCKETS, "{sent} bytes were taken");
    }

    #[tokio::test]
    async fn a_login_is_bounded() {
        // A message that claims 2 GiB, and nothing behind it: nobody waits for that.
        let server = liar(vec![b"R\x7f\xff\xff\xff".to_vec()], Vec::new()).await;
        assert_too_much(connect(&server).await, &server);
        for endless in [
            message(b'N', b"SNOTICE\0\0"),
            message(b'S', b"name\0value\0"),
        ] {
            let begun = vec![message(b'R', &[0; 4])];
            let server = liar(begun, endless.repeat(1000)).await;
            assert_too_much(connect(&server).await, &server);
        }
    }

    #[tokio::test]
    async fn answers_are_bounded_each_by_itself() {
        let half = answer(&row(ROW_ANSWER_MAX / 2));
        let server = liar(
            vec![login(), half.clone(), half.clone(), half, description()],
            row(1000).repeat(100),
        )
        .await;
        let control = connect(&server).await.expect("it logs in");
        for _ in 0..3 {
            // The description, the row and the end.
            assert_eq!(ask(&control).await.expect("it is allowed"), 3);
        }
        assert_too_much(ask(&control).await, &server);
        let claims = b"D\x7f\xff\xff\xff".to_vec();
        let server = liar(vec![login(), claims], Vec::new()).await;
        let control = connect(&server).await.expect("it logs in");
        assert_too_much(ask(&control).await, &server);
    }
}
