//! The head of the live view and its figures, each with what it was over the last minutes.

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::{Constraint, Layout, Rect};
use ratatui_core::style::{Style, Stylize as _};
use ratatui_core::text::{Line, Span};
use ratatui_core::widgets::Widget as _;
use ratatui_widgets::gauge::LineGauge;
use ratatui_widgets::sparkline::Sparkline;
use sentinel_common::coordinator::Phase;
use sentinel_common::figures::grouped;
use sentinel_common::report::{Report, SecondRow};

use super::super::printable;
use super::{dim, red};

const LABEL_WIDTH: u16 = 12;
const VALUE_WIDTH: u16 = 10;
const NOTE_WIDTH: u16 = 16;
/// Views narrower than this have no notes.
const NOTES_FROM: u16 = 64;
/// The gap between columns.
const GAP: u16 = 2;
/// A sparkline shows this many seconds at most.
const HISTORY_S: u32 = 180;
/// The newest seconds are not complete: reports are on their way.
const SETTLING_S: u32 = 3;

/// A figure.
pub(super) struct Figure {
    label: &'static str,
    value: String,
    /// What it was, oldest first, in any unit; `None` where it was not measured. A sentence instead of a number has no
    /// history at all.
    history: Option<Vec<Option<u64>>>,
    note: String,
    style: Style,
}

/// The name of what runs, what it is doing, and how much of the time is over.
pub(super) fn draw_head(report: &Report, area: Rect, buffer: &mut Buffer) {
    let name = printable(&report.scenario).into_owned();
    let phase = match report.phase {
        Phase::Running => Span::from(report.phase.as_str()).green(),
        Phase::Spawning | Phase::Stopping | Phase::Stopped => Span::from(report.phase.as_str()).yellow(),
    };
    let title = Line::from(vec![Span::from(name).bold(), Span::from("  "), phase]);
    let width = u16::try_from(title.width()).unwrap_or(u16::MAX).min(area.width / 2);
    let [left, _, right] =
        Layout::horizontal([Constraint::Length(width), Constraint::Length(GAP), Constraint::Min(0)])
            .areas(area);
    title.render(left, buffer);
    let elapsed = clock(report.clock.as_secs());
    match report.load.run_time_s.filter(|seconds| *seconds > 0.0) {
        Some(seconds) => LineGauge::default()
            .label(format!("{elapsed} / {}", clock(seconds as u64)))
            .ratio((report.clock.as_secs_f64() / seconds).clamp(0.0, 1.0))
            .filled_symbol("━")
            .unfilled_symbol("─")
            .filled_style(Style::new().cyan())
            .unfilled_style(dim())
            .render(right, buffer),
        None => Line::from(format!("{elapsed}, until stopped")).render(right, buffer),
    }
}

/// The figures that a view of so many columns shows, the most important first.
pub(super) fn figures(report: &Report, columns: u16) -> Vec<Figure> {
    let history = History::new(report, spark_width(columns));
    let rates = report.total.current;
    let requests = history.sums(|second| second.requests);
    let failures = history.sums(|second| second.failures);
    let failing = if report.total.failures > 0 { red() } else { Style::new() };
    let plain = |label, value, history, note| Figure {
        label,
        value,
        history: Some(history),
        note,
        style: Style::new(),
    };
    let planned = format!("of {}", grouped(u64::from(report.load.users)));
    let open = !report.load.arrivals.is_empty();
    let mut figures = vec![
        plain(
            "Users",
            grouped(report.users),
            history.peaks(|second| second.users.map(|users| (users * 1e3) as u64)),
            if open { String::new() } else { planned },
        ),
        plain(
            "Requests/s",
            decimal(rates.requests_per_s),
            requests.clone(),
            peak(&requests, |milli| decimal(milli as f64 / 1e3)),
        ),
        Figure {
            label: "Failures/s",
            value: decimal(rates.failures_per_s),
            history: Some(failures),
            note: format!("{:.2} % of all", report.total.fail_ratio * 100.0),
            style: failing,
        },
    ];
    let picks: [fn(&SecondRow) -> Option<u64>; 3] =
        [|second| second.p50_us, |second| second.p95_us, |second| second.p99_us];
    for ((label, now), pick) in
        ["p50", "p95", "p99"].into_iter().zip(report.current_percentiles_us).zip(picks)
    {
        let history = history.peaks(pick);
        let note = peak(&history, millis);
        figures.push(plain(label, now.map_or("-".to_owned(), millis), history, note));
    }
    figures.extend(iterations(report));
    figures
}

/// Planned and delivered iterations in one line.
fn iterations(report: &Report) -> Option<Figure> {
    let delivery = &report.delivery;
    if delivery.planned == 0 && delivery.started == 0 {
        return None;
    }
    let missed = [("late", delivery.late), ("dropped", delivery.dropped)];
    let missed = missed.iter().filter(|(_, count)| *count > 0);
    let missed: String = missed.map(|(name, count)| format!(", {} {name}", grouped(*count))).collect();
    let value = format!("{} of {} begun{missed}", grouped(delivery.started), grouped(delivery.planned));
    let style = if delivery.dropped > 0 { red() } else { Style::new() };
    Some(Figure { label: "Iterations", value, history: None, note: String::new(), style })
}

