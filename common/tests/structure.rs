//! The structure of scenarios: nested steps, groups of tasks, tags, files.

use sentinel_common::arrivals::{ArrivalRate, Arrivals, SteadyArrivals};
use sentinel_common::random::UserRng;
use sentinel_common::scenario::{Adjustments, Move, Scenario, Selection, SelectionError, Step, Walk};

fn load(text: &str) -> Scenario {
    Scenario::load("f", text).unwrap_or_else(|notes| panic!("{notes}\n{text}"))
}

const SHOP: &str = "
users:
  Shopper:
    order: sequential
    tasks:
      - { name: home, weight: 2, tags: [page], steps: [{ get: / }] }
      - name: checkout
        tags: [buy]
        order: sequential
        tasks:
          - { name: address, steps: [{ get: /address }] }
          - name: pay
            iterations: 2
            tags: [money]
            tasks: [{ name: card, steps: [{ get: /card }] }]
  Visitor:
    tasks:
      - name: look
        tasks:
          - { name: read, tags: [page], steps: [{ get: / }] }
          - { name: leave, steps: [interrupt] }
";

/// The first `moves` moves of a user, as words; a task named `leave` interrupts.
fn walk(scenario: &Scenario, class: usize, moves: usize) -> String {
    let class = &scenario.users[class];
    let mut rng = UserRng::for_user(1, "A", 0);
    let mut walk = Walk::default();
    let mut words = Vec::new();
    for _ in 0..moves {
        words.push(match walk.next(class, &mut rng) {
            Move::Enter(task, _) => format!("+{}", task.name),
            Move::Run(task, steps) => {
                if steps.iter().any(|step| matches!(step, Step::Interrupt)) {
                    walk.interrupt();
                    assert!(walk.is_interrupted());
                }
                task.name.to_string()
            }
            Move::Leave(_) => "-".to_owned(),
        });
    }
    words.join(" ")
}

#[test]
fn sequential_tasks_come_in_their_order_over_and_over() {
    let way = "home home +checkout address +pay card card - -";
    assert_eq!(walk(&load(SHOP), 0, 12), format!("{way} home home +checkout"));
}

#[test]
fn a_random_group_is_left_when_a_task_interrupts() {
    let way = walk(&load(SHOP), 1, 200);
    assert!(way.starts_with("+look"), "{way}");
    for visit in way.split("+look").skip(1) {
        let words: Vec<&str> = visit.split_whitespace().collect();
        let end = words.iter().position(|word| *word == "leave");
        assert!(words[..end.unwrap_or(words.len())].iter().all(|word| *word == "read"), "{way}");
        assert!(end.is_none_or(|end| words.get(end + 1).is_none_or(|word| *word == "-")), "{way}");
    }
}

#[test]
fn a_user_that_stops_leaves_every_group_that_it_is_in() {
    let scenario = load(SHOP);
    let class = &scenario.users[0];
    let mut rng = UserRng::for_user(1, "A", 0);
    let mut walk = Walk::default();
    for _ in 0..6 {
        let _ = walk.next(class, &mut rng);
    }
    assert!(walk.leave(class).is_some() && walk.leave(class).is_some() && walk.leave(class).is_none());
}

/// The names of the tasks that are left under these tags, groups with theirs in brackets.
fn tagged(tags: &[&str], exclude: &[&str], expected: Result<(&str, &[&str]), ()>) {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let selection = Selection { tags: words(tags), exclude_tags: words(exclude), ..Selection::default() };
    let shown = load(SHOP).select(&selection).map(|selected| {
        let classes = selected.scenario.users.iter().map(|class| walk_names(&class.tasks));
        (classes.collect::<Vec<_>>().join(" | "), selected.untagged)
    });
    let expected = expected.map(|(names, dropped)| (names.to_owned(), words(dropped)));
    assert_eq!(shown.map_err(|_| ()), expected, "{tags:?} {exclude:?}");
}

fn walk_names(tasks: &[sentinel_common::scenario::Task]) -> String {
    use sentinel_common::scenario::TaskBody;
    let name = |task: &sentinel_common::scenario::Task| match &task.body {
        TaskBody::Steps(_) => task.name.to_string(),
        TaskBody::Group(group) => format!("{}[{}]", task.name, walk_names(&group.tasks)),
    };
    tasks.iter().map(name).collect::<Vec<_>>().join(" ")
}

#[test]
fn tags_choose_tasks_as_locust_does() {
    tagged(&[], &[], Ok(("home checkout[address pay[card]] | look[read leave]", &[])));
    tagged(&["page"], &[], Ok(("home | look[read]", &[])));
    tagged(&["buy"], &[], Ok(("checkout[address pay[card]]", &["Visitor"])));
    tagged(&["money"], &[], Ok(("checkout[pay[card]]", &["Visitor"])));
    tagged(&[], &["buy"], Ok(("home | look[read leave]", &[])));
    tagged(&[], &["money", "page"], Ok(("checkout[address] | look[leave]", &[])));
    tagged(&["buy"], &["money"], Ok(("checkout[address]", &["Visitor"])));
    tagged(&["unknown"], &[], Err(()));
}

#[test]
fn one_pass_through_a_group_stays_one_pass_without_some_of_its_tasks() {
    let selection = Selection { exclude_tags: vec!["money".to_owned()], ..Selection::default() };
    let selected = load(SHOP).select(&selection).unwrap();
    assert_eq!(walk(&selected.scenario, 0, 8), "home home +checkout address - home home +checkout");
}

