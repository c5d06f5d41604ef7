//! How a plan prints: one line for each fact, the same in golden files, EXPLAIN and `trunkline explain`.
