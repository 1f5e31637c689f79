// usage: node driver.mjs, with a JSON job in the environment variable JOB
import fs from "node:fs";
import http from "node:http";
import os from "node:os";
import path from "node:path";
import { createRequire } from "node:module";

const job = JSON.parse(process.env.JOB);
const require = createRequire(path.join(job.modules, "x.js"));
const { chromium } = require("playwright-core");

const server = http.createServer((request, response) => {
  const library = job.libraries.find((l) => "/" + path.basename(l) === request.url);
  if (library) {
    response.setHeader("Content-Type", "text/javascript");
    response.end(fs.readFileSync(library));
  } else {
    response.setHeader("Content-Type", "text/html");
    response.end(job.html);
  }
}).listen(0, "127.0.0.1");
await new Promise((done) => server.on("listening", done));

const profile = fs.mkdtempSync(path.join(os.tmpdir(), "chromium-"));
const browser = await chromium.launchPersistentContext(profile, {
  executablePath: job.chromium,
  headless: true,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--autoplay-policy=no-user-gesture-required"],
});
const bad = [], log = [];
let result = null, failure = null;
try {
  const tab = await browser.newPage();
  tab.on("response", (r) => { if (r.status() >= 400 && !r.url().endsWith("favicon.ico")) bad.push(`${r.status()} ${r.url()}`); });
  tab.on("console", (m) => log.push(m.text()));
  tab.on("pageerror", (e) => log.push(String(e)));
  await tab.goto(job.url || `http://127.0.0.1:${server.address().port}/`);
  // Run until `done` holds, and not longer than the time given.
  const end = Date.now() + job.millis;
  while (Date.now() < end) {
    await tab.waitForTimeout(100);
    if (job.done && await tab.evaluate(job.done)) break;
  }
  result = await tab.evaluate(job.result);
  if (job.screenshot) await tab.screenshot({ path: job.screenshot });
} catch (e) {
  failure = String(e);
}
console.log(JSON.stringify({ result, failure, bad: bad.slice(0, 20), log: log.slice(0, 50) }));
await browser.close();
server.close();
fs.rmSync(profile, { recursive: true, force: true });
