//! What is refused, and what is said about it.

use super::super::{Filter, FilterFault};
use crate::{ErrorCode, EventDescription, FILTER_MAX_LEN};

use FilterFault as F;

#[test]
fn each_fault_is_told_with_its_place() {
    for (expression, fault, position) in [
        ("", F::Empty, 0),
        ("a == #", F::UnknownCharacter, 5),
        ("a == \"x\0y\"", F::UnknownCharacter, 5),
        ("a == $", F::UnknownCharacter, 5),
        ("a == \"x", F::UnterminatedText, 5),
        ("a == \"ESCSEQ\"", F::EscseqInText, 5),
        ("a == ''", F::EmptyCharacter, 5),
        ("a == 0X1", F::UnreadableNumber, 5),
        ("a == 0u", F::UnreadableNumber, 5),
        ("a == ", F::OperandExpected, 5),
        ("a == *", F::OperandExpected, 5),
        ("a b", F::OperatorExpected, 2),
        ("a ! b", F::OperatorExpected, 2),
        ("a[1][b == c]", F::OperatorExpected, 7),
        ("a)", F::NotOpened, 1),
        ("a]", F::NotOpened, 1),
        ("(a]", F::NotOpened, 2),
        ("(a", F::NotClosed, 2),
        ("a[1", F::NotClosed, 3),
        ("a.1", F::OperatorExpected, 1),
        ("a. 1", F::NameExpected, 3),
        ("$ctx == 1", F::NameExpected, 5),
        ("$other.a", F::UnknownGlobal, 0),
        ("a[b]", F::IndexNotConstant, 2),
        ("a[1 + 1]", F::IndexNotConstant, 4),
        ("a + 1", F::NotSupported, 2),
        ("!\"a\"", F::TextOperand, 0),
        ("1 || \"a\"", F::TextOperand, 2),
        ("\"a\" && 1", F::TextOperand, 4),
        ("\"a\" & 1", F::TextOperand, 4),
        ("a | 1.5", F::FloatOperand, 2),
        ("\"a\" == 1", F::TextAgainstNumber, 4),
        ("1.5 < \"a\"", F::TextAgainstNumber, 4),
        ("\"a*b\" == \"c*\"", F::TwoPatterns, 6),
        ("\"a*b\" < c", F::PatternOrder, 6),
        ("a == \"\\n\"", F::UnknownEscape, 5),
        ("a == \"\\\"", F::UnknownEscape, 5),
        ("\"a\"", F::NotABoolean, 3),
        ("1.5", F::NotABoolean, 3),
    ] {
        let error = Filter::compile(expression).unwrap_err();
        assert_eq!((error.fault, error.position), (fault, position), "{expression:?}");
    }
}

#[test]
fn codes_are_those_of_the_client_library() {
    assert_eq!(ErrorCode::from(Filter::compile("").unwrap_err()), ErrorCode::Invalid);
    assert_eq!(ErrorCode::from(Filter::compile("a +").unwrap_err()), ErrorCode::FilterInval);
}

#[test]
fn what_is_too_large_is_refused() {
    let fault = |expression: String| Filter::compile(expression).unwrap_err().fault;
    assert_eq!(fault("(".repeat(9999)), F::TooDeep);
    assert_eq!(fault("!".repeat(20_000)), F::TooDeep);
    assert_eq!(fault(format!("{}1", "1 && ".repeat(6000))), F::BytecodeTooLong);
    assert_eq!(fault(" ".repeat(FILTER_MAX_LEN)), F::ExpressionTooLong);
    assert_eq!(fault(" ".repeat(FILTER_MAX_LEN - 1)), F::OperandExpected);
}

#[test]
fn a_description_takes_an_expression() {
    let rule = EventDescription::tracepoint("app:*").filtered_by("size > 4096").unwrap();
    let filter = rule.filter.unwrap();
    assert_eq!(filter.expression, "size > 4096");
    assert_eq!(filter, Filter::compile("size > 4096").unwrap());
    let error = EventDescription::tracepoint("app:*").filtered_by("size >").unwrap_err();
    assert_eq!(error.to_string(), "operand expected, at byte 6 of the filter");
}
