//! The JSON Schema of scenario files, with which editors complete and check them.
//!
//! It follows the readers in this module's siblings by hand, because they report more than a schema can; tests hold the
//! two together. Draft 7, which is what the language servers for YAML understand best.

mod shape;
mod words;

use serde_json::{Value as Json, json};

use self::shape::shape;
use self::words::{
    at_least_one, at_least_one_item, boolean, integer, list_or_one, mapping, named, number, object, refers,
    text, verb,
};
use super::method::Method;

/// The schema as a JSON document.
pub fn json_schema() -> Json {
    let mut schema = mapping(
        "A Sentinel scenario.",
        &["users"],
        [
            ("host", host()),
            ("http", refers("http")),
            ("data", named("Rows that users are fed with, by the name of their source.", refers("source"))),
            ("setup", steps("What one worker does once, before the first user comes.")),
            ("teardown", steps("What one worker does once, after the last user has gone.")),
            ("users", at_least_one(named("The user classes by name.", refers("class")))),
            ("shape", refers("shape")),
            ("arrivals", refers("arrivals")),
            ("profiles", named("Named amounts of load, for --profile.", profile())),
            ("criteria", criteria()),
        ],
    );
    schema["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    schema["title"] = json!("Sentinel scenario");
    schema["definitions"] = definitions();
    schema
}

fn definitions() -> Json {
    json!({
        "template": {
            "type": ["string", "number", "boolean"],
            "description": "Text, perhaps with {{ expressions }}.",
        },
        "duration": {
            "type": ["string", "number"],
            "description": "Seconds, or a number with a unit: 100ms, 2s, 1m30s.",
        },
        "wait_time": wait_time(),
        "arrival_rate": {
            "type": ["string", "number"],
            "description": "Arrivals per second, or as 1000/s, 90/m, 36/h.",
        },
        "http": http(),
        "auth": auth(),
        "source": source(),
        "class": class(),
        "task": { "oneOf": [task(), group()] },
        "step": step(),
        "request": request(),
        "expect": expect(),
        "capture": capture(),
        "part": part(),
        "shape": shape(),
        "arrivals": arrivals(),
    })
}

fn class() -> Json {
    mapping(
        "A kind of virtual user.",
        &["tasks"],
        [
            ("weight", number("The share of users among the classes. Default 1.", 0)),
            ("fixed_count", integer("Exactly this many users, whatever the weights.", 0)),
            ("host", host()),
            ("http", refers("http")),
            ("wait_time", refers("wait_time")),
            ("order", order()),
            ("arrivals", refers("arrivals")),
            ("on_start", steps("What a user does once before its first task.")),
            ("on_stop", steps("What a user does once when it stops.")),
            ("tasks", tasks()),
        ],
    )
}

fn task() -> Json {
    mapping(
        "A task: steps in order.",
        &["name", "steps"],
        [
            ("name", text("Unique among its siblings.")),
            ("weight", integer("How often it is picked compared to the others. Default 1.", 1)),
            ("tags", tags()),
            ("steps", at_least_one_item(steps("What the user does."))),
        ],
    )
}

fn group() -> Json {
    mapping(
        "A group of tasks that a user stays with for a while, as with Locust's nested TaskSet.",
        &["name", "tasks"],
        [
            ("name", text("Unique among its siblings.")),
            ("weight", integer("How often it is picked compared to the others. Default 1.", 1)),
            ("tags", tags()),
            ("order", order()),
            (
                "iterations",
                integer(
                    "After how many tasks it is left. Default: one pass if sequential, else until `interrupt`.",
                    1,
                ),
            ),
            ("wait_time", refers("wait_time")),
            ("on_start", steps("What a user does when it enters.")),
            ("on_stop", steps("What a user does when it leaves.")),
            ("tasks", tasks()),
        ],
    )
}

fn step() -> Json {
    let verbs = [
        verb("set", "Sets variables of the user.", named("Variables.", refers("template")), &[], []),
        verb("think", "Pauses.", refers("wait_time"), &[], []),
        verb("log", "Writes to the worker's log.", refers("template"), &[], []),
        verb("fail", "Ends the task as an exception.", refers("template"), &[], []),
        verb("stop_user", "Ends the user.", json!({ "type": ["string", "boolean", "null"] }), &[], []),
        verb("interrupt", "Leaves the group of tasks.", json!({ "type": ["boolean", "null"] }), &[], []),
        verb(
            "if",
            "Does one thing or another.",
            refers("template"),
            &["then"],
            [
                ("then", at_least_one_item(steps("If it is true."))),
                ("else", at_least_one_item(steps("If it is not."))),
            ],
        ),
        verb(
            "repeat",
            "Does the same thing several times.",
            refers("template"),
            &["steps"],
            [
                ("as", text("The variable that counts from 0.")),
                ("steps", at_least_one_item(steps("What to repeat."))),
            ],
        ),
        verb(
            "for_each",
            "Does the same thing for every item of a list.",
            refers("template"),
            &["as", "steps"],
            [
                ("as", text("The variable that holds the item.")),
                ("steps", at_least_one_item(steps("What to do with it."))),
            ],
        ),
        verb(
            "feed",
            "Takes the next row of a data source.",
            text("The source."),
            &[],
            [("as", text("The variable that holds the row. Default: the source's name."))],
        ),
    ];
    let mut choices = vec![json!({ "enum": ["stop_user", "interrupt"] }), refers("request")];
    choices.extend(verbs);
    json!({ "description": "One thing that a user does.", "anyOf": choices })
}

fn request() -> Json {
    let text_or_list = || list_or_one(refers("template"));
    let mut properties = object([
        ("request", text("The path or URL of a request with the method under `method`.")),
        ("method", text("Any HTTP method, such as PROPFIND.")),
        ("name", refers("template")),
        ("query", named("Parameters; a list repeats one.", text_or_list())),
        ("headers", named("Headers.", refers("template"))),
        ("json", json!({ "description": "A JSON body; texts may be templates." })),
        ("form", named("A form body; a list repeats a field.", text_or_list())),
        ("multipart", named("A multipart/form-data body.", list_or_one(refers("part")))),
        ("body", refers("template")),
        ("body_file", text("A file that is sent as it is.")),
        ("auth", refers("auth")),
        ("timeout", refers("duration")),
        ("follow_redirects", boolean("Whether redirects are followed.")),
        ("expect", refers("expect")),
        ("capture", named("Values to keep of the answer, by variable.", refers("capture"))),
    ]);
    let mut one_of: Vec<Json> = Vec::new();
    for method in Method::ALL {
        let what = text(&format!("The path or URL of a {method} request."));
        properties.insert(method.key().to_owned(), what);
        one_of.push(json!({ "required": [method.key()] }));
    }
    one_of.push(json!({ "required": ["request", "method"] }));
    json!({
        "description": "A request.",
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
        "oneOf": one_of,
    })
}

fn part() -> Json {
    let part = mapping(
        "A part of a multipart body.",
        &[],
        [
            ("file", text("The file that it holds.")),
            ("value", refers("template")),
            ("filename", refers("template")),
            ("content_type", refers("template")),
        ],
    );
    json!({ "anyOf": [refers("template"), part] })
}

fn expect() -> Json {
    let check_text = |description: &str, with_exists: bool| {
        let mut keys = vec![
            ("equals", refers("template")),
            ("contains", list_or_one(refers("template"))),
            ("regex", list_or_one(text("A regular expression."))),
        ];
        if with_exists {
            keys.push(("exists", boolean("Whether it is there.")));
        }
        mapping(description, &[], keys)
    };
    let status = json!({
        "type": ["integer", "string"],
        "description": "200, 2xx or 200-204.",
    });
    mapping(
        "What makes the answer a success.",
        &[],
        [
            ("status", list_or_one(status)),
            ("under", refers("duration")),
            (
                "headers",
                named(
                    "Headers: a text, exists, absent, or checks.",
                    json!({ "anyOf": [refers("template"), check_text("Checks of a header.", true)] }),
                ),
            ),
            ("body", check_text("Checks of the body.", false)),
            (
                "json",
                named(
                    "JSON paths, such as items[0].id: a value, exists, absent, or checks.",
                    json!({ "anyOf": [{ "not": { "type": "object" } }, json_checks()] }),
                ),
            ),
        ],
    )
}

fn json_checks() -> Json {
    let number = || json!({ "type": ["number", "string"] });
    mapping(
        "Checks of what stands at a path.",
        &[],
        [
            ("equals", json!({})),
            ("exists", boolean("Whether it is there.")),
            ("type", json!({ "enum": ["number", "string", "bool", "array", "object", "null", null] })),
            ("lt", number()),
            ("lte", number()),
            ("gt", number()),
            ("gte", number()),
            ("length", number()),
            ("regex", text("A regular expression.")),
        ],
    )
}

fn capture() -> Json {
    let long = mapping(
        "Where the value comes from.",
        &[],
        [
            ("json", text("A JSON path.")),
            ("regex", text("A regular expression.")),
            (
                "group",
                json!({ "type": ["integer", "string"], "description": "The group to keep. Default: the first." }),
            ),
            ("header", text("A header.")),
            ("cookie", text("A cookie.")),
            ("default", json!({ "type": ["string", "number", "boolean", "null"] })),
        ],
    );
    json!({ "anyOf": [{ "type": "string", "description": "A JSON path." }, long] })
}

fn http() -> Json {
    let reuse =
        json!({ "enum": ["user", "iteration", "none"], "description": "How long a connection is kept." });
    let connection = mapping(
        "Connections.",
        &[],
        [
            ("reuse", reuse.clone()),
            ("max_age", refers("duration")),
            ("max_requests", integer("After this many requests a connection is used no more.", 1)),
        ],
    );
    let tls = mapping(
        "TLS.",
        &[],
        [
            ("ca", text("A file of certificates to trust beside the system's, in PEM.")),
            ("cert", text("The file of the client certificate, in PEM.")),
            ("key", text("The file of its key, in PEM.")),
            ("insecure", boolean("Whether any certificate is taken.")),
        ],
    );
    mapping(
        "How requests are sent.",
        &[],
        [
            ("version", json!({ "enum": ["auto", "1.1", 1.1, "2", 2, "2.0", 2.0] })),
            ("timeout", refers("duration")),
            ("headers", named("Headers of every request.", refers("template"))),
            ("auth", refers("auth")),
            ("follow_redirects", boolean("Whether redirects are followed. Default true.")),
            ("max_redirects", integer("How many are followed. Default 30.", 0)),
            ("compression", boolean("Whether compressed answers are asked for. Default true.")),
            ("cookies", boolean("Whether users keep cookies. Default true.")),
            ("connection", json!({ "anyOf": [reuse, connection] })),
            ("tls", tls),
            ("proxy", text("http://name:port, https or socks5.")),
        ],
    )
}

fn auth() -> Json {
    let basic = mapping(
        "A user name and a password.",
        &["username", "password"],
        [("username", refers("template")), ("password", refers("template"))],
    );
    mapping("Who sends the request.", &[], [("basic", basic), ("bearer", refers("template"))])
}

fn source() -> Json {
    mapping(
        "A source of rows.",
        &[],
        [
            ("file", text("A CSV, JSON or JSON lines file.")),
            ("rows", json!({ "type": "array", "minItems": 1 })),
            ("order", json!({ "enum": ["circular", "random", "unique"] })),
            ("format", json!({ "enum": ["csv", "json", "jsonl"] })),
            ("delimiter", text("What separates the columns of a CSV file.")),
        ],
    )
}

fn arrivals() -> Json {
    let stage = mapping(
        "A stage: in a line to this rate.",
        &["duration", "rate"],
        [("duration", refers("duration")), ("rate", refers("arrival_rate"))],
    );
    mapping(
        "When iterations begin, whether or not earlier ones have ended.",
        &[],
        [
            ("rate", refers("arrival_rate")),
            ("stages", json!({ "type": "array", "minItems": 1, "items": stage })),
            ("max_users", integer("Users at most; arrivals beyond are dropped. Default 1000.", 1)),
            ("distribution", json!({ "enum": ["constant", "poisson"] })),
            ("max_delay", refers("duration")),
        ],
    )
}

fn profile() -> Json {
    mapping(
        "An amount of load.",
        &[],
        [
            ("users", integer("Users at the peak.", 1)),
            ("spawn_rate", number("Users per second.", 0)),
            ("run_time", json!({ "type": ["string", "number"], "description": "300, 20s, 3m, 1h20m." })),
            ("wait_time", refers("wait_time")),
            ("criteria", criteria()),
            ("host", host()),
            ("shape", refers("shape")),
            ("arrivals", refers("arrivals")),
        ],
    )
}

fn wait_time() -> Json {
    json!({
        "type": ["string", "number"],
        "description": "Seconds, constant(1), between(1, 2), constant_pacing(1), constant_throughput(2), exponential(mean), \
                        normal(mean, stddev) or lognormal(mu, sigma).",
    })
}

fn criteria() -> Json {
    json!({
        "type": "array",
        "items": { "type": "string" },
        "description": "What the run must satisfy, such as p95 < 100ms, or p95 < 100ms over any 30s after 1m or abort.",
    })
}

fn host() -> Json {
    text("Where requests go: http://name:port.")
}

fn tags() -> Json {
    json!({ "type": "array", "items": { "type": ["string", "number"] }, "description": "For --tags and --exclude-tags." })
}

fn order() -> Json {
    json!({ "enum": ["random", "sequential"], "description": "How the next task is found. Default random." })
}

fn tasks() -> Json {
    json!({ "type": "array", "minItems": 1, "items": refers("task") })
}

fn steps(description: &str) -> Json {
    json!({ "type": "array", "items": refers("step"), "description": description })
}
