//! The lists of the live view: requests, workers, errors. Each shows as many of its lines as there is room for.

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::{Constraint, Rect};
use ratatui_core::style::Style;
use ratatui_core::text::{Line, Span};
use ratatui_core::widgets::Widget as _;
use ratatui_widgets::table::{Cell, Row as TableRow, Table};
use sentinel_common::figures::grouped;
use sentinel_common::messages::WorkerState;
use sentinel_common::report::{ErrorRow, Report, Row, WorkerRow};
use sentinel_common::stats::PERCENTILES_TO_REPORT;

use super::super::printable;
use super::figures::{decimal, millis};
use super::{red, title};

/// The gap between columns.
const GAP: u16 = 2;
/// Lists narrower than this show only what matters most.
const MIDDLE: u16 = 56;
/// Lists at least as wide as this show everything.
const WIDE: u16 = 72;

/// What a list is about, the line that matters most first.
enum Lines<'a> {
    Requests(Vec<&'a Row>),
    Workers(Vec<&'a WorkerRow>),
    Errors(Vec<&'a ErrorRow>),
}

/// A list, and how many of its lines are shown.
pub(super) struct List<'a> {
    lines: Lines<'a>,
    columns: u16,
    shown: u16,
}

/// The lists that have anything to show, the most important first.
pub(super) fn lists(report: &Report, columns: u16) -> Vec<List<'_>> {
    let mut requests: Vec<&Row> = report.rows.iter().collect();
    requests.sort_by_key(|row| std::cmp::Reverse(row.requests));
    let mut errors: Vec<&ErrorRow> = report.errors.iter().collect();
    errors.sort_by_key(|error| std::cmp::Reverse(error.last_seen));
    let all = [Lines::Requests(requests), Lines::Workers(workers(report)), Lines::Errors(errors)];
    let all = all.into_iter().map(|lines| List { lines, columns, shown: 0 });
    all.filter(|list| list.count() > 0).collect()
}

/// Workers in the order in which they came; if there are too many to see them all, those in trouble come first.
fn workers(report: &Report) -> Vec<&WorkerRow> {
    let mut workers: Vec<&WorkerRow> = report.workers.iter().collect();
    if workers.len() > usize::from(List::MANY) {
        workers.sort_by(|left, right| {
            let missing = |worker: &WorkerRow| worker.state == WorkerState::Missing;
            missing(right).cmp(&missing(left)).then(right.cpu_percent.total_cmp(&left.cpu_percent))
        });
    }
    workers
}

/// Shares the lines that are left out to the lists, one by one, as long as a list has more and shows fewer than `most`.
/// The first line of a list comes with its title.
pub(super) fn allot(lists: &mut [List<'_>], left: &mut u16, most: u16) {
    loop {
        let before = *left;
        for list in lists.iter_mut() {
            let price = if list.shown == 0 { 2 } else { 1 };
            if list.shown < most && usize::from(list.shown) < list.count() && price <= *left {
                list.shown += 1;
                *left -= price;
            }
        }
        if *left == before {
            return;
        }
    }
}

impl List<'_> {
    /// The lines that a list gets before there are any empty lines.
    pub(super) const FEW: u16 = 2;
    /// The most lines that a list shows.
    pub(super) const MANY: u16 = 10;

    pub(super) fn height(&self) -> u16 {
        if self.shown == 0 { 0 } else { self.shown + 1 }
    }

    fn count(&self) -> usize {
        match &self.lines {
            Lines::Requests(rows) => rows.len(),
            Lines::Workers(workers) => workers.len(),
            Lines::Errors(errors) => errors.len(),
        }
    }

    fn title(&self, name: &str) -> String {
        let (shown, count) = (usize::from(self.shown), self.count());
        if shown == count {
            name.to_owned()
        } else {
            format!("{name} ({shown} of {})", grouped(count as u64))
        }
    }

    pub(super) fn draw(&self, area: Rect, buffer: &mut Buffer) {
        let shown = usize::from(self.shown);
        match &self.lines {
            Lines::Requests(rows) => {
                let columns = RequestColumn::of_width(self.columns);
                let titles = columns.iter().map(|column| (column.title(), column.width()));
                let lines = rows.iter().take(shown).map(|row| {
                    let name = printable(&format!("{} {}", row.method, row.name)).into_owned();
                    let name = clipped(name, name_width(area, columns.iter().map(|column| column.width())));
                    let figures = columns.iter().map(|column| column.figure(row));
                    TableRow::new([Cell::from(name)].into_iter().chain(figures))
                });
                draw_table(self.title("Request"), titles, lines, area, buffer);
            }
            Lines::Workers(workers) => {
                let titles = [("state", 8), ("users", 8), ("CPU", 7)];
                let width = name_width(area, titles.iter().map(|(_, width)| *width));
                let lines = workers.iter().take(shown).map(|worker| worker_line(worker, width));
                draw_table(self.title("Worker"), titles.into_iter(), lines, area, buffer);
            }
            Lines::Errors(errors) => {
                let text = format!("{:>9}  {}", "# errors", self.title("Last errors"));
                buffer.set_stringn(area.x, area.y, text, usize::from(area.width), title());
                buffer.set_style(Rect { height: 1, ..area }, title());
                for (line, error) in (area.y + 1..area.bottom()).zip(errors) {
                    error_line(error).render(Rect::new(area.x, line, area.width, 1), buffer);
                }
            }
        }
    }
}

