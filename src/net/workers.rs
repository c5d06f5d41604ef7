//! Workers: threads with a runtime of their own for the sessions given to them.
//!
//! ```text
//!   shared runtime: logins, monitors, pools' upkeep, console, HTTP      worker 1     worker 2     …
//!        │   a session begins ────────────────────────────────────────▶ its home
//!        │   it moves between statements, where one worker has too much ────▶ another home
//! ```
//!
//! A socket belongs to the runtime that hears of its readiness, its home. It can be used anywhere, but a session that
//! waits for a socket of its own home wakes nobody else: no other thread, no system call. So sessions take their
//! socket along when they move, and a server connection that a session leases from elsewhere moves to it.

use std::cell::{Cell, OnceCell};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::watch;

/// Which runtime: a worker's, or the shared one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Home(u16);

impl Home {
    /// The runtime that all threads but the workers' share.
    pub const SHARED: Self = Self(0);

    /// That of the calling thread.
    pub fn here() -> Self {
        HERE.get()
    }

    /// That of the worker with this index.
    pub fn of_worker(index: usize) -> Self {
        Self(index as u16 + 1)
    }

    /// As a number, for an atomic; workers count from 1.
    pub fn number(self) -> u16 {
        self.0
    }

    pub fn of_number(number: u16) -> Self {
        Self(number)
    }
}

thread_local! {
    static HERE: Cell<Home> = const { Cell::new(Home::SHARED) };
    /// On a worker's thread, the shared runtime.
    static SHARED: OnceCell<Handle> = const { OnceCell::new() };
}

/// The runtime for what outlives a session or has little to do with it: the shared one, from a worker, too.
pub fn background() -> Handle {
    SHARED.with(|shared| shared.get().cloned().unwrap_or_else(Handle::current))
}

/// All workers of a proxy; without any, all is done in the shared runtime. Their threads end when it is dropped, if not
/// before.
pub struct Workers {
    shared: Handle,
    workers: Vec<Worker>,
    stop: watch::Sender<bool>,
}

struct Worker {
    runtime: Handle,
    thread: Arc<OnceLock<ThreadTimes>>,
    sessions: AtomicUsize,
    /// Thousandths of the time before the last look.
    busy: AtomicU32,
}

/// A session's place at a worker.
pub struct Seat {
    workers: Arc<Workers>,
    home: Home,
}

impl Workers {
    /// Begins so many; to be called in the shared runtime.
    ///
    /// Errors: a thread, or what its runtime needs of the system, cannot be had.
    pub fn start(count: u16) -> io::Result<Arc<Self>> {
        let (stop, stopped) = watch::channel(false);
        let workers = (1..=count)
            .map(|number| Worker::start(Home(number), stopped.clone()))
            .collect::<io::Result<_>>()?;
        Ok(Arc::new(Self {
            shared: Handle::current(),
            workers,
            stop,
        }))
    }

    /// Where the next session begins: with the first worker that has time, so that little work is not spread over
    /// many threads, which would wake each other for little.
    pub fn next_home(&self) -> Home {
        let busy = |worker: &Worker| worker.busy.load(Ordering::Relaxed);
        let homes = || self.homes().zip(&self.workers);
        homes()
            .find(|(_, worker)| busy(worker) < TIME_LEFT)
            .or_else(|| homes().min_by_key(|(_, worker)| busy(worker)))
            .map_or(Home::SHARED, |(home, _)| home)
    }

    /// Ends the workers and drops what their sessions still do; to be waited for before the shared runtime ends, whose
    /// timers they may wait for. A worker that does not come to its end in time is left alone.
    pub async fn stop(&self) {
        let _ = self.stop.send(true);
        let _ = super::timer::timeout(STOP_TIME_MAX, self.stop.closed()).await;
    }

    /// A place for a session.
    pub fn seat(self: &Arc<Self>, home: Home) -> Seat {
        if let Some(worker) = self.worker(home) {
            worker.sessions.fetch_add(1, Ordering::Relaxed);
        }
        Seat {
            workers: Arc::clone(self),
            home,
        }
    }

