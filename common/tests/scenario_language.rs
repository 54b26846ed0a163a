//! What scenario files mean: templates, random functions, JSON documents, expectations, profiles.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use rand::Rng;
use sentinel_common::random::UserRng;
use sentinel_common::scenario::{
    Answer, Body, Identity, Outside, RenderContext, RequestStep, Scenario, Step, Task, Value,
};
use serde_json::{Value as Json, json};

/// A user of seed 1.
fn user(class: &str, index: u64) -> RenderContext {
    let identity = Identity { run_id: "r-1", seed: 1, class, index, host: "http://a" };
    RenderContext::new(&identity, &Outside::default())
}

fn load(text: &str) -> Scenario {
    Scenario::load("test.yaml", text).unwrap_or_else(|notes| panic!("{notes}\n{text}"))
}

/// The request of a scenario whose one task sets `n`, `items` and `word`, then does `request`.
fn request(request: &str) -> RequestStep {
    let scenario = load(&format!(
        "users: {{ A: {{ tasks: [{{ name: t, steps: [{{ set: {{ n: 3, items: \"{{{{ ['a', 1] }}}}\", word: hi }} }}, \
         {{ {request} }}] }}] }} }}"
    ));
    match &scenario.users[0].tasks[0].steps()[1] {
        Step::Request(request) => RequestStep::clone(request),
        step => panic!("{step:?}"),
    }
}

/// A user for whom `n`, `items` and `word` are set.
fn prepared_user(index: u64) -> RenderContext {
    let mut user = user("A", index);
    user.begin_task(&Arc::from("t"), 7);
    user.set(&Arc::from("n"), Value::from(3));
    user.set(&Arc::from("items"), Value::from(vec![Value::from("a"), Value::from(1)]));
    user.set(&Arc::from("word"), Value::from("hi"));
    user
}

/// What a request says about an answer without headers.
fn check_answer(request: &RequestStep, status: u16, body: &[u8], user: &RenderContext) -> Result<(), String> {
    let headers = http::HeaderMap::new();
    let answer = Answer::new(status, &headers, body, Duration::ZERO, &|_| None);
    request.expect.check(&answer, user)
}

/// The JSON body that `tree` renders to, as text.
fn render_json(tree: &str, user: &RenderContext) -> Result<String, String> {
    let Body::Json(template) = request(&format!("post: /, json: {tree}")).body else { panic!("no JSON") };
    let mut out = Vec::new();
    template.render_into(&mut out, user).map_err(|error| error.to_string())?;
    Ok(String::from_utf8(out).unwrap())
}

fn render_text(template: &str, user: &RenderContext) -> Result<String, String> {
    let Body::Text(template) = request(&format!("post: /, body: {template}")).body else { panic!("no text") };
    template.render(user).map(|text| text.into_owned()).map_err(|error| error.to_string())
}

#[test]
fn json_keeps_the_types_of_expressions() {
    let check = |tree: &str, expected: &str| {
        assert_eq!(render_json(tree, &prepared_user(0)).as_deref(), Ok(expected), "{tree}");
    };
    check("{}", "{}");
    check("[]", "[]");
    check(
        "[1, 1.5, -0.0, 1e300, true, null, ~, text, \"5\", 'true']",
        "[1,1.5,-0.0,1e+300,true,null,null,\"text\",\"5\",\"true\"]",
    );
    check("[9223372036854775807, 18446744073709551615]", "[9223372036854775807,18446744073709551615]");
    check("{ \"a b\": { c: [{}] } }", "{\"a b\":{\"c\":[{}]}}");
    check("'{{ n }}'", "3");
    check("' {{ n }}'", "\" 3\"");
    check("'{{ n }}{{ n }}'", "\"33\"");
    check("'n={{ n }}'", "\"n=3\"");
    check("'{{ n / 2 }}'", "1.5");
    check("'{{ n | string }}'", "\"3\"");
    check("'{{ items }}'", "[\"a\",1]");
    check("'{{ {\"b\": {\"c\": none}} }}'", "{\"b\":{\"c\":null}}");
    check("'{{ n > 2 }}'", "true");
    check("'{{ word }}'", "\"hi\"");
    check("\"quote \\\" and \\\\ {{ word }}\\n\"", "\"quote \\\" and \\\\ hi\\n\"");
    check("'{% if n == 3 %}three{% else %}other{% endif %}'", "\"three\"");
    check("'{# a comment #}x'", "\"x\"");
    check(
        "'{{ user.id }} {{ user.index + 1 }} {{ user.class }} {{ host }} {{ task }} {{ iteration }}'",
        "\"A-0 1 A http://a t 7\"",
    );
    check("'{{ [2, 5, 3] | max }}'", "5");
    check("'{{ 2.675 | round(2) }}'", "2.67");
    check("'{{ [0.5 | at_least(1), 7 | at_most(5), 3 | at_least(1)] }}'", "[1.0,5,3]");
    check("'{{ range(3) }}'", "[0,1,2]");
    check("'{{ choice([\"only\"]) }}'", "\"only\"");
    check("'{{ choice([\"\\u00e9\\n\"]) }}'", "\"é\\n\"");
}

