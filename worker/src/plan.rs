//! A run as the users see it: the scenario compiled, its profile and host applied, its files and rows at hand.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use sentinel_common::files::NamedFiles;
use sentinel_common::messages::{ClassCounts, RunPlan};
use sentinel_common::rows::RowRange;
use sentinel_common::scenario::{
    Host, HttpOptions, Identity, Outside, RenderContext, Scenario, Selection, Step, UserClass, Value,
};
use sentinel_common::time::RunClock;
use thiserror::Error;
use tokio::sync::Notify;

use crate::clock::unix_now_us;
use crate::feeder::Feeder;
use crate::http::PreparedHttp;
use crate::request::Surroundings;
use crate::rows::RowStock;

/// Why a plan cannot be run here. The master checked the same text, so this means that the two are not of one release.
#[derive(Debug, Error)]
#[error("cannot run the master's plan: {0}")]
pub struct BadPlan(String);

/// Whom an actor plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A user of the class at this index.
    Class(usize),
    /// What is done once before all users.
    Setup,
    /// What is done once after them.
    Teardown,
}

/// A plan that is ready to be run, shared by all lanes.
#[derive(Debug)]
pub struct PreparedRun {
    plan: Arc<RunPlan>,
    files: NamedFiles,
    /// What users take rows from, by source.
    stocks: BTreeMap<String, Arc<RowStock>>,
    rows_wanted: Arc<Notify>,
    scenario: Scenario,
    /// Where requests go and how they are sent, by class; those of `setup` and `teardown` come last.
    ways: Vec<Way>,
    feeders: BTreeMap<Arc<str>, Feeder>,
    outside: Outside,
    /// What every user begins with.
    variables: RwLock<BTreeMap<Arc<str>, Value>>,
    /// Users that all lanes have for the arrivals of each class.
    pool_sizes: Vec<AtomicU32>,
    /// Set by the session as it learns more; read once by each user that is born.
    clock: RwLock<RunClock>,
}

/// Where requests go and how they are sent.
#[derive(Debug)]
struct Way {
    host: Option<Host>,
    options: HttpOptions,
    http: Arc<PreparedHttp>,
}

impl BadPlan {
    /// A plan that cannot be run for this reason.
    pub fn new(reason: impl std::fmt::Display) -> Self {
        Self(reason.to_string())
    }
}

impl PreparedRun {
    /// Compiles the scenario that came with `plan`, whose files contain what `files` says, for the worker of this number.
    /// This may take a while.
    ///
    /// # Errors
    /// The text, the selection, a file or the host is not what this release understands.
    pub fn new(
        plan: Arc<RunPlan>,
        files: NamedFiles,
        worker_index: u32,
        clock: RunClock,
    ) -> Result<Arc<Self>, BadPlan> {
        let scenario = Scenario::load(&plan.scenario_name, &plan.scenario).map_err(BadPlan::new)?;
        let scenario = scenario.select(&selection(&plan)).map_err(BadPlan::new)?.scenario;
        let ways = ways(&plan, &scenario, &files)?;
        let feeders = feeders(&scenario, &files, worker_index)?;
        let variables = serde_json::from_str(&plan.variables).map_err(BadPlan::new)?;
        let rows_wanted = Arc::new(Notify::new());
        let stock = |source: &String| (source.clone(), Arc::new(RowStock::new(source, rows_wanted.clone())));
        let stocks = plan.sources.iter().map(stock).collect();
        let pool_sizes = scenario.users.iter().map(|_| AtomicU32::new(0)).collect();
        Ok(Arc::new(Self {
            plan,
            files,
            stocks,
            rows_wanted,
            scenario,
            ways,
            feeders,
            outside: Outside::default().with_clock(unix_now_us).with_env(|name| std::env::var(name).ok()),
            variables: RwLock::new(variables),
            pool_sizes,
            clock: RwLock::new(clock),
        }))
    }

    /// What the master said about it.
    pub fn plan(&self) -> &RunPlan {
        &self.plan
    }

    /// The rows of this source, each of which is used once in the whole cluster: data by its name, or the
    /// [`ITERATIONS`](sentinel_common::rows::ITERATIONS) if they are limited.
    pub fn rows(&self, source: &str) -> Option<&Arc<RowStock>> {
        self.stocks.get(source)
    }

    /// Puts all rows of data into the stocks, for a run without a master that leases them.
    pub fn fill_stocks(&self) {
        for stock in self.stocks.values() {
            let rows = self.feeder(stock.source()).map_or(0, |feeder| feeder.rows().count());
            let all = std::iter::once(0..rows).collect();
            stock.supply(all, true);
        }
    }

    /// All stocks of rows.
    pub(crate) fn stocks(&self) -> impl Iterator<Item = &Arc<RowStock>> {
        self.stocks.values()
    }

    /// Completes when a stock may want rows.
    pub(crate) async fn rows_wanted(&self) {
        self.rows_wanted.notified().await;
    }

    /// Closes all stocks: users that wait for rows get none. Returns what was left, by source.
    pub(crate) fn close_stocks(&self) -> BTreeMap<String, Vec<RowRange>> {
        self.stocks.iter().map(|(source, stock)| (source.clone(), stock.close())).collect()
    }

