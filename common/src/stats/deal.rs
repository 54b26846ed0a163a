//! Response times over seconds, where a report says only how many requests each second had.

/// Deals `times`, pairs of a time and how often it was, out over seconds in proportion to their `requests`; the counts
/// of every time add up again. `give` is told the index of a second, a time, and how often that second gets it.
///
/// ```text
/// requests   |  3  |    6    |  3  |      the seconds, one after the other, as the range 0 .. 12
///  4 times   |   .   |   .   |   .   |   . lie in it at equal distances,
///  1 time    |          .            |     and every kind begins elsewhere, so that single ones do not heap up
/// ```
pub fn deal_out(times: &[(u64, u64)], requests: &[u64], mut give: impl FnMut(usize, u64, u64)) {
    let range: u128 = requests.iter().map(|requests| u128::from(*requests)).sum();
    if range == 0 {
        return;
    }
    // The golden ratio spreads any number of beginnings evenly.
    let step = range * 618 / 1_000;
    let mut offset = range / 2;
    for (time_us, count) in times {
        // A second counts no further than 32 bits, and with them the product below cannot overflow.
        let count = u128::from((*count).min(u64::from(u32::MAX)));
        let (mut passed, mut dealt) = (0_u128, 0);
        for (index, requests) in requests.iter().enumerate() {
            passed += u128::from(*requests);
            let until = (count * passed + offset) / range;
            let share = u64::try_from(until - dealt).unwrap_or(u64::MAX);
            if share > 0 {
                give(index, *time_us, share);
            }
            dealt = until;
        }
        offset = (offset + step) % range;
    }
}
