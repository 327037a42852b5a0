//! Bytecode, appended to as operands and operators come, and the rules about their types.

use super::error::FilterFault;
use super::opcode::Opcode;
use super::operator::{Action, Operator, Unary};
use super::{Bytecode, CODE_MAX_LEN};

/// What an operand is, as far as that is known without the event.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    /// Text of the expression.
    Text(Stars),
    /// Integer, or the result of an operator.
    Integer,
    /// Floating point number.
    Float,
    /// Field of the event or context, or such a one behind a unary operator.
    Field,
}

/// Where the stars are in a text, those behind a backslash not counted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stars {
    /// Nowhere.
    None,
    /// One, which is the last character.
    AtEnd,
    /// Elsewhere.
    Anywhere,
}

/// Place in the bytecode where a logical operator says how far to skip.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Junction(usize);

/// Where a path begins.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Root {
    #[default]
    Payload,
    Context,
    AppContext,
}

/// A step of a path.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Step {
    Name(String),
    Index(u64),
}

/// The way to a field or context: `a.b[3]`, `$ctx.vpid`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Path {
    root: Root,
    steps: Vec<Step>,
}

impl Path {
    /// A path that begins with `name`.
    pub(super) fn begin(name: &str) -> Result<Self, FilterFault> {
        Ok(match name {
            "$ctx" => Self { root: Root::Context, steps: Vec::new() },
            "$app" => Self { root: Root::AppContext, steps: Vec::new() },
            _ if name.starts_with('$') => return Err(FilterFault::UnknownGlobal),
            _ => Self { root: Root::Payload, steps: vec![Step::Name(name.to_owned())] },
        })
    }

    /// Appends a name. One that begins with `$` is like any other here.
    pub(super) fn go_on(&mut self, name: String) {
        self.steps.push(Step::Name(name));
    }

    /// Whether an index behind the last name counts. The stock compiler passes over those behind `$ctx`
    /// and `$app`.
    pub(super) fn takes_index(&self) -> bool {
        !self.steps.is_empty()
    }

    /// Appends an index.
    pub(super) fn index(&mut self, index: u64) {
        self.steps.push(Step::Index(index));
    }
}

/// What takes a value of an event: that of a name below `root`, or the element of it at the end of `indexes`.
pub(crate) fn capture(
    root: Root,
    name: &str,
    indexes: impl Iterator<Item = u64>,
) -> Result<Bytecode, FilterFault> {
    let name = std::iter::once(Step::Name(name.to_owned()));
    let path = Path { root, steps: name.chain(indexes.map(Step::Index)).collect() };
    let mut program = Program { operands: vec![Kind::Field], ..Program::default() };
    program.go_along(&path)?;
    program.finish()
}

/// A filter's bytecode in the making.
#[derive(Debug, Default)]
pub(super) struct Program {
    code: Vec<u8>,
    /// For each name: offset of the instruction that needs it (u16), the name and a NUL.
    relocations: Vec<u8>,
    /// The operands that wait for an operator.
    operands: Vec<Kind>,
}

impl Program {
    pub(super) fn load_integer(&mut self, value: u64) -> Result<(), FilterFault> {
        self.operands.push(Kind::Integer);
        self.emit(Opcode::LoadS64, &value.to_ne_bytes())
    }

    pub(super) fn load_float(&mut self, value: f64) -> Result<(), FilterFault> {
        self.operands.push(Kind::Float);
        self.emit(Opcode::LoadDouble, &value.to_ne_bytes())
    }

    pub(super) fn load_text(&mut self, text: &[u8]) -> Result<(), FilterFault> {
        let stars = stars(text)?;
        let mut text = match stars {
            Stars::None => text.to_vec(),
            Stars::AtEnd | Stars::Anywhere => one_star_each(text),
        };
        text.push(0);
        self.operands.push(Kind::Text(stars));
        let opcode = match stars {
            Stars::None | Stars::AtEnd => Opcode::LoadString,
            Stars::Anywhere => Opcode::LoadStarGlobString,
        };
        self.emit(opcode, &text)
    }

