// A small area chart of one series: fixes per second over the last minute and a half.
//
// Promise: it scales itself to a round maximum and never shows fewer than two grid lines.

import { count } from "./format.js";

const POINTS = 90;

/** @param {HTMLCanvasElement} canvas @param {number[]} values newest last */
export function drawChart(canvas, values) {
  const ratio = devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  if (width === 0) return;
  if (canvas.width !== Math.round(width * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const style = getComputedStyle(canvas);
  const [line, faint] = [style.getPropertyValue("--accent").trim(), style.getPropertyValue("--muted").trim()];
  const ctx = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
  ctx.clearRect(0, 0, width, height);
  const most = roundUp(Math.max(4, ...values) * 1.15);
  const [left, top, bottom] = [34, 6, height - 4];
  const y = (value) => bottom - (value / most) * (bottom - top);
  ctx.font = "10px system-ui, 'DejaVu Sans', sans-serif";
  ctx.textAlign = "right";
  ctx.textBaseline = "middle";
  for (const value of [0, most / 2, most]) {
    ctx.globalAlpha = 0.25;
    ctx.fillStyle = faint;
    ctx.fillRect(left, Math.round(y(value)), width - left, 1);
    ctx.globalAlpha = 1;
    ctx.fillText(count(value), left - 5, Math.min(bottom - 3, y(value)));
  }
  if (values.length < 2) return;
  const x = (i) => width - 3 - ((values.length - 1 - i) / (POINTS - 1)) * (width - left - 3);
  ctx.beginPath();
  values.forEach((value, i) => (i === 0 ? ctx.moveTo(x(i), y(value)) : ctx.lineTo(x(i), y(value))));
  ctx.strokeStyle = line;
  ctx.lineWidth = 1.8;
  ctx.lineJoin = "round";
  ctx.stroke();
  ctx.lineTo(x(values.length - 1), bottom);
  ctx.lineTo(x(0), bottom);
  ctx.globalAlpha = 0.14;
  ctx.fillStyle = line;
  ctx.fill();
  ctx.globalAlpha = 1;
  ctx.beginPath();
  ctx.arc(x(values.length - 1), y(values.at(-1)), 2.6, 0, 2 * Math.PI);
  ctx.fill();
}

function roundUp(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 3, 4, 5, 6, 8, 10].map((n) => n * power).find((n) => n >= value) ?? value;
}
