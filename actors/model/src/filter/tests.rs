//! What is checked here against numbers and rules is checked against `liblttng-ctl` itself end to end.

#![allow(clippy::unwrap_used)]

mod evaluate;
mod faults;
mod layout;
mod numbers;

use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn any_text_is_compiled_or_refused(text in ".*") {
        let _ = Filter::compile(text);
    }

    #[test]
    fn any_signs_are_compiled_or_refused(text in r#"[-a-z0-9.\[\]()$!~<>=&|^+*/'"\\: \n]{0,40}"#) {
        if let Err(error) = Filter::compile(text.as_str()) {
            prop_assert!(error.position <= text.len());
        }
    }

    #[test]
    fn nothing_is_too_deep_for_the_stack(opening in "[-(!~a\\[1.]{1,4}", count in 1_usize..40_000) {
        let text: String = opening.chars().cycle().take(count).collect();
        let _ = Filter::compile(text);
    }
}
