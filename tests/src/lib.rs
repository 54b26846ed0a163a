//! Support for whole-cluster tests: nothing here is part of the product, and nothing in the product calls it.

pub mod browser;
pub mod locust;
pub mod process;
pub mod terminal;
pub mod virtual_cluster;
