//! Our tokens into `sqlparser`'s tree, within bounds that keep its recursion harmless.
//!
//! The parser never sees text: it gets the tokens of [`super::lex`], folded and decoded by
//! PostgreSQL's rules, so the lexical differences of its own tokenizer cannot matter.

use std::ops::ControlFlow;

use sqlparser::ast::{Expr, Ident, ObjectName, Statement, TableFactor, Visit, Visitor};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer as sp;

use super::convert;
use super::lex::{Kind, Token};
use super::outline::{Outline, outline};
use super::rewrite::rewritten;
use super::tree::Query;
use crate::error::{PgError, SqlState};

/// Longer statements are not analysed.
pub const ANALYSED_BYTES_MAX: usize = 16 << 20;
/// Parentheses, brackets, CASE and prefix operators nested deeper than this are not analysed.
pub const NESTING_MAX: usize = 120;
/// Chains (`a OR b OR …`, `1::int::int…`) longer than this are not analysed: each link is one level of the tree.
pub const CHAIN_MAX: usize = 20_000;

/// Tokens as often as they may be read: once for each level they are nested in, and twice as often within what the
/// parser tries in two ways. Statements that may take more are not analysed.
pub const READINGS_MAX: u64 = 4_000_000;

/// What dropping and walking one level of the tree may take of the stack.
const STACK_PER_LEVEL: usize = 2 << 10;
/// What the parser takes of it for one level of nesting, built without optimization. It grows its stack by
/// itself, but leaves less between two looks at it than its own functions may take.
const PARSER_STACK_PER_LEVEL: usize = 32 << 10;
const STACK_BASE: usize = 1 << 20;

/// Why a statement could not be analysed.
#[derive(Clone, Debug, PartialEq)]
pub enum Unread {
    /// A limit was reached: an error whatever the statement touches.
    Limit(PgError),
    /// The grammar does not know it; `token` is where, if that is known.
    Syntax { message: String },
    /// Read, but it holds a construct that is not understood.
    Construct(String),
}

/// A statement's scopes, and what the safety net needs.
#[derive(Clone, Debug)]
pub struct Analysis {
    pub query: Query,
    /// Every identifier of the parser's tree equal to one of the names asked for.
    pub named: usize,
    /// Every call of one of the functions asked for.
    pub calls: usize,
    /// Where it was asked for, and the statement is a SELECT with no part that is not known there.
    pub outline: Option<Outline>,
}

/// Analyses SELECT, VALUES, TABLE, INSERT, UPDATE, DELETE or MERGE, with or without WITH. `is_listed` says which names
/// the caller wants counted, `is_call` of which functions, by their names without schema, it wants the calls. `outlined`: it
/// wants the outline, too.
pub fn analyse(
    tokens: &[Token<'_>],
    text: &str,
    is_listed: &dyn Fn(&str) -> bool,
    is_call: &dyn Fn(&str) -> bool,
    outlined: bool,
) -> Result<Analysis, Unread> {
    parsed(tokens, text, |statement| {
        let mut census = Census {
            is_listed,
            is_call,
            relations: 0,
            named: 0,
            calls: 0,
            strings: 0,
        };
        let _ = statement.visit(&mut census);
        if census.strings > 0 {
            return Err(Unread::Construct(
                "a string in the place of a name, or a constant of an unusual type".to_owned(),
            ));
        }
        let converted = convert::statement(statement, is_call).map_err(Unread::Construct)?;
        if converted.relations != census.relations {
            return Err(Unread::Construct(
                "a table reference in an unusual place".to_owned(),
            ));
        }
        if converted.calls != census.calls {
            return Err(Unread::Construct(
                "a function call in an unusual place".to_owned(),
            ));
        }
        Ok(Analysis {
            query: converted.query,
            named: census.named,
            calls: census.calls,
            outline: match outlined {
                true => outline(statement, tokens),
                false => None,
            },
        })
    })
}

/// Looks at the parser's tree, which is dropped afterwards, with a stack that is large enough for both.
pub(super) fn parsed<T>(
    tokens: &[Token<'_>],
    text: &str,
    look: impl FnOnce(&Statement) -> Result<T, Unread>,
) -> Result<T, Unread> {
    let tokens = rewritten(tokens).map_err(Unread::Construct)?;
    let depth = bounds(&tokens, text).map_err(Unread::Limit)?;
    // The tree is dropped recursively by the compiler's own glue, which knows no bounds.
    let parsing = depth.min(NESTING_MAX) * PARSER_STACK_PER_LEVEL;
    let whole = STACK_BASE + depth * STACK_PER_LEVEL + parsing;
    stacker::maybe_grow(STACK_BASE / 2 + parsing, whole, || {
        look(&parse(&tokens, text)?)
    })
}

/// Counts what is in the tree by the parser's own visitor, which misses nothing that `convert` may miss.
struct Census<'a> {
    is_listed: &'a dyn Fn(&str) -> bool,
    is_call: &'a dyn Fn(&str) -> bool,
    relations: usize,
    named: usize,
    calls: usize,
    /// Strings taken for names. In PostgreSQL none is one: `type 'value'` is a constant of the type.
    strings: usize,
}

impl Census<'_> {
    fn call(&mut self, name: &ObjectName) {
        let wanted = convert::last_part(name).is_some_and(|name| (self.is_call)(name));
        self.calls += usize::from(wanted);
    }
}