#[test]
fn repetitions_render_each_item_anew() {
    let check = |tree: &str, expected: &str| {
        assert_eq!(render_json(tree, &prepared_user(0)).as_deref(), Ok(expected), "{tree}");
    };
    check("{ $repeat: 2, $item: x }", "[\"x\",\"x\"]");
    check("{ $repeat: 0, $item: x }", "[]");
    check("{ $repeat: '{{ n }}', $item: { a: '{{ n }}' } }", "[{\"a\":3},{\"a\":3},{\"a\":3}]");
    check("{ $repeat: 2, $item: { $repeat: 2, $item: 1 } }", "[[1,1],[1,1]]");
    let ids = render_json("{ $repeat: 100, $item: '{{ uuid4() }}' }", &prepared_user(0)).unwrap();
    let ids: std::collections::HashSet<String> = serde_json::from_str(&ids).unwrap();
    assert_eq!(ids.len(), 100);
}

#[test]
fn what_cannot_be_rendered_is_an_error_and_not_a_guess() {
    let check = |tree: &str, expected: &str| {
        let expected = format!("failed to render `{}`: {expected}", tree.trim_matches('\''));
        assert_eq!(render_json(tree, &prepared_user(0)), Err(expected), "{tree}");
    };
    check("'{{ 1e308 * 10 }}'", "JSON has no NaN and no infinity");
    check("'{{ items.nope }}'", "it is undefined");
    check("'{{ randint(n, 1) }}'", "invalid operation: `randint` needs a <= b, got 3 and 1");
    check("'{{ n | at_least(word) }}'", "invalid operation: cannot convert string to f64");
    check("'{{ word | at_least(1) }}'", "invalid operation: expected a number, got string");
    let check_count = |count: &str| {
        let result = render_json(&format!("{{ $repeat: '{count}', $item: 1 }}"), &prepared_user(0));
        assert_eq!(
            result,
            Err(format!("failed to render `{count}`: $repeat needs an integer from 0 to 100000"))
        );
    };
    check_count("{{ word }}");
    check_count("{{ n * 100000 }}");
    check_count("{{ 0 - n }}");
    check_count("{{ n / 2 }}");
    let unset = render_json("'{{ n }}'", &user("A", 0));
    assert_eq!(unset, Err("failed to render `{{ n }}`: `n` has not been set yet".to_owned()));
}

#[test]
fn endless_templates_run_out_of_fuel() {
    let check = |template: &str| {
        let error = render_text(template, &prepared_user(0)).unwrap_err();
        assert!(error.contains("fuel"), "{error}");
    };
    check("\"{{ 'x' * 1000000000 }}\"");
    check("\"{% for a in range(10000) %}{% for b in range(10000) %}{{ b }}{% endfor %}{% endfor %}\"");
    let grown =
        render_json("{ $repeat: 100000, $item: { $repeat: 100000, $item: 12345678 } }", &prepared_user(0));
    assert!(grown.unwrap_err().ends_with("the document is larger than 64 MiB"));
}

#[test]
fn compiled_scenarios_can_be_shared_between_threads() {
    fn check<T: Send + Sync>() {}
    check::<Scenario>();
    check::<RenderContext>();
}

