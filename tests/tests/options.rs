//! Every option of both programs is understood from every place that options may come from, and the places have their
//! order. The options are those of the clap commands, so none can be forgotten.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Debug;
use std::fs;

use clap::{CommandFactory, Parser};
use sentinel_common::verdict::exit_code;
use sentinel_worker::options::known::{self, Kind, Known};
use sentinel_worker::options::stranger::{self, OF_THE_MASTER, OF_THE_WORKER, Stranger};
use sentinel_worker::options::{Surroundings, read};

type MasterArgs = sentinel_master::cli::Args;
type WorkerArgs = sentinel_worker::cli::Args;

/// Where an option is said, from what comes last to what comes first.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    /// A file in the home folder or in the current one.
    File(&'static str),
    /// A table of `pyproject.toml`.
    Toml(&'static str),
    /// The file that `--config` names, and the table in it if it is TOML.
    Config(Option<&'static str>),
    /// A variable, by its prefix.
    Variable(usize),
    /// The command line.
    CommandLine,
}

const PLACES: [Place; 11] = [
    Place::File("home/.locust.conf"),
    Place::File("home/.sentinel.conf"),
    Place::File("locust.conf"),
    Place::File("sentinel.conf"),
    Place::Toml("locust"),
    Place::Toml("sentinel"),
    Place::Config(None),
    Place::Config(Some("locust")),
    Place::Variable(1),
    Place::Variable(0),
    Place::CommandLine,
];

/// A folder with files of options, and variables, and a command line.
struct Scene {
    folder: tempfile::TempDir,
    variables: BTreeMap<String, OsString>,
    words: Vec<OsString>,
    tables: BTreeMap<(&'static str, &'static str), String>,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("there is room for a folder");
        fs::create_dir(folder.path().join("home")).expect("there is room for a folder");
        Self { folder, variables: BTreeMap::new(), words: vec!["program".into()], tables: BTreeMap::new() }
    }

    fn file(self, name: &str, text: &str) -> Self {
        fs::write(self.folder.path().join(name), text).expect("there is room for a file");
        self
    }

    fn words(mut self, words: &[&str]) -> Self {
        self.words.extend(words.iter().map(OsString::from));
        self
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.into());
        self
    }

    /// Has `option` be `value` at `place`.
    fn say(mut self, place: Place, option: &Known, value: &str) -> Self {
        let line = format!("{} = {value}\n", option.long);
        // In TOML, a text stands in quotes.
        let toml = format!("{} = {value:?}\n", option.long);
        match place {
            Place::File(name) => self.file(name, &line),
            Place::Config(None) => self.file("my.conf", &line).words(&["--config", "my.conf"]),
            Place::Config(Some(table)) => {
                self.file("my.toml", &format!("[tool.{table}]\n{toml}")).words(&["--config", "my.toml"])
            }
            Place::Toml(table) => {
                self.tables.insert(("pyproject.toml", table), toml);
                let text: String =
                    self.tables.iter().map(|((_, table), line)| format!("[tool.{table}]\n{line}")).collect();
                self.file("pyproject.toml", &text)
            }
            Place::Variable(index) => self.variable(&option.variables()[index], value),
            Place::CommandLine if option.kind == Kind::Flag && value == "true" => {
                self.words(&[&format!("--{}", option.long)])
            }
            Place::CommandLine if option.kind == Kind::Flag => self,
            Place::CommandLine => self.words(&[&format!("--{}={value}", option.long)]),
        }
    }

    fn read<A: Parser>(&self, strangers: &[Stranger]) -> Result<(A, Vec<String>), String> {
        let around = Surroundings {
            variables: self.variables.clone(),
            folder: self.folder.path().to_owned(),
            home: Some(self.folder.path().join("home")),
        };
        let said = read(&self.words, &around, strangers).map_err(|error| error.render().to_string())?;
        Ok((said.args, said.notes))
    }

    /// What was understood, but for the file that was named.
    fn understood<A: Parser + Debug>(&self, strangers: &[Stranger]) -> Result<String, String> {
        let text = format!("{:?}", self.read::<A>(strangers)?.0);
        Ok(text
            .replace("config: Some(\"my.conf\")", "config: None")
            .replace("config: Some(\"my.toml\")", "config: None"))
    }

    fn refused<A: Parser + Debug>(&self, strangers: &[Stranger]) -> String {
        self.understood::<A>(strangers).expect_err("a mistake")
    }
}

