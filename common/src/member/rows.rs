//! What a worker says about rows: wants and what it hands back, source by source. For each source, one message at a
//! time is on its way, under a number, and is said again on a new connection until it is answered.

use std::collections::BTreeMap;

use crate::ids::RunId;
use crate::messages::{FromWorker, RowsLease, RowsRequest, RowsReturned};
use crate::rows::{ASK_AGAIN_AFTER, RowRange, Want};
use crate::time::Moment;

/// What the worker has to say about the rows of one run.
#[derive(Debug)]
pub(super) struct RowTalk {
    run: RunId,
    sources: BTreeMap<String, Source>,
    /// Nothing more will be wanted.
    closed: bool,
}

/// What an answer of the master is to the stock.
#[derive(Debug, PartialEq)]
pub(super) struct Supply {
    /// The rows that it gets.
    pub(super) ranges: Vec<RowRange>,
    /// There will never be any more.
    pub(super) exhausted: bool,
}

#[derive(Debug, Default)]
struct Source {
    /// The number of the last message.
    number: u64,
    /// That message, until it is answered.
    pending: Option<Pending>,
    /// What is wanted next.
    want: Option<Want>,
    /// What is to be handed back next.
    returning: Option<Vec<RowRange>>,
    /// The last answer was that there is nothing for now.
    in_vain: Option<InVain>,
}

#[derive(Debug)]
enum Pending {
    Request(Want),
    Return(Vec<RowRange>),
}

/// A request that brought nothing.
#[derive(Clone, Copy, Debug)]
struct InVain {
    /// When to ask again.
    again_at: Moment,
    /// The worker had some left when it asked, and may get another answer as soon as it has none.
    had_some: bool,
}

impl RowTalk {
    pub(super) fn new(run: RunId) -> Self {
        Self { run, sources: BTreeMap::new(), closed: false }
    }

    /// A stock wants rows. Returns what to say now, if anything.
    pub(super) fn want(&mut self, now: Moment, source: &str, want: Want) -> Option<FromWorker> {
        if self.closed {
            return None;
        }
        let state = self.sources.entry(source.to_owned()).or_default();
        // Once it is answered, the stock is asked anew.
        if matches!(state.pending, Some(Pending::Request(_))) {
            return None;
        }
        state.want = Some(want);
        self.say_next(now, source)
    }

    /// Rows of a stock are not needed here. Returns what to say now, if anything.
    pub(super) fn hand_back(
        &mut self,
        now: Moment,
        source: &str,
        ranges: Vec<RowRange>,
    ) -> Option<FromWorker> {
        let state = self.sources.get_mut(source)?;
        state.want = None;
        state.in_vain = None;
        state.returning.get_or_insert_default().extend(ranges);
        self.say_next(now, source)
    }

    /// No user is left to take rows. What is in the stocks is handed back, and whatever may still come.
    pub(super) fn close(
        &mut self,
        now: Moment,
        mut left: BTreeMap<String, Vec<RowRange>>,
    ) -> Vec<FromWorker> {
        self.closed = true;
        let sources: Vec<String> = self.sources.keys().cloned().collect();
        let hand_back = sources.iter().filter_map(|source| {
            let ranges = left.remove(source).unwrap_or_default();
            let busy = self.sources.get(source).is_some_and(|state| state.pending.is_some());
            if ranges.is_empty() && !busy {
                return None;
            }
            self.hand_back(now, source, ranges)
        });
        hand_back.collect()
    }

    /// The run is over for everybody: nobody needs the rows that are left.
    pub(super) fn forget(&mut self) {
        self.closed = true;
        self.sources.clear();
    }

    /// The master has answered. Returns what that is to the stock, and what to say next.
    pub(super) fn answer(&mut self, now: Moment, lease: RowsLease) -> (Option<Supply>, Option<FromWorker>) {
        let RowsLease { source, request, ranges, exhausted, .. } = lease;
        let Some(state) = self.sources.get_mut(&source).filter(|state| state.number == request) else {
            return (None, None);
        };
        let nothing = Supply { ranges: Vec::new(), exhausted: false };
        let supply = match (state.pending.take(), &mut state.returning) {
            (None, _) => return (None, None),
            (Some(Pending::Return(_)), _) => nothing,
            (Some(Pending::Request(_)), Some(returning)) => {
                returning.extend(ranges);
                nothing
            }
            (Some(Pending::Request(want)), None) => {
                let in_vain = InVain { again_at: now + ASK_AGAIN_AFTER, had_some: want.left > 0 };
                state.in_vain = (ranges.is_empty() && !exhausted).then_some(in_vain);
                Supply { ranges, exhausted }
            }
        };
        let supply = (!self.closed).then_some(supply);
        (supply, self.say_next(now, &source))
    }

    /// What to say because time has passed.
    pub(super) fn due(&mut self, now: Moment) -> Vec<FromWorker> {
        let sources: Vec<String> = self.sources.keys().cloned().collect();
        sources.iter().filter_map(|source| self.say_next(now, source)).collect()
    }

    /// When something is due.
    pub(super) fn next_at(&self) -> Option<Moment> {
        let waiting = self.sources.values().filter(|state| state.pending.is_none() && state.want.is_some());
        waiting.filter_map(|state| state.in_vain).map(|in_vain| in_vain.again_at).min()
    }

    /// What was not answered.
    pub(super) fn repeat(&self) -> Vec<FromWorker> {
        self.sources.iter().filter_map(|(source, state)| self.message(source, state)).collect()
    }

    /// Whether the master has answered everything.
    pub(super) fn is_settled(&self) -> bool {
        self.sources.values().all(|state| state.pending.is_none() && state.returning.is_none())
    }

    /// The next message about a source, unless one is on its way or there is nothing to say.
    fn say_next(&mut self, now: Moment, source: &str) -> Option<FromWorker> {
        let state = self.sources.get_mut(source).filter(|state| state.pending.is_none())?;
        let pending = match state.returning.take() {
            Some(ranges) => Pending::Return(ranges),
            None => Pending::Request(state.want.take_if(|want| {
                let again = |in_vain: InVain| now >= in_vain.again_at || (in_vain.had_some && want.left == 0);
                state.in_vain.is_none_or(again)
            })?),
        };
        state.number += 1;
        state.pending = Some(pending);
        let state = self.sources.get(source)?;
        self.message(source, state)
    }

    fn message(&self, source: &str, state: &Source) -> Option<FromWorker> {
        let (run, source, request) = (self.run.clone(), source.to_owned(), state.number);
        Some(match state.pending.as_ref()? {
            Pending::Request(Want { rows, left }) => {
                FromWorker::RowsRequest(RowsRequest { run, source, request, left: *left, want: *rows })
            }
            Pending::Return(ranges) => {
                FromWorker::RowsReturned(RowsReturned { run, source, request, ranges: ranges.clone() })
            }
        })
    }
}
