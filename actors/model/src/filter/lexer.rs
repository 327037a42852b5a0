//! Text to tokens. Each token is the longest that can begin at its place.

use super::error::{FilterError, FilterFault};
use super::number;
use super::operator::Operator;
use super::token::Token;

/// These letters in a text were meant as the name of a pattern for escape sequences in the rules of
/// LTTng's scanner, and stand for themselves there; it takes them for one and refuses it.
const ESCSEQ: &[u8] = b"ESCSEQ";

/// Operators of two characters stand before their first characters.
const SIGNS: [(&str, Token<'static>); 26] = [
    ("->", Token::Link),
    (">>", Token::Operator(Operator::ShiftRight)),
    ("<<", Token::Operator(Operator::ShiftLeft)),
    ("==", Token::Operator(Operator::Eq)),
    ("!=", Token::Operator(Operator::Ne)),
    ("<=", Token::Operator(Operator::Le)),
    (">=", Token::Operator(Operator::Ge)),
    ("&&", Token::Operator(Operator::And)),
    ("||", Token::Operator(Operator::Or)),
    ("<", Token::Operator(Operator::Lt)),
    (">", Token::Operator(Operator::Gt)),
    ("!", Token::Operator(Operator::Not)),
    ("~", Token::Operator(Operator::BitNot)),
    ("^", Token::Operator(Operator::BitXor)),
    ("&", Token::Operator(Operator::BitAnd)),
    ("|", Token::Operator(Operator::BitOr)),
    ("*", Token::Operator(Operator::Times)),
    ("/", Token::Operator(Operator::Divide)),
    ("%", Token::Operator(Operator::Modulo)),
    ("+", Token::Operator(Operator::Plus)),
    ("-", Token::Operator(Operator::Minus)),
    (".", Token::Link),
    ("(", Token::OpenGroup),
    (")", Token::CloseGroup),
    ("[", Token::OpenBracket),
    ("]", Token::CloseBracket),
];

/// The tokens of an expression, with a look at the next one.
#[derive(Debug)]
pub(super) struct Lexer<'a> {
    text: &'a str,
    /// Where the next token is looked for.
    at: usize,
    peeked: Option<Option<Token<'a>>>,
    /// Where the peeked or else the last token begins.
    position: usize,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0, peeked: None, position: 0 }
    }

    /// Where the token that was seen last begins, in bytes.
    pub(super) fn position(&self) -> usize {
        self.position
    }

    /// The next token, `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Token<'a>>, FilterError> {
        match self.peeked.take() {
            Some(token) => Ok(token),
            None => self.scan(),
        }
    }

    /// The next token, which stays the next one.
    pub(super) fn peek(&mut self) -> Result<Option<&Token<'a>>, FilterError> {
        if self.peeked.is_none() {
            self.peeked = Some(self.scan()?);
        }
        Ok(self.peeked.as_ref().and_then(Option::as_ref))
    }

    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    fn scan(&mut self) -> Result<Option<Token<'a>>, FilterError> {
        self.skip_blanks();
        self.position = self.at;
        let rest = self.rest();
        let Some(&first) = rest.first() else { return Ok(None) };
        if let Some(quote) = opening_quote(rest) {
            return self.scan_text(quote).map(|text| Some(Token::Text(text)));
        }
        if let Some((len, value)) = number::scan(rest) {
            self.at += len;
            let value = value.ok_or_else(|| FilterFault::UnreadableNumber.at(self.position))?;
            return Ok(Some(value));
        }
        let len = match first {
            b'$' => 1 + name_len(&rest[1..]),
            _ => name_len(rest),
        };
        // A colon alone is no name, and neither is a dollar sign.
        if len > 1 || (len == 1 && !matches!(first, b':' | b'$')) {
            self.at += len;
            return Ok(self.text.get(self.position..self.at).map(Token::Name));
        }
        let sign = SIGNS.iter().find(|(sign, _)| rest.starts_with(sign.as_bytes()));
        let (sign, token) = sign.ok_or_else(|| FilterFault::UnknownCharacter.at(self.position))?;
        self.at += sign.len();
        Ok(Some(token.clone()))
    }

    /// Passes over blanks and comments. A comment may be cut by the end of the expression.
    fn skip_blanks(&mut self) {
        loop {
            let rest = self.rest();
            let len = match rest {
                [b' ' | b'\t' | b'\n', ..] => 1,
                [b'/', b'/', comment @ ..] => {
                    let end = comment.iter().position(|byte| *byte == b'\n');
                    end.map_or(rest.len(), |end| end + 3)
                }
                [b'/', b'*', comment @ ..] => {
                    let end = comment.windows(2).position(|pair| pair == b"*/");
                    end.map_or(rest.len(), |end| end + 4)
                }
                _ => return,
            };
            self.at += len;
        }
    }

    /// A text up to its closing quote. A backslash does not hide a quote. Single quotes are as good
    /// as double ones, but for that they must have something in them.
    fn scan_text(&mut self, quote: (u8, usize)) -> Result<Vec<u8>, FilterError> {
        let (quote, prefix_len) = quote;
        self.at += prefix_len;
        let rest = self.rest();
        let fail = |fault: FilterFault| Err(fault.at(self.position));
        let Some(len) = rest.iter().position(|byte| *byte == quote) else {
            return fail(FilterFault::UnterminatedText);
        };
        let quoted = rest.get(..len).unwrap_or_default();
        if quoted.contains(&0) {
            return fail(FilterFault::UnknownCharacter);
        }
        if quoted.windows(ESCSEQ.len()).any(|window| window == ESCSEQ) {
            return fail(FilterFault::EscseqInText);
        }
        let text: Vec<u8> = quoted.iter().copied().filter(|byte| *byte != b'\n').collect();
        if text.is_empty() && quote == b'\'' {
            return fail(FilterFault::EmptyCharacter);
        }
        self.at += len + 1;
        Ok(text)
    }
}

/// The quote with which a text begins here, if one does, and how many bytes long its beginning is: the
/// prefix of wide characters is taken and has no meaning.
fn opening_quote(rest: &[u8]) -> Option<(u8, usize)> {
    match rest {
        [quote @ (b'"' | b'\''), ..] => Some((*quote, 1)),
        [b'L', quote @ (b'"' | b'\''), ..] => Some((*quote, 2)),
        _ => None,
    }
}

/// The length of the name that begins here, 0 if none does. Colons are part of names, and so are
/// universal character names, which stay as they are written.
fn name_len(rest: &[u8]) -> usize {
    let mut len = 0;
    while let Some(tail) = rest.get(len..) {
        len += match tail {
            [b'a'..=b'z' | b'A'..=b'Z' | b'_' | b':', ..] => 1,
            [b'0'..=b'9', ..] if len > 0 => 1,
            [b'\\', b'u', digits @ ..] if are_hex(digits, 4) => 6,
            [b'\\', b'U', digits @ ..] if are_hex(digits, 8) => 10,
            _ => break,
        };
    }
    len
}

fn are_hex(bytes: &[u8], count: usize) -> bool {
    bytes.get(..count).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
}
