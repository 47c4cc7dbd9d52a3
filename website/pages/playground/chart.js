// A panel of curves over the points t = 0..49, as SVG; colors come from site.css.

const NAMESPACE = "http://www.w3.org/2000/svg";
const [LEFT, TOP, WIDTH, HEIGHT] = [34, 8, 300, 190];

function add(parent, name, attributes, text = "") {
  const element = document.createElementNS(NAMESPACE, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.textContent = text;
  parent.append(element);
  return element;
}

export class Chart {
  // axis: label and [least, most] of the values; ticks: values that are labeled
  constructor(svg, { label, range, ticks }) {
    this.range = range;
    svg.setAttribute("viewBox", `0 0 ${LEFT + WIDTH + 8} ${TOP + HEIGHT + 36}`);
    svg.replaceChildren();
    for (const value of ticks) {
      const y = TOP + this.y(value);
      add(svg, "line", { class: "grid", x1: LEFT, x2: LEFT + WIDTH, y1: y, y2: y });
      add(svg, "text", { class: "tick", x: LEFT - 5, y: y + 4, "text-anchor": "end" }, value);
    }
    for (const t of [0, 10, 20, 30, 40, 49]) {
      const place = { x: LEFT + this.x(t), y: TOP + HEIGHT + 15, "text-anchor": "middle" };
      add(svg, "text", { class: "tick", ...place }, t);
    }
    const middle = { x: LEFT + WIDTH / 2, y: TOP + HEIGHT + 31, "text-anchor": "middle" };
    add(svg, "text", { class: "tick", ...middle }, "point t");
    const turned = `translate(11 ${TOP + HEIGHT / 2}) rotate(-90)`;
    add(svg, "text", { class: "tick", transform: turned, "text-anchor": "middle" }, label);
    const area = { x: LEFT, y: TOP, width: WIDTH, height: HEIGHT };
    this.area = add(svg, "svg", area); // cuts off what leaves it
    add(svg, "rect", { class: "frame", ...area });
  }

  x(t, points = 50) {
    return (t / (points - 1)) * WIDTH;
  }

  y(value) {
    const [least, most] = this.range;
    return (1 - (value - least) / (most - least)) * HEIGHT;
  }

  // layers: [{ name, curves }], curves of interleaved pairs; drawn in this order
  draw(layers) {
    this.area.replaceChildren();
    for (const { name, curves } of layers) {
      for (const part of [0, 1]) {
        const d = curves.map((curve) => this.path(curve, part)).join("");
        add(this.area, "path", { class: `${name} part${part}`, d });
      }
    }
  }

  path(curve, part) {
    const points = curve.length / 2;
    const at = (t) => `${this.x(t, points).toFixed(1)} ${this.y(curve[2 * t + part]).toFixed(2)}`;
    return `M${Array.from({ length: points }, (_, t) => at(t)).join("L")}`;
  }
}
