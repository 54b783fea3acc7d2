//! A finished run as its readers see it.
