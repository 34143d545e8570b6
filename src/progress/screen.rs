//! Frames, as the bytes that put them on a terminal.

use super::line::Line;

/// The size of a terminal, in cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// How wide it is.
    pub columns: usize,
    /// How high it is.
    pub rows: usize,
}

/// What a terminal shows below everything that stays: lines that the next frame replaces.
///
/// A frame is one write. What it changes of the terminal's state, it changes back at its end, so that a process
/// killed between two frames leaves nothing to mend. The sequences are those of ECMA-48 and DEC's private modes,
/// as xterm documents them: <https://invisible-island.net/xterm/ctlseqs/ctlseqs.html>.
#[derive(Clone, Debug, Default)]
pub struct Screen {
    has_colour: bool,
    /// The widths of the lines that are shown, from the top.
    shown: Vec<usize>,
}

// Updates that a terminal shows at once, where it can; the cursor; whether what is too wide goes on in the next row.
const BEGIN: &str = "\x1b[?2026h\x1b[?25l";
const END: &str = "\x1b[?25h\x1b[?2026l";
const CLIP: &str = "\x1b[?7l";
const WRAP: &str = "\x1b[?7h";

/// What puts a terminal right whose frame broke off.
pub const RESTORE: &str = "\x1b[0m\x1b[?7h\x1b[?25h\x1b[?2026l\n";

impl Screen {
    /// Starts with nothing shown, the cursor at the start of a row.
    #[must_use]
    pub fn new(has_colour: bool) -> Self {
        Self {
            has_colour,
            shown: Vec::new(),
        }
    }

    /// Makes the bytes that add `settled` to what stays, with `live` below instead of what was there.
    ///
    /// `live` must fit into `size`, the size that the terminal has now. The cursor ends at the start of the last line.
    pub fn frame(&mut self, settled: &[Line], live: &[Line], size: Size) -> String {
        let mut text = BEGIN.to_owned();
        text.push_str(&self.back(size));
        if !settled.is_empty() {
            text.push_str("\x1b[J");
        }
        for line in settled {
            text.push_str(&self.paint(line));
            text.push_str("\r\n");
        }
        text.push_str(CLIP);
        for (number, line) in live.iter().enumerate() {
            if number > 0 {
                text.push_str("\r\n");
            }
            text.push_str(&self.paint(line));
            // At the end of the last one: all that is below, which may be left of a higher frame.
            text.push_str(if number + 1 == live.len() {
                "\x1b[J"
            } else {
                "\x1b[K"
            });
        }
        if live.is_empty() {
            text.push_str("\x1b[J");
        }
        text.push('\r');
        text.push_str(WRAP);
        text.push_str(END);
        self.shown = live.iter().map(Line::width).collect();
        text
    }

    fn paint(&self, line: &Line) -> String {
        match self.has_colour {
            true => line.paint(),
            false => line.text(),
        }
    }

    /// Moves to the start of what is shown. In a terminal that has become narrower, its lines go on in further rows.
    fn back(&self, size: Size) -> String {
        let Some((_, above)) = self.shown.split_last() else {
            return "\r".to_owned();
        };
        let rows = above
            .iter()
            .map(|width| width.div_ceil(size.columns.max(1)).max(1));
        // What has left the screen at its top is out of reach.
        match rows.sum::<usize>().min(size.rows.saturating_sub(1)) {
            0 => "\r".to_owned(),
            rows => format!("\r\x1b[{rows}A"),
        }
    }
}
