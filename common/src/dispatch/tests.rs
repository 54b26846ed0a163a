//! Behaviours and invariants of the dispatcher. That it does what Locust does is shown in `tests/locust_dispatch.rs`.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn class(name: &str, weight: f64, fixed_count: u32) -> ClassSpec {
    ClassSpec { name: name.to_owned(), weight, fixed_count }
}

fn dispatcher(classes: &[(&str, f64, u32)], workers: &[&str]) -> Dispatcher {
    let classes = classes.iter().map(|&(name, weight, fixed)| class(name, weight, fixed)).collect();
    Dispatcher::new(classes, workers.iter().copied()).unwrap()
}

/// A placement as text: `w1 2 1, w2 1 0`.
fn text(placement: &Placement) -> String {
    let row = |(worker, users): (&Arc<str>, &[u32])| {
        let users = Vec::from_iter(users.iter().map(u32::to_string));
        format!("{worker} {}", users.join(" "))
    };
    Vec::from_iter(placement.rows().map(row)).join(", ")
}

fn class_totals(placement: &Placement) -> Vec<Option<u32>> {
    placement.classes().iter().map(|class| placement.of_class(class)).collect()
}

const ANY: NonZeroU32 = NonZeroU32::MAX;

#[test]
fn users_cross_hosts_before_they_share_one() {
    let mut dispatcher = dispatcher(&[("A", 3.0, 0), ("B", 1.0, 0)], &["h1_b", "h2_a", "h1_a"]);
    assert_eq!(text(dispatcher.ramp(8)), "h1_a 3 0, h2_a 2 1, h1_b 1 1");
}

#[test]
fn a_placement_can_be_asked_by_name() {
    let mut dispatcher = dispatcher(&[("A", 3.0, 0), ("B", 1.0, 0)], &["w1", "w2"]);
    let placement = dispatcher.ramp(8);
    assert_eq!((placement.of_worker("w2"), placement.of_worker("w3")), (Some(&[2, 2][..]), None));
    assert_eq!((placement.of_class("A"), placement.of_class("C")), (Some(6), None));
    assert_eq!(placement.by_name()["w1"]["A"], 4);
}

#[test]
fn fixed_users_come_first_and_are_missed_after_a_ramp_down() {
    let mut dispatcher = dispatcher(&[("A", 1.0, 2), ("B", 1.0, 0)], &["w"]);
    assert_eq!(text(dispatcher.ramp(3)), "w 2 1");
    assert_eq!(text(dispatcher.ramp(1)), "w 1 0");
    assert_eq!(text(dispatcher.ramp(4)), "w 2 2");
}

#[test]
fn a_ramp_without_weighted_classes_ends_early() {
    let mut dispatcher = dispatcher(&[("A", 1.0, 2), ("B", 0.0, 1)], &["w1", "w2"]);
    assert_eq!(dispatcher.step(9, ANY), StepOutcome::Exhausted);
    assert_eq!(dispatcher.current().total(), 3);
    assert_eq!(dispatcher.step(3, ANY), StepOutcome::Reached);
}

#[test]
fn without_workers_nothing_is_placed_until_one_joins() {
    let mut dispatcher = dispatcher(&[("A", 1.0, 0)], &[]);
    assert_eq!(dispatcher.step(0, ANY), StepOutcome::Reached);
    assert_eq!(dispatcher.step(5, ANY), StepOutcome::Exhausted);
    dispatcher.add_worker("w").unwrap();
    assert_eq!(text(dispatcher.ramp(5)), "w 5");
    dispatcher.remove_worker("w").unwrap();
    assert_eq!(dispatcher.current().total(), 0);
}

#[test]
fn a_step_says_whether_more_are_needed() {
    let mut dispatcher = dispatcher(&[("A", 1.0, 0)], &["w"]);
    let two = NonZeroU32::new(2).unwrap();
    let mut check = |target, expected| assert_eq!(dispatcher.step(target, two), expected, "to {target}");
    check(3, StepOutcome::Moving);
    check(3, StepOutcome::Reached);
    check(3, StepOutcome::Reached);
    check(0, StepOutcome::Moving);
    check(0, StepOutcome::Reached);
}

#[test]
fn selected_classes_leave_the_users_of_others_alone() {
    let mut dispatcher = dispatcher(&[("A", 1.0, 0), ("B", 1.0, 0)], &["w"]);
    assert_eq!(text(dispatcher.ramp(4)), "w 2 2");
    dispatcher.select_classes(["B"]).unwrap();
    assert_eq!(text(dispatcher.ramp(6)), "w 2 4");
    dispatcher.select_classes(["B", "A", "B"]).unwrap();
    assert_eq!(text(dispatcher.ramp(8)), "w 3 5");
}

