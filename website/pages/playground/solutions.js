// The exact solutions of a sinusoid task: the algebra of cvae_keras/truth/sinusoid.py, for curves of
// known phases. y_i = g_i(p_i x0 + q_i x1) gives the phase up to its sign and a shift of 2 pi k.

const TWO_PI = 2 * Math.PI;
export const BOX = [0.1, 1.0];

// Ramps of ends [lo0, hi0, lo1, hi1] as Float64Array (points * 2), x0 and x1 in turn.
export function ramps([lo0, hi0, lo1, hi1], points = 50) {
  const x = new Float64Array(2 * points);
  for (let t = 0; t < points; t++) {
    const rise = t / (points - 1);
    x[2 * t] = (1 - rise) * hi0 + rise * lo0;
    x[2 * t + 1] = (1 - rise) * lo1 + rise * hi1;
  }
  return x;
}

// The curves y of x, in the same order.
export function forward(functions, x) {
  return Float64Array.from(x, (_, i) => {
    const t = i - (i % 2);
    const [name, p, q] = functions[i % 2];
    return Math[name](p * x[t] + q * x[t + 1]);
  });
}

// All (start, end) phases p x0 + q x1 of one curve that ramps in the box can reach.
function branches([name, p, q], [first, last], points, tol) {
  const [low, high] = BOX;
  const corners = [low, high].flatMap((a) => [low, high].map((b) => p * a + q * b));
  const margin = (Math.abs(p) + Math.abs(q)) * tol;
  const least = Math.min(...corners) - margin;
  const most = Math.max(...corners) + margin;
  const slopes = [Math.min(0, -p) + Math.min(0, q), Math.max(0, -p) + Math.max(0, q)];
  const [down, up] = slopes.map((slope) => slope * (high - low));
  const shift = name === "sin" ? Math.PI / 2 : 0; // sin(phase) = cos(phase - pi / 2)
  const found = [];
  for (const sign of [1, -1]) {
    const start = sign * (first - shift) + shift;
    const rise = sign * (last - first);
    const turn = TWO_PI * (points - 1); // a turn more between two points, which y does not show
    const reach = margin * (points - 1);
    for (let a = Math.ceil((down - rise - reach) / turn); rise + a * turn <= up + reach; a++) {
      for (let k = Math.ceil((least - start) / TWO_PI); start + k * TWO_PI <= most; k++) {
        const begin = start + k * TWO_PI;
        const end = begin + rise + a * turn;
        if (end >= least && end <= most) found.push([begin, end]);
      }
    }
  }
  return found;
}

// Every pair of ramps in the box with the y of given ends: [{ ends, weight }], by descending weight.
// The weight is 1 / ((1 - lo0) (1 - lo1)), normalized: all solutions have the same Jacobian.
export function solutions(functions, [lo0, hi0, lo1, hi1], points = 50, tol = 1e-5) {
  const [low, high] = BOX;
  const [one, two] = functions.map((curve) => {
    const [, p, q] = curve;
    return branches(curve, [p * hi0 + q * lo1, p * lo0 + q * hi1], points, tol);
  });
  const [[, a, b], [, c, d]] = functions;
  const determinant = a * d - b * c;
  const solve = (u, v) => [(d * u - b * v) / determinant, (a * v - c * u) / determinant];
  const found = [];
  for (const u of one) {
    for (const v of two) {
      const [x0, y0] = solve(u[0], v[0]);
      const [x1, y1] = solve(u[1], v[1]);
      const ends = [x1, x0, y0, y1];
      const inside = [[x1, x0], [y0, y1]].every(
        ([lo, hi]) => lo >= low - tol && hi <= high + tol && lo <= hi + tol,
      );
      const known = found.some((other) =>
        other.ends.every((end, i) => Math.abs(end - ends[i]) < tol),
      );
      if (!inside || known) continue;
      const weight = 1 / (Math.max(high - x1, tol) * Math.max(high - y0, tol));
      found.push({ ends, weight });
    }
  }
  const total = found.reduce((sum, { weight }) => sum + weight, 0);
  found.forEach((solution) => (solution.weight /= total));
  return found.sort((s, t) => t.weight - s.weight);
}
