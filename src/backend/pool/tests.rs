//! Before scripted servers connections are lent, taken back, replaced and closed, and waiters served in turn.

use std::sync::atomic::AtomicUsize;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::broadcast;

use super::*;
use crate::backend::connect::tests::{message, read_startup, settings, target, welcome};
use crate::metrics::Metrics;

/// A server that lets everybody in, answers every query with nothing, and can hang up on all.
struct FakeServer {
    port: u16,
    open: Arc<AtomicUsize>,
    accepted: Arc<AtomicUsize>,
    hang_up: broadcast::Sender<()>,
}

impl FakeServer {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let server = Self {
            port: listener.local_addr().expect("address").port(),
            open: Arc::default(),
            accepted: Arc::default(),
            hang_up: broadcast::Sender::new(1),
        };
        let (open, accepted, hang_up) = (
            Arc::clone(&server.open),
            Arc::clone(&server.accepted),
            server.hang_up.clone(),
        );
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.expect("accept");
                accepted.fetch_add(1, Ordering::SeqCst);
                let (open, mut hang_up) = (Arc::clone(&open), hang_up.subscribe());
                tokio::spawn(async move {
                    read_startup(&mut stream).await;
                    stream.write_all(&welcome()).await.expect("write");
                    open.fetch_add(1, Ordering::SeqCst);
                    let mut buffer = [0; 1024];
                    loop {
                        tokio::select! {
                            read = stream.read(&mut buffer) => match read {
                                Ok(0) | Err(_) => break,
                                Ok(_) if buffer[0] == b'X' => break,
                                Ok(_) => {
                                    let answer = [message(b'C', b"SET\0"), message(b'Z', b"I")].concat();
                                    let _ = stream.write_all(&answer).await;
                                }
                            },
                            _ = hang_up.recv() => break,
                        }
                    }
                    open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        server
    }

    fn pool(&self, settings: PoolSettings) -> Arc<Pool> {
        Pool::new(
            target(self.port),
            settings,
            Metrics::new().pool("app", "s1", "fake"),
        )
    }

    async fn until_open(&self, number: usize) {
        until(|| self.open.load(Ordering::SeqCst) == number).await;
    }

    fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }
}

