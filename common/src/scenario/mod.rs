//! The scenario language: what a YAML scenario says, read, checked and compiled once, then rendered many times.
//!
//! The master reads a scenario with [`Scenario::load`] to check it and to show what is wrong with it; every worker
//! reads the same text again and walks the [model](Scenario) with one [`RenderContext`] per user. You will find no
//! HTTP, no clock and no file access here: the text, the status codes and the random seeds are arguments.
//!
//! ```text
//! text -> document (YAML, positions) -> decode (notes) -> model -> render(context) -> bytes
//!                                         |
//!                                         template: lexis -> compile -> constant | native draw | engine
//! ```
//!
//! # The language
//!
//! Keys are Locust's words. Texts may hold Jinja templates; a text that is exactly one expression keeps that
//! expression's type wherever a type matters, in `set` and in `json`.
//!
//! ```
//! # use sentinel_common::random::UserRng;
//! # use sentinel_common::scenario::{Body, RenderContext, Scenario, Step};
//! let text = r#"
//! host: http://localhost:8000
//! users:
//!   Buyer:
//!     wait_time: between(0.1, 0.5)
//!     on_start:
//!       - get: /health
//!         expect: { status: 200 }
//!     tasks:
//!       - name: order
//!         weight: 3
//!         steps:
//!           - set: { n: "{{ randint(2, 2) }}" }
//!           - think: between(1, 2)
//!           - post: "/orders/{{ user.id }}"
//!             name: /orders
//!             headers: { X-Request-Id: "{{ uuid4() }}" }
//!             json: { items: { $repeat: "{{ n }}", $item: { price: "{{ 10 * n }}" } } }
//!             timeout: 2s
//!             expect:
//!               status: 2xx
//!               body: { contains: "id" }
//!               json: { id: exists, error: absent, count: "{{ n }}", total: { gte: 0 }, "items[0]": { type: object } }
//! profiles:
//!   heavy: { users: 500, spawn_rate: 50, run_time: 10m }
//! criteria: ["p95 < 100ms", "fail_ratio < 1%"]
//! "#;
//! let scenario = Scenario::load("orders.yaml", text).expect("it is valid");
//! let [Step::Set(assignments), _, Step::Request(request)] = &scenario.users[0].tasks[0].steps[..] else { panic!() };
//! let mut user = RenderContext::new(UserRng::for_user(1, "Buyer", 0), "Buyer", 0, "http://localhost:8000");
//! user.assign(assignments).expect("it renders");
//! let Body::Json(json) = &request.body else { panic!() };
//! let mut body = Vec::new();
//! json.render_into(&mut body, &user).expect("it renders");
//! assert_eq!(body, br#"{"items":[{"price":20},{"price":20}]}"#);
//! ```
//!
//! A mapping `{ $repeat: n, $item: tree }` in `json` becomes an array of n items, each rendered anew, n at most
//! 100,000. Keys of JSON objects are no templates. YAML anchors, aliases and `<<` work; tags are refused.
//!
//! # What templates can say
//!
//! [`RenderContext`] lists the variables. Beside Jinja's own filters and tests there are `at_least(x)` and
//! `at_most(x)`, which bound a number, and these functions:
//!
//! | function | draws |
//! | --- | --- |
//! | `randint(a, b)` | an integer from `a` to `b`, both included |
//! | `uniform(a, b)` | a number from `a` to `b` |
//! | `normal(mean=0, stddev=1)` | from a normal distribution |
//! | `lognormal(mu, sigma)` | e raised to `normal(mu, sigma)` |
//! | `exponential(rate)` | from an exponential distribution with mean 1 / `rate` |
//! | `choice(list)` | one item of a list |
//! | `uuid4()` | a random UUID as text |
//!
//! One rendering may do about 200,000 of the engine's instructions; then it fails instead of going on for ever.

mod call;
mod compile;
mod context;
mod decode;
mod document;
mod draw;
mod expect;
mod expectations;
mod host;
mod json;
mod lexis;
mod load;
mod model;
mod note;
mod path;
mod steps;
mod template;

pub use minijinja::Value;

pub use self::context::RenderContext;
pub use self::document::FILE_BYTES_MAX;
pub use self::expect::Expectation;
pub use self::host::{Host, HostError};
pub use self::json::JsonTemplate;
pub use self::model::{
    Body, Method, Profile, ProfileLoad, RequestStep, Scenario, Step, Task, Tasks, UnknownProfile, UserClass,
};
pub use self::note::{Note, Notes};
pub use self::template::{RenderError, Template};
