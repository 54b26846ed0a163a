//! The same users twice: as a locustfile and as a scenario, with names in common.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

/// The user classes of the shop, in the form of `--user-classes`.
pub const SHOP_CLASSES: &str = "Browser:1,Buyer:1";

/// Each request is counted by the target under its path. One task in seven is refused by the target, and one raises.
const LOCUSTFILE: &str = r#"
from locust import HttpUser, constant, task


class Visitor(HttpUser):
    abstract = True
    wait_time = constant(0.05)

    @task
    def refused(self):
        self.client.post("/predict", json={})

    @task
    def blows_up(self):
        raise ValueError("the visitor blew up")


class Browser(Visitor):
    @task(5)
    def index(self):
        self.client.get("/")


class Buyer(Visitor):
    @task(5)
    def health(self):
        self.client.get("/health")
"#;

/// The same without Python. A scenario cannot raise, but it can fail to say what it wants to send.
const SCENARIO: &str = r#"
users:
  Browser:
    wait_time: constant(0.05)
    tasks:
      - { name: index, weight: 5, steps: [{ get: / }] }
      - { name: refused, steps: [{ post: /predict, json: {} }] }
      - { name: blows_up, steps: [{ set: { n: "{{ 1 // (user.id - user.id) }}" } }] }
  Buyer:
    wait_time: constant(0.05)
    tasks:
      - { name: health, weight: 5, steps: [{ get: /health }] }
      - { name: refused, steps: [{ post: /predict, json: {} }] }
      - { name: blows_up, steps: [{ set: { n: "{{ 1 // (user.id - user.id) }}" } }] }
"#;

/// Runs Locust as another release of itself.
const OTHER_RELEASE: &str = r#"
import sys

import locust

locust.__version__ = "2.11.1"
import locust.runners

locust.runners.__version__ = "2.11.1"
from locust.main import main

sys.argv[0] = "locust"
main()
"#;

/// A folder with the shop's files, which is deleted with this value.
#[derive(Debug)]
pub struct Files {
    folder: TempDir,
}

impl Files {
    /// Writes them.
    ///
    /// # Panics
    /// There is no room.
    pub fn shop() -> Self {
        let folder = TempDir::new().expect("there is room for a folder");
        let files =
            [("locustfile.py", LOCUSTFILE), ("shop.yaml", SCENARIO), ("other_release.py", OTHER_RELEASE)];
        for (name, text) in files {
            fs::write(folder.path().join(name), text).expect("there is room for a file");
        }
        Self { folder }
    }

    /// The shop as a locustfile.
    pub fn locustfile(&self) -> String {
        self.path("locustfile.py")
    }

    /// The shop as a scenario.
    pub fn scenario(&self) -> String {
        self.path("shop.yaml")
    }

    /// A program that is Locust under another version.
    pub fn other_release(&self) -> String {
        self.path("other_release.py")
    }

    fn path(&self, name: &str) -> String {
        let path: PathBuf = self.folder.path().join(name);
        path.to_string_lossy().into_owned()
    }
}
