// Plays an LL-HLS URL in Chromium with hls.js and prints start-up, latency, stalls and HTTP errors as JSON.
// usage: node hls.mjs URL SECONDS NODE_MODULES [SCREENSHOT]
import fs from "node:fs";
import http from "node:http";
import os from "node:os";
import path from "node:path";
import { createRequire } from "node:module";

const [url, seconds, modules, screenshot] = process.argv.slice(2);
const require = createRequire(path.join(modules, "x.js"));
const { chromium } = require("playwright-core");
const library = fs.readFileSync(path.join(modules, "hls.js/dist/hls.min.js"));

const page = `<!doctype html><video id="v" muted autoplay playsinline width="640"></video><script src="/hls.js"></script><script>
const v = document.getElementById("v"), r = { startMs: null, latency: [], stalls: 0, errors: [], fatal: 0, version: Hls.version };
window.r = r;
const begun = performance.now();
const hls = new Hls({ lowLatencyMode: true });
v.addEventListener("playing", () => { if (r.startMs === null) r.startMs = performance.now() - begun; });
v.addEventListener("waiting", () => { if (r.startMs !== null) r.stalls++; });
hls.on(Hls.Events.ERROR, (_, d) => { r.errors.push(d.details); if (d.fatal) r.fatal++; });
hls.loadSource(${JSON.stringify(url)}); hls.attachMedia(v);
setInterval(() => { if (r.startMs !== null && hls.latency) r.latency.push(hls.latency); }, 250);
setInterval(() => { const q = v.getVideoPlaybackQuality(); r.frames = q.totalVideoFrames; r.dropped = q.droppedVideoFrames; r.time = v.currentTime; r.target = hls.targetLatency; r.audioBytes = v.webkitAudioDecodedByteCount; }, 500);
</script>`;
const server = http.createServer((request, response) => {
  if (request.url === "/hls.js") { response.setHeader("Content-Type", "text/javascript"); response.end(library); }
  else { response.setHeader("Content-Type", "text/html"); response.end(page); }
}).listen(0, "127.0.0.1");
await new Promise((done) => server.on("listening", done));

const browser = await chromium.launchPersistentContext(fs.mkdtempSync(path.join(os.tmpdir(), "chromium-")), {
  executablePath: "/usr/bin/chromium",
  headless: true,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--autoplay-policy=no-user-gesture-required"],
});
const tab = await browser.newPage();
const bad = [];
tab.on("response", (answer) => { if (answer.status() >= 400 && !answer.url().endsWith("favicon.ico")) bad.push(`${answer.status()} ${answer.url()}`); });
await tab.goto(`http://127.0.0.1:${server.address().port}/`);
await tab.waitForTimeout(Number(seconds) * 1000);
const r = await tab.evaluate(() => window.r);
if (screenshot) await tab.screenshot({ path: screenshot });
await browser.close();
server.close();
const sorted = [...r.latency].sort((a, b) => a - b);
const at = (p) => sorted.length ? Math.round(sorted[Math.min(sorted.length - 1, Math.floor(p * sorted.length))] * 1000) : null;
console.log(JSON.stringify({ hls_js: r.version, start_ms: r.startMs && Math.round(r.startMs), latency_p50_ms: at(0.5), latency_p95_ms: at(0.95),
  target_ms: r.target && Math.round(r.target * 1000), stalls: r.stalls, fatal: r.fatal, errors: r.errors, http_4xx: bad.length, bad: bad.slice(0, 5),
  frames: r.frames, dropped: r.dropped, audio_bytes: r.audioBytes, media_s: r.time }));
