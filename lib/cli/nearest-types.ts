import { SCALEKIT_EVENT_TYPES } from '../events/catalog.js';

/** The known event types that need the fewest edits to become `type`, nearest first. */
export function nearestTypes(type: string, count = 3): readonly string[] {
  return SCALEKIT_EVENT_TYPES.map((known) => ({ known, distance: editDistance(type, known) }))
    .sort((one, other) => one.distance - other.distance)
    .slice(0, count)
    .map(({ known }) => known);
}

/** Levenshtein's distance, one row at a time. */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (const [index, letter] of [...from].entries()) {
    const next = [index + 1];
    for (let column = 1; column <= to.length; column++) {
      const replaced = (row[column - 1] ?? 0) + (letter === to[column - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[column] ?? 0) + 1, (next[column - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}
