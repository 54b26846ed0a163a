//! Locust in a folder of its own, installed once for all tests.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The release that the tests run.
pub const VERSION: &str = "2.47.0";

/// The Python that has Locust; `None`, and a word on why, where it cannot be had.
///
/// # Panics
/// It cannot be had and the environment says `CI=true`: there the tests must not be left out.
pub fn python() -> Option<&'static Path> {
    static PYTHON: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    match PYTHON.get_or_init(install) {
        Ok(python) => Some(python),
        Err(reason) => {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "no Locust to test with: {reason}");
            println!("SKIPPED: there is no Locust to test with: {reason}");
            None
        }
    }
}

/// Installs Locust unless it is there. Other test processes wait meanwhile; what is half done is never taken for whole.
fn install() -> Result<PathBuf, String> {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
    fs::create_dir_all(&target).map_err(|error| format!("{}: {error}", target.display()))?;
    let folder = target.join(format!("locust-{VERSION}"));
    let lock = target.join(format!("locust-{VERSION}.lock"));
    let lock = File::create(&lock).map_err(|error| format!("{}: {error}", lock.display()))?;
    // Held until the end of this function.
    lock.lock().map_err(|error| format!("the lock cannot be taken: {error}"))?;
    if !folder.exists() {
        let unfinished = target.join(format!("locust-{VERSION}.unfinished"));
        if unfinished.exists() {
            fs::remove_dir_all(&unfinished).map_err(|error| format!("{}: {error}", unfinished.display()))?;
        }
        run(Command::new("python3").args(["-m", "venv"]).arg(&unfinished))?;
        let package = format!("locust=={VERSION}");
        run(Command::new(executable(&unfinished)).args(["-m", "pip", "install", "-q", &package]))?;
        fs::rename(&unfinished, &folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    let python = executable(&folder);
    // The scripts in it name the folder that it was made in; its Python can be moved.
    run(Command::new(&python).args(["-m", "locust", "--version"]))?;
    Ok(python)
}

fn executable(folder: &Path) -> PathBuf {
    folder.join("bin/python")
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("{command:?} cannot be run: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    Err(format!("{command:?} failed with {}:\n{stdout}{stderr}", output.status))
}
