//! The way from what workers run to what they should run, in steps that respect the spawn rate.
//!
//! A ramp's own steps are Locust's and exactly one step long. But a placement may also change all at once, when workers
//! join or are lost, and then nobody should spawn or stop a hundred users in the same instant because of it.

/// Moves `told`, the users of each worker by class, towards `goal` in the same order. Spawns at most `limit` users and
/// stops at most `limit`; on the way the sum stays as close to the sum of `goal` as that allows.
///
/// If the two differ by no more than one step of a ramp, `told` is `goal` afterwards.
pub fn approach(told: &mut [Vec<u32>], goal: &[Vec<u32>], limit: u64) {
    let (deficit, surplus) = differences(told, goal);
    let (spawns, stops) = if deficit >= surplus {
        let spawns = limit.min(deficit);
        (spawns, (spawns + surplus).saturating_sub(deficit).min(limit))
    } else {
        let stops = limit.min(surplus);
        ((stops + deficit).saturating_sub(surplus).min(limit), stops)
    };
    take_turns(told, goal, spawns, |told, goal| {
        let short = *told < goal;
        *told += u32::from(short);
        short
    });
    take_turns(told, goal, stops, |told, goal| {
        let over = *told > goal;
        *told -= u32::from(over);
        over
    });
}

/// How many users are to be spawned, and how many to be stopped.
fn differences(told: &[Vec<u32>], goal: &[Vec<u32>]) -> (u64, u64) {
    let cells = told.iter().flatten().zip(goal.iter().flatten());
    cells.fold((0, 0), |(deficit, surplus), (&told, &goal)| {
        let (short, over) = (goal.saturating_sub(told), told.saturating_sub(goal));
        (deficit + u64::from(short), surplus + u64::from(over))
    })
}

/// Makes `moves` moves, one worker after the other. `change` changes one cell if that brings it nearer to its goal.
fn take_turns(told: &mut [Vec<u32>], goal: &[Vec<u32>], moves: u64, change: impl Fn(&mut u32, u32) -> bool) {
    let mut left = moves;
    while left > 0 {
        let before = left;
        for (told, goal) in told.iter_mut().zip(goal) {
            if left > 0 && told.iter_mut().zip(goal).any(|(told, goal)| change(told, *goal)) {
                left -= 1;
            }
        }
        if left == before {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(told: &[[u32; 2]], goal: &[[u32; 2]], limit: u64, expected: &[[u32; 2]]) {
        let mut now = rows(told);
        approach(&mut now, &rows(goal), limit);
        assert_eq!(now, rows(expected), "{told:?} to {goal:?} by {limit}");
    }

    fn rows(cells: &[[u32; 2]]) -> Vec<Vec<u32>> {
        cells.iter().map(|row| row.to_vec()).collect()
    }

    #[test]
    fn a_step_of_a_ramp_is_taken_whole() {
        check(&[[0, 0], [0, 0]], &[[2, 1], [1, 1]], 5, &[[2, 1], [1, 1]]);
        check(&[[2, 1], [1, 1]], &[[0, 0], [0, 0]], 5, &[[0, 0], [0, 0]]);
    }

    #[test]
    fn users_that_move_are_spawned_and_stopped_side_by_side() {
        check(&[[8, 0], [0, 0]], &[[4, 0], [4, 0]], 1, &[[7, 0], [1, 0]]);
        check(&[[8, 0], [0, 0]], &[[4, 0], [4, 0]], 3, &[[5, 0], [3, 0]]);
    }

    #[test]
    fn what_is_missing_is_spawned_before_anybody_stops() {
        check(&[[5, 0], [0, 0]], &[[4, 0], [4, 0]], 2, &[[5, 0], [2, 0]]);
    }

    #[test]
    fn what_is_too_much_is_stopped_before_anybody_spawns() {
        check(&[[8, 0], [0, 0]], &[[2, 0], [3, 0]], 2, &[[6, 0], [0, 0]]);
    }

    fn cells() -> impl Strategy<Value = Vec<Vec<u32>>> {
        prop::collection::vec(prop::collection::vec(0_u32..20, 3), 4)
    }

    proptest! {
        #[test]
        fn no_step_exceeds_the_limit_and_all_steps_arrive(start in cells(), goal in cells(), limit in 1_u64..10) {
            let sum = |rows: &[Vec<u32>]| rows.iter().flatten().map(|users| i64::from(*users)).sum::<i64>();
            let mut told = start;
            let mut steps = 0;
            while told != goal {
                let before = told.clone();
                approach(&mut told, &goal, limit);
                let (spawned, stopped) = differences(&before, &told);
                prop_assert!(spawned <= limit && stopped <= limit);
                let away = |rows: &[Vec<u32>]| (sum(rows) - sum(&goal)).abs();
                prop_assert!(away(&told) <= away(&before), "the sum never moves away from its goal");
                steps += 1;
                prop_assert!(steps <= 4 * 3 * 20 * 2, "it arrives");
            }
        }
    }
}
