//! What shapes promise: curves that are followed to the user, at one look per second.

use proptest::prelude::*;

use super::*;
use crate::load::Ramp;

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn per_second(users: f64) -> Option<SpawnRate> {
    Some(SpawnRate::per_second(users).unwrap())
}

fn stage(seconds: u64, users: u32, spawn_rate: Option<SpawnRate>) -> Stage {
    Stage { duration: secs(seconds), users, spawn_rate, classes: None }
}

/// Asks a shape every second, and follows it as a cluster would that does exactly what it is told. Returns the users
/// at every second, from the start to the end.
fn follow(shape: &Shape) -> Vec<u32> {
    let mut ramp =
        Ramp { from: 0, to: 0, spawn_rate: SpawnRate::per_second(1.0).unwrap(), since: RunTime::ZERO };
    let mut users = Vec::new();
    for second in 0.. {
        let at = RunTime::from_secs(second);
        let planned = ramp.users(at);
        users.push(planned);
        let present = Present { planned, running: planned };
        let Some(target) = shape.target(at, present).unwrap() else { break };
        if target.users != ramp.to || target.spawn_rate != ramp.spawn_rate {
            ramp = Ramp { from: planned, to: target.users, spawn_rate: target.spawn_rate, since: at };
        }
    }
    users
}

fn check(shape: Result<Shape, ShapeError>, expected: &[u32]) {
    let shape = shape.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(follow(&shape), expected, "{shape:?}");
    assert_eq!(shape.end(), Some(RunTime::from_secs(expected.len() as u64 - 1)));
    assert!(expected.iter().all(|users| Some(*users) <= shape.peak_users()));
}

#[test]
fn a_ramp_is_a_line_and_a_plateau() {
    check(Shape::ramp(0, 10, secs(5), secs(2)), &[0, 2, 4, 6, 8, 10, 10, 10]);
    check(Shape::ramp(10, 0, secs(4), secs(0)), &[0, 7, 5, 2, 0]);
    check(Shape::ramp(5, 5, secs(2), secs(1)), &[0, 5, 5, 5]);
    check(Shape::ramp(0, 2, secs(5), secs(0)), &[0, 0, 1, 1, 2, 2]);
}

#[test]
fn users_that_come_back_begin_again() {
    let check = |shape: Result<Shape, ShapeError>, expected| {
        let shape = shape.unwrap();
        assert_eq!(shape.users_begun(), Some(expected), "{shape:?}");
        let users = follow(&shape);
        let begun: u32 = users.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).sum();
        assert!(u64::from(begun) <= expected, "{users:?}");
    };
    check(Shape::ramp(0, 10, secs(5), secs(2)), 10);
    check(Shape::ramp(10, 0, secs(4), secs(0)), 10);
    check(Shape::spike(2, 9, secs(3), secs(3), secs(9), None), 9);
    check(Shape::sine(2, 6, secs(4), secs(10)), 14);
    check(Shape::steps(2, 2, secs(2), 7, None), 7);
    check(
        Shape::stages(vec![stage(4, 10, per_second(5.0)), stage(3, 1, per_second(2.0)), stage(2, 6, None)]),
        12,
    );
}

#[test]
fn stages_go_at_their_rate_or_in_a_line() {
    check(Shape::stages(vec![stage(3, 9, None), stage(2, 3, None)]), &[0, 3, 6, 9, 6, 3]);
    check(
        Shape::stages(vec![stage(4, 10, per_second(5.0)), stage(2, 4, per_second(2.0))]),
        &[0, 5, 10, 10, 10, 8, 6],
    );
    // A line begins where the stage before has got to.
    check(Shape::stages(vec![stage(3, 100, per_second(2.0)), stage(2, 0, None)]), &[0, 2, 4, 6, 3, 0]);
}

#[test]
fn steps_take_a_second_or_a_rate() {
    check(Shape::steps(10, 5, secs(2), 22, None), &[0, 10, 10, 15, 15, 20, 20, 22, 22]);
    check(Shape::steps(4, 2, secs(2), 0, per_second(1.0)), &[0, 1, 2, 2, 2, 1, 0]);
    check(Shape::steps(3, 1, secs(2), 3, None), &[0, 3, 3]);
}

#[test]
fn a_spike_comes_and_goes() {
    let spike = |at, run_time| Shape::spike(2, 20, secs(at), secs(2), secs(run_time), None);
    check(spike(2, 6), &[0, 2, 2, 20, 20, 2, 2]);
    check(spike(0, 3), &[0, 20, 20, 2]);
    check(spike(1, 3), &[0, 2, 20, 20]);
    check(Shape::spike(2, 20, secs(1), secs(3), secs(5), per_second(6.0)), &[0, 2, 8, 14, 20, 14]);
}

