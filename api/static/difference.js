// The difference of two nets with its interval. Arithmetic alone.

/**
 * Return net, low and high of one minus the other. The interval is put together of both intervals' distances to their nets
 * (Zou and Donner, 2008: the method of variance estimates recovery), which are right for few items already.
 */
export function difference(one, other) {
  if (!one || !other || one.net === null || other.net === null) return { net: null, net_low: null, net_high: null };
  const net = one.net - other.net;
  return {
    net,
    net_low: Math.max(-2, net - Math.hypot(one.net - one.net_low, other.net_high - other.net)),
    net_high: Math.min(2, net + Math.hypot(one.net_high - one.net, other.net - other.net_low)),
  };
}

/** Return the difference in each bucket that has items of both; the others stay out. */
export function differences(ones, others) {
  const found = new Map(others.map((point) => [point.start, point]));
  return ones
    .filter((point) => found.has(point.start))
    .map((point) => ({ start: point.start, ...difference(point, found.get(point.start)) }))
    .filter((point) => point.net !== null);
}
