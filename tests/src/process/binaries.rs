//! Where the executables are: beside the test that runs.
//!
//! Cargo builds the executables of a package for the tests of that package only, and these tests are in another one.
//! `cargo test --workspace` has them all, because every package with an executable has tests of its own that name it;
//! `cargo test -p sentinel-tests` has none, or, which is worse, those of an earlier build. So what is missing or older
//! than its sources is built here, into the same folder and with the same profile.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::SystemTime;

use super::Program;

impl Program {
    const ALL: [Self; 3] = [Self::Master, Self::Worker, Self::InferenceApi];

    /// The package that it comes from, which has its name.
    fn package(self) -> &'static str {
        match self {
            Self::Master => "sentinel-master",
            Self::Worker => "sentinel-worker",
            Self::InferenceApi => "inference-api",
        }
    }

    /// Its executable, built if need be.
    pub fn path(self) -> PathBuf {
        static FOLDER: OnceLock<PathBuf> = OnceLock::new();
        let folder = FOLDER.get_or_init(|| {
            let folder = folder();
            if !Self::ALL.iter().all(|program| is_fresh(&folder.join(program.package()))) {
                build(&folder);
            }
            folder
        });
        folder.join(self.package())
    }
}

/// `target/<profile>`: two levels above this test, which is in `target/<profile>/deps`.
fn folder() -> PathBuf {
    let test = std::env::current_exe().expect("a process knows its executable");
    let folder = test.ancestors().nth(2).expect("tests are in target/<profile>/deps");
    folder.to_owned()
}

/// Whether an executable is there and not older than its sources, which Cargo lists beside it.
fn is_fresh(executable: &Path) -> bool {
    let (Some(built), Ok(sources)) =
        (modified(executable), fs::read_to_string(executable.with_extension("d")))
    else {
        return false;
    };
    let sources = sources.split_once(": ").map_or("", |(_, sources)| sources);
    let mut paths = sources.trim_end().replace("\\ ", "\0");
    paths.retain(|char| char != '\n');
    paths.split(' ').all(|path| modified(Path::new(&path.replace('\0', " "))).is_some_and(|at| at <= built))
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}

fn build(folder: &Path) {
    let target = folder.parent().expect("a profile's folder is in the target folder");
    let profile = match folder.file_name().and_then(|name| name.to_str()) {
        // The one profile whose folder has another name.
        Some("debug") | None => "dev",
        Some(profile) => profile,
    };
    let mut cargo = Command::new(env!("CARGO"));
    // Packages one by one would have their dependencies built once more, with fewer features than all together.
    cargo.current_dir(env!("CARGO_MANIFEST_DIR")).args(["build", "--workspace", "--bins"]);
    cargo.args(["--profile", profile]).arg("--target-dir").arg(target);
    let status = cargo.status().expect("cargo can be run");
    assert!(status.success(), "failed to build the executables that the tests run: {cargo:?}");
}
