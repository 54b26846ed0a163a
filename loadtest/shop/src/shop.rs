//! What the connections of one shop share.

use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use axum::http::{HeaderMap, header};

use crate::accounts::{Account, Accounts, UserId};
use crate::counts::Counts;
use crate::freeze::Freeze;
use crate::ledger::Ledger;
use crate::recent::Recent;
use crate::refusal::Refusal;
use crate::routes::Upload;
use crate::sessions::{Sessions, new_secret};

const TOKENS_MAX: usize = 100_000;
const ORDERS_MAX: usize = 10_000;
const UPLOADS_MAX: usize = 1_000;

/// One shop.
#[derive(Debug, Default)]
pub(crate) struct Shop {
    state: Mutex<State>,
    pub(crate) counts: Counts,
    pub(crate) freeze: Freeze,
}

/// What the shop remembers. It is locked as a whole and only for moments, so answers are consistent.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) accounts: Accounts,
    tokens: Recent<String, UserId>,
    pub(crate) sessions: Sessions,
    /// JSON objects, as they came.
    pub(crate) orders: Ledger<Bytes>,
    pub(crate) uploads: Ledger<Upload>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            accounts: Accounts::default(),
            tokens: Recent::new(TOKENS_MAX),
            sessions: Sessions::default(),
            orders: Ledger::new(ORDERS_MAX),
            uploads: Ledger::new(UPLOADS_MAX),
        }
    }
}

impl Shop {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        // Nothing is left half done where a handler could panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// A new token that stands for this user.
    pub(crate) fn new_token(&mut self, user: UserId) -> String {
        let token = new_secret();
        self.tokens.insert(token.clone(), user);
        token
    }

    /// Who sends a request, by its bearer token or, without one, by its session.
    pub(crate) fn account_of(&mut self, headers: &HeaderMap) -> Result<Account, Refusal> {
        let user = match headers.get(header::AUTHORIZATION) {
            Some(value) => {
                let token = value.to_str().ok().and_then(|value| value.strip_prefix("Bearer "));
                token.and_then(|token| self.tokens.get(token)).copied()
            }
            None => self.sessions.find(headers).and_then(|session| session.user),
        };
        // The account may have been closed since.
        let account = user.and_then(|user| self.accounts.get(user));
        account.ok_or_else(|| Refusal::unauthorized("log in first, see /login"))
    }
}