#[test]
fn texts_render_as_they_are_written() {
    let check = |template: &str, expected: &str| {
        assert_eq!(render_text(template, &prepared_user(0)).as_deref(), Ok(expected), "{template}");
    };
    check("plain", "plain");
    check("5", "5");
    check("true", "true");
    check("1.50", "1.50");
    check("'<{{ word }}> & é'", "<hi> & é");
    check("\"{% for i in range(3) %}{{ i }},{% endfor %}\\n\"", "0,1,2,\n");
    check("'{{- word -}} x'", "hix");
    check("\"{{ '}}' }}{{ word ~ '!' }}\"", "}}hi!");
    // However a template is compiled, values look as the engine prints them.
    for expression in ["n > 2", "none", "items", "1.0", "1e300", "{'a': true}", "'<'"] {
        let pieces = render_text(&format!("\"{{{{ {expression} }}}}.\""), &prepared_user(0));
        let engine = render_text(&format!("\"{{# #}}{{{{ {expression} }}}}.\""), &prepared_user(0));
        assert_eq!(pieces, engine, "{expression}");
    }
}

#[test]
fn assignments_see_those_before_them_and_keep_their_types() {
    let scenario = load(
        "users: { A: { tasks: [{ name: t, steps: [{ set: { a: 5, b: '{{ a + 1 }}', c: 'x{{ b }}', d: 1.5, e: true } }] }] } }",
    );
    let Step::Set(assignments) = &scenario.users[0].tasks[0].steps()[0] else { panic!("no set") };
    let mut user = user("A", 0);
    user.assign(assignments).unwrap();
    let values: HashMap<&str, String> = assignments
        .iter()
        .map(|(name, template)| (&**name, format!("{:?}", template.evaluate(&user).unwrap())))
        .collect();
    let expected = [("a", "5"), ("b", "6"), ("c", "'x6'"), ("d", "1.5"), ("e", "True")];
    assert_eq!(values, expected.into_iter().map(|(name, value)| (name, value.to_owned())).collect());
}

#[test]
fn a_seed_a_class_and_a_number_make_the_stream() {
    const TREE: &str =
        "['{{ randint(0, 1000000) }}', '{{ normal() }}', '{{ 1 + uniform(0, 1) }}', '{{ uuid4() }}']";
    let draw = |class: &str, index| render_json(TREE, &user(class, index)).unwrap();
    assert_eq!(draw("A", 0), draw("A", 0));
    assert_ne!(draw("A", 0), draw("A", 1));
    assert_ne!(draw("A", 0), draw("B", 0));
    let context = user("A", 0);
    let draw_again = || render_json(TREE, &context).unwrap();
    assert_ne!(draw_again(), draw_again(), "the stream moves on");
}

#[test]
fn native_and_engine_calls_draw_the_same() {
    let check = |native: &str, engine: &str| {
        let draw = |expression: &str| {
            let tree = format!("{{ $repeat: 50, $item: \"{{{{ {expression} }}}}\" }}");
            render_json(&tree, &prepared_user(0)).unwrap()
        };
        assert_eq!(draw(native), draw(engine), "{native}");
    };
    check("randint(1, 9)", "randint(n - 2, n * 3)");
    check("uniform(1, 3)", "uniform(1, n)");
    check("normal(stddev=3)", "normal(stddev=n)");
    check("normal(3, stddev=2)", "normal(n, stddev=2)");
    check(
        "lognormal(3, 1) | at_least(9) | at_most(20) | round(2)",
        "lognormal(n, 1) | at_least(9) | at_most(20) | round(2)",
    );
    check("exponential(3) | round", "exponential(n) | round");
    check("choice(['a', 1])", "choice(items)");
    check("randint(1, 9) | at_least(3)", "randint(1, n * 3) | at_least(n)");
}

