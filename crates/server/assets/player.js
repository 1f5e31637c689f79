// The player page: fragmented MP4 over a WebSocket into Media Source Extensions; native HLS where there is no MSE.
"use strict";
(() => {
  const TARGET = 0.25;      // seconds of buffer the player aims for
  const SLACK = 0.2;        // above TARGET + SLACK it plays a little faster
  const JUMP = 2.5;         // this far behind it jumps to the live edge
  const KEEP_BEHIND = 20;   // seconds kept for a pause or a look back
  const VIDEO = /^(avc|hvc|hev|vvc|vvi|av01|vp0|dvh)/i;
  const SILENCE = 8000;     // ms without a byte after which the connection counts as dead

  const { $, addresses, links, chart } = Millstream;
  const video = $("video");
  const base = location.pathname.replace(/\/+$/, "");
  let query = location.search;
  const key = decodeURIComponent(base.slice(1));
  const stats = { transport: "", codecs: "", latencyMs: null, bufferMs: 0, bitrate: 0, stalls: 0, dropped: 0, epoch: null, bytes: 0, reconnects: 0, startMs: null };
  window.millstream = stats;   // for scripts and tests

  document.title = `${key} · Millstream`;
  const [name, ...app] = key.split("/").reverse();
  $("title").append(app.reverse().join(" / "), " / ", Object.assign(document.createElement("b"), { textContent: name }));
  const host = location.host;
  $("urls").append(...links(addresses(key).slice(1)));

  const badge = (text, kind) => { const b = $("badge"); b.textContent = text; b.className = `pill ${kind || ""}`; };
  const note = (text) => { $("note").hidden = !text; $("note").textContent = text || ""; };
  const put = (id, text, kind) => { const e = $(id); e.textContent = text; e.classList.remove("good", "warn", "bad"); if (kind) e.classList.add(kind); };

  // ---- the server's clock: the sample with the shortest round trip wins ----
  let clock = { offset: 0, rtt: Infinity };
  async function syncClock() {
    for (let i = 0; i < 4; i++) {
      try {
        const sent = performance.now();
        const text = (await (await fetch("/time", { cache: "no-store" })).text()).trim();
        const rtt = performance.now() - sent;
        const server = Date.parse(text);
        if (Number.isFinite(server) && rtt < clock.rtt) clock = { offset: server + rtt / 2 - Date.now(), rtt };
      } catch { /* latency is shown without the correction */ }
    }
  }
  const serverNow = () => Date.now() + clock.offset;

  // ---- sound: pages may not start with it ----
  const sound = $("sound");
  sound.onclick = () => { video.muted = false; sound.hidden = true; video.play().catch(() => {}); };
  video.onvolumechange = () => { if (!video.muted) sound.hidden = true; };
  video.onplaying = () => {
    if (stats.startMs === null) stats.startMs = Math.round(performance.now() - begun);
    tries = 0;
    note(""); badge("LIVE", "live");
    sound.hidden = !video.muted;
  };
  video.onwaiting = () => { if (stats.startMs !== null && !video.paused && !video.seeking) { stats.stalls++; badge("buffering", "warn"); } };
  video.onerror = () => { if (session) session.end("the picture broke; starting again …"); };
  let begun = performance.now();

  // ---- fragmented MP4 over WebSocket ----
  const Source = window.ManagedMediaSource || window.MediaSource;
  let session = null;
  let tries = 0;   // since it last played

  class Session {
    constructor() {
      this.queue = [];
      this.buffer = null;
      this.wallMs = null;
      this.closed = false;
      this.lastByte = performance.now();
      this.media = new Source();
      if (window.ManagedMediaSource && Source === window.ManagedMediaSource) video.disableRemotePlayback = true;
      this.url = URL.createObjectURL(this.media);
      video.src = this.url;
      this.media.addEventListener("sourceopen", () => this.connect(), { once: true });
    }

    connect() {
      if (this.closed) return;
      const scheme = location.protocol === "https:" ? "wss:" : "ws:";
      this.socket = new WebSocket(`${scheme}//${host}${base}.mp4${query}`);
      this.socket.binaryType = "arraybuffer";
      this.socket.onmessage = ({ data }) => {
        this.lastByte = performance.now();
        if (typeof data === "string") this.configure(JSON.parse(data));
        else { stats.bytes += data.byteLength; this.queue.push(data); this.pump(); }
      };
      this.socket.onclose = () => this.end("waiting for the stream …");
    }

    configure({ codecs, epoch, wall_ms }) {
      const type = `video/mp4; codecs="${codecs}"`;
      const picture = codecs.split(",").filter((c) => VIDEO.test(c)).join(",");
      if (!Source.isTypeSupported(type) && picture && picture !== codecs && Source.isTypeSupported(`video/mp4; codecs="${picture}"`)) {
        // The picture alone is better than nothing.
        const wish = new URLSearchParams(query);
        wish.set("audio", "none");
        query = `?${wish}`;
        this.end("this browser cannot play the sound; without it …", false, true);
        return;
      }
      if (!Source.isTypeSupported(type)) {
        this.end(`this browser cannot play ${codecs}`, true);
        return;
      }
      // A source buffer keeps the kinds of tracks it began with: sound that comes or goes needs a new one.
      const kinds = codecs.split(",").map((c) => (VIDEO.test(c) ? "v" : "a")).join("");
      if (this.kinds !== undefined && this.kinds !== kinds) { this.end("the tracks changed …", false, true); return; }
      this.kinds = kinds;
      // The queue keeps order: what is already waiting belongs to the old configuration.
      this.queue.push(() => {
        if (!this.buffer) {
          this.buffer = this.media.addSourceBuffer(type);
          this.buffer.addEventListener("updateend", () => this.pump());
          this.media.duration = Infinity;
        } else if (stats.codecs !== codecs && this.buffer.changeType) {
          this.buffer.changeType(type);
        }
        if (Number.isFinite(wall_ms)) this.wallMs = wall_ms;
        stats.codecs = codecs;
        stats.epoch = epoch;
      });
      this.pump();
    }

    pump() {
      try {
        while (!this.closed && this.queue.length && !(this.buffer && this.buffer.updating)) {
          const next = this.queue[0];
          if (typeof next === "function") { this.queue.shift(); next(); continue; }
          if (!this.buffer) return;
          this.queue.shift();
          // Whole chunks that wait together go in together.
          let parts = [next];
          while (this.queue.length && typeof this.queue[0] !== "function") parts.push(this.queue.shift());
          this.buffer.appendBuffer(parts.length === 1 ? next : join(parts));
        }
      } catch (error) {
        if (error.name === "QuotaExceededError") this.trim(2);
        else this.end("the picture broke; starting again …");
      }
    }

    trim(keep) {
      const b = this.buffer;
      if (b && !b.updating && b.buffered.length && video.currentTime - b.buffered.start(0) > keep + 5) {
        b.remove(b.buffered.start(0), video.currentTime - keep);
      }
    }

    // The live edge: start near it, drift back to it gently, jump when far.
    follow() {
      if (performance.now() - this.lastByte > SILENCE) { this.end("the stream stands still; connecting again …"); return; }
      const b = video.buffered;
      if (!b.length || video.seeking) return;
      const start = b.start(b.length - 1), end = b.end(b.length - 1);
      const ahead = end - video.currentTime;
      stats.bufferMs = Math.round(Math.max(0, ahead) * 1000);
      if (video.paused) { if (stats.startMs === null) video.play().catch(() => {}); return; }
      if (video.currentTime < start || ahead > JUMP || (stats.startMs === null && ahead > TARGET + SLACK)) {
        video.currentTime = Math.max(start, end - TARGET);
        video.playbackRate = 1;
      } else if (ahead > TARGET + SLACK) {
        video.playbackRate = 1.06;
      } else if (ahead < TARGET / 3) {
        video.playbackRate = 0.97;
      } else if (ahead < TARGET + SLACK / 4) {
        video.playbackRate = 1;
      }
      stats.latencyMs = this.wallMs === null ? null : Math.round(serverNow() - (this.wallMs + video.currentTime * 1000));
      this.trim(KEEP_BEHIND);
    }

    end(why, final, now) {
      if (this.closed) return;
      this.closed = true;
      if (this.socket) { this.socket.onclose = null; this.socket.close(); }
      URL.revokeObjectURL(this.url);
      stats.latencyMs = null;
      badge(final ? "not playable" : "reconnecting", "warn");
      note(why);
      session = null;
      if (!final) { stats.reconnects++; stats.startMs = null; begun = performance.now(); setTimeout(start, now ? 0 : Math.min(5000, 500 * ++tries)); }
    }
  }

  function join(parts) {
    const whole = new Uint8Array(parts.reduce((n, p) => n + p.byteLength, 0));
    let at = 0;
    for (const p of parts) { whole.set(new Uint8Array(p), at); at += p.byteLength; }
    return whole;
  }

  function start() {
    if (Source) {
      stats.transport = "fMP4 over WebSocket";
      session = new Session();
    } else if (video.canPlayType("application/vnd.apple.mpegurl")) {
      stats.transport = "native HLS";
      video.src = `${base}/index.m3u8${query}`;
      video.onerror = () => { note("waiting for the stream …"); setTimeout(start, 3000); };
      video.play().catch(() => {});
    } else {
      badge("not playable", "warn");
      note("this browser has neither Media Source Extensions nor HLS");
    }
  }

  // The RFC 6381 names as people say them.
  function names(codecs) {
    const known = { avc1: "H.264", avc3: "H.264", hvc1: "H.265", hev1: "H.265", av01: "AV1", vp09: "VP9", mp4a: "AAC", opus: "Opus", flac: "FLAC", "ac-3": "AC-3", "ec-3": "E-AC-3" };
    return codecs.split(",").map((c) => known[c.split(".")[0].toLowerCase()] || c).join(" + ");
  }

  let lastBytes = 0;
  const history = [];
  setInterval(() => session && session.follow(), 100);
  setInterval(() => {
    stats.bitrate = (stats.bytes - lastBytes) * 8;
    lastBytes = stats.bytes;
    const quality = video.getVideoPlaybackQuality ? video.getVideoPlaybackQuality() : null;
    if (quality) stats.dropped = quality.droppedVideoFrames;
    if (!Source && video.getStartDate) {
      const at = video.getStartDate().getTime();
      if (Number.isFinite(at)) stats.latencyMs = Math.round(serverNow() - at - video.currentTime * 1000);
    }
    const l = stats.latencyMs;
    put("s-latency", l === null ? "–" : `${(l / 1000).toFixed(2)} s`, l === null ? "" : l < 1000 ? "good" : l < 3000 ? "warn" : "bad");
    put("s-buffer", `${stats.bufferMs} ms`);
    put("s-picture", video.videoWidth ? `${video.videoWidth}×${video.videoHeight}` : "sound only");
    put("s-codecs", stats.codecs ? names(stats.codecs) : "–");
    $("s-codecs").title = stats.codecs;
    put("s-bitrate", stats.bitrate ? `${(stats.bitrate / 1e6).toFixed(2)} Mb/s` : "–");
    put("s-dropped", quality ? `${quality.droppedVideoFrames} of ${quality.totalVideoFrames}` : "–");
    put("s-stalls", String(stats.stalls), stats.stalls ? "warn" : "");
    put("s-start", stats.startMs === null ? "–" : `${stats.startMs} ms`);
    put("s-transport", stats.transport);
    history.push(l);
    if (history.length > 60) history.shift();
    const color = l === null ? "#5d6b79" : l < 1000 ? "#5bd68b" : l < 3000 ? "#ffc857" : "#ff7a7a";
    chart($("chart"), history, { color, most: 600, slots: 60 });
  }, 1000);
  syncClock();
  setInterval(() => { clock.rtt *= 1.5; syncClock(); }, 60_000);
  document.addEventListener("visibilitychange", () => { if (!document.hidden && session) session.follow(); });
  start();
})();
