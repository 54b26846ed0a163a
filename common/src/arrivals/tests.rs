//! What schedules promise, whatever the rates.

use proptest::prelude::*;

use super::*;
use crate::time::RunTime;

const fn millis(millis: u64) -> RunTime {
    RunTime::from_micros(millis * 1000)
}

fn rate(text: &str) -> ArrivalRate {
    ArrivalRate::parse(text).unwrap()
}

fn stages(stages: &[(u64, &str)]) -> Vec<Stage> {
    let stage =
        |(seconds, text): &(u64, &str)| Stage { duration: Duration::from_secs(*seconds), rate: rate(text) };
    stages.iter().map(stage).collect()
}

fn arrivals(start: &str, list: &[(u64, &str)], distribution: Distribution) -> Arrivals {
    Arrivals::new(rate(start), stages(list), 100, distribution, Duration::ZERO).unwrap()
}

fn constant(start: &str, list: &[(u64, &str)]) -> Schedule {
    Schedule::new(&arrivals(start, list, Distribution::Constant), 1, "A")
}

fn poisson(start: &str, list: &[(u64, &str)]) -> Schedule {
    Schedule::new(&arrivals(start, list, Distribution::Poisson), 1, "A")
}

/// All arrivals of a slot before `until`.
fn walk(schedule: &Schedule, slot: Slot, from: RunTime, until: RunTime) -> Vec<Due> {
    let mut cursor = Cursor::new(schedule.clone(), slot, from);
    let mut all = Vec::new();
    while let Some(due) = cursor.peek().filter(|due| due.at < until) {
        all.push(due);
        cursor.advance();
    }
    all
}

fn times(schedule: &Schedule, until: RunTime) -> Vec<RunTime> {
    walk(schedule, Slot::ALL, RunTime::ZERO, until).into_iter().map(|due| due.at).collect()
}

#[test]
fn a_constant_rate_arrives_at_its_distance() {
    let mut schedule = constant("1000/s", &[]);
    let check = |number: u64, expected| assert_eq!(schedule.clone().time_of(number), Some(expected));
    check(0, RunTime::ZERO);
    check(1, millis(1));
    check(19_999, millis(19_999));
    check(20_000, millis(20_000));
    assert_eq!(schedule.planned(RunTime::ZERO), 0);
    assert_eq!(schedule.planned(RunTime::from_micros(1)), 1);
    assert_eq!(schedule.planned(RunTime::from_secs(20)), 20_000);
    assert_eq!(times(&schedule, RunTime::from_secs(20)).len(), 20_000);
    assert_eq!(schedule.end(), None);
}

#[test]
fn a_third_of_a_second_does_not_drift_in_ten_years() {
    let mut schedule = constant("180/m", &[]);
    let seconds = MAX_SPAN.as_secs();
    assert_eq!(schedule.time_of(3 * seconds), Some(RunTime::from_secs(seconds)));
    assert_eq!(schedule.time_of(1), Some(RunTime::from_micros(333_334)), "not before it is due");
    assert_eq!(schedule.planned(RunTime::from_secs(seconds)), 3 * seconds);
    assert_eq!(constant("1000000/s", &[]).planned(RunTime::from_secs(seconds)), 1_000_000 * seconds);
}

#[test]
fn a_ramp_arrives_by_the_area_under_it() {
    // n = t²/2 from 0/s to 10/s in ten seconds.
    let mut schedule = constant("0/s", &[(10, "10/s")]);
    let check = |schedule: &mut Schedule, number: u64, seconds: f64| {
        let at = schedule.time_of(number).expect("it happens");
        let expected = (seconds * 1e6).ceil() as u64;
        assert_eq!(at.as_micros(), expected, "{number}");
    };
    check(&mut schedule, 0, 0.0);
    check(&mut schedule, 1, 2.0_f64.sqrt());
    check(&mut schedule, 8, 4.0);
    check(&mut schedule, 49, 98.0_f64.sqrt());
    assert_eq!(schedule.time_of(50), None, "it would be due at the end");
    assert_eq!((schedule.planned(RunTime::from_secs(10)), schedule.planned(RunTime::MAX)), (50, 50));
    assert_eq!(schedule.end(), Some(RunTime::from_secs(10)));
    // n = 10t - t²/2 on the way down.
    let mut down = constant("10/s", &[(10, "0/s")]);
    check(&mut down, 48, 8.0);
    assert_eq!(down.planned(RunTime::MAX), 50);
}

