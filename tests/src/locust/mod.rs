//! Real Locust beside Sentinel: its processes, and what both say to each other.
//!
//! ```text
//! python     Locust in a folder of its own, installed once
//! node       a Locust worker or master that runs
//! page       what Locust's master is told and asked through its web page
//! shop       a target, a Sentinel master, and workers of any kind that belong together
//! files      the same users as a locustfile and as a scenario
//! wiretap    what goes over the wire between a worker and a master, message by message
//! stranger   one end of a stream that says whatever a test wants it to say
//! ```
//!
//! The test files of this crate call it. Whatever goes wrong is a panic, with what the processes said; only where there
//! is no Python at all the tests end early, with a word on why.

mod files;
#[path = "../../../common/tests/hostile/mod.rs"]
mod hostile;
mod node;
mod page;
mod python;
mod shop;
mod stranger;
mod wiretap;

pub use self::files::{Files, SHOP_CLASSES};
pub use self::hostile::{Dice, Hostile, Seed};
pub use self::node::{LocustMaster, LocustWorker};
pub use self::page::Page;
pub use self::python::{VERSION, python};
pub use self::shop::{Closed, Shop, steps_of};
pub use self::stranger::Stranger;
pub use self::wiretap::{Heard, Said, Wiretap, kinds};
