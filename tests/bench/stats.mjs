// Statistics.

/** The middle one; between the two in the middle if they are even in number. */
export function median(numbers) {
  return quantile(numbers, 0.5);
}

/** The value below which lies this share of the numbers. */
export function quantile(numbers, share) {
  const sorted = Float64Array.from(numbers).sort();
  const at = (sorted.length - 1) * share;
  const [low, high] = [sorted[Math.floor(at)], sorted[Math.ceil(at)]];
  return low + (high - low) * (at - Math.floor(at));
}

/** Rounds to three digits: no benchmark knows more. */
export function short(number) {
  if (number === undefined || Number.isNaN(number)) return "–";
  return number >= 100 ? number.toFixed(0) : number >= 10 ? number.toFixed(1) : number.toFixed(2);
}
