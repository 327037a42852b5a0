//! As much of HTTP/1.1 as a scrape needs: one request without a body, one answer, the end of the connection. No input
//! or output.

use std::net::IpAddr;

use httparse::{Header, Request, Status};
use thiserror::Error;

/// Where the text is.
const PATH: &str = "/metrics";
/// Most header lines of a request.
const HEADERS_MAX: usize = 64;
/// What the text is, by OpenMetrics 1.0.
pub(super) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What is asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Asked {
    /// The text.
    Text,
    /// What would come before it.
    Head,
}

/// Why that is not answered.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub(super) enum Refused {
    #[error("400 Bad Request")]
    Malformed,
    #[error("404 Not Found")]
    NotThere,
    #[error("405 Method Not Allowed")]
    Method,
    #[error("408 Request Timeout")]
    Silent,
    #[error("421 Misdirected Request")]
    Elsewhere,
    #[error("431 Request Header Fields Too Large")]
    TooLong,
    #[error("503 Service Unavailable")]
    NotKnown,
    #[error("505 HTTP Version Not Supported")]
    Version,
}

/// Whether the last of a request has come, which is empty line.
pub(super) fn is_whole(request: &[u8]) -> bool {
    request.ends_with(b"\r\n\r\n") || request.ends_with(b"\n\n")
}

/// Reads a whole request. One that came to an address of this machine and names another host, as a page in a browser
/// does that has a name of its own lead here, is not meant for it.
pub(super) fn read(request: &[u8], is_local: bool) -> Result<Asked, Refused> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut read = Request::new(&mut headers);
    match read.parse(request) {
        Ok(Status::Complete(_)) => {}
        Err(httparse::Error::TooManyHeaders) => return Err(Refused::TooLong),
        Err(httparse::Error::Version) => return Err(Refused::Version),
        _ => return Err(Refused::Malformed),
    }
    let (Some(method), Some(target)) = (read.method, read.path) else {
        return Err(Refused::Malformed);
    };
    let host = host(read.headers)?;
    match host {
        None if read.version == Some(1) => return Err(Refused::Malformed),
        Some(host) if is_local && !is_this_machine(host) => return Err(Refused::Elsewhere),
        _ => {}
    }
    if path(target) != PATH {
        return Err(Refused::NotThere);
    }
    match method {
        "GET" => Ok(Asked::Text),
        "HEAD" => Ok(Asked::Head),
        _ => Err(Refused::Method),
    }
}

/// The host that a request names, if it names one.
fn host<'a>(headers: &[Header<'a>]) -> Result<Option<&'a str>, Refused> {
    let mut hosts = headers.iter().filter(|it| it.name.eq_ignore_ascii_case("host"));
    let Some(host) = hosts.next() else { return Ok(None) };
    if hosts.next().is_some() {
        return Err(Refused::Malformed);
    }
    std::str::from_utf8(host.value).map(Some).map_err(|_| Refused::Malformed)
}

fn is_this_machine(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next(),
        None => host.split(':').next(),
    };
    let name = name.unwrap_or_default();
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The path of a target, which may be a whole URL.
fn path(target: &str) -> &str {
    let behind = match target.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]),
        None => target,
    };
    behind.split('?').next().unwrap_or_default()
}

/// What stands before a text of so many bytes.
pub(super) fn head(len: usize) -> String {
    lines("200 OK", CONTENT_TYPE, len, "")
}

/// All of an answer that has no metrics.
pub(super) fn refusal(refused: Refused) -> String {
    let text = match refused {
        Refused::NotThere => "metrics are at /metrics\n".to_owned(),
        _ => format!("{refused}\n"),
    };
    let allowed = if refused == Refused::Method { "Allow: GET, HEAD\r\n" } else { "" };
    let kind = "text/plain; charset=utf-8";
    lines(&refused.to_string(), kind, text.len(), allowed) + &text
}

fn lines(status: &str, kind: &str, len: usize, more: &str) -> String {
    let date = jiff::Timestamp::now().strftime("%a, %d %b %Y %H:%M:%S GMT");
    format!(
        "HTTP/1.1 {status}\r\nDate: {date}\r\nContent-Type: {kind}\r\nContent-Length: {len}\r\n\
         Cache-Control: no-store\r\n{more}Connection: close\r\n\r\n"
    )
}

