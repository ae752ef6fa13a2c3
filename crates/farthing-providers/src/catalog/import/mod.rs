//! Catalogues of others, each turned into rows of a price book.
//!
//! An importer knows one form and nothing of files around it: [`instances`] the tables with one
//! row for a machine and columns for its prices (`SkyPilot`'s CSV among them), [`gcp`] how Google's
//! hosts and accelerators make machines, [`karpenter`] the price table that Karpenter generates,
//! [`kwok`] its instance types. [`folder`] finds the files of a catalogue.

pub(crate) mod folder;
pub(crate) mod gcp;
pub(crate) mod instances;
pub(crate) mod karpenter;
pub(crate) mod kwok;
pub(crate) mod listing;
