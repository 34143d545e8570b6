//! The brackets of a build script, found once.

/// Brackets of one kind: where each opens and closes, in order, and the places of those that close.
pub(super) struct Brackets {
    open: Vec<(usize, Option<usize>)>,
    close: Vec<usize>,
}

impl Brackets {
    pub(super) fn of(code: &str, open: u8, close: u8) -> Self {
        let mut found = Self {
            open: Vec::new(),
            close: Vec::new(),
        };
        let mut waiting: Vec<usize> = Vec::new();
        for (at, byte) in code.bytes().enumerate() {
            if byte == open {
                waiting.push(found.open.len());
                found.open.push((at, None));
            } else if byte == close {
                found.close.push(at);
                if let Some(last) = waiting.pop() {
                    found.open[last].1 = Some(at);
                }
            }
        }
        found
    }

    /// Where the bracket that opens at `at` is closed.
    pub(super) fn closing(&self, at: usize) -> Option<usize> {
        let found = self
            .open
            .binary_search_by_key(&at, |(open, _)| *open)
            .ok()?;
        self.open[found].1
    }

    /// How many are open at `at`.
    pub(super) fn depth(&self, at: usize) -> usize {
        let open = self.open.partition_point(|(open, _)| *open < at);
        open.saturating_sub(self.close.partition_point(|close| *close < at))
    }
}
