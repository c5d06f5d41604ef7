//! Which built-in functions make the same of the same arguments on every server of a session.
//!
//! Only those listed: others may be volatile, or may look at tables or catalogs. What depends on settings is listed, because
//! settings are the session's everywhere; and the time of the transaction, because shards are told one ([`sql::at_moment`]).

use crate::planner::Schema;
use crate::sql;

/// What a call of this name is, where it may stand in a scatter at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Scalar,
    /// It gives rows.
    Set,
    Aggregate,
    /// An aggregate that depends on the order of its rows.
    Ordered,
    Window,
}

/// `None` where nobody knows.
pub(super) fn kind(name: &str, schema: &Schema) -> Option<Kind> {
    let user_defined = schema.functions.keys().any(|known| known.name == name);
    if user_defined {
        return None;
    }
    let lists = [
        (Kind::Scalar, SCALARS),
        (Kind::Set, SETS),
        (Kind::Aggregate, AGGREGATES),
        (Kind::Aggregate, MERGED),
        (Kind::Ordered, ORDERED),
        (Kind::Window, WINDOWS),
    ];
    if sql::is_moment(name) {
        return Some(Kind::Scalar);
    }
    let listed = |(_, names): &&(Kind, &[&str])| names.contains(&name);
    lists.iter().find(listed).map(|(kind, _)| *kind)
}

/// Aggregates whose parts of several shards the proxy puts together.
pub(super) fn is_merged(name: &str) -> bool {
    MERGED.contains(&name)
}

const MERGED: &[&str] = &[
    "avg",
    "bit_and",
    "bit_or",
    "bit_xor",
    "bool_and",
    "bool_or",
    "count",
    "every",
    "max",
    "min",
    "stddev",
    "stddev_pop",
    "stddev_samp",
    "sum",
    "var_pop",
    "var_samp",
    "variance",
];

const AGGREGATES: &[&str] = &[
    "any_value",
    "corr",
    "covar_pop",
    "covar_samp",
    "mode",
    "percentile_cont",
    "percentile_disc",
    "range_agg",
    "range_intersect_agg",
    "regr_avgx",
    "regr_avgy",
    "regr_count",
    "regr_intercept",
    "regr_r2",
    "regr_slope",
    "regr_sxx",
    "regr_sxy",
    "regr_syy",
];

const ORDERED: &[&str] = &[
    "array_agg",
    "json_agg",
    "json_object_agg",
    "jsonb_agg",
    "jsonb_object_agg",
    "string_agg",
    "xmlagg",
];

const WINDOWS: &[&str] = &[
    "cume_dist",
    "dense_rank",
    "first_value",
    "lag",
    "last_value",
    "lead",
    "nth_value",
    "ntile",
    "percent_rank",
    "rank",
    "row_number",
];

const SETS: &[&str] = &[
    "generate_series",
    "generate_subscripts",
    "json_array_elements",
    "json_array_elements_text",
    "json_each",
    "json_each_text",
    "json_object_keys",
    "jsonb_array_elements",
    "jsonb_array_elements_text",
    "jsonb_each",
    "jsonb_each_text",
    "jsonb_object_keys",
    "jsonb_path_query",
    "regexp_matches",
    "regexp_split_to_table",
    "string_to_table",
    "unnest",
];

/// `array`, `row`, `coalesce` and the like are no functions in PostgreSQL, but calls to the parser.
const SCALARS: &[&str] = &[
    "abs",
    "acos",
    "array",
    "array_append",
    "array_cat",
    "array_dims",
    "array_length",
    "array_lower",
    "array_ndims",
    "array_position",
    "array_positions",
    "array_prepend",
    "array_remove",
    "array_replace",
    "array_to_json",
    "array_to_string",
    "array_upper",
    "ascii",
    "asin",
    "atan",
    "atan2",
    "bit_count",
    "bit_length",
    "btrim",
    "cardinality",
    "cbrt",
    "ceil",
    "ceiling",
    "char_length",
    "character_length",
    "chr",
    "coalesce",
    "concat",
    "concat_ws",
    "convert_from",
    "convert_to",
    "cos",
    "date",
    "date_bin",
    "date_part",
    "date_trunc",
    "decode",
    "degrees",
    "div",
    "encode",
    "exp",
    "extract",
    "factorial",
    "floor",
    "format",
    "gcd",
    "get_bit",
    "get_byte",
    "greatest",
    "initcap",
    "isfinite",
    "json_array_length",
    "json_build_array",
    "json_build_object",
    "json_extract_path",
    "json_extract_path_text",
    "json_typeof",
    "jsonb_array_length",
    "jsonb_build_array",
    "jsonb_build_object",
    "jsonb_extract_path",
    "jsonb_extract_path_text",
    "jsonb_path_exists",
    "jsonb_path_match",
    "jsonb_pretty",
    "jsonb_set",
    "jsonb_strip_nulls",
    "jsonb_typeof",
    "justify_days",
    "justify_hours",
    "justify_interval",
    "lcm",
    "least",
    "left",
    "length",
    "ln",
    "log",
    "log10",
    "lower",
    "lower_inc",
    "lower_inf",
    "lpad",
    "ltrim",
    "make_date",
    "make_interval",
    "make_time",
    "make_timestamp",
    "make_timestamptz",
    "md5",
    "mod",
    "nullif",
    "num_nonnulls",
    "num_nulls",
    "octet_length",
    "overlay",
    "pi",
    "position",
    "power",
    "quote_ident",
    "quote_literal",
    "quote_nullable",
    "radians",
    "regexp_count",
    "regexp_instr",
    "regexp_like",
    "regexp_match",
    "regexp_replace",
    "regexp_split_to_array",
    "regexp_substr",
    "repeat",
    "replace",
    "reverse",
    "right",
    "round",
    "row",
    "rpad",
    "rtrim",
    "scale",
    "sha256",
    "sign",
    "sin",
    "split_part",
    "sqrt",
    "starts_with",
    "string_to_array",
    "strpos",
    "substr",
    "substring",
    "tan",
    "timezone",
    "to_char",
    "to_date",
    "to_hex",
    "to_json",
    "to_jsonb",
    "to_number",
    "to_timestamp",
    "to_tsquery",
    "to_tsvector",
    "translate",
    "trim",
    "trim_scale",
    "trunc",
    "ts_rank",
    "upper",
    "upper_inc",
    "upper_inf",
    "websearch_to_tsquery",
    "width_bucket",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_the_same_everywhere_is_not_listed() {
        let schema = Schema::default();
        for name in [
            "random",
            "clock_timestamp",
            "timeofday",
            "age",
            "nextval",
            "currval",
            "gen_random_uuid",
            "uuid_generate_v4",
            "pg_backend_pid",
            "txid_current",
            "pg_typeof",
            "pg_sleep",
            "current_setting",
            "set_config",
            "current_database",
            "version",
            "inet_server_addr",
            "lo_get",
            "query_to_xml",
            "row_to_json_of_mine",
        ] {
            assert_eq!(kind(name, &schema), None, "{name}");
        }
        assert_eq!(kind("lower", &schema), Some(Kind::Scalar));
        assert_eq!(kind("sum", &schema), Some(Kind::Aggregate));
    }
}
