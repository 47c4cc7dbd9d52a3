// The playground of the sinusoid tasks: two models, sampled in the browser by onnxruntime-web.
// What is drawn also stands in window.playground, where website/test_site.py reads it.

import { Chart } from "./chart.js";
import { forward, ramps, solutions } from "./solutions.js";

const TASKS = {
  1: [["sin", 5, 3], ["cos", 4, 8]],
  2: [["cos", 49, 63], ["cos", 4, 8]],
};
const MODELS = ["solver", "collapsed"];
const NAMES = ["lo0", "hi0", "lo1", "hi1"];
const SAMPLES = 100;
const NEAR = 0.02; // RMS distance at which a sample counts for a solution
const root = document.querySelector("#sampler");
const find = (selector) => root.querySelector(selector);
const sliders = NAMES.map((name) => find(`input[name=${name}]`));
const ramp = (label) => ({ label, range: [0, 1.1], ticks: [0, 0.2, 0.4, 0.6, 0.8, 1] });
const points = { label: "point t", range: [0, 49], ticks: [0, 10, 20, 30, 40] };
const values = { label: "y", range: [-1.08, 1.08], ticks: [-1, -0.5, 0, 0.5, 1] };
const charts = {
  y: new Chart(find("svg.y"), points, values),
  solver: new Chart(find("svg.solver"), ramp("x0"), ramp("x1")),
  collapsed: new Chart(find("svg.collapsed"), ramp("x0"), ramp("x1")),
};
const sessions = {};
let seed = 0;
let running = false;
let waiting = false;

// Uniform numbers in [0, 1), from a seed: the generator mulberry32.
function uniform(state) {
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

function noise(name, dimensions) {
  const next = uniform(seed);
  const normal = () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
  return Float32Array.from({ length: SAMPLES * dimensions }, name === "solver" ? next : normal);
}

function session(name, task) {
  const file = `${name}_${task}.onnx`;
  sessions[file] ??= ort.InferenceSession.create(new URL(`../models/${file}`, document.baseURI).href);
  return sessions[file];
}

async function sample(name, task, y) {
  const model = await session(name, task);
  const given = model.inputMetadata.find((input) => input.name === "noise");
  const dimensions = given.shape[1];
  const drawn = noise(name, dimensions);
  const results = await model.run({
    y: new ort.Tensor("float32", y, [1, y.length / 2, 2]),
    noise: new ort.Tensor("float32", drawn, [SAMPLES, dimensions]),
  });
  return { noise: drawn, x: results[model.outputNames[0]].data };
}

function distance(x, other) {
  return Math.sqrt(x.reduce((sum, value, i) => sum + (value - other[i]) ** 2, 0) / x.length);
}

function curves(samples, size) {
  return Array.from({ length: SAMPLES }, (_, i) => samples.subarray(i * size, (i + 1) * size));
}

// Interleaved pairs as points.
function pairs(curve) {
  return Array.from({ length: curve.length / 2 }, (_, t) => [curve[2 * t], curve[2 * t + 1]]);
}

function table(exact, drawn) {
  const rows = exact.map(({ weight, x }, i) => {
    const shares = MODELS.map(
      (name) => drawn[name].filter((sample) => distance(sample, x) < NEAR).length / SAMPLES,
    );
    const cells = [i + 1, ...[weight, ...shares].map((share) => share.toFixed(2))];
    return `<tr>${cells.map((cell) => `<td>${cell}</td>`).join("")}</tr>`;
  });
  find("tbody").innerHTML = rows.join("");
}

async function draw() {
  const task = Number(find("input[name=task]:checked").value);
  const functions = TASKS[task];
  const ends = sliders.map((slider) => Number(slider.value));
  const x = ramps(ends);
  const y = Float32Array.from(forward(functions, x));
  const exact = solutions(functions, ends).map((solution) => ({
    ...solution,
    x: ramps(solution.ends),
  }));
  charts.y.draw(
    [0, 1].map((i) => ({ name: `curve${i}`, lines: [pairs(y).map((pair, t) => [t, pair[i]])] })),
  );
  find(".status").textContent = MODELS.every((name) => sessions[`${name}_${task}.onnx`])
    ? ""
    : "Loading the models ...";
  const samples = {};
  for (const name of MODELS) samples[name] = await sample(name, task, y);
  const drawn = Object.fromEntries(MODELS.map((name) => [name, curves(samples[name].x, x.length)]));
  for (const name of MODELS) {
    charts[name].draw([
      { name: "sample", lines: drawn[name].map(pairs) },
      {
        name: "exact",
        lines: exact.map((solution) => pairs(solution.x)),
        ends: true,
        labels: exact.map((_, i) => i + 1),
      },
    ]);
  }
  table(exact, drawn);
  find(".status").textContent =
    exact.length === 1 ? "This y has 1 exact solution." : `This y has ${exact.length} exact solutions.`;
  window.playground = { task, ends, y, exact, samples, draws: (window.playground?.draws ?? 0) + 1 };
}

// One drawing at a time; of the moves in between, the last one counts.
async function update() {
  waiting = true;
  if (running) return;
  running = true;
  try {
    while (waiting) {
      waiting = false;
      await draw();
    }
  } catch (error) {
    find(".status").textContent = `The models cannot run in this browser: ${error.message}`;
    console.error(error);
  }
  running = false;
}

// A ramp's low end stays below its high end: the other end gives way.
function move(i) {
  const [low, high] = [sliders[i - (i % 2)], sliders[i - (i % 2) + 1]];
  if (Number(low.value) > Number(high.value)) (i % 2 ? low : high).value = sliders[i].value;
  show();
  update();
}

function show() {
  for (const slider of sliders) slider.nextElementSibling.value = Number(slider.value).toFixed(3);
}

sliders.forEach((slider, i) => slider.addEventListener("input", () => move(i)));
find("fieldset.tasks").addEventListener("change", update);
find("button.again").addEventListener("click", () => {
  seed += 1;
  update();
});
ort.env.wasm.numThreads = 1; // more need headers that a static site does not send
ort.env.wasm.wasmPaths = new URL("../vendor/onnxruntime/", document.baseURI).href;
show();
update();
