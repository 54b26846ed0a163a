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
//! # use sentinel_common::scenario::{Body, Identity, Outside, RenderContext, Scenario, Step};
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
//! let [Step::Set(assignments), _, Step::Request(request)] = &scenario.users[0].tasks[0].steps() else { panic!() };
//! let identity = Identity { run_id: "r", seed: 1, class: "Buyer", index: 0, host: "http://localhost:8000" };
//! let mut user = RenderContext::new(&identity, &Outside::default());
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
//! | function | yields |
//! | --- | --- |
//! | `randint(a, b)` | a random integer from `a` to `b`, both included |
//! | `uniform(a, b)` | a random number from `a` to `b` |
//! | `normal(mean=0, stddev=1)` | a number drawn from a normal distribution |
//! | `lognormal(mu, sigma)` | e raised to `normal(mu, sigma)` |
//! | `exponential(rate)` | a number drawn from an exponential distribution with mean 1 / `rate` |
//! | `choice(list)` | one item of a list, all equally likely |
//! | `weighted_choice(weights)` | one item of `{'a': 3, 'b': 1}` or `[['a', 3], ['b', 1]]`; here `'a'` three times out of four |
//! | `uuid4()` | a random UUID as text |
//! | `now(format='s')` | the time: seconds since 1970 with a fraction; `'ms'` or `'us'`: whole milliseconds or microseconds since then; `'iso'`: `2026-01-31T12:00:00.000Z`; a format of strftime such as `'%Y-%m-%d'`: in UTC |
//! | `counter(name='', start=0, step=1)` | `start`, then a `step` more each time; each user counts for itself, and each name for itself |
//! | `env(name, default)` | a variable of the worker's environment, else the default; without one, the rendering fails |
//! | `hash(text, algorithm='sha256')` | the digest in hexadecimal: `sha256`, `sha512`, `sha1` or `md5` |
//! | `b64(text, urlsafe=false)` | Base64 with padding, like `urlsafe_b64encode` of Python's if it is to be safe in URLs |
//! | `b64decode(text)` | the text that Base64 of either kind, with or without padding, stands for |
//! | `json(value)` | the value as JSON text, as a `json` body has it |
//!
//! The last four are filters, too: `{{ body | hash('md5') }}`. Random ones draw from the user's own stream, which the
//! run's seed, the user's class and its number determine. The worker says what time it is and what its environment
//! holds; both are an [`Outside`].
//!
//! One rendering may do about 200,000 of the engine's instructions; then it fails instead of going on for ever.

mod adjust;
mod answer;
mod arrivals;
mod call;
mod capture;
mod class;
mod classes;
mod compile;
mod context;
mod counter;
mod data;
mod decode;
mod document;
mod draw;
mod encode;
mod env;
mod expect;
mod expectations;
mod function;
mod host;
mod http;
mod http_options;
mod json;
mod json_tree;
mod lexis;
mod load;
mod method;
mod model;
mod note;
mod now;
mod number;
mod outside;
mod path;
mod request;
mod schema;
mod selection;
mod shapes;
mod sources;
mod step;
mod steps;
mod template;
mod tick;
mod variables;
mod walk;

pub use minijinja::Value;

pub use self::adjust::{AdjustError, Adjustments, BadEdits, ClassEdit, EDITS_BYTES_MAX, EDITS_MAX};
pub use self::answer::Answer;
pub use self::capture::Capture;
pub use self::class::{Group, Order, Task, TaskBody, Tasks, UserClass};
pub use self::context::{Identity, RenderContext};
pub use self::data::{DataError, DataFormat, DataSource, Origin, ROWS_MAX, RowOrder, Rows};
pub use self::document::FILE_BYTES_MAX;
pub use self::expect::Expectation;
pub use self::host::{Host, HostError};
pub use self::http::HttpOptions;
pub use self::json::JsonTemplate;
pub use self::method::Method;
pub use self::model::{Profile, ProfileLoad, Scenario, UnknownProfile};
pub use self::note::{Note, Notes};
pub use self::outside::Outside;
pub use self::schema::json_schema;
pub use self::selection::{Selected, Selection, SelectionError, UnknownClass};
pub use self::step::{Auth, Body, Part, PartContent, ROUNDS_MAX, RequestStep, Step};
pub use self::template::{RenderError, Template};
pub use self::walk::{Move, Walk};