#[test]
fn distributions_have_their_moments() {
    let check = |expression: &str, mean: f64, deviation: f64| {
        let tree = format!("{{ $repeat: 40000, $item: \"{{{{ {expression} }}}}\" }}");
        let drawn: Vec<f64> = serde_json::from_str(&render_json(&tree, &prepared_user(0)).unwrap()).unwrap();
        let count = drawn.len() as f64;
        let found_mean = drawn.iter().sum::<f64>() / count;
        let found_deviation = (drawn.iter().map(|x| (x - found_mean).powi(2)).sum::<f64>() / count).sqrt();
        assert!((found_mean - mean).abs() < 0.03 * deviation, "{expression}: mean {found_mean}, not {mean}");
        assert!(
            (found_deviation / deviation - 1.0).abs() < 0.05,
            "{expression}: {found_deviation}, not {deviation}"
        );
    };
    check("randint(1, 6)", 3.5, (35.0_f64 / 12.0).sqrt());
    check("uniform(-1, 3)", 1.0, 4.0 / 12.0_f64.sqrt());
    check("normal()", 0.0, 1.0);
    check("normal(10, 2)", 10.0, 2.0);
    check("exponential(4)", 0.25, 0.25);
    check("lognormal(0, 0.5)", 0.125_f64.exp(), (0.25_f64.exp_m1() * 0.25_f64.exp()).sqrt());
    check("choice([0, 0, 3])", 1.0, 2.0_f64.sqrt());
}

#[test]
fn bounds_of_randint_are_included() {
    let tree = "{ $repeat: 200, $item: '{{ randint(-1, 1) }}' }";
    let mut drawn: Vec<i64> = serde_json::from_str(&render_json(tree, &prepared_user(0)).unwrap()).unwrap();
    drawn.sort_unstable();
    drawn.dedup();
    assert_eq!(drawn, [-1, 0, 1]);
}

#[test]
fn uuids_are_of_version_4() {
    for index in 0..50 {
        let text: String =
            serde_json::from_str(&render_json("'{{ uuid4() }}'", &user("A", index)).unwrap()).unwrap();
        let groups: Vec<usize> = text.split('-').map(str::len).collect();
        assert_eq!(groups, [8, 4, 4, 4, 12], "{text}");
        assert_eq!(&text[14..15], "4", "{text}");
        assert!("89ab".contains(&text[19..20]), "{text}");
    }
}

#[test]
fn expectations_judge_status_body_and_json() {
    let body = json!({
        "p": 0.5, "n": 3, "five": 5.0, "flag": true, "text": "hi é", "nil": null, "list": [{"ok": true}, 2], "map": {"a": 1}
    })
    .to_string();
    let check = |expect: &str, status: u16, expected: Result<(), &str>| {
        let request = request(&format!("get: /, expect: {expect}"));
        let verdict = check_answer(&request, status, body.as_bytes(), &prepared_user(0));
        assert_eq!(verdict, expected.map_err(str::to_owned), "{expect} {status}");
    };
    check("{}", 200, Ok(()));
    check("{}", 302, Ok(()));
    check("{}", 404, Err("expected a status below 400, got 404"));
    check("{ status: 200 }", 200, Ok(()));
    check("{ status: 200 }", 503, Err("expected status 200, got 503"));
    check("{ status: 404 }", 404, Ok(()));
    check("{ status: [200, 201] }", 201, Ok(()));
    check("{ status: [200, 201] }", 202, Err("expected status 200 or 201, got 202"));
    check("{ status: 2xx }", 299, Ok(()));
    check("{ status: 2xx }", 300, Err("expected status 2xx, got 300"));
    check("{ status: 200-204 }", 205, Err("expected status 200-204, got 205"));
    check("{ body: { contains: hi } }", 200, Ok(()));
    check("{ body: { contains: ['{{ word }}', é] } }", 200, Ok(()));
    check("{ body: { contains: '{{ word }}?' } }", 200, Err("expected the body to contain `{{ word }}?`"));
    check("{ json: { p: exists, nil: exists, gone: absent } }", 200, Ok(()));
    check("{ json: { gone: exists } }", 200, Err("expected JSON gone to exist"));
    check("{ json: { p: absent } }", 200, Err("expected JSON p to be absent"));
    check("{ json: { p: { exists: true }, gone: { exists: false } } }", 200, Ok(()));
    check("{ json: { n: 3, five: 5, flag: true, text: hi é, nil: null } }", 200, Ok(()));
    check("{ json: { n: '{{ n }}' } }", 200, Ok(()));
    check("{ json: { n: '{{ n + 1 }}' } }", 200, Err("expected JSON n to equal {{ n + 1 }}"));
    check("{ json: { n: '3' } }", 200, Err("expected JSON n to equal \"3\""));
    check("{ json: { gone: 1 } }", 200, Err("expected JSON gone to equal 1"));
    check("{ json: { 'list[0].ok': true, list.0.ok: true, list.1: 2 } }", 200, Ok(()));
    check("{ json: { list: [{ ok: true }, 2.0] } }", 200, Ok(()));
    check("{ json: { map: { equals: { a: '{{ 1 }}' } } } }", 200, Ok(()));
    check(
        "{ json: { map: { equals: { a: '{{ n }}' } } } }",
        200,
        Err("expected JSON map to equal the given value"),
    );
    check("{ json: { text: { equals: exists } } }", 200, Err("expected JSON text to equal \"exists\""));
    check("{ json: { p: { type: number }, flag: { type: bool }, nil: { type: null } } }", 200, Ok(()));
    check("{ json: { text: { type: string }, list: { type: array }, map: { type: object } } }", 200, Ok(()));
    check("{ json: { n: { type: string } } }", 200, Err("expected JSON n to be of type string"));
    check("{ json: { p: { gt: 0.4, lt: 0.6, gte: 0.5, lte: 0.5 } } }", 200, Ok(()));
    check("{ json: { p: { lt: 0.5 } } }", 200, Err("expected JSON p to be less than 0.5"));
    check("{ json: { p: { gt: '{{ n }}' } } }", 200, Err("expected JSON p to be greater than {{ n }}"));
    check("{ json: { p: { gte: 1 } } }", 200, Err("expected JSON p to be at least 1"));
    check("{ json: { text: { lte: 1 } } }", 200, Err("expected JSON text to be at most 1"));
    check("{ json: { list: { length: 2 }, text: { length: 4 }, map: { length: 1 } } }", 200, Ok(()));
    check("{ json: { list: { length: '{{ n }}' } } }", 200, Err("expected JSON list to have length {{ n }}"));
    check("{ json: { n: { length: 1 } } }", 200, Err("expected JSON n to have length 1"));
    check("{ status: 200, json: { gone: exists } }", 503, Err("expected status 200, got 503"));
}