async fn until(condition: impl Fn() -> bool) {
    let waited = tokio::time::timeout(Duration::from_secs(10), async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    waited.await.expect("comes true");
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(5)
}

#[tokio::test]
async fn a_released_connection_is_used_again() {
    let server = FakeServer::start().await;
    let pool = server.pool(settings());
    let mut lease = pool.lease().await.expect("lease");
    lease.simple("SET x TO y", soon()).await.expect("runs");
    lease.settings.0 = 7;
    lease.release();
    assert_eq!((pool.stats().idle, pool.stats().leased), (1, 0));
    let lease = pool.lease().await.expect("lease");
    assert_eq!((lease.settings.0, server.accepted()), (7, 1));
    assert_eq!((pool.stats().idle, pool.stats().leased), (0, 1));
}

#[tokio::test]
async fn a_dropped_lease_closes_its_connection_and_frees_its_slot() {
    let server = FakeServer::start().await;
    let pool = server.pool(PoolSettings {
        size: 1,
        ..settings()
    });
    drop(pool.lease().await.expect("lease"));
    server.until_open(0).await;
    drop(pool.lease().await.expect("the slot is free"));
    assert_eq!(server.accepted(), 2);
    assert_eq!(pool.stats().leased, 0);
}

#[tokio::test]
async fn a_lease_with_bytes_left_over_is_closed_on_release() {
    let server = FakeServer::start().await;
    let pool = server.pool(settings());
    for side in 0..2 {
        let mut lease = pool.lease().await.expect("lease");
        let lease_buffers = &mut *lease;
        [&mut lease_buffers.input, &mut lease_buffers.output][side].extend_from_slice(b"x");
        lease.release();
        server.until_open(0).await;
        assert_eq!(pool.stats().idle, 0);
    }
}

#[tokio::test]
async fn waiters_are_served_in_order_up_to_the_size() {
    let server = FakeServer::start().await;
    let pool = server.pool(settings());
    let first = pool.lease().await.expect("lease");
    let second = pool.lease().await.expect("lease");
    let (sender, mut served) = tokio::sync::mpsc::unbounded_channel();
    for number in 0..5 {
        let (waiter, sender) = (Arc::clone(&pool), sender.clone());
        tokio::spawn(async move {
            let lease = waiter.lease().await.expect("lease");
            sender.send(number).expect("the test listens");
            tokio::task::yield_now().await;
            lease.release();
        });
        until(|| pool.stats().waiting == number + 1).await;
    }
    first.release();
    for number in 0..5 {
        assert_eq!(served.recv().await, Some(number));
    }
    second.release();
    until(|| pool.stats().leased == 0).await;
    assert_eq!(server.accepted(), 2, "never more than the size");
    assert_eq!(
        (
            pool.stats().waiting,
            pool.stats().waits,
            pool.stats().leases
        ),
        (0, 5, 7)
    );
}

#[tokio::test]
async fn a_dropped_wait_gives_its_place_up() {
    let server = FakeServer::start().await;
    let pool = server.pool(PoolSettings {
        size: 1,
        ..settings()
    });
    let lease = pool.lease().await.expect("lease");
    assert!(
        tokio::time::timeout(Duration::from_millis(20), pool.lease())
            .await
            .is_err()
    );
    assert_eq!(pool.stats().waiting, 0);
    lease.release();
    pool.lease()
        .await
        .expect("the slot did not go to nobody")
        .release();
}

/// Given what it waited for, and dropped before it has looked.
#[tokio::test]
async fn a_wait_that_was_served_gives_the_connection_back() {
    let server = FakeServer::start().await;
    let pool = server.pool(PoolSettings {
        size: 1,
        ..settings()
    });
    let lease = pool.lease().await.expect("lease");
    let Offer::Wait(wait) = pool.offer() else {
        panic!("there is one");
    };
    lease.release();
    assert_eq!((pool.stats().idle, pool.stats().leased), (0, 1));
    drop(wait);
    assert_eq!((pool.stats().idle, pool.stats().leased), (1, 0));
    assert!(matches!(pool.offer(), Offer::Lease(_)));
}

#[tokio::test]
async fn waiting_ends_with_53300() {
    let server = FakeServer::start().await;
    let pool = server.pool(PoolSettings {
        size: 1,
        wait: Duration::from_millis(20),
        ..settings()
    });
    let lease = pool.lease().await.expect("lease");
    let error = pool.lease().await.err().expect("no slot");
    assert_eq!(error.code, SqlState::TOO_MANY_CONNECTIONS);
    assert_eq!(
        error.message,
        "no server connection became free within 0.02s"
    );
    assert!(
        error
            .detail
            .is_some_and(|detail| detail.contains("shard s1") && detail.contains("All 1 "))
    );
    assert_eq!((pool.stats().waiting, pool.stats().wait_timeouts), (0, 1));
    lease.release();
}

#[tokio::test]
async fn broken_idle_connections_are_replaced_unseen() {
    let server = FakeServer::start().await;
    let pool = server.pool(settings());
    let (first, second) = (
        pool.lease().await.expect("lease"),
        pool.lease().await.expect("lease"),
    );
    first.release();
    second.release();
    server.hang_up.send(()).expect("two listen");
    server.until_open(0).await;
    tokio::time::sleep(TRUSTED_IDLE + Duration::from_millis(10)).await;
    let mut lease = pool.lease().await.expect("lease");
    lease
        .simple("SELECT 1", soon())
        .await
        .expect("a new connection");
    assert_eq!((server.accepted(), pool.stats().idle), (3, 0));
}

#[tokio::test]
async fn old_connections_are_closed_when_they_come_back() {
    let server = FakeServer::start().await;
    let pool = server.pool(PoolSettings {
        lifetime: Duration::from_millis(5),
        ..settings()
    });
    let lease = pool.lease().await.expect("lease");
    tokio::time::sleep(Duration::from_millis(10)).await;
    lease.release();
    server.until_open(0).await;
    assert_eq!(pool.stats().idle, 0);
}

#[tokio::test]
async fn renewing_replaces_connections_and_waiters_go_on() {
    let server = FakeServer::start().await;
    let pool = server.pool(PoolSettings {
        size: 2,
        ..settings()
    });
    let (idle, leased) = (
        pool.lease().await.expect("lease"),
        pool.lease().await.expect("lease"),
    );
    let waiting = tokio::spawn({
        let pool = Arc::clone(&pool);
        async move { pool.lease().await.map(|lease| lease.is_stale()) }
    });
    until(|| pool.stats().waiting == 1).await;
    pool.renew();
    assert!(idle.is_stale() && leased.is_stale());
    idle.release();
    assert!(!waiting.await.expect("no panic").expect("lease"));
    leased.release();
    server.until_open(0).await;
    assert_eq!((server.accepted(), pool.stats().idle), (3, 0));
    pool.lease().await.expect("lease").release();
    assert_eq!(pool.stats().idle, 1);
    pool.renew();
    server.until_open(0).await;
}

#[tokio::test]
async fn maintenance_keeps_the_minimum_and_closes_the_surplus() {
    let server = FakeServer::start().await;
    let pool = server.pool(PoolSettings {
        size: 3,
        min: 1,
        idle: Duration::from_millis(5),
        ..settings()
    });
    pool.maintain(true).await;
    assert_eq!(pool.stats().idle, 1);
    let leases = [pool.lease().await, pool.lease().await, pool.lease().await]
        .map(|lease| lease.expect("lease"));
    leases.into_iter().for_each(Lease::release);
    assert_eq!(pool.stats().idle, 3);
    tokio::time::sleep(Duration::from_millis(10)).await;
    pool.maintain(true).await;
    server.until_open(1).await;
    assert_eq!(pool.stats().idle, 1);
    pool.maintain(false).await;
    server.until_open(0).await;
}

#[tokio::test]
async fn closing_drains() {
    let server = FakeServer::start().await;
    let pool = server.pool(PoolSettings {
        size: 2,
        ..settings()
    });
    let (idle, mut leased) = (
        pool.lease().await.expect("lease"),
        pool.lease().await.expect("lease"),
    );
    let waiter = tokio::spawn({
        let pool = Arc::clone(&pool);
        async move { pool.lease().await.err() }
    });
    until(|| pool.stats().waiting == 1).await;
    pool.close();
    let error = waiter.await.expect("no panic").expect("no lease any more");
    assert_eq!(error.code, SqlState::CANNOT_CONNECT_NOW);
    idle.release();
    server.until_open(1).await;
    leased
        .simple("COMMIT", soon())
        .await
        .expect("what is under way may end");
    leased.release();
    server.until_open(0).await;
    assert_eq!(pool.stats().idle, 0);
}

#[tokio::test]
async fn a_refusing_server_is_asked_once_for_all() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let port = listener.local_addr().expect("address").port();
    drop(listener);
    let pool = Pool::new(
        target(port),
        settings(),
        Metrics::new().pool("app", "s1", "fake"),
    );
    for _ in 0..10 {
        let error = pool.lease().await.err().expect("nobody listens");
        assert_eq!(error.code, SqlState::CONNECTION_FAILURE);
    }
    assert!(pool.stats().connect_failures <= 2, "{:?}", pool.stats());
    tokio::time::sleep(FAILURE_MEMORY).await;
    let before = pool.stats().connect_failures;
    assert!(pool.lease().await.is_err());
    assert_eq!(
        pool.stats().connect_failures,
        before + 1,
        "it is asked again after a moment"
    );
}

