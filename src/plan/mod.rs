//! The plan as data: what is sent where, and why. Made by `planner`, run by `session` and
//! `executor`; they meet only here. What can be printed can be tested, cached and shown in EXPLAIN.
//!
//! A plan never holds a parameter's value and knows no sockets.

mod constant;
mod gather;
mod hint;
mod node;
mod print;
mod resolve;
mod scatter;
mod facts;
mod finish;

pub use constant::{Compared, compared, compared_elements};
pub use facts::{Facts, Finishing, Known, Learned, Merged, Pause};
pub use finish::{
    Call, Finish, FinishedType, Name, OverGroups, OverRows, OverTables, Query, Regrouped,
    WithQuery, merged_column,
};
pub use gather::{Called, Columns, Gather, Gathering, Joined, Part, Piece};
pub use hint::{Hint, Hinted, HintedTo, key_list, key_values, quoted};
pub use node::{
    Access, Catalogs, ColumnKey, Control, ExplainFormat, KeySource, KeyTarget, Plan, Planned,
    RelationKey, Route, Setting, Targets,
};
pub use print::{explain_gathering, explain_lines};
#[cfg(test)]
pub use resolve::NoParams;
pub use resolve::{Destination, Located, ParamValues, Values};
pub use scatter::{
    Aggregate, Column, Count, Groups, Limit, Merge, Rows, Scatter, Sort, Span, Tables, counts,
};