#[cfg(test)]
mod tests {
    use proptest::{
        collection::vec,
        prelude::*,
        sample::{Index, select},
    };

    use super::*;

    /// What means something in a request, and what means nothing.
    const PARTS: [&str; 12] =
        ["\r\n", "\n\n", " ", ":", "://", "[", "]", "?", "Host: a", "\0", "HTTP/9.9", "\u{ff}"];

    fn asked(request: &str) -> Result<Asked, Refused> {
        assert!(is_whole(request.as_bytes()), "{request}");
        read(request.as_bytes(), true)
    }

    #[test]
    fn a_scrape_is_read_as_clients_write_it() {
        for request in [
            "GET /metrics HTTP/1.1\r\nHost: localhost:9464\r\nUser-Agent: curl/8\r\nAccept: */*\r\n\r\n",
            "GET /metrics?a=b HTTP/1.1\r\nhOST: 127.0.0.1\r\n\r\n",
            "GET http://[::1]:9464/metrics HTTP/1.1\r\nHost: [::1]:9464\r\n\r\n",
            "GET /metrics HTTP/1.0\r\n\r\n",
            "GET /metrics HTTP/1.1\nHost: localhost\n\n",
        ] {
            assert_eq!(asked(request), Ok(Asked::Text), "{request}");
        }
        let head = "HEAD /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
        assert_eq!(asked(head), Ok(Asked::Head));
    }

    #[test]
    fn what_is_wrong_is_answered_what() {
        for (request, refused) in [
            ("GET /metrics HTTP/1.1\r\n\r\n", Refused::Malformed),
            ("GET /metrics HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", Refused::Malformed),
            ("\0\x01\x02\r\n\r\n", Refused::Malformed),
            ("GET /metrics HTTP/2.0\r\nHost: localhost\r\n\r\n", Refused::Version),
            ("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", Refused::NotThere),
            ("POST /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", Refused::Method),
            ("GET /metrics HTTP/1.1\r\nHost: evil.example\r\n\r\n", Refused::Elsewhere),
            ("GET /metrics HTTP/1.1\r\nHost: 192.0.2.1\r\n\r\n", Refused::Elsewhere),
        ] {
            assert_eq!(asked(request), Err(refused), "{request}");
        }
        let many = format!("GET /metrics HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(65));
        assert_eq!(asked(&many), Err(Refused::TooLong));
        let other = "GET /metrics HTTP/1.1\r\nHost: any\r\n\r\n";
        assert_eq!(read(other.as_bytes(), false), Ok(Asked::Text), "a Unix socket has no name");
    }

    proptest! {
        /// Whatever stands in it: a scrape that somebody changed at some places.
        #[test]
        fn no_request_fails_the_reader(
            changes in vec((any::<Index>(), select(&PARTS[..])), 0..6),
            is_local in any::<bool>(),
        ) {
            let mut request = b"GET http://[::1]:9464/metrics?a HTTP/1.1\r\nHost: [::1]:9464\r\n\r\n".to_vec();
            for (at, part) in changes {
                let at = at.index(request.len() + 1);
                let end = request.len().min(at + part.len() / 2);
                request.splice(at..end, part.bytes());
            }
            // Whole or not: who asks may have gone.
            let _ = (is_whole(&request), read(&request, is_local));
        }
    }

    #[test]
    fn answers_say_how_long_they_are_and_that_they_are_the_last() {
        let refusal = refusal(Refused::Method);
        let (head, body) = refusal.split_once("\r\n\r\n").unwrap_or_default();
        assert!(head.starts_with("HTTP/1.1 405 Method Not Allowed\r\nDate: "), "{head}");
        for line in
            ["Allow: GET, HEAD", "Connection: close", &format!("Content-Length: {}", body.len())]
        {
            assert!(head.contains(line), "{head}");
        }
        assert!(super::head(7).contains(&format!("\r\nContent-Type: {CONTENT_TYPE}\r\n")));
    }
}
