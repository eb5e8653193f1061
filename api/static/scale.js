// Arithmetic of charts: from values to places, and where an axis is marked. Draws nothing.

const HOUR = 3600000;
const STEPS_H = [1, 3, 6, 12, 24, 48, 72, 168, 336, 720];

/** Return the function from a value in `[from, to]` to its place in `[start, end]`. */
export function linear([from, to], [start, end]) {
  const factor = to === from ? 0 : (end - start) / (to - from);
  return (value) => start + (value - from) * factor;
}

/** Return about `wanted` round values within `[low, high]`. */
export function ticks(low, high, wanted) {
  const rough = (high - low) / Math.max(1, wanted);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((each) => each * power).find((each) => each >= rough);
  const found = [];
  for (let at = Math.ceil(low / step - 1e-9); at * step <= high + step * 1e-9; at += 1) found.push(at * step);
  return found;
}

/** Return times to mark between two instants: full hours or midnights of the reader's zone, at most `most`. */
export function timeTicks(start, end, most) {
  const step = STEPS_H.find((each) => (end - start) / HOUR / each <= most) ?? STEPS_H.at(-1);
  const at = new Date(start);
  at.setHours(0, 0, 0, 0);
  const found = [];
  while (at < end) {
    if (at >= start) found.push(new Date(at));
    // By the calendar, not by 24 hours: a day has 23 or 25 of them twice a year.
    if (step >= 24) at.setDate(at.getDate() + step / 24);
    else at.setHours(at.getHours() + step);
  }
  return { times: found, areDays: step >= 24 };
}

/**
 * Return the range of the nets and of nine in ten of their bands, with zero in it, never narrower than 20 points. The few widest
 * bands, of buckets with hardly an item, are cut: they would make everything else flat.
 */
export function range(lines) {
  const all = lines.flatMap((line) => line.points).filter((point) => point.net !== null);
  const part = (name, share) => {
    const sorted = all.map((point) => point[name] ?? point.net).sort((one, other) => one - other);
    return sorted.length ? [sorted[Math.floor((sorted.length - 1) * share)]] : [];
  };
  const nets = all.map((point) => point.net);
  const low = Math.min(0, ...nets, ...part("net_low", 0.1));
  const high = Math.max(0, ...nets, ...part("net_high", 0.9));
  // A net ends at 1; the difference of two may go on to 2.
  const most = Math.max(1, ...nets.map(Math.abs));
  const margin = Math.max(0.04, (high - low) * 0.12);
  return [Math.max(-most, Math.min(low - margin, -0.1)), Math.min(most, Math.max(high + margin, 0.1))];
}

/** Cut the points where buckets are missing: a gap is a gap, never a line across it. */
export function runs(points, hours) {
  const found = [];
  let last = null;
  for (const point of points) {
    if (point.net === null || point.net === undefined) {
      last = null;
      continue;
    }
    // An hour more: where clocks change a bucket of days may begin late.
    const isNext = last !== null && new Date(point.start) - new Date(last.start) <= (hours + 1) * HOUR;
    if (isNext) found.at(-1).push(point);
    else found.push([point]);
    last = point;
  }
  return found;
}

/** Put neighbouring buckets together until there are at most `most` in the window. */
export function coarser(points, start, end, hours, most) {
  const factor = Math.max(1, Math.ceil((end - start) / HOUR / hours / most));
  if (factor === 1) return { points, hours };
  const size = factor * hours * HOUR;
  const sums = new Map();
  for (const point of points) {
    const at = Math.floor(new Date(point.start) / size) * size;
    const sum = sums.get(at) ?? { start: at, total: 0, positive: 0, negative: 0, neutral: 0 };
    for (const name of ["total", "positive", "negative", "neutral"]) sum[name] += point[name];
    sums.set(at, sum);
  }
  const merged = [...sums.values()].sort((one, other) => one.start - other.start);
  return { hours: factor * hours, points: merged.map((sum) => ({ ...sum, net: sum.total ? (sum.positive - sum.negative) / sum.total : null })) };
}

/** Return the path through the points of one run. */
export function path(run, x, y, value = (point) => point.net) {
  return run.map((point, index) => `${index ? "L" : "M"}${x(point).toFixed(1)},${y(value(point)).toFixed(1)}`).join("");
}

/** Return the path around the band between low and high of one run. */
export function band(run, x, y) {
  const back = [...run].reverse();
  return `${path(run, x, y, (point) => point.net_high)}L${path(back, x, y, (point) => point.net_low).slice(1)}Z`;
}