    /// Of all workers.
    pub fn homes(&self) -> impl Iterator<Item = Home> + use<> {
        (0..self.workers.len()).map(Home::of_worker)
    }

    /// How many have their seat there.
    pub fn sessions(&self, home: Home) -> usize {
        let sessions = |worker: &Worker| worker.sessions.load(Ordering::Relaxed);
        self.worker(home).map_or(0, sessions)
    }

    /// For how long each worker has been at work since it began.
    pub fn busy_for(&self) -> Vec<Duration> {
        self.workers.iter().map(Worker::busy_for).collect()
    }

    pub fn set_busy(&self, home: Home, thousandths: u32) {
        if let Some(worker) = self.worker(home) {
            worker.busy.store(thousandths, Ordering::Relaxed);
        }
    }

    fn worker(&self, home: Home) -> Option<&Worker> {
        self.workers.get(usize::from(home.0).checked_sub(1)?)
    }
}

impl Worker {
    fn start(home: Home, mut stopped: watch::Receiver<bool>) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_io().build()?;
        let (handle, shared) = (runtime.handle().clone(), Handle::current());
        let thread = Arc::new(OnceLock::new());
        let times = Arc::clone(&thread);
        thread::Builder::new()
            .name(format!("worker-{}", home.0))
            .spawn(move || {
                HERE.set(home);
                drop(times.set(ThreadTimes::here()));
                SHARED.with(|place| drop(place.set(shared)));
                // An error means that the sender is gone.
                let _ = runtime.block_on(stopped.changed());
                runtime.shutdown_background();
                drop(stopped);
            })?;
        Ok(Self {
            runtime: handle,
            thread,
            sessions: AtomicUsize::new(0),
            busy: AtomicU32::new(0),
        })
    }

    /// On a processor, not counting how long it waited for one: where others take the processors, a second worker would
    /// have no more of them. Where the system does not tell, the time with something to do.
    fn busy_for(&self) -> Duration {
        let on_processor = self.thread.get().and_then(ThreadTimes::on_processor);
        on_processor.unwrap_or_else(|| self.runtime.metrics().worker_total_busy_duration(0))
    }
}

/// Where Linux tells how long a thread has run. Kept open, so that it does not fail when descriptors run out.
/// Source: <https://docs.kernel.org/scheduler/sched-stats.html>, `/proc/PID/schedstat`
struct ThreadTimes(Option<File>);

impl ThreadTimes {
    /// Of the calling thread.
    fn here() -> Self {
        let file = std::fs::read_link("/proc/thread-self").and_then(|thread| {
            let times = Path::new("/proc").join(thread).join("schedstat");
            File::open(times)
        });
        Self(file.ok())
    }

    fn on_processor(&self) -> Option<Duration> {
        let mut text = [0; SCHEDSTAT_BYTES_MAX];
        let length = self.0.as_ref()?.read_at(&mut text, 0).ok()?;
        let text = std::str::from_utf8(&text[..length]).ok()?;
        let nanoseconds = text.split_ascii_whitespace().next()?.parse().ok()?;
        // Some kernels are built without these times, and say 0 for ever.
        (nanoseconds > 0).then(|| Duration::from_nanos(nanoseconds))
    }
}

impl Seat {
    pub fn home(&self) -> Home {
        self.home
    }

