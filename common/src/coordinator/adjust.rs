//! Users that somebody adds or takes away by hand while a run goes on: Locust's keys `w`, `W`, `s` and `S`.

use super::{Coordinator, Phase, Run};
use crate::dispatch::SpawnRate;
use crate::time::Moment;

impl Coordinator {
    /// Adds `by` users to what the run is to have, or takes them away if it is negative, at 100 users per second and
    /// not below zero. As in Locust, a run that is on its way to other users takes no further ones: the log says so.
    pub fn adjust(&mut self, now: Moment, by: i32) {
        let Some(run) = self.run.as_ref() else {
            return self.info("There is no run yet whose users can be changed".to_owned());
        };
        if let Some(reason) = run.users_are_fixed() {
            return self.warn(reason.to_owned());
        }
        let target = run.load().users;
        let users = target.saturating_add_signed(by);
        match run.phase() {
            Phase::Spawning if by > 0 => {
                self.warn("Already spawning users, can't spawn more right now".to_owned());
            }
            Phase::Spawning => self.warn("Spawning users, can't stop right now".to_owned()),
            Phase::Running if users == target => self.info(format!("The run already has {users} users")),
            Phase::Running => {
                if let Err(reason) = self.edit(now, users, SpawnRate::BY_HAND) {
                    self.warn(reason.to_owned());
                }
            }
            Phase::Stopping | Phase::Stopped => {
                self.info("The run is ending; its users cannot be changed".to_owned());
            }
        }
    }
}

impl Run {
    /// Why nobody can give the run other users, if that is so.
    pub(super) fn users_are_fixed(&self) -> Option<&'static str> {
        if self.spec.shape.is_some() {
            return Some("The run follows its shape; its users cannot be changed");
        }
        self.spec.is_open().then_some("All users of the run serve arrivals; there are none to change")
    }
}
