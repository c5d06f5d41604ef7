//! Something between the proxy and a server that tampers with what the server says.
//!
//! ```text
//!   proxy ──── requests, recorded ────> Fault ────────> PostgreSQL
//!         <─── messages, tampered ────       <─ frames ─
//! ```
//!
//! It follows the frames of the server's side of each data connection. A [`Rule`] waits for a request
//! that holds a marker (a comment or a value the test has put into its SQL), then for a message of some
//! type, and does something to it. Connections of the proxy's monitors, and cancel requests, pass as they
//! are. Two threads serve a connection; both end with it.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use socket2::SockRef;

/// What of a connection's requests is remembered: the first bytes of a long COPY are enough.
const RECORDED_BYTES_MAX: usize = 4 * 1024 * 1024;
/// And of each read after that so many: where a request begins.
const LATER_BYTES_MAX: usize = 4 * 1024;
const CANCEL_REQUEST: i32 = 80_877_102;
/// In place of a message type.
const STARTUP: u8 = 0;
const SSL_REQUEST: i32 = 80_877_103;
const GSS_REQUEST: i32 = 80_877_104;

/// What is done to a message, or, for a rule without a type, to a request.
#[derive(Clone, Debug)]
pub enum Act {
    /// Other bytes in its place.
    Replace(Vec<u8>),
    /// The length field becomes this.
    Length(i32),
    /// The length field is off by so much.
    LengthOff(i32),
    Drop,
    Double,
    Before(Vec<u8>),
    /// Bytes behind it, in the same write.
    After(Vec<u8>),
    /// Bytes behind it, in a write of their own after a while; what the server says goes on meanwhile.
    Later(Duration, Vec<u8>),
    Delay(Duration),
    /// Nothing the server says is passed on any more, and nothing is closed.
    Hold,
    /// The connection ends in order after so many bytes of the message.
    Fin(usize),
    /// The same with a reset.
    Rst(usize),
    /// Requests are no longer read.
    StopReading,
}

/// When something is done, and what.
#[derive(Clone, Debug)]
pub struct Rule {
    marker: String,
    tag: Option<u8>,
    skip: usize,
    afresh: bool,
    act: Act,
}

impl Rule {
    /// At the first message of this type after a request with the marker.
    pub fn on(marker: &str, tag: u8, act: Act) -> Self {
        Self {
            marker: marker.to_owned(),
            tag: Some(tag),
            skip: 0,
            afresh: false,
            act,
        }
    }

    /// At the request itself, which reaches the server only if it is none of `Hold`, `Fin`, `Rst`,
    /// `StopReading`.
    pub fn at_request(marker: &str, act: Act) -> Self {
        Self {
            tag: None,
            ..Self::on(marker, 0, act)
        }
    }

    /// At the StartupMessage of the next data connection: `Hold`, or else its end.
    pub fn at_startup(act: Act) -> Self {
        Self::on("", STARTUP, act)
    }

    /// What connections have sent before it is in force does not count.
    pub fn afresh(self) -> Self {
        Self {
            afresh: true,
            ..self
        }
    }

    /// Lets so many messages of that type pass first.
    pub fn after(self, skip: usize) -> Self {
        Self { skip, ..self }
    }
}

/// A rule in force. It acts once.
#[derive(Debug)]
pub struct Armed {
    rule: Rule,
    skip: AtomicUsize,
    fired: AtomicUsize,
    late: AtomicBool,
    on: Mutex<Option<(Arc<Conn>, usize)>>,
    /// Of each connection how much of what was sent has been looked through, and whether the marker is there: it is asked at
    /// every message.
    seen: Mutex<HashMap<usize, (usize, bool)>>,
}

impl Armed {
    pub fn fired(&self) -> usize {
        self.fired.load(Ordering::SeqCst)
    }

    /// The bytes of [`Act::Later`] have been sent.
    pub fn was_late(&self) -> bool {
        self.late.load(Ordering::SeqCst)
    }

    /// The connection it acted on.
    pub fn connection(&self) -> Option<Arc<Conn>> {
        lock(&self.on).as_ref().map(|(conn, _)| Arc::clone(conn))
    }