/// Two values of an option that mean different things, and not what its absence means.
fn values<A: Parser + Debug>(option: &Known, strangers: &[Stranger]) -> (String, String) {
    let nothing = Scene::new().understood::<A>(strangers).expect("nothing is no mistake");
    let mut found: Vec<(&str, String)> = Vec::new();
    for value in [
        "2", "3", "2s", "http://a", "http://b", "/a", "/b", "a", "b", "ERROR", "DEBUG", "50%", "60%",
        "p95 < 2s", "p95 < 3s", "grpc", "locust", "zsh", "bash",
    ] {
        let scene = Scene::new().say(Place::CommandLine, option, value);
        let Ok(understood) = scene.understood::<A>(strangers) else { continue };
        if understood != nothing && found.iter().all(|(_, other)| *other != understood) {
            found.push((value, understood));
        }
    }
    assert!(
        found.len() >= 2,
        "no two values for --{}: give the table of this test some: {found:?}",
        option.long
    );
    (found[0].0.to_owned(), found[1].0.to_owned())
}

fn check_all<A: Parser + Debug>(command: &clap::Command, strangers: &[Stranger]) {
    let options = known::of(command);
    assert!(options.len() > 8, "{options:?}");
    for option in options.iter().filter(|option| option.long != "config") {
        let (low, high) = match option.kind {
            Kind::Flag => ("true".to_owned(), "false".to_owned()),
            _ => values::<A>(option, strangers),
        };
        let understood = |scene: Scene| {
            scene.understood::<A>(strangers).unwrap_or_else(|error| panic!("--{}: {error}", option.long))
        };
        let by_flag = |value: &str| understood(Scene::new().say(Place::CommandLine, option, value));
        let nothing = understood(Scene::new());
        for place in PLACES {
            let there = understood(Scene::new().say(place, option, &low));
            assert_eq!(there, by_flag(&low), "--{} in {place:?}", option.long);
            assert_ne!(there, nothing, "--{} in {place:?}", option.long);
        }
        for (earlier, later) in PLACES.iter().zip(&PLACES[1..]) {
            if matches!((earlier, later), (Place::Config(_), Place::Config(_))) {
                continue;
            }
            // A command line cannot say no, so there the flag is the other way round.
            let (low, high) = match (option.kind, later) {
                (Kind::Flag, Place::CommandLine) => (&high, &low),
                _ => (&low, &high),
            };
            let both = understood(Scene::new().say(*earlier, option, low).say(*later, option, high));
            assert_eq!(both, by_flag(high), "--{}: {later:?} comes before {earlier:?}", option.long);
        }
    }
}

#[test]
fn every_option_of_the_master_comes_from_everywhere_in_order() {
    check_all::<MasterArgs>(&MasterArgs::command(), OF_THE_WORKER);
}

#[test]
fn every_option_of_the_worker_comes_from_everywhere_in_order() {
    check_all::<WorkerArgs>(&WorkerArgs::command(), OF_THE_MASTER);
}

#[test]
fn each_program_knows_the_options_of_the_other() {
    stranger::compare(OF_THE_MASTER, &MasterArgs::command()).unwrap();
    stranger::compare(OF_THE_WORKER, &WorkerArgs::command()).unwrap();
}

