//! Tasks with data between them, each on one offer, together at the least cost or done first.

mod amount;
mod eliminate;
mod energy;
mod polish;
mod search;
mod timing;

#[cfg(test)]
mod tests;