#[test]
fn a_lost_worker_is_replaced_without_moving_anybody_else() {
    let mut dispatcher = dispatcher(&[("A", 1.0, 0), ("B", 1.0, 0)], &["w1", "w2", "w3", "w4"]);
    assert_eq!(text(dispatcher.ramp(9)), "w1 3 0, w2 0 2, w3 2 0, w4 0 2");
    dispatcher.lose_worker("w3").unwrap();
    // The cycle stood at w2: it and w4 had fewer users than w1.
    assert_eq!(text(dispatcher.current()), "w1 3 0, w2 1 2, w4 1 2");
    assert_eq!(text(dispatcher.ramp(10)), "w1 3 1, w2 1 2, w4 1 2");
    // The last one emitted goes first: first the B just added, then the A before.
    assert_eq!(text(dispatcher.ramp(8)), "w1 2 0, w2 1 2, w4 1 2");
    dispatcher.lose_worker("w1").unwrap();
    dispatcher.lose_worker("w2").unwrap();
    assert_eq!(text(dispatcher.current()), "w4 4 4");
    dispatcher.lose_worker("w4").unwrap();
    assert_eq!(text(dispatcher.current()), "");
}

#[test]
fn among_equally_loaded_workers_the_cycle_decides_who_takes_over() {
    let mut dispatcher = dispatcher(&[("A", 1.0, 0)], &["w1", "w2", "w3", "w4"]);
    dispatcher.ramp(6);
    // All have one user, and the cycle stands at w3.
    assert_eq!(text(dispatcher.ramp(4)), "w1 1, w2 1, w3 1, w4 1");
    dispatcher.lose_worker("w1").unwrap();
    assert_eq!(text(dispatcher.current()), "w2 1, w3 2, w4 1");
    assert_eq!(text(dispatcher.ramp(5)), "w2 1, w3 2, w4 2");
}

#[test]
fn impossible_classes_and_workers_are_refused() {
    let check = |classes: &[(&str, f64, u32)], workers: &[&str], expected: DispatchError| {
        let classes = classes.iter().map(|&(name, weight, fixed)| class(name, weight, fixed)).collect();
        let refused = Dispatcher::new(classes, workers.iter().copied()).unwrap_err();
        assert_eq!(refused, expected);
    };
    let bad_weight =
        |weight: &str| DispatchError::BadWeight { class: "A".to_owned(), weight: weight.to_owned() };
    check(&[("A", 1.0, 0), ("A", 2.0, 0)], &["w"], DispatchError::DuplicateClass("A".to_owned()));
    check(&[("A", 0.0, 0)], &["w"], DispatchError::NoClasses);
    check(&[], &["w"], DispatchError::NoClasses);
    check(&[("A", -1.0, 0)], &["w"], bad_weight("-1"));
    check(&[("A", f64::NAN, 3)], &["w"], bad_weight("NaN"));
    check(&[("A", 1.0, 0)], &["w", "v", "w"], DispatchError::DuplicateWorker("w".to_owned()));
}

#[test]
fn a_refused_change_changes_nothing() {
    let mut dispatcher = dispatcher(&[("A", 1.0, 0), ("Idle", 0.0, 0)], &["w"]);
    let before = dispatcher.ramp(3).clone();
    assert_eq!(dispatcher.add_worker("w"), Err(DispatchError::DuplicateWorker("w".to_owned())));
    assert_eq!(dispatcher.remove_worker("v"), Err(DispatchError::UnknownWorker("v".to_owned())));
    assert_eq!(dispatcher.lose_worker("v"), Err(DispatchError::UnknownWorker("v".to_owned())));
    assert_eq!(dispatcher.select_classes(["Idle"]), Err(DispatchError::UnknownClass("Idle".to_owned())));
    assert_eq!(dispatcher.select_classes([]), Err(DispatchError::NoClasses));
    assert_eq!(*dispatcher.current(), before);
}

#[test]
fn a_placement_of_too_many_cells_is_refused() {
    let classes = Vec::from_iter((0..4097).map(|index| class(&format!("C{index}"), 1.0, 0)));
    let workers = (0..4096).map(|index| format!("w{index}"));
    let refused = Dispatcher::new(classes, workers).unwrap_err();
    assert_eq!(refused, DispatchError::TooLarge { workers: 4096, classes: 4097 });
}

#[test]
fn a_target_beyond_the_limit_ends_at_the_limit() {
    let mut dispatcher = dispatcher(&[("A", 1.0, 0)], &["w"]);
    assert_eq!(dispatcher.step(u32::MAX, ANY), StepOutcome::Exhausted);
    assert_eq!(dispatcher.current().total(), MAX_USERS);
    assert_eq!(dispatcher.step(u32::MAX, ANY), StepOutcome::Exhausted);
    assert_eq!(dispatcher.step(MAX_USERS, ANY), StepOutcome::Reached);
}