impl Figure {
    pub(super) fn draw(&self, area: Rect, buffer: &mut Buffer) {
        let Rect { x, y, width, .. } = area;
        buffer.set_stringn(x, y, self.label, usize::from(width), dim());
        let rest = |from: u16| Rect::new(x + from.min(width), y, width.saturating_sub(from), 1);
        let Some(history) = &self.history else {
            return Span::styled(&self.value, self.style).render(rest(LABEL_WIDTH), buffer);
        };
        let value = Rect { width: VALUE_WIDTH.min(rest(LABEL_WIDTH).width), ..rest(LABEL_WIDTH) };
        Line::styled(&*self.value, self.style).right_aligned().render(value, buffer);
        let spark = Rect { width: spark_width(width), ..rest(LABEL_WIDTH + VALUE_WIDTH + GAP) };
        let highest: u64 = history.iter().copied().flatten().max().unwrap_or(0);
        // Lines of full blocks would touch.
        let top = highest.saturating_add(highest.div_ceil(3));
        // What was measured and is not zero shows.
        let visible = |value: u64| if value > 0 { value.max(top.div_ceil(8)) } else { 0 };
        Sparkline::default()
            .data(history.iter().map(|value| value.map(visible)))
            .max(top)
            .absent_value_symbol(" ")
            .style(if self.style == Style::new() { Style::new().cyan() } else { self.style })
            .render(spark, buffer);
        if width >= NOTES_FROM {
            Line::styled(&*self.note, dim()).right_aligned().render(rest(width - NOTE_WIDTH), buffer);
        }
    }
}

/// The room for a sparkline.
fn spark_width(columns: u16) -> u16 {
    let note = if columns >= NOTES_FROM { NOTE_WIDTH + GAP } else { 0 };
    columns.saturating_sub(LABEL_WIDTH + VALUE_WIDTH + GAP + note)
}

/// The seconds that a sparkline shows, several in a column if they have no column each.
struct History<'a> {
    seconds: &'a [SecondRow],
    /// Columns of this many seconds, which begin at its multiples, so that they do not change from then on.
    step: u32,
    /// The first column.
    first: u32,
    /// The column after the last.
    end: u32,
}

impl<'a> History<'a> {
    fn new(report: &'a Report, width: u16) -> Self {
        let width = u32::from(width.max(1));
        let complete = u32::try_from(report.clock.as_secs()).unwrap_or(u32::MAX).saturating_sub(SETTLING_S);
        let step = complete.min(HISTORY_S).div_ceil(width).max(1);
        // A column counts once all of its seconds are there.
        let end = complete / step;
        Self { seconds: &report.seconds, step, first: end.saturating_sub(width), end }
    }

    fn columns(&self) -> impl Iterator<Item = &'a [SecondRow]> {
        (self.first..self.end).map(|column| {
            let from = self.seconds.partition_point(|second| second.start < column * self.step);
            let to = self.seconds.partition_point(|second| second.start < (column + 1) * self.step);
            &self.seconds[from..to]
        })
    }

    /// A thousand times the mean per second.
    fn sums(&self, pick: impl Fn(&SecondRow) -> u64) -> Vec<Option<u64>> {
        let sum = |seconds: &[SecondRow]| seconds.iter().map(&pick).fold(0, u64::saturating_add);
        self.columns().map(|seconds| Some(sum(seconds).saturating_mul(1000) / u64::from(self.step))).collect()
    }

    /// The highest in each column: a peak shows, however many seconds share a column.
    fn peaks(&self, pick: impl Fn(&SecondRow) -> Option<u64>) -> Vec<Option<u64>> {
        self.columns().map(|seconds| seconds.iter().filter_map(&pick).max()).collect()
    }
}

fn peak(history: &[Option<u64>], text: impl Fn(u64) -> String) -> String {
    history.iter().copied().flatten().max().map_or(String::new(), |highest| format!("peak {}", text(highest)))
}

/// A span of time as a clock shows it.
fn clock(seconds: u64) -> String {
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

/// A number with one decimal.
pub(super) fn decimal(number: f64) -> String {
    // The cast rounds down and saturates.
    let tenths = (number * 10.0).round() as u64;
    format!("{}.{}", grouped(tenths / 10), tenths % 10)
}

/// Microseconds with three digits or so, in milliseconds or, from ten seconds on, in seconds.
pub(super) fn millis(micros: u64) -> String {
    let millis = micros as f64 / 1e3;
    match micros {
        ..10_000 => format!("{millis:.2} ms"),
        10_000..100_000 => format!("{millis:.1} ms"),
        100_000..10_000_000 => format!("{} ms", grouped(millis.round() as u64)),
        _ => format!("{} s", decimal(micros as f64 / 1e6)),
    }
}
