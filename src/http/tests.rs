//! Over a real loopback socket, with a database whose server does not exist.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use super::*;
use crate::admin::testing::shared;

async fn get(address: std::net::SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.expect("connects");
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("is sent");
    let mut answer = String::new();
    stream
        .read_to_string(&mut answer)
        .await
        .expect("is answered and closed");
    answer
}

#[tokio::test]
async fn pages() {
    let shared = shared();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let (stop, stopped) = oneshot::channel::<()>();
    let stopped = async {
        let _ = stopped.await;
    };
    let server = tokio::spawn(serve(listener, shared.clone(), stopped));
    let _session =
        shared
            .registry
            .register("app", "app", ("here".into(), ""), String::new(), [0; 4]);
    for (path, expected) in [
        ("/", &["HTTP/1.1 200 OK\r\n", "/readyz"][..]),
        ("/healthz", &["HTTP/1.1 200 OK\r\n", "ok\n"]),
        (
            "/metrics",
            &[METRICS_TYPE, "trunkline_sessions{state=\"idle\"} 1\n"],
        ),
        (
            "/readyz",
            &[
                "HTTP/1.1 503 ",
                "shard s1 has no primary\n",
                "shard s2 has no primary\n",
                "catalogs",
            ],
        ),
        ("/nothing", &["HTTP/1.1 404 "]),
    ] {
        let answer = get(address, path).await;
        for part in expected {
            assert!(answer.contains(part), "{path}: no {part:?} in\n{answer}");
        }
        assert!(!answer.contains("secret"), "{answer}");
    }
    shared.registry.stop_all();
    assert!(get(address, "/readyz").await.contains("the proxy stops\n"));
    // One that says nothing keeps nobody waiting.
    let _silent = TcpStream::connect(address).await.expect("connects");
    stop.send(()).expect("is listened to");
    let ended = tokio::time::timeout(std::time::Duration::from_secs(5), server).await;
    assert!(ended.is_ok(), "serving ends when it is told to");
}
