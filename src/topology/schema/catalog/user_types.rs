//! The types that users have defined on one server: their OIDs, which are its own, and what their binary form holds.

use std::collections::HashMap;

use tokio_postgres::Row;

use super::DOMAIN_DEPTH_MAX;
use crate::topology::control::{Control, ControlError};
use crate::types::Oid;
use crate::types::translation::{Form, TypeName, UserType, UserTypes};

/// Types of sessions' own temporary tables are left out: no other server has them.
pub(super) async fn user_types(control: &Control, version: i32) -> Result<UserTypes, ControlError> {
    let query = match version >= MULTIRANGES_SINCE {
        true => TYPES.replace(RANGE_OF, RANGE_OR_MULTIRANGE_OF),
        false => TYPES.to_owned(),
    };
    let rows = control.client.query(&query, &[]).await?;
    let rows = rows.iter().map(Found::read);
    let rows: Vec<Found> = rows.collect::<Result<_, ControlError>>()?;
    let beneath: HashMap<u32, (u32, u32)> = rows
        .iter()
        .map(|found| (found.oid, (found.base, found.subtype)))
        .collect();
    Ok(rows
        .into_iter()
        .map(|found| {
            let form = found.form(&beneath);
            let oid = Oid(found.oid);
            (found.name, UserType { oid, form })
        })
        .collect())
}

struct Found {
    name: TypeName,
    oid: u32,
    /// The function that makes its binary form: of a domain that of the type beneath.
    send: Option<String>,
    /// Of a domain; else zero.
    base: u32,
    /// Of a range or multirange; else zero.
    subtype: u32,
}

impl Found {
    fn read(row: &Row) -> Result<Self, ControlError> {
        Ok(Self {
            name: TypeName {
                schema: row.try_get(0)?,
                name: row.try_get(1)?,
                is_array: row.try_get(2)?,
            },
            oid: row.try_get(3)?,
            send: row.try_get(4)?,
            base: row.try_get(5)?,
            subtype: row.try_get(6)?,
        })
    }

    fn form(&self, beneath: &HashMap<u32, (u32, u32)>) -> Form {
        let mut subtype = self.subtype;
        let mut base = self.base;
        for _ in 0..DOMAIN_DEPTH_MAX {
            let Some((next, of)) = beneath.get(&base).filter(|_| subtype == 0) else {
                break;
            };
            (base, subtype) = (*next, *of);
        }
        match self.send.as_deref() {
            Some("array_send") => Form::Array,
            Some("record_send") => Form::Record,
            Some("range_send") if subtype != 0 => Form::Range(Oid(subtype)),
            Some("multirange_send") if subtype != 0 => Form::Multirange(Oid(subtype)),
            _ => Form::Plain,
        }
    }
}

const MULTIRANGES_SINCE: i32 = 140_000;
const RANGE_OF: &str = "r.rngtypid = t.oid";
const RANGE_OR_MULTIRANGE_OF: &str = "t.oid IN (r.rngtypid, r.rngmultitypid)";

/// Source: <https://www.postgresql.org/docs/current/catalog-pg-type.html>,
/// <https://www.postgresql.org/docs/current/catalog-pg-range.html>
const TYPES: &str = "\
SELECT n.nspname::text, coalesce(e.typname, t.typname)::text, e.oid IS NOT NULL, t.oid, p.proname::text,
       t.typbasetype, coalesce(r.rngsubtype, 0::pg_catalog.oid)
  FROM pg_catalog.pg_type t
  LEFT JOIN pg_catalog.pg_type e ON e.typarray = t.oid
  JOIN pg_catalog.pg_namespace n ON n.oid = coalesce(e.typnamespace, t.typnamespace)
  LEFT JOIN pg_catalog.pg_proc p ON p.oid = t.typsend AND p.pronamespace = 'pg_catalog'::pg_catalog.regnamespace
  LEFT JOIN pg_catalog.pg_range r ON r.rngtypid = t.oid
 WHERE t.oid >= 16384 AND NOT starts_with(n.nspname::text, 'pg_temp_') AND NOT starts_with(n.nspname::text, 'pg_toast')";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_are_of_the_form_beneath() {
        let found = |oid: u32, send: &str, base, subtype| Found {
            name: TypeName {
                schema: "public".to_owned(),
                name: oid.to_string(),
                is_array: false,
            },
            oid,
            send: Some(send.to_owned()),
            base,
            subtype,
        };
        let all = [
            found(20_000, "range_send", 0, 23),
            found(20_001, "range_send", 20_000, 0),
            found(20_002, "range_send", 20_001, 0),
            // Made of itself, as no server has it.
            found(20_003, "range_send", 20_003, 0),
            found(20_004, "array_send", 1007, 0),
            found(20_005, "enum_send", 0, 0),
        ];
        let beneath = all
            .iter()
            .map(|found| (found.oid, (found.base, found.subtype)))
            .collect();
        let forms: Vec<Form> = all.iter().map(|found| found.form(&beneath)).collect();
        let range = Form::Range(Oid(23));
        assert_eq!(
            forms,
            [range, range, range, Form::Plain, Form::Array, Form::Plain]
        );
    }
}
