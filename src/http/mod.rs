//! Metrics endpoint and probes: four pages, all read-only. The only room that knows `axum`.
//!
//! No request's body is read, and connections are few and short (`bounded`), so that nobody who finds
//! the port can make the proxy hold much.

mod bounded;

use std::future::Future;
use std::io;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;

use crate::admin;
use crate::session::{Activity, Shared};
use bounded::Bounded;

/// Source: <https://prometheus.io/docs/instrumenting/exposition_formats/>
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

const INDEX: &str = "Trunkline

/metrics  for Prometheus
/healthz  200 while the process runs
/readyz   200 while every database can be served, else 503 and why
";

/// Serves until `stop` ends, and then until the answers under way are out.
pub async fn serve(
    listener: TcpListener,
    shared: Arc<Shared>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    axum::serve(Bounded::new(listener), router(shared))
        .with_graceful_shutdown(stop)
        .await
}

fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/", get(async || text(StatusCode::OK, INDEX.to_owned())))
        .route("/metrics", get(metrics))
        .route(
            "/healthz",
            get(async || text(StatusCode::OK, "ok\n".to_owned())),
        )
        .route("/readyz", get(readiness))
        .fallback(async || text(StatusCode::NOT_FOUND, "there is nothing here\n".to_owned()))
        .with_state(shared)
}

async fn metrics(State(shared): State<Arc<Shared>>) -> impl IntoResponse {
    sample(&shared);
    answer(StatusCode::OK, METRICS_TYPE, shared.metrics.render())
}

async fn readiness(State(shared): State<Arc<Shared>>) -> impl IntoResponse {
    let reasons = admin::unready(&shared);
    if reasons.is_empty() {
        return text(StatusCode::OK, "ready\n".to_owned());
    }
    text(
        StatusCode::SERVICE_UNAVAILABLE,
        format!("not ready\n{}\n", reasons.join("\n")),
    )
}

/// Fills the gauges that nobody keeps while nobody looks.
fn sample(shared: &Shared) {
    let mut counts = [0; 3];
    for entry in shared.registry.sessions() {
        counts[entry.activity() as usize] += 1;
    }
    let sessions = &shared.metrics.sessions;
    sessions.idle.set(counts[Activity::Idle as usize]);
    sessions.active.set(counts[Activity::Active as usize]);
    sessions
        .in_transaction
        .set(counts[Activity::InTransaction as usize]);
}

fn text(status: StatusCode, body: String) -> impl IntoResponse + use<> {
    answer(status, "text/plain; charset=utf-8", body)
}

/// Every answer ends its connection: scrapes and probes are rare, and none shall sit on a place.
fn answer(status: StatusCode, kind: &'static str, body: String) -> impl IntoResponse + use<> {
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONNECTION, "close"),
    ];
    (status, headers, body)
}

#[cfg(test)]
mod tests;
