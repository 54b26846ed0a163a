//! What must not be shown to whoever reads a report.

use std::borrow::Cow;

/// What stands in place of a secret.
const HIDDEN: &str = "***";

/// Words in the names of options whose values are secrets.
const SECRET_WORDS: [&str; 6] = ["password", "passwd", "secret", "token", "key", "credential"];

/// A text whose URLs have no user name and password: `http://***@host/`.
pub fn without_userinfo(text: &str) -> Cow<'_, str> {
    if !text.contains("://") || !text.contains('@') {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        let ends = |char: char| char.is_whitespace() || "/?#\"'<>,".contains(char);
        let (authority, _) = after.split_at(after.find(ends).unwrap_or(after.len()));
        shown.push_str(before);
        shown.push_str("://");
        rest = match authority.rfind('@') {
            Some(at) => {
                shown.push_str(HIDDEN);
                &after[at..]
            }
            None => after,
        };
    }
    shown.push_str(rest);
    Cow::Owned(shown)
}

/// A command line in one line, without what its options keep secret and without user names in URLs.
pub fn command_line(args: impl IntoIterator<Item = String>) -> String {
    let mut shown = Vec::new();
    let mut hide_next = false;
    for arg in args {
        let option = arg.starts_with("--").then(|| arg.split('=').next().unwrap_or(&arg).to_lowercase());
        let is_secret = option.is_some_and(|name| SECRET_WORDS.iter().any(|word| name.contains(word)));
        shown.push(match arg.split_once('=') {
            _ if hide_next && !arg.starts_with("--") => HIDDEN.to_owned(),
            Some((name, _)) if is_secret => format!("{name}={HIDDEN}"),
            _ => quoted(&without_userinfo(&arg)),
        });
        hide_next = is_secret && !arg.contains('=');
    }
    shown.join(" ")
}

/// As a shell would have to be told.
fn quoted(arg: &str) -> String {
    let plain = |char: char| char.is_alphanumeric() || "-_./:=,@+%*".contains(char);
    if !arg.is_empty() && arg.chars().all(plain) {
        arg.to_owned()
    } else {
        format!("'{}'", arg.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_keep_their_hosts_only() {
        let check = |text: &str, expected: &str| assert_eq!(without_userinfo(text), expected);
        check("http://host/a@b", "http://host/a@b");
        check("http://me:secret@host:80/a", "http://***@host:80/a");
        check("a https://me@x and ftp://y:p@ss@z!", "a https://***@x and ftp://***@z!");
        check("me@example.com", "me@example.com");
    }

    #[test]
    fn secrets_are_not_shown() {
        let check = |args: &[&str], expected: &str| {
            assert_eq!(command_line(args.iter().map(|arg| (*arg).to_owned())), expected);
        };
        check(&["m", "-H", "http://a:b@c", "-u", "5"], "m -H http://***@c -u 5");
        check(
            &["m", "--api-token", "x", "--Password=y", "-f", "a b.yaml"],
            "m --api-token *** --Password=*** -f 'a b.yaml'",
        );
        check(&["m", "--token", "--headless"], "m --token --headless");
    }
}