#[test]
fn a_body_that_is_no_json_fails_json_expectations_only() {
    let check = |expect: &str, expected: Result<(), String>| {
        let request = request(&format!("get: /, expect: {expect}"));
        assert_eq!(check_answer(&request, 200, b"<html>", &prepared_user(0)), expected, "{expect}");
    };
    check("{ json: { a: absent } }", Err("expected a JSON body".to_owned()));
    check("{ status: 200 }", Ok(()));
}

#[test]
fn requests_carry_everything_that_was_written() {
    let request = request(
        "put: '/orders/{{ n }}', name: /orders/, query: { q: '{{ word }}', page: 2 }, headers: { X-A: 'v{{ n }}' }, \
         timeout: 250ms, body: text",
    );
    let user = prepared_user(0);
    assert_eq!(request.method.as_str(), "PUT");
    assert_eq!(request.target.render(&user).unwrap(), "/orders/3");
    assert_eq!(
        request.name.and_then(|name| name.as_constant().map(str::to_owned)).as_deref(),
        Some("/orders/")
    );
    let rendered: Vec<String> = request
        .query
        .iter()
        .chain(&request.headers)
        .map(|(name, value)| format!("{name}={}", value.render(&user).unwrap()))
        .collect();
    assert_eq!(rendered, ["q=hi", "page=2", "X-A=v3"]);
    assert_eq!(request.timeout, Some(std::time::Duration::from_millis(250)));
}

#[test]
fn absent_keys_have_locusts_defaults() {
    let scenario = load("users: { A: { tasks: [{ name: t, steps: [{ get: / }] }] } }");
    let class = &scenario.users[0];
    assert_eq!((class.weight, class.fixed_count, class.tasks[0].weight), (1.0, 0, 1));
    assert_eq!(class.wait_time.to_string(), "constant(0)");
    assert!(
        scenario.host_of(class).is_none() && scenario.criteria.is_empty() && scenario.profiles.is_empty()
    );
}

#[test]
fn files_from_any_editor_are_read() {
    const TEXT: &str =
        "host: http://a\nusers:\n  A:\n    tasks:\n      - name: t\n        steps:\n          - get: /\n";
    let check = |text: &str| assert_eq!(load(text).users[0].tasks[0].name.as_ref(), "t");
    check(TEXT);
    check(&format!("\u{feff}{TEXT}"));
    check(&TEXT.replace('\n', "\r\n"));
    check(&format!("---\n{TEXT}...\n"));
    check(&format!("# yaml-language-server: $schema=x\n{TEXT}"));
    check(TEXT.trim_end());
}