#[test]
fn variables_have_locusts_names() {
    let check = |long: &str, expected: &str| {
        let mut options =
            known::of(&MasterArgs::command()).into_iter().chain(known::of(&WorkerArgs::command()));
        let option = options.find(|option| option.long == long).expect(long);
        assert_eq!(option.variables(), [format!("SENTINEL_{expected}"), format!("LOCUST_{expected}")]);
    };
    check("users", "USERS");
    check("spawn-rate", "SPAWN_RATE");
    check("master-host", "MASTER_NODE_HOST");
    check("master-port", "MASTER_NODE_PORT");
    check("expect-workers-max-wait", "EXPECT_WORKERS_MAX_WAIT");
    check("seed", "SEED");
    check("threads", "THREADS");
    check("master", "MODE_MASTER");
    check("class-picker", "USERCLASS_PICKER");
    check("otel", "ENABLE_OPENTELEMETRY");
}

#[test]
fn lists_keep_apart_from_the_words_that_follow() {
    let scene = Scene::new().file("locust.conf", "tags = [a, b]\n").words(&["Shopper"]);
    let (args, _) = scene.read::<MasterArgs>(OF_THE_WORKER).unwrap();
    assert_eq!((args.tags, args.classes), (vec!["a".to_owned(), "b".to_owned()], vec!["Shopper".to_owned()]));
    let tags = |scene: Scene| scene.read::<MasterArgs>(OF_THE_WORKER).unwrap().0.tags;
    assert_eq!(tags(Scene::new().variable("LOCUST_TAGS", "[a, b]")), ["a", "b"]);
    assert_eq!(tags(Scene::new().variable("LOCUST_TAGS", "a")), ["a"]);
    assert!(tags(Scene::new().variable("LOCUST_TAGS", "")).is_empty());
    assert_eq!(tags(Scene::new().words(&["-T", "a", "-T", "b", "c"])), ["b", "c"]);
}

#[test]
fn criteria_of_one_file_add_up() {
    let checks = |scene: Scene| {
        let checks = scene.read::<MasterArgs>(OF_THE_WORKER).unwrap().0.check;
        checks.into_iter().map(|criterion| criterion.text).collect::<Vec<_>>()
    };
    let text = "check = users == 4\nusers = 4\ncheck = rps > 1\n";
    assert_eq!(checks(Scene::new().file("locust.conf", text)), ["users == 4", "rps > 1"]);
    let toml = "[tool.locust]\ncheck = ['p95 < 1s', 'rps > 1, after 3s']\n";
    assert_eq!(checks(Scene::new().file("pyproject.toml", toml)), ["p95 < 1s", "rps > 1, after 3s"]);
    assert_eq!(
        checks(Scene::new().words(&["--check", "rps > 1", "--check", "rps > 2"])),
        ["rps > 1", "rps > 2"]
    );
}

#[test]
fn keys_may_be_letters_and_beginnings() {
    let users = |line: &str| {
        let scene = Scene::new().file("locust.conf", line);
        scene.read::<MasterArgs>(OF_THE_WORKER).map(|(args, _)| args.users)
    };
    for line in ["u = 3", "-u 3", "--users 3", "users: 3", "users = 4\nusers = 3"] {
        assert_eq!(users(line), Ok(Some(3)), "{line}");
    }
    let scene = Scene::new().file("locust.conf", "run = 1m");
    assert_eq!(scene.read::<MasterArgs>(OF_THE_WORKER).unwrap().0.run_time.unwrap().as_secs(), 60);
}

#[test]
fn a_beginning_of_several_options_is_told_with_all_of_them() {
    let refused = |words: &[&str]| Scene::new().words(words).read::<MasterArgs>(OF_THE_WORKER).unwrap_err();
    let said = refused(&["--exp", "3"]);
    assert!(said.contains("--exp could match --expect-workers, --expect-workers-max-wait"), "{said}");
    assert!(!said.contains("slaves"), "{said}");
    assert!(refused(&["--exxxp"]).contains("unexpected argument"));
}

