//! Filters that the daemon compiles itself: to the byte as `liblttng-ctl` does.

use lttngd::model::{ErrorCode, Filter};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::world::{Arena, StockCompiler};

/// Expressions that are compared besides random ones, one a line.
const EXPRESSIONS: &str = include_str!("filters.txt");
/// Count of random expressions of each kind.
const RANDOM: usize = 1500;

/// Fails when ours makes something else of an expression than the library.
fn compare(stock: &mut StockCompiler, expression: &str) -> Result<(), ErrorCode> {
    let expected = stock.compile(expression);
    let compiled = Filter::compile(expression);
    let code = compiled.clone().map_err(|error| error.code());
    let shown = expression.get(..1000).unwrap_or(expression);
    assert!(code == expected, "{shown:?}:\n ours {compiled:?}\nstock {expected:?}");
    expected.map(drop)
}

#[test]
fn every_part_of_the_language_is_compiled_as_by_the_stock_library() {
    let arena = Arena::new();
    let mut stock = StockCompiler::start(&arena);
    let mut section = "";
    let mut misplaced = Vec::new();
    for line in EXPRESSIONS.lines() {
        if let Some(name) = line.strip_prefix("## ") {
            section = name;
            continue;
        }
        let is_valid = compare(&mut stock, &unescape(line)).is_ok();
        if is_valid != (section == "valid") {
            misplaced.push(line);
        }
    }
    // So that the table itself says what is valid.
    assert!(misplaced.is_empty(), "{misplaced:#?}");
    assert_eq!(compare(&mut stock, ""), Err(ErrorCode::Invalid));
}

/// `¶` stands for the end of a line, `→` for a tabulator.
fn unescape(line: &str) -> String {
    line.replace('¶', "\n").replace('→', "\t")
}

#[test]
fn limits_are_those_of_the_stock_library() {
    let arena = Arena::new();
    let mut stock = StockCompiler::start(&arena);
    // The limit that ours has must be the stock library's as well.
    let mut limit = |expression: &dyn Fn(usize) -> String| {
        let (mut fits, mut is_too_much) = (1, 70_000);
        while fits + 1 < is_too_much {
            let middle = usize::midpoint(fits, is_too_much);
            match Filter::compile(expression(middle)) {
                Ok(_) => fits = middle,
                Err(_) => is_too_much = middle,
            }
        }
        compare(&mut stock, &expression(fits)).unwrap();
        compare(&mut stock, &expression(is_too_much)).unwrap_err();
        fits
    };
    // The depth of what is begun and not finished.
    let nested = |open: &'static str, inner: &'static str, close: &'static str| {
        move |count| format!("{}{inner}{}", open.repeat(count), close.repeat(count))
    };
    assert_eq!(limit(&nested("(", "a", ")")), 9996);
    assert_eq!(limit(&nested("!", "a", "")), 9997);
    assert_eq!(limit(&nested("(", "\"a\"==b", ")")), 9995);
    assert_eq!(limit(&nested("(", "\"\"==b", ")")), 9995);
    assert_eq!(limit(&nested("(", "b==\"\"", ")")), 9994);
    assert_eq!(limit(&nested("(-", "a", ")")), 4998);
    assert_eq!(limit(&nested("(1&", "a", ")")), 3332);
    assert_eq!(limit(&nested("(1||2&&", "a", ")")), 1999);
    assert_eq!(limit(&|count| format!("a{}", "[1]".repeat(count))), 3332);
    assert_eq!(limit(&nested("a[1][", "c", "]")), 1999);
    // The length of the bytecode and of the expression.
    assert_eq!(limit(&|count| format!("intfield{}", " && 1".repeat(count))), 5456);
    assert_eq!(limit(&|count| format!("a!=\"{}\"", "x".repeat(count))), 65_477);
    assert_eq!(limit(&|count| "x".repeat(count)), 65_481);
    assert_eq!(limit(&|count| format!("a{}", ".b".repeat(count))), 32_740);
    assert_eq!(limit(&|count| format!("a{}", ".b[1]".repeat(count))), 4_092);
    assert_eq!(limit(&|count| format!("a{}", " ".repeat(count))), 65_534);
    // Digits of numbers.
    for digit in ["1", "7", "9", "f", "0"] {
        for prefix in ["1", "0", "01", "0x", "0x0", "0."] {
            for count in 1..30 {
                // Some are too long to be numbers; what matters is that both say so.
                let _ = compare(&mut stock, &format!("a=={prefix}{}", digit.repeat(count)));
            }
        }
    }
    for end in ["", "5", "e1", "e+10", "e-10", "p1", "p-10", "f", "L"] {
        for prefix in ["0.", "1.", "0x1.", "0x", ".", "1"] {
            for count in 4085..4100 {
                let _ = compare(&mut stock, &format!("a=={prefix}{}{end}", "3".repeat(count)));
            }
        }
    }
}

