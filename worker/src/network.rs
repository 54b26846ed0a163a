//! How full the machine's network links are, as far as the system says how fast they are.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::str::FromStr;

use tokio::time::Instant;

/// Where Linux tells of its links. Elsewhere there is nothing to read, and nothing is known.
const LINKS: &str = "/sys/class/net";

/// So many links are looked at; a machine with more of them has virtual ones, which tell no speed.
const MAX_LINKS: usize = 64;

/// What went over a link since the machine began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Traffic {
    received_bytes: u64,
    sent_bytes: u64,
}

/// Watches the links of this machine.
#[derive(Debug)]
pub struct Links {
    before: BTreeMap<String, Traffic>,
    at: Instant,
}

impl Links {
    /// Begins to watch.
    pub fn watch() -> Self {
        let before = links().into_iter().map(|(name, _, traffic)| (name, traffic)).collect();
        Self { before, at: Instant::now() }
    }

    /// How much of the busiest link was in use since this was last asked, in percent of its speed in the busier
    /// direction; `None` if no link says how fast it is.
    pub fn busiest_percent(&mut self) -> Option<f32> {
        let seconds = self.at.elapsed().as_secs_f64();
        self.at = Instant::now();
        let now = links();
        let percents = now.iter().filter_map(|(name, megabits_per_s, traffic)| {
            percent_of(*megabits_per_s, *self.before.get(name)?, *traffic, seconds)
        });
        let busiest = percents.reduce(f64::max);
        self.before = now.into_iter().map(|(name, _, traffic)| (name, traffic)).collect();
        busiest.map(|percent| percent as f32)
    }
}

/// The links that say how fast they are, each with its speed in megabits per second.
fn links() -> Vec<(String, f64, Traffic)> {
    let folders = fs::read_dir(LINKS).into_iter().flatten().flatten();
    let link = |folder: fs::DirEntry| {
        let path = folder.path();
        // Links without a speed say -1, or nothing at all.
        let speed: i64 = number(&path.join("speed"))?;
        let traffic = Traffic {
            received_bytes: number(&path.join("statistics/rx_bytes"))?,
            sent_bytes: number(&path.join("statistics/tx_bytes"))?,
        };
        (speed > 0).then(|| (folder.file_name().to_string_lossy().into_owned(), speed as f64, traffic))
    };
    folders.take(MAX_LINKS).filter_map(link).collect()
}

fn number<T: FromStr>(file: &Path) -> Option<T> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

fn percent_of(megabits_per_s: f64, before: Traffic, now: Traffic, seconds: f64) -> Option<f64> {
    let received = now.received_bytes.saturating_sub(before.received_bytes);
    let sent = now.sent_bytes.saturating_sub(before.sent_bytes);
    let megabits = received.max(sent) as f64 * 8.0 / 1e6;
    (seconds > 0.0).then(|| megabits / seconds / megabits_per_s * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_busier_direction_counts() {
        let check = |received_bytes, sent_bytes, seconds, expected| {
            let (before, now) = (Traffic::default(), Traffic { received_bytes, sent_bytes });
            assert_eq!(percent_of(1_000.0, before, now, seconds), expected);
        };
        check(125_000_000, 0, 1.0, Some(100.0));
        check(1, 62_500_000, 1.0, Some(50.0));
        check(62_500_000, 125_000_000, 2.0, Some(50.0));
        check(1, 1, 0.0, None);
    }

    #[test]
    fn a_counter_that_begins_anew_is_no_traffic() {
        let before = Traffic { received_bytes: 500, sent_bytes: 500 };
        assert_eq!(percent_of(1_000.0, before, Traffic::default(), 1.0), Some(0.0));
    }
}
