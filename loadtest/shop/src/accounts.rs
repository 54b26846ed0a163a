//! Who may log in: ten thousand accounts that are always there, and those that were opened.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::refusal::Refusal;

/// The number of an account.
pub(crate) type UserId = u64;

/// `user0000` to `user9999`.
const ALWAYS_THERE: UserId = 10_000;

/// So many accounts may be open beside them.
const OPENED_MAX: usize = 1_000;

/// The longest name and the longest password, in bytes.
const WORD_BYTES_MAX: usize = 128;

/// What somebody says to log in.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Credentials {
    pub(crate) username: String,
    pub(crate) password: String,
}

/// An account as it is shown.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Account {
    pub(crate) user_id: UserId,
    pub(crate) username: String,
}

/// All accounts.
#[derive(Debug, Default)]
pub(crate) struct Accounts {
    opened: BTreeMap<UserId, Credentials>,
    opened_ever: u64,
}

impl Accounts {
    /// Whose credentials these are.
    pub(crate) fn identify(&self, Credentials { username, password }: &Credentials) -> Option<UserId> {
        if let Some(id) = always_there(username) {
            return (*password == format!("secret-{id}")).then_some(id);
        }
        let (id, account) = self.find_opened(username)?;
        (account.password == *password).then_some(id)
    }

    /// The account with this number.
    pub(crate) fn get(&self, user_id: UserId) -> Option<Account> {
        let username = if user_id < ALWAYS_THERE {
            format!("user{user_id:04}")
        } else {
            self.opened.get(&user_id)?.username.clone()
        };
        Some(Account { user_id, username })
    }

    /// Opens an account with these credentials.
    pub(crate) fn open(&mut self, credentials: Credentials) -> Result<Account, Refusal> {
        let Credentials { username, password } = &credentials;
        for (what, word) in [("username", username), ("password", password)] {
            if word.is_empty() || word.len() > WORD_BYTES_MAX {
                let reason = format!("the {what} must have from 1 to {WORD_BYTES_MAX} bytes");
                return Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, reason));
            }
        }
        if always_there(username).is_some() || self.find_opened(username).is_some() {
            return Err(Refusal::new(StatusCode::CONFLICT, "there is an account of this name"));
        }
        if self.opened.len() >= OPENED_MAX {
            let reason = format!("there are {OPENED_MAX} accounts already, delete one");
            return Err(Refusal::new(StatusCode::INSUFFICIENT_STORAGE, reason));
        }
        let (user_id, username) = (ALWAYS_THERE + self.opened_ever, username.clone());
        self.opened_ever += 1;
        self.opened.insert(user_id, credentials);
        Ok(Account { user_id, username })
    }

    /// Closes an account that was opened; `false` if there is none.
    pub(crate) fn close(&mut self, user_id: UserId) -> bool {
        self.opened.remove(&user_id).is_some()
    }

    /// The accounts that were opened and not closed.
    pub(crate) fn opened(&self) -> Vec<Account> {
        self.opened.keys().filter_map(|user_id| self.get(*user_id)).collect()
    }

    fn find_opened(&self, username: &str) -> Option<(UserId, &Credentials)> {
        let (id, account) = self.opened.iter().find(|(_, account)| account.username == username)?;
        Some((*id, account))
    }
}

/// The number in `user0042`.
fn always_there(username: &str) -> Option<UserId> {
    let digits = username.strip_prefix("user")?;
    let is_number = digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { digits.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials(username: &str, password: &str) -> Credentials {
        Credentials { username: username.to_owned(), password: password.to_owned() }
    }

    #[test]
    fn ten_thousand_accounts_are_always_there() {
        let check = |username: &str, password: &str, expected: Option<UserId>| {
            let found = Accounts::default().identify(&credentials(username, password));
            assert_eq!(found, expected, "{username} {password}");
        };
        check("user0000", "secret-0", Some(0));
        check("user0042", "secret-42", Some(42));
        check("user9999", "secret-9999", Some(9_999));
        check("user0042", "secret-0042", None);
        check("user0042", "secret-43", None);
        check("user42", "secret-42", None);
        check("user+042", "secret-42", None);
        check("user10000", "secret-10000", None);
        check("", "", None);
    }

    #[test]
    fn an_account_is_known_from_its_opening_to_its_closing() {
        let mut accounts = Accounts::default();
        let ada = credentials("ada", "lovelace");
        assert_eq!(accounts.identify(&ada), None);
        let account = accounts.open(ada.clone()).unwrap();
        assert_eq!(account, Account { user_id: 10_000, username: "ada".to_owned() });
        assert_eq!(accounts.identify(&ada), Some(10_000));
        assert_eq!(accounts.identify(&credentials("ada", "byron")), None);
        assert_eq!(accounts.opened(), [account]);

        assert!(accounts.close(10_000) && !accounts.close(10_000) && !accounts.close(42));
        assert_eq!((accounts.identify(&ada), accounts.get(10_000)), (None, None));
        assert_eq!(accounts.open(ada).unwrap().user_id, 10_001, "numbers are not used again");
    }

    #[test]
    fn accounts_that_cannot_be_opened_are_refused() {
        let mut accounts = Accounts::default();
        accounts.open(credentials("ada", "lovelace")).unwrap();
        let mut check = |username: &str, password: &str, expected: StatusCode| {
            let refusal = accounts.open(credentials(username, password)).unwrap_err();
            assert_eq!(refusal.status(), expected, "{username:.9}");
        };
        check("ada", "x", StatusCode::CONFLICT);
        check("user0042", "x", StatusCode::CONFLICT);
        check("", "x", StatusCode::UNPROCESSABLE_ENTITY);
        check("x", "", StatusCode::UNPROCESSABLE_ENTITY);
        check(&"x".repeat(WORD_BYTES_MAX + 1), "x", StatusCode::UNPROCESSABLE_ENTITY);
        for number in 1..OPENED_MAX {
            accounts.open(credentials(&number.to_string(), "x")).unwrap();
        }
        let refusal = accounts.open(credentials("one more", "x")).unwrap_err();
        assert_eq!(refusal.status(), StatusCode::INSUFFICIENT_STORAGE);
    }
}