/// One of these texts.
fn one_of(texts: &'static [&'static str]) -> BoxedStrategy<String> {
    proptest::sample::select(texts).prop_map(str::to_owned).boxed()
}

const NAMES: &[&str] =
    &["a", "field", "L", "$ctx.vpid", "$app.p:t", "a.b", "a->b.c", "a[1]", "a.b[0x2].c[03][4]"];
const BINARY: &[&str] =
    &["&&", "||", "==", "!=", "<", ">", "<=", ">=", "&", "|", "^", "<<", ">>", "&&", "||", "+"];
const UNARY: &[&str] = &["-", "+", "!", "~"];
const TOKENS: &[&str] = &[
    "(", ")", "[", "]", ".", "->", "-", "+", "!", "~", "&&", "||", "&", "|", "^", "<<", ">>", "==",
    "!=", "<", ">", "<=", ">=", "=", "*", "/", "%", "a", "b_1", "L", "L\"", "L'", "\"", "'", "$",
    "$ctx", "$app", ":", "a:b", "0", "1", "07", "08", "0x1f", "0X1", "1u", "1.5", ".5", "1.",
    "1e3", "1.f", "0x1p3", "0x.8", "\\", "\\u00e9", "\\*", "*", "\n", "\t", " ", "//", "/*", "*/",
    "{", ",", ";", "?", "#", "é", "ESC", "SEQ", "...", ":=", "ull", "e5",
];

fn number() -> BoxedStrategy<String> {
    prop_oneof![
        any::<u64>().prop_map(|value| value.to_string()),
        (0..5_u64).prop_map(|value| value.to_string()),
        any::<u64>().prop_map(|value| format!("{value:#x}ull")),
        any::<u64>().prop_map(|value| format!("0{value:o}")),
        any::<f64>().prop_map(|value| format!("{value:e}").replace(['-', '+'], "")),
        any::<f32>().prop_map(|value| format!("{:.3}", value.abs())),
        ("[0-9a-fA-F]{1,20}", "[0-9a-f]{0,20}", "p[+-]?[0-9]{1,4}")
            .prop_map(|(whole, fraction, exponent)| format!("0x{whole}.{fraction}{exponent}")),
        ("[0-9]{1,30}", "[0-9]{0,30}", "e[+-]?[0-3]?[0-9]{1,2}")
            .prop_map(|(whole, fraction, exponent)| format!("{whole}.{fraction}{exponent}")),
    ]
    .boxed()
}

/// Expressions that are well-formed, and most of them valid.
fn expression() -> BoxedStrategy<String> {
    let text = prop_oneof![
        "[a-z*]{0,6}(\\\\[*])?[a-z ]{0,3}".prop_map(|text| format!("\"{text}\"")),
        "'[a-zé*]{1,4}'"
    ];
    let leaf = prop_oneof![3 => one_of(NAMES), 3 => number(), 1 => text];
    leaf.prop_recursive(6, 40, 2, |inner| {
        prop_oneof![
            1 => (one_of(UNARY), inner.clone()).prop_map(|(sign, operand)| format!("{sign}{operand}")),
            2 => inner.clone().prop_map(|inner| format!("({inner})")),
            6 => (inner.clone(), one_of(BINARY), inner.clone())
                .prop_map(|(left, sign, right)| format!("{left} {sign} {right}")),
            1 => (one_of(NAMES), inner).prop_map(|(name, inner)| format!("{name}[1][({inner})]")),
        ]
    })
    .boxed()
}

#[test]
fn random_expressions_are_compiled_as_by_the_stock_library() {
    let arena = Arena::new();
    let mut stock = StockCompiler::start(&arena);
    let mut runner = TestRunner::default();
    let tokens = proptest::collection::vec(one_of(TOKENS), 1..12);
    let soup = tokens.prop_map(|tokens| tokens.concat()).boxed();
    let damaged = (expression(), one_of(TOKENS), any::<proptest::sample::Index>());
    let damaged = damaged.prop_map(|(expression, token, place)| {
        let place = place.index(expression.len() + 1);
        let place = (place..).find(|at| expression.is_char_boundary(*at)).unwrap_or_default();
        format!("{}{token}{}", &expression[..place], &expression[place..])
    });
    for strategy in [expression(), soup, damaged.boxed()] {
        let mut valid = 0;
        for _ in 0..RANDOM {
            let text = strategy.new_tree(&mut runner).unwrap().current();
            valid += u32::from(compare(&mut stock, &text).is_ok());
        }
        assert!(valid > 0, "none of them is valid");
    }
}
