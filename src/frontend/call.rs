//! The function call protocol, which is its own Sync. libpq's large-object functions use it.
//! Source: <https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-FUNCTION-CALL>

use super::Client;
use super::service::malformed;
use crate::error::PgError;
use crate::session::{Failure, Purpose};
use crate::wire;

/// The functions that libpq calls for `lo_open` and its like: `lo_import` and `lo_export` go through
/// these too. Large objects are on the default shard.
/// Source: `lo_initialize` in `src/interfaces/libpq/fe-lobj.c`, OIDs in `pg_proc.dat`
#[rustfmt::skip]
const LARGE_OBJECTS: &[(u32, &str)] = &[
    (952, "lo_open"), (953, "lo_close"), (954, "loread"), (955, "lowrite"), (956, "lo_lseek"),
    (957, "lo_creat"), (715, "lo_create"), (958, "lo_tell"), (964, "lo_unlink"),
    (1004, "lo_truncate"), (3170, "lo_lseek64"), (3171, "lo_tell64"), (3172, "lo_truncate64"),
];

/// Functions that would leave something behind on a connection that others use next, or answer from
/// what others have left there. `planner::functions` refuses them in statements.
#[rustfmt::skip]
const SESSION_STATE: &[(u32, &str)] = &[
    (2078, "set_config"), (1575, "currval"), (2559, "lastval"),
    (2880, "pg_advisory_lock"), (2881, "pg_advisory_lock_shared"),
    (2882, "pg_try_advisory_lock"), (2883, "pg_try_advisory_lock_shared"),
    (2884, "pg_advisory_unlock"), (2885, "pg_advisory_unlock_shared"),
    (2886, "pg_advisory_lock"), (2887, "pg_advisory_lock_shared"),
    (2888, "pg_try_advisory_lock"), (2889, "pg_try_advisory_lock_shared"),
    (2890, "pg_advisory_unlock"), (2891, "pg_advisory_unlock_shared"),
    (2892, "pg_advisory_unlock_all"),
];

impl Client {
    /// Runs a FunctionCall to its ReadyForQuery.
    pub(super) async fn call(&mut self, body: &[u8]) -> Result<(), Failure> {
        if !self.close_pipeline().await? {
            return Ok(());
        }
        let outcome = self.function_call(body).await;
        self.ready(outcome).await
    }

    async fn function_call(&mut self, body: &[u8]) -> Result<(), Failure> {
        let function = wire::function_call(body).map_err(malformed)?;
        self.session.admit();
        self.session.heard_nothing_else()?;
        let named = |list: &[(u32, &'static str)]| {
            let found = list.iter().find(|(oid, _)| *oid == function);
            found.map(|(_, name)| *name)
        };
        if named(LARGE_OBJECTS).is_none() {
            if !self.session.is_unsharded() {
                return Err(Failure::Statement(PgError::refusal(
                    "the function call protocol, except for large objects, in a sharded database",
                    "Call the function in a SELECT.",
                )));
            }
            if let Some(name) = named(SESSION_STATE).filter(|_| !self.session.session_pooled()) {
                return Err(Failure::Statement(PgError::refusal(
                    format!("{name} by the function call protocol in transaction pooling"),
                    "Call it in a SELECT, which says whether it can be supported.",
                )));
            }
        }
        let shard = self.session.default_shard();
        self.session
            .enter(&mut self.io, shard, Purpose::Run)
            .await?;
        self.session.queue_call(body)?;
        self.session.run(&mut self.io).await
    }
}
