//! The grammar: C's expressions without assignment, calls and conditions.
//!
//! The symbols of what is begun and not finished stand on a stack of the parser's own. They are those
//! that the stock parser has on its stack at the same point, so that both refuse what is nested too
//! deep, and the same.

use super::error::{FilterError, FilterFault};
use super::lexer::Lexer;
use super::operator::{Operator, Unary};
use super::program::{Junction, Path, Program};
use super::token::Token;

/// Most symbols that are begun and not finished: the stack of LTTng's parser has 10 000 states, of which
/// one is for the beginning and one is never used.
pub(super) const SYMBOLS_MAX: usize = 9998;

/// Something that is begun and not finished.
enum Symbol {
    /// `(`
    Group,
    /// `[`
    Bracket,
    /// `]`, behind which another `[` may follow.
    BracketEnd,
    /// The name at the end of a path.
    Name,
    /// `.` or `->`
    Link,
    /// What an operator can be applied to.
    Operand,
    /// An operator before its operand, and where it stands.
    Unary(Unary, usize),
    /// An operator between its operands, where it stands, and what its right operand completes.
    Binary(Operator, usize, Option<Junction>),
}

/// What a look behind an operand has found.
enum Behind {
    /// An operator: another operand follows.
    Operator,
    /// The end of the expression.
    End,
}

/// Reads an expression and has `program` do what it says.
///
/// # Errors
/// What is wrong first.
pub(super) fn parse(expression: &str, program: &mut Program) -> Result<(), FilterError> {
    let mut parser = Parser {
        lexer: Lexer::new(expression),
        program,
        stack: Vec::new(),
        path: Path::default(),
        ignored_from: None,
    };
    loop {
        parser.operand()?;
        if matches!(parser.behind_operand()?, Behind::End) {
            return Ok(());
        }
    }
}

struct Parser<'a, 'p> {
    lexer: Lexer<'a>,
    program: &'p mut Program,
    stack: Vec<Symbol>,
    /// The path that is being read, unless it is an ignored one.
    path: Path,
    /// Height of the stack at a bracket whose content must be well-formed but has no meaning.
    ignored_from: Option<usize>,
}

impl Parser<'_, '_> {
    fn fail<T>(&self, fault: FilterFault) -> Result<T, FilterError> {
        Err(fault.at(self.lexer.position()))
    }

    fn push(&mut self, symbol: Symbol) -> Result<(), FilterError> {
        self.leave_room_for(1)?;
        self.stack.push(symbol);
        Ok(())
    }

    fn leave_room_for(&self, count: usize) -> Result<(), FilterError> {
        if self.stack.len() + count > SYMBOLS_MAX {
            return self.fail(FilterFault::TooDeep);
        }
        Ok(())
    }

    /// Has the program do something, unless it has no meaning here.
    fn program<T>(
        &mut self,
        at: usize,
        step: impl FnOnce(&mut Program) -> Result<T, FilterFault>,
    ) -> Result<Option<T>, FilterError> {
        if self.ignored_from.is_some() {
            return Ok(None);
        }
        step(self.program).map(Some).map_err(|fault| fault.at(at))
    }

    /// Reads up to the end of an operand, with what opens in front of it.
    fn operand(&mut self) -> Result<(), FilterError> {
        loop {
            let token = self.lexer.next()?;
            let at = self.lexer.position();
            match token {
                Some(Token::OpenGroup) => self.push(Symbol::Group)?,
                Some(Token::Operator(operator)) => match operator.unary() {
                    Some(unary) => self.push(Symbol::Unary(unary, at))?,
                    None => return self.fail(FilterFault::OperandExpected),
                },
                Some(Token::Integer(value)) => {
                    self.push(Symbol::Operand)?;
                    self.program(at, |program| program.load_integer(value))?;
                    return self.apply_unary();
                }
                Some(Token::Float(value)) => {
                    self.push(Symbol::Operand)?;
                    self.program(at, |program| program.load_float(value))?;
                    return self.apply_unary();
                }
                Some(Token::Text(text)) => {
                    // For a moment, both quotes and what is between them.
                    self.leave_room_for(if text.is_empty() { 2 } else { 3 })?;
                    self.push(Symbol::Operand)?;
                    self.program(at, |program| program.load_text(&text))?;
                    return self.apply_unary();
                }
                Some(Token::Name(name)) => {
                    let name = name.to_owned();
                    self.push(Symbol::Name)?;
                    if self.ignored_from.is_none() {
                        self.path = Path::begin(&name).map_err(|fault| fault.at(at))?;
                    }
                    if self.path_goes_on(true)? {
                        return self.apply_unary();
                    }
                }
                Some(
                    Token::Link | Token::CloseGroup | Token::OpenBracket | Token::CloseBracket,
                )
                | None => return self.fail(FilterFault::OperandExpected),
            }
        }
    }

