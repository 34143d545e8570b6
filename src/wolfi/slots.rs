//! A table of which few rows are used.

use std::ops::{Index, IndexMut};

/// As many rows as asked for, all with the default value; only those that are written to take room.
pub(super) struct Slots<T> {
    /// Where each row is among the used ones; the first of these stands for all that are not.
    places: Vec<u32>,
    pub(super) used: Vec<T>,
}

impl<T: Default> Slots<T> {
    pub(super) fn new(rows: usize) -> Self {
        Self {
            places: vec![0; rows],
            used: vec![T::default()],
        }
    }

    /// Adds a row; gives its number.
    pub(super) fn add(&mut self) -> u32 {
        self.places.push(0);
        (self.places.len() - 1) as u32
    }
}

impl<T> Index<u32> for Slots<T> {
    type Output = T;

    fn index(&self, row: u32) -> &T {
        &self.used[self.places[row as usize] as usize]
    }
}

impl<T: Default> IndexMut<u32> for Slots<T> {
    fn index_mut(&mut self, row: u32) -> &mut T {
        let place = &mut self.places[row as usize];
        if *place == 0 {
            *place = self.used.len() as u32;
            self.used.push(T::default());
        }
        &mut self.used[*place as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_apart_and_those_that_were_not_written_to_have_the_default_value() {
        let mut slots: Slots<u8> = Slots::new(3);
        slots[2] = 7;
        slots[0] += 1;
        let added = slots.add();
        assert_eq!(added, 3);
        slots[added] = 9;
        slots[2] += 1;
        assert_eq!([slots[0], slots[1], slots[2], slots[3]], [1, 0, 8, 9]);
        assert_eq!(slots.used.len(), 4);
    }
}
