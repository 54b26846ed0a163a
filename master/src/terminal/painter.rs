//! What has to be written to a terminal so that a view appears, changes and vanishes at its end, below everything else.
//!
//! The cursor rests below the view, where the shell goes on if the process is stopped or killed. Everything is relative to
//! it, because a terminal tells where its cursor is only through its input, which belongs to whoever types. Nothing is read
//! here, and nothing written.

use std::fmt::Write as _;

use ratatui_core::buffer::{Buffer, Cell};
use ratatui_core::style::{Color, Style};
use ratatui_core::text::Span;

/// Terminals that know this show what follows at once when [`END`] comes; others pass over it.
const BEGIN: &str = "\x1b[?2026h";
const END: &str = "\x1b[?2026l";
/// What is too long, because terminal and view do not agree on how wide a character is, must not begin a new line.
const NO_WRAP: &str = "\x1b[?7l";
const WRAP: &str = "\x1b[?7h";
const CLEAR_LINE: &str = "\x1b[K";
const CLEAR_BELOW: &str = "\x1b[J";

/// A line of the view.
#[derive(Clone, Debug)]
struct Painted {
    text: String,
    /// In columns.
    width: u16,
}

/// The view that is on the terminal.
#[derive(Debug)]
pub(super) struct Painter {
    colour: bool,
    lines: Vec<Painted>,
}

impl Painter {
    /// Nothing is on the terminal yet.
    pub(super) fn new(colour: bool) -> Self {
        Self { colour, lines: Vec::new() }
    }

    /// Puts a view in the place of the last one, on a terminal that is `columns` wide now.
    pub(super) fn paint(&mut self, view: &Buffer, columns: u16) -> String {
        let mut text = format!("{BEGIN}{}", self.to_top(columns));
        self.lines = painted(view, self.colour);
        self.append(&mut text);
        text + END
    }

    /// Writes `log`, whole lines, above the view.
    pub(super) fn above(&self, log: &[u8], columns: u16) -> Vec<u8> {
        if self.lines.is_empty() {
            return log.to_vec();
        }
        let mut text = format!("{BEGIN}{}{CLEAR_BELOW}", self.to_top(columns)).into_bytes();
        text.extend_from_slice(log);
        let mut view = String::new();
        self.append(&mut view);
        text.extend_from_slice(view.as_bytes());
        text.extend_from_slice(END.as_bytes());
        text
    }

    /// Takes the view away. The next line of text comes where it began.
    pub(super) fn erase(&mut self, columns: u16) -> String {
        if self.lines.is_empty() {
            return String::new();
        }
        let text = format!("{}{CLEAR_BELOW}", self.to_top(columns));
        self.lines.clear();
        text
    }

    /// Somebody else has written to the terminal: what is there stays.
    pub(super) fn forget(&mut self) {
        self.lines.clear();
    }

    /// The way to the first line. A terminal that has become narrower has broken lines in two.
    fn to_top(&self, columns: u16) -> String {
        let rows: u16 = self.lines.iter().map(|line| line.width.div_ceil(columns.max(1)).max(1)).sum();
        if rows > 0 { format!("\r\x1b[{rows}A") } else { "\r".to_owned() }
    }

    /// Writes all lines from where the cursor is.
    fn append(&self, text: &mut String) {
        text.push_str(NO_WRAP);
        for line in &self.lines {
            text.extend([&line.text, CLEAR_LINE, "\r\n"]);
        }
        text.extend([CLEAR_BELOW, WRAP]);
    }
}

/// The lines of a view without the space at their ends.
fn painted(view: &Buffer, colour: bool) -> Vec<Painted> {
    let area = view.area;
    let mut lines = vec![Line::default(); usize::from(area.height)];
    // The difference to an empty view leaves out blank cells and the second halves of wide characters.
    for (x, y, cell) in Buffer::empty(area).diff(view) {
        lines[usize::from(y - area.y)].put(x - area.x, cell, colour);
    }
    lines.into_iter().map(Line::end).collect()
}

/// A line that is being painted.
#[derive(Clone, Debug, Default)]
struct Line {
    text: String,
    width: u16,
    style: anstyle::Style,
}

