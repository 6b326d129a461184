// Numbers as people read them: durations, probabilities, counts.

/** Seconds as "8.4 s", "3 min 20 s", "1 h 05 min". */
export function span(seconds) {
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, "0")} s`;
  return `${Math.floor(whole / 3600)} h ${String(Math.floor((whole % 3600) / 60)).padStart(2, "0")} min`;
}

/** Seconds in the width of a matrix cell: "8s", "12m", "1.5h". */
export function shortSpan(seconds) {
  if (seconds < 99.5) return `${Math.max(1, Math.round(seconds))}s`;
  if (seconds < 5970) return `${Math.round(seconds / 60)}m`;
  return `${(seconds / 3600).toFixed(1)}h`;
}

/** A share of 1 as "84 %"; never rounded to a certainty that is none. */
export function percent(share) {
  if (share === null || share === undefined) return "–";
  if (share > 0.99 && share < 1) return "> 99 %";
  if (share < 0.01 && share > 0) return "< 1 %";
  return `${Math.round(100 * share)} %`;
}

const THIN = "\u202f";

/** A count with thin spaces, as the static pages write it. */
export function count(number) {
  return String(number).replace(/\B(?=(\d{3})+$)/g, THIN);
}

/** "1 track", "3 tracks". */
export function counted(number, one, many = `${one}s`) {
  return `${count(number)} ${number === 1 ? one : many}`;
}

const SAYINGS = [
  [0.97, "almost certainly"],
  [0.85, "very likely"],
  [0.6, "likely"],
  [0.4, "perhaps"],
  [0.15, "rather not"],
  [0.03, "very likely not"],
];

/** A probability in words: "very likely", "rather not". */
export function likelihood(probability) {
  return SAYINGS.find(([least]) => probability >= least)?.[1] ?? "almost certainly not";
}

/** Film time as "01:02:03.4", for places that have no time code. */
export function clock(seconds) {
  const tenths = Math.round(Math.max(0, seconds) * 10);
  const two = (number) => String(Math.floor(number)).padStart(2, "0");
  return `${two(tenths / 36000)}:${two((tenths / 600) % 60)}:${two((tenths / 10) % 60)}.${tenths % 10}`;
}
