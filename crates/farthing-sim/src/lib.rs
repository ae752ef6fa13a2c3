//! A simulated world under a virtual clock, with faults and scores.
