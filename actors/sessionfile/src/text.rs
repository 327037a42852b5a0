//! From the bytes of a file to the text that the deserializer takes.

use quick_xml::{
    Reader, Writer,
    events::{BytesStart, Event},
};

use super::SessionFileError;

/// How many bytes of a file are looked at for its XML declaration.
const DECLARATION_MAX: usize = 256;

/// The text of a file. Its encoding is that of its byte order mark, else that of its XML declaration:
/// UTF-8, which is the default, UTF-16, ISO 8859-1 or US-ASCII.
///
/// # Errors
/// For another encoding, and for bytes that it does not have.
pub fn decode(bytes: &[u8]) -> Result<String, SessionFileError> {
    let utf16 = |bytes: &[u8], unit: fn([u8; 2]) -> u16| {
        let (pairs, rest) = bytes.as_chunks();
        let units: Vec<u16> = pairs.iter().copied().map(unit).collect();
        let text = rest.is_empty().then(|| String::from_utf16(&units).ok()).flatten();
        text.ok_or_else(|| SessionFileError("not in UTF-16".to_owned()))
    };
    match bytes {
        [0xff, 0xfe, rest @ ..] => return utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => return utf16(rest, u16::from_be_bytes),
        _ => {}
    }
    let name = declared_encoding(bytes).unwrap_or_else(|| "UTF-8".to_owned());
    let text = match name.to_ascii_uppercase().as_str() {
        "UTF-8" | "UTF8" => std::str::from_utf8(bytes).ok().map(str::to_owned),
        "US-ASCII" | "ASCII" => {
            bytes.is_ascii().then(|| bytes.iter().copied().map(char::from).collect())
        }
        // Its bytes are the first 256 characters.
        "ISO-8859-1" | "ISO-LATIN-1" | "ISO LATIN 1" => {
            Some(bytes.iter().copied().map(char::from).collect())
        }
        _ => return Err(SessionFileError(format!("unknown encoding {name}"))),
    };
    text.ok_or_else(|| SessionFileError(format!("not in {name}")))
}

/// The encoding that the XML declaration names.
fn declared_encoding(bytes: &[u8]) -> Option<String> {
    let head = String::from_utf8_lossy(bytes.get(..DECLARATION_MAX).unwrap_or(bytes)).into_owned();
    let (declaration, _) = head.strip_prefix("<?xml")?.split_once("?>")?;
    let (_, value) = declaration.split_once("encoding")?;
    let value = value.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    value[1..].split_once(quote).map(|(name, _)| name.to_owned())
}

/// The text without declarations of prefixes of namespaces, and without attributes that are meant for
/// whoever checks a file against a schema: any element may have them, and they say nothing about a
/// session.
///
/// # Errors
/// For what is not well-formed.
pub(super) fn without_namespaces(text: &str) -> Result<String, quick_xml::Error> {
    let mut reader = Reader::from_str(text);
    let mut writer = Writer::new(Vec::new());
    loop {
        let event = match reader.read_event()? {
            Event::Eof => break,
            Event::Start(element) => Event::Start(plain(&element)?),
            Event::Empty(element) => Event::Empty(plain(&element)?),
            event => event,
        };
        writer.write_event(event)?;
    }
    Ok(String::from_utf8_lossy(&writer.into_inner()).into_owned())
}

fn plain(element: &BytesStart<'_>) -> Result<BytesStart<'static>, quick_xml::Error> {
    let mut plain = element.to_owned();
    plain.clear_attributes();
    for attribute in element.attributes() {
        let attribute = attribute?;
        let prefix = attribute.key.prefix();
        if !prefix.is_some_and(|prefix| matches!(prefix.as_ref(), b"xmlns" | b"xsi")) {
            plain.push_attribute(attribute);
        }
    }
    Ok(plain)
}