#[test]
fn anchors_and_merge_keys_spare_repetition() {
    let scenario = load(
        "users:
  A: &base
    weight: 3
    wait_time: constant(1)
    tasks: [{ name: t, steps: &steps [{ get: /a }] }]
  B:
    <<: *base
    weight: 5
  C:
    <<: [{ weight: 7, fixed_count: 2 }, *base]
    tasks: [{ name: u, steps: *steps }]
",
    );
    let shown: Vec<String> = scenario
        .users
        .iter()
        .map(|class| {
            format!(
                "{} {} {} {} {}",
                class.name, class.weight, class.fixed_count, class.wait_time, class.tasks[0].name
            )
        })
        .collect();
    assert_eq!(shown, ["A 3 0 constant(1) t", "B 5 0 constant(1) t", "C 7 2 constant(1) u"]);
}

#[test]
fn profiles_override_and_add() {
    let text = "
host: http://a
criteria: [p95 < 100ms]
users:
  A: { host: http://b, wait_time: constant(1), tasks: [{ name: t, steps: [{ get: / }] }] }
profiles:
  all: { users: 5, spawn_rate: 0.5, run_time: 1m, wait_time: constant(2), criteria: [rps > 1], host: http://c }
  none: {}
";
    let (all, load_of_all) = load(text).with_profile("all").unwrap();
    assert_eq!((load_of_all.users, load_of_all.spawn_rate), (Some(5), Some(0.5)));
    assert_eq!(load_of_all.run_time, Some(std::time::Duration::from_secs(60)));
    assert_eq!(all.users[0].wait_time.to_string(), "constant(2)");
    assert_eq!(all.host_of(&all.users[0]).map(|host| host.as_str()), Some("http://c"));
    let criteria: Vec<String> = all.criteria.iter().map(ToString::to_string).collect();
    assert_eq!(criteria, ["p95 < 100ms", "rps > 1"]);
    let (none, load_of_none) = load(text).with_profile("none").unwrap();
    assert_eq!(load_of_none, Default::default());
    assert_eq!(none.host_of(&none.users[0]).map(|host| host.as_str()), Some("http://b"));
    let check = |name: &str, expected: &str| {
        assert_eq!(load(text).with_profile(name).map(|_| ()).unwrap_err().to_string(), expected);
    };
    check("peak", "unknown profile `peak`; the scenario has all, none");
    check("none2", "unknown profile `none2`; did you mean `none`?");
}

#[test]
fn tasks_are_picked_by_their_weights() {
    let scenario = load(
        "users: { A: { tasks: [{ name: a, weight: 7, steps: [{ get: / }] }, { name: b, steps: [{ get: / }] }, \
         { name: c, weight: 2, steps: [{ get: / }] }] } }",
    );
    let mut rng = UserRng::for_user(1, "A", 0);
    let mut counts: HashMap<String, u32> = HashMap::new();
    for _ in 0..100_000 {
        let tasks = &scenario.users[0].tasks;
        let task: &Task = &tasks[tasks.pick(0, &mut rng)];
        *counts.entry(task.name.to_string()).or_default() += 1;
    }
    for (name, expected) in [("a", 70_000_u32), ("b", 10_000), ("c", 20_000)] {
        assert!(counts[name].abs_diff(expected) < 600, "{counts:?}");
    }
}

#[test]
fn the_stream_is_lent_between_renderings() {
    let (context, mut stream) = (user("A", 0), UserRng::for_user(1, "A", 0));
    assert_eq!(context.with_rng(|rng| rng.next_u64()), stream.next_u64());
    let _ = render_json("'{{ uniform(0, 1) }}'", &context).unwrap();
    assert_ne!(context.with_rng(|rng| rng.next_u64()), stream.next_u64(), "a rendering drew from it");
}

const FRAUD: &str = include_str!("../../loadtest/fraud.yaml");

/// The step of a task of the fraud scenario at `index`.
fn fraud_request(task: usize, index: usize) -> RequestStep {
    match &load(FRAUD).users[0].tasks[task].steps()[index] {
        Step::Request(request) => RequestStep::clone(request),
        step => panic!("{step:?}"),
    }
}

fn check_transaction(transaction: &Json) {
    let fields = transaction.as_object().unwrap();
    let mut expected: Vec<String> = (1..=28).map(|index| format!("V{index}")).collect();
    expected.extend(["amount".to_owned(), "time".to_owned()]);
    expected.sort();
    let mut names: Vec<&String> = fields.keys().collect();
    names.sort();
    assert_eq!(names, expected.iter().collect::<Vec<_>>());
    assert!(fields.values().all(Json::is_number), "{transaction}");
    assert!((0..=172_800).contains(&fields["time"].as_i64().unwrap()));
    let amount = fields["amount"].as_f64().unwrap();
    assert!(amount >= 1.0 && amount == (amount * 100.0).round() / 100.0, "{amount}");
}

#[test]
fn the_fraud_scenario_posts_single_transactions() {
    let request = fraud_request(0, 0);
    let Body::Json(template) = &request.body else { panic!("no JSON") };
    let user = user("FraudInferenceUser", 0);
    for _ in 0..200 {
        let mut out = Vec::new();
        template.render_into(&mut out, &user).unwrap();
        check_transaction(&serde_json::from_slice(&out).unwrap());
    }
    let check = |body: &[u8], expected: Result<(), &str>| {
        assert_eq!(check_answer(&request, 200, body, &user), expected.map_err(str::to_owned));
    };
    check(b"{\"fraud_probability\": 0.1, \"is_fraud\": false}", Ok(()));
    check(b"{\"is_fraud\": false}", Err("expected JSON fraud_probability to exist"));
}

#[test]
fn the_fraud_scenario_posts_batches_of_5_to_20() {
    let scenario = load(FRAUD);
    let batch = &scenario.users[0].tasks[1];
    let [Step::Set(assignments), Step::Request(request)] = batch.steps() else { panic!("{batch:?}") };
    let Body::Json(template) = &request.body else { panic!("no JSON") };
    let mut user = user("FraudInferenceUser", 3);
    for _ in 0..50 {
        user.assign(assignments).unwrap();
        let mut out = Vec::new();
        template.render_into(&mut out, &user).unwrap();
        let body: Json = serde_json::from_slice(&out).unwrap();
        let transactions = body["transactions"].as_array().unwrap();
        assert!((5..=20).contains(&transactions.len()));
        transactions.iter().for_each(check_transaction);
        let name = request.name.as_ref().unwrap().render(&user).unwrap().into_owned();
        assert_eq!(name, format!("/batch_predict [size={}]", transactions.len()));
        let answer = |total: usize| json!({ "total_processed": total }).to_string();
        assert_eq!(check_answer(request, 200, answer(transactions.len()).as_bytes(), &user), Ok(()));
        let short = check_answer(request, 200, answer(transactions.len() - 1).as_bytes(), &user);
        assert_eq!(short, Err("expected JSON total_processed to equal {{ n }}".to_owned()));
    }
}

#[test]
fn the_fraud_scenario_has_its_profiles() {
    let check = |name: &str, users, spawn_rate, minutes: u64, wait: &str, criteria: &[&str]| {
        let (scenario, load) = load(FRAUD).with_profile(name).unwrap();
        assert_eq!((load.users, load.spawn_rate), (Some(users), Some(spawn_rate)), "{name}");
        assert_eq!(load.run_time, Some(std::time::Duration::from_secs(60 * minutes)), "{name}");
        assert_eq!(scenario.users[0].wait_time.to_string(), wait, "{name}");
        let found: Vec<String> = scenario.criteria.iter().map(ToString::to_string).collect();
        assert_eq!(found, criteria, "{name}");
    };
    let common = ["p95 < 100ms", "fail_ratio < 1%"];
    check("light", 10, 2.0, 2, "between(0.1, 0.5)", &common);
    check("medium", 100, 10.0, 5, "between(0.1, 0.5)", &common);
    check("heavy", 500, 50.0, 10, "between(0.1, 0.5)", &common);
    check(
        "high_volume",
        500,
        50.0,
        10,
        "constant_throughput(25)",
        &["p95 < 100ms", "fail_ratio < 1%", "rps >= 10000"],
    );
}
