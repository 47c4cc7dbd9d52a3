// A panel of lines as SVG; the colors and the dashes come from site.css.

const NAMESPACE = "http://www.w3.org/2000/svg";
const [LEFT, TOP, WIDTH, HEIGHT] = [40, 8, 290, 260];

function add(parent, name, attributes, text = "") {
  const element = document.createElementNS(NAMESPACE, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.textContent = text;
  parent.append(element);
  return element;
}

export class Chart {
  // x and y: an axis each, { label, range: [least, most], ticks }
  constructor(svg, x, y) {
    this.axes = { x, y };
    svg.setAttribute("viewBox", `0 0 ${LEFT + WIDTH + 8} ${TOP + HEIGHT + 38}`);
    for (const value of x.ticks) {
      const place = { x: LEFT + this.x(value), y: TOP + HEIGHT + 16 };
      add(svg, "text", { class: "tick", "text-anchor": "middle", ...place }, value);
    }
    for (const value of y.ticks) {
      const place = { x: LEFT - 5, y: TOP + this.y(value) + 4 };
      add(svg, "text", { class: "tick", "text-anchor": "end", ...place }, value);
    }
    const below = { x: LEFT + WIDTH / 2, y: TOP + HEIGHT + 34 };
    add(svg, "text", { class: "tick", "text-anchor": "middle", ...below }, x.label);
    const beside = { transform: `translate(12 ${TOP + HEIGHT / 2}) rotate(-90)` };
    add(svg, "text", { class: "tick", "text-anchor": "middle", ...beside }, y.label);
    const area = { x: LEFT, y: TOP, width: WIDTH, height: HEIGHT };
    this.text = add(svg, "svg", area);
    this.area = add(svg, "svg", area); // cuts off what leaves it
    add(svg, "rect", { class: "frame", ...area });
  }

  x(value) {
    const [least, most] = this.axes.x.range;
    return ((value - least) / (most - least)) * WIDTH;
  }

  y(value) {
    const [least, most] = this.axes.y.range;
    return (1 - (value - least) / (most - least)) * HEIGHT;
  }

  // The values [x, y] under the pointer.
  at(event) {
    const box = this.area.ownerSVGElement.getBoundingClientRect();
    const unit = (LEFT + WIDTH + 8) / box.width;
    const { x, y } = this.axes;
    const right = ((event.clientX - box.left) * unit - LEFT) / WIDTH;
    const up = 1 - ((event.clientY - box.top) * unit - TOP) / HEIGHT;
    return [x.range[0] + right * (x.range[1] - x.range[0]), y.range[0] + up * (y.range[1] - y.range[0])];
  }

  // Text at points, below what is drawn; kind(text) is its class.
  write(points, texts, kind) {
    points.forEach(([x, y], i) => {
      const place = { x: this.x(x), y: this.y(y) + 3, "text-anchor": "middle" };
      add(this.text, "text", { class: kind(texts[i]), ...place }, texts[i]);
    });
  }

  // layers: [{ name, lines, ends, labels }], a line [[x, y], ...]; with circles at both ends, and a
  // label at the first
  draw(layers) {
    this.area.replaceChildren();
    for (const { name, lines, ends = false, labels = [] } of layers) {
      const at = ([x, y]) => `${this.x(x).toFixed(2)} ${this.y(y).toFixed(2)}`;
      const d = lines.map((line) => `M${line.map(at).join("L")}`).join("");
      add(this.area, "path", { class: name, d });
      for (const line of ends ? lines : []) {
        for (const [x, y] of [line[0], line.at(-1)]) {
          add(this.area, "circle", { class: name, cx: this.x(x), cy: this.y(y), r: 3.5 });
        }
      }
      labels.forEach((label, i) => {
        const [x, y] = lines[i][0];
        const place = { x: this.x(x) + 7, y: this.y(y) - 6 };
        add(this.area, "text", { class: `tick ${name}`, ...place }, label);
      });
    }
  }
}
