//! Metering, allocation, the Parquet ledger and its reports.
