//! Names and constants, taken from the parser's expressions only where their meaning in
//! PostgreSQL is certain. Everything else is [`Operand::Other`].

use sqlparser::ast::{self, CastKind, DataType, Expr, UnaryOperator, Value};

use super::literals::{Literal, slot_of};
use super::reserved::is_reserved;
use super::tree::{CastType, Column, Constant, Name, Operand, Slot};
use crate::types::{Family, KeyType, KeyValue};

/// Parentheses, signs and casts around a constant looked through at most.
const WRAPPINGS_MAX: usize = 8;

/// A relation's or alias's identifier. PostgreSQL's reserved words cannot be one: where the parser thinks
/// so, it has misread (`FROM ONLY t`).
pub(super) fn ident(ident: &ast::Ident) -> Result<String, String> {
    if ident.quote_style.is_none() && is_reserved(&ident.value) {
        return Err(format!(
            "{} at this place",
            ident.value.to_ascii_uppercase()
        ));
    }
    Ok(ident.value.clone())
}

pub(super) fn name(name: &ast::ObjectName) -> Result<Name, String> {
    let parts: Vec<&ast::Ident> = name
        .0
        .iter()
        .filter_map(ast::ObjectNamePart::as_ident)
        .collect();
    match (parts.as_slice(), name.0.len()) {
        ([table], 1) => Ok(Name {
            schema: None,
            name: ident(table)?,
        }),
        ([schema, table], 2) => Ok(Name {
            schema: Some(schema.value.clone()),
            name: table.value.clone(),
        }),
        _ => Err("a table name of more than two parts".to_owned()),
    }
}

/// A column's name in a list or as the target of SET, where it stands alone.
pub(super) fn column_name(name: &ast::ObjectName) -> Result<String, String> {
    match name.0.as_slice() {
        [ast::ObjectNamePart::Identifier(column)] => Ok(column.value.clone()),
        // `SET composite.field = …`: the column comes first.
        [ast::ObjectNamePart::Identifier(column), ..] => Ok(column.value.clone()),
        _ => Err("a column name of an unknown form".to_owned()),
    }
}

/// An array is no value that a key is compared with: it is [`Operand::Other`] here.
pub(super) fn operand(expr: &Expr) -> Operand {
    match wrapped(expr, WRAPPINGS_MAX) {
        Operand::Param { array: true, .. } | Operand::Slot(Slot { array: true, .. }) => {
            Operand::Other
        }
        operand => operand,
    }
}

/// The columns of `(a, b)` or `ROW(a, b)`; `None` for what is no row, or may have more columns than it has
/// expressions.
pub(super) fn row(expr: &Expr) -> Option<Vec<&Expr>> {
    match expr {
        Expr::Nested(inner) if matches!(**inner, Expr::Tuple(_) | Expr::Nested(_)) => row(inner),
        Expr::Tuple(columns) => (!columns.iter().any(is_star)).then(|| columns.iter().collect()),
        Expr::Function(function) => row_call(function),
        _ => None,
    }
}

/// `r.*`, which stands for all columns of `r` in a row, in VALUES and in SET.
pub(super) fn is_star(expr: &Expr) -> bool {
    matches!(expr, Expr::Wildcard(_) | Expr::QualifiedWildcard(..))
}

fn row_call(function: &ast::Function) -> Option<Vec<&Expr>> {
    let [ast::ObjectNamePart::Identifier(name)] = function.name.0.as_slice() else {
        return None;
    };
    let ast::FunctionArguments::List(list) = &function.args else {
        return None;
    };
    let plain = name.quote_style.is_none()
        && name.value == "row"
        && list.duplicate_treatment.is_none()
        && list.clauses.is_empty()
        && function.over.is_none()
        && function.filter.is_none()
        && function.within_group.is_empty();
    if !plain {
        return None;
    }
    list.args
        .iter()
        .map(|argument| match argument {
            ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(expr)) => Some(expr),
            _ => None,
        })
        .collect()
}

/// What stands in `ANY (…)`: the elements of an `ARRAY[…]`, or else an operand whose elements are meant: a
/// parameter or slot with `array` set, or a constant with the array's text and the type of its elements.
pub(super) fn array(expr: &Expr) -> Option<Result<Vec<Operand>, Operand>> {
    let (inner, element) = match expr {
        Expr::Nested(inner) => return array(inner),
        Expr::Cast {
            kind: CastKind::Cast | CastKind::DoubleColon,
            expr,
            data_type,
            format: None,
        } => (unnested(expr), Some(element_type(data_type)?)),
        _ => (expr, None),
    };
    if let Expr::Array(ast::Array { elem, named: true }) = inner {
        let values = elem.iter().map(|value| match element {
            Some(to) => cast(operand(value), to),
            None => operand(value),
        });
        return Some(Ok(values.collect()));
    }
    let Expr::Value(value) = inner else {
        return None;
    };
    Some(Err(match literal(&value.value) {
        Operand::Param { index, .. } => Operand::Param {
            index,
            cast: element,
            array: true,
        },
        Operand::Slot(slot) if slot.string => Operand::Slot(Slot {
            cast: element,
            array: true,
            ..slot
        }),
        Operand::Constant(Constant::Unknown(text)) => Operand::Constant(match element {
            Some(to) => Constant::Typed(to, text),
            None => Constant::Unknown(text),
        }),
        _ => return None,
    }))
}