impl Line {
    fn put(&mut self, column: u16, cell: &Cell, colour: bool) {
        let style = if colour { ansi(cell.style()) } else { anstyle::Style::new() };
        if style != self.style || column > self.width {
            self.plain();
            let gap = usize::from(column.saturating_sub(self.width));
            let _ = write!(self.text, "{:gap$}{}", "", style.render());
            self.style = style;
        }
        self.text.push_str(cell.symbol());
        self.width = column + u16::try_from(Span::raw(cell.symbol()).width()).unwrap_or(1);
    }

    fn plain(&mut self) {
        let _ = write!(self.text, "{}", self.style.render_reset());
        self.style = anstyle::Style::new();
    }

    fn end(mut self) -> Painted {
        self.plain();
        Painted { text: self.text, width: self.width }
    }
}

fn ansi(style: Style) -> anstyle::Style {
    let set = |colour: Option<Color>| colour.filter(|colour| *colour != Color::Reset);
    Style { fg: set(style.fg), bg: set(style.bg), ..style }.into()
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU16;

    use ratatui_core::layout::Rect;
    use ratatui_core::style::Stylize as _;

    use super::*;

    fn view(lines: &[&str]) -> Buffer {
        Buffer::with_lines(lines.iter().copied())
    }

    fn terminal(columns: u16) -> vt100::Parser {
        vt100::Parser::new(NonZeroU16::new(10).unwrap(), NonZeroU16::new(columns).unwrap(), 0)
    }

    /// What a terminal of these columns and ten lines shows after it was sent `texts`, without empty lines.
    fn shown(columns: u16, texts: &[&[u8]]) -> Vec<String> {
        let mut terminal = terminal(columns);
        texts.iter().for_each(|text| terminal.process(text));
        let screen = terminal.screen();
        screen.rows(0, columns).map(|row| row.trim_end().to_owned()).filter(|row| !row.is_empty()).collect()
    }

    #[test]
    fn a_view_takes_the_place_of_the_last_one() {
        let mut painter = Painter::new(false);
        let first = painter.paint(&view(&["one", "two two", "three"]), 20);
        let second = painter.paint(&view(&["four", "2"]), 20);
        assert_eq!(shown(20, &[b"before\r\n", first.as_bytes()]), ["before", "one", "two two", "three"]);
        assert_eq!(shown(20, &[b"before\r\n", first.as_bytes(), second.as_bytes()]), ["before", "four", "2"]);
    }

    #[test]
    fn log_lines_come_above_the_view_and_stay_when_it_goes() {
        let mut painter = Painter::new(true);
        let mut sent = vec![painter.above(b"before\r\n", 20)];
        assert_eq!(sent[0], b"before\r\n", "without a view, the log is what it is");
        sent.push(painter.paint(&view(&["one", "two"]), 20).into_bytes());
        for number in 0..12 {
            sent.push(painter.above(format!("log {number}\r\n").as_bytes(), 20));
        }
        let texts = |sent: &[Vec<u8>]| shown(20, &sent.iter().map(Vec::as_slice).collect::<Vec<_>>());
        let logged: Vec<String> = (5..12).map(|number| format!("log {number}")).collect();
        assert_eq!(texts(&sent), [logged.clone(), vec!["one".to_owned(), "two".to_owned()]].concat());
        sent.push(painter.erase(20).into_bytes());
        assert_eq!(texts(&sent), logged);
        assert_eq!(painter.erase(20), "", "there is nothing left to take away");
    }

    #[test]
    fn lines_that_a_narrower_terminal_has_broken_are_found_again() {
        let mut painter = Painter::new(false);
        painter.paint(&view(&["0123456789", "", "x"]), 20);
        // The first has three rows of four columns, the empty one still has one.
        assert_eq!(painter.erase(4), "\r\x1b[5A\x1b[J");
    }

    #[test]
    fn colours_are_left_out_if_they_are_not_wanted() {
        let mut styled = Buffer::empty(Rect::new(0, 0, 12, 1));
        styled.set_span(2, 0, &Span::from("日本").red(), 10);
        styled.set_span(6, 0, &Span::from("語!"), 10);
        let text = |colour| painted(&styled, colour)[0].text.clone();
        assert_eq!(text(false), "  日本語!");
        assert_eq!(text(true), "  \x1b[31m日本\x1b[0m語!");
        assert_eq!(painted(&styled, true)[0].width, 9);
    }
}
