//! Reads OpenMetrics text, as strictly as the rules of version 1.0 are for what there is here.

use std::collections::{BTreeMap, BTreeSet};

/// A number with its name and labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub value: f64,
}

/// Those of a text.
#[derive(Debug)]
pub struct Samples(Vec<Sample>);

impl Samples {
    /// Those of this name that have these labels among theirs.
    pub fn all<'a>(
        &'a self,
        name: &'a str,
        labels: &'a [(&str, &str)],
    ) -> impl Iterator<Item = &'a Sample> {
        let has = |it: &Sample| {
            labels.iter().all(|(key, value)| it.labels.get(*key).map(String::as_str) == Some(value))
        };
        self.0.iter().filter(move |it| it.name == name && has(it))
    }

    /// What they are together; `None` when there is none.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let values: Vec<f64> = self.all(name, labels).map(|it| it.value).collect();
        (!values.is_empty()).then(|| values.iter().sum())
    }
}

/// A family that is being read.
#[derive(Debug, Default)]
struct Family {
    name: String,
    kind: String,
    unit: Option<String>,
    helps: usize,
    samples: Vec<Sample>,
}

/// Reads a text.
pub fn read(text: &str) -> Result<Samples, String> {
    let body = text.strip_suffix("# EOF\n").ok_or("it does not end with # EOF")?;
    let (mut names, mut all) = (BTreeSet::new(), Vec::new());
    let mut family = Family::default();
    for line in body.lines() {
        let wrong = |what: &str| format!("{what}: {line}");
        if let Some(rest) = line.strip_prefix("# ") {
            let mut words = rest.splitn(3, ' ');
            let (word, name) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            let value = words.next().unwrap_or_default();
            if name != family.name {
                all.extend(family.finish()?);
                if !is_name(name) || !names.insert(name.to_owned()) {
                    return Err(wrong("a family with no name or one that was there"));
                }
                family = Family { name: name.to_owned(), ..Family::default() };
            }
            if !family.samples.is_empty() {
                return Err(wrong("it comes behind samples"));
            }
            match word {
                "TYPE" if family.kind.is_empty() => family.kind = value.to_owned(),
                "UNIT" if family.unit.is_none() => family.unit = Some(value.to_owned()),
                "HELP" if !value.is_empty() => family.helps += 1,
                _ => return Err(wrong("a line that is none")),
            }
        } else {
            family.samples.push(sample(line).ok_or_else(|| wrong("no sample"))?);
        }
    }
    all.extend(family.finish()?);
    Ok(Samples(all))
}

impl Family {
    /// Looks whether all of it is right.
    fn finish(self) -> Result<Vec<Sample>, String> {
        let Self { name, kind, unit, helps, samples } = self;
        if name.is_empty() && samples.is_empty() {
            return Ok(samples);
        }
        let wrong = |what: String| Err(format!("{name}: {what}"));
        if helps != 1 || samples.is_empty() {
            return wrong(format!("{helps} helps, {} samples", samples.len()));
        }
        if unit.is_some_and(|unit| !name.ends_with(&format!("_{unit}"))) {
            return wrong("its unit is not the end of its name".to_owned());
        }
        let suffixes: &[&str] = match kind.as_str() {
            "counter" => &["_total"],
            "gauge" => &[""],
            "histogram" => &["_bucket", "_sum", "_count"],
            "info" => &["_info"],
            other => return wrong(format!("a type {other}")),
        };
        let mut seen = BTreeSet::new();
        for it in &samples {
            if !suffixes.iter().any(|suffix| it.name == format!("{name}{suffix}")) {
                return wrong(format!("a sample {}", it.name));
            }
            if !seen.insert((it.name.clone(), it.labels.clone())) {
                return wrong(format!("twice {it:?}"));
            }
            if kind != "gauge" && (it.value < 0.0 || it.value.is_nan()) {
                return wrong(format!("less than nothing: {it:?}"));
            }
        }
        if kind == "histogram" {
            buckets(&name, &samples)?;
        }
        Ok(samples)
    }
}

