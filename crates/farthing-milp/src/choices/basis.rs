//! The working basis: a small square matrix with its inverse, one row for each limit in play.

/// Pivots smaller than this are taken for zero.
const SMALL: f64 = 1e-9;

/// A dense inverse, row by row.
#[derive(Clone, Debug, Default)]
pub(super) struct Inverse {
    size: usize,
    cells: Vec<f64>,
}

impl Inverse {
    /// Inverts a matrix given by columns; `None` where it is singular.
    pub(super) fn of(columns: &[Vec<f64>]) -> Option<Self> {
        let size = columns.len();
        let width = 2 * size;
        let mut both = vec![0.0; size * width];
        for (at, column) in columns.iter().enumerate() {
            for (row, value) in column.iter().enumerate() {
                both[row * width + at] = *value;
            }
            both[at * width + size + at] = 1.0;
        }
        for at in 0..size {
            let best = (at..size).max_by(|left, right| {
                both[left * width + at].abs().total_cmp(&both[right * width + at].abs())
            })?;
            if both[best * width + at].abs() < SMALL {
                return None;
            }
            if best != at {
                for cell in 0..width {
                    both.swap(best * width + cell, at * width + cell);
                }
            }
            eliminate(&mut both, (size, width), at);
        }
        let rows = (0..size).flat_map(|row| {
            let from = row * width + size;
            from..from + size
        });
        Some(Self { size, cells: rows.map(|cell| both[cell]).collect() })
    }

    /// The inverse times a column.
    pub(super) fn times(&self, column: &[f64]) -> Vec<f64> {
        let row = |at: usize| &self.cells[at * self.size..(at + 1) * self.size];
        (0..self.size).map(|at| row(at).iter().zip(column).map(|(a, b)| a * b).sum()).collect()
    }

    /// A row times the inverse.
    pub(super) fn under(&self, row: &[f64]) -> Vec<f64> {
        let mut sums = vec![0.0; self.size];
        for (at, factor) in row.iter().enumerate().filter(|(_, factor)| **factor != 0.0) {
            let cells = &self.cells[at * self.size..(at + 1) * self.size];
            for (sum, cell) in sums.iter_mut().zip(cells) {
                *sum += factor * cell;
            }
        }
        sums
    }

    /// Replaces the column at a position by one whose product with this inverse is given; whether
    /// that can be.
    pub(super) fn replace(&mut self, at: usize, product: &[f64]) -> bool {
        let pivot = product[at];
        if pivot.abs() < SMALL {
            return false;
        }
        let size = self.size;
        for cell in 0..size {
            self.cells[at * size + cell] /= pivot;
        }
        let row: Vec<f64> = self.cells[at * size..(at + 1) * size].to_vec();
        for (other, factor) in product.iter().enumerate() {
            if other == at || *factor == 0.0 {
                continue;
            }
            let cells = &mut self.cells[other * size..(other + 1) * size];
            for (cell, own) in cells.iter_mut().zip(&row) {
                *cell -= factor * own;
            }
        }
        true
    }
}

/// Makes the column at a position a unit column.
fn eliminate(both: &mut [f64], (size, width): (usize, usize), at: usize) {
    let pivot = both[at * width + at];
    for cell in at..width {
        both[at * width + cell] /= pivot;
    }
    let own: Vec<f64> = both[at * width..(at + 1) * width].to_vec();
    for row in (0..size).filter(|row| *row != at) {
        let factor = both[row * width + at];
        if factor == 0.0 {
            continue;
        }
        let cells = &mut both[row * width + at..(row + 1) * width];
        for (cell, value) in cells.iter_mut().zip(&own[at..]) {
            *cell -= factor * value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inverse_undoes_its_matrix_also_after_a_replacement() {
        let mut columns = vec![vec![0.0, 2.0, 1.0], vec![1.0, 0.0, 3.0], vec![4.0, 1.0, 0.5]];
        let mut inverse = Inverse::of(&columns).unwrap();
        let new = vec![1.0, -1.0, 2.0];
        assert!(inverse.replace(1, &inverse.times(&new)));
        columns[1] = new;
        for (at, column) in columns.iter().enumerate() {
            for (row, value) in inverse.times(column).iter().enumerate() {
                assert!((value - f64::from(u8::from(row == at))).abs() < 1e-12);
            }
        }
        assert!(Inverse::of(&[vec![1.0, 2.0], vec![2.0, 4.0]]).is_none());
    }
}