#[test]
fn nothing_arrives_in_a_pause() {
    let schedule = constant("10/s", &[(1, "10/s"), (0, "0/s"), (60, "0/s"), (0, "10/s"), (1, "10/s")]);
    let times = times(&schedule, RunTime::MAX);
    assert_eq!(times.len(), 20);
    assert_eq!((times[9], times[10], times[19]), (millis(900), millis(61_000), millis(61_900)));
    let mut schedule = schedule;
    assert_eq!(schedule.planned(millis(1000)), 10);
    assert_eq!(schedule.planned(millis(60_999)), 10);
    assert_eq!(schedule.planned(millis(61_001)), 11);
}

#[test]
fn a_jump_takes_no_time() {
    let schedule = constant("1/s", &[(2, "1/s"), (0, "4/s"), (1, "4/s")]);
    let expected = [0, 1000, 2000, 2250, 2500, 2750].map(millis);
    assert_eq!(times(&schedule, RunTime::MAX), expected);
}

#[test]
fn what_cannot_be_made_is_refused() {
    let check = |start: &str, list: &[(u64, &str)], max_users, expected: &str| {
        let made =
            Arrivals::new(rate(start), stages(list), max_users, Distribution::Constant, Duration::ZERO);
        assert_eq!(made.unwrap_err().to_string(), expected);
    };
    check("0/s", &[], 1, "nothing ever arrives; give a rate above 0");
    check("5/s", &[(0, "0/s"), (9, "0/s")], 1, "nothing ever arrives; give a rate above 0");
    check("1/s", &[(0, "2/s")], 1, "the stages last no time at all; give one a duration above 0");
    check("1/s", &[], 0, "max_users must be from 1 to 10000000, got 0");
    check("1/s", &[], 10_000_001, "max_users must be from 1 to 10000000, got 10000001");
    check(
        "1/s",
        &[(2_592_001, "2/s")],
        1,
        "a stage of 2592001 s is too long; the limit is 30 days, so make two of it",
    );
    check(
        "1/s",
        &[(2_592_000, "1/s"); 122],
        1,
        "all stages together are longer than ten years, which is the limit",
    );
}

#[test]
fn the_longest_and_steepest_ramps_fit() {
    let month = MAX_STAGE.as_secs();
    for list in [[(month, "1000000/s"), (month, "0.001/h")], [(month, "0/s"), (month, "1000000/s")]] {
        let mut schedule = constant("0.001/h", &list);
        let all = schedule.planned(RunTime::MAX);
        let last = schedule.time_of(all - 1).expect("the last one happens");
        assert!(last < RunTime::from_secs(2 * month));
        assert_eq!(schedule.planned(last), all - 1);
    }
}

#[test]
fn classes_share_constant_arrivals_to_the_last_one() {
    let all = arrivals("1000/s", &[], Distribution::Constant);
    let parts = all.split(&[3.0, 0.0, 1.0]);
    assert!(parts[1].is_none());
    let [a, b] = [&parts[0], &parts[2]].map(|part| part.clone().expect("it has a weight"));
    assert_eq!((a.max_users(), b.max_users()), (75, 25));
    assert_eq!((a.peak_rate(), b.peak_rate()), (750.0, 250.0));
    let until = RunTime::from_secs(1);
    let [a, b] = [a, b].map(|part| times(&Schedule::new(&part, 1, "A"), until));
    assert_eq!((a.len(), b.len()), (750, 250));
    assert_eq!((&a[..4], &b[..2]), (&[0, 1, 2, 4].map(millis)[..], &[3, 7].map(millis)[..]));
}