    pub(super) fn load_path(&mut self, path: &Path) -> Result<(), FilterFault> {
        if path.steps.is_empty() {
            return Err(FilterFault::NameExpected);
        }
        self.operands.push(Kind::Field);
        let names = path.steps.iter().map(|step| match step {
            Step::Name(name) => Some(name.as_str()),
            Step::Index(_) => None,
        });
        match names.collect::<Option<Vec<_>>>() {
            Some(names) => self.load_names(path.root, &names.join(".")),
            None => self.walk(path),
        }
    }

    /// A path without index is one name, dots included.
    fn load_names(&mut self, root: Root, names: &str) -> Result<(), FilterFault> {
        let (opcode, prefix) = match root {
            Root::Payload => (Opcode::LoadFieldRef, ""),
            Root::Context => (Opcode::GetContextRef, "$ctx."),
            Root::AppContext => (Opcode::GetContextRef, "$app."),
        };
        let offset = self.code.len();
        self.emit(opcode, &u16::MAX.to_ne_bytes())?;
        self.relocate(offset, &format!("{prefix}{names}"))
    }

    /// A path with an index is walked step by step.
    fn walk(&mut self, path: &Path) -> Result<(), FilterFault> {
        self.go_along(path)?;
        self.emit(Opcode::LoadField, &[])
    }

    fn go_along(&mut self, path: &Path) -> Result<(), FilterFault> {
        let root = match path.root {
            Root::Payload => Opcode::GetPayloadRoot,
            Root::Context => Opcode::GetContextRoot,
            Root::AppContext => Opcode::GetAppContextRoot,
        };
        self.emit(root, &[])?;
        for step in &path.steps {
            match step {
                Step::Name(name) => {
                    let offset = self.code.len();
                    let name_offset = self.relocations.len() + size_of::<u16>();
                    self.emit(Opcode::GetSymbol, &short(name_offset)?.to_ne_bytes())?;
                    self.relocate(offset, name)?;
                }
                Step::Index(index) => self.emit(Opcode::GetIndexU64, &index.to_ne_bytes())?,
            }
        }
        Ok(())
    }

    /// Applies an operator to the last operand.
    pub(super) fn unary(&mut self, unary: Unary) -> Result<(), FilterFault> {
        if let Some(Kind::Text(_)) = self.operands.last() {
            return Err(FilterFault::TextOperand);
        }
        unary.opcode().map_or(Ok(()), |opcode| self.emit(opcode, &[]))
    }

    /// Prepares for the right operand of a binary operator, where that is needed.
    pub(super) fn left_operand(
        &mut self,
        operator: Operator,
    ) -> Result<Option<Junction>, FilterFault> {
        match operator.action() {
            Action::Logical(opcode) => {
                self.make_boolean()?;
                // Behind the instruction's first byte.
                let junction = Junction(self.code.len() + 1);
                self.emit(opcode, &u16::MAX.to_ne_bytes())?;
                Ok(Some(junction))
            }
            Action::Compare(_) | Action::Bitwise(_) => Ok(None),
            Action::Arithmetic => Err(FilterFault::NotSupported),
        }
    }

    /// Makes one operand of the last two. `junction` is what [`Self::left_operand`] returned.
    pub(super) fn binary(
        &mut self,
        operator: Operator,
        junction: Option<Junction>,
    ) -> Result<(), FilterFault> {
        let [.., left, right] = *self.operands.as_slice() else {
            return Err(FilterFault::OperandExpected);
        };
        match operator.action() {
            Action::Logical(_) => {
                self.make_boolean()?;
                let target = short(self.code.len())?.to_ne_bytes();
                let place = junction.and_then(|Junction(at)| self.code.get_mut(at..at + 2));
                place.ok_or(FilterFault::OperandExpected)?.copy_from_slice(&target);
            }
            Action::Compare(opcode) => {
                check_comparison(opcode, left, right)?;
                self.emit(opcode, &[])?;
            }
            Action::Bitwise(opcode) => {
                if [left, right].iter().any(|kind| matches!(kind, Kind::Text(_))) {
                    return Err(FilterFault::TextOperand);
                }
                if [left, right].contains(&Kind::Float) {
                    return Err(FilterFault::FloatOperand);
                }
                self.emit(opcode, &[])?;
            }
            Action::Arithmetic => return Err(FilterFault::NotSupported),
        }
        self.operands.pop();
        self.operands.pop();
        self.operands.push(Kind::Integer);
        Ok(())
    }