impl Visitor for Census<'_> {
    type Break = ();

    fn pre_visit_relation(&mut self, _relation: &ObjectName) -> ControlFlow<()> {
        self.relations += 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_ident(&mut self, ident: &Ident) -> ControlFlow<()> {
        self.strings += usize::from(ident.quote_style == Some('\''));
        self.named += usize::from((self.is_listed)(&ident.value));
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        if let Expr::Function(function) = expr {
            self.call(&function.name);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table {
            name,
            args: Some(_),
            ..
        }
        | TableFactor::Function { name, .. } = factor
        {
            self.call(name);
        }
        ControlFlow::Continue(())
    }
}

fn parse(tokens: &[Token<'_>], text: &str) -> Result<Statement, Unread> {
    let dialect = PostgreSqlDialect {};
    let tokens = tokens.iter().map(|token| convert_token(token, text));
    let tokens = tokens.collect();
    // The parser spends several levels on one level of parentheses.
    let mut parser = Parser::new(&dialect)
        .with_recursion_limit(NESTING_MAX * 8)
        .with_tokens_with_locations(tokens);
    let statement = match parser.parse_statement() {
        Ok(statement) => statement,
        Err(ParserError::RecursionLimitExceeded) => return Err(Unread::Limit(too_deep())),
        Err(ParserError::ParserError(message) | ParserError::TokenizerError(message)) => {
            // Of the parser's own texts this one prints a token as its programmers see it.
            let message = match message.starts_with("No infix parser for token") {
                true => format!("no operator is called {}", parser.get_current_token()),
                false => message,
            };
            return Err(Unread::Syntax { message });
        }
    };
    match parser.peek_token().token {
        sp::Token::EOF => Ok(statement),
        token => Err(Unread::Syntax {
            message: format!("unexpected {token}"),
        }),
    }
}

/// Estimates how deep the tree can become, from above.
fn bounds(tokens: &[Token<'_>], text: &str) -> Result<usize, PgError> {
    if text.len() > ANALYSED_BYTES_MAX {
        return Err(PgError::client(
            SqlState::STATEMENT_TOO_COMPLEX,
            format!("statement is longer than the {ANALYSED_BYTES_MAX} bytes Trunkline analyses"),
        )
        .with_hint("split the statement, or use COPY"));
    }
    let mut levels = vec![Level::default()];
    let (mut total, mut deepest, mut nested) = (0usize, 0usize, 0usize);
    // Where one does not end the parser goes back and tries each of them in another way.
    let mut cases = 0usize;
    let mut readings = 0u64;
    for (place, token) in tokens.iter().enumerate() {
        let innermost = levels.last().map_or(1, |level| level.readings);
        readings = readings.saturating_add(innermost.saturating_mul(levels.len() as u64));
        if token.is_word("case") {
            cases += 1;
        } else if token.is_word("end") {
            cases = cases.saturating_sub(1);
        }
        let inner = levels.len() > 1;
        let Some(level) = levels.last_mut() else {
            break;
        };
        if token.kind == Kind::Word {
            level.word(&token.value);
        }
        match token.kind {
            Kind::Operator => match &*token.value {
                "(" | "[" => {
                    level.links += 1;
                    total += 1;
                    let tables = level.expects_tables(tokens, place);
                    let twice =
                        tables && opens_again(tokens, place) || is_call_tried_twice(tokens, place);
                    levels.push(Level {
                        readings: innermost.saturating_mul(1 + u64::from(twice)),
                        tables,
                        ..Level::default()
                    });
                }
                ")" | "]" if inner => {
                    total -= levels.pop().map_or(0, |level| level.links + level.arms);
                }
                // The next element of a list is beside the last one, not below it.
                "," => total -= std::mem::take(&mut level.links),
                _ => {
                    level.links += 1;
                    total += 1;
                }
            },
            Kind::Word if matches!(&*token.value, "union" | "except" | "intersect") => {
                level.arms += 1;
                total += 1;
            }
            Kind::Word if is_link(&token.value) => {
                level.links += 1;
                total += 1;
            }
            _ => {}
        }
        nested = nested.max(levels.len() + cases);
        deepest = deepest.max(total);
    }
    if nested > NESTING_MAX || deepest > CHAIN_MAX || readings > READINGS_MAX {
        return Err(too_deep());
    }
    Ok(deepest + nested)
}

/// The parser may read a call's content, give up, and read it again, at each level: `position (`, and
/// calls by a qualified name.
fn is_call_tried_twice(tokens: &[Token<'_>], open: usize) -> bool {
    let before = |back: usize| open.checked_sub(back).map(|place| &tokens[place]);
    before(1).is_some_and(|last| {
        last.is_word("position") || last.is_name() && before(2).is_some_and(|dot| dot.is_op("."))
    })
}

/// `((` where tables are expected: a join or a query, which only the end of the inner one tells.
fn opens_again(tokens: &[Token<'_>], open: usize) -> bool {
    tokens.get(open + 1).is_some_and(|next| next.is_op("("))
}

/// What one open parenthesis interrupts.
struct Level {
    /// How often the parser may read what is in it.
    readings: u64,
    /// It stands where a table may stand.
    tables: bool,
    /// In a FROM list of its own.
    from: bool,
    /// Links of the chain since the last comma.
    links: usize,
    /// Set operations, which go on across commas.
    arms: usize,
}

impl Default for Level {
    fn default() -> Self {
        Self {
            readings: 1,
            tables: false,
            from: false,
            links: 0,
            arms: 0,
        }
    }
}

impl Level {
    /// Whether a parenthesis that opens here may hold a join.
    fn expects_tables(&self, tokens: &[Token<'_>], open: usize) -> bool {
        let Some(last) = open.checked_sub(1).map(|place| &tokens[place]) else {
            return false;
        };
        last.kind == Kind::Word && matches!(&*last.value, "from" | "join" | "lateral" | "using")
            || last.is_op("(") && self.tables
            || last.is_op(",") && self.from
    }

    fn word(&mut self, word: &str) {
        match word {
            "from" | "using" => self.from = true,
            "select" | "where" | "group" | "having" | "window" | "order" | "limit"
            | "returning" => {
                self.from = false;
            }
            _ => {}
        }
    }
}

fn is_link(word: &str) -> bool {
    matches!(
        word,
        "and"
            | "or"
            | "not"
            | "is"
            | "in"
            | "like"
            | "ilike"
            | "similar"
            | "between"
            | "collate"
            | "at"
            | "case"
            | "when"
            | "else"
            | "join"
            | "isnull"
            | "notnull"
            | "operator"
            | "select"
            | "with"
            | "any"
            | "all"
            | "some"
            | "exists"
            | "array"
            | "interval"
            | "prior"
            | "explain"
    )
}

fn too_deep() -> PgError {
    PgError::client(
        SqlState::STATEMENT_TOO_COMPLEX,
        format!("statement is nested deeper than {NESTING_MAX} levels or has a chain of more than {CHAIN_MAX} operators"),
    )
    .with_hint("use = ANY (array) or VALUES instead of long chains of OR")
}

fn convert_token(token: &Token<'_>, text: &str) -> sp::TokenWithSpan {
    let value = || token.value.clone().into_owned();
    let converted = match token.kind {
        Kind::Word => sp::Token::make_word(&token.value, None),
        Kind::Quoted | Kind::UnicodeQuoted => sp::Token::make_word(&token.value, Some('"')),
        // Of a slot the value is a marker: `literals::slot_of` tells it apart in the tree.
        Kind::String | Kind::StringSlot => sp::Token::SingleQuotedString(value()),
        Kind::TypedString => match text.as_bytes().get(token.start).map(u8::to_ascii_lowercase) {
            Some(b'x') => sp::Token::HexStringLiteral(value()),
            Some(b'n') => sp::Token::NationalStringLiteral(value()),
            _ => sp::Token::SingleQuotedByteStringLiteral(value()),
        },
        Kind::Number | Kind::IntegerSlot | Kind::NumberSlot => sp::Token::Number(value(), false),
        Kind::Param => sp::Token::Placeholder(format!("${}", token.value)),
        Kind::Operator => operator(&token.value),
        Kind::Other | Kind::BadString => {
            sp::Token::Char(text[token.start..].chars().next().unwrap_or('?'))
        }
    };
    sp::TokenWithSpan {
        token: converted,
        span: sp::Span::empty(),
    }
}

fn operator(text: &str) -> sp::Token {
    use sp::Token as T;
    match text {
        "(" => T::LParen,
        ")" => T::RParen,
        "[" => T::LBracket,
        "]" => T::RBracket,
        "," => T::Comma,
        ";" => T::SemiColon,
        "." => T::Period,
        ":" => T::Colon,
        "::" => T::DoubleColon,
        ":=" => T::Assignment,
        "=" => T::Eq,
        "<>" | "!=" => T::Neq,
        "<" => T::Lt,
        ">" => T::Gt,
        "<=" => T::LtEq,
        ">=" => T::GtEq,
        "=>" => T::RArrow,
        "+" => T::Plus,
        "-" => T::Minus,
        "*" => T::Mul,
        "/" => T::Div,
        "%" => T::Mod,
        "||" => T::StringConcat,
        "&" => T::Ampersand,
        "|" => T::Pipe,
        "^" => T::Caret,
        "#" => T::Sharp,
        "~" => T::Tilde,
        "~*" => T::TildeAsterisk,
        "!~" => T::ExclamationMarkTilde,
        "!~*" => T::ExclamationMarkTildeAsterisk,
        "~~" => T::DoubleTilde,
        "~~*" => T::DoubleTildeAsterisk,
        "!~~" => T::ExclamationMarkDoubleTilde,
        "!~~*" => T::ExclamationMarkDoubleTildeAsterisk,
        "<<" => T::ShiftLeft,
        ">>" => T::ShiftRight,
        "&&" => T::Overlap,
        "@" => T::AtSign,
        "^@" => T::CaretAt,
        "|/" => T::PGSquareRoot,
        "||/" => T::PGCubeRoot,
        "->" => T::Arrow,
        "->>" => T::LongArrow,
        "#>" => T::HashArrow,
        "#>>" => T::HashLongArrow,
        "@>" => T::AtArrow,
        "<@" => T::ArrowAt,
        "#-" => T::HashMinus,
        "@?" => T::AtQuestion,
        "@@" => T::AtAt,
        "?" => T::Question,
        "?&" => T::QuestionAnd,
        "?|" => T::QuestionPipe,
        "<->" => T::TwoWayArrow,
        other => T::CustomBinaryOperator(other.to_owned()),
    }
}