    /// The user classes.
    pub fn classes(&self) -> &[UserClass] {
        &self.scenario.users
    }

    /// The index of the class of this name.
    pub fn class_index(&self, name: &str) -> Option<usize> {
        self.classes().iter().position(|class| class.name == name)
    }

    /// What is done once before all users.
    pub fn setup(&self) -> &[Step] {
        &self.scenario.setup
    }

    /// What is done once after them.
    pub fn teardown(&self) -> &[Step] {
        &self.scenario.teardown
    }

    /// What people call a role.
    pub fn role_name(&self, role: Role) -> &str {
        match role {
            Role::Class(class) => &self.classes()[class].name,
            Role::Setup => "setup",
            Role::Teardown => "teardown",
        }
    }

    /// What the requests of a role have in common.
    pub fn surroundings(&self, role: Role) -> Surroundings<'_> {
        let way = self.way(role);
        Surroundings { host: way.host.as_ref(), http: &way.options, files: &self.files }
    }

    /// How the clients of a role are made.
    pub fn http(&self, role: Role) -> &Arc<PreparedHttp> {
        &self.way(role).http
    }

    /// The variables and the random stream of a new user. `index` is its number within its class.
    pub fn context(&self, role: Role, index: u64) -> RenderContext {
        let way = self.way(role);
        let identity = Identity {
            run_id: self.plan.run.as_str(),
            seed: self.plan.seed,
            class: self.role_name(role),
            index,
            host: way.host.as_ref().map(Host::as_str).unwrap_or_default(),
        };
        let mut context = RenderContext::new(&identity, &self.outside);
        context
            .seed_variables(self.variables.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone());
        context
    }

    /// Gives every user that is born from now on these variables.
    pub fn set_variables(&self, variables: BTreeMap<Arc<str>, Value>) {
        *self.variables.write().unwrap_or_else(std::sync::PoisonError::into_inner) = variables;
    }

    /// The rows of a data source.
    pub fn feeder(&self, source: &str) -> Option<&Feeder> {
        self.feeders.get(source)
    }

    /// How long a task may go on when its user is stopped.
    pub fn stop_timeout(&self) -> Duration {
        self.plan.stop_timeout
    }

    /// The seed of every random stream.
    pub fn seed(&self) -> u64 {
        self.plan.seed
    }

    /// How many users all lanes have for the arrivals of a class, which the lanes count.
    pub fn pool_size(&self, class: usize) -> &AtomicU32 {
        &self.pool_sizes[class]
    }

    /// The users that all lanes have for arrivals.
    pub fn pool(&self) -> ClassCounts {
        let sizes = self.pool_sizes.iter().map(|size| size.load(Ordering::Relaxed));
        let named = self.classes().iter().map(|class| class.name.clone()).zip(sizes);
        named.filter(|(_, size)| *size > 0).collect()
    }

    /// The run's clock as it is known now.
    pub fn clock(&self) -> RunClock {
        *self.clock.read().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Sets the run's clock, which is better known now. Users that live keep theirs, so no interval is ever distorted.
    pub fn set_clock(&self, clock: RunClock) {
        *self.clock.write().unwrap_or_else(std::sync::PoisonError::into_inner) = clock;
    }

    fn way(&self, role: Role) -> &Way {
        match role {
            Role::Class(class) => &self.ways[class],
            Role::Setup | Role::Teardown => &self.ways[self.ways.len() - 1],
        }
    }
}

/// What the plan selects of its scenario.
fn selection(plan: &RunPlan) -> Selection {
    Selection {
        profile: plan.profile.clone(),
        classes: plan.classes.clone(),
        tags: plan.tags.clone(),
        exclude_tags: plan.exclude_tags.clone(),
        adjustments: plan.adjustments.clone(),
    }
}

/// The ways of all classes, and that of `setup` and `teardown`.
fn ways(plan: &RunPlan, scenario: &Scenario, files: &NamedFiles) -> Result<Vec<Way>, BadPlan> {
    let forced = plan.host.as_deref().map(Host::parse).transpose().map_err(BadPlan::new)?;
    let way = |host: Option<&Host>, options: &HttpOptions| {
        let settings = options.settings(|file| files.get(file).map(|bytes| bytes.as_ref().into()));
        let http = PreparedHttp::new(&settings).map_err(BadPlan::new)?;
        Ok(Way { host: forced.as_ref().or(host).cloned(), options: options.clone(), http })
    };
    let classes = scenario.users.iter().map(|class| way(scenario.host_of(class), &class.http));
    classes.chain([way(scenario.host.as_ref(), &scenario.http)]).collect()
}

fn feeders(
    scenario: &Scenario,
    files: &NamedFiles,
    worker_index: u32,
) -> Result<BTreeMap<Arc<str>, Feeder>, BadPlan> {
    let feeder = |(name, source): (&Arc<str>, &sentinel_common::scenario::DataSource)| {
        let rows = source.read(|file| files.get(file).map(AsRef::as_ref)).map_err(BadPlan::new)?;
        Ok((name.clone(), Feeder::new(rows, source.order, worker_index)))
    };
    scenario.data.iter().map(feeder).collect()
}
