// The console: every stream with its figures, readers and addresses, refreshed from the control API.
"use strict";
(() => {
  const { $, about, element, path, addresses, rtmp, links, chart } = Millstream;
  const REFRESH = 2000;
  const SLOTS = 60;
  let token = sessionStorage.getItem("millstream-token") || "";
  const headers = () => (token ? { Authorization: `Bearer ${token}` } : {});
  const cards = new Map();   // key -> card, so that what is open stays open
  let cpu = null;

  $("version").textContent = `v${about.version}`;
  $("example").textContent = about.rtmp ? `ffmpeg -re -i FILE -c copy -f flv ${rtmp()}/live/cam` : "RTMP is switched off on this server";

  const mbit = (bps) => (bps < 1e6 ? `${Math.round(bps / 1e3)} kb/s` : `${(bps / 1e6).toFixed(2)} Mb/s`);
  const size = (n) => (n < 1e6 ? `${(n / 1e3).toFixed(0)} kB` : n < 1e9 ? `${(n / 1e6).toFixed(1)} MB` : `${(n / 1e9).toFixed(2)} GB`);
  const plural = (n, word) => `${n} ${word}${n === 1 ? "" : "s"}`;
  function duration(s) {
    const h = Math.floor(s / 3600), m = Math.floor(s / 60) % 60;
    return h ? `${h} h ${m} min` : m ? `${m} min ${Math.floor(s % 60)} s` : `${Math.floor(s)} s`;
  }
  function track(t) {
    const codec = t.codec.toUpperCase().replace(/^H(26.)$/, "H.$1");
    if (t.kind === "video") return [`${codec} ${t.width}×${t.height}`, `${Math.round(t.fps * 100) / 100} fps, ${mbit(t.bitrate_bps)}`];
    if (t.kind === "audio") return [`${codec} ${t.sample_rate / 1000} kHz`, `${t.channels === 2 ? "stereo" : t.channels === 1 ? "mono" : `${t.channels} channels`}, ${mbit(t.bitrate_bps)}`];
    return [codec, t.kind];
  }
  async function remove(url) { await fetch(url, { method: "DELETE", headers: headers() }); refresh(); }

  class Card {
    constructor(key) {
      this.key = key;
      this.rates = [];
      this.last = null;
      this.root = element("section", "", { className: "card stream" });
      this.state = element("span", "", { className: "pill" });
      this.end = element("button", "End publisher", { className: "end", onclick: () => {
        if (confirm(`End the publisher of ${key}?`)) remove(`/api/v1/streams/${path(key)}/publisher`);
      } });
      const top = element("div", "", { className: "top" });
      top.append(
        element("a", key, { className: "key", href: `/${path(key)}/` }), this.state,
        element("a", "Watch", { className: "watch", href: `/${path(key)}/` }), this.end,
      );
      this.figures = element("div", "", { className: "figures" });
      this.canvas = element("canvas");
      this.readers = element("details");
      this.readers.append(element("summary"), element("div"));
      const urls = element("details");
      const list = element("div", "", { className: "links" });
      list.append(...links(addresses(key)));
      urls.append(element("summary", "Addresses"), list);
      this.root.append(top, this.figures, this.readers, urls);
    }

    figure(label, value, small, extra) {
      const box = element("div");
      const text = element("div", value, { className: "value" });
      if (small) text.append(element("small", small));
      box.append(element("div", label, { className: "label" }), text);
      if (extra) box.append(extra);
      return box;
    }

    update(s) {
      const now = performance.now();
      if (this.last && now > this.last.at) this.rates.push(((s.bytes_in - this.last.bytes) * 8000) / (now - this.last.at));
      if (this.rates.length > SLOTS) this.rates.shift();
      this.last = { bytes: s.bytes_in, at: now };
      const rate = this.rates.at(-1);
      this.state.textContent = s.state;
      this.state.className = `pill ${s.state}`;
      this.end.hidden = !s.publisher;
      const repairs = Object.entries(s.repairs).filter(([, n]) => n > 0).map(([k, n]) => `${k} ${n}`).join(", ");
      this.figures.replaceChildren(
        this.figure("In", rate === undefined ? "…" : mbit(rate), null, this.canvas),
        ...s.tracks.map((t) => {
          const [value, small] = track(t);
          const box = this.figure(t.kind[0].toUpperCase() + t.kind.slice(1), value, small);
          box.title = t.codec_string || "";
          return box;
        }),
        this.figure("Publisher", s.publisher ? s.publisher.protocol : "none", s.publisher ? s.publisher.remote || "inside the server" : null),
        this.figure("Up", duration(s.uptime_s), `${s.frames_in.toLocaleString("en")} frames`),
        this.figure("Repairs", repairs || "none"),
      );
      chart(this.canvas, this.rates.slice(), { color: "#4cc2ff", most: 1, slots: SLOTS });
      this.listReaders(s.readers);
    }

    listReaders(readers) {
      const byProtocol = {};
      for (const r of readers) byProtocol[r.protocol] = (byProtocol[r.protocol] || 0) + 1;
      const kinds = Object.entries(byProtocol).map(([p, n]) => `${n} ${p}`).join(", ");
      this.readers.firstChild.textContent = readers.length ? `${plural(readers.length, "reader")}: ${kinds}` : "No readers";
      const shown = readers.slice(0, 200);
      const table = element("table");
      const head = element("tr");
      for (const name of ["Protocol", "From", "Sent", "Behind", "Skipped", ""]) head.append(element("th", name));
      table.append(head);
      for (const r of shown) {
        const row = element("tr");
        for (const text of [r.protocol, r.remote || "inside the server", size(r.bytes), `${r.lag_ms} ms`, `${r.skipped_frames}`]) row.append(element("td", text));
        const last = element("td");
        last.append(element("button", "End", { className: "end", onclick: () => remove(`/api/v1/sessions/${encodeURIComponent(r.id)}`) }));
        row.append(last);
        table.append(row);
      }
      this.readers.lastChild.replaceChildren(...(readers.length ? [table] : []), element("p", readers.length > shown.length ? `and ${readers.length - shown.length} more` : ""));
    }
  }

  async function refresh() {
    let answer;
    try { answer = await fetch("/api/v1/streams", { headers: headers(), cache: "no-store" }); }
    catch { $("summary").textContent = "the server does not answer"; return; }
    const locked = answer.status === 401 || answer.status === 403 || answer.status === 429;
    $("login").hidden = answer.status !== 401 && answer.status !== 429;
    if (locked) {
      $("streams").replaceChildren();
      cards.clear();
      $("empty").hidden = true;
      $("summary").textContent = answer.status === 403 ? "the API answers the server's own machine alone; set api.token to open it" : "";
      return;
    }
    if (!answer.ok) { $("summary").textContent = `the API answers ${answer.status}`; return; }
    const { items } = await answer.json();
    const readers = items.reduce((n, s) => n + s.readers.length, 0);
    $("summary").textContent = `${plural(items.length, "stream")}, ${plural(readers, "reader")}`;
    $("empty").hidden = items.length !== 0;
    const keys = new Set(items.map((s) => s.key));
    for (const [key, card] of cards) if (!keys.has(key)) { card.root.remove(); cards.delete(key); }
    for (const s of items) {
      let card = cards.get(s.key);
      if (!card) {
        card = new Card(s.key);
        cards.set(s.key, card);
        $("streams").append(card.root);
      }
      card.update(s);
    }
    figuresOfProcess();
  }

  // Memory and CPU of the server, from its metrics.
  async function figuresOfProcess() {
    try {
      const text = await (await fetch("/metrics", { headers: headers(), cache: "no-store" })).text();
      const value = (name) => Number((text.match(new RegExp(`^${name} (\\S+)$`, "m")) || [])[1]);
      const at = performance.now(), spent = value("process_cpu_seconds_total");
      const load = cpu ? ((spent - cpu.spent) * 1e5) / (at - cpu.at) : null;
      cpu = { at, spent };
      $("process").textContent = `${(value("process_resident_memory_bytes") / 1048576).toFixed(0)} MiB${load === null ? "" : `, ${load.toFixed(1)} % CPU`}`;
    } catch { $("process").textContent = ""; }
  }

  $("login").onsubmit = (event) => {
    event.preventDefault();
    token = $("token").value;
    sessionStorage.setItem("millstream-token", token);
    refresh();
  };
  refresh();
  setInterval(() => { if (!document.hidden) refresh(); }, REFRESH);
})();