    /// What the proxy has sent on that connection since.
    pub fn sent_since(&self) -> Vec<u8> {
        let on = lock(&self.on);
        on.as_ref().map_or(Vec::new(), |(conn, from)| {
            lock(&conn.sent).get(*from..).unwrap_or_default().to_vec()
        })
    }

    fn is_meant(&self, conn: &Conn) -> bool {
        let marker = self.rule.marker.as_bytes();
        let mut seen = lock(&self.seen);
        let (looked, found) = seen.entry(conn.id).or_default();
        if !*found {
            let sent = lock(&conn.sent);
            *found = contains(&sent[looked.saturating_sub(marker.len())..], marker);
            *looked = sent.len();
        }
        *found
    }

    fn fires(&self, conn: &Arc<Conn>, tag: Option<u8>) -> bool {
        if self.rule.tag != tag || self.fired() > 0 || !self.is_meant(conn) {
            return false;
        }
        let mut on = lock(&self.on);
        let left = self.skip.load(Ordering::SeqCst);
        if on.is_some() {
            return false;
        }
        if left > 0 {
            self.skip.store(left - 1, Ordering::SeqCst);
            return false;
        }
        *on = Some((Arc::clone(conn), lock(&conn.sent).len()));
        self.fired.fetch_add(1, Ordering::SeqCst);
        true
    }
}

/// One connection of the proxy's to the server.
#[derive(Debug, Default)]
pub struct Conn {
    pub id: usize,
    sent: Mutex<Vec<u8>>,
    monitor: AtomicBool,
    over: AtomicBool,
    held: AtomicBool,
}

impl Conn {
    /// The proxy, the server or a rule has closed it.
    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    pub fn has_sent(&self, what: &[u8]) -> bool {
        contains(&lock(&self.sent), what)
    }
}

pub fn contains(bytes: &[u8], what: &[u8]) -> bool {
    what.is_empty() || bytes.windows(what.len()).any(|window| window == what)
}

#[derive(Debug, Default)]
struct Shared {
    rules: Mutex<Vec<Arc<Armed>>>,
    connections: Mutex<Vec<Arc<Conn>>>,
}

/// The in-between. It listens until the process ends.
#[derive(Debug)]
pub struct Fault {
    pub port: u16,
    shared: Arc<Shared>,
}