#[test]
fn mistakes_are_told_with_their_place() {
    let check = |scene: Scene, expected: &str| {
        let said = scene.refused::<MasterArgs>(OF_THE_WORKER);
        assert!(said.starts_with(&format!("error: {expected}")), "{said}\ninstead of {expected}");
    };
    let conf = |text: &str| Scene::new().file("locust.conf", text);
    check(
        conf("# c\nspawn_rate = 3"),
        "locust.conf:2: there is no option `spawn_rate`; did you mean `spawn-rate`?",
    );
    check(conf("bogus = 1"), "locust.conf:1: there is no option `bogus`; --help lists the options");
    check(
        conf("user_classes = A"),
        "locust.conf:1: there is no option `user_classes`; did you mean `user-classes`?",
    );
    check(conf("users = x"), "locust.conf:1: invalid value 'x' for '--users <N>'");
    check(conf("users = [3]"), "locust.conf:1: users takes one value, and this is a list");
    check(
        conf("headless = maybe"),
        "locust.conf:1: headless takes true, false, yes, no, on, off, 1 or 0, and this is 'maybe'",
    );
    check(conf("headless ="), "locust.conf:1: headless takes true");
    check(conf("= 3"), "locust.conf:1: expected `key = value`");
    check(Scene::new().file("home/.locust.conf", "bogus"), "~/.locust.conf:1: there is no option");
    check(
        Scene::new().file("pyproject.toml", "[tool.locust]\nusers = 'x'"),
        "pyproject.toml:2: invalid value 'x'",
    );
    check(Scene::new().file("pyproject.toml", "x = ["), "pyproject.toml:1: bad TOML: ");
    check(Scene::new().words(&["--config", "none.conf"]), "none.conf: cannot read it: there is no such file");
    check(Scene::new().variable("LOCUST_HEADLESS", ""), "LOCUST_HEADLESS: headless takes true");
    check(
        Scene::new().variable("SENTINEL_USERS", "x"),
        "SENTINEL_USERS: invalid value 'x' for '--users <N>'",
    );
    let both =
        Scene::new().words(&["--users", "3"]).variable("LOCUST_USERS", "x").file("locust.conf", "users = x");
    assert_eq!(
        both.read::<MasterArgs>(OF_THE_WORKER).unwrap().0.users,
        Some(3),
        "what does not count is not looked at"
    );
}

#[test]
fn an_empty_variable_is_ignored_and_noted() {
    let scene = Scene::new().variable("LOCUST_USERS", "").file("locust.conf", "users = 3");
    let (args, notes) = scene.read::<MasterArgs>(OF_THE_WORKER).unwrap();
    assert_eq!(args.users, Some(3));
    assert_eq!(notes, ["LOCUST_USERS: the value of users is empty, so it is ignored"]);
}

#[test]
fn one_file_serves_both_programs() {
    let text = "master = true\nusers = 3\nu = 3\nheadless = true\nmaster-host = 10.0.0.7\nthreads = 2\nloglevel = ERROR\n";
    let scene = || Scene::new().file("locust.conf", text);
    let (args, notes) = scene().read::<MasterArgs>(OF_THE_WORKER).unwrap();
    assert_eq!((args.users, args.headless, notes.is_empty()), (Some(3), true, true));
    let (args, notes) = scene().read::<WorkerArgs>(OF_THE_MASTER).unwrap();
    let (config, _) = args.into_config().unwrap();
    assert_eq!((config.master.to_string(), config.threads), ("10.0.0.7:5557".to_owned(), 2));
    assert!(notes.is_empty(), "{notes:?}");
    // What is said on the command line was said on purpose, so people are told.
    let (_, notes) =
        Scene::new().words(&["--users", "3", "-t", "1m"]).read::<WorkerArgs>(OF_THE_MASTER).unwrap();
    assert!(
        notes.len() == 2 && notes.iter().any(|note| note.starts_with("--users has no effect")),
        "{notes:?}"
    );
}

#[test]
fn an_option_gives_way_to_one_that_excludes_it_and_comes_first() {
    let scene = Scene::new().file("locust.conf", "master-host = 10.0.0.7").words(&["--master", "10.0.0.8:1"]);
    let (config, _) = scene.read::<WorkerArgs>(OF_THE_MASTER).unwrap().0.into_config().unwrap();
    assert_eq!(config.master.to_string(), "10.0.0.8:1");
}

