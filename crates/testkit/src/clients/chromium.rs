//! A page in headless Chromium, driven by playwright-core.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use crate::Program;
use crate::clients::driver::DRIVER;
use crate::clients::{home, npm, on_path};

/// What the browser is to do.
#[derive(Clone, Debug)]
pub struct Page {
    url: Option<String>,
    html: String,
    libraries: Vec<String>,
    result: String,
    done: Option<String>,
    limit: Duration,
    screenshot: Option<PathBuf>,
}

impl Page {
    /// Opens a URL.
    #[must_use]
    pub fn at(url: impl Into<String>) -> Self {
        Self {
            url: Some(url.into()),
            ..Self::html("")
        }
    }

    /// Opens this document, served from a port of its own.
    #[must_use]
    pub fn html(html: impl Into<String>) -> Self {
        Self {
            url: None,
            html: html.into(),
            libraries: Vec::new(),
            result: "null".to_owned(),
            done: None,
            limit: Duration::from_secs(10),
            screenshot: None,
        }
    }

    /// A file below `node_modules` that the document loads by its file name.
    #[must_use]
    pub fn library(mut self, path: &str) -> Self {
        self.libraries.push(path.to_owned());
        self
    }

    /// JavaScript whose value, in the page, is the result.
    #[must_use]
    pub fn result(mut self, expression: &str) -> Self {
        self.result = expression.to_owned();
        self
    }

    /// JavaScript that is true when the page need not run on.
    #[must_use]
    pub fn done(mut self, expression: &str) -> Self {
        self.done = Some(expression.to_owned());
        self
    }

    /// How long it runs at most.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Where to put a picture of the page at the end.
    #[must_use]
    pub fn screenshot(mut self, path: impl Into<PathBuf>) -> Self {
        self.screenshot = Some(path.into());
        self
    }
}

/// Runs a page: an object with `result`, `failure` (a text, or null), `bad` (HTTP answers of 400 and above) and `log` (the console).
#[must_use]
pub fn chromium(page: &Page) -> Option<Value> {
    let browser = on_path("chromium")?;
    npm("playwright-core")?;
    let libraries: Option<Vec<_>> = page.libraries.iter().map(|l| npm(l)).collect();
    let job = json!({
        "chromium": browser,
        "modules": home().join("node_modules"),
        "libraries": libraries?,
        "url": page.url,
        "html": page.html,
        "result": page.result,
        "done": page.done,
        "millis": page.limit.as_millis() as u64,
        "screenshot": page.screenshot,
    });
    let done = Program::new(on_path("node")?)
        .line("--input-type=module -")
        .input(DRIVER.as_bytes().to_vec())
        .env("JOB", job.to_string())
        .timeout(page.limit + Duration::from_secs(60))
        .run();
    let (text, error) = match done {
        Ok(done) => (done.text(), done.stderr),
        Err(error) => (String::new(), error.to_string()),
    };
    let answer = text
        .lines()
        .rev()
        .find_map(|l| serde_json::from_str(l).ok());
    Some(answer.unwrap_or_else(|| json!({ "failure": format!("no answer: {text}{error}") })))
}