#[test]
fn files_are_found_wherever_they_are_named() {
    let scenario = load(
        "
http: { tls: { ca: ca.pem } }
data:
  accounts: { file: accounts.csv, order: unique }
  colours: { rows: [red] }
setup: [{ post: /, body_file: setup.json }]
users:
  A:
    http: { tls: { cert: c.pem, key: k.pem } }
    tasks:
      - name: t
        steps:
          - feed: accounts
          - if: \"{{ accounts.vip == 'yes' }}\"
            then: [{ repeat: 2, steps: [{ post: /, multipart: { a: { file: cat.png }, b: text } }] }]
          - { post: /, body_file: order.xml }
",
    );
    let files: Vec<String> = scenario.files().iter().map(ToString::to_string).collect();
    assert_eq!(files, ["accounts.csv", "c.pem", "ca.pem", "cat.png", "k.pem", "order.xml", "setup.json"]);
}

#[test]
fn the_options_of_a_class_are_laid_over_those_of_the_scenario() {
    let scenario = load(
        "
http: { timeout: 5s, headers: { X-A: a, x-b: b }, connection: none }
users:
  A:
    http: { headers: { X-B: own }, connection: { max_requests: 10 } }
    tasks: [{ name: t, steps: [{ get: / }] }]
",
    );
    let http = &scenario.users[0].http;
    let headers: Vec<_> = http.headers.iter().map(|(name, value)| (name.as_str(), value.source())).collect();
    assert_eq!(headers, [("X-A", "a"), ("X-B", "own")]);
    assert_eq!(http.timeout.unwrap().as_secs(), 5);
    assert_eq!((http.reuse, http.max_requests), (Some(sentinel_common::http::Reuse::None), Some(10)));
}

#[test]
fn classes_are_selected_by_name_with_weights_of_their_own() {
    let select = |classes: &[(&str, Option<f64>)]| {
        let classes = classes.iter().map(|(name, weight)| ((*name).to_owned(), *weight)).collect();
        load(SHOP).select(&Selection { classes, ..Selection::default() })
    };
    let names = |classes: &[(&str, Option<f64>)]| -> Vec<(String, f64)> {
        select(classes).unwrap().scenario.users.into_iter().map(|class| (class.name, class.weight)).collect()
    };
    assert_eq!(names(&[]).len(), 2);
    assert_eq!(names(&[("Visitor", Some(3.0))]), [("Visitor".to_owned(), 3.0)]);
    assert_eq!(names(&[("Shopper", None)]), [("Shopper".to_owned(), 1.0)]);
    let unknown = select(&[("Shoper", None)]).map(|_| ()).unwrap_err();
    assert!(matches!(unknown, SelectionError::Class(_)));
    assert_eq!(unknown.to_string(), "there is no user class Shoper; did you mean Shopper?");
}

#[test]
fn a_shape_cannot_take_users_from_a_class_that_does_not_run() {
    let text = format!("shape: {{ stages: [{{ duration: 1, users: 1, user_classes: [Visitor] }}] }}{SHOP}");
    let select = |name: &str| {
        let classes = vec![(name.to_owned(), None)];
        load(&text).select(&Selection { classes, ..Selection::default() }).map(|_| ())
    };
    assert!(select("Visitor").is_ok());
    let error = select("Shopper").unwrap_err().to_string();
    assert_eq!(
        error,
        "the shape takes users from Visitor, which is not among the classes that were selected"
    );
}

#[test]
fn arrivals_of_the_scenario_are_dealt_to_the_classes_by_weight() {
    let text = "
arrivals: { rate: 90/s, max_users: 40 }
users:
  A: { weight: 3, tasks: [{ name: t, steps: [{ get: / }] }] }
  B: { weight: 1, tasks: [{ name: t, steps: [{ get: / }] }] }
  C: { fixed_count: 2, tasks: [{ name: t, steps: [{ get: / }] }] }
profiles:
  half: { arrivals: { rate: 45/s, max_users: 4 } }
";
    let rates = |profile: Option<&str>| -> Vec<Option<(f64, u32)>> {
        let selection = Selection { profile: profile.map(str::to_owned), ..Selection::default() };
        let users = load(text).select(&selection).unwrap().scenario.users;
        let figures =
            |arrivals: &sentinel_common::arrivals::Arrivals| (arrivals.peak_rate(), arrivals.max_users());
        users.iter().map(|class| class.arrivals.as_ref().map(figures)).collect()
    };
    assert_eq!(rates(None), [Some((67.5, 30)), Some((22.5, 10)), None]);
    assert_eq!(rates(Some("half")), [Some((33.75, 3)), Some((11.25, 1)), None]);
}

#[test]
fn the_arrivals_of_a_search_take_the_place_of_those_in_the_file_and_of_its_shape() {
    let text = "
shape: { stages: [{ duration: 1, users: 1, user_classes: [B] }] }
users:
  A: { weight: 3, arrivals: { rate: 5/s }, tasks: [{ name: t, steps: [{ get: / }] }] }
  B: { weight: 1, tasks: [{ name: t, steps: [{ get: / }] }] }
  C: { fixed_count: 2, tasks: [{ name: t, steps: [{ get: / }] }] }
";
    let arrivals = Some(SteadyArrivals { rate: ArrivalRate::per_second(80), max_users: 40 });
    let adjustments = Adjustments { arrivals, ..Adjustments::default() };
    let selection = Selection { adjustments, ..Selection::default() };
    let scenario = load(text).select(&selection).unwrap().scenario;
    let figures = |arrivals: &Arrivals| (arrivals.peak_rate(), arrivals.max_users());
    let shares: Vec<_> = scenario.users.iter().map(|class| class.arrivals.as_ref().map(figures)).collect();
    assert_eq!(shares, [Some((60.0, 30)), Some((20.0, 10)), None]);
    assert!(scenario.shape.is_none());
}