#[test]
fn a_sine_begins_at_its_lowest() {
    check(Shape::sine(10, 20, secs(8), secs(10)), &[0, 11, 15, 19, 20, 19, 15, 11, 10, 11, 15]);
    check(Shape::sine(7, 7, secs(1), secs(2)), &[0, 7, 7]);
}

#[test]
fn segments_tell_what_is_new() {
    let segments = |shape: &Shape, seconds: u64| {
        let present = Present { planned: 0, running: 0 };
        let at = |second| shape.target(RunTime::from_secs(second), present).unwrap().unwrap();
        let told = |target: ShapeTarget| (target.segment, target.towards, target.moving);
        (0..seconds).map(|second| told(at(second))).collect::<Vec<_>>()
    };
    let ramp = Shape::ramp(0, 10, secs(2), secs(2)).unwrap();
    assert_eq!(segments(&ramp, 4), [(0, 10, true), (0, 10, true), (1, 10, false), (1, 10, false)]);
    let sine = Shape::sine(1, 9, secs(4), secs(9)).unwrap();
    assert_eq!(segments(&sine, 5), [(0, 9, true), (0, 9, true), (1, 1, true), (1, 1, true), (2, 9, true)]);
}

#[test]
fn a_stage_selects_classes() {
    let classes = Some(vec!["A".to_owned(), "B".to_owned()]);
    let shape =
        Shape::stages(vec![Stage { classes: classes.clone(), ..stage(1, 5, None) }, stage(1, 5, None)]);
    let shape = shape.unwrap();
    let present = Present { planned: 0, running: 0 };
    let at = |second| shape.target(RunTime::from_secs(second), present).unwrap().unwrap().classes;
    assert_eq!((at(0), at(1)), (classes, None));
    assert_eq!(shape.classes().collect::<Vec<_>>(), ["A", "B"]);
}

#[test]
fn impossible_shapes_are_refused_with_a_reason() {
    let check = |shape: Result<Shape, ShapeError>, expected: &str| {
        assert_eq!(shape.unwrap_err().to_string(), expected);
    };
    check(Shape::stages(vec![]), "the shape has no stages; give it at least one");
    check(Shape::stages(vec![stage(0, 5, None)]), "the duration of a shape must be above 0");
    check(Shape::stages(vec![stage(5, 0, None)]), "the shape never has a user; give it at least one");
    check(
        Shape::stages(vec![Stage { classes: Some(vec![]), ..stage(5, 5, None) }]),
        "stage 1 selects no user class; leave user_classes out to select all",
    );
    check(
        Shape::ramp(0, 10_000_001, secs(5), secs(0)),
        "the shape wants 10000001 users; the limit is 10000000",
    );
    check(Shape::ramp(0, 5, MAX_SPAN, secs(1)), "the shape is longer than ten years, which is the limit");
    check(Shape::steps(1, 0, secs(1), 5, None), "the steps of a shape must be of at least 1 user");
    check(Shape::steps(1, 1, secs(0), 5, None), "the every of a shape must be above 0");
    check(
        Shape::steps(0, 1, secs(1), 100_000, None),
        "the shape has 100001 stages or steps; the limit is 100000",
    );
    check(
        Shape::spike(1, 5, secs(8), secs(3), secs(10), None),
        "the spike ends at 11 s, after the run time of 10 s",
    );
    check(Shape::spike(1, 5, secs(8), secs(0), secs(10), None), "the duration of a shape must be above 0");
    check(Shape::sine(9, 3, secs(8), secs(10)), "the shape's min of 9 users is above its max of 3");
    check(Shape::sine(1, 3, secs(0), secs(10)), "the period of a shape must be above 0");
    check(Shape::sine(1, 3, secs(1), secs(0)), "the run_time of a shape must be above 0");
}

/// Asks a function.
#[derive(Debug)]
struct Script(fn(u64, u32) -> Result<Option<TickTarget>, String>);

impl Tick for Script {
    fn tick(&self, run_time: RunTime, users: u32) -> Result<Option<TickTarget>, String> {
        self.0(run_time.as_secs(), users)
    }
}

fn ticked(script: fn(u64, u32) -> Result<Option<TickTarget>, String>) -> Shape {
    Shape::tick(Arc::new(Script(script)))
}