    /// Reads on behind a name or a closed bracket. Returns false when an operand has to follow, in a
    /// bracket, and true when the path is over.
    fn path_goes_on(&mut self, mut is_behind_name: bool) -> Result<bool, FilterError> {
        loop {
            match self.lexer.peek()? {
                Some(Token::OpenBracket) => {
                    self.lexer.next()?;
                    let height = self.stack.len();
                    self.push(Symbol::Bracket)?;
                    let counts = is_behind_name && self.path.takes_index();
                    if self.ignored_from.is_none() && !counts {
                        self.ignored_from = Some(height);
                    }
                    if self.ignored_from.is_some() {
                        return Ok(false);
                    }
                    self.index()?;
                }
                Some(Token::Link) => {
                    self.lexer.next()?;
                    self.finish_path();
                    self.push(Symbol::Link)?;
                    let Some(Token::Name(name)) = self.lexer.next()? else {
                        return self.fail(FilterFault::NameExpected);
                    };
                    let name = name.to_owned();
                    self.push(Symbol::Name)?;
                    if self.ignored_from.is_none() {
                        self.path.go_on(name);
                    }
                    is_behind_name = true;
                    continue;
                }
                _ => {
                    let at = self.lexer.position();
                    self.finish_path();
                    if self.ignored_from.is_none() {
                        let path = std::mem::take(&mut self.path);
                        self.program.load_path(&path).map_err(|fault| fault.at(at))?;
                    }
                    return Ok(true);
                }
            }
            is_behind_name = false;
        }
    }

    /// The index that counts: the first one behind a name.
    fn index(&mut self) -> Result<(), FilterError> {
        let Some(Token::Integer(index)) = self.lexer.next()? else {
            return self.fail(FilterFault::IndexNotConstant);
        };
        self.push(Symbol::Operand)?;
        match self.lexer.next()? {
            Some(Token::CloseBracket) => {}
            Some(_) => return self.fail(FilterFault::IndexNotConstant),
            None => return self.fail(FilterFault::NotClosed),
        }
        self.push(Symbol::BracketEnd)?;
        self.path.index(index);
        Ok(())
    }

    /// Makes one operand of the path so far: of what links lead to and of the brackets behind a name.
    fn finish_path(&mut self) {
        while !matches!(self.stack.pop(), Some(Symbol::Name) | None) {}
        if matches!(self.stack.last(), Some(Symbol::Link)) {
            self.stack.pop();
            self.stack.pop();
        }
        self.stack.push(Symbol::Operand);
    }

    /// Applies the operators in front of the operand on top.
    fn apply_unary(&mut self) -> Result<(), FilterError> {
        while let [.., Symbol::Unary(unary, at), Symbol::Operand] = self.stack.as_slice() {
            let (unary, at) = (*unary, *at);
            self.program(at, |program| program.unary(unary))?;
            self.stack.pop();
            self.stack.pop();
            self.stack.push(Symbol::Operand);
        }
        Ok(())
    }

    /// Applies the operators between operands that bind at least as strongly as `precedence`.
    fn apply_binary(&mut self, precedence: u8) -> Result<(), FilterError> {
        while let [.., Symbol::Binary(operator, at, junction), Symbol::Operand] =
            self.stack.as_slice()
        {
            if operator.precedence() < Some(precedence) {
                break;
            }
            let (operator, at, junction) = (*operator, *at, *junction);
            self.program(at, |program| program.binary(operator, junction))?;
            // The left operand stays, as the result.
            self.stack.pop();
            self.stack.pop();
        }
        Ok(())
    }

    /// Reads what closes behind an operand, and the operator behind that.
    fn behind_operand(&mut self) -> Result<Behind, FilterError> {
        loop {
            let token = self.lexer.next()?;
            match token {
                Some(Token::Operator(operator)) => return self.binary_operator(operator),
                Some(Token::CloseGroup) => {
                    self.apply_binary(0)?;
                    let [.., Symbol::Group, Symbol::Operand] = self.stack.as_slice() else {
                        return self.fail(FilterFault::NotOpened);
                    };
                    // The stock parser has the parenthesis on its stack before it takes all three away.
                    self.leave_room_for(1)?;
                    self.stack.pop();
                    self.stack.pop();
                    self.stack.push(Symbol::Operand);
                    self.apply_unary()?;
                }
                Some(Token::CloseBracket) => {
                    let [.., Symbol::Bracket, Symbol::Operand] = self.stack.as_slice() else {
                        return self.fail(FilterFault::NotOpened);
                    };
                    let height = self.stack.len() - 2;
                    self.push(Symbol::BracketEnd)?;
                    if self.ignored_from == Some(height) {
                        self.ignored_from = None;
                    }
                    if !self.path_goes_on(false)? {
                        return Ok(Behind::Operator);
                    }
                    self.apply_unary()?;
                }
                Some(_) => return self.fail(FilterFault::OperatorExpected),
                None => {
                    self.apply_binary(0)?;
                    return match self.stack.as_slice() {
                        [_] => Ok(Behind::End),
                        _ => self.fail(FilterFault::NotClosed),
                    };
                }
            }
        }
    }

    fn binary_operator(&mut self, operator: Operator) -> Result<Behind, FilterError> {
        let at = self.lexer.position();
        let Some(precedence) = operator.precedence() else {
            return self.fail(FilterFault::OperatorExpected);
        };
        self.apply_binary(precedence)?;
        // In a bracket stands what has no operator between operands, or parentheses.
        if let [.., Symbol::Bracket, Symbol::Operand] = self.stack.as_slice() {
            return self.fail(FilterFault::OperatorExpected);
        }
        let junction = self.program(at, |program| program.left_operand(operator))?.flatten();
        self.push(Symbol::Binary(operator, at, junction))?;
        Ok(Behind::Operator)
    }
}
