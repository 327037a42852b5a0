//! Plots of the table, as SVG files.

use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;

use crate::contender::Contender;
use crate::table::Outcome;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Sizes of the overview, in pixels.
const BAR: i32 = 16;
const LABELS: i32 = 520;
const BARS: i32 = 300;
const MARGIN: i32 = 40;

/// The largest factor that has a bar of its own length.
const FACTOR_MAX: f64 = 1000.0;

/// Size of a figure with lines, in pixels.
const FIGURE: (u32, u32) = (640, 360);

/// How much better than stock a contender is, row for row.
pub fn overview(path: &Path, outcomes: &[Outcome], contender: Contender) {
    let rows: Vec<_> = outcomes
        .iter()
        .filter_map(|outcome| Some((outcome.name.as_str(), outcome.better_by(contender)?)))
        .collect();
    let height = MARGIN + BAR * i32::try_from(rows.len()).unwrap() + MARGIN / 2;
    let size = ((LABELS + BARS + MARGIN * 2).cast_unsigned(), height.cast_unsigned());
    let area = SVGBackend::new(path, size).into_drawing_area();
    area.fill(&WHITE).unwrap();
    // Worse than stock by the same factor as the last tick is where the bars could begin.
    let x = |factor: f64| {
        let share = (factor.clamp(1.0 / 10.0, FACTOR_MAX).log10() + 1.0) / 4.0;
        LABELS + (f64::from(BARS) * share).round() as i32
    };
    let style = |size: i32| TextStyle::from(("sans-serif", size).into_font());
    let bottom = height - MARGIN / 2;
    for (factor, label) in [(0.1, "1/10"), (1.0, "stock"), (10.0, "10 x"), (100.0, "100 x")] {
        line(&area, (x(factor), MARGIN - 8), (x(factor), bottom));
        let place = (x(factor) - 12, MARGIN - 24);
        area.draw(&Text::new(label, place, style(11))).unwrap();
    }
    for (row, (name, factor)) in rows.iter().enumerate() {
        let top = MARGIN + BAR * i32::try_from(row).unwrap();
        area.draw(&Text::new(name.replace('`', ""), (4, top), style(11))).unwrap();
        let (from, to) = (x(factor.min(1.0)), x(factor.max(1.0)));
        let colour = if *factor >= 1.0 { full(&BLUE) } else { full(&RED) };
        area.draw(&Rectangle::new([(from, top + 2), (to, top + BAR - 3)], colour)).unwrap();
        let beyond = if factor.is_finite() { format!("{factor:.1}") } else { "∞".to_owned() };
        area.draw(&Text::new(beyond, (to + 4, top), style(11))).unwrap();
    }
    area.present().unwrap();
}

fn full(colour: &RGBColor) -> ShapeStyle {
    colour.mix(0.6).filled()
}

fn line(area: &Area, from: (i32, i32), to: (i32, i32)) {
    area.draw(&PathElement::new([from, to], BLACK.mix(0.3))).unwrap();
}

/// The figures that rows are points of, in their order.
pub fn figures(outcomes: &[Outcome]) -> Vec<&'static str> {
    let mut figures: Vec<_> =
        outcomes.iter().filter_map(|it| it.point.map(|point| point.figure)).collect();
    figures.dedup();
    let mut seen = Vec::new();
    figures.retain(|figure| {
        !seen.contains(figure) && {
            seen.push(*figure);
            true
        }
    });
    figures
}

/// One line of a figure: its words and its points.
type Line = (String, Vec<(f64, f64)>);

/// A figure with a line for each contender and each line of its rows.
pub fn figure(path: &Path, title: &str, outcomes: &[Outcome]) {
    let mut lines: Vec<Line> = Vec::new();
    for outcome in outcomes {
        let Some(point) = outcome.point.filter(|point| point.figure == title) else { continue };
        for (contender, value) in &outcome.medians {
            let Some(number) = value.number() else { continue };
            let words = format!("{} {}", contender.title(), point.line).trim().to_owned();
            let place = (f64::from(point.count), number);
            match lines.iter_mut().find(|(it, _)| *it == words) {
                Some((_, places)) => places.push(place),
                None => lines.push((words, vec![place])),
            }
        }
    }
    let places = || lines.iter().flat_map(|(_, places)| places.iter().copied());
    let least = |of: fn(&(f64, f64)) -> f64| places().map(|it| of(&it)).fold(f64::MAX, f64::min);
    let most = |of: fn(&(f64, f64)) -> f64| places().map(|it| of(&it)).fold(0.0, f64::max);
    let (x, y) = (|it: &(f64, f64)| it.0, |it: &(f64, f64)| it.1);
    let area = SVGBackend::new(path, FIGURE).into_drawing_area();
    area.fill(&WHITE).unwrap();
    let mut chart = ChartBuilder::on(&area)
        .caption(title, ("sans-serif", 16))
        .margin(12)
        .x_label_area_size(28)
        .y_label_area_size(56)
        .build_cartesian_2d(
            (least(x) * 0.9..most(x) * 1.1).log_scale(),
            (least(y) / 2.0..most(y) * 2.0).log_scale(),
        )
        .unwrap();
    chart.configure_mesh().disable_mesh().y_labels(6).draw().unwrap();
    for (number, (words, places)) in lines.iter().enumerate() {
        let colour = Palette99::pick(number).to_rgba();
        chart
            .draw_series(LineSeries::new(places.iter().copied(), colour.stroke_width(2)))
            .unwrap()
            .label(words)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour.stroke_width(2)));
        let dots = places.iter().map(|place| Circle::new(*place, 3, colour.filled()));
        chart.draw_series(dots).unwrap();
    }
    chart.configure_series_labels().background_style(WHITE.mix(0.8)).draw().unwrap();
    area.present().unwrap();
}
