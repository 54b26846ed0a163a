//! `sentinel-master search`: one run after the other over the same workers, until it is known how much load is too much.
//!
//! Which load comes next, and what a run of it is, is decided in [`sentinel_common::search`].

mod plan;

use sentinel_common::coordinator::Policy;
use sentinel_common::report::{Detail, Report};
use sentinel_common::search::{Measurement, Search};

pub use self::plan::{SearchMisuse, SearchPlan};

use crate::control::Control;
use crate::settings::Settings;

/// What is different in a master that goes on after a run.
pub fn policy(settings: &Settings) -> Policy {
    Policy { rebalance_on_loss: settings.rebalance_on_loss, one_run: false }
}

/// Makes the runs of a search, tells what came of each, and sends the workers home.
pub async fn conduct<P: FnMut(&Report), L: FnMut()>(
    control: &mut Control<P, L>,
    plan: &SearchPlan,
    mut tell: impl FnMut(&Measurement),
) -> Search {
    let mut search = Search::new(plan.range, plan.repeat, plan.max_steps);
    while let Some(trial) = search.next_trial() {
        let autostart = match plan.steps.autostart(&plan.asked, trial) {
            Ok(autostart) => autostart,
            Err(error) => {
                tracing::error!("The load {} cannot be made: {error}", trial.load);
                search.cut_short();
                continue;
            }
        };
        let was_made = control.make_run(autostart).await.is_none() && !control.is_interrupted();
        match (control.last_run(), control.report(Detail::Live)) {
            (Some(run), Some(report)) if was_made => {
                let measurement = Measurement::of(trial, run, &report);
                tell(&measurement);
                search.record(measurement);
            }
            _ => search.cut_short(),
        }
    }
    control.farewell().await;
    search
}
