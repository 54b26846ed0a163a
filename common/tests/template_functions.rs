//! What the functions of the template language say: digests, Base64, JSON, time, counters, environment, weighted
//! choices; and what a context tells whoever renders with it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rand::Rng;
use sentinel_common::random::UserRng;
use sentinel_common::scenario::{Identity, Outside, RenderContext, Scenario, Step, Template, Value};

/// 2026-01-31 12:34:56.789012 UTC.
const NOW_US: u64 = 1_769_862_896_789_012;

fn user_number(index: u64, outside: &Outside) -> RenderContext {
    let identity = Identity { run_id: "r-1", seed: 42, class: "A", index, host: "http://a" };
    let mut user = RenderContext::new(&identity, outside);
    user.set(&Arc::from("word"), Value::from("abc"));
    user.set(&Arc::from("n"), Value::from(5));
    user
}

fn user() -> RenderContext {
    let outside = Outside::default().with_clock(|| NOW_US).with_env(|name| match name {
        "TOKEN" => Some("secret".to_owned()),
        "EMPTY" => Some(String::new()),
        _ => None,
    });
    user_number(0, &outside)
}

fn load(template: &str) -> Result<Scenario, String> {
    let template = template.replace('\'', "''");
    let text = format!(
        "users: {{ A: {{ tasks: [{{ name: t, steps: [{{ set: {{ word: a, n: 1 }} }}, {{ set: {{ x: '{template}' }} }}] }}] }} }}"
    );
    Scenario::load("f", &text).map_err(|notes| notes.to_string())
}

fn compile(template: &str) -> Template {
    let scenario = load(template).unwrap_or_else(|notes| panic!("{notes}\n{template}"));
    match scenario.users[0].tasks[0].steps() {
        [_, Step::Set(assignments)] => assignments[0].1.clone(),
        steps => panic!("{steps:?}"),
    }
}

/// What an expression yields, as Python would print it.
fn evaluate(expression: &str, user: &RenderContext) -> Result<String, String> {
    let value = compile(&format!("{{{{ {expression} }}}}")).evaluate(user);
    value.map(|value| format!("{value:?}")).map_err(|error| error.reason)
}

/// Checks what a fresh user's expression yields, compiled natively if it can be, and run by the engine.
fn check(expression: &str, expected: &str) {
    assert_eq!(evaluate(expression, &user()).as_deref(), Ok(expected), "{expression}");
    assert_eq!(evaluate(&format!("({expression})"), &user()).as_deref(), Ok(expected), "({expression})");
}

/// Checks why a fresh user's expression yields nothing.
fn check_failure(expression: &str, expected: &str) {
    for expression in [expression.to_owned(), format!("({expression})")] {
        let reason = evaluate(&expression, &user()).unwrap_err();
        assert_eq!(reason.trim_start_matches("invalid operation: "), expected, "{expression}");
    }
}

#[test]
fn digests_are_those_of_the_standards() {
    check("hash('abc')", "'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'");
    check("hash(word, algorithm='sha1')", "'a9993e364706816aba3e25717850c26c9cd0d89d'");
    check("word | hash('md5')", "'900150983cd24fb0d6963f7d28e17f72'");
    check("'' | hash('md5')", "'d41d8cd98f00b204e9800998ecf8427e'");
    check("'é' | hash('md5')", "'66ddcd97cfdeabb2f6fb8a999b4bc76f'");
    check("hash('abc', 'sha512')[:16]", "'ddaf35a193617aba'");
    check("(hash('abc', 'sha512') | length)", "128");
    check("hash(12) == hash('12')", "True");
    check_failure("hash([word])", "`hash` needs text, got sequence");
    check_failure("hash(word, word)", "`hash` has no algorithm `abc`; it has sha256, sha512, sha1, md5");
}

#[test]
fn base64_is_written_padded_and_read_in_any_form() {
    check("b64('')", "''");
    check("b64('f')", "'Zg=='");
    check("word | b64", "'YWJj'");
    check("b64('>>>???é')", "'Pj4+Pz8/w6k='");
    check("b64('>>>???é', urlsafe=true)", "'Pj4-Pz8_w6k='");
    check("'>>>???é' | b64(true)", "'Pj4-Pz8_w6k='");
    check("b64(-1.5)", "'LTEuNQ=='");
    for written in ["Pj4+Pz8/w6k=", "Pj4-Pz8_w6k=", "Pj4+Pz8/w6k", "Pj4-Pz8_w6k"] {
        check(&format!("b64decode('{written}')"), "'>>>???é'");
    }
    check("word | b64 | b64decode", "'abc'");
    check_failure("b64decode(word ~ '!')", "`b64decode` needs Base64, got something else");
    check_failure("b64decode('+_' ~ word)", "`b64decode` needs Base64, got something else");
    check_failure("('/w' ~ '==') | b64decode", "`b64decode` found bytes that are no text (UTF-8)");
    check_failure("b64(word, n)", "`b64` needs true or false for `urlsafe`, got number");
}

