//! A small shop that the example scenarios load: accounts, a catalogue, baskets, orders, uploads.
//!
//! It has what scenarios have to cope with on real sites: tokens, session cookies, a CSRF token in a form, ids that
//! only the last answer knows. And it counts what it was asked, so that a load generator's figures can be compared
//! with its own. Everything is in memory and bounded: what is oldest makes room, and a shop that ends forgets all.
//!
//! The binary `shop` runs one; tests embed as many as they like with [`serve`] or [`router`]. Nothing here is global.
//! You will never find product code here, nor a client.
//!
//! | route | answer |
//! | --- | --- |
//! | `POST /login` | JSON or a form with `username` and `password`: `access_token` and `user_id`, or 401 |
//! | `GET /me` | `user_id` and `username` of the bearer token or of the session, or 401 |
//! | `GET /login-page` | a form with a hidden `csrf_token`, and the cookie `session` |
//! | `POST /web-login` | that form: 403 if token and cookie do not belong together, 401 for a wrong password |
//! | `GET /products?q=&page=` | 20 products whose names contain `q`, with `page`, `pages` and `total` |
//! | `GET /products/{id}` | one of 200 products, or 404 |
//! | `POST /basket` | puts `product_id` and `quantity` (1) in the session's basket; answers the basket |
//! | `GET /basket`, `DELETE /basket` | the basket; 204 once it is empty |
//! | `POST /orders` | any JSON object up to 8 KiB: 201, its `id`, and where it is in `Location` |
//! | `GET /orders/{id}` | `id` and `order` |
//! | `POST /upload` | a multipart form: 201, its `id`, and of each part name, size in bytes and SHA-256 |
//! | `GET /uploads/{id}` | the same again |
//! | `/echo` | method, path, query, headers and body of the request |
//! | `/slow?ms=` | comes after so many milliseconds, at most 10 s |
//! | `/status/{code}` | has this status |
//! | `GET /redirect/{n}` | leads to itself n times |
//! | `POST /admin/accounts` | opens an account: 201 and its `user_id`, or 409 if there is one of that name |
//! | `GET /admin/accounts` | the accounts that were opened |
//! | `DELETE /admin/accounts/{id}` | closes one of them; its tokens are worth nothing any more |
//! | `POST /freeze?ms=` | nothing but `/counts` is answered for so long, at most a minute |
//! | `GET /counts` | how many requests came so far, by method and route, without those for `/counts` |
//! | `GET /health` | `{"status":"healthy"}` |
//!
//! There are the accounts `user0000` to `user9999`; the password of `user0042` is `secret-42` and its `user_id` 42.
//! Prices are in cents. Errors are JSON with an `error` field, whatever the route: 404 and 405 for a wrong route or
//! method, 413 for a body over 8 MiB, 400, 415 or 422 for input that cannot be used.

mod accounts;
mod basket;
mod body;
mod catalogue;
mod counts;
mod freeze;
mod ledger;
mod recent;
mod refusal;
mod routes;
mod server;
mod sessions;
mod shop;

pub use body::BODY_BYTES_MAX;
pub use routes::router;
pub use server::serve;
