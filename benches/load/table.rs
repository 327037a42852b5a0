//! Measured values and their table.

use std::fmt;

use crate::contender::Contender;

/// A value measured in one round.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// The less the better; with its unit.
    Less(f64, &'static str),
    /// The more the better; with its unit.
    More(f64, &'static str),
    /// There was no answer within so many seconds.
    NoAnswer(u32),
}

impl Value {
    /// The number, if there was an answer.
    pub fn number(self) -> Option<f64> {
        match self {
            Value::Less(number, _) | Value::More(number, _) => Some(number),
            Value::NoAnswer(_) => None,
        }
    }

    /// How many times this is of `other`, in the sense of "the less the better".
    pub fn times(self, other: Value) -> Value {
        match (self, other) {
            (Value::Less(this, _), Value::Less(other, _)) => Value::Less(this / other, "x"),
            (Value::NoAnswer(limit_s), _) | (_, Value::NoAnswer(limit_s)) => {
                Value::NoAnswer(limit_s)
            }
            _ => panic!("times of what is to be large"),
        }
    }
}

/// What ours is to reach.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target {
    /// At most this, in the unit of the row.
    AtMost(f64),
    /// At least this, in the unit of the row.
    AtLeast(f64),
    /// At least so many times better than stock.
    TimesBetter(f64),
}

/// A place in a figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Which figure.
    pub figure: &'static str,
    /// Which of its lines.
    pub line: &'static str,
    /// How many there were.
    pub count: u32,
}

/// A row as one round has measured it.
#[derive(Clone, Debug)]
pub struct Row {
    /// What was measured.
    pub name: String,
    /// What came out.
    pub value: Value,
    /// What ours is to reach.
    pub target: Option<Target>,
    /// How many times better than before it is to be, where that is measured.
    pub than_before: Option<f64>,
    /// Where it is drawn, beside the overview.
    pub point: Option<Point>,
}

impl Row {
    /// A row without a target.
    pub fn new(name: impl Into<String>, value: Value) -> Row {
        Row { name: name.into(), value, target: None, than_before: None, point: None }
    }

    /// The same with a target.
    pub fn target(self, target: Target) -> Row {
        Row { target: Some(target), ..self }
    }

    /// The same, which is to be so many times better than before.
    pub fn than_before(self, factor: f64) -> Row {
        Row { than_before: Some(factor), ..self }
    }

    /// The same, drawn as a point of a line.
    pub fn point(self, figure: &'static str, line: &'static str, count: u32) -> Row {
        Row { point: Some(Point { figure, line, count }), ..self }
    }
}

/// A row of the table, with the values of all rounds.
struct Entry {
    row: Row,
    values: Vec<(Contender, Value)>,
}

impl Entry {
    fn median(&self, contender: Contender) -> Option<Value> {
        let values = self.values.iter().filter(|(it, _)| *it == contender);
        median(&values.map(|(_, value)| *value).collect::<Vec<_>>())
    }
}

/// A row after all rounds.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What was measured.
    pub name: String,
    /// Where it is drawn.
    pub point: Option<Point>,
    /// The median of each contender that has one.
    pub medians: Vec<(Contender, Value)>,
}

impl Outcome {
    /// How many times better than stock a contender is.
    pub fn better_by(&self, contender: Contender) -> Option<f64> {
        let of = |contender| self.medians.iter().find(|(it, _)| *it == contender).map(|it| it.1);
        better_by(of(Contender::Stock)?, of(contender)?)
    }
}

/// Rows below the titles of their scenarios, in the order in which they were first added.
pub struct Table {
    contenders: Vec<Contender>,
    sections: Vec<(&'static str, Vec<Entry>)>,
}

impl Table {
    /// An empty table.
    pub fn new(contenders: &[Contender]) -> Table {
        Table { contenders: contenders.to_vec(), sections: Vec::new() }
    }

    /// Begins a section, unless it is that of the scenario before.
    pub fn begin(&mut self, title: &'static str) {
        if self.sections.last().is_none_or(|(last, _)| *last != title) {
            self.sections.push((title, Vec::new()));
        }
    }

    /// Adds the values of one round of a contender to the last section.
    pub fn add(&mut self, contender: Contender, rows: Vec<Row>) {
        let (_, entries) = self.sections.last_mut().expect("a section was begun");
        for row in rows {
            let position = entries.iter().position(|it| it.row.name == row.name);
            let position = position.unwrap_or_else(|| {
                entries.push(Entry { row: row.clone(), values: Vec::new() });
                entries.len() - 1
            });
            entries[position].values.push((contender, row.value));
        }
    }