impl Fault {
    /// Listens on a port of its own, in front of the server on `server`.
    pub fn start(server: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared::default());
        let for_all = Arc::clone(&shared);
        thread::spawn(move || {
            for near in listener.incoming().flatten() {
                let shared = Arc::clone(&for_all);
                thread::spawn(move || {
                    // The proxy sees a connection that ends.
                    let _ = serve(near, server, &shared);
                });
            }
        });
        Self { port, shared }
    }

    pub fn arm(&self, rule: Rule) -> Arc<Armed> {
        let connections = lock(&self.shared.connections);
        let before = connections.iter().filter(|_| rule.afresh);
        let seen = before.map(|conn| (conn.id, (lock(&conn.sent).len(), false)));
        let armed = Arc::new(Armed {
            seen: Mutex::new(seen.collect()),
            skip: AtomicUsize::new(rule.skip),
            rule,
            fired: AtomicUsize::new(0),
            late: AtomicBool::new(false),
            on: Mutex::default(),
        });
        lock(&self.shared.rules).push(Arc::clone(&armed));
        armed
    }

    pub fn disarm(&self) {
        lock(&self.shared.rules).clear();
    }

    /// Data connections, those that are over too.
    pub fn connections(&self) -> Vec<Arc<Conn>> {
        let all = lock(&self.shared.connections);
        let data = all
            .iter()
            .filter(|conn| !conn.monitor.load(Ordering::SeqCst));
        data.cloned().collect()
    }

    /// Data connections that are open.
    pub fn open(&self) -> usize {
        let open = |conn: &Arc<Conn>| !conn.is_over();
        self.connections().into_iter().filter(open).count()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Both sides of a connection.
struct Ends {
    near: TcpStream,
    far: TcpStream,
    conn: Arc<Conn>,
    shared: Arc<Shared>,
}

impl Ends {
    fn fires(&self, tag: Option<u8>) -> Option<Arc<Armed>> {
        if self.conn.monitor.load(Ordering::SeqCst) {
            return None;
        }
        let rules = lock(&self.shared.rules).clone();
        rules.into_iter().find(|armed| armed.fires(&self.conn, tag))
    }

    /// The server's side is read on until it ends: one that is in the midst of a write would wait for whoever has read all
    /// that had come, and reads no more.
    fn end(&self) {
        self.conn.over.store(true, Ordering::SeqCst);
        let _ = self.near.shutdown(Shutdown::Both);
        let _ = self.far.shutdown(Shutdown::Write);
    }

    /// Ends it so that the last to let go of the socket sends a reset.
    fn reset(&self) {
        self.conn.over.store(true, Ordering::SeqCst);
        let _ = SockRef::from(&self.near).set_linger(Some(Duration::ZERO));
        // Wakes the other thread without telling the far end.
        let _ = self.near.shutdown(Shutdown::Read);
        let _ = self.far.shutdown(Shutdown::Write);
    }

    fn say(&self, bytes: &[u8]) -> io::Result<()> {
        (&self.near).write_all(bytes)
    }

    /// The proxy's requests, recorded.
    fn requests(&self) -> io::Result<()> {
        let mut buffer = [0; 16 * 1024];
        loop {
            let read = (&self.near).read(&mut buffer)?;
            if read == 0 {
                return Ok(());
            }
            {
                let mut sent = lock(&self.conn.sent);
                let recorded = match sent.len() < RECORDED_BYTES_MAX {
                    true => read,
                    false => read.min(LATER_BYTES_MAX),
                };
                sent.extend_from_slice(&buffer[..recorded]);
            }
            if let Some(armed) = self.fires(None) {
                match &armed.rule.act {
                    Act::Hold => {
                        self.conn.held.store(true, Ordering::SeqCst);
                        continue;
                    }
                    Act::StopReading => self.wait_for_the_end(),
                    Act::Fin(_) => return Ok(()),
                    Act::Rst(_) => {
                        self.reset();
                        return Ok(());
                    }
                    Act::Delay(time) => thread::sleep(*time),
                    act => panic!("{act:?} is nothing to do to a request"),
                }
            }
            (&self.far).write_all(&buffer[..read])?;
        }
    }

    /// Sees the proxy close without reading what it sent.
    fn wait_for_the_end(&self) {
        while !self.conn.is_over() {
            let error = self.near.take_error();
            if !matches!(error, Ok(None)) {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// The server's messages, tampered with.
    fn answers(self: &Arc<Self>) -> io::Result<()> {
        let (mut held, mut buffer) = (Vec::new(), vec![0; 64 * 1024]);
        loop {
            let read = (&self.far).read(&mut buffer)?;
            if read == 0 {
                return Ok(());
            }
            held.extend_from_slice(&buffer[..read]);
            let (mut at, mut out) = (0, Vec::with_capacity(held.len()));
            while let Some(length) = held.get(at + 1..at + 5) {
                let length = u32::from_be_bytes(length.try_into().unwrap_or_default()) as usize;
                let Some(message) = held.get(at..at + 1 + length) else {
                    break;
                };
                match self.fires(Some(message[0])) {
                    None => out.extend_from_slice(message),
                    Some(armed) => {
                        if !self.tamper(message, &armed, &mut out)? {
                            return Ok(());
                        }
                    }
                }
                at += 1 + length;
            }
            held.drain(..at);
            if !self.conn.held.load(Ordering::SeqCst) {
                self.say(&out)?;
            }
        }
    }

    /// False where the connection is over.
    fn tamper(
        self: &Arc<Self>,
        message: &[u8],
        armed: &Arc<Armed>,
        out: &mut Vec<u8>,
    ) -> io::Result<bool> {
        let with_length = |length: i32| {
            let mut message = message.to_vec();
            message[1..5].copy_from_slice(&length.to_be_bytes());
            message
        };
        let act = &armed.rule.act;
        match act {
            Act::Replace(bytes) => out.extend_from_slice(bytes),
            Act::Length(length) => out.extend(with_length(*length)),
            Act::LengthOff(by) => out.extend(with_length(message.len() as i32 - 1 + by)),
            Act::Drop => {}
            Act::Double => out.extend_from_slice(&message.repeat(2)),
            Act::Before(bytes) => {
                out.extend_from_slice(bytes);
                out.extend_from_slice(message);
            }
            Act::After(bytes) => {
                out.extend_from_slice(message);
                out.extend_from_slice(bytes);
            }
            Act::Later(time, bytes) => {
                out.extend_from_slice(message);
                let (ends, armed) = (Arc::clone(self), Arc::clone(armed));
                let (time, bytes) = (*time, bytes.clone());
                thread::spawn(move || {
                    thread::sleep(time);
                    let _ = ends.say(&bytes);
                    armed.late.store(true, Ordering::SeqCst);
                });
            }
            Act::Delay(time) => {
                self.say(out)?;
                out.clear();
                thread::sleep(*time);
                out.extend_from_slice(message);
            }
            Act::Hold => {
                self.say(out)?;
                self.conn.held.store(true, Ordering::SeqCst);
            }
            Act::Fin(bytes) | Act::Rst(bytes) => {
                out.extend_from_slice(&message[..*bytes.min(&message.len())]);
                self.say(out)?;
                if matches!(act, Act::Rst(_)) {
                    // What was sent is not to be lost with the reset.
                    thread::sleep(Duration::from_millis(50));
                    self.reset();
                }
                return Ok(false);
            }
            Act::StopReading => panic!("a message cannot be met by not reading requests"),
        }
        Ok(true)
    }
}

fn serve(near: TcpStream, server: u16, shared: &Arc<Shared>) -> io::Result<()> {
    near.set_nodelay(true)?;
    let startup = loop {
        let packet = read_packet(&near)?;
        match packet
            .get(4..8)
            .map(|code| i32::from_be_bytes(code.try_into().unwrap_or_default()))
        {
            Some(SSL_REQUEST | GSS_REQUEST) => (&near).write_all(b"N")?,
            _ => break packet,
        }
    };
    let far = TcpStream::connect((Ipv4Addr::LOCALHOST, server))?;
    far.set_nodelay(true)?;
    let is_cancel = startup.get(4..8) == Some(&CANCEL_REQUEST.to_be_bytes());
    let conn = {
        let mut all = lock(&shared.connections);
        let conn = Arc::new(Conn {
            id: all.len(),
            sent: Mutex::new(startup.clone()),
            monitor: AtomicBool::new(is_cancel || contains(&startup, b"trunkline monitor")),
            ..Conn::default()
        });
        all.push(Arc::clone(&conn));
        conn
    };
    let ends = Arc::new(Ends {
        near,
        far,
        conn,
        shared: Arc::clone(shared),
    });
    if let Some(armed) = ends.fires(Some(STARTUP)) {
        match &armed.rule.act {
            Act::Hold => ends.conn.held.store(true, Ordering::SeqCst),
            _ => {
                ends.end();
                return Ok(());
            }
        }
    } else {
        (&ends.far).write_all(&startup)?;
    }
    let answering = Arc::clone(&ends);
    thread::spawn(move || {
        // The other thread is woken by the end.
        let _ = answering.answers();
        if !answering.conn.is_over() {
            answering.end();
        }
    });
    let _ = ends.requests();
    if !ends.conn.is_over() {
        ends.end();
    }
    Ok(())
}

/// A packet of the time before login: a length that counts itself, then a body.
fn read_packet(mut stream: &TcpStream) -> io::Result<Vec<u8>> {
    let mut packet = vec![0; 4];
    stream.read_exact(&mut packet)?;
    let length = u32::from_be_bytes(packet[..4].try_into().unwrap_or_default()) as usize;
    packet.resize(length.clamp(4, 64 * 1024), 0);
    stream.read_exact(&mut packet[4..])?;
    Ok(packet)
}

/// A message of a server.
pub fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    [&[tag][..], &(body.len() as u32 + 4).to_be_bytes(), body].concat()
}

/// Waits until something holds; panics after a while.
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(15);
    while !holds() {
        assert!(Instant::now() < deadline, "never: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}
