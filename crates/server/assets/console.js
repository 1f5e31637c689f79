// The console: the list of streams, refreshed from the control API.
"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  let token = sessionStorage.getItem("millstream-token") || "";
  const headers = () => (token ? { Authorization: `Bearer ${token}` } : {});
  const path = (key) => key.split("/").map(encodeURIComponent).join("/");
  const last = new Map();   // key -> { bytes, at } for rates

  function element(tag, text, extra) { return Object.assign(document.createElement(tag), { textContent: text ?? "" }, extra); }
  function cell(...nodes) { const td = document.createElement("td"); td.append(...nodes); return td; }
  const mbit = (bps) => `${(bps / 1e6).toFixed(2)} Mb/s`;
  function duration(s) {
    const h = Math.floor(s / 3600), m = Math.floor(s / 60) % 60;
    return h ? `${h} h ${m} min` : m ? `${m} min ${Math.floor(s % 60)} s` : `${s.toFixed(0)} s`;
  }
  function track(t) {
    if (t.kind === "video") return `${t.codec} ${t.width}×${t.height}${t.fps ? ` ${Math.round(t.fps * 100) / 100} fps` : ""}`;
    if (t.kind === "audio") return `${t.codec} ${t.sample_rate} Hz, ${t.channels} ch`;
    return t.codec;
  }
  function row(s) {
    const now = performance.now(), before = last.get(s.key);
    last.set(s.key, { bytes: s.bytes_in, at: now });
    const rate = before && now > before.at ? ((s.bytes_in - before.bytes) * 8000) / (now - before.at) : null;
    const tr = document.createElement("tr");
    const tracks = cell();
    for (const t of s.tracks) tracks.append(element("div", track(t), { title: t.codec_string || "" }));
    const byProtocol = {};
    for (const r of s.readers) byProtocol[r.protocol] = (byProtocol[r.protocol] || 0) + 1;
    const repairs = Object.entries(s.repairs).filter(([, n]) => n > 0).map(([k, n]) => `${k} ${n}`).join(", ");
    const kick = element("button", "end", { title: "end this publisher", onclick: async () => {
      if (!confirm(`End the publisher of ${s.key}?`)) return;
      await fetch(`/api/v1/streams/${path(s.key)}/publisher`, { method: "DELETE", headers: headers() });
      refresh();
    } });
    tr.append(
      cell(element("a", s.key, { href: `/${path(s.key)}/` })),
      cell(element("span", s.state, { className: `state ${s.state}` })),
      tracks,
      s.publisher ? cell(s.publisher.protocol, element("small", s.publisher.remote || "in this process")) : cell("–"),
      cell(String(s.readers.length), element("small", Object.entries(byProtocol).map(([p, n]) => `${p} ${n}`).join(", "))),
      cell(rate === null ? "…" : mbit(rate), element("small", duration(s.uptime_s))),
      cell(repairs || "none"),
      s.publisher ? cell(kick) : cell(),
    );
    return tr;
  }
  async function refresh() {
    let answer;
    try { answer = await fetch("/api/v1/streams", { headers: headers(), cache: "no-store" }); }
    catch { $("summary").textContent = "the server does not answer"; return; }
    const locked = answer.status === 401 || answer.status === 403;
    $("login").hidden = !locked;
    if (locked) { $("table").hidden = true; $("empty").hidden = true; $("summary").textContent = "the API wants its token"; return; }
    if (!answer.ok) { $("summary").textContent = `the API answers ${answer.status}`; return; }
    const { items } = await answer.json();
    const readers = items.reduce((n, s) => n + s.readers.length, 0);
    $("summary").textContent = `${items.length} stream${items.length === 1 ? "" : "s"}, ${readers} reader${readers === 1 ? "" : "s"}`;
    $("table").hidden = items.length === 0;
    $("empty").hidden = items.length !== 0;
    $("empty").replaceChildren("No stream yet. Publish one: ",
      element("code", `ffmpeg -re -i FILE -c copy -f flv rtmp://${location.hostname}/live/cam`));
    $("rows").replaceChildren(...items.map(row));
  }
  $("login").onsubmit = (event) => {
    event.preventDefault();
    token = $("token").value;
    sessionStorage.setItem("millstream-token", token);
    refresh();
  };
  refresh();
  setInterval(refresh, 2000);
})();
