//! The filters of agents' event rules. Clients make name and log levels of a rule a part of its filter before they ask
//! for it, and that is what is listed and saved; a document has the filter as a user wrote it.

use lttngd_model::{EventDescription, LogLevelRule};

/// The filter as a user wrote it, of one as it is saved. One that was not made so stays as it is.
pub(crate) fn of_user(saved: Option<&str>, name: &str, level: LogLevelRule) -> Option<String> {
    let saved = saved?;
    let alone = EventDescription::tracepoint(name).at_log_level(level).for_agents();
    let conditions = alone.ok()?.filter.map(|filter| filter.expression);
    let Some(conditions) = conditions else { return Some(saved.to_owned()) };
    if saved == conditions {
        return None;
    }
    // Each condition is put behind what was there.
    let mut rest = saved;
    for condition in parts(name, level).iter().rev() {
        let stripped = rest.strip_suffix(&format!(") && ({condition})"));
        let Some(stripped) = stripped.and_then(|it| it.strip_prefix('(')) else {
            return Some(saved.to_owned());
        };
        rest = stripped;
    }
    Some(rest.to_owned())
}

/// What clients make of name and log levels, each alone.
fn parts(name: &str, level: LogLevelRule) -> Vec<String> {
    let alone = |rule: EventDescription| {
        rule.for_agents().ok().and_then(|rule| rule.filter).map(|filter| filter.expression)
    };
    let of_name = alone(EventDescription::tracepoint(name));
    let of_level = alone(EventDescription::tracepoint("*").at_log_level(level));
    of_name.into_iter().chain(of_level).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn what_clients_add_is_taken_away() {
        let levels = [LogLevelRule::All, LogLevelRule::Range(900), LogLevelRule::Single(-7)];
        for name in ["*", "org.app", "a*"] {
            for level in levels {
                for filter in [None, Some("(a == 1) && (b == 2)"), Some("$ctx.vpid == 3")] {
                    let mut rule = EventDescription::tracepoint(name).at_log_level(level);
                    if let Some(filter) = filter {
                        rule = rule.filtered_by(filter).unwrap();
                    }
                    let saved = rule.for_agents().unwrap().filter.map(|it| it.expression);
                    assert_eq!(of_user(saved.as_deref(), name, level).as_deref(), filter);
                }
            }
        }
        let other = of_user(Some("a == 1"), "org.app", LogLevelRule::All);
        assert_eq!(other.as_deref(), Some("a == 1"));
    }
}
