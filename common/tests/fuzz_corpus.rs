//! What the fuzzer checks for what it thinks of, checked here for the inputs that are kept: real messages of Locust and
//! hostile ones. It needs neither the fuzzer nor its compiler.

use std::fs;
use std::path::Path;

#[path = "../../fuzz/properties/locust_messages.rs"]
mod locust_messages;
#[path = "../../fuzz/properties/zmtp.rs"]
mod zmtp;

#[test]
fn streams_of_the_corpus_are_survived() {
    check("zmtp", 10, zmtp::holds);
}

#[test]
fn messages_of_the_corpus_are_survived() {
    check("locust_messages", 20, locust_messages::holds);
}

fn check(target: &str, files_min: usize, holds: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let files: Vec<_> = fs::read_dir(&folder).expect("the corpus is there").collect();
    assert!(files.len() >= files_min, "only {} files in {}", files.len(), folder.display());
    for file in files {
        let path = file.expect("a file").path();
        println!("{}", path.display());
        holds(&fs::read(path).expect("a readable file"));
    }
}
