//! Channels and event rules of a listing in one order.
//!
//! The stock daemon keeps them in hash tables with a seed taken from the clock, so their order is by
//! chance.

/// `text` of `lttng list SESSION` with its channels, and the rules of each, sorted by their text.
///
/// The machine interface's XML has its lines sorted. Other texts stay as they are.
pub fn in_order(text: &str) -> String {
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

const HEADING: &str = "Channels:\n-------------\n";

const RULES: &str = "    Recording event rules:\n";

fn rules_in_order(channel: &str) -> String {
    let Some((head, rules)) = channel.split_once(RULES) else { return channel.to_owned() };
    let mut rules: Vec<_> = rules.lines().filter(|line| !line.is_empty()).collect();
    rules.sort_unstable();
    format!("{head}{RULES}{}\n\n", rules.join("\n"))
}
