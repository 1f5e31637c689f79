// What both pages use: elements, addresses, small charts.
"use strict";
const Millstream = (() => {
  const about = JSON.parse(document.querySelector("meta[name=millstream]").content);
  const $ = (id) => document.getElementById(id);

  function element(tag, text, extra) {
    return Object.assign(document.createElement(tag), { textContent: text ?? "" }, extra);
  }

  const path = (key) => key.split("/").map(encodeURIComponent).join("/");

  // Where a stream can be watched, as names and addresses.
  function addresses(key) {
    const http = `${location.origin}/${path(key)}`;
    const list = [["Player", `${http}/`], ["LL-HLS", `${http}/index.m3u8`], ["HTTP-FLV", `${http}.flv`], ["Fragmented MP4", `${http}.mp4`]];
    if (about.rtmp) list.push(["RTMP", `${rtmp()}/${key}`]);
    if (about.rtmps) list.push(["RTMPS", `rtmps://${location.hostname}:${about.rtmps}/${key}`]);
    return list;
  }

  function rtmp() {
    return `rtmp://${location.hostname}${about.rtmp === 1935 ? "" : `:${about.rtmp}`}`;
  }

  function links(list) {
    return list.map(([name, url]) => {
      const row = document.createElement("div");
      const copy = element("button", "Copy", { onclick: async () => {
        try { await navigator.clipboard.writeText(url); copy.textContent = "Copied"; }
        catch { getSelection().selectAllChildren(code); copy.textContent = "Selected"; }
        setTimeout(() => { copy.textContent = "Copy"; }, 1500);
      } });
      const code = element("code", url);
      row.append(element("span", name), code, copy);
      return row;
    });
  }

  // A line over time, the newest at the right; null leaves a gap.
  function chart(canvas, values, { color, most, slots }) {
    const scale = devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight;
    if (!width) return;
    canvas.width = width * scale;
    canvas.height = height * scale;
    const draw = canvas.getContext("2d");
    draw.scale(scale, scale);
    const top = Math.max(most, ...values.filter((v) => v !== null)) * 1.08;
    const x = (i) => width - 1 - (values.length - 1 - i) * (width / (slots - 1));
    const y = (v) => height - 1.5 - (v / top) * (height - 4);
    const line = () => {
      let pen = false;
      values.forEach((v, i) => {
        if (v === null) { pen = false; return; }
        if (pen) draw.lineTo(x(i), y(v)); else draw.moveTo(x(i), y(v));
        pen = true;
      });
    };
    draw.beginPath();
    line();
    draw.strokeStyle = color;
    draw.lineWidth = 1.6;
    draw.lineJoin = "round";
    draw.stroke();
    if (values.length > 1 && !values.includes(null)) {
      draw.lineTo(x(values.length - 1), height);
      draw.lineTo(x(0), height);
      draw.globalAlpha = 0.12;
      draw.fillStyle = color;
      draw.fill();
    }
  }

  return { about, $, element, path, addresses, rtmp, links, chart };
})();
