//! Channels, event rules and tracepoints of a listing in one order.
//!
//! The stock daemon keeps channels and rules in hash tables with a seed taken from the clock, so their order
//! is by chance. An application tells its tracepoints by provider in the order of the addresses at which
//! LTTng-UST has allocated what it knows of each, which is by chance while its threads allocate too.

/// `text` of `lttng list SESSION` with its channels, and the rules of each, sorted by their text; that of
/// `lttng list --userspace` with the providers of an application sorted by name.
///
/// The machine interface's XML of a session has its lines sorted. Other texts stay as they are.
pub fn in_order(text: &str) -> String {
    if text.contains("<pid>") {
        return providers_in_order_of_xml(text);
    }
    if text.starts_with(APPLICATIONS) {
        return providers_in_order(text);
    }
    if text.contains("<channel>") {
        let text = text.replace("><", ">\n<");
        let mut lines: Vec<_> = text.lines().collect();
        lines.sort_unstable();
        return lines.join("\n") + "\n";
    }
    let Some((head, channels)) = text.split_once(HEADING) else { return text.to_owned() };
    let head: String = head.split_inclusive('\n').map(tracked_in_order).collect();
    // A further domain starts after the channels of the one before.
    let (channels, rest) = match channels.find("=== Domain") {
        Some(next) => channels.split_at(next),
        None => (channels, ""),
    };
    let mut blocks: Vec<String> = Vec::new();
    for line in channels.lines() {
        match blocks.last_mut() {
            Some(block) if !line.starts_with("- ") => *block += &format!("{line}\n"),
            _ => blocks.push(format!("{line}\n")),
        }
    }
    let mut blocks: Vec<_> = blocks.iter().map(|block| rules_in_order(block)).collect();
    blocks.sort();
    format!("{head}{HEADING}{}{}", blocks.concat(), in_order(rest))
}

/// A line of tracked process attributes with its values sorted; other lines as they are.
fn tracked_in_order(line: &str) -> String {
    match line.trim_end().split_once(" IDs:") {
        Some((attribute, values)) if attribute.starts_with("  Virtual ") => {
            let mut values: Vec<_> = values.trim().split(", ").collect();
            values.sort_unstable();
            format!("{attribute} IDs: {}\n", values.join(", "))
        }
        _ => line.to_owned(),
    }
}

/// How the list of the applications' tracepoints begins.
const APPLICATIONS: &str = "UST events:\n";

/// How the line of a tracepoint begins; those of its fields are further to the right.
const TRACEPOINT: &str = "      ";

fn providers_in_order(text: &str) -> String {
    let mut result = String::new();
    let mut tracepoints: Vec<String> = Vec::new();
    for line in text.split_inclusive('\n') {
        match line.strip_prefix(TRACEPOINT) {
            Some(rest) if !rest.starts_with(' ') => tracepoints.push(line.to_owned()),
            Some(_) if !tracepoints.is_empty() => *tracepoints.last_mut().unwrap() += line,
            // The next application, or the end.
            _ => {
                result += &by_provider(std::mem::take(&mut tracepoints));
                result += line;
            }
        }
    }
    result + &by_provider(tracepoints)
}

fn providers_in_order_of_xml(text: &str) -> String {
    const EVENT: &str = "<event>";
    const EVENTS_END: &str = "</events>";

    let mut result = String::new();
    for part in text.split_inclusive(EVENTS_END) {
        let (head, end) = part.split_at(part.rfind(EVENTS_END).unwrap_or(0));
        let mut events = head.split(EVENT);
        result += events.next().unwrap_or_default();
        result += &by_provider(events.map(|event| format!("{EVENT}{event}")).collect());
        result += end;
    }
    result
}

/// Texts of tracepoints sorted by the provider, the first name with a colon; those of one stay in order.
fn by_provider(mut tracepoints: Vec<String>) -> String {
    tracepoints.sort_by_key(|tracepoint| {
        tracepoint.split(':').next().unwrap_or_default().trim_start().to_owned()
    });
    tracepoints.concat()
}

const HEADING: &str = "Channels:\n-------------\n";

const RULES: &str = "    Recording event rules:\n";

fn rules_in_order(channel: &str) -> String {
    let Some((head, rules)) = channel.split_once(RULES) else { return channel.to_owned() };
    let mut rules: Vec<_> = rules.lines().filter(|line| !line.is_empty()).collect();
    rules.sort_unstable();
    format!("{head}{RULES}{}\n\n", rules.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::in_order;

    #[test]
    fn providers_of_an_application_are_told_by_name() {
        let text = "UST events:\n-------------\n\nPID: 7 - Name: traced\n      \
            two:second (loglevel: x)\n        field: a (string)\n      two:first (loglevel: x)\n      \
            one:only (loglevel: x)\n        field: b (string)\n\n";
        let ordered = "UST events:\n-------------\n\nPID: 7 - Name: traced\n      \
            one:only (loglevel: x)\n        field: b (string)\n      two:second (loglevel: x)\n        \
            field: a (string)\n      two:first (loglevel: x)\n\n";
        assert_eq!(in_order(text), ordered);
    }

    #[test]
    fn also_in_xml() {
        let event = |name: &str| format!("<event><name>{name}</name><event_fields/></event>");
        let list = |names: [&str; 3]| {
            format!("<pid><id>7</id><events>{}</events></pid>", names.map(event).concat())
        };
        let text = list(["two:second", "two:first", "one:only"]);
        assert_eq!(in_order(&text), list(["one:only", "two:second", "two:first"]));
    }
}
