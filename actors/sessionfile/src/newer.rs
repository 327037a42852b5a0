//! What files of newer versions of LTTng may have besides: each of it can be left out.

use std::collections::BTreeSet;

use quick_xml::{Reader, Writer, events::Event};

/// Elements that LTTng has since 2.14, 2.15 and 2.16, by the element that they are in. None of them changes what is
/// recorded of which events.
const ELEMENTS: [(&str, &str); 7] = [
    ("channel", "allocation_policy"),
    ("channel", "preallocation_policy"),
    ("channel", "watchdog_timer_interval"),
    ("channel", "reclaim_policy"),
    ("session", "trace_format"),
    ("domain", "map_channels"),
    ("sessions", "triggers"),
];
/// Elements that are left out when they are of this type: a domain that newer versions write also when it is empty, and
/// a context that they write of each channel with buffers for each processor, which is in no trace.
const OF_TYPES: [(&str, &str); 2] = [("domain", "LOG4J2"), ("context", "CPU_ID")];
/// The element that says of which type its parent is.
const TYPE: &str = "type";

/// What was left out of a file: names of elements and types.
pub type LeftOut = BTreeSet<&'static str>;

/// Whether the text may have some of it: most files have none, and are read as they are.
pub(super) fn may_be_newer(text: &str) -> bool {
    ELEMENTS.iter().chain(&OF_TYPES).any(|(_, name)| text.contains(name))
}

/// An element that is not at its end.
struct Open {
    name: String,
    /// Where it begins in what is written.
    begin: usize,
}

/// The text without all that, and what it was.
///
/// # Errors
/// For what is not well-formed.
pub(super) fn without(text: &str) -> Result<(String, LeftOut), quick_xml::Error> {
    let mut reader = Reader::from_str(text);
    let mut writer = Writer::new(Vec::new());
    let (mut above, mut left_out) = (Vec::<Open>::new(), LeftOut::new());
    loop {
        let event = reader.read_event()?;
        match &event {
            Event::Eof => break,
            Event::Start(element) | Event::Empty(element) => {
                let name = String::from_utf8_lossy(element.local_name().as_ref()).into_owned();
                if let Some(newer) = newer(&ELEMENTS, above.last(), &name) {
                    left_out.insert(newer);
                    if matches!(event, Event::Start(_)) {
                        reader.read_to_end(element.name())?;
                    }
                    continue;
                }
                if matches!(event, Event::Start(_)) {
                    above.push(Open { name, begin: writer.get_ref().len() });
                }
            }
            Event::End(_) => drop(above.pop()),
            Event::Text(value) => {
                let value = String::from_utf8_lossy(value);
                if let [.., parent, open] = above.as_slice()
                    && open.name == TYPE
                    && let Some(newer) = newer(&OF_TYPES, Some(parent), value.trim())
                {
                    left_out.insert(newer);
                    writer.get_mut().truncate(parent.begin);
                    let mut ends = 0;
                    // Those of the type and of its parent.
                    while ends < 2 {
                        match reader.read_event()? {
                            Event::Start(element) => {
                                let element = element.to_end().into_owned();
                                reader.read_to_end(element.name())?;
                            }
                            Event::End(_) => ends += 1,
                            Event::Eof => break,
                            _ => {}
                        }
                    }
                    above.truncate(above.len() - 2);
                    continue;
                }
            }
            _ => {}
        }
        writer.write_event(event)?;
    }
    Ok((String::from_utf8_lossy(&writer.into_inner()).into_owned(), left_out))
}

/// The name, when it is one of these in its parent.
fn newer(all: &[(&str, &'static str)], parent: Option<&Open>, name: &str) -> Option<&'static str> {
    let parent = parent?;
    let is_it = |(above, below): &&(&str, &str)| *above == parent.name && *below == name;
    all.iter().find(is_it).map(|(_, below)| *below)
}
