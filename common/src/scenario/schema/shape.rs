//! What a schema says of load shapes.

use serde_json::{Value as Json, json};

use super::words::{integer, mapping, number, refers, text};

/// The number of users over time.
pub(super) fn shape() -> Json {
    let kinds = [
        ("stages", json!({ "type": "array", "minItems": 1, "items": stage() })),
        ("ramp", ramp()),
        ("steps", steps()),
        ("spike", spike()),
        ("sine", sine()),
        ("tick", text("An expression of run_time and users, as Locust's LoadTestShape.tick.")),
    ];
    mapping("The number of users over time.", &[], kinds)
}

fn stage() -> Json {
    mapping(
        "A stage.",
        &["duration", "users"],
        [
            ("duration", refers("duration")),
            ("users", users("Users at its end.")),
            ("spawn_rate", number("Users per second. Default: in a line over the whole stage.", 0)),
            ("user_classes", json!({ "type": "array", "items": { "type": "string" } })),
        ],
    )
}

fn ramp() -> Json {
    mapping(
        "A line.",
        &["to", "duration"],
        [
            ("from", users("Users at its start. Default 0.")),
            ("to", users("Users at its end.")),
            ("duration", refers("duration")),
            ("hold", refers("duration")),
        ],
    )
}

fn steps() -> Json {
    mapping(
        "Stairs.",
        &["step", "every", "to"],
        [
            ("from", users("Users at the start.")),
            ("step", users("Users added at each step.")),
            ("every", refers("duration")),
            ("to", users("Users at the top.")),
            ("spawn_rate", rate()),
        ],
    )
}

fn spike() -> Json {
    mapping(
        "A spike.",
        &["base", "peak", "at", "duration", "run_time"],
        [
            ("base", users("Users before and after.")),
            ("peak", users("Users in it.")),
            ("at", refers("duration")),
            ("duration", refers("duration")),
            ("run_time", refers("duration")),
            ("spawn_rate", rate()),
        ],
    )
}

fn sine() -> Json {
    mapping(
        "A wave.",
        &["min", "max", "period", "run_time"],
        [
            ("min", users("The fewest users.")),
            ("max", users("The most users.")),
            ("period", refers("duration")),
            ("run_time", refers("duration")),
        ],
    )
}

fn users(what: &str) -> Json {
    integer(what, 0)
}

fn rate() -> Json {
    number("Users per second.", 0)
}
