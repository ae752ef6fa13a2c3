//! What a use costs at each position of each chain, by the prices of the limits in play.

/// Prices by chain and position: what is used at a position pays all limits from there on.
#[derive(Clone, Debug, Default)]
pub(super) struct Prices {
    chains: Vec<Vec<f64>>,
}

impl Prices {
    /// Nothing costs anything.
    pub(super) fn none(lengths: impl Iterator<Item = usize>) -> Self {
        Self { chains: lengths.map(|length| vec![0.0; length]).collect() }
    }

    /// Sets the prices of the limits in play.
    pub(super) fn set(&mut self, rows: &[(usize, usize)], prices: &[f64]) {
        for chain in &mut self.chains {
            chain.fill(0.0);
        }
        for ((chain, at), price) in rows.iter().zip(prices) {
            self.chains[*chain][*at] += price;
        }
        for chain in &mut self.chains {
            let mut sum = 0.0;
            for price in chain.iter_mut().rev() {
                sum += *price;
                *price = sum;
            }
        }
    }

    /// What a unit costs that is used from a position on.
    pub(super) fn at(&self, chain: u32, at: u32) -> f64 {
        self.chains[chain as usize][at as usize]
    }
}
