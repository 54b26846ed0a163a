//! The pure core of Sentinel: what a load test is, and every decision that is made while one runs.
//!
//! Nothing in this crate reads a clock, opens a socket, starts a thread or draws from a global source of randomness.
//! Time and randomness are arguments, decisions are functions of values, and the two machines that drive a cluster,
//! [`coordinator`] and [`member`], say what they want done instead of doing it. The shells in `master` and `worker` do.
//!
//! # The way of a run
//!
//! ```text
//! file --scenario--> Scenario        argv --load--> Load
//!                        \             /
//!                         coordinator::Run --dispatch--> Placement --messages--> Assignment -> worker
//!                              ^                                                        |
//!      verdict <- report <- stats::RunStats <--messages-- StatsReport <- member <- stats::Recorder
//! ```
//!
//! # Glossary
//!
//! One word per idea, in code, wire, documentation and output alike; where Locust has a word, it is Locust's.
//!
//! | word | meaning |
//! | --- | --- |
//! | user | one virtual user: starts, works through tasks with waits between them, stops |
//! | user class | a kind of user: its tasks, wait time, weight |
//! | task, step | a unit of a user's work, picked by weight; one thing done in it |
//! | iteration | one pass of a user through a task |
//! | scenario | the file that says what users do; a profile in it is a named amount of load |
//! | spawn, stop | starting and ending one user; the spawn rate is users per second, for both |
//! | ramp, plateau | while the number of users changes; while it does not |
//! | run | one test from its start to its stop; it has an id, a clock and a phase |
//! | worker | a process that runs users; the master sees it as a worker node in its roster |
//! | placement | how many users of each class run on each worker |
//! | assignment | one worker's part of a placement: absolute counts under a generation |
//! | generation | the number of a decision about placement; higher ones win |
//! | report | from a worker: what it measured, sealed under a number (`seq`); from the master: the view of a run |
//! | source | something with rows that are used once in the whole cluster: unique data, or the iterations of a run |
//! | lease, stock | rows that a worker may use; what is left of them there |
//! | entry, row | the statistics of one method and name |
//! | intended start | when a schedule wanted a request to begin; corrected response times count from there |
//! | delivered | planned load that really was made |
//! | search, trial | the steps towards the highest load that meets the criteria; one run of it |
//! | criterion, verdict | a sentence a run must satisfy; what the run proves: PASS, FAIL or INVALID |

pub mod arrivals;
mod backoff;
pub mod catalogue;
pub mod coordinator;
pub mod criteria;
pub mod delivered;
pub mod dispatch;
pub mod figures;
pub mod files;
pub mod guest;
pub mod http;
pub mod ids;
pub mod load;
pub mod local_run;
pub mod locust;
pub mod locust_stats;
pub mod locust_worker;
pub mod member;
pub mod messages;
pub mod preflight;
pub mod random;
pub mod report;
pub mod roster;
pub mod rows;
pub mod saturation;
pub mod scenario;
pub mod search;
pub mod shape;
pub mod spawn_plan;
pub mod stats;
pub mod suggest;
pub mod task_ratio;
pub mod time;
pub mod timeline;
pub mod timespan;
pub mod verdict;
pub mod wait;
pub mod worker_logs;
pub mod zmtp;