/// Buckets have more with each bound, and the last has all.
fn buckets(name: &str, samples: &[Sample]) -> Result<(), String> {
    let (mut known, mut counts) = (BTreeMap::new(), BTreeMap::new());
    for it in samples {
        let mut labels = it.labels.clone();
        if it.name.ends_with("_count") {
            counts.insert(labels, it.value);
        } else if let Some(bound) = labels.remove("le") {
            let bound: f64 = bound.parse().map_err(|_| format!("{name}: a bound {bound}"))?;
            let before = known.insert(labels, (bound, it.value));
            if before.is_some_and(|before: (f64, f64)| before.0 >= bound || before.1 > it.value) {
                return Err(format!("{name}: {before:?} before {it:?}"));
            }
        }
    }
    let all = counts.into_iter().map(|(labels, count)| (labels, (f64::INFINITY, count)));
    if known == all.collect() {
        Ok(())
    } else {
        Err(format!("{name}: the last bucket has not all"))
    }
}

fn is_name(text: &str) -> bool {
    let is_part = |it: char| it.is_ascii_alphanumeric() || it == '_';
    text.starts_with(|it: char| it.is_ascii_alphabetic() || it == '_') && text.chars().all(is_part)
}

fn sample(line: &str) -> Option<Sample> {
    let end = line.find(['{', ' '])?;
    let (name, rest) = line.split_at(end);
    let (labels, value) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (BTreeMap::new(), rest),
    };
    let value = value.strip_prefix(' ')?;
    let is_number = !value.is_empty() && !value.contains(' ');
    let value = value.parse().ok().filter(|_| is_number)?;
    is_name(name).then(|| Sample { name: name.to_owned(), labels, value })
}

/// Reads labels to their brace, and says what is behind it.
fn labels(mut rest: &str) -> Option<(BTreeMap<String, String>, &str)> {
    let mut labels = BTreeMap::new();
    loop {
        if let Some(behind) = rest.strip_prefix('}') {
            return Some((labels, behind));
        }
        let (name, behind) = rest.split_once("=\"")?;
        let mut value = String::new();
        let mut characters = behind.char_indices();
        let end = loop {
            match characters.next()? {
                (at, '"') => break at,
                (_, '\\') => value.push(match characters.next()?.1 {
                    'n' => '\n',
                    it @ ('"' | '\\') => it,
                    _ => return None,
                }),
                (_, it) => value.push(it),
            }
        };
        if !is_name(name) || labels.insert(name.to_owned(), value).is_some() {
            return None;
        }
        rest = &behind[end + 1..];
        rest = match rest.strip_prefix(',') {
            Some(next) if !next.starts_with('}') => next,
            Some(_) => return None,
            None => rest,
        };
    }
}

#[test]
fn what_is_right_is_read_and_what_is_wrong_is_found() {
    let good = "# HELP a_seconds Some.\n# TYPE a_seconds histogram\n# UNIT a_seconds seconds\n\
                a_seconds_sum{x=\"1\"} 0.5\na_seconds_count{x=\"1\"} 2\n\
                a_seconds_bucket{le=\"0.1\",x=\"1\"} 1\na_seconds_bucket{le=\"+Inf\",x=\"1\"} 2\n\
                # HELP b Others.\n# TYPE b counter\nb_total{y=\"a\\\"\\\\\\nb\"} 7\nb_total 1\n# EOF\n";
    let read_all = read(good).unwrap();
    assert_eq!(read_all.sum("b_total", &[("y", "a\"\\\nb")]), Some(7.0));
    assert_eq!(read_all.sum("b_total", &[]), Some(8.0));
    assert_eq!(read_all.sum("c", &[]), None);
    for (from, to) in [
        ("# EOF\n", ""),
        ("b_total 1", "b 1"),
        ("b_total 1", "b_total 1 2 3"),
        ("b_total 1", "b_total -1"),
        ("b_total 1", "b_total{y=\"a\\\"\\\\\\nb\"} 7"),
        ("# TYPE b counter", "# TYPE b thing"),
        ("# HELP b Others.\n", ""),
        ("# HELP b Others.\n# TYPE b counter\nb_total", "# HELP a_seconds Some.\na_seconds_sum"),
        ("_bucket{le=\"+Inf\",x=\"1\"} 2", "_bucket{le=\"+Inf\",x=\"1\"} 3"),
        ("# UNIT a_seconds seconds", "# UNIT a_seconds bytes"),
        ("y=\"a", "y=\"a\\x"),
    ] {
        let wrong = good.replacen(from, to, 1);
        assert!(wrong != good && read(&wrong).is_err(), "{from} -> {to}");
    }
}