#[test]
fn users_are_shared_exactly() {
    let check = |total, weights: &[f64], expected: &[u32]| {
        assert_eq!(by_largest_remainder(total, weights), expected, "{total} by {weights:?}");
        assert_eq!(expected.iter().sum::<u32>(), total);
    };
    check(10, &[1.0, 1.0, 1.0], &[4, 3, 3]);
    check(100, &[3.0, 1.0], &[75, 25]);
    check(2, &[0.2, 0.2, 0.6], &[1, 0, 1]);
    let shares = |total, of| (0..of).map(|index| even_share(total, index, of)).collect::<Vec<_>>();
    assert_eq!((shares(10, 4), shares(2, 3)), (vec![3, 3, 2, 2], vec![1, 1, 0]));
}

#[test]
fn slots_of_slots_cover_everything_once() {
    let mut owners = vec![0; 60];
    for worker in 0..3 {
        for lane in 0..4 {
            let slot = Slot::new(worker, 3).unwrap().sub_slot(lane, 4);
            let mut number = slot.first_from(0);
            while number < 60 {
                owners[number as usize] += 1;
                number += u64::from(slot.of());
            }
        }
    }
    assert_eq!(owners, vec![1; 60]);
    assert_eq!((Slot::new(3, 3), Slot::new(0, 0), Slot::new(0, Slot::MAX_SHARERS + 1)), (None, None, None));
    let slot = Slot::new(2, 5).unwrap();
    assert_eq!([0, 2, 3, 7, 8].map(|from| slot.first_from(from)), [2, 2, 7, 7, 12]);
}

// Poisson.

#[test]
fn a_poisson_process_has_the_mean_and_the_variance_of_one() {
    const SECONDS: u64 = 4000;
    for per_second in ["0.5/s", "5/s", "200/s"] {
        let mut schedule = poisson(per_second, &[]);
        let mean = rate(per_second).as_per_second();
        // Spans that lie across the blocks.
        let planned: Vec<u64> =
            (0..=SECONDS).map(|second| schedule.planned(millis(second * 1000 + 400))).collect();
        let counts: Vec<f64> = planned.windows(2).map(|pair| (pair[1] - pair[0]) as f64).collect();
        let found = counts.iter().sum::<f64>() / SECONDS as f64;
        let variance = counts.iter().map(|count| (count - found).powi(2)).sum::<f64>() / SECONDS as f64;
        let tolerance = 5.0 * (mean / SECONDS as f64).sqrt();
        assert!((found - mean).abs() < tolerance, "a mean of {found} instead of {mean}");
        assert!((variance / mean - 1.0).abs() < 0.15, "a variance of {variance} instead of {mean}");
    }
}

#[test]
fn gaps_of_a_poisson_process_are_exponential() {
    let times = times(&poisson("100/s", &[]), RunTime::from_secs(200));
    let gaps: Vec<f64> =
        times.windows(2).map(|pair| pair[1].saturating_since(pair[0]).as_secs_f64() * 100.0).collect();
    for limit in [0.1, 0.5, 1.0, 2.0, 3.0] {
        let longer = gaps.iter().filter(|gap| **gap > limit).count() as f64 / gaps.len() as f64;
        let expected = (-limit).exp();
        assert!((longer - expected).abs() < 0.015, "{longer} instead of {expected} are longer than {limit}");
    }
}

#[test]
fn a_poisson_process_follows_a_ramp() {
    // 50,000 in all, of which a quarter in the first half.
    let mut schedule = poisson("0/s", &[(100, "1000/s")]);
    let (half, all) = (schedule.planned(RunTime::from_secs(50)), schedule.planned(RunTime::MAX));
    assert!((49_000..51_000).contains(&all), "{all}");
    assert!((12_000..13_000).contains(&half), "{half}");
    // Within a block, too: the second half of the first second has three times as many.
    let mut steep = poisson("0/s", &[(1, "100000/s")]);
    let (half, all) = (steep.planned(millis(500)), steep.planned(millis(1000)));
    assert!((all as f64 / half as f64 - 4.0).abs() < 0.2, "{half} of {all}");
}

