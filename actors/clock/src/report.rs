//! What the process with a clock plugin answers.

use lttngd_metadata::tsdl::Clock;

/// Bytes of the longest report.
pub const REPORT_MAX_LEN: usize = 16 << 10;
/// Characters of the longest reason.
const REASON_MAX_CHARS: usize = 2048;
/// Between the fields of a report. C strings do not contain it.
const SEPARATOR: char = '\0';
const CLOCK: &str = "clock";
const UNUSED: &str = "unused";
const UNUSABLE: &str = "unusable";

/// What became of a plugin.
///
/// As bytes it is one message of fields in UTF-8 with a zero byte between two: `clock`, name,
/// description, frequency and offset in decimal, and the UUID if there is one; or `unused` or
/// `unusable` and the reason.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Report {
    /// It gives the clock, which was measured just now.
    Clock(Clock),
    /// It does not override the clock, for this reason.
    Unused(String),
    /// It overrides the clock, but for this reason no metadata can describe that.
    Unusable(String),
}

impl Report {
    /// The report as bytes, at most [`REPORT_MAX_LEN`].
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let text = match self {
            Self::Clock(clock) => {
                let numbers = (clock.freq_hz.to_string(), clock.offset.to_string());
                let mut fields =
                    vec![CLOCK, &clock.name, &clock.description, &numbers.0, &numbers.1];
                fields.extend(clock.uuid.as_deref());
                fields.join("\0")
            }
            Self::Unused(reason) => format!("{UNUSED}{SEPARATOR}{}", shortened(reason)),
            Self::Unusable(reason) => format!("{UNUSABLE}{SEPARATOR}{}", shortened(reason)),
        };
        if text.len() > REPORT_MAX_LEN {
            return Self::Unusable("its texts are too long".to_owned()).encode();
        }
        text.into_bytes()
    }

    /// Reads a report. A clock that no metadata can describe is [`Report::Unusable`]; `None` is no
    /// report at all.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut fields = std::str::from_utf8(bytes).ok()?.split(SEPARATOR);
        let report = match fields.next()? {
            CLOCK => {
                let clock = Clock {
                    name: fields.next()?.to_owned(),
                    description: fields.next()?.to_owned(),
                    freq_hz: fields.next()?.parse().ok()?,
                    offset: fields.next()?.parse().ok()?,
                    uuid: fields.next().map(str::to_owned),
                };
                describable(clock)
            }
            UNUSED => Self::Unused(fields.next()?.to_owned()),
            UNUSABLE => Self::Unusable(fields.next()?.to_owned()),
            _ => return None,
        };
        fields.next().is_none().then_some(report)
    }
}

/// The clock, if metadata can name it and times can be told by it.
fn describable(clock: Clock) -> Report {
    let letter = |c: char| c.is_ascii_alphabetic() || c == '_';
    if !clock.name.starts_with(letter)
        || !clock.name.chars().all(|c| letter(c) || c.is_ascii_digit())
    {
        return Report::Unusable(format!(
            "its name {:?} is not made of letters, digits and underscores",
            clock.name
        ));
    }
    if clock.freq_hz == 0 {
        return Report::Unusable("its frequency is 0".to_owned());
    }
    Report::Clock(clock)
}

fn shortened(reason: &str) -> String {
    reason.chars().filter(|c| *c != SEPARATOR).take(REASON_MAX_CHARS).collect()
}
