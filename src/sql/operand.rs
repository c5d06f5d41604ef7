//! Names, constants and equalities, taken from the parser's expressions only where their meaning in
//! PostgreSQL is certain. Everything else is [`Operand::Other`].

use sqlparser::ast::{self, BinaryOperator, CastKind, DataType, Expr, UnaryOperator, Value};

use super::literals::{Literal, slot_of};
use super::reserved::is_reserved;
use super::tree::{CastType, Column, Constant, Fact, Name, Operand, Slot};
use crate::types::{Family, KeyType, KeyValue};

type Result<T> = std::result::Result<T, String>;

/// Parentheses, signs and casts around a constant looked through at most.
const WRAPPINGS_MAX: usize = 8;

/// A relation's or alias's identifier. PostgreSQL's reserved words cannot be one: where the parser thinks
/// so, it has misread (`FROM ONLY t`).
pub(super) fn ident(ident: &ast::Ident) -> Result<String> {
    if ident.quote_style.is_none() && is_reserved(&ident.value) {
        return Err(format!(
            "{} at this place",
            ident.value.to_ascii_uppercase()
        ));
    }
    Ok(ident.value.clone())
}

pub(super) fn name(name: &ast::ObjectName) -> Result<Name> {
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
pub(super) fn column_name(name: &ast::ObjectName) -> Result<String> {
    match name.0.as_slice() {
        [ast::ObjectNamePart::Identifier(column)] => Ok(column.value.clone()),
        // `SET composite.field = …`: the column comes first.
        [ast::ObjectNamePart::Identifier(column), ..] => Ok(column.value.clone()),
        _ => Err("a column name of an unknown form".to_owned()),
    }
}

/// The equalities among the conjuncts of a condition. Conjunctions are left-deep and may be long: a stack
/// of our own, not recursion.
pub(super) fn facts(condition: &Expr) -> Result<Vec<Fact>> {
    let mut facts = Vec::new();
    let mut pending = vec![condition];
    while let Some(expr) = pending.pop() {
        match expr {
            Expr::Nested(inner) => pending.push(inner),
            Expr::BinaryOp {
                left,
                op: BinaryOperator::And,
                right,
            } => {
                pending.push(right);
                pending.push(left);
            }
            Expr::BinaryOp {
                left,
                op: BinaryOperator::Eq,
                right,
            } => {
                facts.push(Fact::Equal {
                    left: operand(left)?,
                    right: operand(right)?,
                });
            }
            Expr::InList {
                expr,
                list,
                negated: false,
            } => {
                if let [only] = list.as_slice() {
                    facts.push(Fact::Equal {
                        left: operand(expr)?,
                        right: operand(only)?,
                    });
                }
            }
            _ => {}
        }
    }
    Ok(facts)
}

pub(super) fn operand(expr: &Expr) -> Result<Operand> {
    Ok(wrapped(expr, WRAPPINGS_MAX))
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
            value @ (Operand::Constant(Constant::Int(_))
            | Operand::Slot(Slot { string: false, .. })) => value,
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
            Operand::Slot(
                slot @ Slot {
                    string: false,
                    negative: false,
                    cast: None,
                    ..
                },
            ) => Operand::Slot(Slot {
                negative: true,
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
        (Constant::Unknown(text), CastType::Text | CastType::Varchar | CastType::Uuid) => {
            Some(Constant::Typed(to, text))
        }
        (Constant::Typed(from, text), CastType::Text | CastType::Varchar)
            if from.family() == Family::Text =>
        {
            Some(Constant::Typed(to, text))
        }
        _ => None,
    }
}

fn cast_type(data_type: &DataType) -> Option<CastType> {
    Some(match data_type {
        DataType::SmallInt(None) | DataType::Int2(None) => CastType::SmallInt,
        DataType::Int(None) | DataType::Integer(None) | DataType::Int4(None) => CastType::Integer,
        DataType::BigInt(None) | DataType::Int8(None) => CastType::BigInt,
        DataType::Text => CastType::Text,
        DataType::Varchar(None) | DataType::CharacterVarying(None) => CastType::Varchar,
        DataType::Uuid => CastType::Uuid,
        _ => return None,
    })
}
