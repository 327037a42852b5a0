//! Random expressions, computed once from their tree and once from their bytecode by a small
//! interpreter of it.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::{Bytecode, Filter};

/// An expression over the integer fields `a`, `b` and `c`.
#[derive(Clone, Debug)]
enum Tree {
    Constant(i64),
    Field(&'static str),
    Unary(&'static str, Box<Tree>),
    Binary(&'static str, Box<Tree>, Box<Tree>),
}

type Fields = BTreeMap<&'static str, i64>;

/// Shifts by more bits than there are have no value; filters that do so do not match.
fn shift(left: i64, right: i64, is_left: bool) -> Option<i64> {
    let count = u32::try_from(right).ok().filter(|count| *count < 64)?;
    let bits = left.cast_unsigned();
    Some(if is_left { bits << count } else { bits >> count }.cast_signed())
}

impl Tree {
    fn write(&self) -> String {
        match self {
            Self::Constant(value) if *value < 0 => format!("({value})").replace("(-", "(- "),
            Self::Constant(value) => value.to_string(),
            Self::Field(name) => (*name).to_owned(),
            Self::Unary(sign, operand) => format!("{sign}({})", operand.write()),
            Self::Binary(sign, left, right) => {
                format!("({}) {sign} ({})", left.write(), right.write())
            }
        }
    }

    fn value(&self, fields: &Fields) -> Option<i64> {
        Some(match self {
            Self::Constant(value) => *value,
            Self::Field(name) => fields[name],
            Self::Unary(sign, operand) => {
                let value = operand.value(fields)?;
                match *sign {
                    "-" => value.wrapping_neg(),
                    "!" => i64::from(value == 0),
                    "~" => !value,
                    _ => value,
                }
            }
            // Where the left operand does not decide, the value is the right one's, whatever it is.
            Self::Binary("&&", left, right) => match left.value(fields)? {
                0 => 0,
                _ => right.value(fields)?,
            },
            Self::Binary("||", left, right) => match left.value(fields)? {
                0 => right.value(fields)?,
                _ => 1,
            },
            Self::Binary(sign, left, right) => {
                let (left, right) = (left.value(fields)?, right.value(fields)?);
                match *sign {
                    "==" => i64::from(left == right),
                    "!=" => i64::from(left != right),
                    "<" => i64::from(left < right),
                    ">" => i64::from(left > right),
                    "<=" => i64::from(left <= right),
                    ">=" => i64::from(left >= right),
                    "&" => left & right,
                    "|" => left | right,
                    "^" => left ^ right,
                    "<<" => shift(left, right, true)?,
                    _ => shift(left, right, false)?,
                }
            }
        })
    }
}

/// The value of bytecode for an event with these fields, `None` if a shift has none.
fn run(bytecode: &Bytecode, fields: &Fields) -> Option<i64> {
    let (code, mut table) = bytecode.data.split_at(bytecode.reloc_table_offset as usize);
    let mut names = BTreeMap::new();
    while let Some((offset, rest)) = table.split_at_checked(2) {
        let end = rest.iter().position(|byte| *byte == 0).unwrap();
        let offset = u16::from_ne_bytes(offset.try_into().unwrap());
        names.insert(usize::from(offset), std::str::from_utf8(&rest[..end]).unwrap());
        table = &rest[end + 1..];
    }
    let short = |at: usize| usize::from(u16::from_ne_bytes(code[at..at + 2].try_into().unwrap()));
    let mut stack: Vec<i64> = Vec::new();
    let mut at = 0;
    loop {
        let opcode = code[at];
        let start = at;
        at += 1;
        match opcode {
            1 => return stack.pop(),
            7..=17 => {
                let (right, left) = (stack.pop().unwrap(), stack.pop().unwrap());
                stack.push(match opcode {
                    7 => shift(left, right, false)?,
                    8 => shift(left, right, true)?,
                    9 => left & right,
                    10 => left | right,
                    11 => left ^ right,
                    12 => i64::from(left == right),
                    13 => i64::from(left != right),
                    14 => i64::from(left > right),
                    15 => i64::from(left < right),
                    16 => i64::from(left >= right),
                    _ => i64::from(left <= right),
                });
            }
            49 => *stack.last_mut().unwrap() = stack.last().unwrap().wrapping_neg(),
            50 => *stack.last_mut().unwrap() = i64::from(*stack.last().unwrap() == 0),
            98 => *stack.last_mut().unwrap() = !*stack.last().unwrap(),
            57 | 58 => {
                let is_true = *stack.last().unwrap() != 0;
                let target = short(at);
                assert!(target > at, "skips go forward");
                at += 2;
                if is_true == (opcode == 58) {
                    *stack.last_mut().unwrap() = i64::from(is_true);
                    at = target;
                } else {
                    stack.pop();
                }
            }
            59 => {
                stack.push(fields[names[&start]]);
                at += 2;
            }
            65 => {
                stack.push(i64::from_ne_bytes(code[at..at + 8].try_into().unwrap()));
                at += 8;
            }
            67 => {}
            other => panic!("opcode {other}"),
        }
    }
}

fn tree() -> impl Strategy<Value = Tree> {
    const UNARY: &[&str] = &["-", "+", "!", "~"];
    const BINARY: &[&str] =
        &["&&", "||", "==", "!=", "<", ">", "<=", ">=", "&", "|", "^", "<<", ">>"];
    let leaf = prop_oneof![
        (-3..4_i64).prop_map(Tree::Constant),
        any::<i64>()
            .prop_filter("has no positive", |value| *value != i64::MIN)
            .prop_map(Tree::Constant),
        proptest::sample::select(&["a", "b", "c"][..]).prop_map(Tree::Field),
    ];
    leaf.prop_recursive(6, 48, 2, |inner| {
        prop_oneof![
            (proptest::sample::select(UNARY), inner.clone())
                .prop_map(|(sign, operand)| Tree::Unary(sign, Box::new(operand))),
            (inner.clone(), proptest::sample::select(BINARY), inner).prop_map(
                |(left, sign, right)| Tree::Binary(sign, Box::new(left), Box::new(right))
            ),
        ]
    })
}

proptest! {
    #[test]
    fn bytecode_says_what_the_expression_says(tree in tree(), a: i64, b in -2..3_i64, c in 0..2_i64) {
        let fields = Fields::from([("a", a), ("b", b), ("c", c)]);
        let filter = Filter::compile(tree.write()).unwrap();
        let computed = run(&filter.bytecode, &fields);
        // A filter tells events apart by whether its value is 0.
        let expected = tree.value(&fields);
        prop_assert_eq!(computed.map(|value| value != 0), expected.map(|value| value != 0));
    }
}