    /// Casts the last operand to what a logical operator takes.
    fn make_boolean(&mut self) -> Result<(), FilterFault> {
        match self.operands.last() {
            Some(Kind::Integer) => Ok(()),
            Some(Kind::Field) => self.emit(Opcode::CastToS64, &[]),
            Some(Kind::Float) => self.emit(Opcode::CastDoubleToS64, &[]),
            Some(Kind::Text(_)) => Err(FilterFault::TextOperand),
            None => Err(FilterFault::OperandExpected),
        }
    }

    /// The whole: the last operand is the result.
    pub(super) fn finish(mut self) -> Result<Bytecode, FilterFault> {
        if !matches!(self.operands.as_slice(), [Kind::Integer | Kind::Field]) {
            return Err(FilterFault::NotABoolean);
        }
        self.emit(Opcode::Return, &[])?;
        let too_long = |_| FilterFault::BytecodeTooLong;
        let reloc_table_offset = u32::try_from(self.code.len()).map_err(too_long)?;
        let mut data = self.code;
        data.extend(self.relocations);
        if data.len() > CODE_MAX_LEN {
            return Err(FilterFault::BytecodeTooLong);
        }
        Ok(Bytecode { reloc_table_offset, seqnum: 0, data })
    }

    fn emit(&mut self, opcode: Opcode, operand: &[u8]) -> Result<(), FilterFault> {
        self.code.push(opcode as u8);
        self.code.extend_from_slice(operand);
        self.check_len()
    }

    fn relocate(&mut self, offset: usize, name: &str) -> Result<(), FilterFault> {
        self.relocations.extend_from_slice(&short(offset)?.to_ne_bytes());
        self.relocations.extend_from_slice(name.as_bytes());
        self.relocations.push(0);
        self.check_len()
    }

    /// Both only grow, so that what is too long now will be too long.
    fn check_len(&self) -> Result<(), FilterFault> {
        if self.code.len() + self.relocations.len() > CODE_MAX_LEN {
            return Err(FilterFault::BytecodeTooLong);
        }
        Ok(())
    }
}

fn short(offset: usize) -> Result<u16, FilterFault> {
    u16::try_from(offset).map_err(|_| FilterFault::BytecodeTooLong)
}

fn check_comparison(opcode: Opcode, left: Kind, right: Kind) -> Result<(), FilterFault> {
    let is_number = |kind| matches!(kind, Kind::Integer | Kind::Float);
    match (left, right) {
        (Kind::Text(_), number) | (number, Kind::Text(_)) if is_number(number) => {
            return Err(FilterFault::TextAgainstNumber);
        }
        (Kind::Text(left), Kind::Text(right)) => {
            let are_patterns = left != Stars::None && right != Stars::None;
            if are_patterns && [left, right].contains(&Stars::Anywhere) {
                return Err(FilterFault::TwoPatterns);
            }
        }
        _ => {}
    }
    let pattern = Kind::Text(Stars::Anywhere);
    if [left, right].contains(&pattern) && !matches!(opcode, Opcode::Eq | Opcode::Ne) {
        return Err(FilterFault::PatternOrder);
    }
    Ok(())
}

/// Where the stars of a text are. Two at its end are elsewhere.
fn stars(text: &[u8]) -> Result<Stars, FilterFault> {
    let mut found = Stars::None;
    let mut bytes = text.iter().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'\\' => match bytes.next() {
                Some((_, b'\\' | b'*')) => {}
                _ => return Err(FilterFault::UnknownEscape),
            },
            b'*' if found == Stars::None => {
                let is_last = at + 1 == text.len();
                found = if is_last { Stars::AtEnd } else { Stars::Anywhere };
            }
            _ => {}
        }
    }
    Ok(found)
}

/// The text with one star in the place of several in a row.
fn one_star_each(text: &[u8]) -> Vec<u8> {
    let mut result = Vec::with_capacity(text.len());
    let mut is_behind_star = false;
    let mut bytes = text.iter().copied();
    while let Some(byte) = bytes.next() {
        if byte == b'*' && is_behind_star {
            continue;
        }
        is_behind_star = byte == b'*';
        result.push(byte);
        if byte == b'\\' {
            result.extend(bytes.next());
        }
    }
    result
}