#[test]
fn json_text_is_what_a_json_body_would_be() {
    check("json('a\"é')", "'\"a\\\\\"é\"'");
    check(
        "json([1, 2.0, 0.1, true, none, {'b': [], 'a': 'x'}])",
        "'[1,2.0,0.1,true,null,{\"a\":\"x\",\"b\":[]}]'",
    );
    check("{'n': n} | json", "'{\"n\":5}'");
    check("'<' | json", "'\"<\"'");
    check_failure("json(1e308 * 10)", "`json` failed: JSON has no NaN and no infinity");
    check_failure("json(word.nope)", "`json` failed: JSON has no undefined value");
}

#[test]
fn json_text_of_a_small_value_is_bounded() {
    let mut user = user();
    user.set(&Arc::from("n"), Value::from("x".repeat(1 << 20)));
    let row = compile("{{ [n, n, n, n, n, n, n, n, n, n, n, n] }}").evaluate(&user).unwrap();
    user.set(&Arc::from("n"), row);
    let reason = evaluate("json([n, n, n, n, n, n, n, n])", &user).unwrap_err();
    assert!(reason.ends_with("`json` failed: the document is larger than 64 MiB"), "{reason}");
}

#[test]
fn the_time_is_told_in_the_form_that_was_asked_for() {
    check("now()", "1769862896.789012");
    check("now(format='s') | int", "1769862896");
    check("now('ms')", "1769862896789");
    check("now('us')", "1769862896789012");
    check("now('iso')", "'2026-01-31T12:34:56.789Z'");
    check("now('%Y-%m-%d')", "'2026-01-31'");
    check("now('%d.%m.%y %H:%M:%S.%3f %a %%')", "'31.01.26 12:34:56.789 Sat %'");
    check_failure("now(word)", "`now` needs 's', 'ms', 'us', 'iso' or a format like '%Y-%m-%d', got `abc`");
    check_failure("now([n])", "`now` needs text for its format, got sequence");
    let timeless = user_number(0, &Outside::default());
    assert_eq!(evaluate("now()", &timeless), Err("there is no clock where this is rendered".to_owned()));
    let distant = user_number(0, &Outside::default().with_clock(|| u64::MAX));
    assert_eq!(evaluate("now('iso')", &distant), Err("cannot write a time beyond the year 9999".to_owned()));
}

#[test]
fn the_clock_is_read_once_for_each_call_and_never_without() {
    let readings = Arc::new(AtomicU64::new(0));
    let clock = readings.clone();
    let user = user_number(0, &Outside::default().with_clock(move || clock.fetch_add(1, Ordering::Relaxed)));
    evaluate("uniform(0, 1) + counter()", &user).unwrap();
    assert_eq!(readings.load(Ordering::Relaxed), 0);
    assert_eq!(evaluate("[now('us'), now('us'), now('us')]", &user).as_deref(), Ok("[0, 1, 2]"));
    assert_eq!(evaluate("now('us')", &user).as_deref(), Ok("3"));
}

#[test]
fn counters_count_for_each_user_and_each_name() {
    let (first, second) = (user_number(0, &Outside::default()), user_number(1, &Outside::default()));
    let check = |user: &RenderContext, expression: &str, expected: &str| {
        assert_eq!(evaluate(expression, user).as_deref(), Ok(expected), "{expression}");
    };
    check(&first, "counter()", "0");
    check(&first, "counter()", "1");
    check(&first, "counter(word)", "0");
    check(&first, "[counter(), counter(), counter('')]", "[2, 3, 4]");
    check(&second, "counter()", "0");
    check(&first, "counter('x', 10, -5)", "10");
    check(&first, "counter('x', start=99, step=-5)", "5");
    check(&first, "counter('x')", "6");
    check(&first, "counter('end', 9223372036854775807)", "9223372036854775807");
    let beyond = evaluate("counter('end')", &first);
    assert_eq!(beyond, Err("counter `end` has left the 64-bit integers".to_owned()));
    check_failure("counter(n)", "`counter` needs text for its name, got number");
    check_failure("counter(word, 1, n / 2)", "`counter` needs integers, got 2.5");
}

#[test]
fn counters_with_computed_names_are_bounded() {
    let user = user();
    for _ in 0..1000 {
        evaluate("counter(uuid4())", &user).unwrap();
    }
    let reason = evaluate("counter(uuid4())", &user).unwrap_err();
    assert!(reason.ends_with("a user has at most 1000 counters"), "{reason}");
}