#[test]
fn a_day_of_poisson_blocks_ends_where_it_should() {
    let mut schedule = poisson("10/s", &[]);
    let day = 24 * 3600;
    let planned = schedule.planned(RunTime::from_secs(day));
    assert!((860_000..868_000).contains(&planned), "{planned}");
    let next = schedule.time_of(planned).expect("it goes on");
    assert!(next >= RunTime::from_secs(day));
    assert!(schedule.time_of(planned - 1).expect("it was planned") < RunTime::from_secs(day));
}

#[test]
fn classes_and_seeds_have_processes_of_their_own() {
    let of = |seed, class| {
        let arrivals = arrivals("100/s", &[], Distribution::Poisson);
        times(&Schedule::new(&arrivals, seed, class), RunTime::from_secs(10))
    };
    assert_eq!(of(1, "A"), of(1, "A"));
    assert_ne!(of(1, "A"), of(2, "A"));
    assert_ne!(of(1, "A"), of(1, "B"));
}

#[test]
fn shares_of_a_poisson_process_add_up_to_its_rate() {
    let parts = arrivals("1000/s", &[], Distribution::Poisson).split(&[3.0, 1.0]);
    let planned = |part: &Option<Arrivals>, class| {
        Schedule::new(part.as_ref().expect("it has a weight"), 1, class).planned(RunTime::from_secs(100))
    };
    let (a, b) = (planned(&parts[0], "A"), planned(&parts[1], "B"));
    assert!((a as f64 / 75_000.0 - 1.0).abs() < 0.02 && (b as f64 / 25_000.0 - 1.0).abs() < 0.03, "{a} {b}");
}

#[test]
fn a_process_without_a_rate_has_no_arrivals_and_ends() {
    let mut schedule = poisson("5/s", &[(1, "0/s"), (100, "0/s")]);
    let all = schedule.planned(RunTime::MAX);
    assert_eq!(schedule.time_of(all), None);
    assert!(times(&schedule, RunTime::MAX).iter().all(|at| *at < RunTime::from_secs(1)));
}

// What holds for any schedule.

fn any_rate() -> impl Strategy<Value = ArrivalRate> {
    let text = prop_oneof![
        Just("0/s".to_owned()),
        (0..2000u32).prop_map(|n| format!("{n}/s")),
        (1..100_000u32).prop_map(|n| format!("{}.{:03}/m", n / 1000, n % 1000)),
        (1..1_000_000u32).prop_map(|n| format!("{n}/h")),
    ];
    text.prop_map(|text| rate(&text))
}

fn any_arrivals() -> impl Strategy<Value = Arrivals> {
    let duration = prop_oneof![Just(0), 1..5_000_000u64, 1..60_000_000u64].prop_map(Duration::from_micros);
    let stage = (duration, any_rate()).prop_map(|(duration, rate)| Stage { duration, rate });
    let distribution = prop_oneof![Just(Distribution::Constant), Just(Distribution::Poisson)];
    let parts = (any_rate(), prop::collection::vec(stage, 0..6), distribution);
    parts.prop_filter_map("nothing arrives", |(start, stages, distribution)| {
        Arrivals::new(start, stages, 10, distribution, Duration::ZERO).ok()
    })
}