/// Draws lines under their titles. Names are to the left, figures to the right.
fn draw_table<'a>(
    name: String,
    titles: impl Iterator<Item = (&'static str, u16)> + Clone,
    lines: impl Iterator<Item = TableRow<'a>>,
    area: Rect,
    buffer: &mut Buffer,
) {
    let header = [Cell::from(name)].into_iter().chain(titles.clone().map(|(title, _)| figure(title)));
    let widths = titles.map(|(_, width)| Constraint::Length(width));
    Table::new(lines, [Constraint::Fill(1)].into_iter().chain(widths))
        .header(TableRow::new(header).style(title()))
        .column_spacing(GAP)
        .render(area, buffer);
}

/// What the columns of figures leave for names.
fn name_width(area: Rect, figures: impl Iterator<Item = u16>) -> usize {
    let taken: u16 = figures.map(|width| width + GAP).sum();
    usize::from(area.width.saturating_sub(taken))
}

/// A text of so many columns at most, which shows that it was cut.
fn clipped(mut text: String, width: usize) -> String {
    if Span::raw(&*text).width() <= width {
        return text;
    }
    let mut used = 1;
    let fits = |(_, char): &(usize, char)| {
        used += Span::raw(char.encode_utf8(&mut [0; 4]) as &str).width();
        used <= width
    };
    let end = text.char_indices().take_while(fits).last().map_or(0, |(at, char)| at + char.len_utf8());
    text.truncate(end);
    text + "…"
}

fn figure(text: impl Into<String>) -> Cell<'static> {
    Cell::from(Line::from(text.into()).right_aligned())
}

/// A column of the list of requests.
#[derive(Clone, Copy)]
enum RequestColumn {
    Requests,
    Failures,
    Median,
    P95,
    Rate,
}

impl RequestColumn {
    fn of_width(columns: u16) -> &'static [Self] {
        match columns {
            WIDE.. => &[Self::Requests, Self::Failures, Self::Median, Self::P95, Self::Rate],
            MIDDLE.. => &[Self::Requests, Self::Failures, Self::P95, Self::Rate],
            _ => &[Self::Requests, Self::P95],
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Requests => "# reqs",
            Self::Failures => "# fails",
            Self::Median => "median",
            Self::P95 => "p95",
            Self::Rate => "req/s",
        }
    }

    fn width(self) -> u16 {
        match self {
            Self::Requests | Self::Median | Self::P95 => 9,
            Self::Failures | Self::Rate => 8,
        }
    }

    fn figure(self, row: &Row) -> Cell<'static> {
        let time = |micros: Option<u64>| figure(micros.map_or("-".to_owned(), millis));
        match self {
            Self::Requests => figure(grouped(row.requests)),
            Self::Failures if row.failures > 0 => figure(grouped(row.failures)).style(red()),
            Self::Failures => figure("0"),
            Self::Median => time(row.median_us),
            Self::P95 => {
                let index = PERCENTILES_TO_REPORT.iter().position(|reported| *reported == 0.95);
                time(
                    row.percentiles_us
                        .as_ref()
                        .zip(index)
                        .and_then(|(times, index)| times.get(index).copied()),
                )
            }
            Self::Rate => figure(decimal(row.current.requests_per_s)),
        }
    }
}

fn worker_line(worker: &WorkerRow, width: usize) -> TableRow<'static> {
    let state = match worker.state {
        WorkerState::Missing => Style::new().red(),
        WorkerState::Ready | WorkerState::Spawning | WorkerState::Running | WorkerState::Stopping => {
            Style::new()
        }
    };
    TableRow::new([
        Cell::from(clipped(printable(worker.id.as_str()).into_owned(), width)),
        figure(worker.state.as_str()).style(state),
        figure(grouped(worker.users)),
        figure(format!("{:.0} %", worker.cpu_percent)),
    ])
}

fn error_line(error: &ErrorRow) -> Line<'static> {
    let request = printable(&format!("{} {}", error.method, error.name)).into_owned();
    let message = printable(&error.message).into_owned();
    Line::from(vec![
        Span::styled(format!("{:>9}", grouped(error.occurrences)), red()),
        Span::from(format!("  {request}  ")),
        Span::styled(message, red()),
    ])
}