fn unnested(mut expr: &Expr) -> &Expr {
    while let Expr::Nested(inner) = expr {
        expr = inner;
    }
    expr
}

fn wrapped(expr: &Expr, left: usize) -> Operand {
    let Some(left) = left.checked_sub(1) else {
        return Operand::Other;
    };
    match expr {
        Expr::Nested(inner) => wrapped(inner, left),
        Expr::Identifier(ident) if ident.quote_style.is_none() && ident.value == "default" => {
            Operand::Constant(Constant::Default)
        }
        // `current_user` and other reserved words are functions.
        Expr::Identifier(ident) if ident.quote_style.is_none() && is_reserved(&ident.value) => {
            Operand::Other
        }
        Expr::Identifier(ident) => Operand::Column(Column {
            relation: None,
            name: ident.value.clone(),
        }),
        Expr::CompoundIdentifier(parts) => compound(parts),
        Expr::Value(value) => literal(&value.value),
        Expr::UnaryOp {
            op: UnaryOperator::Plus,
            expr,
        } => match wrapped(expr, left) {
            value @ Operand::Constant(Constant::Int(_)) => value,
            Operand::Slot(slot) if !slot.string => Operand::Slot(slot),
            _ => Operand::Other,
        },
        Expr::UnaryOp {
            op: UnaryOperator::Minus,
            expr,
        } => match wrapped(expr, left) {
            Operand::Constant(Constant::Int(value)) => {
                value.checked_neg().map_or(Operand::Other, |value| {
                    Operand::Constant(Constant::Int(value))
                })
            }
            // Whether the cast or the minus comes first matters only where one of both is an error.
            Operand::Slot(slot) if !slot.string => Operand::Slot(Slot {
                negative: !slot.negative,
                ..slot
            }),
            _ => Operand::Other,
        },
        Expr::Cast {
            kind: CastKind::Cast | CastKind::DoubleColon,
            expr,
            data_type,
            format: None,
        } => match cast_type(data_type) {
            Some(to) => cast(wrapped(expr, left), to),
            None => Operand::Other,
        },
        Expr::TypedString(typed) if !typed.uses_odbc_syntax => match cast_type(&typed.data_type) {
            Some(to) => cast(literal(&typed.value.value), to),
            None => Operand::Other,
        },
        _ => Operand::Other,
    }
}

fn compound(parts: &[ast::Ident]) -> Operand {
    let (relation, name) = match parts {
        [relation, name] => (
            Name {
                schema: None,
                name: relation.value.clone(),
            },
            name,
        ),
        [schema, relation, name] => (
            Name {
                schema: Some(schema.value.clone()),
                name: relation.value.clone(),
            },
            name,
        ),
        _ => return Operand::Other,
    };
    Operand::Column(Column {
        relation: Some(relation),
        name: name.value.clone(),
    })
}

fn literal(value: &Value) -> Operand {
    match value {
        Value::Number(text, false) if slot_of(text).is_some() => slot(text, false),
        Value::SingleQuotedString(text) if slot_of(text).is_some() => slot(text, true),
        // Decimals, exponents and what does not fit 64 bits are numeric, which is compared as numeric.
        Value::Number(digits, false) if digits.bytes().all(|b| b.is_ascii_digit()) => {
            match digits.parse() {
                Ok(value) => Operand::Constant(Constant::Int(value)),
                Err(_) => Operand::Other,
            }
        }
        Value::SingleQuotedString(text) => Operand::Constant(Constant::Unknown(text.clone())),
        Value::Null => Operand::Constant(Constant::Null),
        Value::Placeholder(text) => match text
            .strip_prefix('$')
            .and_then(|digits| digits.parse::<u16>().ok())
        {
            Some(number @ 1..) => Operand::Param {
                index: number - 1,
                cast: None,
                array: false,
            },
            _ => Operand::Other,
        },
        _ => Operand::Other,
    }
}

fn slot(text: &str, string: bool) -> Operand {
    slot_of(text).map_or(Operand::Other, |place| {
        Operand::Slot(Slot {
            place,
            string,
            negative: false,
            cast: None,
            array: false,
        })
    })
}

fn cast(operand: Operand, to: CastType) -> Operand {
    match operand {
        Operand::Param {
            index,
            cast: None,
            array: false,
        } => Operand::Param {
            index,
            cast: Some(to),
            array: false,
        },
        Operand::Slot(slot @ Slot { cast: None, .. }) => Operand::Slot(Slot {
            cast: Some(to),
            ..slot
        }),
        Operand::Constant(constant) => {
            cast_constant(constant, to).map_or(Operand::Other, Operand::Constant)
        }
        Operand::Column(column) => Operand::CastColumn(column, to),
        // A second cast to the same type changes nothing.
        same @ (Operand::Param {
            cast: Some(from),
            array: false,
            ..
        }
        | Operand::Slot(Slot {
            cast: Some(from), ..
        })
        | Operand::CastColumn(_, from))
            if from == to =>
        {
            same
        }
        _ => Operand::Other,
    }
}