#[test]
fn capacity_is_limited_only_without_weighted_classes() {
    let check = |classes: &[(f64, u32)], expected: (Option<u64>, u64)| {
        let classes = Vec::from_iter(classes.iter().map(|&(weight, fixed)| class("A", weight, fixed)));
        assert_eq!((capacity(&classes), fixed_users(&classes)), expected, "{classes:?}");
    };
    check(&[(1.0, 0)], (None, 0));
    check(&[(1.0, 3), (1.0, 0)], (None, 3));
    check(&[(1.0, 3), (0.0, 4)], (Some(7), 7));
    check(&[(1.0, 3), (0.0, 0)], (Some(3), 3));
    check(&[(0.0, u32::MAX), (0.0, u32::MAX)], (Some(2 * u64::from(u32::MAX)), 2 * u64::from(u32::MAX)));
}

#[test]
fn a_million_users_on_ten_thousand_workers_are_placed_evenly() {
    let workers = Vec::from_iter((0..10_000).map(|index| format!("host{}_{index}", index % 100)));
    let classes = vec![class("A", 5.0, 0), class("B", 1.0, 0), class("C", 2.5, 0), class("D", 0.1, 1000)];
    let mut dispatcher = Dispatcher::new(classes, workers).unwrap();
    let placement = dispatcher.ramp(1_000_000);
    assert!(placement.rows().all(|(_, row)| row.iter().sum::<u32>() == 100));
    assert_eq!(placement.of_class("D"), Some(1000));
}

/// One thing that may happen to a dispatcher; numbers pick from what is there.
#[derive(Clone, Debug)]
enum Event {
    Step { target: u32, limit: u32 },
    Select(usize),
    Join(u8),
    Leave(usize),
    Lose(usize),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        6 => (0..60u32, 1..20u32).prop_map(|(target, limit)| Event::Step { target, limit }),
        1 => any::<usize>().prop_map(Event::Select),
        1 => any::<u8>().prop_map(Event::Join),
        1 => any::<usize>().prop_map(Event::Leave),
        2 => any::<usize>().prop_map(Event::Lose),
    ];
    prop::collection::vec(event, 1..40)
}

/// Classes of which the first is weighted, so that any number of users can be placed.
fn classes() -> impl Strategy<Value = Vec<ClassSpec>> {
    let rest = prop::collection::vec((0.01..20.0f64, prop_oneof![Just(0), 1..6u32]), 0..4);
    (0.01..20.0f64, rest).prop_map(|(first, rest)| {
        let all = std::iter::once((first, 0)).chain(rest);
        (b'A'..)
            .zip(all)
            .map(|(name, (weight, fixed))| class(&char::from(name).to_string(), weight, fixed))
            .collect()
    })
}

fn workers() -> impl Strategy<Value = BTreeSet<String>> {
    prop::collection::btree_set("(h1|h2|h3)_[a-f]", 1..9)
}

fn loads(placement: &Placement) -> Vec<u32> {
    placement.rows().map(|(_, row)| row.iter().sum()).collect()
}

/// The counters and the stack tell the same story.
fn assert_consistent(dispatcher: &Dispatcher) {
    let mut recounted =
        Placement::empty(dispatcher.current.workers().to_vec(), class_names(&dispatcher.classes));
    for &cell in &dispatcher.stack {
        recounted.increment(cell);
    }
    assert_eq!(recounted, dispatcher.current);
    for (row, worker) in dispatcher.current.workers().iter().enumerate() {
        assert_eq!(dispatcher.current.position(worker), Some(row));
    }
    assert!(dispatcher.next_worker < dispatcher.current.workers().len().max(1));
}

fn named(dispatcher: &Dispatcher, pick: usize) -> Arc<str> {
    let workers = dispatcher.current().workers();
    Arc::clone(&workers[pick % workers.len()])
}

fn check_step(dispatcher: &mut Dispatcher, target: u32, limit: u32) {
    let before = dispatcher.current().total();
    let outcome = dispatcher.step(target, NonZeroU32::new(limit).unwrap());
    let after = dispatcher.current().total();
    assert!(before.abs_diff(after) <= limit, "a step moves at most its limit");
    if dispatcher.current().workers().is_empty() {
        assert_eq!(after, 0);
    } else {
        assert_eq!(before.abs_diff(after), before.abs_diff(target).min(limit), "{before} to {target}");
        assert_eq!(outcome == StepOutcome::Reached, after == target);
    }
}

