//! The report of a real run in a real browser without a network: it shows everything, draws its charts, adapts to its
//! reader, and complains about nothing.

use std::path::Path;

use sentinel_tests::browser::{Browser, Screen};
use sentinel_tests::process::{Exit, Process, Program, Target, scenario_file};
use tempfile::TempDir;

/// Names that would act in a page that does not escape them.
const HOSTILE: &str = r#"
users:
  Visitor:
    wait_time: constant(0.02)
    tasks:
      - { name: health, weight: 3, steps: [{ get: /health, name: "</script><img src=x onerror=alert(1)>" }] }
      - { name: refused, steps: [{ post: /predict, json: {}, name: "<script>window.broken = true</script>" }] }
criteria: ["p95 < 20s", "failures < 1000000"]
"#;

const DESK: Screen = Screen { width: 1280, height: 900, dark: false };
const PHONE: Screen = Screen { width: 390, height: 844, dark: true };

/// Makes a report; the folder holds it.
fn report() -> TempDir {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let target = Target::start(&[]);
    let (url, scenario) = (target.url(), scenario_file(HOSTILE));
    let file = scenario.path().to_string_lossy();
    let bind = ["--headless", "--master-bind-host", "127.0.0.1", "--master-bind-port", "0", "-f", &*file];
    let load =
        ["-H", &url, "-u", "4", "-r", "4", "-t", "4s", "--local-workers", "1", "--html", "report.html"];
    let Exit { code, stderr, .. } =
        Process::start_in(folder.path(), Program::Master, &[&bind[..], &load].concat()).wait();
    assert_eq!(code, Some(0), "{stderr}");
    folder
}

/// Opens the report, checks what must hold on every screen, and closes it again.
async fn check(folder: &Path, screen: Screen) -> bool {
    let Some(browser) = Browser::start(screen).await else { return false };
    let address = format!("file://{}", folder.join("report.html").display());
    browser.client.goto(&address).await.expect("the page opens");
    assert_eq!(browser.evaluate("document.querySelector('.badge').textContent").await, "PASS");
    for chart in ["chart-rates", "chart-times", "chart-users"] {
        let lines = format!(
            "[...document.querySelectorAll('#{chart} .scatterlayer path.js-line')].map((path) => path.getAttribute('d'))"
        );
        let lines = browser.evaluate(&lines).await;
        let lines = lines.as_array().expect("a list of lines");
        assert!(lines.len() >= 2, "{chart}: {lines:?}");
        for line in lines {
            let points = line.as_str().unwrap_or_default().matches(['L', 'M', 'H', 'V']).count();
            assert!(points >= 2, "{chart} draws no line: {line}");
        }
    }
    let names =
        "[...document.querySelectorAll('#requests tbody td:nth-child(2)')].map((cell) => cell.textContent)";
    let names = browser.evaluate(names).await;
    let hostile = ["</script><img src=x onerror=alert(1)>", "<script>window.broken = true</script>"];
    assert_eq!(names, serde_json::json!(hostile), "shown as text");
    assert_eq!(browser.evaluate("window.broken === undefined && document.images.length").await, 0);
    let overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth";
    assert_eq!(browser.evaluate(overflow).await, 0, "wide tables scroll by themselves, and not the page");
    let ground = browser.evaluate("getComputedStyle(document.body).backgroundColor").await;
    let is_dark = ground.as_str().is_some_and(|ground| ground.starts_with("rgb(1"));
    assert_eq!(is_dark, screen.dark, "{ground}");
    assert_eq!(browser.console().await, Vec::<String>::new(), "the console is silent");
    browser.close().await;
    true
}

#[tokio::test]
async fn the_report_opens_without_a_network() {
    let folder = report();
    if check(folder.path(), DESK).await {
        check(folder.path(), PHONE).await;
    }
}

#[tokio::test]
async fn tables_sort_by_the_column_that_is_clicked() {
    let folder = report();
    let Some(browser) = Browser::start(DESK).await else { return };
    browser
        .client
        .goto(&format!("file://{}", folder.path().join("report.html").display()))
        .await
        .expect("it opens");
    let cells = "[...document.querySelectorAll('#requests tbody td:nth-child(3)')].map((cell) => Number(cell.textContent.replace(',', '')))";
    let sorted = |descending: bool| {
        let click = "document.querySelectorAll('#requests th')[2].click()";
        let order = if descending { "b - a" } else { "a - b" };
        format!(
            "({click}, ((list) => list.length === 2 && list.join() === [...list].sort((a, b) => {order}).join())({cells}))"
        )
    };
    assert_eq!(browser.evaluate(&sorted(true)).await, true);
    assert_eq!(browser.evaluate(&sorted(false)).await, true);
    browser.close().await;
}

/// Makes the page of a search of two or three short steps; the folder holds it.
fn search_page() -> TempDir {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let target = Target::start(&[]);
    let (url, scenario) = (target.url(), scenario_file(HOSTILE));
    let file = scenario.path().to_string_lossy();
    let bind = ["search", "--master-bind-host", "127.0.0.1", "--master-bind-port", "0", "-f", &*file];
    let load = ["-H", &url, "--from", "2", "--to", "4", "--warm-up", "1s", "--step-time", "1s"];
    let rest = ["--local-workers", "1", "--html", "search.html"];
    let args = [&bind[..], &load, &rest].concat();
    let Exit { code, stderr, .. } = Process::start_in(folder.path(), Program::Master, &args).wait();
    assert_eq!(code, Some(0), "{stderr}");
    folder
}

#[tokio::test]
async fn the_page_of_a_search_draws_its_charts() {
    let folder = search_page();
    let Some(browser) = Browser::start(DESK).await else { return };
    let address = format!("file://{}", folder.path().join("search.html").display());
    browser.client.goto(&address).await.expect("the page opens");
    let drawn = "[...document.querySelectorAll('.chart')].map((chart) => chart.querySelectorAll('.scatterlayer .trace').length)";
    let drawn = browser.evaluate(drawn).await;
    let drawn = drawn.as_array().expect("a list of counts");
    assert!(drawn.len() == 2 && drawn.iter().all(|traces| traces.as_u64() > Some(0)), "{drawn:?}");
    assert_eq!(browser.console().await, Vec::<String>::new(), "the console is silent");
    browser.close().await;
}