#[tokio::test]
async fn reads_grow_in_a_long_result_and_shrink_with_the_connection() {
    const RESULT: usize = 1024 * 1024;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let address = listener.local_addr().expect("address");
    let (near, far) = tokio::join!(tokio::net::TcpStream::connect(address), listener.accept());
    let mut connection = Connection::detached(crate::net::Stream::Tcp(near.expect("connect")));
    let (mut far, _) = far.expect("accept");
    let sending = tokio::spawn(async move { far.write_all(&[b'a'; RESULT]).await });

    let (mut total, mut reads) = (0, Vec::new());
    while total < RESULT {
        let read = std::future::poll_fn(|cx| connection.poll_fill(cx))
            .await
            .expect("read");
        assert_eq!(connection.input.len(), read);
        connection.input.clear();
        total += read;
        reads.push(read);
    }
    sending.await.expect("no panic").expect("written");
    let full = reads
        .iter()
        .position(|read| *read == READ_BYTES)
        .expect("a full read");
    let (before, after) = reads.split_at(full + 1);
    assert!(before.iter().all(|read| *read <= READ_BYTES), "{reads:?}");
    assert!(after.iter().any(|read| *read > READ_BYTES), "{reads:?}");
    assert!(
        after.iter().all(|read| *read <= 4 * READ_BYTES),
        "{reads:?}"
    );

    shrink(&mut connection);
    assert_eq!(connection.read_bytes, READ_BYTES);
    assert!(connection.input.capacity() <= IDLE_BUFFER_MAX);
}
