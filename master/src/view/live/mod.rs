//! The live view: a run that goes on, drawn into a few lines of a terminal.
//!
//! ```text
//! shop.yaml  running     0:12 / 0:30 ━━━━━━━━━━━━━────────────────────    head
//! Users                 500  ▁▂▃▄▅▆▆▆▆▆▆▆                  of 500         figures
//! Requests/s        1,634.2  ▂▂▃▄▅▆▆▆▆▆▆▆               peak 1,702
//! ...
//! Request                             # reqs  # fails   median ...        lists
//! GET /items                          12,345        0    12 ms ...
//! ```
//!
//! A pure function of a report and of the room that there is. The terminal's shell paints what comes out of it; here is
//! no terminal and no clock. What does not fit is left out, from the least important on: further lines of the lists,
//! empty lines, lists, figures.

mod figures;
mod lists;

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::style::Style;
use sentinel_common::report::Report;

use self::figures::{Figure, draw_head};
use self::lists::List;

/// What the keys do, which are Locust's.
const KEYS: &str = "Keys: w/W +1/+10 users, s/S -1/-10 users, Ctrl-C stops the run";

/// The room for a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Columns of the terminal.
    pub columns: u16,
    /// Lines that the view may take.
    pub lines: u16,
    /// Whether keys are read, so that they are worth a line.
    pub keys: bool,
}

/// A part of the view.
enum Part<'a> {
    Head,
    Figure(Figure),
    Blank,
    List(List<'a>),
    Keys,
}

impl Part<'_> {
    fn height(&self) -> u16 {
        match self {
            Self::List(list) => list.height(),
            Self::Head | Self::Figure(_) | Self::Blank | Self::Keys => 1,
        }
    }
}

/// Draws a run. The result is as wide as the room, and as high as it has something to show.
pub fn live_view(report: &Report, room: Room) -> Buffer {
    let parts = arrange(report, room);
    let height = parts.iter().map(Part::height).sum();
    let mut buffer = Buffer::empty(Rect::new(0, 0, room.columns, height));
    let mut top = 0;
    for part in &parts {
        let area = Rect::new(0, top, room.columns, part.height());
        match part {
            Part::Head => draw_head(report, area, &mut buffer),
            Part::Figure(figure) => figure.draw(area, &mut buffer),
            Part::Blank => {}
            Part::List(list) => list.draw(area, &mut buffer),
            Part::Keys => {
                buffer.set_stringn(0, top, KEYS, usize::from(room.columns), dim());
            }
        }
        top += part.height();
    }
    buffer
}

/// Shares the lines out, the most important first.
fn arrange(report: &Report, room: Room) -> Vec<Part<'_>> {
    if room.columns == 0 || room.lines == 0 {
        return Vec::new();
    }
    let mut left = room.lines - 1;
    let mut figures = figures::figures(report, room.columns);
    figures.truncate(usize::from(left));
    left -= u16::try_from(figures.len()).unwrap_or(left);
    let keys = room.keys && left > 0;
    left -= u16::from(keys);
    let mut lists = lists::lists(report, room.columns);
    lists::allot(&mut lists, &mut left, List::FEW);
    lists.retain(|list| list.height() > 0);
    // All empty lines or none: a view with some of them looks broken.
    let blanks = u16::try_from(lists.len()).unwrap_or(u16::MAX) + u16::from(keys);
    let spacious = blanks <= left;
    left -= if spacious { blanks } else { 0 };
    lists::allot(&mut lists, &mut left, List::MANY);

    let blank = || spacious.then_some(Part::Blank);
    let mut parts = vec![Part::Head];
    parts.extend(figures.into_iter().map(Part::Figure));
    parts.extend(lists.into_iter().flat_map(|list| blank().into_iter().chain([Part::List(list)])));
    if keys {
        parts.extend(blank().into_iter().chain([Part::Keys]));
    }
    parts
}

/// How labels look.
fn dim() -> Style {
    Style::new().dim()
}

/// How titles look: a rule under them needs no line.
fn title() -> Style {
    dim().underlined()
}

/// How trouble looks.
fn red() -> Style {
    Style::new().red()
}

#[cfg(test)]
mod tests;