#[test]
fn environment_variables_come_before_their_defaults() {
    check("env('TOKEN')", "'secret'");
    check("env('TOKEN', 'x')", "'secret'");
    check("env('EMPTY', 'x')", "''");
    check("env('NOPE', 'x')", "'x'");
    check("env(name='NOPE', default=none)", "None");
    check("env('TO' ~ 'KEN')", "'secret'");
    check_failure("env('NOPE')", "`NOPE` is not in the environment, and it has no default");
    check_failure("env(n)", "`env` needs text for its name, got number");
    let bare = user_number(0, &Outside::default());
    assert_eq!(evaluate("env('TOKEN', 1)", &bare).as_deref(), Ok("1"));
}

#[test]
fn weighted_choices_have_their_odds() {
    let check = |weights: &str, expected: &[(&str, f64)]| {
        for expression in [format!("weighted_choice({weights})"), format!("(weighted_choice({weights}))")] {
            let (user, template) = (user(), compile(&format!("{{{{ {expression} }}}}")));
            let mut counts: HashMap<String, f64> = HashMap::new();
            for _ in 0..20_000 {
                *counts.entry(template.evaluate(&user).unwrap().to_string()).or_default() += 1.0 / 20_000.0;
            }
            assert_eq!(counts.len(), expected.len(), "{expression}: {counts:?}");
            for (item, odds) in expected {
                assert!((counts[*item] - odds).abs() < 0.015, "{expression}: {counts:?}");
            }
        }
    };
    check("{'a': 3, 'b': 1}", &[("a", 0.75), ("b", 0.25)]);
    check("[['a', 3], ['b', 1]]", &[("a", 0.75), ("b", 0.25)]);
    check("[['a', 0.0], ['b', 0.5], [none, 1.5], [7, 0],]", &[("b", 0.25), ("None", 0.75)]);
    check("{'a': n, word: n, 'z': 0}", &[("a", 0.5), ("abc", 0.5)]);
    check("{'a': 1e-300}", &[("a", 1.0)]);
}

#[test]
fn native_and_engine_calls_of_weighted_choice_draw_the_same() {
    let (native, engine) = (user(), user());
    for _ in 0..50 {
        let drawn = evaluate("weighted_choice({'a': 3, 'b': 1, 'c': 2})", &native);
        assert_eq!(drawn, evaluate("weighted_choice([['a', n - 2], ['b', 1], ['c', 2]])", &engine));
    }
}

#[test]
fn the_run_is_known_to_templates() {
    check("run.id", "'r-1'");
    check("run.seed + 1", "43");
    check("run.id ~ user.id", "'r-1A-0'");
}

#[test]
fn names_below_other_names_are_nobodys_business() {
    let user = user();
    let order: BTreeMap<String, String> = [("name".to_owned(), "x".to_owned())].into();
    let order = Value::from_pairs([("user", Value::from_pairs(order))]);
    let mut user = user;
    user.set(&Arc::from("word"), order);
    assert_eq!(evaluate("word.user.name ~ user.index", &user).as_deref(), Ok("'x0'"));
}

#[test]
fn a_context_tells_what_templates_read() {
    let mut user = user();
    user.begin_task(&Arc::from("browse"), 3);
    let read = |name: &str| user.get(name).map(|value| value.to_string());
    assert_eq!(read("word").as_deref(), Some("abc"));
    assert_eq!(read("task").as_deref(), Some("browse"));
    assert_eq!(read("iteration").as_deref(), Some("3"));
    assert_eq!(read("host").as_deref(), Some("http://a"));
    assert_eq!(read("nope"), None);
}

#[test]
fn variables_of_one_user_can_be_every_users() {
    let first = user_number(0, &Outside::default());
    let names: Vec<_> = first.variables().keys().map(ToString::to_string).collect();
    assert_eq!(names, ["n", "word"]);
    let mut second = user_number(1, &Outside::default());
    second.seed_variables(first.variables());
    second.set(&Arc::from("n"), Value::from(6));
    assert_eq!(evaluate("[n, word, user.index]", &second).as_deref(), Ok("[6, 'abc', 1]"));
    assert_eq!(evaluate("n", &first).as_deref(), Ok("5"));
}

#[test]
fn a_user_draws_from_the_stream_that_it_was_given_last() {
    let mut user = user();
    assert_eq!(user.with_rng(Rng::next_u64), UserRng::for_user(42, "A", 0).next_u64());
    user.reseed(UserRng::for_user(42, "A", 7));
    assert_eq!(user.with_rng(Rng::next_u64), UserRng::for_user(42, "A", 7).next_u64());
}