proptest! {
    #[test]
    fn an_arrival_is_planned_from_the_microsecond_after_it_on(arrivals in any_arrivals(), at in 0..100_000_000u64) {
        let mut schedule = Schedule::new(&arrivals, 3, "A");
        let at = RunTime::from_micros(at);
        let before = schedule.planned(at);
        if let Some(last) = before.checked_sub(1) {
            prop_assert!(schedule.time_of(last).expect("it was planned") < at);
        }
        if let Some(next) = schedule.time_of(before) {
            prop_assert!(next >= at);
            prop_assert!(schedule.end().is_none_or(|end| next < end));
            prop_assert!(schedule.planned(next) <= before);
            prop_assert!(schedule.planned(next + Duration::from_micros(1)) > before);
        }
    }

    #[test]
    fn times_never_fall_and_slots_share_them_out(
        arrivals in any_arrivals(), start in 0..30_000_000u64, sharers in 1..6u32,
    ) {
        let schedule = Schedule::new(&arrivals, 3, "A");
        let (from, until) = (RunTime::from_micros(start), RunTime::from_micros(start + 3_000_000));
        let all = walk(&schedule, Slot::ALL, from, until);
        prop_assert!(all.windows(2).all(|pair| pair[0].at <= pair[1].at && pair[1].number == pair[0].number + 1));
        let slots = (0..sharers).map(|index| Slot::new(index, sharers).unwrap());
        let mut shared: Vec<Due> = slots.flat_map(|slot| walk(&schedule, slot, from, until)).collect();
        shared.sort_by_key(|due| due.number);
        prop_assert_eq!(shared, all);
    }

    #[test]
    fn nobody_makes_or_misses_an_arrival_when_the_slots_change(
        arrivals in any_arrivals(), before in 1..4u32, after in 1..4u32, change in 0..10_000_000u64,
    ) {
        let schedule = Schedule::new(&arrivals, 3, "A");
        let (change, end) = (RunTime::from_micros(change), RunTime::from_secs(12));
        let part = |sharers: u32, from, until| {
            let slots = (0..sharers).map(|index| Slot::new(index, sharers).unwrap());
            slots.flat_map(|slot| walk(&schedule, slot, from, until)).collect::<Vec<_>>()
        };
        let mut made = part(before, RunTime::ZERO, change);
        made.extend(part(after, change, end));
        made.sort_by_key(|due| due.number);
        prop_assert_eq!(made, walk(&schedule, Slot::ALL, RunTime::ZERO, end));
    }

    #[test]
    fn an_answer_does_not_depend_on_what_was_asked_before(
        arrivals in any_arrivals(), asked in prop::collection::vec((any::<bool>(), 0..60_000u64), 1..20),
    ) {
        let fresh = Schedule::new(&arrivals, 3, "A");
        let mut used = fresh.clone();
        for (by_time, value) in asked {
            if by_time {
                prop_assert_eq!(used.planned(millis(value)), fresh.clone().planned(millis(value)));
            } else {
                prop_assert_eq!(used.time_of(value), fresh.clone().time_of(value));
            }
        }
    }

    #[test]
    fn constant_arrivals_are_within_one_of_the_area(arrivals in any_arrivals(), at in 1..100_000_000u64) {
        let arrivals = Arrivals { distribution: Distribution::Constant, ..arrivals };
        let mut schedule = Schedule::new(&arrivals, 3, "A");
        let area = area(&arrivals, at as f64 / 1e6);
        let planned = schedule.planned(RunTime::from_micros(at)) as f64;
        prop_assert!((planned - area).abs() <= 1.0 + area * 1e-9, "{planned} instead of {area}");
    }

    #[test]
    fn classes_share_any_arrivals_to_the_last_one(
        arrivals in any_arrivals(), weights in prop::collection::vec(prop_oneof![Just(0.0), 0.01..100.0f64], 1..6),
        until in 0..20_000_000u64,
    ) {
        prop_assume!(weights.iter().any(|weight| *weight > 0.0));
        let until = RunTime::from_micros(until);
        let arrivals = Arrivals { distribution: Distribution::Constant, ..arrivals };
        let parts = arrivals.split(&weights);
        let schedules = parts.iter().flatten().map(|part| Schedule::new(part, 3, "A"));
        let mut shared: Vec<RunTime> = schedules.flat_map(|schedule| times(&schedule, until)).collect();
        shared.sort_unstable();
        prop_assert_eq!(shared, times(&Schedule::new(&arrivals, 3, "A"), until));
    }
}

/// The area under the rate up to so many seconds, in floats.
fn area(arrivals: &Arrivals, seconds: f64) -> f64 {
    if arrivals.stages.is_empty() {
        return arrivals.start.as_per_second() * seconds;
    }
    let (mut at, mut from, mut area) = (0.0, arrivals.start.as_per_second(), 0.0);
    for stage in &arrivals.stages {
        let (length, to) = (stage.duration.as_secs_f64(), stage.rate.as_per_second());
        let within = (seconds - at).clamp(0.0, length);
        if length > 0.0 {
            area += from * within + (to - from) * within * within / length / 2.0;
        }
        (at, from) = (at + length, to);
    }
    area
}
