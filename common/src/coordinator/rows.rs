//! Rows that are used once in the whole cluster: the coordinator's part that leases them and tells of what is gone.

use super::Coordinator;
use super::run::{Phase, Run};
use crate::ids::{ConnectionId, WorkerId};
use crate::messages::{RowsLease, RowsRequest, RowsReturned, ToWorker, Wire};
use crate::rows::Lease;
use crate::time::Moment;
use crate::timeline::EventKind;

/// The answer for a run that is over, or for a source that there is not.
const NOTHING_EVER: Lease = Lease { ranges: Vec::new(), exhausted: true };

impl Coordinator {
    /// A worker wants rows.
    pub(super) fn on_rows_request(
        &mut self,
        now: Moment,
        connection: ConnectionId,
        worker: &WorkerId,
        asked: RowsRequest,
    ) {
        let RowsRequest { run, source, request, left, want } = asked;
        let workers = self.roster.active().filter(|node| node.wire == Wire::Grpc).count();
        let ledger = self.current(&run).and_then(|run| run.rows.get_mut(&source));
        let known = ledger.is_some();
        let lease = match ledger {
            Some(ledger) => ledger.request(worker, request, left, want, workers),
            None => Some(NOTHING_EVER),
        };
        // An older message than the last one needs no answer.
        let Some(Lease { ranges, exhausted }) = lease else {
            return;
        };
        if exhausted && known {
            self.note_exhausted(now, &source);
        }
        self.send(connection, ToWorker::RowsLease(RowsLease { run, source, request, ranges, exhausted }));
    }

    /// A worker hands back rows.
    pub(super) fn on_rows_returned(
        &mut self,
        connection: ConnectionId,
        worker: &WorkerId,
        returned: RowsReturned,
    ) {
        let RowsReturned { run, source, request, ranges } = returned;
        let ledger = self.current(&run).and_then(|run| run.rows.get_mut(&source));
        let answer = match ledger {
            Some(ledger) => ledger.give_back(worker, request, &ranges),
            None => Some(Lease::default()),
        };
        if let Some(Lease { ranges, exhausted }) = answer {
            self.send(connection, ToWorker::RowsLease(RowsLease { run, source, request, ranges, exhausted }));
        }
    }

    /// A worker was lost. What it had may have been used, so nobody else gets it.
    pub(super) fn withhold_rows(&mut self, now: Moment, worker: &WorkerId) {
        let Some(run) = self.run.as_mut().filter(|run| run.phase.is_active()) else {
            return;
        };
        let lost = run.rows.iter_mut().map(|(source, ledger)| (source.clone(), ledger.lose(worker)));
        let lost: Vec<(String, u64)> = lost.filter(|(_, rows)| *rows > 0).collect();
        for (source, rows) in lost {
            let event = EventKind::RowsWithheld { source, rows, worker: worker.clone() };
            self.warn(event.to_string());
            if let Some(run) = self.run.as_mut() {
                run.note(now, event);
            }
        }
    }

    /// A worker that was lost is back, with the rows that it had.
    pub(super) fn regain_rows(&mut self, worker: &WorkerId) {
        let ledgers = self.run.iter_mut().flat_map(|run| run.rows.values_mut());
        ledgers.for_each(|ledger| ledger.regain(worker));
    }

    /// A worker has handed back what it did not use, and leaves.
    pub(super) fn close_rows(&mut self, worker: &WorkerId) {
        let ledgers = self.run.iter_mut().flat_map(|run| run.rows.values_mut());
        ledgers.for_each(|ledger| ledger.close(worker));
    }

    /// Tells once that nothing is left of a source.
    fn note_exhausted(&mut self, now: Moment, source: &str) {
        let Some(run) = self.run.as_mut().filter(|run| !run.dry.contains_key(source)) else {
            return;
        };
        let Some(ledger) = run.rows.get(source) else {
            return;
        };
        let (total, withheld) = (ledger.total(), ledger.withheld());
        let event = EventKind::RowsExhausted { source: source.to_owned(), total, withheld };
        run.dry.insert(source.to_owned(), now);
        run.note(now, event.clone());
        self.info(event.to_string());
    }

    /// The run of this id, as long as it is not over.
    fn current(&mut self, id: &crate::ids::RunId) -> Option<&mut Run> {
        self.run.as_mut().filter(|run| run.id() == id && run.phase != Phase::Stopped)
    }
}