/// The long options of Locust 2.47.
const LOCUSTS: &str = "help version locustfile config host users spawn-rate run-time list config-users web-host web-port \
    web-base-path web-login tls-cert tls-key class-picker headless autostart autoquit headful web-host-display-name \
    build-path web-auth legacy-ui expect-slaves slave master master-bind-host master-bind-port expect-workers \
    expect-workers-max-wait enable-rebalancing worker master-host master-port processes tags exclude-tags csv \
    csv-full-history print-stats only-summary reset-stats html json json-file skip-log-setup loglevel logfile \
    show-task-ratio show-task-ratio-json exit-code-on-error stop-timeout equal-weights profile otel";

#[test]
fn what_abbreviates_an_option_of_locusts_abbreviates_it_here() {
    let locusts: Vec<&str> = LOCUSTS.split_whitespace().collect();
    let options = known::of(&MasterArgs::command()).into_iter().chain(known::of(&WorkerArgs::command()));
    let ours: BTreeMap<String, Known> = options.map(|option| (option.long.clone(), option)).collect();
    for long in locusts.iter().filter(|long| !["help", "version", "config"].contains(*long)) {
        let option = ours.get(*long).unwrap_or_else(|| panic!("--{long} is missing"));
        for end in 1..long.len() {
            let abbreviated = &long[..end];
            let meant: Vec<_> = locusts.iter().filter(|other| other.starts_with(abbreviated)).collect();
            if meant.len() > 1 {
                continue;
            }
            let value = match option.kind {
                Kind::Flag => String::new(),
                _ if matches!(*long, "master-host" | "master-port") => "=7".to_owned(),
                _ => format!("={}", values::<MasterArgs>(option, OF_THE_WORKER).0),
            };
            let understood = |name: &str| {
                let scene = Scene::new().words(&[&format!("--{name}{value}")]);
                scene.understood::<MasterArgs>(OF_THE_WORKER)
            };
            assert_eq!(understood(abbreviated), understood(long), "--{abbreviated} is --{long} to Locust");
        }
    }
}

#[test]
fn the_files_in_the_document_are_read() {
    let docs = include_str!("../../docs/command-line.md");
    for (language, name) in [("```ini\n", "sentinel.conf"), ("```toml\n", "pyproject.toml")] {
        let (_, rest) = docs.split_once(language).expect("an example");
        let (example, _) = rest.split_once("```").expect("the end of the example");
        let (args, notes) = Scene::new().file(name, example).read::<MasterArgs>(OF_THE_WORKER).unwrap();
        assert_eq!((args.users, args.headless, args.only_summary), (Some(100), true, false), "{name}");
        assert_eq!((args.tags, notes), (vec!["fast".to_owned(), "cheap".to_owned()], Vec::new()), "{name}");
    }
}

#[test]
fn every_option_and_its_variable_are_documented() {
    let docs = include_str!("../../docs/command-line.md");
    let (master, worker) = docs.split_once("\n## sentinel-worker\n").expect("a section for each program");
    for (text, command) in [(master, MasterArgs::command()), (worker, WorkerArgs::command())] {
        let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("| `")).collect();
        let said = |row: &str, word: &str| {
            row.split(|c: char| !c.is_alphanumeric() && !"-_".contains(c)).any(|it| it == word)
        };
        for option in known::of(&command) {
            let row = rows.iter().find(|row| said(row, &format!("--{}", option.long)));
            let row = row
                .unwrap_or_else(|| panic!("--{} of {} is not in a table", option.long, command.get_name()));
            let suffix = option.variables()[0].replace("SENTINEL_", "");
            assert!(said(row, &suffix), "no {suffix} in: {row}");
            if let Some(letter) = option.short() {
                assert!(row.contains(&format!("`-{letter}`")), "no -{letter} in: {row}");
            }
        }
    }
    for code in [
        exit_code::OK,
        exit_code::FAILURES,
        exit_code::USAGE,
        exit_code::CRITERION_FAILED,
        exit_code::INVALID,
        exit_code::MISMATCH,
    ] {
        assert!(docs.contains(&format!("\n| {code} | ")), "exit code {code}");
    }
}