/// What stands in the text where a slot is, as far as it is a constant of known meaning.
pub fn slot_constant(slot: &Slot, literal: Literal<'_>) -> Option<Constant> {
    let constant = match (literal, slot.negative) {
        (Literal::Int(value), true) => Constant::Int(value.checked_neg()?),
        (Literal::Int(value), false) => Constant::Int(value),
        (Literal::Text(_), true) => return None,
        (Literal::Text(text), false) => Constant::Unknown(text.to_owned()),
    };
    match slot.cast {
        Some(to) => cast_constant(constant, to),
        None => Some(constant),
    }
}

/// What PostgreSQL's cast makes of a constant, where that is certain.
pub fn cast_constant(constant: Constant, to: CastType) -> Option<Constant> {
    let integer = |key_type: KeyType, text: &str| match key_type.parse_text(text.as_bytes()) {
        Ok(KeyValue::Int(value)) => Some(Constant::Int(value)),
        _ => None,
    };
    let fits = |value: i64, low: i64, high: i64| {
        (low..=high)
            .contains(&value)
            .then_some(Constant::Int(value))
    };
    match (constant, to) {
        (Constant::Null, _) => Some(Constant::Null),
        (Constant::Int(value), CastType::SmallInt) => fits(value, i16::MIN.into(), i16::MAX.into()),
        (Constant::Int(value), CastType::Integer) => fits(value, i32::MIN.into(), i32::MAX.into()),
        (Constant::Int(value), CastType::BigInt) => Some(Constant::Int(value)),
        (Constant::Unknown(text), CastType::SmallInt) => integer(KeyType::SmallInt, &text),
        (Constant::Unknown(text), CastType::Integer) => integer(KeyType::Integer, &text),
        (Constant::Unknown(text), CastType::BigInt) => integer(KeyType::BigInt, &text),
        (Constant::Unknown(text), _) => Some(Constant::Typed(to, text)),
        (Constant::Typed(from, text), to) if from == to => Some(Constant::Typed(to, text)),
        (Constant::Typed(from, text), CastType::Text | CastType::Varchar)
            if from.family() == Family::Text =>
        {
            Some(Constant::Typed(to, text))
        }
        _ => None,
    }
}

/// The key type a cast names. With a length or precision it may change the value; `char` alone is `char(1)`.
pub(super) fn cast_type(data_type: &DataType) -> Option<CastType> {
    use ast::TimezoneInfo as Zone;
    Some(match data_type {
        DataType::SmallInt(None) | DataType::Int2(None) => CastType::SmallInt,
        DataType::Int(None) | DataType::Integer(None) | DataType::Int4(None) => CastType::Integer,
        DataType::BigInt(None) | DataType::Int8(None) => CastType::BigInt,
        DataType::Text => CastType::Text,
        DataType::Varchar(None)
        | DataType::CharacterVarying(None)
        | DataType::CharVarying(None) => CastType::Varchar,
        DataType::Uuid => CastType::Uuid,
        DataType::Date => CastType::Date,
        DataType::Timestamp(None, Zone::None | Zone::WithoutTimeZone) => CastType::Timestamp,
        DataType::Timestamp(None, Zone::WithTimeZone | Zone::Tz) => CastType::Timestamptz,
        DataType::Bytea => CastType::Bytea,
        DataType::Custom(name, modifiers) if modifiers.is_empty() => return own_name(name),
        _ => return None,
    })
}

/// A type by the name it has in `pg_catalog`, which is the first of every `search_path` here.
fn own_name(name: &ast::ObjectName) -> Option<CastType> {
    let parts: Vec<&str> = name
        .0
        .iter()
        .map(|part| part.as_ident().map(|ident| ident.value.as_str()))
        .collect::<Option<_>>()?;
    let ([name] | ["pg_catalog", name]) = parts.as_slice() else {
        return None;
    };
    type_by_name(name)
}

/// True where a cast to this name, without its schema, is taken for one to a key's type.
pub fn is_cast_type(name: &str) -> bool {
    type_by_name(name).is_some()
}

fn type_by_name(name: &str) -> Option<CastType> {
    Some(match name {
        "int2" => CastType::SmallInt,
        "int4" => CastType::Integer,
        "int8" => CastType::BigInt,
        "text" => CastType::Text,
        "varchar" => CastType::Varchar,
        "bpchar" => CastType::Bpchar,
        "uuid" => CastType::Uuid,
        "date" => CastType::Date,
        "timestamp" => CastType::Timestamp,
        "timestamptz" => CastType::Timestamptz,
        "bytea" => CastType::Bytea,
        _ => return None,
    })
}

/// Of `bigint[]`. A length of the array means nothing to PostgreSQL.
fn element_type(data_type: &DataType) -> Option<CastType> {
    match data_type {
        DataType::Array(ast::ArrayElemTypeDef::SquareBracket(element, _)) => cast_type(element),
        _ => None,
    }
}