fn check_loss(dispatcher: &mut Dispatcher, worker: &str) {
    let before = dispatcher.current().clone();
    dispatcher.lose_worker(worker).unwrap();
    let after = dispatcher.current();
    if after.workers().is_empty() {
        return;
    }
    assert_eq!(class_totals(&before), class_totals(after));
    for (survivor, row) in after.rows() {
        let former = before.of_worker(survivor).unwrap();
        assert!(
            former.iter().zip(row).all(|(former, now)| former <= now),
            "{survivor}: {former:?} to {row:?}"
        );
    }
    // Whoever got users was brought to the common level, not above it.
    let gained = |name: &str| after.of_worker(name) != before.of_worker(name);
    let load = |name: &str| after.of_worker(name).unwrap().iter().sum::<u32>();
    let highest_gainer = after.workers().iter().filter(|name| gained(name)).map(|name| load(name)).max();
    let lowest = loads(after).into_iter().min();
    assert!(highest_gainer.is_none_or(|highest| highest <= lowest.unwrap() + 1));
}

fn happen(dispatcher: &mut Dispatcher, event: &Event) {
    let users = dispatcher.current().total();
    let empty = dispatcher.current().workers().is_empty();
    match *event {
        Event::Step { target, limit } => check_step(dispatcher, target, limit),
        Event::Select(pick) => {
            // The first class is weighted: with it, users never run out.
            let second = dispatcher.classes[pick % dispatcher.classes.len()].name.clone();
            dispatcher.select_classes(["A", second.as_str()]).unwrap();
            assert_eq!(dispatcher.current().total(), users);
        }
        Event::Join(number) => {
            if dispatcher.add_worker(format!("h{}_new{number}", number % 3)).is_ok() {
                assert_eq!(dispatcher.current().total(), users);
            }
        }
        Event::Leave(_) | Event::Lose(_) if empty => {}
        Event::Leave(pick) => {
            dispatcher.remove_worker(&named(dispatcher, pick)).unwrap();
            let expected = if dispatcher.current().workers().is_empty() { 0 } else { users };
            assert_eq!(dispatcher.current().total(), expected);
        }
        Event::Lose(pick) => check_loss(dispatcher, &named(dispatcher, pick)),
    }
    assert_consistent(dispatcher);
}

proptest! {
    #[test]
    fn whatever_happens_the_books_balance(classes in classes(), workers in workers(), events in events()) {
        let mut dispatcher = Dispatcher::new(classes, workers).unwrap();
        for event in &events {
            happen(&mut dispatcher, event);
        }
    }

    #[test]
    fn a_ramp_is_the_sum_of_its_steps(
        classes in classes(), workers in workers(), events in events(), target in 0..80u32, limit in 1..9u32,
    ) {
        let mut at_once = Dispatcher::new(classes, workers).unwrap();
        for event in &events {
            happen(&mut at_once, event);
        }
        let mut stepwise = at_once.clone();
        at_once.ramp(target);
        while stepwise.step(target, NonZeroU32::new(limit).unwrap()) == StepOutcome::Moving {}
        prop_assert_eq!(at_once.current(), stepwise.current());
    }

    #[test]
    fn a_fresh_placement_is_even(classes in classes(), workers in workers(), target in 0..300u32) {
        let mut dispatcher = Dispatcher::new(classes, workers).unwrap();
        let loads = loads(dispatcher.ramp(target));
        prop_assert_eq!(loads.iter().sum::<u32>(), target);
        prop_assert!(loads.iter().max().unwrap() - loads.iter().min().unwrap() <= 1);
    }

    #[test]
    fn losses_after_a_fresh_placement_keep_it_even(
        classes in classes(), workers in workers(), target in 0..300u32, lost in any::<usize>(),
    ) {
        prop_assume!(workers.len() > 1);
        let mut dispatcher = Dispatcher::new(classes, workers).unwrap();
        dispatcher.ramp(target);
        dispatcher.lose_worker(&named(&dispatcher, lost)).unwrap();
        dispatcher.ramp(target + 50);
        let loads = loads(dispatcher.current());
        prop_assert!(loads.iter().max().unwrap() - loads.iter().min().unwrap() <= 1);
    }
}

#[test]
fn without_classes_workers_come_and_go_and_nobody_is_placed() {
    let mut dispatcher = Dispatcher::without_classes(["a", "b"]).unwrap();
    assert_eq!(dispatcher.step(0, NonZeroU32::MIN), StepOutcome::Reached);
    assert_eq!(dispatcher.step(5, NonZeroU32::MAX), StepOutcome::Exhausted);
    dispatcher.add_worker("c").unwrap();
    dispatcher.lose_worker("a").unwrap();
    dispatcher.remove_worker("b").unwrap();
    let rows: Vec<_> =
        dispatcher.current().rows().map(|(worker, row)| (worker.to_string(), row.len())).collect();
    assert_eq!(rows, [("c".to_owned(), 0)]);
    assert_eq!(dispatcher.current().of_worker("c"), Some(&[][..]));
}
