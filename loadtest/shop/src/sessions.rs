//! Sessions: who a cookie stands for, and what is in the basket.

use axum::http::{HeaderMap, header};
use uuid::Uuid;

use crate::accounts::UserId;
use crate::basket::Basket;
use crate::recent::Recent;

/// The name of the cookie.
const COOKIE: &str = "session";

const SESSIONS_MAX: usize = 100_000;

/// What the shop knows about one browser.
#[derive(Debug)]
pub(crate) struct Session {
    /// What a form must send along, so that it cannot come from another site.
    pub(crate) csrf_token: String,
    /// Who has logged in.
    pub(crate) user: Option<UserId>,
    pub(crate) basket: Basket,
}

/// All sessions by the value of their cookie.
#[derive(Debug)]
pub(crate) struct Sessions(Recent<String, Session>);

/// A session that a request belongs to.
pub(crate) struct Visit<'s> {
    pub(crate) session: &'s mut Session,
    /// The `Set-Cookie` header that the answer needs, if the session is new.
    pub(crate) set_cookie: Option<String>,
}

impl Default for Sessions {
    fn default() -> Self {
        Self(Recent::new(SESSIONS_MAX))
    }
}

impl Sessions {
    /// The session that the request's cookie names.
    pub(crate) fn find(&mut self, headers: &HeaderMap) -> Option<&mut Session> {
        self.0.get_mut(session_cookie(headers)?)
    }

    /// The same, or a new session.
    pub(crate) fn find_or_begin(&mut self, headers: &HeaderMap) -> Visit<'_> {
        let known = session_cookie(headers).filter(|id| self.0.get(*id).is_some());
        let (id, set_cookie) = match known {
            Some(id) => (id.to_owned(), None),
            None => {
                let id = self.begin();
                let set_cookie = format!("{COOKIE}={id}; Path=/; HttpOnly; SameSite=Lax");
                (id, Some(set_cookie))
            }
        };
        let session = self.0.get_mut(&id).expect("it was found or begun just now");
        Visit { session, set_cookie }
    }

    fn begin(&mut self) -> String {
        let id = new_secret();
        self.0
            .insert(id.clone(), Session { csrf_token: new_secret(), user: None, basket: Basket::default() });
        id
    }
}

/// A word that nobody can guess.
pub(crate) fn new_secret() -> String {
    Uuid::new_v4().simple().to_string()
}

fn session_cookie(headers: &HeaderMap) -> Option<&str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut cookies =
        lines.flat_map(|line| line.split(';')).filter_map(|cookie| cookie.trim().split_once('='));
    cookies.find(|(name, _)| *name == COOKIE).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cookie_is_found_among_others() {
        let check = |lines: &[&str], expected: Option<&str>| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(header::COOKIE, line.parse().unwrap());
            }
            assert_eq!(session_cookie(&headers), expected, "{lines:?}");
        };
        check(&[], None);
        check(&["session=1"], Some("1"));
        check(&["a=b; session=1;c=d"], Some("1"));
        check(&["a=b", "session=1"], Some("1"));
        check(&["my-session=1; session"], None);
    }

    #[test]
    fn a_session_lasts_as_long_as_its_cookie_is_sent() {
        let mut sessions = Sessions::default();
        let first = sessions.find_or_begin(&HeaderMap::new());
        first.session.user = Some(7);
        let cookie = first.set_cookie.unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, cookie.split(';').next().unwrap().parse().unwrap());
        let again = sessions.find_or_begin(&headers);
        assert_eq!((again.session.user, again.set_cookie), (Some(7), None));
        headers.insert(header::COOKIE, "session=forged".parse().unwrap());
        assert!(sessions.find(&headers).is_none());
        assert!(sessions.find_or_begin(&headers).set_cookie.is_some());
    }
}
