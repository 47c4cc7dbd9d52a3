// The latent plane of digits: the decoder, run in the browser by onnxruntime-web, under the pointer.
// What is drawn also stands in window.digits, where website/test_site.py reads it.

import { Chart } from "../playground/chart.js";

const root = document.querySelector("#plane");
const svg = root.querySelector("svg");
const canvas = root.querySelector("canvas");
const sliders = ["z0", "z1"].map((name) => root.querySelector(`input[name=${name}]`));
const status = root.querySelector(".status");
const address = (file) => new URL(`../models/${file}`, document.baseURI).href;
let decoder;
let chart;
let running = false;
let waiting = false;

async function draw() {
  const z = Float32Array.from(sliders, (slider) => Number(slider.value));
  chart.draw([{ name: "exact", lines: [[z, z]], ends: true }]);
  const results = await decoder.run({ [decoder.inputNames[0]]: new ort.Tensor("float32", z, [1, 2]) });
  const image = results[decoder.outputNames[0]].data;
  const pixels = new ImageData(8, 8);
  image.forEach((value, i) => {
    const gray = 255 - Math.max(0, Math.min(16, value)) * (255 / 16); // high values are dark
    pixels.data.set([gray, gray, gray, 255], 4 * i);
  });
  canvas.getContext("2d").putImageData(pixels, 0, 0);
  window.digits = { z: [...z], image: [...image], draws: (window.digits?.draws ?? 0) + 1 };
}

// One drawing at a time; of the moves in between, the last one counts.
async function update() {
  for (const slider of sliders) slider.nextElementSibling.value = Number(slider.value).toFixed(2);
  waiting = true;
  if (running) return;
  running = true;
  while (waiting) {
    waiting = false;
    await draw();
  }
  running = false;
}

function point(event) {
  const place = chart.at(event);
  sliders.forEach((slider, i) => (slider.value = place[i]));
  update();
}

async function start() {
  ort.env.wasm.numThreads = 1; // more need headers that a static site does not send
  ort.env.wasm.wasmPaths = new URL("../vendor/onnxruntime/", document.baseURI).href;
  const { z, labels } = await (await fetch(address("digits.json"))).json();
  const axis = (i) => {
    const values = z.map((pair) => pair[i]);
    const range = [Math.floor(Math.min(...values)), Math.ceil(Math.max(...values))];
    const whole = Array.from({ length: range[1] - range[0] + 1 }, (_, k) => range[0] + k);
    [sliders[i].min, sliders[i].max] = range;
    sliders[i].value = 0;
    return { label: `z${i}`, range, ticks: whole };
  };
  chart = new Chart(svg, axis(0), axis(1));
  chart.write(z, labels, (label) => `digit digit${label}`);
  decoder = await ort.InferenceSession.create(address("digits.onnx"));
  sliders.forEach((slider) => slider.addEventListener("input", update));
  svg.addEventListener("pointermove", point);
  svg.addEventListener("pointerdown", point);
  await update();
}

start().catch((error) => {
  status.textContent = `The decoder cannot run in this browser: ${error.message}`;
  console.error(error);
});