#[test]
fn a_tick_decides_when_it_is_asked() {
    let shape = ticked(|second, _| {
        Ok((second < 3).then_some(TickTarget {
            users: 10 * (second as u32 + 1),
            spawn_rate: None,
            classes: None,
        }))
    });
    assert_eq!(follow(&shape), [0, 10, 20, 30]);
    assert_eq!((shape.end(), shape.peak_users()), (None, None));
    let answer = |script| {
        let present = Present { planned: 4, running: 3 };
        ticked(script).target(RunTime::from_secs(7), present)
    };
    let echoed = answer(|second, users| {
        Ok(Some(TickTarget { users: users + second as u32, spawn_rate: Some(2.5), classes: None }))
    });
    let echoed = echoed.unwrap().unwrap();
    let found = (echoed.users, echoed.spawn_rate.as_per_second());
    assert_eq!(found, (10, 2.5), "it is told how many run");
    let refused = answer(|_, _| Ok(Some(TickTarget { users: 1, spawn_rate: Some(0.0), classes: None })));
    assert_eq!(
        refused.unwrap_err(),
        "a spawn rate of 0 users per second is impossible; give a finite number above zero"
    );
    let refused = answer(|_, _| Ok(Some(TickTarget { users: 10_000_001, spawn_rate: None, classes: None })));
    assert_eq!(refused.unwrap_err(), "the shape wants 10000001 users; the limit is 10000000");
}

proptest! {
    #[test]
    fn lines_are_followed_within_a_user(
        stages in prop::collection::vec((1..40u64, 0..5000u32), 1..8),
    ) {
        let list = stages.iter().map(|(seconds, users)| stage(*seconds, *users, None)).collect();
        let Ok(shape) = Shape::stages(list) else { return Ok(()) };
        let followed = follow(&shape);
        let (mut second, mut from) = (0, 0_u32);
        for (seconds, to) in stages {
            for elapsed in 0..=seconds {
                let exact =
                    f64::from(from) + (f64::from(to) - f64::from(from)) * elapsed as f64 / seconds as f64;
                let users = f64::from(followed[second + elapsed as usize]);
                prop_assert!((users - exact).abs() <= 0.5, "{users} instead of {exact}");
            }
            (second, from) = (second + seconds as usize, to);
        }
    }

    #[test]
    fn nothing_wobbles_on_the_way(from in 0..1000u32, to in 0..1000u32, seconds in 1..300u64, hold in 0..9u64) {
        let Ok(shape) = Shape::ramp(from, to, secs(seconds), secs(hold)) else { return Ok(()) };
        let users = follow(&shape);
        // The first second goes from nobody to where the line is then.
        let line = &users[1..=seconds as usize];
        let sorted = if to >= from { line.is_sorted() } else { line.is_sorted_by(|a, b| a >= b) };
        prop_assert!(sorted, "{line:?}");
        prop_assert_eq!(users.last(), Some(&to));
        let slope = f64::from(from.abs_diff(to)) / seconds as f64;
        prop_assert!(line.windows(2).all(|pair| (f64::from(pair[0].abs_diff(pair[1])) - slope).abs() <= 1.0));
    }

    #[test]
    fn a_wave_stays_within_its_bounds_and_turns_only_there(
        min in 0..500u32, height in 1..500u32, period in 2..200u64, periods in 1..4u64,
    ) {
        let shape = Shape::sine(min, min + height, secs(2 * period), secs(2 * period * periods)).unwrap();
        let users = &follow(&shape)[1..];
        prop_assert!(users.iter().all(|users| (min..=min + height).contains(users)));
        let halves = users.chunks(period as usize);
        for (index, half) in halves.enumerate() {
            let sorted = if index % 2 == 0 { half.is_sorted() } else { half.is_sorted_by(|a, b| a >= b) };
            prop_assert!(sorted, "{half:?}");
        }
    }

    #[test]
    fn steps_and_spikes_reach_every_level(from in 1..50u32, step in 1..20u32, to in 1..200u32, every in 2..9u64) {
        let shape = Shape::steps(from, step, secs(every), to, None).unwrap();
        let users = follow(&shape);
        for (index, level) in users[1..].chunks(every as usize).enumerate() {
            let moved = (index as u32 * step).min(from.abs_diff(to));
            let expected = if to >= from { from + moved } else { from - moved };
            prop_assert!(level.iter().all(|users| *users == expected), "{level:?} instead of {expected}");
        }
        prop_assert_eq!(users.last(), Some(&to));
    }
}