    /// Where the session's task belongs.
    pub fn runtime(&self) -> &Handle {
        let worker = self.workers.worker(self.home);
        worker.map_or(&self.workers.shared, |worker| &worker.runtime)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(worker) = self.workers.worker(self.home) {
            worker.sessions.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Three numbers of up to 20 digits.
const SCHEDSTAT_BYTES_MAX: usize = 64;

const STOP_TIME_MAX: Duration = Duration::from_secs(1);

/// A worker that is busy for less than this has time for more, in thousandths.
const TIME_LEFT: u32 = 500;

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream, UnixStream};

    use super::*;
    use crate::net::{Buffered, Stream};

    async fn tcp() -> (Stream, Box<dyn Far>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let address = listener.local_addr().expect("address");
        let (near, far) = tokio::join!(TcpStream::connect(address), listener.accept());
        (
            Stream::Tcp(near.expect("connect")),
            Box::new(far.expect("accept").0),
        )
    }

    trait Far: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin {}

    impl<T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin> Far for T {}

    #[tokio::test]
    async fn sockets_come_home() {
        let (near, far) = UnixStream::pair().expect("a pair");
        let unix: (Stream, Box<dyn Far>) = (Stream::Unix(near), Box::new(far));
        for (near, mut far) in [tcp().await, unix] {
            let workers = Workers::start(2).expect("threads");
            let mut io = Buffered::new(near);
            // Nobody has read it when the socket moves.
            far.write_all(b"x").await.expect("write");
            for home in workers.homes() {
                let seat = workers.seat(home);
                assert_eq!(workers.sessions(home), 1);
                let moved = seat.runtime().spawn(async move {
                    assert_eq!(Home::here(), home);
                    io.come_home();
                    assert_eq!(io.fill().await.ok(), Some(1));
                    io.output.extend_from_slice(b"y");
                    io.flush().await.expect("write");
                    io
                });
                let mut answer = [0; 1];
                far.read_exact(&mut answer).await.expect("read");
                io = moved.await.expect("no panic");
                far.write_all(b"z").await.expect("write");
                drop(seat);
                assert_eq!(workers.sessions(home), 0);
            }
        }
    }

    #[tokio::test]
    async fn sessions_begin_where_there_is_time() {
        let workers = Workers::start(2).expect("threads");
        let (first, second) = (Home::of_worker(0), Home::of_worker(1));
        for (busy, expected) in [
            ((0, 0), first),
            ((499, 0), first),
            ((500, 499), second),
            ((900, 800), second),
            ((800, 900), first),
        ] {
            workers.set_busy(first, busy.0);
            workers.set_busy(second, busy.1);
            assert_eq!(workers.next_home(), expected, "{busy:?}");
        }
        assert_eq!(Workers::start(0).expect("none").next_home(), Home::SHARED);
    }

    /// A thread that works is busy, and one that sleeps is not, whether it has something to do or not.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn busy_is_who_works() {
        let workers = Workers::start(2).expect("threads");
        let (works, sleeps) = (Home::of_worker(0), Home::of_worker(1));
        let time = Duration::from_millis(60);
        let at = |home| workers.seat(home).runtime().clone();
        let (worked, slept) = tokio::join!(
            at(works).spawn(async move {
                let begun = std::time::Instant::now();
                while begun.elapsed() < time {}
            }),
            at(sleeps).spawn(async move { thread::sleep(time) }),
        );
        assert!(worked.is_ok() && slept.is_ok());
        // The system brings what it tells up to date when a thread stops or its clock ticks.
        tokio::time::sleep(Duration::from_millis(20)).await;
        let busy = workers.busy_for();
        assert!(busy[0] > busy[1] && busy[1] < time / 2, "{busy:?}");
    }

    #[tokio::test]
    async fn stopping_drops_what_is_being_done() {
        let workers = Workers::start(2).expect("threads");
        let (alive, dropped) = tokio::sync::oneshot::channel::<()>();
        let seat = workers.seat(Home::of_worker(1));
        seat.runtime().spawn(async move {
            let _alive = alive;
            std::future::pending::<()>().await;
        });
        workers.stop().await;
        assert_eq!(
            workers.stop.receiver_count(),
            0,
            "the threads are at their end"
        );
        assert!(dropped.await.is_err());
    }

    /// Timers of a worker's tasks are the shared runtime's.
    #[tokio::test]
    async fn a_worker_has_time() {
        let workers = Workers::start(1).expect("a thread");
        let seat = workers.seat(Home::of_worker(0));
        let waited = seat.runtime().spawn(async {
            let limit = Duration::from_millis(5);
            super::super::timer::sleep(limit).await;
            super::super::timer::timeout(limit, std::future::pending::<()>()).await
        });
        assert!(waited.await.expect("no panic").is_err());
    }
}
