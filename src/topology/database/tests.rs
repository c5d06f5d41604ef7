//! Against a real PostgreSQL, started here: monitors, leases, schema, a switchover.
//! Skipped where there are no PostgreSQL binaries.

use super::*;
