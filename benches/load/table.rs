//! Measured values and their table.

use std::fmt;

use crate::world::Which;

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

/// A row's name and the value of one round.
pub type Row = (String, Value);

/// Rows in the order in which they were first added.
#[derive(Default)]
pub struct Table {
    rows: Vec<(String, [Vec<Value>; 2])>,
}

impl Table {
    /// An empty table.
    pub fn new() -> Table {
        Table::default()
    }

    /// Adds the values of one round of a daemon.
    pub fn add(&mut self, which: Which, rows: Vec<Row>) {
        for (name, value) in rows {
            let position = self.rows.iter().position(|(it, _)| *it == name).unwrap_or_else(|| {
                self.rows.push((name, [Vec::new(), Vec::new()]));
                self.rows.len() - 1
            });
            self.rows[position].1[usize::from(which == Which::Ours)].push(value);
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "| scenario | stock | ours | ours is |")?;
        writeln!(formatter, "| --- | ---: | ---: | ---: |")?;
        for (name, [stock, ours]) in &self.rows {
            let (stock, ours) = (median(stock), median(ours));
            let ratio = better_by(stock, ours);
            writeln!(formatter, "| {name} | {} | {} | {ratio} |", cell(stock), cell(ours))?;
        }
        Ok(())
    }
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

fn cell(value: Option<Value>) -> String {
    match value {
        Some(Value::Less(number, unit) | Value::More(number, unit)) => {
            let digits = if number.abs() < 10.0 { 2 } else { 0 };
            format!("{number:.digits$} {unit}")
        }
        Some(Value::NoAnswer(limit_s)) => format!("no answer in {limit_s} s"),
        None => "-".to_owned(),
    }
}

fn better_by(stock: Option<Value>, ours: Option<Value>) -> String {
    let factor = match (stock, ours) {
        (Some(Value::Less(stock, _)), Some(Value::Less(ours, _))) => stock / ours,
        (Some(Value::More(stock, _)), Some(Value::More(ours, _))) => ours / stock,
        _ => return "-".to_owned(),
    };
    match factor {
        factor if !factor.is_finite() || factor <= 0.0 => "-".to_owned(),
        factor if factor >= 1.0 => format!("{factor:.1} x better"),
        factor => format!("{:.1} x worse", 1.0 / factor),
    }
}
