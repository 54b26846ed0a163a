//! The core stays pure: what its lints cannot see, its manifest shows.

/// Everything the core may depend on. None of it brings a runtime, a socket or a clock; of `jiff`, whose clock is a
/// feature that other crates turn on, the lints ban it.
const ALLOWED: [&str; 24] = [
    "base64",
    "bytes",
    "csv",
    "hdrhistogram",
    "http",
    "jiff",
    "md-5",
    "memchr",
    "minijinja",
    "rand",
    "rand_distr",
    "rand_pcg",
    "regex",
    "rmpv",
    "saphyr",
    "saphyr-parser",
    "self_cell",
    "serde",
    "serde_json",
    "sha1",
    "sha2",
    "strsim",
    "thiserror",
    "url",
];

fn section<'a>(manifest: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let header = format!("[{name}]");
    manifest
        .lines()
        .skip_while(move |line| *line != header)
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter(|line| !line.trim().is_empty() && !line.starts_with('#'))
}

#[test]
fn the_core_depends_on_no_runtime() {
    let manifest = include_str!("../Cargo.toml");
    let dependencies: Vec<&str> =
        section(manifest, "dependencies").filter_map(|line| line.split(['.', ' ', '=']).next()).collect();
    assert!(!dependencies.is_empty(), "the section was found");
    for dependency in dependencies {
        assert!(
            ALLOWED.contains(&dependency),
            "{dependency} is new in the core; does it bring a clock or a socket?"
        );
    }
}

#[test]
fn the_core_bans_clocks_threads_and_global_randomness() {
    let lints = include_str!("../clippy.toml");
    for banned in [
        "Instant::now",
        "SystemTime::now",
        "jiff::Timestamp::now",
        "jiff::ZonedDateTime::now",
        "thread::sleep",
        "thread::spawn",
        "process::exit",
        "rand::rng",
    ] {
        assert!(lints.contains(banned), "{banned} is no longer banned");
    }
    let levels = include_str!("../../Cargo.toml");
    assert!(levels.contains("disallowed_methods = \"deny\""), "the bans are no longer enforced");
}