    /// The rows with the medians.
    pub fn outcomes(&self) -> Vec<Outcome> {
        let entries = self.sections.iter().flat_map(|(_, entries)| entries);
        let medians = |entry: &Entry| {
            let of = |contender: &Contender| Some((*contender, entry.median(*contender)?));
            self.contenders.iter().filter_map(of).collect()
        };
        let outcome = |entry: &Entry| Outcome {
            name: entry.row.name.clone(),
            point: entry.row.point,
            medians: medians(entry),
        };
        entries.map(outcome).collect()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_stock = |contender: &Contender| matches!(contender, Contender::Stock);
        let ours: Vec<_> = self.contenders.iter().copied().filter(|it| !is_stock(it)).collect();
        let heads = |contender: &Contender| match contender {
            Contender::Before(_) => format!(" {} | ours to it |", contender.title()),
            _ => format!(" {} | ratio |", contender.title()),
        };
        let heads: String = ours.iter().map(heads).collect();
        writeln!(formatter, "| scenario | stock |{heads} target |")?;
        writeln!(formatter, "| --- | ---: |{} --- |", " ---: | ---: |".repeat(ours.len()))?;
        for (title, entries) in &self.sections {
            writeln!(formatter, "| **{title}** | |{} |", " | |".repeat(ours.len()))?;
            for entry in entries {
                let stock = entry.median(Contender::Stock);
                write!(formatter, "| {} | {} |", entry.row.name, cell(stock))?;
                // What counts is ours with its own consumer daemon, where that is measured.
                let own = entry.median(ours[0]);
                for contender in &ours {
                    let value = entry.median(*contender);
                    let (before, after) = match contender {
                        Contender::Before(_) => (value, own),
                        _ => (stock, value),
                    };
                    let factor = before.zip(after).and_then(|(it, own)| better_by(it, own));
                    write!(formatter, " {} | {} |", cell(value), ratio(factor))?;
                }
                let before = ours.iter().find(|it| matches!(it, Contender::Before(_)));
                let before = before.and_then(|before| entry.median(*before));
                writeln!(formatter, " {} |", targets(&entry.row, own, (stock, before)))?;
            }
        }
        Ok(())
    }
}

/// The targets of a row, and whether `own` reaches them beside stock and before.
fn targets(row: &Row, own: Option<Value>, others: (Option<Value>, Option<Value>)) -> String {
    let (stock, before) = others;
    let target = row
        .target
        .map(|target| words(target, row.value, own.map(|own| reached(target, stock, own))));
    let than_before = row.than_before.zip(before).map(|(factor, before)| {
        let by = own.and_then(|own| better_by(before, own));
        let words = match factor {
            1.0 => "not worse than before".to_owned(),
            factor => format!("{} x better than before", digits(factor)),
        };
        with_outcome(words, by.map(|by| by >= factor))
    });
    target.into_iter().chain(than_before).collect::<Vec<_>>().join("; ")
}

/// The middle one of the values; no answer is worse than any answer.
fn median(values: &[Value]) -> Option<Value> {
    let rank = |value: &Value| match value {
        Value::Less(number, _) => *number,
        Value::More(number, _) => -number,
        Value::NoAnswer(_) => f64::INFINITY,
    };
    let mut values = values.to_vec();
    values.sort_by(|left, right| rank(left).total_cmp(&rank(right)));
    values.get(values.len() / 2).copied()
}

/// A value as it is read.
pub fn cell(value: Option<Value>) -> String {
    match value {
        Some(Value::Less(number, unit) | Value::More(number, unit)) => {
            format!("{} {unit}", digits(number))
        }
        Some(Value::NoAnswer(limit_s)) => format!("no answer in {limit_s} s"),
        None => String::new(),
    }
}

/// Two digits that count at least, and none behind the point of large numbers.
fn digits(number: f64) -> String {
    let places = match number.abs() {
        number if number == 0.0 || number >= 10.0 => 0,
        number if number >= 1.0 => 1,
        number if number >= 0.1 => 2,
        _ => 3,
    };
    format!("{number:.places$}")
}

/// How many times better; endless when stock did not answer.
fn better_by(stock: Value, own: Value) -> Option<f64> {
    match (stock, own) {
        (Value::Less(stock, _), Value::Less(own, _)) => Some(stock / own),
        (Value::More(stock, _), Value::More(own, _)) => Some(own / stock),
        (Value::NoAnswer(_), Value::Less(..) | Value::More(..)) => Some(f64::INFINITY),
        _ => None,
    }
    .filter(|factor| *factor > 0.0)
}

fn ratio(factor: Option<f64>) -> String {
    match factor {
        Some(factor) if !factor.is_finite() => "better".to_owned(),
        Some(factor) if factor >= 1.0 => format!("{} x better", digits(factor)),
        Some(factor) => format!("{} x worse", digits(1.0 / factor)),
        None => String::new(),
    }
}

fn reached(target: Target, stock: Option<Value>, own: Value) -> bool {
    match target {
        Target::AtMost(limit) => own.number().is_some_and(|own| own <= limit),
        Target::AtLeast(limit) => own.number().is_some_and(|own| own >= limit),
        Target::TimesBetter(factor) => {
            stock.and_then(|stock| better_by(stock, own)).is_some_and(|by| by >= factor)
        }
    }
}

fn words(target: Target, value: Value, reached: Option<bool>) -> String {
    let words = match (target, value) {
        (Target::AtMost(limit), Value::Less(_, unit) | Value::More(_, unit)) => {
            format!("at most {} {unit}", digits(limit))
        }
        (Target::AtLeast(limit), Value::Less(_, unit) | Value::More(_, unit)) => {
            format!("at least {} {unit}", digits(limit))
        }
        (Target::AtMost(limit), Value::NoAnswer(_)) => format!("at most {}", digits(limit)),
        (Target::AtLeast(limit), Value::NoAnswer(_)) => format!("at least {}", digits(limit)),
        (Target::TimesBetter(1.0), _) => "not worse".to_owned(),
        (Target::TimesBetter(factor), _) => format!("{} x better", digits(factor)),
    };
    with_outcome(words, reached)
}

fn with_outcome(words: String, reached: Option<bool>) -> String {
    match reached {
        Some(true) => format!("{words}: reached"),
        Some(false) => format!("{words}: **missed**"),
        None => words,
    }
}
