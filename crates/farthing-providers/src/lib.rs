//! Adapters to the outside: this machine, NVML, price books, manifests, SQLite.
